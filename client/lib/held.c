#include "client/lib/held.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"

static void lease_free(struct held_lease *lease)
{
    free(lease->lease_id);
    free(lease->token);
    sp_error_free(lease->lost);
    free(lease);
}

struct held_lease *held_find(const struct held_leases *held, const char *lease_id)
{
    struct held_lease *lease = held->first;
    while (lease && strcmp(lease->lease_id, lease_id) != 0)
        lease = lease->next;
    return lease;
}

static void forget(struct held_leases *held, const char *lease_id)
{
    struct held_lease **link = &held->first;
    while (*link && strcmp((*link)->lease_id, lease_id) != 0)
        link = &(*link)->next;
    struct held_lease *lease = *link;
    if (lease) {
        *link = lease->next;
        lease_free(lease);
    }
}

/* Without memory it is not held: it ends with the connection, as it would anyway. */
static bool remember(struct held_leases *held, const PB(SnapshotReply) * snapshot, const char *boot_id)
{
    bool is_bound = snapshot->expires_ms == 0;
    struct held_lease *lease = held_find(held, snapshot->lease_id);
    if (lease) {
        lease->is_bound = is_bound;
        lease->boot_id = boot_id;
        return true;
    }
    lease = calloc(1, sizeof *lease);
    if (!lease)
        return false;
    lease->lease_id = _strdup(snapshot->lease_id);
    lease->token = _strdup(snapshot->token);
    if (!lease->lease_id || !lease->token) {
        lease_free(lease);
        return false;
    }
    lease->is_bound = is_bound;
    lease->boot_id = boot_id;
    lease->is_attached = true;
    lease->next = held->first;
    held->first = lease;
    return true;
}

/* After these the lease is as it was. */
static bool leaves_the_lease(PB(Code) code)
{
    return code == PB_CODE(CANCELLED) || code == PB_CODE(DEADLINE_EXCEEDED) || code == PB_CODE(UNAVAILABLE) ||
           code == PB_CODE(INVALID_ARGUMENT) || code == PB_CODE(PERMISSION_DENIED);
}

bool held_learn(struct held_leases *held, const PB(Envelope) * reply, const char *finishes,
                const char *boot_id)
{
    const PB(SnapshotReply) *snapshot = NULL;
    switch (reply->body_case) {
    case PB_BODY(SNAPSHOT_REPLY):
        snapshot = reply->snapshot_reply;
        break;
    case PB_BODY(LEASE_REPLY):
        snapshot = reply->lease_reply->snapshot;
        /* One that is bound to another connection goes on being so. */
        if (snapshot && snapshot->expires_ms == 0 && !held_find(held, snapshot->lease_id))
            snapshot = NULL;
        break;
    case PB_BODY(FINISH_REPLY):
        if (finishes)
            forget(held, finishes);
        break;
    case PB_BODY(STATUS):
        if (finishes && !leaves_the_lease(reply->status->code))
            forget(held, finishes);
        break;
    default:
        break;
    }
    if (!snapshot || !*snapshot->lease_id || !*snapshot->token) /* a dry run has none */
        return false;
    return remember(held, snapshot, boot_id);
}

bool held_any(const struct held_leases *held)
{
    const struct held_lease *lease = held->first;
    while (lease && lease->lost)
        lease = lease->next;
    return lease != NULL;
}

struct held_lease *held_next_unattached(const struct held_leases *held)
{
    struct held_lease *lease = held->first;
    while (lease && (lease->lost || lease->is_attached))
        lease = lease->next;
    return lease;
}

void held_detach_all(struct held_leases *held)
{
    for (struct held_lease *lease = held->first; lease; lease = lease->next)
        lease->is_attached = false;
}

void held_free(struct held_leases *held)
{
    while (held->first) {
        struct held_lease *lease = held->first;
        held->first = lease->next;
        lease_free(lease);
    }
}
