/* Step sessions: their order, the gate, documents, rights, and every way in which they end. */
#include <string.h>

#include "service/broker/session.h"
#include "tests/unit/broker_harness.h"

static const uint32_t bad_state = 0x80042301u;
static char volume_c[] = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\";

/* ---- what clients send ---- */

static uint32_t send_open(struct world *world, struct peer *client, PB(SessionMode) mode,
                          const char *document_id)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    open.mode = mode;
    open.document_id = (char *)(uintptr_t)document_id;
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &open);
    return client_send(world, client, &envelope);
}

static const char *opened(struct peer *client, uint32_t id)
{
    const PB(Envelope) *reply = client_final(client, id);
    assert_non_null(reply);
    if (reply->body_case == PB_BODY(STATUS))
        print_error("%s: %s\n", reply->status->reason, reply->status->message);
    assert_int_equal(reply->body_case, PB_BODY(OPEN_SESSION_REPLY));
    return reply->open_session_reply->session_id;
}

static const char *open_mode(struct world *world, struct peer *client, PB(SessionMode) mode)
{
    uint32_t id = send_open(world, client, mode, "");
    world_run(world);
    return opened(client, id);
}

static const char *open_backup(struct world *world, struct peer *client)
{
    return open_mode(world, client, PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP));
}

static uint32_t send_full(struct world *world, struct peer *client, const char *session, PB(Call) * call,
                          uint32_t timeout_ms)
{
    PB(Envelope) envelope = ENVELOPE_OF(CALL, call, call);
    call->session_id = (char *)(uintptr_t)session;
    envelope.timeout_ms = timeout_ms;
    return client_send(world, client, &envelope);
}

static uint32_t send_timed(struct world *world, struct peer *client, const char *session,
                           PB(Call__MethodCase) method, void *parameters, uint32_t timeout_ms)
{
    PB(PrepareForBackup) nothing = SHADOWPIPE__V1__PREPARE_FOR_BACKUP__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    uint8_t defaults[256];
    call.method_case = method;
    call.prepare_for_backup = parameters != NULL ? parameters : &nothing;
    if (parameters == NULL) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)method);
        assert_true(((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message <=
                    sizeof defaults);
        protobuf_c_message_init(field->descriptor, defaults);
        call.prepare_for_backup = (PB(PrepareForBackup) *)(void *)defaults;
    }
    return send_full(world, client, session, &call, timeout_ms);
}

static uint32_t send_call(struct world *world, struct peer *client, const char *session,
                          PB(Call__MethodCase) method, void *parameters)
{
    return send_timed(world, client, session, method, parameters, 0);
}

static uint32_t send_close(struct world *world, struct peer *client, const char *session)
{
    PB(CloseSession) close = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    close.session_id = (char *)(uintptr_t)session;
    PB(Envelope) envelope = ENVELOPE_OF(CLOSE_SESSION, close_session, &close);
    return client_send(world, client, &envelope);
}

static const PB(CallReply) * replied(struct peer *client, uint32_t id)
{
    const PB(Envelope) *reply = client_final(client, id);
    assert_non_null(reply);
    if (reply->body_case == PB_BODY(STATUS))
        print_error("%s: %s\n", reply->status->reason, reply->status->message);
    assert_int_equal(reply->body_case, PB_BODY(CALL_REPLY));
    return reply->call_reply;
}

static const PB(CallReply) *
    call(struct world *world, struct peer *client, const char *session, PB(Call__MethodCase) method)
{
    uint32_t id = send_call(world, client, session, method, NULL);
    world_run(world);
    return replied(client, id);
}

static void set_state(struct world *world, struct peer *client, const char *session, uint32_t type)
{
    PB(SetBackupState) in = SHADOWPIPE__V1__SET_BACKUP_STATE__INIT;
    in.backup_type = type;
    uint32_t id = send_call(world, client, session, PB_METHOD(SET_BACKUP_STATE), &in);
    world_run(world);
    assert_int_equal(replied(client, id)->hresult, 0);
}

static PB(Completion) closed(struct peer *client, uint32_t id)
{
    const PB(Envelope) *reply = client_final(client, id);
    assert_non_null(reply);
    assert_int_equal(reply->body_case, PB_BODY(CLOSE_SESSION_REPLY));
    return reply->close_session_reply->completion;
}

static void add_volume(struct world *world, struct peer *client, const char *session)
{
    PB(AddToSnapshotSet) in = SHADOWPIPE__V1__ADD_TO_SNAPSHOT_SET__INIT;
    in.volume = volume_c;
    uint32_t id = send_call(world, client, session, PB_METHOD(ADD_TO_SNAPSHOT_SET), &in);
    world_run(world);
    assert_int_equal(replied(client, id)->hresult, 0);
}

/* As far as the snapshot set is open. */
static const char *open_set(struct world *world, struct peer *client, uint32_t type)
{
    const char *session = open_backup(world, client);
    (void)call(world, client, session, PB_METHOD(INITIALIZE_FOR_BACKUP));
    set_state(world, client, session, type);
    (void)call(world, client, session, PB_METHOD(GATHER_WRITER_METADATA));
    (void)call(world, client, session, PB_METHOD(START_SNAPSHOT_SET));
    return session;
}

