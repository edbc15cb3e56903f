#include "tests/unit/broker_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/requester.h"

static const char user[] = "S-1-5-21-1-2-3-1001";
static const int64_t epoch_ms = 1700000000000;

/* ---- the host ---- */

static struct peer *find_peer(struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->peers_count; i++) {
        if (world->peers[i]->id == id)
            return world->peers[i];
    }
    return NULL;
}

int world_in_broker;

static void keep_output(struct world *world, uint64_t connection, const uint8_t *bytes, size_t size)
{
    struct peer *peer = find_peer(world, connection);
    if (peer == NULL || !peer->is_open)
        return;
    if (peer->does_not_read)
        peer->unsent_bytes += size;
    if (peer->output_size + size > peer->output_capacity) {
        peer->output_capacity = (peer->output_size + size) * 2;
        peer->output = realloc(peer->output, peer->output_capacity);
        assert_non_null(peer->output);
    }
    memcpy(peer->output + peer->output_size, bytes, size);
    peer->output_size += size;
}

static void host_send(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    world_in_broker--;
    keep_output(context, connection, bytes, size);
    world_in_broker++;
}

static size_t host_unsent_bytes(void *context, uint64_t connection)
{
    const struct peer *peer = find_peer(context, connection);
    return peer != NULL ? peer->unsent_bytes : 0;
}

static void host_disconnect(void *context, uint64_t connection, bool flush)
{
    struct peer *peer = find_peer(context, connection);
    assert_non_null(peer);
    peer->is_open = false;
    peer->was_flushed = flush;
}

static void host_pause(void *context, uint64_t connection, bool paused)
{
    find_peer(context, connection)->is_paused = paused;
}

static void host_start(void *context, uint64_t id, const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    struct world *world = context;
    assert_true(world->requesters_count < MAX_REQUESTERS);
    struct fake_requester *requester = &world->requesters[world->requesters_count++];
    memset(requester, 0, sizeof *requester);
    requester->id = id;
    requester->number = world->requesters_count;
    requester->process_id = 1000 + (uint32_t)requester->number;
    memcpy(requester->secret, secret, REQUESTER_SECRET_BYTES);
    requester->is_alive = requester->is_new = true;
}

static void host_adopt(void *context, uint64_t id, uint32_t process_id, uint64_t started)
{
    struct world *world = context;
    assert_true(world->adoptions_count < MAX_REQUESTERS);
    world->adoptions[world->adoptions_count++] = (struct adoption){id, process_id, started};
}

static void host_kill(void *context, uint64_t id)
{
    struct world *world = context;
    for (size_t i = 0; i < world->requesters_count; i++) {
        if (world->requesters[i].id == id && world->requesters[i].is_alive)
            world->requesters[i].is_killed = true;
    }
}

static void host_enumerate(void *context, bool described)
{
    struct world *world = context;
    assert_false(world->enumerates);
    world->enumerates = true;
    world->enumerates_described = described;
}

static void host_random(void *context, uint8_t *bytes, size_t size)
{
    struct world *world = context;
    for (size_t i = 0; i < size; i++) {
        world->random_state = world->random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(world->random_state >> 56);
    }
}

static void host_log(void *context, enum broker_log_level level, const char *text)
{
    struct world *world = context;
    (void)level;
    (void)snprintf(world->log, sizeof world->log, "%s", text);
    if (getenv("BROKER_LOG") != NULL)
        (void)fprintf(stderr, "%llu: %s\n", (unsigned long long)world->now_ms, text);
}

static void host_load(void *context, struct host_load *load)
{
    const struct world *world = context;
    *load = (struct host_load){world->calls_count, 3, 4000, 5000000};
}

static void host_stopped(void *context)
{
    struct world *world = context;
    assert_false(world->has_stopped);
    world->has_stopped = true;
}

/* ---- the volumes ---- */

