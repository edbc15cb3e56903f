#include "tests/unit/client_fake_server.h"

#include <process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_MS = 60000
};

/* A scene runs on a thread of its own, where cmocka's asserts do not work. */
static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fake server: %s (error %lu)\n", what, GetLastError());
    exit(99);
}

static unsigned __stdcall play(void *context)
{
    struct fake_server *server = context;
    bool connected = ConnectNamedPipe(server->handle, NULL) || GetLastError() == ERROR_PIPE_CONNECTED;
    if (connected)
        server->scene(server);
    FlushFileBuffers(server->handle);
    CloseHandle(server->handle);
    return 0;
}

/* One connection, and a thread that plays on it. */
static void open_pipe(struct fake_server *server, void (*scene)(struct fake_server *server))
{
    server->scene = scene;
    server->left_size = server->left_at = 0;
    server->handle =
        CreateNamedPipeA(server->pipe, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT, 1,
                         65536, 65536, 0, NULL);
    require(server->handle != INVALID_HANDLE_VALUE, "no pipe");
    arena_init(&server->arena, DECODE_LIMIT_REQUEST_BYTES);
    frame_reader_init(&server->frames, FRAME_LIMIT_REQUEST_BYTES);
    server->thread = (HANDLE)_beginthreadex(NULL, 0, play, server, 0, NULL);
    require(server->thread != NULL, "no thread");
}

static void wait_for_scene(struct fake_server *server)
{
    require(WaitForSingleObject(server->thread, LIMIT_MS) == WAIT_OBJECT_0, "the scene does not end");
    CloseHandle(server->thread);
    arena_free(&server->arena);
    frame_reader_free(&server->frames);
}

void fake_server_start(struct fake_server *server, void (*scene)(struct fake_server *server))
{
    static int count;
    memset(server, 0, sizeof *server);
    (void)snprintf(server->pipe, sizeof server->pipe, "\\\\.\\pipe\\shadowpipe-test-%lu-%d",
                   GetCurrentProcessId(), count++);
    server->boot_id = "boot";
    server->go = CreateEventW(NULL, FALSE, FALSE, NULL);
    server->reached = CreateEventW(NULL, FALSE, FALSE, NULL);
    open_pipe(server, scene);
}

void fake_server_again(struct fake_server *server, void (*scene)(struct fake_server *server))
{
    wait_for_scene(server);
    open_pipe(server, scene);
}

void fake_server_stop(struct fake_server *server)
{
    wait_for_scene(server);
    CloseHandle(server->go);
    CloseHandle(server->reached);
}

const PB(Envelope) * fake_receive(struct fake_server *server)
{
    struct decode_error wrong;
    const uint8_t *payload;
    size_t size;
    for (;;) {
        const uint8_t *data = server->left + server->left_at;
        size_t left = server->left_size - server->left_at;
        enum frame_result result = frame_reader_take(&server->frames, &data, &left, &payload, &size);
        server->left_at = server->left_size - left;
        if (result == FRAME_READY)
            break;
        require(result == FRAME_NEED_MORE, "a bad frame from the client");
        DWORD read = 0;
        if (!ReadFile(server->handle, server->left, sizeof server->left, &read, NULL) || read == 0)
            return NULL;
        server->left_size = read;
        server->left_at = 0;
    }
    arena_reset(&server->arena);
    const PB(Envelope) *envelope = decode_envelope(&server->arena, payload, size, DECODE_STRICT, &wrong);
    require(envelope != NULL, "a request that cannot be decoded");
    return envelope;
}

const PB(Envelope) * fake_expect(struct fake_server *server, PB(Envelope__BodyCase) body)
{
    const PB(Envelope) * envelope;
    do {
        envelope = fake_receive(server);
        require(envelope != NULL, "the client has gone");
    } while (envelope->body_case == PB_BODY(CANCEL) && body != PB_BODY(CANCEL));
    require(envelope->body_case == body, "another request than expected");
    return envelope;
}

void fake_send_bytes(struct fake_server *server, const void *bytes, size_t size)
{
    DWORD written;
    require(WriteFile(server->handle, bytes, (DWORD)size, &written, NULL) && written == size, "cannot send");
}

