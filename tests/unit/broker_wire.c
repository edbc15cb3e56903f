/* Connections: Hello, malformed and silent peers, ids, rights, limits, back-pressure, stop. */
#include <string.h>

#include "service/broker/rights.h"
#include "tests/unit/broker_harness.h"

static const PB(Status) * ending_status(struct world *world, struct peer *peer)
{
    world_run(world);
    assert_false(peer->is_open);
    assert_true(peer->was_flushed);
    assert_true(peer->frames_count > 0);
    const PB(Envelope) *last = peer->frames[peer->frames_count - 1];
    assert_int_equal(last->id, 0);
    assert_int_equal(last->body_case, PB_BODY(STATUS));
    return last->status;
}

static struct peer *connect_greeting(struct world *world)
{
    struct caller caller = caller_make(NULL, USER_RIGHTS);
    return client_connect_only(world, &caller);
}

static uint32_t ping(struct world *world, struct peer *peer, const char *text)
{
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    message.payload = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, &message);
    return client_send(world, peer, &envelope);
}

static void test_hello(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    const PB(HelloReply) *reply = peer->frames[0]->hello_reply;
    assert_int_equal(reply->major, PROTOCOL_MAJOR);
    assert_string_equal(reply->server_version, "0.1.0");
    assert_string_equal(reply->os_build, "10.0.20348");
    assert_int_equal(reply->connection_id, peer->id);
    assert_int_equal(strlen(reply->boot_id), 36);
    assert_int_equal(reply->limits->max_in_flight, world->config.max_in_flight);
    assert_int_equal(reply->limits->max_volumes, 64);
    assert_string_equal(reply->caller->sid, "S-1-5-21-1-2-3-1001");
    assert_int_equal(reply->caller->n_rights, 6);
    uint32_t id = ping(world, peer, "abc");
    world_run(world);
    assert_memory_equal(client_final(peer, id)->ping_reply->payload.data, "abc", 3);
    world_end(world);
}

static void test_hello_refused(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(HELLO, hello, &hello);
    struct peer *peer = connect_greeting(world);
    hello.major = 2;
    client_send(world, peer, &envelope);
    assert_string_equal(ending_status(world, peer)->reason, "VERSION");

    peer = connect_greeting(world);
    hello.major = 1;
    envelope.id = 0;
    peer_send(world, peer, &envelope);
    assert_string_equal(ending_status(world, peer)->reason, "NO_ID");

    peer = connect_greeting(world);
    ping(world, peer, "");
    assert_string_equal(ending_status(world, peer)->reason, "HELLO_FIRST");

    peer = peer_connect(world, CONNECTION_CLIENT);
    broker_identified(world->broker, peer->id, NULL, "anonymous");
    assert_int_equal(ending_status(world, peer)->code, PB_CODE(UNAUTHENTICATED));

    /* Bytes of somebody whom the host did not identify. */
    peer = peer_connect(world, CONNECTION_CLIENT);
    peer_send_bytes(world, peer, (const uint8_t *)"x", 1);
    world_run(world);
    assert_false(peer->is_open);

    peer = client_connect(world, NULL, USER_RIGHTS);
    envelope = ENVELOPE_OF(HELLO, hello, &hello);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "HELLO_TWICE");
    assert_true(peer->is_open);
    world_end(world);
}

static void test_silent_peers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *nothing = connect_greeting(world);
    struct peer *half = client_connect(world, NULL, USER_RIGHTS);
    struct peer *steady = client_connect(world, NULL, USER_RIGHTS);
    steady->sent_count = 0; /* its frames are thrown away below */
    struct peer *idle = client_connect(world, NULL, USER_RIGHTS);
    peer_send_bytes(world, half, (const uint8_t *)"\0\0\0", 3);
    world_advance(world, world->config.handshake_timeout_ms);
    assert_string_equal(ending_status(world, nothing)->reason, "SILENT_PEER");
    assert_true(half->is_open);
    /* Slow, but its frames end: half of a Ping, then its rest and half of the next, and so on. */
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, &message);
    struct frame_buffer frame = {0};
    envelope.id = 99;
    assert_true(frame_encode(&frame, &envelope, 1000));
    peer_send_bytes(world, steady, frame.data, 5);
    for (int i = 0; i < 4; i++) {
        world_advance(world, 20000);
        steady->frames_count = 0; /* the same id again, once it is answered */
        peer_send_bytes(world, steady, frame.data + 5, frame.size - 5);
        peer_send_bytes(world, steady, frame.data, 5);
        world_run(world);
        assert_true(steady->is_open);
    }
    frame_buffer_free(&frame);
    assert_string_equal(ending_status(world, half)->reason, "SILENT_PEER");
    world_advance(world, 3600 * 1000);
    assert_false(steady->is_open);
    assert_true(idle->is_open); /* between frames there is no limit */
    world_end(world);
}

