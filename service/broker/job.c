#include "service/broker/job.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/held.h"
#include "service/broker/job_key.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/quota.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 16 * 1024 * 1024,
    WARNINGS_MAX = 64,
    WARNING_CHARS = 512,
    TICK_MS = 1000,
    QUEUE_RETRY_MS = 5000
};

static void job_free(struct job *job)
{
    assert(!request_is_open(&job->request));
    if (job->lease != NULL)
        lease_discard(job->lease);
    job_key_fail(job, job->failure);
    list_remove(&job->link);
    list_remove(&job->volume_wait.link);
    timer_stop(&job->queue_timer);
    timer_stop(&job->resume_timer);
    owner_release(job->owner);
    arena_free(&job->arena);
    free(job);
}

void job_fail(struct job *job, PB(Status) * status)
{
    struct broker *broker = job->request.broker;
    if (status == NULL)
        status = error_no_memory();
    status->attempts = job->attempts;
    broker->counters.snapshots_failed++;
    counters_failed(&broker->counters, status);
    const struct connection *connection = job->request.connection;
    broker_log(broker, BROKER_LOG_WARNING, "snapshot for %s (\"%s\") failed: %s",
               connection != NULL ? connection->client_name : "a client that has gone", job->wish->purpose,
               status->message);
    request_fail(&job->request, status);
    job_key_fail(job, status);
    broker->is_dirty = true;
    job_free(job);
}

bool job_is_wanted(const struct job *job)
{
    return !job->is_leaving && job->failure == NULL;
}

bool job_wants(const struct job *job, const char *guid_path)
{
    for (size_t i = 0; i < job->volumes_count; i++) {
        if (text_equal(job->volumes[i].guid_path, guid_path))
            return true;
    }
    return false;
}

void job_note_failure(struct job *job, const PB(Status) * status)
{
    if (job->failure != NULL)
        return;
    job->failure = status != NULL ? MESSAGE_COPY(&job->arena, status) : NULL;
    if (job->failure == NULL)
        job->failure = error_no_memory();
}

void job_send_failure(struct job *job)
{
    assert(job->failure != NULL);
    job_fail(job, job->failure);
}

void job_warn(struct job *job, const char *format, ...)
{
    char text[WARNING_CHARS];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (job->warnings == NULL)
        job->warnings = arena_alloc(&job->arena, WARNINGS_MAX * sizeof *job->warnings);
    for (size_t i = 0; i < job->warnings_count; i++) {
        if (strcmp(job->warnings[i], text) == 0)
            return; /* in another attempt */
    }
    char *copy = arena_strdup(&job->arena, text);
    if (job->warnings != NULL && copy != NULL && job->warnings_count < WARNINGS_MAX)
        job->warnings[job->warnings_count++] = copy;
}

/* ---- waiting ---- */

size_t jobs_waiting(const struct broker *broker)
{
    return list_count(&broker->queue) + list_count(&broker->resolving);
}

bool job_waits_to_retry(const struct job *job)
{
    return job->resume_ms != 0;
}

static bool job_waits(const struct job *job)
{
    return job->state != JOB_IN_SET || job->set->stage == SET_AT_GATE || job->set->is_clearing;
}

/* All places for sets are taken. */
static bool is_full(const struct broker *broker)
{
    return list_count(&broker->sets) >= broker->config.max_sets;
}

