/* The requester process that is kept ready. */
#include <string.h>

#include "tests/unit/broker_harness.h"

static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

static void with_warm(struct broker_config *config)
{
    config->warm_requesters = 1;
}

static struct world *warm_world(void)
{
    struct world *world = world_new_with(with_warm);
    world_advance(world, 0);
    return world;
}

static uint32_t count_requesters(const struct world *world)
{
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    return counts.requesters;
}

/* It is there before anybody asks, is what the first request gets, and is followed by the next one. */
static void test_taken(void **state)
{
    (void)state;
    struct world *world = warm_world();
    assert_int_equal(world->requesters_count, 1);
    assert_true(world->requesters[0].has_dialled);
    assert_int_equal(count_requesters(world), 0);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true; /* no other process could serve it */
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    (void)client_snapshot_reply(peer, id);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    assert_int_equal(count_requesters(world), 1);
    world->holds_requesters = false;
    world_advance(world, 1999);
    assert_int_equal(world->requesters_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(world_alive(world), 2);
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    assert_int_equal(world_alive(world), 1);
    world_end(world);
    /* world_end checks that nothing is left */
}

/* One that is still starting serves, too. */
static void test_taken_while_starting(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_warm);
    world->holds_requesters = true;
    world_advance(world, 0);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_int_equal(client_progress(peer, id)->phase, PB_PHASE(STARTING));
    world->holds_requesters = false;
    world_advance(world, 0);
    (void)client_snapshot_reply(peer, id);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    world_end(world);
}

/* One that dies is replaced after a while; a request in between starts a process as ever. */
static void test_dies(void **state)
{
    (void)state;
    struct world *world = warm_world();
    requester_die(world, &world->requesters[0], 0xC0000005u);
    world_run(world);
    assert_int_equal(world->requesters_count, 1);
    assert_non_null(strstr(world->log, "kept ready"));
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_int_equal(world->requesters_count, 2);
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
    world_advance(world, 59000);
    assert_int_equal(world->requesters_count, 2);
    world_advance(world, 1000);
    assert_int_equal(world->requesters_count, 3);
    world_end(world);
}

/* What keeps it from working is told to who needs one, not to nobody. */
static void test_cannot_work(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_warm);
    world->ready_hresult = 0x80040154u;
    world_advance(world, 0);
    assert_int_equal(world->requesters_count, 1);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "VSS_LIBRARY");
    world->ready_hresult = 0;
    world->start_failure = "no such file";
    world_advance(world, 60000);
    id = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "REQUESTER_START");
    world_end(world);
}

static void test_stop(void **state)
{
    (void)state;
    struct world *world = warm_world();
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_true(world->has_stopped);
    assert_int_equal(world_alive(world), 0);
    world_advance(world, 120000);
    assert_int_equal(world->requesters_count, 1);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken), cmocka_unit_test(test_taken_while_starting),
        cmocka_unit_test(test_dies),  cmocka_unit_test(test_cannot_work),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
