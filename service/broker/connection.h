/* Connections: frames in, frames out, and the requests in between.
 *
 * A client says Hello first, then sends requests; a requester says RequesterHello. Frames are handled one
 * by one. A frame that finds no free request slot, or too much unread output, waits together with what
 * came behind it, and the host stops reading. A connection ends through connection_close or by
 * broker_disconnected; what belongs to it ends at once, the struct when the host says it is gone. */
#ifndef SHADOWPIPE_BROKER_CONNECTION_H
#define SHADOWPIPE_BROKER_CONNECTION_H

#include "proto/frame.h"
#include "service/broker/broker.h"
#include "service/broker/owner.h"
#include "service/broker/timer.h"

enum connection_state {
    CONNECTION_NEW,      /* the host has not said yet who it is */
    CONNECTION_GREETING, /* Hello is awaited */
    CONNECTION_OPEN,
    CONNECTION_CLOSED /* ended by us; the host has not said yet that it is gone */
};

enum {
    CLIENT_NAME_CHARS = 65,
    CONNECTION_BUCKETS = 256
};

struct requester;

struct connection {
    struct list link;      /* of all */
    struct list bucket;    /* of those with the same hash */
    struct list attention; /* something is to be done once the present event is over */
    struct broker *broker;
    uint64_t id;
    enum connection_kind kind;
    enum connection_state state;
    struct timer timer; /* for Hello, then for the rest of a frame */
    struct frame_reader reader;
    bool in_frame;   /* a frame has begun and not ended */
    bool overflowed; /* the peer does not read: close it */
    bool paused;
    const uint8_t *waiting_payload; /* in the reader: the frame that waits for room */
    size_t waiting_size;
    uint8_t *rest; /* what came behind it */
    size_t rest_size;

    /* Clients. */
    struct caller caller;
    struct owner *owner;
    char client_name[CLIENT_NAME_CHARS];
    char client_version[CLIENT_NAME_CHARS];
    struct list requests;
    uint32_t in_flight;
    struct list leases;
    struct list sessions;
    struct list documents; /* that it has sent for them */

    /* Requesters. */
    uint32_t process_id;
    struct requester *requester;
};

struct connection *connection_find(struct broker *broker, uint64_t id);
/* False: the connection is closed, or cannot take it. */
bool connection_send(struct connection *connection, const PB(Envelope) * envelope);
bool connection_has_room(struct connection *connection); /* below the soft limit of output */
/* A Status with id 0, then the end. */
void connection_refuse(struct connection *connection, PB(Status) * status);
void connection_close(struct connection *connection, bool flush);
/* Looks at the connection again after the present event. */
void connection_attend(struct connection *connection);
void connections_attend(struct broker *broker);
void connections_free(struct broker *broker);

/* ---- hello.c ---- */
void hello_identified(struct connection *connection, const struct caller *caller, const char *failure);
void hello_received(struct connection *connection, const PB(Envelope) * envelope);

/* ---- dispatch.c ---- */
/* False: the request waits for a free slot. */
bool dispatch_request(struct connection *connection, const PB(Envelope) * envelope);

#endif
