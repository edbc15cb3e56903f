#include "tests/fuzz/broker_world.h"

#include <string.h>

enum {
    ASYNC_FINISHED = 0x0004230A
};

struct world world;

/* ---- what the broker does ---- */

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

static void client_got(struct peer *peer, const PB(Envelope) * envelope)
{
    if (envelope->id == 0) {
        REQUIRE(envelope->body_case == PB_BODY(STATUS));
        return;
    }
    if (envelope->body_case == PB_BODY(SNAPSHOT_REPLY)) {
        REQUIRE(strlen(envelope->snapshot_reply->lease_id) < sizeof peer->lease_id);
        memcpy(peer->lease_id, envelope->snapshot_reply->lease_id,
               strlen(envelope->snapshot_reply->lease_id) + 1);
    }
    if (envelope->body_case == PB_BODY(OPEN_SESSION_REPLY)) {
        REQUIRE(strlen(envelope->open_session_reply->session_id) < sizeof peer->session_id);
        memcpy(peer->session_id, envelope->open_session_reply->session_id,
               strlen(envelope->open_session_reply->session_id) + 1);
    }
    if (envelope->body_case == PB_BODY(PUT_DOCUMENT_REPLY)) {
        REQUIRE(strlen(envelope->put_document_reply->document_id) < sizeof peer->document_id);
        memcpy(peer->document_id, envelope->put_document_reply->document_id,
               strlen(envelope->put_document_reply->document_id) + 1);
    }
    if (peer->is_raw)
        return;
    for (size_t i = 0; i < REQUESTS; i++) {
        if (peer->open[i] == envelope->id) {
            if (is_final(envelope))
                peer->open[i] = 0;
            return;
        }
    }
    abort(); /* a reply to nothing, or after the final one */
}

static void requester_got(struct peer *peer, const PB(Envelope) * envelope)
{
    bool is_call = envelope->body_case == PB_BODY(CALL);
    if (!is_call && envelope->body_case != PB_BODY(READ_DOCUMENT) &&
        envelope->body_case != PB_BODY(PUT_DOCUMENT))
        return;
    REQUIRE(peer->calls_count < CALLS);
    peer->calls[peer->calls_count].id = envelope->id;
    peer->calls[peer->calls_count].kind = envelope->body_case;
    peer->calls[peer->calls_count++].method = is_call ? envelope->call->method_case : PB_METHOD(_NOT_SET);
}

static void host_send(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    (void)context;
    REQUIRE(connection < PEERS && world.peers[connection].used && !world.peers[connection].closing);
    struct peer *peer = &world.peers[connection];
    struct arena arena;
    const uint8_t *payload;
    size_t payload_size;
    arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
    while (frame_reader_take(&peer->reader, &bytes, &size, &payload, &payload_size) == FRAME_READY) {
        struct decode_error error;
        const PB(Envelope) *envelope = decode_envelope(&arena, payload, payload_size, DECODE_STRICT, &error);
        REQUIRE(envelope != NULL);
        if (peer->kind == CONNECTION_CLIENT)
            client_got(peer, envelope);
        else
            requester_got(peer, envelope);
        arena_reset(&arena);
    }
    REQUIRE(size == 0 && peer->reader.received == 0);
    arena_free(&arena);
}

static size_t host_unsent_bytes(void *context, uint64_t connection)
{
    (void)context;
    (void)connection;
    return 0;
}

static void host_disconnect(void *context, uint64_t connection, bool flush)
{
    (void)context;
    (void)flush;
    REQUIRE(connection < PEERS && world.peers[connection].used);
    world.peers[connection].closing = true;
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
    REQUIRE(world.processes_count + 1 < PEERS);
    struct process *process = &world.processes[++world.processes_count];
    process->id = requester;
    memcpy(process->secret, secret, REQUESTER_SECRET_BYTES);
}

static void host_adopt_requester(void *context, uint64_t requester, uint32_t process_id, uint64_t started)
{
    (void)context;
    (void)requester;
    (void)process_id;
    (void)started;
    REQUIRE(false); /* nothing was stored before */
}

static void host_kill_requester(void *context, uint64_t requester)
{
    (void)context;
    for (size_t i = 1; i <= world.processes_count; i++) {
        if (world.processes[i].id == requester)
            world.processes[i].killed = true;
    }
}

static void host_enumerate_volumes(void *context, bool described)
{
    (void)described;
    (void)context;
    world.enumerating = true;
}