static const char *create_set(struct world *world, struct peer *client, uint32_t type)
{
    const char *session = open_set(world, client, type);
    add_volume(world, client, session);
    (void)call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_int_equal(call(world, client, session, PB_METHOD(DO_SNAPSHOT_SET))->async_hresult,
                     S_ASYNC_FINISHED);
    return session;
}

/* ---- in order ---- */

static void test_whole_backup(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = create_set(world, client, 5);
    assert_true(world->broker->gate.session == NULL); /* given back at DoSnapshotSet's end */
    assert_int_equal(call(world, client, session, PB_METHOD(BACKUP_COMPLETE))->async_hresult,
                     S_ASYNC_FINISHED);
    uint32_t id = send_close(world, client, session);
    world_run(world);
    assert_int_equal(closed(client, id), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_string_equal(requester_history(world, 1),
                        "CreateVssBackupComponents InitializeForBackup SetBackupState GatherWriterMetadata "
                        "StartSnapshotSet AddToSnapshotSet PrepareForBackup DoSnapshotSet BackupComplete "
                        "Release");
    assert_int_equal(world_alive(world), 0);
    /* It is gone. */
    id = send_call(world, client, session, PB_METHOD(GET_SESSION_ID), NULL);
    assert_string_equal((world_run(world), client_status(client, id)->reason), "UNKNOWN_SESSION");
    id = send_close(world, client, session);
    assert_string_equal((world_run(world), client_status(client, id)->reason), "UNKNOWN_SESSION");
    world_end(world);
}

static void set_context(struct world *world, struct peer *client, const char *session, uint32_t context)
{
    PB(SetContext) in = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    in.context = context;
    uint32_t id = send_call(world, client, session, PB_METHOD(SET_CONTEXT), &in);
    world_run(world);
    assert_int_equal(replied(client, id)->hresult, 0);
}

/* Snapshots that outlive the session are its owner's, also after a restart of the service. */
static void test_persistent_set_has_a_record(void **state)
{
    (void)state;
    static const char set_id[] = "5e700001-0000-0000-0000-000000000000";
    struct world *world = world_new();
    struct peer *client = client_connect(world, "S-1-5-21-7", ALL_RIGHTS);
    const char *session = open_backup(world, client);
    (void)call(world, client, session, PB_METHOD(INITIALIZE_FOR_BACKUP));
    set_context(world, client, session, 0x09);
    set_state(world, client, session, 5);
    (void)call(world, client, session, PB_METHOD(GATHER_WRITER_METADATA));
    (void)call(world, client, session, PB_METHOD(START_SNAPSHOT_SET));
    add_volume(world, client, session);
    (void)call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_null(world_stored(world, set_id));
    assert_int_equal(call(world, client, session, PB_METHOD(DO_SNAPSHOT_SET))->async_hresult,
                     S_ASYNC_FINISHED);
    uint32_t id = send_close(world, client, session);
    world_run(world);
    (void)closed(client, id);
    for (int restarted = 0; restarted < 2; restarted++) {
        const PB(StoredSet) *stored = world_stored(world, set_id);
        assert_non_null(stored);
        assert_true(stored->created);
        assert_int_equal(stored->context, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
        assert_string_equal(stored->owner_sid, "S-1-5-21-7");
        assert_int_equal(stored->n_snapshots, 1);
        assert_non_null(record_find_snapshot(world->broker, stored->snapshots[0]->snapshot_id));
        if (!restarted)
            world_crash(world);
        world_advance(world, 3600 * 1000); /* nobody takes it for one that was never given out */
        assert_int_equal(world->copies_count, 1);
    }
    world_end(world);
}

/* Many at once: they run one after the other, CloseSession last. */
static void test_pipelined(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_HANG, 0);
    uint32_t ids[4];
    ids[0] = send_call(world, client, session, PB_METHOD(INITIALIZE_FOR_BACKUP), NULL);
    ids[1] = send_call(world, client, session, PB_METHOD(GATHER_WRITER_METADATA), NULL);
    ids[2] = send_call(world, client, session, PB_METHOD(FREE_WRITER_METADATA), NULL);
    ids[3] = send_close(world, client, session);
    world_run(world);
    (void)replied(client, ids[0]);
    assert_null(client_final(client, ids[1]));
    assert_null(client_final(client, ids[2]));
    requester_resume(world, world_hanging(world, PB_METHOD(GATHER_WRITER_METADATA)));
    (void)replied(client, ids[1]);
    (void)replied(client, ids[2]);
    /* No set was opened: Release and nothing more. */
    assert_int_equal(closed(client, ids[3]), PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup GatherWriterMetadata FreeWriterMetadata "
        "Release");
    world_end(world);
}

/* What VSS says comes through, whatever it is. */
static void test_failures_come_through(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_FAIL, bad_state);
    world->rules[0].missing = "SetBackupState";
    const PB(CallReply) *reply = call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_int_equal(reply->hresult, bad_state);
    assert_string_equal(reply->missing_prerequisite, "SetBackupState");
    assert_string_equal(reply->status->hresult_name, "VSS_E_BAD_STATE");
    assert_string_equal(reply->status->method, "PrepareForBackup");
    assert_true(strlen(reply->status->advice) > 0);
    assert_true(world->broker->gate.session == NULL); /* nothing was opened by it */
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_FAIL_ASYNC, 0x80042318u);
    reply = call(world, client, session, PB_METHOD(GATHER_WRITER_METADATA));
    assert_int_equal(reply->hresult, 0);
    assert_int_equal(reply->async_hresult, 0x80042318u);
    assert_string_equal(reply->status->hresult_name, "VSS_E_WRITER_INFRASTRUCTURE");
    world_rule(world, PB_METHOD(GET_SESSION_ID), 1, ACT_STATUS, 0x80004002u);
    reply = call(world, client, session, PB_METHOD(GET_SESSION_ID));
    assert_int_equal(reply->hresult, 0x80004002u);
    /* Another program holds VSS: the client is told, and decides itself. */
    world->foreign_ms = UINT64_MAX;
    reply = call(world, client, session, PB_METHOD(START_SNAPSHOT_SET));
    assert_int_equal(reply->hresult, 0x80042316u);
    assert_true(reply->status->retryable);
    assert_true(world->broker->gate.session == NULL);
    world->foreign_ms = 0;
    world_end(world);
    assert_int_equal(bad_state, 0x80042301u);
}

