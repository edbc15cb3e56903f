#include "service/requester/requester.h"

#include <stdlib.h>
#include <string.h>

#include "proto/status.h"
#include "service/requester/channel.h"
#include "service/requester/log.h"
#include "service/requester/watchdog.h"
#include "service/requester/worker.h"

enum {
    HELLO_ID = 1,
    HELLO_ARENA_BYTES = 1024 * 1024
};

struct requester {
    const struct requester_arguments *arguments;
    const struct requester_limits *limits;
    DWORD orphan_grace_ms;
    bool welcomed; /* on the present pipe */
    bool refused;  /* by a service that knows nothing of it */
    ULONGLONG grace_end_ms;
    struct channel channel;
    struct worker worker;
};

void requester_limits_init(struct requester_limits *limits)
{
    *limits = (struct requester_limits){
        .connect_ms = 10 * 1000,
        .welcome_ms = 30 * 1000,
        .ready_ms = 15 * 1000,
        .cancel_grace_ms = 10 * 1000,
        .finish_ms = 70 * 1000,
        .finish_held_ms = 360 * 1000,
        .abort_ms = 60 * 1000,
        .release_ms = 240 * 1000,
        .redial_ms = 1000,
    };
}

static void take(DWORD *limit_ms, uint64_t given_ms)
{
    if (given_ms != 0) {
        *limit_ms = given_ms < MAXLONG ? (DWORD)given_ms : MAXLONG;
    }
}

void requester_limits_take(struct requester_limits *limits, const struct requester_arguments *arguments)
{
    /* Together less than the service's patience, so that it hears why. */
    take(&limits->connect_ms, arguments->start_ms / 3);
    take(&limits->ready_ms, arguments->start_ms / 2);
    take(&limits->cancel_grace_ms, arguments->cancel_grace_ms);
    take(&limits->abort_ms, arguments->abort_ms);
    take(&limits->release_ms, arguments->release_ms);
    if (arguments->call_ms != 0) {
        take(&limits->finish_ms, (uint64_t)arguments->call_ms + limits->cancel_grace_ms);
    }
    if (arguments->complete_ms != 0) {
        take(&limits->finish_held_ms, (uint64_t)arguments->complete_ms + 60 * 1000);
    }
}

/* ---- What comes in. ---- */

static bool send_envelope(struct requester *requester, const PB(Envelope) * envelope)
{
    struct frame_buffer frame = {0};
    return frame_encode(&frame, envelope, FRAME_LIMIT_REQUEST_BYTES) &&
           worker_put_output(&requester->worker, &frame);
}

static bool send_status(struct requester *requester, uint32_t id, PB(Status) * status)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = id;
    envelope.body_case = PB_BODY(STATUS);
    envelope.status = status;
    return status != NULL && send_envelope(requester, &envelope);
}

static bool take_cancel(struct requester *requester, const PB(Envelope) * envelope)
{
    PB(CancelReply) message = SHADOWPIPE__V1__CANCEL_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    message.found = worker_cancel(&requester->worker, envelope->cancel->id);
    reply.id = envelope->id;
    reply.body_case = PB_BODY(CANCEL_REPLY);
    reply.cancel_reply = &message;
    return send_envelope(requester, &reply);
}

static bool take_welcome(struct requester *requester, const PB(Envelope) * envelope)
{
    if (envelope->body_case != PB_BODY(REQUESTER_WELCOME) || envelope->id != HELLO_ID) {
        requester->refused = envelope->body_case == PB_BODY(STATUS);
        log_failure("the service does not welcome this requester");
        return false;
    }
    requester->orphan_grace_ms = envelope->requester_welcome->orphan_grace_ms;
    requester->welcomed = true;
    return true;
}

/* Takes over the job where it is one for the worker (sets *job to NULL then). */
static bool take_envelope(struct requester *requester, struct task **job)
{
    PB(Envelope) *envelope = (*job)->envelope;
    if (!requester->welcomed) {
        return take_welcome(requester, envelope);
    }
    if (envelope->id == 0) {
        return false;
    }
    switch ((int)envelope->body_case) {
    case PB_BODY(CALL):
    case PB_BODY(READ_DOCUMENT):
    case PB_BODY(PUT_DOCUMENT):
        worker_submit(&requester->worker, *job);
        *job = NULL;
        return true;
    case PB_BODY(CANCEL):
        return take_cancel(requester, envelope);
    case PB_BODY(REQUESTER_WELCOME):
    case PB_BODY(STATUS):
        return false;
    default:
        return send_status(requester, envelope->id,
                           status_make(&(*job)->arena, PB_CODE(UNIMPLEMENTED), "UNIMPLEMENTED",
                                       "a requester answers calls, documents and cancels only"));
    }
}

