#include "client/lib/client.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/pipe.h"

enum {
    READ_BYTES = 64 * 1024,
    WRITE_LIMIT_MS = 30000,
    CONNECT_MS = 10000,
    READER_STACK_BYTES = 256 * 1024
};

const char *sp_version(void)
{
    return SP_VERSION;
}

void client_fail(struct sp_client *client, struct sp_error *failure)
{
    EnterCriticalSection(&client->lock);
    bool first = !client->failure;
    if (first)
        client->failure = failure;
    for (struct sp_call *call = client->calls; call; call = call->next)
        SetEvent(call->event);
    LeaveCriticalSection(&client->lock);
    if (!first)
        sp_error_free(failure);
    SetEvent(client->closed);
}

static struct sp_error *connection_lost(DWORD win32)
{
    struct sp_error *error =
        error_create(SP_UNAVAILABLE, "CONNECTION_LOST",
                     "Connect again; snapshots that were held on this connection are gone.",
                     "The service ended the connection (error %lu).", (unsigned long)win32);
    return error;
}

/* ---- reading ---- */

/* False: the connection cannot go on. */
static bool take_frame(struct sp_client *client, const uint8_t *payload, size_t size)
{
    struct sp_error *failure = NULL;
    struct message *message = message_decode(payload, size, &failure);
    if (!message) {
        client_fail(client, failure);
        return false;
    }
    const PB(Envelope) *envelope = message->envelope;
    if (envelope->id != 0) {
        call_deliver(client, message);
        return true;
    }
    /* Without an id: the service says why it ends the connection. */
    if (envelope->body_case == PB_BODY(STATUS))
        client_fail(client, error_from_status(envelope->status));
    else
        client_fail(client, error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "", "A reply came without an id."));
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
            client_fail(client, error_no_memory());
            return false;
        case FRAME_BAD_LENGTH:
        default:
            client_fail(client, error_create(SP_DATA_LOSS, "MALFORMED_REPLY",
                                             "Check that the pipe belongs to the Shadowpipe service.",
                                             "What came from the pipe is not a frame of this protocol."));
            return false;
        }
    }
}

/* The number of bytes read; 0 when the connection or the client has ended. */
static DWORD read_some(struct sp_client *client, HANDLE event, uint8_t *buffer)
{
    OVERLAPPED overlapped = {.hEvent = event};
    HANDLE either[2] = {event, client->stop};
    DWORD read = 0;
    if (!ReadFile(client->pipe, buffer, READ_BYTES, NULL, &overlapped) &&
        GetLastError() != ERROR_IO_PENDING) {
        client_fail(client, connection_lost(GetLastError()));
        return 0;
    }
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0)
        CancelIoEx(client->pipe, &overlapped);
    if (!GetOverlappedResult(client->pipe, &overlapped, &read, TRUE) || read == 0) {
        client_fail(client, connection_lost(GetLastError()));
        return 0;
    }
    return read;
}

static unsigned __stdcall reader_run(void *context)
{
    struct sp_client *client = context;
    uint8_t *buffer = malloc(READ_BYTES);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!buffer || !event) {
        client_fail(client, error_no_memory());
    } else {
        DWORD size;
        do {
            size = read_some(client, event, buffer);
        } while (size > 0 && take_bytes(client, buffer, size));
    }
    if (event)
        CloseHandle(event);
    free(buffer);
    return 0;
}

/* ---- writing ---- */

