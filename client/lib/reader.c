#include "client/lib/reader.h"

#include <process.h>
#include <stdlib.h>

#include "client/lib/error.h"

enum {
    READ_BYTES = 64 * 1024,
    LAST_WORDS_MS = 1000, /* the service may have said why before it went */
    STACK_BYTES = 256 * 1024
};

/* False: the link cannot go on, and has been broken. */
static bool take_frame(struct sp_client *client, const uint8_t *payload, size_t size)
{
    struct sp_error *failure = NULL;
    struct message *message = message_decode(payload, size, &failure);
    if (!message) {
        client_break(client, failure, true);
        return false;
    }
    const PB(Envelope) *envelope = message->envelope;
    if (envelope->id != 0) {
        call_deliver(client, message);
        return true;
    }
    /* Without an id: the service says why it ends the connection. */
    if (envelope->body_case == PB_BODY(STATUS))
        client_break(client, error_from_status(envelope->status), false);
    else
        client_break(client, error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "", "A reply came without an id."),
                     true);
    message_free(message);
    return false;
}

static bool take_bytes(struct sp_client *client, const uint8_t *data, size_t size)
{
    const uint8_t *payload;
    size_t payload_size;
    for (;;) {
        switch (frame_reader_take(&client->frames, &data, &size, &payload, &payload_size)) {
        case FRAME_NEED_MORE:
            return true;
        case FRAME_READY:
            if (!take_frame(client, payload, payload_size))
                return false;
            break;
        case FRAME_NO_MEMORY:
            client_break(client, error_no_memory(), true);
            return false;
        case FRAME_BAD_LENGTH:
        default:
            client_break(client,
                         error_create(SP_DATA_LOSS, "MALFORMED_REPLY",
                                      "Check that the pipe belongs to the Shadowpipe service.",
                                      "What came from the pipe is not a frame of this protocol."),
                         true);
            return false;
        }
    }
}

struct reading {
    uint8_t *buffer;
    HANDLE event;
    uint64_t until; /* GetTickCount64: then the link is given up; UINT64_MAX = it is not */
};

/* Until the read is done, or not worth waiting for. */
static bool wait_for_bytes(const struct sp_client *client, struct reading *reading)
{
    HANDLE any[3] = {reading->event, client->stop, client->give_up};
    for (;;) {
        uint64_t now = GetTickCount64();
        uint64_t left = reading->until > now ? reading->until - now : 0;
        DWORD wait_ms = reading->until == UINT64_MAX ? INFINITE : (DWORD)left;
        DWORD result = WaitForMultipleObjects(3, any, FALSE, wait_ms);
        if (result == WAIT_OBJECT_0)
            return true;
        if (result != WAIT_OBJECT_0 + 2)
            return false;
        reading->until = GetTickCount64() + LAST_WORDS_MS;
    }
}

/* The number of bytes read; 0: the link is broken. */
static DWORD read_some(struct sp_client *client, struct reading *reading)
{
    OVERLAPPED overlapped = {.hEvent = reading->event};
    DWORD read = 0;
    if (!ReadFile(client->pipe, reading->buffer, READ_BYTES, NULL, &overlapped) &&
        GetLastError() != ERROR_IO_PENDING) {
        client_break(client, client_connection_lost(GetLastError()), false);
        return 0;
    }
    if (!wait_for_bytes(client, reading))
        CancelIoEx(client->pipe, &overlapped);
    if (!GetOverlappedResult(client->pipe, &overlapped, &read, TRUE) || read == 0) {
        client_break(client, client_connection_lost(GetLastError()), false);
        return 0;
    }
    return read;
}

static void read_link(struct sp_client *client, struct reading *reading)
{
    DWORD size;
    reading->until = UINT64_MAX;
    do {
        size = read_some(client, reading);
    } while (size > 0 && take_bytes(client, reading->buffer, size));
}

static bool next_link(const struct sp_client *client)
{
    HANDLE any[3] = {client->stop, client->closed, client->next_link};
    return WaitForMultipleObjects(3, any, FALSE, INFINITE) == WAIT_OBJECT_0 + 2;
}

static unsigned __stdcall run(void *context)
{
    struct sp_client *client = context;
    struct reading reading = {.buffer = malloc(READ_BYTES), .event = CreateEventW(NULL, TRUE, FALSE, NULL)};
    if (!reading.buffer || !reading.event) {
        client_break(client, error_no_memory(), true);
    } else {
        do {
            read_link(client, &reading);
        } while (next_link(client));
        client_break(client, client_connection_lost(ERROR_OPERATION_ABORTED), true);
    }
    if (reading.event)
        CloseHandle(reading.event);
    free(reading.buffer);
    return 0;
}

bool reader_start(struct sp_client *client, struct sp_error **error)
{
    client->reader = (HANDLE)_beginthreadex(NULL, STACK_BYTES, run, client, 0, NULL);
    if (!client->reader)
        error_give(error, error_from_win32(GetLastError(), "_beginthreadex", "start a thread"));
    return client->reader != NULL;
}
