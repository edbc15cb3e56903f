/* ListWriters, ListVolumes, ListProviders, GetServiceStatus, and requester processes that do not come up. */
#include <string.h>

#include "tests/unit/broker_harness.h"

static uint32_t ask_writers(struct world *world, struct peer *peer, bool with_components, bool refresh,
                            const char *writer)
{
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    list.with_components = with_components;
    list.refresh = refresh;
    list.writer = (char *)(uintptr_t)writer;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_WRITERS, list_writers, &list);
    return client_send(world, peer, &envelope);
}

static size_t count_writers(struct peer *peer, uint32_t id, size_t *components)
{
    size_t count = 0;
    *components = 0;
    for (size_t i = 0; i < peer->frames_count; i++) {
        if (peer->frames[i]->id != id || peer->frames[i]->body_case != PB_BODY(WRITER))
            continue;
        count++;
        *components += peer->frames[i]->writer->n_components;
        assert_int_equal(peer->frames[i]->writer->status->state, PB_VALUE(WRITER_STATE, WRITER_STATE_STABLE));
        assert_int_equal(peer->frames[i]->writer->status->components, 2);
    }
    return count;
}

static void test_writers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    size_t components;
    /* Two that ask at once share one process. */
    uint32_t first = ask_writers(world, peer, true, false, "");
    uint32_t second = ask_writers(world, other, false, true, "");
    world_run(world);
    assert_int_equal(client_final(peer, first)->writers_reply->count, WRITERS);
    assert_int_equal(client_final(peer, first)->writers_reply->age_ms, 0);
    assert_int_equal(count_writers(peer, first, &components), WRITERS);
    assert_int_equal(components, 2 * WRITERS);
    assert_int_equal(count_writers(other, second, &components), WRITERS);
    assert_int_equal(components, 0);
    assert_int_equal(world->requesters_count, 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 0);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
    /* From the cache, with its age; only one writer. */
    world_advance(world, 4000);
    first = ask_writers(world, peer, false, false, "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a");
    world_run(world);
    assert_int_equal(client_final(peer, first)->writers_reply->count, 1);
    assert_int_equal(client_final(peer, first)->writers_reply->age_ms, 4000);
    assert_string_equal(peer->frames[peer->frames_count - 2]->writer->status->host_service, "SQLWriter");
    assert_int_equal(world->requesters_count, 1);
    first = ask_writers(world, peer, false, true, "");
    world_run(world);
    assert_int_equal(world->requesters_count, 2);
    world_advance(world, 6000);
    first = ask_writers(world, peer, false, false, "nobody");
    world_run(world);
    assert_int_equal(client_final(peer, first)->writers_reply->count, 0);
    assert_int_equal(world->requesters_count, 3);
    world_end(world);
}

/* Components are read only where somebody wants them, and an answer without them serves nobody who does. */
static void test_writers_without_components(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    size_t components;
    uint32_t plain = ask_writers(world, peer, false, false, "");
    world_run(world);
    assert_int_equal(count_writers(peer, plain, &components), WRITERS);
    uint32_t whole = ask_writers(world, peer, true, false, "");
    world_run(world);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(count_writers(peer, whole, &components), WRITERS);
    assert_int_equal(components, 2 * WRITERS);
    plain = ask_writers(world, peer, false, false, "");
    whole = ask_writers(world, peer, true, false, "");
    world_run(world);
    assert_int_equal(world->requesters_count, 2);
    /* It comes when a run without them is under way: the next one is for it. */
    world_advance(world, 6000);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 0, ACT_HANG, 0);
    plain = ask_writers(world, peer, false, false, "");
    world_run(world);
    whole = ask_writers(world, peer, true, false, "");
    world_clear_rules(world);
    requester_resume(world, world_hanging(world, PB_METHOD(GATHER_WRITER_METADATA)));
    world_run(world);
    assert_int_equal(world->requesters_count, 4);
    assert_int_equal(count_writers(peer, plain, &components), WRITERS);
    assert_int_equal(components, 0);
    assert_int_equal(count_writers(peer, whole, &components), WRITERS);
    assert_int_equal(components, 2 * WRITERS);
    world_end(world);
}

