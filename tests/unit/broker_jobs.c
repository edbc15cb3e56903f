/* Snapshots from the request to the end of the lease: what may be asked for, writers, completion, leases. */
#include <string.h>

#include "tests/unit/broker_harness.h"

static char *const volume_c[] = {(char *)(uintptr_t) "C:"};

static PB(CreateSnapshot) make_wish(void)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = (char **)(uintptr_t)volume_c;
    wish.n_volumes = 1;
    return wish;
}

static const PB(Status) * refused(struct world *world, PB(CreateSnapshot) * wish)
{
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    uint32_t id = client_create(world, client, wish);
    world_run(world);
    return client_status(client, id);
}

static void test_happy_path(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_int_equal(snapshot->n_volumes, 1);
    assert_string_equal(snapshot->volumes[0]->device, "\\\\?\\GLOBALROOT\\Device\\Copy01");
    assert_string_equal(snapshot->volumes[0]->device_root, "\\\\?\\GLOBALROOT\\Device\\Copy01\\");
    assert_string_equal(snapshot->set_id, "5e700001-0000-0000-0000-000000000000");
    assert_int_equal(snapshot->n_map, 1);
    assert_string_equal(snapshot->map[0]->original, "C:\\");
    assert_string_equal(snapshot->map[0]->shadow, snapshot->volumes[0]->device_root);
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(snapshot->n_writers, WRITERS);
    assert_true(snapshot->writers[1]->took_part);
    assert_string_equal(snapshot->writers[1]->host_service, "SQLWriter");
    assert_int_equal(snapshot->attempts, 1);
    assert_true(snapshot->simulated);
    assert_int_equal(strlen(snapshot->token), 32);
    assert_true(snapshot->n_phases >= 6);
    assert_int_equal(world->creator, 0);

    uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(client, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup SetContext SetBackupState GatherWriterMetadata "
        "GetWriterMetadataCount "
        "GetWriterMetadata*3 IsVolumeSupported CountSnapshots QueryDiffAreas StartSnapshotSet "
        "AddToSnapshotSet "
        "PrepareForBackup GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "DoSnapshotSet GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "FreeWriterMetadata GetSnapshotProperties BackupComplete GatherWriterStatus GetWriterStatusCount "
        "GetWriterStatusEx*3 "
        "FreeWriterStatus Release");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_without_writers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish();
    wish.context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH));
    uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(client, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup SetContext SetBackupState IsVolumeSupported "
        "CountSnapshots QueryDiffAreas StartSnapshotSet AddToSnapshotSet DoSnapshotSet GetSnapshotProperties "
        "Release");
    wish.writers_required = (char **)(uintptr_t)volume_c;
    wish.n_writers_required = 1;
    assert_string_equal(refused(world, &wish)->reason, "NO_WRITERS");
    world_end(world);
}

static void test_invalid_wishes(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    assert_string_equal(refused(world, &wish)->reason, "COMPONENTS_NEEDED");
    wish = make_wish();
    char *seventeen[17];
    for (int i = 0; i < 17; i++)
        seventeen[i] = (char *)(uintptr_t)writer_classes[0];
    wish.providers = seventeen;
    wish.n_providers = 17;
    assert_string_equal(refused(world, &wish)->reason, "TOO_MANY");
    wish = make_wish();
    PB(PhaseTimeout) timeout = SHADOWPIPE__V1__PHASE_TIMEOUT__INIT;
    PB(PhaseTimeout) * timeouts[] = {&timeout};
    wish.phase_timeouts = timeouts;
    wish.n_phase_timeouts = 1;
    timeout.phase = PB_PHASE(QUEUED);
    timeout.timeout_ms = 5;
    assert_string_equal(refused(world, &wish)->reason, "BAD_PHASE");
    timeout.phase = PB_PHASE(CREATING);
    timeout.timeout_ms = 0;
    assert_string_equal(refused(world, &wish)->reason, "BAD_PHASE");
    wish = make_wish();
    char *names[] = {(char *)(uintptr_t) "", (char *)(uintptr_t) "System Writer"};
    wish.writers_tolerated = names;
    wish.n_writers_tolerated = 1;
    assert_string_equal(refused(world, &wish)->reason, "EMPTY_NAME");
    wish = make_wish();
    wish.writers_required = wish.writers_excluded = names + 1;
    wish.n_writers_required = wish.n_writers_excluded = 1;
    assert_string_equal(refused(world, &wish)->reason, "WRITER_CONTRADICTION");
    world_end(world);
}

