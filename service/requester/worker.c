#include "service/requester/worker.h"

#include <stdlib.h>
#include <string.h>

#include "proto/status.h"
#include "service/requester/documents.h"
#include "service/requester/log.h"
#include "service/requester/watchdog.h"

enum {
    INTERRUPT_CANCEL = 1, /* this call */
    INTERRUPT_BROKEN = 2  /* every call that is not wanted without a pipe */
};

enum {
    REPLY_ARENA_BYTES = 32 * 1024 * 1024 /* far more than fits into a frame */
};

struct task *task_create(void)
{
    struct task *job = calloc(1, sizeof *job);
    if (job != NULL) {
        arena_init(&job->arena, DECODE_LIMIT_REQUEST_BYTES);
    }
    return job;
}

void task_free(struct task *job)
{
    if (job != NULL) {
        arena_free(&job->arena);
        free(job);
    }
}

/* ---- Replies. ---- */

bool worker_put_output(struct worker *worker, struct frame_buffer *frame)
{
    struct output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        frame_buffer_free(frame);
        return false;
    }
    output->frame = *frame;
    *frame = (struct frame_buffer){0};
    AcquireSRWLockExclusive(&worker->lock);
    bool is_first = worker->first_output == NULL;
    if (is_first) {
        worker->first_output = output;
    } else {
        worker->last_output->next = output;
    }
    worker->last_output = output;
    ReleaseSRWLockExclusive(&worker->lock);
    if (is_first) { /* else the main thread, which takes all there is, has not come yet */
        SetEvent(worker->output_event);
    }
    return true;
}

static void free_outputs(struct output *output)
{
    while (output != NULL) {
        struct output *next = output->next;
        frame_buffer_free(&output->frame);
        free(output);
        output = next;
    }
}

/* One buffer of all, so that many small replies cost one write. False: no memory. */
static bool join(const struct output *first, struct frame_buffer *frames)
{
    size_t size = 0;
    for (const struct output *output = first; output != NULL; output = output->next) {
        size += output->frame.size;
    }
    *frames = (struct frame_buffer){.data = malloc(size), .capacity = size};
    for (const struct output *output = first; output != NULL && frames->data != NULL; output = output->next) {
        memcpy(frames->data + frames->size, output->frame.data, output->frame.size);
        frames->size += output->frame.size;
    }
    return frames->data != NULL;
}

bool worker_take_output(struct worker *worker, struct frame_buffer *frames)
{
    AcquireSRWLockExclusive(&worker->lock);
    struct output *first = worker->first_output;
    worker->first_output = NULL;
    ReleaseSRWLockExclusive(&worker->lock);
    if (first == NULL) {
        return false;
    }
    bool joined = true;
    if (first->next == NULL) {
        *frames = first->frame;
        first->frame = (struct frame_buffer){0};
    } else {
        joined = join(first, frames);
    }
    free_outputs(first);
    if (!joined) {
        log_failure("no memory for the replies that wait: the pipe is given up");
        InterlockedExchange(&worker->lost_reply, 1);
    }
    return joined;
}

static bool encode(struct frame_buffer *frame, PB(CallReply) * message, uint32_t id)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = id;
    envelope.body_case = PB_BODY(CALL_REPLY);
    envelope.call_reply = message;
    return frame_encode(frame, &envelope, FRAME_LIMIT_REQUEST_BYTES);
}

/* One that is too large goes out without its result, saying so. */
static void send_reply(struct worker *worker, struct reply *reply, uint32_t id)
{
    struct frame_buffer frame = {0};
    bool encoded = encode(&frame, &reply->message, id);
    while (!encoded && reply_leave_out(reply)) {
        log_failure("a writer's description is larger than a frame may be; parts of it are left out");
        encoded = encode(&frame, &reply->message, id);
    }
    if (!encoded) {
        reply_drop_result(reply, "requester_frame_bytes", "it is larger than a frame may be");
        encoded = encode(&frame, &reply->message, id);
    }
    if (!encoded || !worker_put_output(worker, &frame)) {
        log_failure("no memory for the reply to call %lu: the pipe is given up", (unsigned long)id);
        InterlockedExchange(&worker->lost_reply, 1);
        SetEvent(worker->output_event);
    }
}

/* ---- Jobs. ---- */

static bool interrupted(void *context)
{
    struct worker *worker = context;
    LONG interrupts = worker->interrupts;
    if ((interrupts & INTERRUPT_CANCEL) != 0) {
        return true;
    }
    /* Once the snapshots exist a service may come and adopt them: then BackupComplete shall have its end. */
    return (interrupts & INTERRUPT_BROKEN) != 0 && !record_holds_snapshots(&worker->session.record);
}