static uint32_t ask_files(struct world *world, struct peer *peer, const char *writer)
{
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    list.with_files = true;
    list.writer = (char *)(uintptr_t)writer;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_WRITERS, list_writers, &list);
    return client_send(world, peer, &envelope);
}

/* The parts of each writer, in their order. Returns how many frames. */
static size_t check_parts(struct peer *peer, uint32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < peer->frames_count; i++) {
        if (peer->frames[i]->id != id || peer->frames[i]->body_case != PB_BODY(WRITER))
            continue;
        const PB(Writer) *writer = peer->frames[i]->writer;
        bool is_last = count++ % 3 == 2;
        assert_int_equal(writer->status->state, PB_VALUE(WRITER_STATE, WRITER_STATE_STABLE));
        assert_int_equal(writer->status->components, 2);
        assert_int_equal(writer->more, !is_last);
        assert_int_equal(writer->n_components, is_last ? 0 : 1);
        assert_int_equal(writer->n_include_files, is_last ? 1 : 0);
        if (!is_last)
            assert_string_equal(writer->components[0]->files[0]->path, "C:\\Data");
    }
    return count;
}

static void test_writers_with_files(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = ask_files(world, peer, "");
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "EMPTY_NAME");
    assert_string_equal(client_status(peer, id)->field, "list_writers.writer");
    /* One after the other, each with a process of its own. */
    id = ask_files(world, peer, "SqlServerWriter");
    uint32_t second = ask_files(world, other, "nobody");
    world_run(world);
    assert_int_equal(client_final(peer, id)->writers_reply->count, 3);
    assert_int_equal(check_parts(peer, id), 3);
    assert_int_equal(client_final(other, second)->writers_reply->count, 0);
    assert_int_equal(world->requesters_count, 2);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
    /* All that have the name. */
    world->all_one_name = true;
    id = ask_files(world, peer, "Acme Writer");
    world_run(world);
    assert_int_equal(check_parts(peer, id), 3 * WRITERS);
    /* It fails, and who comes behind is served all the same. */
    world->all_one_name = false;
    world_rule(world, PB_METHOD(GET_WRITER_METADATA), WRITERS + 2, ACT_FAIL, 0x80042302u);
    id = ask_files(world, peer, "Acme Writer");
    second = ask_files(world, other, "Acme Writer");
    world_run(world);
    assert_string_equal(client_status(peer, id)->method, "GetWriterMetadata");
    assert_int_equal(check_parts(other, second), 3);
    world_clear_rules(world);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_DIE, 0);
    id = ask_files(world, peer, "Acme Writer");
    second = ask_files(world, other, "Acme Writer");
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "REQUESTER_DIED");
    assert_int_equal(check_parts(other, second), 3);
    world_end(world);
}

/* No part is asked for that the reader has no room for. */
static void test_files_for_a_slow_reader(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    peer->unsent_bytes = world->config.output_soft_limit_bytes;
    peer->does_not_read = true;
    uint32_t id = ask_files(world, peer, "Acme Writer");
    world_run(world);
    assert_int_equal(check_parts(peer, id), 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(GET_WRITER_METADATA)), WRITERS + 1);
    uint32_t second = ask_files(world, other, "Acme Writer");
    world_run(world);
    assert_null(client_final(other, second));
    peer->does_not_read = false;
    peer_drain(world, peer);
    world_run(world);
    assert_int_equal(check_parts(peer, id), 3);
    assert_non_null(client_final(peer, id));
    assert_int_equal(check_parts(other, second), 3);
    world_end(world);
}

/* A reader that has no room, and one that waits behind it. */
static uint32_t ask_behind(struct world *world, struct peer *peer, struct peer *other, uint32_t *first)
{
    peer->unsent_bytes = world->config.output_soft_limit_bytes;
    peer->does_not_read = true;
    *first = ask_files(world, peer, "Acme Writer");
    world_advance(world, 1000);
    uint32_t second = ask_files(world, other, "Acme Writer");
    world_run(world);
    assert_null(client_final(other, second));
    return second;
}

