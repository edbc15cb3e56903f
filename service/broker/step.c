/* The requests of step sessions: Call, ReadDocument, CloseSession, and OpenSession until it is answered. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/lease_documents.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/rights_steps.h"
#include "service/broker/sequence.h"
#include "service/broker/session.h"
#include "service/broker/state.h"

enum step_kind {
    STEP_OPEN, /* answered when there is an object */
    STEP_CALL,
    STEP_READ,
    STEP_CLOSE /* answered when the object is released */
};

struct session_step {
    struct request request; /* first: they are cast */
    struct list link;       /* in the session's */
    struct session *session;
    enum step_kind kind;
    bool wants_chunk; /* ReadDocument: the next one, once the client has room */
    uint64_t sent;    /* of the document that goes to the requester before the call */
    char *document_id;
    struct arena arena;
    PB(Envelope) * envelope;
};

static PB(Status) * error_unknown_session(struct broker *broker, const char *field)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_SESSION",
                                     "this connection has no open session of this id");
    return error_field(error_advise(status, "Use the id that OpenSession gave on this connection."), field);
}

static void step_free(struct session_step *step)
{
    if (step->session->running == step)
        step->session->running = NULL;
    list_remove(&step->link);
    arena_free(&step->arena);
    free(step);
}

static void step_reply(struct session_step *step, PB(Envelope) * envelope)
{
    request_reply(&step->request, envelope);
    step_free(step);
}

static void step_fail(struct session_step *step, PB(Status) * status)
{
    request_fail(&step->request, status);
    step_free(step);
}

/* ---- the client wants it no more ---- */

static PB(Status) * stop_status(struct session_step *step, enum request_stop_reason reason)
{
    struct broker *broker = step->request.broker;
    if (reason == STOP_CANCELLED)
        return error_cancelled(broker);
    bool waits = step->session->running != step && step->kind == STEP_CALL;
    return error_deadline(broker, broker->now_ms - step->request.arrived_ms,
                          waits ? "it waited for its turn" : "VSS worked on it");
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct session_step *step = (struct session_step *)(void *)request;
    struct session *session = step->session;
    bool is_running = session->running == step;
    if (reason == STOP_GONE) {
        step_free(step); /* the session follows */
        return;
    }
    if (is_running && step->kind == STEP_CALL) {
        if (method_is_asynchronous(requester_busy_with(session->requester)))
            requester_cancel(session->requester);
        if (reason == STOP_CANCELLED)
            return; /* what it comes to is the answer */
    }
    bool is_opening = step->kind == STEP_OPEN;
    bool was_first = session->steps.next == &step->link;
    step_fail(step, stop_status(step, reason));
    if (is_opening) {
        session_end(session, NULL);
        session_let_go(session);
        return;
    }
    if (was_first) { /* what comes next may not need them */
        list_remove(&session->gate_link);
        list_remove(&session->lane.link);
    }
    session_advance(session);
}

/* ---- running ---- */

/* What a call of a session may take: those whose duration is the data's have the request's own time. */
static uint32_t limit_of(const struct session_step *step, PB(Call__MethodCase) method)
{
    struct broker *broker = step->request.broker;
    const struct broker_config *config = &broker->config;
    uint64_t left_ms = step->request.deadline_ms - broker->now_ms;
    uint32_t gate_ms;
    switch (method) {
    case PB_METHOD(GATHER_WRITER_METADATA):
        return config->gather_ms;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        return config->prepare_ms;
    case PB_METHOD(GATHER_WRITER_STATUS):
        return config->status_ms;
    case PB_METHOD(BACKUP_COMPLETE):
        return config->complete_ms;
    case PB_METHOD(DO_SNAPSHOT_SET):
        gate_ms = gate_is_held_by_session(step->session) ? gate_left_ms(broker) : config->create_ms;
        return gate_ms < config->create_ms ? gate_ms : config->create_ms;
    case PB_METHOD(ABORT_BACKUP):
        return config->abort_ms;
    case PB_METHOD(DELETE_SNAPSHOTS):
    case PB_METHOD(BREAK_SNAPSHOT_SET):
    case PB_METHOD(REVERT_TO_SNAPSHOT):
        return config->release_ms; /* hardware providers need minutes */
    default:
        return method_is_asynchronous(method) ? (uint32_t)left_ms + 1 : config->call_ms;
    }
}

