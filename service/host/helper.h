/* The helper thread: what may block (starting processes, asking volumes, writing logs) happens here, in
 * order.
 *
 * A job is made by the loop's thread, worked by the helper, and comes back to the loop. The queue is bounded:
 * a helper that is stuck shows as refused jobs, not as memory. */
#ifndef SHADOWPIPE_HOST_HELPER_H
#define SHADOWPIPE_HOST_HELPER_H

#include "service/host/loop.h"

enum {
    HELPER_QUEUE_LIMIT = 512
};

struct helper_job {
    void (*work)(struct helper_job *job); /* on the helper's thread */
    void (*done)(struct helper_job *job); /* on the loop's; NULL = work() took care of the job */
    struct loop_operation returned;
    struct helper_job *next;
};

struct helper {
    struct loop *loop;
    HANDLE thread;
    SRWLOCK lock;
    CONDITION_VARIABLE filled;
    struct helper_job *first, *last;
    unsigned count;
    bool stopping;
};

/* A Win32 code. */
DWORD helper_start(struct helper *helper, struct loop *loop);
/* From any thread. False: the queue is full, or the helper is stopping; the job stays the caller's. */
bool helper_submit(struct helper *helper, struct helper_job *job);
/* Ends it after the jobs that are queued. False: still busy after `limit_ms`; its memory must then stay. */
bool helper_stop(struct helper *helper, DWORD limit_ms);

#endif
