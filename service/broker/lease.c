#include "service/broker/lease.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/adoption.h"
#include "service/broker/error.h"
#include "service/broker/held.h"
#include "service/broker/job.h"
#include "service/broker/lease_check.h"
#include "service/broker/lease_documents.h"
#include "service/broker/lease_term.h"
#include "service/broker/lease_watch.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/outcome.h"
#include "service/broker/record.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"

enum {
    ARENA_BYTES = 16 * 1024 * 1024
};

static void lease_free(struct lease *lease)
{
    if (lease->info != NULL)
        watch_lease_ended(lease);
    lease_watch_ended(lease);
    held_drop_lease(lease);
    if (lease->job != NULL)
        lease->job->lease = NULL;
    list_remove(&lease->link);
    list_remove(&lease->set_link);
    list_remove(&lease->record_link);
    list_remove(&lease->connection_link);
    timer_stop(&lease->term);
    owner_release(lease->owner);
    arena_free(&lease->arena);
    free(lease);
}

/* Room for the names of `count` volumes, which are added one by one. */
static bool fill_info(struct lease *lease, const char *set_id, const char *purpose, size_t count)
{
    struct arena *arena = &lease->arena;
    const struct connection *connection = lease->connection;
    PB(LeaseInfo) *info = MESSAGE_NEW(arena, lease_info);
    if (info == NULL)
        return false;
    info->lease_id = lease->id;
    info->set_id = arena_strdup(arena, set_id);
    info->owner_sid = arena_strdup(arena, connection->caller.sid);
    info->client_name = arena_strdup(arena, connection->client_name);
    info->purpose = arena_strdup(arena, purpose);
    info->created_ms = lease->created_unix_ms;
    info->volumes = arena_alloc(arena, count * sizeof *info->volumes);
    if (info->set_id == NULL || info->owner_sid == NULL || info->client_name == NULL ||
        info->purpose == NULL || info->volumes == NULL)
        return false;
    lease->info = info;
    return true;
}

static bool add_volume(struct lease *lease, char *const *names, size_t names_count, const char *guid_path)
{
    char *name = arena_strdup(&lease->arena, names_count > 0 ? names[0] : guid_path);
    if (name == NULL)
        return false;
    lease->info->volumes[lease->info->n_volumes++] = name;
    return true;
}

static struct lease *lease_alloc(struct broker *broker)
{
    struct lease *lease = calloc(1, sizeof *lease);
    if (lease == NULL)
        return NULL;
    lease->broker = broker;
    arena_init(&lease->arena, ARENA_BYTES);
    list_init(&lease->set_link);
    list_init(&lease->record_link);
    list_init(&lease->connection_link);
    lease_term_init(lease);
    list_append(&broker->leases, &lease->link);
    lease_check_begin(broker);
    return lease;
}

/* NULL without memory. */
static struct lease *lease_new(struct connection *connection, int64_t created_unix_ms)
{
    struct broker *broker = connection->broker;
    struct lease *lease = lease_alloc(broker);
    if (lease == NULL)
        return NULL;
    lease->connection = connection;
    lease->process_id = connection->caller.process_id;
    lease->owner = owner_share(connection->owner);
    lease->created_unix_ms = created_unix_ms;
    make_guid(broker, lease->id);
    make_token(broker, lease->token);
    list_append(&connection->leases, &lease->connection_link);
    lease->service_sid = arena_strdup(&lease->arena, connection->caller.service_sid);
    lease->process_name = arena_strdup(&lease->arena, connection->caller.process_name);
    if (lease->service_sid != NULL && lease->process_name != NULL)
        return lease;
    lease_free(lease);
    return NULL;
}

/* NULL without memory. */
static struct owner *find_owner(struct lease *lease)
{
    struct caller caller = {.process_id = lease->process_id};
    (void)snprintf(caller.sid, sizeof caller.sid, "%s", lease->info->owner_sid);
    (void)snprintf(caller.service_sid, sizeof caller.service_sid, "%s", lease->service_sid);
    (void)snprintf(caller.process_name, sizeof caller.process_name, "%s", lease->process_name);
    return owner_get(lease->broker, &caller);
}

struct lease *lease_adopt(struct broker *broker, const PB(HeldLease) * held)
{
    struct lease *lease = lease_alloc(broker);
    PB(HeldLease) *kept = lease != NULL ? MESSAGE_COPY(&lease->arena, held) : NULL;
    if (lease == NULL)
        return NULL;
    lease->is_stored = true;
    if (kept == NULL) {
        broker_log(broker, BROKER_LOG_ERROR, "there is no memory for lease %s, which ends",
                   held->info->lease_id);
        lease_free(lease);
        return NULL;
    }
    lease->info = kept->info;
    lease->service_sid = kept->service_sid;
    lease->process_name = kept->process_name;
    lease->process_id = kept->process_id;
    lease->created_unix_ms = kept->info->created_ms;
    lease->reply = kept->reply;
    lease->wish = kept->request;
    lease->ttl_ms = kept->ttl_ms;
    lease->is_acknowledged = kept->acknowledged;
    if (kept->snapshot_id[0] != '\0')
        lease->snapshot_id = kept->snapshot_id;
    memcpy(lease->id, kept->info->lease_id, sizeof lease->id);
    memcpy(lease->token, kept->token, sizeof lease->token);
    lease->owner = find_owner(lease);
    if (lease->owner == NULL) {
        lease_free(lease);
        return NULL;
    }
    lease_term_resume(lease);
    return lease;
}

