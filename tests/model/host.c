/* The host: connections, their bytes on the way, and what the broker asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

/* ---- connections ---- */

struct link *link_at(struct model *model, size_t index)
{
    return index > 0 ? model->links[index - 1] : NULL;
}

size_t link_index(const struct model *model, const struct link *link)
{
    (void)model;
    return (size_t)link->id;
}

struct link *link_find(struct model *model, uint64_t id)
{
    return id > 0 && id <= model->links_count ? model->links[id - 1] : NULL;
}

struct link *link_new(struct model *model, enum connection_kind kind)
{
    REQUIRE(model, model->links_count < CONNECTIONS, "the model has no room for another connection");
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        abort();
    model->links[model->links_count++] = link;
    link->id = model->links_count;
    link->kind = kind;
    frame_reader_init(&link->reader, FRAME_LIMIT_REPLY_BYTES);
    broker_connected(model->broker, link->id, kind);
    return link;
}

void link_send(struct model *model, struct link *link, PB(Envelope) * envelope)
{
    struct frame_buffer frame = {0};
    REQUIRE(model, frame_encode(&frame, envelope, FRAME_LIMIT_REQUEST_BYTES), "a frame cannot be encoded");
    uint8_t *data = realloc(link->outbox.data, link->outbox.size + frame.size);
    if (data == NULL)
        abort();
    memcpy(data + link->outbox.size, frame.data, frame.size);
    link->outbox.data = data;
    link->outbox.size += frame.size;
    link->sent_bytes += frame.size;
    frame_buffer_free(&frame);
    model_schedule(model, model_random(model, 20), EVENT_DELIVER, link_index(model, link), 0);
}

void link_deliver(struct model *model, struct link *link)
{
    if (link->is_gone || link->is_closed || link->outbox.size == 0)
        return;
    if (link->is_paused)
        return;
    size_t size = link->outbox.size;
    if (model_chance(model, 15))
        size = 1 + model_random(model, size);
    uint8_t *bytes = malloc(size); /* of exactly this size, so that the sanitizer sees a byte too far */
    if (bytes == NULL)
        abort();
    memcpy(bytes, link->outbox.data, size);
    link->outbox.size -= size;
    memmove(link->outbox.data, link->outbox.data + size, link->outbox.size);
    if (link->kind == CONNECTION_CLIENT)
        requests_delivered(model, link, size);
    link->delivered_bytes += size;
    broker_received(model->broker, link->id, bytes, size);
    free(bytes);
    if (link->kind == CONNECTION_CLIENT)
        requests_settled(model, link);
    if (link->outbox.size > 0)
        model_schedule(model, model_random(model, 100), EVENT_DELIVER, link_index(model, link), 0);
}

void link_hang_up(struct model *model, struct link *link)
{
    if (link->is_gone)
        return;
    link->is_gone = true;
    leases_end(model, link);
    if (link->client != 0 && model->clients[link->client - 1].link == link_index(model, link))
        model->clients[link->client - 1].link = 0;
    if (link->process != 0 && model->processes[link->process - 1]->link == link_index(model, link))
        model->processes[link->process - 1]->link = 0;
    broker_disconnected(model->broker, link->id);
}

void link_let_go(struct model *model, struct link *link)
{
    size_t process = link->process;
    link_hang_up(model, link);
    if (process != 0)
        process_dismissed(model, model->processes[process - 1]);
}

void link_reads(struct model *model, struct link *link)
{
    link->reads_soon = false;
    if (link->is_gone || link->is_closed || link->never_reads || link->unsent_bytes == 0)
        return;
    link->unsent_bytes = model_chance(model, 30) ? link->unsent_bytes / 2 : 0;
    broker_output_drained(model->broker, link->id);
    requests_settled(model, link);
}

/* ---- the host ---- */