static const char *const names_c[] = {"C:\\"};
static const char *const names_d[] = {"D:\\", "C:\\mnt\\data\\"};
static const char *const names_e[] = {"C:\\mnt\\data\\deep\\"};
static const char *const names_z[] = {"Z:\\"};
static const struct host_volume volumes[] = {
    {"\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\", names_c, 1, "System", "NTFS", 1000, 500, 3},
    {"\\\\?\\Volume{00000000-0000-0000-0000-00000000000d}\\", names_d, 2, "Data", "NTFS", 2000, 600, 3},
    {"\\\\?\\Volume{00000000-0000-0000-0000-00000000000e}\\", names_e, 1, "", "NTFS", 3000, 700, 3},
    {"\\\\?\\Volume{00000000-0000-0000-0000-00000000000f}\\", NULL, 0, "Hidden", "FAT32", 100, 50, 3},
    {"\\\\?\\Volume{00000000-0000-0000-0000-00000000001a}\\", names_z, 1, "", "", 0, 0, 4},
};

static bool tell_volumes(struct world *world)
{
    if (!world->enumerates || world->holds_enumeration)
        return false;
    world->enumerates = false;
    struct host_volume told[sizeof volumes / sizeof volumes[0]];
    memcpy(told, volumes, sizeof told);
    for (size_t i = 0; i < sizeof told / sizeof told[0] && !world->enumerates_described; i++) {
        told[i].label = told[i].file_system = NULL;
        told[i].total_bytes = told[i].free_bytes = 0;
    }
    INTO_BROKER(broker_volumes_enumerated(world->broker, told, sizeof told / sizeof told[0],
                                          world->enumeration_failure));
    return true;
}

/* ---- peers ---- */

static struct peer *add_peer(struct world *world, enum connection_kind kind)
{
    assert_true(world->peers_count < MAX_PEERS);
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->id = ++world->last_peer;
    peer->kind = kind;
    peer->is_open = true;
    frame_reader_init(&peer->reader, FRAME_LIMIT_REPLY_BYTES);
    arena_init(&peer->arena, DECODE_LIMIT_REPLY_BYTES);
    world->peers[world->peers_count++] = peer;
    return peer;
}

struct peer *peer_connect(struct world *world, enum connection_kind kind)
{
    struct peer *peer = add_peer(world, kind);
    INTO_BROKER(broker_connected(world->broker, peer->id, kind));
    return peer;
}

static bool is_final(const PB(Envelope) * envelope)
{
    bool has_more = envelope->body_case == PB_BODY(DOCUMENT_CHUNK) && !envelope->document_chunk->last;
    switch (envelope->body_case) {
    case PB_BODY(PROGRESS):
    case PB_BODY(WRITER):
    case PB_BODY(WATCH_EVENT):
    case PB_BODY(LEASE_EVENT):
    case PB_BODY(SELECTED_COMPONENT):
        return false;
    default:
        return !has_more;
    }
}

/* What holds for everything that a client gets. */
static void check_frame(struct world *world, struct peer *peer, const PB(Envelope) * envelope)
{
    if (envelope->body_case == PB_BODY(STATUS)) {
        const PB(Status) *status = envelope->status;
        world->statuses++;
        assert_int_not_equal(status->code, PB_CODE(UNSPECIFIED));
        assert_true(strlen(status->reason) > 0);
        assert_true(strlen(status->message) > 0);
        assert_true(strlen(status->advice) > 0);
        assert_int_not_equal(status->retry, 0);
    }
    for (size_t i = 0; i < peer->frames_count && envelope->id != 0; i++)
        assert_false(peer->frames[i]->id == envelope->id && is_final(peer->frames[i]));
}

/* Decodes what came; true if something did. */
static bool peer_read(struct world *world, struct peer *peer)
{
    if (peer->output_size == 0)
        return false;
    const uint8_t *data = peer->output;
    size_t size = peer->output_size;
    const uint8_t *payload;
    size_t payload_size;
    while (frame_reader_take(&peer->reader, &data, &size, &payload, &payload_size) == FRAME_READY) {
        struct decode_error error;
        PB(Envelope) *envelope = decode_envelope(&peer->arena, payload, payload_size, DECODE_STRICT, &error);
        assert_non_null(envelope);
        if (peer->kind == CONNECTION_CLIENT)
            check_frame(world, peer, envelope);
        assert_true(peer->frames_count < MAX_FRAMES);
        peer->frames[peer->frames_count++] = envelope;
    }
    peer->output_size = 0;
    return true;
}

void peer_send_bytes(struct world *world, struct peer *peer, const uint8_t *bytes, size_t size)
{
    INTO_BROKER(broker_received(world->broker, peer->id, bytes, size));
}

void peer_send(struct world *world, struct peer *peer, PB(Envelope) * envelope)
{
    struct frame_buffer buffer = {0};
    assert_true(frame_encode(&buffer, envelope, FRAME_LIMIT_REQUEST_BYTES));
    peer_send_bytes(world, peer, buffer.data, buffer.size);
    frame_buffer_free(&buffer);
}

static void remove_peer(struct world *world, struct peer *peer)
{
    for (size_t i = 0; i < world->peers_count; i++) {
        if (world->peers[i] == peer)
            world->peers[i] = world->peers[--world->peers_count];
    }
    for (size_t i = 0; i < world->requesters_count; i++) {
        if (world->requesters[i].peer == peer)
            world->requesters[i].peer = NULL;
    }
    free(peer->output);
    frame_reader_free(&peer->reader);
    arena_free(&peer->arena);
    free(peer);
}

void peer_close(struct world *world, struct peer *peer)
{
    INTO_BROKER(broker_disconnected(world->broker, peer->id));
    remove_peer(world, peer);
}

void peer_drain(struct world *world, struct peer *peer)
{
    peer->unsent_bytes = 0;
    INTO_BROKER(broker_output_drained(world->broker, peer->id));
}

/* ---- clients ---- */

struct caller caller_make(const char *sid, uint32_t rights)
{
    struct caller caller = {.process_id = 77, .process_name = "test.exe", .elevated = true, .rights = rights};
    (void)snprintf(caller.sid, sizeof caller.sid, "%s", sid != NULL ? sid : user);
    return caller;
}

struct peer *client_connect_only(struct world *world, const struct caller *caller)
{
    struct peer *peer = peer_connect(world, CONNECTION_CLIENT);
    INTO_BROKER(broker_identified(world->broker, peer->id, caller, NULL));
    return peer;
}

struct peer *client_connect(struct world *world, const char *sid, uint32_t rights)
{
    struct caller caller = caller_make(sid, rights);
    struct peer *peer = client_connect_only(world, &caller);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = PROTOCOL_MAJOR;
    hello.client_name = (char *)(uintptr_t) "test";
    PB(Envelope) envelope = ENVELOPE_OF(HELLO, hello, &hello);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    assert_non_null(client_final(peer, id));
    assert_int_equal(client_final(peer, id)->body_case, PB_BODY(HELLO_REPLY));
    return peer;
}

uint32_t client_send(struct world *world, struct peer *peer, PB(Envelope) * envelope)
{
    envelope->id = ++peer->last_id;
    assert_true(peer->sent_count < MAX_FRAMES);
    peer->sent[peer->sent_count++] = envelope->id;
    peer_send(world, peer, envelope);
    return envelope->id;
}

uint32_t client_create(struct world *world, struct peer *peer, PB(CreateSnapshot) * wish)
{
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, wish);
    return client_send(world, peer, &envelope);
}

