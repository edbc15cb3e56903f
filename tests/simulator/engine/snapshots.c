/* The synchronous calls about sets, volumes and existing copies. */
#include "session.h"
#include "accidents.h"
#include "providers.h"
#include "store.h"

#include <objbase.h>
#include <stdlib.h>
#include <wchar.h>

static HRESULT unlock(struct session *session, HRESULT hr)
{
    LeaveCriticalSection(&session->lock);
    return hr;
}

HRESULT session_start_set(struct session *session, GUID *set)
{
    EnterCriticalSection(&session->lock);
    if (!session->initialized || session->restore || session->context == (LONG)VSS_CTX_ALL)
        return unlock(session, VSS_E_BAD_STATE);
    if (session->set == SET_OPEN || session->set == SET_CREATING)
        return unlock(session, VSS_E_SNAPSHOT_SET_IN_PROGRESS);
    if (session->set != SET_NONE || session->aborted || session->running != OPERATION_NONE)
        return unlock(session, VSS_E_BAD_STATE);
    if (foreign_holds_set(session->scenario))
        return unlock(session, VSS_E_SNAPSHOT_SET_IN_PROGRESS);
    HRESULT hr = creator_begin(session->scenario, &session->object, &session->creator);
    if (SUCCEEDED(hr))
        hr = CoCreateGuid(&session->set_id);
    if (FAILED(hr)) {
        session_close_set(session);
        return unlock(session, hr);
    }
    session->set = SET_OPEN;
    *set = session->set_id;
    return unlock(session, S_OK);
}

struct tally {
    const wchar_t *volume;
    LONG attributes; /* those that count have all of them */
    unsigned long count;
};

static BOOL visit_tally(const struct copy_info *info, void *context)
{
    struct tally *tally = context;
    if (_wcsicmp(info->volume, tally->volume) == 0 &&
        (info->attributes & tally->attributes) == tally->attributes)
        tally->count++;
    return TRUE;
}

static HRESULT may_add_volume(const struct session *session, const struct volume *volume,
                              const GUID *provider, BOOL *hardware)
{
    HRESULT hr = providers_choose(session->scenario, volume, provider, session->context, hardware);
    if (FAILED(hr))
        return hr;
    for (unsigned i = 0; i < session->volume_count; i++)
        if (_wcsicmp(session->volumes[i].name, volume->name) == 0)
            return VSS_E_OBJECT_ALREADY_EXISTS;
    unsigned long most = scenario_number(session->scenario, L"volumes", L"max_volumes", SESSION_VOLUMES);
    if (session->volume_count >= most || session->volume_count == SESSION_VOLUMES)
        return VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED;
    struct tally tally = {volume->name, 0, 0};
    struct tally accessible = {volume->name, VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE, 0};
    copies_visit(visit_tally, &tally);
    copies_visit(visit_tally, &accessible);
    if (session->context != (LONG)VSS_CTX_ALL && session->context & VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE &&
        accessible.count >= scenario_number(session->scenario, L"volumes", L"max_client_accessible", 64))
        return VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED;
    if (tally.count >= scenario_number(session->scenario, L"volumes", L"max_snapshots", 512))
        return VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED;
    return S_OK;
}

HRESULT session_add_volume(struct session *session, const wchar_t *name, const GUID *provider, GUID *snapshot)
{
    struct volume volume;
    EnterCriticalSection(&session->lock);
    if (session->set != SET_OPEN || session->aborted || session->running != OPERATION_NONE)
        return unlock(session, VSS_E_BAD_STATE);
    HRESULT hr = volume_find(name, &volume);
    if (FAILED(hr))
        return unlock(session, hr);
    BOOL hardware;
    hr = may_add_volume(session, &volume, provider, &hardware);
    struct copy_info *copy = &session->copies[session->volume_count % SESSION_VOLUMES];
    if (SUCCEEDED(hr))
        hr = CoCreateGuid(&copy->id);
    if (SUCCEEDED(hr)) {
        copy->attributes = hardware ? VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED : 0;
        session->volumes[session->volume_count++] = volume;
        *snapshot = copy->id;
        store_log(session->object.number, L"copy", L"asked for\t%ls\t%ls", volume.root, volume.name);
    }
    return unlock(session, hr);
}

