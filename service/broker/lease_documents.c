#include "service/broker/lease_documents.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 256 * 1024,
    KEPT_MS = 60 * 1000,
    KEPT_MAX = 16 /* processes that stay for nothing else */
};

struct reading {
    struct request request; /* first: they are cast */
    struct list link;
    struct shelf *shelf;
    struct arena arena;
    PB(ReadDocument) * wish; /* as it goes to the requester: with the offset of the next chunk */
};

/* ---- readings ---- */

static void reading_free(struct reading *reading)
{
    struct shelf *shelf = reading->shelf;
    if (shelf->asked == reading)
        shelf->asked = NULL;
    list_remove(&reading->link);
    arena_free(&reading->arena);
    free(reading);
}

static void advance(struct shelf *shelf)
{
    LIST_EACH(struct reading, reading, &shelf->readings, link)
    {
        if (shelf->is_asking || shelf->requester == NULL || shelf->requester->state != REQUESTER_READY)
            return;
        if (!connection_has_room(reading->request.connection))
            continue;
        PB(Envelope) envelope = ENVELOPE(READ_DOCUMENT, .read_document = reading->wish);
        shelf->asked = reading;
        shelf->is_asking = true; /* where it cannot be sent the process's end follows, and answers */
        (void)requester_send(shelf->requester, &envelope, shelf->broker->config.call_ms);
        return;
    }
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct reading *reading = (struct reading *)(void *)request;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(request->broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request, error_deadline(request->broker, request->broker->now_ms - request->arrived_ms,
                                             "the document was being read"));
    reading_free(reading);
}

static void fail_readings(struct shelf *shelf, PB(Status) * status)
{
    LIST_EACH(struct reading, reading, &shelf->readings, link)
    {
        request_fail(&reading->request, status);
        reading_free(reading);
    }
}

static PB(Status) * error_ended(struct broker *broker)
{
    if (broker->stopping)
        return error_stopping(broker);
    PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE",
                                     "the lease has ended, and the time to read its documents is over");
    return error_advise(status, "Read them before FinishBackup, or ask it for with_documents.");
}

static PB(Status) * error_answer(struct broker *broker)
{
    return error_advise(
        status_make(&broker->arena, PB_CODE(INTERNAL), "MALFORMED",
                    "the requester process answered with something that is no part of a document"),
        "Look into the service's log.");
}

/* False: the reading is over. */
static bool take_chunk(struct reading *reading, PB(DocumentChunk) * chunk)
{
    PB(Envelope) envelope = ENVELOPE(DOCUMENT_CHUNK, .document_chunk = chunk);
    if (chunk->last) {
        request_reply(&reading->request, &envelope);
        return false;
    }
    if (chunk->data.len == 0 || !request_stream(&reading->request, &envelope)) {
        request_fail(&reading->request, error_answer(reading->request.broker));
        return false;
    }
    reading->wish->offset = chunk->offset + chunk->data.len;
    return true;
}

void shelf_answered(struct shelf *shelf, const PB(Envelope) * answer)
{
    struct reading *reading = shelf->asked;
    shelf->is_asking = false;
    shelf->asked = NULL;
    if (reading != NULL && answer->body_case == PB_BODY(STATUS))
        request_fail(&reading->request, answer->status);
    else if (reading != NULL && answer->body_case != PB_BODY(DOCUMENT_CHUNK))
        request_fail(&reading->request, error_answer(shelf->broker));
    if (reading != NULL &&
        (!request_is_open(&reading->request) || !take_chunk(reading, answer->document_chunk)))
        reading_free(reading);
    advance(shelf);
}

/* ---- shelves ---- */

static void shelf_free(struct shelf *shelf)
{
    fail_readings(shelf, error_ended(shelf->broker));
    list_remove(&shelf->link);
    timer_stop(&shelf->timer);
    free(shelf);
}

/* Nothing can be read any more. */
static void withdraw(struct shelf *shelf)
{
    shelf->is_offered = false;
    timer_stop(&shelf->timer);
    fail_readings(shelf, error_ended(shelf->broker));
    if (shelf->set == NULL && shelf->requester != NULL)
        requester_let_go(shelf->requester);
}

static void on_timer(struct broker *broker, struct timer *timer)
{
    (void)broker;
    withdraw(LIST_ITEM(timer, struct shelf, timer));
}

/* NULL without memory. */
static struct shelf *shelf_of(struct set *set)
{
    if (set->shelf != NULL)
        return set->shelf;
    struct shelf *shelf = calloc(1, sizeof *shelf);
    if (shelf == NULL)
        return NULL;
    shelf->broker = set->broker;
    shelf->set = set;
    shelf->requester = set->requester;
    list_init(&shelf->link);
    list_init(&shelf->readings);
    timer_init(&shelf->timer, on_timer);
    set->shelf = shelf;
    return shelf;
}

bool shelf_promise(struct set *set, const struct lease *lease)
{
    struct shelf *shelf = shelf_of(set);
    if (shelf == NULL)
        return false;
    memcpy(shelf->lease_id, lease->id, sizeof shelf->lease_id);
    memcpy(shelf->token, lease->token, sizeof shelf->token);
    shelf->connection_id = lease->connection != NULL ? lease->connection->id : 0;
    return true;
}

void shelf_offer(struct set *set)
{
    struct broker *broker = set->broker;
    struct shelf *shelf = set->shelf;
    if (list_count(&broker->shelves) >= KEPT_MAX)
        withdraw(LIST_FIRST(&broker->shelves, struct shelf, link));
    shelf->is_offered = true;
    list_append(&broker->shelves, &shelf->link);
    timer_set(broker, &shelf->timer, KEPT_MS);
}

