/* Leases as clients know them: who may use which, until when, and what may still be read. */
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    LOST_WITHIN_MS = 30 * 1000,
    SETTLED_MS = 60 * 1000,
    STORE_MS = 90 * 1000,     /* at the most, when everything is slow */
    COMPLETION_MS = 90 * 1000 /* while a backup is being completed VSS is asked nothing else */
};

static const uint64_t never = UINT64_MAX;

static struct object *object_of(struct model *model, const struct lease_seen *lease)
{
    return &model->processes[lease->process - 1]->object;
}

struct lease_seen *lease_find_seen(struct model *model, const char *id)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        if (strcmp(model->leases[i].id, id) == 0)
            return &model->leases[i];
    }
    return NULL;
}

/* What it reads is there, and the broker has no reason to think otherwise. */
bool lease_is_sound(struct model *model, const struct lease_seen *lease)
{
    const struct process *process = model->processes[lease->process - 1];
    const struct object *object = &process->object;
    if (!lease->is_open || model->is_stopping || object->has_lost)
        return false;
    if (object->is_persistent)
        return object->copies == (1u << object->added) - 1;
    return process->is_alive && !process->is_killed && process->link != 0 && !process->has_misbehaved;
}

bool lease_may_use(struct model *model, const struct lease_seen *lease, const struct link *link,
                   bool shows_token)
{
    return lease->link == link_index(model, link) || shows_token || (link->rights & RIGHT_BIT_MANAGE) != 0;
}

/* ---- beginnings ---- */

static uint64_t ttl_of(const struct model *model, uint64_t ttl_ms)
{
    return ttl_ms < model->config.max_lease_ttl_ms ? ttl_ms : model->config.max_lease_ttl_ms;
}

static void start_term(struct model *model, struct lease_seen *lease, uint64_t ttl_ms)
{
    lease->ttl_ms = ttl_of(model, ttl_ms);
    lease->wall_ms = model->wall_ms;
    lease->expires_ms = model->now_ms + lease->ttl_ms;
}

/* The same owner and key: there is to be no second lease. */
static void check_key(struct model *model, const struct link *link, const struct request_seen *request)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        const struct lease_seen *other = &model->leases[i];
        REQUIRE(model,
                other->key != request->key || other->owner != link->owner || !lease_is_sound(model, other),
                "a second lease for the same key of owner %zu", link->owner);
    }
}

void lease_new(struct model *model, struct link *link, const struct request_seen *request,
               const PB(SnapshotReply) * reply, size_t number)
{
    struct process *process = model->processes[number - 1];
    REQUIRE(model, model->leases_count < LEASES, "the model has no room for another lease");
    if (request != NULL && request->key != 0)
        check_key(model, link, request);
    struct lease_seen *lease = &model->leases[model->leases_count++];
    (void)snprintf(lease->id, sizeof lease->id, "%s", reply->lease_id);
    (void)snprintf(lease->token, sizeof lease->token, "%s", reply->token);
    lease->link = link_index(model, link);
    lease->owner = link->owner;
    lease->process = number;
    lease->expires_ms = never;
    lease->is_unclear = request == NULL;
    lease->is_open = request != NULL && (process->is_alive || process->object.is_persistent);
    process->object.open_leases += lease->is_open;
    if (request == NULL)
        return;
    lease->key = request->key;
    lease->wish = request->wish;
    lease->is_detached = request->is_detached;
    REQUIRE(model, lease->is_detached || reply->expires_ms == 0, "a lease that expires, and nobody said so");
    if (!lease->is_detached)
        return;
    start_term(model, lease, request->ttl_ms != 0 ? request->ttl_ms : model->config.lease_ttl_ms);
    /* It began when the lease was made; then came the store. */
    uint64_t expires_ms = inside_lease_expires_ms(model, lease->id);
    REQUIRE(model, expires_ms <= lease->expires_ms && expires_ms + STORE_MS >= lease->expires_ms,
            "a lease ends earlier or later than was asked for");
    lease->expires_ms = expires_ms;
}

/* By its job_key. */
void lease_given_again(struct model *model, struct link *link, const struct request_seen *request,
                       struct lease_seen *lease)
{
    lease->link = link_index(model, link);
    REQUIRE(model, lease->owner == link->owner, "a lease of owner %zu is given to owner %zu", lease->owner,
            link->owner);
    if (request == NULL || lease->is_unclear) {
        lease_unclear(model, lease);
        return;
    }
    REQUIRE(model, request->key != 0 && lease->key == request->key, "a lease of another key is given out");
    lease_moors(model, lease, link);
    REQUIRE(model, lease->wish == request->wish, "a lease is given for another wish of the same key");
    REQUIRE(model, !lease->is_gone, "a lease that has ended is given out again");
}

/* ---- ends ---- */

