/* Opening the service's pipe, and explaining why it did not open.
 *
 * The open asks for exactly the rights that the service grants to clients, at identification level, and looks
 * at the pipe's owner before anything is sent. */
#ifndef SHADOWPIPE_CLIENT_LIB_PIPE_H
#define SHADOWPIPE_CLIENT_LIB_PIPE_H

#include <windows.h>

#include "client/lib/shadowpipe.h"

struct pipe_name {
    wchar_t path[512];
    char text[1024]; /* the same in UTF-8, for messages */
    bool is_default; /* SP_DEFAULT_PIPE */
    bool from_environment;
};

/* What CreateFileW is called with: reading, writing data and attributes, READ_CONTROL; not FILE_APPEND_DATA,
 * which for a pipe is the right to make instances of it. */
#define PIPE_ACCESS (FILE_GENERIC_READ | FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES)
#define PIPE_FLAGS  (FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION)

/* What opening depends on, as a table, so that a test can see the exact flags and play a machine that
 * refuses. Nothing else may change it. */
struct pipe_api {
    HANDLE(WINAPI *create_file)
    (LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags,
     HANDLE template_file);
    /* The owner of the pipe, in `*descriptor`, which LocalFree frees; a Win32 error. */
    DWORD (*owner)(HANDLE pipe, PSID *owner, PSECURITY_DESCRIPTOR *descriptor);
    bool (*pipes_have_owners)(void); /* not under Wine */
    /* Of this process's token. */
    bool (*elevation)(TOKEN_ELEVATION_TYPE *type, bool *elevated);
    DWORD (*service_state)(void); /* 0 = not installed, else a SERVICE_ state */
};
extern struct pipe_api pipe_api;

/* The full name of the pipe `chosen`, or of the one that the environment or the default says. */
bool pipe_name_resolve(const char *chosen, struct pipe_name *name, struct sp_error **error);

/* INVALID_HANDLE_VALUE on failure. `deadline` is a GetTickCount64 value. */
HANDLE pipe_open(const struct pipe_name *name, uint64_t deadline, bool *owner_checked,
                 struct sp_error **error);

#endif
