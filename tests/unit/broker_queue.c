/* Many at once: turns, positions, the gate's limits, other programs that create snapshots. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

/* In which order requesters reached DoSnapshotSet is the order of the turns. */
static void check_order(const struct world *world, const uint64_t *requesters, size_t count)
{
    size_t seen = 0;
    for (size_t i = 0; i < world->calls_count; i++) {
        if (world->calls[i].method != PB_METHOD(DO_SNAPSHOT_SET))
            continue;
        assert_true(seen < count);
        assert_int_equal(world->calls[i].requester, requesters[seen]);
        seen++;
    }
    assert_int_equal(seen, count);
}

static void test_ten_clients(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peers[10];
    uint32_t ids[10];
    uint64_t order[10];
    world->holds_requesters = true;
    for (size_t i = 0; i < 10; i++) {
        peers[i] = client_connect(world, NULL, USER_RIGHTS);
        ids[i] = client_snapshot(world, peers[i], "C:");
        world_run(world);
        order[i] = i + 1;
    }
    /* No process for those who wait. */
    assert_int_equal(world->requesters_count, 1);
    assert_int_equal(client_progress(peers[0], ids[0])->phase, PB_PHASE(STARTING));
    for (size_t i = 1; i < 10; i++) {
        const PB(Progress) *progress = client_progress(peers[i], ids[i]);
        assert_int_equal(progress->phase, PB_PHASE(QUEUED));
        assert_int_equal(progress->queue_position, i + 1);
        assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET));
    }
    /* Progress comes about once a second while one waits. */
    size_t before = peers[9]->frames_count;
    world_advance(world, 10000);
    assert_true(peers[9]->frames_count >= before + 9 && peers[9]->frames_count <= before + 11);
    world->holds_requesters = false;
    world_advance(world, 0);
    for (size_t i = 0; i < 10; i++)
        (void)client_snapshot_reply(peers[i], ids[i]);
    check_order(world, order, 10);
    assert_int_equal(world->in_progress_answers, 0); /* never two in VSS */
    for (size_t i = 0; i < 10; i++)
        client_finish(world, peers[i], client_snapshot_reply(peers[i], ids[i]), good);
    world_run(world);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* One owner with many requests does not keep another one waiting. */
static void test_turns(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *greedy = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *modest = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t ids[6], modest_ids[2];
    for (int i = 0; i < 6; i++)
        ids[i] = client_snapshot(world, greedy, "C:");
    world_run(world);
    modest_ids[0] = client_snapshot(world, modest, "C:");
    modest_ids[1] = client_snapshot(world, modest, "C:");
    world_run(world);
    assert_int_equal(client_progress(modest, modest_ids[0])->queue_position, 2); /* before greedy's second */
    assert_int_equal(client_progress(greedy, ids[1])->queue_position, 3);
    assert_int_equal(client_progress(modest, modest_ids[1])->queue_position, 4);
    assert_int_equal(client_progress(greedy, ids[2])->queue_position, 5);
    world->holds_requesters = false;
    world_run(world);
    for (int i = 0; i < 6; i++)
        (void)client_snapshot_reply(greedy, ids[i]);
    /* The second process served the other owner. */
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(modest, modest_ids[0]);
    assert_string_equal(snapshot->set_id, "5e700002-0000-0000-0000-000000000000");
    world_end(world);
}

/* The next set gathers while the present one creates. */
static void test_gathers_ahead(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = client_snapshot(world, client, "C:");
    world_run(world);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(requester_calls(world, 2, PB_METHOD(IS_VOLUME_SUPPORTED)), 1);
    assert_int_equal(requester_calls(world, 2, PB_METHOD(START_SNAPSHOT_SET)), 0);
    assert_int_equal(client_progress(client, ids[1])->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(client_progress(client, ids[1])->queue_position, 1);
    assert_int_equal(client_progress(client, ids[2])->queue_position, 2);
    world_advance(world, 5000);
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    for (int i = 0; i < 4; i++)
        (void)client_snapshot_reply(client, ids[i]);
    assert_true(client_progress(client, ids[3])->expected_wait_ms <= 5000);
    world_end(world);
}

static uint32_t snapshot_with_times(struct world *world, struct peer *client, uint32_t timeout_ms,
                                    uint32_t queue_timeout_ms)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *names[] = {(char *)(uintptr_t) "C:"};
    wish.volumes = names;
    wish.n_volumes = 1;
    wish.queue_timeout_ms = queue_timeout_ms;
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    envelope.timeout_ms = timeout_ms;
    return client_send(world, client, &envelope);
}

