/* The level below the typed calls: bytes of Envelopes, many at once. */
#include <process.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "tests/unit/client_fake_server.h"
#include "tests/unit/cmocka_all.h"

enum {
    LIMIT_MS = 60000,
    THREADS = 8,
    ROUNDS = 50
};

static struct fake_server server;
static struct sp_error *error;

static struct sp_client *connect_to_scene(void (*scene)(struct fake_server *server))
{
    fake_server_start(&server, scene);
    struct sp_connect_options options = {.pipe = server.pipe, .timeout_ms = LIMIT_MS};
    struct sp_client *client = sp_connect(&options, &error);
    assert_non_null(client);
    return client;
}

static void end(struct sp_client *client)
{
    sp_close(client);
    fake_server_stop(&server);
    assert_null(error);
}

static size_t ping_bytes(uint8_t *bytes, const char *payload)
{
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    ping.payload = (ProtobufCBinaryData){strlen(payload), (uint8_t *)payload};
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &ping;
    return shadowpipe__v1__envelope__pack(&envelope, bytes);
}

static struct sp_call *start_ping(struct sp_client *client, const char *payload,
                                  const struct sp_call_options *options)
{
    uint8_t bytes[100];
    return sp_call_start(client, bytes, ping_bytes(bytes, payload), options, &error);
}

static void send_pong(struct fake_server *fake, uint32_t id, const char *payload, size_t size)
{
    PB(PingReply) pong = SHADOWPIPE__V1__PING_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    pong.payload = (ProtobufCBinaryData){size, (uint8_t *)payload};
    reply.body_case = PB_BODY(PING_REPLY);
    reply.ping_reply = &pong;
    fake_send(fake, &reply);
}

/* Is the reply a PingReply with this payload? */
static bool is_pong(const uint8_t *bytes, size_t size, const char *payload)
{
    PB(Envelope) *envelope = shadowpipe__v1__envelope__unpack(NULL, size, bytes);
    bool right = envelope && envelope->body_case == PB_BODY(PING_REPLY) &&
                 envelope->ping_reply->payload.len == strlen(payload) &&
                 memcmp(envelope->ping_reply->payload.data, payload, strlen(payload)) == 0;
    if (envelope)
        shadowpipe__v1__envelope__free_unpacked(envelope, NULL);
    return right;
}

static void scene_backwards(struct fake_server *fake)
{
    uint32_t ids[3];
    fake_greet(fake);
    for (int i = 0; i < 3; i++)
        ids[i] = fake_expect(fake, PB_BODY(PING))->id;
    for (int i = 2; i >= 0; i--)
        send_pong(fake, ids[i], &"abc"[i], 1);
    (void)fake_receive(fake);
}

static void replies_find_their_calls(void **state)
{
    struct sp_call *calls[3];
    (void)state;
    struct sp_client *client = connect_to_scene(scene_backwards);
    for (int i = 0; i < 3; i++) {
        calls[i] = start_ping(client, "x", NULL);
        assert_non_null(calls[i]);
    }
    for (int i = 0; i < 3; i++) {
        const uint8_t *reply;
        size_t size;
        const char expected[2] = {"abc"[i], 0};
        assert_int_equal(sp_call_wait(calls[i], SP_FOREVER, &reply, &size, &error), SP_WAIT_DONE);
        assert_true(is_pong(reply, size, expected));
        /* Asked again, it says the same. */
        assert_int_equal(sp_call_wait(calls[i], 0, &reply, &size, &error), SP_WAIT_DONE);
        sp_call_free(calls[i]);
    }
    end(client);
}

static void scene_echo(struct fake_server *fake)
{
    const PB(Envelope) * request;
    fake_greet(fake);
    while ((request = fake_receive(fake)))
        send_pong(fake, request->id, (const char *)request->ping->payload.data, request->ping->payload.len);
}

static unsigned __stdcall ping_many(void *context)
{
    struct sp_client *client = context;
    unsigned wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char payload[32];
        uint8_t bytes[100];
        const uint8_t *reply;
        size_t size;
        (void)snprintf(payload, sizeof payload, "%lu-%d", GetCurrentThreadId(), i);
        struct sp_call *call = sp_call_start(client, bytes, ping_bytes(bytes, payload), NULL, NULL);
        if (!call || sp_call_wait(call, SP_FOREVER, &reply, &size, NULL) != SP_WAIT_DONE ||
            !is_pong(reply, size, payload))
            wrong++;
        sp_call_free(call);
    }
    return wrong;
}

static void many_threads_share_a_connection(void **state)
{
    HANDLE threads[THREADS];
    (void)state;
    struct sp_client *client = connect_to_scene(scene_echo);
    for (int i = 0; i < THREADS; i++)
        threads[i] = (HANDLE)_beginthreadex(NULL, 0, ping_many, client, 0, NULL);
    for (int i = 0; i < THREADS; i++) {
        DWORD wrong = 1;
        assert_int_equal(WaitForSingleObject(threads[i], LIMIT_MS), WAIT_OBJECT_0);
        assert_true(GetExitCodeThread(threads[i], &wrong));
        assert_int_equal(wrong, 0);
        CloseHandle(threads[i]);
    }
    end(client);
}