static bool send_call(struct session_step *step)
{
    struct session *session = step->session;
    struct broker *broker = session->broker;
    const PB(Call) *call = step->envelope->call;
    PB(Call__MethodCase) method = call->method_case;
    bool is_async = method_is_asynchronous(method);
    uint32_t limit_ms = limit_of(step, method);
    uint32_t wait_ms = call->wait_ms != 0 && call->wait_ms < limit_ms ? call->wait_ms : limit_ms;
    if (method == PB_METHOD(SET_CONTEXT))
        session->sent_context = call->set_context->context;
    if (method == PB_METHOD(SET_BACKUP_STATE)) {
        session->sent_type = call->set_backup_state->backup_type;
        session->sent_component_mode = call->set_backup_state->select_components;
    }
    session->record.start_sent |= method == PB_METHOD(START_SNAPSHOT_SET);
    return requester_call(session->requester, method, (ProtobufCMessage *)(void *)call->create_object, 0,
                          is_async ? wait_ms : 0,
                          is_async ? wait_ms + cancel_limit_ms(&broker->config) : limit_ms);
}

/* ---- a document goes ahead of the call that names it ---- */

static char **document_field(PB(Envelope) * envelope)
{
    if (envelope->call->method_case == PB_METHOD(INITIALIZE_FOR_BACKUP))
        return &envelope->call->initialize_for_backup->document_id;
    if (envelope->call->method_case == PB_METHOD(INITIALIZE_FOR_RESTORE))
        return &envelope->call->initialize_for_restore->document_id;
    if (envelope->call->method_case == PB_METHOD(EXAMINE_WRITER_METADATA))
        return &envelope->call->examine_writer_metadata->document_id;
    return NULL;
}

/* The next chunk, or the call. */
static void send_document(struct session_step *step)
{
    struct broker *broker = step->request.broker;
    struct document *document = document_find(step->request.connection, step->document_id);
    if (document != NULL && document->is_complete && step->sent < document->size) {
        (void)document_send(step->session->requester, document, &step->sent, broker->config.call_ms);
    } else if (document != NULL && document->is_complete) {
        document_free(broker, document);
        (void)send_call(step);
    } else {
        step_fail(step, error_document(broker, document, "call.document_id"));
    }
}

/* False: answered. */
static bool begin_document(struct session_step *step)
{
    char **field = document_field(step->envelope);
    if (field == NULL)
        return true;
    bool may_be_the_sessions = step->envelope->call->method_case != PB_METHOD(EXAMINE_WRITER_METADATA);
    const char *id = (*field)[0] != '\0' || !may_be_the_sessions ? *field : step->session->document_id;
    if (id[0] == '\0')
        return true;
    step->document_id = arena_strdup(&step->arena, id);
    if (step->document_id == NULL) {
        step_fail(step, NULL);
        return false;
    }
    *field = step->document_id;
    return true;
}

/* ---- its turn ---- */

/* *missing: the rights that the caller lacks; 0 where no right would help. */
static bool may_call(const struct session_step *step, uint32_t *missing)
{
    const struct rights_subject subject = {session_owns, step->session};
    uint32_t rights;
    bool is_known = rights_for_step(step->envelope->call, &subject, &rights);
    *missing = rights & ~step->request.connection->caller.rights;
    return is_known && *missing == 0;
}

static PB(Status) * refusal(const struct session_step *step, uint32_t missing)
{
    struct broker *broker = step->request.broker;
    const struct connection *connection = step->request.connection;
    PB(Call__MethodCase) method = step->envelope->call->method_case;
    const char *name = method_name(method);
    if (method == PB_METHOD(_NOT_SET))
        return error_advise(
            status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_BODY", "the call names no method"),
            "Set one of the methods of shadowpipe.proto's Call.");
    if (missing == 0)
        return error_advise(status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "NOT_FOR_CLIENTS",
                                        "%s is called by the service alone", name),
                            "Use OpenSession and CloseSession.");
    broker_log(broker, BROKER_LOG_WARNING, "%s (%s, process %u) may not call %s: it lacks the right %s",
               connection->client_name, connection->caller.sid, (unsigned)connection->caller.process_id, name,
               right_name(missing));
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "RIGHT_MISSING",
                    "%s with these parameters needs the right %s, which the caller does not have", name,
                    right_name(missing));
    if (status != NULL)
        status->method = text_constant(name);
    return error_advise(status, connection->caller.filtered_admin
                                    ? "Run the program elevated, or ask an administrator for this right."
                                    : "Ask an administrator for this right.");
}

static bool needs_gate(PB(Call__MethodCase) method)
{
    return method == PB_METHOD(START_SNAPSHOT_SET) || method == PB_METHOD(PREPARE_FOR_BACKUP);
}

