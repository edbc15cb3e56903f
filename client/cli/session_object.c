/* The calls of a session: opening, one method after the other, closing. */
#include <string.h>

#include "client/cli/call_text.h"
#include "client/cli/shell.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

enum {
    HRESULT_FAILED = 0x80000000u,
    ASYNC_FINISHED = 0x0004230A
};

static void show_progress(void *context, const PB(Envelope) * envelope)
{
    (void)context;
    if (envelope->body_case == PB_BODY(PROGRESS))
        terminal_progress(envelope->progress);
}

static void tick(void *context)
{
    (void)context;
    terminal_tick();
}

struct message *shell_request(struct shell *shell, const PB(Envelope) * request,
                              PB(Envelope__BodyCase) expected, struct sp_error **error)
{
    struct session *session = shell->session;
    struct message_options options = {.timeout_ms = session_time_left(session),
                                      .on_message = show_progress,
                                      .on_tick = tick,
                                      .cancel = session->cancel};
    struct message *reply = message_call(session->client, request, expected, &options, error);
    terminal_clear_progress();
    return reply;
}

/* ---- calls ---- */

static bool has_failed(const PB(CallReply) * reply)
{
    bool bad_end = reply->async_hresult != 0 && reply->async_hresult != ASYNC_FINISHED;
    return reply->status || (reply->hresult & HRESULT_FAILED) || bad_end;
}

struct sp_error *call_failure(const PB(Call) * call, const PB(CallReply) * reply)
{
    struct text method = {0};
    struct sp_error *error;
    if (!has_failed(reply))
        return NULL;
    if (reply->status) {
        PB(Status) status = *reply->status;
        if (!*status.missing_prerequisite)
            status.missing_prerequisite = reply->missing_prerequisite;
        return error_from_status(&status);
    }
    call_text_method(call, &method);
    bool at_once = (reply->hresult & HRESULT_FAILED) != 0;
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    struct text message = {0};
    status.code = PB_CODE(UNKNOWN);
    status.reason = "VSS_FAILED";
    status.hresult = at_once ? reply->hresult : reply->async_hresult;
    status.hresult_name = at_once ? reply->hresult_name : reply->async_hresult_name;
    status.method = (char *)text_string(&method);
    text_format(&message, "%s failed", text_string(&method));
    status.message = (char *)text_string(&message);
    error = error_from_status(&status);
    text_free(&method);
    text_free(&message);
    return error;
}

static void tell_call(const PB(Call) * call, const PB(CallReply) * reply)
{
    struct text method = {0};
    call_text_method(call, &method);
    terminal_note("%s: 0x%08lx %s%s%s, %lu ms", text_string(&method), (unsigned long)reply->hresult,
                  *reply->hresult_name ? reply->hresult_name : "S_OK",
                  *reply->async_hresult_name ? ", then " : "", reply->async_hresult_name,
                  (unsigned long)reply->elapsed_ms);
    text_free(&method);
}

/* A turn at the gate is not kept for somebody who thinks. */
static void tell_gate(const struct shell *shell, const PB(CallReply) * reply)
{
    bool holds = reply->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_SET_OPEN) ||
                 reply->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_PREPARED);
    if (holds && shell->interactive)
        terminal_note("a set is open, and nobody else can make one: the service aborts it (GATE_IDLE) unless "
                      "the next call comes within 30 seconds.");
}

struct message *object_call_raw(struct shell *shell, const struct object *object, PB(Call) * call,
                                struct sp_error **error)
{
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    call->session_id = (char *)object->id;
    request.body_case = PB_BODY(CALL);
    request.call = call;
    struct message *reply = shell_request(shell, &request, PB_BODY(CALL_REPLY), error);
    call->session_id = (char *)protobuf_c_empty_string;
    if (reply && shell->verbose)
        tell_call(call, reply->envelope->call_reply);
    return reply;
}

struct message *object_call(struct shell *shell, const struct object *object, PB(Call) * call,
                            struct sp_error **error)
{
    struct message *reply = object_call_raw(shell, object, call, error);
    struct sp_error *failure = reply ? call_failure(call, reply->envelope->call_reply) : NULL;
    if (!failure)
        return reply;
    error_give(error, failure);
    message_free(reply);
    return NULL;
}

bool object_do(struct shell *shell, const struct object *object, PB(Call) * call, struct sp_error **error)
{
    struct message *reply = object_call(shell, object, call, error);
    message_free(reply);
    return reply != NULL;
}

/* ---- the object ---- */

