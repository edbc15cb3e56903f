/* A snapshot set: one VSS object in one requester process, and the jobs that share it.
 *
 * It runs the canonical sequence: open (initialise, gather the writers' metadata, ask whether the volumes
 * are supported), wait for the gate, create (StartSnapshotSet .. DoSnapshotSet, the writers' state after
 * each), hold while leases read, complete, release. From anywhere it can end; then it owes VSS what its
 * progress demands: AbortBackup where a set is open or PrepareForBackup was reached, BackupComplete where
 * a COPY snapshot exists, Release always. set.c has its life, set_wishes.c what it is to be, set_steps.c the
 * calls, set_components.c those about components and documents, set_writers.c who of the writers takes part
 * and how they fare, set_failures.c what a failed call comes to, set_record.c what is stored of a persistent
 * one, set_check.c whether its snapshots are still there, set_end.c the end; held.h and adoption.h have those
 * that outlive the service. */
#ifndef SHADOWPIPE_BROKER_SET_H
#define SHADOWPIPE_BROKER_SET_H

#include "service/broker/hold_point.h"
#include "service/broker/selection.h"
#include "service/broker/sequence.h"
#include "service/broker/timer.h"

enum set_stage {
    SET_STARTING, /* the process */
    SET_OPENING,
    SET_AT_GATE,
    SET_CREATING,
    SET_ADOPTING, /* held by a requester of an earlier process of the service, which has not dialled in */
    SET_HELD,
    SET_COMPLETING_EARLY, /* BackupComplete while leases still read */
    /* Ending, in this order; some are left out. */
    SET_DRAINING, /* calls under way are awaited */
    SET_COMPLETING,
    SET_ABORTING,
    SET_RELEASING,
    SET_LEAVING /* the process's exit is awaited */
};

struct set_volume {
    char *guid_path;
    char **names;
    size_t names_count;
    bool supported;
    uint32_t hresult;  /* of a question that failed */
    char *provider_id; /* "" = VSS chooses */
    char *snapshot_id;
    PB(Snapshot) * snapshot;
    /* room.h */
    uint32_t snapshots;
    uint32_t client_accessible;
    PB(QueryDiffAreasResult) * areas; /* NULL: not known */
};

struct writer_list {
    PB(WriterStatus) * *items;
    size_t count;
    size_t expected; /* while it is being read */
};

struct document_list {
    PB(DocumentInfo) * *items;
    size_t count;
};

struct shelf;

/* Of the question whether its snapshots are still there; see set_check.c. */
struct set_check {
    bool is_running;
    size_t next; /* volume */
};

struct phase_time {
    PB(Phase) phase;
    uint64_t start_ms;
    uint64_t end_ms;
};

enum {
    PHASE_TIMES = 48,
    PHASES = 16 /* of enum Phase */
};

struct set {
    struct list link;
    struct list gate_link;
    struct broker *broker;
    struct requester *requester;
    struct sequence sequence;
    struct arena arena; /* of this attempt */
    enum set_stage stage;
    uint64_t number; /* for those who watch */
    bool is_changed;
    struct list members; /* jobs; each sees its own volumes */
    struct list leases;
    struct list finishes;        /* FinishBackup requests that wait for the completion */
    struct list component_lists; /* ListComponents requests that are being answered */
    uint64_t turn;               /* of its owner, at the gate */
    uint64_t gate_ms;            /* when it came to the gate */
    uint64_t started_ms;
    int64_t created_unix_ms;
    char set_id[40];
    uint32_t attempt;          /* of its members */
    uint32_t earlier_attempts; /* of those, the ones of other sets */

    /* What its members have in common. */
    uint32_t context; /* VSS_SNAPSHOT_CONTEXT with attribute bits */
    bool has_writers;
    bool is_persistent; /* its snapshots outlive the VSS object, and it has a record */
    uint64_t keep_ms;   /* 0 = for ever */
    PB(BackupType) backup_type;
    bool bootable;
    bool partial_files;
    bool is_dry; /* everything is checked, nothing is frozen: it never comes to the gate */
    uint32_t complete_within_ms;

    uint32_t wished_ms[PHASES]; /* by phase, the limit that the request gave; 0 = none */

