/* ListSnapshots. */
#include <string.h>

#include "tests/unit/existing.h"

static const char other_sid[] = "S-1-5-21-1-2-3-1002";
static const int64_t epoch_ms = 1700000000000;

static void name_machine(struct broker_config *config)
{
    config->machine_name = "here.example.org";
}

/* Three snapshots of C: and D:, the youngest first, and a client with these rights. */
static struct peer *begin(struct world **world, struct existing *existing, uint32_t rights)
{
    *world = world_new_with(name_machine);
    existing_begin(*world, existing);
    existing_add(existing, SNAPSHOT_ID(03), SET_ID(02), VOLUME_C, epoch_ms - 1000);
    existing_add(existing, SNAPSHOT_ID(02), SET_ID(01), VOLUME_D, epoch_ms - 5000);
    existing_add(existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, epoch_ms - 5000);
    return client_connect(*world, NULL, rights);
}

static uint32_t list(struct world *world, struct peer *peer, PB(ListSnapshots) * wish)
{
    PB(Envelope) envelope = ENVELOPE_OF(LIST_SNAPSHOTS, list_snapshots, wish);
    return client_send(world, peer, &envelope);
}

static const PB(SnapshotsReply) * listed(struct peer *peer, uint32_t id)
{
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    assert_int_equal(final->body_case, PB_BODY(SNAPSHOTS_REPLY));
    return final->snapshots_reply;
}

static const PB(SnapshotsReply) * list_all(struct world *world, struct peer *peer)
{
    PB(ListSnapshots) wish = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    uint32_t id = list(world, peer, &wish);
    world_run(world);
    return listed(peer, id);
}

/* The last two digits of the ids of those that are shown. */
static const char *ids_of(const PB(SnapshotsReply) * reply)
{
    static char text[128];
    text[0] = '\0';
    for (size_t i = 0; i < reply->n_snapshots; i++)
        strcat(strcat(text, i > 0 ? " " : ""), reply->snapshots[i]->snapshot->snapshot_id + 34);
    return text;
}

static void test_list(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    const PB(SnapshotsReply) *reply = list_all(world, peer);
    assert_string_equal(ids_of(reply), "01 02 03");
    const PB(Snapshot) *snapshot = reply->snapshots[1]->snapshot;
    assert_string_equal(snapshot->set_id, SET_ID(01));
    assert_string_equal(snapshot->volume_guid_path, VOLUME_D);
    assert_int_equal(snapshot->n_volume_names, 2);
    assert_string_equal(snapshot->volume_names[0], "D:\\");
    assert_string_equal(snapshot->device_root, "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy7\\");
    assert_int_equal(reply->snapshots[1]->origin, PB_VALUE(ORIGIN, ORIGIN_FOREIGN));
    assert_int_equal(existing.context, 0xFFFFFFFFu);
    assert_string_equal(requester_history(world, 1),
                        "CreateVssBackupComponents InitializeForBackup SetContext Query*2 Release");
    world_end(world);
}

static const char *list_by(struct world *world, struct peer *peer, const PB(ListSnapshots) * wish)
{
    PB(ListSnapshots) copy = *wish;
    uint32_t id = list(world, peer, &copy);
    world_run(world);
    return ids_of(listed(peer, id));
}

static PB(ListSnapshots) asked;
#define WISH(field, value) (shadowpipe__v1__list_snapshots__init(&asked), asked.field = (value), &asked)
#define TEXT(text)         ((char *)(uintptr_t)(text))

