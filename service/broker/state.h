/* All of the broker's state. Included by its modules, by nobody else. */
#ifndef SHADOWPIPE_BROKER_STATE_H
#define SHADOWPIPE_BROKER_STATE_H

#include "service/broker/broker.h"
#include "service/broker/connection.h"
#include "service/broker/counters.h"
#include "service/broker/gate.h"
#include "service/broker/inventory.h"
#include "service/broker/lane.h"
#include "service/broker/lease.h"
#include "service/broker/operation.h"
#include "service/broker/record.h"
#include "service/broker/retention.h"
#include "service/broker/rights.h"
#include "service/broker/session.h"
#include "service/broker/volumes.h"

struct broker {
    struct broker_config config;
    struct broker_host host;
    uint64_t now_ms;
    int64_t unix_ms;
    int64_t started_unix_ms;
    char boot_id[GUID_CHARS];
    bool simulated; /* by the latest requester's word */

    struct arena arena;         /* of the event at hand */
    struct frame_buffer output; /* of the frame being sent */
    struct list timers;
    bool is_dirty; /* the gate may have something to do */

    struct list connections;
    struct list buckets[CONNECTION_BUCKETS];
    struct list attention;
    struct list owners;
    uint32_t clients; /* identified connections */

    struct list resolving; /* jobs whose volumes are not known yet */
    struct list queue;     /* jobs without a set, in order of arrival */
    struct list sets;
    struct list sessions;
    uint64_t documents_bytes; /* of all connections */
    struct list leases;
    struct list shelves; /* documents of leases that have ended, or are about to */
    struct list records;
    struct list keepsakes; /* what the store has of an earlier process, until broker_start */
    bool leaves_store;     /* what ends now has not ended for the next process */
    struct list watchers;
    struct list lease_watchers;
    struct timer lease_check;
    struct list requesters;
    struct list operations; /* in order of arrival */
    struct gate gate;
    struct lane lane;
    struct retention retention;
    struct volume_table volumes;
    struct inventory inventories[INVENTORY_KINDS];
    struct timer tick;      /* Progress for those who wait */
    struct requester *warm; /* ready, and nobody's yet */
    struct timer warm_timer;
    uint64_t last_requester_id;
    uint64_t last_set_number;

    bool stopping;
    bool hands_over;
    bool has_stopped;
    struct timer stop_timer;        /* the whole of it */
    struct timer stop_create_timer; /* for those inside DoSnapshotSet */
    struct timer stop_flush_timer;  /* for the last replies to go out */
    bool is_flushing;
    bool stop_has_killed;
    struct counters counters;
};

/* Around the handling of each event: begin empties the arena, settle does what became possible. */
void broker_begin(struct broker *broker);
void broker_settle(struct broker *broker);

/* Aborts when something that always holds does not. Compiled into debug builds after each event. */
void broker_check_invariants(const struct broker *broker);

/* ---- ids.c ---- */
void make_guid(struct broker *broker, char guid[GUID_CHARS]);
void make_token(struct broker *broker, char token[TOKEN_CHARS]);
uint32_t random_below(struct broker *broker, uint32_t limit);

/* ---- stop.c ---- */
void stop_init(struct broker *broker);
void stop_advance(struct broker *broker);

#endif
