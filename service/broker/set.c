#include "service/broker/set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/adoption.h"
#include "service/broker/component_list.h"
#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/held.h"
#include "service/broker/job.h"
#include "service/broker/finish.h"
#include "service/broker/lease.h"
#include "service/broker/lease_documents.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"
#include "service/broker/writers.h"

enum {
    ARENA_BYTES = 64 * 1024 * 1024,
    TICK_MS = 1000,
    BLAME_MS = 30 * 1000 /* who hung before may hang again, and all others wait for the gate */
};

/* ---- what it is ---- */

bool set_is_ending(const struct set *set)
{
    return set->stage >= SET_DRAINING;
}

bool set_is_ahead(const struct set *set)
{
    bool begins_again = set->restart && set->resume_ms == 0; /* else others go before it */
    return !set->is_dry && (begins_again || (set->stage <= SET_CREATING && !set->created));
}

bool set_is_copy(const struct set *set)
{
    return set->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
}

bool set_is_wanted(const struct set *set)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job_is_wanted(job))
            return true;
    }
    return false;
}

static bool is_freezing(const struct set *set)
{
    return set->requester != NULL && requester_busy_with(set->requester) == PB_METHOD(DO_SNAPSHOT_SET);
}

bool set_may_be_open(const struct set *set)
{
    return (set->opened || set->starting) && !set->created && !set->aborted && !set->released;
}

void set_enter_phase(struct set *set, PB(Phase) phase)
{
    struct broker *broker = set->broker;
    if (set->phase == phase)
        return;
    if (set->phase != PB_PHASE(UNSPECIFIED) && set->times_count < PHASE_TIMES)
        set->times[set->times_count++] = (struct phase_time){set->phase, set->phase_ms, broker->now_ms};
    set->phase = phase;
    set->phase_ms = broker->now_ms;
    watch_set(set);
    LIST_EACH(struct job, job, &set->members, link)
    job_progress(job);
}

/* ---- its life ---- */

static void sequence_failed(void *subject, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    struct set *set = subject;
    if (set->stage == SET_COMPLETING) {
        set_end_completion_failed(set, status);
    } else if (set->stage == SET_COMPLETING_EARLY) {
        set_note_completion_failure(set, status);
        set->stage = SET_HELD;
        set_enter_phase(set, PB_PHASE(HELD));
        set_lease_ended(set);
    } else {
        set_call_failed(set, method, index, status);
    }
}

bool set_no_memory(struct set *set)
{
    sequence_stop(&set->sequence);
    sequence_failed(set, PB_METHOD(_NOT_SET), 0, NULL);
    return false;
}

void set_answer_leaving(struct set *set)
{
    if (!set->freeze_begun || is_freezing(set))
        return;
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job->failure != NULL)
            job_send_failure(job);
    }
}

bool set_completes_by_itself(const struct set *set)
{
    /* SetBackupSucceeded comes before BackupComplete, and needs the outcome. */
    return set->has_writers && set_is_copy(set) && set->selection == NULL;
}

static void give_out(struct set *set)
{
    set_answer_leaving(set); /* who left while the store was at work */
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job_is_wanted(job))
            job_succeed(job);
    }
    set_record_given(set);
    bool is_first = set->stage == SET_HELD && !set->completed && set->completion_failure == NULL &&
                    !timer_runs(&set->complete_timer);
    if (is_first && set_completes_by_itself(set))
        timer_set(set->broker, &set->complete_timer, set->complete_within_ms);
    set_lease_ended(set);
}

void set_hand_out(struct set *set)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job_is_wanted(job) && job->lease == NULL)
            job_take_lease(job);
    }
    if (!held_await(set))
        give_out(set);
}

void set_hold(struct set *set)
{
    set_answer_leaving(set);
    set->stage = SET_HELD;
    set_enter_phase(set, PB_PHASE(HELD));
    set_hand_out(set);
}

void set_kept(struct set *set)
{
    if (!set_is_ending(set))
        give_out(set);
}

bool set_may_be_left(const struct set *set)
{
    bool is_held = set->stage == SET_ADOPTING || set->stage == SET_HELD || set->stage == SET_COMPLETING_EARLY;
    return is_held && set->is_kept && set->awaited_key[0] == '\0' && list_is_empty(&set->finishes);
}

static void freeze(struct set *set)
{
    if (set->is_persistent)
        set_record_begin(set);
    else
        set_run(set, set_steps_freeze);
}

/* The writers are ready, or the copies are made. */
static void creation_done(struct set *set)
{
    if (!set->freeze_begun) {
        if (!hold_point_reached(set, PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED)))
            freeze(set);
    } else if (set->is_persistent) {
        set_record_created(set);
    } else {
        set_hold(set);
    }
}

