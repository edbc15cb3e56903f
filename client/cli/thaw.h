/* A second process that runs the command of --after-thaw: when it is told to, or when this process dies
 * before that. So an application that was stopped for the freeze is let go once, whatever happens here.
 *
 * It reads a pipe whose other end only this process has: "!command" first, "=NAME=value" for each variable,
 * and ">" when somebody reads what the command prints. When the pipe ends it runs the command. */
#ifndef SHADOWPIPE_CLIENT_CLI_THAW_H
#define SHADOWPIPE_CLIENT_CLI_THAW_H

#include "client/cli/companion.h"
#include "client/lib/shadowpipe.h"

struct thaw {
    struct companion companion; /* without a process: nothing is to be run */
};

/* From now on the command will be run, with the environment that this process has now. */
bool thaw_arm(struct thaw *thaw, const char *command, struct sp_error **error);
/* Sets a variable for the command; the context is a struct thaw. Where that fails the command does without.
 */
void thaw_set_variable(void *context, const char *name, const char *value);
/* Has it run and waits for its end; what it prints goes to standard error. Its exit code. */
uint32_t thaw_run(struct thaw *thaw);

/* The process itself: `shadowpipe --thaw`. Its exit code is the command's. */
int thaw_main(void);

#endif
