#include "service/broker/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/document.h"
#include "service/broker/component_list.h"
#include "service/broker/error.h"
#include "service/broker/lease_documents.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/request.h"
#include "service/broker/requester.h"
#include "service/broker/session.h"
#include "service/broker/state.h"

enum {
    READER_KEEP_BYTES = 1024, /* a reader's memory up to this stays: small requests cost no allocation */
    REST_LIMIT_BYTES = 1024 * 1024
};

static void receive(struct connection *connection, const uint8_t *bytes, size_t size);

struct connection *connection_find(struct broker *broker, uint64_t id)
{
    struct list *bucket = &broker->buckets[id % CONNECTION_BUCKETS];
    LIST_EACH(struct connection, connection, bucket, bucket)
    {
        if (connection->id == id)
            return connection;
    }
    return NULL;
}

static void on_timer(struct broker *broker, struct timer *timer)
{
    struct connection *connection = LIST_ITEM(timer, struct connection, timer);
    if (connection->state == CONNECTION_CLOSED)
        return;
    const char *what = connection->in_frame ? "the rest of a frame" : "the first frame";
    broker_log(broker, BROKER_LOG_WARNING, "connection %llu sent nothing more where %s was due; closed",
               (unsigned long long)connection->id, what);
    connection_refuse(connection, error_advise(status_make(&broker->arena, PB_CODE(DEADLINE_EXCEEDED),
                                                           "SILENT_PEER", "%s did not come in time", what),
                                               "Send whole frames, Hello first."));
}

void broker_connected(struct broker *broker, uint64_t id, enum connection_kind kind)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        broker->host.disconnect(broker->host.context, id, false);
        return;
    }
    connection->broker = broker;
    connection->id = id;
    connection->kind = kind;
    list_init(&connection->attention);
    list_init(&connection->requests);
    list_init(&connection->leases);
    list_init(&connection->sessions);
    list_init(&connection->documents);
    list_append(&broker->connections, &connection->link);
    list_append(&broker->buckets[id % CONNECTION_BUCKETS], &connection->bucket);
    /* A requester is no stranger: it opens its pipe before COM is up, and one that dials in again tells of
     * up to 64 snapshots in its first frame. */
    bool is_client = kind == CONNECTION_CLIENT;
    frame_reader_init(&connection->reader, is_client ? FRAME_LIMIT_HELLO_BYTES : FRAME_LIMIT_REQUEST_BYTES);
    timer_init(&connection->timer, on_timer);
    timer_set(broker, &connection->timer,
              is_client ? broker->config.handshake_timeout_ms : broker->config.requester_start_ms);
    broker->counters.connections++;
}

void broker_requester_identified(struct broker *broker, uint64_t id, uint32_t process_id)
{
    struct connection *connection = connection_find(broker, id);
    if (connection == NULL || connection->kind != CONNECTION_REQUESTER || connection->state != CONNECTION_NEW)
        return;
    connection->process_id = process_id;
    connection->state = CONNECTION_GREETING;
}

/* ---- ends ---- */

/* Everything that belongs to the connection ends; the struct stays until the host has let go of it. */
static void abandon(struct connection *connection)
{
    connection->state = CONNECTION_CLOSED;
    timer_stop(&connection->timer);
    list_remove(&connection->attention);
    connection->waiting_payload = NULL;
    free(connection->rest);
    connection->rest = NULL;
    connection->rest_size = 0;
    if (connection->requester != NULL)
        requester_disconnected(connection->requester);
    connection->requester = NULL;
    requests_abandon(connection);
    leases_abandon(connection);
    sessions_abandon(connection);
    documents_abandon(connection);
    if (connection->owner != NULL) {
        connection->owner->connections--;
        connection->broker->clients--;
        owner_release(connection->owner);
        connection->owner = NULL;
    }
}

void connection_close(struct connection *connection, bool flush)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    struct broker *broker = connection->broker;
    abandon(connection);
    broker->host.disconnect(broker->host.context, connection->id, flush);
}

void connection_refuse(struct connection *connection, PB(Status) * status)
{
    PB(Envelope) envelope = ENVELOPE(STATUS, .status = status != NULL ? status : error_no_memory());
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection_send(connection, &envelope);
    connection_close(connection, true);
}

static void free_connection(struct connection *connection)
{
    list_remove(&connection->link);
    list_remove(&connection->bucket);
    frame_reader_free(&connection->reader);
    free(connection);
}

void broker_disconnected(struct broker *broker, uint64_t id)
{
    struct connection *connection = connection_find(broker, id);
    if (connection == NULL)
        return;
    broker_begin(broker);
    if (connection->state != CONNECTION_CLOSED)
        abandon(connection);
    free_connection(connection);
    broker_settle(broker);
}

