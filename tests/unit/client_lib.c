/* The library and its connection: how it begins, and what a server does to it that misbehaves. */
#include <string.h>

#include "client/lib/pipe.h"
#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

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
        cmocka_unit_test(a_vanished_server_ends_everything),
        cmocka_unit_test(nonsense_is_an_error),
        cmocka_unit_test(large_requests_are_not_sent),
        cmocka_unit_test(the_version_is_one),
    };
    return cmocka_run_group_tests(tests, forget_environment, NULL);
}
