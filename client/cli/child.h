/* The program that `run` runs, and commands beside it: in a job, so that it does not outlive this process and
 * go on reading a snapshot that is gone. */
#ifndef SHADOWPIPE_CLIENT_CLI_CHILD_H
#define SHADOWPIPE_CLIENT_CLI_CHILD_H

#include <windows.h>

#include "client/cli/program.h"

struct child {
    HANDLE process;
    HANDLE job; /* NULL where the system allows none */
};

enum {
    CHILD_OUTPUT_TO_ERROR = 1, /* its standard output is our standard error */
    CHILD_WITHOUT_INPUT = 2,
    CHILD_ON_ITS_OWN = 4 /* in no job, and without a window */
};

/* `how`: any of these. */
bool child_start(struct child *child, const struct program *program, unsigned how, struct sp_error **error);

/* True: it has ended, with this code. */
bool child_wait(const struct child *child, DWORD wait_ms, uint32_t *exit_code);

/* It, and all that it started. */
void child_kill(const struct child *child);

/* After its end: what it started in the background may live on. */
void child_free(struct child *child);

#endif