/* Its time to wait is over. */
static PB(Status) * queue_timeout(struct job *job)
{
    struct broker *broker = job->request.broker;
    const char *why = "other snapshot sets are being created";
    const char *advice = "Ask again later, or allow more time.";
    PB(WaitingFor) waiting = gate_waiting_for(broker);
    if (waiting == PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN)) {
        why = "VSS still holds a snapshot set of a process that ended; Windows frees it within minutes";
    } else if (waiting == PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM)) {
        why = "a program outside of Shadowpipe is creating a snapshot set";
        advice = "Let the other backup program finish, or end it; then ask again.";
    }
    if (job->state == JOB_RESOLVING) {
        why = "the volumes of this machine are still being listed";
        advice = "Look for a disk that does not answer; then ask again.";
    }
    PB(Status) *status = NULL;
    if (is_full(broker) && job->state == JOB_QUEUED) {
        status = error_over_limit(broker, "max_sets", broker->config.max_sets, "snapshot sets at once",
                                  "Finish backups that are done, or raise MaxSets.");
    } else {
        status = status_make(&broker->arena, PB_CODE(UNAVAILABLE), "QUEUE_TIMEOUT",
                             "no turn came within %llu s: %s",
                             (unsigned long long)(broker->now_ms - job->request.arrived_ms) / 1000, why);
        error_retry(status, PB_VALUE(RETRY, RETRY_SOON), QUEUE_RETRY_MS);
        error_advise(status, advice);
    }
    if (status != NULL)
        status->phase = job->set != NULL ? PB_PHASE(WAITING_FOR_GATE) : PB_PHASE(QUEUED);
    return status;
}

static PB(Status) * deadline_failure(struct job *job)
{
    struct broker *broker = job->request.broker;
    if (job->failure != NULL)
        return job->failure;
    if (job_waits(job))
        return queue_timeout(job);
    const struct requester *requester = job->set->requester;
    PB(Call__MethodCase) method = requester != NULL ? requester_busy_with(requester) : PB_METHOD(_NOT_SET);
    const char *doing = "a requester process started or ended";
    if (method != PB_METHOD(_NOT_SET))
        doing = text_format(&broker->arena, "%s was under way", method_name(method));
    if (doing == NULL)
        return NULL;
    PB(Status) *status = error_deadline(broker, broker->now_ms - job->request.arrived_ms, doing);
    if (status != NULL) {
        status->phase = job->set->phase;
        if (method != PB_METHOD(_NOT_SET))
            status->method = text_constant(method_name(method));
    }
    return status;
}

/* Out of its set. */
static void leave_set(struct job *job, PB(Status) * status)
{
    struct set *set = job->set;
    list_remove(&job->link);
    job_fail(job, status);
    set_member_left(set);
}

/* The same without a reply: nobody is there to read it. */
static void leave_set_unheard(struct job *job)
{
    struct set *set = job->set;
    list_remove(&job->link);
    job_free(job);
    set_member_left(set);
}

static PB(Status) * expiry_failure(struct job *job)
{
    if (job->state == JOB_IN_SET)
        return deadline_failure(job);
    return job_waits_to_retry(job) && job->retried != NULL ? job->retried : queue_timeout(job);
}

/* Others wait for it by its key: it goes on for them. */
static bool goes_on(struct job *job, enum request_stop_reason reason)
{
    if (job->failure != NULL || list_is_empty(&job->followers))
        return false;
    if (reason == STOP_CANCELLED)
        request_fail(&job->request, error_cancelled(job->request.broker));
    else if (reason == STOP_EXPIRED)
        request_fail(&job->request, expiry_failure(job));
    job_key_take_over(job);
    return true;
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct job *job = (struct job *)request;
    struct broker *broker = request->broker;
    if (goes_on(job, reason))
        return;
    bool in_set = job->state == JOB_IN_SET;
    broker->is_dirty = true;
    if (reason == STOP_GONE) {
        if (in_set)
            leave_set_unheard(job);
        else
            job_free(job);
    } else if (reason == STOP_EXPIRED) {
        if (in_set)
            leave_set(job, expiry_failure(job));
        else
            job_fail(job, expiry_failure(job));
    } else if (!in_set) {
        job_fail(job, error_cancelled(broker));
    } else if (!job->is_leaving) {
        job->is_leaving = true;
        PB(Status) *status = error_cancelled(broker);
        if (status != NULL)
            status->phase = job->set->phase;
        job_note_failure(job, status);
        set_member_left(job->set);
    }
}

static void on_resume_timer(struct broker *broker, struct timer *timer);

static void on_queue_timer(struct broker *broker, struct timer *timer)
{
    struct job *job = LIST_ITEM(timer, struct job, queue_timer);
    broker->is_dirty = true;
    if (!job_waits(job) ||
        job_waits_to_retry(job)) { /* it works; it may have to wait once more, also in another attempt */
        timer_set(broker, timer, TICK_MS);
        return;
    }
    if (job->state == JOB_IN_SET)
        leave_set(job, queue_timeout(job));
    else
        job_fail(job, queue_timeout(job));
}

