#include "service/broker/requester.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/request.h"
#include "service/broker/state.h"
#include "service/broker/warm.h"

enum {
    ARENA_BYTES = 256 * 1024,
    EXIT_MS = 15 * 1000 /* from the end of its connection to its exit, when it has nothing left to do */
};

/* Exit codes of service/requester/requester.h. With these it promises that no set of its is open. */
enum {
    EXIT_CLEANED_UP = 10,
    EXIT_ORPHAN_ENDED = 11
};

/* With these it never had an object. */
static const char *why_not_started(uint32_t exit_code)
{
    switch (exit_code) {
    case 13:
        return "it could not use the service's pipe";
    case 14:
        return "COM or the library of VSS did not come up in time";
    case 15:
        return "it had no memory";
    default:
        return NULL;
    }
}

struct call {
    struct list link;
    uint32_t id;
    PB(Call__MethodCase) method; /* NOT_SET: another request */
    size_t index;
    uint32_t limit_ms;
    bool overdue;
};

const char *method_name(PB(Call__MethodCase) method)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)method);
    if (field == NULL)
        return "no call";
    /* The messages whose names are not those of COM. */
    switch (method) {
    case PB_METHOD(CREATE_OBJECT):
        return "CreateVssBackupComponents";
    case PB_METHOD(RELEASE_OBJECT):
        return "Release";
    case PB_METHOD(DELETE_SNAPSHOTS):
        return "DeleteSnapshots";
    default:
        break;
    }
    return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
}

static struct requester *find(struct broker *broker, uint64_t id)
{
    LIST_EACH(struct requester, requester, &broker->requesters, link)
    {
        if (requester->id == id)
            return requester;
    }
    return NULL;
}

static PB(Status) * not_come_back(struct broker *broker, const char *how)
{
    PB(Status) *why = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "REQUESTER_DIED",
                                  "the process that held the snapshots over the restart of the service is "
                                  "gone: %s",
                                  how);
    error_retry(why, PB_VALUE(RETRY, RETRY_SOON), 5000);
    return error_advise(why, "Back up again; look into the Application event log for what ended it.");
}

static void on_timer(struct broker *broker, struct timer *timer)
{
    struct requester *requester = LIST_ITEM(timer, struct requester, timer);
    struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    if (requester->state == REQUESTER_READY && call != NULL) {
        call->overdue = true;
        requester->user->overdue(requester->subject, call->method);
        return;
    }
    PB(Status) *why = NULL;
    if (requester->state == REQUESTER_STARTING && requester->is_adopted) {
        why = not_come_back(broker, "it did not dial in");
    } else if (requester->state == REQUESTER_STARTING) {
        why = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "REQUESTER_START",
                          "the requester process did not report for work within %u s",
                          (unsigned)broker->config.requester_start_ms / 1000);
        error_retry(why, PB_VALUE(RETRY, RETRY_SOON), 5000);
        error_advise(why, "Look into the service's log; the machine may be overloaded.");
    }
    requester_kill(requester, why);
}

/* Its first frame is awaited for this long. NULL without memory. */
static struct requester *requester_new(struct broker *broker, const struct requester_user *user,
                                       void *subject, uint64_t start_ms)
{
    struct requester *requester = calloc(1, sizeof *requester);
    if (requester == NULL)
        return NULL;
    requester->broker = broker;
    requester->id = ++broker->last_requester_id;
    requester->user = user;
    requester->subject = subject;
    list_init(&requester->calls);
    arena_init(&requester->arena, ARENA_BYTES);
    timer_init(&requester->timer, on_timer);
    timer_set(broker, &requester->timer, start_ms);
    list_append(&broker->requesters, &requester->link);
    return requester;
}

struct requester *requester_launch(struct broker *broker, const struct requester_user *user, void *subject)
{
    struct requester *requester = requester_new(broker, user, subject, broker->config.requester_start_ms);
    if (requester == NULL)
        return NULL;
    broker->host.random_bytes(broker->host.context, requester->secret, sizeof requester->secret);
    broker->host.start_requester(broker->host.context, requester->id, requester->secret);
    broker->counters.requesters_started++;
    return requester;
}

