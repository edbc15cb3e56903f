/* The requester processes of the harness, and what VSS answers in them. */
#include <stdio.h>
#include <string.h>

#include "service/broker/requester.h"
#include "tests/unit/broker_harness.h"

static const uint32_t in_progress = 0x80042316u;

/* ---- rules ---- */

void world_rule(struct world *world, PB(Call__MethodCase) method, unsigned nth, enum action action,
                uint32_t hresult)
{
    assert_true(world->rules_count < MAX_RULES);
    world->rules[world->rules_count++] = (struct rule){method, nth, action, hresult, NULL, 0};
}

void world_writer_fails(struct world *world, unsigned writer, PB(Call__MethodCase) after, uint32_t state,
                        uint32_t hresult)
{
    assert_true(world->writer_rules_count < MAX_RULES);
    world->writer_rules[world->writer_rules_count++] = (struct writer_rule){writer, after, state, hresult};
}

void world_clear_rules(struct world *world)
{
    world->rules_count = world->writer_rules_count = 0;
}

static struct rule *find_rule(struct world *world, PB(Call__MethodCase) method)
{
    struct rule *found = NULL;
    for (size_t i = 0; i < world->rules_count; i++) {
        struct rule *rule = &world->rules[i];
        if (rule->method == method && (++rule->seen == rule->nth || rule->nth == 0))
            found = rule;
    }
    return found;
}

/* ---- VSS ---- */

static uint32_t start_set(struct world *world, const struct fake_requester *requester)
{
    if (world->rundown_end_ms != 0 && world->now_ms >= world->rundown_end_ms) {
        world->rundown_end_ms = 0;
        world->creator = 0;
    }
    if (world->creator != 0 || world->foreign_ms > world->now_ms) {
        world->in_progress_answers++;
        return in_progress;
    }
    world->creator = requester->number;
    return 0;
}

static void close_set(struct world *world, const struct fake_requester *requester)
{
    if (world->creator == requester->number)
        world->creator = 0;
}

static unsigned present_writers(const struct world *world, unsigned indices[WRITERS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        if ((world->writers_disabled & 1u << i) == 0)
            indices[count++] = i;
    }
    return count;
}

static void disable_writers(struct world *world, char *const *ids, size_t count,
                            const char *const known[WRITERS])
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < WRITERS; j++) {
            if (strcmp(ids[i], known[j]) == 0)
                world->writers_disabled |= 1u << j;
        }
    }
}

static void view_status(const struct world *world, const struct fake_requester *requester,
                        struct vss_view *view)
{
    for (unsigned writer = 0; writer < WRITERS; writer++)
        view->states[writer] = requester->last_step == PB_METHOD(DO_SNAPSHOT_SET) ? 5 : 1;
    for (size_t i = 0; i < world->writer_rules_count; i++) {
        const struct writer_rule *rule = &world->writer_rules[i];
        if (rule->after != requester->last_step)
            continue;
        view->states[rule->writer] = rule->state;
        view->hresults[rule->writer] = rule->hresult;
    }
}

static void send_reply(struct world *world, struct fake_requester *requester, uint32_t id,
                       PB(CallReply) * reply)
{
    PB(Envelope) envelope = ENVELOPE_OF(CALL_REPLY, call_reply, reply);
    envelope.id = id;
    if (requester->peer != NULL && requester->peer->is_open)
        peer_send(world, requester->peer, &envelope);
}

static void note_step(struct world *world, struct fake_requester *requester, const PB(Call) * call)
{
    switch (call->method_case) {
    case PB_METHOD(CREATE_OBJECT):
        requester->has_object = true;
        requester->document_bytes = 0; /* a new object forgets them */
        requester->document_is_whole = false;
        requester->document = (struct fake_document){.count = 0};
        world->writers_disabled = 0;
        break;
    case PB_METHOD(SET_CONTEXT):
        requester->context = call->set_context->context;
        requester->no_writers = (call->set_context->context & 0x10) != 0;
        break;
    case PB_METHOD(SET_BACKUP_STATE):
        requester->backup_type = call->set_backup_state->backup_type;
        break;
    case PB_METHOD(DISABLE_WRITER_CLASSES):
        disable_writers(world, call->disable_writer_classes->writer_ids,
                        call->disable_writer_classes->n_writer_ids, writer_classes);
        break;
    case PB_METHOD(DISABLE_WRITER_INSTANCES):
        disable_writers(world, call->disable_writer_instances->instance_ids,
                        call->disable_writer_instances->n_instance_ids, writer_instances);
        break;
    case PB_METHOD(GATHER_WRITER_METADATA):
    case PB_METHOD(PREPARE_FOR_BACKUP):
    case PB_METHOD(BACKUP_COMPLETE):
        requester->last_step = call->method_case;
        break;
    case PB_METHOD(DO_SNAPSHOT_SET):
        requester->last_step = call->method_case;
        close_set(world, requester);
        copies_made(world, requester);
        break;
    case PB_METHOD(ABORT_BACKUP):
    case PB_METHOD(RELEASE_OBJECT):
        close_set(world, requester);
        break;
    default:
        break;
    }
}

