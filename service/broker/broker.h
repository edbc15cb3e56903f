/* The broker: every decision of the service, and none of its input and output.
 *
 * Events and the time come in through the functions below; actions go out through struct broker_host.
 * All of it happens on one thread, which owns all state, so there are no locks. Nothing here includes
 * windows.h, blocks, or reads a clock. The host calls broker_set_time before each event and
 * broker_timer when broker_next_timer_ms has come. Ids of connections are the host's, never reused. */
#ifndef SHADOWPIPE_BROKER_BROKER_H
#define SHADOWPIPE_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct broker;

enum {
    CALLER_SID_CHARS = 192,
    CALLER_NAME_CHARS = 260,
    REQUESTER_SECRET_BYTES = 32,
    STORE_KEY_MAX = 48
};

/* Bits of caller.rights: 1 << PB(Right) value. */
enum {
    RIGHT_BIT_READ = 1 << 1,
    RIGHT_BIT_SNAPSHOT = 1 << 2,
    RIGHT_BIT_TRUNCATE = 1 << 3,
    RIGHT_BIT_PERSIST = 1 << 4,
    RIGHT_BIT_RESTORE = 1 << 5,
    RIGHT_BIT_MANAGE = 1 << 6
};

/* Who is at the other end of a client connection, from its token; see the host's caller.h. */
struct caller {
    char sid[CALLER_SID_CHARS];
    char service_sid[CALLER_SID_CHARS]; /* empty without one */
    uint32_t process_id;                /* for logs, and for owners that share an account */
    char process_name[CALLER_NAME_CHARS];
    bool elevated;
    bool filtered_admin;
    uint32_t rights;
};

enum connection_kind {
    CONNECTION_CLIENT,
    CONNECTION_REQUESTER
};

enum broker_log_level {
    BROKER_LOG_DEBUG,
    BROKER_LOG_INFO,
    BROKER_LOG_WARNING,
    BROKER_LOG_ERROR
};

/* A volume as the system enumerates it. Strings are the caller's, copied by the broker. */
struct host_volume {
    const char *guid_path;    /* "\\?\Volume{…}\" */
    const char *const *names; /* mount points with trailing backslash: "C:\", "D:\data\" */
    size_t names_count;
    const char *label;
    const char *file_system;
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint32_t drive_type; /* GetDriveType's value */
};

/* How the host itself fares, for ServiceStatus. */
struct host_load {
    uint64_t events;      /* handled by the loop */
    uint64_t slow_events; /* that kept all others waiting for more than 5 ms */
    uint64_t longest_us;
    uint64_t memory_bytes; /* of the process, committed */
};

/* What the broker asks of its host. Every function returns at once, never calls back into the broker,
 * and copies what it is given. */
struct broker_host {
    void *context;
    /* Queues bytes for the connection, in order. */
    void (*send)(void *context, uint64_t connection, const uint8_t *bytes, size_t size);
    /* Bytes queued and not yet written. */
    size_t (*unsent_bytes)(void *context, uint64_t connection);
    /* Ends the connection; with `flush` once its output is written or the client has gone (bounded by the
     * host). broker_disconnected follows in any case. */
    void (*disconnect)(void *context, uint64_t connection, bool flush);
    /* While paused no bytes of the connection are delivered. */
    void (*pause_reading)(void *context, uint64_t connection, bool paused);
    /* Starts a requester process that will dial in and show `secret`. Answered by
     * broker_requester_started, or by broker_requester_exited if it could not be started. */
    void (*start_requester)(void *context, uint64_t requester, const uint8_t secret[REQUESTER_SECRET_BYTES]);
    /* Watches a requester process that an earlier process of the service has started; it dials in by itself.
     * Both numbers are those of broker_requester_started. Answered like start_requester: a process of that
     * number that was started at another time is another one. */
    void (*adopt_requester)(void *context, uint64_t requester, uint32_t process_id, uint64_t started);
    /* The last resort. broker_requester_exited follows. */
    void (*kill_requester)(void *context, uint64_t requester);
    /* Answered by broker_volumes_enumerated. Without `described` labels, file systems and sizes are left out:
     * a drive that sleeps answers them late, and who only looks for a name must not wait for it. */
    void (*enumerate_volumes)(void *context, bool described);
    /* The store keeps bytes by key (ASCII, at most STORE_KEY_MAX characters), beyond the end of the process,
     * and with `lasting` beyond a failure of power. Both are carried out in the order in which they are asked
     * for, and answered by broker_stored. */
    void (*store_put)(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting);
    void (*store_delete)(void *context, const char *key);
    void (*random_bytes)(void *context, uint8_t *bytes, size_t size);
    void (*log)(void *context, enum broker_log_level level, const char *text);
    void (*load)(void *context, struct host_load *load); /* may be NULL */
    /* After broker_stop: nothing is left to wait for. */
    void (*stopped)(void *context);
};

