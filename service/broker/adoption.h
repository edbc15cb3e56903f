/* What an earlier process of the service held comes back to life.
 *
 * The store says which sets were held, by which requester processes, and who had leases on them (held.h). A
 * requester dials in by itself; until then its set is SET_ADOPTING and its leases cannot be used
 * (ADOPTION_PENDING). One that does not come any more, or comes without the set, loses it. A lease that was
 * bound to a connection waits for AttachLease, for reattach_ms, and then ends as if its client had vanished:
 * so a backup of a truncating type is aborted, not completed, unless its client comes and says so. */
#ifndef SHADOWPIPE_BROKER_ADOPTION_H
#define SHADOWPIPE_BROKER_ADOPTION_H

#include "service/broker/lease.h"

/* A value of the store; until adoption_begin it is only kept. */
void adoption_add(struct broker *broker, const char *key, const uint8_t *bytes, size_t size);
/* The store has been read. */
void adoption_begin(struct broker *broker);
/* The set's requester has dialled in. */
void adoption_ready(struct set *set);
/* NULL, or why the lease cannot be used yet. */
PB(Status) * adoption_pending(const struct lease *lease);
void adoption_free(struct broker *broker);

#endif
