/* The answer to a CreateSnapshot: what exists, how to read it, and how it came about. */
#include <string.h>

#include "service/broker/job.h"
#include "service/broker/lease.h"
#include "service/broker/message.h"
#include "service/broker/room.h"
#include "service/broker/set_components.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"

static PB(Snapshot) * make_snapshot(struct arena *arena, const struct set_volume *volume)
{
    PB(Snapshot) *snapshot = MESSAGE_COPY(arena, volume->snapshot);
    if (snapshot == NULL)
        return NULL;
    snapshot->volume_names = volume->names;
    snapshot->n_volume_names = volume->names_count;
    if (snapshot->snapshot_id[0] == '\0')
        snapshot->snapshot_id = volume->snapshot_id;
    if (snapshot->volume_guid_path[0] == '\0')
        snapshot->volume_guid_path = volume->guid_path;
    if (snapshot->device[0] == '\0') /* a copy that no machine has yet */
        return snapshot;
    snapshot->device_root = text_format(arena, "%s\\", snapshot->device);
    return snapshot->device_root != NULL ? snapshot : NULL;
}

static PB(PathMapping) *
    make_mapping(struct arena *arena, const char *original, const PB(Snapshot) * snapshot)
{
    PB(PathMapping) *mapping = MESSAGE_NEW(arena, path_mapping);
    if (mapping == NULL)
        return NULL;
    mapping->original = text_constant(original);
    mapping->shadow = snapshot->device_root;
    return mapping;
}

static size_t count_mappings(const struct job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < job->volumes_count; i++)
        count += job->volumes[i].names_count > 0 ? job->volumes[i].names_count : 1;
    return count;
}

/* What there would be. */
static bool add_planned_volumes(struct job *job, PB(SnapshotReply) * reply)
{
    struct arena *arena = &job->request.broker->arena;
    reply->volumes = arena_alloc(arena, job->volumes_count * sizeof(*reply->volumes));
    for (size_t i = 0; i < job->volumes_count && reply->volumes != NULL; i++) {
        const struct set_volume *volume = set_find_volume(job->set, job->volumes[i].guid_path);
        PB(Snapshot) *snapshot = volume != NULL ? MESSAGE_NEW(arena, snapshot) : NULL;
        if (snapshot == NULL)
            return false;
        snapshot->volume_guid_path = volume->guid_path;
        snapshot->volume_names = volume->names;
        snapshot->n_volume_names = volume->names_count;
        snapshot->provider_id = volume->provider_id;
        reply->volumes[reply->n_volumes++] = snapshot;
    }
    return reply->volumes != NULL;
}

static bool add_volumes(struct job *job, PB(SnapshotReply) * reply)
{
    struct arena *arena = &job->request.broker->arena;
    reply->volumes = arena_alloc(arena, job->volumes_count * sizeof(*reply->volumes));
    reply->map = arena_alloc(arena, count_mappings(job) * sizeof(*reply->map));
    if (reply->volumes == NULL || reply->map == NULL)
        return false;
    for (size_t i = 0; i < job->volumes_count; i++) {
        const struct job_volume *wanted = &job->volumes[i];
        const struct set_volume *volume = set_find_volume(job->set, wanted->guid_path);
        PB(Snapshot) *snapshot = volume != NULL ? make_snapshot(arena, volume) : NULL;
        if (snapshot == NULL)
            return false;
        reply->volumes[reply->n_volumes++] = snapshot;
        for (size_t j = 0; snapshot->device[0] != '\0' && (j < wanted->names_count || j == 0); j++) {
            const char *original = wanted->names_count > 0 ? wanted->names[j] : wanted->guid_path;
            reply->map[reply->n_map] = make_mapping(arena, original, snapshot);
            if (reply->map[reply->n_map] == NULL)
                return false;
            reply->n_map++;
        }
    }
    return true;
}

static PB(PhaseTiming) *
    make_timing(struct arena *arena, PB(Phase) phase, uint64_t start_ms, uint64_t end_ms, uint64_t arrived_ms)
{
    PB(PhaseTiming) *timing = MESSAGE_NEW(arena, phase_timing);
    if (timing == NULL)
        return NULL;
    timing->phase = phase;
    timing->start_ms = start_ms > arrived_ms ? (uint32_t)(start_ms - arrived_ms) : 0;
    timing->duration_ms = (uint32_t)(end_ms - start_ms);
    return timing;
}

static bool add_phases(struct job *job, PB(SnapshotReply) * reply)
{
    struct arena *arena = &job->request.broker->arena;
    const struct set *set = job->set;
    uint64_t arrived_ms = job->request.arrived_ms;
    reply->phases = arena_alloc(arena, (set->times_count + 1) * sizeof(*reply->phases));
    if (reply->phases == NULL)
        return false;
    reply->phases[reply->n_phases++] =
        make_timing(arena, PB_PHASE(QUEUED), arrived_ms, job->queued_end_ms, arrived_ms);
    for (size_t i = 0; i < set->times_count; i++) {
        const struct phase_time *time = &set->times[i];
        reply->phases[reply->n_phases++] =
            make_timing(arena, time->phase, time->start_ms, time->end_ms, arrived_ms);
    }
    for (size_t i = 0; i < reply->n_phases; i++) {
        if (reply->phases[i] == NULL)
            return false;
    }
    return true;
}

static PB(Consistency) judge_consistency(const struct job *job)
{
    const struct set *set = job->set;
    if (!set->has_writers)
        return PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH);
    if (job->wish->n_writers_excluded > 0 || job->left_out_count > 0)
        return PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL);
    for (size_t i = 0; i < set->statuses.count; i++) {
        if (set->statuses.items[i]->failed && set_writer_takes_part(set, set->statuses.items[i]))
            return PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL);
    }
    return PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION);
}

PB(SnapshotReply) * job_reply(struct job *job, const struct lease *lease)
{
    struct broker *broker = job->request.broker;
    struct set *set = job->set;
    PB(SnapshotReply) *reply = MESSAGE_NEW(&broker->arena, snapshot_reply);
    if (reply == NULL || !(set->is_dry ? add_planned_volumes(job, reply) : add_volumes(job, reply)) ||
        !add_phases(job, reply) || !room_report(job, reply))
        return NULL;
    if (lease != NULL) {
        reply->lease_id = text_constant(lease->id);
        reply->token = text_constant(lease->token);
        reply->expires_ms = lease->info->expires_ms;
        reply->set_id = set->set_id;
        reply->created_ms = set->created_unix_ms;
    }
    reply->shared = set->is_shared;
    reply->consistency = judge_consistency(job);
    reply->context = job_context_kind(job->wish);
    reply->uncovered = job->uncovered;
    reply->n_uncovered = job->uncovered_count;
    reply->writers = set->statuses.items;
    reply->n_writers = set->statuses.count;
    reply->documents = set->documents.items;
    reply->n_documents = set->documents.count;
    reply->components = set->selection != NULL ? (uint32_t)set->selection->all.count : 0;
    reply->attempts = set->attempt;
    reply->warnings = job->warnings;
    reply->n_warnings = job->warnings_count;
    reply->simulated = broker->simulated;
    return reply;
}
