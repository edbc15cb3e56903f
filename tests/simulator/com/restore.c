/* The slots about components in the Backup Components Document, and about restore. */
#include "async.h"
#include "backup.h"
#include "components.h"
#include "engine/document.h"

#define KEY(instance)                       \
    (struct component_key)                  \
    {                                       \
        &writer, instance, type, path, name \
    }
#define YES_NO(flag) ((flag) ? L"yes" : L"no")

static HRESULT edit(BACKUP *This, const wchar_t *method, struct component_key key, BOOL arguments_are_good,
                    struct component_edit how)
{
    struct call call;
    BOOL known = key.type == VSS_CT_DATABASE || key.type == VSS_CT_FILEGROUP;
    if (call_begin(&call, This, method, known && key.name && arguments_are_good))
        call.hr = session_edit_component(call.session, &key, &how);
    return call_end(&call);
}

static HRESULT set_one(BACKUP *This, const wchar_t *method, struct component_key key,
                       enum component_phase phase, const wchar_t *attribute, const wchar_t *value)
{
    return edit(This, method, key, value != NULL,
                (struct component_edit){.phase = phase, .set = {{attribute, value}}});
}

SLOT(GetWriterComponents, UINT index, IVssWriterComponentsExt **out)
{
    struct call call;
    struct xml *writer = NULL;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, L"GetWriterComponents", out != NULL)) {
        call.hr = session_writer_components(call.session, index, &writer);
        if (SUCCEEDED(call.hr))
            call.hr = writer_components_create(writer, out);
    }
    return call_end(&call);
}

SLOT(InitializeForRestore, BSTR xml)
{
    struct call call;
    if (call_begin(&call, This, L"InitializeForRestore", xml != NULL))
        call.hr = session_initialize_restore(call.session, xml);
    return call_end(&call);
}

SLOT(SetRestoreState, VSS_RESTORE_TYPE type)
{
    struct call call;
    BOOL known = type >= VSS_RTYPE_UNDEFINED && type <= VSS_RTYPE_OTHER;
    if (call_begin(&call, This, L"SetRestoreState", known))
        call.hr = session_set_restore_state(call.session, type);
    return call_end(&call);
}

SLOT(SetBackupSucceeded, VSS_ID instance, WITH_COMPONENT, boolean succeeded)
{
    return set_one(This, L"SetBackupSucceeded", KEY(&instance), COMPONENT_AFTER_SNAPSHOT, L"backupSucceeded",
                   YES_NO(succeeded));
}

SLOT(SetBackupOptions, WITH_COMPONENT, LPCWSTR options)
{
    return set_one(This, L"SetBackupOptions", KEY(NULL), COMPONENT_BEFORE_PREPARE, L"backupOptions", options);
}

SLOT(SetPreviousBackupStamp, WITH_COMPONENT, LPCWSTR stamp)
{
    return set_one(This, L"SetPreviousBackupStamp", KEY(NULL), COMPONENT_BEFORE_PREPARE,
                   L"previousBackupStamp", stamp);
}

static HRESULT select_component(BACKUP *This, const wchar_t *method, struct component_key key,
                                boolean selected)
{
    return edit(This, method, key, TRUE,
                (struct component_edit){.phase = COMPONENT_BEFORE_RESTORE,
                                        .only_live = TRUE,
                                        .set = {{L"selectedForRestore", YES_NO(selected)}}});
}

SLOT(SetSelectedForRestore, WITH_COMPONENT, boolean selected)
{
    return select_component(This, L"SetSelectedForRestore", KEY(NULL), selected);
}

SLOT(SetSelectedForRestoreEx, WITH_COMPONENT, boolean selected, VSS_ID instance)
{
    BOOL any = IsEqualGUID(&instance, &GUID_NULL);
    return select_component(This, L"SetSelectedForRestoreEx", KEY(any ? NULL : &instance), selected);
}

SLOT(SetRestoreOptions, WITH_COMPONENT, LPCWSTR options)
{
    return set_one(This, L"SetRestoreOptions", KEY(NULL), COMPONENT_BEFORE_RESTORE, L"restoreOptions",
                   options);
}

SLOT(SetAdditionalRestores, WITH_COMPONENT, boolean additional)
{
    return set_one(This, L"SetAdditionalRestores", KEY(NULL), COMPONENT_BEFORE_RESTORE, L"additionalRestores",
                   YES_NO(additional));
}

