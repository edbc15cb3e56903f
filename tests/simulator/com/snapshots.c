/* The slots about snapshot sets, volumes, and copies. */
#define COBJMACROS
#include "backup.h"
#include "enumeration.h"
#include "properties.h"

#include <stdlib.h>
#include <string.h>

SLOT(StartSnapshotSet, VSS_ID *set)
{
    struct call call;
    if (set)
        *set = GUID_NULL;
    if (call_begin(&call, This, L"StartSnapshotSet", set != NULL))
        call.hr = session_start_set(call.session, set);
    return call_end(&call);
}

SLOT(AddToSnapshotSet, VSS_PWSZ volume, VSS_ID provider, VSS_ID *snapshot)
{
    struct call call;
    if (snapshot)
        *snapshot = GUID_NULL;
    if (call_begin(&call, This, L"AddToSnapshotSet", volume && snapshot))
        call.hr = session_add_volume(call.session, volume, &provider, snapshot);
    return call_end(&call);
}

SLOT(IsVolumeSupported, VSS_ID provider, VSS_PWSZ volume, WINBOOL *supported)
{
    struct call call;
    if (supported)
        *supported = FALSE;
    if (call_begin(&call, This, L"IsVolumeSupported", volume && supported))
        call.hr = session_is_supported(call.session, &provider, volume, supported);
    return call_end(&call);
}

SLOT(GetSnapshotProperties, VSS_ID id, VSS_SNAPSHOT_PROP *prop)
{
    struct call call;
    struct copy_info info;
    if (prop)
        memset(prop, 0, sizeof *prop);
    if (call_begin(&call, This, L"GetSnapshotProperties", prop != NULL)) {
        call.hr = session_snapshot(call.session, &id, &info);
        if (SUCCEEDED(call.hr))
            call.hr = properties_of_copy(&info, prop);
    }
    return call_end(&call);
}

SLOT(DeleteSnapshots, VSS_ID id, VSS_OBJECT_TYPE type, WINBOOL force, LONG *deleted, VSS_ID *failed)
{
    struct call call;
    BOOL known = type == VSS_OBJECT_SNAPSHOT || type == VSS_OBJECT_SNAPSHOT_SET;
    (void)force; /* no copy is ever in use here in a way that force would change */
    if (deleted)
        *deleted = 0;
    if (failed)
        *failed = GUID_NULL;
    if (call_begin(&call, This, L"DeleteSnapshots", known && deleted && failed))
        call.hr =
            session_delete_snapshots(call.session, &id, type == VSS_OBJECT_SNAPSHOT_SET, deleted, failed);
    return call_end(&call);
}

static HRESULT query(struct session *session, VSS_OBJECT_TYPE wanted, IVssEnumObject **out)
{
    struct copy_info *infos;
    unsigned count;
    if (wanted == VSS_OBJECT_PROVIDER) {
        HRESULT hr = session_providers(session, &count);
        return SUCCEEDED(hr) ? enumeration_of_providers(count, out) : hr;
    }
    HRESULT hr = session_list_snapshots(session, &infos, &count);
    return SUCCEEDED(hr) ? enumeration_of_copies(infos, count, out) : hr;
}

SLOT(Query, VSS_ID id, VSS_OBJECT_TYPE of, VSS_OBJECT_TYPE wanted, IVssEnumObject **out)
{
    struct call call;
    BOOL known = IsEqualGUID(&id, &GUID_NULL) && of == VSS_OBJECT_NONE &&
                 (wanted == VSS_OBJECT_SNAPSHOT || wanted == VSS_OBJECT_PROVIDER);
    if (out)
        *out = NULL;
    if (call_begin(&call, This, L"Query", known && out))
        call.hr = query(call.session, wanted, out);
    return call_end(&call);
}