uint32_t client_snapshot(struct world *world, struct peer *peer, const char *volume)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *names[] = {(char *)(uintptr_t)volume};
    wish.volumes = names;
    wish.n_volumes = 1;
    return client_create(world, peer, &wish);
}

uint32_t client_finish(struct world *world, struct peer *peer, const PB(SnapshotReply) * snapshot,
                       PB(Outcome) outcome)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    finish.lease_id = snapshot->lease_id;
    finish.token = snapshot->token;
    finish.outcome = outcome;
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish);
    return client_send(world, peer, &envelope);
}

uint32_t client_cancel(struct world *world, struct peer *peer, uint32_t id)
{
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.id = id;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &cancel);
    return client_send(world, peer, &envelope);
}

const PB(Envelope) * client_final(struct peer *peer, uint32_t id)
{
    for (size_t i = 0; i < peer->frames_count; i++) {
        if (peer->frames[i]->id == id && is_final(peer->frames[i]))
            return peer->frames[i];
    }
    return NULL;
}

static const PB(Envelope) * final_of(struct peer *peer, uint32_t id, PB(Envelope__BodyCase) kind)
{
    const PB(Envelope) *envelope = client_final(peer, id);
    assert_non_null(envelope);
    if (envelope->body_case == PB_BODY(STATUS) && kind != PB_BODY(STATUS))
        print_error("%s: %s\n", envelope->status->reason, envelope->status->message);
    assert_int_equal(envelope->body_case, kind);
    return envelope;
}

