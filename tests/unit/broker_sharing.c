/* Sharing: who becomes a member of whose set, until when, and what one member's trouble costs the others. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

static const char volume_e[] = "C:\\mnt\\data\\deep\\";
static const char volume_f[] = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000f}\\";
static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

static void with_sharing(struct broker_config *config)
{
    config->max_shared_volumes = 3;
}

static struct world *sharing_world(void)
{
    return world_new_with(with_sharing);
}

static PB(CreateSnapshot) make_wish(void)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    return wish;
}

static uint32_t create_on(struct world *world, struct peer *peer, PB(CreateSnapshot) * wish,
                          const char *first, const char *second)
{
    char *volumes[] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second};
    wish->volumes = volumes;
    wish->n_volumes = second != NULL ? 2 : 1;
    uint32_t id = client_create(world, peer, wish);
    world_run(world);
    return id;
}

static uint32_t snapshot(struct world *world, struct peer *peer, const char *volume)
{
    PB(CreateSnapshot) wish = make_wish();
    return create_on(world, peer, &wish, volume, NULL);
}

static unsigned sets_made(const struct world *world)
{
    return world_calls(world, PB_METHOD(DO_SNAPSHOT_SET));
}

static void finish(struct world *world, struct peer *peer, uint32_t id)
{
    client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_run(world);
}

/* Many ask for the same at once: one set serves them all, and each sees its own. */
static void test_many_at_once(void **state)
{
    (void)state;
    enum {
        CLIENTS = 64
    };
    struct world *world = sharing_world();
    struct peer *peers[CLIENTS];
    uint32_t ids[CLIENTS];
    world->holds_requesters = true;
    for (size_t i = 0; i < CLIENTS; i++) {
        char sid[32];
        (void)snprintf(sid, sizeof sid, "S-1-5-21-%zu", i);
        peers[i] = client_connect(world, sid, USER_RIGHTS);
        ids[i] = snapshot(world, peers[i], "C:");
    }
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(sets_made(world), 1);
    assert_int_equal(world->requesters_count, 1);
    const char *set_id = client_snapshot_reply(peers[0], ids[0])->set_id;
    for (size_t i = 0; i < CLIENTS; i++) {
        const PB(SnapshotReply) *reply = client_snapshot_reply(peers[i], ids[i]);
        assert_string_equal(reply->set_id, set_id);
        assert_true(reply->shared);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(reply->token, client_snapshot_reply(peers[j], ids[j])->token);
    }
    /* The copy lives until the last of them has read it; the earlier ones are told that the end is to come.
     */
    for (size_t i = 0; i < CLIENTS; i++) {
        uint32_t id = client_finish(world, peers[i], client_snapshot_reply(peers[i], ids[i]), good);
        world_run(world);
        bool is_last = i == CLIENTS - 1;
        assert_int_equal(client_finish_reply(peers[i], id)->completion,
                         is_last ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                                 : PB_VALUE(COMPLETION, COMPLETION_PENDING));
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), is_last);
    }
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* A member sees its own volumes, not the union. */
static void test_union(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t first = snapshot(world, one, "C:");
    PB(CreateSnapshot) wish = make_wish();
    uint32_t second = create_on(world, two, &wish, "D:", "C:");
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(sets_made(world), 1);
    assert_int_equal(world_calls(world, PB_METHOD(ADD_TO_SNAPSHOT_SET)), 2);
    assert_int_equal(client_snapshot_reply(one, first)->n_volumes, 1);
    assert_int_equal(client_snapshot_reply(two, second)->n_volumes, 2);
    finish(world, one, first);
    finish(world, two, second);
    world_end(world);
}

/* No more volumes than the service likes to freeze at once; one request alone may have as many as VSS takes.
 */
static void test_room(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true;
    PB(CreateSnapshot) wish = make_wish();
    uint32_t first = create_on(world, peer, &wish, "C:", "D:");
    uint32_t second = create_on(world, peer, &wish, volume_e, volume_f);
    uint32_t third = snapshot(world, peer, volume_e);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(sets_made(world), 2);
    assert_string_equal(client_snapshot_reply(peer, first)->set_id,
                        client_snapshot_reply(peer, third)->set_id);
    finish(world, peer, first);
    finish(world, peer, second);
    finish(world, peer, third);
    world_end(world);
}

