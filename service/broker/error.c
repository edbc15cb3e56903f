#include "service/broker/error.h"

#include "service/broker/message.h"
#include "service/broker/state.h"

enum {
    SHORT_RETRY_MS = 5000
};

PB(Status) * error_advise(PB(Status) * status, const char *advice)
{
    if (status != NULL)
        status->advice = text_constant(advice);
    return status;
}

PB(Status) * error_field(PB(Status) * status, const char *field)
{
    if (status != NULL)
        status->field = text_constant(field);
    return status;
}

PB(Status) * error_retry(PB(Status) * status, PB(Retry) retry, uint32_t retry_after_ms)
{
    if (status != NULL) {
        status->retry = retry;
        status->retry_after_ms = retry_after_ms;
        status->retryable = retry == PB_VALUE(RETRY, RETRY_SOON) || retry == PB_VALUE(RETRY, RETRY_LATER);
    }
    return status;
}

PB(Status) * error_limit(PB(Status) * status, const char *limit_name, uint32_t retry_after_ms)
{
    if (status != NULL)
        status->limit_name = text_constant(limit_name);
    return error_retry(status, PB_VALUE(RETRY, RETRY_SOON), retry_after_ms);
}

PB(Status) * error_over_limit(struct broker *broker, const char *limit_name, uint64_t limit, const char *what,
                              const char *advice)
{
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(RESOURCE_EXHAUSTED), "LIMIT",
                    "there may be no more than %llu %s (%s)", (unsigned long long)limit, what, limit_name);
    error_limit(error_advise(status, advice), limit_name, SHORT_RETRY_MS);
    return status != NULL ? status : error_no_memory();
}

PB(Status) * error_stopping(struct broker *broker)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "SHUTTING_DOWN",
                                     "the Shadowpipe service is stopping");
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), SHORT_RETRY_MS);
    return error_advise(status, "Ask again once the service runs.");
}

PB(Status) * error_cancelled(struct broker *broker)
{
    return error_advise(
        status_make(&broker->arena, PB_CODE(CANCELLED), "CANCELLED", "the request was cancelled"),
        "Ask again if it was cancelled by mistake.");
}

PB(Status) * error_deadline(struct broker *broker, uint64_t waited_ms, const char *doing)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(DEADLINE_EXCEEDED), "DEADLINE",
                                     "the request's time of %llu s ran out while %s",
                                     (unsigned long long)waited_ms / 1000, doing);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), SHORT_RETRY_MS);
    return error_advise(status, "Allow more time for the request.");
}

PB(Status) * error_volumes_unknown(struct broker *broker, const char *failure)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "VOLUMES_UNKNOWN",
                                     "the volumes of this machine could not be listed: %s", failure);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), SHORT_RETRY_MS);
    return error_advise(status, "Look into the System event log for disks that fail.");
}

PB(Status) * error_no_memory(void)
{
    static PB(Status) status;
    shadowpipe__v1__status__init(&status);
    status.code = PB_CODE(RESOURCE_EXHAUSTED);
    status.reason = text_constant("NO_MEMORY");
    status.message = text_constant("the service has no memory for this request");
    status.advice = text_constant("Free memory on the machine and ask again.");
    status.limit_name = text_constant("memory");
    status.retry = PB_VALUE(RETRY, RETRY_SOON);
    status.retryable = true;
    status.retry_after_ms = SHORT_RETRY_MS;
    return &status;
}