/* The service may be newer than this process: what it does not know it has to refuse, not to overlook. */
static bool refuse_frame(struct requester *requester, struct task *job, const struct decode_error *error)
{
    if (!requester->welcomed || error->id == 0 || strcmp(error->reason, "MALFORMED") == 0) {
        return false;
    }
    PB(Status) *status =
        status_make(&job->arena, PB_CODE(INVALID_ARGUMENT), error->reason, "%s", error->message);
    if (status != NULL) {
        status->field = arena_strdup(&job->arena, error->field);
    }
    return send_status(requester, error->id, status);
}

static bool take_frame(void *context, const uint8_t *payload, size_t size)
{
    struct requester *requester = context;
    struct task *job = task_create();
    if (job == NULL) {
        return false;
    }
    struct decode_error error;
    job->envelope = decode_envelope(&job->arena, payload, size, DECODE_STRICT, &error);
    bool sound =
        job->envelope != NULL ? take_envelope(requester, &job) : refuse_frame(requester, job, &error);
    if (!sound) {
        log_failure("the service broke the protocol: the pipe is given up");
    }
    task_free(job);
    return sound;
}

/* ---- One connection. ---- */

static DWORD say_hello(struct requester *requester, const PB(RequesterHello) * hello)
{
    struct frame_buffer frame = {0};
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = HELLO_ID;
    envelope.body_case = PB_BODY(REQUESTER_HELLO);
    envelope.requester_hello = (PB(RequesterHello) *)hello;
    if (!frame_encode(&frame, &envelope, FRAME_LIMIT_REQUEST_BYTES)) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    return channel_write(&requester->channel, &frame);
}

static DWORD send_outputs(struct requester *requester)
{
    struct frame_buffer frame;
    if (requester->channel.writing || !worker_take_output(&requester->worker, &frame)) {
        return ERROR_SUCCESS;
    }
    return channel_write(&requester->channel, &frame);
}

/* Runs until the pipe breaks or the peer breaks the protocol; a Win32 code says how. */
static DWORD serve(struct requester *requester, const PB(RequesterHello) * hello)
{
    struct channel *channel = &requester->channel;
    ULONGLONG start_ms = GetTickCount64();
    requester->welcomed = false;
    worker_resume(&requester->worker);
    DWORD error = say_hello(requester, hello);
    if (error == ERROR_SUCCESS) {
        error = channel_read(channel, take_frame, requester);
    }
    const HANDLE events[] = {channel->read_event, channel->write_event, requester->worker.output_event};
    while (error == ERROR_SUCCESS) {
        ULONGLONG elapsed_ms = GetTickCount64() - start_ms;
        DWORD limit_ms = requester->limits->welcome_ms;
        DWORD wait_ms = elapsed_ms < limit_ms ? (DWORD)(limit_ms - elapsed_ms) : 0;
        switch (WaitForMultipleObjects(3, events, FALSE, requester->welcomed ? INFINITE : wait_ms)) {
        case WAIT_OBJECT_0:
            error = channel_read(channel, take_frame, requester);
            break;
        case WAIT_OBJECT_0 + 1:
            error = channel_written(channel);
            break;
        case WAIT_OBJECT_0 + 2:
            break;
        case WAIT_TIMEOUT:
            error = WAIT_TIMEOUT;
            break;
        default:
            error = GetLastError();
        }
        if (error == ERROR_SUCCESS) {
            error = send_outputs(requester);
        }
        if (error == ERROR_SUCCESS && worker_lost_reply(&requester->worker)) {
            error = ERROR_NOT_ENOUGH_MEMORY; /* the service would wait for it in vain */
        }
    }
    return error;
}

/* ---- Without a pipe. ---- */

static void finish_calls(struct requester *requester)
{
    struct worker *worker = &requester->worker;
    const struct requester_limits *limits = requester->limits;
    worker_break(worker);
    watchdog_step("the call under way",
                  worker_holds_snapshots(worker) ? limits->finish_held_ms : limits->finish_ms);
    WaitForSingleObject(worker->idle_event, INFINITE); /* the watchdog bounds it */
    watchdog_rest();
}

/* Holds the snapshots until a service is there again. True: the pipe is open, `hello` tells of them. The
 * grace is that of the last service that has welcomed it: one that ends before it comes to that changes
 * nothing. */
