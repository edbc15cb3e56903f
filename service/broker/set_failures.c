/* What becomes of a set when a call of it fails: another attempt, where one may help, or an answer to each
 * member.
 *
 * At once with a fresh object, when VSS could not say what went wrong and nobody has been frozen yet, or
 * without the tolerated writers that failed. In ten minutes and three times at most, when Microsoft's advice
 * for the code is so and the request has the time; it leaves the gate for that, and waits in the queue. Never
 * are writers frozen for one request again within a minute. */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/set_components.h"
#include "service/broker/share.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    ATTEMPTS_MAX = 2, /* of one set, for VSS_E_UNEXPECTED */
    LATER_MAX = 3,
    RESERVE_MS = 60 * 1000, /* what an attempt has to have left when its wait is over */
    DISABLED_MAX = 256
};

static const uint32_t unexpected = 0x80042302u;     /* VSS_E_UNEXPECTED */
static const uint32_t unexpected_old = 0x8000FFFFu; /* E_UNEXPECTED, the same before Windows 7 */

static void restart(struct set *set, const char *why, uint64_t resume_ms)
{
    struct broker *broker = set->broker;
    uint64_t wait_s = resume_ms > broker->now_ms ? (resume_ms - broker->now_ms) / 1000 : 0;
    broker_log(broker, BROKER_LOG_WARNING, "%s; trying again with a fresh object in %llu s", why,
               (unsigned long long)wait_s);
    broker->counters.attempts_repeated++;
    LIST_EACH(struct job, job, &set->members, link)
    job_warn(job, "attempt %u: %s", (unsigned)set->attempt, why);
    set->failed = true; /* what was made of it is not to be completed */
    set->restart = true;
    set->resume_ms = resume_ms;
    set_end(set);
}

static bool may_restart(const struct set *set)
{
    return set_is_wanted(set) && !set->broker->stopping;
}

/* ---- at once ---- */

/* What PrepareForBackup says always reaches the client. */
static bool may_repeat(const struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    bool is_transient = status->hresult == unexpected || status->hresult == unexpected_old;
    return is_transient && method != PB_METHOD(PREPARE_FOR_BACKUP) && !set->freeze_begun &&
           set->attempt - set->earlier_attempts < ATTEMPTS_MAX && may_restart(set);
}

/* ---- later ---- */

static bool has_time(const struct set *set, uint64_t resume_ms)
{
    LIST_EACH(const struct job, job, &set->members, link)
    {
        if (job->request.deadline_ms < resume_ms + RESERVE_MS)
            return false;
    }
    return true;
}

bool set_retry_later(struct set *set, const PB(Status) * status)
{
    uint64_t resume_ms = set->broker->now_ms + status->retry_after_ms;
    if (status->retry != PB_VALUE(RETRY, RETRY_LATER) || !may_restart(set) || !has_time(set, resume_ms))
        return false;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job->later_count >= LATER_MAX)
            return false;
    }
    LIST_EACH(struct job, job, &set->members, link)
    {
        job->later_count++;
        job->retried = MESSAGE_COPY(&job->arena, status);
    }
    restart(set, status->message, resume_ms);
    return true;
}

/* ---- without the writers that failed ---- */

static bool is_to_be_left_out(const struct job *job, const PB(WriterStatus) * writer)
{
    const PB(CreateSnapshot) *wish = job->wish;
    return writer->failed && writer_is_in(writer, wish->writers_tolerated, wish->n_writers_tolerated) &&
           !writer_is_in(writer, wish->writers_required, wish->n_writers_required);
}

/* Their instances, for this job. False: none. */
static bool disable_failed(const struct set *set, struct job *job)
{
    size_t before = job->disabled_count;
    if (job->disabled == NULL)
        job->disabled = arena_alloc(&job->arena, DISABLED_MAX * sizeof *job->disabled);
    for (size_t i = 0; i < set->statuses.count && job->disabled != NULL; i++) {
        const PB(WriterStatus) *writer = set->statuses.items[i];
        if (!is_to_be_left_out(job, writer) || job->disabled_count == DISABLED_MAX)
            continue;
        char *id = arena_strdup(&job->arena, writer->instance_id);
        if (id == NULL)
            break;
        job->disabled[job->disabled_count++] = id;
        job_warn(job, "writer %s failed in attempt %u and is left out (%s)", writer->name,
                 (unsigned)set->attempt, writer->hresult_name);
    }
    return job->disabled_count > before;
}