struct lease *lease_create(struct job *job)
{
    struct set *set = job->set;
    struct lease *lease = lease_new(job->request.connection, set->created_unix_ms);
    if (lease == NULL)
        return NULL;
    bool is_filled = fill_info(lease, set->set_id, job->wish->purpose, job->volumes_count);
    for (size_t i = 0; is_filled && i < job->volumes_count; i++) {
        const struct job_volume *volume = &job->volumes[i];
        is_filled = add_volume(lease, volume->names, volume->names_count, volume->guid_path);
    }
    if (is_filled && job->wish->job_key[0] != '\0') {
        lease->wish = MESSAGE_COPY(&lease->arena, job->wish);
        is_filled = lease->wish != NULL;
    }
    if (!is_filled) {
        lease_free(lease);
        return NULL;
    }
    lease->job = job;
    lease->info->persistent = set->is_persistent;
    lease_term_begin(lease, job->wish->lease);
    lease->set = set_serves_leases(set) ? set : NULL;
    lease->record = set->record;
    if (lease->set != NULL)
        list_append(&set->leases, &lease->set_link);
    if (lease->record != NULL)
        list_append(&lease->record->leases, &lease->record_link);
    watch_lease(lease);
    return lease;
}

struct lease *lease_attach(struct connection *connection, const PB(Snapshot) * snapshot,
                           const PB(AttachSnapshot) * wish)
{
    struct lease *lease = lease_new(connection, connection->broker->unix_ms);
    if (lease == NULL)
        return NULL;
    lease->attached_ms = connection->broker->now_ms;
    lease->snapshot_id = arena_strdup(&lease->arena, snapshot->snapshot_id);
    if (lease->snapshot_id == NULL || !fill_info(lease, snapshot->set_id, wish->purpose, 1) ||
        !add_volume(lease, snapshot->volume_names, snapshot->n_volume_names, snapshot->volume_guid_path)) {
        lease_free(lease);
        return NULL;
    }
    lease->info->persistent = (snapshot->attributes & ATTRIBUTES_PERSISTENT) != 0;
    lease_term_begin(lease, wish->lease);
    watch_lease(lease);
    return lease;
}

bool lease_keep_reply(struct lease *lease, const PB(SnapshotReply) * reply)
{
    lease->reply = MESSAGE_COPY(&lease->arena, reply);
    return lease->reply != NULL;
}

void lease_bind(struct lease *lease, struct connection *connection)
{
    list_remove(&lease->connection_link);
    list_append(&connection->leases, &lease->connection_link);
    lease->connection = connection;
    lease->process_id = connection->caller.process_id;
    if (lease->awaits_client)
        lease_term_came_back(lease);
}

void lease_discard(struct lease *lease)
{
    lease_free(lease);
}

/* ---- ends ---- */

bool lease_is_lost(const struct lease *lease)
{
    return lease->set == NULL && lease->record == NULL && lease->snapshot_id == NULL;
}

void lease_end(struct lease *lease)
{
    struct set *set = lease->set;
    struct record *record = lease->record;
    lease_free(lease);
    if (set != NULL)
        set_lease_ended(set);
    if (record != NULL)
        record_lease_ended(record);
}

void leases_abandon(struct connection *connection)
{
    while (!list_is_empty(&connection->leases)) {
        struct lease *lease = LIST_FIRST(&connection->leases, struct lease, connection_link);
        if (lease->is_acknowledged || lease->broker->leaves_store) {
            list_remove(&lease->connection_link);
            lease->connection = NULL;
            continue;
        }
        broker_log(lease->broker, BROKER_LOG_INFO, "lease %s of %s ends with its connection", lease->id,
                   lease->info->client_name);
        lease_end(lease);
    }
}

void lease_lose(struct lease *lease, const char *reason)
{
    held_drop_lease(lease);
    list_remove(&lease->set_link);
    list_remove(&lease->record_link);
    lease->set = NULL;
    lease->record = NULL;
    lease->snapshot_id = NULL;
    lease->lost_reason = arena_strdup(&lease->arena, reason);
    broker_log(lease->broker, BROKER_LOG_ERROR, "lease %s of %s lost its snapshots: %s", lease->id,
               lease->info->client_name, reason);
    lease_watch_tell(lease, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_LOST));
}

void leases_forget_lost(struct broker *broker)
{
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        if (lease_is_lost(lease))
            lease_free(lease);
    }
}

void leases_lose(struct set *set, const char *reason)
{
    while (!list_is_empty(&set->leases)) {
        struct lease *lease = LIST_FIRST(&set->leases, struct lease, set_link);
        list_remove(&lease->set_link);
        lease->set = NULL;
        if (lease_is_lost(lease)) /* persistent snapshots can be read all the same */
            lease_lose(lease, reason);
    }
    for (size_t i = 0; i < set->volumes_count && !set->is_persistent; i++) {
        if (set->volumes[i].snapshot_id != NULL)
            leases_lose_snapshot(set->broker, set->volumes[i].snapshot_id, reason);
    }
}