/* Each who waits keeps its own time. */
static void test_waiting_expires(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t holder = client_snapshot(world, client, "C:");
    uint32_t at_gate = snapshot_with_times(world, client, 20000, 0);
    uint32_t queued = snapshot_with_times(world, client, 10000, 0);
    uint32_t limited = snapshot_with_times(world, client, 0, 5000);
    uint32_t gathered = snapshot_with_times(world, client, 0, 30000);
    world_advance(world, 5000);
    assert_string_equal(client_status(client, limited)->reason, "QUEUE_TIMEOUT");
    assert_int_equal(client_status(client, limited)->code, PB_CODE(UNAVAILABLE));
    assert_true(client_status(client, limited)->retry_after_ms > 0);
    assert_int_equal(client_status(client, limited)->phase, PB_PHASE(QUEUED));
    assert_null(client_final(client, queued));
    world_advance(world, 5000);
    assert_string_equal(client_status(client, queued)->reason, "QUEUE_TIMEOUT");
    world_advance(world, 10000);
    assert_string_equal(client_status(client, at_gate)->reason, "QUEUE_TIMEOUT");
    assert_int_equal(client_status(client, at_gate)->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(requester_calls(world, 2, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_int_equal(requester_calls(world, 2, PB_METHOD(ABORT_BACKUP)), 0);
    world_advance(world, 10000);
    assert_string_equal(client_status(client, gathered)->reason, "QUEUE_TIMEOUT");
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    (void)client_snapshot_reply(client, holder);
    world_end(world);
}

/* The limit for the wait does not count once the turn has come. */
static void test_queue_limit_spares_work(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_HANG, 0);
    uint32_t id = snapshot_with_times(world, client, 0, 3000);
    world_advance(world, 10000);
    assert_null(client_final(client, id));
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    requester_resume(world, world_hanging(world, PB_METHOD(GATHER_WRITER_METADATA)));
    world_advance(world, 10000);
    assert_null(client_final(client, id));
    requester_resume(world, world_hanging(world, PB_METHOD(PREPARE_FOR_BACKUP)));
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

/* Nor is it forgotten when the set has to wait once more. */
static void test_queue_limit_comes_back(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(START_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t id = snapshot_with_times(world, client, 0, 3000);
    world_advance(world, 10000);
    assert_null(client_final(client, id));
    world->foreign_ms = world->now_ms + 600 * 1000;
    requester_resume(world, world_hanging(world, PB_METHOD(START_SNAPSHOT_SET)));
    world_advance(world, 2000);
    assert_string_equal(client_status(client, id)->reason, "QUEUE_TIMEOUT");
    world_end(world);
}

static void test_volumes_hang(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world->holds_enumeration = true;
    uint32_t id = snapshot_with_times(world, client, 0, 3000);
    world_advance(world, 3000);
    assert_string_equal(client_status(client, id)->reason, "QUEUE_TIMEOUT");
    assert_non_null(strstr(client_status(client, id)->message, "volumes"));
    world_end(world);
}

/* A stream of newcomers, as programs that share SYSTEM are, does not keep one who stays waiting. */
static void test_newcomers_queue_behind(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *agent = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    uint32_t id = client_snapshot(world, agent, "C:");
    world_run(world);
    (void)client_snapshot_reply(agent, id);
    for (unsigned i = 0; i < 5; i++) { /* it has had a turn, and others after it */
        char sid[32];
        (void)snprintf(sid, sizeof sid, "S-1-5-21-2-%u", i);
        struct peer *other = client_connect(world, sid, USER_RIGHTS);
        uint32_t his = client_snapshot(world, other, "C:");
        world_run(world);
        (void)client_snapshot_reply(other, his);
        peer_close(world, other);
        world_run(world);
    }
    world->holds_requesters = true;
    struct peer *first = client_connect(world, "S-1-5-21-3", USER_RIGHTS);
    client_snapshot(world, first, "C:");
    world_run(world);
    id = client_snapshot(world, agent, "C:");
    for (unsigned i = 0; i < 5; i++) {
        char sid[32];
        (void)snprintf(sid, sizeof sid, "S-1-5-21-4-%u", i);
        client_snapshot(world, client_connect(world, sid, USER_RIGHTS), "C:");
        world_run(world);
    }
    assert_int_equal(client_progress(agent, id)->queue_position, 2);
    world_end(world);
}

/* A long wait for VSS is one phase, however often it is asked. */
static void test_phases_after_a_long_wait(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->foreign_ms = world->now_ms + 400 * 1000;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_advance(world, 410 * 1000);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    bool has_prepared = false, has_created = false;
    for (size_t i = 0; i < snapshot->n_phases; i++) {
        has_prepared |= snapshot->phases[i]->phase == PB_PHASE(PREPARING);
        has_created |= snapshot->phases[i]->phase == PB_PHASE(CREATING);
    }
    assert_true(has_prepared && has_created);
    assert_true(snapshot->n_phases < 15);
    world_end(world);
}

static void test_foreign_program(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->foreign_ms = world->now_ms + 60000;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t impatient = snapshot_with_times(world, client, 20000, 0);
    uint32_t patient = client_snapshot(world, client, "C:");
    uint32_t third = client_snapshot(world, client, "C:");
    world_advance(world, 15000);
    const PB(Progress) *progress = client_progress(client, impatient);
    assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM));
    assert_int_equal(progress->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(client_progress(client, third)->waiting_for,
                     PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM));
    unsigned tries = world->in_progress_answers;
    assert_true(tries >= 3 && tries <= 6); /* 1, 2, 4, 5, 5 … seconds, and a little more */
    world_advance(world, 5000);
    const PB(Status) *status = client_status(client, impatient);
    assert_string_equal(status->reason, "QUEUE_TIMEOUT");
    assert_non_null(strstr(status->message, "outside of Shadowpipe"));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 0); /* nothing of it is open */
    world_advance(world, 30000);
    assert_null(client_final(client, patient));
    world_advance(world, 20000);
    (void)client_snapshot_reply(client, patient);
    (void)client_snapshot_reply(client, third);
    world_end(world);
}

/* While it waits for VSS: cancelled, gone, stopped. */
static void test_end_while_clearing(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct world *world = world_new();
        world->foreign_ms = world->now_ms + 3600000;
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = client_snapshot(world, client, "C:");
        world_advance(world, 4500);
        if (round == 0)
            client_cancel(world, client, id);
        else if (round == 1)
            peer_close(world, client);
        else
            broker_stop(world->broker, BROKER_STOP_END);
        world_run(world);
        assert_int_equal(world_alive(world), 0);
        if (round != 1)
            assert_string_equal(client_status(client, id)->reason,
                                round == 0 ? "CANCELLED" : "SHUTTING_DOWN");
        world_end(world);
    }
}

