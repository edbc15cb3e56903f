#include "service/broker/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/sequence.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 256 * 1024,
    SESSIONS_PER_CONNECTION = 64 /* those that have ended and are remembered included */
};

/* ---- its end ---- */

static void session_free(struct session *session)
{
    assert(session->requester == NULL && list_is_empty(&session->steps));
    gate_session_leave(session);
    list_remove(&session->link);
    list_remove(&session->connection_link);
    timer_stop(&session->timer);
    owner_release(session->owner);
    arena_free(&session->arena);
    free(session);
}

void session_let_go(struct session *session)
{
    list_remove(&session->connection_link);
    session->connection = NULL;
    if (session->stage == SESSION_ENDED && list_is_empty(&session->steps))
        session_free(session);
}

static void call_for_end(struct session *session, PB(Call__MethodCase) method,
                         const ProtobufCMessageDescriptor *descriptor, enum limit limit)
{
    struct broker *broker = session->broker;
    bool is_async = method_is_asynchronous(method);
    uint32_t limit_ms = limit_default_ms(&broker->config, limit);
    /* When it cannot be sent the process's end follows, and cleans up here. */
    (void)requester_call(session->requester, method, message_new(&broker->arena, descriptor), 0,
                         is_async ? limit_ms : 0,
                         is_async ? limit_ms + cancel_limit_ms(&broker->config) : limit_ms);
}

static void leave(struct session *session)
{
    session->stage = SESSION_LEAVING;
    requester_let_go(session->requester);
}

static void abort_backup(struct session *session)
{
    session->abort_tried = true;
    call_for_end(session, PB_METHOD(ABORT_BACKUP), &shadowpipe__v1__abort_backup__descriptor, LIMIT_ABORT);
}

/* Nothing is under way: the next thing that VSS is owed. */
static void next_duty(struct session *session)
{
    session->stage = SESSION_ENDING;
    if (!session->record.has_object) {
        leave(session);
    } else if (session_owes_completion(session) && !session->completes && !session->abort_tried) {
        session->completes = true;
        call_for_end(session, PB_METHOD(BACKUP_COMPLETE), &shadowpipe__v1__backup_complete__descriptor,
                     LIMIT_COMPLETE);
    } else if (session->completes && session->record.completed && !session->status_asked) {
        session->status_asked = true; /* it ends the writers' record of this backup */
        call_for_end(session, PB_METHOD(GATHER_WRITER_STATUS),
                     &shadowpipe__v1__gather_writer_status__descriptor, LIMIT_STATUS);
    } else if (session_owes_abort(session) && !session->abort_tried) {
        abort_backup(session);
    } else {
        call_for_end(session, PB_METHOD(RELEASE_OBJECT), &shadowpipe__v1__release_object__descriptor,
                     LIMIT_RELEASE);
    }
}

/* What runs inside DoSnapshotSet is short, and then owed to the writers; only the service's stop ends it. */
static void cancel_call(struct session *session)
{
    struct broker *broker = session->broker;
    PB(Call__MethodCase) method = requester_busy_with(session->requester);
    if (!method_is_asynchronous(method) || (method == PB_METHOD(DO_SNAPSHOT_SET) && !broker->stopping))
        return; /* it has a limit of its own */
    requester_cancel(session->requester);
    timer_set(broker, &session->timer, cancel_limit_ms(&broker->config));
}

static void go_on(struct session *session)
{
    timer_stop(&session->timer);
    if (session->requester->state != REQUESTER_READY)
        leave(session); /* it has no object yet, or is lost */
    else if (requester_is_busy(session->requester))
        cancel_call(session);
    else
        next_duty(session);
}

void session_end(struct session *session, PB(Status) * failure)
{
    if (session->stage >= SESSION_DRAINING)
        return;
    if (failure != NULL) {
        broker_log(session->broker, BROKER_LOG_WARNING, "the session of %s ends: %s", session->client_name,
                   failure->message);
        session->failure = MESSAGE_COPY(&session->arena, failure);
        if (session->failure == NULL)
            session->failure = error_no_memory();
    }
    list_remove(&session->gate_link);
    list_remove(&session->lane.link); /* a call that has the lane runs on */
    session->stage = SESSION_DRAINING;
    steps_fail(session, failure);
    go_on(session);
}