void set_held_goes_on(struct set *set, PB(HoldPointKind) kind)
{
    if (kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED))
        freeze(set);
    else
        set_run(set, set_steps_create);
}

/* All that the real one would have to pass before its turn has been passed. */
static void answer_dry(struct set *set)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job_is_wanted(job))
            job_succeed(job);
    }
    set_end(set);
}

static void sequence_done(void *subject)
{
    struct set *set = subject;
    switch (set->stage) {
    case SET_OPENING:
        if (set->is_dry) {
            answer_dry(set);
            break;
        }
        set->stage = SET_AT_GATE;
        gate_wait(set);
        set_enter_phase(set, PB_PHASE(WAITING_FOR_GATE));
        break;
    case SET_CREATING:
        creation_done(set);
        break;
    case SET_COMPLETING_EARLY:
        set->completed = true;
        set->stage = SET_HELD;
        set_enter_phase(set, PB_PHASE(HELD));
        set_lease_ended(set);
        break;
    default:
        assert(set->stage == SET_COMPLETING);
        set_end_completed(set);
        break;
    }
}

static uint32_t least(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static uint32_t limit_ms(void *subject, enum limit limit)
{
    const struct set *set = subject;
    uint32_t most_ms = limit_default_ms(&set->broker->config, limit);
    /* The request's limit for adding volumes is no other synchronous call's: those can only be killed. */
    bool is_wished = limit != LIMIT_CALL || set->phase == PB_PHASE(ADDING_VOLUMES);
    if (is_wished && set->wished_ms[set->phase] != 0)
        most_ms = least(most_ms, set->wished_ms[set->phase]);
    if (limit == LIMIT_STATUS && set->blamed != NULL)
        most_ms = least(most_ms, BLAME_MS);
    return limit == LIMIT_CREATE ? least(most_ms, gate_left_ms(set->broker)) : most_ms;
}

static void on_phase(void *subject, PB(Phase) phase)
{
    struct set *set = subject;
    if (!set->is_clearing &&
        phase != PB_PHASE(UNSPECIFIED)) /* another try of StartSnapshotSet is part of the wait */
        set_enter_phase(set, phase);
}

static const struct sequence_user sequence_user = {.phase = on_phase,
                                                   .limit_ms = limit_ms,
                                                   .failed = sequence_failed,
                                                   .done = sequence_done,
                                                   .next = set_next_step};

void set_run(struct set *set, const struct step *steps)
{
    sequence_start(&set->sequence, set->requester, steps, &sequence_user, set);
}

void set_gate_granted(struct set *set)
{
    assert(set->stage == SET_AT_GATE);
    set->stage = SET_CREATING;
    LIST_EACH(struct job, job, &set->members, link)
    {
        set->broker->counters.gate_waits++;
        set->broker->counters.gate_wait_ms += set->broker->now_ms - job->request.arrived_ms;
    }
    set->retry_ms = set->broker->config.in_progress_retry_ms;
    if (!hold_point_reached(set, PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_GATE_GRANTED)))
        set_run(set, set_steps_create);
}

void set_gate_expired(struct set *set)
{
    struct broker *broker = set->broker;
    /* DoSnapshotSet's own limit is no later than this; after it the writers are only asked how they fared. */
    if (set_is_ending(set) || is_freezing(set) || set->created)
        return;
    PB(Status) *status = status_make(&broker->arena, PB_CODE(ABORTED), "GATE_TIMEOUT",
                                     "the snapshot set was not created within the %u s that one may take",
                                     (unsigned)broker->config.gate_hold_ms / 1000);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), broker->config.freeze_pause_ms);
    set_fail(set, error_advise(status, "See which writer or provider is slow in the Application event log."));
}

/* ---- from its requester ---- */

static void on_ready(void *subject)
{
    struct set *set = subject;
    if (set->stage == SET_ADOPTING) {
        adoption_ready(set);
        return;
    }
    set->stage = SET_OPENING;
    set_run(set, set_steps_open);
}

/* What VSS now holds for this object, whoever waits for the answer. */
static void note_progress(struct set *set, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    if (method == PB_METHOD(START_SNAPSHOT_SET)) {
        set->starting = false;
        /* Also when its result was lost on the way. */
        set->opened = (reply->hresult & 0x80000000u) == 0;
    }
    if (method == PB_METHOD(DO_SNAPSHOT_SET))
        set->freeze_ended = reply->async_hresult != ASYNC_PENDING;
    if (reply_failure(set->broker, method, reply) != NULL)
        return;
    switch (method) {
    case PB_METHOD(DO_SNAPSHOT_SET):
        set->created = true;
        set->broker->counters.sets_created++;
        set->broker->counters.set_members += list_count(&set->members);
        set->created_unix_ms = set->broker->unix_ms;
        break;
    case PB_METHOD(BACKUP_COMPLETE):
        set->complete_done = true;
        break;
    case PB_METHOD(ABORT_BACKUP):
        set->aborted = true;
        break;
    case PB_METHOD(RELEASE_OBJECT):
        set->released = true;
        break;
    default:
        break;
    }
}