/* As far as its holder is concerned. */
void lease_close(struct model *model, struct lease_seen *lease)
{
    lease->was_open = false;
    if (lease->is_open)
        object_of(model, lease)->open_leases--;
    lease->is_open = false;
}

void lease_unclear(struct model *model, struct lease_seen *lease)
{
    lease_close(model, lease);
    lease->is_unclear = true;
}

static void end_lease(struct model *model, struct lease_seen *lease)
{
    lease_close(model, lease);
    lease->is_gone = true;
}

void lease_finished(struct model *model, struct lease_seen *lease, bool success)
{
    if (!lease->is_gone && success)
        object_of(model, lease)->success = true;
    lease_close(model, lease);
}

void leases_end(struct model *model, const struct link *link)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        struct lease_seen *lease = &model->leases[i];
        if (lease->link != link_index(model, link))
            continue;
        lease->link = 0;
        if (model->is_stopping && model->hands_over) {
            lease_drifts(model, lease);
            continue;
        }
        if (!lease->is_acknowledged && !lease->is_unclear && !lease->is_adrift)
            end_lease(model, lease);
    }
}

void leases_expire(struct model *model)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        struct lease_seen *lease = &model->leases[i];
        if (!lease->is_gone && !lease->is_unclear && !lease->is_adrift &&
            lease->expires_ms <= model->now_ms) {
            model_say(model, "lease %s is over", lease->id);
            end_lease(model, lease);
        }
    }
}

/* From here on anything may come over this connection, also about leases. */
void leases_unclear(struct model *model, const struct link *link)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        struct lease_seen *lease = &model->leases[i];
        bool is_meant = lease->link == link_index(model, link);
        for (size_t j = 0; j < REQUESTS; j++)
            is_meant |= link->requests[j].id != 0 && link->requests[j].lease == i + 1;
        if (is_meant && !lease->is_gone)
            lease_unclear(model, lease);
    }
}

void leases_lost(struct model *model, size_t process)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        if (process == 0 || model->leases[i].process == process)
            lease_close(model, &model->leases[i]);
    }
}

void leases_check(struct model *model, uint32_t count)
{
    uint32_t most = 0;
    most += inside_leases_to_come(model) + model->leases_untold;
    for (size_t i = 0; i < model->leases_count; i++)
        most += !model->leases[i].is_gone;
    REQUIRE(model, count <= most, "there are %u leases, of which %u should have ended", (unsigned)count,
            (unsigned)(count - most));
}

/* ---- requests about them ---- */

void lease_request_delivered(struct model *model, const struct link *link, struct request_seen *request)
{
    struct lease_seen *lease = request->lease != 0 ? &model->leases[request->lease - 1] : NULL;
    if (lease == NULL)
        return;
    request->may_use = lease_may_use(model, lease, link, request->shows_token);
    request->was_gone = lease->is_gone;
    /* The broker may refuse it; but then it has no reason to end the lease, and the client gives it up. */
    if (request->kind == PB_BODY(FINISH_BACKUP) && request->may_use)
        lease_finished(model, lease, request->success);
}

static struct lease_seen *used_lease(struct model *model, const struct link *link,
                                     const struct request_seen *request)
{
    REQUIRE(model, request->lease != 0, "a reply about a lease to somebody who did not name it");
    struct lease_seen *lease = &model->leases[request->lease - 1];
    REQUIRE(model, request->may_use || lease_may_use(model, lease, link, request->shows_token),
            "somebody uses a lease that is not his");
    return lease;
}

void lease_reply_seen(struct model *model, const struct link *link, const struct request_seen *request,
                      const PB(LeaseReply) * reply)
{
    struct lease_seen *lease = used_lease(model, link, request);
    REQUIRE(model, !lease->is_gone, "a lease that has ended is used");
    if (lease->is_adrift)
        model_say(model, "lease %s is found again", lease->id);
    lease_moors(model, lease, link);
    bool is_renewal = request->kind == PB_BODY(RENEW_LEASE);
    REQUIRE(model, strcmp(reply->lease->lease_id, lease->id) == 0, "another lease than the one meant");
    REQUIRE(model, is_renewal == (reply->snapshot == NULL), "AttachLease gives the snapshot, and only it");
    REQUIRE(model, is_renewal || strcmp(reply->snapshot->token, lease->token) == 0,
            "the snapshot of another lease");
    if (lease->is_unclear)
        return;
    REQUIRE(model, lease->is_detached || !is_renewal, "a lease without a term is renewed");
    lease->renewed_ms = model->now_ms;
    lease->is_acknowledged = lease->is_detached;
    if (is_renewal)
        start_term(model, lease, request->ttl_ms != 0 ? request->ttl_ms : lease->ttl_ms);
    REQUIRE(model, !is_renewal || reply->lease->expires_ms == model->told_wall_ms + (int64_t)lease->ttl_ms,
            "the end of a lease is not told as it is");
}