static size_t put_varint(uint8_t *out, uint8_t tag, uint32_t value)
{
    size_t size = 0;
    out[size++] = tag;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

static bool write_all(struct sp_client *client, const uint8_t *data, DWORD size)
{
    OVERLAPPED overlapped = {.hEvent = client->write_event};
    DWORD written = 0;
    if (!WriteFile(client->pipe, data, size, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING)
        return false;
    if (WaitForSingleObject(client->write_event, WRITE_LIMIT_MS) != WAIT_OBJECT_0)
        CancelIoEx(client->pipe, &overlapped);
    return GetOverlappedResult(client->pipe, &overlapped, &written, TRUE) && written == size;
}

/* A new id, and from now on replies with it are the call's. 0: the connection is over. */
static uint32_t register_call(struct sp_client *client, struct sp_call *call, struct sp_error **error)
{
    EnterCriticalSection(&client->lock);
    uint32_t id = 0;
    if (client->failure) {
        error_give(error, error_copy(client->failure));
    } else {
        if (++client->last_id == 0)
            client->last_id = 1;
        id = client->last_id;
        if (call) {
            call->id = id;
            call->next = client->calls;
            client->calls = call;
        }
    }
    LeaveCriticalSection(&client->lock);
    return id;
}

bool client_send(struct sp_client *client, struct sp_call *call, const uint8_t *envelope, size_t size,
                 uint32_t timeout_ms, struct sp_error **error)
{
    enum {
        TRAILER_BYTES = 12
    }; /* id and timeout_ms, behind the body: the last value of a field counts */
    uint32_t told = client->server.max_request_bytes;
    uint32_t limit = told ? told : FRAME_LIMIT_HELLO_BYTES;
    if (size + TRAILER_BYTES > limit) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "TOO_LARGE", "Ask for less at once.",
                                       "The request has %zu bytes; the service takes %u at most.", size,
                                       (unsigned)limit));
        return false;
    }
    uint8_t *frame = malloc(FRAME_HEADER_BYTES + size + TRAILER_BYTES);
    if (!frame) {
        error_give(error, error_no_memory());
        return false;
    }
    uint32_t id = register_call(client, call, error);
    bool sent = false;
    if (id != 0) {
        size_t end = FRAME_HEADER_BYTES + size;
        memcpy(frame + FRAME_HEADER_BYTES, envelope, size);
        end += put_varint(frame + end, 1 << 3, id);
        if (timeout_ms)
            end += put_varint(frame + end, 2 << 3, timeout_ms);
        uint32_t length = (uint32_t)(end - FRAME_HEADER_BYTES);
        for (int i = 0; i < FRAME_HEADER_BYTES; i++)
            frame[i] = (uint8_t)(length >> (24 - 8 * i));
        EnterCriticalSection(&client->write_lock);
        sent = write_all(client, frame, (DWORD)end);
        DWORD failure = GetLastError();
        LeaveCriticalSection(&client->write_lock);
        if (!sent) {
            /* The service may have said why before it went: the reader sees that first. */
            WaitForSingleObject(client->closed, 1000);
            client_fail(client, connection_lost(failure));
            error_give(error, error_copy(client->failure));
        }
    }
    free(frame);
    return sent;
}

/* ---- connecting ---- */

static void client_free(struct sp_client *client)
{
    while (client->calls) {
        struct sp_call *call = client->calls;
        client->calls = call->next;
        call_destroy(call);
    }
    HANDLE handles[] = {client->pipe, client->stop, client->closed, client->write_event, client->reader};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        if (handles[i] && handles[i] != INVALID_HANDLE_VALUE)
            CloseHandle(handles[i]);
    }
    DeleteCriticalSection(&client->lock);
    DeleteCriticalSection(&client->write_lock);
    frame_reader_free(&client->frames);
    message_free(client->hello);
    sp_error_free(client->failure);
    free(client);
}

void sp_close(struct sp_client *client)
{
    if (!client)
        return;
    SetEvent(client->stop);
    if (client->reader)
        WaitForSingleObject(client->reader, INFINITE);
    client_free(client);
}

static struct sp_client *client_create(void)
{
    struct sp_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    InitializeCriticalSection(&client->lock);
    InitializeCriticalSection(&client->write_lock);
    frame_reader_init(&client->frames, FRAME_LIMIT_REPLY_BYTES);
    client->pipe = INVALID_HANDLE_VALUE;
    client->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    client->closed = CreateEventW(NULL, TRUE, FALSE, NULL);
    client->write_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (client->stop && client->closed && client->write_event)
        return client;
    client_free(client);
    return NULL;
}

static void program_name(char *name, size_t size)
{
    wchar_t path[MAX_PATH] = L"";
    DWORD length = GetModuleFileNameW(NULL, path, ARRAYSIZE(path));
    const wchar_t *last = length > 0 ? wcsrchr(path, L'\\') : NULL;
    if (WideCharToMultiByte(CP_UTF8, 0, last ? last + 1 : path, -1, name, (int)size, NULL, NULL) <= 0)
        (void)snprintf(name, size, "client");
}