static void kill(struct session *session)
{
    requester_kill(session->requester, error_stuck(session->broker, requester_busy_with(session->requester)));
}

/* While it ends. AbortBackup still gets through to an asynchronous call that runs. */
static void end_overdue(struct session *session)
{
    if (session->requester == NULL || session->requester->state != REQUESTER_READY)
        return;
    if (!method_is_asynchronous(requester_busy_with(session->requester)) || session->abort_tried ||
        !session_owes_abort(session)) {
        kill(session);
        return;
    }
    abort_backup(session);
    timer_set(session->broker, &session->timer, session->broker->config.abort_ms);
}

static void end_replied(struct session *session, PB(Call__MethodCase) method)
{
    if (method == PB_METHOD(RELEASE_OBJECT)) {
        session->record.has_object = false; /* whatever it said, there is nothing more to release */
        gate_session_leave(session);
        leave(session);
        steps_closed(session, NULL);
    } else if (!requester_is_busy(session->requester)) {
        go_on(session);
    }
}

/* ---- its life ---- */

static void on_timer(struct broker *broker, struct timer *timer)
{
    struct session *session = LIST_ITEM(timer, struct session, timer);
    if (session->stage >= SESSION_DRAINING) {
        end_overdue(session);
        return;
    }
    PB(Status) *status = status_make(
        &broker->arena, PB_CODE(ABORTED), "GATE_IDLE",
        "the session made no call for %u s while its snapshot set was open, so the set was aborted",
        (unsigned)broker->config.gate_idle_ms / 1000);
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    error_advise(status, "Open a new session and go from StartSnapshotSet to DoSnapshotSet without a pause.");
    session_end(session, status != NULL ? status : error_no_memory());
}

void session_advance(struct session *session)
{
    if (session->stage == SESSION_OPEN)
        steps_run(session);
    if (session->stage != SESSION_OPEN)
        return;
    bool is_idle = gate_is_held_by_session(session) && list_is_empty(&session->steps) &&
                   !requester_is_busy(session->requester);
    if (!is_idle)
        timer_stop(&session->timer);
    else if (!timer_runs(&session->timer))
        timer_set(session->broker, &session->timer, session->broker->config.gate_idle_ms);
}

static void on_lane_granted(struct lane_place *place)
{
    struct session *session = LIST_ITEM(place, struct session, lane);
    session_advance(session);
    if (session->running == NULL)
        lane_leave(session->broker, place); /* nobody wants it any more */
}

void session_gate_granted(struct session *session)
{
    session_advance(session);
    if (!session_is_in_vss(session) && session->running == NULL)
        gate_session_leave(session); /* nobody wants it any more */
}

void session_gate_expired(struct session *session)
{
    struct broker *broker = session->broker;
    if (session->stage != SESSION_OPEN ||
        requester_busy_with(session->requester) == PB_METHOD(DO_SNAPSHOT_SET))
        return; /* DoSnapshotSet's own limit is no later than this */
    PB(Status) *status = status_make(&broker->arena, PB_CODE(ABORTED), "GATE_TIMEOUT",
                                     "the snapshot set was not created within the %u s that one may take",
                                     (unsigned)broker->config.gate_hold_ms / 1000);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), broker->config.freeze_pause_ms);
    error_advise(status, "See which writer or provider is slow in the Application event log.");
    session_end(session, status != NULL ? status : error_no_memory());
}

/* ---- from its requester ---- */

static void on_ready(void *subject)
{
    struct session *session = subject;
    call_for_end(session, PB_METHOD(CREATE_OBJECT), &shadowpipe__v1__create_object__descriptor, LIMIT_CALL);
}

