/* What is looked at before anything is frozen: dry runs, and room for the copies; and other attempts. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

static const uint32_t maximum_reached = 0x80042317u; /* VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED */

static char *const volumes_cd[] = {(char *)(uintptr_t) "C:", (char *)(uintptr_t) "D:"};

static PB(CreateSnapshot) make_wish(bool is_dry)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = (char **)(uintptr_t)volumes_cd;
    wish.n_volumes = 2;
    wish.dry_run = is_dry;
    return wish;
}

static const PB(SnapshotReply) * create(struct world *world, struct peer *client, PB(CreateSnapshot) * wish)
{
    uint32_t id = client_create(world, client, wish);
    world_run(world);
    return client_snapshot_reply(client, id);
}

static bool warns(const PB(SnapshotReply) * reply, const char *words)
{
    for (size_t i = 0; i < reply->n_warnings; i++) {
        if (strstr(reply->warnings[i], words) != NULL)
            return true;
    }
    return false;
}

/* ---- dry runs ---- */

static void test_dry_run(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(true);
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_string_equal(reply->lease_id, "");
    assert_string_equal(reply->token, "");
    assert_string_equal(reply->set_id, "");
    assert_int_equal(reply->created_ms, 0);
    assert_int_equal(reply->n_map, 0);
    assert_int_equal(reply->n_volumes, 2);
    assert_string_equal(reply->volumes[0]->snapshot_id, "");
    assert_string_equal(reply->volumes[0]->device, "");
    assert_string_equal(reply->volumes[0]->volume_names[0], "C:\\");
    assert_int_equal(reply->n_writers, WRITERS);
    assert_int_equal(reply->writers[0]->state, PB_VALUE(WRITER_STATE, WRITER_STATE_STABLE));
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(reply->context, PB_VALUE(CONTEXT, CONTEXT_BACKUP));
    assert_int_equal(reply->attempts, 1);
    assert_string_equal(
        requester_history(world, 1),
        "CreateVssBackupComponents InitializeForBackup SetContext SetBackupState GatherWriterMetadata "
        "GetWriterMetadataCount GetWriterMetadata*3 IsVolumeSupported*2 CountSnapshots "
        "QueryDiffAreas*2 GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "Release");
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world->broker->counters.snapshots_created, 0);
    assert_true(list_is_empty(&world->broker->leases));
    wish.context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    reply = create(world, client, &wish);
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH));
    assert_int_equal(reply->n_writers, 0);
    assert_int_equal(world_calls(world, PB_METHOD(GATHER_WRITER_STATUS)), 1);
    world_end(world);
}

/* What a writer's last backup has left is told, and no reason to fail: the next one begins anew. */
static void test_dry_run_with_failed_writer(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_writer_fails(world, 2, PB_METHOD(GATHER_WRITER_METADATA), 8, 0x800423F4u);
    PB(CreateSnapshot) wish = make_wish(true);
    static char *const tolerated[] = {(char *)(uintptr_t) "Acme Writer"};
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_true(warns(reply, "Acme Writer"));
    assert_true(warns(reply, "before the backup"));
    assert_true(reply->writers[2]->failed);
    assert_false(reply->writers[2]->tolerated);
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
    wish.writers_tolerated = (char **)(uintptr_t)tolerated;
    wish.n_writers_tolerated = 1;
    assert_true(create(world, client, &wish)->writers[2]->tolerated);
    world_end(world);
}

/* The failures that the real one would have. */
static void test_dry_run_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    static char *const absent[] = {(char *)(uintptr_t) "Absent Writer"};
    PB(CreateSnapshot) wish = make_wish(true);
    wish.writers_required = (char **)(uintptr_t)absent;
    wish.n_writers_required = 1;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "WRITER_MISSING");
    wish = make_wish(true);
    world->unsupported[1] = true;
    id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "VOLUME_NOT_SUPPORTED");
    wish.on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_int_equal(reply->n_volumes, 1);
    assert_int_equal(reply->n_uncovered, 2);
    world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 1, ACT_FAIL, 0x80042318u);
    id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->method, "GatherWriterStatus");
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 0);
    world_end(world);
}

