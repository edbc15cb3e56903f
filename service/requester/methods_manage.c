/* Snapshots that exist: where they show, whose they are, and volumes that go back to them. */
#include "service/requester/methods.h"
#include "service/requester/text.h"

/* What VSS allocated, onto the wire. */
static char *take_task_text(struct reply *reply, VSS_PWSZ text)
{
    char *result = reply_text(reply, text);
    CoTaskMemFree(text);
    return result;
}

HRESULT expose_snapshot(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(ExposeSnapshot) *in = call->expose_snapshot;
    VSS_ID snapshot_id;
    if (!reply_parse_guid(reply, "expose_snapshot.snapshot_id", in->snapshot_id, &snapshot_id)) {
        return E_INVALIDARG;
    }
    wchar_t *path = reply_wide_or_null(reply, in->path_from_root); /* NULL for a local exposure */
    wchar_t *expose = reply_wide_or_null(reply, in->expose);       /* NULL: VSS chooses */
    if (reply->no_memory) {
        return E_OUTOFMEMORY;
    }
    VSS_PWSZ exposed = NULL;
    HRESULT hresult = IVssBackupComponents_ExposeSnapshot(session->object, snapshot_id, path,
                                                          (LONG)in->attributes, expose, &exposed);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(ExposeSnapshotResult) *out =
        REPLY_OUT(reply, EXPOSE_SNAPSHOT, expose_snapshot, expose_snapshot_result);
    char *text = take_task_text(reply, exposed);
    if (out != NULL) {
        out->exposed = text;
    }
    return hresult;
}

HRESULT unexpose_snapshot(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID snapshot_id;
    IVssBackupComponentsEx2 *object;
    if (!reply_parse_guid(reply, "unexpose_snapshot.snapshot_id", call->unexpose_snapshot->snapshot_id,
                          &snapshot_id)) {
        return E_INVALIDARG;
    }
    HRESULT hresult = session_ex2(session, &object);
    return FAILED(hresult) ? hresult : IVssBackupComponentsEx2_UnexposeSnapshot(object, snapshot_id);
}

HRESULT break_snapshot_set(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID set_id;
    if (!reply_parse_guid(reply, "break_snapshot_set.set_id", call->break_snapshot_set->set_id, &set_id)) {
        return E_INVALIDARG;
    }
    return IVssBackupComponents_BreakSnapshotSet(session->object, set_id);
}

HRESULT break_snapshot_set_ex(struct session *session, const PB(Call) * call, struct reply *reply,
                              IVssAsync **async)
{
    const PB(BreakSnapshotSetEx) *in = call->break_snapshot_set_ex;
    VSS_ID set_id;
    IVssBackupComponentsEx2 *object;
    if (!reply_parse_guid(reply, "break_snapshot_set_ex.set_id", in->set_id, &set_id)) {
        return E_INVALIDARG;
    }
    HRESULT hresult = session_ex2(session, &object);
    return FAILED(hresult) ? hresult
                           : IVssBackupComponentsEx2_BreakSnapshotSetEx(object, set_id, in->flags, async);
}

HRESULT import_snapshots(struct session *session, const PB(Call) * call, struct reply *reply,
                         IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_ImportSnapshots(session->object, async);
}

/* ---- Volumes that go back. ---- */

HRESULT revert_to_snapshot(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID snapshot_id;
    if (!reply_parse_guid(reply, "revert_to_snapshot.snapshot_id", call->revert_to_snapshot->snapshot_id,
                          &snapshot_id)) {
        return E_INVALIDARG;
    }
    return IVssBackupComponents_RevertToSnapshot(session->object, snapshot_id,
                                                 call->revert_to_snapshot->force_dismount ? TRUE : FALSE);
}

HRESULT query_revert_status(struct session *session, const PB(Call) * call, struct reply *reply,
                            IVssAsync **async)
{
    wchar_t *volume = reply_wide(reply, call->query_revert_status->volume);
    return volume == NULL ? E_OUTOFMEMORY
                          : IVssBackupComponents_QueryRevertStatus(session->object, volume, async);
}

HRESULT should_block_revert(struct session *session, const PB(Call) * call, struct reply *reply)
{
    if (session->library.module == NULL) {
        reply->failed_method = session->ready.method;
        return session->ready.hresult;
    }
    wchar_t *volume = reply_wide(reply, call->should_block_revert->volume);
    if (volume == NULL) {
        return E_OUTOFMEMORY;
    }
    boolean block = 0;
    HRESULT hresult = session->library.should_block_revert(volume, &block);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(ShouldBlockRevertResult) *out =
        REPLY_OUT(reply, SHOULD_BLOCK_REVERT, should_block_revert, should_block_revert_result);
    if (out != NULL) {
        out->block = block != 0;
    }
    return hresult;
}

HRESULT add_snapshot_to_recovery_set(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(AddSnapshotToRecoverySet) *in = call->add_snapshot_to_recovery_set;
    VSS_ID snapshot_id;
    IVssBackupComponentsEx3 *object;
    if (!reply_parse_guid(reply, "add_snapshot_to_recovery_set.snapshot_id", in->snapshot_id, &snapshot_id)) {
        return E_INVALIDARG;
    }
    wchar_t *destination = reply_wide_or_null(reply, in->destination); /* NULL: the original volume */
    if (reply->no_memory) {
        return E_OUTOFMEMORY;
    }
    HRESULT hresult = session_ex3(session, &object);
    return FAILED(hresult) ? hresult
                           : IVssBackupComponentsEx3_AddSnapshotToRecoverySet(object, snapshot_id, in->flags,
                                                                              destination);
}

HRESULT recover_set(struct session *session, const PB(Call) * call, struct reply *reply, IVssAsync **async)
{
    (void)reply;
    IVssBackupComponentsEx3 *object;
    HRESULT hresult = session_ex3(session, &object);
    return FAILED(hresult) ? hresult
                           : IVssBackupComponentsEx3_RecoverSet(object, call->recover_set->flags, async);
}

/* ---- Paths. ---- */

HRESULT get_root_and_logical_prefix_paths(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(GetRootAndLogicalPrefixPaths) *in = call->get_root_and_logical_prefix_paths;
    IVssBackupComponentsEx4 *object;
    wchar_t *path = reply_wide(reply, in->path);
    if (path == NULL) {
        return E_OUTOFMEMORY;
    }
    HRESULT hresult = session_ex4(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    VSS_PWSZ root = NULL;
    VSS_PWSZ prefix = NULL;
    hresult = IVssBackupComponentsEx4_GetRootAndLogicalPrefixPaths(object, path, &root, &prefix,
                                                                   in->normalize ? TRUE : FALSE);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetRootAndLogicalPrefixPathsResult) *out =
        REPLY_OUT(reply, GET_ROOT_AND_LOGICAL_PREFIX_PATHS, get_root_and_logical_prefix_paths,
                  get_root_and_logical_prefix_paths_result);
    char *root_text = take_task_text(reply, root);
    char *prefix_text = take_task_text(reply, prefix);
    if (out != NULL) {
        out->root = root_text;
        out->logical_prefix = prefix_text;
    }
    return hresult;
}
