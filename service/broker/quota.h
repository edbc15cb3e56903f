/* Limits of number for what outlives its request: leases, and records of persistent sets.
 *
 * Who would pass one is refused before any work is begun for it, so what is under way counts as if it were
 * done. */
#ifndef SHADOWPIPE_BROKER_QUOTA_H
#define SHADOWPIPE_BROKER_QUOTA_H

#include "proto/wire.h"

struct broker;
struct connection;

/* NULL, or why there may be no further lease for this client. */
PB(Status) * quota_lease(const struct connection *connection);
/* NULL, or why there may be no further persistent set. */
PB(Status) * quota_record(struct broker *broker);

#endif
