/* What the store keeps of sets that are held and of leases, so that the next process of the service goes on
 * with them: see adoption.h, which reads it.
 *
 * It is stored before anybody is told of a lease, and deleted with it; a write that fails is logged, and
 * costs no more than this one ability. Nothing is stored where requesters hold no snapshots without a service
 * (orphan_grace_ms 0). A lease has a value of its own, so that each of many readers changes only that. */
#ifndef SHADOWPIPE_BROKER_HELD_H
#define SHADOWPIPE_BROKER_HELD_H

#include "service/broker/lease.h"

/* The set and the leases of its members, as far as they are not stored. False: there is nothing to wait for;
 * else set_kept follows. */
bool held_await(struct set *set);
/* The set and its requester have ended. */
void held_end(struct set *set);
/* It is new or has changed. */
void held_put_lease(struct lease *lease);
void held_drop_lease(struct lease *lease);
/* One whose record outlived it: see lease_finish. */
void held_drop_lease_id(struct broker *broker, const char *lease_id);
/* True: the answer of the store was about such a value. */
bool held_stored(struct broker *broker, const char *key, const char *failure);
/* "set-" or "lease-" at the beginning of a key. */
bool held_is_set(const char *key);
bool held_is_lease(const char *key);

#endif