struct broker_config {
    const char *server_version;
    const char *os_build;
    const char *vss_library;  /* "" = the system's vssapi.dll */
    const char *machine_name; /* with its domain where it has one; NULL = not known */
    /* Limits of number. */
    uint32_t max_connections;           /* 256 */
    uint32_t max_connections_per_owner; /* 64 */
    uint32_t reserved_connections;      /* for MANAGE: 4 */
    uint32_t max_sets;                  /* 16 */
    uint32_t max_shared_volumes;        /* of one set with several members: 8; 0 = no sharing */
    uint32_t max_queue;                 /* 256 */
    uint32_t max_sessions;              /* step sessions: 16 */
    uint32_t max_leases;                /* 256, with the requests that will have one */
    uint32_t max_leases_per_owner;      /* 128 */
    uint32_t max_records;               /* of persistent sets: 1024 */
    uint32_t max_watchers;              /* of the service, and as many of leases: 256 */
    uint32_t warm_requesters;           /* processes kept ready: 0 or 1; 0 */
    uint32_t max_in_flight;             /* per connection: 16 */
    uint32_t max_client_accessible;     /* snapshots of a volume, VSS's MaxShadowCopies: 64 */
    uint32_t output_soft_limit_bytes;   /* reading pauses above: 256 KiB */
    uint32_t output_hard_limit_bytes;   /* the connection is closed above: 32 MiB */
    /* Limits of time, milliseconds. */
    uint32_t handshake_timeout_ms; /* connected without a Hello: 5 s */
    uint32_t frame_timeout_ms;     /* a frame begun and not ended: 30 s */
    uint32_t default_timeout_ms;   /* of a request: 30 min */
    uint32_t max_timeout_ms;       /* 24 h */
    uint32_t requester_start_ms;   /* process start to its Hello: 30 s */
    uint32_t gather_ms;            /* 300 s */
    uint32_t call_ms;              /* synchronous calls: 60 s */
    uint32_t prepare_ms;           /* 300 s */
    uint32_t create_ms;            /* DoSnapshotSet: 600 s */
    uint32_t status_ms;            /* 120 s */
    uint32_t complete_ms;          /* 300 s */
    uint32_t abort_ms;             /* 60 s */
    uint32_t release_ms;           /* 240 s */
    uint32_t cancel_grace_ms;      /* after IVssAsync::Cancel: 10 s */
    uint32_t gate_hold_ms;         /* the gate in all: 10 min */
    uint32_t hold_point_ms;        /* a set at a hold point: 30 s */
    uint32_t gate_idle_ms;         /* the gate without a call in flight: 30 s */
    uint32_t in_progress_retry_ms; /* first retry of StartSnapshotSet: 1 s, growing to 5 s */
    uint32_t retry_later_ms;       /* after what Microsoft advises to try again ten minutes later */
    uint32_t max_retries_later;    /* of one request: 3 */
    uint32_t freeze_pause_ms;      /* from one freeze for a request to the next: 60 s */
    uint32_t complete_within_ms;   /* 60 min */
    uint32_t lease_ttl_ms;         /* a detached lease without renewal: 20 min */
    uint32_t max_lease_ttl_ms;     /* 7 days */
    uint32_t lease_check_ms;       /* whether what leases read is still there: 20 s */
    uint32_t cache_ms;             /* age of listed writers, volumes, providers: 5 s */
    uint32_t orphan_grace_ms;      /* a requester holds snapshots without a service: 10 min; 0 = not at all */
    uint32_t reattach_ms;          /* a client comes back to its lease after the service's restart: 2 min */
    uint32_t stop_create_ms;       /* at stop, inside DoSnapshotSet: 75 s */
    uint32_t stop_all_ms;          /* 180 s */
};

