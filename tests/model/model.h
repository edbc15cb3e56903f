/* A model of the world around the broker, under a seeded scheduler with virtual time.
 *
 * One seed is one run: a configuration, clients of several owners, requester processes with VSS behind them,
 * a foreign program, a clock that jumps, a service that stops or is torn down. Everything random comes from
 * the seed, so a run replays exactly. After each event the broker's invariants are checked, and what can be
 * seen from outside: in frames.c for clients, in vss.c for the calls that reach VSS.
 * schedule.c has chance and the events, world.c the run, host.c the host, clients.c and wishes.c the clients,
 * frames.c, turns.c, snapshots.c, leases.c and watches.c what they see, processes.c and requesters.c the
 * requesters, vss.c and components.c what is behind those, store.c what outlives a crash, inside.c what only
 * the broker knows. */
#ifndef SHADOWPIPE_TESTS_MODEL_H
#define SHADOWPIPE_TESTS_MODEL_H

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
    VOLUMES = 4,
    COMPONENT_WRITER = 1, /* by index: whose component may be selected */
    LATE_MS = 50          /* timers may be told this late */
};

#define VSS_IN_PROGRESS   0x80042316u /* VSS_E_SNAPSHOT_SET_IN_PROGRESS */
#define VSS_NOT_SUPPORTED 0x8004230Eu /* VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER */
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
    uint64_t ttl_ms;    /* also of RenewLease */
    uint64_t frozen_ms; /* when writers were last frozen for it */
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
    bool half_duplex, crashes, cancels, floods, is_short, is_slow, is_malicious;
};

struct lease_seen {
    char id[64];
    char token[64];
    size_t link; /* whose end is its own, from 1; 0 = nobody's any more */
    size_t owner;
    size_t process;
    uint64_t key, wish;
    bool is_detached, is_acknowledged;
    uint64_t ttl_ms, expires_ms;
    bool is_open;    /* as far as its holder is concerned */
    bool is_gone;    /* the broker cannot have it any more */
    bool is_unclear; /* somebody may use it of whom nobody keeps account */
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
};

/* What VSS knows of a requester's object, and what the order of its calls has to be. */
struct object {
    bool exists, initialised, has_context, has_state, gathered, has_metadata, has_status;
    bool no_writers, component_mode, has_component, has_outcome;
    bool is_session;
    uint32_t backup_type;
    unsigned disabled; /* bits of writers */
    bool open, prepare_called, prepared, do_called, created, complete_called, completed;
    bool abort_called, aborted, release_called;
    bool start_pending;
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
    uint64_t id;   /* of all that there were */
    uint64_t base; /* how many there were before its broker: it knows the process by the rest */
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
    uint64_t process_base; /* processes of brokers before it */
    struct broker_config config;
    struct stored_value *stored, *operations;
    int64_t told_wall_ms, latest_wall_ms; /* to the broker: at last, and at the most */
    struct link *links[CONNECTIONS];
    size_t links_count;
    struct client clients[CLIENTS];
    size_t clients_count;
    struct process *processes[PROCESSES];
    size_t processes_count;
    struct lease_seen leases[LEASES];
    size_t leases_count;
    uint64_t queue_order;