static void note_store(const char *key)
{
    REQUIRE(world.stored_count < STORE_OPERATIONS && strlen(key) < sizeof world.stored[0]);
    memcpy(world.stored[world.stored_count++], key, strlen(key) + 1);
}

static const ProtobufCMessageDescriptor *kept_as(const char *key)
{
    if (strncmp(key, "set-", 4) == 0)
        return &shadowpipe__v1__held_set__descriptor;
    return strncmp(key, "lease-", 6) == 0 ? &shadowpipe__v1__held_lease__descriptor
                                          : &shadowpipe__v1__stored_set__descriptor;
}

static void host_store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    (void)context;
    struct decode_error error;
    REQUIRE(strlen(key) <= STORE_KEY_MAX);
    REQUIRE(decode_check(kept_as(key), bytes, size, DECODE_STRICT, &error));
    REQUIRE(lasting == (kept_as(key) == &shadowpipe__v1__stored_set__descriptor));
    note_store(key);
}

static void host_store_delete(void *context, const char *key)
{
    (void)context;
    note_store(key);
}

static void host_random_bytes(void *context, uint8_t *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(++world.made_ids * 31);
}

static void host_log(void *context, enum broker_log_level level, const char *text)
{
    (void)context;
    (void)level;
    REQUIRE(text != NULL);
}

static void host_stopped(void *context)
{
    (void)context;
    REQUIRE(!world.stopped);
    world.stopped = true;
}

/* ---- what happens to the broker ---- */

void pass_time(uint64_t milliseconds)
{
    world.now_ms += milliseconds;
    broker_set_time(world.broker, world.now_ms, (int64_t)world.now_ms);
    if (broker_next_timer_ms(world.broker) <= world.now_ms)
        broker_timer(world.broker);
}

size_t new_peer(enum connection_kind kind)
{
    if (world.peers_count + 1 == PEERS)
        return 0;
    size_t index = ++world.peers_count;
    struct peer *peer = &world.peers[index];
    memset(peer, 0, sizeof *peer);
    peer->used = true;
    peer->kind = kind;
    frame_reader_init(&peer->reader, FRAME_LIMIT_REPLY_BYTES);
    broker_connected(world.broker, index, kind);
    return index;
}

void peer_goes(size_t index)
{
    struct peer *peer = &world.peers[index];
    if (!peer->used)
        return;
    broker_disconnected(world.broker, index);
    peer->used = false;
    frame_reader_free(&peer->reader);
    if (peer->process != 0)
        world.processes[peer->process].peer = 0;
}

/* Not a piece of text: whatever envelope it is, as bytes. */
void deliver(size_t index, PB(Envelope) * envelope)
{
    REQUIRE(frame_encode(&world.buffer, envelope, FRAME_LIMIT_REQUEST_BYTES));
    if (world.peers[index].used && !world.peers[index].closing)
        broker_received(world.broker, index, world.buffer.data, world.buffer.size);
}

