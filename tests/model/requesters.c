/* The requester processes: how they start, answer, hang, die and clean up. */
#include <stdlib.h>
#include <string.h>

#include "proto/status.h"
#include "service/broker/requester.h"
#include "service/broker/sequence.h"
#include "tests/model/model.h"

enum {
    EXIT_CRASH = (int)0xC0000005u,
    GRACE_MS = 10000,
    SORE_PERCENT = 15
};

static void item_free(struct inbox_item *item)
{
    if (item != NULL)
        arena_free(&item->arena);
    free(item);
}

void process_forgets_inbox(struct process *process)
{
    while (process->first != NULL) {
        struct inbox_item *next = process->first->next;
        item_free(process->first);
        process->first = next;
    }
    process->last = NULL;
    item_free(process->working);
    process->working = NULL;
    process->serial++;
}

bool model_has_faults(const struct model *model)
{
    return model->fault_permille > 0 && !model->is_quiet;
}

/* ---- replies ---- */

static void send_reply(struct model *model, struct process *process, uint32_t id, PB(CallReply) * reply)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct link *link = link_at(model, process->link);
    envelope.id = id;
    envelope.body_case = PB_BODY(CALL_REPLY);
    envelope.call_reply = reply;
    if (link != NULL && !link->is_closed)
        link_send(model, link, &envelope);
}

static void refuse(struct model *model, struct process *process, uint32_t id)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    struct link *link = link_at(model, process->link);
    status.hresult = process->hresult;
    envelope.id = id;
    envelope.body_case = PB_BODY(STATUS);
    envelope.status = &status;
    if (link != NULL && !link->is_closed)
        link_send(model, link, &envelope);
}

static void answer_cancel(struct model *model, struct process *process, uint32_t id)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(CancelReply) reply = SHADOWPIPE__V1__CANCEL_REPLY__INIT;
    struct link *link = link_at(model, process->link);
    envelope.id = id;
    envelope.body_case = PB_BODY(CANCEL_REPLY);
    envelope.cancel_reply = &reply;
    if (link != NULL && !link->is_closed)
        link_send(model, link, &envelope);
}

/* ---- work ---- */

/* One that may be lost on the way. */
static bool has_result(PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(GET_WRITER_METADATA):
    case PB_METHOD(GET_WRITER_STATUS_EX):
    case PB_METHOD(START_SNAPSHOT_SET):
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
    case PB_METHOD(GET_SNAPSHOT_PROPERTIES):
    case PB_METHOD(QUERY):
        return true;
    default:
        return false;
    }
}

void requesters_init(struct model *model)
{
    static const PB(Call__MethodCase) methods[] = {
        PB_METHOD(START_SNAPSHOT_SET), PB_METHOD(ADD_TO_SNAPSHOT_SET),  PB_METHOD(PREPARE_FOR_BACKUP),
        PB_METHOD(DO_SNAPSHOT_SET),    PB_METHOD(GATHER_WRITER_STATUS), PB_METHOD(GET_WRITER_STATUS_EX),
        PB_METHOD(BACKUP_COMPLETE),    PB_METHOD(ABORT_BACKUP)};
    if (model->fault_permille == 0 || model_chance(model, 20))
        return;
    model->sore_method = methods[model_random(model, sizeof methods / sizeof methods[0])];
    model->sore_outcome = (enum outcome)model_between(model, OUTCOME_FAIL, OUTCOME_GARBAGE);
    /* Calls that nothing can interrupt are the hardest to wait for. */
    if (!method_is_asynchronous(model->sore_method) && model_chance(model, 40))
        model->sore_outcome = OUTCOME_STUCK;
    model->sore_is_late = model_chance(model, 30);
    /* After BackupComplete a synchronous call that never returns holds up nobody, until the lease ends. */
    if (model->sore_is_late && model_chance(model, 30)) {
        model->sore_method = PB_METHOD(GET_WRITER_STATUS_EX);
        model->sore_outcome = OUTCOME_STUCK;
    }
}