    unsigned fault_permille;          /* of each call */
    PB(Call__MethodCase) sore_method; /* one that fails in one way much more often; NOT_SET = none */
    enum outcome sore_outcome;
    bool sore_is_late; /* only while a backup is being completed */
    bool is_dead;      /* what a broker says while it is torn down nobody hears */
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

/* ---- schedule.c ---- */
uint64_t model_random(struct model *model, uint64_t limit); /* below limit */
bool model_chance(struct model *model, unsigned percent);
uint64_t model_between(struct model *model, uint64_t least, uint64_t most);
void model_say(struct model *model, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints the seed and ends the process. */
_Noreturn void model_fail(struct model *model, const char *format, ...) PRINTF_LIKE(2, 3);
#define REQUIRE(model, condition, ...)          \
    do {                                        \
        if (!(condition))                       \
            model_fail((model), ##__VA_ARGS__); \
    } while (0)
void model_schedule(struct model *model, uint64_t delay_ms, enum event_kind kind, size_t index,
                    uint64_t detail);
/* The next event; there has to be one. */
struct event model_take(struct model *model);

/* ---- world.c ---- */
/* One run; the number of its events. Fails by model_fail or assert. */
uint64_t model_run(uint64_t seed, bool is_verbose);
/* Allocations that are alive. */
extern long model_allocations;

/* ---- host.c ---- */
extern const struct broker_host host_actions;
void link_deliver(struct model *model, struct link *link);
void link_let_go(struct model *model, struct link *link);
void link_reads(struct model *model, struct link *link);
struct link *link_new(struct model *model, enum connection_kind kind);
struct link *link_at(struct model *model, size_t index); /* NULL for 0 */
struct link *link_find(struct model *model, uint64_t id);
size_t link_index(const struct model *model, const struct link *link); /* from 1 */
/* Appends a frame to what the peer sends. */
void link_send(struct model *model, struct link *link, PB(Envelope) * envelope);
/* The peer closes it. */
void link_hang_up(struct model *model, struct link *link);
/* ---- world.c ---- */
void model_foreign(struct model *model);

/* ---- frames.c: what clients see ---- */
struct request_seen *request_find_seen(struct link *link, uint32_t id);
void frame_seen(struct model *model, struct link *link, const PB(Envelope) * envelope);
struct request_seen *request_new(struct model *model, struct link *link, const PB(Envelope) * envelope);
void requests_delivered(struct model *model, struct link *link, size_t size);
void requests_settled(struct model *model, struct link *link); /* after that, or when reading goes on */
void request_due(struct model *model, struct link *link, uint32_t id);
unsigned requests_open(const struct link *link);
/* The same without those that go on until somebody ends them. */
unsigned requests_awaited(const struct link *link);
void link_closed_by_broker(struct model *model, struct link *link, bool flush);

/* ---- turns.c ---- */
/* It has come to the queue. */
void turn_awaited(struct model *model, struct link *link, struct request_seen *request);
/* A set is begun for it. */
void turn_taken(struct model *model, struct link *link, struct request_seen *turn);

/* ---- snapshots.c ---- */
/* `request` NULL: of a connection on which anything goes. */
void snapshot_seen(struct model *model, struct link *link, const struct request_seen *request,
                   const PB(SnapshotReply) * reply);
void finish_seen(struct model *model, const struct link *link, const struct request_seen *request,
                 const PB(FinishReply) * reply);
void failure_seen(struct model *model, const struct request_seen *request, const PB(Status) * status);
/* Of a name or a path by GUID; 0: none of the machine's. */
unsigned volume_bit(const char *name);

/* ---- leases.c ---- */
struct lease_seen *lease_find_seen(struct model *model, const char *id); /* NULL: never given out */
bool lease_is_sound(struct model *model, const struct lease_seen *lease);
bool lease_may_use(struct model *model, const struct lease_seen *lease, const struct link *link,
                   bool shows_token);
/* `request` NULL: see snapshot_seen. */
void lease_new(struct model *model, struct link *link, const struct request_seen *request,
               const PB(SnapshotReply) * reply, size_t number);
void lease_given_again(struct model *model, struct link *link, const struct request_seen *request,
                       struct lease_seen *lease);
void lease_finished(struct model *model, struct lease_seen *lease, bool success);
/* The connection has ended, by whomever. */
void leases_end(struct model *model, const struct link *link);
void leases_expire(struct model *model);
void lease_unclear(struct model *model, struct lease_seen *lease);
void leases_unclear(struct model *model, const struct link *link);
/* 0: of all processes. */
void leases_lost(struct model *model, size_t process);
void leases_crash(struct model *model);
/* Between two events; `count`: those that the broker has. */
void leases_check(struct model *model, uint32_t count);
void lease_request_delivered(struct model *model, const struct link *link, struct request_seen *request);
void lease_reply_seen(struct model *model, const struct link *link, const struct request_seen *request,
                      const PB(LeaseReply) * reply);
void lease_finish_seen(struct model *model, const struct link *link, const struct request_seen *request);
void lease_refused(struct model *model, const struct link *link, const struct request_seen *request,
                   const char *reason);
void leases_listed(struct model *model, const struct link *link, const struct request_seen *request,
                   const PB(LeasesReply) * reply);
void lease_copy_vanishes(struct model *model);
void lease_loss_is_due(struct model *model, size_t number);

/* ---- watches.c ---- */
void lease_event_seen(struct model *model, const struct link *link, struct request_seen *request,
                      const PB(LeaseEvent) * event);
void watch_over_seen(struct model *model, const struct link *link, const struct request_seen *request,
                     const char *reason);
void watch_event_seen(struct model *model, const struct link *link, struct request_seen *request,
                      const PB(WatchEvent) * event);

/* ---- inside.c ---- */
/* There is such a lease, and it is not lost. */
bool inside_reads(const struct model *model, const char *lease_id);
void inside_check(const struct model *model);
/* The request is the one for which a set is being begun. */
bool inside_begins_set(const struct model *model, const struct link *link, uint32_t id);
/* DoSnapshotSet is on its way. */
void inside_freezes(struct model *model, const struct process *process);

/* ---- wishes.c ---- */
void wish_send(struct model *model, const struct client *client, struct link *link);
void wish_note(const struct model *model, struct request_seen *request, const PB(CreateSnapshot) * wish);

/* ---- lease_requests.c ---- */
/* False: there is none to finish, or to ask about. */
bool lease_request_finish(struct model *model, struct link *link, bool of_anybody);
bool lease_request_any(struct model *model, const struct client *client, struct link *link);

/* ---- clients.c ---- */
uint32_t client_send(struct model *model, struct link *link, PB(Envelope) * envelope);
void clients_init(struct model *model);
void client_act(struct model *model, size_t index);
void client_identified(struct model *model, struct link *link);

/* ---- processes.c ---- */
void process_new(struct model *model, uint64_t id, const uint8_t secret[REQUESTER_SECRET_BYTES]);
void process_kill(struct model *model, uint64_t id);
void process_started(struct model *model, size_t index);
void process_dials(struct model *model, size_t index);
void process_exited(struct model *model, size_t index);
void process_ends(struct model *model, struct process *process, uint32_t exit_code);
/* Nobody is at the other end any more. */
void process_cleans_up(struct model *model, struct process *process);
/* The broker has closed its pipe. */
void process_dismissed(struct model *model, struct process *process);
/* The service has died: what it has not begun is not done. */
void process_orphaned(struct model *model, struct process *process);

/* ---- requesters.c ---- */
void requesters_init(struct model *model);
bool model_has_faults(const struct model *model);
/* A frame from the broker. Takes the arena in which it lies. */
void process_got(struct model *model, struct link *link, struct arena *arena, const PB(Envelope) * envelope);
void process_works(struct model *model, size_t index);
void process_done(struct model *model, size_t index, uint64_t serial);
void process_forgets_inbox(struct process *process);

/* ---- components.c ---- */
struct component_answer {
    PB(Component) component;
    PB(Component) * components[1];
    PB(FileDescriptor) file;
    PB(FileDescriptor) * files[1];
    PB(GetWriterComponentsCountResult) count;
    PB(GetWriterComponentsResult) stored;
    PB(BackupComponent) backup;
    PB(BackupComponent) * backups[1];
    PB(SaveAsXMLResult) saved;
    PB(DocumentInfo) document;
};
extern const char component_name[];
/* AddComponent and SetBackupSucceeded. */
void components_check(struct model *model, const struct object *object, const PB(Call) * call);
/* Its part of what vss_answer has made. */
void components_answer(struct component_answer *answer, const struct object *object,
                       const struct vss_view *view, const PB(Call) * call, PB(CallReply) * reply);

/* ---- store.c ---- */
void store_put(void *context, const char *key, const uint8_t *bytes, size_t size);
void store_delete(void *context, const char *key);
void store_works(struct model *model);
void store_crashes(struct model *model);
void store_is_read(struct model *model);
void store_free(struct model *model);
void store_check_freeze(struct model *model, const struct process *process);
void store_check_given(struct model *model, const struct process *process);
void store_check(struct model *model);
/* Snapshots that should have been deleted, or will be. */
bool copies_are_owed(struct model *model);
void copies_check_delete(struct model *model, const PB(DeleteSnapshotsCall) * call);
uint32_t copies_delete(struct model *model, const PB(DeleteSnapshotsCall) * call);
void copies_query(struct model *model, struct vss_answer *answer);

/* ---- vss.c ---- */
/* Whether the call may come now; fails the run if not. */
void vss_check(struct model *model, struct process *process, const PB(Call) * call);
/* What the call does when VSS does it. 0, or VSS_E_SNAPSHOT_SET_IN_PROGRESS. */
uint32_t vss_apply(struct model *model, struct process *process, const PB(Call) * call);
void vss_view(struct model *model, const struct process *process, const PB(Call) * call,
              struct vss_view *view);
/* The process has ended. */
void vss_ended(struct model *model, struct process *process);
/* Between two events. */
void vss_check_held(struct model *model);
size_t process_index(const struct model *model, const struct process *process); /* from 1 */

extern const char *const volume_names[VOLUMES];

#endif