static void run_call(struct session_step *step)
{
    struct session *session = step->session;
    PB(Call__MethodCase) method = step->envelope->call->method_case;
    uint32_t missing;
    if (!may_call(step, &missing)) {
        step_fail(step, refusal(step, missing));
        return;
    }
    if (method == PB_METHOD(START_SNAPSHOT_SET)) {
        PB(Status) *over = session_check_record(session);
        if (over != NULL) {
            step_fail(step, over);
            return;
        }
    }
    /* DoSnapshotSet has been called: VSS refuses both, and nobody has to wait for that. */
    if (needs_gate(method) && !gate_is_held_by_session(session) && !session->record.creation_ended) {
        gate_session_wait(session);
        return;
    }
    if (method_changes_snapshots(method) && !lane_is_held_by(session->broker, &session->lane)) {
        lane_enter(session->broker, &session->lane);
        return;
    }
    if (!begin_document(step))
        return;
    session->running = step;
    if (step->document_id != NULL)
        send_document(step);
    else
        (void)send_call(step); /* where it cannot be sent the process's end follows, and answers */
}

static void ask_for_chunk(struct session_step *step)
{
    PB(Envelope) envelope = ENVELOPE(READ_DOCUMENT, .read_document = step->envelope->read_document);
    step->wants_chunk = false;
    (void)requester_send(step->session->requester, &envelope, step->request.broker->config.call_ms);
}

void steps_run(struct session *session)
{
    while (session->stage == SESSION_OPEN && session->running == NULL && !list_is_empty(&session->steps) &&
           !requester_is_busy(session->requester) && session->requester->state == REQUESTER_READY) {
        struct session_step *step = LIST_FIRST(&session->steps, struct session_step, link);
        if (step->kind == STEP_CLOSE) {
            session_end(session, NULL);
            session_let_go(session);
            return;
        }
        if (step->kind == STEP_READ) {
            session->running = step;
            ask_for_chunk(step);
        } else {
            run_call(step);
        }
        if (gate_session_waits(session) || !list_is_empty(&session->lane.link))
            return;
    }
}

/* ---- answers ---- */

/* What others made is not for everybody's eyes. In the event's own memory. */
static PB(QueryResult) * filter(struct session *session, const PB(QueryResult) * all)
{
    struct arena *arena = &session->broker->arena;
    PB(QueryResult) *own = MESSAGE_NEW(arena, query_result);
    if (own == NULL)
        return NULL;
    own->providers = all->providers;
    own->n_providers = all->n_providers;
    own->snapshots = arena_alloc(arena, (all->n_snapshots + 1) * sizeof *own->snapshots);
    if (own->snapshots == NULL)
        return NULL;
    for (size_t i = 0; i < all->n_snapshots; i++) {
        if (session_owns(session, all->snapshots[i]->snapshot_id))
            own->snapshots[own->n_snapshots++] = all->snapshots[i];
    }
    return own;
}

void step_replied(struct session *session, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    struct session_step *step = session->running;
    struct broker *broker = session->broker;
    if (step == NULL || step->kind != STEP_CALL)
        return;
    PB(CallReply) answer = *reply;
    PB(Status) *failure = reply_failure(broker, method, reply);
    if (failure != NULL && answer.status == NULL)
        answer.status = failure;
    if (answer.out_case == PB_OUT(QUERY) &&
        (step->request.connection->caller.rights & RIGHT_BIT_MANAGE) == 0) {
        answer.query = filter(session, answer.query);
        if (answer.query == NULL) {
            step_fail(step, NULL);
            return;
        }
    }
    PB(Envelope) envelope = ENVELOPE(CALL_REPLY, .call_reply = &answer);
    step_reply(step, &envelope);
}

static void take_chunk(struct session_step *step, PB(DocumentChunk) * chunk)
{
    struct broker *broker = step->request.broker;
    PB(Envelope) envelope = ENVELOPE(DOCUMENT_CHUNK, .document_chunk = chunk);
    if (chunk->last) {
        step_reply(step, &envelope);
        return;
    }
    if (chunk->data.len == 0) {
        requester_kill(step->session->requester,
                       error_advise(status_make(&broker->arena, PB_CODE(INTERNAL), "MALFORMED",
                                                "the requester process sent an empty part of a document"),
                                    "Look into the service's log."));
        return;
    }
    request_stream(&step->request, &envelope);
    step->envelope->read_document->offset = chunk->offset + chunk->data.len;
    if (connection_has_room(step->request.connection))
        ask_for_chunk(step);
    else
        step->wants_chunk = true;
}

void step_answered(struct session *session, const PB(Envelope) * reply)
{
    struct session_step *step = session->running;
    if (step == NULL)
        return;
    if (reply->body_case == PB_BODY(STATUS))
        step_fail(step, reply->status);
    else if (step->kind == STEP_READ && reply->body_case == PB_BODY(DOCUMENT_CHUNK))
        take_chunk(step, reply->document_chunk);
    else if (step->kind == STEP_CALL && reply->body_case == PB_BODY(PUT_DOCUMENT_REPLY))
        send_document(step);
    else
        requester_kill(session->requester, NULL);
}

