#include "service/host/loop.h"

#include <assert.h>
#include <string.h>

#include "service/host/win32_api.h"

enum {
    POST_ATTEMPTS = 200,
    POST_PAUSE_MS = 10
};

DWORD loop_init(struct loop *loop)
{
    memset(loop, 0, sizeof *loop);
    LARGE_INTEGER frequency;
    QueryPerformanceFrequency(&frequency);
    loop->frequency = frequency.QuadPart;
    loop->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    return loop->port != NULL ? ERROR_SUCCESS : GetLastError();
}

void loop_free(struct loop *loop)
{
    if (loop->port != NULL) {
        CloseHandle(loop->port);
    }
    memset(loop, 0, sizeof *loop);
}

DWORD loop_attach(struct loop *loop, HANDLE handle)
{
    return CreateIoCompletionPort(handle, loop->port, 0, 0) != NULL ? ERROR_SUCCESS : GetLastError();
}

OVERLAPPED *loop_prepare(struct loop_operation *operation,
                         void (*done)(struct loop_operation *, DWORD, DWORD))
{
    memset(&operation->overlapped, 0, sizeof operation->overlapped);
    operation->done = done;
    return &operation->overlapped;
}

void loop_post(struct loop *loop, struct loop_operation *operation)
{
    /* It fails only when the kernel has no memory for a packet. A message lost would hang a job for ever, and
     * what may wait here is another thread than the loop's. */
    for (int attempt = 0; attempt < POST_ATTEMPTS; attempt++) {
        if (PostQueuedCompletionStatus(loop->port, 0, 0, &operation->overlapped)) {
            return;
        }
        Sleep(POST_PAUSE_MS);
    }
    win32.fail_fast("the loop cannot be reached (no kernel memory)");
}

void loop_defer(struct loop *loop, struct loop_operation *operation, DWORD error)
{
    operation->overlapped.Internal = error; /* ours until the next loop_prepare */
    operation->next_deferred = NULL;
    if (loop->deferred_last != NULL) {
        loop->deferred_last->next_deferred = operation;
    } else {
        loop->deferred_first = operation;
    }
    loop->deferred_last = operation;
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms)
{
    timer->due_ms = loop_now_ms() + delay_ms;
    if (!timer->armed) {
        timer->armed = true;
        timer->next = loop->timers;
        loop->timers = timer;
    }
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->armed) {
        return;
    }
    struct loop_timer **link = &loop->timers;
    while (*link != NULL && *link != timer) {
        link = &(*link)->next;
    }
    assert(*link == timer);
    *link = timer->next;
    timer->armed = false;
}

uint64_t loop_now_ms(void)
{
    ULONGLONG ticks = 0; /* of 100 ns */
    QueryUnbiasedInterruptTime(&ticks);
    return ticks / 10000;
}

static struct loop_timer *first_timer(const struct loop *loop)
{
    struct loop_timer *first = loop->timers;
    for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next) {
        if (timer->due_ms < first->due_ms) {
            first = timer;
        }
    }
    return first;
}

static void run_timers(struct loop *loop)
{
    uint64_t now = loop_now_ms();
    for (;;) {
        struct loop_timer *timer = first_timer(loop);
        if (timer == NULL || timer->due_ms > now) {
            return;
        }
        loop_timer_stop(loop, timer);
        timer->fired(timer);
    }
}

static bool run_deferred(struct loop *loop)
{
    struct loop_operation *operation = loop->deferred_first;
    if (operation == NULL) {
        return false;
    }
    loop->deferred_first = operation->next_deferred;
    if (loop->deferred_first == NULL) {
        loop->deferred_last = NULL;
    }
    operation->done(operation, (DWORD)operation->overlapped.Internal, 0);
    return true;
}

static DWORD wait_ms(const struct loop *loop, uint64_t until_ms)
{
    const struct loop_timer *timer = first_timer(loop);
    if (timer != NULL && timer->due_ms < until_ms) {
        until_ms = timer->due_ms;
    }
    if (until_ms == UINT64_MAX) {
        return INFINITE;
    }
    uint64_t now = loop_now_ms();
    if (until_ms <= now) {
        return 0;
    }
    return until_ms - now < MAXLONG ? (DWORD)(until_ms - now) : MAXLONG;
}

static LONGLONG ticks_now(void)
{
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

/* It goes to wait: all that it did since it last waited kept others waiting. */
static void note_rest(struct loop *loop)
{
    if (loop->taken == 0) {
        return;
    }
    uint64_t us = (uint64_t)((ticks_now() - loop->taken) * 1000000 / loop->frequency);
    loop->taken = 0;
    loop->load.events++;
    loop->load.slow_events += us > LOOP_SLOW_US;
    if (us > loop->load.longest_us) {
        loop->load.longest_us = us;
    }
}

void loop_step(struct loop *loop, uint64_t until_ms)
{
    run_timers(loop);
    if (run_deferred(loop)) {
        return;
    }
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED *overlapped = NULL;
    note_rest(loop);
    BOOL success = GetQueuedCompletionStatus(loop->port, &bytes, &key, &overlapped, wait_ms(loop, until_ms));
    DWORD error = success ? ERROR_SUCCESS : GetLastError();
    loop->taken = ticks_now();
    if (overlapped != NULL) {
        struct loop_operation *operation = LOOP_OWNER(overlapped, struct loop_operation, overlapped);
        operation->done(operation, error, bytes);
        return;
    }
    if (error != WAIT_TIMEOUT) {
        win32.fail_fast("the completion port is broken");
    }
    run_timers(loop);
}