HRESULT session_is_supported(struct session *session, const GUID *provider, const wchar_t *name,
                             BOOL *supported)
{
    struct volume volume;
    HRESULT hr = session_check_backup(session);
    if (SUCCEEDED(hr))
        hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    BOOL hardware;
    hr = providers_choose(session->scenario, &volume, provider, session->context, &hardware);
    *supported = SUCCEEDED(hr);
    return hr == VSS_E_PROVIDER_NOT_REGISTERED ? hr : S_OK;
}

/* An object sees the copies of its own context; VSS_CTX_ALL sees all; its own copies it always sees. */
static BOOL is_visible(const struct session *session, const struct copy_info *info)
{
    const LONG base = VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE |
                      VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE | VSS_VOLSNAP_ATTR_NO_WRITERS;
    return session->context == (LONG)VSS_CTX_ALL || info->object == session->object.number ||
           (info->attributes & base) == (session->context & base);
}

HRESULT session_snapshot(struct session *session, const GUID *id, struct copy_info *info)
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    machine_sweep(session->scenario);
    hr = copies_find(id, info);
    return SUCCEEDED(hr) && !is_visible(session, info) ? VSS_E_OBJECT_NOT_FOUND : hr;
}

struct collection {
    const struct session *session;
    const GUID *id; /* NULL: all that are visible */
    BOOL whole_set;
    struct copy_info *infos;
    unsigned count;
    HRESULT hr;
};

static BOOL visit_collect(const struct copy_info *info, void *context)
{
    struct collection *collection = context;
    if (!is_visible(collection->session, info))
        return TRUE;
    if (collection->id && !IsEqualGUID(collection->whole_set ? &info->set : &info->id, collection->id))
        return TRUE;
    struct copy_info *more = realloc(collection->infos, (collection->count + 1) * sizeof *more);
    if (!more) {
        collection->hr = E_OUTOFMEMORY;
        return FALSE;
    }
    collection->infos = more;
    collection->infos[collection->count++] = *info;
    return TRUE;
}

HRESULT session_providers(struct session *session, unsigned *count)
{
    HRESULT hr = session_check_initialized(session);
    if (SUCCEEDED(hr))
        *count = providers_have_hardware(session->scenario) ? 2 : 1;
    return hr;
}

HRESULT session_list_snapshots(struct session *session, struct copy_info **infos, unsigned *count)
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    machine_sweep(session->scenario);
    struct collection collection = {.session = session};
    copies_visit(visit_collect, &collection);
    if (FAILED(collection.hr)) {
        free(collection.infos);
        return collection.hr;
    }
    *infos = collection.infos;
    *count = collection.count;
    return S_OK;
}

static BOOL is_undeletable(const struct scenario *scenario, const struct copy_info *info)
{
    const wchar_t *kept = scenario_string(scenario, L"volumes", L"undeletable", L"");
    struct volume volume;
    return scenario_lists(kept, info->volume) ||
           (*kept && SUCCEEDED(volume_find(info->volume, &volume)) && scenario_lists(kept, volume.root));
}

HRESULT session_delete_snapshots(struct session *session, const GUID *id, BOOL whole_set, LONG *deleted,
                                 GUID *failed)
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    struct collection collection = {.session = session, .id = id, .whole_set = whole_set};
    copies_visit(visit_collect, &collection);
    hr = collection.hr;
    if (SUCCEEDED(hr) && collection.count == 0)
        hr = VSS_E_OBJECT_NOT_FOUND;
    /* One after the other, up to the first that the provider keeps. */
    unsigned count = 0;
    while (count < collection.count && !is_undeletable(session->scenario, &collection.infos[count]))
        count++;
    if (SUCCEEDED(hr)) {
        copies_delete(collection.infos, count);
        *deleted = (LONG)count;
    } else {
        *failed = *id;
    }
    if (SUCCEEDED(hr) && count < collection.count) {
        *failed = collection.infos[count].id;
        hr = VSS_E_PROVIDER_VETO;
    }
    free(collection.infos);
    return hr;
}

HRESULT engine_is_snapshotted(const wchar_t *name, BOOL *present, LONG *capability)
{
    struct volume volume;
    if (FAILED(store_open()))
        return VSS_E_UNEXPECTED;
    HRESULT hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    copies_sweep();
    struct tally tally = {volume.name, 0, 0};
    copies_visit(visit_tally, &tally);
    *present = tally.count > 0;
    *capability = tally.count > 0 ? VSS_SC_DISABLE_DEFRAG : 0;
    return S_OK;
}
