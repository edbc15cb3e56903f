#include <process.h>
#include <string.h>

#include "client/lib/pipe.h"
#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_fake_server.h"
#include "tests/unit/cmocka_all.h"

enum {
    LIMIT_MS = 60000
};

static struct fake_server server;
static struct sp_error *error;

static struct sp_client *connect_to(const char *pipe, uint32_t timeout_ms)
{
    struct sp_connect_options options = {.pipe = pipe, .client_name = "test", .timeout_ms = timeout_ms};
    return sp_connect(&options, &error);
}

static struct sp_client *connect_to_scene(void (*scene)(struct fake_server *server))
{
    fake_server_start(&server, scene);
    struct sp_client *client = connect_to(server.pipe, LIMIT_MS);
    if (!client)
        fail_msg("cannot connect: %s", error->message);
    return client;
}

static void expect_error(enum sp_code code, const char *reason)
{
    assert_non_null(error);
    assert_string_equal(error->reason, reason);
    assert_int_equal(error->code, code);
    assert_true(strlen(error->message) > 0);
    sp_error_free(error);
    error = NULL;
}

static struct sp_snapshot *take_snapshot(struct sp_client *client, struct sp_snapshot_request *request)
{
    static const char *const volumes[] = {"C:"};
    request->volumes = volumes;
    request->volumes_count = 1;
    return sp_create_snapshot(client, request, &error);
}

static void end(struct sp_client *client)
{
    sp_close(client);
    fake_server_stop(&server);
    assert_null(error);
}

/* ---- connecting ---- */

static void scene_greet_only(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_receive(fake);
}

static void a_greeting_tells_about_the_server(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_greet_only);
    const struct sp_server *about = sp_get_server(client);
    assert_string_equal(about->version, "9.9.9");
    assert_int_equal(about->protocol_major, 1);
    assert_true(about->simulated);
    assert_string_equal(about->caller_sid, "S-1-5-18");
    assert_int_equal(about->rights, 1 << 1 | 1 << 2);
    assert_int_equal(about->max_request_bytes, FRAME_LIMIT_REQUEST_BYTES);
    assert_false(sp_wait_closed(client, 0));
    end(client);
}

static void the_environment_names_the_pipe(void **state)
{
    (void)state;
    fake_server_start(&server, scene_greet_only);
    /* The short form, too. */
    assert_true(SetEnvironmentVariableA("SHADOWPIPE_PIPE", server.pipe + strlen("\\\\.\\pipe\\")));
    struct sp_client *client = sp_connect(NULL, &error);
    assert_true(SetEnvironmentVariableA("SHADOWPIPE_PIPE", NULL));
    assert_non_null(client);
    end(client);
}

static void nobody_listens(void **state)
{
    (void)state;
    assert_null(connect_to("shadowpipe-test-nobody", 0));
    expect_error(SP_UNAVAILABLE, "NO_SERVICE");
    assert_null(sp_connect(NULL, NULL)); /* the default pipe, and nobody wants to know why */
}

static void bad_names_are_refused(void **state)
{
    static const char *const bad[] = {"\\\\server\\pipe\\x", "\\\\.\\mailslot\\x", "\xff"};
    char endless[1000];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(connect_to(bad[i], 0));
        expect_error(SP_INVALID_ARGUMENT, "BAD_ARGUMENT");
    }
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    assert_null(connect_to(endless, 0));
    expect_error(SP_INVALID_ARGUMENT, "BAD_ARGUMENT");
}

static void a_busy_pipe_is_waited_for(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_greet_only);
    assert_null(connect_to(server.pipe, 300));
    expect_error(SP_UNAVAILABLE, "PIPE_BUSY");
    end(client);
}

static void scene_silent(struct fake_server *fake)
{
    (void)fake_expect(fake, PB_BODY(HELLO));
    while (fake_receive(fake))
        ;
}

static void a_silent_server_times_out(void **state)
{
    (void)state;
    fake_server_start(&server, scene_silent);
    assert_null(connect_to(server.pipe, 200));
    expect_error(SP_DEADLINE_EXCEEDED, "TIMEOUT");
    fake_server_stop(&server);
}

static void scene_refuse(struct fake_server *fake)
{
    fake_send_status(fake, fake_expect(fake, PB_BODY(HELLO))->id, PB_CODE(UNAUTHENTICATED), "NO_IDENTITY");
    (void)fake_receive(fake);
}

static void a_refused_greeting_says_why(void **state)
{
    (void)state;
    fake_server_start(&server, scene_refuse);
    assert_null(connect_to(server.pipe, LIMIT_MS));
    expect_error(SP_UNAUTHENTICATED, "NO_IDENTITY");
    fake_server_stop(&server);
}

static void scene_other_major(struct fake_server *fake)
{
    PB(HelloReply) hello = SHADOWPIPE__V1__HELLO_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = fake_expect(fake, PB_BODY(HELLO))->id;
    hello.major = 2;
    reply.body_case = PB_BODY(HELLO_REPLY);
    reply.hello_reply = &hello;
    fake_send(fake, &reply);
    (void)fake_receive(fake);
}