    struct set_volume
        *volumes; /* first those that were added, then those that were asked about, then the rest */
    size_t volumes_count;
    bool is_counted;           /* the snapshots that its volumes have */
    size_t asked;              /* whether VSS supports them */
    size_t added;              /* to the set in VSS */
    bool is_closed;            /* no further volumes */
    PB(CreateSnapshot) * kind; /* what others have to want to share it; NULL: nobody may */
    bool is_split;             /* its members shared another one that failed */
    bool is_shared;            /* it has, or had, more members than one */
    bool was_made_without;     /* a volume that was refused: once is enough */
    char **providers;
    size_t providers_count;
    char **excluded; /* ids, for DisableWriter… */
    size_t excluded_count;
    struct writer_list writers;        /* who they are, by their metadata */
    struct writer_list statuses;       /* the latest */
    PB(Call__MethodCase) status_after; /* the call that they follow */

    uint64_t freeze_ms; /* when DoSnapshotSet was sent */
    struct hold_point hold_point;
    struct record *record; /* NULL: not made yet, or its snapshots were deleted */
    bool waits_for_store;
    char
        awaited_key[STORE_KEY_MAX + 1]; /* held: its members are told when the store has this; "" = nothing */
    bool is_kept;                       /* the store has it, for the next process of the service */
    bool is_adopted;                    /* it comes from an earlier one */
    int64_t complete_unix_ms;           /* the same: when it completes by itself */
    struct selection *selection;        /* NULL: not by component */
    const char **lacking; /* by writer: volumes of its files that are not in the set; "" or NULL: none */
    bool has_documents;   /* they are kept: of all writers, or of those that components are selected of */
    bool all_documents;
    bool has_saved;   /* they were, once more */
    bool saves_again; /* FinishBackup wants them once more after the completion */
    struct document_list documents;
    struct shelf *shelf; /* whoever reads them; NULL: nobody yet */

    struct timer timer; /* the next try of StartSnapshotSet, or the end of a wait while ending */
    struct timer complete_timer;
    struct set_check check;
    uint32_t retry_ms;
    bool is_clearing; /* StartSnapshotSet said VSS_E_SNAPSHOT_SET_IN_PROGRESS */

    /* How far it has come in VSS; decides what is owed. */
    bool starting;      /* StartSnapshotSet was sent and not answered */
    bool opened;        /* it succeeded */
    bool prepared;      /* PrepareForBackup was sent */
    bool freeze_begun;  /* DoSnapshotSet was sent */
    bool freeze_ended;  /* VSS said how it went */
    bool created;       /* DoSnapshotSet ended well */
    bool complete_done; /* BackupComplete succeeded: from here on there is nothing to abort */
    bool completed;     /* the same, and the writers were asked */
    bool aborted;       /* AbortBackup succeeded */
    bool released;

    bool failed;         /* nothing of it is given out */
    bool succeeded;      /* FinishBackup with success, for the types that truncate logs */
    bool restart;        /* once it has ended, again with a fresh object */
    uint64_t resume_ms;  /* and not before this; 0 = at once */
    PB(Status) * blamed; /* the failure whose writers are being looked for */
    PB(Call__MethodCase) blamed_method;
    PB(Status) * completion_failure;

    PB(Phase) phase;
    uint64_t phase_ms;
    struct phase_time times[PHASE_TIMES];
    size_t times_count;
};

struct job;
struct finish;

/* Takes the job as its first member and starts. NULL without memory. */
struct set *set_create(struct broker *broker, struct job *job);
/* One of an earlier process of the service, in SET_ADOPTING, for adoption.c to fill. NULL without memory. */
struct set *set_adopt(struct broker *broker, const PB(HeldSet) * held);
/* It cannot be filled: its requester is unknown from now on. */
void set_forget(struct set *set);
/* The store has answered: its members are told. */
void set_kept(struct set *set);
/* The service is handed over, and this goes on without it. */
bool set_may_be_left(const struct set *set);
void set_gate_granted(struct set *set);
/* From a hold point. */
void set_held_goes_on(struct set *set, PB(HoldPointKind) kind);
void set_gate_expired(struct set *set);
/* A member has left or its lease has ended: nobody may be left. */
void set_member_left(struct set *set);
void set_lease_ended(struct set *set);
/* The service stops. */
void set_stop(struct set *set);
void set_stop_overdue(struct set *set); /* DoSnapshotSet has had its time */
/* Kills what is left. */
void set_kill(struct set *set);
/* It has not yet let the next one through the gate. */
bool set_is_ahead(const struct set *set);
bool set_is_ending(const struct set *set);
/* Asks whether its snapshots are still there, if it is held and nothing else is asked of it. */
void set_check_begin(struct set *set);
void sets_free(struct broker *broker);

