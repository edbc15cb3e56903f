/* The broker between any clients and any VSS: the input is a script of what happens to it.
 *
 * Every two bytes are one event and its detail: a client comes, asks, goes; a requester process answers,
 * fails, dies; time passes. Afterwards the service is stopped while requesters behave, which has to come to
 * an end with every request answered. */
#include <string.h>

#include "tests/fuzz/broker_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    EVENTS = PEERS / 3, /* each makes two peers at most */
    STEPS = 20000,
    LONGEST_WAIT_MS = 300 * 1000
};

static void ask(size_t index, PB(Envelope) * envelope)
{
    struct peer *peer = &world.peers[index];
    if (!peer->used || peer->closing || peer->kind != CONNECTION_CLIENT)
        return;
    for (size_t i = 0; i < REQUESTS; i++) {
        if (peer->open[i] == 0) {
            envelope->id = peer->open[i] = ++peer->last_id;
            deliver(index, envelope);
            return;
        }
    }
}

static void client_comes(uint8_t detail)
{
    static const struct caller callers[] = {
        {.sid = "S-1-5-18", .process_name = "agent.exe", .process_id = 10, .rights = 0x7e},
        {.sid = "S-1-5-21-1-2-3-1001", .process_name = "tool.exe", .process_id = 11, .rights = 0x06},
        {.sid = "S-1-5-21-1-2-3-1002", .process_name = "user.exe", .process_id = 12, .rights = 0x02},
    };
    size_t index = new_peer(CONNECTION_CLIENT);
    if (index == 0)
        return;
    broker_identified(world.broker, index, &callers[detail % 3], detail % 16 == 15 ? "no token" : NULL);
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = detail % 16 == 14 ? 2 : 1;
    envelope.body_case = PB_BODY(HELLO);
    envelope.hello = &hello;
    world.peers[index].is_raw = detail >= 0x80;
    if (!world.peers[index].is_raw || detail >= 0xc0)
        ask(index, &envelope);
}

static void client_asks_snapshot(size_t index, uint8_t detail)
{
    char *volumes[] = {"C:", "D:\\", "E:", "\\\\?\\Volume{00000000-0000-0000-0000-00000000000f}\\"};
    char *tolerated[] = {"Two"};
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    size_t first = detail & 3;
    wish.volumes = volumes + first;
    wish.n_volumes = 1 + ((detail >> 2) & 1 & (first < 3));
    wish.on_unsupported = (detail & 8) != 0 ? PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP)
                                            : PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_FAIL);
    wish.context =
        (detail & 16) != 0 ? (PB(Context))(2 + (detail & 7) % 5) : PB_VALUE(CONTEXT, CONTEXT_BACKUP);
    wish.keep_ms =
        wish.context > PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) && (detail & 32) != 0 ? 5000 : 0;
    wish.writers_tolerated = tolerated;
    wish.n_writers_tolerated = (detail & 32) != 0;
    envelope.timeout_ms = (detail & 64) != 0 ? 1000 : 0;
    wish.queue_timeout_ms = (detail & 128) != 0 ? 500 : 0;
    envelope.body_case = PB_BODY(CREATE_SNAPSHOT);
    envelope.create_snapshot = &wish;
    ask(index, &envelope);
}

static void client_asks_list(size_t index, uint8_t detail)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(ListWriters) writers = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(ListVolumes) volumes = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(ListProviders) providers = SHADOWPIPE__V1__LIST_PROVIDERS__INIT;
    PB(GetServiceStatus) status = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(ListLeases) leases = SHADOWPIPE__V1__LIST_LEASES__INIT;
    writers.refresh = volumes.refresh = providers.refresh = (detail & 8) != 0;
    writers.with_components = (detail & 16) != 0;
    switch (detail % 5) {
    case 0:
        envelope.body_case = PB_BODY(LIST_WRITERS);
        envelope.list_writers = &writers;
        break;
    case 1:
        envelope.body_case = PB_BODY(LIST_VOLUMES);
        envelope.list_volumes = &volumes;
        break;
    case 2:
        envelope.body_case = PB_BODY(LIST_PROVIDERS);
        envelope.list_providers = &providers;
        break;
    case 3:
        envelope.body_case = PB_BODY(GET_SERVICE_STATUS);
        envelope.get_service_status = &status;
        break;
    default:
        envelope.body_case = PB_BODY(LIST_LEASES);
        envelope.list_leases = &leases;
        break;
    }
    ask(index, &envelope);
}

static void client_calls(size_t index, PB(Call__MethodCase) method, uint8_t detail)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)method);
    uint8_t parameters[256];
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    protobuf_c_message_init(field->descriptor, parameters);
    call.session_id = world.peers[index].session_id;
    call.method_case = method;
    call.create_object = (PB(CreateObject) *)(void *)parameters;
    if (method == PB_METHOD(SET_BACKUP_STATE))
        call.set_backup_state->backup_type = (detail & 64) != 0 ? 1 : 5;
    if (method == PB_METHOD(INITIALIZE_FOR_RESTORE))
        call.initialize_for_restore->document_id = world.peers[index].document_id;
    envelope.timeout_ms = (detail & 128) != 0 ? 1000 : 0;
    envelope.body_case = PB_BODY(CALL);
    envelope.call = &call;
    ask(index, &envelope);
}

