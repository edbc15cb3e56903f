/* One connected pipe instance: at most one read and one write under way, and an output queue.
 *
 * Owned by host.c. Nothing here calls back from inside a function that the owner called: `received`,
 * `drained` and `closed` come from the loop. `closed` comes exactly once, after the last operation was
 * dequeued; the peer is freed when it returns. An idle one holds about 2 KiB here, and 8 KiB
 * more at most of kept output memory. */
#ifndef SHADOWPIPE_HOST_PEER_H
#define SHADOWPIPE_HOST_PEER_H

#include "service/broker/broker.h"
#include "service/host/loop.h"

struct peer;

struct peer_events {
    void (*received)(void *context, struct peer *peer, const uint8_t *bytes, size_t size);
    void (*drained)(void *context, struct peer *peer);
    void (*closed)(void *context, struct peer *peer);
};

struct peer_output {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct peer {
    uint64_t id;
    enum connection_kind kind;
    HANDLE pipe;
    bool identified;   /* the owner's note */
    struct peer *next; /* the owner's list */

    struct loop *loop;
    const struct peer_events *events;
    void *context;

    struct loop_operation read, write, resume, finish;
    bool reading, writing, resuming, finishing;
    bool paused;
    bool lingering; /* the last output is on its way; input is discarded */
    bool closing;
    struct loop_timer timer; /* the look after a peer that is paused or lingers */
    uint64_t linger_until_ms;

    struct peer_output queued, in_flight;
    size_t in_flight_done;

    size_t held; /* bytes read and not delivered, because reading was paused meanwhile */
    size_t read_capacity;
    uint8_t read_buffer[];
};

/* Takes the handle, already attached to the loop, and starts reading. NULL without memory: the handle stays
 * the caller's. */
struct peer *peer_create(struct loop *loop, HANDLE pipe, uint64_t id, enum connection_kind kind,
                         const struct peer_events *events, void *context);

void peer_send(struct peer *peer, const uint8_t *bytes, size_t size);
size_t peer_unsent_bytes(const struct peer *peer);
void peer_pause(struct peer *peer, bool paused);

/* Ends it now: what was not written is lost. */
void peer_close(struct peer *peer);
/* Ends it when the peer has read everything or closes its end, or after two seconds without progress. The
 * last frame says why a connection ends; DisconnectNamedPipe would discard it before a slow peer has read it,
 * and FlushFileBuffers would wait for ever for a peer that does not read. */
void peer_linger(struct peer *peer);

#endif
