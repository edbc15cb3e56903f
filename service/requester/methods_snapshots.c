/* Snapshots, providers and volumes: what exists, and what can. */
#include <string.h>

#include "service/requester/methods.h"
#include "service/requester/text.h"

bool snapshot_fill(struct reply *reply, const VSS_SNAPSHOT_PROP *properties, PB(Snapshot) * snapshot)
{
    snapshot->snapshot_id = reply_guid(reply, &properties->m_SnapshotId);
    snapshot->set_id = reply_guid(reply, &properties->m_SnapshotSetId);
    snapshot->volume_guid_path = reply_text(reply, properties->m_pwszOriginalVolumeName);
    snapshot->device = reply_text(reply, properties->m_pwszSnapshotDeviceObject);
    snapshot->provider_id = reply_guid(reply, &properties->m_ProviderId);
    snapshot->created_ms = text_unix_ms(properties->m_tsCreationTimestamp);
    snapshot->attributes = (uint32_t)properties->m_lSnapshotAttributes;
    snapshot->originating_machine = reply_text(reply, properties->m_pwszOriginatingMachine);
    snapshot->service_machine = reply_text(reply, properties->m_pwszServiceMachine);
    snapshot->exposed_name = reply_text(reply, properties->m_pwszExposedName);
    snapshot->exposed_path = reply_text(reply, properties->m_pwszExposedPath);
    snapshot->status = (uint32_t)properties->m_eStatus;
    snapshot->snapshots_count = (uint32_t)properties->m_lSnapshotsCount;
    if (reply->no_memory) {
        return false;
    }
    /* The bare device cannot be opened as a directory. */
    size_t length = strlen(snapshot->device);
    char *root = reply_alloc(reply, length + 2);
    if (root == NULL) {
        return false;
    }
    memcpy(root, snapshot->device, length);
    if (length > 0 && root[length - 1] != '\\') {
        root[length] = '\\';
    }
    snapshot->device_root = root;
    return true;
}

HRESULT get_snapshot_properties(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID snapshot_id;
    if (!reply_parse_guid(reply, "get_snapshot_properties.snapshot_id",
                          call->get_snapshot_properties->snapshot_id, &snapshot_id)) {
        return E_INVALIDARG;
    }
    VSS_SNAPSHOT_PROP properties = {0};
    HRESULT hresult = IVssBackupComponents_GetSnapshotProperties(session->object, snapshot_id, &properties);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetSnapshotPropertiesResult) *out =
        REPLY_OUT(reply, GET_SNAPSHOT_PROPERTIES, get_snapshot_properties, get_snapshot_properties_result);
    PB(Snapshot) *snapshot = reply_message(reply, &shadowpipe__v1__snapshot__descriptor);
    if (out != NULL && snapshot != NULL && snapshot_fill(reply, &properties, snapshot)) {
        out->snapshot = snapshot;
    }
    session->library.free_snapshot_properties(&properties);
    return hresult;
}

/* ---- Query. ---- */

static PB(ProviderType) provider_type(VSS_PROVIDER_TYPE type)
{
    return type >= VSS_PROV_SYSTEM && type <= VSS_PROV_FILESHARE
               ? (PB(ProviderType))type
               : PB_VALUE(PROVIDER_TYPE, PROVIDER_TYPE_UNSPECIFIED);
}

static void *provider_message(struct reply *reply, const VSS_PROVIDER_PROP *properties)
{
    PB(Provider) *provider = reply_message(reply, &shadowpipe__v1__provider__descriptor);
    if (provider != NULL) {
        provider->provider_id = reply_guid(reply, &properties->m_ProviderId);
        provider->name = reply_text(reply, properties->m_pwszProviderName);
        provider->type = provider_type(properties->m_eProviderType);
        provider->version = reply_text(reply, properties->m_pwszProviderVersion);
        provider->version_id = reply_guid(reply, &properties->m_ProviderVersionId);
        provider->class_id = reply_guid(reply, &properties->m_ClassId);
    }
    return provider;
}

static void *snapshot_message(struct reply *reply, const VSS_SNAPSHOT_PROP *properties)
{
    PB(Snapshot) *snapshot = reply_message(reply, &shadowpipe__v1__snapshot__descriptor);
    return snapshot != NULL && snapshot_fill(reply, properties, snapshot) ? snapshot : NULL;
}

struct pointers {
    void **items;
    size_t count;
    size_t capacity;
};

