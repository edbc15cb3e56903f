/* What this requester has called so far on its object, and with what outcome.
 *
 * VSS answers a call out of sequence with VSS_E_BAD_STATE and not one word more. The record says which call
 * is missing, says what phase the session is in, and decides the duties when the pipe breaks. It never stands
 * in for VSS: every call is made, whatever the record thinks of it. The worker thread owns it. */
#ifndef SHADOWPIPE_REQUESTER_RECORD_H
#define SHADOWPIPE_REQUESTER_RECORD_H

#include <stdbool.h>

#include "proto/wire.h"
#include "service/requester/com.h"

enum object_state {
    OBJECT_NONE,
    OBJECT_NEW,
    OBJECT_BACKUP,
    OBJECT_RESTORE
};

/* An asynchronous method and what it leads to. */
enum step {
    STEP_NONE,
    STEP_RUNNING, /* its IVssAsync has not ended, perhaps not even after Cancel */
    STEP_DONE,
    STEP_FAILED
};

enum set_state {
    SET_NONE,
    SET_OPEN, /* from StartSnapshotSet on */
    SET_CREATING,
    SET_CREATED,
    SET_FAILED
};

enum {
    RECORD_SNAPSHOTS_MAX = 64 /* VSS' own limit of volumes in a set */
};

struct record {
    enum object_state object;
    bool context_set;
    LONG context;
    bool state_set;
    bool component_mode;
    enum step metadata;
    bool metadata_freed;
    enum step status;
    enum step prepare;
    enum set_state set;
    enum step complete;
    enum step pre_restore;
    enum step post_restore;
    bool aborted;
    VSS_ID set_id;
    VSS_ID snapshots[RECORD_SNAPSHOTS_MAX];
    size_t snapshots_count;
};

PB(SessionPhase) record_phase(const struct record *record);

/* AbortBackup is owed before the object may be released: a set is open, or PrepareForBackup was reached and
 * no snapshots came of it. Elsewhere it would do harm, for it raises Abort in every writer of the machine,
 * and without the service nobody knows which set is being made just then. Writers that are past PostSnapshot
 * are spared by Abort in any case: they learn of the end when the object is released. */
bool record_owes_abort(const struct record *record);
bool record_holds_snapshots(const struct record *record);

/* What a method needed that has not been: the name of the call that should have come first, else a few words;
 * "" when the record knows of nothing. One rule for each kind of method. */
typedef const char *record_rule(const struct record *record);
record_rule record_missing_object, record_missing_new_object, record_missing_initialize,
    record_missing_backup, record_missing_restore, record_missing_context, record_missing_state,
    record_missing_gather, record_missing_metadata, record_missing_component, record_missing_start_set,
    record_missing_open_set, record_missing_prepare, record_missing_do_set, record_missing_created,
    record_missing_selection, record_missing_restored_files, record_missing_status, record_missing_succeeded,
    record_missing_document, record_missing_complete;

#endif