/* Whoever goes takes its run along, and the next is served. */
static void test_files_are_not_wanted(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    uint32_t first;
    uint32_t second = ask_behind(world, peer, other, &first);
    client_cancel(world, other, second); /* one that waits disturbs nobody */
    world_run(world);
    assert_string_equal(client_status(other, second)->reason, "CANCELLED");
    assert_null(client_final(peer, first));
    peer->does_not_read = false;
    client_cancel(world, peer, first);
    peer_drain(world, peer);
    world_run(world);
    assert_non_null(client_final(peer, first));
    second = ask_behind(world, peer, other, &first);
    world_advance(world, world->config.default_timeout_ms - 1000);
    peer->does_not_read = false;
    peer_drain(world, peer);
    world_run(world);
    assert_string_equal(client_status(peer, first)->reason, "DEADLINE");
    assert_int_equal(check_parts(other, second), 3);
    second = ask_behind(world, peer, other, &first);
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(check_parts(other, second), 3);
    world_end(world);
}

/* The list waits for a reader that is slow, and is not disturbed by a newer one. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    peer->unsent_bytes = world->config.output_soft_limit_bytes;
    peer->does_not_read = true;
    uint32_t id = ask_writers(world, peer, true, false, "");
    world_run(world);
    assert_null(client_final(peer, id));
    size_t components;
    assert_int_equal(count_writers(peer, id, &components), 1); /* the one that went above the limit */
    uint32_t newer = ask_writers(world, other, true, true, "");
    world_run(world);
    assert_non_null(client_final(other, newer));
    peer->does_not_read = false;
    peer_drain(world, peer);
    world_run(world);
    assert_int_equal(client_final(peer, id)->writers_reply->count, WRITERS);
    /* One that goes away in the middle. */
    peer->unsent_bytes = world->config.output_soft_limit_bytes;
    peer->does_not_read = true;
    ask_writers(world, peer, true, false, "");
    world_run(world);
    peer_close(world, peer);
    world_end(world);
}

static void test_volumes(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->unsupported[3] = true;
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_VOLUMES, list_volumes, &list);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    const PB(VolumesReply) *reply = client_final(peer, id)->volumes_reply;
    assert_int_equal(reply->n_volumes, 5);
    assert_string_equal(reply->volumes[1]->names[1], "C:\\mnt\\data\\");
    assert_string_equal(reply->volumes[1]->label, "Data");
    assert_int_equal(reply->volumes[1]->total_bytes, 2000);
    assert_int_equal(reply->volumes[1]->drive_type, PB_VALUE(DRIVE_TYPE, DRIVE_TYPE_FIXED));
    assert_true(reply->volumes[1]->supported);
    assert_false(reply->volumes[3]->supported);
    assert_true(strlen(reply->volumes[3]->reason) > 0);
    /* VSS may not even be able to say. */
    world_rule(world, PB_METHOD(IS_VOLUME_SUPPORTED), 1, ACT_FAIL, 0x80042308u);
    list.refresh = true;
    id = client_send(world, peer, &envelope);
    world_run(world);
    reply = client_final(peer, id)->volumes_reply;
    assert_string_equal(reply->volumes[0]->hresult_name, "VSS_E_OBJECT_NOT_FOUND");
    world->enumeration_failure = "nothing is mounted";
    id = client_send(world, peer, &envelope);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "VOLUMES_UNKNOWN");
    world_end(world);
}

/* A drive that sleeps answers late what it looks like: no snapshot of another waits for that. */
static void test_snapshots_ask_for_the_names_of_volumes_only(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_VOLUMES, list_volumes, &list);
    world->holds_enumeration = true;
    uint32_t snapshot = client_snapshot(world, peer, "C:");
    assert_true(world->enumerates && !world->enumerates_described);
    /* Who lists meanwhile is told everything, from a question of its own. */
    uint32_t id = client_send(world, peer, &envelope);
    world->holds_enumeration = false;
    world_run(world);
    assert_true(world->enumerates_described);
    const PB(VolumesReply) *reply = client_final(peer, id)->volumes_reply;
    assert_string_equal(reply->volumes[1]->label, "Data");
    assert_int_equal(reply->volumes[1]->total_bytes, 2000);
    assert_int_equal(client_final(peer, snapshot)->body_case, PB_BODY(SNAPSHOT_REPLY));
    world_end(world);
}