/* It waits for nobody's turn, and takes none. */
static void test_dry_run_beside_others(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t holder = client_snapshot(world, client, "C:");
    uint32_t ahead = client_snapshot(world, client, "D:");
    uint32_t queued = client_snapshot(world, client, "C:");
    world_run(world);
    assert_int_equal(client_progress(client, ahead)->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(client_progress(client, queued)->phase, PB_PHASE(QUEUED));
    PB(CreateSnapshot) wish = make_wish(true);
    assert_int_equal(create(world, other, &wish)->n_volumes, 2);
    /* Two of them one after the other: each asks all writers. */
    world_rule(world, PB_METHOD(COUNT_SNAPSHOTS), 1, ACT_HANG, 0);
    uint32_t first = client_create(world, other, &wish);
    uint32_t second = client_create(world, other, &wish);
    world_run(world);
    assert_int_equal(world_alive(world), 3);
    assert_int_equal(client_progress(other, second)->phase, PB_PHASE(QUEUED));
    requester_resume(world, world_hanging(world, PB_METHOD(COUNT_SNAPSHOTS)));
    assert_int_equal(client_snapshot_reply(other, first)->n_volumes, 2);
    assert_int_equal(client_snapshot_reply(other, second)->n_volumes, 2);
    /* Cancelled while it works. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 1, ACT_HANG, 0);
    first = client_create(world, other, &wish);
    world_run(world);
    client_cancel(world, other, first);
    world_run(world);
    assert_string_equal(client_status(other, first)->reason, "CANCELLED");
    requester_resume(world, world_hanging(world, PB_METHOD(ADD_TO_SNAPSHOT_SET)));
    assert_int_equal(client_snapshot_reply(client, holder)->n_volumes, 1);
    assert_int_equal(client_snapshot_reply(client, queued)->n_volumes, 1);
    world_end(world);
}

/* ---- room ---- */

static void test_no_more_snapshots(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    for (int is_dry = 0; is_dry < 2; is_dry++) {
        PB(CreateSnapshot) wish = make_wish(is_dry != 0);
        world->counted = 512;
        uint32_t id = client_create(world, client, &wish);
        world_run(world);
        const PB(Status) *status = client_status(client, id);
        assert_int_equal(status->hresult, maximum_reached);
        assert_string_equal(status->reason, "VSS_FAILED");
        assert_string_equal(status->method, "AddToSnapshotSet");
        assert_string_equal(status->volume, "C:\\");
        assert_int_equal(status->retry, PB_VALUE(RETRY, RETRY_AFTER_CHANGE));
        assert_true(strlen(status->advice) > 0);
        assert_non_null(strstr(status->message, "512"));
        world->counted = 505;
        const PB(SnapshotReply) *reply = create(world, client, &wish);
        assert_true(warns(reply, "C:\\ has 505 of at most 512 snapshots"));
        assert_int_equal(reply->n_storage, 2);
        assert_int_equal(reply->storage[0]->snapshots, 505);
        assert_int_equal(reply->storage[0]->max_snapshots, 512);
        assert_int_equal(reply->storage[1]->snapshots, 0);
    }
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 1);
    /* Those that clients see through a share have a limit of their own. */
    struct peer *manager = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) shared = make_wish(true);
    shared.context = PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE);
    world->counted = 100;
    world->client_accessible = 63;
    assert_int_equal(create(world, manager, &shared)->storage[0]->max_snapshots, 64);
    world->client_accessible = 64;
    uint32_t full = client_create(world, manager, &shared);
    world_run(world);
    assert_int_equal(client_status(manager, full)->hresult, maximum_reached);
    /* Another provider has other limits. */
    static char *const providers[] = {(char *)(uintptr_t) "0f4eb8fd-7b9f-4925-af80-51abd60b20d5"};
    world->counted = 512;
    PB(CreateSnapshot) wish = make_wish(true);
    wish.providers = (char **)(uintptr_t)providers;
    wish.n_providers = 1;
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_string_equal(reply->volumes[0]->provider_id, providers[0]);
    assert_int_equal(reply->n_storage, 0);
    world_end(world);
}