/* ---- the gate ---- */

static void test_gate_is_shared_with_jobs(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    struct peer *agent = client_connect(world, "S-1-5-21-3", USER_RIGHTS);
    const char *first = open_set(world, one, 5);
    uint32_t snapshot = client_snapshot(world, agent, "C:");
    const char *second = open_backup(world, other);
    (void)call(world, other, second, PB_METHOD(INITIALIZE_FOR_BACKUP));
    uint32_t start = send_call(world, other, second, PB_METHOD(START_SNAPSHOT_SET), NULL);
    world_run(world);
    assert_null(client_final(other, start));
    assert_int_equal(client_progress(agent, snapshot)->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(client_progress(agent, snapshot)->waiting_for,
                     PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET));
    PB(GetServiceStatus) question = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(GET_SERVICE_STATUS, get_service_status, &question);
    uint32_t status = client_send(world, agent, &envelope);
    world_run(world);
    assert_string_equal(client_final(agent, status)->service_status->gate_holder, "test");
    assert_int_equal(client_final(agent, status)->service_status->queue_length, 2);
    /* Calls that need no gate go on meanwhile, in the session that holds it. */
    add_volume(world, one, first);
    (void)call(world, one, first, PB_METHOD(PREPARE_FOR_BACKUP));
    (void)call(world, one, first, PB_METHOD(DO_SNAPSHOT_SET));
    world_run(world);
    (void)client_snapshot_reply(agent, snapshot); /* it came first */
    assert_int_equal(replied(other, start)->hresult, 0);
    assert_int_equal(world->in_progress_answers, 0); /* never two in VSS */
    assert_int_equal((uint64_t)(uintptr_t)world->broker->gate.holder, 0);
    world_end(world);
}

/* Two sessions wait; the owner whose turn is longer ago goes first. */
static void test_gate_gives_turns(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *greedy = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *modest = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    const char *holder = open_set(world, greedy, 5);
    const char *again = open_backup(world, greedy);
    const char *late = open_backup(world, modest);
    uint32_t ids[2];
    ids[0] = send_call(world, greedy, again, PB_METHOD(START_SNAPSHOT_SET), NULL);
    ids[1] = send_call(world, modest, late, PB_METHOD(START_SNAPSHOT_SET), NULL);
    (void)call(world, greedy, holder, PB_METHOD(ABORT_BACKUP));
    assert_null(client_final(greedy, ids[0]));
    assert_int_equal(replied(modest, ids[1])->hresult, 0);
    /* A set that has waited goes before a session whose owner has had its turn since. */
    uint32_t snapshot = client_snapshot(world, modest, "C:");
    world_run(world);
    (void)call(world, modest, late, PB_METHOD(ABORT_BACKUP));
    assert_int_equal(replied(greedy, ids[0])->hresult, 0);
    (void)call(world, greedy, again, PB_METHOD(ABORT_BACKUP));
    (void)client_snapshot_reply(modest, snapshot);
    world_end(world);
}

static void test_waiting_call_is_stopped(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    const char *holder = open_set(world, one, 5);
    const char *session = open_backup(world, other);
    uint32_t ids[3];
    ids[0] = send_call(world, other, session, PB_METHOD(START_SNAPSHOT_SET), NULL);
    ids[1] = send_timed(world, other, session, PB_METHOD(PREPARE_FOR_BACKUP), NULL, 5000);
    ids[2] = send_call(world, other, session, PB_METHOD(GET_SESSION_ID), NULL);
    world_run(world);
    client_cancel(world, other, ids[0]);
    world_run(world);
    assert_string_equal(client_status(other, ids[0])->reason, "CANCELLED");
    assert_null(client_final(other, ids[1]));
    add_volume(world, one, holder);
    world_advance(world, 6000);
    assert_string_equal(client_status(other, ids[1])->reason, "DEADLINE");
    (void)replied(other, ids[2]);
    assert_int_equal(requester_calls(world, 2, PB_METHOD(START_SNAPSHOT_SET)), 0);
    world_end(world);
}