static void answer_cancelled(struct worker *worker, struct reply *reply)
{
    shadowpipe__v1__call_reply__init(&reply->message);
    reply->message.hresult = (uint32_t)E_ABORT;
    reply->message.session_phase = record_phase(&worker->session.record);
    reply->message.status = status_make(reply->arena, PB_CODE(CANCELLED), "CANCELLED",
                                        "the call was cancelled before it was made");
}

static void answer_document(struct worker *worker, const PB(Envelope) * request)
{
    struct frame_buffer frame = {0};
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    documents_answer(&worker->session, request, &worker->reply_arena, &envelope);
    envelope.id = request->id;
    if (!frame_encode(&frame, &envelope, FRAME_LIMIT_REQUEST_BYTES) || !worker_put_output(worker, &frame)) {
        log_failure("no memory for a part of a document");
    }
    arena_reset(&worker->reply_arena);
}

static void run_job(struct worker *worker, struct task *job)
{
    struct reply reply = {.arena = &worker->reply_arena};
    if (job->envelope->body_case != PB_BODY(CALL)) {
        answer_document(worker, job->envelope);
        return;
    }
    if (job->cancelled) {
        answer_cancelled(worker, &reply);
    } else {
        session_call(&worker->session, job->envelope->call, &reply);
    }
    InterlockedExchange(&worker->holds_snapshots, record_holds_snapshots(&worker->session.record));
    send_reply(worker, &reply, job->envelope->id);
    arena_reset(&worker->reply_arena);
}

/* ---- Orders, which the main thread waits for. ---- */

static void clean_up(struct worker *worker)
{
    struct session *session = &worker->session;
    if (record_owes_abort(&session->record)) {
        watchdog_step("AbortBackup", worker->limits->abort_ms);
        HRESULT hresult = IVssBackupComponents_AbortBackup(session->object);
        worker->abort_failed = FAILED(hresult);
        if (FAILED(hresult)) {
            log_failure("AbortBackup failed with 0x%08lx; the set may stay open until VSS notices",
                        (unsigned long)hresult);
        }
    }
    watchdog_step("Release", worker->limits->release_ms);
    session_release(session);
    watchdog_rest();
}

static bool carry_out(struct worker *worker, enum worker_order order)
{
    switch (order) {
    case ORDER_DESCRIBE:
        session_describe(&worker->session, worker->describe_arena, worker->describe_hello);
        return true;
    case ORDER_CLEAN_UP:
        clean_up(worker);
        return false;
    case ORDER_END:
    case ORDER_NONE:
        break;
    }
    return false;
}

/* ---- The thread. ---- */

static void get_ready(struct worker *worker)
{
    struct ready_failure *failure = &worker->session.ready;
    HRESULT hresult = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (FAILED(hresult)) {
        *failure = (struct ready_failure){hresult, "CoInitializeEx", "COM cannot be initialized"};
        return;
    }
    /* Writers call back into this process, under several accounts: everyone may. IDENTIFY: they learn who we
     * are and cannot act as us. Must come before anything is marshalled. */
    hresult = CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                                   RPC_C_IMP_LEVEL_IDENTIFY, NULL, EOAC_NONE, NULL);
    if (FAILED(hresult) && hresult != RPC_E_TOO_LATE) {
        *failure = (struct ready_failure){hresult, "CoInitializeSecurity", "COM security cannot be set"};
        return;
    }
    vss_library_load(&worker->session.library, worker->arguments->vss_library,
                     worker->arguments->must_be_simulator != 0, failure);
}

/* The next thing to do; blocks until there is one. */
static struct task *next_job(struct worker *worker, enum worker_order *order)
{
    AcquireSRWLockExclusive(&worker->lock);
    if (worker->first_job == NULL) {
        SetEvent(worker->idle_event);
    }
    while (worker->first_job == NULL && worker->order == ORDER_NONE) {
        SleepConditionVariableSRW(&worker->changed, &worker->lock, INFINITE, 0);
    }
    struct task *job = worker->first_job;
    *order = ORDER_NONE;
    if (job != NULL) {
        worker->first_job = job->next;
        worker->running = job;
        InterlockedAnd(&worker->interrupts, ~INTERRUPT_CANCEL);
    } else {
        *order = worker->order;
    }
    ReleaseSRWLockExclusive(&worker->lock);
    return job;
}

static void end_job(struct worker *worker, struct task *job)
{
    AcquireSRWLockExclusive(&worker->lock);
    worker->running = NULL;
    ReleaseSRWLockExclusive(&worker->lock);
    task_free(job);
}

static void end_order(struct worker *worker)
{
    AcquireSRWLockExclusive(&worker->lock);
    worker->order = ORDER_NONE;
    ReleaseSRWLockExclusive(&worker->lock);
    WakeAllConditionVariable(&worker->changed);
}

