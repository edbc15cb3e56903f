/* The leases that were taken through a client, and are not finished: what its connection is worth getting
 * back for. All of this wants the client's lock. */
#ifndef SHADOWPIPE_CLIENT_LIB_HELD_H
#define SHADOWPIPE_CLIENT_LIB_HELD_H

#include "client/lib/message.h"

struct held_lease {
    struct held_lease *next;
    char *lease_id;
    char *token;
    bool is_bound;         /* it ends with its connection */
    bool is_attached;      /* to the present link */
    const char *boot_id;   /* of the service where it was attached last; the client's */
    struct sp_error *lost; /* why it is gone for good; NULL: it is there */
};

struct held_leases {
    struct held_lease *first;
};

/* From a final reply of the service `boot_id`, which outlives the lease; `finishes` is the lease that its
 * request ended, or NULL. True: a lease came to it. */
bool held_learn(struct held_leases *held, const PB(Envelope) * reply, const char *finishes,
                const char *boot_id);
/* Is there one that is not lost? */
bool held_any(const struct held_leases *held);
/* NULL: it was not taken here. */
struct held_lease *held_find(const struct held_leases *held, const char *lease_id);
/* One that has to be attached to a new link; NULL: none is left. */
struct held_lease *held_next_unattached(const struct held_leases *held);
/* The link broke. */
void held_detach_all(struct held_leases *held);
void held_free(struct held_leases *held);

#endif