static void on_created(struct session *session, const PB(CallReply) * reply)
{
    if (session->record.has_object) {
        session->stage = SESSION_OPEN;
        steps_opened(session);
        session_advance(session);
        return;
    }
    PB(Status) *failure = reply_failure(session->broker, PB_METHOD(CREATE_OBJECT), reply);
    session_end(session, failure != NULL ? failure : error_no_memory());
    session_let_go(session);
}

static void on_replied(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    struct session *session = subject;
    (void)index;
    session_note(session, method, reply);
    lane_leave(session->broker, &session->lane);
    if (session->stage >= SESSION_DRAINING) {
        end_replied(session, method);
        return;
    }
    if (!session_is_in_vss(session))
        gate_session_leave(session);
    if (session->stage == SESSION_STARTING) {
        on_created(session, reply);
        return;
    }
    step_replied(session, method, reply);
    if (session->broker->stopping)
        session_end(session, error_stopping(session->broker));
    else
        session_advance(session);
}

static void on_answered(void *subject, const PB(Envelope) * reply)
{
    struct session *session = subject;
    if (session->stage >= SESSION_DRAINING) {
        end_replied(session, PB_METHOD(_NOT_SET));
        return;
    }
    step_answered(session, reply);
    session_advance(session);
}

static void on_overdue(void *subject, PB(Call__MethodCase) method)
{
    struct session *session = subject;
    struct broker *broker = session->broker;
    if (session->stage >= SESSION_DRAINING) {
        end_overdue(session);
        return;
    }
    PB(Status) *status = error_no_return(broker, method);
    session_end(session, status != NULL ? status : error_no_memory());
    timer_stop(&session->timer); /* its cancellation has been tried */
    end_overdue(session);
}

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct session *session = subject;
    struct broker *broker = session->broker;
    if (session_is_in_vss(session) && left_open)
        gate_run_down(broker);
    session->requester = NULL;
    bool was_released = !session->record.has_object;
    session->record.has_object = false;
    list_remove(&session->gate_link);
    gate_session_leave(session);
    lane_leave(broker, &session->lane);
    timer_stop(&session->timer);
    if (why == NULL)
        why = error_stopping(broker);
    if (session->failure == NULL)
        session->failure = why != NULL ? MESSAGE_COPY(&session->arena, why) : NULL;
    if (session->failure == NULL)
        session->failure = error_no_memory();
    bool was_starting = session->stage == SESSION_STARTING;
    session->stage = SESSION_ENDED;
    steps_fail(session, session->failure);
    steps_closed(session, was_released ? NULL : session->failure);
    if (session->connection == NULL)
        session_free(session);
    else if (was_starting)
        session_let_go(session); /* the client has never learned its id */
}

static const struct requester_user requester_user = {.ready = on_ready,
                                                     .replied = on_replied,
                                                     .answered = on_answered,
                                                     .overdue = on_overdue,
                                                     .ended = on_ended};

/* ---- beginnings ---- */

struct session *session_find(struct connection *connection, const char *id)
{
    LIST_EACH(struct session, session, &connection->sessions, connection_link)
    {
        if (text_equal(session->id, id) && session->stage != SESSION_STARTING)
            return session;
    }
    return NULL;
}

uint32_t sessions_count(const struct broker *broker)
{
    uint32_t count = 0;
    LIST_EACH(const struct session, session, &broker->sessions, link)
    count += session->requester != NULL;
    return count;
}