void connections_free(struct broker *broker)
{
    LIST_EACH(struct connection, connection, &broker->connections, link)
    {
        if (connection->state != CONNECTION_CLOSED)
            abandon(connection);
        free_connection(connection);
    }
}

/* ---- output ---- */

bool connection_send(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    if (connection->state == CONNECTION_CLOSED || connection->overflowed)
        return false;
    if (!frame_encode(&broker->output, envelope, FRAME_LIMIT_REPLY_BYTES))
        return false;
    broker->host.send(broker->host.context, connection->id, broker->output.data, broker->output.size);
    broker->counters.bytes_sent += broker->output.size;
    if (broker->host.unsent_bytes(broker->host.context, connection->id) >
        broker->config.output_hard_limit_bytes) {
        connection->overflowed = true; /* closed after the event: callers go on using the connection */
        connection_attend(connection);
    }
    return true;
}

bool connection_has_room(struct connection *connection)
{
    struct broker *broker = connection->broker;
    return broker->host.unsent_bytes(broker->host.context, connection->id) <=
           broker->config.output_soft_limit_bytes;
}

void broker_output_drained(struct broker *broker, uint64_t id)
{
    struct connection *connection = connection_find(broker, id);
    if (connection == NULL || connection->state == CONNECTION_CLOSED)
        return;
    broker_begin(broker);
    connection_attend(connection);
    broker_settle(broker);
}

/* ---- input ---- */

static void set_paused(struct connection *connection, bool paused)
{
    struct broker *broker = connection->broker;
    if (connection->paused == paused)
        return;
    connection->paused = paused;
    broker->host.pause_reading(broker->host.context, connection->id, paused);
}

/* A frame that cannot be decoded. */
static void answer_malformed(struct connection *connection, const struct decode_error *error)
{
    struct broker *broker = connection->broker;
    bool is_request = error->id != 0 && connection->state == CONNECTION_OPEN;
    broker->counters.malformed++;
    PB(Code) code = PB_CODE(INVALID_ARGUMENT);
    const char *reason = error->reason;
    const char *field = arena_strdup(&broker->arena, error->field);
    const char *limit_name = "";
    const char *advice = "Build the request from shadowpipe.proto of this version.";
    if (strcmp(reason, "UNKNOWN_FIELD") == 0 && error->field[0] == '#') {
        code = PB_CODE(UNIMPLEMENTED);
        reason = "UNKNOWN_REQUEST";
        advice = "Update Shadowpipe: the client asks for something newer.";
    } else if (strcmp(reason, "NO_MEMORY") == 0 || strncmp(reason, "TOO_", 4) == 0) { /* _MANY, _LARGE */
        code = PB_CODE(RESOURCE_EXHAUSTED);
        advice = "Split the request.";
        limit_name = strcmp(reason, "NO_MEMORY") == 0 ? "memory"
                     : error->field[0] != '\0'        ? field
                                                      : "request_memory";
    }
    PB(Status) *status = status_make(&broker->arena, code, reason, "%s", error->message);
    error_field(error_advise(status, advice), field);
    if (status != NULL && field != NULL)
        status->limit_name = text_constant(limit_name);
    if (is_request && request_find(connection, error->id) == NULL)
        fail_now(connection, error->id, status);
    else
        connection_refuse(connection, status); /* nobody could tell which request this answers */
}

/* False: the frame has to wait. */
static bool handle_frame(struct connection *connection, const uint8_t *payload, size_t size)
{
    struct broker *broker = connection->broker;
    struct decode_error error;
    enum decode_mode mode = connection->kind == CONNECTION_CLIENT ? DECODE_STRICT : DECODE_LENIENT;
    arena_reset(&broker->arena);
    const PB(Envelope) *envelope = decode_envelope(&broker->arena, payload, size, mode, &error);
    if (connection->kind == CONNECTION_REQUESTER) {
        if (envelope == NULL)
            broker_log(broker, BROKER_LOG_ERROR, "a requester sent a bad frame: %s", error.message);
        if (envelope == NULL || !requester_frame(connection, envelope))
            connection_close(connection, false);
        return true;
    }
    if (envelope == NULL)
        answer_malformed(connection, &error);
    else if (connection->state == CONNECTION_GREETING)
        hello_received(connection, envelope);
    else
        return dispatch_request(connection, envelope);
    return true;
}

