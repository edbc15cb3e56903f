/* The methods of a restore, in the order in which a restore calls them. */
#include "service/requester/component.h"
#include "service/requester/documents.h"
#include "service/requester/methods.h"

HRESULT initialize_for_restore(struct session *session, const PB(Call) * call, struct reply *reply)
{
    BSTR xml;
    HRESULT hresult = documents_take(session, reply, "initialize_for_restore.document_id",
                                     call->initialize_for_restore->document_id, &xml);
    if (FAILED(hresult)) {
        return hresult;
    }
    if (xml == NULL) {
        xml = SysAllocString(L""); /* VSS shall say what it thinks of it */
        if (xml == NULL) {
            return E_OUTOFMEMORY;
        }
    }
    hresult = IVssBackupComponents_InitializeForRestore(session->object, xml);
    SysFreeString(xml);
    if (SUCCEEDED(hresult)) {
        session->record.object = OBJECT_RESTORE;
    }
    return hresult;
}

HRESULT set_restore_state(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)reply;
    return IVssBackupComponents_SetRestoreState(session->object,
                                                (VSS_RESTORE_TYPE)call->set_restore_state->restore_type);
}

/* ---- What is to be restored. ---- */

HRESULT set_selected_for_restore(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_selected_for_restore->component, &component, &hresult)) {
        return hresult;
    }
    return session->object->lpVtbl->SetSelectedForRestore(session->object, COMPONENT_ARGUMENTS(component),
                                                          call->set_selected_for_restore->selected ? 1 : 0);
}

HRESULT set_selected_for_restore_ex(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    IVssBackupComponentsEx *object;
    if (!component_parse(reply, call->set_selected_for_restore_ex->component, &component, &hresult)) {
        return hresult;
    }
    hresult = session_ex(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    return object->lpVtbl->SetSelectedForRestoreEx(object, COMPONENT_ARGUMENTS(component),
                                                   call->set_selected_for_restore_ex->selected ? 1 : 0,
                                                   component.instance_id);
}

HRESULT set_restore_options(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_restore_options->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *options = reply_wide(reply, call->set_restore_options->options);
    if (options == NULL) {
        return E_OUTOFMEMORY;
    }
    return session->object->lpVtbl->SetRestoreOptions(session->object, COMPONENT_ARGUMENTS(component),
                                                      options);
}

HRESULT set_additional_restores(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_additional_restores->component, &component, &hresult)) {
        return hresult;
    }
    return session->object->lpVtbl->SetAdditionalRestores(session->object, COMPONENT_ARGUMENTS(component),
                                                          call->set_additional_restores->additional ? 1 : 0);
}

HRESULT add_restore_subcomponent(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(AddRestoreSubcomponent) *in = call->add_restore_subcomponent;
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, in->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *path = reply_wide(reply, in->sub_logical_path);
    const wchar_t *name = reply_wide(reply, in->sub_name);
    if (path == NULL || name == NULL) {
        return E_OUTOFMEMORY;
    }
    return session->object->lpVtbl->AddRestoreSubcomponent(session->object, COMPONENT_ARGUMENTS(component),
                                                           path, name, in->repair ? 1 : 0);
}

HRESULT set_authoritative_restore(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    IVssBackupComponentsEx2 *object;
    if (!component_parse(reply, call->set_authoritative_restore->component, &component, &hresult)) {
        return hresult;
    }
    hresult = session_ex2(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    return object->lpVtbl->SetAuthoritativeRestore(object, COMPONENT_ARGUMENTS(component),
                                                   call->set_authoritative_restore->authoritative ? 1 : 0);
}

HRESULT set_roll_forward(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    IVssBackupComponentsEx2 *object;
    if (!component_parse(reply, call->set_roll_forward->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *point = reply_wide(reply, call->set_roll_forward->point);
    if (point == NULL) {
        return E_OUTOFMEMORY;
    }
    hresult = session_ex2(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    return object->lpVtbl->SetRollForward(object, COMPONENT_ARGUMENTS(component),
                                          (VSS_ROLLFORWARD_TYPE)call->set_roll_forward->type, point);
}

HRESULT set_restore_name(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    IVssBackupComponentsEx2 *object;
    if (!component_parse(reply, call->set_restore_name->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *name = reply_wide(reply, call->set_restore_name->name);
    if (name == NULL) {
        return E_OUTOFMEMORY;
    }
    hresult = session_ex2(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    return object->lpVtbl->SetRestoreName(object, COMPONENT_ARGUMENTS(component), name);
}

/* ---- Where it goes. ---- */

HRESULT add_new_target(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(AddNewTarget) *in = call->add_new_target;
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, in->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *path = reply_wide(reply, in->path);
    const wchar_t *file = reply_wide(reply, in->file_name);
    const wchar_t *alternate = reply_wide(reply, in->alternate_path);
    if (reply->no_memory) {
        return E_OUTOFMEMORY;
    }
    return session->object->lpVtbl->AddNewTarget(session->object, COMPONENT_ARGUMENTS(component), path, file,
                                                 in->recursive ? 1 : 0, alternate);
}

HRESULT add_alternative_location_mapping(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(AddAlternativeLocationMapping) *in = call->add_alternative_location_mapping;
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, in->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *path = reply_wide(reply, in->path);
    const wchar_t *filespec = reply_wide(reply, in->filespec);
    const wchar_t *destination = reply_wide(reply, in->destination);
    if (reply->no_memory) {
        return E_OUTOFMEMORY;
    }
    return session->object->lpVtbl->AddAlternativeLocationMapping(
        session->object, COMPONENT_ARGUMENTS(component), path, filespec, in->recursive ? 1 : 0, destination);
}

HRESULT set_ranges_file_path(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(SetRangesFilePath) *in = call->set_ranges_file_path;
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, in->component, &component, &hresult)) {
        return hresult;
    }
    const wchar_t *file = reply_wide(reply, in->ranges_file);
    if (file == NULL) {
        return E_OUTOFMEMORY;
    }
    return session->object->lpVtbl->SetRangesFilePath(session->object, COMPONENT_ARGUMENTS(component),
                                                      in->partial_file_index, file);
}

HRESULT set_file_restore_status(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct component component;
    HRESULT hresult;
    if (!component_parse(reply, call->set_file_restore_status->component, &component, &hresult)) {
        return hresult;
    }
    return session->object->lpVtbl->SetFileRestoreStatus(
        session->object, COMPONENT_ARGUMENTS(component),
        (VSS_FILE_RESTORE_STATUS)call->set_file_restore_status->status);
}

/* ---- The events. ---- */

HRESULT pre_restore(struct session *session, const PB(Call) * call, struct reply *reply, IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_PreRestore(session->object, async);
}

HRESULT post_restore(struct session *session, const PB(Call) * call, struct reply *reply, IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_PostRestore(session->object, async);
}
