/* What brings copies in or puts them back: import, revert, LUN resynchronisation. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/shell.h"
#include "client/lib/error.h"

enum {
    HRESULT_NOT_FOUND = 0x80042308u /* VSS_E_OBJECT_NOT_FOUND */
};

/* VSS_RECOVERY_OPTIONS of RecoverSet. */
static const struct word_value resync_flags[] = {{"revert_originalsig", 0x100}, {"novolcheck", 0x200}};

/* ---- import ---- */

/* The document says what is to come in; the object then holds it, as one that was created here. */
bool shell_import(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(InitializeForBackup) initialize = SHADOWPIPE__V1__INITIALIZE_FOR_BACKUP__INIT;
    PB(SetContext) context = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    PB(ImportSnapshots) import = SHADOWPIPE__V1__IMPORT_SNAPSHOTS__INIT;
    (void)words;
    (void)count;
    if (!shell->document)
        return shell_wrong(error, "\"load metadata FILE\" first.", "There is no document to import by.");
    if (shell->stage != STAGE_CLOSED)
        return shell_wrong(error, "\"reset\" first.", "A backup or restore is open already.");
    if (!object_open(shell, &shell->object, PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP), true, error))
        return false;
    call.method_case = PB_METHOD(INITIALIZE_FOR_BACKUP);
    call.initialize_for_backup = &initialize;
    bool ok = object_do(shell, &shell->object, &call, error);
    context.context = shell->context;
    call.method_case = PB_METHOD(SET_CONTEXT);
    call.set_context = &context;
    ok = ok && (context.context == VSS_CONTEXT_BACKUP || object_do(shell, &shell->object, &call, error));
    call.method_case = PB_METHOD(IMPORT_SNAPSHOTS);
    call.import_snapshots = &import;
    ok = ok && object_do(shell, &shell->object, &call, error);
    if (ok)
        shell->stage = STAGE_COMPLETED;
    else
        (void)shell_close(shell, NULL);
    return ok;
}

/* ---- revert ---- */

/* A revert that has ended already is not found any more. */
static bool wait_for_revert(struct shell *shell, const struct object *object, const char *volume,
                            struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(QueryRevertStatus) query = SHADOWPIPE__V1__QUERY_REVERT_STATUS__INIT;
    query.volume = (char *)volume;
    call.method_case = PB_METHOD(QUERY_REVERT_STATUS);
    call.query_revert_status = &query;
    struct message *reply = object_call_raw(shell, object, &call, error);
    if (!reply)
        return false;
    const PB(CallReply) *answer = reply->envelope->call_reply;
    struct sp_error *failure = answer->hresult == HRESULT_NOT_FOUND ? NULL : call_failure(&call, answer);
    message_free(reply);
    if (failure)
        error_give(error, failure);
    return !failure;
}

static bool revert(struct shell *shell, const struct object *object, const char *id, bool force,
                   struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetSnapshotProperties) get = SHADOWPIPE__V1__GET_SNAPSHOT_PROPERTIES__INIT;
    PB(RevertToSnapshot) parameters = SHADOWPIPE__V1__REVERT_TO_SNAPSHOT__INIT;
    get.snapshot_id = (char *)id;
    call.method_case = PB_METHOD(GET_SNAPSHOT_PROPERTIES);
    call.get_snapshot_properties = &get;
    struct message *reply = object_call(shell, object, &call, error);
    if (!reply)
        return false;
    const PB(CallReply) *answer = reply->envelope->call_reply;
    bool known =
        answer->out_case == PB_OUT(GET_SNAPSHOT_PROPERTIES) && answer->get_snapshot_properties->snapshot;
    const char *volume = known ? answer->get_snapshot_properties->snapshot->volume_guid_path : "";
    parameters.snapshot_id = (char *)id;
    parameters.force_dismount = force;
    call.method_case = PB_METHOD(REVERT_TO_SNAPSHOT);
    call.revert_to_snapshot = &parameters;
    bool ok =
        object_do(shell, object, &call, error) && (!known || wait_for_revert(shell, object, volume, error));
    message_free(reply);
    return ok;
}

