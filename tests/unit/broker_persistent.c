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
    INTO_BROKER(host_store_put(world, key, bytes, size, true));
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

/* ---- jobs ---- */

static const char first_set[] = "5e700001-0000-0000-0000-000000000000";
static const char first_copy[] = "c0b00001-0000-0000-0000-000000000001";

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS
};

static PB(CreateSnapshot) make_wish(PB(Context) context)
{
    static char *volumes[] = {(char *)"C:", (char *)"D:"};
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.context = context;
    wish.purpose = (char *)"nightly";
    return wish;
}

static const PB(CreateSnapshot) * app_rollback(void)
{
    static PB(CreateSnapshot) wish;
    wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    return &wish;
}

/* Sends it, and runs until nobody has anything to do. */
static uint32_t create(struct world *world, struct peer *client, const PB(CreateSnapshot) * wish)
{
    uint32_t id = client_create(world, client, (PB(CreateSnapshot) *)(uintptr_t)wish);
    world_run(world);
    return id;
}

static const PB(FinishReply) *
    finish(struct world *world, struct peer *client, uint32_t id, PB(Outcome) outcome)
{
    uint32_t finish_id = client_finish(world, client, client_snapshot_reply(client, id), outcome);
    world_run(world);
    return client_finish_reply(client, finish_id);
}

static const PB(Status) *
    finish_failure(struct world *world, struct peer *client, uint32_t id, PB(Outcome) outcome)
{
    uint32_t finish_id = client_finish(world, client, client_snapshot_reply(client, id), outcome);
    world_run(world);
    return client_status(client, finish_id);
}

static const PB(LeasesReply) * list_leases(struct world *world, struct peer *client)
{
    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_LEASES, list_leases, &list);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id)->leases_reply;
}

static void test_app_rollback(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    uint32_t id = create(world, client, app_rollback());
    const PB(SnapshotReply) *reply = client_snapshot_reply(client, id);
    assert_int_equal(reply->context, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(reply->n_map, 1);
    /* Completed, released, and no process is left; the snapshot is. */
    assert_string_equal(
        strstr(requester_history(world, 1), "GetSnapshotProperties"),
        "GetSnapshotProperties BackupComplete GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 "
        "FreeWriterStatus Release");
    assert_int_equal(world->requesters[0].context, 0x09);
    assert_int_equal(world_alive(world), 0);
    const PB(StoredSet) *stored = world_stored(world, first_set);
    assert_true(stored->created);
    assert_string_equal(stored->snapshots[0]->snapshot_id, first_copy);
    assert_string_equal(stored->snapshots[0]->device, reply->volumes[0]->device);
    assert_string_equal(stored->snapshots[0]->volume_names[0], "C:\\");
    assert_string_equal(stored->owner_sid, "S-1-5-21-1-2-3-1001");
    assert_string_equal(stored->process_name, "test.exe");
    assert_string_equal(stored->client_name, "test");
    assert_string_equal(stored->purpose, "nightly");
    assert_int_equal(stored->context, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    assert_int_equal(stored->backup_type, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY));
    assert_true(stored->created_ms == reply->created_ms);
    assert_int_equal(stored->delete_ms, 0);
    const PB(LeasesReply) *leases = list_leases(world, client);
    assert_int_equal(leases->n_leases, 1);
    assert_true(leases->leases[0]->persistent);
    assert_string_equal(leases->leases[0]->set_id, first_set);

    const PB(FinishReply) *finished = finish(world, client, id, PB_VALUE(OUTCOME, OUTCOME_FAILED));
    assert_int_equal(finished->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(finished->n_writers, WRITERS);
    assert_int_equal(list_leases(world, client)->n_leases, 0);
    world_advance(world, 24 * HOUR_MS);
    assert_non_null(world_copy(world, first_copy));
    assert_non_null(world_stored(world, first_set));
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 0);
    world_end(world);
}

static void test_nas_rollback(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK));
    uint32_t id = create(world, client, &wish);
    assert_int_equal(client_snapshot_reply(client, id)->consistency,
                     PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH));
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup SetContext SetBackupState IsVolumeSupported "
        "CountSnapshots QueryDiffAreas StartSnapshotSet AddToSnapshotSet DoSnapshotSet GetSnapshotProperties "
        "Release");
    assert_int_equal(world->requesters[0].context, 0x19);
    peer_close(world, client); /* the end of its lease is not the end of the snapshot */
    world_advance(world, HOUR_MS);
    assert_non_null(world_copy(world, first_copy));
    client = client_connect(world, NULL, ALL_RIGHTS);
    id = create(world, client, &wish);
    assert_int_equal(finish(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED))->completion,
                     PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    world_end(world);
}

