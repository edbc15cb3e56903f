/* The loop: one I/O completion port, timers, and the one thread that serves them.
 *
 * An operation is an OVERLAPPED with the function that its completion calls. Everything else in host/ and
 * all of broker/ runs in these functions, on the loop's thread. Two things may be called from other threads:
 * loop_post and loop_now_ms. An operation must stay where it is until its `done` was called: memory with an
 * operation under way is freed only after its completion was dequeued. */
#ifndef SHADOWPIPE_HOST_LOOP_H
#define SHADOWPIPE_HOST_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <windows.h>

#define LOOP_OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct loop_operation {
    OVERLAPPED overlapped;
    /* `error` is a Win32 code, 0 = success. */
    void (*done)(struct loop_operation *operation, DWORD error, DWORD bytes);
    struct loop_operation *next_deferred;
};

struct loop_timer {
    uint64_t due_ms;
    void (*fired)(struct loop_timer *timer);
    struct loop_timer *next;
    bool armed;
};

/* How long the loop kept others waiting: from the moment when it takes an event until it waits for the next.
 */
struct loop_load {
    uint64_t events;
    uint64_t slow_events; /* longer than LOOP_SLOW_US */
    uint64_t longest_us;
};

enum {
    LOOP_SLOW_US = 5000
};

struct loop {
    HANDLE port;
    struct loop_load load;
    LONGLONG taken;            /* QueryPerformanceCounter; 0 = nothing since the last wait */
    LONGLONG frequency;        /* of it */
    struct loop_timer *timers; /* few are ever armed, so a list is searched */
    struct loop_operation *deferred_first;
    struct loop_operation *deferred_last;
};

/* A Win32 code, 0 = success. */
DWORD loop_init(struct loop *loop);
void loop_free(struct loop *loop);

/* Completions of `handle`'s operations come to this loop. A Win32 code. */
DWORD loop_attach(struct loop *loop, HANDLE handle);
/* Clears the OVERLAPPED for a new call. */
OVERLAPPED *loop_prepare(struct loop_operation *operation,
                         void (*done)(struct loop_operation *, DWORD, DWORD));

/* Has `done` called with error 0 on the loop's thread. From any thread. */
void loop_post(struct loop *loop, struct loop_operation *operation);
/* The same, from the loop's own thread: after the present event, without a system call. */
void loop_defer(struct loop *loop, struct loop_operation *operation, DWORD error);

/* Starts or restarts. A timer fires once. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/* Monotonic, without the time that the machine slept: a deadline must not pass because a lid was closed. */
uint64_t loop_now_ms(void);

/* Serves one event, or waits for one until `until_ms` (UINT64_MAX = no limit) or the first timer. */
void loop_step(struct loop *loop, uint64_t until_ms);

#endif