struct requester *requester_adopt(struct broker *broker, const struct requester_user *user, void *subject,
                                  const PB(HeldSet) * held)
{
    const struct broker_config *config = &broker->config;
    /* It ends by itself after its grace, which begins when the call that it works on has ended. */
    uint64_t most_ms = (uint64_t)config->complete_ms + config->cancel_grace_ms + config->orphan_grace_ms;
    struct requester *requester = requester_new(broker, user, subject, most_ms);
    if (requester == NULL)
        return NULL;
    requester->is_adopted = true;
    memcpy(requester->secret, held->secret.data, sizeof requester->secret);
    broker->host.adopt_requester(broker->host.context, requester->id, held->process_id,
                                 held->process_started);
    return requester;
}

struct requester *requester_start(struct broker *broker, const struct requester_user *user, void *subject)
{
    struct requester *requester = warm_take(broker);
    if (requester == NULL)
        return requester_launch(broker, user, subject);
    requester->user = user;
    requester->subject = subject;
    /* Once the caller has it, for that is what it counts on. */
    requester->ready_is_due = requester->state == REQUESTER_READY;
    broker->is_dirty = true;
    return requester;
}

void requesters_attend(struct broker *broker)
{
    LIST_EACH(struct requester, requester, &broker->requesters, link)
    {
        bool is_due = requester->ready_is_due && requester->state == REQUESTER_READY;
        requester->ready_is_due = false;
        if (is_due)
            requester->user->ready(requester->subject);
    }
}

/* ---- calls ---- */

static void forget_calls(struct requester *requester)
{
    while (!list_is_empty(&requester->calls)) {
        struct call *call = LIST_FIRST(&requester->calls, struct call, link);
        list_remove(&call->link);
        free(call);
    }
}

static void time_first_call(struct requester *requester)
{
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    if (call != NULL)
        timer_set(requester->broker, &requester->timer, call->limit_ms);
    else
        timer_stop(&requester->timer);
}

/* NULL: it cannot be sent. */
static struct call *post(struct requester *requester, PB(Envelope) * envelope, uint32_t limit_ms)
{
    if (requester->state != REQUESTER_READY || requester->connection == NULL)
        return NULL;
    struct call *call = calloc(1, sizeof *call);
    envelope->id = ++requester->last_call_id;
    if (call == NULL || !connection_send(requester->connection, envelope)) {
        free(call);
        requester_kill(requester, error_no_memory());
        return NULL;
    }
    call->id = envelope->id;
    call->limit_ms = limit_ms;
    list_init(&call->link);
    bool is_first = list_is_empty(&requester->calls);
    list_append(&requester->calls, &call->link);
    if (is_first)
        time_first_call(requester);
    return call;
}

bool requester_call(struct requester *requester, PB(Call__MethodCase) method, ProtobufCMessage *parameters,
                    size_t index, uint32_t wait_ms, uint32_t limit_ms)
{
    if (parameters == NULL) {
        requester_kill(requester, error_no_memory());
        return false;
    }
    PB(Call) message = SHADOWPIPE__V1__CALL__INIT;
    message.wait_ms = wait_ms;
    message.method_case = method;
    message.create_object = (PB(CreateObject) *)(void *)parameters; /* any member: all are one pointer */
    PB(Envelope) envelope = ENVELOPE(CALL, .call = &message);
    struct call *call = post(requester, &envelope, limit_ms);
    if (call == NULL)
        return false;
    call->method = method;
    call->index = index;
    return true;
}

bool requester_send(struct requester *requester, PB(Envelope) * envelope, uint32_t limit_ms)
{
    return post(requester, envelope, limit_ms) != NULL;
}

bool requester_is_busy(const struct requester *requester)
{
    return !list_is_empty(&requester->calls);
}