/* The last hexadecimal digit of the volumes' ids is their index and 12. */
static bool supports(const struct world *world, const PB(IsVolumeSupported) * question)
{
    char digit = question->volume[strlen(question->volume) - 3];
    if (strncmp(question->provider_id, "bad", 3) == 0)
        return false;
    for (int i = 0; i < 4; i++) {
        if (digit == "cdef"[i])
            return !world->unsupported[i];
    }
    return true;
}

/* Everything in order: what the method gives. */
static void answer(struct world *world, struct fake_requester *requester, uint32_t id, const PB(Call) * call)
{
    struct vss_answer out;
    struct vss_view view = {.object = (unsigned)requester->number,
                            .all_one_name = world->all_one_name,
                            .counted = world->counted,
                            .client_accessible = world->client_accessible,
                            .area_maximum = world->area_maximum,
                            .area_used = world->area_used};
    note_step(world, requester, call);
    view.present_count = present_writers(world, view.present);
    view_status(world, requester, &view);
    if (call->method_case == PB_METHOD(ADD_TO_SNAPSHOT_SET)) {
        (void)snprintf(requester->volumes[requester->added], sizeof requester->volumes[0], "%s",
                       call->add_to_snapshot_set->volume);
        view.added = (unsigned)++requester->added;
    }
    if (call->method_case == PB_METHOD(IS_VOLUME_SUPPORTED))
        view.supports = supports(world, call->is_volume_supported);
    vss_answer(&out, &view, call);
    static struct fake_answer components;
    fake_components_answer(&components, &world->machine, &requester->document, view.present, call,
                           &out.reply);
    bool sees_all = requester->context == UINT32_MAX;
    if (sees_all && call->method_case == PB_METHOD(DELETE_SNAPSHOTS))
        copies_deleted(world, call->delete_snapshots, &out);
    if (sees_all && call->method_case == PB_METHOD(QUERY) && call->query->object_type == 3)
        copies_queried(world, &out);
    if (call->method_case == PB_METHOD(START_SNAPSHOT_SET)) {
        out.reply.hresult = start_set(world, requester);
        if (out.reply.hresult != 0)
            out.reply.out_case = PB_OUT(_NOT_SET);
    }
    if (world->answers != NULL)
        world->answers(world, call, &out.reply);
    send_reply(world, requester, id, &out.reply);
}

/* ---- the process ---- */

void requester_die(struct world *world, struct fake_requester *requester, uint32_t exit_code)
{
    bool is_clean = exit_code == 0 || exit_code == 10 || exit_code == 11;
    requester->is_alive = false;
    requester->hangs = false;
    if (world->creator == requester->number && is_clean)
        world->creator = 0;
    else if (world->creator == requester->number)
        world->rundown_end_ms = world->now_ms + world->rundown_ms;
    if (requester->peer != NULL)
        peer_close(world, requester->peer);
    INTO_BROKER(broker_requester_exited(world->broker, requester->id, exit_code, NULL));
}

