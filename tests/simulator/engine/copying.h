/* Copies and removes trees of files for copies.c: by the host's tools under Wine, by file functions on
 * Windows. */
#pragma once
#include <windows.h>
#include "store.h"

struct copying_pair {
    wchar_t from[MAX_PATH];       /* a volume's root, with its backslash */
    wchar_t to[STORE_PATH_CHARS]; /* an empty directory */
};

/* number is unique in the store; it names the work files. Results as copies_make(). */
HRESULT copying_run(const struct copying_pair *pairs, unsigned count, unsigned number, HANDLE cancel);

/* The directory is gone from its place at once; the rest may take its time. */
void copying_remove(const wchar_t *directory, unsigned number);