static void test_providers(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(ListProviders) list = SHADOWPIPE__V1__LIST_PROVIDERS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_PROVIDERS, list_providers, &list);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    assert_int_equal(client_final(peer, id)->providers_reply->n_providers, 1);
    assert_string_equal(client_final(peer, id)->providers_reply->providers[0]->name, "Test provider");
    world_end(world);
}

static void test_list_fails(void **state)
{
    (void)state;
    static const PB(Call__MethodCase) methods[] = {
        PB_METHOD(CREATE_OBJECT),       PB_METHOD(INITIALIZE_FOR_BACKUP), PB_METHOD(GATHER_WRITER_METADATA),
        PB_METHOD(GET_WRITER_METADATA), PB_METHOD(GATHER_WRITER_STATUS),  PB_METHOD(GET_WRITER_STATUS_EX)};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        static const enum action actions[] = {ACT_FAIL, ACT_HANG, ACT_SLOW, ACT_STUCK, ACT_DIE, ACT_LOST};
        for (size_t j = 0; j < sizeof actions / sizeof actions[0]; j++) {
            enum action action = actions[j];
            struct world *world = world_new();
            struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
            world_rule(world, methods[i], 1, action, 0x80070005u);
            uint32_t id = ask_writers(world, peer, false, false, "");
            world_advance(world, 10 * 60 * 1000);
            const PB(Status) *status = client_status(peer, id);
            if (action == ACT_FAIL)
                assert_string_equal(status->hresult_name, "E_ACCESSDENIED");
            else if (action == ACT_LOST)
                assert_string_equal(status->reason, "RESOURCE_EXHAUSTED");
            else
                assert_string_equal(status->reason, action == ACT_DIE ? "REQUESTER_DIED" : "PHASE_TIMEOUT");
            assert_int_equal(world_alive(world), 0);
            id = ask_writers(world, peer, false, false, "");
            world_run(world);
            assert_int_equal(client_final(peer, id)->writers_reply->count, WRITERS);
            world_end(world);
        }
    }
}

/* Who asks anew while the last process is being let go gets an answer of its own. */
static void test_between_two_runs(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    uint32_t id = ask_writers(world, peer, false, false, "");
    world_run(world);
    assert_non_null(client_final(peer, id));
    id = ask_writers(world, peer, false, true, "");
    world_run(world);
    assert_null(client_final(peer, id));
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    world_run(world);
    assert_int_equal(client_final(peer, id)->writers_reply->count, WRITERS);
    /* Cancelled, or its time over, while the list is made. */
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 0, ACT_HANG, 0);
    id = ask_writers(world, peer, false, true, "");
    world_run(world);
    client_cancel(world, peer, id);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "CANCELLED");
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    list.refresh = true;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_WRITERS, list_writers, &list);
    envelope.timeout_ms = 3000;
    id = client_send(world, peer, &envelope);
    world_advance(world, 3000);
    assert_string_equal(client_status(peer, id)->reason, "DEADLINE");
    world_end(world);
}

/* Who asks while a run that failed is being ended gets one of its own, not the word that the service stops.
 */
static void test_after_a_failed_run(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(GATHER_WRITER_METADATA), 1, ACT_FAIL, 0x80070005u);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    uint32_t id = ask_writers(world, peer, false, false, "");
    world_run(world);
    assert_string_equal(client_status(peer, id)->hresult_name, "E_ACCESSDENIED");
    uint32_t late[3];
    for (int i = 0; i < 3; i++)
        late[i] = ask_writers(world, peer, false, false, "");
    world_run(world);
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_final(peer, late[i])->writers_reply->count, WRITERS);
    assert_int_equal(world->requesters_count, 2);
    world_end(world);
}

/* ---- requester processes ---- */

static const PB(Status) * fail_to_start(struct world *world)
{
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, peer, "C:");
    world_advance(world, 60000);
    assert_int_equal(world->calls_count, 0);
    return client_status(peer, id);
}

