/* The methods of a backup, in the order in which a backup calls them. */
#include "proto/status.h"
#include "service/requester/component.h"
#include "service/requester/documents.h"
#include "service/requester/methods.h"
#include "service/requester/text.h"

HRESULT create_object(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    if (session->object != NULL) {
        reply->message.status = status_make(reply->arena, PB_CODE(FAILED_PRECONDITION), "OBJECT_EXISTS",
                                            "this requester has an object already; it owns one at a time");
        reply->no_memory |= reply->message.status == NULL;
        return VSS_E_BAD_STATE;
    }
    if (session->library.module == NULL) {
        reply->failed_method = session->ready.method;
        return session->ready.hresult;
    }
    IVssBackupComponents *object = NULL;
    HRESULT hresult = session->library.create_backup_components(&object);
    if (SUCCEEDED(hresult) && object == NULL) {
        hresult = E_POINTER;
    }
    if (SUCCEEDED(hresult)) {
        documents_free(session); /* those of the object before could be read until now */
        session->object = object;
        session->record = (struct record){.object = OBJECT_NEW};
    }
    return hresult;
}

HRESULT release_object(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    (void)reply;
    session_release(session);
    return S_OK;
}

HRESULT initialize_for_backup(struct session *session, const PB(Call) * call, struct reply *reply)
{
    BSTR xml; /* of a transportable set that is to be imported; NULL for a new backup */
    HRESULT hresult = documents_take(session, reply, "initialize_for_backup.document_id",
                                     call->initialize_for_backup->document_id, &xml);
    if (FAILED(hresult)) {
        return hresult;
    }
    hresult = IVssBackupComponents_InitializeForBackup(session->object, xml);
    SysFreeString(xml);
    if (SUCCEEDED(hresult)) {
        session->record.object = OBJECT_BACKUP;
    }
    return hresult;
}

HRESULT set_context(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)reply;
    LONG context = (LONG)call->set_context->context;
    HRESULT hresult = IVssBackupComponents_SetContext(session->object, context);
    if (SUCCEEDED(hresult)) {
        session->record.context_set = true;
        session->record.context = context;
    }
    return hresult;
}

HRESULT set_backup_state(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)reply;
    const PB(SetBackupState) *in = call->set_backup_state;
    HRESULT hresult = IVssBackupComponents_SetBackupState(
        session->object, in->select_components ? 1 : 0, in->bootable_system_state ? 1 : 0,
        (VSS_BACKUP_TYPE)in->backup_type, in->partial_file_support ? 1 : 0);
    if (SUCCEEDED(hresult)) {
        session->record.state_set = true;
        session->record.component_mode = in->select_components;
    }
    return hresult;
}

/* ---- Components. ---- */

HRESULT add_component(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->add_component->component, &component, &hresult)) {
        return hresult;
    }
    return IVssBackupComponents_AddComponent(session->object, component.instance_id, component.writer_id,
                                             component.type, component.logical_path, component.name);
}

HRESULT set_backup_succeeded(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_backup_succeeded->component, &component, &hresult)) {
        return hresult;
    }
    return IVssBackupComponents_SetBackupSucceeded(
        session->object, component.instance_id, component.writer_id, component.type, component.logical_path,
        component.name, call->set_backup_succeeded->succeeded ? 1 : 0);
}

HRESULT set_backup_options(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_backup_options->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *options = reply_wide(reply, call->set_backup_options->options);
    if (options == NULL) {
        return E_OUTOFMEMORY;
    }
    return IVssBackupComponents_SetBackupOptions(session->object, component.writer_id, component.type,
                                                 component.logical_path, component.name, options);
}

HRESULT set_previous_backup_stamp(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_previous_backup_stamp->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *stamp = reply_wide(reply, call->set_previous_backup_stamp->stamp);
    if (stamp == NULL) {
        return E_OUTOFMEMORY;
    }
    return IVssBackupComponents_SetPreviousBackupStamp(session->object, component.writer_id, component.type,
                                                       component.logical_path, component.name, stamp);
}

