#include "service/host/peer.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    READ_BYTES_CLIENT = 2 * 1024,
    READ_BYTES_REQUESTER = 16 * 1024,
    OUTPUT_FIRST_BYTES = 512,
    OUTPUT_KEEP_BYTES = 4 * 1024,
    LINGER_MS = 2000,
    LINGER_LOOK_MS = 50,
    PAUSED_LOOK_MS = 500
};

static void start_read(struct peer *peer);
static void start_write(struct peer *peer);

/* The end comes from the loop always, so that no caller loses the peer under its feet. */
static void finish_if_idle(struct peer *peer)
{
    if (peer->closing && !peer->reading && !peer->writing && !peer->resuming && !peer->finishing) {
        peer->finishing = true;
        loop_defer(peer->loop, &peer->finish, ERROR_SUCCESS);
    }
}

static void finish_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct peer *peer = LOOP_OWNER(operation, struct peer, finish);
    loop_timer_stop(peer->loop, &peer->timer);
    CloseHandle(peer->pipe);
    peer->pipe = NULL;
    peer->events->closed(peer->context, peer);
    free(peer->queued.data);
    free(peer->in_flight.data);
    free(peer);
}

void peer_close(struct peer *peer)
{
    if (!peer->closing) {
        peer->closing = true;
        loop_timer_stop(peer->loop, &peer->timer);
        /* ERROR_NOT_FOUND means that nothing is under way, or that it has just ended: its completion comes.
         */
        CancelIoEx(peer->pipe, NULL);
    }
    finish_if_idle(peer);
}

/* Input. */

static void deliver(struct peer *peer, size_t size)
{
    if (size > 0 && !peer->closing && !peer->lingering) {
        peer->events->received(peer->context, peer, peer->read_buffer, size);
    }
    if (peer->closing) {
        finish_if_idle(peer);
    } else if (!peer->paused || peer->lingering) {
        start_read(peer);
    }
}

static void read_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    struct peer *peer = LOOP_OWNER(operation, struct peer, read);
    peer->reading = false;
    if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA) {
        peer_close(peer);
    } else if (peer->paused && !peer->lingering && !peer->closing) {
        peer->held = bytes;
    } else {
        /* Zero bytes are no end: a peer may write nothing. */
        deliver(peer, bytes);
    }
}

static void start_read(struct peer *peer)
{
    if (peer->reading || peer->closing) {
        return;
    }
    OVERLAPPED *overlapped = loop_prepare(&peer->read, read_done);
    peer->reading = true;
    if (!ReadFile(peer->pipe, peer->read_buffer, (DWORD)peer->read_capacity, NULL, overlapped)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING && error != ERROR_MORE_DATA) {
            loop_defer(peer->loop, &peer->read, error);
        }
    }
}

static void resume_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct peer *peer = LOOP_OWNER(operation, struct peer, resume);
    peer->resuming = false;
    if (peer->closing) {
        finish_if_idle(peer);
    } else if ((!peer->paused || peer->lingering) && !peer->reading) {
        size_t held = peer->held;
        peer->held = 0;
        deliver(peer, held);
    }
}

static void resume_soon(struct peer *peer)
{
    if (!peer->resuming && !peer->closing) {
        peer->resuming = true;
        loop_defer(peer->loop, &peer->resume, ERROR_SUCCESS);
    }
}

struct pipe_state { /* FILE_PIPE_LOCAL_INFORMATION */
    ULONG type, configuration, maximum_instances, current_instances, inbound_quota, read_available,
        outbound_quota, write_quota_available, state, end;
};

static bool query_state(const struct peer *peer, struct pipe_state *state)
{
    enum {
        FILE_PIPE_LOCAL_INFORMATION_CLASS = 24
    };
    IO_STATUS_BLOCK status;
    return NtQueryInformationFile(peer->pipe, &status, state, sizeof *state,
                                  (FILE_INFORMATION_CLASS)FILE_PIPE_LOCAL_INFORMATION_CLASS) >= 0;
}

/* While nothing reads, nothing would notice that the peer is gone. */
static bool has_gone(const struct peer *peer)
{
    enum {
        PIPE_STATE_CONNECTED = 3
    };
    struct pipe_state state;
    return query_state(peer, &state) && state.state != PIPE_STATE_CONNECTED;
}

static bool has_read_everything(const struct peer *peer)
{
    struct pipe_state state;
    return peer_unsent_bytes(peer) == 0 && query_state(peer, &state) && state.outbound_quota > 0 &&
           state.write_quota_available == state.outbound_quota;
}

static void timer_fired(struct loop_timer *timer)
{
    struct peer *peer = LOOP_OWNER(timer, struct peer, timer);
    if (peer->lingering ? has_read_everything(peer) || loop_now_ms() >= peer->linger_until_ms
                        : has_gone(peer)) {
        peer_close(peer);
    } else {
        loop_timer_start(peer->loop, timer, peer->lingering ? LINGER_LOOK_MS : PAUSED_LOOK_MS);
    }
}