static void send_raw(struct world *world, struct peer *peer, const char *payload, size_t size)
{
    uint8_t frame[64] = {0, 0, 0, (uint8_t)size};
    memcpy(frame + 4, payload, size);
    peer_send_bytes(world, peer, frame, size + 4);
    world_run(world);
}

static void test_malformed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    send_raw(world, peer, "\x08\x05\x62\x02\x10\x01", 6); /* an unknown field in Ping */
    assert_string_equal(client_status(peer, 5)->reason, "UNKNOWN_FIELD");
    assert_string_equal(client_status(peer, 5)->field, "ping.#2");
    send_raw(world, peer, "\x08\x06\x82\x4b\x00", 5); /* field 1200: a request of the future */
    assert_int_equal(client_status(peer, 6)->code, PB_CODE(UNIMPLEMENTED));
    assert_string_equal(client_status(peer, 6)->reason, "UNKNOWN_REQUEST");
    send_raw(world, peer, "\x08\x07", 2);
    assert_string_equal(client_status(peer, 7)->reason, "NO_BODY");
    send_raw(world, peer, "\x08\x08\x6a\x00", 4); /* PingReply */
    assert_string_equal(client_status(peer, 8)->reason, "NOT_A_REQUEST");
    send_raw(world, peer, "\x08\x09\xa2\x06\x00", 5); /* RequesterHello */
    assert_int_equal(client_status(peer, 9)->code, PB_CODE(PERMISSION_DENIED));
    assert_true(peer->is_open);
    send_raw(world, peer, "\xff\xff", 2);
    assert_string_equal(ending_status(world, peer)->reason, "MALFORMED");

    static const char *const lengths[] = {"\0\0\0\0", "\0\x10\0\x01", "\xff\xff\xff\xff", "GET "};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        peer = client_connect(world, NULL, USER_RIGHTS);
        peer_send_bytes(world, peer, (const uint8_t *)lengths[i], 4);
        assert_string_equal(ending_status(world, peer)->reason, "BAD_LENGTH");
    }
    peer = connect_greeting(world);
    peer_send_bytes(world, peer, (const uint8_t *)"\0\0\x10\x01", 4); /* above 4 KiB before Hello */
    assert_string_equal(ending_status(world, peer)->reason, "BAD_LENGTH");
    world_end(world);
}

static void test_ids(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_enumeration = true;
    uint32_t id = client_snapshot(world, peer, "C:");
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, &message);
    envelope.id = id;
    peer_send(world, peer, &envelope);
    assert_string_equal(ending_status(world, peer)->reason, "DUPLICATE_ID");

    peer = client_connect(world, NULL, USER_RIGHTS);
    envelope.id = 0;
    peer_send(world, peer, &envelope);
    assert_string_equal(ending_status(world, peer)->reason, "NO_ID");

    /* A bad frame under the id of an open request could be taken for its reply. */
    peer = client_connect(world, NULL, USER_RIGHTS);
    id = client_snapshot(world, peer, "C:");
    assert_int_equal(id, 2);
    send_raw(world, peer, "\x08\x02\x62\x02\x10\x01", 6);
    assert_string_equal(ending_status(world, peer)->reason, "UNKNOWN_FIELD");
    world_end(world);
}

static void test_cancel_of_others(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *second = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *stranger = client_connect(world, "S-1-5-21-2", ALL_RIGHTS);
    world->holds_enumeration = true;
    uint32_t id = client_snapshot(world, peer, "C:");
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.connection_id = peer->id;
    cancel.id = id;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &cancel);
    uint32_t first = client_send(world, stranger, &envelope);
    world_run(world);
    assert_false(client_final(stranger, first)->cancel_reply->found);
    assert_null(client_final(peer, id));
    first = client_send(world, second, &envelope);
    world_run(world);
    assert_true(client_final(second, first)->cancel_reply->found);
    assert_string_equal(client_status(peer, id)->reason, "CANCELLED");
    cancel.id = 4711;
    first = client_send(world, second, &envelope);
    world_run(world);
    assert_false(client_final(second, first)->cancel_reply->found);
    world_end(world);
}