/* The kinds that never share, and wishes that differ. */
static void test_different_kinds(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    char *writers[] = {(char *)(uintptr_t) "System Writer"};
    PB(PhaseTimeout) limit = SHADOWPIPE__V1__PHASE_TIMEOUT__INIT;
    PB(PhaseTimeout) * limits[] = {&limit};
    limit.phase = PB_PHASE(CREATING);
    limit.timeout_ms = 5000;
    uint32_t ids[9];
    world->holds_requesters = true;
    for (size_t i = 0; i < 9; i++) {
        PB(CreateSnapshot) wish = make_wish();
        switch (i) {
        case 1:
            wish.share = PB_VALUE(SHARE, SHARE_NEVER);
            break;
        case 2:
            wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
            wish.allow_types_without_components = true;
            break;
        case 3:
            wish.context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
            break;
        case 4:
            wish.writers_tolerated = writers;
            wish.n_writers_tolerated = 1;
            break;
        case 5:
            wish.bootable = true;
            break;
        case 6:
            wish.phase_timeouts = limits;
            wish.n_phase_timeouts = 1;
            break;
        case 7:
            wish.with_documents = true;
            break;
        default:
            break; /* 0 and 8 want the same */
        }
        ids[i] = create_on(world, peer, &wish, "C:", NULL);
    }
    world->holds_requesters = false;
    world_advance(world, 0);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(client_snapshot_reply(peer, ids[i])->shared, i == 0 || i == 8);
    assert_int_equal(sets_made(world), 8);
    for (size_t i = 0; i < 9; i++)
        finish(world, peer, ids[i]);
    world_end(world);
}

/* ---- until when ---- */

/* While a set stands in this call, one comes who wants `volume`: does it join? */
static bool joins_during(PB(Call__MethodCase) method, const char *volume, uint32_t max_age_ms)
{
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world_rule(world, method, 1, ACT_HANG, 0);
    uint32_t first = snapshot(world, one, "C:");
    struct fake_requester *hanging = world_hanging(world, method);
    assert_non_null(hanging);
    PB(CreateSnapshot) wish = make_wish();
    wish.max_age_ms = max_age_ms;
    uint32_t second = create_on(world, two, &wish, volume, NULL);
    requester_resume(world, hanging);
    world_run(world);
    bool joined = client_snapshot_reply(two, second)->shared;
    assert_int_equal(client_snapshot_reply(one, first)->shared, joined);
    assert_int_equal(sets_made(world), joined ? 1 : 2);
    assert_int_equal(client_snapshot_reply(two, second)->n_volumes, 1);
    finish(world, one, first);
    finish(world, two, second);
    world_end(world);
    return joined;
}

static void test_until_when(void **state)
{
    (void)state;
    static const PB(Call__MethodCase) before[] = {
        PB_METHOD(INITIALIZE_FOR_BACKUP), PB_METHOD(GATHER_WRITER_METADATA), PB_METHOD(IS_VOLUME_SUPPORTED),
        PB_METHOD(START_SNAPSHOT_SET), PB_METHOD(ADD_TO_SNAPSHOT_SET)};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        assert_true(joins_during(before[i], "C:", 0));
        assert_true(joins_during(before[i], "D:", 0));
    }
    /* Then only who wants nothing new; and once the copy is being made nobody, unless it may be older. */
    assert_true(joins_during(PB_METHOD(PREPARE_FOR_BACKUP), "C:", 0));
    assert_false(joins_during(PB_METHOD(PREPARE_FOR_BACKUP), "D:", 0));
    assert_false(joins_during(PB_METHOD(DO_SNAPSHOT_SET), "C:", 0));
    assert_true(joins_during(PB_METHOD(DO_SNAPSHOT_SET), "C:", 1000));
    assert_false(joins_during(PB_METHOD(DO_SNAPSHOT_SET), "D:", 1000));
}

/* A snapshot that is being read serves who accepts its age, at once; never one that asked for a fresh one. */
static void test_max_age(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t first = snapshot(world, peer, "C:");
    world_advance(world, 5000);
    PB(CreateSnapshot) wish = make_wish();
    wish.max_age_ms = 5000;
    uint32_t second = create_on(world, peer, &wish, "C:", NULL);
    assert_string_equal(client_snapshot_reply(peer, second)->set_id,
                        client_snapshot_reply(peer, first)->set_id);
    assert_true(client_snapshot_reply(peer, second)->created_ms ==
                client_snapshot_reply(peer, first)->created_ms);
    world_advance(world, 1);
    uint32_t third = create_on(world, peer, &wish, "C:", NULL);
    assert_string_not_equal(client_snapshot_reply(peer, third)->set_id,
                            client_snapshot_reply(peer, first)->set_id);
    uint32_t fourth = snapshot(world, peer, "C:");
    assert_int_equal(sets_made(world), 3);
    finish(world, peer, first);
    finish(world, peer, second);
    finish(world, peer, third);
    finish(world, peer, fourth);
    world_end(world);
}

