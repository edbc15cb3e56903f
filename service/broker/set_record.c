/* What is stored of a persistent set, and when: before DoSnapshotSet, so that no crash leaves snapshots that
 * nobody knows of, and again when they exist, before anybody is told of them. */
#include <assert.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/record.h"
#include "service/broker/retention.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

bool set_serves_leases(const struct set *set)
{
    return !set->is_persistent || (set->has_writers && !set_is_copy(set)) || set->has_documents;
}

static PB(Status) * store_failure(struct broker *broker, const char *why)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "STORE_FAILED",
                                     "the record of the snapshot set could not be stored: %s", why);
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    return error_advise(status,
                        "See that the service can write below its registry key, and that the disk of the "
                        "registry is not full.");
}

PB(Snapshot) * set_describe_snapshot(struct set *set, const struct set_volume *volume)
{
    struct arena *arena = &set->broker->arena;
    PB(Snapshot) *snapshot =
        volume->snapshot != NULL ? MESSAGE_COPY(arena, volume->snapshot) : MESSAGE_NEW(arena, snapshot);
    if (snapshot == NULL)
        return NULL;
    snapshot->snapshot_id = volume->snapshot_id;
    snapshot->set_id = set->set_id;
    if (snapshot->volume_guid_path[0] == '\0')
        snapshot->volume_guid_path = volume->guid_path;
    snapshot->volume_names = volume->names;
    snapshot->n_volume_names = volume->names_count;
    if (snapshot->attributes == 0)
        snapshot->attributes = set->context;
    return snapshot;
}

static bool describe(struct set *set, PB(StoredSet) * stored, char *key)
{
    struct broker *broker = set->broker;
    const struct job *first = LIST_FIRST(&set->members, struct job, link);
    const struct connection *connection = first->request.connection;
    stored->set_id = key;
    stored->context = job_context_kind(first->wish);
    stored->owner_sid = text_constant(connection->caller.sid);
    stored->service_sid = text_constant(connection->caller.service_sid);
    stored->process_name = text_constant(connection->caller.process_name);
    stored->client_name = text_constant(connection->client_name);
    stored->purpose = first->wish->purpose;
    stored->created_ms = broker->unix_ms;
    stored->backup_type = set->backup_type;
    stored->snapshots = arena_alloc(&broker->arena, (set->volumes_count + 1) * sizeof(*stored->snapshots));
    for (size_t i = 0; i < set->volumes_count && stored->snapshots != NULL; i++) {
        stored->snapshots[i] = set_describe_snapshot(set, &set->volumes[i]);
        if (stored->snapshots[i] == NULL)
            return false;
        stored->n_snapshots++;
    }
    return stored->snapshots != NULL;
}

static void put(struct set *set)
{
    set->waits_for_store = true;
    if (!record_put(set->record)) {
        set->waits_for_store = false;
        set_fail(set, NULL);
    }
}

void set_record_begin(struct set *set)
{
    PB(StoredSet) stored = SHADOWPIPE__V1__STORED_SET__INIT;
    char made_up[GUID_CHARS];
    char *key = set->set_id;
    if (!text_is_guid(
            key)) { /* the answer to StartSnapshotSet had none; the snapshots' ids are what matters */
        make_guid(set->broker, made_up);
        key = made_up;
    }
    if (!set_is_wanted(set)) { /* one that has left too late to be gone already */
        set_end(set);
        return;
    }
    set->record = describe(set, &stored, key) ? record_create(set->broker, &stored) : NULL;
    if (set->record == NULL) {
        set_fail(set, NULL);
        return;
    }
    set->record->set = set;
    put(set);
}

void set_record_created(struct set *set)
{
    struct record *record = set->record;
    PB(StoredSet) *stored = record->stored;
    for (size_t i = 0; i < set->volumes_count; i++) {
        PB(Snapshot) *snapshot = set_describe_snapshot(set, &set->volumes[i]);
        snapshot = snapshot != NULL ? MESSAGE_COPY(&record->arena, snapshot) : NULL;
        if (snapshot == NULL) {
            set_fail(set, NULL);
            return;
        }
        stored->snapshots[i] = snapshot;
    }
    stored->created = true;
    stored->created_ms = set->created_unix_ms;
    stored->delete_ms = set->keep_ms != 0 ? set->created_unix_ms + (int64_t)set->keep_ms : 0;
    put(set);
}

void set_record_lost(struct set *set, const char *reason)
{
    PB(Status) *status = status_make(&set->broker->arena, PB_CODE(DATA_LOSS), "SNAPSHOT_LOST",
                                     "a snapshot of this set is gone already: %s", reason);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), set->broker->config.freeze_pause_ms);
    set_fail(set, error_advise(status, "See who deletes snapshots on this machine; then ask again."));
}

/* Nobody was told of it: as after a crash, the next start must not take it for somebody's. A failure is
 * logged, and the snapshots are deleted once the set has ended in any case. */
static void disown(struct record *record)
{
    if (record->is_given || !record->stored->created)
        return;
    record->stored->created = false;
    (void)record_put(record);
}

void set_record_given(struct set *set)
{
    struct record *record = set->record;
    if (record == NULL)
        return;
    record->is_given = !list_is_empty(&record->leases);
    disown(record); /* now: its release may take minutes */
}

void set_stored(struct set *set, const char *failure)
{
    if (!set->waits_for_store)
        return;
    set->waits_for_store = false;
    if (set_is_ending(set)) { /* those who wanted it left meanwhile */
        disown(set->record);
        return;
    }
    if (failure != NULL)
        set_fail(set, store_failure(set->broker, failure));
    else if (set->freeze_begun)
        set_hold(set);
    else if (set_is_wanted(set))
        set_run(set, set_steps_freeze);
    else
        set_end(set);
}

void set_leave_record(struct set *set)
{
    struct record *record = set->record;
    if (record == NULL)
        return;
    assert(record->set == set);
    set->record = NULL;
    record->set = NULL;
    if (!set->freeze_begun) {
        record_drop(record);
        return;
    }
    record->is_uncertain = !set->freeze_ended;
    disown(record);
    retention_look(set->broker);
}