/* ---- rights ---- */

static const struct right_row {
    PB(Envelope__BodyCase) request;
    const ProtobufCMessageDescriptor *message;
    uint32_t rights;
} right_rows[] = {
    {PB_BODY(PING), &shadowpipe__v1__ping__descriptor, 0},
    {PB_BODY(CANCEL), &shadowpipe__v1__cancel__descriptor, 0},
    {PB_BODY(GET_SERVICE_STATUS), &shadowpipe__v1__get_service_status__descriptor, RIGHT_BIT_READ},
    {PB_BODY(LIST_WRITERS), &shadowpipe__v1__list_writers__descriptor, RIGHT_BIT_READ},
    {PB_BODY(LIST_VOLUMES), &shadowpipe__v1__list_volumes__descriptor, RIGHT_BIT_READ},
    {PB_BODY(LIST_PROVIDERS), &shadowpipe__v1__list_providers__descriptor, RIGHT_BIT_READ},
    {PB_BODY(CREATE_SNAPSHOT), &shadowpipe__v1__create_snapshot__descriptor, RIGHT_BIT_SNAPSHOT},
    {PB_BODY(PROCEED), &shadowpipe__v1__proceed__descriptor, RIGHT_BIT_SNAPSHOT},
    {PB_BODY(FINISH_BACKUP), &shadowpipe__v1__finish_backup__descriptor, 0},
    {PB_BODY(LIST_COMPONENTS), &shadowpipe__v1__list_components__descriptor, 0},
    {PB_BODY(ATTACH_LEASE), &shadowpipe__v1__attach_lease__descriptor, 0},
    {PB_BODY(RENEW_LEASE), &shadowpipe__v1__renew_lease__descriptor, 0},
    {PB_BODY(WATCH_LEASE), &shadowpipe__v1__watch_lease__descriptor, 0},
    {PB_BODY(LIST_LEASES), &shadowpipe__v1__list_leases__descriptor, RIGHT_BIT_READ},
    {PB_BODY(ATTACH_SNAPSHOT), &shadowpipe__v1__attach_snapshot__descriptor, RIGHT_BIT_SNAPSHOT},
    {PB_BODY(LIST_SNAPSHOTS), &shadowpipe__v1__list_snapshots__descriptor, RIGHT_BIT_READ},
    {PB_BODY(DELETE_SNAPSHOTS), &shadowpipe__v1__delete_snapshots__descriptor, RIGHT_BIT_PERSIST},
    {PB_BODY(EXPOSE), &shadowpipe__v1__expose__descriptor, RIGHT_BIT_MANAGE},
    {PB_BODY(UNEXPOSE), &shadowpipe__v1__unexpose__descriptor, RIGHT_BIT_MANAGE},
    {PB_BODY(BREAK_SET), &shadowpipe__v1__break_set__descriptor, RIGHT_BIT_MANAGE},
    {PB_BODY(IMPORT_SET), &shadowpipe__v1__import_set__descriptor, RIGHT_BIT_MANAGE},
    {PB_BODY(REVERT_VOLUME), &shadowpipe__v1__revert_volume__descriptor, RIGHT_BIT_MANAGE},
    {PB_BODY(READ_DOCUMENT), &shadowpipe__v1__read_document__descriptor, 0},
    {PB_BODY(PUT_DOCUMENT), &shadowpipe__v1__put_document__descriptor, RIGHT_BIT_RESTORE},
    {PB_BODY(WATCH), &shadowpipe__v1__watch__descriptor, RIGHT_BIT_READ},
    {PB_BODY(HISTORY), &shadowpipe__v1__history__descriptor, RIGHT_BIT_READ},
    {PB_BODY(OPEN_SESSION), &shadowpipe__v1__open_session__descriptor, RIGHT_BIT_READ},
    {PB_BODY(CALL), &shadowpipe__v1__call__descriptor, 0},
    {PB_BODY(CLOSE_SESSION), &shadowpipe__v1__close_session__descriptor, 0},
};