void lease_refused(struct model *model, const struct link *link, const struct request_seen *request,
                   const char *reason)
{
    struct lease_seen *lease = &model->leases[request->lease - 1];
    if (lease->is_unclear)
        return;
    bool is_missing = strcmp(reason, "UNKNOWN_LEASE") == 0 || strcmp(reason, "SNAPSHOT_LOST") == 0 ||
                      strcmp(reason, "ADOPTION_PENDING") == 0;
    REQUIRE(model, !is_missing || !request->may_use || !lease_is_to_be_found(model, lease),
            "a client does not find its lease again: %s", reason);
    if (strcmp(reason, "LEASE_NOT_YOURS") == 0)
        REQUIRE(model, !request->may_use || !lease_may_use(model, lease, link, request->shows_token),
                "a lease is refused to its holder");
    else if (strcmp(reason, "UNKNOWN_LEASE") == 0)
        REQUIRE(model, !lease->is_open, "a lease has vanished");
    else if (strcmp(reason, "SNAPSHOT_LOST") == 0)
        REQUIRE(model, !lease_is_sound(model, lease), "a lease has lost its snapshots, and they are there");
    else if (strcmp(reason, "NOT_DETACHED") == 0)
        REQUIRE(model, !lease->is_detached, "a detached lease cannot be renewed");
    bool is_told = strcmp(reason, "SNAPSHOT_LOST") == 0 && request->kind == PB_BODY(FINISH_BACKUP);
    if (is_told)
        end_lease(model, lease);
}

void leases_listed(struct model *model, const struct link *link, const struct request_seen *request,
                   const PB(LeasesReply) * reply)
{
    unsigned listed = 0, sound = 0;
    for (size_t i = 0; i < reply->n_leases; i++) {
        const struct lease_seen *lease = lease_find_seen(model, reply->leases[i]->lease_id);
        bool is_untold = inside_leases_to_come(model) + model->leases_untold > 0;
        REQUIRE(model, lease != NULL ? !lease->is_gone : is_untold, "a lease is listed that is none");
        if (lease == NULL)
            continue; /* its reply is on the way, or was lost with an earlier service */
        REQUIRE(model, lease->owner == link->owner || request->all_owners,
                "a lease of another owner is listed");
        listed += lease_is_sound(model, lease);
    }
    for (size_t i = 0; i < model->leases_count; i++)
        sound += lease_is_sound(model, &model->leases[i]) &&
                 (model->leases[i].owner == link->owner || request->all_owners);
    REQUIRE(model, listed == sound, "%u leases are not listed", sound - listed);
}

void lease_finish_seen(struct model *model, const struct link *link, const struct request_seen *request)
{
    struct lease_seen *lease = used_lease(model, link, request);
    REQUIRE(model, !request->was_gone, "a lease that has ended is finished");
    end_lease(model, lease);
}

/* ---- snapshots that vanish ---- */

/* VSS deletes one that is read, for lack of room. */
void lease_copy_vanishes(struct model *model)
{
    if (model->is_quiet || model->is_stopping)
        return;
    model_schedule(model, model_between(model, 2000, 60000), EVENT_VANISH, 0, 0);
    for (size_t i = 0; i < model->leases_count; i++) {
        const struct lease_seen *lease = &model->leases[i];
        struct object *object = object_of(model, lease);
        if (!lease_is_sound(model, lease) || model_chance(model, 50))
            continue;
        unsigned which = 1u << model_random(model, object->added);
        object->has_lost = true;
        object->lost |= which;
        object->copies &= ~which;
        model_say(model, "a snapshot of requester %zu vanishes", lease->process);
        model_schedule(model, LOST_WITHIN_MS + 2 * LATE_MS, EVENT_LOST_DUE, lease->process, 0);
        return;
    }
}

void lease_loss_is_due(struct model *model, size_t number)
{
    const struct process *process = model->processes[number - 1];
    if (model->fault_permille > 0 || model->is_stopping)
        return; /* VSS does not answer in time */
    bool is_new = model->now_ms < model->service_ms + SETTLED_MS ||
                  (process->welcome_ms != 0 && model->now_ms < process->welcome_ms + SETTLED_MS);
    if (is_new || process->is_orphan) { /* the service has begun to look only now */
        model_schedule(model, SETTLED_MS, EVENT_LOST_DUE, number, 0);
        return;
    }
    if (process->object.complete_ms != 0 && model->now_ms < process->object.complete_ms + COMPLETION_MS) {
        model_schedule(model, LOST_WITHIN_MS, EVENT_LOST_DUE, number, 0);
        return;
    }
    for (size_t i = 0; i < model->leases_count; i++)
        REQUIRE(model, model->leases[i].process != number || !inside_reads(model, model->leases[i].id),
                "a lease has lost its snapshot, and nobody has noticed");
}