static void on_replied(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    note_progress(set, method, reply);
    if (method == PB_METHOD(DO_SNAPSHOT_SET)) {
        set->broker->counters.freezes++;
        set->broker->counters.freeze_ms += set->broker->now_ms - set->freeze_ms;
        set_answer_leaving(set);
    }
    if (set_check_replied(set, method, reply))
        return;
    if (set_is_ending(set))
        set_end_replied(set, method, index, reply);
    else
        sequence_replied(&set->sequence, index, reply);
}

static void on_overdue(void *subject, PB(Call__MethodCase) method)
{
    struct set *set = subject;
    struct broker *broker = set->broker;
    PB(Status) *status = error_no_return(broker, method);
    if (status != NULL) {
        status->phase = set->phase;
        status->attempts = set->attempt;
    }
    if (set_is_ending(set)) {
        set_end_overdue(set);
        return;
    }
    if (set_check_overdue(set, method))
        return;
    if (set->stage ==
        SET_HELD) { /* a document was being read; what cannot even do that holds nothing safely */
        requester_kill(set->requester, status);
        return;
    }
    if (set->stage == SET_COMPLETING_EARLY) { /* the copies can be read all the same */
        set_note_completion_failure(set, status);
        sequence_stop(&set->sequence);
        set->stage = SET_HELD;
        set_enter_phase(set, PB_PHASE(HELD));
        set_lease_ended(set);
        return;
    }
    set_fail(set, status);
    if (method_is_asynchronous(method))
        set_end_overdue(set); /* its cancellation has been tried: go on to AbortBackup */
    else
        requester_kill(set->requester, status);
}

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    set_process_ended(subject, why, left_open);
}

static void on_answered(void *subject, const PB(Envelope) * answer)
{
    struct set *set = subject;
    if (set->shelf != NULL)
        shelf_answered(set->shelf, answer);
    set_end_answered(set);
}

static const struct requester_user requester_user = {.ready = on_ready,
                                                     .replied = on_replied,
                                                     .answered = on_answered,
                                                     .overdue = on_overdue,
                                                     .ended = on_ended};

/* ---- its timers ---- */

static void on_timer(struct broker *broker, struct timer *timer)
{
    struct set *set = LIST_ITEM(timer, struct set, timer);
    (void)broker;
    if (set_is_ending(set))
        set_end_waited(set);
    else if (set->is_clearing)
        sequence_repeat(&set->sequence);
}

static void on_complete_timer(struct broker *broker, struct timer *timer)
{
    struct set *set = LIST_ITEM(timer, struct set, complete_timer);
    if (set->stage != SET_HELD || set->completed || set->completion_failure != NULL)
        return;
    broker_log(broker, BROKER_LOG_INFO, "completing the backup of set %s early, while it is being read",
               set->set_id);
    set->stage = SET_COMPLETING_EARLY;
    set_run(set, set_steps_complete);
}

/* ---- beginnings ---- */

static bool begin_attempt(struct set *set)
{
    struct broker *broker = set->broker;
    set->attempt++;
    set->stage = SET_STARTING;
    set_enter_phase(set, PB_PHASE(STARTING));
    if (!set_take_wishes(set))
        return false;
    set->requester = requester_start(broker, &requester_user, set);
    return set->requester != NULL;
}

static struct set *set_new(struct broker *broker)
{
    struct set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return NULL;
    set->broker = broker;
    set->number = ++broker->last_set_number;
    set->started_ms = broker->now_ms;
    list_init(&set->gate_link);
    list_init(&set->members);
    list_init(&set->leases);
    list_init(&set->finishes);
    list_init(&set->component_lists);
    arena_init(&set->arena, ARENA_BYTES);
    timer_init(&set->timer, on_timer);
    timer_init(&set->complete_timer, on_complete_timer);
    hold_point_init(&set->hold_point);
    list_append(&broker->sets, &set->link);
    return set;
}

