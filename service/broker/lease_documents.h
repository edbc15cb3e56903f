/* The documents of a lease: read from the requester that keeps them, chunk by chunk, as the reader takes
 * them.
 *
 * While the set is held its requester is asked. After a FinishBackup with with_documents the requester stays,
 * without its VSS object, for a minute more: the shelf is then its user, until the minute is over, the
 * service stops, or many later ones need room. */
#ifndef SHADOWPIPE_BROKER_LEASE_DOCUMENTS_H
#define SHADOWPIPE_BROKER_LEASE_DOCUMENTS_H

#include "service/broker/lease.h"
#include "service/broker/requester.h"

struct shelf {
    struct list link; /* of those that outlive their lease; none before */
    struct broker *broker;
    struct set *set;             /* NULL: it has taken over */
    struct requester *requester; /* NULL: it has ended */
    struct list readings;        /* the requests */
    struct reading *asked;       /* that the chunk under way is for; NULL: its client wants it no more */
    bool is_asking;
    bool is_offered; /* it may be read with what follows, though the lease has ended */
    char lease_id[GUID_CHARS];
    char token[TOKEN_CHARS];
    uint64_t connection_id; /* that made the lease */
    struct timer timer;
};

/* ReadDocument with a lease_id. */
void lease_documents_read(struct connection *connection, const PB(Envelope) * envelope);
/* The lease is about to end, and its client wants the documents afterwards. False: no memory. */
bool shelf_promise(struct set *set, const struct lease *lease);
/* They have been saved after the completion: they can be read from now on. */
void shelf_offer(struct set *set);

/* From the set, while it has the requester. */
void shelf_answered(struct shelf *shelf, const PB(Envelope) * answer);
/* The lease has ended: who reads is told so. */
void shelf_interrupt(struct set *set);
/* The object is released. True: the requester is the shelf's now. */
bool shelf_takes_over(struct set *set);
/* The requester has ended, or will: nothing can be read any more. */
void shelf_close(struct set *set);

/* The client reads again. */
void lease_documents_continue(struct connection *connection);
/* Those that have a requester of their own. */
size_t shelves_count(const struct broker *broker);
bool is_shelf(const struct broker *broker, const void *subject);
void shelves_stop(struct broker *broker);
void shelves_kill(struct broker *broker);
void shelves_free(struct broker *broker);

#endif
