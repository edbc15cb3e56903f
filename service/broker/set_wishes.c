/* What a set is to be: the union of its members' volumes, and what they have in common. */
#include <string.h>

#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/set_volumes.h"
#include "service/broker/share.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

bool set_add_volumes(struct set *set, const struct job *job)
{
    if (set->volumes == NULL)
        set->volumes = arena_alloc(&set->arena, MAX_VOLUMES * sizeof *set->volumes);
    for (size_t i = 0; i < job->volumes_count && set->volumes != NULL; i++) {
        const struct job_volume *from = &job->volumes[i];
        if (set_find_volume(set, from->guid_path) != NULL)
            continue;
        struct set_volume *to = &set->volumes[set->volumes_count++];
        *to = (struct set_volume){0}; /* another one may have been dropped from there */
        to->guid_path = arena_strdup(&set->arena, from->guid_path);
        to->names = arena_alloc(&set->arena, (from->names_count + 1) * sizeof *to->names);
        to->provider_id = to->snapshot_id = text_constant("");
        if (to->guid_path == NULL || to->names == NULL)
            return false;
        for (size_t j = 0; j < from->names_count; j++) {
            to->names[j] = arena_strdup(&set->arena, from->names[j]);
            if (to->names[j] == NULL)
                return false;
            to->names_count++;
        }
    }
    return set->volumes != NULL;
}

/* Ids without braces: what VSS is given. */
static char *bare_id(struct arena *arena, const char *id)
{
    return id[0] == '{' ? text_format(arena, "%.36s", id + 1) : arena_strdup(arena, id);
}

static bool add_ids(struct set *set, const struct job *job)
{
    const PB(CreateSnapshot) *wish = job->wish;
    size_t most = wish->n_writers_excluded + job->excluded_count + job->left_out_count;
    set->excluded = arena_alloc(&set->arena, (most + 1) * sizeof *set->excluded);
    set->providers = arena_alloc(&set->arena, (wish->n_providers + 1) * sizeof *set->providers);
    if (set->excluded == NULL || set->providers == NULL)
        return false;
    for (size_t i = 0; i < most - job->left_out_count; i++) {
        const char *name = i < wish->n_writers_excluded ? wish->writers_excluded[i]
                                                        : job->excluded[i - wish->n_writers_excluded];
        const char *id = text_is_guid(name) ? name : writer_known_class(name);
        if (id == NULL)
            continue;
        set->excluded[set->excluded_count] = bare_id(&set->arena, id);
        if (set->excluded[set->excluded_count++] == NULL)
            return false;
    }
    for (size_t i = 0; i < job->left_out_count; i++) {
        set->excluded[set->excluded_count] = arena_strdup(&set->arena, job->left_out[i]->instance_id);
        if (set->excluded[set->excluded_count++] == NULL)
            return false;
    }
    for (size_t i = 0; i < wish->n_providers; i++) {
        set->providers[i] = bare_id(&set->arena, wish->providers[i]);
        if (set->providers[i] == NULL)
            return false;
        set->providers_count++;
    }
    return true;
}

static void take_limits(struct set *set, const PB(CreateSnapshot) * wish)
{
    memset(set->wished_ms, 0, sizeof set->wished_ms);
    for (size_t i = 0; i < wish->n_phase_timeouts; i++) {
        uint32_t *wished_ms = &set->wished_ms[wish->phase_timeouts[i]->phase];
        uint32_t timeout_ms = wish->phase_timeouts[i]->timeout_ms;
        if (*wished_ms == 0 || timeout_ms < *wished_ms)
            *wished_ms = timeout_ms;
    }
}

bool set_take_wishes(struct set *set)
{
    const struct job *first = LIST_FIRST(&set->members, struct job, link);
    const PB(CreateSnapshot) *wish = first->wish;
    set->context = job_context(wish);
    set->has_writers = job_has_writers(wish);
    set->is_persistent = job_is_persistent(wish);
    set->keep_ms = wish->keep_ms;
    set->backup_type = job_is_copy(wish) ? PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY) : wish->backup_type;
    set->bootable = wish->bootable;
    set->partial_files = wish->partial_files;
    set->is_dry = wish->dry_run;
    /* An open COPY backup keeps other programs from backing up: a request may only shorten it. */
    uint32_t within_ms = set->broker->config.complete_within_ms;
    if (wish->complete_within_ms != 0 && wish->complete_within_ms < within_ms)
        within_ms = wish->complete_within_ms;
    set->complete_within_ms = within_ms;
    set->has_documents = wish->n_components > 0 || wish->with_documents;
    set->all_documents = wish->with_documents;
    if (wish->n_components > 0) {
        set->selection = arena_alloc(&set->arena, sizeof *set->selection);
        if (set->selection == NULL)
            return false;
    }
    take_limits(set, wish);
    set->kind = share_is_possible(first) ? MESSAGE_COPY(&set->arena, wish) : NULL;
    set->is_split = first->is_split;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (!set_add_volumes(set, job))
            return false;
        job->attempts = set->attempt;
    }
    return add_ids(set, first);
}
