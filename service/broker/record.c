#include "service/broker/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/adoption.h"
#include "service/broker/error.h"
#include "service/broker/held.h"
#include "service/broker/lease.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/retention.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    ARENA_BYTES = 4 * 1024 * 1024
};

/* ---- the table ---- */

static struct record *record_new(struct broker *broker)
{
    struct record *record = calloc(1, sizeof *record);
    if (record == NULL)
        return NULL;
    record->broker = broker;
    list_init(&record->leases);
    arena_init(&record->arena, ARENA_BYTES);
    list_append(&broker->records, &record->link);
    return record;
}

static void record_free(struct record *record)
{
    assert(list_is_empty(&record->leases));
    if (record->set != NULL)
        record->set->record = NULL;
    list_remove(&record->link);
    arena_free(&record->arena);
    free(record);
}

struct record *record_find_set(struct broker *broker, const char *set_id)
{
    LIST_EACH(struct record, record, &broker->records, link)
    {
        if (text_equal(record->stored->set_id, set_id))
            return record;
    }
    return NULL;
}

static bool has_snapshot(const struct record *record, const char *snapshot_id)
{
    for (size_t i = 0; i < record->stored->n_snapshots; i++) {
        if (text_equal(record->stored->snapshots[i]->snapshot_id, snapshot_id))
            return true;
    }
    return false;
}

struct record *record_find_snapshot(struct broker *broker, const char *snapshot_id)
{
    LIST_EACH(struct record, record, &broker->records, link)
    {
        if (has_snapshot(record, snapshot_id))
            return record;
    }
    return NULL;
}

bool record_is_owned_by(const struct record *record, const struct caller *caller)
{
    const PB(StoredSet) *stored = record->stored;
    if (strcmp(stored->owner_sid, caller->sid) != 0 || strcmp(stored->service_sid, caller->service_sid) != 0)
        return false;
    return !caller_shares_account(caller) || text_equal(stored->process_name, caller->process_name);
}

void records_free(struct broker *broker)
{
    while (!list_is_empty(&broker->records))
        record_free(LIST_FIRST(&broker->records, struct record, link));
}

/* ---- the store ---- */

struct record *record_create(struct broker *broker, const PB(StoredSet) * what)
{
    struct record *record = record_new(broker);
    if (record == NULL)
        return NULL;
    record->stored = MESSAGE_COPY(&record->arena, what);
    if (record->stored != NULL)
        return record;
    record_free(record);
    return NULL;
}

bool record_put(struct record *record)
{
    struct broker *broker = record->broker;
    size_t size = shadowpipe__v1__stored_set__get_packed_size(record->stored);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return false;
    shadowpipe__v1__stored_set__pack(record->stored, bytes);
    record->writes++;
    broker->host.store_put(broker->host.context, record->stored->set_id, bytes, size, true);
    free(bytes);
    return true;
}

static void put_or_log(struct record *record)
{
    if (!record_put(record))
        broker_log(record->broker, BROKER_LOG_ERROR,
                   "the record of snapshot set %s could not be stored: no memory", record->stored->set_id);
}

void record_lease_ended(struct record *record)
{
    if (list_is_empty(&record->leases))
        retention_look(record->broker); /* it may be due */
}

void record_note_finish(struct record *record, const PB(FinishReply) * reply, const PB(Status) * failure)
{
    if (record->finished != NULL || record->finish_failure != NULL)
        return;
    if (failure == NULL)
        record->finished = MESSAGE_COPY(&record->arena, reply);
    else
        record->finish_failure = MESSAGE_COPY(&record->arena, failure);
    if (record->finished == NULL && record->finish_failure == NULL)
        record->finish_failure = error_no_memory();
    if (failure == NULL && record->is_given) {
        record->stored->completion = reply->completion;
        put_or_log(record);
    }
}

void record_drop(struct record *record)
{
    struct broker *broker = record->broker;
    broker->host.store_delete(broker->host.context, record->stored->set_id);
    record_free(record);
    broker->is_dirty = true;
}

void broker_stored(struct broker *broker, const char *key, const char *failure)
{
    broker_begin(broker);
    bool is_held = held_stored(broker, key, failure);
    struct record *record = is_held ? NULL : record_find_set(broker, key);
    if (failure != NULL && !is_held)
        broker_log(broker, BROKER_LOG_ERROR, "the record of snapshot set %s could not be stored: %s", key,
                   failure);
    if (record != NULL && record->writes > 0 && --record->writes == 0 && record->set != NULL)
        set_stored(record->set, failure);
    broker_settle(broker);
}

static bool is_bare_guid(const char *text)
{
    return text_is_guid(text) && text[0] != '{';
}

/* Why the bytes are no record of this key; NULL if they are one. */
static const char *damage(const PB(StoredSet) * stored, const char *key)
{
    if (!is_bare_guid(stored->set_id) || !text_equal(stored->set_id, key))
        return "it is about another set";
    if (stored->n_snapshots == 0)
        return "it names no snapshot";
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        if (!is_bare_guid(stored->snapshots[i]->snapshot_id))
            return "a snapshot in it has no id";
    }
    return NULL;
}

void broker_add_stored(struct broker *broker, const char *key, const uint8_t *bytes, size_t size)
{
    struct decode_error error;
    const char *why = NULL;
    struct record *record = NULL;
    if (held_is_set(key) || held_is_lease(key)) {
        adoption_add(broker, key, bytes, size);
        return;
    }
    if (!decode_check(&shadowpipe__v1__stored_set__descriptor, bytes, size, DECODE_LENIENT, &error))
        why = error.message;
    else if ((record = record_new(broker)) == NULL)
        why = "there is no memory";
    if (record != NULL) {
        record->stored = shadowpipe__v1__stored_set__unpack(&record->arena.allocator, size, bytes);
        why = record->stored == NULL ? "there is no memory" : damage(record->stored, key);
    }
    if (why == NULL) {
        record->is_given = record->stored->created;
        record->is_uncertain = !record->stored->created;
        record->is_unchecked = true;
        retention_reconcile(broker);
        return;
    }
    if (record != NULL)
        record_free(record);
    broker_log(broker, BROKER_LOG_WARNING, "the stored record %s cannot be used, and is left alone: %s", key,
               why);
}

/* ---- what becomes of the snapshots ---- */

static void forget_snapshot(struct record *record, const char *snapshot_id)
{
    PB(StoredSet) *stored = record->stored;
    size_t kept = 0;
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        if (!text_equal(stored->snapshots[i]->snapshot_id, snapshot_id))
            stored->snapshots[kept++] = stored->snapshots[i];
    }
    stored->n_snapshots = kept;
}

void record_deleted(struct broker *broker, const char *snapshot_id, const char *reason)
{
    struct record *record = record_find_snapshot(broker, snapshot_id);
    if (record == NULL)
        return;
    if (record->set != NULL && !record->is_given)
        set_record_lost(record->set, reason);
    leases_lose_record(record, reason);
    forget_snapshot(record, snapshot_id);
    if (record->stored->n_snapshots == 0)
        record_drop(record);
    else
        put_or_log(record);
}
