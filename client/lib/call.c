#include "client/lib/client.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/keeper.h"

/* ---- cancelling ---- */

struct sp_cancel {
    HANDLE event;
};

struct sp_cancel *sp_cancel_create(void)
{
    struct sp_cancel *cancel = calloc(1, sizeof *cancel);
    if (cancel && (cancel->event = CreateEventW(NULL, TRUE, FALSE, NULL)))
        return cancel;
    free(cancel);
    return NULL;
}

void sp_cancel_now(struct sp_cancel *cancel)
{
    SetEvent(cancel->event);
}

HANDLE cancel_event(const struct sp_cancel *cancel)
{
    return cancel ? cancel->event : NULL;
}

void sp_cancel_free(struct sp_cancel *cancel)
{
    if (!cancel)
        return;
    CloseHandle(cancel->event);
    free(cancel);
}

void client_send_unattended(struct sp_client *client, const PB(Envelope) * envelope)
{
    uint8_t bytes[512];
    if (shadowpipe__v1__envelope__get_packed_size(envelope) <= sizeof bytes) {
        size_t size = shadowpipe__v1__envelope__pack(envelope, bytes);
        (void)client_send(client, NULL, bytes, size, 0, NULL);
    }
}

void client_send_cancel(struct sp_client *client, uint32_t id)
{
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    cancel.id = id;
    envelope.body_case = PB_BODY(CANCEL);
    envelope.cancel = &cancel;
    client_send_unattended(client, &envelope);
}

/* A snapshot that came after its caller had given up: nobody else will finish it. */
static void finish_unwanted(struct sp_client *client, const PB(SnapshotReply) * snapshot)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    finish.lease_id = snapshot->lease_id;
    finish.token = snapshot->token;
    finish.outcome = PB_VALUE(OUTCOME, OUTCOME_FAILED);
    envelope.body_case = PB_BODY(FINISH_BACKUP);
    envelope.finish_backup = &finish;
    client_send_unattended(client, &envelope);
}

/* ---- the calls of a client ---- */

void call_destroy(struct sp_call *call)
{
    while (call->first) {
        struct message *message = call->first;
        call->first = message->next;
        message_free(message);
    }
    message_free(call->final);
    if (call->event)
        CloseHandle(call->event);
    free(call->finishes);
    free(call);
}

bool call_is_cut(const struct sp_call *call)
{
    return call->link != call->client->link;
}

void calls_cut(struct sp_client *client)
{
    struct sp_call **link = &client->calls;
    while (*link) {
        struct sp_call *call = *link;
        SetEvent(call->event);
        if (call->given_up) {
            *link = call->next;
            call_destroy(call);
        } else {
            link = &call->next;
        }
    }
}

/* With the lock held. */
static void unlink_call(struct sp_client *client, struct sp_call *call)
{
    struct sp_call **link = &client->calls;
    while (*link && *link != call)
        link = &(*link)->next;
    if (*link)
        *link = call->next;
}

/* With the lock held. Of progress that nobody has looked at, only the newest is of use. */
static void enqueue(struct sp_call *call, struct message *message)
{
    struct message *last = call->first ? call->last : NULL;
    struct message **link = last ? &last->next : &call->first;
    if (last && last->envelope->body_case == PB_BODY(PROGRESS) &&
        message->envelope->body_case == PB_BODY(PROGRESS)) {
        link = &call->first;
        while (*link != last)
            link = &(*link)->next;
        call->queued_bytes -= last->size;
        message_free(last);
    }
    *link = message;
    call->last = message;
    call->queued_bytes += message->size;
}

/* With the lock held. */
static void learn_leases(struct sp_client *client, const struct sp_call *call, const PB(Envelope) * reply)
{
    const struct greeting *greeting = client->greeting;
    if (greeting && held_learn(&client->held, reply, call->finishes, greeting->server.boot_id))
        keeper_ensure(client);
}