static enum outcome choose_outcome(struct model *model, const struct process *process,
                                   PB(Call__MethodCase) method)
{
    enum outcome outcome = OUTCOME_OK;
    /* Also when everybody has gone home: most deletions come then. */
    if (method == PB_METHOD(DELETE_SNAPSHOTS) && model->fault_permille > 0 && model_chance(model, 20))
        return OUTCOME_FAIL;
    if (method == PB_METHOD(DO_SNAPSHOT_SET) && model->splits && !model->is_quiet &&
        process->object.added > 1 && model_chance(model, 60))
        return OUTCOME_FAIL_ASYNC;
    if (!model_has_faults(model))
        return OUTCOME_OK;
    bool is_sore = method == model->sore_method && (!model->sore_is_late || process->object.complete_called);
    if (is_sore && model_chance(model, SORE_PERCENT))
        outcome = model->sore_outcome;
    else if (model_random(model, 1000) < model->fault_permille)
        outcome = (enum outcome)model_between(model, OUTCOME_FAIL, OUTCOME_GARBAGE);
    bool is_async = method_is_asynchronous(method);
    if ((outcome == OUTCOME_LOST && !has_result(method)) || (outcome == OUTCOME_FAIL_ASYNC && !is_async))
        return OUTCOME_FAIL;
    if (!is_async && (outcome == OUTCOME_HANG || outcome == OUTCOME_SLOW))
        return OUTCOME_STUCK;
    return outcome;
}

/* Any of the table, but those which have a meaning of their own. */
static uint32_t choose_hresult(struct model *model)
{
    size_t count;
    const struct vss_code *codes = vss_code_table(&count);
    for (;;) {
        uint32_t hresult = codes[model_random(model, count)].hresult;
        if ((hresult & 0x80000000u) != 0 && hresult != VSS_IN_PROGRESS && hresult != VSS_NOT_FOUND)
            return hresult;
    }
}

static uint64_t choose_delay(struct model *model, PB(Call__MethodCase) method)
{
    if (method_is_asynchronous(method))
        return model_random(model, model_chance(model, 10) ? 20000 : 2000);
    return model_random(model, model_chance(model, 3) ? 1000 : 12);
}

static struct inbox_item *take_item(struct process *process)
{
    struct inbox_item *item = process->first;
    process->first = item->next;
    if (process->first == NULL)
        process->last = NULL;
    return item;
}

static void begin_call(struct model *model, struct process *process, struct inbox_item *item)
{
    const PB(Call) *call = item->envelope->call;
    PB(Call__MethodCase) method = call->method_case;
    model_say(model, "requester %llu: %s", (unsigned long long)process->id, method_name(method));
    REQUIRE(model, !process->is_impostor, "a call to a process that should have been refused");
    bool is_legal = true;
    if (process->object.is_session)
        is_legal = session_check_call(model, process, method, item->by_client);
    else
        vss_check(model, process, call);
    process->working = item;
    process->serial++;
    process->outcome = choose_outcome(model, process, method);
    process->hresult = choose_hresult(model);
    if (method == PB_METHOD(ADD_TO_SNAPSHOT_SET) &&
        (volume_bit(call->add_to_snapshot_set->volume) & model->refused) != 0) {
        process->outcome = OUTCOME_FAIL;
        process->hresult = VSS_NOT_SUPPORTED;
    }
    if (!is_legal) {
        process->outcome = OUTCOME_FAIL;
        process->hresult = VSS_BAD_STATE;
    }
    if (process->outcome != OUTCOME_OK)
        model_say(model, "  ... with outcome %d, 0x%08x", (int)process->outcome, (unsigned)process->hresult);
    uint64_t delay_ms = choose_delay(model, method);
    bool is_async = method_is_asynchronous(method);
    if (process->outcome == OUTCOME_OK && is_async && call->wait_ms != 0 && delay_ms > call->wait_ms)
        process->outcome = OUTCOME_HANG;
    if (process->outcome == OUTCOME_STUCK)
        return;
    if (process->outcome == OUTCOME_HANG || process->outcome == OUTCOME_SLOW) /* it cancels by itself */
        delay_ms = (uint64_t)call->wait_ms + model_random(model, GRACE_MS);
    model_schedule(model, delay_ms, EVENT_DONE, process_index(model, process) - 1, process->serial);
}

