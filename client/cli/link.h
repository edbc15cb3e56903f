/* A directory link to the root of a snapshot, for programs that want it at the same path every time.
 *
 * On Windows a symbolic link, made by the caller's own right. Wine 8 has no symbolic links of its own; there
 * it is one of the system below, made and removed by its ln and rm. */
#ifndef SHADOWPIPE_CLIENT_CLI_LINK_H
#define SHADOWPIPE_CLIENT_CLI_LINK_H

#include <stdbool.h>

#include "client/cli/removal.h"
#include "client/lib/shadowpipe.h"

/* `path` is full, and nothing may be there yet; `device_root` ends with a backslash, without which nothing
 * could be listed through the link. It opens when this returns true. */
bool link_create(const char *path, const char *device_root, struct sp_error **error);

/* False: something of that name is there. */
bool link_check(const char *path, struct sp_error **error);

/* Removes the link, never what it points to, and no link to anything but `device` (with a backslash at the
 * end or without): a folder that somebody has mounted there since then is theirs. */
enum removal link_remove(const char *path, const char *device, struct sp_error **error);

#endif