static void test_start_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->start_failure = "error 5";
    const PB(Status) *status = fail_to_start(world);
    assert_string_equal(status->reason, "REQUESTER_START");
    assert_non_null(strstr(status->message, "error 5"));
    world_end(world);

    world = world_new();
    world->holds_requesters = true;
    assert_string_equal(fail_to_start(world)->reason, "REQUESTER_START");
    world_end(world);

    world = world_new();
    world->ready_hresult = 0x8007007Eu;
    status = fail_to_start(world);
    assert_string_equal(status->reason, "VSS_LIBRARY");
    assert_int_equal(status->code, PB_CODE(FAILED_PRECONDITION));
    assert_string_equal(status->method, "LoadLibrary");
    assert_non_null(strstr(status->message, "it is not there"));
    assert_string_equal(status->hresult_name, "ERROR_MOD_NOT_FOUND");
    world_end(world);
}

static void test_impostors(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->wrong_secret = true;
    assert_string_equal(fail_to_start(world)->reason, "REQUESTER_DIED"); /* refused, so it leaves */
    world->wrong_secret = false;
    world->wrong_process = true;
    for (int i = 0; i < 2; i++) {
        assert_string_equal(fail_to_start(world)->reason, "REQUESTER_DIED");
        world->hello_before_started = true; /* and with the two halves in the other order */
    }
    world->wrong_process = false;
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    (void)client_snapshot_reply(client, id);

    /* Not even a Hello, or not the first frame's size. */
    struct peer *peer = peer_connect(world, CONNECTION_REQUESTER);
    broker_requester_identified(world->broker, peer->id, 5);
    peer_send_bytes(world, peer, (const uint8_t *)"\0\0\0\2\x08\x01", 6);
    assert_false(peer->is_open);
    peer = peer_connect(world, CONNECTION_REQUESTER);
    broker_requester_identified(world->broker, peer->id, 5);
    peer_send_bytes(world, peer, (const uint8_t *)"\0\0\0\2\xff\xff", 6);
    assert_false(peer->is_open);
    world_end(world);
}

/* It connects before COM is up, which may take longer than a client has for its Hello. */
static void test_slow_start(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = peer_connect(world, CONNECTION_REQUESTER);
    INTO_BROKER(broker_requester_identified(world->broker, peer->id, 5));
    world_advance(world, 29999);
    assert_int_equal(world->peers_count, 1);
    world_advance(world, 1);
    assert_int_equal(world->peers_count, 0);
    world_end(world);
}

/* One that dials in again tells of its snapshots, which takes more than a client's Hello may. */
static void test_long_hello(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = peer_connect(world, CONNECTION_REQUESTER);
    INTO_BROKER(broker_requester_identified(world->broker, peer->id, 5));
    PB(Snapshot) snapshot = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * snapshots[64];
    for (size_t i = 0; i < 64; i++)
        snapshots[i] = &snapshot;
    snapshot.device = (char *)(uintptr_t) "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1234";
    snapshot.snapshot_id = snapshot.set_id = (char *)(uintptr_t)writer_classes[0];
    uint8_t secret[REQUESTER_SECRET_BYTES] = {0};
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    hello.secret = (ProtobufCBinaryData){sizeof secret, secret};
    hello.process_id = 5;
    hello.snapshots = snapshots;
    hello.n_snapshots = 64;
    PB(Envelope) envelope = ENVELOPE_OF(REQUESTER_HELLO, requester_hello, &hello);
    envelope.id = 1;
    peer_send(world, peer, &envelope);
    assert_false(peer->is_open);
    assert_non_null(strstr(world->log, "nobody waits for"));
    /* It need not hold them any longer. */
    struct frame_reader reader;
    struct arena arena;
    struct decode_error error;
    const uint8_t *data = peer->output;
    size_t size = peer->output_size;
    const uint8_t *payload;
    size_t payload_size;
    frame_reader_init(&reader, FRAME_LIMIT_REPLY_BYTES);
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_READY);
    const PB(Envelope) *answer = decode_envelope(&arena, payload, payload_size, DECODE_STRICT, &error);
    assert_non_null(answer);
    assert_string_equal(answer->status->reason, "NOT_AWAITED");
    frame_reader_free(&reader);
    arena_free(&arena);
    world_end(world);
}

