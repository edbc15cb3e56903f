/* Persistent snapshot sets: their records, what a crash leaves of them, and their end. */
#include <stdio.h>
#include <string.h>

#include "service/broker/lane.h"
#include "service/broker/record.h"
#include "tests/unit/broker_harness.h"

static const char set_id[] = "5e700007-0000-0000-0000-000000000000";
static const char snapshot_id[] = "c0b00007-0000-0000-0000-000000000001";
static const char other_id[] = "c0b00007-0000-0000-0000-000000000002";

/* ---- the table ---- */

/* A record of two snapshots, as a service before this one may have stored it. */
static void fill_stored(PB(StoredSet) * stored)
{
    static PB(Snapshot) snapshots[2];
    static PB(Snapshot) * list[] = {&snapshots[0], &snapshots[1]};
    shadowpipe__v1__stored_set__init(stored);
    for (size_t i = 0; i < 2; i++) {
        shadowpipe__v1__snapshot__init(&snapshots[i]);
        snapshots[i].snapshot_id = (char *)(uintptr_t)(i == 0 ? snapshot_id : other_id);
    }
    stored->set_id = (char *)(uintptr_t)set_id;
    stored->created = true;
    stored->snapshots = list;
    stored->n_snapshots = 2;
    stored->owner_sid = (char *)(uintptr_t) "S-1-5-21-1-2-3-1001";
    stored->process_name = (char *)(uintptr_t) "test.exe";
    stored->purpose = (char *)(uintptr_t) "nightly";
}

static void add_stored(struct world *world, const char *key, const PB(StoredSet) * stored)
{
    uint8_t bytes[1024];
    size_t size = shadowpipe__v1__stored_set__pack(stored, bytes);
    INTO_BROKER(host_store_put(world, key, bytes, size));
    INTO_BROKER(broker_add_stored(world->broker, key, bytes, size));
}

static void test_table(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(StoredSet) stored;
    fill_stored(&stored);
    add_stored(world, set_id, &stored);
    struct record *record = record_find_set(world->broker, "5E700007-0000-0000-0000-000000000000");
    assert_non_null(record);
    assert_string_equal(record->stored->purpose, "nightly");
    assert_ptr_equal(record_find_snapshot(world->broker, other_id), record);
    assert_null(record_find_set(world->broker, other_id));
    assert_null(record_find_snapshot(world->broker, set_id));
    world_end(world);
}

static void test_owner(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(StoredSet) stored;
    fill_stored(&stored);
    add_stored(world, set_id, &stored);
    const struct record *record = record_find_set(world->broker, set_id);
    struct caller caller = caller_make(NULL, USER_RIGHTS);
    assert_true(record_is_owned_by(record, &caller));
    (void)strcpy(caller.process_name, "other.exe"); /* an account of its own: any of its programs */
    assert_true(record_is_owned_by(record, &caller));
    (void)strcpy(caller.service_sid, "S-1-5-80-1");
    assert_false(record_is_owned_by(record, &caller));
    caller = caller_make("S-1-5-21-9", USER_RIGHTS);
    assert_false(record_is_owned_by(record, &caller));
    record->stored->owner_sid = (char *)(uintptr_t) "S-1-5-18";
    caller = caller_make("S-1-5-18", USER_RIGHTS);
    assert_true(record_is_owned_by(record, &caller));
    (void)strcpy(caller.process_name, "other.exe");
    assert_false(record_is_owned_by(record, &caller));
    world_end(world);
}

static void test_snapshots_go(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(StoredSet) stored;
    fill_stored(&stored);
    add_stored(world, set_id, &stored);
    world_run(world);
    INTO_BROKER(record_deleted(world->broker, "f0000000-0000-0000-0000-000000000001", "why"));
    INTO_BROKER(record_deleted(world->broker, snapshot_id, "why"));
    world_run(world);
    assert_int_equal(world_stored(world, set_id)->n_snapshots, 1);
    assert_string_equal(world_stored(world, set_id)->snapshots[0]->snapshot_id, other_id);
    INTO_BROKER(record_deleted(world->broker, other_id, "why"));
    assert_null(record_find_set(world->broker, set_id));
    world_run(world);
    assert_null(world_stored(world, set_id));
    world_end(world);
}

static void test_damaged(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(StoredSet) stored;
    fill_stored(&stored);
    add_stored(world, "5e700008-0000-0000-0000-000000000000", &stored);
    assert_non_null(strstr(world->log, "it is about another set"));
    stored.n_snapshots = 0;
    add_stored(world, set_id, &stored);
    assert_non_null(strstr(world->log, "it names no snapshot"));
    fill_stored(&stored);
    stored.snapshots[1]->snapshot_id = (char *)(uintptr_t) "C:\\";
    add_stored(world, set_id, &stored);
    assert_non_null(strstr(world->log, "a snapshot in it has no id"));
    static const uint8_t nonsense[] = {0x0a, 0x7f, 0x41};
    INTO_BROKER(broker_add_stored(world->broker, set_id, nonsense, sizeof nonsense));
    assert_non_null(strstr(world->log, "cannot be used, and is left alone"));
    INTO_BROKER(broker_add_stored(world->broker, set_id, NULL, 0));
    assert_null(record_find_set(world->broker, set_id));
    world_run(world);
    assert_int_equal(world->stored_count, 2); /* as they were */
    world_end(world);
}

/* ---- the lane ---- */

static struct lane_place *granted[8];
static size_t granted_count;

static void on_granted(struct lane_place *place)
{
    granted[granted_count++] = place;
}

static void test_lane(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct lane_place places[3];
    granted_count = 0;
    for (size_t i = 0; i < 3; i++) {
        lane_place_init(&places[i], on_granted);
        lane_enter(world->broker, &places[i]);
        lane_enter(world->broker, &places[i]);
    }
    broker_settle(world->broker);
    assert_int_equal(granted_count, 1);
    assert_true(lane_is_held_by(world->broker, &places[0]));
    lane_enter(world->broker, &places[0]); /* it has it */
    lane_leave(world->broker, &places[1]); /* it gives up */
    broker_settle(world->broker);
    assert_int_equal(granted_count, 1);
    lane_leave(world->broker, &places[0]);
    lane_leave(world->broker, &places[0]);
    broker_settle(world->broker);
    assert_int_equal(granted_count, 2);
    assert_ptr_equal(granted[1], &places[2]);
    lane_leave(world->broker, &places[2]);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_owner), cmocka_unit_test(test_snapshots_go),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
