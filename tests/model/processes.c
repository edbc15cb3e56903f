/* The requester processes as such: how they start, dial in, end, and what they do when nobody is at the other
 * end. requesters.c has what they answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    EXIT_CLEANED_UP = 10
};

/* ---- begin and end ---- */

/* As the present service knows it. */
static struct process *process_find(struct model *model, uint64_t broker_id)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        if (model->processes[i]->broker_id == broker_id)
            return model->processes[i];
    }
    return NULL;
}

void process_new(struct model *model, uint64_t id, const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    REQUIRE(model, model->processes_count < PROCESSES, "the model has no room for another process");
    struct process *process = calloc(1, sizeof *process);
    if (process == NULL)
        abort();
    model->processes[model->processes_count++] = process;
    process->id = model->processes_count;
    REQUIRE(model, process_find(model, id) == NULL, "an id is given to two requesters");
    process->broker_id = id;
    process->process_id = 1000 + (uint32_t)process->id;
    memcpy(process->secret, secret, REQUESTER_SECRET_BYTES);
    process->is_alive = true;
    bool is_odd = model_has_faults(model) && model_random(model, 1000) < 4 * model->fault_permille;
    model_say(model, "requester %llu starts%s", (unsigned long long)process->id, is_odd ? ", oddly" : "");
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
        broker_requester_started(model->broker, process->broker_id, process->process_id, process->id);
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
    broker_requester_exited(model->broker, process->broker_id, process->exit_code, process->start_failure);
    struct link *link = link_at(model, process->link);
    if (link != NULL && !link->is_closed)
        link_hang_up(model, link);
}

void process_kill(struct model *model, uint64_t id)
{
    struct process *process = process_find(model, id);
    REQUIRE(model, process != NULL, "a kill of nothing");
    REQUIRE(model, !process->is_killed, "requester %llu is killed twice", (unsigned long long)process->id);
    process->is_killed = true;
    model_say(model, "requester %llu is killed", (unsigned long long)process->id);
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
    if (process->is_orphan) {
        orphan_dismissed(model, process);
        return;
    }
    REQUIRE(model, !object->exists || object->release_called || process->has_misbehaved,
            "requester %llu is let go without a Release", (unsigned long long)process->id);
    process_cleans_up(model, process);
}

/* ---- the handshake ---- */

void process_says_hello(struct model *model, const struct process *process, struct link *link)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    struct orphan_hello parts;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    memcpy(secret, process->secret, sizeof secret);
    secret[9] ^= process->wrong_secret ? 1 : 0;
    hello.secret = (ProtobufCBinaryData){sizeof secret, secret};
    hello.process_id = process->process_id + (process->wrong_process ? 1 : 0);
    hello.ready_hresult = process->ready_hresult;
    hello.ready_method = (char *)(uintptr_t) "LoadLibrary";
    hello.ready_message = (char *)(uintptr_t) "it is not there";
    (void)snprintf(parts.set_id, sizeof parts.set_id, "5e7%05u-0000-0000-0000-000000000000",
                   (unsigned)process->id);
    for (unsigned i = 0; i < VOLUMES; i++)
        (void)snprintf(parts.ids[i], sizeof parts.ids[i], "c0b%05u-0000-0000-0000-%012u",
                       (unsigned)process->id, i + 1);
    if (process->is_orphan)
        orphan_fill_hello(&process->object, &parts, &hello);
    envelope.id = 1;
    envelope.body_case = PB_BODY(REQUESTER_HELLO);
    envelope.requester_hello = &hello;
    link_send(model, link, &envelope);
}

void process_dials(struct model *model, size_t index)
{
    struct process *process = model->processes[index];
    if (!process->is_alive || process->link != 0)
        return;
    struct link *link = link_new(model, CONNECTION_REQUESTER);
    link->process = index + 1;
    process->link = link_index(model, link);
    bool is_again = process->has_dialled && !process->is_orphan;
    process->has_dialled = true;
    process->is_impostor = is_again || process->wrong_secret || process->wrong_process;
    process->has_misbehaved |= process->is_impostor;
    broker_requester_identified(model->broker, link->id,
                                process->process_id + (process->wrong_process ? 1 : 0));
    model_say(model, "requester %llu dials in%s", (unsigned long long)process->id,
              process->is_orphan ? " to the next service"
              : is_again         ? " again"
                                 : "");
    process_says_hello(model, process, link);
}