static bool is_refused(struct world *world, PB(Envelope) * envelope, uint32_t rights)
{
    struct peer *peer = client_connect(world, NULL, rights);
    uint32_t id = client_send(world, peer, envelope);
    world_run(world);
    const PB(Envelope) * final = client_final(peer, id);
    bool refused = final != NULL && final->body_case == PB_BODY(STATUS) &&
                   strcmp(final->status->reason, "RIGHT_MISSING") == 0;
    peer_close(world, peer);
    world_run(world);
    return refused;
}

static void check_right(struct world *world, PB(Envelope) * envelope, uint32_t needed)
{
    for (int right = 1; right <= 6; right++) {
        uint32_t bit = 1u << right;
        bool refused = is_refused(world, envelope, (uint32_t)ALL_RIGHTS & ~bit);
        if (refused != ((needed & bit) != 0))
            fail_msg("request %d without right %d: refused is %d", (int)envelope->body_case, right, refused);
    }
}

static void test_rights(void **state)
{
    (void)state;
    struct world *world = world_new();
    for (size_t i = 0; i < sizeof right_rows / sizeof right_rows[0]; i++) {
        uint8_t space[512];
        ProtobufCMessage *message = (void *)space;
        assert_true(right_rows[i].message->sizeof_message <= sizeof space);
        protobuf_c_message_init(right_rows[i].message, message);
        PB(Envelope) envelope = ENVELOPE_OF(PING, ping, (void *)message);
        envelope.body_case = right_rows[i].request;
        check_right(world, &envelope, right_rows[i].rights);
    }
    world_end(world);
}

static void test_rights_by_parameters(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    for (int type = 1; type <= 6; type++) {
        wish.backup_type = (PB(BackupType))type;
        bool is_copy = type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
        check_right(world, &envelope, is_copy ? RIGHT_BIT_SNAPSHOT : RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE);
    }
    wish.backup_type = 0;
    for (int context = 0; context <= 6; context++) {
        wish.context = (PB(Context))context;
        check_right(world, &envelope,
                    context <= 2 ? RIGHT_BIT_SNAPSHOT : RIGHT_BIT_SNAPSHOT | RIGHT_BIT_PERSIST);
    }
    wish.context = 0;
    wish.attributes = 0x8;
    check_right(world, &envelope, RIGHT_BIT_SNAPSHOT | RIGHT_BIT_PERSIST);
    wish.attributes = 0;
    wish.keep_ms = 1;
    check_right(world, &envelope, RIGHT_BIT_SNAPSHOT | RIGHT_BIT_PERSIST);
    PB(ListLeases) leases = SHADOWPIPE__V1__LIST_LEASES__INIT;
    leases.all_owners = true;
    envelope = ENVELOPE_OF(LIST_LEASES, list_leases, &leases);
    check_right(world, &envelope, RIGHT_BIT_READ | RIGHT_BIT_MANAGE);
    PB(OpenSession) session = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &session);
    session.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    check_right(world, &envelope, RIGHT_BIT_SNAPSHOT);
    session.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE);
    check_right(world, &envelope, RIGHT_BIT_RESTORE);
    world_end(world);
}

/* Every member of the envelope is either a row or no request. */
static void test_no_row_no_call(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *descriptor = &shadowpipe__v1__envelope__descriptor;
    size_t requests = 0;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        if (descriptor->fields[i].type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        uint8_t space[512];
        protobuf_c_message_init(descriptor->fields[i].descriptor, space);
        PB(Envelope) envelope = ENVELOPE_OF(PING, ping, (void *)space);
        envelope.body_case = (PB(Envelope__BodyCase))descriptor->fields[i].id;
        uint32_t rights;
        requests += rights_needed(&envelope, &rights);
    }
    assert_int_equal(requests, sizeof right_rows / sizeof right_rows[0] + 1); /* Hello */
    assert_string_equal(right_name(RIGHT_BIT_RESTORE), "RESTORE");
    assert_string_equal(right_name(0), "none");
}

