/* What this user's running commands have mapped: a value for each, with the process that made it, below
 * HKEY_CURRENT_USER\Software\Shadowpipe: links in Places; letters, with their logon session, in Letters,
 * which is volatile as they are. A process that ended without taking its own away leaves the record, by which
 * the next one does it. */
#ifndef SHADOWPIPE_CLIENT_CLI_RECORD_H
#define SHADOWPIPE_CLIENT_CLI_RECORD_H

#include <stdbool.h>

/* `name` is "X:" or a full path, `target` the device. ERROR_SUCCESS, or why it is not recorded. */
unsigned long record_write(const char *name, const char *target);
void record_erase(const char *name);

/* Calls `remove` for each record whose process is gone, and erases it when that returns true. A letter of
 * another logon session cannot be seen from here, and its record is left to that. */
void record_sweep(bool (*remove)(const char *name, const char *target));

#endif
