/* The golden sessions against the broker, with the host played by this program: in one piece, cut where each
 * vector says, and byte by byte. The answers have to be the same. */
#include <stdbool.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/broker/broker.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/vector_bytes.h"

enum {
    CONNECTION = 7,
    MAX_SPLITS = 16,
    MAX_REPLIES = 8
};

struct reply {
    uint32_t id;
    const char *body;
    const char *code; /* and below: of a status; NULL = any */
    const char *reason;
    const char *field;
};

struct session {
    const char *name;
    struct vector_bytes bytes;
    size_t splits[MAX_SPLITS]; /* ended by 0, unless full */
    struct reply replies[MAX_REPLIES];
    bool ends;
};

static const struct session sessions[] = {
#include "proto_sessions.inc"
};

/* ---- the host ---- */

struct host {
    struct bytes sent;
    bool disconnected;
};

static void host_send(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    struct host *host = context;
    assert_int_equal(connection, CONNECTION);
    assert_false(host->disconnected);
    bytes_raw(&host->sent, bytes, size);
}

static size_t host_unsent_bytes(void *context, uint64_t connection)
{
    (void)context;
    (void)connection;
    return 0;
}

static void host_disconnect(void *context, uint64_t connection, bool flush)
{
    struct host *host = context;
    (void)connection;
    (void)flush;
    host->disconnected = true;
}

static void host_pause_reading(void *context, uint64_t connection, bool paused)
{
    (void)context;
    (void)connection;
    (void)paused;
}

static void host_start_requester(void *context, uint64_t requester,
                                 const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    (void)context;
    (void)requester;
    (void)secret;
}

static void host_kill_requester(void *context, uint64_t requester)
{
    (void)context;
    (void)requester;
}

static void host_enumerate(void *context, bool described)
{
    (void)context;
    (void)described;
}

static void host_nothing(void *context)
{
    (void)context;
}

static void host_random_bytes(void *context, uint8_t *bytes, size_t size)
{
    (void)context;
    memset(bytes, 0x5a, size);
}

static void host_log(void *context, enum broker_log_level level, const char *text)
{
    (void)context;
    (void)level;
    (void)text;
}

static struct broker *start_broker(struct host *host)
{
    struct broker_config config;
    broker_config_init(&config);
    config.server_version = "0.0.0";
    config.os_build = "10.0.20348";
    config.vss_library = "";
    const struct broker_host calls = {
        .context = host,
        .send = host_send,
        .unsent_bytes = host_unsent_bytes,
        .disconnect = host_disconnect,
        .pause_reading = host_pause_reading,
        .start_requester = host_start_requester,
        .kill_requester = host_kill_requester,
        .enumerate_volumes = host_enumerate,
        .random_bytes = host_random_bytes,
        .log = host_log,
        .stopped = host_nothing,
    };
    struct broker *broker = broker_create(&config, &calls);
    assert_non_null(broker);
    broker_set_time(broker, 1000, 1714550400000);
    return broker;
}

static void connect_client(struct broker *broker)
{
    static const struct caller caller = {.sid = "S-1-5-21-1-2-3-1001",
                                         .process_id = 4711,
                                         .process_name = "client.exe",
                                         .rights = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT};
    broker_connected(broker, CONNECTION, CONNECTION_CLIENT);
    broker_identified(broker, CONNECTION, &caller, NULL);
}

/* ---- the client ---- */

static void check_reply(const struct session *session, const struct reply *expected,
                        const PB(Envelope) * envelope)
{
    const ProtobufCFieldDescriptor *body = protobuf_c_message_descriptor_get_field(
        &shadowpipe__v1__envelope__descriptor, (unsigned)envelope->body_case);
    if (body == NULL || envelope->id != expected->id || strcmp(body->name, expected->body) != 0) {
        fail_msg("%s: a %s with id %u instead of a %s with id %u", session->name,
                 body != NULL ? body->name : "nothing", (unsigned)envelope->id, expected->body,
                 (unsigned)expected->id);
        return;
    }
    if (envelope->body_case != PB_BODY(STATUS))
        return;
    const PB(Status) *status = envelope->status;
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&shadowpipe__v1__code__descriptor, (int)status->code);
    assert_non_null(code);
    if (expected->code != NULL)
        assert_string_equal(code->name, expected->code);
    if (expected->reason != NULL)
        assert_string_equal(status->reason, expected->reason);
    if (expected->field != NULL)
        assert_string_equal(status->field, expected->field);
    assert_true(strlen(status->message) > 0 && strlen(status->advice) > 0);
}

static void check_replies(const struct session *session, const struct host *host)
{
    struct frame_reader reader;
    struct arena arena;
    const uint8_t *at = host->sent.data, *payload;
    size_t left = host->sent.size, size, count = 0;
    frame_reader_init(&reader, FRAME_LIMIT_REPLY_BYTES);
    arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
    while (frame_reader_take(&reader, &at, &left, &payload, &size) == FRAME_READY) {
        struct decode_error error;
        const PB(Envelope) *envelope = decode_envelope(&arena, payload, size, DECODE_STRICT, &error);
        if (envelope == NULL || count == MAX_REPLIES || session->replies[count].body == NULL) {
            fail_msg("%s: a frame too many, or a bad one", session->name);
            break;
        }
        check_reply(session, &session->replies[count++], envelope);
        arena_reset(&arena);
    }
    assert_int_equal(reader.received, 0);
    assert_true(count == MAX_REPLIES || session->replies[count].body == NULL);
    arena_free(&arena);
    frame_reader_free(&reader);
}

/* Sends the session's bytes up to each of the edges in turn. */
static void play(const struct session *session, const struct bytes *all, const size_t *edges, size_t count)
{
    struct host host = {0};
    struct broker *broker = start_broker(&host);
    connect_client(broker);
    size_t at = 0;
    for (size_t i = 0; i < count && !host.disconnected; i++) {
        struct bytes piece = {0};
        bytes_raw(&piece, all->data + at, edges[i] - at);
        broker_received(broker, CONNECTION, piece.data, piece.size);
        bytes_free(&piece);
        at = edges[i];
    }
    check_replies(session, &host);
    assert_int_equal(host.disconnected, session->ends);
    broker_disconnected(broker, CONNECTION);
    broker_destroy(broker);
    bytes_free(&host.sent);
}

static void test_sessions(void **state)
{
    (void)state;
    assert_true(sizeof sessions / sizeof sessions[0] >= 40);
    for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++) {
        const struct session *session = &sessions[i];
        print_message("%s\n", session->name);
        struct bytes all = vector_bytes_get(&session->bytes);
        play(session, &all, &all.size, 1);

        size_t edges[MAX_SPLITS + 1], count = 0;
        while (count < MAX_SPLITS && session->splits[count] != 0) {
            edges[count] = session->splits[count];
            count++;
        }
        edges[count++] = all.size;
        play(session, &all, edges, count);

        size_t *bytewise = calloc(all.size + 1, sizeof *bytewise);
        assert_non_null(bytewise);
        for (size_t j = 0; j < all.size; j++)
            bytewise[j] = j + 1;
        play(session, &all, bytewise, all.size);
        free(bytewise);
        bytes_free(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
