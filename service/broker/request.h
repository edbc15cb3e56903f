/* An open request of a client: the promise of exactly one final reply.
 *
 * A module that answers later embeds this struct in its own. When the request is cancelled, its time is
 * over, or its client has gone, `stop` is called once for each; the module then answers as soon as its
 * duties allow it. After request_reply or request_fail the struct is the module's to free. */
#ifndef SHADOWPIPE_BROKER_REQUEST_H
#define SHADOWPIPE_BROKER_REQUEST_H

#include "service/broker/connection.h"

enum request_stop_reason {
    STOP_CANCELLED,
    STOP_EXPIRED,
    STOP_GONE /* nobody is there to read the reply; none may be sent */
};

struct request;
typedef void request_stop(struct request *request, enum request_stop_reason reason);

struct request {
    struct list link; /* in the connection's */
    struct broker *broker;
    struct connection *connection; /* NULL once answered or the client has gone */
    uint32_t id;
    uint64_t arrived_ms;
    uint64_t deadline_ms;
    struct timer deadline;
    request_stop *stop;
};

void request_open(struct request *request, struct connection *connection, const PB(Envelope) * envelope,
                  request_stop *stop);
/* An answered one becomes this other, which is no more. */
void request_take_over(struct request *request, struct request *other);
/* For those that were given no time, and end only otherwise. */
void request_never_expires(struct request *request);
bool request_is_open(const struct request *request);
/* Final. Sets the id. Without effect once the client has gone. */
void request_reply(struct request *request, PB(Envelope) * envelope);
void request_fail(struct request *request, PB(Status) * status);
/* Not final; left out when the client does not read. */
void request_progress(struct request *request, PB(Progress) * progress);
/* Not final, and never left out: ask connection_has_room first. False: it could not be sent. */
bool request_stream(struct request *request, PB(Envelope) * envelope);

struct request *request_find(struct connection *connection, uint32_t id);
/* The connection ends. */
void requests_abandon(struct connection *connection);

/* For requests that are answered at once. */
void reply_now(struct connection *connection, uint32_t id, PB(Envelope) * envelope);
void fail_now(struct connection *connection, uint32_t id, PB(Status) * status);

#define ENVELOPE(kind, value)                                                                             \
    (PB(Envelope))                                                                                        \
    {                                                                                                     \
        PROTOBUF_C_MESSAGE_INIT(&shadowpipe__v1__envelope__descriptor), .body_case = PB_BODY(kind), value \
    }

#endif
