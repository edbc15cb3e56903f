/* Whether what the leases read is still there: VSS is asked every 20 s (lease_check_ms), so that a
 * loss is noticed within 30.
 *
 * Sets that hold their VSS object ask through it (set_check.c). For records, and snapshots that leases were
 * attached to, one process asks for all there are (retention.c). */
#ifndef SHADOWPIPE_BROKER_LEASE_CHECK_H
#define SHADOWPIPE_BROKER_LEASE_CHECK_H

#include "service/broker/lease.h"

void lease_check_init(struct broker *broker);
/* There is a lease. */
void lease_check_begin(struct broker *broker);

#endif
