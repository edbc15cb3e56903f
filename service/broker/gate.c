#include "service/broker/gate.h"

#include <assert.h>

#include "service/broker/job.h"
#include "service/broker/share.h"
#include "service/broker/state.h"

enum {
    TICK_MS = 1000,
    SETS_AHEAD = 1,             /* behind the holder; of two that gather, the quicker one would overtake */
    AVERAGE_WEIGHT = 4,         /* of the past against the latest holder */
    RUNDOWN_MS = 15 * 60 * 1000 /* COM's run-down takes about six minutes; after this it is not ours */
};

static void on_timer(struct broker *broker, struct timer *timer)
{
    (void)timer;
    if (broker->gate.holder != NULL)
        set_gate_expired(broker->gate.holder);
    else if (broker->gate.session != NULL)
        session_gate_expired(broker->gate.session);
}

void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
    list_init(&gate->waiting);
    list_init(&gate->sessions);
    timer_init(&gate->timer, on_timer);
}

void gate_wait(struct set *set)
{
    set->gate_ms = set->broker->now_ms;
    list_append(&set->broker->gate.waiting, &set->gate_link);
    set->broker->is_dirty = true;
}

static void count_hold(struct broker *broker, uint64_t held_ms)
{
    broker->counters.gate_holds++;
    broker->counters.gate_hold_ms += held_ms;
}

bool gate_is_held_by(const struct set *set)
{
    return set->broker->gate.holder == set;
}

void gate_leave(struct set *set)
{
    struct broker *broker = set->broker;
    struct gate *gate = &broker->gate;
    list_remove(&set->gate_link);
    broker->is_dirty = true;
    if (gate->holder != set)
        return;
    if (gate->opened_ms != 0) {
        uint64_t held_ms = broker->now_ms - gate->opened_ms;
        count_hold(broker, held_ms);
        gate->average_ms = gate->average_ms == 0
                               ? held_ms
                               : (gate->average_ms * (AVERAGE_WEIGHT - 1) + held_ms) / AVERAGE_WEIGHT;
    }
    gate->holder = NULL;
    gate->opened_ms = 0;
    timer_stop(&gate->timer);
}

void gate_opened(struct set *set)
{
    struct broker *broker = set->broker;
    assert(broker->gate.holder == set);
    broker->gate.opened_ms = broker->now_ms;
    broker->gate.rundown_ms = 0;
    timer_set(broker, &broker->gate.timer, broker->config.gate_hold_ms);
}

/* ---- sessions ---- */

void gate_session_wait(struct session *session)
{
    struct broker *broker = session->broker;
    if (gate_session_waits(session))
        return;
    session->gate_ms = broker->now_ms;
    session->told_position = 0;
    if (!timer_runs(&broker->tick))
        timer_set(broker, &broker->tick, TICK_MS);
    list_append(&broker->gate.sessions, &session->gate_link);
    broker->is_dirty = true;
}

bool gate_session_waits(const struct session *session)
{
    return !list_is_empty(&session->gate_link);
}

bool gate_is_held_by_session(const struct session *session)
{
    return session->broker->gate.session == session;
}

void gate_session_opened(struct session *session)
{
    session->broker->gate.rundown_ms = 0;
}

void gate_session_leave(struct session *session)
{
    struct broker *broker = session->broker;
    if (broker->gate.session != session)
        return;
    count_hold(broker, broker->now_ms - broker->gate.opened_ms);
    broker->gate.session = NULL;
    broker->gate.opened_ms = 0;
    timer_stop(&broker->gate.timer);
    broker->is_dirty = true;
}

/* The one whose owner's last turn is longest ago. */
static struct session *next_session(struct broker *broker)
{
    struct session *next = NULL;
    LIST_EACH(struct session, session, &broker->gate.sessions, gate_link)
    {
        if (next == NULL || session->owner->last_turn < next->owner->last_turn)
            next = session;
    }
    return next;
}

/* Its time begins at once: a person may be at the other end. */
static void admit_session(struct session *session)
{
    struct broker *broker = session->broker;
    struct gate *gate = &broker->gate;
    list_remove(&session->gate_link);
    session->owner->last_turn = ++gate->turns;
    gate->session = session;
    gate->opened_ms = broker->now_ms;
    timer_set(broker, &gate->timer, broker->config.gate_hold_ms);
    session_gate_granted(session);
}

uint32_t gate_left_ms(const struct broker *broker)
{
    uint64_t end_ms = broker->gate.opened_ms + broker->config.gate_hold_ms;
    return end_ms > broker->now_ms ? (uint32_t)(end_ms - broker->now_ms) : 1;
}

