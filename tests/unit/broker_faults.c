/* At each point of a snapshot's life: the client vanishes, the requester dies, the request is cancelled, its
 * time is over, the call never returns, the service stops. What VSS is owed is read off the calls. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

/* The points, in order. */
static const struct point {
    PB(Call__MethodCase) method;
    unsigned nth;
    bool is_open;    /* a set is open in VSS once the call has returned */
    bool is_created; /* and its copies exist */
    PB(Phase) phase;
} points[] = {
    {PB_METHOD(CREATE_OBJECT), 1, false, false, PB_PHASE(INITIALIZING)},
    {PB_METHOD(INITIALIZE_FOR_BACKUP), 1, false, false, PB_PHASE(INITIALIZING)},
    {PB_METHOD(SET_CONTEXT), 1, false, false, PB_PHASE(INITIALIZING)},
    {PB_METHOD(SET_BACKUP_STATE), 1, false, false, PB_PHASE(INITIALIZING)},
    {PB_METHOD(GATHER_WRITER_METADATA), 1, false, false, PB_PHASE(GATHERING)},
    {PB_METHOD(GET_WRITER_METADATA), 2, false, false, PB_PHASE(GATHERING)},
    {PB_METHOD(IS_VOLUME_SUPPORTED), 1, false, false, PB_PHASE(GATHERING)},
    {PB_METHOD(START_SNAPSHOT_SET), 1, true, false, PB_PHASE(ADDING_VOLUMES)},
    {PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, true, false, PB_PHASE(ADDING_VOLUMES)},
    {PB_METHOD(PREPARE_FOR_BACKUP), 1, true, false, PB_PHASE(PREPARING)},
    {PB_METHOD(GATHER_WRITER_STATUS), 1, true, false, PB_PHASE(PREPARING)},
    {PB_METHOD(GET_WRITER_STATUS_EX), 2, true, false, PB_PHASE(PREPARING)},
    {PB_METHOD(DO_SNAPSHOT_SET), 1, true, true, PB_PHASE(CREATING)},
    {PB_METHOD(GATHER_WRITER_STATUS), 2, true, true, PB_PHASE(CREATING)},
    {PB_METHOD(FREE_WRITER_METADATA), 1, true, true, PB_PHASE(CREATING)},
    {PB_METHOD(GET_SNAPSHOT_PROPERTIES), 1, true, true, PB_PHASE(CREATING)},
};

enum {
    POINTS = sizeof points / sizeof points[0]
};

static bool is_async(PB(Call__MethodCase) method)
{
    return method_is_asynchronous(method);
}

static uint32_t begin(struct world *world, struct peer *client, const struct point *point, enum action action)
{
    world_rule(world, point->method, point->nth, action, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    return id;
}

static void resume_all(struct world *world)
{
    for (size_t i = 0; i < world->requesters_count; i++)
        requester_resume(world, &world->requesters[i]);
    world_run(world);
}

/* Of the first requester: AbortBackup where a set was open and no copies exist, BackupComplete where they do,
 * Release in any case. */
static void check_duties(const struct world *world, const struct point *point, bool is_created)
{
    const char *history = requester_history(world, 1);
    bool owes_abort = point->is_open && !is_created;
    if (requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)) != owes_abort ||
        requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)) != is_created ||
        requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)) != 1)
        fail_msg("after %s: %s", method_name(point->method), history);
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world->creator, 0);
}

/* The next client is served. */
static void check_next(struct world *world, struct peer *client, uint64_t within_ms)
{
    uint32_t id = client_snapshot(world, client, "D:");
    world_advance(world, within_ms);
    (void)client_snapshot_reply(client, id);
}

static void test_client_vanishes(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        struct peer *other = client_connect(world, NULL, USER_RIGHTS);
        begin(world, client, &points[i], ACT_HANG);
        assert_non_null(world_hanging(world, points[i].method));
        peer_close(world, client);
        world_run(world);
        if (points[i].method == PB_METHOD(DO_SNAPSHOT_SET)) /* nobody interrupts a freeze for that */
            assert_non_null(world_hanging(world, points[i].method));
        resume_all(world);
        check_duties(world, &points[i], points[i].is_created);
        check_next(world, other, 0);
        world_end(world);
    }
}