const PB(SnapshotReply) * client_snapshot_reply(struct peer *peer, uint32_t id)
{
    return final_of(peer, id, PB_BODY(SNAPSHOT_REPLY))->snapshot_reply;
}

const PB(FinishReply) * client_finish_reply(struct peer *peer, uint32_t id)
{
    return final_of(peer, id, PB_BODY(FINISH_REPLY))->finish_reply;
}

const PB(Status) * client_status(struct peer *peer, uint32_t id)
{
    return final_of(peer, id, PB_BODY(STATUS))->status;
}

const PB(Progress) * client_progress(struct peer *peer, uint32_t id)
{
    const PB(Progress) *last = NULL;
    for (size_t i = 0; i < peer->frames_count; i++) {
        if (peer->frames[i]->id == id && peer->frames[i]->body_case == PB_BODY(PROGRESS))
            last = peer->frames[i]->progress;
    }
    return last;
}

/* ---- the world ---- */

static void create_broker(struct world *world)
{
    const struct broker_host host = {.context = world,
                                     .send = host_send,
                                     .unsent_bytes = host_unsent_bytes,
                                     .disconnect = host_disconnect,
                                     .pause_reading = host_pause,
                                     .start_requester = host_start,
                                     .adopt_requester = host_adopt,
                                     .kill_requester = host_kill,
                                     .enumerate_volumes = host_enumerate,
                                     .store_put = host_store_put,
                                     .store_delete = host_store_delete,
                                     .random_bytes = host_random,
                                     .log = host_log,
                                     .load = host_load,
                                     .stopped = host_stopped};
    world->broker = broker_create(&world->config, &host);
    assert_non_null(world->broker);
    broker_set_time(world->broker, world->now_ms, epoch_ms + (int64_t)world->now_ms);
    for (size_t i = 0; i < world->stored_count; i++) {
        const struct stored *stored = &world->stored[i];
        INTO_BROKER(broker_add_stored(world->broker, stored->key, stored->bytes, stored->size));
    }
    INTO_BROKER(broker_start(world->broker));
}

struct world *world_new_with(void (*change)(struct broker_config *config))
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    broker_config_init(&world->config);
    world->config.max_shared_volumes = 0; /* but in the tests of sharing */
    world->config.server_version = "0.1.0";
    world->config.os_build = "10.0.20348";
    if (change != NULL)
        change(&world->config);
    world->now_ms = 1000;
    world->random_state = 1;
    world->is_simulated = true;
    create_broker(world);
    return world;
}

struct world *world_new(void)
{
    return world_new_with(NULL);
}

static void lose_service(struct world *world, struct fake_requester *requester, bool survive)
{
    requester->orphaned = survive && requester->is_alive && requester_holds_copies(requester);
    if (requester->orphaned)
        return;
    requester->is_alive = requester->hangs = false;
    if (world->creator == requester->number) /* it cleans up */
        world->creator = 0;
}

