#include "service/requester/async.h"

#include "service/requester/log.h"

enum {
    SLICE_FIRST_MS = 1, /* a quick operation costs about this much */
    SLICE_MAX_MS = 250
};

/* A failing call may leave the out parameter alone; this value says that it did. */
static const HRESULT UNTOUCHED = (HRESULT)0xA5A5A5A5;

static bool still_running(IVssAsync *async, struct async_outcome *outcome)
{
    HRESULT result = UNTOUCHED;
    outcome->query_result = IVssAsync_QueryStatus(async, &result, NULL);
    if (FAILED(outcome->query_result)) {
        outcome->result = outcome->query_result;
    } else {
        outcome->result = result == UNTOUCHED ? E_UNEXPECTED : result;
    }
    return outcome->result == VSS_S_ASYNC_PENDING;
}

static bool wait_slice(IVssAsync *async, DWORD slice_ms, struct async_outcome *outcome)
{
    if (FAILED(outcome->wait_result)) {
        Sleep(slice_ms); /* Wait has failed before: it would at once */
    } else {
        HRESULT result = IVssAsync_Wait(async, slice_ms);
        if (FAILED(result)) {
            outcome->wait_result = result;
        }
    }
    return still_running(async, outcome);
}

/* Cancel has no end of its own: the operation goes on until it reaches a point where it can stop. */
static void cancel(IVssAsync *async, DWORD grace_ms, struct async_outcome *outcome)
{
    HRESULT result = IVssAsync_Cancel(async);
    log_trace("IVssAsync::Cancel 0x%08lx", (unsigned long)result);
    ULONGLONG start = GetTickCount64();
    DWORD slice_ms = SLICE_FIRST_MS;
    while (wait_slice(async, slice_ms, outcome) && GetTickCount64() - start < grace_ms) {
        slice_ms = slice_ms * 2 < SLICE_MAX_MS ? slice_ms * 2 : SLICE_MAX_MS;
    }
}

void async_wait(IVssAsync *async, const struct async_control *control, struct async_outcome *outcome)
{
    *outcome = (struct async_outcome){.result = VSS_S_ASYNC_PENDING};
    ULONGLONG start = GetTickCount64();
    DWORD slice_ms = SLICE_FIRST_MS;
    while (wait_slice(async, slice_ms, outcome)) {
        ULONGLONG elapsed_ms = GetTickCount64() - start;
        outcome->interrupted = control->interrupted(control->context);
        outcome->timed_out = control->wait_ms != 0 && elapsed_ms >= control->wait_ms;
        if (outcome->interrupted || outcome->timed_out || FAILED(outcome->wait_result)) {
            cancel(async, control->grace_ms, outcome);
            return;
        }
        slice_ms = slice_ms * 2 < SLICE_MAX_MS ? slice_ms * 2 : SLICE_MAX_MS;
        if (control->wait_ms != 0 && control->wait_ms - elapsed_ms < slice_ms) {
            slice_ms = (DWORD)(control->wait_ms - elapsed_ms);
        }
    }
}