static void obey(struct world *world, struct fake_requester *requester, const PB(Envelope) * frame,
                 struct rule *rule)
{
    const PB(Call) *call = frame->call;
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) refusal = ENVELOPE_OF(STATUS, status, &status);
    switch (rule->action) {
    case ACT_FAIL:
        reply.hresult = rule->hresult;
        if (rule->missing != NULL)
            reply.missing_prerequisite = (char *)(uintptr_t)rule->missing;
        send_reply(world, requester, frame->id, &reply);
        break;
    case ACT_FAIL_ASYNC:
        reply.async_hresult = rule->hresult;
        if (call->method_case == PB_METHOD(DO_SNAPSHOT_SET) ||
            call->method_case == PB_METHOD(PREPARE_FOR_BACKUP))
            requester->last_step = call->method_case; /* the writers know of it */
        if (call->method_case == PB_METHOD(DO_SNAPSHOT_SET))
            close_set(world, requester);
        send_reply(world, requester, frame->id, &reply);
        break;
    case ACT_DIE:
        requester_die(world, requester, 0xC0000005u);
        break;
    case ACT_DIE_LATE:
        if (call->method_case == PB_METHOD(START_SNAPSHOT_SET))
            (void)start_set(world, requester);
        if (call->method_case == PB_METHOD(DO_SNAPSHOT_SET))
            copies_made(world, requester);
        requester_die(world, requester, 0xC0000005u);
        break;
    case ACT_STATUS:
        status.hresult = rule->hresult;
        refusal.id = frame->id;
        peer_send(world, requester->peer, &refusal);
        break;
    case ACT_LOST:
        reply.async_hresult = method_is_asynchronous(call->method_case) ? S_ASYNC_FINISHED : 0;
        status.code = PB_CODE(RESOURCE_EXHAUSTED);
        status.reason = (char *)(uintptr_t) "RESOURCE_EXHAUSTED";
        status.message = (char *)(uintptr_t) "the result was lost: it is too large";
        status.limit_name = (char *)(uintptr_t) "requester_frame_bytes";
        reply.status = &status;
        send_reply(world, requester, frame->id, &reply);
        break;
    default:
        requester->hangs = true;
        requester->hanging = call->method_case;
        requester->hanging_id = frame->id;
        requester->hang_can_be_cancelled = rule->action == ACT_HANG;
        requester->hang_ends_by_abort = rule->action != ACT_STUCK;
        break;
    }
}

static void refuse(struct world *world, struct fake_requester *requester, uint32_t id, const char *reason)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(STATUS, status, &status);
    envelope.id = id;
    status.code = PB_CODE(INVALID_ARGUMENT);
    status.reason = (char *)(uintptr_t)reason;
    status.message = status.advice = (char *)(uintptr_t) "refused";
    status.retry = PB_VALUE(RETRY, RETRY_NO);
    peer_send(world, requester->peer, &envelope);
}

static void take_chunk(struct world *world, struct fake_requester *requester, const PB(Envelope) * frame)
{
    const PB(PutDocument) *put = frame->put_document;
    assert_int_equal(put->chunk->offset, requester->document_bytes);
    requester->document_bytes += put->chunk->data.len;
    requester->document_is_whole = put->chunk->last;
    assert_int_equal(put->chunk->last, requester->document_bytes == put->chunk->total_bytes);
    if (put->chunk->last && world->document_refusal != NULL) {
        refuse(world, requester, frame->id, world->document_refusal);
        return;
    }
    PB(PutDocumentReply) reply = SHADOWPIPE__V1__PUT_DOCUMENT_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(PUT_DOCUMENT_REPLY, put_document_reply, &reply);
    envelope.id = frame->id;
    peer_send(world, requester->peer, &envelope);
}

/* The document's bytes are their own offsets. */
static void give_chunk(struct world *world, struct fake_requester *requester, const PB(Envelope) * frame)
{
    static uint8_t bytes[256 * 1024];
    world->chunks_asked++;
    if (world->document_hangs)
        return;
    if (world->document_refusal != NULL) {
        refuse(world, requester, frame->id, world->document_refusal);
        return;
    }
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(DOCUMENT_CHUNK, document_chunk, &chunk);
    envelope.id = frame->id;
    chunk.offset = frame->read_document->offset;
    chunk.total_bytes = world->document_size;
    size_t left = world->document_size - (size_t)chunk.offset;
    chunk.data.len = left < sizeof bytes ? left : sizeof bytes;
    chunk.data.data = bytes;
    for (size_t i = 0; i < chunk.data.len; i++)
        bytes[i] = (uint8_t)(chunk.offset + i);
    chunk.last = chunk.data.len == left && !world->document_is_empty;
    if (world->document_is_empty)
        chunk.data.len = 0;
    peer_send(world, requester->peer, &envelope);
}

static void work(struct world *world, struct fake_requester *requester, const PB(Envelope) * frame)
{
    if (frame->body_case == PB_BODY(PUT_DOCUMENT)) {
        take_chunk(world, requester, frame);
        return;
    }
    if (frame->body_case == PB_BODY(READ_DOCUMENT)) {
        give_chunk(world, requester, frame);
        return;
    }
    assert_int_equal(frame->body_case, PB_BODY(CALL));
    assert_true(world->calls_count < MAX_CALLS);
    world->calls[world->calls_count++] = (struct call_record){requester->number, frame->call->method_case};
    struct rule *rule = find_rule(world, frame->call->method_case);
    if (rule != NULL)
        obey(world, requester, frame, rule);
    else
        answer(world, requester, frame->id, frame->call);
}

