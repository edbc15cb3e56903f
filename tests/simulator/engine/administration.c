#include "administration.h"
#include "exposing.h"
#include "hardware.h"
#include "providers.h"
#include "reverting.h"
#include "session.h"
#include "store.h"

#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

#define POLL_MS          10
#define SHARE_NAME_CHARS 80

struct set_copies {
    const GUID *set;
    struct copy_info *infos;
    unsigned count;
    BOOL all_hardware;
    HRESULT hr;
};

static BOOL visit_set(const struct copy_info *info, void *context)
{
    struct set_copies *copies = context;
    if (!IsEqualGUID(&info->set, copies->set))
        return TRUE;
    struct copy_info *more = realloc(copies->infos, (copies->count + 1) * sizeof *more);
    if (!more) {
        copies->hr = E_OUTOFMEMORY;
        return FALSE;
    }
    copies->infos = more;
    copies->infos[copies->count++] = *info;
    copies->all_hardware = copies->all_hardware && copy_is_hardware(info);
    return TRUE;
}

/* The caller frees infos, whatever it answers. */
static HRESULT find_breakable(struct session *session, const GUID *set, struct set_copies *copies)
{
    *copies = (struct set_copies){.set = set, .all_hardware = TRUE};
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    machine_sweep(session->scenario);
    copies_visit(visit_set, copies);
    if (FAILED(copies->hr))
        return copies->hr;
    if (copies->count == 0)
        return VSS_E_OBJECT_NOT_FOUND;
    return copies->all_hardware ? S_OK : VSS_E_PROVIDER_VETO;
}

static HRESULT break_now(struct session *session, const GUID *set, BOOL masked)
{
    struct set_copies copies;
    HRESULT hr = find_breakable(session, set, &copies);
    if (SUCCEEDED(hr))
        hr = hardware_break(copies.infos, copies.count, masked);
    free(copies.infos);
    return hr;
}

HRESULT session_break_set(struct session *session, const GUID *set)
{
    return break_now(session, set, FALSE);
}

HRESULT session_break_later(struct session *session, const GUID *set, BOOL masked)
{
    struct set_copies copies;
    HRESULT hr = find_breakable(session, set, &copies);
    free(copies.infos);
    EnterCriticalSection(&session->lock);
    if (SUCCEEDED(hr) && session->running != OPERATION_NONE)
        hr = VSS_E_BAD_STATE;
    if (SUCCEEDED(hr)) {
        session->broken_set = *set;
        session->broken_masked = masked;
    }
    LeaveCriticalSection(&session->lock);
    return hr;
}

HRESULT administration_break(struct session *session)
{
    return break_now(session, &session->broken_set, session->broken_masked);
}

/* The ids stand in the document with which the object was initialised. */
HRESULT administration_import(struct session *session)
{
    unsigned wanted = 0, found = 0;
    struct xml *set = xml_child(session->document, L"SNAPSHOT_SET_DESCRIPTION", 0), *copy;
    for (; set && (copy = xml_child(set, L"SNAPSHOT_DESCRIPTION", wanted)) != NULL; wanted++) {
        GUID id = xml_get_id(copy, L"snapshotId");
        if (providers_have_hardware(session->scenario) &&
            hardware_import(session->scenario, &id, session->object.number))
            found++;
    }
    if (found == 0)
        return VSS_E_NO_SNAPSHOTS_IMPORTED;
    return found == wanted ? S_OK : VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED;
}

HRESULT session_expose(struct session *session, const GUID *id, const wchar_t *as, wchar_t exposed[MAX_PATH])
{
    struct copy_info info;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
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

static BOOL is_folder_of(const struct copy_info *info, const wchar_t *path)
{
    wchar_t folder[STORE_PATH_CHARS + MAX_PATH];
    if (wcspbrk(path, L"*?%") || wcsstr(path, L"..") || wcslen(path) >= MAX_PATH)
        return FALSE;
    swprintf(folder, ARRAYSIZE(folder), L"%ls\\%ls", info->device + 4, path);
    DWORD attributes = GetFileAttributesW(folder);
    return attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
}

HRESULT session_expose_share(struct session *session, const GUID *id, const wchar_t *path, const wchar_t *as,
                             wchar_t exposed[MAX_PATH])
{
    struct copy_info info;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
    if (!(info.attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE) || info.exposed[0] ||
        (path && !is_folder_of(&info, path)))
        return E_INVALIDARG;
    if (as && (!*as || wcslen(as) > SHARE_NAME_CHARS || wcspbrk(as, L"\\/:*?\"<>|+=;,[]")))
        return E_INVALIDARG;
    if (as)
        wcscpy(info.exposed, as);
    else
        swprintf(info.exposed, MAX_PATH, L"Snapshot%u", info.number);
    if (path)
        wcscpy(info.exposed_path, path);
    info.attributes |= VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY;
    hr = copies_change(&info);
    if (FAILED(hr))
        return hr;
    store_log(session->object.number, L"copy", L"exposed\t%u\tshare %ls", info.number, info.exposed);
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
    if (!(info.attributes & VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY))
        exposing_end(info.exposed, info.number);
    store_log(session->object.number, L"copy", L"unexposed\t%u\t%ls", info.number, info.exposed);
    info.exposed[0] = info.exposed_path[0] = 0;
    info.attributes &= ~(VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY | VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY);
    return copies_change(&info);
}

HRESULT session_revert(struct session *session, const GUID *id, BOOL force)
{
    struct copy_info info;
    struct volume volume;
    BOOL blocked = FALSE;
    HRESULT hr = session_snapshot(session, id, &info);
    if (FAILED(hr))
        return hr;
    if (!(info.attributes & VSS_VOLSNAP_ATTR_PERSISTENT))
        return VSS_E_UNSUPPORTED_CONTEXT;
    if (copy_is_hardware(&info) && !providers_have_hardware(session->scenario))
        return VSS_E_PROVIDER_NOT_REGISTERED;
    if (!copy_is_hardware(&info) && !scenario_number(session->scenario, L"machine", L"server", 0))
        return E_NOTIMPL;
    if (FAILED(volume_find(info.volume, &volume)) || !volume_is_supported(session->scenario, &volume) ||
        FAILED(engine_should_block_revert(volume.root, &blocked)) || blocked)
        return VSS_E_VOLUME_NOT_SUPPORTED;
    return reverting_begin(session->scenario, &volume, &info, force);
}

HRESULT session_revert_status(struct session *session, const wchar_t *name)
{
    struct volume volume;
    HRESULT hr = session_check_backup(session);
    if (SUCCEEDED(hr))
        hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    if (!volume_is_supported(session->scenario, &volume))
        return VSS_E_VOLUME_NOT_SUPPORTED;
    unsigned long long until = reverting_until(&volume);
    if (!until)
        return VSS_E_OBJECT_NOT_FOUND;
    EnterCriticalSection(&session->lock);
    hr = session->running == OPERATION_NONE ? S_OK : VSS_E_BAD_STATE;
    if (SUCCEEDED(hr))
        session->revert_until = until;
    LeaveCriticalSection(&session->lock);
    return hr;
}

/* Cannot be cancelled; only the end of the object ends the waiting. */
HRESULT administration_await_revert(struct session *session)
{
    while (store_now_ms() < session->revert_until) {
        if (session->closing)
            return VSS_S_ASYNC_PENDING;
        Sleep(POLL_MS);
    }
    return S_OK;
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
