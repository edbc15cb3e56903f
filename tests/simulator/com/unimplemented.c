/* The slots that are not on the backup path. They check what every method checks, arguments before state, and
 * then say E_NOTIMPL; a scenario can make them answer otherwise. */
#include "backup.h"

static HRESULT refuse(BACKUP *This, const wchar_t *method, BOOL arguments_are_good)
{
    struct call call;
    if (call_begin(&call, This, method, arguments_are_good)) {
        call.hr = session_check_initialized(call.session);
        if (SUCCEEDED(call.hr))
            call.hr = E_NOTIMPL;
    }
    return call_end(&call);
}

static HRESULT refuse_object(BACKUP *This, const wchar_t *method, BOOL arguments_are_good, void *out)
{
    void **object = out;
    if (object)
        *object = NULL;
    return refuse(This, method, object && arguments_are_good);
}

static HRESULT refuse_component(BACKUP *This, const wchar_t *method, VSS_COMPONENT_TYPE type, LPCWSTR name,
                                BOOL rest)
{
    BOOL known = type == VSS_CT_DATABASE || type == VSS_CT_FILEGROUP;
    return refuse(This, method, known && name && rest);
}

SLOT(GetWriterComponents, UINT index, IVssWriterComponentsExt **out)
{
    (void)index;
    return refuse_object(This, L"GetWriterComponents", TRUE, out);
}

/* Not on the path, but it does not need an initialised object. */
SLOT(InitializeForRestore, BSTR xml)
{
    struct call call;
    if (call_begin(&call, This, L"InitializeForRestore", xml != NULL))
        call.hr = SUCCEEDED(session_check_initialized(call.session)) ? VSS_E_BAD_STATE : E_NOTIMPL;
    return call_end(&call);
}

SLOT(SetRestoreState, VSS_RESTORE_TYPE type)
{
    return refuse(This, L"SetRestoreState", type >= VSS_RTYPE_UNDEFINED && type <= VSS_RTYPE_OTHER);
}

SLOT(SetBackupOptions, WITH_COMPONENT, LPCWSTR options)
{
    (void)writer, (void)path;
    return refuse_component(This, L"SetBackupOptions", type, name, options != NULL);
}

SLOT(SetSelectedForRestore, WITH_COMPONENT, boolean selected)
{
    (void)writer, (void)path, (void)selected;
    return refuse_component(This, L"SetSelectedForRestore", type, name, TRUE);
}

SLOT(SetRestoreOptions, WITH_COMPONENT, LPCWSTR options)
{
    (void)writer, (void)path;
    return refuse_component(This, L"SetRestoreOptions", type, name, options != NULL);
}

SLOT(SetAdditionalRestores, WITH_COMPONENT, boolean additional)
{
    (void)writer, (void)path, (void)additional;
    return refuse_component(This, L"SetAdditionalRestores", type, name, TRUE);
}

SLOT(SetPreviousBackupStamp, WITH_COMPONENT, LPCWSTR stamp)
{
    (void)writer, (void)path;
    return refuse_component(This, L"SetPreviousBackupStamp", type, name, stamp != NULL);
}

SLOT(AddAlternativeLocationMapping, WITH_COMPONENT, LPCWSTR from, LPCWSTR spec, boolean recursive, LPCWSTR to)
{
    (void)writer, (void)path, (void)recursive;
    return refuse_component(This, L"AddAlternativeLocationMapping", type, name, from && spec && to);
}

SLOT(AddRestoreSubcomponent, WITH_COMPONENT, LPCWSTR sub_path, LPCWSTR sub_name, boolean repair)
{
    (void)writer, (void)path;
    return refuse_component(This, L"AddRestoreSubcomponent", type, name, sub_path && sub_name && !repair);
}

SLOT(SetFileRestoreStatus, WITH_COMPONENT, VSS_FILE_RESTORE_STATUS status)
{
    (void)writer, (void)path;
    return refuse_component(This, L"SetFileRestoreStatus", type, name,
                            status >= VSS_RS_NONE && status <= VSS_RS_FAILED);
}

SLOT(AddNewTarget, WITH_COMPONENT, LPCWSTR from, LPCWSTR file, boolean recursive, LPCWSTR to)
{
    (void)writer, (void)path, (void)recursive;
    return refuse_component(This, L"AddNewTarget", type, name, from && file && to);
}