static void test_contexts(void **state)
{
    (void)state;
    static const struct {
        PB(Context) asked;
        uint32_t attributes;
        uint32_t context; /* of SetContext */
        PB(Context) answered;
    } cases[] = {
        {PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE), 0, 0x1D, PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE)},
        {PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS), 0x2, 0x0F,
         PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS)},
        {PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK), 0x1000000 | 0x2000000 | 0x800000 | 0x80, 0x3800089,
         PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK)},
        {PB_VALUE(CONTEXT, CONTEXT_BACKUP), 0x9, 0x9, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK)},
        {PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK), 0x10, 0x19, PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK)},
        {PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED), 0x40 | 0x20000 | 0x40000, 0x60040,
         PB_VALUE(CONTEXT, CONTEXT_BACKUP)},
    };
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PB(CreateSnapshot) wish = make_wish(cases[i].asked);
        wish.attributes = cases[i].attributes;
        uint32_t id = create(world, client, &wish);
        assert_int_equal(client_snapshot_reply(client, id)->context, cases[i].answered);
        assert_int_equal(world->requesters[i].context, cases[i].context);
    }
    assert_int_equal(world->copies_count, 5);
    world_end(world);
}

static void assert_refused(struct world *world, const PB(CreateSnapshot) * wish, const char *reason,
                           const char *field)
{
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    const PB(Status) *status = client_status(client, create(world, client, wish));
    assert_string_equal(status->reason, reason);
    assert_string_equal(status->field, field);
    assert_int_equal(world->requesters_count, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    struct world *world = world_new();
    static const uint32_t attributes[] = {0x1,      0x4,      0x8,       0x5,        0xC,
                                          0x7,      0x14,     0x10000,   0x80000,    0x100000,
                                          0x200000, 0x400000, 0x4000000, 0x80000000u};
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_BACKUP));
        wish.attributes = attributes[i];
        assert_refused(world, &wish, "BAD_CONTEXT", "create_snapshot.attributes");
    }
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP));
    wish.keep_ms = 1;
    assert_refused(world, &wish, "NOT_PERSISTENT", "create_snapshot.keep_ms");
    wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK));
    wish.keep_ms = UINT64_MAX;
    assert_refused(world, &wish, "OUT_OF_RANGE", "create_snapshot.keep_ms");
    struct peer *user = client_connect(world, NULL, USER_RIGHTS);
    assert_string_equal(client_status(user, create(world, user, app_rollback()))->reason, "RIGHT_MISSING");
    world_end(world);
}

/* What this service cannot know VSS says. */
static void test_vss_refuses(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(SET_CONTEXT), 1, ACT_FAIL, 0x8004231Bu);
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE));
    wish.attributes = 0x20;
    const PB(Status) *status = client_status(client, create(world, client, &wish));
    assert_string_equal(status->reason, "VSS_FAILED");
    assert_string_equal(status->hresult_name, "VSS_E_UNSUPPORTED_CONTEXT");
    assert_string_equal(status->method, "SetContext");
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

