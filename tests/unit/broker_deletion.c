/* DeleteSnapshots. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/existing.h"

static const char other_sid[] = "S-1-5-21-1-2-3-1002";
static const int64_t epoch_ms = 1700000000000;

#define TEXT(text) ((char *)(uintptr_t)(text))

static PB(DeleteSnapshots) asked;
#define WISH(field, value) (shadowpipe__v1__delete_snapshots__init(&asked), asked.field = (value), &asked)

/* Two sets: 01 (C: and D:), the older, and 02 (C:). */
static struct peer *begin(struct world **world, struct existing *existing, uint32_t rights)
{
    *world = world_new();
    existing_begin(*world, existing);
    existing_add(existing, SNAPSHOT_ID(03), SET_ID(02), VOLUME_C, epoch_ms - 1000);
    existing_add(existing, SNAPSHOT_ID(02), SET_ID(01), VOLUME_D, epoch_ms - 5000);
    existing_add(existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, epoch_ms - 5000);
    return client_connect(*world, NULL, rights);
}

static uint32_t delete_later(struct world *world, struct peer *peer, PB(DeleteSnapshots) * wish,
                             uint32_t timeout_ms)
{
    PB(Envelope) envelope = ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, wish);
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static const PB(DeleteReply) * reply_of(struct peer *peer, uint32_t id)
{
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    if (final->body_case == PB_BODY(STATUS))
        print_error("%s: %s\n", final->status->reason, final->status->message);
    assert_int_equal(final->body_case, PB_BODY(DELETE_REPLY));
    return final->delete_reply;
}

static const PB(DeleteReply) * delete_now(struct world *world, struct peer *peer, PB(DeleteSnapshots) * wish)
{
    return reply_of(peer, delete_later(world, peer, wish, 0));
}

/* "deleted 01 02 left 03": the last two digits. */
static const char *told(const PB(DeleteReply) * reply)
{
    static char text[256];
    strcpy(text, "deleted");
    for (size_t i = 0; i < reply->n_deleted; i++)
        strcat(strcat(text, " "), reply->deleted[i] + 34);
    strcat(text, " left");
    for (size_t i = 0; i < reply->n_left; i++)
        strcat(strcat(text, " "), reply->left[i] + 34);
    if (reply->failure != NULL)
        strcat(strcat(text, " "), reply->failure->reason);
    return text;
}

static void check_refusal(struct world *world, struct peer *peer, PB(DeleteSnapshots) * wish,
                          const char *reason, const char *field)
{
    uint32_t id = delete_later(world, peer, wish, 0);
    assert_string_equal(client_status(peer, id)->reason, reason);
    assert_string_equal(client_status(peer, id)->field, field);
}