/* ---- Between the set's files. ---- */

extern const struct step set_steps_open[], set_steps_create[], set_steps_freeze[], set_steps_complete[],
    set_steps_save[], set_steps_blame[];

void set_enter_phase(struct set *set, PB(Phase) phase);
/* What its members want, for a fresh object. False: no memory. */
bool set_take_wishes(struct set *set);
/* Every member fails for this reason, and the set ends. */
void set_fail(struct set *set, PB(Status) * status);
/* A call failed: another attempt, or the end. */
void set_call_failed(struct set *set, PB(Call__MethodCase) method, size_t index, PB(Status) * status);
/* The same, where a step has no memory for what it was answered. Always false. */
bool set_no_memory(struct set *set);
/* A failure that may pass by itself: the members wait, in the queue, and begin again. False: not for these.
 */
bool set_retry_later(struct set *set, const PB(Status) * status);
void set_time_retry(const struct set *set, PB(Status) * status);
/* After PrepareForBackup: again without the tolerated writers that have failed, where that is asked for.
 * False: it is not, or none has. */
bool set_retry_without_failed(struct set *set);
bool set_blame_writers(void *subject);
void set_end(struct set *set);
void set_run(struct set *set, const struct step *steps);
/* While it ends. */
void set_end_replied(struct set *set, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply);
void set_end_overdue(struct set *set);
void set_end_waited(struct set *set); /* its timer has fired */
/* The requester has answered a request that was no call. */
void set_end_answered(struct set *set);
void set_end_completed(struct set *set);
void set_end_completion_failed(struct set *set, PB(Status) * status);
/* Its process has ended, for whatever reason. Frees the set, or begins the next attempt. */
void set_process_ended(struct set *set, PB(Status) * why, bool left_open);
/* The process stays for another purpose. Frees the set. */
void set_give_up_requester(struct set *set);
void set_note_completion_failure(struct set *set, const PB(Status) * status);
bool set_owes_abort(const struct set *set);
/* A set of it is open in VSS, or may be: an answer that never came may have been a success. */
bool set_may_be_open(const struct set *set);
/* Those who left or failed, once DoSnapshotSet has ended: what VSS is owed needs them no more. */
void set_answer_leaving(struct set *set);
bool set_owes_completion(const struct set *set);
bool set_is_copy(const struct set *set);
/* The job's volumes that it does not have yet. False: no memory. */
bool set_add_volumes(struct set *set, const struct job *job);
/* Members that still want it. */
bool set_is_wanted(const struct set *set);
/* The snapshots exist, and so does the record of persistent ones: whoever still wants them gets a lease, once
 * the store has them. */
void set_hold(struct set *set);
/* To members that have come to it since. */
void set_hand_out(struct set *set);
/* BackupComplete comes after some time, even while leases read. */
bool set_completes_by_itself(const struct set *set);
/* True: it was the check's. */
bool set_check_replied(struct set *set, PB(Call__MethodCase) method, const PB(CallReply) * reply);
bool set_check_overdue(struct set *set, PB(Call__MethodCase) method);
/* As it is stored, in the event's memory; before the freeze only ids are known. NULL without memory. */
PB(Snapshot) * set_describe_snapshot(struct set *set, const struct set_volume *volume);
/* ---- set_record.c: all but the last for persistent sets ---- */
/* Before the freeze, and once the snapshots exist. The set goes on when the store has answered. */
void set_record_begin(struct set *set);
void set_record_created(struct set *set);
/* The members have been told, or there are none any more. */
void set_record_given(struct set *set);
/* A snapshot was deleted before anybody was told of it. */
void set_record_lost(struct set *set, const char *reason);
/* The store has answered. */
void set_stored(struct set *set, const char *failure);
/* Its VSS object has ended: the record goes on without it, or its snapshots are deleted if nobody was given
 * them. */
void set_leave_record(struct set *set);
/* Its leases need the VSS object, not just the snapshots: whether the backup is completed is still open, or
 * there are components and documents to tell of. */
bool set_serves_leases(const struct set *set);
/* By their metadata: whoever is required is there, whoever is excluded is not. False: the set ends, or begins
 * again without them. */
bool set_check_writers(struct set *set);
/* A dry run: they failed before it, and the next backup may find them mended. */
void set_tell_failed_writers(struct set *set);
/* Ends the set if a writer failed that a member does not tolerate. False: it has. */
bool set_judge_writers(struct set *set);

#endif
