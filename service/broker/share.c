#include "service/broker/share.h"

#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/rights.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"

enum {
    RESERVE_MS = 60 * 1000 /* what a request has to have left when its wait is over */
};

/* ---- who may share with whom ---- */

static bool has_limits_of_its_own(const PB(CreateSnapshot) * wish)
{
    return wish->n_phase_timeouts > 0 || wish->n_hold_points > 0 || wish->complete_within_ms != 0;
}

bool share_is_possible(const struct job *job)
{
    const PB(CreateSnapshot) *wish = job->wish;
    return job->request.broker->config.max_shared_volumes > 0 && job_is_copy(wish) &&
           wish->share != PB_VALUE(SHARE, SHARE_NEVER) && wish->n_components == 0 && !wish->with_documents &&
           !wish->dry_run && !wish->retry_without_failed && !job_is_persistent(wish) &&
           !has_limits_of_its_own(wish);
}

static bool lists_equal(char *const *one, size_t one_count, char *const *other, size_t other_count)
{
    if (one_count != other_count)
        return false;
    for (size_t i = 0; i < one_count; i++) {
        if (!text_equal(one[i], other[i]))
            return false;
    }
    return true;
}

static bool wishes_equal(const PB(CreateSnapshot) * one, const PB(CreateSnapshot) * other)
{
    return job_context(one) == job_context(other) && one->bootable == other->bootable &&
           one->partial_files == other->partial_files &&
           lists_equal(one->providers, one->n_providers, other->providers, other->n_providers) &&
           lists_equal(one->writers_required, one->n_writers_required, other->writers_required,
                       other->n_writers_required) &&
           lists_equal(one->writers_excluded, one->n_writers_excluded, other->writers_excluded,
                       other->n_writers_excluded) &&
           lists_equal(one->writers_tolerated, one->n_writers_tolerated, other->writers_tolerated,
                       other->n_writers_tolerated);
}

static size_t count_new(const struct set *set, const struct job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < job->volumes_count; i++)
        count += set_find_volume(set, job->volumes[i].guid_path) == NULL;
    return count;
}

static bool is_same_kind(const struct set *set, const struct job *job)
{
    if (set->kind == NULL || !wishes_equal(set->kind, job->wish))
        return false;
    if (set->is_split || job->is_split)
        return set->is_split && job->is_split && count_new(set, job) == 0 &&
               set->volumes_count == job->volumes_count;
    return true;
}

/* As old as it may be at most: DoSnapshotSet makes the copy after it was sent. */
static bool is_young_enough(const struct set *set, const struct job *job)
{
    uint64_t age_ms = set->broker->now_ms - set->freeze_ms;
    return job->wish->max_age_ms > 0 && age_ms <= job->wish->max_age_ms;
}

static bool has_room(const struct set *set, const struct job *job)
{
    size_t new_volumes = count_new(set, job);
    if (new_volumes == 0)
        return true;
    return !set->is_closed && set->volumes_count + new_volumes <= set->broker->config.max_shared_volumes;
}

static bool may_join(const struct set *set, const struct job *job)
{
    if (set_is_ending(set) || set->failed || set->restart || !is_same_kind(set, job) || !has_room(set, job))
        return false;
    return !set->freeze_begun || is_young_enough(set, job);
}

/* ---- joining ---- */

static void join(struct set *set, struct job *job)
{
    bool is_held = set->stage >= SET_HELD;
    job_dequeue(job);
    list_append(&set->members, &job->link);
    job->set = set;
    job->attempts = set->attempt;
    set->is_shared = true;
    watch_set(set);
    if (!set_add_volumes(set, job)) {
        job_fail(job, NULL);
        return;
    }
    if (is_held)
        set_hand_out(set);
    else
        job_progress(job);
}

static struct set *find_set(struct broker *broker, const struct job *job)
{
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (may_join(set, job))
            return set;
    }
    return NULL;
}

void share_queued(struct broker *broker)
{
    LIST_EACH(struct job, job, &broker->queue, link)
    {
        struct set *set = share_is_possible(job) && !job_waits_to_retry(job) ? find_set(broker, job) : NULL;
        if (set != NULL)
            join(set, job);
    }
}

/* ---- parting ---- */

bool share_without_volume(struct set *set, const char *guid_path, const PB(Status) * status)
{
    size_t left = 0;
    LIST_EACH(struct job, job, &set->members, link)
    left += !job_wants(job, guid_path) && job_is_wanted(job);
    if (left == 0)
        return false;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (!job_wants(job, guid_path))
            continue;
        job_note_failure(job, status);
        job_send_failure(job);
    }
    watch_set(set);
    return true;
}

static bool has_other_volumes(const struct job *one, const struct job *other)
{
    if (one->volumes_count != other->volumes_count)
        return true;
    for (size_t i = 0; i < one->volumes_count; i++) {
        if (!job_wants(other, one->volumes[i].guid_path))
            return true;
    }
    return false;
}

static bool can_wait(const struct job *job, uint64_t resume_ms)
{
    return job_is_wanted(job) && job->request.deadline_ms >= resume_ms + RESERVE_MS;
}

bool share_split(struct set *set, const PB(Status) * status)
{
    struct broker *broker = set->broker;
    const struct job *first = LIST_FIRST(&set->members, struct job, link);
    uint64_t resume_ms = set->freeze_ms + broker->config.freeze_pause_ms;
    bool differ = false;
    size_t waiting = 0;
    LIST_EACH(struct job, job, &set->members, link)
    {
        differ |= has_other_volumes(first, job);
        waiting += can_wait(job, resume_ms);
    }
    if (!differ || set->is_split || waiting == 0 || broker->stopping)
        return false;
    broker_log(broker, BROKER_LOG_WARNING, "%s; its members go on by their volumes", status->message);
    broker->counters.attempts_repeated++;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (!can_wait(job, resume_ms) || jobs_waiting(broker) >= broker->config.max_queue) {
            job_note_failure(job, status);
            continue;
        }
        job->is_split = true;
        job_warn(job, "attempt %u, with others: %s", (unsigned)set->attempt, status->message);
        job_requeue(job, resume_ms);
    }
    set->failed = true;
    set_end(set);
    return true;
}
