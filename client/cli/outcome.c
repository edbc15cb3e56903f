#include "client/cli/outcome.h"

enum {
    CODE_INVALID = 3,
    CODE_DEADLINE = 4,
    CODE_NOT_FOUND = 5,
    CODE_DENIED = 7,
    CODE_RANGE = 11,
    CODE_UNAVAILABLE = 14,
    CODE_UNAUTHENTICATED = 16
};

enum outcome outcome_of(uint32_t code, bool from_vss)
{
    if (code == CODE_DEADLINE)
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
        return OUTCOME_NO_SERVICE;
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
