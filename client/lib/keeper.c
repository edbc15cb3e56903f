#include "client/lib/keeper.h"

#include <process.h>
#include <string.h>

#include "client/lib/error.h"

enum {
    RECONNECT_MS = 10 * 60 * 1000, /* as long as requesters keep snapshots without the service */
    PAUSE_MS = 250,
    ATTACH_MS = 30000,
    PENDING_MS = 1000, /* where the service does not say when to ask again */
    STACK_BYTES = 256 * 1024
};

/* ---- what the program is told ---- */

static void tell(const struct sp_client *client, enum sp_connection_event_kind kind, const char *lease_id,
                 const struct sp_error *error)
{
    struct sp_connection_event event = {.kind = kind, .lease_id = lease_id, .error = error};
    if (client->options.on_connection)
        client->options.on_connection(client->options.context, &event);
}

static struct sp_error *copy_failure(struct sp_client *client)
{
    EnterCriticalSection(&client->lock);
    struct sp_error *failure = error_copy(client->failure);
    LeaveCriticalSection(&client->lock);
    return failure;
}

/* ---- a new link ---- */

/* False: the client is closed. */
static bool rest(const struct sp_client *client, uint32_t wait_ms)
{
    return WaitForSingleObject(client->stop, wait_ms) == WAIT_TIMEOUT;
}

/* Takes the pipe over. The reader does not read: there was no link. */
static bool install(struct sp_client *client, HANDLE pipe)
{
    EnterCriticalSection(&client->write_lock);
    EnterCriticalSection(&client->lock);
    bool wanted = client->state == LINK_DOWN;
    ResetEvent(client->give_up);
    HANDLE useless = pipe;
    if (wanted) {
        useless = client->pipe;
        client->pipe = pipe;
        client->state = LINK_GREETING;
        frame_reader_free(&client->frames);
        frame_reader_init(&client->frames, FRAME_LIMIT_REPLY_BYTES);
    }
    LeaveCriticalSection(&client->lock);
    LeaveCriticalSection(&client->write_lock);
    CloseHandle(useless);
    if (wanted)
        SetEvent(client->next_link);
    return wanted;
}

static bool make_link(struct sp_client *client, bool *owner_checked)
{
    HANDLE pipe = pipe_open(&client->name, GetTickCount64(), owner_checked, NULL);
    return pipe != INVALID_HANDLE_VALUE && install(client, pipe);
}

/* ---- leases ---- */

/* While there is no link for others no lease comes or goes, so that what is found here stays. */
static struct held_lease *next_lease(struct sp_client *client)
{
    EnterCriticalSection(&client->lock);
    struct held_lease *lease = held_next_unattached(&client->held);
    LeaveCriticalSection(&client->lock);
    return lease;
}

static void mark_attached(struct sp_client *client, struct held_lease *lease)
{
    EnterCriticalSection(&client->lock);
    lease->is_attached = true;
    LeaveCriticalSection(&client->lock);
}

/* Takes `why` over. */
static void mark_lost(struct sp_client *client, struct held_lease *lease, struct sp_error *why)
{
    struct sp_error *lost = error_create(
        SP_DATA_LOSS, "LEASE_LOST", "What was read since is of no use; start again.",
        "The snapshot was lost while the connection to the service was broken: %s", why->message);
    sp_error_free(why);
    EnterCriticalSection(&client->lock);
    lease->lost = lost;
    LeaveCriticalSection(&client->lock);
    tell(client, SP_CONNECTION_LEASE_LOST, lease->lease_id, lost);
}

/* Another answer may come later: its requester has not found the new service, or the service goes again. */
static bool is_passing(const struct sp_error *why)
{
    return why->code == SP_UNAVAILABLE || why->code == SP_DEADLINE_EXCEEDED ||
           why->code == SP_RESOURCE_EXHAUSTED;
}

static struct message *ask(struct sp_client *client, const struct held_lease *lease, struct sp_error **error)
{
    PB(AttachLease) attach = SHADOWPIPE__V1__ATTACH_LEASE__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct message_options options = {.timeout_ms = ATTACH_MS};
    attach.lease_id = lease->lease_id;
    attach.token = lease->token;
    request.body_case = PB_BODY(ATTACH_LEASE);
    request.attach_lease = &attach;
    return message_call(client, &request, PB_BODY(LEASE_REPLY), &options, error);
}

