#include "service/requester/session.h"

#include <stdio.h>

#include "proto/status.h"
#include "service/requester/documents.h"
#include "service/requester/log.h"
#include "service/requester/methods.h"
#include "service/requester/text.h"

static PB(Status) * make_status(struct reply *reply, const struct method *method, PB(Code) code,
                                const char *reason, const char *text)
{
    PB(Status) *status = status_make(reply->arena, code, reason, "%s %s", method->name, text);
    if (status == NULL) {
        reply->no_memory = true;
        return NULL;
    }
    status->method = arena_strdup(reply->arena, method->name);
    return status;
}

static PB(Status) * make_vss_status(struct reply *reply, const char *method, HRESULT hresult)
{
    PB(Status) *status = status_from_hresult(reply->arena, method, (uint32_t)hresult);
    if (status == NULL) {
        reply->no_memory = true;
    }
    return status;
}

static char *code_name(struct reply *reply, HRESULT hresult)
{
    char scratch[11];
    char *name = arena_strdup(reply->arena, vss_code_name((uint32_t)hresult, scratch));
    if (name == NULL) {
        reply->no_memory = true;
    }
    return name;
}

static HRESULT answer_unimplemented(const struct method *method, struct reply *reply)
{
    char text[160];
    snprintf(text, sizeof text, "is not implemented%s%s", method->unimplemented != NULL ? ": " : "",
             method->unimplemented != NULL ? method->unimplemented : "");
    reply->message.status = make_status(reply, method, PB_CODE(UNIMPLEMENTED), "UNIMPLEMENTED", text);
    return E_NOTIMPL;
}

/* What a call that ended, or did not, comes to. NULL: it succeeded. */
static PB(Status) *
    judge(struct reply *reply, const struct method *method, const struct async_outcome *outcome)
{
    if (async_succeeded(outcome)) {
        return NULL;
    }
    PB(Status) * status;
    bool running = outcome->result == VSS_S_ASYNC_PENDING;
    if (FAILED(outcome->query_result)) {
        return make_vss_status(reply, "IVssAsync::QueryStatus", outcome->query_result);
    }
    if (running || outcome->result == VSS_S_ASYNC_CANCELLED) {
        if (FAILED(outcome->wait_result)) {
            return make_vss_status(reply, "IVssAsync::Wait", outcome->wait_result);
        }
        if (outcome->timed_out) {
            status = make_status(reply, method, PB_CODE(DEADLINE_EXCEEDED), "CALL_TIMEOUT",
                                 running ? "passed its limit of time and went on after its cancellation"
                                         : "passed its limit of time and was cancelled");
        } else {
            status = make_status(reply, method, PB_CODE(CANCELLED), "CANCELLED",
                                 running ? "was cancelled and has not ended" : "was cancelled");
        }
        if (status != NULL) {
            status->hresult = (uint32_t)outcome->result;
            status->hresult_name = code_name(reply, outcome->result);
        }
        return status;
    }
    if (outcome->result == VSS_S_ASYNC_FINISHED) {
        return make_vss_status(reply, "IVssAsync::Wait", outcome->wait_result);
    }
    return make_vss_status(reply, method->name, outcome->result);
}

static void drop_unfinished(struct session *session)
{
    if (session->unfinished != NULL) {
        IVssAsync_Release(session->unfinished);
        session->unfinished = NULL;
    }
}

static HRESULT call_async(struct session *session, const struct method *method, const PB(Call) * call,
                          struct reply *reply)
{
    IVssAsync *async = NULL;
    HRESULT hresult = method->start(session, call, reply, &async);
    if (FAILED(hresult)) {
        return hresult;
    }
    struct async_outcome outcome = {.result = E_POINTER};
    if (async != NULL) {
        const struct async_control control = {
            .wait_ms = call->wait_ms,
            .grace_ms = session->cancel_grace_ms,
            .interrupted = session->interrupted,
            .context = session->interrupted_context,
        };
        method->note(&session->record, STEP_RUNNING);
        async_wait(async, &control, &outcome);
        if (outcome.result == VSS_S_ASYNC_PENDING) {
            drop_unfinished(session);
            session->unfinished = async;
        } else {
            method->note(&session->record, async_succeeded(&outcome) ? STEP_DONE : STEP_FAILED);
            IVssAsync_Release(async);
        }
    }
    reply->message.async_hresult = (uint32_t)outcome.result;
    reply->message.async_hresult_name = code_name(reply, outcome.result);
    reply->message.wait_hresult = (uint32_t)outcome.wait_result;
    reply->message.status = judge(reply, method, &outcome);
    return hresult;
}

static bool needs_object(const struct method *method)
{
    return method->missing != NULL;
}

static void fill_prerequisite(struct session *session, const struct method *method, struct reply *reply)
{
    PB(CallReply) *message = &reply->message;
    if (method->missing == NULL || (message->hresult != (uint32_t)VSS_E_BAD_STATE &&
                                    message->async_hresult != (uint32_t)VSS_E_BAD_STATE)) {
        return;
    }
    const char *missing = method->missing(&session->record);
    message->missing_prerequisite = arena_strdup(reply->arena, missing);
    if (message->status != NULL) {
        message->status->missing_prerequisite = message->missing_prerequisite;
    }
    reply->no_memory |= message->missing_prerequisite == NULL;
}

