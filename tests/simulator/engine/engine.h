/* What com/ needs of the engine: a session is the state behind one IVssBackupComponents.
 * com/ has checked the arguments (no NULL out pointer arrives here); these functions check the state, under
 * the session's own lock, and answer with the codes that the methods are documented to give. Out parameters
 * are set only on success.
 *
 * A call goes: session_enter() (delays and faults of the scenario), the function, session_leave() (event
 * log). An asynchronous operation goes: session_begin() on the caller's thread, which alone can be refused
 * for the state; then session_run() once, on a worker thread, which gives what IVssAsync::QueryStatus shows
 * at the end. References: the COM object has one, each asynchronous operation another. session_close() is the
 * COM object's last Release: what is running is cancelled, what is open is aborted, auto-release copies go.
 */
#pragma once
#include <windows.h>
#include "copies.h"
#include "writers.h"
#include "xml.h"

struct session;

enum operation {
    OPERATION_NONE,
    OPERATION_GATHER_METADATA,
    OPERATION_PREPARE,
    OPERATION_GATHER_STATUS,
    OPERATION_SNAPSHOT,
    OPERATION_COMPLETE,
    OPERATION_PRE_RESTORE,
    OPERATION_POST_RESTORE,
    OPERATION_IMPORT,
    OPERATION_BREAK,
    OPERATION_REVERT_STATUS
};

/* Also what CreateVssBackupComponents can answer: E_ACCESSDENIED by scenario, E_OUTOFMEMORY,
 * VSS_E_UNEXPECTED. */
HRESULT session_open(struct session **session);
void session_close(struct session *session);
struct session *session_hold(struct session *session);
void session_drop(struct session *session);

HRESULT session_enter(struct session *session, const wchar_t *method, struct fault *fault);
HRESULT session_leave(struct session *session, const wchar_t *method, HRESULT hr);

HRESULT session_begin(struct session *session, enum operation operation, const struct fault *fault);
HRESULT session_run(struct session *session, enum operation operation);
/* Instead of session_run(), when the thread for it cannot be had. */
void session_give_up(struct session *session, enum operation operation);
void session_cancel(struct session *session);
BOOL session_wait_returns_error(const struct session *session);
unsigned long session_debug_level(const struct session *session);

HRESULT session_initialize_backup(struct session *session, const wchar_t *document);
HRESULT session_initialize_restore(struct session *session, const wchar_t *document);
HRESULT session_check_initialized(struct session *session);
/* The same, and it is no restore. */
HRESULT session_check_backup(struct session *session);
HRESULT session_set_context(struct session *session, LONG context);
HRESULT session_set_backup_state(struct session *session, BOOL select_components, BOOL bootable,
                                 VSS_BACKUP_TYPE type, BOOL partial_files);
HRESULT session_get_id(struct session *session, GUID *id);
HRESULT session_abort(struct session *session);
HRESULT session_save_document(struct session *session, BSTR *document);

enum writer_filter {
    FILTER_ENABLE_CLASSES,
    FILTER_DISABLE_CLASSES,
    FILTER_DISABLE_INSTANCES
};
HRESULT session_filter_writers(struct session *session, enum writer_filter filter, const GUID *ids,
                               unsigned count);
HRESULT session_metadata_count(struct session *session, unsigned *count);
/* The list is held for the caller. */
HRESULT session_metadata(struct session *session, unsigned index, struct writer_list **list,
                         unsigned *in_list);
HRESULT session_free_metadata(struct session *session);

struct component_key {
    const GUID *writer, *instance; /* a NULL instance: any */
    VSS_COMPONENT_TYPE type;
    const wchar_t *path, *name; /* path may be NULL */
};
HRESULT session_add_component(struct session *session, const struct component_key *key);
HRESULT session_count_writers_with_components(struct session *session, unsigned *count);
/* A copy of the part of the document that is about one writer, for the caller to free. */
HRESULT session_writer_components(struct session *session, unsigned index, struct xml **copy);

/* When a component may be changed. */
enum component_phase {
    COMPONENT_BEFORE_PREPARE,  /* a backup before PrepareForBackup */
    COMPONENT_AFTER_SNAPSHOT,  /* a backup between DoSnapshotSet and BackupComplete */
    COMPONENT_BEFORE_RESTORE,  /* a restore before PreRestore */
    COMPONENT_WHILE_RESTORING, /* between PreRestore and PostRestore */
    COMPONENT_DURING_RESTORE   /* any time before PostRestore */
};
/* How: attributes, up to the first without a name, of the component or of a child. */
struct component_edit {
    enum component_phase phase;
    const wchar_t *child; /* NULL: of the component itself */
    BOOL child_exists;    /* child number index is changed; else one is added */
    unsigned index;
    BOOL only_selected; /* VSS_E_BAD_STATE unless the component is selected for restore */
    BOOL only_live;     /* VSS_E_OBJECT_NOT_FOUND unless the writer has answered Identify */
    struct {
        const wchar_t *name, *value;
    } set[6];
};
HRESULT session_edit_component(struct session *session, const struct component_key *key,
                               const struct component_edit *edit);
HRESULT session_set_restore_state(struct session *session, VSS_RESTORE_TYPE type);

struct writer_status {
    GUID instance_id, class_id;
    const wchar_t *name, *application_message; /* live as long as the session; the second may be NULL */
    VSS_WRITER_STATE state;
    HRESULT failure, application_failure;
};
HRESULT session_status_count(struct session *session, unsigned *count);
HRESULT session_status(struct session *session, unsigned index, struct writer_status *status);
HRESULT session_free_status(struct session *session);

HRESULT session_start_set(struct session *session, GUID *set);
HRESULT session_add_volume(struct session *session, const wchar_t *volume, const GUID *provider,
                           GUID *snapshot);
HRESULT session_is_supported(struct session *session, const GUID *provider, const wchar_t *volume,
                             BOOL *supported);
HRESULT session_snapshot(struct session *session, const GUID *id, struct copy_info *info);
/* How many providers there are: the system's, then the hardware's. */
HRESULT session_providers(struct session *session, unsigned *count);
HRESULT session_list_snapshots(struct session *session, struct copy_info **infos, unsigned *count);
HRESULT session_delete_snapshots(struct session *session, const GUID *id, BOOL whole_set, LONG *deleted,
                                 GUID *failed);

/* Needs no session: IsVolumeSnapshotted. */
HRESULT engine_is_snapshotted(const wchar_t *volume, BOOL *present, LONG *capability);