static bool snapshot_is_lost(const struct object *object, const char *id)
{
    size_t length = strlen(id);
    size_t number = length > 12 ? (size_t)strtoul(id + length - 12, NULL, 10) : 0;
    return number > 0 && (object->lost & 1u << (number - 1)) != 0;
}

/* What a call changes that was not carried out. */
static void note_failure(struct model *model, struct process *process, const PB(Call) * call)
{
    struct object *object = &process->object;
    bool has_failed = process->outcome == OUTCOME_FAIL_ASYNC || process->outcome == OUTCOME_HANG;
    if (call->method_case == PB_METHOD(DO_SNAPSHOT_SET) && has_failed)
        vss_creation_failed(model, process);
    bool was_refused = process->outcome == OUTCOME_FAIL || process->outcome == OUTCOME_REFUSE;
    if (object->is_session && call->method_case == PB_METHOD(PREPARE_FOR_BACKUP) && was_refused)
        object->prepare_called = false;
    if (call->method_case == PB_METHOD(RELEASE_OBJECT)) /* whatever it returns */
        (void)vss_apply(model, process, call);
}

static void finish_call(struct model *model, struct process *process, const PB(Envelope) * envelope)
{
    const PB(Call) *call = envelope->call;
    struct object *object = &process->object;
    struct vss_answer answer;
    struct vss_view view;
    struct component_answer components;
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    bool is_async = method_is_asynchronous(call->method_case);
    uint32_t refused = 0;
    switch (process->outcome) {
    case OUTCOME_OK:
        refused = vss_apply(model, process, call);
        vss_view(model, process, call, &view);
        vss_answer(&answer, &view, call);
        components_answer(&components, object, &view, call, &answer.reply);
        if (call->method_case == PB_METHOD(GET_SNAPSHOT_PROPERTIES) &&
            snapshot_is_lost(object, call->get_snapshot_properties->snapshot_id))
            refused = VSS_NOT_FOUND;
        if (object->sees_all && call->method_case == PB_METHOD(QUERY))
            copies_query(model, &answer);
        if (refused != 0) {
            answer.reply.hresult = refused;
            answer.reply.out_case = PB_OUT(_NOT_SET);
        }
        send_reply(model, process, envelope->id, &answer.reply);
        break;
    case OUTCOME_LOST:
        reply.hresult = vss_apply(model, process, call);
        reply.async_hresult = is_async ? S_ASYNC_FINISHED : 0;
        status.code = PB_CODE(RESOURCE_EXHAUSTED);
        status.reason = (char *)(uintptr_t) "RESOURCE_EXHAUSTED";
        status.message = (char *)(uintptr_t) "the result was lost";
        reply.status = &status;
        send_reply(model, process, envelope->id, &reply);
        break;
    case OUTCOME_FAIL:
        reply.hresult = process->hresult;
        send_reply(model, process, envelope->id, &reply);
        break;
    case OUTCOME_REFUSE:
        refuse(model, process, envelope->id);
        break;
    case OUTCOME_FAIL_ASYNC:
        reply.async_hresult = process->hresult;
        send_reply(model, process, envelope->id, &reply);
        break;
    case OUTCOME_HANG:
        reply.async_hresult = S_ASYNC_CANCELLED;
        send_reply(model, process, envelope->id, &reply);
        break;
    case OUTCOME_SLOW:
        reply.async_hresult = S_ASYNC_PENDING;
        send_reply(model, process, envelope->id, &reply);
        break;
    default:
        break;
    }
    note_failure(model, process, call);
    object->start_pending = false;
}

