/* A client: its pipe, the threads that look after it, and the calls that are open on it.
 *
 * The reader thread (reader.c) decodes each frame and hands it to the call with its id; callers write by
 * themselves, one frame at a time. So many threads can have calls open, and none waits for another's reply.
 * The pipe that there is at a time is a link. When it breaks, the calls that were open on it are cut; if the
 * client holds leases (held.c), the keeper thread (keeper.c) then makes the next link.
 *
 * `lock` guards the list of calls, their queues, the leases and the link's state; `write_lock` guards the
 * writing side and the pipe's handle, and is taken before `lock`. A frame is never written with `lock` held.
 */
#ifndef SHADOWPIPE_CLIENT_LIB_CLIENT_H
#define SHADOWPIPE_CLIENT_LIB_CLIENT_H

#include <windows.h>

#include "client/lib/held.h"
#include "client/lib/message.h"
#include "client/lib/pipe.h"
#include "proto/frame.h"

enum {
    CALL_QUEUE_LIMIT_BYTES = 64 * 1024 * 1024,
    CALL_GRACE_MS = 5000,
    CONNECT_MS = 10000
};

struct sp_call {
    struct sp_client *client;
    struct sp_call *next;
    struct sp_call_options options;
    message_handler *on_message; /* instead of options.on_frame */
    char *finishes;              /* the lease that this call ends, or NULL */
    uint32_t id;
    uint64_t link;         /* that it was sent on */
    uint64_t deadline;     /* GetTickCount64, the service's own answer to a passed deadline included */
    HANDLE event;          /* auto-reset: something came, or the link broke */
    struct message *first; /* not yet delivered */
    struct message *last;
    struct message *final; /* delivered */
    size_t queued_bytes;
    bool overflowed; /* too much came that nobody took */
    bool cancel_sent;
    bool given_up; /* freed by its caller before the end: the reader thread owns it */
};

enum link_state {
    LINK_UP,
    LINK_DOWN,     /* the keeper is about to make another */
    LINK_GREETING, /* there is one, for the keeper's own calls */
    LINK_OVER      /* for good */
};

/* What the service said about itself; older ones stay, because callers may still read them. */
struct greeting {
    struct greeting *older;
    struct message *hello;
    struct sp_server server;
};

struct sp_client {
    struct pipe_name name;
    struct sp_connect_options options; /* with strings of its own */
    HANDLE pipe;
    HANDLE reader;
    HANDLE keeper; /* NULL until there is a lease */
    DWORD keeper_id;
    HANDLE stop;      /* manual: sp_close */
    HANDLE closed;    /* manual: over for good */
    HANDLE settled;   /* manual: up, or over for good */
    HANDLE broken;    /* auto: a link broke; for the keeper */
    HANDLE next_link; /* auto: there is a new one; for the reader */
    HANDLE give_up;   /* auto: the reader is to end the link, for nothing can be written to it */
    CRITICAL_SECTION lock;
    CRITICAL_SECTION write_lock;
    HANDLE write_event;
    struct frame_reader frames;
    struct sp_call *calls;
    uint32_t last_id;
    enum link_state state;
    uint64_t link;            /* counts them; open calls with another number are cut */
    struct sp_error *failure; /* why the last link ended */
    struct held_leases held;
    struct greeting *greeting; /* the latest; NULL before the first */
};

/* Sends the frame of `envelope` (encoded, without id and timeout) under a new id, which it gives to `call`
 * before anything can come back. `call` may be NULL: nobody wants the reply. */
bool client_send(struct sp_client *client, struct sp_call *call, const uint8_t *envelope, size_t size,
                 uint32_t timeout_ms, struct sp_error **error);

/* Greets the service on a new link. */
bool client_greet(struct sp_client *client, bool owner_checked, uint32_t timeout_ms, struct sp_error **error);

/* The link has ended, with the reason, which it takes over: cuts the calls, and wakes the keeper unless it is
 * over for good. */
void client_break(struct sp_client *client, struct sp_error *failure, bool for_good);
struct sp_error *client_connection_lost(DWORD win32);

/* For requests whose reply nobody waits for, of at most 512 bytes. A failure to send ends the link, which
 * tells everybody. */
void client_send_unattended(struct sp_client *client, const PB(Envelope) * envelope);

/* Asks the service to end the request, whose final reply still comes. */
void client_send_cancel(struct sp_client *client, uint32_t id);

/* Gives a frame to its call; takes the message over. Reader thread. */
void call_deliver(struct sp_client *client, struct message *message);
/* With the lock held: the link has ended that it was sent on. */
bool call_is_cut(const struct sp_call *call);
/* With the lock held: wakes those that are waited for, and frees the others. */
void calls_cut(struct sp_client *client);
/* Frees a call and what it holds, off the list. */
void call_destroy(struct sp_call *call);

/* `finishes` as in struct sp_call, which takes a copy; may be NULL. */
struct sp_call *call_start(struct sp_client *client, const uint8_t *envelope, size_t size,
                           const struct sp_call_options *options, message_handler *on_message,
                           const char *finishes, struct sp_error **error);
/* The final message, off a call that is then gone. */
struct message *call_take_final(struct sp_call *call);
/* The event of a cancel object; NULL for NULL. */
HANDLE cancel_event(const struct sp_cancel *cancel);

#endif