static void host_send(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    struct model *model = context;
    struct link *link = link_find(model, connection);
    if (model->is_dead)
        return;
    REQUIRE(model, link != NULL && !link->is_gone && !link->is_closed,
            "bytes for connection %llu, which has ended", (unsigned long long)connection);
    const uint8_t *payload;
    size_t payload_size;
    while (frame_reader_take(&link->reader, &bytes, &size, &payload, &payload_size) == FRAME_READY) {
        if (link->is_slow) {
            link->unsent_bytes += payload_size + FRAME_HEADER_BYTES;
            if (!link->reads_soon)
                model_schedule(model, model_between(model, 100, 10000), EVENT_READ, link_index(model, link),
                               0);
            link->reads_soon = true;
        }
        struct decode_error error;
        struct arena arena;
        arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
        const PB(Envelope) *envelope = decode_envelope(&arena, payload, payload_size, DECODE_STRICT, &error);
        REQUIRE(model, envelope != NULL, "the broker sent a bad frame: %s", error.message);
        if (link->kind == CONNECTION_CLIENT) {
            frame_seen(model, link, envelope);
            arena_free(&arena);
        } else {
            process_got(model, link, &arena, envelope);
        }
    }
    REQUIRE(model, size == 0 && link->reader.received == 0, "the broker sent part of a frame");
}

static size_t host_unsent_bytes(void *context, uint64_t connection)
{
    const struct link *link = link_find(context, connection);
    return link != NULL ? link->unsent_bytes : 0;
}

static void host_disconnect(void *context, uint64_t connection, bool flush)
{
    struct model *model = context;
    struct link *link = link_find(model, connection);
    REQUIRE(model, link != NULL && !link->is_gone && !link->is_closed, "connection %llu is closed twice",
            (unsigned long long)connection);
    link->is_closed = true;
    model_say(model, "connection %llu closed by the broker%s", (unsigned long long)connection,
              flush ? ", flushed" : "");
    link_closed_by_broker(model, link, flush);
    model_schedule(model, model_random(model, flush && link->is_slow ? 4000 : 20), EVENT_GONE,
                   link_index(model, link), 0);
}

static void host_pause_reading(void *context, uint64_t connection, bool paused)
{
    struct model *model = context;
    struct link *link = link_find(model, connection);
    REQUIRE(model, link != NULL && !link->is_gone && !link->is_closed, "pause of a connection that ended");
    link->is_paused = paused;
    if (!paused)
        model_schedule(model, 0, EVENT_DELIVER, link_index(model, link), 0);
}

static void host_start_requester(void *context, uint64_t id, const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    process_new(context, id, secret);
}

static void host_adopt_requester(void *context, uint64_t id, uint32_t process_id, uint64_t started)
{
    orphan_adopted(context, id, process_id, started);
}

static void host_kill_requester(void *context, uint64_t id)
{
    process_kill(context, id);
}

static void host_enumerate_volumes(void *context, bool described)
{
    (void)described; /* what a volume looks like is nothing to the rules */
    struct model *model = context;
    REQUIRE(model, !model->enumerates, "the volumes are asked for twice at a time");
    model->enumerates = true;
    bool is_late = !model->is_quiet && model->fault_permille > 0 && model_chance(model, 3);
    model_schedule(model, is_late ? 20000 : model_random(model, 200), EVENT_VOLUMES, 0, 0);
}

static void host_random_bytes(void *context, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)model_random(context, 256);
}

static void host_log(void *context, enum broker_log_level level, const char *text)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    model_say(context, "log %s: %s", names[level], text);
}

static void host_stopped(void *context)
{
    struct model *model = context;
    REQUIRE(model, model->is_stopping && !model->has_stopped, "the broker says that it has stopped");
    model->has_stopped = true;
}

const struct broker_host host_actions = {.send = host_send,
                                         .unsent_bytes = host_unsent_bytes,
                                         .disconnect = host_disconnect,
                                         .pause_reading = host_pause_reading,
                                         .start_requester = host_start_requester,
                                         .adopt_requester = host_adopt_requester,
                                         .kill_requester = host_kill_requester,
                                         .enumerate_volumes = host_enumerate_volumes,
                                         .store_put = store_put,
                                         .store_delete = store_delete,
                                         .random_bytes = host_random_bytes,
                                         .log = host_log,
                                         .stopped = host_stopped};