/* What PROTOCOL.md says of this version: History and nothing else, and the connection goes on. */
static void test_unimplemented(void **state)
{
    (void)state;
    struct world *world = world_new();
    for (size_t i = 0; i < sizeof right_rows / sizeof right_rows[0]; i++) {
        struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
        uint8_t space[512];
        protobuf_c_message_init(right_rows[i].message, space);
        PB(Envelope) envelope = ENVELOPE_OF(PING, ping, (void *)space);
        envelope.body_case = right_rows[i].request;
        uint32_t id = client_send(world, peer, &envelope);
        world_run(world);
        const PB(Envelope) *reply = client_final(peer, id); /* none: it streams */
        bool refused = reply != NULL && reply->body_case == PB_BODY(STATUS) &&
                       strcmp(reply->status->reason, "UNIMPLEMENTED") == 0;
        if (refused != (right_rows[i].request == PB_BODY(HISTORY)))
            fail_msg("%s: unimplemented is %d", right_rows[i].message->short_name, refused);
        if (refused) {
            assert_int_equal(reply->status->code, PB_CODE(UNIMPLEMENTED));
            assert_non_null(strstr(reply->status->message, right_rows[i].message->short_name));
        }
        id = ping(world, peer, "");
        world_run(world);
        assert_non_null(client_final(peer, id));
        peer_close(world, peer);
        world_run(world);
    }
    world_end(world);
}

static void test_filtered_administrator(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct caller caller = caller_make(NULL, RIGHT_BIT_READ);
    caller.filtered_admin = true;
    struct peer *peer = client_connect_only(world, &caller);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = 1;
    PB(Envelope) envelope = ENVELOPE_OF(HELLO, hello, &hello);
    client_send(world, peer, &envelope);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_non_null(strstr(client_status(peer, id)->advice, "elevated"));
    world_end(world);
}

/* ---- limits ---- */

static void few_connections(struct broker_config *config)
{
    config->max_connections = 6;
    config->reserved_connections = 2;
    config->max_connections_per_owner = 3;
}

static void test_connection_limits(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_connections);
    struct caller user = caller_make("S-1-5-21-1", USER_RIGHTS);
    struct caller other = caller_make("S-1-5-21-2", USER_RIGHTS);
    struct caller manager = caller_make("S-1-5-21-3", ALL_RIGHTS);
    struct peer *first = client_connect(world, user.sid, USER_RIGHTS);
    client_connect(world, user.sid, USER_RIGHTS);
    client_connect(world, user.sid, USER_RIGHTS);
    struct peer *refused = client_connect_only(world, &user);
    assert_string_equal(ending_status(world, refused)->limit_name, "max_connections_per_owner");
    client_connect(world, other.sid, USER_RIGHTS);
    refused = client_connect_only(world, &other);
    const PB(Status) *status = ending_status(world, refused);
    assert_int_equal(status->code, PB_CODE(RESOURCE_EXHAUSTED));
    assert_string_equal(status->limit_name, "max_connections");
    client_connect(world, manager.sid, ALL_RIGHTS);
    client_connect(world, manager.sid, ALL_RIGHTS);
    refused = client_connect_only(world, &manager);
    assert_string_equal(ending_status(world, refused)->limit_name, "max_connections");
    peer_close(world, first);
    client_connect(world, manager.sid, ALL_RIGHTS);
    world_end(world);
}

/* Programs under one of Windows' service accounts are owners of their own. */
static void test_shared_accounts(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_connections);
    struct caller caller = caller_make("S-1-5-18", USER_RIGHTS);
    for (uint32_t i = 0; i < 4; i++) {
        caller.process_id = 100 + i;
        assert_true(client_connect_only(world, &caller)->is_open);
    }
    world_end(world);
}

static void few_slots(struct broker_config *config)
{
    config->max_in_flight = 2;
    config->max_queue = 3;
}

static void test_slots_and_queue(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_slots);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = client_snapshot(world, peer, "C:");
    uint32_t last = ping(world, peer, "behind");
    world_run(world);
    assert_true(peer->is_paused);
    assert_null(client_final(peer, last));
    /* From elsewhere one of the two that are open is cancelled: the third moves up. */
    struct peer *second = client_connect(world, NULL, USER_RIGHTS);
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.connection_id = peer->id;
    cancel.id = ids[0];
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &cancel);
    client_send(world, second, &envelope);
    world_run(world);
    assert_string_equal(client_status(peer, ids[0])->reason, "CANCELLED");
    assert_true(peer->is_paused);
    world->holds_requesters = false;
    world_run(world);
    for (int i = 1; i < 5; i++)
        (void)client_snapshot_reply(peer, ids[i]);
    assert_non_null(client_final(peer, last));
    assert_false(peer->is_paused);
    world_end(world);
}

