/* Requests and replies as generated protobuf messages: the level below shadowpipe.h, for programs that link
 * the static library together with the generated code, as the command line does. */
#ifndef SHADOWPIPE_CLIENT_LIB_MESSAGE_H
#define SHADOWPIPE_CLIENT_LIB_MESSAGE_H

#include "client/lib/shadowpipe.h"
#include "proto/decode.h"

/* A decoded frame. Its envelope and bytes live in its arena. */
struct message {
    struct message *next;
    struct arena arena;
    PB(Envelope) * envelope;
    const uint8_t *bytes;
    size_t size;
};

typedef void message_handler(void *context, const PB(Envelope) * envelope);

struct message_options {
    uint32_t timeout_ms;
    message_handler *on_message;    /* the frames before the final one; may be NULL */
    void (*on_tick)(void *context); /* now and then while nothing comes; may be NULL */
    void *context;
    struct sp_cancel *cancel;
    struct sp_cancel *patience; /* ends only the wait for a broken connection; may be NULL */
};

/* Sends the request, of which only the body counts, and waits for the final reply, whose body must be
 * `expected`. While the connection is broken it waits, too; when it breaks under a FinishBackup, RenewLease,
 * AttachLease or WatchLease, these are sent again. NULL on failure. `options` may be NULL. */
struct message *message_call(struct sp_client *client, const PB(Envelope) * request,
                             PB(Envelope__BodyCase) expected, const struct message_options *options,
                             struct sp_error **error);

/* Decodes leniently; NULL with *error. */
struct message *message_decode(const uint8_t *bytes, size_t size, struct sp_error **error);
void message_free(struct message *message);

/* True for frames that come before the final one. */
bool message_is_streamed(const PB(Envelope) * envelope);

#endif
