/* What this user's running commands have mapped: a value for each letter and link below
 * HKEY_CURRENT_USER\Software\Shadowpipe\Places, with the process that made it. A process that ended without
 * taking its own away leaves the record, by which the next one does it. */
#ifndef SHADOWPIPE_CLIENT_CLI_RECORD_H
#define SHADOWPIPE_CLIENT_CLI_RECORD_H

#include <stdbool.h>

/* `name` is "X:" or a full path, `target` the device. False: not recorded. */
bool record_write(const char *name, const char *target);
void record_erase(const char *name);

/* Calls `remove` for each record whose process is gone, and erases it when that returns true. */
void record_sweep(bool (*remove)(const char *name, const char *target));

#endif
