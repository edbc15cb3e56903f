/* What becomes of a set when a call of it fails: another attempt, where one may help, or an answer to each
 * member.
 *
 * Once with a fresh object, when VSS could not say what went wrong; or without the tolerated writers that
 * failed. In ten minutes and three times at most, when Microsoft's advice for the code is so. Who is to be
 * frozen again waits for a minute, which has to be within the request's time; for that, as for the ten, it
 * leaves the gate and waits in the queue. Where a writer may have been the cause they are asked who it was.
 */
#include <string.h>

#include "proto/status.h"
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/set_components.h"
#include "service/broker/share.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    ATTEMPTS_MAX = 2,       /* of one set, for VSS_E_UNEXPECTED */
    RESERVE_MS = 60 * 1000, /* what an attempt has to have left when its wait is over */
    LEFT_OUT_MAX = 256
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

/* ---- once more ---- */

static bool has_time(const struct set *set, uint64_t resume_ms)
{
    LIST_EACH(const struct job, job, &set->members, link)
    {
        if (job->request.deadline_ms < resume_ms + RESERVE_MS)
            return false;
    }
    return true;
}

/* 0: nobody was frozen. */
static uint64_t next_freeze_ms(const struct set *set)
{
    return set->freeze_begun ? set->freeze_ms + set->broker->config.freeze_pause_ms : 0;
}

/* What PrepareForBackup says always reaches the client. */
static bool may_repeat(const struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    bool is_transient = status->hresult == unexpected || status->hresult == unexpected_old;
    return is_transient && method != PB_METHOD(PREPARE_FOR_BACKUP) && may_restart(set);
}

/* Nobody has been frozen yet. */
static bool repeat_at_once(struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    if (set->freeze_begun || set->attempt - set->earlier_attempts >= ATTEMPTS_MAX ||
        !may_repeat(set, method, status))
        return false;
    restart(set, status->message, 0);
    return true;
}

/* A writer that has failed will not do better for it. */
static bool repeat_after_pause(struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    uint64_t resume_ms = next_freeze_ms(set);
    if (!set->freeze_begun || status->n_writers > 0 || !may_repeat(set, method, status) ||
        !has_time(set, resume_ms))
        return false;
    LIST_EACH(const struct job, job, &set->members, link)
    {
        if (job->was_repeated)
            return false;
    }
    LIST_EACH(struct job, job, &set->members, link)
    {
        job->was_repeated = true;
        job->retried = MESSAGE_COPY(&job->arena, status);
    }
    restart(set, status->message, resume_ms);
    return true;
}

/* ---- later ---- */

bool set_retry_later(struct set *set, const PB(Status) * status)
{
    const struct broker_config *config = &set->broker->config;
    uint64_t resume_ms = set->broker->now_ms + config->retry_later_ms;
    if (resume_ms < next_freeze_ms(set))
        resume_ms = next_freeze_ms(set);
    if (status->retry != PB_VALUE(RETRY, RETRY_LATER) || !may_restart(set) || !has_time(set, resume_ms))
        return false;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job->later_count >= config->max_retries_later)
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

/* When the client may ask again by itself. */
void set_time_retry(const struct set *set, PB(Status) * status)
{
    const struct broker_config *config = &set->broker->config;
    if (status->retry == PB_VALUE(RETRY, RETRY_LATER))
        status->retry_after_ms = config->retry_later_ms;
    if (set->freeze_begun && status->retryable && status->retry_after_ms < config->freeze_pause_ms)
        status->retry_after_ms = config->freeze_pause_ms;
}

/* ---- without the writers that failed ---- */

static bool is_to_be_left_out(const struct job *job, const PB(WriterStatus) * writer)
{
    const PB(CreateSnapshot) *wish = job->wish;
    return writer->failed && writer_is_in(writer, wish->writers_tolerated, wish->n_writers_tolerated) &&
           !writer_is_in(writer, wish->writers_required, wish->n_writers_required);
}

/* Something that was selected is of a writer that has not failed, or nothing was selected. */
static bool leaves_components(const struct set *set, const struct job *job)
{
    for (size_t i = 0; i < job->wish->n_components; i++) {
        for (size_t j = 0; j < set->statuses.count; j++) {
            const PB(WriterStatus) *writer = set->statuses.items[j];
            if (writer_is_named(writer, job->wish->components[i]->writer) && !is_to_be_left_out(job, writer))
                return true;
        }
    }
    return job->wish->n_components == 0;
}

/* For this job. False: none. */
static bool leave_out_failed(const struct set *set, struct job *job)
{
    size_t before = job->left_out_count;
    if (job->left_out == NULL)
        job->left_out = arena_alloc(&job->arena, LEFT_OUT_MAX * sizeof(*job->left_out));
    for (size_t i = 0; i < set->statuses.count && job->left_out != NULL; i++) {
        const PB(WriterStatus) *writer = set->statuses.items[i];
        if (!is_to_be_left_out(job, writer) || job->left_out_count == LEFT_OUT_MAX)
            continue;
        PB(WriterStatus) *copy = MESSAGE_COPY(&job->arena, writer);
        if (copy == NULL)
            break;
        job->left_out[job->left_out_count++] = copy;
        job_warn(job, "writer %s failed in attempt %u and is left out (%s)", writer->name,
                 (unsigned)set->attempt, writer->hresult_name);
    }
    return job->left_out_count > before;
}

/* The first member speaks for all: those who share a set want the same of its writers. */
static struct job *who_asks(const struct set *set)
{
    if (list_is_empty(&set->members))
        return NULL;
    struct job *job = LIST_FIRST(&set->members, struct job, link);
    return job->wish->retry_without_failed && job->left_out_count == 0 ? job : NULL;
}

