#include "backup.h"
#include "async.h"
#include "ownership.h"

#include <stdlib.h>

static struct backup *backup_of(BACKUP *This)
{
    return CONTAINING_RECORD(This, struct backup, base);
}

BOOL call_begin(struct call *call, BACKUP *This, const wchar_t *method, BOOL arguments_are_good)
{
    call->session = backup_of(This)->session;
    call->method = method;
    call->hr = arguments_are_good ? session_enter(call->session, method, &call->fault) : E_INVALIDARG;
    return SUCCEEDED(call->hr);
}

HRESULT call_end(struct call *call)
{
    return session_leave(call->session, call->method, call->hr);
}

HRESULT call_start(BACKUP *This, const wchar_t *method, enum operation operation, IVssAsync **out)
{
    struct call call;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, method, out != NULL))
        call.hr = async_start(call.session, operation, &call.fault, out);
    return call_end(&call);
}

static HRESULT STDMETHODCALLTYPE backup_query_interface(BACKUP *This, REFIID riid, void **object)
{
    static const IID *const ours[] = {&IID_IUnknown,
                                      &IID_IVssBackupComponents,
                                      &IID_IVssBackupComponentsEx,
                                      &IID_IVssBackupComponentsEx2,
                                      &IID_IVssBackupComponentsEx3,
                                      &IID_IVssBackupComponentsEx4};
    if (!object)
        return E_POINTER;
    *object = NULL;
    for (size_t i = 0; i < ARRAYSIZE(ours); i++) {
        if (IsEqualIID(riid, ours[i])) {
            *object = This;
            InterlockedIncrement(&backup_of(This)->references);
            return S_OK;
        }
    }
    return E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE backup_add_ref(BACKUP *This)
{
    return (ULONG)InterlockedIncrement(&backup_of(This)->references);
}

static ULONG STDMETHODCALLTYPE backup_release(BACKUP *This)
{
    struct backup *backup = backup_of(This);
    LONG left = InterlockedDecrement(&backup->references);
    if (left == 0) {
        session_close(backup->session);
        ownership_end(backup, (const void **)&backup->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

SLOT(InitializeForBackup, BSTR xml)
{
    struct call call;
    if (call_begin(&call, This, L"InitializeForBackup", TRUE))
        call.hr = session_initialize_backup(call.session, xml);
    return call_end(&call);
}

SLOT(SetContext, LONG context)
{
    struct call call;
    if (call_begin(&call, This, L"SetContext", TRUE))
        call.hr = session_set_context(call.session, context);
    return call_end(&call);
}

SLOT(SetBackupState, boolean select, boolean bootable, VSS_BACKUP_TYPE type, boolean partial)
{
    struct call call;
    BOOL known = type >= VSS_BT_FULL && type <= VSS_BT_OTHER;
    if (call_begin(&call, This, L"SetBackupState", known))
        call.hr = session_set_backup_state(call.session, select != 0, bootable != 0, type, partial != 0);
    return call_end(&call);
}

SLOT(GetSessionId, VSS_ID *id)
{
    struct call call;
    if (id)
        *id = GUID_NULL;
    if (call_begin(&call, This, L"GetSessionId", id != NULL))
        call.hr = session_get_id(call.session, id);
    return call_end(&call);
}

SLOT(PrepareForBackup, IVssAsync **out)
{
    return call_start(This, L"PrepareForBackup", OPERATION_PREPARE, out);
}

SLOT(DoSnapshotSet, IVssAsync **out)
{
    return call_start(This, L"DoSnapshotSet", OPERATION_SNAPSHOT, out);
}

SLOT(BackupComplete, IVssAsync **out)
{
    return call_start(This, L"BackupComplete", OPERATION_COMPLETE, out);
}

SLOT(GatherWriterMetadata, IVssAsync **out)
{
    return call_start(This, L"GatherWriterMetadata", OPERATION_GATHER_METADATA, out);
}

SLOT(GatherWriterStatus, IVssAsync **out)
{
    return call_start(This, L"GatherWriterStatus", OPERATION_GATHER_STATUS, out);
}

SLOT0(AbortBackup)
{
    struct call call;
    if (call_begin(&call, This, L"AbortBackup", TRUE))
        call.hr = session_abort(call.session);
    return call_end(&call);
}

SLOT(SaveAsXML, BSTR *xml)
{
    struct call call;
    if (xml)
        *xml = NULL;
    if (call_begin(&call, This, L"SaveAsXML", xml != NULL))
        call.hr = session_save_document(call.session, xml);
    return call_end(&call);
}

static CONST_VTBL IVssBackupComponentsEx4Vtbl backup_vtbl = {
    .QueryInterface = backup_query_interface,
    .AddRef = backup_add_ref,
    .Release = backup_release,
    .GetWriterComponentsCount = slot_GetWriterComponentsCount,
    .GetWriterComponents = slot_GetWriterComponents,
    .InitializeForBackup = slot_InitializeForBackup,
    .SetBackupState = slot_SetBackupState,
    .InitializeForRestore = slot_InitializeForRestore,
    .SetRestoreState = slot_SetRestoreState,
    .GatherWriterMetadata = slot_GatherWriterMetadata,
    .GetWriterMetadataCount = slot_GetWriterMetadataCount,
    .GetWriterMetadata = slot_GetWriterMetadata,
    .FreeWriterMetadata = slot_FreeWriterMetadata,
    .AddComponent = slot_AddComponent,
    .PrepareForBackup = slot_PrepareForBackup,
    .AbortBackup = slot_AbortBackup,
    .GatherWriterStatus = slot_GatherWriterStatus,
    .GetWriterStatusCount = slot_GetWriterStatusCount,
    .FreeWriterStatus = slot_FreeWriterStatus,
    .GetWriterStatus = slot_GetWriterStatus,
    .SetBackupSucceeded = slot_SetBackupSucceeded,
    .SetBackupOptions = slot_SetBackupOptions,
    .SetSelectedForRestore = slot_SetSelectedForRestore,
    .SetRestoreOptions = slot_SetRestoreOptions,
    .SetAdditionalRestores = slot_SetAdditionalRestores,
    .SetPreviousBackupStamp = slot_SetPreviousBackupStamp,
    .SaveAsXML = slot_SaveAsXML,
    .BackupComplete = slot_BackupComplete,
    .AddAlternativeLocationMapping = slot_AddAlternativeLocationMapping,
    .AddRestoreSubcomponent = slot_AddRestoreSubcomponent,
    .SetFileRestoreStatus = slot_SetFileRestoreStatus,
    .AddNewTarget = slot_AddNewTarget,
    .SetRangesFilePath = slot_SetRangesFilePath,
    .PreRestore = slot_PreRestore,
    .PostRestore = slot_PostRestore,
    .SetContext = slot_SetContext,
    .StartSnapshotSet = slot_StartSnapshotSet,
    .AddToSnapshotSet = slot_AddToSnapshotSet,
    .DoSnapshotSet = slot_DoSnapshotSet,
    .DeleteSnapshots = slot_DeleteSnapshots,
    .ImportSnapshots = slot_ImportSnapshots,
    .BreakSnapshotSet = slot_BreakSnapshotSet,
    .GetSnapshotProperties = slot_GetSnapshotProperties,
    .Query = slot_Query,
    .IsVolumeSupported = slot_IsVolumeSupported,
    .DisableWriterClasses = slot_DisableWriterClasses,
    .EnableWriterClasses = slot_EnableWriterClasses,
    .DisableWriterInstances = slot_DisableWriterInstances,
    .ExposeSnapshot = slot_ExposeSnapshot,
    .RevertToSnapshot = slot_RevertToSnapshot,
    .QueryRevertStatus = slot_QueryRevertStatus,
    .GetWriterMetadataEx = slot_GetWriterMetadataEx,
    .SetSelectedForRestoreEx = slot_SetSelectedForRestoreEx,
    .UnexposeSnapshot = slot_UnexposeSnapshot,
    .SetAuthoritativeRestore = slot_SetAuthoritativeRestore,
    .SetRollForward = slot_SetRollForward,
    .SetRestoreName = slot_SetRestoreName,
    .BreakSnapshotSetEx = slot_BreakSnapshotSetEx,
    .PreFastRecovery = slot_PreFastRecovery,
    .FastRecovery = slot_FastRecovery,
    .GetWriterStatusEx = slot_GetWriterStatusEx,
    .AddSnapshotToRecoverySet = slot_AddSnapshotToRecoverySet,
    .RecoverSet = slot_RecoverSet,
    .GetSessionId = slot_GetSessionId,
    .GetRootAndLogicalPrefixPaths = slot_GetRootAndLogicalPrefixPaths,
};

HRESULT backup_create(BACKUP **out)
{
    struct backup *backup = calloc(1, sizeof *backup);
    *out = NULL;
    if (!backup)
        return E_OUTOFMEMORY;
    backup->base.lpVtbl = &backup_vtbl;
    backup->references = 1;
    HRESULT hr = session_open(&backup->session);
    if (FAILED(hr)) {
        free(backup);
        return hr;
    }
    ownership_check(session_debug_level(backup->session));
    *out = &backup->base;
    return S_OK;
}