bool requester_is_overdue(const struct requester *requester)
{
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    return call != NULL && call->overdue;
}

PB(Call__MethodCase) requester_busy_with(const struct requester *requester)
{
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    return call != NULL ? call->method : PB_METHOD(_NOT_SET);
}

void requester_cancel(struct requester *requester)
{
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    if (call == NULL || requester->state != REQUESTER_READY || requester->connection == NULL)
        return;
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.id = call->id;
    PB(Envelope) envelope = ENVELOPE(CANCEL, .cancel = &cancel);
    envelope.id = ++requester->last_call_id;
    connection_send(requester->connection, &envelope);
}

/* ---- ends ---- */

static void leave(struct requester *requester, uint32_t limit_ms)
{
    forget_calls(requester);
    requester->state = REQUESTER_LEAVING;
    timer_set(requester->broker, &requester->timer, limit_ms);
    struct connection *connection = requester->connection;
    if (connection != NULL) {
        requester->connection = NULL;
        connection->requester = NULL;
        connection_close(connection, true);
    }
}

void requester_let_go(struct requester *requester)
{
    if (requester->state == REQUESTER_LEAVING)
        return;
    requester->let_go = true;
    if (requester->state == REQUESTER_STARTING && requester->connection == NULL)
        requester_kill(requester, NULL); /* it has no object yet, so VSS cannot miss it */
    else
        leave(requester, EXIT_MS);
}

void requester_kill(struct requester *requester, PB(Status) * why)
{
    struct broker *broker = requester->broker;
    if (why != NULL && requester->failure == NULL)
        requester->failure = MESSAGE_COPY(&requester->arena, why);
    if (requester->state != REQUESTER_LEAVING)
        leave(requester, EXIT_MS);
    timer_stop(&requester->timer);
    if (requester->killed)
        return;
    requester->killed = true;
    if (requester->process_id != 0) {
        broker->counters.requesters_killed++;
        broker_log(broker, BROKER_LOG_WARNING, "killing requester process %u: %s",
                   (unsigned)requester->process_id, why != NULL ? why->message : "it does not leave");
    }
    broker->host.kill_requester(broker->host.context, requester->id);
}

/* Its pipe broke. It cleans up by itself: it aborts and releases what it has, or dials in again and, since
 * nobody waits for it here, releases then. */
void requester_disconnected(struct requester *requester)
{
    const struct broker_config *config = &requester->broker->config;
    requester->connection = NULL;
    if (requester->state == REQUESTER_LEAVING)
        return;
    broker_log(requester->broker, BROKER_LOG_ERROR, "the connection of requester process %u broke",
               (unsigned)requester->process_id);
    leave(requester, config->call_ms + config->cancel_grace_ms + config->abort_ms + config->release_ms);
}

static PB(Status) * why_ended(struct requester *requester, uint32_t exit_code, const char *failure)
{
    struct arena *arena = &requester->broker->arena;
    PB(Status) *why = NULL;
    if (requester->failure != NULL)
        return MESSAGE_COPY(arena, requester->failure);
    if (failure == NULL && !requester->let_go)
        failure = why_not_started(exit_code);
    if (failure != NULL && requester->is_adopted)
        return not_come_back(requester->broker, failure);
    if (failure != NULL) {
        why = status_make(arena, PB_CODE(UNAVAILABLE), "REQUESTER_START",
                          "the requester process could not be started: %s", failure);
        error_retry(why, PB_VALUE(RETRY, RETRY_SOON), 5000);
        return error_advise(why, "Look into the service's log and the Application event log.");
    }
    if (requester->let_go)
        return NULL;
    why = status_make(arena, PB_CODE(UNAVAILABLE), "REQUESTER_DIED",
                      "the process that held the VSS object ended unexpectedly (exit code 0x%08" PRIX32 ")",
                      exit_code);
    error_retry(why, PB_VALUE(RETRY, RETRY_SOON), 5000);
    return error_advise(why, "Ask again; if it repeats, look into the Application event log for the crash.");
}

