#include "administration.h"
#include "exposing.h"
#include "session.h"
#include "store.h"

#include <vsserror.h>
#include <wchar.h>

static BOOL visit_set(const struct copy_info *info, void *context)
{
    const GUID **set = context;
    if (IsEqualGUID(&info->set, *set))
        *set = NULL;
    return *set != NULL;
}

HRESULT session_break_set(struct session *session, const GUID *set)
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    machine_sweep(session->scenario);
    copies_visit(visit_set, &set);
    return set ? VSS_E_OBJECT_NOT_FOUND : VSS_E_PROVIDER_VETO;
}

HRESULT session_expose(struct session *session, const GUID *id, const wchar_t *as, wchar_t exposed[MAX_PATH])
{
    struct copy_info info;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
    if (!as)
        return VSS_E_PROVIDER_VETO;
    if (!(info.attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE) || info.exposed[0])
        return E_INVALIDARG;
    hr = exposing_begin(as, info.device + 4, info.number, info.exposed);
    if (FAILED(hr))
        return hr;
    info.attributes |= VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY;
    hr = copies_change(&info);
    if (FAILED(hr)) {
        exposing_end(info.exposed, info.number);
        return hr;
    }
    store_log(session->object.number, L"copy", L"exposed\t%u\t%ls", info.number, info.exposed);
    wcscpy(exposed, info.exposed);
    return S_OK;
}

HRESULT session_unexpose(struct session *session, const GUID *id)
{
    struct copy_info info;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
    if (!info.exposed[0])
        return VSS_E_OBJECT_NOT_FOUND;
    exposing_end(info.exposed, info.number);
    store_log(session->object.number, L"copy", L"unexposed\t%u\t%ls", info.number, info.exposed);
    info.exposed[0] = 0;
    info.attributes &= ~VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY;
    return copies_change(&info);
}

HRESULT session_revert(struct session *session, const GUID *id)
{
    struct copy_info info;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
    return info.attributes & VSS_VOLSNAP_ATTR_PERSISTENT ? E_NOTIMPL : VSS_E_UNSUPPORTED_CONTEXT;
}

HRESULT session_revert_status(struct session *session, const wchar_t *name)
{
    struct volume volume;
    HRESULT hr = session_check_backup(session);
    if (SUCCEEDED(hr))
        hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    return volume_is_supported(session->scenario, &volume) ? VSS_E_OBJECT_NOT_FOUND
                                                           : VSS_E_VOLUME_NOT_SUPPORTED;
}

HRESULT session_add_to_recovery(struct session *session, const GUID *id, const wchar_t *destination)
{
    struct copy_info info;
    struct volume volume;
    HRESULT hr = session_snapshot(session, id, &info);
    if (SUCCEEDED(hr) && destination)
        hr = volume_find(destination, &volume);
    return SUCCEEDED(hr) ? VSS_E_VOLUME_NOT_SUPPORTED : hr;
}

HRESULT session_root_of(struct session *session, const wchar_t *path, wchar_t root[MAX_PATH])
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    return GetVolumePathNameW(path, root, MAX_PATH) ? S_OK : VSS_E_OBJECT_NOT_FOUND;
}

HRESULT engine_should_block_revert(const wchar_t *name, BOOL *block)
{
    struct volume volume;
    wchar_t windows[MAX_PATH];
    HRESULT hr = volume_find(name, &volume);
    if (FAILED(hr))
        return E_INVALIDARG;
    UINT n = GetWindowsDirectoryW(windows, MAX_PATH);
    *block = n > 0 && n < MAX_PATH && _wcsnicmp(windows, volume.root, 3) == 0;
    return S_OK;
}