static PB(Status) * check_open(struct connection *connection, const PB(OpenSession) * open)
{
    struct broker *broker = connection->broker;
    const struct broker_config *config = &broker->config;
    if (open->mode == PB_VALUE(SESSION_MODE, SESSION_MODE_UNSPECIFIED))
        return error_field(error_advise(status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_MODE",
                                                    "the request does not say what the session is for"),
                                        "Set the mode to backup, restore or query."),
                           "open_session.mode");
    if (open->document_id[0] != '\0') {
        const struct document *document = document_find(connection, open->document_id);
        if (document == NULL || !document->is_complete)
            return error_document(broker, document, "open_session.document_id");
    }
    if (sessions_count(broker) >= config->max_sessions)
        return error_over_limit(broker, "max_sessions", config->max_sessions, "sessions",
                                "Close sessions that are done, or raise MaxSessions.");
    if (list_count(&connection->sessions) >= SESSIONS_PER_CONNECTION)
        return error_over_limit(broker, "sessions_per_connection", SESSIONS_PER_CONNECTION,
                                "sessions of one connection",
                                "Close sessions, those that have ended by themselves too.");
    return NULL;
}

/* NULL without memory. */
static struct session *session_new(struct connection *connection, const PB(OpenSession) * open)
{
    struct broker *broker = connection->broker;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->broker = broker;
    session->connection = connection;
    session->owner = owner_share(connection->owner);
    list_init(&session->gate_link);
    lane_place_init(&session->lane, on_lane_granted);
    list_init(&session->steps);
    timer_init(&session->timer, on_timer);
    arena_init(&session->arena, ARENA_BYTES);
    make_guid(broker, session->id);
    if (strlen(open->document_id) < sizeof session->document_id)
        memcpy(session->document_id, open->document_id, strlen(open->document_id) + 1);
    list_append(&broker->sessions, &session->link);
    list_append(&connection->sessions, &session->connection_link);
    session->client_name = arena_strdup(&session->arena, connection->client_name);
    session->caller = connection->caller;
    session->purpose = arena_strdup(&session->arena, open->purpose);
    session->opened_ms = broker->now_ms;
    session->requester = session->client_name != NULL && session->purpose != NULL
                             ? requester_start(broker, &requester_user, session)
                             : NULL;
    if (session->requester == NULL) {
        session_free(session);
        return NULL;
    }
    return session;
}

void session_open(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *refusal = check_open(connection, envelope->open_session);
    struct session *session = refusal == NULL ? session_new(connection, envelope->open_session) : NULL;
    if (session == NULL) {
        fail_now(connection, envelope->id, refusal);
        return;
    }
    if (!step_open(session, envelope)) {
        session_end(session, NULL);
        session_let_go(session);
        return;
    }
    broker_log(connection->broker, BROKER_LOG_INFO, "%s opens session %s%s%s", session->client_name,
               session->id, envelope->open_session->purpose[0] != '\0' ? ": " : "",
               envelope->open_session->purpose);
}

/* ---- all of them ---- */

void sessions_abandon(struct connection *connection)
{
    while (!list_is_empty(&connection->sessions)) {
        struct session *session = LIST_FIRST(&connection->sessions, struct session, connection_link);
        session_end(session, NULL);
        session_let_go(session);
    }
}

void sessions_continue(struct connection *connection)
{
    LIST_EACH(struct session, session, &connection->sessions, connection_link)
    steps_continue(session);
}

static bool is_freezing(const struct session *session)
{
    return session->requester != NULL &&
           requester_busy_with(session->requester) == PB_METHOD(DO_SNAPSHOT_SET);
}

void sessions_stop(struct broker *broker)
{
    LIST_EACH(struct session, session, &broker->sessions, link)
    {
        if (!is_freezing(session))
            session_end(session, error_stopping(broker));
    }
}

void sessions_stop_overdue(struct broker *broker)
{
    LIST_EACH(struct session, session, &broker->sessions, link)
    {
        if (!is_freezing(session))
            continue;
        if (session->stage >= SESSION_DRAINING)
            cancel_call(session);
        else
            session_end(session, error_stopping(broker));
    }
}

void sessions_kill(struct broker *broker)
{
    LIST_EACH(struct session, session, &broker->sessions, link)
    {
        if (session->requester != NULL)
            requester_kill(session->requester, error_stopping(broker));
    }
}

void sessions_free(struct broker *broker)
{
    LIST_EACH(struct session, session, &broker->sessions, link)
    {
        session->requester = NULL;
        session_free(session);
    }
}