void fake_send(struct fake_server *server, const PB(Envelope) * envelope)
{
    struct frame_buffer buffer = {0};
    require(frame_encode(&buffer, envelope, FRAME_LIMIT_REPLY_BYTES), "cannot encode");
    fake_send_bytes(server, buffer.data, buffer.size);
    frame_buffer_free(&buffer);
}

void fake_greet(struct fake_server *server)
{
    PB(HelloReply) hello = SHADOWPIPE__V1__HELLO_REPLY__INIT;
    PB(Limits) limits = SHADOWPIPE__V1__LIMITS__INIT;
    PB(Caller) caller = SHADOWPIPE__V1__CALLER__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Right) rights[] = {PB_VALUE(RIGHT, RIGHT_READ), PB_VALUE(RIGHT, RIGHT_SNAPSHOT)};
    reply.id = fake_expect(server, PB_BODY(HELLO))->id;
    hello.major = PROTOCOL_MAJOR;
    hello.server_version = "9.9.9";
    hello.boot_id = (char *)server->boot_id;
    hello.connection_id = 7;
    hello.simulated = true;
    hello.limits = &limits;
    hello.caller = &caller;
    limits.max_request_bytes = FRAME_LIMIT_REQUEST_BYTES;
    limits.default_timeout_ms = 60000;
    caller.sid = "S-1-5-18";
    caller.rights = rights;
    caller.n_rights = 2;
    reply.body_case = PB_BODY(HELLO_REPLY);
    reply.hello_reply = &hello;
    fake_send(server, &reply);
}

void fake_send_status(struct fake_server *server, uint32_t id, PB(Code) code, const char *reason)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    status.code = code;
    status.reason = (char *)reason;
    status.message = "It failed.";
    status.advice = "Do not.";
    reply.body_case = PB_BODY(STATUS);
    reply.status = &status;
    fake_send(server, &reply);
}

void fake_send_progress(struct fake_server *server, uint32_t id, PB(Phase) phase, uint32_t queue_position)
{
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    progress.phase = phase;
    progress.queue_position = queue_position;
    progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET);
    reply.body_case = PB_BODY(PROGRESS);
    reply.progress = &progress;
    fake_send(server, &reply);
}

void fake_send_snapshot(struct fake_server *server, uint32_t id, const char *lease_id)
{
    static char *names[] = {"C:\\"};
    static char *warnings[] = {"a warning"};
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(Snapshot) volume = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * volumes[] = {&volume};
    PB(PathMapping) mapping = SHADOWPIPE__V1__PATH_MAPPING__INIT;
    PB(PathMapping) * map[] = {&mapping};
    PB(Uncovered) uncovered = SHADOWPIPE__V1__UNCOVERED__INIT;
    PB(Uncovered) * left_out[] = {&uncovered};
    PB(WriterStatus) writer = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) * writers[] = {&writer};
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    volume.volume_names = names;
    volume.n_volume_names = 1;
    volume.device = "\\\\?\\C:\\copy";
    volume.device_root = "\\\\?\\C:\\copy\\";
    mapping.original = "C:\\";
    mapping.shadow = volume.device_root;
    uncovered.path = "E:\\";
    uncovered.reason = "FAT";
    writer.name = "Registry Writer";
    writer.state = PB_VALUE(WRITER_STATE, WRITER_STATE_STABLE);
    snapshot.lease_id = (char *)lease_id;
    snapshot.token = "secret";
    snapshot.set_id = "set";
    snapshot.created_ms = 1764407227123;
    snapshot.consistency = PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION);
    snapshot.volumes = volumes;
    snapshot.n_volumes = 1;
    snapshot.map = map;
    snapshot.n_map = 1;
    snapshot.uncovered = left_out;
    snapshot.n_uncovered = 1;
    snapshot.writers = writers;
    snapshot.n_writers = 1;
    snapshot.warnings = warnings;
    snapshot.n_warnings = 1;
    reply.body_case = PB_BODY(SNAPSHOT_REPLY);
    reply.snapshot_reply = &snapshot;
    fake_send(server, &reply);
}

void fake_send_finish(struct fake_server *server, uint32_t id)
{
    PB(FinishReply) finish = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    finish.completion = PB_VALUE(COMPLETION, COMPLETION_COMPLETED);
    reply.body_case = PB_BODY(FINISH_REPLY);
    reply.finish_reply = &finish;
    fake_send(server, &reply);
}