/* A requester always reads and waits for us to close; a client may read late. */
static void linger_on(struct peer *peer)
{
    if (peer->kind == CONNECTION_REQUESTER && peer_unsent_bytes(peer) == 0) {
        peer_close(peer);
        return;
    }
    peer->linger_until_ms = loop_now_ms() + LINGER_MS;
    loop_timer_start(peer->loop, &peer->timer, LINGER_LOOK_MS);
}

void peer_pause(struct peer *peer, bool paused)
{
    if (peer->paused == paused || peer->closing || peer->lingering) {
        return;
    }
    peer->paused = paused;
    if (paused) {
        loop_timer_start(peer->loop, &peer->timer, PAUSED_LOOK_MS);
    } else {
        loop_timer_stop(peer->loop, &peer->timer);
        resume_soon(peer);
    }
}

/* Output. */

static bool output_append(struct peer_output *output, const uint8_t *bytes, size_t size)
{
    if (size > SIZE_MAX / 4 - output->size) {
        return false;
    }
    size_t needed = output->size + size;
    if (needed > output->capacity) {
        size_t capacity = output->capacity > 0 ? output->capacity : OUTPUT_FIRST_BYTES;
        while (capacity < needed) {
            capacity *= 2;
        }
        uint8_t *data = realloc(output->data, capacity);
        if (data == NULL) {
            return false;
        }
        output->data = data;
        output->capacity = capacity;
    }
    memcpy(output->data + output->size, bytes, size);
    output->size = needed;
    return true;
}

static void output_clear(struct peer_output *output)
{
    output->size = 0;
    if (output->capacity > OUTPUT_KEEP_BYTES) {
        free(output->data);
        output->data = NULL;
        output->capacity = 0;
    }
}

static void write_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    struct peer *peer = LOOP_OWNER(operation, struct peer, write);
    peer->writing = false;
    if (error != ERROR_SUCCESS || peer->closing) {
        peer_close(peer);
        return;
    }
    peer->in_flight_done += bytes;
    if (peer->in_flight_done >= peer->in_flight.size) {
        output_clear(&peer->in_flight);
        peer->in_flight_done = 0;
    }
    start_write(peer);
    if (peer->lingering) {
        linger_on(peer);
    } else {
        peer->events->drained(peer->context, peer);
    }
}

static void start_write(struct peer *peer)
{
    if (peer->writing || peer->closing) {
        return;
    }
    if (peer->in_flight.size == 0) {
        /* What is under way must not move while more is appended, so there are two buffers, which change
         * roles. */
        struct peer_output empty = peer->in_flight;
        peer->in_flight = peer->queued;
        peer->queued = empty;
    }
    size_t size = peer->in_flight.size - peer->in_flight_done;
    if (size == 0) {
        return;
    }
    OVERLAPPED *overlapped = loop_prepare(&peer->write, write_done);
    peer->writing = true;
    DWORD part = size < MAXLONG ? (DWORD)size : MAXLONG;
    if (!WriteFile(peer->pipe, peer->in_flight.data + peer->in_flight_done, part, NULL, overlapped)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING) {
            loop_defer(peer->loop, &peer->write, error);
        }
    }
}

void peer_send(struct peer *peer, const uint8_t *bytes, size_t size)
{
    if (peer->closing || peer->lingering || size == 0) {
        return;
    }
    if (!output_append(&peer->queued, bytes, size)) {
        /* A frame left out would put the stream out of step; the peer sees a broken pipe instead. */
        peer_close(peer);
        return;
    }
    start_write(peer);
}

size_t peer_unsent_bytes(const struct peer *peer)
{
    return peer->queued.size + peer->in_flight.size - peer->in_flight_done;
}

void peer_linger(struct peer *peer)
{
    if (peer->closing || peer->lingering) {
        return;
    }
    peer->lingering = true;
    /* Reading goes on, to see the peer close its end. */
    resume_soon(peer);
    linger_on(peer);
}

struct peer *peer_create(struct loop *loop, HANDLE pipe, uint64_t id, enum connection_kind kind,
                         const struct peer_events *events, void *context)
{
    size_t read_capacity = kind == CONNECTION_REQUESTER ? READ_BYTES_REQUESTER : READ_BYTES_CLIENT;
    struct peer *peer = calloc(1, sizeof *peer + read_capacity);
    if (peer == NULL) {
        return NULL;
    }
    peer->id = id;
    peer->kind = kind;
    peer->pipe = pipe;
    peer->loop = loop;
    peer->events = events;
    peer->context = context;
    peer->read_capacity = read_capacity;
    peer->resume.done = resume_done;
    peer->finish.done = finish_done;
    peer->timer.fired = timer_fired;
    start_read(peer);
    return peer;
}
