#include "client/lib/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/reader.h"

enum {
    WRITE_LIMIT_MS = 30000,
    REASON_MS = 2000
};

const char *sp_version(void)
{
    return SP_VERSION;
}

/* ---- the end of a link ---- */

struct sp_error *client_connection_lost(DWORD win32)
{
    return error_create(
        SP_UNAVAILABLE, "CONNECTION_LOST",
        "Try again; snapshots that were held on this connection are gone, if it does not come back.",
        "The service ended the connection (error %lu).", (unsigned long)win32);
}

void client_break(struct sp_client *client, struct sp_error *failure, bool for_good)
{
    EnterCriticalSection(&client->lock);
    bool was_over = client->state == LINK_OVER;
    bool is_closed = WaitForSingleObject(client->stop, 0) == WAIT_OBJECT_0;
    bool returns = client->state == LINK_GREETING || (!for_good && client->keeper && held_any(&client->held));
    if (!was_over) {
        client->state = returns && !is_closed ? LINK_DOWN : LINK_OVER;
        client->link++;
        sp_error_free(client->failure);
        client->failure = failure;
        failure = NULL;
        held_detach_all(&client->held);
        calls_cut(client);
    }
    if (client->state == LINK_OVER) {
        SetEvent(client->closed);
        SetEvent(client->settled);
    } else {
        ResetEvent(client->settled);
    }
    LeaveCriticalSection(&client->lock);
    sp_error_free(failure);
    if (!was_over)
        SetEvent(client->broken);
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

/* With the lock held. */
static bool takes_calls(const struct sp_client *client)
{
    bool is_keeper = client->keeper && GetCurrentThreadId() == client->keeper_id;
    return client->state == LINK_UP || (client->state == LINK_GREETING && is_keeper);
}

/* A new id, and from now on replies with it on this link are the call's. 0: there is no link. */
static uint32_t register_call(struct sp_client *client, struct sp_call *call, uint64_t *link,
                              struct sp_error **error)
{
    EnterCriticalSection(&client->lock);
    uint32_t id = 0;
    *link = client->link;
    if (!takes_calls(client)) {
        error_give(error, error_copy(client->failure));
    } else {
        if (++client->last_id == 0)
            client->last_id = 1;
        id = client->last_id;
        if (call) {
            call->id = id;
            call->link = client->link;
            call->next = client->calls;
            client->calls = call;
        }
    }
    LeaveCriticalSection(&client->lock);
    return id;
}

/* False: nothing was written, or not all of it. */
static bool write_on(struct sp_client *client, uint64_t link, const uint8_t *data, DWORD size)
{
    EnterCriticalSection(&client->write_lock);
    EnterCriticalSection(&client->lock);
    bool same = client->link == link;
    LeaveCriticalSection(&client->lock);
    bool sent = same && write_all(client, data, size);
    if (same && !sent)
        SetEvent(client->give_up); /* with the lock: it must not reach the next link */
    LeaveCriticalSection(&client->write_lock);
    return sent;
}

/* The service may have said why it went: the reader sees that first. */
static void give_reason(struct sp_client *client, const struct sp_call *call, struct sp_error **error)
{
    bool cut = false;
    DWORD waited = WAIT_OBJECT_0;
    while (!cut && call && waited == WAIT_OBJECT_0) {
        waited = WaitForSingleObject(call->event, REASON_MS);
        EnterCriticalSection(&client->lock);
        cut = call_is_cut(call);
        LeaveCriticalSection(&client->lock);
    }
    EnterCriticalSection(&client->lock);
    error_give(error, client->failure ? error_copy(client->failure) : client_connection_lost(ERROR_TIMEOUT));
    LeaveCriticalSection(&client->lock);
}

bool client_send(struct sp_client *client, struct sp_call *call, const uint8_t *envelope, size_t size,
                 uint32_t timeout_ms, struct sp_error **error)
{
    enum {
        TRAILER_BYTES = 12
    }; /* id and timeout_ms, behind the body: the last value of a field counts */
    const struct greeting *greeting = client->greeting;
    uint32_t limit = greeting ? greeting->server.max_request_bytes : FRAME_LIMIT_HELLO_BYTES;
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
    uint64_t link;
    uint32_t id = register_call(client, call, &link, error);
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
        sent = write_on(client, link, frame, (DWORD)end);
        if (!sent)
            give_reason(client, call, error);
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
    HANDLE handles[] = {client->pipe,   client->stop,      client->closed,  client->settled,
                        client->broken, client->next_link, client->give_up, client->write_event,
                        client->reader, client->keeper};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
        if (handles[i] && handles[i] != INVALID_HANDLE_VALUE)
            CloseHandle(handles[i]);
    }
    DeleteCriticalSection(&client->lock);
    DeleteCriticalSection(&client->write_lock);
    frame_reader_free(&client->frames);
    while (client->greeting) {
        struct greeting *greeting = client->greeting;
        client->greeting = greeting->older;
        message_free(greeting->hello);
        free(greeting);
    }
    held_free(&client->held);
    sp_error_free(client->failure);
    free((char *)client->options.client_name);
    free((char *)client->options.client_version);
    free(client);
}

void sp_close(struct sp_client *client)
{
    if (!client)
        return;
    SetEvent(client->stop);
    if (client->reader)
        WaitForSingleObject(client->reader, INFINITE);
    if (client->keeper) /* the reader, which starts it, has ended */
        WaitForSingleObject(client->keeper, INFINITE);
    client_free(client);
}