static void test_selectors(void **state)
{
    (void)state;
    static const struct {
        const char *snapshot, *set, *volume;
        bool oldest;
        const char *told;
        const char *order;
    } cases[] = {
        {SNAPSHOT_ID(02), "", "", false, "deleted 02 left", "02"},
        {"", SET_ID(01), "", false, "deleted 01 02 left", "0102"},
        {"", "", "C:", false, "deleted 01 03 left", "0103"},
        {"", "", "C:\\", true, "deleted 01 left", "01"},
        {"", "", "C:\\mnt\\data", true, "deleted 02 left", "02"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *world;
        struct existing existing;
        struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
        PB(DeleteSnapshots) *wish = WISH(snapshot_id, TEXT(cases[i].snapshot));
        wish->set_id = TEXT(cases[i].set);
        wish->volume = TEXT(cases[i].volume);
        wish->oldest = cases[i].oldest;
        wish->dry_run = true;
        assert_string_equal(told(delete_now(world, peer, wish)), cases[i].told);
        assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 0);
        assert_int_equal(existing.count, 3);
        wish->dry_run = false;
        assert_string_equal(told(delete_now(world, peer, wish)), cases[i].told);
        char order[64] = "";
        for (size_t j = 0; j < existing.deleted_count; j++)
            strcat(order, existing.deleted[j] + 34);
        assert_string_equal(order, cases[i].order);
        assert_int_equal(existing.context, 0xFFFFFFFFu);
        assert_false(existing.was_forced);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    PB(DeleteSnapshots) *wish = WISH(force, true);
    check_refusal(world, peer, wish, "ONE_OF", "delete_snapshots");
    wish = WISH(snapshot_id, TEXT(SNAPSHOT_ID(01)));
    wish->all_mine = true;
    check_refusal(world, peer, wish, "ONE_OF", "delete_snapshots");
    wish = WISH(set_id, TEXT(SET_ID(01)));
    wish->oldest = true;
    check_refusal(world, peer, wish, "ONE_OF", "delete_snapshots.oldest");
    check_refusal(world, peer, WISH(snapshot_id, TEXT("1")), "BAD_ID", "delete_snapshots.snapshot_id");
    check_refusal(world, peer, WISH(set_id, TEXT("all")), "BAD_ID", "delete_snapshots.set_id");
    check_refusal(world, peer, WISH(volume, TEXT("X:")), "UNKNOWN_VOLUME", "delete_snapshots.volume");
    assert_int_equal(world->requesters_count, 0);
    check_refusal(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(09))), "UNKNOWN_SNAPSHOT",
                  "delete_snapshots.snapshot_id");
    check_refusal(world, peer, WISH(set_id, TEXT(SET_ID(09))), "UNKNOWN_SNAPSHOT", "delete_snapshots.set_id");
    /* A volume without snapshots has none to delete. */
    existing.count = 1;
    assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("D:")))), "deleted left");
    world->enumeration_failure = "the disks are asleep";
    check_refusal(world, peer, WISH(volume, TEXT("C:")), "VOLUMES_UNKNOWN", "");
    world_end(world);
}

/* VSS will not delete one: those behind it stay. Asked again, it goes on. */
static void test_stops_and_goes_on(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    existing_add(&existing, SNAPSHOT_ID(04), SET_ID(03), VOLUME_C, epoch_ms);
    existing.undeletable = SNAPSHOT_ID(03);
    const PB(DeleteReply) *reply = delete_now(world, peer, WISH(volume, TEXT("C:")));
    assert_string_equal(told(reply), "deleted 01 left 03 04 VSS_FAILED");
    assert_string_equal(reply->failure->hresult_name, "VSS_E_PROVIDER_VETO");
    assert_string_equal(reply->failure->method, "DeleteSnapshots");
    assert_string_equal(reply->failure->volume, "C:\\");
    assert_true(reply->failure->advice[0] != '\0');
    assert_int_equal(reply->failure->phase, PB_PHASE(DELETING));
    assert_int_equal(existing.count, 3);
    existing.undeletable = NULL;
    assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("C:")))), "deleted 03 04 left");
    world_end(world);
}

static void test_somebody_is_faster(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    existing.vanishing = SNAPSHOT_ID(01);
    assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("C:")))), "deleted 01 03 left");
    world_end(world);
}