/* ---- trouble ---- */

/* One of them leaves, the others get their snapshot. */
static void test_one_leaves(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    struct peer *three = client_connect(world, "S-1-5-21-3", USER_RIGHTS);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_HANG, 0);
    (void)snapshot(world, one, "C:");
    uint32_t second = snapshot(world, two, "C:");
    uint32_t third = snapshot(world, three, "D:");
    peer_close(world, one);
    client_cancel(world, two, second);
    world_run(world);
    requester_resume(world, world_hanging(world, PB_METHOD(GATHER_WRITER_METADATA)));
    world_run(world);
    assert_string_equal(client_status(two, second)->reason, "CANCELLED");
    assert_int_equal(sets_made(world), 1);
    finish(world, three, third);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* Not supported: fails those who want it, whether they came before the question or after it. */
static void test_unsupported(void **state)
{
    (void)state;
    static const PB(Call__MethodCase)
        when[] = {PB_METHOD(INITIALIZE_FOR_BACKUP), PB_METHOD(START_SNAPSHOT_SET)};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = sharing_world();
        struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
        struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
        world->unsupported[1] = true; /* D: */
        world_rule(world, when[i], 1, ACT_HANG, 0);
        uint32_t first = snapshot(world, one, "C:");
        uint32_t second = snapshot(world, two, "D:");
        requester_resume(world, world_hanging(world, when[i]));
        world_run(world);
        assert_string_equal(client_status(two, second)->reason, "VOLUME_NOT_SUPPORTED");
        assert_int_equal(client_snapshot_reply(one, first)->n_volumes, 1);
        assert_int_equal(sets_made(world), 1);
        assert_int_equal(world_calls(world, PB_METHOD(ADD_TO_SNAPSHOT_SET)), 1);
        finish(world, one, first);
        world_end(world);
    }
}

/* Who joins takes the place of a volume that was left out, and nothing of it. */
static void test_place_of_a_dropped_one(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) skipping = make_wish();
    skipping.on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    world->unsupported[1] = true; /* D: */
    world_rule(world, PB_METHOD(START_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t first = create_on(world, peer, &skipping, "C:", "D:");
    PB(CreateSnapshot) wish = make_wish();
    uint32_t second = create_on(world, peer, &wish, volume_e, NULL);
    requester_resume(world, world_hanging(world, PB_METHOD(START_SNAPSHOT_SET)));
    world_run(world);
    const PB(SnapshotReply) *reply = client_snapshot_reply(peer, second);
    assert_true(reply->shared);
    assert_int_equal(reply->volumes[0]->n_volume_names, 1);
    assert_string_equal(reply->volumes[0]->volume_names[0], volume_e);
    finish(world, peer, first);
    finish(world, peer, second);
    world_end(world);
}

/* AddToSnapshotSet refuses one member's volume: the set is made once more without it, and only once. */
static void test_refused(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    struct peer *three = client_connect(world, "S-1-5-21-3", USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t first = snapshot(world, one, "C:");
    uint32_t second = snapshot(world, two, "D:");
    uint32_t third = snapshot(world, three, volume_e);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 2, ACT_FAIL, 0x80042317u);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_string_equal(client_status(two, second)->hresult_name,
                        "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED");
    assert_string_equal(client_status(two, second)->volume, "D:\\");
    assert_int_equal(sets_made(world), 1);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(client_snapshot_reply(one, first)->attempts, 2);
    assert_int_equal(client_snapshot_reply(one, first)->n_warnings, 1);
    finish(world, one, first);
    finish(world, three, third);
    /* Again, and in the second attempt too: that one fails for all. */
    world_clear_rules(world);
    world->holds_requesters = true;
    first = snapshot(world, one, "C:");
    second = snapshot(world, two, "D:");
    third = snapshot(world, three, volume_e);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 2, ACT_FAIL, 0x80042317u);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 4, ACT_FAIL, 0x80042317u);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(client_status(one, first)->hresult, 0x80042317u);
    assert_int_equal(client_status(two, second)->hresult, 0x80042317u);
    assert_int_equal(client_status(three, third)->hresult, 0x80042317u);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* DoSnapshotSet fails: those with the same volumes go on together, once, and not before a minute has passed.
 */