static void test_filters(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    assert_string_equal(list_by(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02)))), "02");
    assert_string_equal(list_by(world, peer, WISH(set_id, TEXT(SET_ID(01)))), "01 02");
    assert_string_equal(list_by(world, peer, WISH(set_id, TEXT("5E700000-0000-0000-0000-000000000001"))),
                        "01 02");
    assert_string_equal(list_by(world, peer, WISH(volume, TEXT("c:"))), "01 03");
    assert_string_equal(list_by(world, peer, WISH(volume, TEXT("C:\\mnt\\data"))), "02");
    assert_string_equal(list_by(world, peer, WISH(volume, TEXT(VOLUME_D))), "02");
    assert_string_equal(list_by(world, peer, WISH(min_age_ms, 4000)), "01 02");
    assert_string_equal(list_by(world, peer, WISH(min_age_ms, UINT64_MAX)), "");
    assert_string_equal(list_by(world, peer, WISH(owner_sid, TEXT(other_sid))), "");
    assert_string_equal(list_by(world, peer, WISH(purpose, TEXT("nightly"))), "");
    existing.count = 0; /* VSS says that it finds none */
    assert_string_equal(list_by(world, peer, WISH(min_age_ms, 0)), "");
    world_end(world);
}

static void check_refusal(struct world *world, struct peer *peer, const PB(ListSnapshots) * wish,
                          const char *reason, const char *field)
{
    PB(ListSnapshots) copy = *wish;
    uint32_t id = list(world, peer, &copy);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, reason);
    assert_string_equal(client_status(peer, id)->field, field);
}

static void test_list_refused(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, RIGHT_BIT_READ);
    check_refusal(world, peer, WISH(snapshot_id, TEXT("nonsense")), "BAD_ID", "list_snapshots.snapshot_id");
    check_refusal(world, peer, WISH(set_id, TEXT("{" SET_ID(01) "}")), "BAD_ID", "list_snapshots.set_id");
    check_refusal(world, peer, WISH(volume, TEXT("X:")), "UNKNOWN_VOLUME", "list_snapshots.volume");
    check_refusal(world, peer, WISH(volume, TEXT("\\\\server\\share")), "UNC_PATH", "list_snapshots.volume");
    assert_int_equal(world->requesters_count, 0);
    /* Without the table of volumes there are no names, but the snapshots. */
    world->enumeration_failure = "the disks are asleep";
    check_refusal(world, peer, WISH(volume, TEXT("C:")), "VOLUMES_UNKNOWN", "");
    const PB(SnapshotsReply) *reply = list_all(world, peer);
    assert_int_equal(reply->n_snapshots, 3);
    assert_int_equal(reply->snapshots[0]->snapshot->n_volume_names, 0);
    struct peer *blind = client_connect(world, NULL, RIGHT_BIT_SNAPSHOT);
    check_refusal(world, blind, WISH(min_age_ms, 0), "RIGHT_MISSING", "");
    world_end(world);
}

static void test_query_fails(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct world *world;
        struct existing existing;
        struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
        PB(ListSnapshots) wish = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
        world_rule(world, PB_METHOD(QUERY), nth, ACT_FAIL, 0x80042302u);
        uint32_t id = list(world, peer, &wish);
        uint32_t second = list(world, peer, &wish);
        world_run(world);
        assert_string_equal(client_status(peer, id)->hresult_name, "VSS_E_UNEXPECTED");
        assert_string_equal(client_status(peer, id)->method, "Query");
        assert_int_equal(listed(peer, second)->n_snapshots, 3); /* by a question of its own */
        assert_int_equal(world->requesters_count, 2);
        world_end(world);
    }
}

static void test_origins(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    static const char *const here[] = {"", "HERE", "here.EXAMPLE.org"};
    for (int i = 0; i < 3; i++) {
        existing.snapshots[0].originating_machine = TEXT(here[i]);
        assert_int_equal(list_all(world, peer)->snapshots[2]->origin, PB_VALUE(ORIGIN, ORIGIN_FOREIGN));
    }
    static const char *const elsewhere[] = {"THERE", "here.example.com", "HER", "HEREBY"};
    for (int i = 0; i < 4; i++) {
        existing.snapshots[0].originating_machine = TEXT(elsewhere[i]);
        assert_int_equal(list_all(world, peer)->snapshots[2]->origin, PB_VALUE(ORIGIN, ORIGIN_UNKNOWN));
    }
    existing.snapshots[0].originating_machine = TEXT("HERE");
    existing.snapshots[0].attributes = 0x80000; /* imported */
    existing.snapshots[1].provider_id = TEXT("11111111-0000-0000-0000-000000000001");
    const PB(SnapshotsReply) *reply = list_all(world, peer);
    assert_int_equal(reply->snapshots[0]->origin, PB_VALUE(ORIGIN, ORIGIN_FOREIGN));
    assert_int_equal(reply->snapshots[1]->origin, PB_VALUE(ORIGIN, ORIGIN_UNKNOWN));
    assert_int_equal(reply->snapshots[2]->origin, PB_VALUE(ORIGIN, ORIGIN_UNKNOWN));
    world_end(world);
}

