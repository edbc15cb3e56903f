/* The calls of the library: snapshots taken, failed, cancelled and late; lists. */
#include <process.h>
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

/* ---- snapshots ---- */

static void scene_snapshot(struct fake_server *fake)
{
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    uint32_t id = request->id;
    bool right = request->timeout_ms == 5000 && request->create_snapshot->n_volumes == 1 &&
                 strcmp(request->create_snapshot->purpose, "p") == 0;
    if (!right)
        fake_send_status(fake, id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    fake_send_progress(fake, id, PB_PHASE(QUEUED), 2);
    WaitForSingleObject(fake->go, LIMIT_MS);
    fake_send_progress(fake, id, PB_PHASE(CREATING), 0);
    WaitForSingleObject(fake->go, LIMIT_MS);
    fake_send_snapshot(fake, id, "lease");
    request = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    right = strcmp(request->finish_backup->lease_id, "lease") == 0 &&
            request->finish_backup->outcome == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    if (right)
        fake_send_finish(fake, request->id);
    else
        fake_send_status(fake, request->id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    request = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    fake_send_status(fake, request->id, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE");
    (void)fake_receive(fake);
}

static void note_progress(void *context, const struct sp_progress *progress)
{
    char *phases = context;
    strcat(phases, progress->phase);
    strcat(phases, progress->queue_position == 2 ? "2 " : " ");
    assert_string_equal(progress->waiting_for, "OWN_SET");
    SetEvent(server.go);
}

static void a_snapshot_is_taken_and_finished(void **state)
{
    char phases[100] = "";
    struct sp_snapshot_request request = {
        .purpose = "p", .timeout_ms = 5000, .on_progress = note_progress, .context = phases};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_snapshot);
    struct sp_snapshot *snapshot = take_snapshot(client, &request);
    assert_non_null(snapshot);
    assert_string_equal(phases, "QUEUED2 CREATING ");
    assert_string_equal(snapshot->lease_id, "lease");
    assert_string_equal(snapshot->token, "secret");
    assert_true(snapshot->created_ms == 1764407227123);
    assert_int_equal(snapshot->consistency, SP_CONSISTENCY_APPLICATION);
    assert_int_equal(snapshot->volumes_count, 1);
    assert_string_equal(snapshot->volumes[0].volume_names[0], "C:\\");
    assert_string_equal(snapshot->volumes[0].device_root, "\\\\?\\C:\\copy\\");
    assert_string_equal(snapshot->volumes[0].provider_id, "");
    assert_string_equal(snapshot->map[0].original, "C:\\");
    assert_string_equal(snapshot->uncovered[0].reason, "FAT");
    assert_string_equal(snapshot->writers[0].state_name, "STABLE");
    assert_int_equal(snapshot->writers[0].state, 1);
    assert_string_equal(snapshot->warnings[0], "a warning");
    assert_true(sp_finish(client, snapshot->lease_id, snapshot->token, true, 0, NULL, &error));
    assert_false(sp_finish(client, snapshot->lease_id, NULL, true, 0, NULL, &error));
    expect_error(SP_NOT_FOUND, "UNKNOWN_LEASE");
    sp_snapshot_free(snapshot);
    end(client);
}

static void scene_writer_fails(struct fake_server *fake)
{
    PB(WriterStatus) writer = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) * writers[] = {&writer};
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    reply.id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    writer.name = "SqlServerWriter";
    writer.state = PB_VALUE(WRITER_STATE, WRITER_STATE_FAILED_AT_FREEZE);
    writer.hresult = 0x800423f2;
    writer.host_service = "MSSQLSERVER";
    status.code = PB_CODE(ABORTED);
    status.reason = "WRITER_FAILED";
    status.message = "A writer failed.";
    status.hresult = 0x80042319;
    status.method = "DoSnapshotSet";
    status.phase = PB_PHASE(CREATING);
    status.retry = PB_VALUE(RETRY, RETRY_LATER);
    status.retry_after_ms = 600000;
    status.writers = writers;
    status.n_writers = 1;
    reply.body_case = PB_BODY(STATUS);
    reply.status = &status;
    fake_send(fake, &reply);
    (void)fake_receive(fake);
}

static void a_failure_has_all_its_parts(void **state)
{
    struct sp_snapshot_request request = {0};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_writer_fails);
    assert_null(take_snapshot(client, &request));
    assert_int_equal(error->hresult, 0x80042319);
    assert_string_equal(error->method, "DoSnapshotSet");
    assert_string_equal(error->phase, "CREATING");
    assert_string_equal(error->advice, "");
    assert_int_equal(error->retry, SP_RETRY_LATER);
    assert_int_equal(error->retry_after_ms, 600000);
    assert_int_equal(error->writers_count, 1);
    assert_string_equal(error->writers[0].name, "SqlServerWriter");
    assert_string_equal(error->writers[0].state_name, "FAILED_AT_FREEZE");
    assert_string_equal(error->writers[0].host_service, "MSSQLSERVER");
    expect_error(SP_ABORTED, "WRITER_FAILED");
    end(client);
}

static void scene_cancelled(struct fake_server *fake)
{
    fake_greet(fake);
    uint32_t id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    SetEvent(fake->reached);
    const PB(Envelope) *cancel = fake_expect(fake, PB_BODY(CANCEL));
    bool right = cancel->cancel->id == id && cancel->cancel->connection_id == 0 && cancel->id != id;
    fake_send_status(fake, id, right ? PB_CODE(CANCELLED) : PB_CODE(INTERNAL), "CANCELLED");
    (void)fake_receive(fake);
}