void broker_requester_exited(struct broker *broker, uint64_t id, uint32_t exit_code, const char *failure)
{
    struct requester *requester = find(broker, id);
    if (requester == NULL)
        return;
    broker_begin(broker);
    list_remove(&requester->link);
    timer_stop(&requester->timer);
    forget_calls(requester);
    if (requester->connection != NULL) {
        requester->connection->requester = NULL;
        connection_close(requester->connection, false);
    }
    PB(Status) *why = why_ended(requester, exit_code, failure);
    /* 0 is no such promise: it follows a Release, and without one somebody has killed the process. */
    bool left_open = failure == NULL && exit_code != EXIT_CLEANED_UP && exit_code != EXIT_ORPHAN_ENDED;
    if (why != NULL)
        broker_log(broker, BROKER_LOG_ERROR, "requester process %u: %s", (unsigned)requester->process_id,
                   why->message);
    requester->user->ended(requester->subject, why, left_open);
    arena_free(&requester->arena);
    free(requester);
    broker_settle(broker);
}

void requester_forget(struct requester *requester)
{
    list_remove(&requester->link);
    timer_stop(&requester->timer);
    forget_calls(requester);
    arena_free(&requester->arena);
    free(requester);
}

void requesters_free(struct broker *broker)
{
    while (!list_is_empty(&broker->requesters))
        requester_forget(LIST_FIRST(&broker->requesters, struct requester, link));
}

/* ---- handshake ---- */

static bool secrets_equal(const uint8_t *one, const uint8_t *other)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < REQUESTER_SECRET_BYTES; i++)
        difference |= one[i] ^ other[i];
    return difference == 0;
}

/* The library or COM does not work in that process: no other one would fare better. */
static PB(Status) * library_failure(struct broker *broker, const PB(RequesterHello) * hello)
{
    PB(Status) *status = status_from_hresult(&broker->arena, hello->ready_method, hello->ready_hresult);
    if (status == NULL)
        return NULL;
    status->reason = text_constant("VSS_LIBRARY");
    status->code = PB_CODE(FAILED_PRECONDITION);
    const char *library = broker->config.vss_library[0] != '\0' ? broker->config.vss_library : "vssapi.dll";
    status->message = text_format(&broker->arena, "VSS cannot be used through %s: %s", library,
                                  hello->ready_message[0] != '\0' ? hello->ready_message : status->message);
    if (status->message == NULL)
        status->message = text_constant("VSS cannot be used");
    return error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
}

/* Both halves have come: the process's own word and the host's. */
static bool welcome(struct requester *requester)
{
    struct broker *broker = requester->broker;
    const PB(RequesterHello) *hello = requester->hello;
    if (requester->connection->process_id != requester->process_id) {
        broker_log(broker, BROKER_LOG_ERROR, "process %u showed the secret of requester process %u; refused",
                   (unsigned)requester->connection->process_id, (unsigned)requester->process_id);
        struct connection *impostor = requester->connection;
        requester->connection = NULL;
        requester->hello = NULL;
        impostor->requester = NULL;
        connection_close(impostor, false);
        return false;
    }
    broker->simulated = hello->simulated;
    timer_stop(&requester->timer);
    requester->state = REQUESTER_READY;
    if ((hello->ready_hresult & 0x80000000u) != 0) {
        PB(Status) *failure = library_failure(broker, hello);
        requester->failure = MESSAGE_COPY(&requester->arena, failure != NULL ? failure : error_no_memory());
        leave(requester, EXIT_MS);
        return true;
    }
    PB(RequesterWelcome) reply = SHADOWPIPE__V1__REQUESTER_WELCOME__INIT;
    reply.orphan_grace_ms = broker->config.orphan_grace_ms;
    PB(Envelope) envelope = ENVELOPE(REQUESTER_WELCOME, .requester_welcome = &reply);
    envelope.id = requester->hello_id;
    connection_send(requester->connection, &envelope);
    requester->user->ready(requester->subject);
    return true;
}

