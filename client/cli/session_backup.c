/* begin backup, create, end backup: the canonical order of calls, so that nobody has to know it, and that the
 * turn at the gate lasts no longer than it must. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/shell.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

static bool has_writers(const struct shell *shell)
{
    return !(shell->context & VSS_ATTRIBUTE_NO_WRITERS);
}

/* Fills in a call without parameters. */
#define CALL_EMPTY(call, METHOD, field, Type)                       \
    PB(Type) field##_parameters = SHADOWPIPE__V1__##METHOD##__INIT; \
    (call).method_case = PB_METHOD(METHOD);                         \
    (call).field = &field##_parameters

/* ---- opening ---- */

static bool initialize(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetContext) context = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    CALL_EMPTY(call, INITIALIZE_FOR_BACKUP, initialize_for_backup, InitializeForBackup);
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    context.context = shell->context | shell->options;
    if (context.context == VSS_CONTEXT_BACKUP)
        return true;
    call.method_case = PB_METHOD(SET_CONTEXT);
    call.set_context = &context;
    return object_do(shell, &shell->object, &call, error);
}

static bool gather(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    if (!has_writers(shell))
        return true;
    if (!shell_disable_writers(shell, error))
        return false;
    CALL_EMPTY(call, GATHER_WRITER_METADATA, gather_writer_metadata, GatherWriterMetadata);
    return object_do(shell, &shell->object, &call, error) &&
           shell_read_writers(shell, &shell->object, false, error);
}

static bool open_backup(struct shell *shell, struct sp_error **error)
{
    if (shell->stage == STAGE_OPEN)
        return true;
    if (shell->stage != STAGE_CLOSED)
        return shell_wrong(error, "\"reset\" first.", "A set was created already, or a restore is open.");
    bool ok = object_open(shell, &shell->object, PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP), false, error) &&
              initialize(shell, error) && gather(shell, error);
    if (!ok) {
        (void)shell_close(shell, NULL);
        return false;
    }
    shell->stage = STAGE_OPEN;
    return true;
}

bool shell_begin_backup(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    if (!shell->type_is_set)
        shell->backup_type = has_writers(shell) ? VSS_TYPE_FULL : VSS_TYPE_COPY;
    shell->full_backup = true;
    return open_backup(shell, error);
}

/* ---- creating ---- */

static bool set_state(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetBackupState) state = SHADOWPIPE__V1__SET_BACKUP_STATE__INIT;
    if (shell->state_is_set)
        return true;
    shell->component_mode =
        has_writers(shell) && (shell->backup_type != VSS_TYPE_COPY || shell->added.count > 0);
    state.select_components = shell->component_mode;
    state.bootable_system_state = shell->bootable;
    state.backup_type = shell->backup_type;
    state.partial_file_support = shell->partial_files;
    call.method_case = PB_METHOD(SET_BACKUP_STATE);
    call.set_backup_state = &state;
    return object_do(shell, &shell->object, &call, error);
}

static void keep_id(char id[GUID_TEXT_CHARS], const char *value)
{
    (void)strncpy(id, value, GUID_TEXT_CHARS - 1);
    id[GUID_TEXT_CHARS - 1] = 0;
}

static bool start_set(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    CALL_EMPTY(call, START_SNAPSHOT_SET, start_snapshot_set, StartSnapshotSet);
    struct message *reply = object_call(shell, &shell->object, &call, error);
    if (!reply)
        return false;
    if (reply->envelope->call_reply->out_case == PB_OUT(START_SNAPSHOT_SET))
        keep_id(shell->set_id, reply->envelope->call_reply->start_snapshot_set->set_id);
    message_free(reply);
    return true;
}

static bool add_volumes(struct shell *shell, struct sp_error **error)
{
    for (size_t i = 0; i < shell->volumes_count; i++) {
        struct shell_volume *volume = &shell->volumes[i];
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(AddToSnapshotSet) add = SHADOWPIPE__V1__ADD_TO_SNAPSHOT_SET__INIT;
        add.volume = volume->path;
        add.provider_id = volume->provider;
        call.method_case = PB_METHOD(ADD_TO_SNAPSHOT_SET);
        call.add_to_snapshot_set = &add;
        struct message *reply = object_call(shell, &shell->object, &call, error);
        if (!reply)
            return false;
        if (reply->envelope->call_reply->out_case == PB_OUT(ADD_TO_SNAPSHOT_SET))
            keep_id(volume->snapshot_id, reply->envelope->call_reply->add_to_snapshot_set->snapshot_id);
        message_free(reply);
    }
    return true;
}

static bool prepare(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    if (!has_writers(shell))
        return true;
    CALL_EMPTY(call, PREPARE_FOR_BACKUP, prepare_for_backup, PrepareForBackup);
    return object_do(shell, &shell->object, &call, error) &&
           shell_check_writers(shell, "PrepareForBackup", error);
}

