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

/* The volume's files become those of the directory. FALSE: what is there now is neither. */
BOOL copying_restore(const wchar_t *directory, const wchar_t *root, unsigned number);

/* The process that ran this is dead: clears its work files away, or has its script do that at its end. */
void copying_abandon(unsigned number);

struct copying_doomed {
    wchar_t directory[STORE_PATH_CHARS];
    unsigned number; /* unique in the store */
};

/* The directories are gone from their places at once; the rest may take its time. Where they have been moved
 * to stands in doomed then. */
void copying_remove(struct copying_doomed *doomed, unsigned count);