static void append(struct reply *reply, struct pointers *list, void *item)
{
    if (item == NULL) {
        return;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        void **items = reply_alloc(reply, capacity * sizeof *items);
        if (items == NULL) {
            return;
        }
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

/* Takes over what Next gave out: the strings in it are ours to free. */
static void take_object(struct session *session, struct reply *reply, VSS_OBJECT_PROP *object,
                        struct pointers *snapshots, struct pointers *providers)
{
    if (object->Type == VSS_OBJECT_SNAPSHOT) {
        append(reply, snapshots, snapshot_message(reply, &object->Obj.Snap));
        session->library.free_snapshot_properties(&object->Obj.Snap);
    } else if (object->Type == VSS_OBJECT_PROVIDER) {
        append(reply, providers, provider_message(reply, &object->Obj.Prov));
        CoTaskMemFree(object->Obj.Prov.m_pwszProviderName);
        CoTaskMemFree(object->Obj.Prov.m_pwszProviderVersion);
    }
}

HRESULT query(struct session *session, const PB(Call) * call, struct reply *reply)
{
    IVssEnumObject *objects = NULL;
    HRESULT hresult = IVssBackupComponents_Query(session->object, GUID_NULL, VSS_OBJECT_NONE,
                                                 (VSS_OBJECT_TYPE)call->query->object_type, &objects);
    if (FAILED(hresult)) {
        return hresult;
    }
    struct pointers snapshots = {0};
    struct pointers providers = {0};
    /* S_FALSE: there is nothing, and perhaps no enumeration either. */
    while (objects != NULL) {
        VSS_OBJECT_PROP object;
        ULONG fetched = 0;
        memset(&object, 0, sizeof object);
        HRESULT next = IVssEnumObject_Next(objects, 1, &object, &fetched);
        if (FAILED(next)) {
            reply->failed_method = "IVssEnumObject::Next";
            hresult = next;
            break;
        }
        if (fetched == 0) {
            break;
        }
        take_object(session, reply, &object, &snapshots, &providers);
    }
    if (objects != NULL) {
        IVssEnumObject_Release(objects);
    }
    PB(QueryResult) *out = SUCCEEDED(hresult) ? REPLY_OUT(reply, QUERY, query, query_result) : NULL;
    if (out != NULL) {
        out->snapshots = (PB(Snapshot) **)snapshots.items;
        out->n_snapshots = snapshots.count;
        out->providers = (PB(Provider) **)providers.items;
        out->n_providers = providers.count;
    }
    return hresult;
}

HRESULT delete_snapshots(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(DeleteSnapshotsCall) *in = call->delete_snapshots;
    VSS_ID object_id;
    if (!reply_parse_guid(reply, "delete_snapshots.object_id", in->object_id, &object_id)) {
        return E_INVALIDARG;
    }
    LONG deleted = 0;
    VSS_ID left = GUID_NULL;
    HRESULT hresult =
        IVssBackupComponents_DeleteSnapshots(session->object, object_id, (VSS_OBJECT_TYPE)in->object_type,
                                             in->force ? TRUE : FALSE, &deleted, &left);
    /* Also after a failure: it stops at the first that it cannot delete, and says which. */
    PB(DeleteSnapshotsResult) *out =
        REPLY_OUT(reply, DELETE_SNAPSHOTS, delete_snapshots, delete_snapshots_result);
    if (out != NULL) {
        out->deleted = deleted;
        out->non_deleted_id = reply_guid(reply, &left);
    }
    return hresult;
}

/* ---- Volumes. ---- */

HRESULT is_volume_supported(struct session *session, const PB(Call) * call, struct reply *reply)
{
    VSS_ID provider_id;
    if (!reply_parse_guid(reply, "is_volume_supported.provider_id", call->is_volume_supported->provider_id,
                          &provider_id)) {
        return E_INVALIDARG;
    }
    wchar_t *volume = reply_wide(reply, call->is_volume_supported->volume);
    if (volume == NULL) {
        return E_OUTOFMEMORY;
    }
    BOOL supported = FALSE;
    HRESULT hresult =
        IVssBackupComponents_IsVolumeSupported(session->object, provider_id, volume, &supported);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(IsVolumeSupportedResult) *out =
        REPLY_OUT(reply, IS_VOLUME_SUPPORTED, is_volume_supported, is_volume_supported_result);
    if (out != NULL) {
        out->supported = supported != FALSE;
    }
    return hresult;
}

HRESULT is_volume_snapshotted(struct session *session, const PB(Call) * call, struct reply *reply)
{
    if (session->library.module == NULL) {
        reply->failed_method = session->ready.method;
        return session->ready.hresult;
    }
    wchar_t *volume = reply_wide(reply, call->is_volume_snapshotted->volume);
    if (volume == NULL) {
        return E_OUTOFMEMORY;
    }
    BOOL present = FALSE;
    LONG capability = 0;
    HRESULT hresult = session->library.is_volume_snapshotted(volume, &present, &capability);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(IsVolumeSnapshottedResult) *out =
        REPLY_OUT(reply, IS_VOLUME_SNAPSHOTTED, is_volume_snapshotted, is_volume_snapshotted_result);
    if (out != NULL) {
        out->snapshotted = present != FALSE;
        out->capability = (uint32_t)capability;
    }
    return hresult;
}