SLOT(SetRangesFilePath, WITH_COMPONENT, UINT index, LPCWSTR file)
{
    (void)writer, (void)path, (void)index;
    return refuse_component(This, L"SetRangesFilePath", type, name, file != NULL);
}

SLOT(PreRestore, IVssAsync **out)
{
    return refuse_object(This, L"PreRestore", TRUE, out);
}

SLOT(PostRestore, IVssAsync **out)
{
    return refuse_object(This, L"PostRestore", TRUE, out);
}

SLOT(ImportSnapshots, IVssAsync **out)
{
    return refuse_object(This, L"ImportSnapshots", TRUE, out);
}

SLOT(BreakSnapshotSet, VSS_ID set)
{
    (void)set;
    return refuse(This, L"BreakSnapshotSet", TRUE);
}

SLOT(ExposeSnapshot, VSS_ID id, VSS_PWSZ path, LONG attributes, VSS_PWSZ as, VSS_PWSZ *exposed)
{
    (void)id, (void)path, (void)attributes, (void)as;
    return refuse_object(This, L"ExposeSnapshot", TRUE, exposed);
}

SLOT(RevertToSnapshot, VSS_ID id, WINBOOL force)
{
    (void)id, (void)force;
    return refuse(This, L"RevertToSnapshot", TRUE);
}

SLOT(QueryRevertStatus, VSS_PWSZ volume, IVssAsync **out)
{
    return refuse_object(This, L"QueryRevertStatus", volume != NULL, out);
}

SLOT(SetSelectedForRestoreEx, WITH_COMPONENT, boolean selected, VSS_ID instance)
{
    (void)writer, (void)path, (void)selected, (void)instance;
    return refuse_component(This, L"SetSelectedForRestoreEx", type, name, TRUE);
}

SLOT(UnexposeSnapshot, VSS_ID id)
{
    (void)id;
    return refuse(This, L"UnexposeSnapshot", TRUE);
}

SLOT(SetAuthoritativeRestore, WITH_COMPONENT, boolean authoritative)
{
    (void)writer, (void)path, (void)authoritative;
    return refuse_component(This, L"SetAuthoritativeRestore", type, name, TRUE);
}

SLOT(SetRollForward, WITH_COMPONENT, VSS_ROLLFORWARD_TYPE roll, LPCWSTR point)
{
    (void)writer, (void)path, (void)point;
    return refuse_component(This, L"SetRollForward", type, name,
                            roll >= VSS_RF_NONE && roll <= VSS_RF_PARTIAL);
}

SLOT(SetRestoreName, WITH_COMPONENT, LPCWSTR as)
{
    (void)writer, (void)path;
    return refuse_component(This, L"SetRestoreName", type, name, as != NULL);
}

SLOT(BreakSnapshotSetEx, VSS_ID set, DWORD flags, IVssAsync **out)
{
    (void)set, (void)flags;
    return refuse_object(This, L"BreakSnapshotSetEx", TRUE, out);
}

SLOT(PreFastRecovery, VSS_ID set, DWORD flags, IVssAsync **out)
{
    (void)set, (void)flags;
    return refuse_object(This, L"PreFastRecovery", TRUE, out);
}

SLOT(FastRecovery, VSS_ID set, DWORD flags, IVssAsync **out)
{
    (void)set, (void)flags;
    return refuse_object(This, L"FastRecovery", TRUE, out);
}

SLOT(AddSnapshotToRecoverySet, VSS_ID id, DWORD flags, VSS_PWSZ destination)
{
    (void)id, (void)flags, (void)destination;
    return refuse(This, L"AddSnapshotToRecoverySet", TRUE);
}

SLOT(RecoverSet, DWORD flags, IVssAsync **out)
{
    (void)flags;
    return refuse_object(This, L"RecoverSet", TRUE, out);
}

SLOT(GetRootAndLogicalPrefixPaths, VSS_PWSZ path, VSS_PWSZ *root, VSS_PWSZ *prefix, WINBOOL normalize)
{
    (void)normalize;
    if (prefix)
        *prefix = NULL;
    return refuse_object(This, L"GetRootAndLogicalPrefixPaths", path && prefix, root);
}