SLOT(SetAuthoritativeRestore, WITH_COMPONENT, boolean authoritative)
{
    return set_one(This, L"SetAuthoritativeRestore", KEY(NULL), COMPONENT_BEFORE_RESTORE,
                   L"authoritativeRestore", YES_NO(authoritative));
}

SLOT(SetRestoreName, WITH_COMPONENT, LPCWSTR as)
{
    return set_one(This, L"SetRestoreName", KEY(NULL), COMPONENT_BEFORE_RESTORE, L"restoreName", as);
}

SLOT(SetRollForward, WITH_COMPONENT, VSS_ROLLFORWARD_TYPE roll, LPCWSTR point)
{
    static const wchar_t *const words[] = {L"undefined", L"none", L"all", L"partial"};
    BOOL good = roll >= VSS_RF_NONE && roll <= VSS_RF_PARTIAL && (roll != VSS_RF_PARTIAL || point);
    return edit(This, L"SetRollForward", KEY(NULL), good,
                (struct component_edit){
                    .phase = COMPONENT_BEFORE_RESTORE,
                    .set = {{L"rollForward", good ? words[roll] : NULL}, {L"rollForwardPoint", point}}});
}

SLOT(AddAlternativeLocationMapping, WITH_COMPONENT, LPCWSTR from, LPCWSTR spec, boolean recursive, LPCWSTR to)
{
    return edit(This, L"AddAlternativeLocationMapping", KEY(NULL), from && spec && to,
                (struct component_edit){.phase = COMPONENT_DURING_RESTORE,
                                        .child = BCD_MAPPING,
                                        .set = {{L"path", from},
                                                {L"filespec", spec},
                                                {L"recursive", YES_NO(recursive)},
                                                {L"alternatePath", to}}});
}

SLOT(AddNewTarget, WITH_COMPONENT, LPCWSTR from, LPCWSTR file, boolean recursive, LPCWSTR to)
{
    return edit(This, L"AddNewTarget", KEY(NULL), from && file && to,
                (struct component_edit){.phase = COMPONENT_BEFORE_RESTORE,
                                        .child = BCD_NEW_TARGET,
                                        .set = {{L"path", from},
                                                {L"filespec", file},
                                                {L"recursive", YES_NO(recursive)},
                                                {L"alternatePath", to}}});
}

SLOT(AddRestoreSubcomponent, WITH_COMPONENT, LPCWSTR sub_path, LPCWSTR sub_name, boolean repair)
{
    return edit(This, L"AddRestoreSubcomponent", KEY(NULL), sub_path && sub_name && !repair,
                (struct component_edit){
                    .phase = COMPONENT_BEFORE_RESTORE,
                    .child = BCD_SUBCOMPONENT,
                    .only_selected = TRUE,
                    .set = {{L"logicalPath", sub_path}, {L"componentName", sub_name}, {L"repair", L"no"}}});
}

SLOT(SetFileRestoreStatus, WITH_COMPONENT, VSS_FILE_RESTORE_STATUS status)
{
    static const wchar_t *const words[] = {L"undefined", L"none", L"all", L"failed"};
    BOOL known = status >= VSS_RS_NONE && status <= VSS_RS_FAILED;
    return set_one(This, L"SetFileRestoreStatus", KEY(NULL), COMPONENT_WHILE_RESTORING, L"fileRestoreStatus",
                   known ? words[status] : NULL);
}

SLOT(SetRangesFilePath, WITH_COMPONENT, UINT index, LPCWSTR file)
{
    return edit(This, L"SetRangesFilePath", KEY(NULL), file != NULL,
                (struct component_edit){.phase = COMPONENT_DURING_RESTORE,
                                        .child = BCD_PARTIAL_FILE,
                                        .child_exists = TRUE,
                                        .index = index,
                                        .set = {{L"ranges", file}}});
}

SLOT(PreRestore, IVssAsync **out)
{
    return call_start(This, L"PreRestore", OPERATION_PRE_RESTORE, out);
}

SLOT(PostRestore, IVssAsync **out)
{
    return call_start(This, L"PostRestore", OPERATION_POST_RESTORE, out);
}
