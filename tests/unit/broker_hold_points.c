/* Hold points: where a set stands still for its client, and how it goes on or ends. */
#include <string.h>

#include "tests/unit/broker_harness.h"

static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
static const PB(HoldPointKind) at_gate = PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_GATE_GRANTED);
static const PB(HoldPointKind) prepared = PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED);

static uint32_t create_with_key(struct world *world, struct peer *peer, PB(HoldPointKind) first,
                                PB(HoldPointKind) second, uint32_t timeout_ms, const char *key)
{
    char *volumes[] = {(char *)(uintptr_t) "C:"};
    PB(HoldPoint) points[2];
    PB(HoldPoint) * items[2] = {&points[0], &points[1]};
    shadowpipe__v1__hold_point__init(items[0]);
    shadowpipe__v1__hold_point__init(items[1]);
    points[0].kind = first;
    points[1].kind = second;
    points[0].timeout_ms = points[1].timeout_ms = timeout_ms;
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.hold_points = items;
    wish.n_hold_points = second != 0 ? 2 : 1;
    wish.job_key = (char *)(uintptr_t)key;
    uint32_t id = client_create(world, peer, &wish);
    world_run(world);
    return id;
}

static uint32_t create(struct world *world, struct peer *peer, PB(HoldPointKind) first,
                       PB(HoldPointKind) second, uint32_t timeout_ms)
{
    return create_with_key(world, peer, first, second, timeout_ms, "");
}

static uint32_t proceed(struct world *world, struct peer *peer, uint32_t id, const char *token, bool abort)
{
    PB(Proceed) body = SHADOWPIPE__V1__PROCEED__INIT;
    body.request_id = id;
    body.hold_token = (char *)(uintptr_t)token;
    body.abort = abort;
    PB(Envelope) envelope = ENVELOPE_OF(PROCEED, proceed, &body);
    uint32_t own = client_send(world, peer, &envelope);
    world_run(world);
    return own;
}

static const char *held_token(struct peer *peer, uint32_t id)
{
    const PB(Progress) *progress = client_progress(peer, id);
    assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_HOLD));
    assert_int_equal(strlen(progress->hold_token), 32);
    return progress->hold_token;
}

static bool went_on(struct peer *peer, uint32_t proceed_id)
{
    const PB(Envelope) * final = client_final(peer, proceed_id);
    return final != NULL && final->body_case == PB_BODY(PROCEED_REPLY);
}

static void test_both_points(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, at_gate, prepared, 0);
    const char *first = held_token(peer, id);
    assert_int_equal(client_progress(peer, id)->hold_left_ms, 30000);
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);
    world_advance(world, 2000);
    assert_int_equal(client_progress(peer, id)->hold_left_ms, 28000);
    assert_true(went_on(peer, proceed(world, peer, id, first, false)));
    const char *second = held_token(peer, id);
    assert_string_not_equal(first, second);
    assert_int_equal(world_calls(world, PB_METHOD(PREPARE_FOR_BACKUP)), 1);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);
    /* The first point's token is of no use any more. */
    assert_string_equal(client_status(peer, proceed(world, peer, id, first, false))->reason, "UNKNOWN_HOLD");
    assert_true(went_on(peer, proceed(world, peer, id, second, false)));
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    world_end(world);
}

/* Another connection of the same owner may say it, nobody else's, and not for another request. */
static void test_who_may(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *same = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", ALL_RIGHTS);
    uint32_t id = create(world, peer, prepared, 0, 0);
    const char *token = held_token(peer, id);
    assert_string_equal(client_status(other, proceed(world, other, id, token, false))->reason,
                        "UNKNOWN_HOLD");
    assert_string_equal(client_status(same, proceed(world, same, id + 1, token, false))->reason,
                        "UNKNOWN_HOLD");
    assert_string_equal(client_status(same, proceed(world, same, id, "", false))->reason, "UNKNOWN_HOLD");
    assert_null(client_final(peer, id));
    assert_true(went_on(same, proceed(world, same, id, token, false)));
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    world_end(world);
}

static void check_clean(struct world *world, struct peer *peer, bool was_prepared)
{
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), was_prepared);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    world_end(world);
}

static void test_timeout(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, prepared, 0, 5000);
    world_advance(world, 4999);
    assert_null(client_final(peer, id));
    world_advance(world, 1);
    assert_string_equal(client_status(peer, id)->reason, "HOLD_TIMEOUT");
    assert_int_equal(client_status(peer, id)->phase, PB_PHASE(PREPARING));
    check_clean(world, peer, true);
}

/* A request may ask for less than the service allows, not for more. */
static void test_limit(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, at_gate, 0, 3600 * 1000);
    world_advance(world, 30000);
    assert_string_equal(client_status(peer, id)->reason, "HOLD_TIMEOUT");
    check_clean(world, peer, false);
}

static void test_abort(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, prepared, 0, 0);
    assert_true(went_on(peer, proceed(world, peer, id, held_token(peer, id), true)));
    assert_string_equal(client_status(peer, id)->reason, "HOLD_ABORTED");
    check_clean(world, peer, true);
}

/* Cancelled, or gone, while it is held. */
static void test_leaves(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, prepared, 0, 0);
    (void)held_token(peer, id);
    client_cancel(world, peer, id);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "CANCELLED");
    check_clean(world, peer, true);

    world = world_new();
    peer = client_connect(world, NULL, USER_RIGHTS);
    (void)create(world, peer, at_gate, 0, 0);
    peer_close(world, peer);
    world_run(world);
    peer = client_connect(world, NULL, USER_RIGHTS);
    check_clean(world, peer, false);
}

/* Of several that wait by one key only the first is held; when its client leaves, the next one is. */
static void test_key(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *first = client_connect(world, NULL, USER_RIGHTS);
    struct peer *second = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create_with_key(world, first, prepared, 0, 0, "nightly");
    uint32_t same = create_with_key(world, second, prepared, 0, 0, "nightly");
    char token[33];
    memcpy(token, held_token(first, id), sizeof token);
    const PB(Progress) *progress = client_progress(second, same);
    assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_HOLD));
    assert_string_equal(progress->hold_token, "");
    assert_int_equal(progress->hold_left_ms, 0);
    peer_close(world, first);
    world_advance(world, 1000);
    assert_string_equal(held_token(second, same), token);
    assert_true(went_on(second, proceed(world, second, same, token, false)));
    client_finish(world, second, client_snapshot_reply(second, same), good);
    world_run(world);
    world_end(world);
}

/* The process dies, or the service stops, meanwhile. */
static void test_ends_meanwhile(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, at_gate, 0, 0);
    requester_die(world, &world->requesters[0], 1);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "REQUESTER_DIED");
    check_clean(world, peer, false);

    world = world_new();
    peer = client_connect(world, NULL, USER_RIGHTS);
    id = create(world, peer, prepared, 0, 0);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "SHUTTING_DOWN");
    world_end(world);
}

static void test_bad_points(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = create(world, peer, 0, 0, 0);
    assert_string_equal(client_status(peer, id)->reason, "BAD_HOLD_POINT");
    id = create(world, peer, prepared, prepared, 0);
    assert_string_equal(client_status(peer, id)->reason, "BAD_HOLD_POINT");
    assert_string_equal(client_status(peer, id)->field, "create_snapshot.hold_points");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_points), cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_timeout),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_abort),       cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_key),         cmocka_unit_test(test_ends_meanwhile),
        cmocka_unit_test(test_bad_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