void broker_requester_started(struct broker *broker, uint64_t id, uint32_t process_id, uint64_t started)
{
    struct requester *requester = find(broker, id);
    if (requester == NULL)
        return;
    broker_begin(broker);
    requester->process_id = process_id;
    requester->started = started;
    if (requester->state == REQUESTER_STARTING && requester->connection != NULL)
        welcome(requester);
    broker_settle(broker);
}

static bool dial_in(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(RequesterHello) *hello = envelope->requester_hello;
    if (envelope->body_case != PB_BODY(REQUESTER_HELLO) || hello->secret.len != REQUESTER_SECRET_BYTES)
        return false;
    struct requester *match = NULL;
    LIST_EACH(struct requester, requester, &broker->requesters, link)
    {
        bool is_awaited = requester->state == REQUESTER_STARTING && requester->connection == NULL;
        if (secrets_equal(requester->secret, hello->secret.data) && is_awaited)
            match = requester;
    }
    if (match == NULL || hello->process_id != connection->process_id)
        return false;
    match->hello = MESSAGE_COPY(&match->arena, hello);
    if (match->hello == NULL)
        return false;
    match->hello_id = match->last_call_id = envelope->id;
    match->connection = connection;
    connection->requester = match;
    connection->state = CONNECTION_OPEN;
    timer_stop(&connection->timer);
    return match->process_id == 0 || welcome(match);
}

/* ---- replies ---- */

/* What it has answered is over. */
static void end_first_call(struct requester *requester)
{
    struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    list_remove(&call->link);
    free(call);
    time_first_call(requester);
}

static void take_reply(struct requester *requester, const PB(CallReply) * reply)
{
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    PB(Call__MethodCase) method = call->method;
    size_t index = call->index;
    end_first_call(requester);
    requester->user->replied(requester->subject, method, index, reply);
}

/* The answer to a request that is no call. */
static bool take_answer(struct requester *requester, const PB(Envelope) * envelope)
{
    switch (envelope->body_case) {
    case PB_BODY(STATUS):
    case PB_BODY(DOCUMENT_CHUNK):
    case PB_BODY(PUT_DOCUMENT_REPLY):
        end_first_call(requester);
        requester->user->answered(requester->subject, envelope);
        return true;
    default:
        return false;
    }
}

/* In words: one that holds snapshots takes a pipe that just breaks for the end of another service. */
static void refuse_stranger(struct connection *connection)
{
    broker_log(connection->broker, BROKER_LOG_WARNING,
               "process %u dialled in as a requester that nobody waits for; refused",
               (unsigned)connection->process_id);
    connection_refuse(connection, status_make(&connection->broker->arena, PB_CODE(PERMISSION_DENIED),
                                              "NOT_AWAITED", "nobody waits for this requester process"));
}

bool requester_frame(struct connection *connection, const PB(Envelope) * envelope)
{
    struct requester *requester = connection->requester;
    if (requester == NULL) {
        bool accepted = dial_in(connection, envelope);
        if (!accepted)
            refuse_stranger(connection);
        return accepted;
    }
    if (envelope->body_case == PB_BODY(CANCEL_REPLY))
        return true;
    const struct call *call = LIST_FIRST(&requester->calls, struct call, link);
    if (call == NULL || call->id != envelope->id)
        return false; /* out of order: nothing that it says can be trusted any more */
    if (call->method == PB_METHOD(_NOT_SET))
        return take_answer(requester, envelope);
    if (envelope->body_case == PB_BODY(CALL_REPLY)) {
        take_reply(requester, envelope->call_reply);
        return true;
    }
    if (envelope->body_case != PB_BODY(STATUS))
        return false;
    /* It would not make the call. */
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    reply.hresult = envelope->status->hresult != 0 ? envelope->status->hresult : 0x80004005u;
    reply.status = envelope->status;
    take_reply(requester, &reply);
    return true;
}