static void test_shadow_storage(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(true);
    world->area_maximum = 1000ull << 20;
    world->area_used = 950ull << 20;
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_true(warns(reply, "the shadow storage of C:\\ is nearly full (950 of 1000 MiB)"));
    assert_true(warns(reply, "only 0 MiB are free for the shadow storage of C:\\ on D:\\"));
    assert_int_equal(reply->n_storage, 2);
    assert_int_equal(reply->storage[0]->max_snapshots, 0); /* they could not be counted */
    assert_int_equal(reply->storage[0]->n_diff_areas, 1);
    assert_int_equal(reply->storage[0]->diff_areas[0]->used_bytes, 950ull << 20);
    world->area_maximum = UINT64_MAX;
    reply = create(world, client, &wish);
    assert_false(warns(reply, "nearly full"));
    world_end(world);
}

/* A machine that cannot tell still gets its snapshot. */
static void test_room_is_not_known(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world->counted = 512;
    world_rule(world, PB_METHOD(COUNT_SNAPSHOTS), 0, ACT_FAIL, 0x80070005u);
    world_rule(world, PB_METHOD(QUERY_DIFF_AREAS), 0, ACT_FAIL, 0x80040154u);
    PB(CreateSnapshot) wish = make_wish(false);
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_true(strlen(reply->lease_id) > 0);
    assert_int_equal(reply->n_storage, 0);
    assert_int_equal(reply->n_warnings, 0);
    world_end(world);
}

/* ---- other attempts ---- */

enum {
    MINUTE_MS = 60 * 1000
};

static uint32_t create_within(struct world *world, struct peer *client, PB(CreateSnapshot) * wish,
                              uint32_t timeout_ms)
{
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, wish);
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return id;
}

/* Ten minutes, and three times at most; then the client hears what it was. */
static void test_retry_later(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(false);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x80042314u);
    uint32_t id = create_within(world, client, &wish, 60 * MINUTE_MS);
    assert_null(client_final(client, id));
    const PB(Progress) *progress = client_progress(client, id);
    assert_int_equal(progress->phase, PB_PHASE(QUEUED));
    assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY));
    assert_int_equal(progress->expected_wait_ms, 10 * MINUTE_MS);
    assert_int_equal(progress->attempt, 2);
    assert_int_equal(progress->queue_position, 0);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(world_alive(world), 0);
    /* Nobody waits for it meanwhile. */
    uint32_t next = client_snapshot(world, other, "D:");
    world_run(world);
    assert_int_equal(client_snapshot_reply(other, next)->attempts, 1);
    world_advance(world, 10 * MINUTE_MS - 1);
    assert_null(client_final(client, id));
    world_advance(world, 1);
    const PB(SnapshotReply) *reply = client_snapshot_reply(client, id);
    assert_int_equal(reply->attempts, 2);
    assert_true(warns(reply, "VSS_E_HOLD_WRITES_TIMEOUT") || warns(reply, "attempt 1: DoSnapshotSet"));
    /* It does not pass. */
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 0, ACT_FAIL_ASYNC, 0x80042314u);
    id = create_within(world, client, &wish, 60 * MINUTE_MS);
    for (int i = 0; i < 3; i++) {
        assert_null(client_final(client, id));
        world_advance(world, 10 * MINUTE_MS);
    }
    const PB(Status) *status = client_status(client, id);
    assert_int_equal(status->hresult, 0x80042314u);
    assert_int_equal(status->attempts, 4);
    assert_int_equal(status->retry_after_ms, 10 * MINUTE_MS);
    assert_int_equal(status->phase, PB_PHASE(CREATING));
    world_end(world);
}

static void test_no_time_for_later(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(false);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 0, ACT_FAIL_ASYNC, 0x80042314u);
    uint32_t id = create_within(world, client, &wish, 11 * MINUTE_MS - 1);
    assert_int_equal(client_status(client, id)->attempts, 1);
    assert_int_equal(client_status(client, id)->retry_after_ms, 10 * MINUTE_MS);
    /* Cancelled, or without a client, while it waits; or the service stops. */
    id = create_within(world, client, &wish, 60 * MINUTE_MS);
    client_cancel(world, client, id);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "CANCELLED");
    wish.queue_timeout_ms = 1000; /* is for the queue, not for this */
    id = create_within(world, client, &wish, 60 * MINUTE_MS);
    world_advance(world, 5 * MINUTE_MS);
    assert_null(client_final(client, id));
    struct peer *leaver = client_connect(world, NULL, USER_RIGHTS);
    create_within(world, leaver, &wish, 60 * MINUTE_MS);
    peer_close(world, leaver);
    world_run(world);
    assert_int_equal(list_count(&world->broker->queue), 1);
    world_end(world);
}

