#include "client/lib/message.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/client.h"
#include "client/lib/error.h"

enum {
    TICK_MS = 500
};

/* ---- messages ---- */

void message_free(struct message *message)
{
    if (!message)
        return;
    arena_free(&message->arena);
    free(message);
}

struct message *message_decode(const uint8_t *bytes, size_t size, struct sp_error **error)
{
    struct message *message = calloc(1, sizeof *message);
    struct decode_error wrong = {0};
    if (!message) {
        error_give(error, error_no_memory());
        return NULL;
    }
    arena_init(&message->arena, DECODE_LIMIT_REPLY_BYTES);
    uint8_t *copy = arena_alloc(&message->arena, size ? size : 1);
    if (copy) {
        memcpy(copy, bytes, size);
        message->bytes = copy;
        message->size = size;
        message->envelope = decode_envelope(&message->arena, copy, size, DECODE_LENIENT, &wrong);
        if (message->envelope)
            return message;
    }
    error_give(error, copy ? error_create(SP_DATA_LOSS, "MALFORMED_REPLY",
                                          "Check that the pipe belongs to the Shadowpipe service.",
                                          "A reply of the service cannot be read: %s.", wrong.message)
                           : error_no_memory());
    message_free(message);
    return NULL;
}

bool message_is_streamed(const PB(Envelope) * envelope)
{
    switch (envelope->body_case) {
    case PB_BODY(PROGRESS):
    case PB_BODY(WRITER):
    case PB_BODY(SELECTED_COMPONENT):
    case PB_BODY(LEASE_EVENT):
    case PB_BODY(WATCH_EVENT):
        return true;
    case PB_BODY(DOCUMENT_CHUNK):
        return !envelope->document_chunk->last;
    default:
        return false;
    }
}

static uint8_t *encode(const PB(Envelope) * request, size_t *size, struct sp_error **error)
{
    *size = shadowpipe__v1__envelope__get_packed_size(request);
    uint8_t *bytes = malloc(*size ? *size : 1);
    if (bytes)
        shadowpipe__v1__envelope__pack(request, bytes);
    else
        error_give(error, error_no_memory());
    return bytes;
}

/* ---- calls ---- */

static const char *ended_lease(const PB(Envelope) * request)
{
    return request->body_case == PB_BODY(FINISH_BACKUP) ? request->finish_backup->lease_id : NULL;
}

/* What came of one try, besides the reply. */
struct trial {
    bool cut;      /* the link broke before the reply had come */
    bool answered; /* by a Status */
};

static void judge(struct sp_call *call, struct trial *trial)
{
    EnterCriticalSection(&call->client->lock);
    trial->answered = call->final != NULL;
    trial->cut = !call->final && call_is_cut(call);
    LeaveCriticalSection(&call->client->lock);
}

static struct message *try_call(struct sp_client *client, const PB(Envelope) * request,
                                const struct message_options *options, struct trial *trial,
                                struct sp_error **error)
{
    struct sp_call_options call_options = {
        .timeout_ms = options->timeout_ms, .context = options->context, .cancel = options->cancel};
    size_t size;
    uint8_t *bytes = encode(request, &size, error);
    if (!bytes)
        return NULL;
    struct sp_call *call =
        call_start(client, bytes, size, &call_options, options->on_message, ended_lease(request), error);
    free(bytes);
    if (!call)
        return NULL;
    uint32_t slice_ms = options->on_tick ? TICK_MS : SP_FOREVER;
    enum sp_wait waited;
    while ((waited = sp_call_wait(call, slice_ms, NULL, NULL, error)) == SP_WAIT_PENDING) {
        if (options->on_tick)
            options->on_tick(options->context);
    }
    if (waited == SP_WAIT_DONE)
        return call_take_final(call);
    judge(call, trial);
    sp_call_free(call);
    return NULL;
}

/* ---- while the connection is broken ---- */

/* May be asked again on another link: what it has done it does once. */
static bool may_be_repeated(const PB(Envelope) * request)
{
    switch (request->body_case) {
    case PB_BODY(FINISH_BACKUP):
    case PB_BODY(RENEW_LEASE):
    case PB_BODY(ATTACH_LEASE):
    case PB_BODY(WATCH_LEASE):
        return true;
    default:
        return false;
    }
}