static void test_split(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *peers[4];
    uint32_t ids[4];
    static const char *const volumes[] = {"C:", "D:", "C:", "D:"};
    world->holds_requesters = true;
    for (size_t i = 0; i < 4; i++) {
        char sid[32];
        (void)snprintf(sid, sizeof sid, "S-1-5-21-%zu", i);
        peers[i] = client_connect(world, sid, USER_RIGHTS);
        ids[i] = snapshot(world, peers[i], volumes[i]);
    }
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 3, ACT_FAIL_ASYNC, 0x8004231Fu);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(sets_made(world), 1);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    for (size_t i = 0; i < 4; i++)
        assert_null(client_final(peers[i], ids[i]));
    world_advance(world, 59000);
    assert_int_equal(sets_made(world), 1);
    world_advance(world, 2000);
    /* Two sets, of which the second fails: for good, and for its members only. */
    assert_int_equal(sets_made(world), 3);
    bool first_pair_lives = client_final(peers[0], ids[0])->body_case == PB_BODY(SNAPSHOT_REPLY);
    for (size_t i = 0; i < 4; i++) {
        bool lives = (i % 2 == 0) == first_pair_lives;
        if (lives) {
            assert_int_equal(client_snapshot_reply(peers[i], ids[i])->n_volumes, 1);
            finish(world, peers[i], ids[i]);
        } else {
            assert_int_equal(client_status(peers[i], ids[i])->hresult, 0x8004231Fu);
        }
    }
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void with_sharing_and_grace(struct broker_config *config)
{
    config->max_shared_volumes = 3;
    config->orphan_grace_ms = 60000;
}

/* One is cancelled while the store keeps what both were given: it is answered, and holds nothing. */
static void test_cancelled_before_it_is_told(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_sharing_and_grace);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t first = snapshot(world, peer, "C:");
    uint32_t second = snapshot(world, peer, "C:");
    world->holds_requesters = false;
    world->holds_store = true;
    world_advance(world, 0);
    assert_null(client_final(peer, first));
    client_cancel(world, peer, second);
    world_run(world);
    world->holds_store = false;
    world_run(world);
    assert_string_equal(client_status(peer, second)->reason, "CANCELLED");
    finish(world, peer, first);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void with_a_short_queue(struct broker_config *config)
{
    config->max_shared_volumes = 3;
    config->max_queue = 2;
}

/* The queue has no room for all who would wait: the others hear why the set failed. */
static void test_split_without_room(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_a_short_queue);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    static const char *const volumes[] = {"C:", "D:", "C:"};
    uint32_t ids[3];
    world->holds_requesters = true;
    for (size_t i = 0; i < 3; i++)
        ids[i] = snapshot(world, peer, volumes[i]);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    world->holds_requesters = false;
    world_advance(world, 0);
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    assert_int_equal(counts.queue_length, 2);
    assert_int_equal(client_status(peer, ids[2])->hresult, 0x8004231Fu);
    world_advance(world, 61000);
    finish(world, peer, ids[0]);
    finish(world, peer, ids[1]);
    world_end(world);
}

/* Who has not the time for that minute is told at once; members of one list of volumes are not split. */
static void test_no_split(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t first = snapshot(world, one, "C:");
    uint32_t second = snapshot(world, two, "C:");
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(client_status(one, first)->hresult, 0x8004231Fu);
    assert_int_equal(client_status(two, second)->hresult, 0x8004231Fu);
    world_clear_rules(world);
    world->holds_requesters = true;
    PB(CreateSnapshot) wish = make_wish();
    char *volumes[] = {(char *)(uintptr_t) "D:"};
    wish.volumes = volumes;
    wish.n_volumes = 1;
    PB(Envelope) hasty = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    hasty.timeout_ms = 60000;
    second = client_send(world, two, &hasty);
    world_run(world);
    first = snapshot(world, one, "C:");
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    world->holds_requesters = false;
    world_advance(world, 0);
    assert_int_equal(client_status(two, second)->hresult, 0x8004231Fu);
    assert_null(client_final(one, first));
    world_advance(world, 61000);
    finish(world, one, first);
    world_end(world);
}

/* A member whose copy vanishes with the process is told like the others. */
static void test_death(void **state)
{
    (void)state;
    struct world *world = sharing_world();
    struct peer *one = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *two = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    uint32_t first = snapshot(world, one, "C:");
    uint32_t second = snapshot(world, two, "C:");
    requester_die(world, world_hanging(world, PB_METHOD(PREPARE_FOR_BACKUP)), 1);
    world_run(world);
    assert_string_equal(client_status(one, first)->reason, "REQUESTER_DIED");
    assert_string_equal(client_status(two, second)->reason, "REQUESTER_DIED");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_union),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_different_kinds),
        cmocka_unit_test(test_until_when),
        cmocka_unit_test(test_max_age),
        cmocka_unit_test(test_one_leaves),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_place_of_a_dropped_one),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_cancelled_before_it_is_told),
        cmocka_unit_test(test_split_without_room),
        cmocka_unit_test(test_no_split),
        cmocka_unit_test(test_death),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