void volumes_come(bool failed)
{
    static const char *const names[][1] = {{"C:\\"}, {"D:\\"}, {"E:\\"}};
    struct host_volume volumes[3] = {
        {.guid_path = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\"},
        {.guid_path = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000d}\\"},
        {.guid_path = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000e}\\"},
    };
    for (size_t i = 0; i < 3; i++) {
        volumes[i].names = names[i];
        volumes[i].names_count = 1;
        volumes[i].label = "";
        volumes[i].file_system = "NTFS";
        volumes[i].drive_type = 3;
    }
    if (!world.enumerating)
        return;
    world.enumerating = false;
    broker_volumes_enumerated(world.broker, failed ? NULL : volumes, failed ? 0 : 3,
                              failed ? "no answer" : NULL);
}

void store_answers(bool fails)
{
    if (world.stored_done < world.stored_count)
        broker_stored(world.broker, world.stored[world.stored_done++], fails ? "no room" : NULL);
}

void process_reports(size_t number)
{
    struct process *process = &world.processes[number];
    if (process->id == 0 || process->reported || process->killed)
        return;
    process->reported = true;
    broker_requester_started(world.broker, process->id, (uint32_t)(1000 + number), (uint64_t)number);
    size_t index = new_peer(CONNECTION_REQUESTER);
    if (index == 0)
        return;
    world.peers[index].process = number;
    process->peer = index;
    broker_requester_identified(world.broker, index, (uint32_t)(1000 + number));
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    hello.secret.data = process->secret;
    hello.secret.len = sizeof process->secret;
    hello.process_id = (uint32_t)(1000 + number);
    envelope.id = 1;
    envelope.body_case = PB_BODY(REQUESTER_HELLO);
    envelope.requester_hello = &hello;
    deliver(index, &envelope);
}

void process_exits(size_t number, uint32_t exit_code, const char *failure)
{
    struct process *process = &world.processes[number];
    uint64_t id = process->id;
    if (id == 0)
        return;
    process->id = 0;
    if (process->peer != 0)
        peer_goes(process->peer);
    broker_requester_exited(world.broker, id, exit_code, failure);
}

/* What VSS would give, as far as anything depends on it. */
static void fill_result(PB(CallReply) * reply, PB(Call__MethodCase) method, uint8_t detail)
{
    static PB(WriterStatus) writer;
    static PB(Writer) description;
    static PB(Snapshot) snapshot;
    static union {
        PB(GetWriterMetadataCountResult) count;
        PB(GetWriterMetadataResult) metadata;
        PB(GetWriterStatusCountResult) status_count;
        PB(GetWriterStatusResult) status;
        PB(StartSnapshotSetResult) set;
        PB(AddToSnapshotSetResult) added;
        PB(GetSnapshotPropertiesResult) properties;
        PB(IsVolumeSupportedResult) supported;
    } out;
    static char id[37];
    bool second = (detail & 1) != 0;
    shadowpipe__v1__writer_status__init(&writer);
    writer.writer_id = "e8132975-6f93-4464-a53e-1050253ae220";
    writer.instance_id =
        second ? "00000000-0000-0000-0000-000000000002" : "00000000-0000-0000-0000-000000000001";
    writer.name = second ? "Two" : "One";
    memcpy(id, "00000000-0000-0000-0000-000000000000", sizeof id);
    for (uint32_t rest = ++world.made_ids, i = 35; rest > 0; rest /= 10, i--)
        id[i] = (char)('0' + rest % 10);
    switch (method) {
    case PB_METHOD(GET_WRITER_METADATA_COUNT):
        shadowpipe__v1__get_writer_metadata_count_result__init(&out.count);
        out.count.count = detail % 3;
        reply->get_writer_metadata_count = &out.count;
        break;
    case PB_METHOD(GET_WRITER_METADATA):
    case PB_METHOD(GET_WRITER_METADATA_EX):
        shadowpipe__v1__writer__init(&description);
        description.status = &writer;
        shadowpipe__v1__get_writer_metadata_result__init(&out.metadata);
        out.metadata.writer = &description;
        reply->get_writer_metadata = &out.metadata;
        break;
    case PB_METHOD(GET_WRITER_STATUS_COUNT):
        shadowpipe__v1__get_writer_status_count_result__init(&out.status_count);
        out.status_count.count = detail % 3;
        reply->get_writer_status_count = &out.status_count;
        break;
    case PB_METHOD(GET_WRITER_STATUS):
    case PB_METHOD(GET_WRITER_STATUS_EX):
        shadowpipe__v1__get_writer_status_result__init(&out.status);
        out.status.state_value = (detail & 0x70) == 0x70 ? 9 : 1;
        writer.hresult = out.status.state_value == 9 ? 0x800423F2 : 0;
        out.status.writer = &writer;
        reply->get_writer_status = &out.status;
        break;
    case PB_METHOD(START_SNAPSHOT_SET):
        shadowpipe__v1__start_snapshot_set_result__init(&out.set);
        out.set.set_id = id;
        reply->start_snapshot_set = &out.set;
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        shadowpipe__v1__add_to_snapshot_set_result__init(&out.added);
        out.added.snapshot_id = id;
        reply->add_to_snapshot_set = &out.added;
        break;
    case PB_METHOD(GET_SNAPSHOT_PROPERTIES):
        shadowpipe__v1__snapshot__init(&snapshot);
        snapshot.snapshot_id = id;
        snapshot.device = "\\\\?\\device";
        shadowpipe__v1__get_snapshot_properties_result__init(&out.properties);
        out.properties.snapshot = &snapshot;
        reply->get_snapshot_properties = &out.properties;
        break;
    case PB_METHOD(IS_VOLUME_SUPPORTED):
        shadowpipe__v1__is_volume_supported_result__init(&out.supported);
        out.supported.supported = (detail & 0x30) != 0x30;
        reply->is_volume_supported = &out.supported;
        break;
    default:
        return;
    }
    reply->out_case = (PB(CallReply__OutCase))method; /* the field numbers are the same */
}

/* The oldest open call of a process is answered. */
/* To ReadDocument and PutDocument. */
static void answer_document(size_t peer, const struct pending_call *call, uint8_t detail, bool fails)
{
    static uint8_t bytes[100];
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocumentReply) taken = SHADOWPIPE__V1__PUT_DOCUMENT_REPLY__INIT;
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    envelope.id = call->id;
    chunk.data = (ProtobufCBinaryData){detail % 8 == 7 ? 0 : sizeof bytes, bytes};
    chunk.last = detail % 2 == 0;
    if (fails) {
        envelope.body_case = PB_BODY(STATUS);
        envelope.status = &status;
    } else if (call->kind == PB_BODY(READ_DOCUMENT)) {
        envelope.body_case = PB_BODY(DOCUMENT_CHUNK);
        envelope.document_chunk = &chunk;
    } else {
        envelope.body_case = PB_BODY(PUT_DOCUMENT_REPLY);
        envelope.put_document_reply = &taken;
    }
    deliver(peer, &envelope);
}