static void test_cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = begin(world, client, &points[i], ACT_HANG);
        uint32_t cancel = client_cancel(world, client, id);
        world_run(world);
        assert_true(client_final(client, cancel)->cancel_reply->found);
        if (points[i].is_created && points[i].method != PB_METHOD(DO_SNAPSHOT_SET))
            assert_non_null(client_final(client, id)); /* what is owed to VSS needs the client no more */
        else if (points[i].method == PB_METHOD(DO_SNAPSHOT_SET) || !is_async(points[i].method))
            assert_null(client_final(client, id)); /* the reply waits for the duties */
        client_cancel(world, client, id);          /* once more changes nothing */
        resume_all(world);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->code, PB_CODE(CANCELLED));
        assert_int_equal(status->phase, points[i].phase);
        check_duties(world, &points[i], points[i].is_created);
        check_next(world, client, 0);
        world_end(world);
    }
}

static void test_request_expires(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, points[i].method, points[i].nth, ACT_HANG, 0);
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        char *names[] = {(char *)(uintptr_t) "C:\\"};
        wish.volumes = names;
        wish.n_volumes = 1;
        PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
        envelope.timeout_ms = 7000;
        uint32_t id = client_send(world, client, &envelope);
        world_advance(world, 6999);
        assert_null(client_final(client, id));
        world_advance(world, 1);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->code, PB_CODE(DEADLINE_EXCEEDED));
        assert_string_equal(status->reason, "DEADLINE");
        assert_non_null(strstr(status->message, "was under way"));
        assert_string_equal(status->method, method_name(points[i].method));
        resume_all(world);
        check_duties(world, &points[i], points[i].is_created);
        world_end(world);
    }
}

/* The service's own limit: an asynchronous call is cancelled, then AbortBackup gets through. */
static void test_call_exceeds_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = begin(world, client, &points[i], ACT_SLOW);
        world_advance(world, 20 * 60 * 1000);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->code, PB_CODE(DEADLINE_EXCEEDED));
        assert_string_equal(status->reason, "PHASE_TIMEOUT");
        assert_string_equal(status->method, method_name(points[i].method));
        assert_int_equal(world_alive(world), 0);
        bool was_killed = false;
        for (size_t j = 0; j < world->requesters_count; j++)
            was_killed |= world->requesters[j].is_killed;
        /* A synchronous call can only be killed; an asynchronous one without a set to abort too. */
        bool can_abort = is_async(points[i].method) && points[i].is_open;
        assert_int_equal(was_killed, !can_abort);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), can_abort);
        world_end(world);
    }
}

static void test_nothing_gets_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = begin(world, client, &points[i], ACT_STUCK);
        world_advance(world, 25 * 60 * 1000);
        assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
        assert_int_equal(world_alive(world), 0);
        assert_true(world->requesters[0].is_killed);
        world_end(world);
    }
}

/* Its limits are what the requester enforces: it answers that the call was cancelled. */
static void test_cancelled_at_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        if (!is_async(points[i].method))
            continue;
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, points[i].method, points[i].nth, ACT_FAIL_ASYNC, S_ASYNC_CANCELLED);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        assert_string_equal(status->reason, "PHASE_TIMEOUT");
        assert_int_equal(status->hresult, S_ASYNC_CANCELLED);
        bool is_created = points[i].is_created && points[i].method != PB_METHOD(DO_SNAPSHOT_SET);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), points[i].is_open);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 0);
        (void)is_created;
        world_end(world);
    }
}

static void test_requester_dies(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        for (int round = 0; round < 2; round++) {
            struct world *world = world_new();
            world->rundown_ms = round == 0 ? 0 : 20000;
            struct peer *client = client_connect(world, NULL, USER_RIGHTS);
            uint32_t id = begin(world, client, &points[i], ACT_DIE);
            const PB(Status) *status = client_status(client, id);
            assert_int_equal(status->code, PB_CODE(UNAVAILABLE));
            assert_string_equal(status->reason, "REQUESTER_DIED");
            assert_int_equal(status->phase, points[i].phase);
            assert_true(status->retryable);
            bool has_left_set = world->creator != 0;
            uint32_t next = client_snapshot(world, client, "D:");
            world_advance(world, 1500);
            if (has_left_set && round == 1) {
                assert_null(client_final(client, next));
                const PB(Progress) *progress = client_progress(client, next);
                assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN));
                assert_int_equal(progress->phase, PB_PHASE(WAITING_FOR_GATE));
                assert_int_equal(progress->queue_position, 1);
                world_advance(world, 25000);
            } else {
                world_advance(world, 3500);
            }
            (void)client_snapshot_reply(client, next);
            world_end(world);
        }
    }
}