/* ---- PrepareForBackup ---- */

static void test_prepare_codes(void **state)
{
    (void)state;
    static const struct {
        enum action action;
        uint32_t hresult;
        const char *name;
    } rows[] = {
        {ACT_FAIL, 0x80070057u, "E_INVALIDARG"},
        {ACT_FAIL, 0x8007000Eu, "E_OUTOFMEMORY"},
        {ACT_FAIL, 0x80042301u, "VSS_E_BAD_STATE"},
        {ACT_FAIL, 0x80042302u, "VSS_E_UNEXPECTED"},
        {ACT_FAIL, 0x8000FFFFu, "E_UNEXPECTED"},
        {ACT_FAIL_ASYNC, 0x8007000Eu, "E_OUTOFMEMORY"},
        {ACT_FAIL_ASYNC, 0x80042302u, "VSS_E_UNEXPECTED"},
        {ACT_FAIL_ASYNC, 0x80042315u, "VSS_E_UNEXPECTED_WRITER_ERROR"},
        {ACT_FAIL_ASYNC, 0x8BADF00Du, "0x8BADF00D"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 0, rows[i].action, rows[i].hresult);
        world->rules[0].missing = rows[i].hresult == 0x80042301u ? "SetBackupState" : NULL;
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->hresult, rows[i].hresult);
        assert_string_equal(status->hresult_name, rows[i].name);
        assert_string_equal(status->method, "PrepareForBackup");
        assert_int_equal(status->phase, PB_PHASE(PREPARING));
        assert_string_equal(status->missing_prerequisite,
                            rows[i].hresult == 0x80042301u ? "SetBackupState" : "");
        assert_int_equal(status->attempts, 1);
        assert_int_equal(world_calls(world, PB_METHOD(PREPARE_FOR_BACKUP)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 0);
        world_end(world);
    }
}

static void test_insufficient_storage(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(Status) *status = client_status(client, id);
    assert_string_equal(status->hresult_name, "VSS_E_INSUFFICIENT_STORAGE");
    assert_string_equal(status->method, "DoSnapshotSet");
    assert_int_equal(status->phase, PB_PHASE(CREATING));
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
    world_end(world);
}

/* ---- repeated attempts ---- */

static void test_unexpected_is_repeated_once(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_FAIL, 0x80042302u);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_int_equal(snapshot->attempts, 2);
    assert_int_equal(snapshot->n_warnings, 1);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
    world_clear_rules(world);
    world_rule(world, PB_METHOD(INITIALIZE_FOR_BACKUP), 0, ACT_FAIL, 0x8000FFFFu);
    id = client_snapshot(world, client, "D:");
    world_run(world);
    assert_int_equal(client_status(client, id)->attempts, 2);
    assert_string_equal(client_status(client, id)->hresult_name, "E_UNEXPECTED");
    world_end(world);
}

