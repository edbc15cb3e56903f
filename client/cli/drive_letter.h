/* Drive letters for snapshots: the one place that knows how a directory or device gets a letter.
 *
 * On Windows it is DefineDosDevice; the letter belongs to the caller's logon session. Under Wine, where that
 * gives a letter that opens nothing, it is the mount manager's own control code. */
#ifndef SHADOWPIPE_CLIENT_CLI_DRIVE_LETTER_H
#define SHADOWPIPE_CLIENT_CLI_DRIVE_LETTER_H

#include <stdbool.h>

#include "client/cli/removal.h"
#include "client/lib/shadowpipe.h"

/* The letter X: shows the directory or device `device` (without trailing backslash), and opens. The caller
 * has seen that it is free. */
bool drive_letter_map(char letter, const char *device, struct sp_error **error);

/* Takes it away, unless it has come to mean something else. */
enum removal drive_letter_unmap(char letter, const char *device, struct sp_error **error);

bool drive_letter_is_free(char letter);
/* The first free one from Z: down to D:, or 0. */
char drive_letter_find_free(void);

#endif
