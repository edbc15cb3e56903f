/* Snapshots that exist in the harness's world: Query shows them, DeleteSnapshots takes them away, and so on.
 */
#ifndef SHADOWPIPE_TESTS_EXISTING_H
#define SHADOWPIPE_TESTS_EXISTING_H

#include "tests/unit/broker_harness.h"

enum {
    EXISTING_MAX = 16
};

/* Ids by number, as snapshots and sets; in static buffers. */
#define SNAPSHOT_ID(number) "5a900000-0000-0000-0000-0000000000" #number
#define SET_ID(number)      "5e700000-0000-0000-0000-0000000000" #number

#define VOLUME_C "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\"
#define VOLUME_D "\\\\?\\Volume{00000000-0000-0000-0000-00000000000d}\\"
#define PROVIDER "b5946137-7b9f-4925-af80-51abd60b20d5"

struct existing {
    PB(Snapshot) snapshots[EXISTING_MAX];
    size_t count;
    char *deleted[EXISTING_MAX]; /* ids that DeleteSnapshots was called for, in order */
    size_t deleted_count;
    bool was_forced;
    const char *undeletable; /* VSS_E_PROVIDER_VETO */
    const char *vanishing;   /* shown, and gone when it is to be deleted */
    uint32_t context;        /* of the latest SetContext */
    /* What the other methods were given. */
    char text[3][128];
    uint32_t number;
};

/* From now on the world's VSS has these. */
void existing_begin(struct world *world, struct existing *existing);
PB(Snapshot) * existing_add(struct existing *existing, const char *id, const char *set, const char *volume,
                            int64_t created_ms);
/* What the broker has just made for a client. */
void existing_add_made(struct existing *existing, const PB(SnapshotReply) * made, int64_t created_ms);
bool existing_has(const struct existing *existing, const char *id);

#endif