static void misbehave(struct model *model, struct process *process, const PB(Envelope) * envelope)
{
    struct link *link = link_at(model, process->link);
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    process->has_misbehaved = true;
    switch (process->outcome) {
    case OUTCOME_DIE_LATE:
        (void)vss_apply(model, process, envelope->call);
        process_ends(model, process, (uint32_t)EXIT_CRASH);
        break;
    case OUTCOME_DIE:
        process_ends(model, process, model_chance(model, 20) ? 0 : (uint32_t)EXIT_CRASH);
        break;
    case OUTCOME_BREAK:
        process->object.start_pending = false;
        if (link != NULL)
            link_hang_up(model, link);
        process_cleans_up(model, process);
        if (model_chance(model, 50))
            model_schedule(model, model_random(model, 4000), EVENT_DIAL, process_index(model, process) - 1,
                           0);
        break;
    default:
        process->object.start_pending = false;
        send_reply(model, process, envelope->id + 7, &reply);
        break;
    }
}

void process_done(struct model *model, size_t index, uint64_t serial)
{
    struct process *process = model->processes[index];
    if (!process->is_alive || process->working == NULL || process->serial != serial)
        return;
    struct inbox_item *item = process->working;
    process->working = NULL;
    const PB(Envelope) *envelope = item->envelope;
    bool is_wild = process->outcome >= OUTCOME_DIE && process->outcome != OUTCOME_REFUSE &&
                   process->outcome != OUTCOME_LOST;
    if (is_wild)
        misbehave(model, process, envelope);
    else
        finish_call(model, process, envelope);
    item_free(item);
    process->idle_ms = model->now_ms;
    if (process->is_alive)
        model_schedule(model, 0, EVENT_WORK, index, 0);
}

/* Cancel and AbortBackup get through to a running call. */
static void interrupt(struct model *model, struct process *process, bool is_abort)
{
    bool ends = process->outcome == OUTCOME_HANG || (is_abort && process->outcome == OUTCOME_SLOW);
    if (!ends)
        return;
    process->outcome = OUTCOME_HANG;
    process_done(model, process_index(model, process) - 1, process->serial);
}

void process_works(struct model *model, size_t index)
{
    struct process *process = model->processes[index];
    if (!process->is_alive || process->is_killed)
        return;
    if (process->link == 0) {
        if (process->has_dialled)
            process_ends(model, process, process->exit_code);
        return;
    }
    while (process->first != NULL && process->is_alive) {
        const PB(Envelope) *envelope = process->first->envelope;
        bool is_cancel = envelope->body_case == PB_BODY(CANCEL);
        bool is_call = envelope->body_case == PB_BODY(CALL);
        bool is_abort = is_call && envelope->call->method_case == PB_METHOD(ABORT_BACKUP);
        if (process->working != NULL && is_abort)
            interrupt(model, process, true);
        if (process->working != NULL && !is_cancel)
            return;
        struct inbox_item *item = take_item(process);
        if (is_call) {
            begin_call(model, process, item);
        } else {
            if (is_cancel)
                answer_cancel(model, process, envelope->id);
            if (is_cancel && process->working != NULL)
                interrupt(model, process, false);
            item_free(item);
        }
    }
}

void process_got(struct model *model, struct link *link, struct arena *arena, const PB(Envelope) * envelope)
{
    struct process *process = link->process != 0 ? model->processes[link->process - 1] : NULL;
    REQUIRE(model, link->process != 0 || envelope->body_case == PB_BODY(STATUS),
            "an impostor is welcomed, or called");
    if (process == NULL || !process->is_alive || process->link != link_index(model, link)) {
        arena_free(arena);
        return;
    }
    process->is_refused |= envelope->body_case == PB_BODY(STATUS);
    if (envelope->body_case == PB_BODY(REQUESTER_WELCOME))
        orphan_welcomed(model, process);
    struct inbox_item *item = malloc(sizeof *item);
    if (item == NULL)
        abort();
    item->next = NULL;
    item->arena = *arena; /* what lies in it does not point back to it */
    item->envelope = envelope;
    item->by_client = false;
    if (envelope->body_case == PB_BODY(CALL))
        inside_calls(model, process, item);
    if (process->last != NULL)
        process->last->next = item;
    else
        process->first = item;
    process->last = item;
    model_schedule(model, model_random(model, 6), EVENT_WORK, link->process - 1, 0);
}