/* ---- progress ---- */

void job_progress(struct job *job)
{
    struct broker *broker = job->request.broker;
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    const struct set *set = job->set;
    progress.phase = set != NULL ? set->phase : PB_PHASE(QUEUED);
    progress.elapsed_ms = (uint32_t)(broker->now_ms - job->request.arrived_ms);
    progress.attempt = set != NULL ? set->attempt : job->attempts + 1;
    progress.phase_elapsed_ms =
        set != NULL ? (uint32_t)(broker->now_ms - set->phase_ms) : progress.elapsed_ms;
    progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING);
    if (job_waits_to_retry(job)) {
        progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY);
        progress.expected_wait_ms = (uint32_t)(job->resume_ms - broker->now_ms);
    } else if (job_waits(job)) {
        progress.queue_position = gate_position(broker, job);
        progress.waiting_for = gate_waiting_for(broker);
        bool is_held_up = progress.queue_position > 1 || (set == NULL && is_full(broker));
        if (is_held_up && progress.waiting_for == PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING))
            progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET);
        progress.expected_wait_ms = (uint32_t)(broker->gate.average_ms * progress.queue_position);
    }
    if (set != NULL)
        hold_point_tell(job, &progress);
    job->told_position = progress.queue_position;
    request_progress(&job->request, &progress);
    job_key_progress(job, &progress);
}

void jobs_progress(struct broker *broker, bool only_changed_positions)
{
    LIST_EACH(struct job, job, &broker->queue, link)
    {
        if (!only_changed_positions || gate_position(broker, job) != job->told_position)
            job_progress(job);
    }
    if (only_changed_positions)
        return;
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        LIST_EACH(struct job, job, &set->members, link)
        job_progress(job);
    }
}

/* ---- the way to a set ---- */

static void on_volumes(struct volume_wait *wait, const char *failure)
{
    struct job *job = LIST_ITEM(wait, struct job, volume_wait);
    struct broker *broker = job->request.broker;
    PB(Status) *status = NULL;
    if (failure != NULL) {
        status = error_volumes_unknown(broker, failure);
        if (status == NULL)
            status = error_no_memory();
    } else {
        status = job_resolve(job);
    }
    if (status != NULL) {
        job_fail(job, status);
        return;
    }
    job->state = JOB_QUEUED;
    list_remove(&job->link);
    list_append(&broker->queue, &job->link);
    broker->is_dirty = true;
    if (!timer_runs(&broker->tick))
        timer_set(broker, &broker->tick, TICK_MS);
    job_progress(job);
}

static void on_resume_timer(struct broker *broker, struct timer *timer)
{
    struct job *job = LIST_ITEM(timer, struct job, resume_timer);
    job->resume_ms = 0;
    broker->is_dirty = true;
    job_progress(job);
}

void job_requeue(struct job *job, uint64_t resume_ms)
{
    struct broker *broker = job->request.broker;
    list_remove(&job->link);
    list_append(&broker->queue, &job->link);
    job->state = JOB_QUEUED;
    job->set = NULL;
    if (resume_ms > broker->now_ms) {
        job->resume_ms = resume_ms;
        timer_set(broker, &job->resume_timer, resume_ms - broker->now_ms);
    }
    broker->is_dirty = true;
    job_progress(job);
}

void job_dequeue(struct job *job)
{
    struct broker *broker = job->request.broker;
    list_remove(&job->link);
    job->queued_end_ms = broker->now_ms;
    job->state = JOB_IN_SET;
}