void call_deliver(struct sp_client *client, struct message *message)
{
    bool streamed = message_is_streamed(message->envelope);
    struct sp_call *ended = NULL;
    EnterCriticalSection(&client->lock);
    struct sp_call *call = client->calls;
    while (call && (call->id != message->envelope->id || call_is_cut(call)))
        call = call->next;
    if (call && call->given_up) {
        if (!streamed) {
            unlink_call(client, call);
            ended = call;
        }
        call = NULL;
    } else if (call && streamed && call->queued_bytes + message->size > CALL_QUEUE_LIMIT_BYTES) {
        call->overflowed = true;
        SetEvent(call->event);
        call = NULL;
    }
    if (call) {
        if (!streamed)
            learn_leases(client, call, message->envelope);
        enqueue(call, message);
        SetEvent(call->event);
        message = NULL;
    }
    LeaveCriticalSection(&client->lock);
    if (ended) {
        if (message->envelope->body_case == PB_BODY(SNAPSHOT_REPLY))
            finish_unwanted(client, message->envelope->snapshot_reply);
        call_destroy(ended);
    }
    message_free(message); /* also what answers a Cancel, or a call that is long over */
}

static struct message *dequeue(struct sp_call *call, struct sp_error **failure)
{
    struct sp_client *client = call->client;
    EnterCriticalSection(&client->lock);
    struct message *message = call->first;
    if (message) {
        call->first = message->next;
        message->next = NULL;
        call->queued_bytes -= message->size;
    } else if (call_is_cut(call)) {
        *failure = error_copy(client->failure);
    }
    bool overflowed = call->overflowed;
    LeaveCriticalSection(&client->lock);
    if (overflowed && !*failure) {
        message_free(message);
        message = NULL;
        *failure =
            error_create(SP_RESOURCE_EXHAUSTED, "TOO_LARGE", "Wait for the call while its frames come.",
                         "More than %d MiB of frames came for a call that nobody waited for.",
                         CALL_QUEUE_LIMIT_BYTES / (1024 * 1024));
    }
    return message;
}

/* ---- the public calls ---- */

static struct sp_call *call_create(struct sp_client *client, const char *finishes)
{
    struct sp_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->client = client;
    call->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    call->finishes = finishes ? _strdup(finishes) : NULL;
    if (call->event && (call->finishes || !finishes))
        return call;
    call_destroy(call);
    return NULL;
}

struct sp_call *call_start(struct sp_client *client, const uint8_t *envelope, size_t size,
                           const struct sp_call_options *options, message_handler *on_message,
                           const char *finishes, struct sp_error **error)
{
    struct sp_call *call = call_create(client, finishes);
    if (!call) {
        error_give(error, error_no_memory());
        return NULL;
    }
    call->options = *options;
    call->on_message = on_message;
    bool endless = call->options.timeout_ms == SP_FOREVER;
    if (endless)
        call->options.timeout_ms = 0;
    const struct greeting *greeting = client->greeting;
    uint32_t timeout_ms = call->options.timeout_ms;
    if (timeout_ms == 0 && greeting)
        timeout_ms = greeting->server.default_timeout_ms;
    /* The service ends what takes too long by itself, and says more about it than we could. Before the
     * greeting it does not know us yet. */
    uint32_t grace_ms = greeting ? CALL_GRACE_MS : 0;
    call->deadline = timeout_ms && !endless ? GetTickCount64() + timeout_ms + grace_ms : UINT64_MAX;
    if (client_send(client, call, envelope, size, call->options.timeout_ms, error))
        return call;
    EnterCriticalSection(&client->lock);
    unlink_call(client, call);
    LeaveCriticalSection(&client->lock);
    call_destroy(call);
    return NULL;
}

struct sp_call *sp_call_start(struct sp_client *client, const uint8_t *envelope, size_t size,
                              const struct sp_call_options *options, struct sp_error **error)
{
    struct sp_call_options none = {0};
    if (!envelope || size == 0) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "The request is empty."));
        return NULL;
    }
    /* What cannot be decoded here is the service's to refuse. */
    struct message *request = message_decode(envelope, size, NULL);
    bool ends = request && request->envelope->body_case == PB_BODY(FINISH_BACKUP);
    struct sp_call *call = call_start(client, envelope, size, options ? options : &none, NULL,
                                      ends ? request->envelope->finish_backup->lease_id : NULL, error);
    message_free(request);
    return call;
}