/* A snapshot of `owner`'s, which is being read. */
static const PB(SnapshotReply) *
    make_one(struct world *world, struct existing *existing, struct peer *owner, const char *purpose)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *names[] = {TEXT("D:")};
    wish.volumes = names;
    wish.n_volumes = 1;
    wish.purpose = TEXT(purpose);
    uint32_t id = client_create(world, owner, &wish);
    world_run(world);
    const PB(SnapshotReply) *made = client_snapshot_reply(owner, id);
    existing_add_made(existing, made, epoch_ms - 500);
    return made;
}

static void test_ours(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *owner = begin(&world, &existing, RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT);
    struct peer *admin = client_connect(world, other_sid, ALL_RIGHTS);
    struct peer *reader = client_connect(world, other_sid, RIGHT_BIT_READ);
    const PB(SnapshotReply) *made = make_one(world, &existing, owner, "nightly");
    struct peer *readers[] = {owner, admin, reader};
    for (int i = 0; i < 3; i++) {
        const PB(SnapshotsReply) *reply = list_all(world, readers[i]);
        assert_int_equal(reply->n_snapshots, 4);
        const PB(SnapshotRecord) *record = reply->snapshots[3];
        bool sees = i < 2;
        assert_int_equal(record->origin, PB_VALUE(ORIGIN, ORIGIN_OURS));
        assert_string_equal(record->snapshot->volume_names[0], "D:\\");
        assert_string_equal(record->owner_sid, sees ? caller_make(NULL, 0).sid : "");
        assert_string_equal(record->purpose, sees ? "nightly" : "");
        assert_string_equal(record->lease_id, sees ? made->lease_id : "");
        assert_int_equal(record->snapshot->device[0] != '\0', sees);
        assert_int_equal(reply->snapshots[0]->snapshot->device[0] != '\0', i == 1); /* a foreign one */
        assert_int_equal(reply->snapshots[0]->snapshot->originating_machine[0] != '\0', i == 1);
    }
    /* What is hidden is not found either. */
    assert_string_equal(list_by(world, owner, WISH(purpose, TEXT("nightly"))), "01");
    assert_string_equal(list_by(world, admin, WISH(owner_sid, TEXT(caller_make(NULL, 0).sid))), "01");
    assert_string_equal(list_by(world, reader, WISH(purpose, TEXT("nightly"))), "");
    world_end(world);
}

/* A session's snapshots are ours, too. */
static void test_sessions(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *owner = begin(&world, &existing, ALL_RIGHTS);
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    open.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &open);
    uint32_t id = client_send(world, owner, &envelope);
    world_run(world);
    PB(StartSnapshotSet) start = SHADOWPIPE__V1__START_SNAPSHOT_SET__INIT;
    PB(AddToSnapshotSet) add = SHADOWPIPE__V1__ADD_TO_SNAPSHOT_SET__INIT;
    PB(Call) calls[] = {SHADOWPIPE__V1__CALL__INIT, SHADOWPIPE__V1__CALL__INIT};
    calls[0].method_case = PB_METHOD(START_SNAPSHOT_SET);
    calls[0].start_snapshot_set = &start;
    calls[1].method_case = PB_METHOD(ADD_TO_SNAPSHOT_SET);
    calls[1].add_to_snapshot_set = &add;
    uint32_t last = 0;
    for (int i = 0; i < 2; i++) {
        calls[i].session_id = client_final(owner, id)->open_session_reply->session_id;
        PB(Envelope) call = ENVELOPE_OF(CALL, call, &calls[i]);
        last = client_send(world, owner, &call);
        world_run(world);
    }
    existing_add(&existing, client_final(owner, last)->call_reply->add_to_snapshot_set->snapshot_id,
                 SET_ID(07), VOLUME_C, epoch_ms);
    const PB(SnapshotRecord) *record = list_all(world, owner)->snapshots[3];
    assert_int_equal(record->origin, PB_VALUE(ORIGIN, ORIGIN_OURS));
    assert_string_equal(record->owner_sid, caller_make(NULL, 0).sid);
    world_end(world);
}