void gate_run_down(struct broker *broker)
{
    broker->gate.rundown_ms = broker->now_ms > 0 ? broker->now_ms : 1;
}

PB(WaitingFor) gate_waiting_for(const struct broker *broker)
{
    const struct gate *gate = &broker->gate;
    if (gate->session != NULL)
        return PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET);
    if (gate->holder == NULL)
        return PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING);
    if (!gate->holder->is_clearing)
        return PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET);
    bool is_ours = gate->rundown_ms != 0 && broker->now_ms - gate->rundown_ms < RUNDOWN_MS;
    return is_ours ? PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN)
                   : PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM);
}

static void admit(struct broker *broker)
{
    struct gate *gate = &broker->gate;
    if (gate->holder != NULL || gate->session != NULL)
        return;
    struct set *set = LIST_FIRST(&gate->waiting, struct set, gate_link);
    struct session *session = next_session(broker);
    /* The set's owner had its turn when the set was begun. A session that came earlier goes before it,
     * unless its owner has had a turn since. */
    if (session != NULL &&
        (set == NULL || (session->owner->last_turn < set->turn && session->gate_ms < set->gate_ms))) {
        admit_session(session);
        return;
    }
    if (set == NULL)
        return;
    list_remove(&set->gate_link);
    gate->holder = set;
    set_gate_granted(set);
}

static size_t count_ahead(const struct broker *broker)
{
    size_t count = 0;
    LIST_EACH(struct set, set, &broker->sets, link)
    count += set_is_ahead(set) && !gate_is_held_by(set);
    return count;
}

/* Each asks all writers of the machine. */
static bool runs_dry(const struct broker *broker)
{
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (set->is_dry)
            return true;
    }
    return false;
}

/* The owner whose last turn is longest ago; its oldest job. Dry runs never come to the gate, and wait for
 * each other only. */
static struct job *next_job(struct broker *broker)
{
    bool may_gather = count_ahead(broker) < SETS_AHEAD;
    bool may_run_dry = !runs_dry(broker);
    struct job *next = NULL;
    LIST_EACH(struct job, job, &broker->queue, link)
    {
        bool may_start = !job_waits_to_retry(job) && (job->wish->dry_run ? may_run_dry : may_gather);
        if (may_start && (next == NULL || job->owner->last_turn < next->owner->last_turn))
            next = job;
    }
    return next;
}

static void start_jobs(struct broker *broker)
{
    while (list_count(&broker->sets) < broker->config.max_sets) {
        struct job *job = next_job(broker);
        if (job == NULL)
            return;
        if (!job->wish->dry_run)
            job->owner->last_turn = ++broker->gate.turns;
        job_dequeue(job);
        struct set *set = set_create(broker, job);
        if (set == NULL)
            job_fail(job, NULL);
        else
            set->turn = broker->gate.turns;
        share_queued(broker);
    }
}

void gate_advance(struct broker *broker)
{
    admit(broker);
    if (broker->stopping)
        return;
    share_queued(broker);
    start_jobs(broker);
}

/* With which of its owner's coming turns each job goes. */
static void number_rounds(struct broker *broker)
{
    LIST_EACH(struct owner, owner, &broker->owners, link)
    owner->queued = 0;
    LIST_EACH(struct job, job, &broker->queue, link)
    job->round = job->owner->queued++;
}

static bool goes_before(const struct job *one, const struct job *other, bool arrived_before)
{
    if (one->round != other->round)
        return one->round < other->round;
    if (one->owner->last_turn != other->owner->last_turn)
        return one->owner->last_turn < other->owner->last_turn;
    return arrived_before;
}

uint32_t gate_position(struct broker *broker, const struct job *job)
{
    uint32_t position = 1;
    if (job_waits_to_retry(job))
        return 0;
    if (job->set != NULL)
        return job->set->stage == SET_AT_GATE || job->set->is_clearing ? position : 0;
    LIST_EACH(struct set, set, &broker->sets, link)
    position += set_is_ahead(set) && !gate_is_held_by(set);
    position += (uint32_t)list_count(&broker->gate.sessions);
    number_rounds(broker);
    bool arrived_before = true;
    LIST_EACH(struct job, other, &broker->queue, link)
    {
        if (other == job)
            arrived_before = false;
        else if (!job_waits_to_retry(other))
            position += goes_before(other, job, arrived_before);
    }
    return position;
}
