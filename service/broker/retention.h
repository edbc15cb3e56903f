/* Retention: deletes persistent sets that are due, and those that nobody was given.
 *
 * A set is due when its time is over and no lease reads it. Its snapshots are deleted one by one through the
 * lane, in a requester process of its own; what could not be deleted stays recorded and is tried again later,
 * after longer and longer pauses. At the start of the service the records are compared once with what VSS
 * has, and again and again those that leases read; snapshots that have no record are never touched. */
#ifndef SHADOWPIPE_BROKER_RETENTION_H
#define SHADOWPIPE_BROKER_RETENTION_H

#include "service/broker/lane.h"
#include "service/broker/lease.h"
#include "service/broker/sequence.h"

struct retention {
    struct timer timer; /* when there will be something to do */
    bool must_reconcile;
    uint64_t reconcile_at_ms;
    uint64_t asked_ms; /* when the question went out */
    uint32_t reconcile_retry_ms;

    /* The work under way, or waiting for the lane. */
    struct lane_place place;
    struct requester *requester;
    struct sequence sequence;
    bool is_ending;          /* only Release is left */
    bool is_reconciling;     /* else it deletes a set: */
    char set_id[GUID_CHARS]; /* "" = none */
    char (*ids)[GUID_CHARS]; /* of its snapshots */
    size_t count;
    struct arena arena; /* for them, and for the first failure */
    char *failure;
};

void retention_init(struct broker *broker);
/* Records were read from the store, or leases read what nobody else holds: what VSS has is to be compared. */
void retention_reconcile(struct broker *broker);
/* Something may be due. */
void retention_look(struct broker *broker);
void retention_stop(struct broker *broker);
void retention_kill(struct broker *broker);
void retention_free(struct broker *broker);

#endif