static void test_gate_idle(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    uint32_t waiting = client_snapshot(world, other, "C:");
    for (int i = 0; i < 3; i++) { /* each call begins the time anew */
        world_advance(world, world->config.gate_idle_ms - 1000);
        (void)call(world, client, session, PB_METHOD(GET_SESSION_ID));
    }
    world_advance(world, world->config.gate_idle_ms + 1000);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    (void)client_snapshot_reply(other, waiting);
    /* Every further call is told, until the session is closed. */
    for (int i = 0; i < 2; i++) {
        uint32_t id = send_call(world, client, session, PB_METHOD(ADD_TO_SNAPSHOT_SET), NULL);
        world_run(world);
        assert_int_equal(client_status(client, id)->code, PB_CODE(ABORTED));
        assert_string_equal(client_status(client, id)->reason, "GATE_IDLE");
    }
    uint32_t id = send_close(world, client, session);
    world_run(world);
    assert_int_equal(closed(client, id), PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    id = send_close(world, client, session);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_SESSION");
    world_end(world);
}

static void test_gate_hold_limit(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    for (uint32_t ms = 0; ms < world->config.gate_hold_ms - 20000; ms += 20000) {
        (void)call(world, client, session, PB_METHOD(GET_SESSION_ID));
        world_advance(world, 20000);
    }
    uint32_t id = send_call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP), NULL);
    world_advance(world, 30000);
    assert_int_equal(client_status(client, id)->code, PB_CODE(ABORTED));
    assert_string_equal(client_status(client, id)->reason, "GATE_TIMEOUT");
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_true(world->broker->gate.session == NULL);
    world_end(world);
}

/* DoSnapshotSet has what is left of the holder's time. */
static void test_create_limit(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_SLOW, 0);
    uint32_t id = send_call(world, client, session, PB_METHOD(DO_SNAPSHOT_SET), NULL);
    world_advance(world, world->config.gate_hold_ms + 60000);
    assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_true(world->broker->gate.session == NULL);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- cancel, deadlines ---- */

static void test_cancel_is_ivssasync_cancel(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t id = send_call(world, client, session, PB_METHOD(DO_SNAPSHOT_SET), NULL);
    world_run(world);
    client_cancel(world, client, id);
    world_run(world);
    assert_int_equal(replied(client, id)->async_hresult, S_ASYNC_CANCELLED);
    assert_non_null(replied(client, id)->status);
    /* The session goes on, and owes VSS an abort. */
    id = send_close(world, client, session);
    world_run(world);
    assert_int_equal(closed(client, id), PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    world_end(world);
}

static void test_deadline_of_a_running_call(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_HANG, 0);
    world_rule(world, PB_METHOD(GET_SESSION_ID), 1, ACT_HANG, 0);
    uint32_t id = send_timed(world, client, session, PB_METHOD(GATHER_WRITER_METADATA), NULL, 2000);
    world_advance(world, 3000);
    assert_string_equal(client_status(client, id)->reason, "DEADLINE");
    /* A synchronous one cannot be cancelled: the client is not kept, the session is busy. */
    id = send_timed(world, client, session, PB_METHOD(GET_SESSION_ID), NULL, 2000);
    uint32_t next = send_call(world, client, session, PB_METHOD(ABORT_BACKUP), NULL);
    world_advance(world, 3000);
    assert_string_equal(client_status(client, id)->reason, "DEADLINE");
    assert_null(client_final(client, next));
    requester_resume(world, world_hanging(world, PB_METHOD(GET_SESSION_ID)));
    (void)replied(client, next);
    world_end(world);
}

static void test_wait_ms_reaches_the_requester(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    const uint32_t waits[] = {0, 1500, UINT32_MAX};
    for (size_t i = 0; i < 3; i++) {
        PB(GatherWriterStatus) in = SHADOWPIPE__V1__GATHER_WRITER_STATUS__INIT;
        PB(Call) message = SHADOWPIPE__V1__CALL__INIT;
        message.wait_ms = waits[i];
        message.method_case = PB_METHOD(GATHER_WRITER_STATUS);
        message.gather_writer_status = &in;
        (void)send_full(world, client, session, &message, 0);
        world_run(world);
        const struct peer *requester = world->requesters[0].peer;
        uint32_t expected = i == 1 ? 1500 : world->config.status_ms;
        assert_int_equal(requester->frames[requester->frames_count - 1]->call->wait_ms, expected);
        assert_string_equal(requester->frames[requester->frames_count - 1]->call->session_id, "");
    }
    world_end(world);
}

static void test_stuck_calls(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    /* A synchronous one: only killing helps. */
    const char *session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_STUCK, 0);
    uint32_t id = send_call(world, client, session, PB_METHOD(ADD_TO_SNAPSHOT_SET), NULL);
    world->rundown_ms = 1000;
    world_advance(world, world->config.call_ms + 1000);
    assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
    assert_int_equal(world_alive(world), 0);
    assert_true(world->broker->gate.rundown_ms != 0);
    world_advance(world, 2000);
    /* An asynchronous one that does not even heed AbortBackup. */
    session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_STUCK, 0);
    id = send_call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP), NULL);
    world_advance(world, world->config.prepare_ms + cancel_limit_ms(&world->config) + 1000);
    assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
    assert_int_equal(world_alive(world), 1);
    world_advance(world, world->config.abort_ms);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- ends ---- */