void process_answers(size_t number, uint8_t detail, bool fails)
{
    static const uint32_t failures[] = {0x80042316, 0x8004231F, 0x80042301, 0x80042306,
                                        0x80042315, 0x80042308, 0x8000FFFF, 0x80070005};
    struct process *process = &world.processes[number];
    if (process->id == 0 || process->peer == 0 || world.peers[process->peer].closing)
        return;
    struct peer *peer = &world.peers[process->peer];
    if (peer->calls_count == 0)
        return;
    struct pending_call call = peer->calls[0];
    memmove(peer->calls, peer->calls + 1, --peer->calls_count * sizeof peer->calls[0]);
    if (call.kind != PB_BODY(CALL)) {
        answer_document(process->peer, &call, detail, fails);
        return;
    }
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    bool is_async =
        call.method == PB_METHOD(GATHER_WRITER_METADATA) || call.method == PB_METHOD(PREPARE_FOR_BACKUP) ||
        call.method == PB_METHOD(DO_SNAPSHOT_SET) || call.method == PB_METHOD(GATHER_WRITER_STATUS) ||
        call.method == PB_METHOD(BACKUP_COMPLETE);
    if (fails && (detail & 8) == 0)
        reply.hresult = failures[detail & 7];
    else if (is_async)
        reply.async_hresult = fails ? failures[detail & 7] : ASYNC_FINISHED;
    if (!fails && detail != 0xff) /* else: VSS succeeds and gives nothing */
        fill_result(&reply, call.method, detail);
    envelope.id = call.id;
    envelope.body_case = PB_BODY(CALL_REPLY);
    envelope.call_reply = &reply;
    deliver(process->peer, &envelope);
}

void host_follows(void)
{
    for (size_t i = 1; i <= world.peers_count; i++) {
        size_t process = world.peers[i].process;
        if (!world.peers[i].used || !world.peers[i].closing)
            continue;
        peer_goes(i);
        if (process != 0)
            process_exits(process, 0, NULL); /* it has nothing left, or cleans up by itself */
    }
    for (size_t i = 1; i <= world.processes_count; i++) {
        if (world.processes[i].killed)
            process_exits(i, 1, NULL);
    }
}

/* ---- a run ---- */

void world_start(void)
{
    static const struct broker_host host = {
        .send = host_send,
        .unsent_bytes = host_unsent_bytes,
        .disconnect = host_disconnect,
        .pause_reading = host_pause_reading,
        .start_requester = host_start_requester,
        .adopt_requester = host_adopt_requester,
        .kill_requester = host_kill_requester,
        .enumerate_volumes = host_enumerate_volumes,
        .store_put = host_store_put,
        .store_delete = host_store_delete,
        .random_bytes = host_random_bytes,
        .log = host_log,
        .stopped = host_stopped,
    };
    struct broker_config config;
    memset(&world, 0, sizeof world);
    broker_config_init(&config);
    config.server_version = config.os_build = config.vss_library = "";
    world.broker = broker_create(&config, &host);
    REQUIRE(world.broker != NULL);
    pass_time(1000);
    broker_start(world.broker);
}

void world_end(void)
{
    for (size_t i = 1; i <= world.peers_count; i++)
        peer_goes(i);
    broker_destroy(world.broker);
    frame_buffer_free(&world.buffer);
}
