/* What the service has counted since its start, for ServiceStatus and for monitoring.
 *
 * Plain numbers are counted where the thing happens. Failures are counted by their reason, the HRESULT and
 * the writer, in a table of bounded size; what finds no room there counts as "other". */
#ifndef SHADOWPIPE_BROKER_COUNTERS_H
#define SHADOWPIPE_BROKER_COUNTERS_H

#include <stdint.h>

#include "proto/decode.h"
#include "service/broker/broker.h"

enum {
    FAILURE_KINDS = 128,
    FAILURE_TEXT_CHARS = 64
};

struct failure_count {
    char reason[FAILURE_TEXT_CHARS];
    uint32_t hresult;
    char writer[FAILURE_TEXT_CHARS]; /* "" = none */
    uint64_t count;
};

struct counters {
    uint64_t connections;
    uint64_t requests;
    uint64_t malformed;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t snapshots_created; /* requests that got one */
    uint64_t snapshots_failed;
    uint64_t sets_created;
    uint64_t set_members; /* of those sets, when they were created */
    uint64_t gate_waits;  /* of requests, from their arrival to the gate */
    uint64_t gate_wait_ms;
    uint64_t gate_holds;
    uint64_t gate_hold_ms;
    uint64_t freezes; /* calls of DoSnapshotSet that ended */
    uint64_t freeze_ms;
    uint64_t attempts_repeated;
    uint64_t sets_adopted;
    uint64_t requesters_started;
    uint64_t requesters_killed;
    struct failure_count failures[FAILURE_KINDS];
    uint64_t failures_other;
};

/* A CreateSnapshot was answered so: one count for each writer that failed, or one without. */
void counters_failed(struct counters *counters, const PB(Status) * status);
/* Fills status->counters. False: no memory. */
bool counters_report(const struct counters *counters, const struct host_load *load, struct arena *arena,
                     PB(ServiceStatus) * status);

#endif