static void end_hang(struct world *world, struct fake_requester *requester)
{
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    requester->hangs = false;
    reply.async_hresult = S_ASYNC_CANCELLED;
    if (requester->hanging == PB_METHOD(DO_SNAPSHOT_SET))
        close_set(world, requester);
    send_reply(world, requester, requester->hanging_id, &reply);
}

static void cancel(struct world *world, struct fake_requester *requester, const PB(Envelope) * frame)
{
    PB(CancelReply) done = SHADOWPIPE__V1__CANCEL_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL_REPLY, cancel_reply, &done);
    envelope.id = frame->id;
    bool ends = requester->hangs && requester->hanging_id == frame->cancel->id &&
                requester->hang_can_be_cancelled && method_is_asynchronous(requester->hanging);
    peer_send(world, requester->peer, &envelope);
    if (ends)
        end_hang(world, requester);
}

void requester_resume(struct world *world, struct fake_requester *requester)
{
    if (!requester->hangs || requester->peer == NULL)
        return;
    requester->hangs = false;
    for (size_t i = 0; i < requester->peer->frames_count; i++) {
        if (requester->peer->frames[i]->id == requester->hanging_id &&
            requester->peer->frames[i]->body_case == PB_BODY(CALL))
            answer(world, requester, requester->hanging_id, requester->peer->frames[i]->call);
    }
    world_run(world);
}

bool requester_holds_copies(const struct fake_requester *requester)
{
    return requester->has_object && (requester->last_step == PB_METHOD(DO_SNAPSHOT_SET) ||
                                     requester->last_step == PB_METHOD(BACKUP_COMPLETE));
}

/* The moment at which a process was started. */
static uint64_t started_of(const struct fake_requester *requester)
{
    return UINT64_C(133500000000000000) + requester->number;
}

/* What it holds. */
static void tell_of_copies(struct world *world, const struct fake_requester *requester,
                           PB(RequesterHello) * hello)
{
    static PB(Snapshot) snapshots[MAX_COPIES];
    static PB(Snapshot) * list[MAX_COPIES];
    static char ids[MAX_COPIES][40];
    static char set_id[40];
    unsigned number = (unsigned)requester->number;
    (void)snprintf(set_id, sizeof set_id, "5e7%05u-0000-0000-0000-000000000000", number);
    for (size_t i = 0; i < requester->added && !world->redial_without_snapshots; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "c0b%05u-0000-0000-0000-%012u", number, (unsigned)i + 1);
        shadowpipe__v1__snapshot__init(&snapshots[i]);
        snapshots[i].snapshot_id = ids[i];
        list[hello->n_snapshots++] = &snapshots[i];
    }
    bool is_complete = requester->last_step == PB_METHOD(BACKUP_COMPLETE);
    hello->snapshots = list;
    hello->set_id = world->redial_set_id != NULL ? (char *)(uintptr_t)world->redial_set_id : set_id;
    hello->session_phase = is_complete ? PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED)
                                       : PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED);
    if (world->redial_phase != 0)
        hello->session_phase = world->redial_phase;
}

static void say_hello(struct world *world, struct fake_requester *requester)
{
    bool is_again = requester->orphaned;
    requester->orphaned = false;
    requester->frames_done = 0;
    requester->has_dialled = true;
    requester->peer = peer_connect(world, CONNECTION_REQUESTER);
    uint32_t process_id = requester->process_id + (world->wrong_process ? 1 : 0);
    INTO_BROKER(broker_requester_identified(world->broker, requester->peer->id, process_id));
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    memcpy(secret, requester->secret, sizeof secret);
    secret[5] ^= world->wrong_secret ? 1 : 0;
    hello.secret = (ProtobufCBinaryData){sizeof secret, secret};
    hello.process_id = process_id;
    hello.ready_hresult = world->ready_hresult;
    hello.ready_method = (char *)(uintptr_t) "LoadLibrary";
    hello.ready_message = (char *)(uintptr_t)(world->ready_hresult != 0 ? "it is not there" : "");
    hello.simulated = world->is_simulated;
    if (is_again)
        tell_of_copies(world, requester, &hello);
    PB(Envelope) envelope = ENVELOPE_OF(REQUESTER_HELLO, requester_hello, &hello);
    envelope.id = 1;
    peer_send(world, requester->peer, &envelope);
}