static void test_client_vanishes(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        bool created;
        const char *end;
    } cases[] = {
        {5, false, "StartSnapshotSet AbortBackup Release"},
        {1, false, "StartSnapshotSet AbortBackup Release"},
        {5, true, "DoSnapshotSet BackupComplete GatherWriterStatus Release"},
        {1, true, "DoSnapshotSet AbortBackup Release"}, /* writers would truncate their logs */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        (void)(cases[i].created ? create_set : open_set)(world, client, cases[i].type);
        peer_close(world, client);
        world_run(world);
        const char *history = requester_history(world, 1);
        assert_string_equal(history + strlen(history) - strlen(cases[i].end), cases[i].end);
        assert_int_equal(world_alive(world), 0);
        assert_true(world->broker->gate.session == NULL);
        world_end(world);
    }
}

/* Inside DoSnapshotSet its end is awaited; what is under way otherwise is cancelled. */
static void test_client_vanishes_during_a_call(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    (void)open_set(world, client, 5);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    const struct session *session = LIST_FIRST(&world->broker->sessions, struct session, link);
    (void)send_call(world, client, session->id, PB_METHOD(DO_SNAPSHOT_SET), NULL);
    world_run(world);
    peer_close(world, client);
    world_advance(world, 30000);
    assert_non_null(world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_int_equal(world_alive(world), 0);
    client = client_connect(world, NULL, USER_RIGHTS);
    const char *second = open_set(world, client, 5);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    (void)send_call(world, client, second, PB_METHOD(PREPARE_FOR_BACKUP), NULL);
    world_run(world);
    peer_close(world, client);
    world_run(world);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* BackupComplete that fails at the end is followed by AbortBackup. */
static void test_completion_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = create_set(world, client, 5);
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_FAIL_ASYNC, 0x80042315u);
    uint32_t id = send_close(world, client, session);
    world_run(world);
    assert_int_equal(closed(client, id), PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    world_end(world);
}

/* AbortBackup that fails leaves the set open until Release: so long nobody else is let in. */
static void test_abort_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    world_rule(world, PB_METHOD(ABORT_BACKUP), 1, ACT_FAIL, 0x80042302u);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    uint32_t id = send_close(world, client, session);
    world_run(world);
    assert_null(client_final(client, id));
    assert_true(world->broker->gate.session != NULL);
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    assert_int_equal(closed(client, id), PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    assert_true(world->broker->gate.session == NULL);
    world_end(world);
}

static void test_requester_dies(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_set(world, client, 5);
    world->rundown_ms = 1000;
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_DIE, 0);
    uint32_t id = send_call(world, client, session, PB_METHOD(PREPARE_FOR_BACKUP), NULL);
    uint32_t next = send_call(world, client, session, PB_METHOD(DO_SNAPSHOT_SET), NULL);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    assert_string_equal(client_status(client, next)->reason, "REQUESTER_DIED");
    assert_true(world->broker->gate.session == NULL);
    assert_true(world->broker->gate.rundown_ms != 0);
    id = send_call(world, client, session, PB_METHOD(GET_SESSION_ID), NULL);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    peer_close(world, client);
    world_advance(world, 2000);
    /* Before there is an object, and while the session is being closed. */
    client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(CREATE_OBJECT), 1, ACT_DIE, 0);
    id = send_open(world, client, PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP), "");
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    world_clear_rules(world);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_DIE, 0);
    session = open_backup(world, client);
    id = send_close(world, client, session);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    world_end(world);
}

static void test_opening_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SessionMode) backup = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    uint32_t id = send_open(world, client, PB_VALUE(SESSION_MODE, SESSION_MODE_UNSPECIFIED), "");
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "NO_MODE");
    id = send_open(world, client, backup, "11111111-2222-3333-4444-555555555555");
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_DOCUMENT");
    world_rule(world, PB_METHOD(CREATE_OBJECT), 1, ACT_FAIL, 0x80070005u);
    id = send_open(world, client, backup, "");
    world_run(world);
    assert_string_equal(client_status(client, id)->hresult_name, "E_ACCESSDENIED");
    world->start_failure = "no such program";
    id = send_open(world, client, backup, "");
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_START");
    world->start_failure = NULL;
    world->holds_requesters = true;
    id = send_open(world, client, backup, "");
    world_run(world);
    client_cancel(world, client, id);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "CANCELLED");
    world->holds_requesters = false;
    world_run(world);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_service_stops(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *freezing = open_set(world, client, 5);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t create = send_call(world, client, freezing, PB_METHOD(DO_SNAPSHOT_SET), NULL);
    const char *waiting = open_backup(world, client);
    uint32_t start = send_call(world, client, waiting, PB_METHOD(START_SNAPSHOT_SET), NULL);
    world_run(world);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_string_equal(client_status(client, start)->reason, "SHUTTING_DOWN");
    assert_null(client_final(client, create));
    world_advance(world, world->config.stop_create_ms + 1000);
    assert_string_equal(client_status(client, create)->reason, "SHUTTING_DOWN");
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- whose session ---- */

static void test_sessions_are_private(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, ALL_RIGHTS);
    const char *session = open_backup(world, client);
    uint32_t id = send_call(world, other, session, PB_METHOD(GET_SESSION_ID), NULL);
    world_run(world);
    assert_string_equal(client_status(other, id)->reason, "UNKNOWN_SESSION");
    id = send_close(world, other, session);
    world_run(world);
    assert_string_equal(client_status(other, id)->reason, "UNKNOWN_SESSION");
    world_end(world);
}