bool set_retry_without_failed(struct set *set)
{
    struct job *job = who_asks(set);
    uint64_t resume_ms = next_freeze_ms(set);
    if (job == NULL || !may_restart(set) || !has_time(set, resume_ms) || !leaves_components(set, job) ||
        !leave_out_failed(set, job))
        return false;
    if (set->blamed != NULL)
        job->retried = MESSAGE_COPY(&job->arena, set->blamed);
    restart(set, set->blamed != NULL ? set->blamed->message : "tolerated writers failed", resume_ms);
    return true;
}

/* ---- who of the writers it was ---- */

/* By the code a writer may have been the cause, and it does not say which. */
static bool is_writers_doing(const PB(Status) * status)
{
    static const uint32_t codes[] = {
        ASYNC_CANCELLED, /* at its limit */
        0x80042302u,     /* VSS_E_UNEXPECTED */
        0x8000FFFFu,     /* E_UNEXPECTED */
        0x80004005u,     /* E_FAIL */
        0x80042315u,     /* VSS_E_UNEXPECTED_WRITER_ERROR */
        0x80042328u,     /* VSS_E_TRANSACTION_FREEZE_TIMEOUT */
        0x80042329u,     /* VSS_E_TRANSACTION_THAW_TIMEOUT */
        0x80042336u,     /* VSS_E_WRITERERROR_PARTIAL_FAILURE */
    };
    const uint32_t first = 0x800423F0u, last = 0x800423F4u; /* VSS_E_WRITERERROR_… */
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (status->hresult == codes[i])
            return true;
    }
    return status->hresult >= first && status->hresult <= last;
}

static bool may_blame(const struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    bool asks_writers = method == PB_METHOD(PREPARE_FOR_BACKUP) || method == PB_METHOD(DO_SNAPSHOT_SET);
    return asks_writers && set->has_writers && set->blamed == NULL && may_restart(set) &&
           (is_writers_doing(status) || (who_asks(set) != NULL && status->hresult != ASYNC_PENDING));
}

/* Their own failure says more than that of the call. False: no memory. */
static bool name_writers(const struct set *set, PB(Status) * status)
{
    struct arena *arena = &set->broker->arena;
    status->writers = arena_alloc(arena, (set->statuses.count + 1) * sizeof(*status->writers));
    if (status->writers == NULL)
        return false;
    for (size_t i = 0; i < set->statuses.count; i++) {
        PB(WriterStatus) *writer = set->statuses.items[i];
        if (!writer->failed || !set_writer_takes_part(set, writer))
            continue;
        status->writers[status->n_writers++] = writer;
    }
    if (status->n_writers == 0)
        return true;
    const PB(WriterStatus) *first = status->writers[0];
    const char *text = writers_describe(arena, status->writers, status->n_writers);
    status->message = text != NULL ? text_format(arena, "%s; %s", status->message, text) : NULL;
    status->advice = first->advice;
    const struct vss_code *code = vss_code_find(first->hresult);
    if (code != NULL && code->hresult != 0)
        error_retry(status, code->retry, code->retry_after_ms);
    set_explain_failure(set, status);
    return status->message != NULL;
}

bool set_blame_writers(void *subject)
{
    struct set *set = subject;
    PB(Status) *status = MESSAGE_COPY(&set->broker->arena, set->blamed);
    PB(Status) *named = NULL;
    if (status != NULL && name_writers(set, status))
        named = MESSAGE_COPY(&set->arena, status);
    if (named != NULL)
        set->blamed = named; /* else what is known already has to do */
    if (!set_retry_without_failed(set))
        set_call_failed(set, set->blamed_method, 0, set->blamed);
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
    if (set->blamed != NULL)
        status = set->blamed; /* what came of the search for the writers is not what counts */
    if (status == NULL)
        status = error_no_memory();
    if (status->phase == PB_PHASE(UNSPECIFIED))
        status->phase = set->phase;
    status->attempts = set->attempt;
    set_time_retry(set, status);
    LIST_EACH(struct job, job, &set->members, link)
    job_note_failure(job, status);
    set->failed = true;
    set->restart = false;
    set_end(set);
}

/* True: the set has ended, or begins again without a volume that only some want. */
static bool refuses_volume(struct set *set, size_t index, PB(Status) * status)
{
    if (set->added + index >= set->volumes_count)
        return false;
    const struct set_volume *volume = &set->volumes[set->added + index];
    status->volume = TITLE_OF(volume);
    status->provider = volume->provider_id;
    return go_on_without(set, volume, status);
}

/* The writers are being asked who it was. */
static bool begin_blaming(struct set *set, PB(Call__MethodCase) method, PB(Status) * status)
{
    if (!may_blame(set, method, status))
        return false;
    status->phase = set->phase;
    set->blamed = MESSAGE_COPY(&set->arena, status);
    set->blamed_method = method;
    if (set->blamed != NULL)
        set_run(set, set_steps_blame);
    return set->blamed != NULL;
}

void set_call_failed(struct set *set, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    if (set->blamed != NULL) {
        status = set->blamed;
        method = set->blamed_method;
    }
    if (status == NULL)
        status = error_no_memory();
    if (method == PB_METHOD(ADD_TO_SNAPSHOT_SET) && refuses_volume(set, index, status))
        return;
    set_name_component(set, method, index, status);
    if (repeat_at_once(set, method, status) ||
        (method == PB_METHOD(DO_SNAPSHOT_SET) && set->blamed == NULL && share_split(set, status)) ||
        begin_blaming(set, method, status) || repeat_after_pause(set, method, status))
        return;
    if (method != PB_METHOD(PREPARE_FOR_BACKUP) && set_retry_later(set, status))
        return;
    set_fail(set, status);
}
