/* All of the model's state. */
#ifndef SHADOWPIPE_TESTS_MODEL_STATE_H
#define SHADOWPIPE_TESTS_MODEL_STATE_H

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/broker/broker.h"
#include "tests/unit/vss_answers.h"

enum {
    OWNERS = 5,
    MALICIOUS_OWNER = OWNERS - 1, /* its frames may be anything, so nobody keeps account of them */
    CLIENTS = 11,
    CONNECTIONS = 2048,
    PROCESSES = 1024,
    REQUESTS = 32, /* of one connection, answered ones forgotten */
    LEASES = 512,
    SESSIONS = 512,
    FAILED_KEYS = 256,
    HOLDS_AT_GATE = 1, /* bits */
    HOLDS_PREPARED = 2,
    VOLUMES = 4,
    COMPONENT_WRITER = 1, /* by index: whose component may be selected */
    LATE_MS = 50          /* timers may be told this late */
};

#define VSS_IN_PROGRESS   0x80042316u /* VSS_E_SNAPSHOT_SET_IN_PROGRESS */
#define VSS_NOT_SUPPORTED 0x8004230Eu /* VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER */
#define VSS_BAD_STATE     0x80042301u /* VSS_E_BAD_STATE */
#define VSS_NOT_FOUND     0x80042308u /* VSS_E_OBJECT_NOT_FOUND */

enum event_kind {
    EVENT_CLIENT,       /* a client does the next thing */
    EVENT_IDENTIFIED,   /* the host knows who a connection is */
    EVENT_DELIVER,      /* bytes of a connection reach the broker */
    EVENT_READ,         /* a slow reader has read */
    EVENT_DEADLINE,     /* a request should have been answered */
    EVENT_GONE,         /* the host has let go of a connection that the broker closed */
    EVENT_VOLUMES,      /* the volumes are enumerated */
    EVENT_STARTED,      /* the host knows a requester's process id */
    EVENT_DIAL,         /* a requester dials in */
    EVENT_WORK,         /* a requester looks at its pipe */
    EVENT_DONE,         /* a call of a requester ends */
    EVENT_EXIT,         /* the host sees a requester's end */
    EVENT_FOREIGN,      /* another program begins a snapshot set */
    EVENT_VANISH,       /* VSS deletes a snapshot that is read */
    EVENT_LOST_DUE,     /* its readers should have been told */
    EVENT_PROCEED,      /* the script of a hold point has ended */
    EVENT_HOLD_DUE,     /* a hold point should have */
    EVENT_GRACE,        /* a requester without a service has waited long enough */
    EVENT_IMPOSTOR,     /* somebody shows the secret of a requester */
    EVENT_NOT_THERE,    /* the host knows that a process to be adopted is none */
    EVENT_STORED,       /* the store has done what was asked first */
    EVENT_CRASH,        /* the service dies, and is started again */
    EVENT_CLOCK,        /* the wall clock jumps */
    EVENT_STOP,         /* the service stops */
    EVENT_STOP_OVERDUE, /* it should have stopped */
    EVENT_QUIET         /* everybody goes home */
};

struct event {
    uint64_t when_ms;
    uint64_t order;
    enum event_kind kind;
    size_t index;
    uint64_t detail;
};

/* A request that a client has sent, until its final reply. */
struct request_seen {
    uint32_t id; /* 0 = free */
    PB(Envelope__BodyCase) kind;
    uint64_t end_offset; /* of its last byte in the connection's stream */
    bool is_delivered;
    uint64_t timeout_ms;
    uint64_t deadline_ms; /* UINT64_MAX: the broker may not have looked at it yet */
    uint64_t delivered_ms;
    uint32_t rights;
    size_t lease; /* that it is about, from 1 */
    bool shows_token, may_use, was_gone, success, all_owners;
    uint32_t writers_sent;
    uint64_t stream_number; /* of the latest event */
    bool is_stream, has_ended;
    /* CreateSnapshot. */
    PB(BackupType) backup_type;
    bool skips;
    bool has_writers;
    uint64_t keep_ms;
    uint32_t complete_within_ms;
    unsigned volumes, may_have;             /* bits: those it names, and those it can get */
    unsigned tolerated, required, excluded; /* bits */
    uint32_t max_age_ms;
    bool has_components, may_share;
    uint64_t share_kind; /* equal for those who may share a set */
    uint64_t key, wish;  /* a hash of the job_key, 0 = none, and one of all */
    bool is_detached;
    uint64_t ttl_ms;                         /* also of RenewLease */
    uint64_t frozen_ms;                      /* when writers were last frozen for it */
    unsigned hold_kinds, proceeded, held_at; /* bits */
    char hold_token[40];                     /* where it is held; of Proceed, the one that it shows */
    uint64_t hold_end_ms;
    bool is_aborted, is_hold_unclear;
    /* Proceed. */
    size_t target_link;
    uint32_t target;
    bool aborts;
    /* Call and CloseSession. */
    size_t session; /* from 1 */
    uint32_t call_rights;
    bool wants_gate;
    bool is_waiting, has_started;
    uint64_t order;          /* in the queue */
    unsigned ahead;          /* own requests that may go before it */
    unsigned passed[OWNERS]; /* turns of the others since it waits */
};