/* Waits for something to happen to the call until `until`, and forwards a cancel. False: nothing has. */
static bool wait_for_event(struct sp_call *call, uint64_t until)
{
    struct sp_cancel *cancel = call->options.cancel;
    for (;;) {
        HANDLE handles[2] = {call->event, cancel ? cancel->event : NULL};
        DWORD count = cancel && !call->cancel_sent ? 2 : 1;
        uint64_t now = GetTickCount64();
        uint64_t left = until > now ? until - now : 0;
        DWORD result =
            WaitForMultipleObjects(count, handles, FALSE, left < 0x7fffffff ? (DWORD)left : 0x7fffffff);
        if (result == WAIT_OBJECT_0 + 1) {
            call->cancel_sent = true;
            client_send_cancel(call->client, call->id);
        } else if (result == WAIT_OBJECT_0) {
            return true;
        } else if (GetTickCount64() >= until) {
            return false;
        }
    }
}

/* Takes a message that was waiting. True: it was the final one. */
static bool deliver(struct sp_call *call, struct message *message)
{
    if (!message_is_streamed(message->envelope)) {
        call->final = message;
        return true;
    }
    if (call->on_message)
        call->on_message(call->options.context, message->envelope);
    else if (call->options.on_frame)
        call->options.on_frame(call->options.context, message->bytes, message->size);
    message_free(message);
    return false;
}

static enum sp_wait final_result(const struct sp_call *call, const uint8_t **reply, size_t *size,
                                 struct sp_error **error)
{
    const PB(Envelope) *envelope = call->final->envelope;
    if (envelope->body_case == PB_BODY(STATUS)) {
        error_give(error, error_from_status(envelope->status));
        return SP_WAIT_FAILED;
    }
    if (reply)
        *reply = call->final->bytes;
    if (size)
        *size = call->final->size;
    return SP_WAIT_DONE;
}

enum sp_wait sp_call_wait(struct sp_call *call, uint32_t wait_ms, const uint8_t **reply, size_t *size,
                          struct sp_error **error)
{
    uint64_t until = wait_ms == SP_FOREVER ? UINT64_MAX : GetTickCount64() + wait_ms;
    if (until > call->deadline)
        until = call->deadline;
    for (;;) {
        struct sp_error *failure = NULL;
        struct message *message;
        while (!call->final && (message = dequeue(call, &failure)))
            (void)deliver(call, message);
        if (call->final)
            return final_result(call, reply, size, error);
        if (failure) {
            error_give(error, failure);
            return SP_WAIT_FAILED;
        }
        if (!wait_for_event(call, until)) {
            if (until < call->deadline)
                return SP_WAIT_PENDING;
            error_give(error, error_create(SP_DEADLINE_EXCEEDED, "TIMEOUT",
                                           "Allow more time, or see the service's "
                                           "log for what it is waiting for.",
                                           "The service did not answer in time."));
            return SP_WAIT_FAILED;
        }
    }
}

void sp_call_free(struct sp_call *call)
{
    if (!call)
        return;
    struct sp_client *client = call->client;
    EnterCriticalSection(&client->lock);
    bool open = !call->final && !call_is_cut(call);
    bool ended_unseen = false;
    for (struct message *message = call->first; message; message = message->next)
        ended_unseen = ended_unseen || !message_is_streamed(message->envelope);
    if (open && !ended_unseen)
        call->given_up = true;
    else
        unlink_call(client, call);
    uint32_t id = call->id;
    struct message *waiting = call->last;
    LeaveCriticalSection(&client->lock);
    if (open && !ended_unseen) {
        client_send_cancel(client, id);
        return;
    }
    if (ended_unseen && waiting->envelope->body_case == PB_BODY(SNAPSHOT_REPLY))
        finish_unwanted(client, waiting->envelope->snapshot_reply);
    call_destroy(call);
}

struct message *call_take_final(struct sp_call *call)
{
    struct message *final = call->final;
    EnterCriticalSection(&call->client->lock);
    unlink_call(call->client, call);
    LeaveCriticalSection(&call->client->lock);
    call->final = NULL;
    call_destroy(call);
    return final;
}
