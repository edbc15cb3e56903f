/* Step sessions: one VSS object in one requester process, whose calls a client makes itself.
 *
 * A session belongs to the connection that opened it. Its calls run one by one in the order in which they
 * came; step.c has them. StartSnapshotSet and PrepareForBackup first wait for the gate, which is given back
 * when no set of the session's is open any more, and taken away when it lies idle. Calls that change
 * snapshots take turns with everybody's in the lane. However a session ends (CloseSession, the connection, a
 * limit of time, the service's stop), VSS gets what it is owed: AbortBackup where a set is open or
 * PrepareForBackup was reached, BackupComplete for a COPY that exists, Release always. One that ended by
 * itself stays, without a process, to tell why, until its client lets go. */
#ifndef SHADOWPIPE_BROKER_SESSION_H
#define SHADOWPIPE_BROKER_SESSION_H

#include "service/broker/document.h"
#include "service/broker/lane.h"
#include "service/broker/lease.h"
#include "service/broker/requester.h"

enum {
    SESSION_SNAPSHOTS_MAX = 64 /* VSS' own limit of volumes in a set */
};

enum session_stage {
    SESSION_STARTING, /* the process, then the object */
    SESSION_OPEN,
    SESSION_DRAINING, /* ends: the call under way is awaited */
    SESSION_ENDING,   /* BackupComplete, AbortBackup, Release: what is owed, one after the other */
    SESSION_LEAVING,  /* the process's exit is awaited */
    SESSION_ENDED     /* no process any more */
};

/* What VSS holds for the session; decides what is owed. */
struct session_record {
    uint32_t context;
    uint32_t backup_type; /* VSS_BACKUP_TYPE; 0 = SetBackupState was not called */
    bool component_mode;
    bool has_object;
    bool start_sent; /* and not answered */
    bool opened;
    bool prepared;
    bool creation_ended; /* DoSnapshotSet, well or badly */
    bool created;
    bool completed;
    bool aborted;
    char set_id[GUID_CHARS];
    char snapshots[SESSION_SNAPSHOTS_MAX][GUID_CHARS];
    size_t snapshots_count;
};

struct session {
    struct list link;            /* of all */
    struct list connection_link; /* in no list once its client has let go */
    struct list gate_link;       /* while it waits for the gate */
    struct broker *broker;
    struct connection *connection; /* NULL: the client has let go */
    struct owner *owner;
    struct requester *requester; /* NULL: none any more */
    char id[GUID_CHARS];
    enum session_stage stage;
    struct list steps;            /* requests, in order; the first may be running */
    struct session_step *running; /* NULL: none, or its client has its answer already */
    uint64_t gate_ms;             /* when it came to the gate */
    struct lane_place lane;       /* for a call that changes snapshots */
    struct timer timer;           /* idle at the gate; or the end of a wait while ending */
    struct arena arena;
    PB(Status) * failure; /* why it ended by itself */
    char document_id[GUID_CHARS];
    char *client_name;
    struct caller caller; /* whose its persistent snapshots are */
    char *purpose;
    uint64_t opened_ms;
    uint32_t told_position; /* in the last Progress */
    struct session_record record;
    /* Parameters of the call under way that the record wants to know. */
    uint32_t sent_context;
    uint32_t sent_type;
    bool sent_component_mode;
    /* Of the end. */
    bool completes; /* BackupComplete was called by us */
    bool status_asked;
    bool abort_tried;
};

void session_open(struct connection *connection, const PB(Envelope) * envelope);
/* NULL: this connection has none of this id. */
struct session *session_find(struct connection *connection, const char *id);
/* `failure` (copied) is what every further call answers; NULL: the client has let go of it. */
void session_end(struct session *session, PB(Status) * failure);
/* Its client has no use for it any more; frees it where it has ended. */
void session_let_go(struct session *session);
/* Runs what can run; called when something has changed. */
void session_advance(struct session *session);
void session_gate_granted(struct session *session);
void session_gate_expired(struct session *session);
/* The connection ends. */
void sessions_abandon(struct connection *connection);
/* The client reads again. */
void sessions_continue(struct connection *connection);
void sessions_stop(struct broker *broker);
void sessions_stop_overdue(struct broker *broker);
void sessions_kill(struct broker *broker);
void sessions_free(struct broker *broker);
/* Those that have, or will have, a process. */
uint32_t sessions_count(const struct broker *broker);

/* ---- session_record.c ---- */

/* Whoever waits for the answer. */
void session_note(struct session *session, PB(Call__MethodCase) method, const PB(CallReply) * reply);
bool session_owes_completion(const struct session *session);
bool session_owes_abort(const struct session *session);
/* A set of its is being created in VSS, so it may not do without the gate. */
bool session_is_in_vss(const struct session *session);
/* It is making a set that will have a record. */
bool session_makes_record(const struct session *session);
/* Before StartSnapshotSet: NULL, or why there may be no further persistent set. */
PB(Status) * session_check_record(const struct session *session);
bool session_owns(const void *session, const char *id);

/* ---- session_status.c ---- */

/* In the words of jobs. */
PB(Phase) session_phase(const struct session *session);
/* To those that wait for the gate. */
void sessions_progress(struct broker *broker, bool only_changed_positions);

/* ---- step.c ---- */

void step_call(struct connection *connection, const PB(Envelope) * envelope);
void step_read_document(struct connection *connection, const PB(Envelope) * envelope);
void step_close(struct connection *connection, const PB(Envelope) * envelope);
/* For OpenSession. False: no memory; answered. */
bool step_open(struct session *session, const PB(Envelope) * envelope);

/* The next one, if the session may go on to it. */
void steps_run(struct session *session);
void step_replied(struct session *session, PB(Call__MethodCase) method, const PB(CallReply) * reply);
void step_answered(struct session *session, const PB(Envelope) * reply);
/* Every request that waits gets this answer, CloseSession its own. */
void steps_fail(struct session *session, PB(Status) * status);
void steps_opened(struct session *session);
/* NULL: nothing is asked. */
struct request *steps_first_request(struct session *session);
/* CloseSession's answer; `failure` where the process ended before Release. */
void steps_closed(struct session *session, PB(Status) * failure);
void steps_continue(struct session *session);

#endif