static bool create_events(struct sp_client *client)
{
    client->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    client->closed = CreateEventW(NULL, TRUE, FALSE, NULL);
    client->settled = CreateEventW(NULL, TRUE, TRUE, NULL);
    client->broken = CreateEventW(NULL, FALSE, FALSE, NULL);
    client->next_link = CreateEventW(NULL, FALSE, FALSE, NULL);
    client->give_up = CreateEventW(NULL, FALSE, FALSE, NULL);
    client->write_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    return client->stop && client->closed && client->settled && client->broken && client->next_link &&
           client->give_up && client->write_event;
}

static void program_name(char *name, size_t size)
{
    wchar_t path[MAX_PATH] = L"";
    DWORD length = GetModuleFileNameW(NULL, path, ARRAYSIZE(path));
    const wchar_t *last = length > 0 ? wcsrchr(path, L'\\') : NULL;
    if (WideCharToMultiByte(CP_UTF8, 0, last ? last + 1 : path, -1, name, (int)size, NULL, NULL) <= 0)
        (void)snprintf(name, size, "client");
}

static struct sp_client *client_create(const struct sp_connect_options *options)
{
    char program[65];
    struct sp_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    InitializeCriticalSection(&client->lock);
    InitializeCriticalSection(&client->write_lock);
    frame_reader_init(&client->frames, FRAME_LIMIT_REPLY_BYTES);
    client->pipe = INVALID_HANDLE_VALUE;
    const char *name = text_or_empty(options->client_name);
    program_name(program, sizeof program);
    client->options = *options;
    client->options.pipe = NULL; /* the name has it */
    client->options.client_name = _strdup(*name ? name : program);
    client->options.client_version = _strdup(text_or_empty(options->client_version));
    if (create_events(client) && client->options.client_name && client->options.client_version)
        return client;
    client_free(client);
    return NULL;
}

static struct sp_server describe(const PB(HelloReply) * hello)
{
    struct sp_server server = {
        .version = text_or_empty(hello->server_version),
        .protocol_major = hello->major,
        .protocol_minor = hello->minor,
        .boot_id = text_or_empty(hello->boot_id),
        .os_build = text_or_empty(hello->os_build),
        .simulated = hello->simulated,
        .connection_id = hello->connection_id,
        .caller_sid = "",
        .max_request_bytes = FRAME_LIMIT_REQUEST_BYTES,
    };
    if (hello->limits) {
        if (hello->limits->max_request_bytes)
            server.max_request_bytes = hello->limits->max_request_bytes;
        server.default_timeout_ms = hello->limits->default_timeout_ms;
    }
    if (hello->caller) {
        server.caller_sid = text_or_empty(hello->caller->sid);
        server.caller_elevated = hello->caller->elevated;
        server.caller_filtered_admin = hello->caller->filtered_admin;
        for (size_t i = 0; i < hello->caller->n_rights; i++) {
            if (hello->caller->rights[i] > 0 && hello->caller->rights[i] < 32)
                server.rights |= 1u << hello->caller->rights[i];
        }
    }
    return server;
}

bool client_greet(struct sp_client *client, bool owner_checked, uint32_t timeout_ms, struct sp_error **error)
{
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = PROTOCOL_MAJOR;
    hello.minor = PROTOCOL_MINOR;
    hello.client_name = (char *)client->options.client_name;
    hello.client_version = (char *)client->options.client_version;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    request.body_case = PB_BODY(HELLO);
    request.hello = &hello;
    struct message_options message_options = {.timeout_ms = timeout_ms};
    struct greeting *greeting = calloc(1, sizeof *greeting);
    if (!greeting) {
        error_give(error, error_no_memory());
        return false;
    }
    greeting->hello = message_call(client, &request, PB_BODY(HELLO_REPLY), &message_options, error);
    if (greeting->hello)
        greeting->server = describe(greeting->hello->envelope->hello_reply);
    if (greeting->hello && greeting->server.protocol_major == PROTOCOL_MAJOR) {
        greeting->server.owner_checked = owner_checked;
        greeting->older = client->greeting;
        InterlockedExchangePointer((void *volatile *)&client->greeting, greeting);
        return true;
    }
    if (greeting->hello)
        error_give(error, error_create(SP_UNIMPLEMENTED, "UNEXPECTED_REPLY",
                                       "Install the same version of the client and the service.",
                                       "The service speaks protocol %u, this program %d.",
                                       (unsigned)greeting->server.protocol_major, PROTOCOL_MAJOR));
    message_free(greeting->hello);
    free(greeting);
    return false;
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
    struct sp_client *client = client_create(options);
    if (!client) {
        error_give(error, error_no_memory());
        return NULL;
    }
    bool owner_checked = false;
    client->name = name;
    client->pipe = pipe_open(&name, deadline, &owner_checked, error);
    if (client->pipe != INVALID_HANDLE_VALUE && reader_start(client, error)) {
        uint64_t now = GetTickCount64();
        if (client_greet(client, owner_checked, now < deadline ? (uint32_t)(deadline - now) : 1, error))
            return client;
    }
    sp_close(client);
    return NULL;
}

const struct sp_server *sp_get_server(const struct sp_client *client)
{
    return &client->greeting->server;
}

bool sp_wait_closed(struct sp_client *client, uint32_t wait_ms)
{
    return WaitForSingleObject(client->closed, wait_ms) == WAIT_OBJECT_0;
}