static void short_gate(struct broker_config *config)
{
    config->gate_hold_ms = 90 * 1000;
    config->max_sets = 2;
}

static void test_gate_limit(void **state)
{
    (void)state;
    /* In a call that has its own, longer limit. */
    struct world *world = world_new_with(short_gate);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    uint32_t next = client_snapshot(world, client, "C:");
    world_advance(world, 89 * 1000);
    assert_null(client_final(client, id));
    world_advance(world, 1000);
    assert_string_equal(client_status(client, id)->reason, "GATE_TIMEOUT");
    assert_int_equal(client_status(client, id)->code, PB_CODE(ABORTED));
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    (void)client_snapshot_reply(client, next);
    world_end(world);
    /* DoSnapshotSet's limit is what is left of the gate's. */
    world = world_new_with(short_gate);
    client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_SLOW, 0);
    id = client_snapshot(world, client, "C:");
    world_advance(world, 111 * 1000);
    assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
    world_end(world);
}

static void test_set_limit(void **state)
{
    (void)state;
    struct world *world = world_new_with(short_gate);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t first = client_snapshot(world, client, "C:");
    uint32_t second = client_snapshot(world, client, "C:");
    uint32_t third = client_snapshot(world, client, "C:");
    uint32_t fourth = snapshot_with_times(world, client, 0, 2000);
    world_advance(world, 2000);
    (void)client_snapshot_reply(client, second);
    assert_null(client_final(client, third));
    assert_string_equal(client_status(client, fourth)->limit_name, "max_sets");
    client_finish(world, client, client_snapshot_reply(client, first), good);
    world_run(world);
    (void)client_snapshot_reply(client, third);
    world_end(world);
}

static void test_phase_timeouts(void **state)
{
    (void)state;
    static const struct {
        PB(Phase) phase;
        PB(Call__MethodCase) method;
    } rows[] = {{PB_PHASE(GATHERING), PB_METHOD(GATHER_WRITER_METADATA)},
                {PB_PHASE(ADDING_VOLUMES), PB_METHOD(ADD_TO_SNAPSHOT_SET)},
                {PB_PHASE(PREPARING), PB_METHOD(PREPARE_FOR_BACKUP)},
                {PB_PHASE(CREATING), PB_METHOD(DO_SNAPSHOT_SET)}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        char *names[] = {(char *)(uintptr_t) "C:"};
        PB(PhaseTimeout) timeout = SHADOWPIPE__V1__PHASE_TIMEOUT__INIT;
        PB(PhaseTimeout) * timeouts[] = {&timeout};
        wish.volumes = names;
        wish.n_volumes = 1;
        wish.phase_timeouts = timeouts;
        wish.n_phase_timeouts = 1;
        timeout.phase = rows[i].phase;
        timeout.timeout_ms = 4000;
        world_rule(world, rows[i].method, 1, ACT_SLOW, 0);
        uint32_t id = client_create(world, client, &wish);
        /* Asynchronous calls get their grace on top. */
        uint32_t limit_ms = 4000 + (method_is_asynchronous(rows[i].method) ? 2 * 10000u : 0);
        world_advance(world, limit_ms - 1);
        assert_null(client_final(client, id));
        world_advance(world, 21000);
        assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_clients),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_gathers_ahead),
        cmocka_unit_test(test_waiting_expires),
        cmocka_unit_test(test_queue_limit_spares_work),
        cmocka_unit_test(test_queue_limit_comes_back),
        cmocka_unit_test(test_volumes_hang),
        cmocka_unit_test(test_newcomers_queue_behind),
        cmocka_unit_test(test_phases_after_a_long_wait),
        cmocka_unit_test(test_foreign_program),
        cmocka_unit_test(test_end_while_clearing),
        cmocka_unit_test(test_gate_limit),
        cmocka_unit_test(test_set_limit),
        cmocka_unit_test(test_phase_timeouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