/* ---- The snapshot set. ---- */

HRESULT start_snapshot_set(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    VSS_ID set_id = GUID_NULL;
    HRESULT hresult = IVssBackupComponents_StartSnapshotSet(session->object, &set_id);
    if (FAILED(hresult)) {
        return hresult;
    }
    session->record.set = SET_OPEN;
    session->record.set_id = set_id;
    session->record.snapshots_count = 0;
    PB(StartSnapshotSetResult) *out =
        REPLY_OUT(reply, START_SNAPSHOT_SET, start_snapshot_set, start_snapshot_set_result);
    if (out != NULL) {
        out->set_id = reply_guid(reply, &set_id);
    }
    return hresult;
}

HRESULT add_to_snapshot_set(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID provider_id;
    if (!reply_parse_guid(reply, "add_to_snapshot_set.provider_id", call->add_to_snapshot_set->provider_id,
                          &provider_id)) {
        return E_INVALIDARG;
    }
    wchar_t *volume = reply_wide(reply, call->add_to_snapshot_set->volume);
    if (volume == NULL) {
        return E_OUTOFMEMORY;
    }
    VSS_ID snapshot_id = GUID_NULL;
    HRESULT hresult =
        IVssBackupComponents_AddToSnapshotSet(session->object, volume, provider_id, &snapshot_id);
    if (FAILED(hresult)) {
        return hresult;
    }
    struct record *record = &session->record;
    if (record->snapshots_count < RECORD_SNAPSHOTS_MAX) {
        record->snapshots[record->snapshots_count++] = snapshot_id;
    }
    PB(AddToSnapshotSetResult) *out =
        REPLY_OUT(reply, ADD_TO_SNAPSHOT_SET, add_to_snapshot_set, add_to_snapshot_set_result);
    if (out != NULL) {
        out->snapshot_id = reply_guid(reply, &snapshot_id);
    }
    return hresult;
}

HRESULT prepare_for_backup(struct session *session, const PB(Call) * call, struct reply *reply,
                           IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_PrepareForBackup(session->object, async);
}

HRESULT do_snapshot_set(struct session *session, const PB(Call) * call, struct reply *reply,
                        IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_DoSnapshotSet(session->object, async);
}

HRESULT backup_complete(struct session *session, const PB(Call) * call, struct reply *reply,
                        IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_BackupComplete(session->object, async);
}

HRESULT abort_backup(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    (void)reply;
    HRESULT hresult = IVssBackupComponents_AbortBackup(session->object);
    if (SUCCEEDED(hresult)) {
        session->record.aborted = true;
    }
    return hresult;
}

/* ---- Documents and identity. ---- */

HRESULT save_as_xml(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    BSTR xml = NULL;
    HRESULT hresult = IVssBackupComponents_SaveAsXML(session->object, &xml);
    if (FAILED(hresult)) {
        return hresult;
    }
    HRESULT kept = xml != NULL ? documents_keep(session, NULL, xml) : E_POINTER;
    SysFreeString(xml);
    if (FAILED(kept)) {
        reply->failed_method = "keeping the document";
        return kept;
    }
    PB(SaveAsXMLResult) *out = REPLY_OUT(reply, SAVE_AS_XML, save_as_xml, save_as_xmlresult);
    if (out != NULL) {
        out->document = documents_describe(session, reply, NULL);
    }
    return hresult;
}

HRESULT get_session_id(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    IVssBackupComponentsEx3 *object;
    HRESULT hresult = session_ex3(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    VSS_ID session_id = GUID_NULL;
    hresult = IVssBackupComponentsEx3_GetSessionId(object, &session_id);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetSessionIdResult) *out = REPLY_OUT(reply, GET_SESSION_ID, get_session_id, get_session_id_result);
    if (out != NULL) {
        out->session_id = reply_guid(reply, &session_id);
    }
    return hresult;
}
