/* Requester processes: started on the helper thread, or found again there, and watched until they exit.
 *
 * A requester inherits one handle, the read end of its hand-off pipe. It is in a job that would end it with
 * the service only until it runs: one that holds snapshots has to outlive the service, and is found again by
 * the next process of it. `children` is the loop thread's; the functions called back are the host's. */
#ifndef SHADOWPIPE_HOST_CHILD_H
#define SHADOWPIPE_HOST_CHILD_H

#include "service/host/helper.h"
#include "service/host/loop.h"
#include "service/requester/handoff.h"

/* What TerminateProcess leaves behind as the exit code. */
enum {
    CHILD_KILLED_EXIT_CODE = 0x4b494c4c,
    CHILD_FAILURE_CHARS = 256,
    CHILD_REFUSED = 256 /* more than the broker may ever have at once */
};

struct child;

struct children {
    struct loop *loop;
    struct helper *helper;
    struct child *first;
    /* `created`: when, as a FILETIME; with the number it names one process for ever. */
    void (*started)(void *context, uint64_t requester, uint32_t process_id, uint64_t created);
    /* The last word about this requester; `failure` = why it could not be started or found, else NULL. */
    void (*exited)(void *context, uint64_t requester, uint32_t exit_code, const char *failure);
    void *context;

    /* Those for which there was no memory, until the loop tells. */
    uint64_t refused[CHILD_REFUSED];
    size_t refused_count;
    struct loop_operation refusal;
};

/* `arguments` are copied; `started` or `exited` follows from the loop, never from inside. */
void child_start(struct children *children, uint64_t requester, const struct requester_arguments *arguments);
/* The same for a process that runs already, where it is the one that was created then. */
void child_adopt(struct children *children, uint64_t requester, uint32_t process_id, uint64_t created_at);
/* TerminateProcess; for one that is being started or looked for, as soon as it is there. */
void child_kill(struct children *children, uint64_t requester);
/* Forgets all of them; they live on. Their operations must be over or the loop must not run any more. */
void children_free(struct children *children);

#endif
