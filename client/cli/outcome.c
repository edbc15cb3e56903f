#include "client/cli/outcome.h"

#include <string.h>

enum {
    CODE_INVALID = 3,
    CODE_DEADLINE = 4,
    CODE_NOT_FOUND = 5,
    CODE_DENIED = 7,
    CODE_RANGE = 11,
    CODE_UNAVAILABLE = 14,
    CODE_UNAUTHENTICATED = 16
};

/* Reasons of a service that is not there, or soon not. */
static bool is_absence(const char *reason)
{
    static const char *const words[] = {"NO_SERVICE", "PIPE_BUSY", "CONNECTION_LOST", "SHUTTING_DOWN"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(reason, words[i]) == 0)
            return true;
    }
    return false;
}

enum outcome outcome_of(uint32_t code, const char *reason, bool from_vss)
{
    if (code == CODE_DEADLINE || strcmp(reason, "QUEUE_TIMEOUT") == 0)
        return OUTCOME_DEADLINE;
    if (from_vss)
        return OUTCOME_VSS_FAILED;
    switch (code) {
    case CODE_INVALID:
    case CODE_NOT_FOUND:
    case CODE_RANGE:
        return OUTCOME_USAGE;
    case CODE_DENIED:
    case CODE_UNAUTHENTICATED:
        return OUTCOME_NOT_PERMITTED;
    case CODE_UNAVAILABLE:
        return is_absence(reason) ? OUTCOME_NO_SERVICE : OUTCOME_FAILED;
    default:
        return OUTCOME_FAILED;
    }
}

int outcome_of_run(bool ran, bool succeeded, uint32_t program_code, enum outcome outcome)
{
    bool failed = ran && !succeeded;
    if (failed && program_code == 0)
        return OUTCOME_RUN_OFFSET + OUTCOME_FAILED;
    if (failed || (ran && outcome == OUTCOME_DONE))
        return (int)program_code;
    return OUTCOME_RUN_OFFSET + (int)outcome;
}