/* A transportable copy can be looked at after its import only: its id is what there is. */
static void test_transportable(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 0, ACT_FAIL, 0x80042308u);
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    assert_string_equal(client_status(client, create(world, client, &wish))->method, "GetSnapshotProperties");
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0); /* what nobody was given is deleted */
    wish.attributes = 0x20;
    uint64_t requester = world->requesters_count + 1;
    uint32_t id = create(world, client, &wish);
    const PB(SnapshotReply) *reply = client_snapshot_reply(client, id);
    assert_int_equal(reply->n_volumes, 1);
    assert_int_equal(reply->n_map, 0);
    assert_string_equal(reply->volumes[0]->device_root, "");
    assert_int_equal(strlen(reply->volumes[0]->snapshot_id), 36);
    assert_int_equal(requester_calls(world, requester, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    finish(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    /* On no machine, so its absence says nothing. */
    world->copies_count = 0;
    world_crash(world);
    world_advance(world, MINUTE_MS);
    assert_int_equal(world->stored_count, 1);
    world_end(world);
}

/* ---- the store ---- */

static void test_store_goes_first(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world->holds_store = true;
    uint32_t id = create(world, client, app_rollback());
    assert_int_equal(world_calls(world, PB_METHOD(PREPARE_FOR_BACKUP)), 1);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);
    assert_int_equal(world->operations_count, 1);
    world->holds_store = false;
    assert_true(store_acts(world));
    assert_false(world_stored(world, first_set)->created);
    assert_string_equal(world_stored(world, first_set)->snapshots[0]->snapshot_id, first_copy);
    world->holds_store = true;
    world_run(world);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    assert_null(client_final(client, id)); /* nobody is told before it is stored */
    world->holds_store = false;
    world_run(world);
    (void)client_snapshot_reply(client, id);
    assert_true(world_stored(world, first_set)->created);
    world_end(world);
}

static void test_store_fails_before(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world->store_failure = "access is denied";
    const PB(Status) *status = client_status(client, create(world, client, app_rollback()));
    assert_string_equal(status->reason, "STORE_FAILED");
    assert_non_null(strstr(status->message, "access is denied"));
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world->creator, 0);
    assert_null(record_find_set(world->broker, first_set));
    world_end(world);
}

static void test_store_fails_after(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t id = create(world, client, app_rollback());
    world->store_failure = "the disk is full";
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    assert_string_equal(client_status(client, id)->reason, "STORE_FAILED");
    world->store_failure = NULL;
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    assert_string_equal(requester_history(world, 2),
                        "CreateVssBackupComponents InitializeForBackup SetContext DeleteSnapshots Release");
    world_end(world);
}

/* ---- crashes ---- */

/* What the next service makes of it, an hour later. */
static void assert_after_crash(struct world *world, size_t copies, size_t stored)
{
    world_crash(world);
    world_clear_rules(world);
    world_advance(world, HOUR_MS);
    assert_int_equal(world->copies_count, copies);
    assert_int_equal(world->stored_count, stored);
    world_end(world);
}

static void test_crash_before_the_store(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->holds_store = true;
    create(world, client_connect(world, NULL, ALL_RIGHTS), app_rollback());
    assert_int_equal(world->operations_count, 1);
    world->holds_store = false;
    assert_after_crash(world, 0, 0);
}

static void test_crash_before_the_freeze(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    create(world, client_connect(world, NULL, ALL_RIGHTS), app_rollback());
    assert_int_equal(world->stored_count, 1);
    world_crash(world);
    /* DoSnapshotSet may still run: that there is no snapshot yet proves nothing. */
    world_advance(world, 20 * MINUTE_MS);
    assert_int_equal(world->stored_count, 1);
    assert_int_equal(world_calls(world, PB_METHOD(QUERY)), 1);
    struct fake_requester late = {.number = 1, .context = 0x09, .added = 1};
    copies_made(world, &late);
    world_advance(world, 20 * MINUTE_MS);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

static void test_crash_with_nothing_made(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    create(world, client_connect(world, NULL, ALL_RIGHTS), app_rollback());
    assert_after_crash(world, 0, 0);
}

static void test_crash_after_the_freeze(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 1, ACT_STUCK, 0);
    create(world, client, app_rollback());
    assert_int_equal(world->copies_count, 1);
    assert_false(world_stored(world, first_set)->created);
    world_crash(world);
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0); /* nobody was told of it */
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

static void test_crash_after_the_second_store(void **state)
{
    (void)state;
    struct world *world = world_new();
    create(world, client_connect(world, NULL, ALL_RIGHTS), app_rollback());
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 0, ACT_HANG, 0);
    create(world, client_connect(world, NULL, ALL_RIGHTS), app_rollback());
    assert_non_null(world_hanging(world, PB_METHOD(BACKUP_COMPLETE)));
    assert_after_crash(world, 2, 2);
}