void steps_continue(struct session *session)
{
    struct session_step *step = session->running;
    if (step != NULL && step->wants_chunk && connection_has_room(step->request.connection))
        ask_for_chunk(step);
}

struct request *steps_first_request(struct session *session)
{
    if (list_is_empty(&session->steps))
        return NULL;
    return &LIST_FIRST(&session->steps, struct session_step, link)->request;
}

void steps_opened(struct session *session)
{
    struct session_step *step = LIST_FIRST(&session->steps, struct session_step, link);
    if (step == NULL)
        return;
    PB(OpenSessionReply) reply = SHADOWPIPE__V1__OPEN_SESSION_REPLY__INIT;
    reply.session_id = session->id;
    PB(Envelope) envelope = ENVELOPE(OPEN_SESSION_REPLY, .open_session_reply = &reply);
    step_reply(step, &envelope);
}

void steps_fail(struct session *session, PB(Status) * status)
{
    LIST_EACH(struct session_step, step, &session->steps, link)
    {
        if (step->kind != STEP_CLOSE)
            step_fail(step, status != NULL ? status : error_unknown_session(session->broker, ""));
    }
}

static PB(Completion) completion_of(const struct session *session)
{
    if (session->record.completed)
        return PB_VALUE(COMPLETION, COMPLETION_COMPLETED);
    return session->record.aborted || session->abort_tried ? PB_VALUE(COMPLETION, COMPLETION_ABORTED)
                                                           : PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED);
}

void steps_closed(struct session *session, PB(Status) * failure)
{
    PB(CloseSessionReply) reply = SHADOWPIPE__V1__CLOSE_SESSION_REPLY__INIT;
    reply.completion = completion_of(session);
    PB(Envelope) envelope = ENVELOPE(CLOSE_SESSION_REPLY, .close_session_reply = &reply);
    while (!list_is_empty(&session->steps)) {
        struct session_step *step = LIST_FIRST(&session->steps, struct session_step, link);
        assert(step->kind == STEP_CLOSE);
        list_remove(&session->connection_link);
        session->connection = NULL;
        if (failure != NULL)
            step_fail(step, failure);
        else
            step_reply(step, &envelope);
    }
}

/* ---- requests come in ---- */

static bool step_add(struct session *session, struct connection *connection, const PB(Envelope) * envelope,
                     enum step_kind kind)
{
    struct session_step *step = calloc(1, sizeof *step);
    if (step != NULL) {
        arena_init(&step->arena, DECODE_LIMIT_REQUEST_BYTES);
        step->envelope = MESSAGE_COPY(&step->arena, envelope);
    }
    if (step == NULL || step->envelope == NULL) {
        if (step != NULL)
            arena_free(&step->arena);
        free(step);
        fail_now(connection, envelope->id, NULL);
        return false;
    }
    step->session = session;
    step->kind = kind;
    list_append(&session->steps, &step->link);
    request_open(&step->request, connection, envelope, on_stop);
    return true;
}

bool step_open(struct session *session, const PB(Envelope) * envelope)
{
    return step_add(session, session->connection, envelope, STEP_OPEN);
}

/* NULL: answered. */
static struct session *find(struct connection *connection, const PB(Envelope) * envelope, const char *id,
                            const char *field)
{
    struct session *session = session_find(connection, id);
    if (session == NULL)
        fail_now(connection, envelope->id, error_unknown_session(connection->broker, field));
    else if (session->failure != NULL && envelope->body_case != PB_BODY(CLOSE_SESSION))
        fail_now(connection, envelope->id, session->failure);
    else
        return session;
    return NULL;
}

void step_call(struct connection *connection, const PB(Envelope) * envelope)
{
    struct session *session = find(connection, envelope, envelope->call->session_id, "call.session_id");
    if (session != NULL && step_add(session, connection, envelope, STEP_CALL))
        session_advance(session);
}

void step_read_document(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(ReadDocument) *read = envelope->read_document;
    if (read->lease_id[0] != '\0') {
        lease_documents_read(connection, envelope);
        return;
    }
    struct session *session = find(connection, envelope, read->session_id, "read_document.session_id");
    if (session != NULL && step_add(session, connection, envelope, STEP_READ))
        session_advance(session);
}

void step_close(struct connection *connection, const PB(Envelope) * envelope)
{
    struct session *session =
        find(connection, envelope, envelope->close_session->session_id, "close_session.session_id");
    if (session == NULL || !step_add(session, connection, envelope, STEP_CLOSE))
        return;
    if (session->stage == SESSION_ENDED) {
        steps_closed(session, NULL);
        session_let_go(session);
    } else {
        session_advance(session);
    }
}
