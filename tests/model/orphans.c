/* Requesters that hold snapshots while there is no service: they dial in to the next one, which adopts them,
 * or end when their grace is over. Who shows the secret of another one is never welcome. */
#include <string.h>

#include "tests/model/model.h"

enum {
    EXIT_CLEANED_UP = 10,
    EXIT_ORPHAN_ENDED = 11,
    REDIAL_MS = 1500
};

static size_t index_of(const struct model *model, const struct process *process)
{
    return process_index(model, process) - 1;
}

/* ---- the service has gone ---- */

static bool holds_snapshots(const struct model *model, const struct process *process)
{
    const struct object *object = &process->object;
    return model->config.orphan_grace_ms > 0 && process->is_alive && !process->is_killed &&
           process->is_welcome && !process->has_misbehaved && object->created && !object->abort_called &&
           !object->release_called;
}

/* The call under way ends, well or cancelled. */
static void end_call(struct model *model, struct process *process)
{
    const struct inbox_item *working = process->working;
    PB(Call__MethodCase)
    method = working != NULL ? working->envelope->call->method_case : PB_METHOD(_NOT_SET);
    bool ends_well = working != NULL && process->outcome == OUTCOME_OK && model_chance(model, 50);
    if (ends_well && (method == PB_METHOD(DO_SNAPSHOT_SET) || method == PB_METHOD(BACKUP_COMPLETE)))
        (void)vss_apply(model, process, working->envelope->call);
    process->object.complete_called = process->object.completed;
    process->object.start_pending = false;
}

void orphan_left(struct model *model, struct process *process)
{
    bool is_stuck = process->working != NULL && process->outcome == OUTCOME_STUCK;
    if (process->is_alive)
        end_call(model, process);
    process->link = 0;
    process->broker_id = 0;
    process->is_reported = true;
    if (!holds_snapshots(model, process) || is_stuck) { /* the watchdog ends a stuck one */
        process_ends(model, process, EXIT_CLEANED_UP);
        return;
    }
    process_forgets_inbox(process);
    /* The grace is that of the last service that has welcomed it. */
    if (!process->is_orphan) {
        process->orphan_end_ms = model->now_ms + model->config.orphan_grace_ms;
        model_schedule(model, model->config.orphan_grace_ms, EVENT_GRACE, index_of(model, process),
                       process->orphan_end_ms);
    }
    process->is_orphan = true;
    model_say(model, "requester %llu holds its snapshots", (unsigned long long)process->id);
    uint64_t dial_ms = model_random(model, REDIAL_MS);
    if (model_chance(model, 15)) /* the service is slow to come, perhaps too slow */
        dial_ms = model_random(model, 2ull * model->config.orphan_grace_ms);
    model_schedule(model, dial_ms, EVENT_DIAL, index_of(model, process), 0);
    if (model_chance(model, 50))
        model_schedule(model, model_random(model, 5000), EVENT_IMPOSTOR, index_of(model, process), 0);
}

/* The pipe has ended before a welcome. */
void orphan_dismissed(struct model *model, struct process *process)
{
    if (process->is_refused)
        orphan_ends(model, process);
    else
        model_schedule(model, model_random(model, REDIAL_MS), EVENT_DIAL, index_of(model, process), 0);
}

void orphan_ends(struct model *model, struct process *process)
{
    process->object.abort_called |= !process->object.completed;
    process->object.release_called = true;
    process_ends(model, process, EXIT_ORPHAN_ENDED);
}

void orphan_grace_ends(struct model *model, size_t index, uint64_t end_ms)
{
    struct process *process = model->processes[index];
    if (process->is_alive && process->is_orphan && process->link == 0 && process->orphan_end_ms == end_ms)
        orphan_ends(model, process);
}

/* ---- the next one comes ---- */

void orphan_adopted(struct model *model, uint64_t id, uint32_t process_id, uint64_t started)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        struct process *process = model->processes[i];
        if (process->process_id != process_id || process->id != started || !process->is_alive)
            continue;
        REQUIRE(model, process->broker_id == 0, "requester %llu is adopted twice",
                (unsigned long long)process->id);
        process->broker_id = id;
        process->is_reported = false;
        model_schedule(model, model_random(model, 40), EVENT_STARTED, i, 0);
        return;
    }
    model_schedule(model, model_random(model, 40), EVENT_NOT_THERE, id, model->services);
}

void orphan_is_not_there(struct model *model, uint64_t id, uint64_t services)
{
    if (services == model->services)
        broker_requester_exited(model->broker, id, 0, "there is no such process");
}

void orphan_welcomed(struct model *model, struct process *process)
{
    process->is_welcome = true;
    if (!process->is_orphan)
        return;
    model_say(model, "requester %llu is welcome again", (unsigned long long)process->id);
    REQUIRE(model, process->broker_id != 0, "a requester is welcomed that nobody has adopted");
    process->is_orphan = false;
    process->welcome_ms = model->now_ms;
    /* By the wall clock, which may have been set; but no longer than this. */
    process->object.handed_ms = model->now_ms;
    process->object.complete_within_ms = model->config.complete_within_ms;
}

/* Somebody shows the secret of one that has come already. */
void orphan_impersonated(struct model *model, size_t index)
{
    const struct process *process = model->processes[index];
    if (!process->is_alive || process->link == 0 || process->is_orphan || model->has_stopped)
        return;
    struct link *link = link_new(model, CONNECTION_REQUESTER);
    model_say(model, "somebody shows the secret of requester %llu", (unsigned long long)process->id);
    broker_requester_identified(model->broker, link->id, process->process_id);
    process_says_hello(model, process, link);
}

void orphan_fill_hello(const struct object *object, struct orphan_hello *parts, PB(RequesterHello) * hello)
{
    hello->session_phase = object->completed ? PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED)
                                             : PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED);
    hello->set_id = parts->set_id;
    hello->snapshots = parts->list;
    for (size_t i = 0; i < object->added; i++) {
        if ((object->lost & 1u << i) != 0)
            continue;
        PB(Snapshot) *snapshot = &parts->snapshots[hello->n_snapshots];
        shadowpipe__v1__snapshot__init(snapshot);
        snapshot->snapshot_id = parts->ids[i];
        parts->list[hello->n_snapshots++] = snapshot;
    }
}