static void client_asks_session(size_t index, uint8_t step)
{
    static uint8_t bytes[] = "<document/>";
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    PB(CloseSession) close = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    close.session_id = read.session_id = world.peers[index].session_id;
    open.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    chunk.data = (ProtobufCBinaryData){sizeof bytes, bytes};
    chunk.total_bytes = sizeof bytes;
    chunk.last = true;
    put.chunk = &chunk;
    put.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    switch (step) {
    case 0:
        envelope.body_case = PB_BODY(OPEN_SESSION);
        envelope.open_session = &open;
        break;
    case 1:
        envelope.body_case = PB_BODY(CLOSE_SESSION);
        envelope.close_session = &close;
        break;
    case 2:
        envelope.body_case = PB_BODY(READ_DOCUMENT);
        envelope.read_document = &read;
        break;
    default:
        envelope.body_case = PB_BODY(PUT_DOCUMENT);
        envelope.put_document = &put;
        break;
    }
    ask(index, &envelope);
}

static void client_makes_step(size_t index, uint8_t step, uint8_t detail)
{
    static const PB(Call__MethodCase)
        methods[] = {PB_METHOD(INITIALIZE_FOR_BACKUP),  PB_METHOD(SET_BACKUP_STATE),
                     PB_METHOD(GATHER_WRITER_METADATA), PB_METHOD(START_SNAPSHOT_SET),
                     PB_METHOD(ADD_TO_SNAPSHOT_SET),    PB_METHOD(PREPARE_FOR_BACKUP),
                     PB_METHOD(DO_SNAPSHOT_SET),        PB_METHOD(BACKUP_COMPLETE),
                     PB_METHOD(ABORT_BACKUP),           PB_METHOD(QUERY),
                     PB_METHOD(INITIALIZE_FOR_RESTORE), PB_METHOD(GET_SESSION_ID)};
    enum {
        METHODS = sizeof methods / sizeof methods[0]
    };
    if (step < METHODS)
        client_calls(index, methods[step], detail);
    else
        client_asks_session(index, (uint8_t)(step - METHODS));
}

static void client_finishes(size_t index, uint8_t detail)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    finish.lease_id = world.peers[index].lease_id;
    finish.outcome = (PB(Outcome))(detail % 3);
    envelope.body_case = PB_BODY(FINISH_BACKUP);
    envelope.finish_backup = &finish;
    ask(index, &envelope);
}

static void client_cancels(size_t index, uint8_t detail)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.id = world.peers[index].open[detail % 4];
    envelope.body_case = PB_BODY(CANCEL);
    envelope.cancel = &cancel;
    ask(index, &envelope);
}

/* ---- the script ---- */

static void happen(uint8_t event, uint8_t detail, const uint8_t *rest, size_t rest_size)
{
    size_t client = 1 + (world.peers_count > 0 ? detail % world.peers_count : 0);
    size_t process = 1 + (world.processes_count > 0 ? detail % world.processes_count : 0);
    if (world.peers_count == 0 && event % 16 != 0)
        return;
    switch (event % 16) {
    case 0:
        client_comes(detail);
        break;
    case 1:
        client_asks_snapshot(client, event ^ (uint8_t)(detail * 7));
        break;
    case 2:
        client_makes_step(client, event >> 4, detail);
        break;
    case 3:
        client_asks_list(client, event >> 4 ^ detail);
        break;
    case 4:
        client_finishes(client, event >> 4);
        break;
    case 5:
        client_cancels(client, event >> 4);
        break;
    case 6:
        if (world.peers[client].is_raw && world.peers[client].used && !world.peers[client].closing)
            broker_received(world.broker, client, rest, rest_size < detail ? rest_size : detail);
        break;
    case 7:
        peer_goes(client);
        break;
    case 8:
        process_reports(process);
        break;
    case 9:
    case 10:
        for (unsigned i = 0; i < 1u + (event >> 4); i++)
            process_answers(process, (uint8_t)(detail + i), false);
        break;
    case 11:
        process_answers(process, event >> 4, true);
        break;
    case 12:
        process_exits(process, event >> 4, world.processes[process].reported ? NULL : "no such file");
        break;
    case 13:
        pass_time(1ull << detail % 22);
        break;
    case 14:
        volumes_come(detail == 0xff);
        store_answers(detail == 0xfe);
        break;
    default:
        for (size_t i = 1; i <= world.processes_count; i++)
            process_reports(i);
        store_answers(false);
        break;
    }
    host_follows();
}

/* From here on everybody behaves, and the stop has to come to its end. */
static void finish(void)
{
    broker_stop(world.broker, BROKER_STOP_END);
    for (unsigned step = 0; !world.stopped; step++) {
        REQUIRE(step < STEPS);
        host_follows();
        volumes_come(false);
        store_answers(false);
        for (size_t i = 1; i <= world.processes_count; i++) {
            process_reports(i);
            process_answers(i, 0, false);
        }
        host_follows();
        uint64_t next_ms = broker_next_timer_ms(world.broker);
        pass_time(next_ms > world.now_ms && next_ms - world.now_ms < LONGEST_WAIT_MS ? next_ms - world.now_ms
                                                                                     : 1);
    }
    for (size_t i = 1; i <= world.peers_count; i++) {
        const struct peer *peer = &world.peers[i];
        for (size_t j = 0; peer->used && !peer->closing && !peer->is_raw && j < REQUESTS; j++)
            REQUIRE(peer->open[j] == 0); /* answered, every one */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world_start();
    for (size_t at = 0; at + 1 < size && at < EVENTS * 2; at += 2)
        happen(data[at], data[at + 1], data + at + 2, size - at - 2);
    finish();
    world_end();
    return 0;
}