static void short_queue(struct broker_config *config)
{
    config->max_queue = 1;
}

static void test_no_room_for_later(void **state)
{
    (void)state;
    struct world *world = world_new_with(short_queue);
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(false);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x80042314u);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_STUCK, 0);
    uint32_t id = create_within(world, client, &wish, 60 * MINUTE_MS);
    assert_null(client_final(client, id));
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 0, ACT_HANG, 0);
    uint32_t others[3]; /* one has the turn, one is ready for it, one fills the queue */
    for (size_t i = 0; i < 3; i++) {
        others[i] = client_snapshot(world, client, "C:");
        world_run(world);
    }
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    assert_int_equal(client_status(client, id)->hresult, 0x80042314u);
    assert_int_equal(client_status(client, id)->retry_after_ms, 10 * MINUTE_MS);
    world_clear_rules(world);
    requester_resume(world, world_hanging(world, PB_METHOD(ADD_TO_SNAPSHOT_SET)));
    for (size_t i = 0; i < 3; i++)
        assert_non_null(client_snapshot_reply(client, others[i]));
    world_end(world);
}

/* A writer's own failure has its own time. */
static void test_writer_retries_later(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish(false);
    world_writer_fails(world, 1, PB_METHOD(DO_SNAPSHOT_SET), 9,
                       0x800423F3u); /* VSS_E_WRITERERROR_RETRYABLE */
    uint32_t id = create_within(world, client, &wish, 60 * MINUTE_MS);
    assert_null(client_final(client, id));
    world_clear_rules(world);
    world_advance(world, 10 * MINUTE_MS);
    assert_int_equal(client_snapshot_reply(client, id)->attempts, 2);
    /* One that will fail again. */
    world_writer_fails(world, 1, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    id = create_within(world, client, &wish, 60 * MINUTE_MS);
    assert_string_equal(client_status(client, id)->reason, "WRITER_FAILED");
    world_end(world);
}

static char *const acme[] = {(char *)(uintptr_t) "Acme Writer"};

static PB(CreateSnapshot) make_tolerant_wish(void)
{
    PB(CreateSnapshot) wish = make_wish(false);
    wish.writers_tolerated = (char **)(uintptr_t)acme;
    wish.n_writers_tolerated = 1;
    wish.retry_without_failed = true;
    return wish;
}

/* It failed before anybody was frozen: at once again, without it. */
static void test_without_failed_at_prepare(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_writer_fails(world, 2, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    PB(CreateSnapshot) wish = make_tolerant_wish();
    const PB(SnapshotReply) *reply = create(world, client, &wish);
    assert_int_equal(reply->attempts, 2);
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
    assert_int_equal(reply->n_writers, WRITERS - 1);
    assert_true(warns(reply, "writer Acme Writer failed in attempt 1 and is left out"));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(DO_SNAPSHOT_SET)), 0);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 1);
    assert_int_equal(requester_calls(world, 2, PB_METHOD(DISABLE_WRITER_INSTANCES)), 1);
    /* Not asked for: the same failure is a warning. */
    wish.retry_without_failed = false;
    assert_int_equal(create(world, client, &wish)->attempts, 1);
    /* Another that fails then, or one that is required, ends it. */
    wish = make_tolerant_wish();
    world_writer_fails(world, 1, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "WRITER_FAILED");
    world_end(world);
}

/* It made DoSnapshotSet fail: again without it, but no writer is frozen twice within a minute. */
static void test_without_failed_at_freeze(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x800423F4u);
    world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 2, ACT_FAIL, 0x80042318u);
    PB(CreateSnapshot) wish = make_tolerant_wish();
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    /* The writers could not be asked: the failure is what it was. */
    assert_int_equal(client_status(client, id)->hresult, 0x800423F4u);
    assert_string_equal(client_status(client, id)->method, "DoSnapshotSet");
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x800423F4u);
    id = client_create(world, client, &wish);
    world_run(world);
    assert_int_equal(client_status(client, id)->hresult, 0x800423F4u); /* none of the tolerated ones did */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x800423F4u);
    world_writer_fails(world, 2, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    id = client_create(world, client, &wish);
    world_run(world);
    assert_null(client_final(client, id));
    assert_int_equal(client_progress(client, id)->expected_wait_ms, MINUTE_MS);
    world_advance(world, MINUTE_MS);
    const PB(SnapshotReply) *reply = client_snapshot_reply(client, id);
    assert_int_equal(reply->attempts, 2);
    assert_int_equal(reply->n_writers, WRITERS - 1);
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL));
    /* No time for that minute. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x800423F4u);
    world_writer_fails(world, 2, PB_METHOD(DO_SNAPSHOT_SET), 9, 0x800423F4u);
    id = create_within(world, client, &wish, MINUTE_MS);
    assert_int_equal(client_status(client, id)->hresult, 0x800423F4u);
    world_end(world);
}

/* ---- sessions at the gate ---- */

