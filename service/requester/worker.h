/* The thread that makes every COM call of the process, one after the other.
 *
 * It lives in the multithreaded apartment from before the first object until after the last. The main thread
 * gives it jobs (decoded frames with a Call) and takes encoded replies from it; a cancel, an AbortBackup that
 * arrives, and a broken pipe reach an asynchronous call that is under way between two slices of its waiting.
 */
#ifndef SHADOWPIPE_REQUESTER_WORKER_H
#define SHADOWPIPE_REQUESTER_WORKER_H

#include <stdbool.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/requester/requester.h"
#include "service/requester/session.h"

struct task {
    struct task *next;
    bool cancelled;
    struct arena arena;
    PB(Envelope) * envelope; /* with a Call, a ReadDocument or a PutDocument */
};

/* NULL without memory. Its arena is ready for the envelope. */
struct task *task_create(void);
void task_free(struct task *job);

struct output {
    struct output *next;
    struct frame_buffer frame;
};

enum worker_order {
    ORDER_NONE,
    ORDER_DESCRIBE,
    ORDER_CLEAN_UP,
    ORDER_END
};

struct worker {
    const struct requester_arguments *arguments;
    const struct requester_limits *limits;
    HANDLE thread;
    HANDLE ready_event;  /* manual: COM is up, or session.ready says why not */
    HANDLE output_event; /* automatic: there are replies */
    HANDLE idle_event;   /* manual: no job is queued or running */
    struct session session;
    struct arena reply_arena; /* of the reply under construction */

    SRWLOCK lock; /* of what follows */
    CONDITION_VARIABLE changed;
    struct task *first_job;
    struct task *last_job;
    struct task *running;
    struct output *first_output;
    struct output *last_output;
    enum worker_order order;
    struct arena *describe_arena;
    PB(RequesterHello) * describe_hello;

    volatile LONG interrupts; /* INTERRUPT_…, read between slices */
    volatile LONG holds_snapshots;
    volatile LONG lost_reply; /* there was no memory for one */
    bool abort_failed;        /* of the clean-up */
};

/* False: no thread or no memory. The strings in arguments have to stay. */
bool worker_start(struct worker *worker, const struct requester_arguments *arguments,
                  const struct requester_limits *limits);

/* Takes over the job. */
void worker_submit(struct worker *worker, struct task *job);
/* Cancels the job with this id, which runs or waits; false: there is none. Its reply comes all the same. */
bool worker_cancel(struct worker *worker, uint32_t id);

/* Takes over the frame; also for frames that the main thread makes. False: no memory. */
bool worker_put_output(struct worker *worker, struct frame_buffer *frame);
/* All frames that wait, one behind the other. False: there is none, or no memory (a reply is lost then). */
bool worker_take_output(struct worker *worker, struct frame_buffer *frames);

/* A call was made, and its reply cannot go out. */
bool worker_lost_reply(const struct worker *worker);

/* The pipe is broken: drops what is queued, cancels what runs unless snapshots exist. idle_event follows. */
void worker_break(struct worker *worker);
/* There is a pipe again. Replies for the old one are dropped. */
void worker_resume(struct worker *worker);

/* While idle. */
bool worker_has_object(const struct worker *worker);
bool worker_holds_snapshots(struct worker *worker);

/* While idle; returns when done. The results live in the arena. */
void worker_describe(struct worker *worker, struct arena *arena, PB(RequesterHello) * hello);
/* AbortBackup if it is owed, then Release, under the watchdog. Returns when the thread has ended; false:
 * AbortBackup failed. */
bool worker_clean_up(struct worker *worker);
/* Ends the thread, which has no object. */
void worker_end(struct worker *worker);

#endif
