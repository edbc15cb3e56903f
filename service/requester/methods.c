#include "service/requester/methods.h"

#include <stddef.h>

#include "proto/status.h"
#include "service/requester/log.h"

static void note_metadata(struct record *record, enum step step)
{
    record->metadata = step;
}

static void note_status(struct record *record, enum step step)
{
    record->status = step;
}

static void note_prepare(struct record *record, enum step step)
{
    record->prepare = step;
}

static void note_creation(struct record *record, enum step step)
{
    if (step == STEP_DONE) {
        record->set = SET_CREATED;
    } else {
        record->set = step == STEP_RUNNING ? SET_CREATING : SET_FAILED;
    }
}

static void note_complete(struct record *record, enum step step)
{
    record->complete = step;
}

static void note_pre_restore(struct record *record, enum step step)
{
    record->pre_restore = step;
}

static void note_post_restore(struct record *record, enum step step)
{
    record->post_restore = step;
}

static void note_nothing(struct record *record, enum step step)
{
    (void)record;
    (void)step;
}

static const char reserved[] = "VSS documents it as reserved for system use";

#define SYNC(CASE, name, rule, function)                        \
    {                                                           \
        PB_METHOD(CASE), name, rule, function, NULL, NULL, NULL \
    }
#define ASYNC(CASE, name, rule, function, note)                 \
    {                                                           \
        PB_METHOD(CASE), name, rule, NULL, function, note, NULL \
    }
#define ABSENT(CASE, name, reason)                            \
    {                                                         \
        PB_METHOD(CASE), name, NULL, NULL, NULL, NULL, reason \
    }