bool object_open(struct shell *shell, struct object *object, PB(SessionMode) mode, bool with_document,
                 struct sp_error **error)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    char document_id[GUID_TEXT_CHARS] = "";
    if (with_document && !shell_put_document(shell, document_id, error))
        return false;
    open.mode = mode;
    open.document_id = document_id;
    open.purpose = (char *)(shell->session->arguments->name ? shell->session->arguments->name : "session");
    request.body_case = PB_BODY(OPEN_SESSION);
    request.open_session = &open;
    struct message *reply = shell_request(shell, &request, PB_BODY(OPEN_SESSION_REPLY), error);
    if (!reply)
        return false;
    const char *id = reply->envelope->open_session_reply->session_id;
    bool fits = strlen(id) < sizeof object->id;
    if (fits)
        memcpy(object->id, id, strlen(id) + 1);
    else
        error_give(error, error_create(SP_DATA_LOSS, "MALFORMED_REPLY", "", "The session's id is no id."));
    message_free(reply);
    return fits;
}

bool object_open_all(struct shell *shell, struct object *object, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(InitializeForBackup) initialize = SHADOWPIPE__V1__INITIALIZE_FOR_BACKUP__INIT;
    PB(SetContext) context = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    if (!object_open(shell, object, PB_VALUE(SESSION_MODE, SESSION_MODE_QUERY), false, error))
        return false;
    call.method_case = PB_METHOD(INITIALIZE_FOR_BACKUP);
    call.initialize_for_backup = &initialize;
    bool ok = object_do(shell, object, &call, error);
    context.context = VSS_CONTEXT_ALL;
    call.method_case = PB_METHOD(SET_CONTEXT);
    call.set_context = &context;
    ok = ok && object_do(shell, object, &call, error);
    if (!ok)
        (void)object_close(shell, object, NULL);
    return ok;
}

bool object_close(struct shell *shell, struct object *object, struct sp_error **error)
{
    PB(CloseSession) close = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!*object->id)
        return true;
    close.session_id = object->id;
    request.body_case = PB_BODY(CLOSE_SESSION);
    request.close_session = &close;
    /* Not to be cancelled: an interrupted session is closed all the same. */
    struct message *reply =
        message_call(shell->session->client, &request, PB_BODY(CLOSE_SESSION_REPLY), NULL, error);
    message_free(reply);
    object->id[0] = 0;
    return reply != NULL;
}

/* ---- call METHOD ---- */

static bool open_for(struct shell *shell, const PB(Call) * call, struct sp_error **error)
{
    bool restore = call->method_case == PB_METHOD(INITIALIZE_FOR_RESTORE);
    bool takes_document = restore || call->method_case == PB_METHOD(INITIALIZE_FOR_BACKUP);
    if (*shell->object.id)
        return true;
    if (!object_open(shell, &shell->object,
                     restore ? PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE)
                             : PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP),
                     takes_document && shell->document, error))
        return false;
    shell->stage = restore ? STAGE_RESTORING : STAGE_OPEN;
    return true;
}

/* What a call that went well means for the other commands. */
static void note_call(struct shell *shell, const PB(Call) * call)
{
    switch (call->method_case) {
    case PB_METHOD(SET_BACKUP_STATE):
        shell->state_is_set = true;
        shell->backup_type = call->set_backup_state->backup_type;
        shell->component_mode = call->set_backup_state->select_components;
        break;
    case PB_METHOD(SET_CONTEXT):
        shell->context = call->set_context->context;
        shell->options = 0;
        break;
    case PB_METHOD(DO_SNAPSHOT_SET):
        shell->stage = STAGE_CREATED;
        break;
    case PB_METHOD(BACKUP_COMPLETE):
        shell->stage = STAGE_COMPLETED;
        break;
    case PB_METHOD(PRE_RESTORE):
        shell->stage = STAGE_PRE_RESTORED;
        break;
    case PB_METHOD(POST_RESTORE):
        shell->stage = STAGE_POST_RESTORED;
        break;
    default:
        break;
    }
}

bool shell_call(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    struct text problem = {0};
    struct message *reply = NULL;
    struct sp_error *failure = NULL;
    if (!call_text_parse(words, count, &call, &problem))
        (void)shell_wrong(error, "\"help call METHOD\" shows its parameters.", "%s", text_string(&problem));
    else if (open_for(shell, &call, error))
        reply = object_call_raw(shell, &shell->object, &call, error);
    if (reply) {
        shell_json_message(shell, "reply", &reply->envelope->call_reply->base);
        text_format(&shell->text, "%s\n", text_string(&shell->json) + strlen("\"reply\":"));
        tell_gate(shell, reply->envelope->call_reply);
        failure = call_failure(&call, reply->envelope->call_reply);
        if (failure)
            error_give(error, failure);
        else
            note_call(shell, &call);
    }
    call_text_free(&call);
    text_free(&problem);
    message_free(reply);
    return reply && !failure;
}