void shelf_interrupt(struct set *set)
{
    if (set->shelf != NULL)
        fail_readings(set->shelf, error_ended(set->broker));
}

void shelf_close(struct set *set)
{
    if (set->shelf != NULL)
        shelf_free(set->shelf);
    set->shelf = NULL;
}

/* ---- with a requester of its own ---- */

static void user_ready(void *subject)
{
    (void)subject; /* it was, for the set */
}

static void user_replied(void *subject, PB(Call__MethodCase) method, size_t index,
                         const PB(CallReply) * reply)
{
    (void)subject; /* Release was its last call */
    (void)method;
    (void)index;
    (void)reply;
}

static void user_answered(void *subject, const PB(Envelope) * answer)
{
    shelf_answered(subject, answer);
}

static void user_overdue(void *subject, PB(Call__MethodCase) method)
{
    const struct shelf *shelf = subject;
    (void)method;
    requester_kill(shelf->requester, NULL);
}

static void user_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct shelf *shelf = subject;
    (void)left_open; /* it has no object */
    shelf->requester = NULL;
    fail_readings(shelf, why);
    shelf_free(shelf);
}

static const struct requester_user shelf_user = {.ready = user_ready,
                                                 .replied = user_replied,
                                                 .answered = user_answered,
                                                 .overdue = user_overdue,
                                                 .ended = user_ended};

bool shelf_takes_over(struct set *set)
{
    struct shelf *shelf = set->shelf;
    if (shelf == NULL || !shelf->is_offered || set->broker->stopping ||
        set->requester->state != REQUESTER_READY)
        return false;
    set->shelf = NULL;
    shelf->set = NULL;
    shelf->requester->user = &shelf_user;
    shelf->requester->subject = shelf;
    return true;
}

size_t shelves_count(const struct broker *broker)
{
    size_t count = 0;
    LIST_EACH(const struct shelf, shelf, &broker->shelves, link)
    count += shelf->set == NULL;
    return count;
}

bool is_shelf(const struct broker *broker, const void *subject)
{
    LIST_EACH(const struct shelf, shelf, &broker->shelves, link)
    {
        if (shelf == subject)
            return shelf->set == NULL && shelf->requester != NULL;
    }
    return false;
}

void shelves_stop(struct broker *broker)
{
    LIST_EACH(struct shelf, shelf, &broker->shelves, link)
    withdraw(shelf);
}

void shelves_kill(struct broker *broker)
{
    LIST_EACH(struct shelf, shelf, &broker->shelves, link)
    {
        if (shelf->set == NULL)
            requester_kill(shelf->requester, error_stopping(broker));
    }
}

void shelves_free(struct broker *broker)
{
    while (!list_is_empty(&broker->shelves))
        shelf_free(LIST_FIRST(&broker->shelves, struct shelf, link));
}

/* ---- requests ---- */

/* Of a lease that has ended; NULL. */
static struct shelf *find_offered(struct connection *connection, const PB(ReadDocument) * read)
{
    LIST_EACH(struct shelf, shelf, &connection->broker->shelves, link)
    {
        if (shelf->is_offered && text_equal(shelf->lease_id, read->lease_id) &&
            (shelf->connection_id == connection->id || tokens_equal(shelf->token, read->token)))
            return shelf;
    }
    return NULL;
}

/* NULL: *status is why. */
static struct shelf *find_shelf(struct connection *connection, const PB(ReadDocument) * read,
                                PB(Status) * *status)
{
    struct broker *broker = connection->broker;
    struct shelf *offered = find_offered(connection, read);
    *status = NULL;
    if (offered != NULL)
        return offered;
    struct lease *lease = lease_find(connection, read->lease_id, read->token, status);
    if (lease == NULL)
        return NULL;
    if (lease->set == NULL || !lease->set->has_documents) {
        *status = error_advise(status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_DOCUMENT",
                                           "no documents are kept for this lease"),
                               "Ask CreateSnapshot for with_documents, or select components.");
        return NULL;
    }
    return shelf_of(lease->set);
}

void lease_documents_read(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *status = NULL;
    struct shelf *shelf = find_shelf(connection, envelope->read_document, &status);
    struct reading *reading = shelf != NULL ? calloc(1, sizeof *reading) : NULL;
    if (reading != NULL) {
        arena_init(&reading->arena, ARENA_BYTES);
        reading->wish = MESSAGE_COPY(&reading->arena, envelope->read_document);
    }
    if (reading == NULL || reading->wish == NULL) {
        if (reading != NULL)
            arena_free(&reading->arena);
        free(reading);
        fail_now(connection, envelope->id, status);
        return;
    }
    reading->wish->lease_id = reading->wish->token = text_constant("");
    reading->shelf = shelf;
    list_append(&shelf->readings, &reading->link);
    request_open(&reading->request, connection, envelope, on_stop);
    advance(shelf);
}

static void continue_shelf(struct shelf *shelf, const struct connection *connection)
{
    LIST_EACH(const struct reading, reading, &shelf->readings, link)
    {
        if (reading->request.connection == connection) {
            advance(shelf);
            return;
        }
    }
}

void lease_documents_continue(struct connection *connection)
{
    struct broker *broker = connection->broker;
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (set->shelf != NULL)
            continue_shelf(set->shelf, connection);
    }
    LIST_EACH(struct shelf, shelf, &broker->shelves, link)
    {
        if (shelf->set == NULL)
            continue_shelf(shelf, connection);
    }
}
