#include "service/host/connection.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    READ_BYTES_CLIENT = 2 * 1024,
    READ_BYTES_REQUESTER = 16 * 1024,
    OUTPUT_FIRST_BYTES = 512,
    OUTPUT_KEEP_BYTES = 4 * 1024,
    LINGER_MS = 2000,
    PAUSED_LOOK_MS = 500
};

static void start_read(struct connection *connection);
static void start_write(struct connection *connection);

/* The end comes from the loop always, so that no caller loses the connection under its feet. */
static void finish_if_idle(struct connection *connection)
{
    if (connection->closing && !connection->reading && !connection->writing && !connection->resuming &&
        !connection->finishing) {
        connection->finishing = true;
        loop_defer(connection->loop, &connection->finish, ERROR_SUCCESS);
    }
}

static void finish_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct connection *connection = LOOP_OWNER(operation, struct connection, finish);
    loop_timer_stop(connection->loop, &connection->timer);
    CloseHandle(connection->pipe);
    connection->pipe = NULL;
    connection->events->closed(connection->context, connection);
    free(connection->queued.data);
    free(connection->in_flight.data);
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (!connection->closing) {
        connection->closing = true;
        loop_timer_stop(connection->loop, &connection->timer);
        /* ERROR_NOT_FOUND means that nothing is under way, or that it has just ended: its completion comes.
         */
        CancelIoEx(connection->pipe, NULL);
    }
    finish_if_idle(connection);
}

/* Input. */

static void deliver(struct connection *connection, size_t size)
{
    if (size > 0 && !connection->closing && !connection->lingering) {
        connection->events->received(connection->context, connection, connection->read_buffer, size);
    }
    if (connection->closing) {
        finish_if_idle(connection);
    } else if (!connection->paused || connection->lingering) {
        start_read(connection);
    }
}

static void read_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    struct connection *connection = LOOP_OWNER(operation, struct connection, read);
    connection->reading = false;
    if (error != ERROR_SUCCESS && error != ERROR_MORE_DATA) {
        connection_close(connection);
    } else if (connection->paused && !connection->lingering && !connection->closing) {
        connection->held = bytes;
    } else {
        /* Zero bytes are no end: a peer may write nothing. */
        deliver(connection, bytes);
    }
}

static void start_read(struct connection *connection)
{
    if (connection->reading || connection->closing) {
        return;
    }
    OVERLAPPED *overlapped = loop_prepare(&connection->read, read_done);
    connection->reading = true;
    if (!ReadFile(connection->pipe, connection->read_buffer, (DWORD)connection->read_capacity, NULL,
                  overlapped)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING && error != ERROR_MORE_DATA) {
            loop_defer(connection->loop, &connection->read, error);
        }
    }
}

static void resume_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct connection *connection = LOOP_OWNER(operation, struct connection, resume);
    connection->resuming = false;
    if (connection->closing) {
        finish_if_idle(connection);
    } else if ((!connection->paused || connection->lingering) && !connection->reading) {
        size_t held = connection->held;
        connection->held = 0;
        deliver(connection, held);
    }
}

static void resume_soon(struct connection *connection)
{
    if (!connection->resuming && !connection->closing) {
        connection->resuming = true;
        loop_defer(connection->loop, &connection->resume, ERROR_SUCCESS);
    }
}

/* While nothing reads, nothing would notice that the peer is gone. */
static bool peer_has_gone(const struct connection *connection)
{
    enum {
        FILE_PIPE_LOCAL_INFORMATION_CLASS = 24,
        PIPE_STATE_CONNECTED = 3
    };
    struct {
        ULONG type, configuration, maximum_instances, current_instances, inbound_quota, read_available,
            outbound_quota, write_quota_available, state, end;
    } information;
    IO_STATUS_BLOCK status;
    return NtQueryInformationFile(connection->pipe, &status, &information, sizeof information,
                                  (FILE_INFORMATION_CLASS)FILE_PIPE_LOCAL_INFORMATION_CLASS) >= 0 &&
           information.state != PIPE_STATE_CONNECTED;
}