static const char *lease_of(const PB(Envelope) * request)
{
    switch (request->body_case) {
    case PB_BODY(FINISH_BACKUP):
        return request->finish_backup->lease_id;
    case PB_BODY(RENEW_LEASE):
        return request->renew_lease->lease_id;
    case PB_BODY(WATCH_LEASE):
        return request->watch_lease->lease_id;
    default:
        return NULL;
    }
}

/* Until calls go out again, or never will. False: not as long as the caller wants to wait. */
static bool wait_until_settled(struct sp_client *client, const struct message_options *options,
                               struct sp_error **error)
{
    HANDLE any[3] = {client->settled};
    DWORD count = 1;
    uint64_t end = options->timeout_ms && options->timeout_ms != SP_FOREVER
                       ? GetTickCount64() + options->timeout_ms
                       : UINT64_MAX;
    if (client->keeper && GetCurrentThreadId() == client->keeper_id)
        return true;
    if (options->cancel)
        any[count++] = cancel_event(options->cancel);
    if (options->patience)
        any[count++] = cancel_event(options->patience);
    DWORD result;
    while ((result = WaitForMultipleObjects(count, any, FALSE, TICK_MS)) == WAIT_TIMEOUT &&
           GetTickCount64() < end) {
        if (options->on_tick)
            options->on_tick(options->context);
    }
    if (result == WAIT_OBJECT_0)
        return true;
    EnterCriticalSection(&client->lock);
    error_give(error, client->failure ? error_copy(client->failure) : client_connection_lost(ERROR_TIMEOUT));
    LeaveCriticalSection(&client->lock);
    return false;
}

/* NULL: as far as is known it is there. */
static struct sp_error *loss_of(struct sp_client *client, const char *lease_id)
{
    struct sp_error *loss = NULL;
    EnterCriticalSection(&client->lock);
    const struct held_lease *lease = lease_id ? held_find(&client->held, lease_id) : NULL;
    if (lease && lease->lost)
        loss = error_copy(lease->lost);
    LeaveCriticalSection(&client->lock);
    return loss;
}

static struct sp_error *outcome_unknown(struct sp_error *why)
{
    struct sp_error *error =
        error_create(SP_UNKNOWN, "OUTCOME_UNKNOWN", "See the log of the service, or make the backup again.",
                     "The connection broke while the backup was being finished, and what became of it cannot "
                     "be told; the writers may or may not have been told of its success: %s",
                     why->message);
    sp_error_free(why);
    return error;
}

static bool says_no_such_lease(const struct sp_error *error)
{
    return strcmp(error->reason, "UNKNOWN_LEASE") == 0;
}

/* With repetitions. NULL with *error. */
static struct message *call(struct sp_client *client, const PB(Envelope) * request,
                            const struct message_options *options, struct sp_error **error)
{
    unsigned tries = 0;
    struct trial trial;
    struct message *reply = NULL;
    struct sp_error *failure;
    do {
        tries++;
        trial = (struct trial){.cut = false};
        failure = NULL;
        if (wait_until_settled(client, options, &failure)) {
            failure = loss_of(client, lease_of(request));
            if (!failure)
                reply = try_call(client, request, options, &trial, &failure);
        }
        bool again = trial.cut && may_be_repeated(request) && !sp_wait_closed(client, 0);
        if (!again)
            break;
        sp_error_free(failure);
    } while (!reply);
    if (reply)
        return reply;
    bool is_known = trial.answered && !says_no_such_lease(failure);
    if (ended_lease(request) && tries > 1 && !is_known)
        failure = outcome_unknown(failure);
    error_give(error, failure);
    return NULL;
}

struct message *message_call(struct sp_client *client, const PB(Envelope) * request,
                             PB(Envelope__BodyCase) expected, const struct message_options *options,
                             struct sp_error **error)
{
    struct message_options none = {0};
    struct message *reply = call(client, request, options ? options : &none, error);
    if (!reply || reply->envelope->body_case == expected)
        return reply;
    error_give(error,
               error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "",
                            "The service answered with something else than was asked for (%d, not %d).",
                            (int)reply->envelope->body_case, (int)expected));
    message_free(reply);
    return NULL;
}