void leases_lose_snapshot(struct broker *broker, const char *snapshot_id, const char *reason)
{
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        if (lease->snapshot_id != NULL && text_equal(lease->snapshot_id, snapshot_id))
            lease_lose(lease, reason);
    }
}

static bool is_among(PB(Snapshot) *const *snapshots, size_t count, const char *snapshot_id)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(snapshots[i]->snapshot_id, snapshot_id))
            return true;
    }
    return false;
}

void leases_compare(struct broker *broker, PB(Snapshot) *const *snapshots, size_t count, uint64_t asked_ms)
{
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        /* One that is younger than the question need not be in the answer. */
        if (lease->snapshot_id != NULL && lease->attached_ms < asked_ms &&
            !is_among(snapshots, count, lease->snapshot_id))
            lease_lose(lease, "VSS has the snapshot no more");
    }
}

void leases_lose_record(struct record *record, const char *reason)
{
    while (!list_is_empty(&record->leases)) {
        struct lease *lease = LIST_FIRST(&record->leases, struct lease, record_link);
        struct set *set = lease->set;
        lease_lose(lease, reason);
        if (set != NULL)
            set_lease_ended(set);
    }
}

void leases_free(struct broker *broker)
{
    while (!list_is_empty(&broker->leases))
        lease_free(LIST_FIRST(&broker->leases, struct lease, link));
}

/* ---- which lease is meant ---- */

bool tokens_equal(const char *one, const char *other)
{
    unsigned char difference = 0;
    if (strlen(other) != TOKEN_CHARS - 1)
        return false;
    for (size_t i = 0; i < TOKEN_CHARS - 1; i++)
        difference |= (unsigned char)(one[i] ^ other[i]);
    return difference == 0;
}

static struct lease *find_by_id(struct broker *broker, const char *id)
{
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        if (text_equal(lease->id, id))
            return lease;
    }
    return NULL;
}

struct lease *lease_find(struct connection *connection, const char *id, const char *token,
                         PB(Status) * *status)
{
    struct broker *broker = connection->broker;
    struct lease *lease = find_by_id(broker, id);
    if (lease == NULL) {
        *status = error_advise(
            status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE", "there is no such lease"),
            "It has ended, or its id is wrong; see the list of leases.");
        return NULL;
    }
    bool may = lease->connection == connection || tokens_equal(lease->token, token) ||
               (connection->caller.rights & RIGHT_BIT_MANAGE) != 0;
    if (!may) {
        *status =
            error_advise(status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "LEASE_NOT_YOURS",
                                     "the lease belongs to another connection, and the token is not its"),
                         "Give the lease's token, or use the connection that made it.");
        return NULL;
    }
    if (lease_is_lost(lease)) {
        *status = error_advise(status_make(&broker->arena, PB_CODE(DATA_LOSS), "SNAPSHOT_LOST",
                                           "the snapshots of this lease are gone: %s",
                                           lease->lost_reason != NULL ? lease->lost_reason : "no memory"),
                               "What was read after the loss is not part of the snapshot: back up again.");
        return NULL;
    }
    *status = adoption_pending(lease);
    return *status == NULL ? lease : NULL;
}

PB(Status) *
    lease_check_finish(struct connection *connection, const PB(FinishBackup) * finish, struct lease **lease)
{
    struct broker *broker = connection->broker;
    PB(Status) *status = NULL;
    if (finish->outcome == PB_VALUE(OUTCOME, OUTCOME_UNSPECIFIED)) {
        status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_OUTCOME",
                             "FinishBackup has to say whether the backup succeeded");
        return error_field(error_advise(status, "Set outcome to SUCCEEDED or FAILED."),
                           "finish_backup.outcome");
    }
    *lease = lease_find(connection, finish->lease_id, finish->token, &status);
    if (*lease != NULL)
        return outcome_check(broker, (*lease)->set, finish);
    struct lease *lost = find_by_id(broker, finish->lease_id);
    if (status != NULL && lost != NULL && strcmp(status->reason, "SNAPSHOT_LOST") == 0)
        lease_free(lost); /* its holder has been told */
    return status;
}

/* ---- ListLeases ---- */

void leases_list(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    PB(LeasesReply) reply = SHADOWPIPE__V1__LEASES_REPLY__INIT;
    reply.leases = arena_alloc(&broker->arena, (list_count(&broker->leases) + 1) * sizeof(*reply.leases));
    if (reply.leases == NULL) {
        fail_now(connection, envelope->id, NULL);
        return;
    }
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        bool is_shown = lease->owner == connection->owner || envelope->list_leases->all_owners;
        if (is_shown && !lease_is_lost(lease))
            reply.leases[reply.n_leases++] = lease->info;
    }
    PB(Envelope) answer_envelope = ENVELOPE(LEASES_REPLY, .leases_reply = &reply);
    reply_now(connection, envelope->id, &answer_envelope);
}