static void test_rights(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *reader = client_connect(world, NULL, RIGHT_BIT_READ);
    uint32_t id = send_open(world, reader, PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP), "");
    world_run(world);
    assert_string_equal(client_status(reader, id)->reason, "RIGHT_MISSING");
    const char *session = open_mode(world, reader, PB_VALUE(SESSION_MODE, SESSION_MODE_QUERY));
    (void)call(world, reader, session, PB_METHOD(INITIALIZE_FOR_BACKUP));
    id = send_call(world, reader, session, PB_METHOD(START_SNAPSHOT_SET), NULL);
    world_run(world);
    assert_string_equal(client_status(reader, id)->reason, "RIGHT_MISSING");
    assert_string_equal(client_status(reader, id)->method, "StartSnapshotSet");
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);
    id = send_call(world, reader, session, PB_METHOD(CREATE_OBJECT), NULL);
    world_run(world);
    assert_string_equal(client_status(reader, id)->reason, "NOT_FOR_CLIENTS");
    PB(Call) empty = SHADOWPIPE__V1__CALL__INIT;
    id = send_full(world, reader, session, &empty, 0);
    world_run(world);
    assert_string_equal(client_status(reader, id)->reason, "NO_BODY");
    /* The session goes on after a refusal. */
    (void)call(world, reader, session, PB_METHOD(GET_SESSION_ID));
    world_end(world);
}

static uint32_t query(struct world *world, struct peer *client, const char *session)
{
    PB(Query) in = SHADOWPIPE__V1__QUERY__INIT;
    in.object_type = 3;
    uint32_t id = send_call(world, client, session, PB_METHOD(QUERY), &in);
    world_run(world);
    return id;
}

static void test_others_snapshots(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *manager = client_connect(world, "S-1-5-21-9", ALL_RIGHTS);
    const char *session = create_set(world, client, 5);
    const PB(QueryResult) *result = replied(client, query(world, client, session))->query;
    assert_int_equal(result->n_snapshots, 1);
    assert_string_equal(result->snapshots[0]->snapshot_id, "c0b00001-0000-0000-0000-000000000001");
    static char own[] = "C0B00001-0000-0000-0000-000000000001"; /* case does not matter */
    static char foreign[] = "f0000000-0000-0000-0000-000000000001";
    static char own_set[] = "5e700001-0000-0000-0000-000000000000";
    PB(GetSnapshotProperties) properties = SHADOWPIPE__V1__GET_SNAPSHOT_PROPERTIES__INIT;
    properties.snapshot_id = own;
    uint32_t id = send_call(world, client, session, PB_METHOD(GET_SNAPSHOT_PROPERTIES), &properties);
    world_run(world);
    assert_int_equal(replied(client, id)->hresult, 0);
    properties.snapshot_id = foreign;
    id = send_call(world, client, session, PB_METHOD(GET_SNAPSHOT_PROPERTIES), &properties);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "RIGHT_MISSING");
    PB(DeleteSnapshotsCall) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS_CALL__INIT;
    deletion.object_id = own_set;
    id = send_call(world, client, session, PB_METHOD(DELETE_SNAPSHOTS), &deletion);
    world_run(world);
    assert_int_equal(replied(client, id)->hresult, 0);
    deletion.object_id = foreign;
    id = send_call(world, client, session, PB_METHOD(DELETE_SNAPSHOTS), &deletion);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "RIGHT_MISSING");
    const char *all = open_mode(world, manager, PB_VALUE(SESSION_MODE, SESSION_MODE_QUERY));
    result = replied(manager, query(world, manager, all))->query;
    assert_int_equal(result->n_snapshots, 2);
    id = send_call(world, manager, all, PB_METHOD(DELETE_SNAPSHOTS), &deletion);
    world_run(world);
    assert_int_equal(replied(manager, id)->hresult, 0);
    world_end(world);
}

/* ---- documents ---- */

struct part {
    const char *document_id;
    uint64_t offset;
    uint64_t total;
    size_t size;
    bool last;
    size_t sha256_size;
};

static uint32_t send_part(struct world *world, struct peer *client, const struct part *part)
{
    static uint8_t bytes[DOCUMENT_CHUNK_BYTES];
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    put.document_id = (char *)(uintptr_t)part->document_id;
    put.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    put.chunk = &chunk;
    chunk.offset = part->offset;
    chunk.total_bytes = part->total;
    chunk.data = (ProtobufCBinaryData){part->size, bytes};
    chunk.last = part->last;
    chunk.sha256 = (ProtobufCBinaryData){part->sha256_size, bytes};
    PB(Envelope) envelope = ENVELOPE_OF(PUT_DOCUMENT, put_document, &put);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return id;
}

static const char *put_document(struct world *world, struct peer *client, size_t size)
{
    const char *document_id = "";
    for (size_t offset = 0; offset < size;) {
        size_t left = size - offset;
        size_t now = left < DOCUMENT_CHUNK_BYTES ? left : DOCUMENT_CHUNK_BYTES;
        const struct part part = {document_id, offset, size, now, now == left, now == left ? 32 : 0};
        uint32_t id = send_part(world, client, &part);
        assert_int_equal(client_final(client, id)->body_case, PB_BODY(PUT_DOCUMENT_REPLY));
        document_id = client_final(client, id)->put_document_reply->document_id;
        offset += now;
        assert_int_equal(client_final(client, id)->put_document_reply->received_bytes, offset);
    }
    return document_id;
}