struct link {
    uint64_t id;
    enum connection_kind kind;
    size_t owner;
    uint32_t rights;
    size_t client;  /* from 1 */
    size_t process; /* from 1 */
    bool is_identified, is_greeted, is_raw, is_slow, never_reads;
    bool is_paused, is_refused, is_closed /* by the broker */, is_gone;
    bool reads_soon;
    size_t unsent_bytes;
    struct frame_buffer outbox;
    uint64_t sent_bytes, delivered_bytes;
    uint32_t last_id;
    struct request_seen requests[REQUESTS];
    struct frame_reader reader;
};

struct client {
    size_t owner;
    uint32_t rights;
    size_t link; /* index from 1; 0 = not connected */
    unsigned actions_left;
    bool half_duplex, crashes, cancels, floods, is_short, is_slow, is_malicious, has_sessions;
};

struct session_seen {
    char id[64];
    size_t link;
    unsigned step;
    bool no_writers, is_full, is_closed;
};

struct lease_seen {
    char id[64];
    char token[64];
    size_t link; /* whose end is its own, from 1; 0 = nobody's any more */
    size_t owner;
    size_t process;
    uint64_t key, wish;
    bool is_detached, is_acknowledged;
    uint64_t ttl_ms, expires_ms, renewed_ms;
    int64_t wall_ms;          /* the clock's when its term began */
    bool is_open;             /* as far as its holder is concerned */
    bool is_gone;             /* the broker cannot have it any more */
    bool is_unclear;          /* somebody may use it of whom nobody keeps account */
    bool is_adrift;           /* the service has ended, and its client has not come back to it yet */
    bool is_stored, was_open; /* of an adrift one */
    uint64_t adrift_ms;
};

enum outcome {
    OUTCOME_OK,
    OUTCOME_FAIL,
    OUTCOME_FAIL_ASYNC,
    OUTCOME_HANG,  /* until it is cancelled */
    OUTCOME_SLOW,  /* until AbortBackup */
    OUTCOME_STUCK, /* for ever */
    OUTCOME_DIE,
    OUTCOME_DIE_LATE, /* once VSS has done what was asked */
    OUTCOME_REFUSE,   /* a Status instead of a CallReply */
    OUTCOME_LOST,     /* it went well, its result did not fit */
    OUTCOME_BREAK,    /* the pipe breaks, the process goes on */
    OUTCOME_GARBAGE   /* an answer to nothing */
};

/* A frame that a requester has not looked at yet. */
struct inbox_item {
    struct inbox_item *next;
    struct arena arena;
    const PB(Envelope) * envelope;
    bool by_client; /* of a session; else by the broker */
};