static void scene_slow(struct fake_server *fake)
{
    fake_greet(fake);
    uint32_t id = fake_expect(fake, PB_BODY(PING))->id;
    WaitForSingleObject(fake->go, LIMIT_MS);
    fake_send_progress(fake, id, PB_PHASE(QUEUED), 3);
    fake_send_progress(fake, id, PB_PHASE(QUEUED), 2);
    fake_send_progress(fake, id, PB_PHASE(CREATING), 0);
    send_pong(fake, id, "x", 1);
    (void)fake_receive(fake);
    SetEvent(fake->reached);
}

struct seen {
    int frames;
    PB(Phase) last;
};

static void note_frame(void *context, const uint8_t *bytes, size_t size)
{
    struct seen *seen = context;
    PB(Envelope) *envelope = shadowpipe__v1__envelope__unpack(NULL, size, bytes);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(PROGRESS));
    seen->frames++;
    seen->last = envelope->progress->phase;
    shadowpipe__v1__envelope__free_unpacked(envelope, NULL);
}

static void waiting_may_be_broken_off(void **state)
{
    struct seen seen = {0};
    struct sp_call_options options = {.on_frame = note_frame, .context = &seen};
    const uint8_t *reply;
    size_t size;
    (void)state;
    struct sp_client *client = connect_to_scene(scene_slow);
    struct sp_call *call = start_ping(client, "x", &options);
    assert_int_equal(sp_call_wait(call, 0, &reply, &size, &error), SP_WAIT_PENDING);
    assert_int_equal(sp_call_wait(call, 10, &reply, &size, &error), SP_WAIT_PENDING);
    SetEvent(server.go);
    assert_int_equal(sp_call_wait(call, SP_FOREVER, &reply, &size, &error), SP_WAIT_DONE);
    assert_true(seen.frames >= 1 && seen.frames <= 3); /* those that came together are one */
    assert_int_equal(seen.last, PB_PHASE(CREATING));
    sp_call_free(call);
    end(client);
}

static void a_call_that_is_given_up_is_cancelled(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_slow);
    sp_call_free(start_ping(client, "x", NULL));
    SetEvent(server.go);
    /* The scene's last request is the Cancel. */
    assert_int_equal(WaitForSingleObject(server.reached, LIMIT_MS), WAIT_OBJECT_0);
    end(client);
}

/* A final snapshot that arrived and was never looked at is finished, too. */
static void scene_unseen(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_snapshot(fake, fake_expect(fake, PB_BODY(PING))->id, "unseen");
    send_pong(fake, fake_expect(fake, PB_BODY(PING))->id, "y", 1);
    if (strcmp(fake_expect(fake, PB_BODY(FINISH_BACKUP))->finish_backup->lease_id, "unseen") == 0)
        SetEvent(fake->reached);
    (void)fake_receive(fake);
}

static void an_unseen_snapshot_is_given_back(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_unseen);
    struct sp_call *first = start_ping(client, "x", NULL);
    struct sp_call *second = start_ping(client, "y", NULL);
    assert_int_equal(sp_call_wait(second, SP_FOREVER, NULL, NULL, &error), SP_WAIT_DONE);
    sp_call_free(second);
    sp_call_free(first);
    assert_int_equal(WaitForSingleObject(server.reached, LIMIT_MS), WAIT_OBJECT_0);
    end(client);
}

static void scene_flood(struct fake_server *fake)
{
    static uint8_t data[256 * 1024];
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    reply.id = fake_expect(fake, PB_BODY(PING))->id;
    chunk.data = (ProtobufCBinaryData){sizeof data, data};
    reply.body_case = PB_BODY(DOCUMENT_CHUNK);
    reply.document_chunk = &chunk;
    for (size_t sent = 0; sent < 65 * 1024 * 1024; sent += sizeof data)
        fake_send(fake, &reply);
    /* Other calls go on. */
    send_pong(fake, fake_expect(fake, PB_BODY(PING))->id, "y", 1);
    (void)fake_receive(fake);
}

static void a_flood_ends_its_call_only(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_flood);
    struct sp_call *flooded = start_ping(client, "x", NULL);
    struct sp_call *other = start_ping(client, "y", NULL);
    assert_int_equal(sp_call_wait(other, SP_FOREVER, NULL, NULL, &error), SP_WAIT_DONE);
    assert_int_equal(sp_call_wait(flooded, SP_FOREVER, NULL, NULL, &error), SP_WAIT_FAILED);
    assert_int_equal(error->code, SP_RESOURCE_EXHAUSTED);
    assert_string_equal(error->reason, "TOO_LARGE");
    sp_error_free(error);
    error = NULL;
    sp_call_free(flooded);
    sp_call_free(other);
    end(client);
}

static void nothing_is_no_request(void **state)
{
    (void)state;
    struct sp_client *client = connect_to_scene(scene_echo);
    assert_null(sp_call_start(client, NULL, 0, NULL, &error));
    assert_string_equal(error->reason, "BAD_ARGUMENT");
    sp_error_free(error);
    error = NULL;
    sp_call_free(NULL);
    end(client);
    sp_close(NULL);
    sp_cancel_free(NULL);
    sp_error_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_find_their_calls),
        cmocka_unit_test(many_threads_share_a_connection),
        cmocka_unit_test(waiting_may_be_broken_off),
        cmocka_unit_test(a_call_that_is_given_up_is_cancelled),
        cmocka_unit_test(an_unseen_snapshot_is_given_back),
        cmocka_unit_test(a_flood_ends_its_call_only),
        cmocka_unit_test(nothing_is_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
