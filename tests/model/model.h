/* A model of the world around the broker, under a seeded scheduler with virtual time.
 *
 * One seed is one run: a configuration, clients of several owners, requester processes with VSS behind them,
 * a foreign program, a clock that jumps, a service that stops or is torn down. Everything random comes from
 * the seed, so a run replays exactly. After each event the broker's invariants are checked, and what can be
 * seen from outside: in frames.c for clients, in vss.c for the calls that reach VSS.
 * schedule.c has chance and the events, world.c the run, host.c the host, clients.c, wishes.c and
 * lease_requests.c the clients, frames.c, turns.c, snapshots.c, leases.c and watches.c what they see, holds.c
 * and sessions.c both of hold points and step sessions, processes.c and requesters.c the requesters, vss.c,
 * session_calls.c and components.c what is behind those, store.c what outlives a crash, inside.c what only
 * the broker knows. */
#ifndef SHADOWPIPE_TESTS_MODEL_H
#define SHADOWPIPE_TESTS_MODEL_H

#include "tests/model/state.h"

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
/* A session of the owner's will want the gate, and take a turn of its jobs. */
void turn_of_session(struct model *model, size_t owner);

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
void lease_close(struct model *model, struct lease_seen *lease);

/* ---- drift.c ---- */
void lease_drifts(struct model *model, struct lease_seen *lease);
/* The service has ended, and the next one may go on with them. */
void leases_drift(struct model *model);
/* Its client is back. */
void lease_moors(struct model *model, struct lease_seen *lease, const struct link *link);
/* Some of this requester. */
bool leases_are_to_be_found(struct model *model, const struct process *process);
bool lease_is_to_be_found(struct model *model, const struct lease_seen *lease);

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

/* ---- holds.c ---- */
void hold_progress_seen(struct model *model, struct link *link, struct request_seen *request,
                        const PB(Progress) * progress);
void hold_is_due(struct model *model, struct link *link, uint32_t id);
void hold_script_ends(struct model *model, struct link *link, uint32_t id);
void hold_proceed_seen(struct model *model, const struct link *link, const struct request_seen *proceed);
void hold_proceed_refused(struct model *model, const struct link *link, const struct request_seen *proceed,
                          const char *reason);
void hold_failure_seen(struct model *model, const struct link *link, const struct request_seen *request,
                       const char *reason);
/* Those that Proceeds of this connection are about: it may say anything from now on. */
void holds_unclear(struct model *model, const struct link *link);
/* At StartSnapshotSet and DoSnapshotSet. */
void hold_check_passed(struct model *model, const struct request_seen *request, PB(Call__MethodCase) method);

/* ---- sessions.c ---- */
void session_act(struct model *model, const struct client *client, struct link *link);
void session_opened(struct model *model, const struct link *link, const PB(OpenSessionReply) * reply);
void session_call_replied(struct model *model, const struct link *link, const struct request_seen *request);
void session_closed(struct model *model, const struct request_seen *request,
                    const PB(CloseSessionReply) * reply);

/* ---- session_calls.c ---- */
/* False: VSS answers VSS_E_BAD_STATE. Fails the run if the broker should not have called it. */
bool session_check_call(struct model *model, struct process *process, PB(Call__MethodCase) method,
                        bool by_client);
bool session_is_creating(const struct object *object);
void sessions_check_idle(struct model *model);

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
uint64_t inside_lease_expires_ms(const struct model *model, const char *lease_id);
/* Those that nobody has been told of yet. */
uint32_t inside_leases_to_come(const struct model *model);
/* What its readers will be told is being stored. */
bool inside_awaits_store(const struct model *model, const struct process *process);
/* It waits for a set. A request that has joined one may not have been told yet. */
bool inside_is_queued(const struct model *model, const struct link *link, uint32_t id);
/* The request is the one for which a set is being begun. */
bool inside_begins_set(const struct model *model, const struct link *link, uint32_t id);
/* A call is on its way to a requester. */
void inside_calls(struct model *model, struct process *process, struct inbox_item *item);

/* ---- wishes.c ---- */
void wish_send(struct model *model, const struct client *client, struct link *link);
void wish_note(const struct model *model, struct request_seen *request, const PB(CreateSnapshot) * wish);

/* ---- lease_requests.c ---- */
/* False: there is none to finish, or to ask about. */
bool lease_request_finish(struct model *model, struct link *link, bool of_anybody);
bool lease_waits_for_client(const struct model *model, const struct link *link);
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
void process_says_hello(struct model *model, const struct process *process, struct link *link);

/* ---- orphans.c ---- */
struct orphan_hello {
    char set_id[40];
    char ids[VOLUMES][40];
    PB(Snapshot) snapshots[VOLUMES];
    PB(Snapshot) * list[VOLUMES];
};
/* The service has ended: what it has not begun is not done. */
void orphan_left(struct model *model, struct process *process);
void orphan_dismissed(struct model *model, struct process *process);
void orphan_ends(struct model *model, struct process *process);
void orphan_grace_ends(struct model *model, size_t index, uint64_t end_ms);
/* The next service wants to watch it. */
void orphan_adopted(struct model *model, uint64_t id, uint32_t process_id, uint64_t started);
void orphan_is_not_there(struct model *model, uint64_t id, uint64_t services);
void orphan_welcomed(struct model *model, struct process *process);
void orphan_impersonated(struct model *model, size_t index);
/* `parts` has the ids. */
void orphan_fill_hello(const struct object *object, struct orphan_hello *parts, PB(RequesterHello) * hello);

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
void store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting);
void store_delete(void *context, const char *key);
void store_works(struct model *model);
/* Those who are about to be given sets: nobody will know whether they were. */
void store_note_untold(struct model *model);
void store_crashes(struct model *model);
void store_drains(struct model *model);
void store_is_read(struct model *model);
void store_free(struct model *model);
void store_check_freeze(struct model *model, const struct process *process);
void store_check_given(struct model *model, const struct process *process);
void store_check(struct model *model);
/* Snapshots that should have been deleted, or will be. */
bool copies_are_owed(struct model *model);
/* Under this key, beginning with `prefix`. */
uint32_t store_count_untold(struct model *model);
/* Some operation on it has. */
bool store_has_failed(const struct model *model, const char *prefix, const char *id);
bool store_has(struct model *model, const char *prefix, const char *id);
void copies_check_delete(struct model *model, const PB(DeleteSnapshotsCall) * call);
uint32_t copies_delete(struct model *model, const PB(DeleteSnapshotsCall) * call);
void copies_query(struct model *model, struct vss_answer *answer);

/* ---- vss.c ---- */
/* Whether the call may come now; fails the run if not. */
void vss_check(struct model *model, struct process *process, const PB(Call) * call);
/* What the call does when VSS does it. 0, or VSS_E_SNAPSHOT_SET_IN_PROGRESS. */
void vss_check_alone(struct model *model, const struct process *process);
/* DoSnapshotSet has failed. */
void vss_creation_failed(struct model *model, struct process *process);
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