static void test_slow_reader(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    peer->does_not_read = true;
    uint32_t first = ping(world, peer, "1");
    peer->unsent_bytes = world->config.output_soft_limit_bytes + 1;
    uint32_t second = ping(world, peer, "2");
    uint32_t third = ping(world, peer, "3");
    world_run(world);
    assert_non_null(client_final(peer, first));
    assert_null(client_final(peer, second));
    assert_true(peer->is_paused);
    peer->does_not_read = false;
    peer_drain(world, peer);
    world_run(world);
    assert_non_null(client_final(peer, second));
    assert_non_null(client_final(peer, third));
    assert_false(peer->is_paused);
    /* Progress is left out while the client does not read. */
    world->holds_requesters = true;
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    size_t frames = peer->frames_count;
    peer->unsent_bytes = world->config.output_soft_limit_bytes + 1;
    world_advance(world, 10000);
    assert_int_equal(peer->frames_count, frames);
    /* But a final reply is never left out; above the hard limit the connection ends. */
    peer->does_not_read = true;
    peer->unsent_bytes = world->config.output_hard_limit_bytes;
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.connection_id = peer->id;
    cancel.id = id;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &cancel);
    client_send(world, other, &envelope);
    world_run(world);
    assert_false(peer->is_open);
    world_end(world);
}

/* Any division of the bytes gives the same answers. */
static void test_every_split(void **state)
{
    (void)state;
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = 1;
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope)
    envelopes[] = {ENVELOPE_OF(HELLO, hello, &hello), ENVELOPE_OF(PING, ping, &message),
                   ENVELOPE_OF(PING, ping, &message)};
    uint8_t bytes[256];
    size_t size = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct frame_buffer frame = {0};
        envelopes[i].id = i + 1;
        assert_true(frame_encode(&frame, &envelopes[i], 1000));
        memcpy(bytes + size, frame.data, frame.size);
        size += frame.size;
        frame_buffer_free(&frame);
    }
    struct world *world = world_new();
    for (size_t cut = 0; cut <= size; cut++) {
        struct peer *peer = connect_greeting(world);
        peer_send_bytes(world, peer, bytes, cut);
        peer_send_bytes(world, peer, bytes + cut, size - cut);
        world_run(world);
        assert_int_equal(peer->frames_count, 3);
        assert_non_null(client_final(peer, 3));
        peer_close(world, peer);
    }
    world_end(world);
}

static void test_stop_answers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_enumeration = true;
    uint32_t resolving = client_snapshot(world, peer, "C:");
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 0, ACT_STUCK, 0);
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_WRITERS, list_writers, &list);
    uint32_t listing = client_send(world, peer, &envelope);
    world_run(world);
    broker_stop(world->broker, BROKER_STOP_END);
    broker_stop(world->broker, BROKER_STOP_END); /* once more changes nothing */
    uint32_t late = client_snapshot(world, peer, "C:");
    uint32_t alive = ping(world, peer, "");
    world_run(world);
    assert_string_equal(client_status(peer, resolving)->reason, "SHUTTING_DOWN");
    assert_string_equal(client_status(peer, listing)->reason, "SHUTTING_DOWN");
    assert_string_equal(client_status(peer, late)->reason, "SHUTTING_DOWN");
    assert_non_null(client_final(peer, alive));
    struct peer *new_peer = connect_greeting(world);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = 1;
    envelope = ENVELOPE_OF(HELLO, hello, &hello);
    client_send(world, new_peer, &envelope);
    assert_string_equal(ending_status(world, new_peer)->reason, "SHUTTING_DOWN");
    world_advance(world, 200 * 1000); /* the stuck one is killed */
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_hello_refused),
        cmocka_unit_test(test_silent_peers),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cancel_of_others),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_rights_by_parameters),
        cmocka_unit_test(test_no_row_no_call),
        cmocka_unit_test(test_unimplemented),
        cmocka_unit_test(test_filtered_administrator),
        cmocka_unit_test(test_connection_limits),
        cmocka_unit_test(test_shared_accounts),
        cmocka_unit_test(test_slots_and_queue),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_stop_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