/* Once more, a minute later and with a fresh object; who has not the time for that is told when to ask. */
static void test_second_freeze(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x80042302u);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    assert_null(client_final(client, id));
    assert_int_equal(client_progress(client, id)->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY));
    assert_int_equal(client_progress(client, id)->attempt, 2);
    world_advance(world, 59999);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    world_advance(world, 1);
    assert_int_equal(client_snapshot_reply(client, id)->attempts, 2);
    /* It happens again: that was the one attempt. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 0, ACT_FAIL_ASYNC, 0x80042302u);
    id = client_snapshot(world, client, "C:");
    world_advance(world, 60000);
    const PB(Status) *status = client_status(client, id);
    assert_int_equal(status->attempts, 2);
    assert_string_equal(status->method, "DoSnapshotSet");
    assert_true(status->retry_after_ms >= 60000);
    world_end(world);
}

static void test_no_time_for_a_second_freeze(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {(char *)(uintptr_t) "C:"};
    wish.volumes = volumes;
    wish.n_volumes = 1;
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    envelope.timeout_ms = 2 * 60 * 1000 - 1; /* the pause, and a minute for the attempt */
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 0, ACT_FAIL_ASYNC, 0x80042302u);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    assert_int_equal(client_status(client, id)->attempts, 1);
    assert_int_equal(client_status(client, id)->retry_after_ms, 60000);
    /* A writer is to blame, which will fail again. */
    world_writer_fails(world, 1, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(Status) *status = client_status(client, id);
    assert_int_equal(status->attempts, 1);
    assert_int_equal(status->hresult, 0x80042302u);
    assert_string_equal(status->writers[0]->name, "SqlServerWriter");
    assert_false(status->retryable);
    world_end(world);
}

/* Cancelled, or the service stopped, between two attempts. */
static void test_end_between_attempts(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, PB_METHOD(SET_CONTEXT), 1, ACT_FAIL, 0x80042302u);
        world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        if (round == 0)
            client_cancel(world, client, id);
        else if (round == 1)
            broker_stop(world->broker, BROKER_STOP_END);
        else
            peer_close(world, client);
        requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
        if (round < 2)
            assert_string_equal(client_status(client, id)->reason,
                                round == 0 ? "CANCELLED" : "SHUTTING_DOWN");
        assert_int_equal(world->requesters_count, 1);
        world_end(world);
    }
}

/* ---- writers ---- */

static void test_writer_fails(void **state)
{
    (void)state;
    static const struct {
        PB(Call__MethodCase) after;
        uint32_t state;
        uint32_t hresult;
        const char *method;
        PB(Phase) phase;
    } rows[] = {
        {PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u, "PrepareForBackup", PB_PHASE(PREPARING)},
        {PB_METHOD(PREPARE_FOR_BACKUP), 0, 0, "PrepareForBackup", PB_PHASE(PREPARING)},
        {PB_METHOD(PREPARE_FOR_BACKUP), 1, 0x80042319u, "PrepareForBackup", PB_PHASE(PREPARING)},
        {PB_METHOD(DO_SNAPSHOT_SET), 8, 0x800423F1u, "DoSnapshotSet", PB_PHASE(CREATING)},
        {PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F2u, "DoSnapshotSet", PB_PHASE(CREATING)},
        {PB_METHOD(DO_SNAPSHOT_SET), 10, 0x800423F3u, "DoSnapshotSet", PB_PHASE(CREATING)},
        {PB_METHOD(DO_SNAPSHOT_SET), 11, 0x800423F5u, "DoSnapshotSet", PB_PHASE(CREATING)},
        {PB_METHOD(DO_SNAPSHOT_SET), 15, 0x80042409u, "DoSnapshotSet", PB_PHASE(CREATING)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_writer_fails(world, 1, rows[i].after, rows[i].state, rows[i].hresult);
        PB(CreateSnapshot) first = make_wish();
        PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &first);
        envelope.timeout_ms = 5 * 60 * 1000; /* too short for another attempt */
        uint32_t id = client_send(world, client, &envelope);
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        assert_string_equal(status->reason, "WRITER_FAILED");
        assert_string_equal(status->method, rows[i].method);
        assert_int_equal(status->phase, rows[i].phase);
        assert_int_equal(status->hresult, rows[i].hresult);
        assert_int_equal(status->n_writers, 1);
        assert_string_equal(status->writers[0]->name, "SqlServerWriter");
        assert_string_equal(status->writers[0]->host_service, "SQLWriter");
        assert_true(status->writers[0]->failed);
        assert_int_equal(status->writers[0]->state, rows[i].state + 1);
        assert_non_null(strstr(status->advice, "SQLWriter"));
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
        assert_int_equal(world_alive(world), 0);

        /* The same, tolerated by name, class or instance. */
        static const char *const names[] = {"sqlserverwriter", "{A65FAA63-5ea8-4ebc-9dbd-a0c4db26912a}",
                                            "aaaaaaaa-0000-0000-0000-000000000002"};
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            PB(CreateSnapshot) wish = make_wish();
            char *tolerated[] = {(char *)(uintptr_t)names[j]};
            wish.writers_tolerated = tolerated;
            wish.n_writers_tolerated = 1;
            id = client_create(world, client, &wish);
            world_run(world);
            const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
            assert_true(snapshot->n_warnings > 0);
            if (rows[i].after == PB_METHOD(DO_SNAPSHOT_SET)) {
                assert_int_equal(snapshot->consistency,
                                 PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
                assert_true(snapshot->writers[1]->tolerated);
            }
        }
        world_end(world);
    }
}

