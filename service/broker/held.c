#include "service/broker/held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/requester.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"
#include "service/broker/set_components.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    VALUE_BYTES = 512 * 1024 /* what is larger is not kept: the host reads no more than twice this */
};

static const char set_prefix[] = "set-";
static const char lease_prefix[] = "lease-";

bool held_is_set(const char *key)
{
    return strncmp(key, set_prefix, sizeof set_prefix - 1) == 0;
}

bool held_is_lease(const char *key)
{
    return strncmp(key, lease_prefix, sizeof lease_prefix - 1) == 0;
}

static void make_key(char key[STORE_KEY_MAX + 1], const char *prefix, const char *id)
{
    (void)snprintf(key, STORE_KEY_MAX + 1, "%s%s", prefix, id);
}

static bool put(struct broker *broker, const char *key, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = size <= VALUE_BYTES ? malloc(size) : NULL;
    if (bytes == NULL) {
        broker_log(broker, BROKER_LOG_WARNING, "%s would not survive a restart of the service: %s", key,
                   size <= VALUE_BYTES ? "no memory" : "there is too much to say about it");
        return false;
    }
    protobuf_c_message_pack(message, bytes);
    /* After a failure of power there are no such snapshots, or others know of them. */
    broker->host.store_put(broker->host.context, key, bytes, size, false);
    free(bytes);
    return true;
}

static void drop(struct broker *broker, const char *prefix, const char *id)
{
    char key[STORE_KEY_MAX + 1];
    if (broker->leaves_store)
        return;
    make_key(key, prefix, id);
    broker->host.store_delete(broker->host.context, key);
}

/* ---- leases ---- */

void held_put_lease(struct lease *lease)
{
    struct broker *broker = lease->broker;
    char key[STORE_KEY_MAX + 1];
    PB(HeldLease) held = SHADOWPIPE__V1__HELD_LEASE__INIT;
    PB(SnapshotReply) reply;
    if (broker->config.orphan_grace_ms == 0 || lease_is_lost(lease))
        return;
    held.info = lease->info;
    held.token = lease->token;
    held.service_sid = lease->service_sid;
    held.process_name = lease->process_name;
    held.process_id = lease->process_id;
    held.ttl_ms = lease->ttl_ms;
    held.acknowledged = lease->is_acknowledged;
    held.request = lease->wish;
    if (lease->snapshot_id != NULL)
        held.snapshot_id = lease->snapshot_id;
    if (lease->reply != NULL) {
        reply = *lease->reply;
        reply.n_writers = reply.n_phases = 0;
        held.reply = &reply;
    }
    make_key(key, lease_prefix, lease->id);
    lease->is_stored |= put(broker, key, &held.base);
}

void held_drop_lease_id(struct broker *broker, const char *lease_id)
{
    drop(broker, lease_prefix, lease_id);
}

void held_drop_lease(struct lease *lease)
{
    if (lease->is_stored)
        drop(lease->broker, lease_prefix, lease->id);
    lease->is_stored = false;
}

/* ---- sets ---- */

static bool describe_snapshots(struct set *set, PB(HeldSet) * held)
{
    struct arena *arena = &set->broker->arena;
    held->snapshots = arena_alloc(arena, (set->volumes_count + 1) * sizeof(*held->snapshots));
    for (size_t i = 0; i < set->volumes_count && held->snapshots != NULL; i++) {
        if (set->volumes[i].snapshot_id == NULL) /* a refused one */
            continue;
        held->snapshots[held->n_snapshots] = set_describe_snapshot(set, &set->volumes[i]);
        if (held->snapshots[held->n_snapshots++] == NULL)
            return false;
    }
    return held->snapshots != NULL;
}

static bool describe_writers(struct set *set, PB(HeldSet) * held)
{
    struct arena *arena = &set->broker->arena;
    held->writers = arena_alloc(arena, (set->writers.count + 1) * sizeof(*held->writers));
    for (size_t i = 0; i < set->writers.count && held->writers != NULL; i++) {
        const PB(WriterStatus) *writer = set->writers.items[i];
        PB(HeldWriter) *out = MESSAGE_NEW(arena, held_writer);
        if (out == NULL)
            return false;
        out->writer_id = writer->writer_id;
        out->instance_id = writer->instance_id;
        out->name = writer->name;
        out->takes_part = set_writer_takes_part(set, writer);
        held->writers[held->n_writers++] = out;
    }
    return held->writers != NULL;
}