static const struct method methods[] = {
    SYNC(GET_WRITER_COMPONENTS_COUNT, "GetWriterComponentsCount", record_missing_initialize,
         get_writer_components_count),
    SYNC(GET_WRITER_COMPONENTS, "GetWriterComponents", record_missing_initialize, get_writer_components),
    SYNC(INITIALIZE_FOR_BACKUP, "InitializeForBackup", record_missing_new_object, initialize_for_backup),
    SYNC(SET_BACKUP_STATE, "SetBackupState", record_missing_state, set_backup_state),
    SYNC(INITIALIZE_FOR_RESTORE, "InitializeForRestore", record_missing_new_object, initialize_for_restore),
    SYNC(SET_RESTORE_STATE, "SetRestoreState", record_missing_selection, set_restore_state),
    ASYNC(GATHER_WRITER_METADATA, "GatherWriterMetadata", record_missing_gather, gather_writer_metadata,
          note_metadata),
    SYNC(GET_WRITER_METADATA_COUNT, "GetWriterMetadataCount", record_missing_metadata,
         get_writer_metadata_count),
    SYNC(GET_WRITER_METADATA, "GetWriterMetadata", record_missing_metadata, get_writer_metadata),
    SYNC(FREE_WRITER_METADATA, "FreeWriterMetadata", record_missing_metadata, free_writer_metadata),
    SYNC(ADD_COMPONENT, "AddComponent", record_missing_component, add_component),
    ASYNC(PREPARE_FOR_BACKUP, "PrepareForBackup", record_missing_prepare, prepare_for_backup, note_prepare),
    SYNC(ABORT_BACKUP, "AbortBackup", record_missing_initialize, abort_backup),
    ASYNC(GATHER_WRITER_STATUS, "GatherWriterStatus", record_missing_initialize, gather_writer_status,
          note_status),
    SYNC(GET_WRITER_STATUS_COUNT, "GetWriterStatusCount", record_missing_status, get_writer_status_count),
    SYNC(FREE_WRITER_STATUS, "FreeWriterStatus", record_missing_status, free_writer_status),
    SYNC(GET_WRITER_STATUS, "GetWriterStatus", record_missing_status, get_writer_status),
    SYNC(SET_BACKUP_SUCCEEDED, "SetBackupSucceeded", record_missing_succeeded, set_backup_succeeded),
    SYNC(SET_BACKUP_OPTIONS, "SetBackupOptions", record_missing_component, set_backup_options),
    SYNC(SET_SELECTED_FOR_RESTORE, "SetSelectedForRestore", record_missing_selection,
         set_selected_for_restore),
    SYNC(SET_RESTORE_OPTIONS, "SetRestoreOptions", record_missing_selection, set_restore_options),
    SYNC(SET_ADDITIONAL_RESTORES, "SetAdditionalRestores", record_missing_selection, set_additional_restores),
    SYNC(SET_PREVIOUS_BACKUP_STAMP, "SetPreviousBackupStamp", record_missing_component,
         set_previous_backup_stamp),
    SYNC(SAVE_AS_XML, "SaveAsXML", record_missing_document, save_as_xml),
    ASYNC(BACKUP_COMPLETE, "BackupComplete", record_missing_complete, backup_complete, note_complete),
    SYNC(ADD_ALTERNATIVE_LOCATION_MAPPING, "AddAlternativeLocationMapping", record_missing_restore,
         add_alternative_location_mapping),
    SYNC(ADD_RESTORE_SUBCOMPONENT, "AddRestoreSubcomponent", record_missing_selection,
         add_restore_subcomponent),
    SYNC(SET_FILE_RESTORE_STATUS, "SetFileRestoreStatus", record_missing_restored_files,
         set_file_restore_status),
    SYNC(ADD_NEW_TARGET, "AddNewTarget", record_missing_selection, add_new_target),
    SYNC(SET_RANGES_FILE_PATH, "SetRangesFilePath", record_missing_restore, set_ranges_file_path),
    ASYNC(PRE_RESTORE, "PreRestore", record_missing_selection, pre_restore, note_pre_restore),
    ASYNC(POST_RESTORE, "PostRestore", record_missing_restored_files, post_restore, note_post_restore),
    SYNC(SET_CONTEXT, "SetContext", record_missing_context, set_context),
    SYNC(START_SNAPSHOT_SET, "StartSnapshotSet", record_missing_start_set, start_snapshot_set),
    SYNC(ADD_TO_SNAPSHOT_SET, "AddToSnapshotSet", record_missing_open_set, add_to_snapshot_set),
    ASYNC(DO_SNAPSHOT_SET, "DoSnapshotSet", record_missing_do_set, do_snapshot_set, note_creation),
    SYNC(DELETE_SNAPSHOTS, "DeleteSnapshots", record_missing_initialize, delete_snapshots),
    ASYNC(IMPORT_SNAPSHOTS, "ImportSnapshots", record_missing_backup, import_snapshots, note_nothing),
    SYNC(BREAK_SNAPSHOT_SET, "BreakSnapshotSet", record_missing_initialize, break_snapshot_set),
    SYNC(GET_SNAPSHOT_PROPERTIES, "GetSnapshotProperties", record_missing_initialize,
         get_snapshot_properties),
    SYNC(QUERY, "Query", record_missing_backup, query),
    SYNC(IS_VOLUME_SUPPORTED, "IsVolumeSupported", record_missing_initialize, is_volume_supported),
    SYNC(DISABLE_WRITER_CLASSES, "DisableWriterClasses", record_missing_gather, disable_writer_classes),
    SYNC(ENABLE_WRITER_CLASSES, "EnableWriterClasses", record_missing_gather, enable_writer_classes),
    SYNC(DISABLE_WRITER_INSTANCES, "DisableWriterInstances", record_missing_gather, disable_writer_instances),
    SYNC(EXPOSE_SNAPSHOT, "ExposeSnapshot", record_missing_initialize, expose_snapshot),
    SYNC(REVERT_TO_SNAPSHOT, "RevertToSnapshot", record_missing_initialize, revert_to_snapshot),
    ASYNC(QUERY_REVERT_STATUS, "QueryRevertStatus", record_missing_initialize, query_revert_status,
          note_nothing),
    SYNC(GET_WRITER_METADATA_EX, "GetWriterMetadataEx", record_missing_metadata, get_writer_metadata_ex),
    SYNC(SET_SELECTED_FOR_RESTORE_EX, "SetSelectedForRestoreEx", record_missing_selection,
         set_selected_for_restore_ex),
    SYNC(UNEXPOSE_SNAPSHOT, "UnexposeSnapshot", record_missing_initialize, unexpose_snapshot),
    SYNC(SET_AUTHORITATIVE_RESTORE, "SetAuthoritativeRestore", record_missing_selection,
         set_authoritative_restore),
    SYNC(SET_ROLL_FORWARD, "SetRollForward", record_missing_selection, set_roll_forward),
    SYNC(SET_RESTORE_NAME, "SetRestoreName", record_missing_selection, set_restore_name),
    ASYNC(BREAK_SNAPSHOT_SET_EX, "BreakSnapshotSetEx", record_missing_initialize, break_snapshot_set_ex,
          note_nothing),
    ABSENT(PRE_FAST_RECOVERY, "PreFastRecovery", reserved),
    ABSENT(FAST_RECOVERY, "FastRecovery", reserved),
    SYNC(GET_WRITER_STATUS_EX, "GetWriterStatusEx", record_missing_status, get_writer_status_ex),
    SYNC(ADD_SNAPSHOT_TO_RECOVERY_SET, "AddSnapshotToRecoverySet", record_missing_initialize,
         add_snapshot_to_recovery_set),
    ASYNC(RECOVER_SET, "RecoverSet", record_missing_initialize, recover_set, note_nothing),
    SYNC(GET_SESSION_ID, "GetSessionId", record_missing_initialize, get_session_id),
    SYNC(GET_ROOT_AND_LOGICAL_PREFIX_PATHS, "GetRootAndLogicalPrefixPaths", record_missing_initialize,
         get_root_and_logical_prefix_paths),
    SYNC(IS_VOLUME_SNAPSHOTTED, "IsVolumeSnapshotted", NULL, is_volume_snapshotted),
    SYNC(QUERY_DIFF_AREAS, "QueryDiffAreasForVolume", NULL, query_diff_areas),
    SYNC(COUNT_SNAPSHOTS, "CountSnapshots", NULL, count_snapshots),
    SYNC(SHOULD_BLOCK_REVERT, "ShouldBlockRevert", NULL, should_block_revert),
    SYNC(EXAMINE_WRITER_METADATA, "CreateVssExamineWriterMetadata", NULL, examine_writer_metadata),
    SYNC(CREATE_OBJECT, "CreateVssBackupComponents", NULL, create_object),
    SYNC(RELEASE_OBJECT, "Release", record_missing_object, release_object),
};

const struct method *method_find(PB(Call__MethodCase) method)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].method == method) {
            return &methods[i];
        }
    }
    return NULL;
}
