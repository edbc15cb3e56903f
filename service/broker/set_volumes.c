#include "service/broker/set_volumes.h"

#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/share.h"
#include "service/broker/state.h"

struct set_volume *set_find_volume(const struct set *set, const char *guid_path)
{
    for (size_t i = 0; i < set->volumes_count; i++) {
        if (text_equal(set->volumes[i].guid_path, guid_path))
            return &set->volumes[i];
    }
    return NULL;
}

/* ---- support ---- */

static size_t providers_or_one(const struct set *set)
{
    return set->providers_count > 0 ? set->providers_count : 1;
}

/* Each volume with each provider: the first that supports it is taken. */
size_t count_support(void *subject)
{
    const struct set *set = subject;
    return (set->volumes_count - set->asked) * providers_or_one(set);
}

static struct set_volume *asked_volume(const struct set *set, size_t index)
{
    return &set->volumes[set->asked + index / providers_or_one(set)];
}

void fill_support(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    PB(IsVolumeSupported) *question = (PB(IsVolumeSupported) *)parameters;
    question->volume = asked_volume(set, index)->guid_path;
    if (set->providers_count > 0)
        question->provider_id = set->providers[index % set->providers_count];
}

bool on_support(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    struct set_volume *volume = asked_volume(set, index);
    bool is_supported = (reply->hresult & 0x80000000u) == 0 &&
                        reply->out_case == PB_OUT(IS_VOLUME_SUPPORTED) &&
                        reply->is_volume_supported->supported;
    if ((reply->hresult & 0x80000000u) != 0 && volume->hresult == 0)
        volume->hresult = reply->hresult;
    if (is_supported && !volume->supported) {
        volume->supported = true;
        if (set->providers_count > 0)
            volume->provider_id = set->providers[index % set->providers_count];
    }
    return true;
}

void set_drop_volume(struct set *set, size_t index)
{
    memmove(&set->volumes[index], &set->volumes[index + 1],
            (set->volumes_count - index - 1) * sizeof *set->volumes);
    set->volumes_count--;
    set->asked -= index < set->asked;
}

/* False: nobody is left. */
static bool check_members(struct set *set)
{
    PB(Status) *failure = NULL;
    LIST_EACH(struct job, job, &set->members, link)
    {
        PB(Status) *refusal = job_check_support(job);
        if (refusal == NULL)
            continue;
        failure = refusal;
        job_note_failure(job, refusal);
    }
    if (failure == NULL)
        return true;
    if (!set_is_wanted(set)) {
        set_fail(set, failure);
        return false;
    }
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job->failure != NULL && !job->is_leaving)
            job_send_failure(job);
    }
    return true;
}

bool on_support_known(void *subject)
{
    struct set *set = subject;
    if (!check_members(set))
        return false;
    for (size_t i = set->volumes_count; i-- > set->asked;) {
        if (!set->volumes[i].supported)
            set_drop_volume(set, i);
    }
    set->asked = set->volumes_count;
    return true;
}

/* ---- adding ---- */

size_t count_additions(void *subject)
{
    const struct set *set = subject;
    return set->asked - set->added;
}

void fill_addition(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    const struct set_volume *volume = &set->volumes[set->added + index];
    PB(AddToSnapshotSet) *add = (PB(AddToSnapshotSet) *)parameters;
    add->volume = volume->guid_path;
    add->provider_id = volume->provider_id;
}

bool on_added(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    struct set_volume *volume = &set->volumes[set->added + index];
    const char *id =
        reply->out_case == PB_OUT(ADD_TO_SNAPSHOT_SET) ? reply->add_to_snapshot_set->snapshot_id : "";
    volume->snapshot_id = arena_strdup(&set->arena, id);
    return volume->snapshot_id != NULL || set_no_memory(set);
}

bool on_all_added(void *subject)
{
    struct set *set = subject;
    set->added = set->asked;
    return true;
}

const struct step *set_next_step(void *subject, const struct step *step)
{
    const struct set *set = subject;
    bool has_more = step->method == PB_METHOD(ADD_TO_SNAPSHOT_SET) && set->asked < set->volumes_count;
    return has_more ? step - 1 : NULL;
}
