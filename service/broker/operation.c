#include "service/broker/operation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 16 * 1024 * 1024,
    TICK_MS = 1000
};

/* ---- its end ---- */

static void operation_free(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    assert(operation->requester == NULL && !request_is_open(&operation->request));
    list_remove(&operation->link);
    list_remove(&operation->volume_wait.link);
    lane_leave(broker, &operation->place);
    timer_stop(&operation->timer);
    if (operation->document != NULL)
        document_free(broker, operation->document);
    arena_free(&operation->arena);
    free(operation);
}

/* Nothing is under way, or what is can be cancelled; else its reply is awaited. */
static void owe(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    struct requester *requester = operation->requester;
    if (requester->state != REQUESTER_READY) {
        requester_let_go(requester);
    } else if (!requester_is_busy(requester)) {
        (void)requester_call(requester, PB_METHOD(RELEASE_OBJECT),
                             MESSAGE_NEW(&broker->arena, release_object), 0, 0, broker->config.release_ms);
    } else if (method_is_asynchronous(requester_busy_with(requester))) {
        requester_cancel(requester);
        timer_set(broker, &operation->timer, cancel_limit_ms(&broker->config));
    }
}

void operation_end(struct operation *operation)
{
    operation->stage = OPERATION_ENDING;
    sequence_stop(&operation->sequence);
    if (operation->requester == NULL)
        operation_free(operation);
    else
        owe(operation);
}

static void answer_failure(struct operation *operation, PB(Status) * status)
{
    if (status == NULL)
        status = error_no_memory();
    if (status->phase == PB_PHASE(UNSPECIFIED))
        status->phase = operation->phase;
    if (operation->type->fail != NULL)
        operation->type->fail(operation, status);
    else
        request_fail(&operation->request, status);
}

void operation_fail(struct operation *operation, PB(Status) * status)
{
    answer_failure(operation, status);
    operation_end(operation);
}

bool operation_refuse(struct operation *operation, PB(Status) * status)
{
    operation_fail(operation, status);
    return false;
}

/* ---- progress ---- */

/* 1 = the next one; 0 = it does not wait. */
static uint32_t queue_position(const struct operation *operation)
{
    const struct broker *broker = operation->request.broker;
    uint32_t position = 0;
    if (operation->stage != OPERATION_WAITING)
        return 0;
    LIST_EACH(const struct operation, other, &broker->operations, link)
    {
        position += other->stage == OPERATION_WAITING && other->type->asks == operation->type->asks;
        if (other == operation)
            break;
    }
    return position;
}

void operation_progress(struct operation *operation)
{
    const struct broker *broker = operation->request.broker;
    const struct deletion *deletion = operation->deletion;
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    progress.phase = operation->phase;
    progress.elapsed_ms = (uint32_t)(broker->now_ms - operation->request.arrived_ms);
    progress.phase_elapsed_ms = (uint32_t)(broker->now_ms - operation->phase_ms);
    progress.attempt = 1;
    progress.queue_position = queue_position(operation);
    progress.waiting_for = progress.queue_position > 0 ? PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET)
                                                       : PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING);
    if (deletion != NULL)
        deletion_count(deletion, &progress.done, &progress.total);
    request_progress(&operation->request, &progress);
}

bool operations_wait(const struct broker *broker)
{
    LIST_EACH(const struct operation, operation, &broker->operations, link)
    {
        if (request_is_open(&operation->request))
            return true;
    }
    return false;
}

void operations_progress(struct broker *broker)
{
    LIST_EACH(struct operation, operation, &broker->operations, link)
    operation_progress(operation);
}

/* ---- the client wants it no more ---- */

/* VSS is left with something else than it had. */
static bool is_change(PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(DELETE_SNAPSHOTS):
    case PB_METHOD(EXPOSE_SNAPSHOT):
    case PB_METHOD(UNEXPOSE_SNAPSHOT):
    case PB_METHOD(BREAK_SNAPSHOT_SET):
    case PB_METHOD(BREAK_SNAPSHOT_SET_EX):
    case PB_METHOD(IMPORT_SNAPSHOTS):
    case PB_METHOD(REVERT_TO_SNAPSHOT):
    case PB_METHOD(QUERY_REVERT_STATUS):
        return true;
    default:
        return false;
    }
}

static bool changes_now(const struct operation *operation)
{
    return operation->stage == OPERATION_RUNNING && operation->requester != NULL &&
           is_change(requester_busy_with(operation->requester));
}