/* From StartSnapshotSet to the end of DoSnapshotSet without a pause. */
static bool create_set(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    if (!start_set(shell, error) || !add_volumes(shell, error) || !prepare(shell, error))
        return false;
    CALL_EMPTY(call, DO_SNAPSHOT_SET, do_snapshot_set, DoSnapshotSet);
    return object_do(shell, &shell->object, &call, error) &&
           (!has_writers(shell) || shell_check_writers(shell, "DoSnapshotSet", error));
}

static bool set_aliases(struct shell *shell, struct sp_error **error)
{
    if (!shell_set_alias(shell, "VSS_SHADOW_SET", shell->set_id, error))
        return false;
    for (size_t i = 0; i < shell->volumes_count; i++) {
        struct text name = {0};
        const struct shell_volume *volume = &shell->volumes[i];
        text_format(&name, "VSS_SHADOW_%lu", (unsigned long)i + 1);
        bool ok = (!volume->alias || shell_set_alias(shell, volume->alias, volume->snapshot_id, error)) &&
                  shell_set_alias(shell, text_string(&name), volume->snapshot_id, error);
        text_free(&name);
        if (!ok)
            return false;
    }
    return true;
}

static void describe_set(struct shell *shell)
{
    shell_json(shell, "setId", shell->set_id);
    shell_json_name(shell, "snapshots");
    text_add(&shell->json, "[");
    for (size_t i = 0; i < shell->volumes_count; i++) {
        const struct shell_volume *volume = &shell->volumes[i];
        PB(Snapshot) bare = SHADOWPIPE__V1__SNAPSHOT__INIT;
        const PB(Snapshot) *snapshot = &bare;
        bare.snapshot_id = (char *)volume->snapshot_id;
        bare.set_id = shell->set_id;
        if (volume->properties)
            snapshot = volume->properties->envelope->call_reply->get_snapshot_properties->snapshot;
        text_add(&shell->json, i ? "," : "");
        (void)json_add_message(&shell->json, &snapshot->base);
        if (volume->properties)
            shell_add_snapshot_text(shell, snapshot);
        else
            text_format(&shell->text, "%s of %s: not in the system until \"import\"\n", volume->snapshot_id,
                        volume->name);
    }
    text_add(&shell->json, "]");
}

/* After the copies exist. */
static bool take_stock(struct shell *shell, struct sp_error **error)
{
    bool surfaced = !((shell->context | shell->options) & VSS_ATTRIBUTE_TRANSPORTABLE);
    if ((surfaced && !shell_read_properties(shell, error)) || !set_aliases(shell, error))
        return false;
    describe_set(shell);
    return shell_save_metadata(shell, error);
}

bool shell_create(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    if (shell->volumes_count == 0)
        return shell_wrong(error, "\"add volume C:\" first.", "There is no volume in the set.");
    if (!open_backup(shell, error))
        return false;
    bool ok = set_state(shell, error) && (!shell->component_mode || shell_choose(shell, error)) &&
              (!has_writers(shell) || shell_verify(shell, error)) && create_set(shell, error);
    if (!ok) {
        /* Half a set helps nobody, and keeps everybody else waiting. */
        (void)shell_close(shell, NULL);
        return false;
    }
    shell->stage = STAGE_CREATED;
    return take_stock(shell, error);
}

/* ---- the end ---- */

static bool set_succeeded(struct shell *shell, struct sp_error **error)
{
    for (size_t i = 0; i < shell->chosen.count; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(SetBackupSucceeded) succeeded = SHADOWPIPE__V1__SET_BACKUP_SUCCEEDED__INIT;
        PB(ComponentRef) reference;
        chosen_refer(&shell->chosen.items[i], &reference);
        succeeded.component = &reference;
        succeeded.succeeded = true;
        call.method_case = PB_METHOD(SET_BACKUP_SUCCEEDED);
        call.set_backup_succeeded = &succeeded;
        if (!object_do(shell, &shell->object, &call, error))
            return false;
    }
    return true;
}

bool shell_end_backup(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    (void)words;
    (void)count;
    if (shell->stage != STAGE_CREATED)
        return shell_wrong(error, "\"create\" first.", "There is no backup to end.");
    if (!has_writers(shell)) {
        text_add(&shell->text, "Nothing to tell: this context has no writers.\n");
        shell->stage = STAGE_COMPLETED;
        return true;
    }
    if (!set_succeeded(shell, error))
        return false;
    CALL_EMPTY(call, BACKUP_COMPLETE, backup_complete, BackupComplete);
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    shell->stage = STAGE_COMPLETED;
    return shell_check_writers(shell, "BackupComplete", error) && shell_save_metadata(shell, error);
}

bool shell_reset(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    bool ok = shell_close(shell, error);
    shell_clear_settings(shell);
    return shell_set_parameters(shell, ok ? error : NULL) && ok;
}
