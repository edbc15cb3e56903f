/* What the real vssapi.dll exports to requesters. The header has inline functions under the plain names that
 * call the
 * ...Internal ones, so the plain and the C++ names are aliases in vssapi.def.
 * This is also the one file that defines the interface ids. */
#define INITGUID
#include "backup.h"
#include "engine/administration.h"
#include "engine/document.h"
#include "engine/providers.h"
#include "engine/store.h"
#include "management.h"
#include "metadata.h"
#include "properties.h"

HRESULT STDAPICALLTYPE CreateVssBackupComponentsInternal(IVssBackupComponents **out)
{
    BACKUP *backup;
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    HRESULT hr = backup_create(&backup);
    if (SUCCEEDED(hr))
        *out = (IVssBackupComponents *)backup;
    return hr;
}

HRESULT STDAPICALLTYPE CreateVssExamineWriterMetadataInternal(BSTR xml, IVssExamineWriterMetadata **out)
{
    struct writer_list *list;
    IVssExamineWriterMetadataEx2 *metadata;
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (!xml)
        return E_INVALIDARG;
    HRESULT hr = document_read_writer(xml, &list);
    if (SUCCEEDED(hr))
        hr = metadata_create(list, 0, &metadata);
    if (SUCCEEDED(hr))
        *out = (IVssExamineWriterMetadata *)metadata;
    return hr;
}

HRESULT APIENTRY IsVolumeSnapshottedInternal(VSS_PWSZ volume, WINBOOL *present, LONG *capability)
{
    if (!volume || !present || !capability)
        return E_INVALIDARG;
    *present = FALSE;
    *capability = 0;
    return engine_is_snapshotted(volume, present, capability);
}

void APIENTRY VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP *prop)
{
    if (prop)
        properties_free_copy(prop);
}

HRESULT APIENTRY GetProviderMgmtInterfaceInternal(VSS_ID provider, IID interface_id, IUnknown **out)
{
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    return IsEqualGUID(&provider, &providers_system) ? management_create(&interface_id, out)
                                                     : VSS_E_PROVIDER_NOT_REGISTERED;
}

HRESULT APIENTRY ShouldBlockRevertInternal(LPCWSTR volume, boolean *block)
{
    if (!volume || !block)
        return E_INVALIDARG;
    BOOL blocked = FALSE;
    HRESULT hr = engine_should_block_revert(volume, &blocked);
    *block = blocked != FALSE;
    return hr;
}

/* No vssapi.dll of Windows has it: so a requester knows that it works on a simulator, and can say so. */
DWORD APIENTRY ShadowpipeSimulatorVersion(void);
DWORD APIENTRY ShadowpipeSimulatorVersion(void)
{
    return 1;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved);
BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
    if (reason == DLL_PROCESS_ATTACH)
        DisableThreadLibraryCalls(module);
    else if (reason == DLL_PROCESS_DETACH && !reserved)
        store_close(); /* at the end of the process Windows does it */
    return TRUE;
}
