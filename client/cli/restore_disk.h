/* The disk as a restore finds it, in the caller's own rights. */
#ifndef SHADOWPIPE_CLIENT_CLI_RESTORE_DISK_H
#define SHADOWPIPE_CLIENT_CLI_RESTORE_DISK_H

#include "client/cli/restore_plan.h"

extern const struct restore_disk restore_real_disk;

/* %VARIABLES% become their values; what is none stays. */
void restore_expand(const char *path, struct text *expanded);
/* In full, from the current directory on. */
void restore_full_path(const char *path, struct text *full);

/* A name in the folder for temporary files that nobody can foresee: what is in the file decides what is
 * written where. */
void restore_temporary_path(struct text *path);
void restore_delete_file(const char *path);

#endif
