#include "service/broker/overdue.h"

#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/state.h"

/* Who keeps a call waiting. */
enum worker {
    WORKER_VSS,
    WORKER_WRITERS,
    WORKER_PROVIDER
};

static const struct row {
    PB(Call__MethodCase) method;
    enum worker worker;
    const char *value; /* of the configuration; NULL: the request's own time */
} rows[] = {
    {PB_METHOD(GATHER_WRITER_METADATA), WORKER_WRITERS, "GatherMs"},
    {PB_METHOD(PREPARE_FOR_BACKUP), WORKER_WRITERS, "PrepareMs"},
    {PB_METHOD(DO_SNAPSHOT_SET), WORKER_WRITERS, "CreateMs"},
    {PB_METHOD(GATHER_WRITER_STATUS), WORKER_WRITERS, "StatusMs"},
    {PB_METHOD(BACKUP_COMPLETE), WORKER_WRITERS, "CompleteMs"},
    {PB_METHOD(ABORT_BACKUP), WORKER_WRITERS, "AbortMs"},
    {PB_METHOD(PRE_RESTORE), WORKER_WRITERS, NULL},
    {PB_METHOD(POST_RESTORE), WORKER_WRITERS, NULL},
    {PB_METHOD(RELEASE_OBJECT), WORKER_PROVIDER, "ReleaseMs"},
    {PB_METHOD(ADD_TO_SNAPSHOT_SET), WORKER_PROVIDER, "CallMs"},
    {PB_METHOD(IS_VOLUME_SUPPORTED), WORKER_PROVIDER, "CallMs"},
    {PB_METHOD(DELETE_SNAPSHOTS), WORKER_PROVIDER, "ReleaseMs"},
    {PB_METHOD(BREAK_SNAPSHOT_SET), WORKER_PROVIDER, "ReleaseMs"},
    {PB_METHOD(REVERT_TO_SNAPSHOT), WORKER_PROVIDER, "ReleaseMs"},
    {PB_METHOD(IMPORT_SNAPSHOTS), WORKER_PROVIDER, NULL},
    {PB_METHOD(BREAK_SNAPSHOT_SET_EX), WORKER_PROVIDER, NULL},
    {PB_METHOD(RECOVER_SET), WORKER_PROVIDER, NULL},
    {PB_METHOD(QUERY_REVERT_STATUS), WORKER_PROVIDER, "MaxTimeoutMs"},
};

static const struct row *find_row(PB(Call__MethodCase) method)
{
    static const struct row other = {PB_METHOD(_NOT_SET), WORKER_VSS, "CallMs"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].method == method)
            return &rows[i];
    }
    return &other;
}

static const char *whom_to_restart(enum worker worker)
{
    switch (worker) {
    case WORKER_WRITERS:
        return "See which writer hangs (vssadmin list writers) and restart its service";
    case WORKER_PROVIDER:
        return "See the messages of the provider in the Application and System event logs and restart its "
               "service (swprv is that of Windows' own)";
    case WORKER_VSS:
        break;
    }
    return "See the messages of VSS in the Application event log and restart the service VSS, with which the "
           "snapshots in use end";
}

PB(Status) * error_overdue(struct broker *broker, PB(Call__MethodCase) method, const char *how)
{
    const char *name = method_name(method);
    const struct row *row = find_row(method);
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(DEADLINE_EXCEEDED), "PHASE_TIMEOUT", "%s %s", name, how);
    if (status == NULL)
        return NULL;
    status->method = text_constant(name);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), broker->config.freeze_pause_ms);
    char *advice = row->value != NULL ? text_format(&broker->arena, "%s, or raise %s.",
                                                    whom_to_restart(row->worker), row->value)
                                      : text_format(&broker->arena, "%s, or allow more time for the request.",
                                                    whom_to_restart(row->worker));
    return advice != NULL ? error_advise(status, advice) : NULL;
}

PB(Status) * error_no_return(struct broker *broker, PB(Call__MethodCase) method)
{
    return error_overdue(broker, method, "did not return within its limit");
}

PB(Status) * error_stuck(struct broker *broker, PB(Call__MethodCase) method)
{
    const char *name = method_name(method);
    PB(Status) *status = status_make(&broker->arena, PB_CODE(DEADLINE_EXCEEDED), "REQUESTER_STUCK",
                                     "%s did not return, so the process had to be killed", name);
    if (status == NULL)
        return NULL;
    status->method = text_constant(name);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), broker->config.freeze_pause_ms);
    char *advice = text_format(&broker->arena, "%s; VSS may need minutes to notice that the process is gone.",
                               whom_to_restart(find_row(method)->worker));
    return advice != NULL ? error_advise(status, advice) : NULL;
}
