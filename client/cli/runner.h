/* Running the program behind "--": its environment, its end, and what its exit code means. */
#ifndef SHADOWPIPE_CLIENT_CLI_RUNNER_H
#define SHADOWPIPE_CLIENT_CLI_RUNNER_H

#include "client/cli/command.h"

/* How the program ended. */
struct result {
    bool ran;
    uint32_t exit_code;
    bool succeeded; /* by --ok-codes and --warn-codes */
    bool warned;
    bool lost; /* the service was gone before the program had ended */
};

/* The words that differ. */
struct runner {
    const char *what; /* "backup" */
    const char *lost; /* what it means for the program that the connection ended */
};

/* Sets a variable of this process, which the program inherits; NULL takes it away. `context` is a bool that
 * becomes false on failure. */
void runner_set_variable(void *context, const char *name, const char *value);
/* What an outer `run` or `restore` has set must not be taken for this one's. SHADOWPIPE_PIPE stays. */
bool runner_clear_variables(void);

/* An interrupt that came when there was no call to cancel, or too late for it: false. */
bool runner_not_interrupted(struct sp_error **error);

/* Starts the program, waits for its end, and judges it. False: it was not started. */
bool runner_run(const struct runner *runner, struct session *session, char **program, size_t count,
                struct result *result, struct sp_error **error);

/* Would the program be found? */
bool runner_finds(char **program, struct sp_error **error);

/* {"exitCode":…,"succeeded":…,"warned":…} */
void runner_add_json(struct text *json, const struct result *result);

#endif