/* What runs is the last; what comes of it is the answer. */
static void stop_after_change(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    operation->is_stopping = true;
    if (operation->cannot_be_stopped || !method_is_asynchronous(requester_busy_with(operation->requester)))
        return; /* it has a limit of its own */
    requester_cancel(operation->requester);
    timer_set(broker, &operation->timer, cancel_limit_ms(&broker->config));
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct operation *operation = (struct operation *)(void *)request;
    struct broker *broker = request->broker;
    if (reason == STOP_CANCELLED && changes_now(operation)) {
        stop_after_change(operation);
        return;
    }
    const char *doing = operation->stage == OPERATION_WAITING ? "it waited for its turn"
                        : operation->cannot_be_stopped        ? "the volume was being reverted; that goes on"
                                                              : operation->type->doing;
    if (reason == STOP_CANCELLED)
        answer_failure(operation, error_cancelled(broker));
    else if (reason == STOP_EXPIRED)
        answer_failure(operation, error_deadline(broker, broker->now_ms - request->arrived_ms, doing));
    if (!operation->cannot_be_stopped)
        operation_end(operation);
}

/* ---- from its requester ---- */

static void enter_phase(void *subject, PB(Phase) phase)
{
    struct operation *operation = subject;
    if (phase == PB_PHASE(UNSPECIFIED) || phase == operation->phase)
        return;
    operation->phase = phase;
    operation->phase_ms = operation->request.broker->now_ms;
    operation_progress(operation);
}

/* Hardware providers need minutes for what they change. Where the data decides, the request's own time
 * counts; a revert has all the time that there is. */
static uint32_t limit_ms(void *subject, enum limit limit)
{
    const struct operation *operation = subject;
    const struct broker *broker = operation->request.broker;
    const struct broker_config *config = &broker->config;
    uint64_t deadline_ms = operation->request.deadline_ms;
    PB(Call__MethodCase) method = operation->sequence.step->method;
    (void)limit; /* the method says more */
    if (method == PB_METHOD(QUERY_REVERT_STATUS))
        return config->max_timeout_ms;
    if (method_is_asynchronous(method))
        return deadline_ms > broker->now_ms ? (uint32_t)(deadline_ms - broker->now_ms) + 1 : 1;
    return is_change(method) ? config->release_ms : config->call_ms;
}

static void on_failed(void *subject, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    struct operation *operation = subject;
    struct broker *broker = operation->request.broker;
    (void)method;
    (void)index;
    bool was_cancelled = status != NULL && status->hresult == ASYNC_CANCELLED && operation->is_stopping;
    if (was_cancelled)
        status = broker->stopping ? error_stopping(broker) : error_cancelled(broker);
    operation_fail(operation, status);
}

static void on_done(void *subject)
{
    struct operation *operation = subject;
    if (operation->type->succeed != NULL)
        operation->type->succeed(operation);
    operation_end(operation);
}

static const struct sequence_user sequence_user = {
    .phase = enter_phase, .limit_ms = limit_ms, .failed = on_failed, .done = on_done};

static void run(struct operation *operation, const struct step *steps)
{
    sequence_start(&operation->sequence, operation->requester, steps, &sequence_user, operation);
}

/* The next part, or the steps. */
static void send_document(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    if (operation->document_sent == operation->document->size)
        run(operation, operation->type->steps);
    else
        (void)document_send(operation->requester, operation->document, &operation->document_sent,
                            broker->config.call_ms);
}

/* A new object forgets the documents that came before it. */
static bool on_created(void *subject)
{
    send_document(subject);
    return false;
}

static const struct step document_steps[] = {
    {PB_METHOD(CREATE_OBJECT), PB_PHASE(STARTING), LIMIT_CALL, NULL, NULL, NULL, on_created, false},
    OPERATION_ENDS};

static void on_ready(void *subject)
{
    struct operation *operation = subject;
    run(operation, operation->document != NULL ? document_steps : operation->type->steps);
}

static void on_answered(void *subject, const PB(Envelope) * reply)
{
    struct operation *operation = subject;
    if (operation->stage == OPERATION_ENDING)
        owe(operation);
    else if (reply->body_case == PB_BODY(STATUS))
        operation_fail(operation, reply->status);
    else
        send_document(operation);
}

static void on_replied(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    timer_stop(&operation->timer);
    if (operation->type->note != NULL)
        operation->type->note(operation, method, reply);
    if (operation->stage != OPERATION_ENDING) {
        (void)sequence_replied(&operation->sequence, index, reply);
    } else if (method == PB_METHOD(RELEASE_OBJECT)) {
        requester_let_go(operation->requester);
    } else if (!requester_is_busy(operation->requester)) {
        owe(operation);
    }
}

static void on_overdue(void *subject, PB(Call__MethodCase) method)
{
    struct operation *operation = subject;
    PB(Status) *status = error_no_return(operation->request.broker, method);
    if (operation->stage != OPERATION_ENDING) {
        answer_failure(operation, status);
        operation->stage = OPERATION_ENDING;
        sequence_stop(&operation->sequence);
    }
    requester_kill(operation->requester, status);
}

/* What was cancelled has not ended. */
static void on_timer(struct broker *broker, struct timer *timer)
{
    struct operation *operation = LIST_ITEM(timer, struct operation, timer);
    (void)broker;
    if (operation->requester != NULL && operation->requester->state == REQUESTER_READY)
        on_overdue(operation, requester_busy_with(operation->requester));
}