static void test_unknown_writer_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_writer_fails(world, 2, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    world_writer_fails(world, 0, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    assert_int_equal(client_status(client, id)->n_writers, 2);
    assert_string_equal(client_status(client, id)->writers[1]->host_service, "");
    /* One of two is tolerated: the other still counts. */
    PB(CreateSnapshot) wish = make_wish();
    char *tolerated[] = {(char *)(uintptr_t) "System Writer"};
    wish.writers_tolerated = tolerated;
    wish.n_writers_tolerated = 1;
    id = client_create(world, client, &wish);
    world_run(world);
    assert_int_equal(client_status(client, id)->n_writers, 1);
    assert_string_equal(client_status(client, id)->writers[0]->name, "Acme Writer");
    world_end(world);
}

static void test_required_writer(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    char *names[] = {(char *)(uintptr_t) "System Writer", (char *)(uintptr_t) "Exchange"};
    wish.writers_required = names;
    wish.n_writers_required = 2;
    const PB(Status) *status = refused(world, &wish);
    assert_string_equal(status->reason, "WRITER_MISSING");
    assert_non_null(strstr(status->message, "Exchange"));
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
    wish.n_writers_required = 1;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

static void test_excluded_writers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t attempts; /* a name that no table knows costs one more gathering */
        size_t writers;
        size_t warnings;
    } rows[] = {{"SqlServerWriter", 1, 2, 0},
                {"{a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}", 1, 2, 0},
                {"acme writer", 2, 2, 0},
                {"No such writer", 1, 3, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        PB(CreateSnapshot) wish = make_wish();
        char *names[] = {(char *)(uintptr_t)rows[i].name};
        wish.writers_excluded = names;
        wish.n_writers_excluded = 1;
        uint32_t id = client_create(world, client, &wish);
        world_run(world);
        const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
        assert_int_equal(snapshot->attempts, rows[i].attempts);
        assert_int_equal(snapshot->n_writers, rows[i].writers);
        assert_int_equal(snapshot->n_warnings, rows[i].warnings);
        assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
        assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
        world_end(world);
    }
    /* VSS goes on listing one that it was told to leave out. */
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    char *names[] = {(char *)(uintptr_t) "aaaaaaaa-0000-0000-0000-000000000001"};
    wish.writers_excluded = names;
    wish.n_writers_excluded = 1;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_int_equal(client_snapshot_reply(client, id)->n_writers, 2);
    assert_int_equal(client_snapshot_reply(client, id)->attempts, 1);
    /* An instance that stays is no reason to leave out its whole class. */
    world_rule(world, PB_METHOD(DISABLE_WRITER_INSTANCES), 0, ACT_FAIL, 0);
    assert_string_equal(refused(world, &wish)->reason, "WRITER_NOT_EXCLUDED");
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DISABLE_WRITER_CLASSES), 0, ACT_FAIL, 0);
    names[0] = (char *)(uintptr_t) "SqlServerWriter";
    assert_string_equal(refused(world, &wish)->reason, "WRITER_NOT_EXCLUDED");
    world_end(world);
}

