#include "service/requester/record.h"

static const char was_aborted[] = "a new session: AbortBackup has ended this one";
static const char is_restore[] = "a backup session: InitializeForRestore was called on this object";
static const char is_backup[] = "a restore session: InitializeForBackup was called on this object";
static const char no_writers[] = "a context with writers: the one given to SetContext has none";
static const char creation_over[] = "a new session: DoSnapshotSet has been called on this object";
static const char no_more[] = "";

static bool has_writers(const struct record *record)
{
    return (record->context & VSS_VOLSNAP_ATTR_NO_WRITERS) == 0;
}

PB(SessionPhase) record_phase(const struct record *record)
{
    if (record->object == OBJECT_NONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_UNSPECIFIED);
    }
    if (record->object == OBJECT_NEW) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_NEW);
    }
    if (record->aborted) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_ABORTED);
    }
    if (record->object == OBJECT_RESTORE && record->post_restore == STEP_DONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORED);
    }
    if (record->object == OBJECT_RESTORE && record->pre_restore != STEP_NONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORING);
    }
    if (record->complete == STEP_DONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED);
    }
    if (record->set == SET_CREATED) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED);
    }
    if (record->prepare == STEP_DONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_PREPARED);
    }
    if (record->set != SET_NONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_SET_OPEN);
    }
    if (record->metadata == STEP_DONE) {
        return PB_VALUE(SESSION_PHASE, SESSION_PHASE_GATHERED);
    }
    return PB_VALUE(SESSION_PHASE, SESSION_PHASE_INITIALIZED);
}

bool record_owes_abort(const struct record *record)
{
    if (record->object != OBJECT_BACKUP || record->aborted || record->complete == STEP_DONE) {
        return false;
    }
    return record->set != SET_CREATED && (record->set != SET_NONE || record->prepare != STEP_NONE);
}

bool record_holds_snapshots(const struct record *record)
{
    return record->object == OBJECT_BACKUP && record->set == SET_CREATED && !record->aborted;
}

/* ---- The rules. Each asks first what every method needs. ---- */

const char *record_missing_object(const struct record *record)
{
    return record->object == OBJECT_NONE ? "CreateObject" : no_more;
}

const char *record_missing_new_object(const struct record *record)
{
    if (record->object == OBJECT_NONE) {
        return "CreateObject";
    }
    return record->object == OBJECT_NEW ? no_more : "a new session: this object is initialized already";
}

const char *record_missing_initialize(const struct record *record)
{
    if (record->object == OBJECT_NONE) {
        return "CreateObject";
    }
    return record->object == OBJECT_NEW ? "InitializeForBackup" : no_more;
}

const char *record_missing_backup(const struct record *record)
{
    if (record->object == OBJECT_RESTORE) {
        return is_restore;
    }
    const char *missing = record_missing_initialize(record);
    return missing == no_more && record->aborted ? was_aborted : missing;
}

const char *record_missing_restore(const struct record *record)
{
    if (record->object == OBJECT_BACKUP) {
        return is_backup;
    }
    if (record->object == OBJECT_NONE) {
        return "CreateObject";
    }
    return record->object == OBJECT_NEW ? "InitializeForRestore" : no_more;
}

/* SetContext comes once, and before the snapshot set. */
const char *record_missing_context(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->context_set) {
        return "a new session: SetContext was called already";
    }
    return record->set != SET_NONE ? "a new session: SetContext comes before StartSnapshotSet" : no_more;
}

const char *record_missing_state(const struct record *record)
{
    const char *missing = record_missing_initialize(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->aborted) {
        return was_aborted;
    }
    return record->prepare != STEP_NONE ? "a new session: SetBackupState comes before PrepareForBackup"
                                        : no_more;
}

/* GatherWriterMetadata comes once on an object. */
const char *record_missing_gather(const struct record *record)
{
    const char *missing = record_missing_initialize(record);
    if (missing != no_more) {
        return missing;
    }
    return record->metadata != STEP_NONE ? "a new session: GatherWriterMetadata was called already" : no_more;
}

static const char *missing_metadata(const struct record *record)
{
    switch (record->metadata) {
    case STEP_NONE:
        return "GatherWriterMetadata";
    case STEP_RUNNING:
        return "the end of GatherWriterMetadata";
    case STEP_FAILED:
        return "a new session: GatherWriterMetadata failed on this object";
    case STEP_DONE:
        break;
    }
    return no_more;
}