static void ask_next(struct broker *broker);

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct operation *operation = subject;
    struct broker *broker = operation->request.broker;
    (void)left_open; /* it never opens a set */
    operation->requester = NULL;
    bool asked = operation->type->asks;
    if (operation->stage != OPERATION_ENDING)
        answer_failure(operation, why != NULL ? why : error_stopping(broker));
    operation_free(operation);
    if (!asked)
        return;
    LIST_EACH(struct operation, other, &broker->operations, link)
    other->shares = false; /* whom it has not answered asks anew */
    ask_next(broker);
}

static const struct requester_user requester_user = {.ready = on_ready,
                                                     .replied = on_replied,
                                                     .answered = on_answered,
                                                     .overdue = on_overdue,
                                                     .ended = on_ended};

/* ---- its turn ---- */

/* False: no memory; answered and freed. */
static bool start(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    operation->stage = OPERATION_RUNNING;
    operation->requester = requester_start(broker, &requester_user, operation);
    if (operation->requester == NULL) {
        operation_fail(operation, NULL);
        return false;
    }
    enter_phase(operation, PB_PHASE(STARTING));
    return true;
}

static void on_granted(struct lane_place *place)
{
    (void)start(LIST_ITEM(place, struct operation, place));
}

/* The first who waits for a question; NULL while one is under way. */
static struct operation *next_to_ask(struct broker *broker)
{
    struct operation *first = NULL;
    LIST_EACH(struct operation, operation, &broker->operations, link)
    {
        if (operation->type->asks && operation->requester != NULL)
            return NULL;
        if (operation->type->asks && operation->stage == OPERATION_WAITING && first == NULL)
            first = operation;
    }
    return first;
}

static void ask_next(struct broker *broker)
{
    struct operation *next;
    do
        next = next_to_ask(broker);
    while (next != NULL && !start(next));
}

static void wait_for_turn(struct operation *operation)
{
    struct broker *broker = operation->request.broker;
    operation->stage = OPERATION_WAITING;
    operation->phase = PB_PHASE(QUEUED);
    operation->phase_ms = broker->now_ms;
    if (!timer_runs(&broker->tick))
        timer_set(broker, &broker->tick, TICK_MS);
    if (operation->type->asks)
        ask_next(broker);
    else
        lane_enter(broker, &operation->place);
}

static void on_volumes(struct volume_wait *wait, const char *failure)
{
    struct operation *operation = LIST_ITEM(wait, struct operation, volume_wait);
    PB(Status) *status = NULL;
    operation->has_volumes = failure == NULL;
    if (operation->type->prepare != NULL)
        status = operation->type->prepare(operation, failure);
    if (status != NULL)
        operation_fail(operation, status);
    else
        wait_for_turn(operation);
}

/* ---- requests ---- */

void operation_begin_with(struct connection *connection, const PB(Envelope) * envelope,
                          const struct operation_type *type, struct document *document)
{
    struct broker *broker = connection->broker;
    struct operation *operation = calloc(1, sizeof *operation);
    if (operation != NULL) {
        arena_init(&operation->arena, ARENA_BYTES);
        operation->envelope = MESSAGE_COPY(&operation->arena, envelope);
        operation->client_name = arena_strdup(&operation->arena, connection->client_name);
    }
    if (operation == NULL || operation->envelope == NULL || operation->client_name == NULL) {
        if (operation != NULL)
            arena_free(&operation->arena);
        free(operation);
        fail_now(connection, envelope->id, NULL);
        return;
    }
    operation->type = type;
    operation->phase_ms = broker->now_ms;
    list_init(&operation->volume_wait.link);
    operation->volume_wait.ready = on_volumes;
    lane_place_init(&operation->place, on_granted);
    timer_init(&operation->timer, on_timer);
    list_append(&broker->operations, &operation->link);
    request_open(&operation->request, connection, envelope, on_stop);
    if (document != NULL) { /* it serves this one */
        list_remove(&document->link);
        operation->document = document;
    }
    if (type->wants_volumes)
        volumes_ask(broker, &operation->volume_wait);
    else
        wait_for_turn(operation);
}

/* ---- all of them ---- */

void operations_stop(struct broker *broker)
{
    LIST_EACH(struct operation, operation, &broker->operations, link)
    {
        if (operation->stage == OPERATION_ENDING)
            continue;
        if (changes_now(operation) && !operation->cannot_be_stopped)
            stop_after_change(operation);
        else
            operation_fail(operation, error_stopping(broker));
    }
}

void operations_kill(struct broker *broker)
{
    LIST_EACH(struct operation, operation, &broker->operations, link)
    {
        if (operation->requester != NULL)
            requester_kill(operation->requester, error_stopping(broker));
    }
}

void operations_free(struct broker *broker)
{
    LIST_EACH(struct operation, operation, &broker->operations, link)
    {
        operation->requester = NULL;
        operation_free(operation);
    }
}

uint32_t operations_count(const struct broker *broker)
{
    uint32_t count = 0;
    LIST_EACH(const struct operation, operation, &broker->operations, link)
    count += operation->requester != NULL;
    return count;
}