/* True: the frame is done with and the connection still there. */
static bool try_frame(struct connection *connection)
{
    bool is_client = connection->kind == CONNECTION_CLIENT;
    if ((is_client && !connection_has_room(connection)) ||
        !handle_frame(connection, connection->waiting_payload, connection->waiting_size))
        return false;
    connection->waiting_payload = NULL;
    return connection->state != CONNECTION_CLOSED;
}

static void refuse_frame(struct connection *connection, enum frame_result result)
{
    struct broker *broker = connection->broker;
    broker->counters.malformed++;
    if (result == FRAME_NO_MEMORY) {
        connection_refuse(connection, NULL);
        return;
    }
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "BAD_LENGTH",
                    "a frame's length is 0 or above %u bytes", (unsigned)connection->reader.limit_bytes);
    connection_refuse(connection, error_advise(status, "Send a 4-byte big-endian length and one Envelope."));
}

static void keep_rest(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    uint8_t *rest = size <= REST_LIMIT_BYTES - connection->rest_size
                        ? realloc(connection->rest, connection->rest_size + size)
                        : NULL;
    if (rest == NULL) {
        connection_refuse(connection, NULL);
        return;
    }
    memcpy(rest + connection->rest_size, bytes, size);
    connection->rest = rest;
    connection->rest_size += size;
}

static void watch_frame(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN)
        return; /* the handshake's timer runs */
    if (connection->in_frame && connection->waiting_payload == NULL) {
        if (!timer_runs(&connection->timer))
            timer_set(connection->broker, &connection->timer, connection->broker->config.frame_timeout_ms);
    } else if (timer_runs(&connection->timer)) {
        timer_stop(&connection->timer);
    }
    if (!connection->in_frame && connection->waiting_payload == NULL &&
        connection->reader.capacity > READER_KEEP_BYTES)
        frame_reader_shrink(&connection->reader);
}

static void receive(struct connection *connection, const uint8_t *bytes, size_t size)
{
    while (connection->state != CONNECTION_CLOSED) {
        if (connection->waiting_payload != NULL && !try_frame(connection)) {
            if (connection->state != CONNECTION_CLOSED) {
                keep_rest(connection, bytes, size);
                set_paused(connection, true);
            }
            return;
        }
        enum frame_result result = frame_reader_take(&connection->reader, &bytes, &size,
                                                     &connection->waiting_payload, &connection->waiting_size);
        connection->in_frame =
            result == FRAME_NEED_MORE && (connection->reader.received > 0 || connection->reader.length > 0);
        if (result == FRAME_NEED_MORE)
            break;
        if (result != FRAME_READY) {
            refuse_frame(connection, result);
            return;
        }
        if (connection->state == CONNECTION_OPEN)
            timer_stop(&connection->timer); /* the limit is one frame's, not the stream's */
    }
    watch_frame(connection);
}

void broker_received(struct broker *broker, uint64_t id, const uint8_t *bytes, size_t size)
{
    struct connection *connection = connection_find(broker, id);
    if (connection == NULL || connection->state == CONNECTION_CLOSED)
        return;
    broker_begin(broker);
    broker->counters.bytes_received += size;
    if (connection->state == CONNECTION_NEW)
        connection_close(connection, false); /* nobody vouches for this peer */
    else if (connection->paused)
        keep_rest(connection, bytes, size);
    else
        receive(connection, bytes, size);
    broker_settle(broker);
}

/* ---- afterwards ---- */

void connection_attend(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSED)
        return; /* its requests end while it goes */
    if (list_is_empty(&connection->attention))
        list_append(&connection->broker->attention, &connection->attention);
}

/* Goes on where a frame waits, now that there may be room. */
static void resume(struct connection *connection)
{
    if (!connection->paused)
        return;
    uint8_t *rest = connection->rest;
    size_t size = connection->rest_size;
    connection->rest = NULL;
    connection->rest_size = 0;
    connection->paused = false; /* receive says so again if need be */
    receive(connection, rest, size);
    free(rest);
    if (connection->state != CONNECTION_CLOSED && !connection->paused) {
        connection->paused = true;
        set_paused(connection, false);
    }
}

void connections_attend(struct broker *broker)
{
    while (!list_is_empty(&broker->attention)) {
        struct connection *connection = LIST_FIRST(&broker->attention, struct connection, attention);
        list_remove(&connection->attention);
        if (connection->overflowed) {
            broker_log(broker, BROKER_LOG_WARNING, "%s does not read what it asked for; closed",
                       connection->client_name);
            connection_close(connection, false);
            continue;
        }
        inventory_continue(connection);
        sessions_continue(connection);
        component_lists_continue(connection);
        lease_documents_continue(connection);
        resume(connection);
    }
}