static struct job *job_new(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    list_init(&job->link);
    list_init(&job->followers);
    list_init(&job->volume_wait.link);
    timer_init(&job->queue_timer, on_queue_timer);
    timer_init(&job->resume_timer, on_resume_timer);
    arena_init(&job->arena, ARENA_BYTES);
    job->volume_wait.ready = on_volumes;
    job->owner = owner_share(connection->owner);
    job->wish = MESSAGE_COPY(&job->arena, envelope->create_snapshot);
    if (job->wish == NULL) {
        job_free(job);
        return NULL;
    }
    request_open(&job->request, connection, envelope, on_stop);
    list_append(&broker->resolving, &job->link);
    if (job->wish->queue_timeout_ms != 0)
        timer_set(broker, &job->queue_timer, job->wish->queue_timeout_ms);
    return job;
}

/* NULL, or the limit of number that is reached. */
static PB(Status) * check_room(struct connection *connection, const PB(CreateSnapshot) * wish)
{
    struct broker *broker = connection->broker;
    const struct broker_config *config = &broker->config;
    if (jobs_waiting(broker) >= config->max_queue)
        return error_over_limit(broker, "max_queue", config->max_queue, "requests that wait for their turn",
                                "Ask again later, or raise MaxQueue.");
    PB(Status) *refusal = wish->dry_run ? NULL : quota_lease(connection);
    return refusal == NULL && !wish->dry_run && job_is_persistent(wish) ? quota_record(broker) : refusal;
}

void job_create(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    PB(Status) *refusal = job_check(broker, envelope->create_snapshot);
    if (refusal == NULL && job_key_answer(connection, envelope))
        return;
    if (refusal == NULL)
        refusal = check_room(connection, envelope->create_snapshot);
    if (refusal != NULL) {
        fail_now(connection, envelope->id, refusal);
        return;
    }
    struct job *job = job_new(connection, envelope);
    if (job == NULL)
        fail_now(connection, envelope->id, NULL);
    else
        volumes_ask(broker, &job->volume_wait);
}

void jobs_stop(struct broker *broker)
{
    while (!list_is_empty(&broker->resolving))
        job_fail(LIST_FIRST(&broker->resolving, struct job, link), error_stopping(broker));
    while (!list_is_empty(&broker->queue))
        job_fail(LIST_FIRST(&broker->queue, struct job, link), error_stopping(broker));
}

/* NULL without memory. */
static PB(SnapshotReply) * make_lease(struct job *job)
{
    job->lease = lease_create(job);
    PB(SnapshotReply) *reply = job->lease != NULL ? job_reply(job, job->lease) : NULL;
    if (reply != NULL && lease_keep_reply(job->lease, reply))
        return reply;
    if (job->lease != NULL)
        lease_discard(job->lease);
    return NULL;
}

void job_take_lease(struct job *job)
{
    if (make_lease(job) == NULL)
        job_fail(job, NULL);
}

/* The one that it has; or, where that ended with the connection of those who have asked for it before by the
 * same job_key, another. NULL without memory. */
static struct lease *settle_lease(struct job *job)
{
    if (job->lease == NULL && make_lease(job) != NULL)
        held_put_lease(job->lease);
    struct lease *lease = job->lease;
    if (lease == NULL)
        return NULL;
    if (lease->connection != job->request.connection)
        lease_bind(lease, job->request.connection);
    lease->job = NULL;
    job->lease = NULL;
    return lease;
}

void job_succeed(struct job *job)
{
    struct broker *broker = job->request.broker;
    bool is_dry = job->wish->dry_run;
    struct lease *lease = is_dry ? NULL : settle_lease(job);
    PB(SnapshotReply) *reply = is_dry ? job_reply(job, NULL) : lease != NULL ? lease->reply : NULL;
    if (reply == NULL) {
        job_fail(job, NULL);
        return;
    }
    PB(Envelope) envelope = ENVELOPE(SNAPSHOT_REPLY, .snapshot_reply = reply);
    broker_log(broker, BROKER_LOG_INFO, "%s %s for %s (\"%s\"): %zu volumes after %llu ms",
               is_dry ? "dry run" : "snapshot set", job->set->set_id, job->request.connection->client_name,
               job->wish->purpose, job->volumes_count,
               (unsigned long long)(broker->now_ms - job->request.arrived_ms));
    request_reply(&job->request, &envelope);
    if (lease != NULL)
        job_key_succeed(job, lease);
    broker->counters.snapshots_created += !is_dry;
    job_free(job);
}
