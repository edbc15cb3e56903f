/* Waiting for an IVssAsync, in slices, so that a cancel and a limit of time reach the operation.
 *
 * Whatever Wait says, the outcome is asked of QueryStatus: VSS documents both that Wait returns the error of
 * a failed operation and that it succeeds all the same. Only VSS_S_ASYNC_FINISHED from QueryStatus together
 * with a Wait that did not fail is success. */
#ifndef SHADOWPIPE_REQUESTER_ASYNC_H
#define SHADOWPIPE_REQUESTER_ASYNC_H

#include <stdbool.h>

#include "service/requester/com.h"

struct async_control {
    DWORD wait_ms;  /* cancel after this; 0 = never */
    DWORD grace_ms; /* how long a cancelled operation may take to end */
    /* Asked between slices: shall the operation be cancelled? */
    bool (*interrupted)(void *context);
    void *context;
};

struct async_outcome {
    HRESULT result;       /* QueryStatus' *pHrResult; VSS_S_ASYNC_PENDING: it did not even end after Cancel */
    HRESULT query_result; /* of QueryStatus itself; a failure stands in `result` too */
    HRESULT wait_result;  /* what Wait failed with, else S_OK */
    bool interrupted;
    bool timed_out; /* wait_ms passed */
};

void async_wait(IVssAsync *async, const struct async_control *control, struct async_outcome *outcome);

static inline bool async_succeeded(const struct async_outcome *outcome)
{
    return outcome->result == VSS_S_ASYNC_FINISHED && SUCCEEDED(outcome->wait_result);
}

#endif