static bool is_greeting(struct sp_client *client)
{
    EnterCriticalSection(&client->lock);
    bool is = client->state == LINK_GREETING;
    LeaveCriticalSection(&client->lock);
    return is;
}

/* Attaches it, or knows that it is lost. False: the link is broken, or the client closed. */
static bool attach(struct sp_client *client, struct held_lease *lease, uint64_t deadline)
{
    /* A service that still runs has ended what was bound to the connection, or will as soon as it notices;
     * one that is about to end says that it is. */
    bool is_doomed = lease->is_bound && strcmp(lease->boot_id, client->greeting->server.boot_id) == 0;
    for (;;) {
        struct sp_error *why = NULL;
        struct message *reply = ask(client, lease, &why);
        if (reply) {
            message_free(reply);
            if (is_doomed)
                mark_lost(client, lease, copy_failure(client));
            else
                mark_attached(client, lease);
            return true;
        }
        if (!is_greeting(client)) {
            sp_error_free(why);
            return false;
        }
        if (!is_passing(why) || GetTickCount64() >= deadline) {
            mark_lost(client, lease, why);
            return true;
        }
        uint32_t wait_ms = why->retry_after_ms ? why->retry_after_ms : PENDING_MS;
        sp_error_free(why);
        if (!rest(client, wait_ms))
            return false;
    }
}

static bool attach_all(struct sp_client *client, uint64_t deadline)
{
    struct held_lease *lease;
    while ((lease = next_lease(client))) {
        if (!attach(client, lease, deadline))
            return false;
    }
    return true;
}

/* ---- the work ---- */

/* From here on everybody's calls go out again. */
static bool open_to_all(struct sp_client *client)
{
    EnterCriticalSection(&client->lock);
    bool ready = client->state == LINK_GREETING;
    if (ready) {
        client->state = LINK_UP;
        SetEvent(client->settled);
    }
    LeaveCriticalSection(&client->lock);
    return ready;
}

/* False: there is no link again. */
static bool try_once(struct sp_client *client, uint64_t deadline)
{
    bool owner_checked = false;
    if (!make_link(client, &owner_checked))
        return false;
    if (client_greet(client, owner_checked, CONNECT_MS, NULL) && attach_all(client, deadline) &&
        open_to_all(client))
        return true;
    SetEvent(client->give_up); /* has no effect on one that broke by itself */
    WaitForSingleObject(client->broken, INFINITE);
    return false;
}

static void get_back(struct sp_client *client)
{
    uint32_t wanted_ms = client->options.reconnect_ms;
    uint64_t deadline = GetTickCount64() + (wanted_ms ? wanted_ms : RECONNECT_MS);
    struct sp_error *failure = copy_failure(client);
    tell(client, SP_CONNECTION_BROKEN, "", failure);
    bool back;
    while (!(back = try_once(client, deadline)) && GetTickCount64() < deadline && rest(client, PAUSE_MS))
        ;
    if (back) {
        tell(client, SP_CONNECTION_BACK, "", NULL);
    } else if (rest(client, 0)) {
        client_break(client, error_copy(failure), true);
        tell(client, SP_CONNECTION_OVER, "", failure);
    }
    sp_error_free(failure);
}

static unsigned __stdcall run(void *context)
{
    struct sp_client *client = context;
    HANDLE any[3] = {client->stop, client->closed, client->broken};
    while (WaitForMultipleObjects(3, any, FALSE, INFINITE) == WAIT_OBJECT_0 + 2)
        get_back(client);
    return 0;
}

void keeper_ensure(struct sp_client *client)
{
    unsigned id = 0;
    if (client->keeper || client->options.no_reconnect)
        return;
    HANDLE keeper = (HANDLE)_beginthreadex(NULL, STACK_BYTES, run, client, CREATE_SUSPENDED, &id);
    if (!keeper)
        return;
    client->keeper_id = id;
    client->keeper = keeper;
    ResumeThread(keeper);
}
