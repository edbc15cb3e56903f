/* A world for the broker: virtual time, a host, clients, and requester processes with a small model of VSS.
 *
 * Everything is deterministic. world_run lets all peers act until nobody has anything left to do;
 * world_advance moves the time. Requesters obey rules: the n-th call of a method fails, hangs or kills the
 * process. Each client's frames are kept; the harness checks that a request gets one final reply. */
#ifndef SHADOWPIPE_TESTS_BROKER_HARNESS_H
#define SHADOWPIPE_TESTS_BROKER_HARNESS_H

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/broker/broker.h"
#include "service/broker/requester.h"
#include "service/broker/sequence.h"
#include "service/broker/state.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/fake_components.h"
#include "tests/unit/vss_answers.h"

enum {
    MAX_PEERS = 600,
    MAX_FRAMES = 4096,
    MAX_REQUESTERS = 200,
    MAX_CALLS = 8192,
    MAX_RULES = 16,
    MAX_STORED = 160,
    MAX_COPIES = 64
};

enum action {
    ACT_FAIL,       /* the method returns `hresult` */
    ACT_FAIL_ASYNC, /* QueryStatus says `hresult` */
    ACT_HANG,       /* no reply; an asynchronous call ends when it is cancelled */
    ACT_SLOW,       /* no reply, not even after Cancel; but AbortBackup ends an asynchronous call */
    ACT_STUCK,      /* no reply, whatever comes */
    ACT_DIE,        /* the process ends */
    ACT_DIE_LATE,   /* the same, once VSS has done what was asked */
    ACT_STATUS,     /* a Status instead of a CallReply */
    ACT_LOST        /* the call went well, its result does not fit */
};

struct rule {
    PB(Call__MethodCase) method;
    unsigned nth; /* 1 = the first call of it; 0 = each */
    enum action action;
    uint32_t hresult;
    const char *missing;
    unsigned seen;
};

/* What GatherWriterStatus shows for a writer after a method. */
struct writer_rule {
    unsigned writer;
    PB(Call__MethodCase) after;
    uint32_t state;
    uint32_t hresult;
};

struct peer {
    uint64_t id;
    enum connection_kind kind;
    bool is_open;
    bool is_paused;
    bool was_flushed;
    uint8_t *output; /* from the broker, not looked at yet */
    size_t output_size;
    size_t output_capacity;
    size_t unsent_bytes; /* what the host says */
    bool does_not_read;
    struct frame_reader reader;
    struct arena arena;
    PB(Envelope) * frames[MAX_FRAMES];
    size_t frames_count;
    uint32_t last_id;
    uint32_t sent[MAX_FRAMES]; /* ids of requests */
    size_t sent_count;
};

struct fake_requester {
    uint64_t id;     /* the broker's */
    uint64_t number; /* of all that there were; the same as long as the broker is the first */
    uint32_t process_id;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    struct peer *peer;
    bool is_alive;
    bool is_new; /* start asked for, nothing told yet */
    bool is_killed;
    bool has_dialled;
    bool orphaned; /* the service is gone, and it holds snapshots: it dials in again */
    bool has_object;
    uint32_t context;
    bool no_writers;
    uint32_t backup_type;
    PB(Call__MethodCase) last_step; /* of those that change the writers' state */
    bool hangs;
    PB(Call__MethodCase) hanging;
    uint32_t hanging_id;
    bool hang_can_be_cancelled;
    bool hang_ends_by_abort;
    size_t frames_done;
    size_t added;
    char volumes[MAX_COPIES][64]; /* that were added */
    size_t document_bytes;        /* put so far */
    bool document_is_whole;
    struct fake_document document; /* the Backup Components Document */
};

/* A value of the host's store, or an operation on one: bytes NULL deletes. */
struct stored {
    char key[64];
    uint8_t *bytes;
    size_t size;
};

/* A snapshot of a persistent context. */
struct copy {
    char id[40];
    char set_id[40];
    char volume[64];
    uint32_t attributes;
    bool is_undeletable;
};