static uint32_t send_restore(struct world *world, struct peer *client, const char *session,
                             const char *document_id)
{
    PB(InitializeForRestore) in = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    in.document_id = (char *)(uintptr_t)document_id;
    uint32_t id = send_call(world, client, session, PB_METHOD(INITIALIZE_FOR_RESTORE), &in);
    world_run(world);
    return id;
}

static void test_document_goes_in(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    const size_t size = 600 * 1024;
    const PB(SessionMode) restore = PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE);
    const char *document_id = put_document(world, client, size);
    const char *session = open_mode(world, client, restore);
    assert_int_equal(replied(client, send_restore(world, client, session, document_id))->hresult, 0);
    assert_int_equal(world->requesters[0].document_bytes, size);
    assert_true(world->requesters[0].document_is_whole);
    const struct peer *requester = world->requesters[0].peer;
    assert_string_equal(
        requester->frames[requester->frames_count - 1]->call->initialize_for_restore->document_id,
        document_id);
    assert_int_equal(world->broker->documents_bytes, 0);
    /* It serves once. */
    uint32_t id = send_restore(world, client, session, document_id);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_DOCUMENT");
    /* Named at the opening instead. */
    document_id = put_document(world, client, 100);
    id = send_open(world, client, restore, document_id);
    world_run(world);
    session = opened(client, id);
    PB(ExamineWriterMetadata) examine = SHADOWPIPE__V1__EXAMINE_WRITER_METADATA__INIT;
    id = send_call(world, client, session, PB_METHOD(EXAMINE_WRITER_METADATA), &examine);
    world_run(world);
    (void)replied(client, id); /* it does not take the session's */
    assert_int_equal(world->requesters[1].document_bytes, 0);
    (void)replied(client, send_restore(world, client, session, ""));
    assert_int_equal(world->requesters[1].document_bytes, 100);
    examine.document_id = (char *)(uintptr_t)put_document(world, client, 70);
    session = open_mode(world, client, restore);
    id = send_call(world, client, session, PB_METHOD(EXAMINE_WRITER_METADATA), &examine);
    world_run(world);
    (void)replied(client, id);
    assert_int_equal(world->requesters[2].document_bytes, 70);
    /* The requester finds that it is damaged. */
    world->document_refusal = "DAMAGED_DOCUMENT";
    document_id = put_document(world, client, 100);
    session = open_mode(world, client, restore);
    id = send_restore(world, client, session, document_id);
    assert_string_equal(client_status(client, id)->reason, "DAMAGED_DOCUMENT");
    world->document_refusal = NULL;
    world_end(world);
}

static void test_bad_parts(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    const struct part first = {"", 0, 100, 50, false, 0};
    uint32_t id = send_part(world, client, &first);
    const char *document_id = client_final(client, id)->put_document_reply->document_id;
    const struct {
        struct part part;
        const char *reason;
        const char *field;
    } cases[] = {
        {{"", 0, 0, 1, false, 0}, "TOO_LARGE", "put_document.chunk.total_bytes"},
        {{"", 0, DOCUMENT_MAX_BYTES + 1, 1, false, 0}, "TOO_LARGE", "put_document.chunk.total_bytes"},
        {{"", 5, 100, 1, false, 0}, "BAD_CHUNK", "put_document.chunk.offset"},
        {{document_id, 0, 100, 50, false, 0}, "BAD_CHUNK", "put_document.chunk.offset"},
        {{document_id, 50, 101, 50, false, 0}, "BAD_CHUNK", "put_document.chunk.total_bytes"},
        {{document_id, 50, 100, 51, true, 0}, "BAD_CHUNK", "put_document.chunk.data"},
        {{document_id, 50, 100, 0, false, 0}, "BAD_CHUNK", "put_document.chunk.data"},
        {{document_id, 50, 100, 50, false, 0}, "BAD_CHUNK", "put_document.chunk.last"},
        {{document_id, 50, 100, 10, true, 0}, "BAD_CHUNK", "put_document.chunk.last"},
        {{document_id, 50, 100, 50, true, 31}, "BAD_CHUNK", "put_document.chunk.sha256"},
        {{"11111111-2222-3333-4444-555555555555", 0, 100, 50, false, 0},
         "UNKNOWN_DOCUMENT",
         "put_document.document_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        id = send_part(world, client, &cases[i].part);
        assert_string_equal(client_status(client, id)->reason, cases[i].reason);
        assert_string_equal(client_status(client, id)->field, cases[i].field);
    }
    const char *session = open_mode(world, client, PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE));
    id = send_restore(world, client, session, document_id);
    assert_string_equal(client_status(client, id)->reason, "INCOMPLETE_DOCUMENT");
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(PUT_DOCUMENT, put_document, &put);
    id = client_send(world, client, &envelope);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "BAD_CHUNK");
    put.chunk = &chunk;
    put.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_UNSPECIFIED);
    id = client_send(world, client, &envelope);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "BAD_KIND");
    world_end(world);
}