static DWORD WINAPI work(void *context)
{
    struct worker *worker = context;
    get_ready(worker);
    SetEvent(worker->ready_event);
    for (;;) {
        enum worker_order order;
        struct task *job = next_job(worker, &order);
        if (job != NULL) {
            run_job(worker, job);
            end_job(worker, job);
            continue;
        }
        bool goes_on = carry_out(worker, order);
        end_order(worker);
        if (!goes_on) {
            break;
        }
    }
    /* No CoUninitialize: the process ends now, and a last proxy that hangs in it would hold that up. */
    return 0;
}

bool worker_start(struct worker *worker, const struct requester_arguments *arguments,
                  const struct requester_limits *limits)
{
    worker->arguments = arguments;
    worker->limits = limits;
    InitializeSRWLock(&worker->lock);
    InitializeConditionVariable(&worker->changed);
    arena_init(&worker->reply_arena, REPLY_ARENA_BYTES);
    worker->session.interrupted = interrupted;
    worker->session.interrupted_context = worker;
    worker->session.cancel_grace_ms = limits->cancel_grace_ms;
    worker->ready_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    worker->output_event = CreateEventW(NULL, FALSE, FALSE, NULL);
    worker->idle_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (worker->ready_event == NULL || worker->output_event == NULL || worker->idle_event == NULL) {
        return false;
    }
    worker->thread = CreateThread(NULL, 0, work, worker, 0, NULL);
    return worker->thread != NULL;
}

/* ---- The main thread's side. ---- */

void worker_submit(struct worker *worker, struct task *job)
{
    AcquireSRWLockExclusive(&worker->lock);
    if (worker->first_job == NULL) {
        worker->first_job = job;
    } else {
        worker->last_job->next = job;
    }
    worker->last_job = job;
    if (job->envelope->body_case == PB_BODY(CALL) &&
        job->envelope->call->method_case == PB_METHOD(ABORT_BACKUP)) {
        InterlockedOr(&worker->interrupts, INTERRUPT_CANCEL);
    }
    ResetEvent(worker->idle_event);
    ReleaseSRWLockExclusive(&worker->lock);
    WakeAllConditionVariable(&worker->changed);
}

bool worker_cancel(struct worker *worker, uint32_t id)
{
    bool found = false;
    AcquireSRWLockExclusive(&worker->lock);
    if (worker->running != NULL && worker->running->envelope->id == id) {
        InterlockedOr(&worker->interrupts, INTERRUPT_CANCEL);
        found = true;
    }
    for (struct task *job = worker->first_job; job != NULL && !found; job = job->next) {
        if (job->envelope->id == id) {
            job->cancelled = true;
            found = true;
        }
    }
    ReleaseSRWLockExclusive(&worker->lock);
    return found;
}

void worker_break(struct worker *worker)
{
    AcquireSRWLockExclusive(&worker->lock);
    struct task *job = worker->first_job;
    worker->first_job = NULL;
    InterlockedOr(&worker->interrupts, INTERRUPT_BROKEN);
    if (worker->running == NULL) {
        SetEvent(worker->idle_event);
    }
    ReleaseSRWLockExclusive(&worker->lock);
    while (job != NULL) {
        struct task *next = job->next;
        task_free(job);
        job = next;
    }
}

bool worker_lost_reply(const struct worker *worker)
{
    return worker->lost_reply != 0;
}

void worker_resume(struct worker *worker)
{
    InterlockedExchange(&worker->lost_reply, 0);
    struct frame_buffer stale;
    while (worker_take_output(worker, &stale)) {
        frame_buffer_free(&stale);
    }
    InterlockedAnd(&worker->interrupts, ~INTERRUPT_BROKEN);
}

bool worker_has_object(const struct worker *worker)
{
    return worker->session.object != NULL;
}

bool worker_holds_snapshots(struct worker *worker)
{
    return InterlockedCompareExchange(&worker->holds_snapshots, 0, 0) != 0;
}

static void give_order(struct worker *worker, enum worker_order order)
{
    AcquireSRWLockExclusive(&worker->lock);
    worker->order = order;
    ReleaseSRWLockExclusive(&worker->lock);
    WakeAllConditionVariable(&worker->changed);
}

void worker_describe(struct worker *worker, struct arena *arena, PB(RequesterHello) * hello)
{
    worker->describe_arena = arena;
    worker->describe_hello = hello;
    give_order(worker, ORDER_DESCRIBE);
    AcquireSRWLockExclusive(&worker->lock);
    while (worker->order != ORDER_NONE) {
        SleepConditionVariableSRW(&worker->changed, &worker->lock, INFINITE, 0);
    }
    ReleaseSRWLockExclusive(&worker->lock);
}

bool worker_clean_up(struct worker *worker)
{
    give_order(worker, ORDER_CLEAN_UP);
    WaitForSingleObject(worker->thread, INFINITE); /* the watchdog bounds it */
    return !worker->abort_failed;
}

void worker_end(struct worker *worker)
{
    give_order(worker, ORDER_END);
    WaitForSingleObject(worker->thread, INFINITE);
}