static bool describe_components(struct set *set, PB(HeldSet) * held)
{
    struct arena *arena = &set->broker->arena;
    const struct selection *selection = set->selection;
    held->by_component = selection != NULL;
    if (selection == NULL)
        return true;
    held->components = arena_alloc(arena, (selection->all.count + 1) * sizeof(*held->components));
    for (size_t i = 0; i < selection->all.count && held->components != NULL; i++) {
        const struct part_ref ref = selection->all.items[i];
        const struct chosen_part *part = selection_part(selection, ref);
        PB(HeldComponent) *out = MESSAGE_NEW(arena, held_component);
        PB(Component) *declared = MESSAGE_NEW(arena, component);
        if (out == NULL || declared == NULL)
            return false;
        *declared = component_without_lists(part->declared);
        out->writer = ref.writer;
        out->component = declared;
        out->part_of_another = part->state != PART_EXPLICIT;
        out->stored = (PB(BackupComponent) *)(uintptr_t)part->stored;
        held->components[held->n_components++] = out;
    }
    return held->components != NULL;
}

static bool put_set(struct set *set, char key[STORE_KEY_MAX + 1])
{
    struct broker *broker = set->broker;
    struct requester *requester = set->requester;
    PB(HeldSet) held = SHADOWPIPE__V1__HELD_SET__INIT;
    held.set_id = set->set_id;
    held.process_id = requester->process_id;
    held.process_started = requester->started;
    held.secret = (ProtobufCBinaryData){sizeof requester->secret, requester->secret};
    held.context = set->context;
    held.backup_type = set->backup_type;
    held.created_ms = set->created_unix_ms;
    if (set_completes_by_itself(set))
        held.complete_ms = broker->unix_ms + (int64_t)set->complete_within_ms;
    held.with_documents = set->has_documents;
    held.all_documents = set->all_documents;
    held.documents = set->documents.items;
    held.n_documents = set->documents.count;
    if (!describe_snapshots(set, &held) || !describe_writers(set, &held) ||
        !describe_components(set, &held)) {
        broker_log(broker, BROKER_LOG_WARNING, "set %s would not survive a restart of the service: no memory",
                   set->set_id);
        return false;
    }
    make_key(key, set_prefix, set->set_id);
    set->is_kept = put(broker, key, &held.base);
    return set->is_kept;
}

bool held_await(struct set *set)
{
    struct broker *broker = set->broker;
    set->awaited_key[0] = '\0';
    if (broker->config.orphan_grace_ms == 0 || broker->stopping || !text_is_guid(set->set_id))
        return false;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job->lease == NULL)
            continue;
        if (!job->lease->is_stored)
            held_put_lease(job->lease);
        if (job->lease->is_stored)
            make_key(set->awaited_key, lease_prefix, job->lease->id);
    }
    /* The store answers in order: what comes last is awaited. */
    char key[STORE_KEY_MAX + 1];
    if (set->awaited_key[0] != '\0' && !set->is_kept && set_serves_leases(set) && put_set(set, key))
        memcpy(set->awaited_key, key, sizeof key);
    return set->awaited_key[0] != '\0';
}

void held_end(struct set *set)
{
    if (set->is_kept)
        drop(set->broker, set_prefix, set->set_id);
    set->is_kept = false;
}

bool held_stored(struct broker *broker, const char *key, const char *failure)
{
    if (!held_is_set(key) && !held_is_lease(key))
        return false;
    if (failure != NULL)
        broker_log(broker, BROKER_LOG_WARNING, "%s would not survive a restart of the service: %s", key,
                   failure);
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (set->awaited_key[0] != '\0' && strcmp(set->awaited_key, key) == 0) {
            set->awaited_key[0] = '\0';
            set_kept(set);
            break;
        }
    }
    return true;
}