static void another_protocol_is_refused(void **state)
{
    (void)state;
    fake_server_start(&server, scene_other_major);
    assert_null(connect_to(server.pipe, LIMIT_MS));
    expect_error(SP_UNIMPLEMENTED, "UNEXPECTED_REPLY");
    fake_server_stop(&server);
}

/* Wine does not act on these flags, so the flags themselves are looked at. The service grants 0x12019B. */
static void the_pipe_is_opened_with_care(void **state)
{
    struct pipe_name name;
    (void)state;
    assert_int_equal(PIPE_ACCESS & ~0x12019B, 0);
    assert_int_equal(PIPE_ACCESS & FILE_CREATE_PIPE_INSTANCE, 0);
    assert_int_equal(PIPE_ACCESS & READ_CONTROL, READ_CONTROL);
    assert_int_equal(PIPE_FLAGS & SECURITY_SQOS_PRESENT, SECURITY_SQOS_PRESENT);
    assert_int_equal(PIPE_FLAGS & SECURITY_VALID_SQOS_FLAGS & ~SECURITY_SQOS_PRESENT,
                     SECURITY_IDENTIFICATION);
    assert_true(pipe_name_resolve(NULL, &name, NULL));
    assert_string_equal(name.text, SP_DEFAULT_PIPE);
    assert_true(name.is_default);
}

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

/* ---- a server that misbehaves ---- */

static void scene_vanish(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
}

static void a_vanished_server_ends_everything(void **state)
{
    struct sp_snapshot_request request = {0};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_vanish);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    assert_true(sp_wait_closed(client, LIMIT_MS));
    assert_null(sp_list_volumes(client, 0, &error));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    end(client);
}

static void scene_bad_length(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    fake_send_bytes(fake, "HTTP/1.1", 8);
    (void)fake_receive(fake);
}

static void scene_bad_envelope(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    fake_send_bytes(fake, "\0\0\0\4\xff\xff\xff\xff", 8);
    (void)fake_receive(fake);
}

static void scene_no_id(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    fake_send_finish(fake, 0);
    (void)fake_receive(fake);
}

static void scene_last_words(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    fake_send_status(fake, 0, PB_CODE(UNAVAILABLE), "SERVICE_STOPPING");
    (void)fake_receive(fake);
}

static void scene_wrong_body(struct fake_server *fake)
{
    fake_greet(fake);
    uint32_t id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    fake_send_finish(fake, id + 1000); /* nobody asked for it: passed over */
    fake_send_finish(fake, id);
    (void)fake_receive(fake);
}

static void nonsense_is_an_error(void **state)
{
    static const struct {
        void (*scene)(struct fake_server *server);
        enum sp_code code;
        const char *reason;
    } cases[] = {{scene_bad_length, SP_DATA_LOSS, "MALFORMED_REPLY"},
                 {scene_bad_envelope, SP_DATA_LOSS, "MALFORMED_REPLY"},
                 {scene_no_id, SP_INTERNAL, "UNEXPECTED_REPLY"},
                 {scene_last_words, SP_UNAVAILABLE, "SERVICE_STOPPING"},
                 {scene_wrong_body, SP_INTERNAL, "UNEXPECTED_REPLY"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sp_snapshot_request request = {0};
        struct sp_client *client = connect_to_scene(cases[i].scene);
        assert_null(take_snapshot(client, &request));
        expect_error(cases[i].code, cases[i].reason);
        end(client);
    }
}

static void scene_nothing_asked(struct fake_server *fake)
{
    fake_greet(fake);
    if (fake_receive(fake))
        SetEvent(fake->reached);
}

static void large_requests_are_not_sent(void **state)
{
    static char large[FRAME_LIMIT_REQUEST_BYTES];
    struct sp_snapshot_request request = {.purpose = large};
    (void)state;
    memset(large, 'x', sizeof large - 1);
    struct sp_client *client = connect_to_scene(scene_nothing_asked);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_INVALID_ARGUMENT, "TOO_LARGE");
    assert_int_equal(WaitForSingleObject(server.reached, 0), WAIT_TIMEOUT);
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

static void the_version_is_one(void **state)
{
    (void)state;
    assert_string_equal(sp_version(), SHADOWPIPE_VERSION);
    assert_string_equal(SP_VERSION, SHADOWPIPE_VERSION);
}

static int forget_environment(void **state)
{
    (void)state;
    SetEnvironmentVariableA("SHADOWPIPE_PIPE", NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_tells_about_the_server),
        cmocka_unit_test(the_environment_names_the_pipe),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(a_busy_pipe_is_waited_for),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(a_refused_greeting_says_why),
        cmocka_unit_test(another_protocol_is_refused),
        cmocka_unit_test(the_pipe_is_opened_with_care),
        cmocka_unit_test(a_snapshot_is_taken_and_finished),
        cmocka_unit_test(a_failure_has_all_its_parts),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(a_late_snapshot_is_given_back),
        cmocka_unit_test(a_vanished_server_ends_everything),
        cmocka_unit_test(nonsense_is_an_error),
        cmocka_unit_test(large_requests_are_not_sent),
        cmocka_unit_test(lists_come_whole),
        cmocka_unit_test(the_version_is_one),
    };
    return cmocka_run_group_tests(tests, forget_environment, NULL);
}
