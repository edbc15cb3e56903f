/* How a set ends: calls under way are awaited, then VSS gets what it is owed, then the object is released.
 *
 * Members that failed are answered as soon as nothing of theirs is left open in VSS; Release, which may take
 * minutes with hardware providers, goes on without them. */
#include <assert.h>

#include "service/broker/component_list.h"
#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/job.h"
#include "service/broker/finish.h"
#include "service/broker/lease.h"
#include "service/broker/lease_documents.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"

bool set_owes_completion(const struct set *set)
{
    return set->has_writers && set->created && !set->completed && !set->failed &&
           set->completion_failure == NULL && (set_is_copy(set) || set->succeeded);
}

/* AbortBackup raises Abort in every writer of the machine, so it is called only where it is owed. A copy
 * without writers that exists needs no more than Release. */
bool set_owes_abort(const struct set *set)
{
    if (set->aborted || set->complete_done)
        return false;
    return set->created ? set->has_writers : set->opened || set->prepared;
}

static void answer_members(struct set *set)
{
    if (set->restart && set_is_wanted(set) && !set->broker->stopping)
        return; /* the next attempt answers */
    set->restart = false;
    while (!list_is_empty(&set->members)) {
        struct job *job = LIST_FIRST(&set->members, struct job, link);
        job_note_failure(job, error_stopping(set->broker)); /* where nothing else is noted */
        job_send_failure(job);
    }
}

static void call(struct set *set, PB(Call__MethodCase) method, const ProtobufCMessageDescriptor *descriptor,
                 uint32_t limit_ms)
{
    /* When it cannot be sent the process's end follows, and cleans up here. */
    (void)requester_call(set->requester, method, message_new(&set->broker->arena, descriptor), 0, 0,
                         limit_ms);
}

static void release(struct set *set)
{
    set->stage = SET_RELEASING;
    /* A set that AbortBackup could not close stays open until Release. */
    if (!set_may_be_open(set))
        gate_leave(set);
    PB(Completion)
    completion = !set->has_writers ? PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED)
                 : set->completed  ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                                   : PB_VALUE(COMPLETION, COMPLETION_ABORTED);
    finishes_reply(set, completion, set->completion_failure);
    answer_members(set);
    call(set, PB_METHOD(RELEASE_OBJECT), &shadowpipe__v1__release_object__descriptor,
         set->broker->config.release_ms);
}

static void abort_backup(struct set *set)
{
    set->stage = SET_ABORTING;
    set_enter_phase(set, PB_PHASE(ABORTING));
    call(set, PB_METHOD(ABORT_BACKUP), &shadowpipe__v1__abort_backup__descriptor,
         set->broker->config.abort_ms);
}

/* Nothing is under way any more. */
static void go_on(struct set *set)
{
    timer_stop(&set->timer);
    if (set_owes_completion(set)) {
        set->stage = SET_COMPLETING;
        set_run(set, set_steps_complete);
    } else if (set->completed && set->saves_again && !set->has_saved) {
        set->stage = SET_COMPLETING;
        set_run(set, set_steps_save);
    } else if (set_owes_abort(set)) {
        abort_backup(set);
    } else {
        release(set);
    }
}

void set_end(struct set *set)
{
    struct broker *broker = set->broker;
    struct requester *requester = set->requester;
    if (set_is_ending(set))
        return;
    sequence_stop(&set->sequence);
    timer_stop(&set->timer);
    timer_stop(&set->complete_timer);
    hold_point_leave(set);
    set->is_clearing = false;
    component_lists_end(set);
    shelf_interrupt(set);
    set->stage = SET_DRAINING;
    broker->is_dirty = true;
    set_enter_phase(set, set_owes_completion(set) ? PB_PHASE(COMPLETING) : PB_PHASE(ABORTING));
    if (requester->state != REQUESTER_READY) {
        requester_let_go(requester); /* it has no object yet, or is lost */
        set->stage = SET_LEAVING;
        if (!set_may_be_open(set)) {
            gate_leave(set);
            answer_members(set);
        }
    } else if (!requester_is_busy(requester)) {
        go_on(set);
    } else if (method_is_asynchronous(requester_busy_with(requester))) {
        requester_cancel(requester);
        timer_set(broker, &set->timer, cancel_limit_ms(&broker->config));
    } else if (requester_is_overdue(requester)) {
        set_end_overdue(set); /* it was left running so that the copies could be read */
    }
    /* Any other synchronous call has its limit still to come. */
}

