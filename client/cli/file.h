/* Whole files: read at once, and written so that what bears the name is whole and on the disk, whatever dies.
 */
#ifndef SHADOWPIPE_CLIENT_CLI_FILE_H
#define SHADOWPIPE_CLIENT_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/cli/text.h"
#include "client/lib/shadowpipe.h"

enum {
    FILE_DOCUMENT_BYTES_MAX = 32 * 1024 * 1024 /* that the service takes as a document of VSS */
};

/* Writes "PATH.partial", flushes it to the disk and gives it the name, in place of what had it. On failure
 * what had the name is untouched. */
bool file_write(const char *path, const void *bytes, size_t size, struct sp_error **error);

/* The file's bytes and a NUL, the caller's to free. NULL also where it has more than `limit` bytes. */
char *file_read(const char *path, size_t limit, size_t *size, struct sp_error **error);

/* Adds the path made full, as the system does. False: it cannot. */
bool file_full_path(const char *path, struct text *full);

#endif
