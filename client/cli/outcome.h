/* Which exit code a failure becomes. */
#ifndef SHADOWPIPE_CLIENT_CLI_OUTCOME_H
#define SHADOWPIPE_CLIENT_CLI_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

enum outcome {
    OUTCOME_DONE = 0,
    OUTCOME_FAILED = 1,
    OUTCOME_USAGE = 2,
    OUTCOME_NO_SERVICE = 3,
    OUTCOME_NOT_PERMITTED = 4,
    OUTCOME_VSS_FAILED = 5,
    OUTCOME_DEADLINE = 6,
    OUTCOME_PARTIAL = 7,
    OUTCOME_RUN_OFFSET = 119 /* `run` adds it to its own failures: 120 to 126 */
};

/* `code` is a google.rpc.Code, `reason` the error's word, `from_vss` whether it carries an HRESULT or failed
 * writers. */
enum outcome outcome_of(uint32_t code, const char *reason, bool from_vss);

/* The exit code of `run`: the program's own, unless it ended well and something else did not. A backup that
 * failed never gives 0. */
int outcome_of_run(bool ran, bool succeeded, uint32_t program_code, enum outcome outcome);

#endif
