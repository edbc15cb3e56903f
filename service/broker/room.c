#include "service/broker/room.h"

#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/set_volumes.h"
#include "service/broker/share.h"
#include "service/broker/state.h"

enum {
    SNAPSHOTS_MAX = 512, /* of one volume, by the system provider */
    SNAPSHOTS_LEFT_WARNING = 8,
    PER_CENT_WARNING = 90,
    CLIENT_ACCESSIBLE = 0x4, /* VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE */
    MIB = 1024 * 1024,
    AREA_MIB = 320 /* VSS wants so much free for the first copy of a volume of usual size */
};

static const uint32_t maximum_reached = 0x80042317u; /* VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED */
static const char system_provider[] = "b5946137-7b9f-4925-af80-51abd60b20d5";

/* Other providers keep copies elsewhere and count by rules of their own. */
static bool is_judged(const struct set_volume *volume)
{
    return volume->supported &&
           (volume->provider_id[0] == '\0' || text_equal(volume->provider_id, system_provider));
}

/* ---- what is told ---- */

bool room_counted(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    set->is_counted = reply->out_case == PB_OUT(COUNT_SNAPSHOTS) && (reply->hresult & 0x80000000u) == 0;
    if (!set->is_counted)
        return true;
    for (size_t i = 0; i < reply->count_snapshots->n_volumes; i++) {
        const PB(SnapshotCount) *count = reply->count_snapshots->volumes[i];
        struct set_volume *volume = set_find_volume(set, count->volume_guid_path);
        if (volume == NULL)
            continue;
        volume->snapshots = count->snapshots;
        volume->client_accessible = count->client_accessible;
    }
    return true;
}

bool room_area_told(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    if (reply->out_case != PB_OUT(QUERY_DIFF_AREAS) || (reply->hresult & 0x80000000u) != 0)
        return true;
    set->volumes[index].areas = MESSAGE_COPY(&set->arena, reply->query_diff_areas);
    return set->volumes[index].areas != NULL || set_no_memory(set);
}

/* ---- what it means ---- */

static bool is_client_accessible(const struct set *set)
{
    return (set->context & CLIENT_ACCESSIBLE) != 0;
}

static uint32_t most(const struct set *set)
{
    return is_client_accessible(set) ? set->broker->config.max_client_accessible : SNAPSHOTS_MAX;
}

static uint32_t present(const struct set *set, const struct set_volume *volume)
{
    return is_client_accessible(set) ? volume->client_accessible : volume->snapshots;
}

static PB(Status) * too_many(struct set *set, const struct set_volume *volume)
{
    struct broker *broker = set->broker;
    PB(Status) *status = status_from_hresult(&broker->arena, "AddToSnapshotSet", maximum_reached);
    char *message =
        text_format(&broker->arena, "%s has %u snapshots already, as many as VSS allows%s", TITLE_OF(volume),
                    (unsigned)present(set, volume), is_client_accessible(set) ? " in this context" : "");
    if (status == NULL || message == NULL)
        return error_no_memory();
    status->volume = text_constant(TITLE_OF(volume));
    status->provider = text_constant(system_provider);
    status->message = message;
    return status;
}

static void warn(struct set *set, const struct set_volume *volume, const char *text)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (text != NULL && job_wants(job, volume->guid_path))
            job_warn(job, "%s", text);
    }
}

static const struct volume *find_in_table(const struct broker *broker, const char *guid_path)
{
    for (size_t i = 0; i < broker->volumes.count; i++) {
        if (text_equal(broker->volumes.volumes[i].guid_path, guid_path))
            return &broker->volumes.volumes[i];
    }
    return NULL;
}

static void judge_area(struct set *set, const struct set_volume *volume, const PB(DiffArea) * area)
{
    struct arena *arena = &set->broker->arena;
    if (area->maximum_bytes != UINT64_MAX && area->used_bytes / PER_CENT_WARNING >= area->maximum_bytes / 100)
        warn(set, volume,
             text_format(arena,
                         "the shadow storage of %s is nearly full (%llu of %llu MiB): "
                         "its oldest snapshots will go to make room",
                         TITLE_OF(volume), (unsigned long long)(area->used_bytes / MIB),
                         (unsigned long long)(area->maximum_bytes / MIB)));
    const struct volume *holder = find_in_table(set->broker, area->diff_volume);
    if (holder == NULL)
        return;
    uint64_t reserve =
        area->allocated_bytes > area->used_bytes ? area->allocated_bytes - area->used_bytes : 0;
    uint64_t free_mib = (holder->free_bytes + reserve) / MIB;
    if (free_mib < AREA_MIB)
        warn(set, volume,
             text_format(arena, "only %llu MiB are free for the shadow storage of %s on %s",
                         (unsigned long long)free_mib, TITLE_OF(volume), TITLE_OF(holder)));
}

bool room_known(void *subject)
{
    struct set *set = subject;
    uint32_t limit = most(set);
    for (size_t i = 0; i < set->volumes_count; i++) {
        const struct set_volume *volume = &set->volumes[i];
        if (!is_judged(volume))
            continue;
        bool is_full = present(set, volume) >= limit || volume->snapshots >= SNAPSHOTS_MAX;
        if (set->is_counted && is_full) {
            PB(Status) *status = too_many(set, volume);
            if (share_without_volume(set, volume->guid_path, status)) {
                set_drop_volume(set, i--);
                continue;
            }
            set_call_failed(set, PB_METHOD(_NOT_SET), i, status);
            return false;
        }
        if (set->is_counted && limit - present(set, volume) <= SNAPSHOTS_LEFT_WARNING)
            warn(set, volume,
                 text_format(&set->broker->arena, "%s has %u of at most %u snapshots", TITLE_OF(volume),
                             (unsigned)present(set, volume), (unsigned)limit));
        for (size_t j = 0; volume->areas != NULL && j < volume->areas->n_areas; j++)
            judge_area(set, volume, volume->areas->areas[j]);
    }
    return true;
}

/* ---- what is answered ---- */

bool room_report(const struct job *job, PB(SnapshotReply) * reply)
{
    struct arena *arena = &job->request.broker->arena;
    const struct set *set = job->set;
    reply->storage = arena_alloc(arena, (set->volumes_count + 1) * sizeof(*reply->storage));
    if (reply->storage == NULL)
        return false;
    for (size_t i = 0; i < set->volumes_count; i++) {
        const struct set_volume *volume = &set->volumes[i];
        bool is_known = set->is_counted || volume->areas != NULL;
        if (!is_judged(volume) || !is_known || !job_wants(job, volume->guid_path))
            continue;
        PB(VolumeStorage) *storage = MESSAGE_NEW(arena, volume_storage);
        if (storage == NULL)
            return false;
        storage->volume_guid_path = volume->guid_path;
        storage->snapshots = volume->snapshots;
        storage->max_snapshots = set->is_counted ? most(set) : 0;
        if (volume->areas != NULL) {
            storage->diff_areas = volume->areas->areas;
            storage->n_diff_areas = volume->areas->n_areas;
        }
        reply->storage[reply->n_storage++] = storage;
    }
    return true;
}
