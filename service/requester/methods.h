/* The table of methods: one row for each message that Call can carry.
 *
 * A row names the function that makes the COM call; a synchronous one returns its HRESULT, an asynchronous
 * one also gives out the IVssAsync, which methods.c waits for and releases. A row without a function answers
 * UNIMPLEMENTED. The rule says, for VSS_E_BAD_STATE, which call is missing. The functions keep the record up
 * to date on success. */
#ifndef SHADOWPIPE_REQUESTER_METHODS_H
#define SHADOWPIPE_REQUESTER_METHODS_H

#include "service/requester/session.h"

typedef HRESULT method_run(struct session *session, const PB(Call) * call, struct reply *reply);
typedef HRESULT method_start(struct session *session, const PB(Call) * call, struct reply *reply,
                             IVssAsync **async);

struct method {
    PB(Call__MethodCase) method;
    const char *name; /* as VSS documents it */
    record_rule *missing;
    method_run *run;
    method_start *start;
    void (*note)(struct record *record, enum step step); /* asynchronous: what became of it */
    const char *unimplemented;                           /* why, where there is a reason */
};

const struct method *method_find(PB(Call__MethodCase) method);

/* methods_backup.c */
method_run create_object, release_object, initialize_for_backup, set_context, set_backup_state, add_component,
    start_snapshot_set, add_to_snapshot_set, abort_backup, set_backup_succeeded, set_backup_options,
    set_previous_backup_stamp, save_as_xml, get_session_id;
method_start prepare_for_backup, do_snapshot_set, backup_complete;
/* methods_writers.c */
method_run get_writer_metadata_count, get_writer_metadata, get_writer_metadata_ex, free_writer_metadata,
    get_writer_status_count, get_writer_status, get_writer_status_ex, free_writer_status,
    disable_writer_classes, enable_writer_classes, disable_writer_instances;
method_start gather_writer_metadata, gather_writer_status;
/* methods_components.c */
method_run get_writer_components_count, get_writer_components;
/* methods_restore.c */
method_run initialize_for_restore, set_restore_state, set_selected_for_restore, set_selected_for_restore_ex,
    set_restore_options, set_additional_restores, add_restore_subcomponent, set_authoritative_restore,
    set_roll_forward, set_restore_name, add_new_target, add_alternative_location_mapping,
    set_ranges_file_path, set_file_restore_status;
method_start pre_restore, post_restore;
/* methods_manage.c */
method_run expose_snapshot, unexpose_snapshot, break_snapshot_set, revert_to_snapshot, should_block_revert,
    examine_writer_metadata, add_snapshot_to_recovery_set, get_root_and_logical_prefix_paths;
method_start break_snapshot_set_ex, import_snapshots, query_revert_status, recover_set;
/* methods_storage.c */
method_run query_diff_areas, count_snapshots;
/* methods_snapshots.c */
method_run get_snapshot_properties, query, delete_snapshots, is_volume_supported, is_volume_snapshotted;

/* Copies what VSS says of a snapshot; false without memory. */
bool snapshot_fill(struct reply *reply, const VSS_SNAPSHOT_PROP *properties, PB(Snapshot) * snapshot);

#endif
