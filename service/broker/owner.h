/* Owners: who the connections belong to, for fairness and quotas.
 *
 * The user's SID and the service's; programs that share one of Windows' service accounts without a SID
 * of their own are told apart by process. Counted by reference; gone with the last one. */
#ifndef SHADOWPIPE_BROKER_OWNER_H
#define SHADOWPIPE_BROKER_OWNER_H

#include "service/broker/broker.h"
#include "service/broker/list.h"

struct owner {
    struct list link;
    uint32_t references;
    uint32_t connections;
    uint32_t queued;    /* scratch of gate.c */
    uint64_t last_turn; /* number of its last turn at the gate, or of the latest when it came */
    char key[];
};

/* Without a service's SID, an account that many unrelated programs run as: they are told apart by more than
 * it. */
bool caller_shares_account(const struct caller *caller);
/* Takes a reference. NULL without memory. */
struct owner *owner_get(struct broker *broker, const struct caller *caller);
struct owner *owner_share(struct owner *owner);
/* NULL is allowed. */
void owner_release(struct owner *owner);

#endif