static void timer_fired(struct loop_timer *timer)
{
    struct connection *connection = LOOP_OWNER(timer, struct connection, timer);
    if (connection->lingering || peer_has_gone(connection)) {
        connection_close(connection);
    } else {
        loop_timer_start(connection->loop, timer, PAUSED_LOOK_MS);
    }
}

void connection_pause(struct connection *connection, bool paused)
{
    if (connection->paused == paused || connection->closing || connection->lingering) {
        return;
    }
    connection->paused = paused;
    if (paused) {
        loop_timer_start(connection->loop, &connection->timer, PAUSED_LOOK_MS);
    } else {
        loop_timer_stop(connection->loop, &connection->timer);
        resume_soon(connection);
    }
}

/* Output. */

static bool output_append(struct connection_output *output, const uint8_t *bytes, size_t size)
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

static void output_clear(struct connection_output *output)
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
    struct connection *connection = LOOP_OWNER(operation, struct connection, write);
    connection->writing = false;
    if (error != ERROR_SUCCESS || connection->closing) {
        connection_close(connection);
        return;
    }
    if (connection->lingering) {
        loop_timer_start(connection->loop, &connection->timer, LINGER_MS);
    }
    connection->in_flight_done += bytes;
    if (connection->in_flight_done >= connection->in_flight.size) {
        output_clear(&connection->in_flight);
        connection->in_flight_done = 0;
    }
    start_write(connection);
    if (!connection->lingering) {
        connection->events->drained(connection->context, connection);
    }
}

static void start_write(struct connection *connection)
{
    if (connection->writing || connection->closing) {
        return;
    }
    if (connection->in_flight.size == 0) {
        /* What is under way must not move while more is appended, so there are two buffers, which change
         * roles. */
        struct connection_output empty = connection->in_flight;
        connection->in_flight = connection->queued;
        connection->queued = empty;
    }
    size_t size = connection->in_flight.size - connection->in_flight_done;
    if (size == 0) {
        return;
    }
    OVERLAPPED *overlapped = loop_prepare(&connection->write, write_done);
    connection->writing = true;
    DWORD part = size < MAXLONG ? (DWORD)size : MAXLONG;
    if (!WriteFile(connection->pipe, connection->in_flight.data + connection->in_flight_done, part, NULL,
                   overlapped)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING) {
            loop_defer(connection->loop, &connection->write, error);
        }
    }
}

void connection_send(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (connection->closing || connection->lingering || size == 0) {
        return;
    }
    if (!output_append(&connection->queued, bytes, size)) {
        /* A frame left out would put the stream out of step; the peer sees a broken pipe instead. */
        connection_close(connection);
        return;
    }
    start_write(connection);
}

size_t connection_unsent_bytes(const struct connection *connection)
{
    return connection->queued.size + connection->in_flight.size - connection->in_flight_done;
}

void connection_linger(struct connection *connection)
{
    if (connection->closing || connection->lingering) {
        return;
    }
    connection->lingering = true;
    loop_timer_start(connection->loop, &connection->timer, LINGER_MS);
    /* Reading goes on, to see the peer close its end. */
    resume_soon(connection);
}

struct connection *connection_create(struct loop *loop, HANDLE pipe, uint64_t id, enum connection_kind kind,
                                     const struct connection_events *events, void *context)
{
    size_t read_capacity = kind == CONNECTION_REQUESTER ? READ_BYTES_REQUESTER : READ_BYTES_CLIENT;
    struct connection *connection = calloc(1, sizeof *connection + read_capacity);
    if (connection == NULL) {
        return NULL;
    }
    connection->id = id;
    connection->kind = kind;
    connection->pipe = pipe;
    connection->loop = loop;
    connection->events = events;
    connection->context = context;
    connection->read_capacity = read_capacity;
    connection->resume.done = resume_done;
    connection->finish.done = finish_done;
    connection->timer.fired = timer_fired;
    start_read(connection);
    return connection;
}