/* What VSS knows of a requester's object, and what the order of its calls has to be. */
struct object {
    bool exists, initialised, has_context, has_state, gathered, has_metadata, has_status;
    bool no_writers, component_mode, has_component, has_outcome, outcome_asked;
    bool is_session;
    uint32_t backup_type;
    unsigned disabled; /* bits of writers */
    bool open, prepare_called, prepared, do_called, created, complete_called, completed;
    bool abort_called, aborted, release_called;
    bool start_pending, start_called, creation_ended;
    unsigned added;
    unsigned volumes[VOLUMES]; /* bits, in that order */
    PB(Call__MethodCase) last_step;
    uint32_t states[WRITERS];
    unsigned failed;     /* bits of writers that some status showed as failed before the end of creation */
    unsigned failed_now; /* those of the latest status */
    uint64_t freeze_ms;  /* when the broker sent DoSnapshotSet */
    uint64_t handed_ms, complete_within_ms, complete_ms;
    unsigned lost; /* bits of snapshots that vanished, in the order of the volumes */
    bool has_lost;
    unsigned handed_out, open_leases;
    bool may_share, is_unclear; /* as those want who were given it */
    uint64_t share_kind;
    bool success; /* a FinishBackup said so */
    /* Of a persistent context. */
    bool is_persistent, sees_all;
    bool may_go;       /* nobody knows whether its client gave it a time */
    unsigned copies;   /* bits of those that exist */
    int64_t delete_ms; /* 0 = never */
};

struct process {
    uint64_t id;        /* of all that there were */
    uint64_t broker_id; /* as the present service knows it; 0: it does not */
    uint32_t process_id;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    size_t link;      /* index from 1 */
    bool is_alive;    /* the process */
    bool is_reported; /* its exit was told */
    bool is_killed, has_misbehaved, is_impostor, has_dialled, wrong_secret, wrong_process;
    uint32_t exit_code;
    const char *start_failure;
    uint32_t ready_hresult;
    struct inbox_item *first, *last;
    struct inbox_item *working; /* the call under way */
    uint64_t serial;            /* of the work; an event of older work is void */
    enum outcome outcome;
    uint32_t hresult;
    struct object object;
    char session_id[64]; /* "": none's */
    uint64_t idle_ms;    /* when it last answered */
    bool is_welcome;     /* to some service */
    bool is_refused;     /* in words: nobody waits for it */
    bool is_orphan;      /* it holds snapshots, and the service that knew it has gone */
    uint64_t orphan_end_ms, welcome_ms;
};

/* A value of the store, or an operation on one: bytes NULL deletes. */
struct stored_value {
    struct stored_value *next;
    char key[64];
    uint8_t *bytes;
    size_t size;
    bool created;
    bool is_unheard; /* done when the service crashed: nobody can know whether somebody was given the set */
};

struct model {
    uint64_t seed;
    uint64_t random;
    bool is_verbose;
    uint64_t now_ms;
    int64_t wall_ms; /* what the wall clock is ahead of the monotonic one */
    uint64_t events_done;
    struct event *heap;
    size_t heap_size, heap_capacity;
    uint64_t last_order;

    struct broker *broker;
    uint64_t services;   /* that there were */
    uint64_t service_ms; /* when the last began */
    struct broker_config config;
    struct stored_value *stored, *operations;
    char failed_keys[FAILED_KEYS][64];
    size_t failed_count;
    int64_t told_wall_ms, latest_wall_ms; /* to the broker: at last, and at the most */
    struct link *links[CONNECTIONS];
    size_t links_count;
    struct client clients[CLIENTS];
    size_t clients_count;
    struct process *processes[PROCESSES];
    size_t processes_count;
    struct lease_seen leases[LEASES];
    size_t leases_count;
    uint32_t leases_untold; /* that an earlier service had stored, and nobody was told of */
    struct session_seen sessions[SESSIONS];
    size_t sessions_count;
    uint64_t queue_order;

    unsigned fault_permille;          /* of each call */
    PB(Call__MethodCase) sore_method; /* one that fails in one way much more often; NOT_SET = none */
    enum outcome sore_outcome;
    bool sore_is_late; /* only while a backup is being completed */
    bool is_dead;      /* what a broker says while it is torn down nobody hears */
    bool hands_over;
    bool is_quiet, is_stopping, has_stopped, is_torn_down;
    bool enumerates;
    unsigned unsupported; /* bits of volumes */
    unsigned refused;     /* the same: supported, they say, and then AddToSnapshotSet fails */
    bool shares_much;     /* most wishes are for what can be shared */
    bool splits;          /* sets of several volumes often fail, and there is time to try again */

    /* VSS, machine-wide. */
    size_t creator; /* index of a process from 1, also of a dead one */
    uint64_t rundown_end_ms, foreign_end_ms;
    uint64_t rundown_ms;
};

#endif