/* The defaults above. */
void broker_config_init(struct broker_config *config);

/* NULL without memory. Both structs are copied; the strings in config must stay. */
struct broker *broker_create(const struct broker_config *config, const struct broker_host *host);
void broker_destroy(struct broker *broker);
/* What the store holds: each of it once, right after the first broker_set_time; then broker_start, once, also
 * where the store is empty: sets and leases of an earlier process of the service come back to life. */
void broker_add_stored(struct broker *broker, const char *key, const uint8_t *bytes, size_t size);
void broker_start(struct broker *broker);

/* `monotonic_ms` never goes back and decides all deadlines; `unix_ms` is for messages only. */
void broker_set_time(struct broker *broker, uint64_t monotonic_ms, int64_t unix_ms);
/* When broker_timer wants to be called next (monotonic), UINT64_MAX = never. */
uint64_t broker_next_timer_ms(const struct broker *broker);
void broker_timer(struct broker *broker);

void broker_connected(struct broker *broker, uint64_t id, enum connection_kind kind);
/* Client connections: before their first bytes. `failure` (NULL or why in words) means that the identity
 * could not be read: the broker answers UNAUTHENTICATED. */
void broker_identified(struct broker *broker, uint64_t id, const struct caller *caller, const char *failure);
/* Requester connections: before their first bytes; the process at the other end of the pipe. */
void broker_requester_identified(struct broker *broker, uint64_t id, uint32_t process_id);
void broker_received(struct broker *broker, uint64_t id, const uint8_t *bytes, size_t size);
/* The host sent some of what was queued. */
void broker_output_drained(struct broker *broker, uint64_t id);
void broker_disconnected(struct broker *broker, uint64_t id);

/* `started`: when, in the host's own measure; it tells the process from a later one of the same number. */
void broker_requester_started(struct broker *broker, uint64_t id, uint32_t process_id, uint64_t started);
/* `exit_code` of the process; or, when it could not be started, `failure` in words (else NULL). */
void broker_requester_exited(struct broker *broker, uint64_t id, uint32_t exit_code, const char *failure);

/* `failure` NULL, or why in words. */
void broker_volumes_enumerated(struct broker *broker, const struct host_volume *volumes, size_t count,
                               const char *failure);

/* The end of a store_put or store_delete. `failure` NULL, or why in words; a put that failed has changed
 * nothing. */
void broker_stored(struct broker *broker, const char *key, const char *failure);

enum broker_stop_kind {
    BROKER_STOP_END,
    /* Another process of the service follows: what clients read stays with its requesters, which hold it for
     * orphan_grace_ms and dial in there. */
    BROKER_STOP_HAND_OVER
};

/* Refuses new work and ends what there is; host->stopped says when. */
void broker_stop(struct broker *broker, enum broker_stop_kind kind);

/* Everything that is counted, as Prometheus metrics. Like snprintf; 0 without memory. */
size_t broker_metrics(struct broker *broker, char *buffer, size_t size);

/* Fills the caller's struct for the service's own status (console title, tests). */
struct broker_counts {
    uint32_t connections, sets, leases, requesters, queue_length;
};
void broker_counts(const struct broker *broker, struct broker_counts *counts);

#endif