static unsigned __stdcall cancel_when_reached(void *context)
{
    WaitForSingleObject(server.reached, LIMIT_MS);
    sp_cancel_now(context);
    return 0;
}

static void another_thread_cancels(void **state)
{
    struct sp_snapshot_request request = {.cancel = sp_cancel_create()};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_cancelled);
    HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, cancel_when_reached, request.cancel, 0, NULL);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_CANCELLED, "CANCELLED");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    end(client);
    sp_cancel_free(request.cancel);
}

/* The snapshot comes when nobody waits for it any more: the library gives it back. */
static void scene_too_late(struct fake_server *fake)
{
    fake_greet(fake);
    uint32_t id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    (void)fake_expect(fake, PB_BODY(CANCEL));
    fake_send_snapshot(fake, id, "late");
    const PB(Envelope) *finish = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    bool right = strcmp(finish->finish_backup->lease_id, "late") == 0 &&
                 finish->finish_backup->outcome == PB_VALUE(OUTCOME, OUTCOME_FAILED);
    if (right)
        SetEvent(fake->reached);
    fake_send_finish(fake, finish->id);
    (void)fake_receive(fake);
}

static void a_late_snapshot_is_given_back(void **state)
{
    struct sp_snapshot_request request = {.timeout_ms = 1};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_too_late);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_DEADLINE_EXCEEDED, "TIMEOUT");
    assert_int_equal(WaitForSingleObject(server.reached, LIMIT_MS), WAIT_OBJECT_0);
    end(client);
}

/* ---- lists ---- */

static void send_writer(struct fake_server *fake, uint32_t id, const char *name)
{
    PB(WriterStatus) status = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(Writer) writer = SHADOWPIPE__V1__WRITER__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    status.name = (char *)name;
    writer.status = &status;
    reply.body_case = PB_BODY(WRITER);
    reply.writer = &writer;
    fake_send(fake, &reply);
}

static void scene_lists(struct fake_server *fake)
{
    static char *names[] = {"C:\\"};
    PB(Volume) volume = SHADOWPIPE__V1__VOLUME__INIT;
    PB(Volume) * all_volumes[] = {&volume};
    PB(VolumesReply) volumes = SHADOWPIPE__V1__VOLUMES_REPLY__INIT;
    PB(ProvidersReply) providers = SHADOWPIPE__V1__PROVIDERS_REPLY__INIT;
    PB(Provider) provider = SHADOWPIPE__V1__PROVIDER__INIT;
    PB(Provider) * all_providers[] = {&provider};
    PB(WritersReply) writers = SHADOWPIPE__V1__WRITERS_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    volume.names = names;
    volume.n_names = 1;
    volume.total_bytes = 1ull << 40;
    volume.supported = true;
    volumes.volumes = all_volumes;
    volumes.n_volumes = 1;
    volumes.age_ms = 5;
    reply.id = fake_expect(fake, PB_BODY(LIST_VOLUMES))->id;
    reply.body_case = PB_BODY(VOLUMES_REPLY);
    reply.volumes_reply = &volumes;
    fake_send(fake, &reply);
    provider.name = "Microsoft";
    provider.type = PB_VALUE(PROVIDER_TYPE, PROVIDER_TYPE_SYSTEM);
    providers.providers = all_providers;
    providers.n_providers = 1;
    reply.id = fake_expect(fake, PB_BODY(LIST_PROVIDERS))->id;
    reply.body_case = PB_BODY(PROVIDERS_REPLY);
    reply.providers_reply = &providers;
    fake_send(fake, &reply);
    reply.id = fake_expect(fake, PB_BODY(LIST_WRITERS))->id;
    for (int i = 0; i < 100; i++)
        send_writer(fake, reply.id, i == 99 ? "last" : "writer");
    writers.count = 100;
    reply.body_case = PB_BODY(WRITERS_REPLY);
    reply.writers_reply = &writers;
    fake_send(fake, &reply);
    (void)fake_receive(fake);
}

static void lists_come_whole(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_lists);
    struct sp_volumes *volumes = sp_list_volumes(client, 0, &error);
    assert_non_null(volumes);
    assert_int_equal(volumes->volumes_count, 1);
    assert_string_equal(volumes->volumes[0].names[0], "C:\\");
    assert_true(volumes->volumes[0].total_bytes == 1ull << 40);
    assert_true(volumes->volumes[0].supported);
    assert_int_equal(volumes->age_ms, 5);
    sp_volumes_free(volumes);
    struct sp_providers *providers = sp_list_providers(client, 0, &error);
    assert_non_null(providers);
    assert_string_equal(providers->providers[0].name, "Microsoft");
    assert_int_equal(providers->providers[0].type, 1);
    sp_providers_free(providers);
    struct sp_writers *writers = sp_list_writers(client, 0, &error);
    assert_non_null(writers);
    assert_int_equal(writers->writers_count, 100);
    assert_string_equal(writers->writers[99].name, "last");
    sp_writers_free(writers);
    end(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_taken_and_finished),
        cmocka_unit_test(a_failure_has_all_its_parts),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(a_late_snapshot_is_given_back),
        cmocka_unit_test(lists_come_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