static bool dial_in_again(struct requester *requester, struct arena *arena, PB(RequesterHello) * hello)
{
    if (requester->welcomed) {
        requester->grace_end_ms = GetTickCount64() + requester->orphan_grace_ms;
        log_failure("the service is gone; holding the snapshots for up to %lu s",
                    requester->orphan_grace_ms / 1000);
    } else {
        Sleep(requester->limits->redial_ms);
    }
    arena_reset(arena);
    hello->n_snapshots = 0;
    watchdog_step("GetSnapshotProperties", requester->limits->abort_ms);
    worker_describe(&requester->worker, arena, hello);
    watchdog_rest();
    while (GetTickCount64() < requester->grace_end_ms) {
        DWORD error = channel_open(&requester->channel, requester->arguments->pipe_name,
                                   requester->limits->redial_ms, CHANNEL_SERVER_SAME_USER);
        if (error == ERROR_SUCCESS) {
            return true;
        }
        Sleep(requester->limits->redial_ms);
    }
    log_failure("no service came for the snapshots: they are released");
    return false;
}

static int clean_up(struct requester *requester)
{
    bool held = worker_holds_snapshots(&requester->worker);
    if (!worker_clean_up(&requester->worker)) {
        return REQUESTER_EXIT_ABORT_FAILED;
    }
    return held ? REQUESTER_EXIT_ORPHAN_ENDED : REQUESTER_EXIT_CLEANED_UP;
}

static void describe_self(struct requester *requester, PB(RequesterHello) * hello)
{
    struct session *session = &requester->worker.session;
    hello->secret.data = (uint8_t *)requester->arguments->secret;
    hello->secret.len = sizeof requester->arguments->secret;
    hello->process_id = GetCurrentProcessId();
    hello->ready_hresult = (uint32_t)session->ready.hresult;
    hello->ready_method = session->ready.method;
    hello->ready_message = session->ready.message;
    hello->simulated = session->library.simulated;
}

static int run_connections(struct requester *requester, struct arena *arena)
{
    PB(RequesterHello) hello = SHADOWPIPE__V1__REQUESTER_HELLO__INIT;
    describe_self(requester, &hello);
    for (;;) {
        DWORD error = serve(requester, &hello);
        log_trace("the pipe has ended (error %lu)", error);
        channel_close(&requester->channel);
        finish_calls(requester);
        if (!worker_has_object(&requester->worker)) {
            worker_end(&requester->worker);
            return requester->welcomed ? REQUESTER_EXIT_DONE : REQUESTER_EXIT_NO_SERVICE;
        }
        if (requester->refused || !worker_holds_snapshots(&requester->worker) ||
            !dial_in_again(requester, arena, &hello)) {
            return clean_up(requester);
        }
    }
}

static int run(struct requester *requester)
{
    if (!worker_start(&requester->worker, requester->arguments, requester->limits)) {
        return REQUESTER_EXIT_NO_MEMORY;
    }
    /* While the worker brings COM up. */
    DWORD error = channel_open(&requester->channel, requester->arguments->pipe_name,
                               requester->limits->connect_ms, CHANNEL_SERVER_PARENT);
    if (error != ERROR_SUCCESS) {
        log_failure("the service's pipe cannot be used (error %lu)", error);
        watchdog_step("the start of COM", requester->limits->ready_ms);
        worker_end(&requester->worker);
        return REQUESTER_EXIT_NO_SERVICE;
    }
    if (WaitForSingleObject(requester->worker.ready_event, requester->limits->ready_ms) != WAIT_OBJECT_0) {
        log_failure("COM has not come up in time");
        /* Its thread hangs somewhere in a loader or a proxy: an orderly exit could hang with it. */
        TerminateProcess(GetCurrentProcess(), REQUESTER_EXIT_NOT_READY);
    }
    struct arena arena;
    arena_init(&arena, HELLO_ARENA_BYTES);
    int exit_code = run_connections(requester, &arena);
    arena_free(&arena);
    return exit_code;
}

int requester_run(const struct requester_arguments *arguments, const struct requester_limits *limits)
{
    /* A crash dialog on a desktop that nobody sees would hold the process, and its snapshot set, for ever. */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    struct requester *requester = calloc(1, sizeof *requester);
    if (requester == NULL) {
        return REQUESTER_EXIT_NO_MEMORY;
    }
    requester->arguments = arguments;
    requester->limits = limits;
    requester->orphan_grace_ms = arguments->orphan_grace_ms;
    int exit_code = run(requester);
    /* Not freed: where the worker still hangs in COM it uses it, and the process ends now. */
    return exit_code;
}

int requester_main(const struct requester_arguments *arguments)
{
    struct requester_limits limits;
    requester_limits_init(&limits);
    requester_limits_take(&limits, arguments);
    return requester_run(arguments, &limits);
}