/* The first member speaks for all: those who share a set want the same of its writers. */
static struct job *who_asks(const struct set *set)
{
    if (list_is_empty(&set->members))
        return NULL;
    struct job *job = LIST_FIRST(&set->members, struct job, link);
    return job->wish->retry_without_failed && job->disabled_count == 0 ? job : NULL;
}

/* The next freeze has to be a minute after this one. */
static uint64_t next_freeze_ms(const struct set *set)
{
    return set->freeze_begun ? set->freeze_ms + AFTER_FREEZE_MS : 0;
}

bool set_retry_without_failed(struct set *set)
{
    struct job *job = who_asks(set);
    uint64_t resume_ms = next_freeze_ms(set);
    if (job == NULL || !may_restart(set) || !has_time(set, resume_ms) || !disable_failed(set, job))
        return false;
    if (set->blamed != NULL)
        job->retried = MESSAGE_COPY(&job->arena, set->blamed);
    restart(set, set->blamed != NULL ? set->blamed->message : "tolerated writers failed", resume_ms);
    return true;
}

/* A call failed that asks the writers; who of them did, their state tells. */
static bool may_blame(const struct set *set, PB(Call__MethodCase) method)
{
    bool asks_writers = method == PB_METHOD(PREPARE_FOR_BACKUP) || method == PB_METHOD(DO_SNAPSHOT_SET);
    return asks_writers && set->has_writers && set->blamed == NULL && who_asks(set) != NULL &&
           may_restart(set);
}

bool set_blame_writers(void *subject)
{
    struct set *set = subject;
    if (!set_retry_without_failed(set))
        set_call_failed(set, PB_METHOD(_NOT_SET), 0, set->blamed);
    return false;
}

/* ---- for those who share the set and want something else ---- */

static bool go_on_without(struct set *set, const struct set_volume *volume, const PB(Status) * status)
{
    if (set->was_made_without || set->broker->stopping ||
        !share_without_volume(set, volume->guid_path, status))
        return false;
    set->was_made_without = true;
    restart(set, status->message, 0);
    return true;
}

/* ---- a call failed ---- */

void set_fail(struct set *set, PB(Status) * status)
{
    if (status == NULL)
        status = error_no_memory();
    if (status->phase == PB_PHASE(UNSPECIFIED))
        status->phase = set->phase;
    status->attempts = set->attempt;
    LIST_EACH(struct job, job, &set->members, link)
    job_note_failure(job, status);
    set->failed = true;
    set->restart = false;
    set_end(set);
}

void set_call_failed(struct set *set, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    if (status == NULL)
        status = error_no_memory();
    if (set->blamed != NULL)
        status = set->blamed; /* what came of the search for the writers is not what counts */
    if (method == PB_METHOD(ADD_TO_SNAPSHOT_SET) && set->added + index < set->volumes_count) {
        const struct set_volume *volume = &set->volumes[set->added + index];
        status->volume = TITLE_OF(volume);
        status->provider = volume->provider_id;
        if (go_on_without(set, volume, status))
            return;
    }
    set_name_component(set, method, index, status);
    if (may_repeat(set, method, status)) {
        restart(set, status->message, 0);
        return;
    }
    if (method == PB_METHOD(DO_SNAPSHOT_SET) && share_split(set, status))
        return;
    if (may_blame(set, method)) {
        status->phase = set->phase;
        set->blamed = MESSAGE_COPY(&set->arena, status);
        if (set->blamed != NULL) {
            set_run(set, set_steps_blame);
            return;
        }
    }
    /* What PrepareForBackup says reaches the client in any case. */
    if (strcmp(status->method, method_name(PB_METHOD(PREPARE_FOR_BACKUP))) != 0 &&
        set_retry_later(set, status))
        return;
    if (set->freeze_begun && status->retryable && status->retry_after_ms < AFTER_FREEZE_MS)
        status->retry_after_ms = AFTER_FREEZE_MS;
    set_fail(set, status);
}