static void begin(struct world *world, struct fake_requester *requester)
{
    requester->is_new = false;
    if (world->start_failure != NULL) {
        requester->is_alive = false;
        INTO_BROKER(broker_requester_exited(world->broker, requester->id, 0, world->start_failure));
        return;
    }
    if (world->hello_before_started)
        say_hello(world, requester);
    INTO_BROKER(
        broker_requester_started(world->broker, requester->id, requester->process_id, started_of(requester)));
    if (!world->hello_before_started)
        say_hello(world, requester);
}

/* One thing that this process does; false when there is none. */
static bool act(struct world *world, struct fake_requester *requester)
{
    if (!requester->is_alive)
        return false;
    if (requester->is_killed) {
        requester_die(world, requester, 1);
        return true;
    }
    if (requester->is_new && !world->holds_requesters) {
        begin(world, requester);
        return true;
    }
    struct peer *peer = requester->peer;
    if (requester->orphaned) {
        bool comes = !requester->hangs && !world->holds_redials;
        if (comes)
            say_hello(world, requester);
        return comes;
    }
    if (peer == NULL && requester->has_dialled && !requester->hangs) { /* let go, or its pipe broke */
        requester_die(world, requester, world->creator == requester->number ? 10 : 0);
        return true;
    }
    if (peer == NULL)
        return false;
    if (requester->frames_done < peer->frames_count) {
        const PB(Envelope) *frame = peer->frames[requester->frames_done];
        if (frame->body_case == PB_BODY(CANCEL)) {
            requester->frames_done++;
            cancel(world, requester, frame);
            return true;
        }
        bool is_abort =
            frame->body_case == PB_BODY(CALL) && frame->call->method_case == PB_METHOD(ABORT_BACKUP);
        if (requester->hangs && requester->hang_ends_by_abort && is_abort)
            end_hang(world, requester);
        if (requester->hangs)
            return false;
        requester->frames_done++;
        if (frame->body_case != PB_BODY(REQUESTER_WELCOME) && peer->is_open)
            work(world, requester, frame);
        return true;
    }
    return false;
}

/* The host looks for the processes. */
static bool adopt(struct world *world)
{
    if (world->adoptions_count == 0 || world->holds_adoptions)
        return false;
    const struct adoption adoption = world->adoptions[--world->adoptions_count];
    struct fake_requester *found = NULL;
    for (size_t i = 0; i < world->requesters_count; i++) {
        struct fake_requester *requester = &world->requesters[i];
        if (requester->is_alive && requester->process_id == adoption.process_id &&
            started_of(requester) == adoption.started)
            found = requester;
    }
    if (found != NULL) {
        found->id = adoption.id;
        INTO_BROKER(
            broker_requester_started(world->broker, adoption.id, adoption.process_id, adoption.started));
    } else {
        INTO_BROKER(broker_requester_exited(world->broker, adoption.id, 0, "there is no such process"));
    }
    return true;
}

bool requesters_act(struct world *world)
{
    bool has_acted = adopt(world);
    for (size_t i = 0; i < world->requesters_count; i++)
        has_acted |= act(world, &world->requesters[i]);
    return has_acted;
}

/* ---- looking ---- */

struct fake_requester *world_hanging(struct world *world, PB(Call__MethodCase) method)
{
    for (size_t i = 0; i < world->requesters_count; i++) {
        if (world->requesters[i].hangs && world->requesters[i].hanging == method)
            return &world->requesters[i];
    }
    return NULL;
}

unsigned requester_calls(const struct world *world, uint64_t requester, PB(Call__MethodCase) method)
{
    unsigned count = 0;
    for (size_t i = 0; i < world->calls_count; i++)
        count +=
            world->calls[i].method == method && (requester == 0 || world->calls[i].requester == requester);
    return count;
}

unsigned world_calls(const struct world *world, PB(Call__MethodCase) method)
{
    return requester_calls(world, 0, method);
}

const char *requester_history(const struct world *world, uint64_t requester)
{
    static char text[4096];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < world->calls_count;) {
        PB(Call__MethodCase) method = world->calls[i].method;
        if (world->calls[i].requester != requester) {
            i++;
            continue;
        }
        unsigned times = 0;
        for (; i < world->calls_count && world->calls[i].method == method; i++)
            times += world->calls[i].requester == requester;
        int added = snprintf(text + length, sizeof text - length, times > 1 ? "%s%s*%u" : "%s%s",
                             length > 0 ? " " : "", method_name(method), times);
        length += (size_t)added;
    }
    return text;
}

unsigned world_alive(const struct world *world)
{
    unsigned count = 0;
    for (size_t i = 0; i < world->requesters_count; i++)
        count += world->requesters[i].is_alive;
    return count;
}