bool shell_revert(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool yes = false;
    bool force = false;
    struct object other = {.id = ""};
    for (size_t i = 1; i < count; i++) {
        bool is_force = equal_ignoring_case(words[i], "force");
        if (!is_force && !equal_ignoring_case(words[i], "--yes"))
            return shell_wrong(error, "revert ID --yes [force]", "\"%s\" is not understood.", words[i]);
        force = force || is_force;
        yes = yes || !is_force;
    }
    if (!yes)
        return shell_wrong(error, "Add --yes if that is meant.",
                           "A revert puts the whole volume back, cannot be stopped, and cannot be undone.");
    char *id = spec_copy(words[0]);
    const struct object *object = id ? object_for(shell, id, &other, error) : NULL;
    bool ok = object && revert(shell, object, id, force, error);
    if (!id)
        (void)shell_no_memory(error);
    free(id);
    return object_close(shell, &other, ok ? error : NULL) && ok;
}

/* ---- LUN resynchronisation ---- */

bool shell_add_shadow(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct resync resync = {.snapshot_id = spec_copy(words[0]), .destination = NULL};
    struct text destination = {0};
    text_add(&destination, count == 2 ? words[1] : "");
    if (destination.size > 0 && destination.data[destination.size - 1] != '\\')
        text_add(&destination, "\\");
    resync.destination = destination.data;
    if (resync.snapshot_id && resync.destination && !destination.failed &&
        shell->resyncs_count < VOLUMES_MAX) {
        shell->resyncs[shell->resyncs_count++] = resync;
        return true;
    }
    free(resync.snapshot_id);
    free(resync.destination);
    return shell->resyncs_count == VOLUMES_MAX
               ? shell_wrong(error, "", "A set has at most %d volumes.", VOLUMES_MAX)
               : shell_no_memory(error);
}

static bool recover(struct shell *shell, uint32_t flags, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(InitializeForRestore) initialize = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    PB(RecoverSet) set = SHADOWPIPE__V1__RECOVER_SET__INIT;
    call.method_case = PB_METHOD(INITIALIZE_FOR_RESTORE);
    call.initialize_for_restore = &initialize;
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    for (size_t i = 0; i < shell->resyncs_count; i++) {
        PB(AddSnapshotToRecoverySet) add = SHADOWPIPE__V1__ADD_SNAPSHOT_TO_RECOVERY_SET__INIT;
        add.snapshot_id = shell->resyncs[i].snapshot_id;
        add.destination = shell->resyncs[i].destination;
        call.method_case = PB_METHOD(ADD_SNAPSHOT_TO_RECOVERY_SET);
        call.add_snapshot_to_recovery_set = &add;
        if (!object_do(shell, &shell->object, &call, error))
            return false;
    }
    set.flags = flags;
    call.method_case = PB_METHOD(RECOVER_SET);
    call.recover_set = &set;
    return object_do(shell, &shell->object, &call, error);
}

bool shell_resync(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < count; i++) {
        const struct word_value *flag = FIND_WORD(resync_flags, words[i]);
        if (!flag)
            return shell_wrong(error, "resync [novolcheck] [revert_originalsig]", "\"%s\" is not understood.",
                               words[i]);
        flags |= flag->value;
    }
    if (!shell->document || shell->resyncs_count == 0)
        return shell_wrong(error, "\"load metadata FILE\" and \"add shadow ID [VOLUME]\" first.",
                           "It is not said which copies are to be put back.");
    if (shell->stage != STAGE_CLOSED)
        return shell_wrong(error, "\"reset\" first.", "A backup or restore is open already.");
    bool ok = object_open(shell, &shell->object, PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE), true, error) &&
              recover(shell, flags, error);
    return shell_close(shell, ok ? error : NULL) && ok;
}
