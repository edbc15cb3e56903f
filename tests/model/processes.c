/* The requester processes as such: how they start, dial in, end, and what they do when nobody is at the other
 * end. requesters.c has what they answer. */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    EXIT_CLEANED_UP = 10
};

/* ---- begin and end ---- */

void process_new(struct model *model, uint64_t id, const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    REQUIRE(model, model->processes_count < PROCESSES, "the model has no room for another process");
    struct process *process = calloc(1, sizeof *process);
    if (process == NULL)
        abort();
    model->processes[model->processes_count++] = process;
    process->base = model->process_base;
    process->id = id + process->base;
    REQUIRE(model, process->id == model->processes_count, "ids of requesters do not count up");
    process->process_id = 1000 + (uint32_t)process->id;
    memcpy(process->secret, secret, REQUESTER_SECRET_BYTES);
    process->is_alive = true;
    bool is_odd = model_has_faults(model) && model_random(model, 1000) < 4 * model->fault_permille;
    model_say(model, "requester %llu starts%s", (unsigned long long)id, is_odd ? ", oddly" : "");
    if (is_odd && model_chance(model, 20)) {
        process->is_alive = false;
        process->start_failure = "no such file";
        model_schedule(model, model_random(model, 200), EVENT_EXIT, process_index(model, process) - 1, 0);
        return;
    }
    model_schedule(model, model_random(model, 40), EVENT_STARTED, process_index(model, process) - 1, 0);
    if (is_odd && model_chance(model, 25))
        return; /* it never dials in */
    uint64_t dial_ms = model_random(model, 60);
    if (is_odd && model_chance(model, 30))
        dial_ms = model_random(model, model->config.requester_start_ms * 3 / 2);
    process->wrong_secret = is_odd && model_chance(model, 20);
    process->wrong_process = is_odd && model_chance(model, 20);
    process->ready_hresult = is_odd && model_chance(model, 20) ? 0x80040154u : 0;
    model_schedule(model, dial_ms, EVENT_DIAL, process_index(model, process) - 1, 0);
}

void process_started(struct model *model, size_t index)
{
    const struct process *process = model->processes[index];
    if (!process->is_reported)
        broker_requester_started(model->broker, process->id - process->base, process->process_id,
                                 process->id);
}

void process_ends(struct model *model, struct process *process, uint32_t exit_code)
{
    if (!process->is_alive)
        return;
    process->is_alive = false;
    process->exit_code = exit_code;
    process_forgets_inbox(process);
    vss_ended(model, process);
    model_say(model, "requester %llu ends with code %u", (unsigned long long)process->id,
              (unsigned)exit_code);
    struct link *link = link_at(model, process->link);
    if (link != NULL && model_chance(model, 50))
        link_hang_up(model, link); /* else the host sees the exit first */
    model_schedule(model, model_random(model, 30), EVENT_EXIT, process_index(model, process) - 1, 0);
}

void process_exited(struct model *model, size_t index)
{
    struct process *process = model->processes[index];
    if (process->is_alive) { /* a kill */
        process_ends(model, process, 1);
        return;
    }
    if (process->is_reported)
        return;
    process->is_reported = true;
    broker_requester_exited(model->broker, process->id - process->base, process->exit_code,
                            process->start_failure);
    struct link *link = link_at(model, process->link);
    if (link != NULL && !link->is_closed)
        link_hang_up(model, link);
}

void process_kill(struct model *model, uint64_t id)
{
    id += model->process_base;
    REQUIRE(model, id > model->process_base && id <= model->processes_count, "a kill of nothing");
    struct process *process = model->processes[id - 1];
    REQUIRE(model, !process->is_killed, "requester %llu is killed twice", (unsigned long long)id);
    process->is_killed = true;
    model_say(model, "requester %llu is killed", (unsigned long long)id);
    model_schedule(model, model_random(model, 1000), EVENT_EXIT, process_index(model, process) - 1, 0);
}

/* It does what it owes, unless it is stuck. */
void process_cleans_up(struct model *model, struct process *process)
{
    bool was_stuck = process->working != NULL && process->outcome == OUTCOME_STUCK;
    process_forgets_inbox(process);
    if (was_stuck)
        return;
    bool had_object = process->object.exists && !process->object.release_called;
    process->exit_code = had_object ? EXIT_CLEANED_UP : 0;
    model_schedule(model, model_random(model, 8000), EVENT_WORK, process_index(model, process) - 1, 0);
}

void process_dismissed(struct model *model, struct process *process)
{
    process->link = 0;
    if (!process->is_alive || process->is_killed)
        return;
    const struct object *object = &process->object;
    REQUIRE(model, !object->exists || object->release_called || process->has_misbehaved,
            "requester %llu is let go without a Release", (unsigned long long)process->id);
    process_cleans_up(model, process);
}

void process_orphaned(struct model *model, struct process *process)
{
    const struct inbox_item *working = process->working;
    /* VSS goes on for a while. */
    if (process->is_alive && working != NULL && process->outcome == OUTCOME_OK && model_chance(model, 50) &&
        working->envelope->call->method_case == PB_METHOD(DO_SNAPSHOT_SET))
        (void)vss_apply(model, process, working->envelope->call);
    process->link = 0;
    process->is_reported = true;
    process_ends(model, process, EXIT_CLEANED_UP);
}

/* ---- the handshake ---- */

void process_dials(struct model *model, size_t index)
{
    struct process *process = model->processes[index];
    if (!process->is_alive || process->link != 0)
        return;
    struct link *link = link_new(model, CONNECTION_REQUESTER);
    link->process = index + 1;
    process->link = link_index(model, link);
    bool is_again = process->has_dialled;
    process->has_dialled = true;
    process->is_impostor = is_again || process->wrong_secret || process->wrong_process;
    process->has_misbehaved |= process->is_impostor;
    uint32_t process_id = process->process_id + (process->wrong_process ? 1 : 0);
    broker_requester_identified(model->broker, link->id, process_id);
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    memcpy(secret, process->secret, sizeof secret);
    secret[9] ^= process->wrong_secret ? 1 : 0;
    hello.secret = (ProtobufCBinaryData){sizeof secret, secret};
    hello.process_id = process_id;
    hello.ready_hresult = process->ready_hresult;
    hello.ready_method = (char *)(uintptr_t) "LoadLibrary";
    hello.ready_message = (char *)(uintptr_t) "it is not there";
    envelope.id = 1;
    envelope.body_case = PB_BODY(REQUESTER_HELLO);
    envelope.requester_hello = &hello;
    model_say(model, "requester %llu dials in%s", (unsigned long long)process->id, is_again ? " again" : "");
    link_send(model, link, &envelope);
}
