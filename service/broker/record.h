/* Records: the persistent snapshot sets of ours, as the host stores them beyond the life of the process.
 *
 * A record is stored before DoSnapshotSet and again when the snapshots exist; its key is the set's id. From
 * then on it stands for the set: leases refer to it, retention.c deletes what is due or was never given out,
 * and who deletes a snapshot says so here. What the store holds and cannot be read is logged and left alone.
 */
#ifndef SHADOWPIPE_BROKER_RECORD_H
#define SHADOWPIPE_BROKER_RECORD_H

#include "proto/decode.h"
#include "service/broker/broker.h"
#include "service/broker/list.h"

struct set;

struct record {
    struct list link; /* of all */
    struct broker *broker;
    struct set *set;    /* whose VSS object is still held; NULL: it has ended */
    struct list leases; /* by their record_link */
    struct arena arena;
    PB(StoredSet) * stored;
    unsigned writes;   /* that the host has not confirmed */
    bool is_given;     /* somebody was told of it; else it is to be deleted */
    bool is_uncertain; /* DoSnapshotSet may still be under way, for all that is known */
    bool is_unchecked; /* read from the store, or by a lease, and not compared with what VSS has */
    /* Of its completion, for a FinishBackup that comes after it; one of the two, or none. */
    PB(FinishReply) * finished;
    PB(Status) * finish_failure;
    /* Retention's. */
    uint64_t retry_at_ms;
    uint32_t retry_ms;
};

/* With what is known before DoSnapshotSet, and not stored yet. NULL without memory. */
struct record *record_create(struct broker *broker, const PB(StoredSet) * what);
/* Hands the record to the store; the set that waits for it is told (set_stored). False: no memory. */
bool record_put(struct record *record);
/* A lease on it has ended. */
void record_lease_ended(struct record *record);
/* How its backup was completed; keeps the first word. */
void record_note_finish(struct record *record, const PB(FinishReply) * reply, const PB(Status) * failure);
/* Its snapshots are gone, or never were: out of table and store. It must have no leases. */
void record_drop(struct record *record);

/* NULL: it is not ours. */
struct record *record_find_set(struct broker *broker, const char *set_id);
struct record *record_find_snapshot(struct broker *broker, const char *snapshot_id);
/* The same account and service; for accounts that many programs share, also the same program. */
bool record_is_owned_by(const struct record *record, const struct caller *caller);

/* This snapshot does not exist any more. If it was ours, its record forgets it, and goes with the last one;
 * leases on the set are lost, for this reason. */
void record_deleted(struct broker *broker, const char *snapshot_id, const char *reason);

void records_free(struct broker *broker);

#endif
