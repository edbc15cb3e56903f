/* One pipe name: who waits for clients there, and how the name is held.
 *
 * The name's first instance is made with FILE_FLAG_FIRST_PIPE_INSTANCE and kept, unconnectable, for the
 * listener's whole life, so that no moment comes in which another program could take the name. Beside it
 * LISTENER_WAITING instances wait. The successor of one that a client took is made before the client is
 * served. Accepting never ends: when no successor can be made, it is tried again, 100 ms to 10 s later. */
#ifndef SHADOWPIPE_HOST_LISTENER_H
#define SHADOWPIPE_HOST_LISTENER_H

#include "service/host/loop.h"

enum {
    LISTENER_WAITING = 4,
    /* Each way. The kernel charges it per instance, so it is no larger than a usual frame needs. */
    LISTENER_BUFFER_BYTES = 16 * 1024,
    LISTENER_RETRY_FIRST_MS = 100,
    LISTENER_RETRY_LAST_MS = 10000
};

struct listener;

struct listener_instance {
    struct loop_operation connect;
    struct listener *listener;
    HANDLE pipe;
    bool connecting;
};

struct listener {
    struct loop *loop;
    const wchar_t *name; /* the owner's */
    const char *label;   /* for logs: "client", "requester"; set by the owner */
    SECURITY_ATTRIBUTES security;
    DWORD max_instances;
    /* The pipe's handle becomes the owner's. */
    void (*connected)(struct listener *listener, HANDLE pipe);
    void *context;

    HANDLE holder;
    struct listener_instance instances[LISTENER_WAITING];
    struct loop_timer retry;
    uint64_t retry_ms;
    bool trouble_logged;
    bool stopping;
};

/* Whether some program serves this name now. A courtesy, so that the message is clear: what defends the name
 * is FILE_FLAG_FIRST_PIPE_INSTANCE. Wine 8 accepts that flag on a name that is taken. */
bool listener_name_is_taken(const wchar_t *name);

/* Takes the name and starts waiting. `security` is the descriptor for every instance, kept by the owner.
 * A Win32 code; ERROR_ALREADY_EXISTS: the name has a server already. */
DWORD listener_start(struct listener *listener, struct loop *loop, const wchar_t *name,
                     PSECURITY_DESCRIPTOR security, DWORD max_instances);

/* The owner closed a connection, so there is room for an instance that could not be made before. */
void listener_instance_freed(struct listener *listener);

/* No more clients. The name stays held until listener_free. */
void listener_stop(struct listener *listener);
/* True once no operation is under way, so that the memory may go. */
bool listener_idle(const struct listener *listener);
void listener_free(struct listener *listener);

#endif