static HRESULT make_call(struct session *session, const struct method *method, const PB(Call) * call,
                         struct reply *reply)
{
    if (method->run == NULL && method->start == NULL) {
        return answer_unimplemented(method, reply);
    }
    if (session->object == NULL && needs_object(method)) {
        reply->message.status = make_vss_status(reply, method->name, VSS_E_BAD_STATE);
        return VSS_E_BAD_STATE; /* there is nothing to call it on */
    }
    return method->start != NULL ? call_async(session, method, call, reply)
                                 : method->run(session, call, reply);
}

void session_call(struct session *session, const PB(Call) * call, struct reply *reply)
{
    static const struct method unknown = {.name = "the method"};
    const struct method *method = method_find(call->method_case);
    if (method == NULL) {
        method = &unknown;
    }
    shadowpipe__v1__call_reply__init(&reply->message);
    ULONGLONG start = GetTickCount64();
    HRESULT hresult = make_call(session, method, call, reply);
    PB(CallReply) *message = &reply->message;
    message->elapsed_ms = (uint32_t)(GetTickCount64() - start);
    message->hresult = (uint32_t)hresult;
    message->hresult_name = code_name(reply, hresult);
    message->session_phase = record_phase(&session->record);
    if (FAILED(hresult) && message->status == NULL) {
        message->status = make_vss_status(
            reply, reply->failed_method != NULL ? reply->failed_method : method->name, hresult);
    }
    fill_prerequisite(session, method, reply);
    if (reply->no_memory) {
        reply_drop_result(reply, "requester_memory", "the requester has no memory for it");
    }
    log_trace("%s 0x%08lx async 0x%08lx, %u ms", method->name, (unsigned long)hresult,
              (unsigned long)message->async_hresult, message->elapsed_ms);
}

/* ---- The object. ---- */

static HRESULT later_interface(struct session *session, REFIID iid, void **kept, void **object)
{
    HRESULT hresult = S_OK;
    if (*kept == NULL) {
        hresult = IVssBackupComponents_QueryInterface(session->object, iid, kept);
        if (FAILED(hresult)) {
            *kept = NULL;
        }
    }
    *object = *kept;
    return hresult;
}

HRESULT session_ex(struct session *session, IVssBackupComponentsEx **object)
{
    return later_interface(session, &IID_IVssBackupComponentsEx, (void **)&session->object_ex,
                           (void **)object);
}

HRESULT session_ex2(struct session *session, IVssBackupComponentsEx2 **object)
{
    return later_interface(session, &IID_IVssBackupComponentsEx2, (void **)&session->object_ex2,
                           (void **)object);
}

HRESULT session_ex3(struct session *session, IVssBackupComponentsEx3 **object)
{
    return later_interface(session, &IID_IVssBackupComponentsEx3, (void **)&session->object_ex3,
                           (void **)object);
}

HRESULT session_ex4(struct session *session, IVssBackupComponentsEx4 **object)
{
    return later_interface(session, &IID_IVssBackupComponentsEx4, (void **)&session->object_ex4,
                           (void **)object);
}

void session_release(struct session *session)
{
    drop_unfinished(session);
    if (session->object_ex4 != NULL) {
        IVssBackupComponentsEx4_Release(session->object_ex4);
    }
    if (session->object_ex3 != NULL) {
        IVssBackupComponentsEx3_Release(session->object_ex3);
    }
    if (session->object_ex2 != NULL) {
        IVssBackupComponentsEx2_Release(session->object_ex2);
    }
    if (session->object_ex != NULL) {
        IVssBackupComponentsEx_Release(session->object_ex);
    }
    if (session->object != NULL) {
        ULONG left = IVssBackupComponents_Release(session->object);
        if (left != 0) {
            log_failure("the VSS object was released, and %lu references to it are left", left);
        }
    }
    session->object = NULL;
    session->object_ex = NULL;
    session->object_ex2 = NULL;
    session->object_ex3 = NULL;
    session->object_ex4 = NULL;
    session->record = (struct record){.object = OBJECT_NONE};
}

void session_describe(struct session *session, struct arena *arena, PB(RequesterHello) * hello)
{
    const struct record *record = &session->record;
    struct reply reply = {.arena = arena};
    hello->session_phase = record_phase(record);
    hello->set_id = reply_guid(&reply, &record->set_id);
    hello->snapshots = reply_alloc(&reply, record->snapshots_count * sizeof(PB(Snapshot) *));
    for (size_t i = 0; i < record->snapshots_count && hello->snapshots != NULL; i++) {
        VSS_SNAPSHOT_PROP properties = {0};
        HRESULT hresult =
            IVssBackupComponents_GetSnapshotProperties(session->object, record->snapshots[i], &properties);
        if (FAILED(hresult)) {
            continue; /* deleted meanwhile */
        }
        PB(Snapshot) *snapshot = reply_message(&reply, &shadowpipe__v1__snapshot__descriptor);
        if (snapshot != NULL && snapshot_fill(&reply, &properties, snapshot)) {
            hello->snapshots[hello->n_snapshots++] = snapshot;
        }
        session->library.free_snapshot_properties(&properties);
    }
}