/* A name may mean several classes: all go in one pass. And names that mean the same are harmless. */
static void test_excluded_by_one_name(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    world->all_one_name = true;
    char *names[] = {(char *)(uintptr_t) "Acme Writer"};
    wish.writers_excluded = names;
    wish.n_writers_excluded = 1;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_int_equal(client_snapshot_reply(client, id)->n_writers, 0);
    assert_int_equal(client_snapshot_reply(client, id)->attempts, 2);
    world_end(world);
}

/* ---- completion ---- */

static uint32_t full_backup(struct world *world, struct peer *client)
{
    PB(CreateSnapshot) wish = make_wish();
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    wish.allow_types_without_components = true;
    wish.bootable = true;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_int_equal(world->requesters[0].backup_type, 1);
    return id;
}

static void test_full_backup(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
        const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, full_backup(world, client));
        uint32_t finish = 0;
        if (round == 0)
            finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        else if (round == 1)
            finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_FAILED));
        else if (round == 2)
            peer_close(world, client);
        else if (round == 3)
            broker_stop(world->broker, BROKER_STOP_END);
        else
            world_advance(world, 2 * 3600 * 1000); /* never completed early */
        world_run(world);
        if (finish != 0)
            assert_int_equal(client_finish_reply(client, finish)->completion,
                             round == 0 ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                                        : PB_VALUE(COMPLETION, COMPLETION_ABORTED));
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), round == 0);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), round > 0 && round < 4);
        assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), round < 4);
        world_end(world);
    }
}

/* COPY: the writers are told in any case. */
static void test_copy_is_always_completed(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        if (round == 0)
            client_finish(world, client, client_snapshot_reply(client, id),
                          PB_VALUE(OUTCOME, OUTCOME_FAILED));
        else if (round == 1)
            peer_close(world, client);
        else
            broker_stop(world->broker, BROKER_STOP_END);
        world_run(world);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
        assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
        world_end(world);
    }
}

static void test_complete_within(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        PB(CreateSnapshot) wish = make_wish();
        wish.complete_within_ms = 60000;
        uint32_t id = client_create(world, client, &wish);
        world_advance(world, 59999);
        const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
        if (round == 1)
            world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_FAIL_ASYNC, 0x80042315u);
        else if (round == 2)
            world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_STUCK, 0);
        else if (round == 3)
            world_rule(world, PB_METHOD(GET_WRITER_STATUS_EX), 1, ACT_STUCK, 0);
        world_advance(world, 2);
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 0); /* it is still being read */
        if (round >= 2)
            world_advance(world, 20 * 60 * 1000); /* past every limit: reading goes on */
        uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        world_advance(world, 10 * 60 * 1000);
        if (round == 0)
            assert_int_equal(client_finish_reply(client, finish)->completion,
                             PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
        else
            assert_string_equal(client_status(client, finish)->method,
                                round == 3 ? "GetWriterStatusEx" : "BackupComplete");
        assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), round == 1);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* The lease ends while BackupComplete runs early. */
