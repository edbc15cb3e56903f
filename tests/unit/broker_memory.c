/* Allocations: none for a Ping in the steady state; and whichever fails, the broker answers and goes on. */
#include "tests/unit/broker_harness.h"
#include "tests/unit/failing_broker.h"

static void test_ping_allocates_nothing(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    message.payload = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "abc"};
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, &message);
    for (int i = 0; i < 100; i++) {
        if (i == 10)
            allocations = 0;
        client_send(world, peer, &envelope);
    }
    assert_int_equal(allocations, 0);
    world_end(world);
}

static bool is_answered(struct peer *peer, uint32_t id)
{
    return client_final(peer, id) != NULL || !peer->is_open;
}

/* The count is that of the writers that came. */
static void check_list_is_whole(struct peer *peer, uint32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < peer->frames_count; i++)
        count += peer->frames[i]->id == id && peer->frames[i]->body_case == PB_BODY(WRITER);
    const PB(Envelope) * final = client_final(peer, id);
    if (final != NULL && final->body_case == PB_BODY(WRITERS_REPLY))
        assert_int_equal(final->writers_reply->count, count);
}

/* A snapshot and its end while an allocation fails; then another client's, with memory. True: all went
 * through before the failure came. */
static bool live_through(size_t at, size_t count)
{
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *lister = client_connect(world, NULL, USER_RIGHTS);
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(ListVolumes) volumes = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope)
    questions[] = {ENVELOPE_OF(LIST_WRITERS, list_writers, &list),
                   ENVELOPE_OF(LIST_VOLUMES, list_volumes, &volumes)};
    uint32_t asked[2];
    allocations = 0;
    first_failure = at;
    failures = count;
    uint32_t id = client_snapshot(world, client, "C:");
    for (int i = 0; i < 2; i++)
        asked[i] = lister->is_open ? client_send(world, lister, &questions[i]) : 0;
    world_run(world);
    const PB(Envelope) * final = client_final(client, id);
    uint32_t finish = 0;
    if (client->is_open && final != NULL && final->body_case == PB_BODY(SNAPSHOT_REPLY))
        finish = client_finish(world, client, final->snapshot_reply, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    bool is_through = allocations < at;
    first_failure = 0;
    world_advance(world, 3600 * 1000); /* every limit has passed */
    assert_true(is_answered(client, id));
    assert_true(finish == 0 || is_answered(client, finish));
    for (int i = 0; i < 2; i++)
        assert_true(is_answered(lister, asked[i]));
    check_list_is_whole(lister, asked[0]);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    uint32_t next = client_snapshot(world, other, "C:");
    world_advance(world, 10000);
    (void)client_snapshot_reply(other, next);
    world_end(world);
    return is_through;
}

static void test_one_allocation_fails(void **state)
{
    (void)state;
    size_t at = 1;
    while (!live_through(at, 1))
        at++;
    assert_true(at > 100);
}

static void test_all_allocations_fail_for_a_while(void **state)
{
    (void)state;
    for (size_t at = 1; !live_through(at, 20); at++)
        ;
}

/* The request's time is over, and there is no memory to say so in words. */
static void test_expires_without_memory(void **state)
{
    (void)state;
    for (size_t at = 1; at < 12; at++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_HANG, 0);
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        char *names[] = {(char *)(uintptr_t) "C:"};
        wish.volumes = names;
        wish.n_volumes = 1;
        PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
        envelope.timeout_ms = 5000;
        uint32_t id = client_send(world, client, &envelope);
        world_advance(world, 4500);
        allocations = 0;
        first_failure = at;
        failures = SIZE_MAX;
        world_advance(world, 500);
        first_failure = 0;
        world_run(world);
        assert_true(is_answered(client, id));
        world_end(world);
    }
}

/* Several wait for the next list, and no run can be started for them. */
static void test_next_list_without_memory(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_WRITERS, list_writers, &list);
    list.refresh = true;
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    uint32_t ids[4];
    for (int i = 0; i < 4; i++) {
        ids[i] = client_send(world, client, &envelope);
        world_run(world);
    }
    assert_non_null(client_final(client, ids[0]));
    allocations = 0;
    first_failure = 1;
    failures = SIZE_MAX;
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    first_failure = 0;
    world_run(world);
    for (int i = 0; i < 4; i++)
        assert_true(is_answered(client, ids[i]));
    world_end(world);
}

/* The writers are asked who made DoSnapshotSet fail, and the set begins again without it. */
static bool live_through_blame(size_t at)
{
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, S_ASYNC_CANCELLED);
    world_writer_fails(world, 2, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x80042319u);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {(char *)(uintptr_t) "C:"};
    char *tolerated[] = {(char *)(uintptr_t) "Acme Writer"};
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.writers_tolerated = tolerated;
    wish.n_writers_tolerated = at % 2;
    wish.retry_without_failed = true;
    allocations = 0;
    first_failure = at / 2;
    failures = 4;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    bool is_through = allocations < first_failure;
    first_failure = 0;
    world_advance(world, 3600 * 1000);
    assert_true(is_answered(client, id));
    world_end(world);
    return is_through;
}

static void test_blames_without_memory(void **state)
{
    (void)state;
    size_t at = 2;
    while (!live_through_blame(at))
        at++;
    assert_true(at > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_allocates_nothing),
        cmocka_unit_test(test_one_allocation_fails),
        cmocka_unit_test(test_all_allocations_fail_for_a_while),
        cmocka_unit_test(test_expires_without_memory),
        cmocka_unit_test(test_next_list_without_memory),
        cmocka_unit_test(test_blames_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
