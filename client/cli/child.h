/* The program that `run` runs: in a job, so that it does not outlive this process and go on reading a
 * snapshot that is gone. */
#ifndef SHADOWPIPE_CLIENT_CLI_CHILD_H
#define SHADOWPIPE_CLIENT_CLI_CHILD_H

#include <windows.h>

#include "client/cli/program.h"

struct child {
    HANDLE process;
    HANDLE job; /* NULL where the system allows none */
};

/* With output_to_error its standard output is our standard error. */
bool child_start(struct child *child, const struct program *program, bool output_to_error,
                 struct sp_error **error);

/* True: it has ended, with this code. */
bool child_wait(const struct child *child, DWORD wait_ms, uint32_t *exit_code);

/* After its end: what it started in the background may live on. */
void child_free(struct child *child);

#endif