static void test_finish_during_early_completion(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    world_advance(world, 3600 * 1000);
    uint32_t finish =
        client_finish(world, client, client_snapshot_reply(client, id), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_null(client_final(client, finish));
    requester_resume(world, world_hanging(world, PB_METHOD(BACKUP_COMPLETE)));
    assert_int_equal(client_finish_reply(client, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
    world_end(world);
}

static void test_completion_fails(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        if (round == 0)
            world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_FAIL_ASYNC, 0x80042315u);
        else if (round == 1)
            world_writer_fails(world, 0, PB_METHOD(BACKUP_COMPLETE), 12, 0x800423F4u);
        else if (round == 2)
            world_rule(world, PB_METHOD(GET_WRITER_STATUS_EX), 2, ACT_DIE, 0);
        else
            world_rule(world, PB_METHOD(GET_WRITER_STATUS_EX), 1, ACT_FAIL, 0x80042308u);
        uint32_t finish = client_finish(world, client, client_snapshot_reply(client, id),
                                        PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        world_run(world);
        if (round == 1) {
            const PB(FinishReply) *reply = client_finish_reply(client, finish);
            assert_int_equal(reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
            assert_int_equal(reply->n_warnings, 1);
            assert_true(reply->writers[0]->failed);
        } else if (round == 2) {
            assert_string_equal(client_status(client, finish)->reason, "REQUESTER_DIED");
        } else {
            const PB(Status) *status = client_status(client, finish);
            assert_string_equal(status->method, round == 0 ? "BackupComplete" : "GetWriterStatusEx");
            assert_int_equal(status->phase, PB_PHASE(COMPLETING));
            /* Once BackupComplete has succeeded there is nothing left to abort. */
            assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), round == 0);
            assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
        }
        world_end(world);
    }
}

static void test_abort_and_release_fail(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_FAIL, 0x8004230Cu);
    world_rule(world, PB_METHOD(ABORT_BACKUP), 1, ACT_FAIL, 0x80042302u);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    assert_string_equal(client_status(client, id)->hresult_name, "VSS_E_VOLUME_NOT_SUPPORTED");
    /* The set stays open until Release: nobody else is let through the gate. */
    uint32_t next = client_snapshot(world, client, "C:");
    world_run(world);
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 1);
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    (void)client_snapshot_reply(client, next);
    assert_int_equal(world->in_progress_answers, 0);
    /* Release that never returns: the process is killed. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 0, ACT_STUCK, 0);
    uint32_t finish = client_finish(world, client, client_snapshot_reply(client, next),
                                    PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    (void)client_finish_reply(client, finish); /* which the client need not wait for */
    world_advance(world, 241 * 1000);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- leases ---- */

static const PB(Envelope) * finish_with(struct world *world, struct peer *peer, const char *lease,
                                        const char *token, PB(Outcome) outcome)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    finish.lease_id = (char *)(uintptr_t)lease;
    finish.token = (char *)(uintptr_t)token;
    finish.outcome = outcome;
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    assert_non_null(client_final(peer, id));
    return client_final(peer, id);
}

static void test_who_may_finish(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS); /* the same owner, but no token */
    struct peer *manager = client_connect(world, "S-1-5-21-9", ALL_RIGHTS);
    const PB(SnapshotReply) * snapshots[4];
    for (int i = 0; i < 4; i++) {
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        snapshots[i] = client_snapshot_reply(client, id);
    }
    const char *lease = snapshots[0]->lease_id;
    assert_string_equal(finish_with(world, other, lease, "", good)->status->reason, "LEASE_NOT_YOURS");
    assert_string_equal(finish_with(world, other, lease, snapshots[1]->token, good)->status->reason,
                        "LEASE_NOT_YOURS");
    assert_string_equal(finish_with(world, other, "nonsense", "", good)->status->reason, "UNKNOWN_LEASE");
    assert_string_equal(finish_with(world, client, lease, "", 0)->status->reason, "NO_OUTCOME");
    PB(ComponentOutcome) component = SHADOWPIPE__V1__COMPONENT_OUTCOME__INIT;
    PB(ComponentOutcome) * components[] = {&component};
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    finish.lease_id = (char *)(uintptr_t)lease;
    finish.outcome = good;
    finish.components = components;
    finish.n_components = 1;
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_COMPONENT");
    assert_int_equal(finish_with(world, client, lease, "", good)->body_case, PB_BODY(FINISH_REPLY));
    assert_string_equal(finish_with(world, client, lease, "", good)->status->reason, "UNKNOWN_LEASE");
    assert_int_equal(finish_with(world, other, snapshots[1]->lease_id, snapshots[1]->token, good)->body_case,
                     PB_BODY(FINISH_REPLY));
    assert_int_equal(finish_with(world, manager, snapshots[2]->lease_id, "", good)->body_case,
                     PB_BODY(FINISH_REPLY));
    /* The last ends with its connection. */
    peer_close(world, client);
    world_run(world);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_lost_lease(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    requester_die(world, &world->requesters[0], 0xC0000005u);
    world_run(world);
    const PB(Envelope) * final =
        finish_with(world, client, snapshot->lease_id, "", PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    assert_string_equal(final->status->reason, "SNAPSHOT_LOST");
    assert_int_equal(final->status->code, PB_CODE(DATA_LOSS));
    /* A dead holder of finished copies holds nobody up. */
    id = client_snapshot(world, client, "C:");
    world_run(world);
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

static void test_finish_is_stopped(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
        PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
        finish.lease_id = client_snapshot_reply(client, id)->lease_id;
        finish.outcome = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
        PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish);
        envelope.timeout_ms = 1000;
        id = client_send(world, client, &envelope);
        world_run(world);
        if (round == 0)
            client_cancel(world, client, id);
        else if (round == 1)
            world_advance(world, 1000);
        else
            peer_close(world, client);
        world_run(world);
        if (round < 2)
            assert_string_equal(client_status(client, id)->reason, round == 0 ? "CANCELLED" : "DEADLINE");
        requester_resume(world, world_hanging(world, PB_METHOD(BACKUP_COMPLETE))); /* it went on */
        assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
        world_end(world);
    }
}