/* The set is open in VSS, though nobody was told. */
static void test_requester_dies_in_start(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->rundown_ms = 20000;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(START_SNAPSHOT_SET), 1, ACT_DIE_LATE, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    id = client_snapshot(world, client, "D:");
    world_advance(world, 2000);
    assert_int_equal(client_progress(client, id)->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN));
    world_advance(world, 25000);
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

static void test_pipe_breaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = begin(world, client, &points[i], ACT_HANG);
        struct fake_requester *requester = world_hanging(world, points[i].method);
        broker_disconnected(world->broker, requester->peer->id);
        requester->peer->is_open = false;
        world_advance(world, 30000);
        assert_null(client_final(client, id)); /* it cleans up by itself; its exit is awaited */
        requester->peer = NULL;
        requester_die(world, requester, 10);
        world_run(world);
        assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
        check_next(world, client, 0);
        world_end(world);
    }
}

static void test_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        struct peer *waiting = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
        struct peer *third = client_connect(world, "S-1-5-21-3", USER_RIGHTS);
        uint32_t id = begin(world, client, &points[i], ACT_HANG);
        world->holds_requesters = true;
        uint32_t second = client_snapshot(world, waiting, "C:");
        uint32_t queued = client_snapshot(world, third, "C:");
        world_run(world);
        broker_stop(world->broker, BROKER_STOP_END);
        world_run(world);
        assert_string_equal(client_status(third, queued)->reason, "SHUTTING_DOWN");
        if (points[i].method == PB_METHOD(DO_SNAPSHOT_SET)) {
            assert_non_null(world_hanging(world, points[i].method));
            world_advance(world, 74000);
            assert_null(client_final(client, id));
            world_advance(world, 2000); /* cancelled and aborted */
            assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 1);
            assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
        } else {
            resume_all(world);
            check_duties(world, &points[i], points[i].is_created);
        }
        assert_string_equal(client_status(client, id)->reason, "SHUTTING_DOWN");
        assert_string_equal(client_status(waiting, second)->reason, "SHUTTING_DOWN");
        assert_int_equal(client_status(client, id)->code, PB_CODE(UNAVAILABLE));
        world_end(world);
    }
}

/* Nothing ends by itself: after 180 s the rest is killed. */
static void test_stop_with_stuck_requester(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        begin(world, client, &points[i], ACT_STUCK);
        broker_stop(world->broker, BROKER_STOP_END);
        world_advance(world, 179000);
        world_advance(world, 10000);
        assert_true(world->has_stopped || world->peers_count > 0);
        world_run(world);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* A method that fails outright: its own code reaches the client. */
static void test_each_call_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, points[i].method, points[i].nth, ACT_FAIL, 0x80042301u);
        world->rules[0].missing = "InitializeForBackup";
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->hresult, 0x80042301u);
        assert_string_equal(status->hresult_name, "VSS_E_BAD_STATE");
        assert_string_equal(status->method, method_name(points[i].method));
        assert_int_equal(status->phase, points[i].phase);
        if (points[i].method != PB_METHOD(IS_VOLUME_SUPPORTED))
            assert_string_equal(status->missing_prerequisite, "InitializeForBackup");
        bool was_open = points[i].is_open && points[i].method != PB_METHOD(START_SNAPSHOT_SET);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), was_open);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 0);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
        check_next(world, client, 0);
        world_end(world);
    }
}

/* A requester that refuses a call with a Status is no different. */
static void test_requester_refuses(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_STATUS, 0x80070057u);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(Status) *status = client_status(client, id);
    assert_int_equal(status->hresult, 0x80070057u);
    assert_string_equal(status->volume, "C:\\");
    world_end(world);
}

/* Cancelled inside DoSnapshotSet, or the service stopped: the reply comes when that has ended, not after
 * what may still hang behind it. */
static void test_answered_after_the_freeze(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
        world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 2, ACT_HANG, 0);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        if (round == 0)
            client_cancel(world, client, id);
        else
            broker_stop(world->broker, BROKER_STOP_END);
        world_run(world);
        assert_null(client_final(client, id));
        requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
        assert_non_null(world_hanging(world, PB_METHOD(GATHER_WRITER_STATUS)));
        assert_string_equal(client_status(client, id)->reason, round == 0 ? "CANCELLED" : "SHUTTING_DOWN");
        resume_all(world);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
        world_end(world);
    }
}

