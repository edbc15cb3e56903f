/* Finding the program of `run`, as the command prompt does, and making its command line. */
#ifndef SHADOWPIPE_CLIENT_CLI_PROGRAM_H
#define SHADOWPIPE_CLIENT_CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include "client/lib/shadowpipe.h"

struct program {
    wchar_t *path; /* what to start: cmd.exe for a batch file */
    wchar_t *command_line;
    bool is_robocopy;
};

/* `arguments[0]` is the name as it was typed. Searches the current directory (unless the system says not to)
 * and PATH, with the extensions of PATHEXT. */
bool program_prepare(struct program *program, char **arguments, size_t count, struct sp_error **error);
/* A command line for the command processor, which gets it as it is. */
bool program_prepare_command(struct program *program, const char *command, struct sp_error **error);
void program_free(struct program *program);

#endif
