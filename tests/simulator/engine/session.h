/* The inside of a session; only engine/ includes this. Everything below lock is guarded by it, except that
 * the one running operation (running != OPERATION_NONE) owns the writers' states until it has ended: no other
 * function changes them meanwhile, because each that would answers VSS_E_BAD_STATE. */
#pragma once
#include "engine.h"
#include "document.h"
#include "machine.h"

#define SESSION_VOLUMES 64

enum progress {
    PROGRESS_NONE,
    PROGRESS_RUNNING,
    PROGRESS_DONE,
    PROGRESS_FAILED,
    PROGRESS_FREED
};

enum set_state {
    SET_NONE,
    SET_OPEN,
    SET_CREATING,
    SET_CREATED,
    SET_FAILED
};

/* How one writer fares in this session. */
struct writer_fate {
    VSS_WRITER_STATE state;
    HRESULT failure;
    BOOL in_events; /* still gets the operation's events */
    BOOL past_post; /* has had PostSnapshot: Abort no longer reaches it */
    ULONGLONG frozen_at;
};

struct session {
    LONG references;
    CRITICAL_SECTION lock;
    HANDLE cancel; /* manual: set to end what is running */
    HANDLE idle;   /* manual: set while nothing is running */
    struct scenario *scenario;
    struct machine_object object;
    GUID id;
    BOOL initialized, restore, imported, context_set, state_set, select_components, bootable, partial_files,
        aborted;
    BOOL closing,
        orphaned; /* orphaned: closed while an operation would not end, whose thread ends the session */
    LONG context;
    VSS_BACKUP_TYPE type;

    enum operation running;
    HRESULT async_fault; /* what the running operation is to end with; S_OK: its own result */
    BOOL async_exit;

    enum progress metadata, status, prepare, complete, pre_restore, post_restore, import, breaking,
        revert_status;
    GUID broken_set; /* by OPERATION_BREAK */
    BOOL broken_masked;
    unsigned long long revert_until; /* OPERATION_REVERT_STATUS waits for it */
    BOOL enable_first;
    unsigned filter_count;
    struct session_filter {
        enum writer_filter filter;
        GUID id;
    } * filters;
    struct writer_list *writers; /* NULL before metadata is gathered */
    unsigned answering;          /* how many of them answered Identify */
    unsigned *answers;           /* their indices */
    struct writer_fate *fates;   /* by position in answers */
    struct writer_fate *statuses;
    struct xml *document; /* Backup Components Document; NULL before the object is initialised */

    enum set_state set;
    HANDLE creator;
    GUID set_id;
    unsigned volume_count;
    struct volume volumes[SESSION_VOLUMES];
    struct copy_info copies[SESSION_VOLUMES];
};

/* TRUE if cancelled meanwhile. */
BOOL session_pause(struct session *session, unsigned long ms);
BOOL session_has_no_writers(const struct session *session);
const struct writer *session_writer(const struct session *session, unsigned answer);
/* Position in answers, or -1. instance may be NULL. */
int session_find_writer(const struct session *session, const GUID *class_id, const GUID *instance);
void session_close_set(struct session *session);

/* events.c: S_OK, or VSS_S_ASYNC_CANCELLED when it was cut short. Failures of writers show in their fates
 * only. */
HRESULT events_identify(struct session *session);
HRESULT events_raise(struct session *session, enum writer_event event);
/* To every writer that has not had PostSnapshot. Cannot be cancelled. */
void events_abort(struct session *session);
void events_shutdown(struct session *session);
/* PreRestore goes to the live writers that have a component selected. */
void events_choose_restored(struct session *session);
BOOL events_any_failed(const struct session *session);

/* snapshot.c: what DoSnapshotSet does. */
HRESULT snapshot_run(struct session *session);

/* administration.c: the asynchronous halves of ImportSnapshots, BreakSnapshotSetEx, QueryRevertStatus. */
HRESULT administration_import(struct session *session);
HRESULT administration_break(struct session *session);
HRESULT administration_await_revert(struct session *session);

/* components.c: what a writer does to its components in the document at an event. S_OK, or
 * VSS_E_WRITERERROR_PARTIAL_FAILURE when the scenario lets one of them fail. */
HRESULT components_handle(struct session *session, enum writer_event event, const struct writer *writer);

/* document.c */
BSTR document_of_session(const struct session *session);
