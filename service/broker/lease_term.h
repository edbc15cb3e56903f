/* How long a detached lease lives: until its ttl has passed since the last RenewLease; then it ends as if its
 * client had vanished.
 *
 * Before its holder has acknowledged it, by the first RenewLease or AttachLease, it also ends with its
 * connection: a client that died before it saw the reply leaves nothing. Here are both requests, too. */
#ifndef SHADOWPIPE_BROKER_LEASE_TERM_H
#define SHADOWPIPE_BROKER_LEASE_TERM_H

#include "service/broker/lease.h"

/* NULL, or why a lease cannot be had so; `field` is that of ttl_ms. `options` may be NULL. */
PB(Status) * lease_term_check(struct broker *broker, const PB(LeaseOptions) * options, const char *field);
void lease_term_init(struct lease *lease);
/* Once it has its info. `options` may be NULL. */
void lease_term_begin(struct lease *lease, const PB(LeaseOptions) * options);
/* It comes from an earlier process of the service: its client, or the rest of its term. */
void lease_term_resume(struct lease *lease);
/* From now on its client can attach to it. */
void lease_term_adopted(struct lease *lease);
/* It has. */
void lease_term_came_back(struct lease *lease);

/* AttachLease and RenewLease. */
void lease_attach_again(struct connection *connection, const PB(Envelope) * envelope);
void lease_renew(struct connection *connection, const PB(Envelope) * envelope);

#endif