/* What a client calls itself cannot look like a line of the service's log. */
static void test_log_lines_stay_whole(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    wish.purpose = (char *)(uintptr_t) "nightly\r\n12:00 all is well\x7f";
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    (void)client_snapshot_reply(client, id);
    assert_non_null(strstr(world->log, "nightly  12:00 all is well "));
    world_end(world);
}

/* An open COPY backup holds up other programs' own. */
static void test_complete_within_only_shortens(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = make_wish();
    wish.complete_within_ms = 24 * 3600 * 1000;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    (void)client_snapshot_reply(client, id);
    world_advance(world, 3600 * 1000 - 1);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
    world_advance(world, 1);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
    world_end(world);
}

/* The only one there waits for nobody. */
static void test_first_progress(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    for (size_t i = 0; i < client->frames_count; i++) {
        if (client->frames[i]->id == id && client->frames[i]->body_case == PB_BODY(PROGRESS))
            assert_int_equal(client->frames[i]->progress->waiting_for,
                             PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING));
    }
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_happy_path),
        cmocka_unit_test(test_without_writers),
        cmocka_unit_test(test_invalid_wishes),
        cmocka_unit_test(test_prepare_codes),
        cmocka_unit_test(test_insufficient_storage),
        cmocka_unit_test(test_unexpected_is_repeated_once),
        cmocka_unit_test(test_second_freeze),
        cmocka_unit_test(test_no_time_for_a_second_freeze),
        cmocka_unit_test(test_end_between_attempts),
        cmocka_unit_test(test_writer_fails),
        cmocka_unit_test(test_unknown_writer_fails),
        cmocka_unit_test(test_required_writer),
        cmocka_unit_test(test_excluded_writers),
        cmocka_unit_test(test_excluded_by_one_name),
        cmocka_unit_test(test_log_lines_stay_whole),
        cmocka_unit_test(test_complete_within_only_shortens),
        cmocka_unit_test(test_first_progress),
        cmocka_unit_test(test_full_backup),
        cmocka_unit_test(test_copy_is_always_completed),
        cmocka_unit_test(test_complete_within),
        cmocka_unit_test(test_finish_during_early_completion),
        cmocka_unit_test(test_completion_fails),
        cmocka_unit_test(test_abort_and_release_fail),
        cmocka_unit_test(test_who_may_finish),
        cmocka_unit_test(test_lost_lease),
        cmocka_unit_test(test_finish_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