/* ---- retention ---- */

static uint32_t create_kept(struct world *world, struct peer *client, size_t volumes, uint64_t keep_ms)
{
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    wish.n_volumes = volumes;
    wish.keep_ms = keep_ms;
    uint32_t id = create(world, client, &wish);
    const PB(SnapshotReply) *reply = client_snapshot_reply(client, id);
    assert_true(world_stored(world, reply->set_id)->delete_ms == reply->created_ms + (int64_t)keep_ms);
    return id;
}

static void test_keep(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    uint32_t id = create_kept(world, client, 2, HOUR_MS);
    uint32_t other = create(world, client, app_rollback());
    finish(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    finish(world, client, other, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_advance(world, HOUR_MS - MINUTE_MS);
    assert_int_equal(world->copies_count, 3);
    world_advance(world, 2 * MINUTE_MS);
    assert_int_equal(world->copies_count, 1);
    assert_int_equal(world->stored_count, 1);
    assert_null(world_copy(world, first_copy));
    assert_string_equal(requester_history(world, 3),
                        "CreateVssBackupComponents InitializeForBackup SetContext DeleteSnapshots*2 Release");
    assert_int_equal(world->requesters[2].context, UINT32_MAX);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_keep_over_a_crash(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    finish(world, client, create_kept(world, client, 1, HOUR_MS), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_crash(world);
    world_advance(world, MINUTE_MS);
    assert_int_equal(world->copies_count, 1);
    assert_string_equal(requester_history(world, 2),
                        "CreateVssBackupComponents InitializeForBackup SetContext Query Release");
    world->now_ms += 2 * (uint64_t)HOUR_MS; /* while no service runs */
    world_crash(world);
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

/* Of the leases, for more requesters than the world has. */
static void without_checks(struct broker_config *config)
{
    config->lease_check_ms = UINT32_MAX;
}

static void test_keep_and_a_lease(void **state)
{
    (void)state;
    struct world *world = world_new_with(without_checks);
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    uint32_t id = create_kept(world, client, 1, MINUTE_MS);
    world_advance(world, HOUR_MS);
    assert_int_equal(world->copies_count, 1); /* it is read */
    finish(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    create_kept(world, client, 1, MINUTE_MS);
    world_advance(world, HOUR_MS);
    assert_int_equal(world->copies_count, 1);
    peer_close(world, client);
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

static void test_undeletable(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    finish(world, client, create_kept(world, client, 2, MINUTE_MS), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_copy(world, first_copy)->is_undeletable = true;
    world_advance(world, MINUTE_MS + 1);
    assert_int_equal(world->copies_count, 1); /* it went on after the first */
    assert_int_equal(world_stored(world, first_set)->n_snapshots, 1);
    assert_string_equal(world_stored(world, first_set)->snapshots[0]->snapshot_id, first_copy);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 2);
    assert_non_null(strstr(world->log, "1 snapshots of set 5e700001-0000-0000-0000-000000000000 could not be "
                                       "deleted, again in 60 s"));
    world_advance(world, MINUTE_MS + 1);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 3);
    world_advance(world, MINUTE_MS + 1); /* the pauses grow */
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 3);
    world_advance(world, 24 * HOUR_MS);
    unsigned tries = world_calls(world, PB_METHOD(DELETE_SNAPSHOTS));
    assert_in_range(tries, 24, 32); /* to an hour, and no further */
    world_crash(world);             /* what is left is still known */
    world_advance(world, 1);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), tries + 1);
    world_copy(world, first_copy)->is_undeletable = false;
    world_advance(world, MINUTE_MS + 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

/* The process that deletes does not start, dies or hangs: later. */
static void test_deletion_breaks(void **state)
{
    (void)state;
    static const enum action actions[] = {ACT_DIE, ACT_STUCK, ACT_STATUS, ACT_DIE_LATE};
    for (size_t i = 0; i <= sizeof actions / sizeof actions[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        finish(world, client, create_kept(world, client, 1, MINUTE_MS), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        if (i < sizeof actions / sizeof actions[0])
            world_rule(world, i == 2 ? PB_METHOD(SET_CONTEXT) : PB_METHOD(DELETE_SNAPSHOTS), 1, actions[i],
                       0x80070005u);
        else
            world->start_failure = "no such file";
        world_advance(world, MINUTE_MS + 1);
        assert_int_equal(world->copies_count, 1);
        world->start_failure = NULL;
        world_advance(world, 10 * MINUTE_MS);
        assert_int_equal(world->copies_count, 0);
        assert_int_equal(world->stored_count, 0);
        world_end(world);
    }
}

static void test_stop_while_deleting(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    finish(world, client, create_kept(world, client, 2, MINUTE_MS), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_rule(world, PB_METHOD(DELETE_SNAPSHOTS), 1, ACT_STUCK, 0);
    world_advance(world, MINUTE_MS + 1);
    struct fake_requester *deleter = world_hanging(world, PB_METHOD(DELETE_SNAPSHOTS));
    assert_non_null(deleter);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_int_equal(world_alive(world), 1);
    requester_resume(world,
                     deleter); /* the call under way counts; the other snapshot is for the next start */
    assert_string_equal(requester_history(world, 2),
                        "CreateVssBackupComponents InitializeForBackup SetContext DeleteSnapshots Release");
    assert_int_equal(world->copies_count, 1);
    assert_int_equal(world_stored(world, first_set)->n_snapshots, 1);
    world_end(world);
}

/* ---- reconciliation ---- */

static void test_reconcile(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    wish.n_volumes = 2;
    finish(world, client, create(world, client, &wish), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    for (int i = 0; i < 2; i++)
        finish(world, client, create(world, client, app_rollback()), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_copy(world, first_copy)->id[35] = '7'; /* another program has deleted these two, */
    world_copy(world, "c0b00002-0000-0000-0000-000000000001")->id[35] = '8'; /* and made others */
    world_crash(world);
    world_rule(world, PB_METHOD(QUERY), 1, ACT_FAIL, 0x80042306u);
    world_advance(world, MINUTE_MS / 2);
    assert_int_equal(world->stored_count, 3);
    assert_int_equal(world_stored(world, first_set)->n_snapshots, 2);
    assert_non_null(strstr(world->log, "could not be compared with what VSS has, again in 60 s"));
    world_advance(world, MINUTE_MS);
    assert_int_equal(world->stored_count, 2);
    assert_int_equal(world_stored(world, first_set)->n_snapshots, 1);
    assert_null(world_stored(world, "5e700002-0000-0000-0000-000000000000"));
    world_advance(world, HOUR_MS);
    assert_int_equal(world_calls(world, PB_METHOD(QUERY)), 2);
    assert_int_equal(world_calls(world, PB_METHOD(DELETE_SNAPSHOTS)), 0);
    assert_int_equal(world->copies_count, 4);
    world_end(world);
}

static void test_no_records_no_question(void **state)
{
    (void)state;
    struct world *world = world_new();
    world_advance(world, HOUR_MS);
    assert_int_equal(world->requesters_count, 0);
    assert_true(broker_next_timer_ms(world->broker) == UINT64_MAX);
    world_end(world);
}

/* ---- those that nobody is given ---- */

static void test_client_leaves(void **state)
{
    (void)state;
    static const enum action actions[] = {ACT_HANG, ACT_HANG, ACT_DIE_LATE};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, actions[i], 0);
        uint32_t id = create(world, client, app_rollback());
        if (i == 0)
            peer_close(world, client);
        if (i == 1)
            client_cancel(world, client, id);
        world_run(world);
        if (i != 2)
            requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
        if (i == 1)
            assert_string_equal(client_status(client, id)->reason, "CANCELLED");
        if (i == 2)
            assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
        world_advance(world, 1);
        assert_int_equal(world->copies_count, 0);
        assert_int_equal(world->stored_count, 0);
        world_end(world);
    }
}

/* While the store has not answered: before the freeze, after it. */
static void test_client_leaves_the_store(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        world->holds_store = true;
        uint32_t id = create(world, client, app_rollback());
        if (after) {
            world->holds_store = false;
            assert_true(store_acts(world));
            world->holds_store = true;
            world_run(world);
            assert_int_equal(world->copies_count, 1);
        }
        client_cancel(world, client, id);
        world_run(world);
        assert_string_equal(client_status(client, id)->reason, "CANCELLED");
        world->holds_store = false;
        world_advance(world, 1);
        assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), after);
        assert_int_equal(world->copies_count, 0);
        assert_int_equal(world->stored_count, 0);
        world_end(world);
    }
}

/* The completion of what nobody wants any more takes long; the next start would delete it meanwhile. */
static void test_disowned_at_once(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    world->holds_store = true;
    uint32_t id = create(world, client, app_rollback());
    world->holds_store = false;
    assert_true(store_acts(world));
    world->holds_store = true;
    world_run(world);
    client_cancel(world, client, id);
    world_run(world);
    world->holds_store = false;
    world_run(world);
    struct fake_requester *hanging = world_hanging(world, PB_METHOD(BACKUP_COMPLETE));
    assert_non_null(hanging);
    assert_false(world_stored(world, first_set)->created);
    requester_resume(world, hanging);
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

static void test_writer_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_writer_fails(world, 1, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    assert_string_equal(client_status(client, create(world, client, app_rollback()))->reason,
                        "WRITER_FAILED");
    world_advance(world, 1);
    assert_int_equal(world->copies_count, 0);
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

/* VSS says that there is none, but its word about DoSnapshotSet never came. */
static void test_uncertain(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_DIE, 0);
    create(world, client, app_rollback());
    world_advance(world, 20 * MINUTE_MS);
    assert_int_equal(world->stored_count, 1);
    world_advance(world, 40 * MINUTE_MS);
    assert_int_equal(world->stored_count, 0);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 2, ACT_FAIL_ASYNC, 0x8004231Fu);
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    const PB(Status) *status = client_status(client, create(world, client, app_rollback()));
    assert_string_equal(status->hresult_name, "VSS_E_INSUFFICIENT_STORAGE");
    world_advance(world, 1); /* it has said so */
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

/* ---- completion ---- */

static void test_completion_fails(void **state)
{
    (void)state;
    static const enum action actions[] = {ACT_FAIL, ACT_DIE};
    static const char *const reasons[] = {"VSS_FAILED", "REQUESTER_DIED"};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, actions[i], 0x80042302u);
        uint32_t id = create(world, client, app_rollback());
        assert_int_equal(list_leases(world, client)->n_leases, 1);
        assert_string_equal(finish_failure(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED))->reason,
                            reasons[i]);
        world_advance(world, HOUR_MS);
        assert_int_equal(world->copies_count, 1);
        assert_int_equal(world->stored_count, 1);
        world_end(world);
    }
}

static void test_finish_while_completing(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    uint32_t id = create(world, client, app_rollback());
    uint32_t finish_id =
        client_finish(world, client, client_snapshot_reply(client, id), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_null(client_final(client, finish_id));
    requester_resume(world, world_hanging(world, PB_METHOD(BACKUP_COMPLETE)));
    assert_int_equal(client_finish_reply(client, finish_id)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

static PB(CreateSnapshot) full_backup(void)
{
    PB(CreateSnapshot) wish = make_wish(PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    wish.allow_types_without_components = true;
    return wish;
}

/* Writers may truncate their logs only when the client says so: the requester waits for its word. */
static void test_full_backup(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = full_backup();
    for (int succeeded = 0; succeeded < 2; succeeded++) {
        uint32_t id = create(world, client, &wish);
        assert_int_equal(world_alive(world), 1);
        assert_int_equal(
            finish(world, client, id,
                   succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED))
                ->completion,
            succeeded ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                      : PB_VALUE(COMPLETION, COMPLETION_ABORTED));
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), succeeded);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
        assert_int_equal(world_alive(world), 0);
    }
    world_advance(world, HOUR_MS);
    assert_int_equal(world->copies_count, 2);
    assert_int_equal(world->stored_count, 2);
    world_end(world);
}

static void test_full_backup_loses_its_requester(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = full_backup();
    uint32_t id = create(world, client, &wish);
    requester_die(world, &world->requesters[0], 0xC0000005u);
    world_run(world);
    assert_int_equal(list_leases(world, client)->n_leases, 1); /* the snapshot is there */
    assert_string_equal(finish_failure(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED))->reason,
                        "REQUESTER_DIED");
    assert_int_equal(world->copies_count, 1);
    world_end(world);
}

/* ---- somebody deletes what is read ---- */

static void test_lease_loses_its_snapshot(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) full = full_backup();
    for (int is_full = 0; is_full < 2; is_full++) {
        uint32_t id = create(world, client, is_full ? &full : app_rollback());
        const char *snapshot = client_snapshot_reply(client, id)->volumes[0]->snapshot_id;
        INTO_BROKER(record_deleted(world->broker, snapshot, "somebody deleted it"));
        world_run(world);
        assert_int_equal(list_leases(world, client)->n_leases, 0);
        assert_int_equal(world->stored_count, 0);
        assert_int_equal(world_alive(world), 0);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), is_full);
        const PB(Status) *status = finish_failure(world, client, id, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        assert_string_equal(status->reason, "SNAPSHOT_LOST");
        assert_non_null(strstr(status->message, "somebody deleted it"));
    }
    world_end(world);
}

static void test_deleted_before_it_is_given(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 1, ACT_STUCK, 0);
    uint32_t id = create(world, client, app_rollback());
    INTO_BROKER(record_deleted(world->broker, first_copy, "somebody deleted it"));
    requester_resume(world, world_hanging(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)));
    const PB(Status) *status = client_status(client, id);
    assert_string_equal(status->reason, "SNAPSHOT_LOST");
    assert_non_null(strstr(status->message, "somebody deleted it"));
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

