/* Shadow copies: for each, <store>\copies\<n>\ with the volume's files and <store>\copies\<n>.txt, its
 * record. A copy exists, for everybody, from the moment its record does. Until then, while it is made and the
 * writers hear Thaw and PostSnapshot, the record is called <n>.making; if its maker dies, the copy goes when
 * the object is run down. The device path handed out is
 * "\\?\<store>\copies\<n>". Files are copied under Wine by the host's cp, which does not care who has locked
 * them there; on Windows by plain reads, so that a locked file fails the copy. The store itself is left out
 * if it lies on the volume. */
#pragma once
#include <windows.h>
#include <vss.h>
#include "volumes.h"

struct copy_info {
    unsigned number;
    unsigned object; /* by which it was made */
    GUID id, set;
    LONG set_size, attributes;
    LONGLONG created; /* FILETIME */
    wchar_t volume[64];
    wchar_t device[640];
    unsigned long long release_at;  /* unix ms; 0: not released */
    wchar_t exposed[MAX_PATH];      /* a place, or the name of a share; empty: not exposed */
    wchar_t exposed_path[MAX_PATH]; /* of a share: what of the copy; empty: all */
};

/* Three steps make count copies of one moment: volumes[i] as infos[i], whose id, set, object, set_size,
 * attributes are given and whose number is 0. copies_fill() copies the files; after copies_publish() they
 * exist. Whichever step fails, copies_delete() takes all of them back. S_OK, VSS_S_ASYNC_CANCELLED,
 * VSS_E_INSUFFICIENT_STORAGE, VSS_E_UNEXPECTED_PROVIDER_ERROR. */
HRESULT copies_begin(const struct volume *volumes, struct copy_info *infos, unsigned count);
HRESULT copies_fill(const struct volume *volumes, const struct copy_info *infos, unsigned count,
                    HANDLE cancel);
HRESULT copies_publish(const struct copy_info *infos, unsigned count);

/* Calls visit for each live copy, in the order of their numbers, until it returns FALSE. Holds the store's
 * lock. */
void copies_visit(BOOL (*visit)(const struct copy_info *info, void *context), void *context);
HRESULT copies_find(const GUID *id, struct copy_info *info);
/* Keeps what was changed in info. */
HRESULT copies_change(const struct copy_info *info);
/* For what happens to a copy outside of this file (hardware.c): where its files are; its record at a path of
 * one's own; its records gone, files left alone; files from elsewhere become a copy, with a number of its own
 * (FALSE: they stay). */
void copies_directory(wchar_t *path, unsigned number);
HRESULT copies_write(const struct copy_info *info, const wchar_t *path);
BOOL copies_read(const wchar_t *path, struct copy_info *info);
void copies_forget(const struct copy_info *info);
BOOL copies_adopt(struct copy_info *info, const wchar_t *directory);
/* Infos whose number is 0 were never begun. */
void copies_delete(const struct copy_info *infos, unsigned count);

/* The object is gone: its auto-release copies go too, at once or, by a later sweep, after delay_ms. What it
 * has not finished goes at once. */
void copies_release(unsigned object, unsigned long delay_ms);
void copies_sweep(void);
