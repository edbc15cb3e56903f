/* The host beneath Wine: paths as it knows them, and shell scripts that it runs. On Windows unix_is_there()
 * is FALSE and nothing else may be called, except unix_name(), which answers NULL. */
#pragma once
#include <windows.h>

BOOL unix_is_there(void);

/* The host's path, to be freed by unix_name_free(); NULL if there is none. */
char *unix_name(const wchar_t *path);
void unix_name_free(char *name);

/* Appends the path in single quotes, safe for a shell. FALSE if the room is used up. */
BOOL unix_quote(char *script, size_t room, const char *path);

/* Starts /bin/sh on a script in <store>\work. A Unix process has no usable handle under Wine, so the script's
 * result is polled for. name is unique in the store. wait_ms 0: do not wait. exit_code is the script's own.
 * S_OK also for a script that fails; HRESULT_FROM_WIN32(ERROR_TIMEOUT) past wait_ms; VSS_S_ASYNC_CANCELLED as
 * soon as cancel (may be NULL) is set: the script goes on to its end then. errors gets the beginning of what
 * it wrote to standard error. */
HRESULT unix_run(const wchar_t *name, const char *script, DWORD wait_ms, HANDLE cancel, int *exit_code,
                 char *errors, size_t errors_room);

/* For a script whose process has died: deletes its files if it has ended, else has it do so when it ends. */
void unix_abandon(const wchar_t *name);