/* That the broker has asked for. */
struct adoption {
    uint64_t id;
    uint32_t process_id;
    uint64_t started;
};

struct call_record {
    uint64_t requester;
    PB(Call__MethodCase) method;
};

struct world {
    struct broker *broker;
    struct broker_config config;
    uint64_t now_ms;
    struct peer *peers[MAX_PEERS];
    size_t peers_count;
    uint64_t last_peer;
    struct fake_requester requesters[MAX_REQUESTERS];
    size_t requesters_count;
    struct adoption adoptions[MAX_REQUESTERS];
    size_t adoptions_count;
    bool holds_adoptions;          /* the host does not answer */
    bool holds_redials;            /* and nobody dials in again */
    PB(SessionPhase) redial_phase; /* other than the true one */
    const char *redial_set_id;     /* the same */
    bool redial_without_snapshots; /* they are gone */
    struct call_record calls[MAX_CALLS];
    size_t calls_count;
    struct rule rules[MAX_RULES];
    size_t rules_count;
    struct writer_rule writer_rules[MAX_RULES];
    size_t writer_rules_count;
    unsigned writers_disabled; /* bits */
    bool all_one_name;         /* all writers have the name of the last */
    size_t statuses;           /* Status frames seen */
    uint64_t random_state;
    bool has_stopped;
    bool enumerates; /* a table of volumes is asked for */
    bool enumerates_described;
    bool holds_enumeration;
    const char *enumeration_failure;
    bool holds_requesters; /* none starts */
    const char *start_failure;
    bool hello_before_started;
    bool wrong_secret;
    bool wrong_process;
    uint32_t ready_hresult;
    bool is_simulated;
    /* The store, which outlives the broker. */
    struct stored stored[MAX_STORED];
    size_t stored_count;
    struct stored operations[MAX_STORED]; /* asked for, not done yet */
    size_t operations_count;
    bool holds_store;
    const char *store_failure;
    /* VSS, machine-wide. */
    struct copy copies[MAX_COPIES];
    size_t copies_count;
    uint64_t creator;    /* requester that has a set open; 0 = none */
    uint64_t foreign_ms; /* another program holds it until then */
    uint64_t rundown_ms; /* how long a dead creator is remembered */
    uint64_t rundown_end_ms;
    unsigned in_progress_answers;
    bool unsupported[16]; /* by index of the volume */
    /* As in struct vss_view. */
    unsigned counted;
    unsigned client_accessible;
    uint64_t area_maximum;
    uint64_t area_used;
    size_t document_size; /* of what ReadDocument gives */
    const char *document_refusal;
    bool document_hangs;    /* ReadDocument gets no answer */
    bool document_is_empty; /* … one without bytes */
    unsigned chunks_asked;
    /* Changes what a call is answered; for tests with more of VSS than the harness has. May be NULL. */
    void (*answers)(struct world *world, const PB(Call) * call, PB(CallReply) * reply);
    void *answers_context;
    struct fake_machine machine; /* its components */
    char log[256];               /* the last line */
};

/* Above 0 while the broker runs: tests that let allocations fail spare the harness's own. */
extern int world_in_broker;
#define INTO_BROKER(call) (world_in_broker++, (call), (void)world_in_broker--)

struct world *world_new(void);
/* With a changed configuration: world_new_with(function). */
struct world *world_new_with(void (*change)(struct broker_config *config));
/* Stops the broker, checks that nothing is left, frees everything. */
void world_end(struct world *world);
void world_run(struct world *world);
void world_advance(struct world *world, uint64_t ms);

/* Frames by hand. */
struct peer *peer_connect(struct world *world, enum connection_kind kind);
void peer_send_bytes(struct world *world, struct peer *peer, const uint8_t *bytes, size_t size);
void peer_send(struct world *world, struct peer *peer, PB(Envelope) * envelope);
void peer_close(struct world *world, struct peer *peer);
/* The host has sent what it had. */
void peer_drain(struct world *world, struct peer *peer);

