/* FinishBackup: the end of a lease, and the answer how the backup was completed, at once or with the set's
 * end. */
#ifndef SHADOWPIPE_BROKER_FINISH_H
#define SHADOWPIPE_BROKER_FINISH_H

#include "service/broker/lease.h"

/* A FinishBackup that waits for the set's completion. */
struct finish {
    struct request request; /* first: they are cast */
    struct list link;       /* in the set's */
    struct broker *broker;
    /* Of the lease, whose record stays until it is answered: its client can ask again after a crash. */
    char lease_id[GUID_CHARS];
    bool is_stored;
};

void lease_finish(struct connection *connection, const PB(Envelope) * envelope);
/* The set's end answers those who wait for it. */
void finishes_reply(struct set *set, PB(Completion) completion, PB(Status) * failure);

#endif