static const char *open_session(struct world *world, struct peer *client, const char *purpose)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    open.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    open.purpose = (char *)(uintptr_t)purpose;
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &open);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id)->open_session_reply->session_id;
}

static uint32_t start_set(struct world *world, struct peer *client, const char *session_id)
{
    PB(StartSnapshotSet) start = SHADOWPIPE__V1__START_SNAPSHOT_SET__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    call.session_id = (char *)(uintptr_t)session_id;
    call.method_case = PB_METHOD(START_SNAPSHOT_SET);
    call.start_snapshot_set = &start;
    PB(Envelope) envelope = ENVELOPE_OF(CALL, call, &call);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return id;
}

static const PB(ServiceStatus) * ask_status(struct world *world, struct peer *client)
{
    PB(GetServiceStatus) question = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(GET_SERVICE_STATUS, get_service_status, &question);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id)->service_status;
}

static void test_sessions_are_seen(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *manager = client_connect(world, NULL, ALL_RIGHTS);
    struct peer *client = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    const char *first = open_session(world, client, "by hand");
    const char *second = open_session(world, other, "");
    uint32_t holds = start_set(world, client, first);
    assert_int_equal(client_final(client, holds)->call_reply->hresult, 0);
    assert_null(client_progress(client, holds)); /* it had not to wait */
    uint32_t waits = start_set(world, other, second);
    const PB(Progress) *progress = client_progress(other, waits);
    assert_int_equal(progress->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_int_equal(progress->queue_position, 1);
    assert_int_equal(progress->waiting_for, PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET));
    world_advance(world, 2000);
    assert_int_equal(client_progress(other, waits)->elapsed_ms, 2000);
    const PB(ServiceStatus) *status = ask_status(world, manager);
    assert_string_equal(status->gate_holder, "test");
    assert_int_equal(status->gate_phase, PB_PHASE(ADDING_VOLUMES));
    assert_int_equal(status->queue_length, 1);
    assert_int_equal(status->n_sets, 2);
    assert_int_equal(status->sets[0]->phase, PB_PHASE(ADDING_VOLUMES));
    assert_int_equal(status->sets[0]->age_ms, 2000);
    assert_string_equal(status->sets[0]->members[0]->purpose, "by hand");
    assert_string_equal(status->sets[0]->members[0]->owner_sid, "S-1-5-21-1");
    assert_true(strlen(status->sets[0]->set_id) > 0);
    assert_int_equal(status->sets[1]->phase, PB_PHASE(WAITING_FOR_GATE));
    /* Others see that there is one, and no more. */
    status = ask_status(world, other);
    assert_string_equal(status->sets[0]->members[0]->client_name, "test");
    assert_string_equal(status->sets[0]->members[0]->purpose, "");
    peer_close(world, client);
    world_run(world);
    assert_int_equal(client_final(other, waits)->call_reply->hresult, 0);
    assert_int_equal(ask_status(world, manager)->n_sets, 1);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_dry_run_with_failed_writer),
        cmocka_unit_test(test_dry_run_fails),
        cmocka_unit_test(test_dry_run_beside_others),
        cmocka_unit_test(test_no_more_snapshots),
        cmocka_unit_test(test_shadow_storage),
        cmocka_unit_test(test_room_is_not_known),
        cmocka_unit_test(test_retry_later),
        cmocka_unit_test(test_no_time_for_later),
        cmocka_unit_test(test_no_room_for_later),
        cmocka_unit_test(test_writer_retries_later),
        cmocka_unit_test(test_without_failed_at_prepare),
        cmocka_unit_test(test_without_failed_at_freeze),
        cmocka_unit_test(test_sessions_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