static void test_documents_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *clients[2];
    for (int i = 0; i < 2; i++)
        clients[i] = client_connect(world, NULL, ALL_RIGHTS);
    const struct part large = {"", 0, DOCUMENT_MAX_BYTES, 10, false, 0};
    for (int i = 0; i < DOCUMENTS_PER_CONNECTION; i++) {
        uint32_t id = send_part(world, clients[0], &large);
        assert_int_equal(client_final(clients[0], id)->body_case, PB_BODY(PUT_DOCUMENT_REPLY));
    }
    uint32_t id = send_part(world, clients[0], &large);
    assert_string_equal(client_status(clients[0], id)->limit_name, "documents_per_connection");
    id = send_part(world, clients[1], &large);
    assert_string_equal(client_status(clients[1], id)->limit_name, "documents_bytes");
    peer_close(world, clients[0]);
    id = send_part(world, clients[1], &large);
    assert_int_equal(client_final(clients[1], id)->body_case, PB_BODY(PUT_DOCUMENT_REPLY));
    world_end(world);
}

static uint32_t send_read(struct world *world, struct peer *client, const char *session)
{
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    read.session_id = (char *)(uintptr_t)session;
    read.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    PB(Envelope) envelope = ENVELOPE_OF(READ_DOCUMENT, read_document, &read);
    return client_send(world, client, &envelope);
}

static size_t check_document(const struct peer *client, uint32_t id)
{
    size_t size = 0;
    for (size_t i = 0; i < client->frames_count; i++) {
        const PB(Envelope) *frame = client->frames[i];
        if (frame->id != id)
            continue;
        assert_int_equal(frame->body_case, PB_BODY(DOCUMENT_CHUNK));
        const PB(DocumentChunk) *chunk = frame->document_chunk;
        assert_int_equal(chunk->offset, size);
        for (size_t at = 0; at < chunk->data.len; at += 4099)
            assert_int_equal(chunk->data.data[at], (uint8_t)(size + at));
        size += chunk->data.len;
        assert_int_equal(chunk->last, size == chunk->total_bytes);
    }
    return size;
}

static void test_document_comes_out(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    world->document_size = 3 * 1024 * 1024 + 17;
    uint32_t id = send_read(world, client, session);
    world_run(world);
    assert_int_equal(check_document(client, id), world->document_size);
    /* A client that does not read is waited for, and the next call waits for it. */
    client->does_not_read = true;
    world->chunks_asked = 0;
    id = send_read(world, client, session);
    uint32_t next = send_call(world, client, session, PB_METHOD(GET_SESSION_ID), NULL);
    world_run(world);
    assert_true(world->chunks_asked <= 2);
    assert_null(client_final(client, next));
    for (int i = 0; i < 20; i++) {
        peer_drain(world, client);
        world_run(world);
    }
    assert_int_equal(check_document(client, id), world->document_size);
    (void)replied(client, next);
    /* Cancelled in the middle: the session goes on. */
    client->does_not_read = false;
    peer_drain(world, client);
    client->does_not_read = true;
    id = send_read(world, client, session);
    world_run(world);
    next = send_call(world, client, session, PB_METHOD(GET_SESSION_ID), NULL);
    peer_drain(world, client);
    client->does_not_read = false;
    world_run(world);
    (void)replied(client, next);
    world->document_refusal = "UNKNOWN_DOCUMENT";
    id = send_read(world, client, session);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_DOCUMENT");
    world_end(world);
}

/* The deadline of a reader that never reads on. */
static void test_document_is_given_up(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const char *session = open_backup(world, client);
    world->document_size = 3 * 1024 * 1024;
    client->does_not_read = true;
    uint32_t id = send_read(world, client, session);
    world_run(world);
    world_advance(world, world->config.default_timeout_ms + 1000);
    client->does_not_read = false;
    peer_drain(world, client);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "DEADLINE");
    (void)call(world, client, session, PB_METHOD(GET_SESSION_ID));
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_backup),
        cmocka_unit_test(test_persistent_set_has_a_record),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_failures_come_through),
        cmocka_unit_test(test_gate_is_shared_with_jobs),
        cmocka_unit_test(test_gate_gives_turns),
        cmocka_unit_test(test_waiting_call_is_stopped),
        cmocka_unit_test(test_gate_idle),
        cmocka_unit_test(test_gate_hold_limit),
        cmocka_unit_test(test_create_limit),
        cmocka_unit_test(test_cancel_is_ivssasync_cancel),
        cmocka_unit_test(test_deadline_of_a_running_call),
        cmocka_unit_test(test_wait_ms_reaches_the_requester),
        cmocka_unit_test(test_stuck_calls),
        cmocka_unit_test(test_client_vanishes),
        cmocka_unit_test(test_client_vanishes_during_a_call),
        cmocka_unit_test(test_completion_fails),
        cmocka_unit_test(test_abort_fails),
        cmocka_unit_test(test_requester_dies),
        cmocka_unit_test(test_opening_fails),
        cmocka_unit_test(test_service_stops),
        cmocka_unit_test(test_sessions_are_private),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_others_snapshots),
        cmocka_unit_test(test_document_goes_in),
        cmocka_unit_test(test_bad_parts),
        cmocka_unit_test(test_documents_are_bounded),
        cmocka_unit_test(test_document_comes_out),
        cmocka_unit_test(test_document_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