/* For those that read the gathered metadata. */
const char *record_missing_metadata(const struct record *record)
{
    const char *missing = record_missing_initialize(record);
    if (missing == no_more) {
        missing = missing_metadata(record);
    }
    if (missing == no_more && record->metadata_freed) {
        return "a new session: FreeWriterMetadata was called";
    }
    return missing;
}

const char *record_missing_component(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (!has_writers(record)) {
        return no_writers;
    }
    missing = missing_metadata(record);
    if (missing != no_more) {
        return missing;
    }
    if (!record->component_mode) {
        return "SetBackupState with select_components";
    }
    return record->set > SET_OPEN ? creation_over : no_more;
}

const char *record_missing_start_set(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->context == (LONG)VSS_CTX_ALL) {
        return "a new session: the context VSS_CTX_ALL creates no snapshots";
    }
    return record->set != SET_NONE ? "a new session: StartSnapshotSet was called already" : no_more;
}

const char *record_missing_open_set(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->set == SET_NONE) {
        return "StartSnapshotSet";
    }
    return record->set != SET_OPEN ? creation_over : no_more;
}

const char *record_missing_prepare(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (!has_writers(record)) {
        return no_writers;
    }
    if (record->prepare != STEP_NONE) {
        return "a new session: PrepareForBackup was called already";
    }
    if (record->set > SET_OPEN) {
        return creation_over;
    }
    if (!record->state_set) {
        return "SetBackupState";
    }
    missing = missing_metadata(record);
    if (missing != no_more) {
        return missing;
    }
    return record->set == SET_NONE ? "StartSnapshotSet" : no_more;
}

const char *record_missing_do_set(const struct record *record)
{
    const char *missing = record_missing_open_set(record);
    if (missing != no_more || !has_writers(record)) {
        return missing;
    }
    missing = missing_metadata(record);
    if (missing != no_more) {
        return missing;
    }
    switch (record->prepare) {
    case STEP_NONE:
        return "PrepareForBackup";
    case STEP_RUNNING:
        return "the end of PrepareForBackup";
    case STEP_FAILED:
        return "a new session: PrepareForBackup failed on this object";
    case STEP_DONE:
        break;
    }
    return no_more;
}

const char *record_missing_created(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->set == SET_NONE) {
        return "StartSnapshotSet";
    }
    if (record->set == SET_FAILED) {
        return "a new session: DoSnapshotSet failed on this object";
    }
    return record->set != SET_CREATED ? "DoSnapshotSet" : no_more;
}

const char *record_missing_status(const struct record *record)
{
    const char *missing = record_missing_initialize(record);
    if (missing != no_more) {
        return missing;
    }
    return record->status != STEP_DONE ? "GatherWriterStatus" : no_more;
}

const char *record_missing_succeeded(const struct record *record)
{
    const char *missing = record_missing_created(record);
    if (missing != no_more) {
        return missing;
    }
    if (!record->component_mode) {
        return "SetBackupState with select_components";
    }
    return record->complete != STEP_NONE ? "a new session: SetBackupSucceeded comes before BackupComplete"
                                         : no_more;
}

const char *record_missing_document(const struct record *record)
{
    const char *missing = record_missing_initialize(record);
    if (missing != no_more || record->object == OBJECT_RESTORE) {
        return missing;
    }
    if (record->prepare == STEP_NONE && has_writers(record)) {
        return "PrepareForBackup";
    }
    return no_more;
}

const char *record_missing_complete(const struct record *record)
{
    const char *missing = record_missing_backup(record);
    if (missing != no_more) {
        return missing;
    }
    if (!has_writers(record)) {
        return no_writers;
    }
    if (record->complete != STEP_NONE) {
        return "a new session: BackupComplete was called already";
    }
    if (record->prepare == STEP_NONE) {
        return "PrepareForBackup";
    }
    /* VSS allows a backup without a set: then PrepareForBackup is enough. */
    return record->set == SET_NONE ? no_more : record_missing_created(record);
}

/* What is to be restored, and how, is said before PreRestore, which comes once. */
const char *record_missing_selection(const struct record *record)
{
    const char *missing = record_missing_restore(record);
    if (missing != no_more) {
        return missing;
    }
    return record->pre_restore != STEP_NONE ? "a new session: PreRestore was called already" : no_more;
}

const char *record_missing_restored_files(const struct record *record)
{
    const char *missing = record_missing_restore(record);
    if (missing != no_more) {
        return missing;
    }
    if (record->pre_restore != STEP_DONE) {
        return record->pre_restore == STEP_FAILED ? "a new session: PreRestore failed" : "PreRestore";
    }
    return record->post_restore != STEP_NONE ? "a new session: PostRestore was called already" : no_more;
}