/* So are those that are on record, without a process. */
static void test_records(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *owner = begin(&world, &existing, RIGHT_BIT_READ | RIGHT_BIT_PERSIST);
    PB(StoredSet) stored = SHADOWPIPE__V1__STORED_SET__INIT;
    PB(Snapshot) snapshot = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * snapshots[] = {&snapshot};
    struct caller caller = caller_make(NULL, 0);
    uint8_t bytes[1024];
    stored.set_id = TEXT(SET_ID(02));
    stored.created = true;
    snapshot.snapshot_id = TEXT(SNAPSHOT_ID(03));
    stored.snapshots = snapshots;
    stored.n_snapshots = 1;
    stored.owner_sid = caller.sid;
    stored.process_name = caller.process_name;
    stored.purpose = TEXT("kept");
    size_t size = shadowpipe__v1__stored_set__pack(&stored, bytes);
    INTO_BROKER(broker_add_stored(world->broker, SET_ID(02), bytes, size));
    const PB(SnapshotRecord) *record = list_all(world, owner)->snapshots[2];
    assert_int_equal(record->origin, PB_VALUE(ORIGIN, ORIGIN_OURS));
    assert_string_equal(record->owner_sid, caller.sid);
    assert_string_equal(record->purpose, "kept");
    assert_string_equal(record->lease_id, "");
    assert_true(record->snapshot->device[0] != '\0');
    struct peer *reader = client_connect(world, other_sid, RIGHT_BIT_READ);
    assert_string_equal(list_all(world, reader)->snapshots[2]->purpose, "");
    /* Deleted: forgotten. */
    PB(DeleteSnapshots) wish = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    wish.all_mine = true;
    PB(Envelope) envelope = ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, &wish);
    uint32_t id = client_send(world, owner, &envelope);
    world_run(world);
    assert_int_equal(client_final(owner, id)->delete_reply->n_deleted, 1);
    assert_false(existing_has(&existing, SNAPSHOT_ID(03)));
    assert_null(record_find_set(world->broker, SET_ID(02)));
    world_end(world);
}

/* Those who wait when the question goes out share its answer; who comes later gets one of its own. */
static void test_one_question(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing, ALL_RIGHTS);
    PB(ListSnapshots) wish = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    uint32_t ids[6];
    world->holds_requesters = true;
    for (int i = 0; i < 3; i++)
        ids[i] = list(world, peer, &wish);
    world_run(world);
    world_rule(world, PB_METHOD(QUERY), 2, ACT_HANG, 0);
    world->holds_requesters = false;
    world_run(world);
    for (int i = 3; i < 6; i++)
        ids[i] = list(world, peer, &wish);
    client_cancel(world, peer, ids[1]);
    world_run(world);
    assert_string_equal(client_status(peer, ids[1])->reason, "CANCELLED");
    assert_null(client_final(peer, ids[0]));
    assert_int_equal(world->requesters_count, 1);
    requester_resume(world, world_hanging(world, PB_METHOD(QUERY)));
    for (int i = 0; i < 6; i++) {
        if (i != 1)
            assert_int_equal(listed(peer, ids[i])->n_snapshots, 3);
    }
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),         cmocka_unit_test(test_filters),
        cmocka_unit_test(test_list_refused), cmocka_unit_test(test_query_fails),
        cmocka_unit_test(test_origins),      cmocka_unit_test(test_ours),
        cmocka_unit_test(test_sessions),     cmocka_unit_test(test_one_question),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