/* Its exit code tells why it did not come up. */
static void test_start_fails_inside(void **state)
{
    (void)state;
    static const struct {
        uint32_t exit_code;
        const char *words;
    } rows[] = {{13, "pipe"}, {14, "COM"}, {15, "memory"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *world = world_new();
        world->holds_requesters = true;
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        requester_die(world, &world->requesters[0], rows[i].exit_code);
        world_run(world);
        assert_string_equal(client_status(client, id)->reason, "REQUESTER_START");
        assert_non_null(strstr(client_status(client, id)->message, rows[i].words));
        world_end(world);
    }
}

/* A requester that answers what was not asked is not trusted any more. */
static void test_confused_requester(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    struct fake_requester *requester = world_hanging(world, PB_METHOD(PREPARE_FOR_BACKUP));
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(CALL_REPLY, call_reply, &reply);
    envelope.id = 4711;
    peer_send(world, requester->peer, &envelope);
    assert_false(requester->peer->is_open);
    requester->hangs = false;
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
    world_end(world);
}

static void test_service_status(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    struct peer *manager = client_connect(world, "S-1-5-21-3", ALL_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 0, ACT_HANG, 0);
    client_snapshot(world, other, "D:");
    world_run(world);
    PB(GetServiceStatus) question = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(GET_SERVICE_STATUS, get_service_status, &question);
    uint32_t mine = client_send(world, other, &envelope);
    uint32_t all = client_send(world, manager, &envelope);
    world_run(world);
    const PB(ServiceStatus) *status = client_final(other, mine)->service_status;
    assert_int_equal(status->connections, 3);
    assert_int_equal(status->n_sets, 2);
    assert_int_equal(status->leases, 1);
    assert_int_equal(status->requesters, 2);
    assert_string_equal(status->gate_holder, "test");
    assert_int_equal(status->gate_phase, PB_PHASE(ADDING_VOLUMES));
    assert_int_equal(status->sets[0]->phase, PB_PHASE(HELD));
    assert_string_equal(status->sets[0]->members[0]->lease_id, ""); /* another owner's */
    assert_string_equal(status->sets[1]->members[0]->owner_sid, "S-1-5-21-2");
    status = client_final(manager, all)->service_status;
    assert_string_equal(status->sets[0]->members[0]->lease_id, snapshot->lease_id);
    static const struct {
        const char *name;
        uint64_t value;
    } counters[] = {{"connections", 5},      {"snapshots_created", 1},  {"requesters_started", 2},
                    {"loop_slow_events", 3}, {"loop_longest_us", 4000}, {"memory_bytes", 5000000}};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        size_t at = 0;
        while (at < status->n_counters && strcmp(status->counters[at]->name, counters[i].name) != 0)
            at++;
        assert_true(at < status->n_counters);
        assert_int_equal(status->counters[at]->value, counters[i].value);
    }

    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    envelope = ENVELOPE_OF(LIST_LEASES, list_leases, &list);
    mine = client_send(world, other, &envelope);
    uint32_t his = client_send(world, client, &envelope);
    list.all_owners = true;
    all = client_send(world, manager, &envelope);
    world_run(world);
    assert_int_equal(client_final(other, mine)->leases_reply->n_leases, 0);
    assert_int_equal(client_final(client, his)->leases_reply->n_leases, 1);
    assert_string_equal(client_final(manager, all)->leases_reply->leases[0]->volumes[0], "C:\\");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers),
        cmocka_unit_test(test_writers_without_components),
        cmocka_unit_test(test_writers_with_files),
        cmocka_unit_test(test_files_for_a_slow_reader),
        cmocka_unit_test(test_files_are_not_wanted),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_volumes),
        cmocka_unit_test(test_snapshots_ask_for_the_names_of_volumes_only),
        cmocka_unit_test(test_providers),
        cmocka_unit_test(test_list_fails),
        cmocka_unit_test(test_between_two_runs),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_confused_requester),
        cmocka_unit_test(test_after_a_failed_run),
        cmocka_unit_test(test_service_status),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_long_hello),
        cmocka_unit_test(test_start_fails_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