static void begin_again(struct world *world, bool survive)
{
    broker_destroy(world->broker);
    while (world->peers_count > 0)
        remove_peer(world, world->peers[0]);
    for (size_t i = 0; i < world->requesters_count; i++)
        lose_service(world, &world->requesters[i], survive);
    world->adoptions_count = 0;
    while (world->operations_count > 0)
        free(world->operations[--world->operations_count].bytes);
    world->enumerates = world->has_stopped = false;
    create_broker(world);
}

void world_crash(struct world *world)
{
    begin_again(world, false);
}

void world_restart(struct world *world)
{
    begin_again(world, true);
}

static bool tell_disconnected(struct world *world)
{
    for (size_t i = 0; i < world->peers_count; i++) {
        struct peer *peer = world->peers[i];
        if (peer->is_open || peer->kind == CONNECTION_CLIENT)
            continue;
        INTO_BROKER(broker_disconnected(world->broker, peer->id));
        remove_peer(world, peer);
        return true;
    }
    return false;
}

void world_run(struct world *world)
{
    bool is_busy = true;
    while (is_busy) {
        is_busy = tell_volumes(world);
        is_busy |= store_acts(world);
        is_busy |= requesters_act(world);
        is_busy |= tell_disconnected(world);
        for (size_t i = 0; i < world->peers_count; i++)
            is_busy |= world->peers[i]->kind == CONNECTION_CLIENT && peer_read(world, world->peers[i]);
        for (size_t i = 0; i < world->requesters_count; i++)
            is_busy |= world->requesters[i].peer != NULL && peer_read(world, world->requesters[i].peer);
        broker_check_invariants(world->broker);
    }
}

void world_advance(struct world *world, uint64_t ms)
{
    uint64_t end_ms = world->now_ms + ms;
    world_run(world);
    for (;;) {
        uint64_t next_ms = broker_next_timer_ms(world->broker);
        if (next_ms > end_ms)
            break;
        world->now_ms = next_ms > world->now_ms ? next_ms : world->now_ms;
        broker_set_time(world->broker, world->now_ms, epoch_ms + (int64_t)world->now_ms);
        INTO_BROKER(broker_timer(world->broker));
        world_run(world);
    }
    world->now_ms = end_ms;
    broker_set_time(world->broker, world->now_ms, epoch_ms + (int64_t)world->now_ms);
    world_run(world);
}

/* Each request got its one final reply, unless its connection was ended with a Status. */
static void check_replies(struct peer *peer)
{
    bool was_refused = peer->frames_count > 0 && peer->frames[peer->frames_count - 1]->id == 0;
    if (peer->kind != CONNECTION_CLIENT || !peer->was_flushed || was_refused)
        return;
    for (size_t i = 0; i < peer->sent_count; i++)
        assert_non_null(client_final(peer, peer->sent[i]));
}

void world_end(struct world *world)
{
    world->holds_enumeration = world->holds_requesters = world->holds_store = false;
    world_clear_rules(world);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    for (size_t i = 0; i < world->requesters_count; i++) {
        if (world->requesters[i].hangs)
            requester_resume(world, &world->requesters[i]);
    }
    world_advance(world, 1000);
    for (size_t i = 0; i < world->peers_count; i++)
        assert_false(world->peers[i]->is_open);
    while (world->peers_count > 0) {
        check_replies(world->peers[0]);
        peer_close(world, world->peers[0]);
    }
    assert_true(world->has_stopped);
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    assert_int_equal(counts.connections + counts.sets + counts.requesters + counts.queue_length, 0);
    /* Of persistent snapshots they may go on. */
    LIST_EACH(const struct lease, lease, &world->broker->leases, link)
    assert_true(lease->set == NULL && !lease_is_lost(lease) && lease->is_stored);
    assert_int_equal(world_alive(world), 0);
    broker_destroy(world->broker);
    store_free(world);
    free(world);
}