/* AbortBackup reaches all writers: the next set must not have begun when a failed writer costs one. */
static void test_gate_waits_for_the_judgement(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_writer_fails(world, 1, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 2, ACT_HANG, 0);
    world_rule(world, PB_METHOD(ABORT_BACKUP), 1, ACT_HANG, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    uint32_t next = client_snapshot(world, client, "D:");
    world_run(world);
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 1);
    requester_resume(world, world_hanging(world, PB_METHOD(GATHER_WRITER_STATUS)));
    assert_non_null(world_hanging(world, PB_METHOD(ABORT_BACKUP)));
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 1);
    world->writer_rules_count = 0;
    requester_resume(world, world_hanging(world, PB_METHOD(ABORT_BACKUP)));
    assert_string_equal(client_status(client, id)->reason, "WRITER_FAILED");
    (void)client_snapshot_reply(client, next);
    world_end(world);
}

/* A StartSnapshotSet that hung may have opened a set: what follows waits for ours, not for a foreign one. */
static void test_killed_in_start(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->rundown_ms = 300 * 1000;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(START_SNAPSHOT_SET), 1, ACT_STUCK, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    uint32_t next = client_snapshot(world, client, "D:");
    world_advance(world, 1000);
    world->creator = 1;
    world_advance(world, 70 * 1000);
    assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
    assert_true(world->requesters[0].is_killed);
    assert_int_equal(client_progress(client, next)->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN));
    world_advance(world, 300 * 1000);
    (void)client_snapshot_reply(client, next);
    world_end(world);
}

/* Nothing reaches a process whose synchronous call hangs: it is killed at that call's limit. */
static void test_cancelled_call_never_returns(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_STUCK, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_advance(world, 1000);
    client_cancel(world, client, id);
    world_advance(world, 60 * 1000);
    assert_true(world->requesters[0].is_killed);
    assert_string_equal(client_status(client, id)->reason, "CANCELLED");
    world_end(world);
}

static void short_grace(struct broker_config *config)
{
    config->cancel_grace_ms = 100;
}

/* However short the grace: a requester that cancels in order is given the time to say so. */
static void test_short_grace(void **state)
{
    (void)state;
    struct world *world = world_new_with(short_grace);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_SLOW, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    client_cancel(world, client, id);
    world_advance(world, 5000);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
    world_advance(world, 100);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_string_equal(client_status(client, id)->reason, "CANCELLED");
    world_end(world);
}

/* Only VSS_S_ASYNC_FINISHED is success; every other word of QueryStatus ends the set, with an abort where
 * it is owed. */
static void test_only_finished_is_success(void **state)
{
    (void)state;
    static const uint32_t words[] = {0, 1, 0x0004230Cu};
    for (size_t i = 0; i < POINTS; i++) {
        for (size_t j = 0; is_async(points[i].method) && j < sizeof words / sizeof words[0]; j++) {
            struct world *world = world_new();
            struct peer *client = client_connect(world, NULL, USER_RIGHTS);
            world_rule(world, points[i].method, points[i].nth, ACT_FAIL_ASYNC, words[j]);
            uint32_t id = client_snapshot(world, client, "C:");
            world_run(world);
            const PB(Status) *status = client_status(client, id);
            assert_string_equal(status->reason, "VSS_FAILED");
            assert_int_equal(status->hresult, words[j]);
            assert_string_equal(status->method, method_name(points[i].method));
            assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), points[i].is_open);
            assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 0);
            check_next(world, client, 0);
            world_end(world);
        }
    }
}

/* A result that does not fit into a frame is no result. */
static void test_result_is_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < POINTS; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, points[i].method, points[i].nth, ACT_LOST, 0);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        if (points[i].method != PB_METHOD(IS_VOLUME_SUPPORTED)) {
            assert_string_equal(status->reason, "RESOURCE_EXHAUSTED");
            assert_string_equal(status->limit_name, "requester_frame_bytes");
            assert_string_equal(status->method, method_name(points[i].method));
        }
        /* VSS has done it all the same. */
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), points[i].is_open);
        check_next(world, client, 0);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_vanishes),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_request_expires),
        cmocka_unit_test(test_call_exceeds_limit),
        cmocka_unit_test(test_nothing_gets_through),
        cmocka_unit_test(test_cancelled_at_limit),
        cmocka_unit_test(test_requester_dies),
        cmocka_unit_test(test_requester_dies_in_start),
        cmocka_unit_test(test_pipe_breaks),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_with_stuck_requester),
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_requester_refuses),
        cmocka_unit_test(test_short_grace),
        cmocka_unit_test(test_only_finished_is_success),
        cmocka_unit_test(test_answered_after_the_freeze),
        cmocka_unit_test(test_gate_waits_for_the_judgement),
        cmocka_unit_test(test_killed_in_start),
        cmocka_unit_test(test_cancelled_call_never_returns),
        cmocka_unit_test(test_result_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