/* The second is not sent before the first is answered; two requests take turns; Progress counts. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    struct peer *other = client_connect(world, other_sid, ALL_RIGHTS);
    world_rule(world, PB_METHOD(DELETE_SNAPSHOTS), 2, ACT_HANG, 0);
    uint32_t first = delete_later(world, peer, WISH(volume, TEXT("C:")), 0);
    uint32_t second = delete_later(world, other, WISH(volume, TEXT("D:")), 0);
    world_advance(world, 2000);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 2);
    assert_int_equal(world->requesters_count, 1);
    assert_int_equal(client_progress(peer, first)->phase, PB_PHASE(DELETING));
    assert_int_equal(client_progress(peer, first)->done, 1);
    assert_int_equal(client_progress(peer, first)->total, 2);
    assert_int_equal(client_progress(other, second)->queue_position, 1);
    requester_resume(world, world_hanging(world, PB_METHOD(DELETE_SNAPSHOTS)));
    assert_string_equal(told(reply_of(peer, first)), "deleted 01 03 left");
    assert_string_equal(told(reply_of(other, second)), "deleted 02 left");
    assert_int_equal(world->requesters_count, 2);
    world_end(world);
}

static const PB(SnapshotReply) * make_one(struct world *world, struct existing *existing, struct peer *owner)
{
    uint32_t id = client_snapshot(world, owner, "D:");
    world_run(world);
    const PB(SnapshotReply) *made = client_snapshot_reply(owner, id);
    existing_add_made(existing, made, epoch_ms - 500);
    return made;
}

static void test_rights(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *owner = begin(&world, &existing, USER_RIGHTS | RIGHT_BIT_PERSIST);
    struct peer *weak = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *made = make_one(world, &existing, owner);
    check_refusal(world, weak, WISH(all_mine, true), "RIGHT_MISSING", "");
    /* One that is another's among them: nothing goes. */
    check_refusal(world, owner, WISH(volume, TEXT("D:")), "RIGHT_MISSING", "");
    check_refusal(world, owner, WISH(snapshot_id, TEXT(SNAPSHOT_ID(01))), "RIGHT_MISSING", "");
    assert_non_null(strstr(world->log, "lacks the right MANAGE"));
    struct caller filtered = caller_make(other_sid, USER_RIGHTS | RIGHT_BIT_PERSIST);
    filtered.filtered_admin = true;
    struct peer *admin = client_connect_only(world, &filtered);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = 1;
    PB(Envelope) envelope = ENVELOPE_OF(HELLO, hello, &hello);
    client_send(world, admin, &envelope);
    uint32_t id = delete_later(world, admin, WISH(set_id, made->set_id), 0);
    assert_non_null(strstr(client_status(admin, id)->advice, "elevated"));
    assert_int_equal(existing.count, 4);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 0);
    PB(DeleteSnapshots) *wish = WISH(all_mine, true);
    wish->force = true;
    const PB(DeleteReply) *reply = delete_now(world, owner, wish);
    assert_int_equal(reply->n_deleted, 1);
    assert_string_equal(reply->deleted[0], made->volumes[0]->snapshot_id);
    assert_int_equal(existing.count, 3);
    world_end(world);
}

/* What is being read stays, and the others go; with force it goes, too, and who reads it learns that. */
static void test_in_use(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *owner = begin(&world, &existing, USER_RIGHTS);
    struct peer *admin = client_connect(world, other_sid, ALL_RIGHTS);
    const PB(SnapshotReply) *made = make_one(world, &existing, owner);
    char *id = made->volumes[0]->snapshot_id;
    PB(DeleteSnapshots) *wish = WISH(volume, TEXT("D:"));
    wish->dry_run = true;
    for (int i = 0; i < 2; i++) {
        const PB(DeleteReply) *reply = delete_now(world, admin, wish);
        assert_int_equal(reply->n_deleted, 1);
        assert_string_equal(reply->deleted[0], SNAPSHOT_ID(02));
        assert_int_equal(reply->n_left, 1);
        assert_string_equal(reply->left[0], id);
        assert_string_equal(reply->failure->reason, "SNAPSHOT_IN_USE");
        assert_string_equal(reply->failure->volume, "D:\\");
        wish->dry_run = false;
    }
    const PB(DeleteReply) *reply = delete_now(world, admin, WISH(snapshot_id, id));
    assert_int_equal(reply->n_deleted, 0);
    assert_string_equal(reply->failure->reason, "SNAPSHOT_IN_USE");
    wish = WISH(snapshot_id, id);
    wish->force = true;
    reply = delete_now(world, admin, wish);
    assert_int_equal(reply->n_deleted, 1);
    assert_null(reply->failure);
    assert_true(existing.was_forced);
    uint32_t finish = client_finish(world, owner, made, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_string_equal(client_status(owner, finish)->reason, "SNAPSHOT_LOST");
    assert_int_equal(world_alive(world), 0); /* its object has been released */
    world_end(world);
}

/* ---- ends ---- */

enum how {
    CANCELLED,
    EXPIRED,
    GONE,
    STOPPED
};

/* While the first of two is being deleted. */
static void end_early(enum how how, const char *expected)
{
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    world_rule(world, PB_METHOD(DELETE_SNAPSHOTS), 1, ACT_HANG, 0);
    uint32_t id = delete_later(world, peer, WISH(volume, TEXT("C:")), 30000);
    if (how == CANCELLED)
        client_cancel(world, peer, id);
    else if (how == EXPIRED)
        world_advance(world, 30000);
    else if (how == GONE)
        peer_close(world, peer);
    else
        INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    if (how == EXPIRED)
        assert_string_equal(told(reply_of(peer, id)), expected); /* the time is over whatever VSS does */
    else if (how != GONE)
        assert_null(client_final(peer, id));
    requester_resume(world, world_hanging(world, PB_METHOD(DELETE_SNAPSHOTS)));
    if (how != GONE && how != EXPIRED)
        assert_string_equal(told(reply_of(peer, id)), expected);
    assert_int_equal(existing.count, 2);
    assert_int_equal(existing.deleted_count, 1);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_ends_early(void **state)
{
    (void)state;
    end_early(CANCELLED, "deleted 01 left 03 CANCELLED");
    end_early(EXPIRED, "deleted left 01 03 DEADLINE");
    end_early(GONE, "");
    end_early(STOPPED, "deleted 01 left 03 SHUTTING_DOWN");
}

/* Before anything is known: a Status. Waiting for its turn, then while VSS is asked. */
static void test_ends_before(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    world_rule(world, PB_METHOD(QUERY), 1, ACT_STUCK, 0);
    uint32_t first = delete_later(world, peer, WISH(volume, TEXT("C:")), 0);
    uint32_t waits = delete_later(world, peer, WISH(volume, TEXT("C:")), 5000);
    uint32_t other = delete_later(world, peer, WISH(volume, TEXT("C:")), 0);
    world->holds_enumeration = true;
    uint32_t resolves = delete_later(world, peer, WISH(volume, TEXT("C:")), 0);
    client_cancel(world, peer, other);
    client_cancel(world, peer, resolves);
    world_advance(world, 5000);
    assert_string_equal(client_status(peer, waits)->reason, "DEADLINE");
    assert_non_null(strstr(client_status(peer, waits)->message, "waited for its turn"));
    assert_string_equal(client_status(peer, other)->reason, "CANCELLED");
    assert_string_equal(client_status(peer, resolves)->reason, "CANCELLED");
    client_cancel(world, peer, first);
    world_run(world);
    assert_string_equal(client_status(peer, first)->reason, "CANCELLED");
    assert_int_equal(world_alive(world), 1);
    world->holds_enumeration = false;
    world_advance(world, 60000); /* it has had its time */
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world->broker->counters.requesters_killed, 1);
    /* The lane is free. */
    assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("C:")))), "deleted 01 03 left");
    world_end(world);
}

