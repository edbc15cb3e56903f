/* WatchLease: what becomes of one lease.
 *
 * PRESENT comes first, then what happens; each event has the lease as it is then. What a slow reader could
 * not be sent is counted, and the next event, at the latest one that says how the lease is now, tells how
 * many. The request ends with the lease: ENDED, then the Status UNKNOWN_LEASE. */
#ifndef SHADOWPIPE_BROKER_LEASE_WATCH_H
#define SHADOWPIPE_BROKER_LEASE_WATCH_H

#include "service/broker/lease.h"

void lease_watch_begin(struct connection *connection, const PB(Envelope) * envelope);
void lease_watch_tell(struct lease *lease, PB(LeaseEventKind) kind);
/* The lease ends: ENDED, and the final replies. */
void lease_watch_ended(struct lease *lease);
/* After each event: those who read again are told what they missed. */
void lease_watch_flush(struct broker *broker);
/* The service begins to stop; its last replies go out. */
void lease_watch_stopping(struct broker *broker);
void lease_watch_stop(struct broker *broker);

#endif