/* The call under way is lost. AbortBackup still gets through to a running asynchronous one; behind a
 * synchronous one it would only wait. */
void set_end_overdue(struct set *set)
{
    if (set->requester == NULL || set->requester->state != REQUESTER_READY)
        return;
    PB(Call__MethodCase) method = requester_busy_with(set->requester);
    if (set->stage == SET_COMPLETING) {
        sequence_stop(&set->sequence);
        set_end_completion_failed(set, error_no_return(set->broker, method));
    }
    if (set->stage == SET_DRAINING && set_owes_abort(set) && method_is_asynchronous(method)) {
        abort_backup(set);
        timer_set(set->broker, &set->timer, set->broker->config.abort_ms);
        return;
    }
    requester_kill(set->requester, error_stuck(set->broker, method));
}

void set_end_waited(struct set *set)
{
    set_end_overdue(set);
}

void set_end_replied(struct set *set, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    if (set->stage == SET_COMPLETING) {
        sequence_replied(&set->sequence, index, reply);
    } else if (set->stage == SET_DRAINING) {
        if (!requester_is_busy(set->requester))
            go_on(set);
    } else if (set->stage == SET_ABORTING && method == PB_METHOD(ABORT_BACKUP)) {
        if (!set->aborted)
            broker_log(set->broker, BROKER_LOG_ERROR,
                       "AbortBackup failed (0x%08x): VSS may refuse new snapshot sets for a while",
                       (unsigned)reply->hresult);
        timer_stop(&set->timer);
        release(set);
    } else if (set->stage == SET_RELEASING && method == PB_METHOD(RELEASE_OBJECT)) {
        set->released = true; /* whatever it said, there is nothing more to release */
        gate_leave(set);
        set->stage = SET_LEAVING;
        set_enter_phase(set, PB_PHASE(ENDED));
        answer_members(set);
        if (shelf_takes_over(set))
            set_give_up_requester(set);
        else
            requester_let_go(set->requester);
    }
}

void set_end_answered(struct set *set)
{
    if (set->stage == SET_DRAINING && !requester_is_busy(set->requester))
        go_on(set);
}

void set_end_completed(struct set *set)
{
    set->completed = true;
    release(set);
}

void set_note_completion_failure(struct set *set, const PB(Status) * status)
{
    broker_log(set->broker, BROKER_LOG_ERROR, "the backup of set %s could not be completed: %s", set->set_id,
               status != NULL ? status->message : "no memory");
    set->completion_failure = status != NULL ? MESSAGE_COPY(&set->arena, status) : NULL;
    if (set->completion_failure == NULL)
        set->completion_failure = error_no_memory();
}

void set_end_completion_failed(struct set *set, PB(Status) * status)
{
    if (status != NULL && status->phase == PB_PHASE(UNSPECIFIED))
        status->phase = PB_PHASE(COMPLETING);
    set_note_completion_failure(set, status);
    if (!requester_is_busy(set->requester))
        go_on(set);
    else
        set->stage = SET_DRAINING; /* for the rest of a step that was sent ahead */
}

/* ---- reasons to end ---- */

void set_member_left(struct set *set)
{
    watch_set(set);
    if (set_is_ending(set) || set_is_wanted(set))
        return;
    /* Writers are frozen or were: what follows is short, and then owed to them. */
    if (set->freeze_begun && !set->waits_for_store)
        set_answer_leaving(set);
    else
        set_end(set);
}

void set_lease_ended(struct set *set)
{
    if (set->stage == SET_HELD && list_is_empty(&set->leases) && set->awaited_key[0] == '\0')
        set_end(set);
}

void set_stop(struct set *set)
{
    set->restart = false;
    LIST_EACH(struct job, job, &set->members, link)
    job_note_failure(job, error_stopping(set->broker));
    if (set_is_ending(set))
        return;
    leases_lose(set, "the service stopped");
    if (set->stage == SET_ADOPTING)
        return; /* its requester may still come, and is then told to end it */
    if (set->stage == SET_HELD)
        set_end(set);
    else if (!set->freeze_begun && set->stage <= SET_CREATING)
        set_fail(set, error_stopping(set->broker));
    else
        set_answer_leaving(set);
}

void set_stop_overdue(struct set *set)
{
    if (!set_is_ending(set) && set->freeze_begun && !set->created)
        set_end(set);
}

void set_kill(struct set *set)
{
    if (set->requester != NULL)
        requester_kill(set->requester, error_stopping(set->broker));
}