static void test_status(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    create(world, client, app_rollback());
    world_advance(world, 5000);
    PB(GetServiceStatus) get = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(GET_SERVICE_STATUS, get_service_status, &get);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    const PB(ServiceStatus) *status = client_final(client, id)->service_status;
    assert_int_equal(status->leases, 1);
    assert_int_equal(status->requesters, 0);
    assert_int_equal(status->n_sets, 1);
    assert_string_equal(status->sets[0]->set_id, first_set);
    assert_string_equal(status->sets[0]->volumes[0], "C:\\");
    assert_int_equal(status->sets[0]->phase, PB_PHASE(HELD));
    assert_int_equal(status->sets[0]->requester_pid, 0);
    assert_true(status->sets[0]->age_ms >= 5000);
    assert_string_equal(status->sets[0]->members[0]->purpose, "nightly");
    world_end(world);
}

static void test_stop(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = full_backup();
    create(world, client, &wish);
    create(world, client, app_rollback());
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world->copies_count, 2);
    assert_int_equal(world->stored_count, 2);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_snapshots_go),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_lane),
        cmocka_unit_test(test_app_rollback),
        cmocka_unit_test(test_nas_rollback),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_vss_refuses),
        cmocka_unit_test(test_transportable),
        cmocka_unit_test(test_store_goes_first),
        cmocka_unit_test(test_store_fails_before),
        cmocka_unit_test(test_store_fails_after),
        cmocka_unit_test(test_crash_before_the_store),
        cmocka_unit_test(test_crash_before_the_freeze),
        cmocka_unit_test(test_crash_with_nothing_made),
        cmocka_unit_test(test_crash_after_the_freeze),
        cmocka_unit_test(test_crash_after_the_second_store),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_keep_over_a_crash),
        cmocka_unit_test(test_keep_and_a_lease),
        cmocka_unit_test(test_undeletable),
        cmocka_unit_test(test_deletion_breaks),
        cmocka_unit_test(test_stop_while_deleting),
        cmocka_unit_test(test_reconcile),
        cmocka_unit_test(test_no_records_no_question),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_client_leaves_the_store),
        cmocka_unit_test(test_disowned_at_once),
        cmocka_unit_test(test_writer_fails),
        cmocka_unit_test(test_uncertain),
        cmocka_unit_test(test_completion_fails),
        cmocka_unit_test(test_finish_while_completing),
        cmocka_unit_test(test_full_backup),
        cmocka_unit_test(test_full_backup_loses_its_requester),
        cmocka_unit_test(test_lease_loses_its_snapshot),
        cmocka_unit_test(test_deleted_before_it_is_given),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