static void server_fill(struct sp_client *client)
{
    const PB(HelloReply) *hello = client->hello->envelope->hello_reply;
    struct sp_server *server = &client->server;
    server->version = text_or_empty(hello->server_version);
    server->protocol_major = hello->major;
    server->protocol_minor = hello->minor;
    server->boot_id = text_or_empty(hello->boot_id);
    server->os_build = text_or_empty(hello->os_build);
    server->simulated = hello->simulated;
    server->connection_id = hello->connection_id;
    server->caller_sid = "";
    server->max_request_bytes = FRAME_LIMIT_REQUEST_BYTES;
    if (hello->limits) {
        if (hello->limits->max_request_bytes)
            server->max_request_bytes = hello->limits->max_request_bytes;
        server->default_timeout_ms = hello->limits->default_timeout_ms;
    }
    if (hello->caller) {
        server->caller_sid = text_or_empty(hello->caller->sid);
        server->caller_elevated = hello->caller->elevated;
        server->caller_filtered_admin = hello->caller->filtered_admin;
        for (size_t i = 0; i < hello->caller->n_rights; i++) {
            if (hello->caller->rights[i] > 0 && hello->caller->rights[i] < 32)
                server->rights |= 1u << hello->caller->rights[i];
        }
    }
}

static bool greet(struct sp_client *client, const struct sp_connect_options *options, uint32_t timeout_ms,
                  struct sp_error **error)
{
    char program[65];
    program_name(program, sizeof program);
    const char *name = text_or_empty(options->client_name);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = PROTOCOL_MAJOR;
    hello.minor = PROTOCOL_MINOR;
    hello.client_name = (char *)(*name ? name : program);
    hello.client_version = (char *)text_or_empty(options->client_version);
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    request.body_case = PB_BODY(HELLO);
    request.hello = &hello;
    struct message_options message_options = {.timeout_ms = timeout_ms};
    client->hello = message_call(client, &request, PB_BODY(HELLO_REPLY), &message_options, error);
    if (!client->hello)
        return false;
    server_fill(client);
    if (client->server.protocol_major == PROTOCOL_MAJOR)
        return true;
    error_give(error, error_create(SP_UNIMPLEMENTED, "UNEXPECTED_REPLY",
                                   "Install the same version of the client and the service.",
                                   "The service speaks protocol %u, this program %d.",
                                   (unsigned)client->server.protocol_major, PROTOCOL_MAJOR));
    return false;
}

static bool start_reader(struct sp_client *client, struct sp_error **error)
{
    client->reader = (HANDLE)_beginthreadex(NULL, READER_STACK_BYTES, reader_run, client, 0, NULL);
    if (!client->reader)
        error_give(error, error_from_win32(GetLastError(), "_beginthreadex", "start a thread"));
    return client->reader != NULL;
}

struct sp_client *sp_connect(const struct sp_connect_options *options, struct sp_error **error)
{
    struct sp_connect_options none = {0};
    struct pipe_name name;
    if (!options)
        options = &none;
    uint32_t timeout_ms = options->timeout_ms ? options->timeout_ms : CONNECT_MS;
    uint64_t deadline = GetTickCount64() + timeout_ms;
    if (!pipe_name_resolve(options->pipe, &name, error))
        return NULL;
    struct sp_client *client = client_create();
    if (!client) {
        error_give(error, error_no_memory());
        return NULL;
    }
    bool owner_checked = false;
    client->pipe = pipe_open(&name, deadline, &owner_checked, error);
    client->server.owner_checked = owner_checked;
    if (client->pipe != INVALID_HANDLE_VALUE && start_reader(client, error)) {
        uint64_t now = GetTickCount64();
        if (greet(client, options, now < deadline ? (uint32_t)(deadline - now) : 1, error))
            return client;
    }
    sp_close(client);
    return NULL;
}

const struct sp_server *sp_get_server(const struct sp_client *client)
{
    return &client->server;
}

bool sp_wait_closed(struct sp_client *client, uint32_t wait_ms)
{
    return WaitForSingleObject(client->closed, wait_ms) == WAIT_OBJECT_0;
}