/* Clients. */
struct caller caller_make(const char *sid, uint32_t rights);
struct peer *client_connect(struct world *world, const char *sid, uint32_t rights);
struct peer *client_connect_only(struct world *world, const struct caller *caller);
/* Gives the envelope the next id and sends it. */
uint32_t client_send(struct world *world, struct peer *peer, PB(Envelope) * envelope);
uint32_t client_snapshot(struct world *world, struct peer *peer, const char *volume);
uint32_t client_create(struct world *world, struct peer *peer, PB(CreateSnapshot) * wish);
uint32_t client_finish(struct world *world, struct peer *peer, const PB(SnapshotReply) * snapshot,
                       PB(Outcome) outcome);
uint32_t client_cancel(struct world *world, struct peer *peer, uint32_t id);
/* The final reply, NULL if there is none yet. */
const PB(Envelope) * client_final(struct peer *peer, uint32_t id);
const PB(SnapshotReply) * client_snapshot_reply(struct peer *peer, uint32_t id); /* asserts that it is one */
const PB(FinishReply) * client_finish_reply(struct peer *peer, uint32_t id);
const PB(Status) * client_status(struct peer *peer, uint32_t id);     /* asserts */
const PB(Progress) * client_progress(struct peer *peer, uint32_t id); /* the last one */

/* The service dies, with its requesters, and is started again. What the store was asked for and has not done
 * is lost. */
void world_crash(struct world *world);
/* The same, but requesters that hold snapshots live on and dial in again. Also after broker_stop. */
void world_restart(struct world *world);
bool requester_holds_copies(const struct fake_requester *requester);
/* What it holds under this key; NULL: nothing that is sound. Valid until the next call. */
const PB(StoredSet) * world_stored(struct world *world, const char *key);
/* For world_run: true if one was done. */
bool store_acts(struct world *world);
void store_free(struct world *world);
void host_store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting);
void host_store_delete(void *context, const char *key);
/* VSS_CTX_ALL's view of them, and what DoSnapshotSet and DeleteSnapshots do to them. */
void copies_made(struct world *world, const struct fake_requester *requester);
void copies_deleted(struct world *world, const PB(DeleteSnapshotsCall) * call, struct vss_answer *out);
void copies_queried(struct world *world, struct vss_answer *out);
struct copy *world_copy(struct world *world, const char *snapshot_id);

/* Requesters. */
void world_rule(struct world *world, PB(Call__MethodCase) method, unsigned nth, enum action action,
                uint32_t hresult);
void world_writer_fails(struct world *world, unsigned writer, PB(Call__MethodCase) after, uint32_t state,
                        uint32_t hresult);
void world_clear_rules(struct world *world);
/* The one that hangs in this method, or NULL. */
struct fake_requester *world_hanging(struct world *world, PB(Call__MethodCase) method);
/* Answers what it hangs in, as if nothing had been. */
void requester_resume(struct world *world, struct fake_requester *requester);
void requester_die(struct world *world, struct fake_requester *requester, uint32_t exit_code);
unsigned world_calls(const struct world *world, PB(Call__MethodCase) method);
unsigned requester_calls(const struct world *world, uint64_t requester, PB(Call__MethodCase) method);
/* "CreateObject InitializeForBackup …" of one requester; the same method several times:
 * "GetWriterMetadata*3". In a static buffer. */
const char *requester_history(const struct world *world, uint64_t requester);
/* For world_run: true if one did something. */
bool requesters_act(struct world *world);
/* How many processes are there. */
unsigned world_alive(const struct world *world);

#define ENVELOPE_OF(kind, field, message)                                                           \
    (PB(Envelope))                                                                                  \
    {                                                                                               \
        PROTOBUF_C_MESSAGE_INIT(&shadowpipe__v1__envelope__descriptor), .body_case = PB_BODY(kind), \
                                                                        .field = (message)          \
    }

enum {
    ALL_RIGHTS = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE | RIGHT_BIT_PERSIST |
                 RIGHT_BIT_RESTORE | RIGHT_BIT_MANAGE,
    USER_RIGHTS = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT
};

#endif
