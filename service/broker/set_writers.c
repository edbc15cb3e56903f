/* The writers of a set: those who are to be left out or to be there, and their state after a step, judged for
 * each member. */
#include "proto/status.h"
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/set_components.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    EXCLUDED_MAX = 4096,
    EXCLUDE_ATTEMPTS = 4 /* writers may come while they are counted, but not for ever */
};

/* ---- who takes part ---- */

static bool is_listed(char *const *list, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equal(list[i], id))
            return true;
    }
    return false;
}

static const PB(WriterStatus) * find_writer(const struct set *set, const char *name)
{
    for (size_t i = 0; i < set->writers.count; i++) {
        if (writer_is_named(set->writers.items[i], name))
            return set->writers.items[i];
    }
    return NULL;
}

static bool was_to_be_left_out(const struct set *set, const PB(WriterStatus) * writer, const char *name)
{
    return is_listed(set->excluded, set->excluded_count, writer->writer_id) ||
           is_listed(set->excluded, set->excluded_count, writer->instance_id) || text_is_guid(name) ||
           set->attempt - set->earlier_attempts >= EXCLUDE_ATTEMPTS;
}

/* By its class, with a fresh object. False: the set ends. */
static bool exclude(struct set *set, struct job *job, const PB(WriterStatus) * writer)
{
    if (is_listed(job->excluded, job->excluded_count, writer->writer_id))
        return true;
    if (job->excluded == NULL)
        job->excluded = arena_alloc(&job->arena, EXCLUDED_MAX * sizeof(*job->excluded));
    char *id = arena_strdup(&job->arena, writer->writer_id);
    if (job->excluded == NULL || id == NULL || job->excluded_count == EXCLUDED_MAX)
        return set_no_memory(set);
    job->excluded[job->excluded_count++] = id;
    set->restart = true;
    return true;
}

/* All writers that a name means. False: the set ends. */
static bool exclude_named(struct set *set, struct job *job, const char *name)
{
    for (size_t i = 0; i < set->writers.count; i++) {
        const PB(WriterStatus) *writer = set->writers.items[i];
        if (!writer_is_named(writer, name))
            continue;
        if (was_to_be_left_out(set, writer, name)) {
            PB(Status) *status = status_make(&set->broker->arena, PB_CODE(INTERNAL), "WRITER_NOT_EXCLUDED",
                                             "VSS did not leave out writer %s", writer->name);
            set_fail(set, error_advise(status, "Stop the service that hosts it, or do not exclude it."));
            return false;
        }
        if (!exclude(set, job, writer))
            return false;
    }
    return true;
}

/* A writer can be excluded only before the metadata is gathered, by its id. A name that no table knows is
 * found in the metadata; then a fresh object excludes it. False: the set ends, for this or for good. */
static bool check_excluded(struct set *set, struct job *job)
{
    for (size_t i = 0; i < job->wish->n_writers_excluded; i++) {
        const char *name = job->wish->writers_excluded[i];
        bool is_known = text_is_guid(name) || writer_known_class(name) != NULL || job->excluded_count > 0;
        if (!is_known && find_writer(set, name) == NULL)
            job_warn(job, "no writer to exclude is named \"%s\"", name);
        if (!exclude_named(set, job, name))
            return false;
    }
    if (set->restart)
        set_end(set);
    return !set->restart;
}

static bool check_required(struct set *set, struct job *job)
{
    struct broker *broker = set->broker;
    for (size_t i = 0; i < job->wish->n_writers_required; i++) {
        const char *name = job->wish->writers_required[i];
        if (find_writer(set, name) != NULL)
            continue;
        PB(Status) *status = status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "WRITER_MISSING",
                                         "the required writer %s did not answer", name);
        error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
        error_advise(status,
                     "Start the service that hosts the writer and see that it appears among the writers.");
        set_fail(set, status);
        return false;
    }
    return true;
}

bool set_check_writers(struct set *set)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (!check_excluded(set, job) || !check_required(set, job))
            return false;
    }
    return true;
}

/* ---- how they fare ---- */

static size_t collect_failed(const struct set *set, struct job *job, PB(WriterStatus) * *failed)
{
    size_t count = 0;
    for (size_t i = 0; i < set->statuses.count; i++) {
        PB(WriterStatus) *writer = set->statuses.items[i];
        if (!writer->failed)
            continue;
        bool is_outside = !set_writer_takes_part(set, writer); /* nothing of it is backed up */
        bool is_tolerated =
            job != NULL && writer_is_in(writer, job->wish->writers_tolerated, job->wish->n_writers_tolerated);
        if (is_outside || is_tolerated) {
            writer->tolerated = true;
            uint32_t state = writer->state > 0 ? (uint32_t)writer->state - 1 : 0;
            if (job != NULL)
                job_warn(job, "%s writer %s is in state %s after %s (%s)",
                         is_tolerated ? "tolerated" : "uninvolved", writer->name, writer_state_name(state),
                         method_name(set->status_after), writer->hresult_name);
        } else {
            failed[count++] = writer;
        }
    }
    return count;
}

void set_tell_failed_writers(struct set *set)
{
    for (size_t i = 0; i < set->statuses.count; i++) {
        PB(WriterStatus) *writer = set->statuses.items[i];
        if (!writer->failed)
            continue;
        uint32_t state = writer->state > 0 ? (uint32_t)writer->state - 1 : 0;
        LIST_EACH(struct job, job, &set->members, link)
        {
            writer->tolerated |=
                writer_is_in(writer, job->wish->writers_tolerated, job->wish->n_writers_tolerated);
            job_warn(job, "writer %s is in state %s before the backup (%s)", writer->name,
                     writer_state_name(state), writer->hresult_name);
        }
    }
}

bool set_judge_writers(struct set *set)
{
    struct arena *arena = &set->broker->arena;
    if (set->status_after == PB_METHOD(BACKUP_COMPLETE))
        return true; /* the copies are good; FinishReply tells */
    PB(WriterStatus) **failed = arena_alloc(arena, (set->statuses.count + 1) * sizeof(*failed));
    if (failed == NULL) {
        set_fail(set, NULL);
        return false;
    }
    size_t worst = 0;
    if (list_is_empty(&set->members))
        worst = collect_failed(set, NULL, failed);
    LIST_EACH(struct job, job, &set->members, link)
    {
        size_t count = collect_failed(set, job, failed);
        if (count == 0)
            continue;
        worst = count;
        PB(Status) *status =
            writers_failure(set->broker, failed, count, method_name(set->status_after), set->phase);
        set_explain_failure(set, status);
        if (status != NULL)
            set_time_retry(set, status);
        if (status != NULL && list_count(&set->members) == 1 && set_retry_later(set, status))
            return false;
        if (status != NULL)
            status->attempts = set->attempt;
        job_note_failure(job, status);
    }
    if (worst == 0 || set_is_wanted(set))
        return !(set->status_after == PB_METHOD(PREPARE_FOR_BACKUP) && set_retry_without_failed(set));
    set->failed = true;
    set_end(set);
    return false;
}
