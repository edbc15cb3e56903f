#include "service/broker/request.h"

#include <assert.h>

#include "service/broker/error.h"
#include "service/broker/state.h"

static const uint64_t endless_ms = 10ull * 365 * 24 * 3600 * 1000; /* ten years */

static uint32_t effective_timeout_ms(const struct broker *broker, uint32_t asked_ms)
{
    uint32_t timeout_ms = asked_ms != 0 ? asked_ms : broker->config.default_timeout_ms;
    return timeout_ms < broker->config.max_timeout_ms ? timeout_ms : broker->config.max_timeout_ms;
}

static void on_deadline(struct broker *broker, struct timer *timer)
{
    (void)broker;
    struct request *request = LIST_ITEM(timer, struct request, deadline);
    request->stop(request, STOP_EXPIRED);
}

void request_open(struct request *request, struct connection *connection, const PB(Envelope) * envelope,
                  request_stop *stop)
{
    struct broker *broker = connection->broker;
    request->broker = broker;
    request->connection = connection;
    request->id = envelope->id;
    request->stop = stop;
    request->arrived_ms = broker->now_ms;
    uint32_t timeout_ms = effective_timeout_ms(broker, envelope->timeout_ms);
    request->deadline_ms = broker->now_ms + timeout_ms;
    timer_init(&request->deadline, on_deadline);
    timer_set(broker, &request->deadline, timeout_ms);
    list_append(&connection->requests, &request->link);
    connection->in_flight++;
}

void request_never_expires(struct request *request)
{
    request->deadline_ms = request->broker->now_ms + endless_ms;
    timer_set(request->broker, &request->deadline, endless_ms);
}

bool request_is_open(const struct request *request)
{
    return request->connection != NULL;
}

static struct connection *detach(struct request *request)
{
    struct connection *connection = request->connection;
    assert(connection != NULL && connection->in_flight > 0);
    list_remove(&request->link);
    timer_stop(&request->deadline);
    connection->in_flight--;
    request->connection = NULL;
    if (connection->paused)
        connection_attend(connection); /* a slot is free again */
    return connection;
}

void request_take_over(struct request *request, struct request *other)
{
    assert(request->connection == NULL && other->connection != NULL);
    request->connection = other->connection;
    request->id = other->id;
    request->deadline_ms = other->deadline_ms;
    timer_stop(&other->deadline);
    list_remove(&other->link);
    other->connection = NULL;
    uint64_t now_ms = request->broker->now_ms;
    timer_set(request->broker, &request->deadline,
              request->deadline_ms > now_ms ? request->deadline_ms - now_ms : 0);
    list_append(&request->connection->requests, &request->link);
}

void request_reply(struct request *request, PB(Envelope) * envelope)
{
    if (request->connection == NULL)
        return;
    reply_now(detach(request), request->id, envelope);
}

void request_fail(struct request *request, PB(Status) * status)
{
    if (request->connection == NULL)
        return;
    fail_now(detach(request), request->id, status);
}

void request_progress(struct request *request, PB(Progress) * progress)
{
    if (request->connection == NULL || !connection_has_room(request->connection))
        return;
    PB(Envelope) envelope = ENVELOPE(PROGRESS, .progress = progress);
    envelope.id = request->id;
    connection_send(request->connection, &envelope);
}

bool request_stream(struct request *request, PB(Envelope) * envelope)
{
    if (request->connection == NULL)
        return false;
    envelope->id = request->id;
    return connection_send(request->connection, envelope);
}

struct request *request_find(struct connection *connection, uint32_t id)
{
    LIST_EACH(struct request, request, &connection->requests, link)
    {
        if (request->id == id)
            return request;
    }
    return NULL;
}

void requests_abandon(struct connection *connection)
{
    while (!list_is_empty(&connection->requests)) {
        struct request *request = LIST_FIRST(&connection->requests, struct request, link);
        detach(request);
        request->stop(request, STOP_GONE);
    }
}

void reply_now(struct connection *connection, uint32_t id, PB(Envelope) * envelope)
{
    envelope->id = id;
    if (connection->state == CONNECTION_CLOSED || connection_send(connection, envelope))
        return;
    fail_now(connection, id, NULL); /* too large, or no memory to encode it */
}

void fail_now(struct connection *connection, uint32_t id, PB(Status) * status)
{
    PB(Envelope) envelope = ENVELOPE(STATUS, .status = status != NULL ? status : error_no_memory());
    envelope.id = id;
    if (connection_send(connection, &envelope) || connection->state == CONNECTION_CLOSED)
        return;
    envelope.status = error_no_memory();
    if (!connection_send(connection, &envelope)) {
        /* A reply that cannot be sent must not look like one that is still to come. */
        connection->overflowed = true;
        connection_attend(connection);
    }
}