static void set_free(struct set *set)
{
    assert(list_is_empty(&set->leases) && list_is_empty(&set->finishes) && set->requester == NULL);
    assert(list_is_empty(&set->members) && list_is_empty(&set->component_lists));
    shelf_close(set);
    gate_leave(set);
    held_end(set);
    set_leave_record(set);
    set->phase = PB_PHASE(ENDED);
    watch_set_ended(set);
    list_remove(&set->link);
    timer_stop(&set->timer);
    timer_stop(&set->complete_timer);
    arena_free(&set->arena);
    free(set);
}

struct set *set_create(struct broker *broker, struct job *job)
{
    struct set *set = set_new(broker);
    if (set == NULL)
        return NULL;
    list_append(&set->members, &job->link);
    job->set = set;
    set->attempt = set->earlier_attempts = job->attempts;
    if (begin_attempt(set)) {
        if (!timer_runs(&broker->tick))
            timer_set(broker, &broker->tick, TICK_MS);
        return set;
    }
    list_remove(&job->link);
    job->set = NULL;
    set_free(set);
    return NULL;
}

struct set *set_adopt(struct broker *broker, const PB(HeldSet) * held)
{
    struct set *set = set_new(broker);
    if (set == NULL)
        return NULL;
    set->stage = SET_ADOPTING;
    set->is_adopted = set->is_kept = true;
    set->requester = requester_adopt(broker, &requester_user, set, held);
    if (set->requester != NULL)
        return set;
    set_free(set);
    return NULL;
}

void set_forget(struct set *set)
{
    requester_forget(set->requester);
    set->requester = NULL;
    set_free(set);
}

/* Everything of the last attempt is forgotten but the times of its phases. */
static void forget_attempt(struct set *set)
{
    arena_reset(&set->arena);
    set->volumes = NULL;
    set->asked = set->added = 0;
    set->is_closed = false;
    set->kind = NULL;
    set->volumes_count = set->providers_count = set->excluded_count = 0;
    set->is_counted = false;
    set->writers = set->statuses = (struct writer_list){0};
    set->set_id[0] = '\0';
    set->starting = set->opened = set->prepared = set->created = set->aborted = set->released = false;
    set->waits_for_store = set->is_clearing = set->restart = set->failed = false;
    set->selection = NULL;
    set->lacking = NULL;
    set->documents = (struct document_list){0};
    set->completion_failure = set->blamed = NULL;
}

/* Nothing is left of this attempt but what its members keep; the next set is for them when their time has
 * come. Those for whom the queue has no room hear why they would have had to wait. */
static void requeue_members(struct set *set)
{
    LIST_EACH(struct job, job, &set->members, link)
    {
        if (job_is_wanted(job) && jobs_waiting(set->broker) < set->broker->config.max_queue) {
            job_requeue(job, set->resume_ms);
        } else {
            job_note_failure(job, job->retried);
            job_send_failure(job);
        }
    }
}

void set_process_ended(struct set *set, PB(Status) * why, bool left_open)
{
    struct broker *broker = set->broker;
    bool was_open = set_may_be_open(set);
    sequence_stop(&set->sequence);
    timer_stop(&set->timer);
    timer_stop(&set->complete_timer);
    hold_point_leave(set);
    set->requester = NULL;
    component_lists_end(set);
    shelf_close(set);
    if (was_open && left_open)
        gate_run_down(broker);
    gate_leave(set);
    if (set->restart && set_is_wanted(set) && !broker->stopping) {
        set_leave_record(set);
        if (set->resume_ms != 0) {
            requeue_members(set);
            set_free(set);
            return;
        }
        forget_attempt(set);
        if (begin_attempt(set))
            return;
        why = error_no_memory();
    }
    if (why == NULL)
        why = error_stopping(broker);
    if (why != NULL && why->phase == PB_PHASE(UNSPECIFIED))
        why->phase = set->phase;
    leases_lose(set, why != NULL ? why->message : "the service has no memory");
    finishes_reply(set, PB_VALUE(COMPLETION, COMPLETION_UNSPECIFIED),
                   set->completion_failure != NULL ? set->completion_failure : why);
    set->stage = SET_LEAVING;
    while (!list_is_empty(&set->members)) {
        struct job *job = LIST_FIRST(&set->members, struct job, link);
        job_note_failure(job, why);
        job_send_failure(job);
    }
    set_free(set);
}

void set_give_up_requester(struct set *set)
{
    set->requester = NULL;
    set_free(set);
}

void sets_free(struct broker *broker)
{
    while (!list_is_empty(&broker->sets)) {
        struct set *set = LIST_FIRST(&broker->sets, struct set, link);
        set->requester = NULL;
        if (set->record != NULL) /* what is left of it is for the next start */
            set->record->set = NULL;
        set->record = NULL;
        set_free(set);
    }
}
