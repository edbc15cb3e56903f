#pragma once
#define b_errno_win32 (1 << 29)
struct berrno {
    int unused;
};
inline void berrno_init(struct berrno *)
{
}
inline const char *berrno_bstrerror(struct berrno *, int)
{
    return "a Windows error";
}
