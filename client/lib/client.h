/* One connection: its pipe, the thread that reads it, and the calls that are open on it.
 *
 * The reader thread decodes each frame and hands it to the call with its id; callers write by themselves, one
 * frame at a time. So many threads can have calls open, and none waits for another's reply. `lock` guards the
 * list of calls, their queues, and `failure`; `write_lock` guards the writing side. A frame is never written
 * with `lock` held. */
#ifndef SHADOWPIPE_CLIENT_LIB_CLIENT_H
#define SHADOWPIPE_CLIENT_LIB_CLIENT_H

#include <windows.h>

#include "client/lib/message.h"
#include "proto/frame.h"

enum {
    CALL_QUEUE_LIMIT_BYTES = 64 * 1024 * 1024,
    CALL_GRACE_MS = 5000
};

struct sp_call {
    struct sp_client *client;
    struct sp_call *next;
    struct sp_call_options options;
    message_handler *on_message; /* instead of options.on_frame */
    uint32_t id;
    uint64_t deadline;     /* GetTickCount64, the service's own answer to a passed deadline included */
    HANDLE event;          /* auto-reset: something came, or the connection ended */
    struct message *first; /* not yet delivered */
    struct message *last;
    struct message *final; /* delivered */
    size_t queued_bytes;
    bool overflowed; /* too much came that nobody took */
    bool cancel_sent;
    bool given_up; /* freed by its caller before the end: the reader thread owns it */
};

struct sp_client {
    HANDLE pipe;
    HANDLE reader;
    HANDLE stop;   /* manual: sp_close */
    HANDLE closed; /* manual: the connection is over */
    CRITICAL_SECTION lock;
    CRITICAL_SECTION write_lock;
    HANDLE write_event;
    struct frame_reader frames;
    struct sp_call *calls;
    uint32_t last_id;
    struct sp_error *failure; /* why it is over */
    struct message *hello;
    struct sp_server server;
};

/* Sends the frame of `envelope` (encoded, without id and timeout) under a new id, which it gives to `call`
 * before anything can come back. `call` may be NULL: nobody wants the reply. */
bool client_send(struct sp_client *client, struct sp_call *call, const uint8_t *envelope, size_t size,
                 uint32_t timeout_ms, struct sp_error **error);

/* Ends the connection for everybody, with the reason; takes the error over. */
void client_fail(struct sp_client *client, struct sp_error *failure);

/* For requests whose reply nobody waits for, of at most 512 bytes. A failure to send ends the connection,
 * which tells everybody. */
void client_send_unattended(struct sp_client *client, const PB(Envelope) * envelope);

/* Asks the service to end the request, whose final reply still comes. */
void client_send_cancel(struct sp_client *client, uint32_t id);

/* Gives a frame to its call; takes the message over. Reader thread. */
void call_deliver(struct sp_client *client, struct message *message);
/* Frees a call and what it holds, off the list. */
void call_destroy(struct sp_call *call);

#endif