static void test_process_fails(void **state)
{
    (void)state;
    static const struct {
        enum action action;
        const char *told;
    } cases[] = {
        {ACT_DIE, "deleted 01 left 03 REQUESTER_DIED"},
        {ACT_STUCK, "deleted 01 left 03 PHASE_TIMEOUT"},
        {ACT_STATUS, "deleted 01 left 03 VSS_FAILED"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct world *world;
        struct existing existing;
        struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
        world_rule(world, PB_METHOD(DELETE_SNAPSHOTS), 2, cases[i].action, 0x80042302u);
        uint32_t id = delete_later(world, peer, WISH(volume, TEXT("C:")), 0);
        world_advance(world, world->config.release_ms);
        assert_string_equal(told(reply_of(peer, id)), cases[i].told);
        assert_int_equal(world_alive(world), 0);
        world_clear_rules(world);
        assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("C:")))), "deleted 03 left");
        world_end(world);
    }
    /* It does not start at all. */
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    world->start_failure = "no disk";
    check_refusal(world, peer, WISH(volume, TEXT("C:")), "REQUESTER_START", "");
    world_end(world);
}

/* Release hangs: the process is killed, and the next one gets its turn. */
static void test_release_hangs(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_STUCK, 0);
    assert_string_equal(told(delete_now(world, peer, WISH(volume, TEXT("C:")))), "deleted 01 03 left");
    uint32_t next = delete_later(world, peer, WISH(volume, TEXT("D:")), 0);
    assert_null(client_final(peer, next));
    world_advance(world, world->config.release_ms);
    assert_string_equal(told(reply_of(peer, next)), "deleted 02 left");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_stops_and_goes_on),
        cmocka_unit_test(test_somebody_is_faster),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_ends_early),
        cmocka_unit_test(test_ends_before),
        cmocka_unit_test(test_process_fails),
        cmocka_unit_test(test_release_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
