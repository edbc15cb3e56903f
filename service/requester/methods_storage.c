/* Room for copies: how many there are, and where the system provider keeps what they need.
 *
 * Both are asked apart from the session's object: the shadow storage through the provider's own interface,
 * and the copies through an object that lives for this one Query, for VSS forbids to use an object for a
 * Query and for a backup. */
#include <string.h>

#include "service/requester/methods.h"
#include "service/requester/text.h"

/* The provider of Windows itself; no other has shadow storage that could be asked about. */
static const VSS_ID system_provider = {
    0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};

/* IVssEnumMgmtObject::Next gives one at a time; S_FALSE is the end. */
static HRESULT next_area(struct reply *reply, IVssEnumMgmtObject *areas, VSS_MGMT_OBJECT_PROP *object,
                         bool *has)
{
    ULONG fetched = 0;
    memset(object, 0, sizeof *object);
    HRESULT hresult = IVssEnumMgmtObject_Next(areas, 1, object, &fetched);
    *has = SUCCEEDED(hresult) && fetched > 0;
    if (FAILED(hresult)) {
        reply->failed_method = "IVssEnumMgmtObject::Next";
    }
    return hresult;
}

static PB(DiffArea) * area_message(struct reply *reply, const VSS_DIFF_AREA_PROP *area)
{
    PB(DiffArea) *message = reply_message(reply, &shadowpipe__v1__diff_area__descriptor);
    if (message != NULL) {
        message->volume = reply_text(reply, area->m_pwszVolumeName);
        message->diff_volume = reply_text(reply, area->m_pwszDiffAreaVolumeName);
        message->maximum_bytes = (uint64_t)area->m_llMaximumDiffSpace; /* VSS_ASSOC_NO_MAX_SPACE is -1 */
        message->allocated_bytes = (uint64_t)area->m_llAllocatedDiffSpace;
        message->used_bytes = (uint64_t)area->m_llUsedDiffSpace;
    }
    return message;
}

enum {
    AREAS_MAX = 16 /* of one volume; Windows allows one */
};

static HRESULT read_areas(struct reply *reply, IVssEnumMgmtObject *areas, PB(QueryDiffAreasResult) * out)
{
    out->areas = reply_alloc(reply, AREAS_MAX * sizeof(PB(DiffArea) *));
    while (!reply->no_memory && out->n_areas < AREAS_MAX) {
        VSS_MGMT_OBJECT_PROP object;
        bool has;
        HRESULT hresult = next_area(reply, areas, &object, &has);
        if (FAILED(hresult) || !has) {
            return FAILED(hresult) ? hresult : S_OK;
        }
        if (object.Type == VSS_MGMT_OBJECT_DIFF_AREA) {
            out->areas[out->n_areas] = area_message(reply, &object.Obj.DiffArea);
            out->n_areas += out->areas[out->n_areas] != NULL;
            CoTaskMemFree(object.Obj.DiffArea.m_pwszVolumeName);
            CoTaskMemFree(object.Obj.DiffArea.m_pwszDiffAreaVolumeName);
        }
    }
    return S_OK;
}

HRESULT query_diff_areas(struct session *session, const PB(Call) * call, struct reply *reply)
{
    IVssDifferentialSoftwareSnapshotMgmt *management = NULL;
    IVssEnumMgmtObject *areas = NULL;
    if (session->library.get_provider_management == NULL) {
        reply->failed_method = "GetProviderMgmtInterface";
        return E_NOTIMPL;
    }
    wchar_t *volume = reply_wide(reply, call->query_diff_areas->volume);
    if (volume == NULL) {
        return E_OUTOFMEMORY;
    }
    HRESULT hresult = session->library.get_provider_management(
        system_provider, IID_IVssDifferentialSoftwareSnapshotMgmt, (IUnknown **)(void *)&management);
    if (FAILED(hresult) || management == NULL) {
        reply->failed_method = "GetProviderMgmtInterface";
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    hresult = IVssDifferentialSoftwareSnapshotMgmt_QueryDiffAreasForVolume(management, volume, &areas);
    if (SUCCEEDED(hresult)) {
        PB(QueryDiffAreasResult) *out =
            REPLY_OUT(reply, QUERY_DIFF_AREAS, query_diff_areas, query_diff_areas_result);
        /* S_FALSE: there is none, and perhaps no enumeration either. */
        HRESULT read = out != NULL && areas != NULL ? read_areas(reply, areas, out) : S_OK;
        hresult = FAILED(read) ? read : hresult;
    }
    if (areas != NULL) {
        IVssEnumMgmtObject_Release(areas);
    }
    IVssDifferentialSoftwareSnapshotMgmt_Release(management);
    if (FAILED(hresult)) {
        reply->message.out_case = PB_OUT(_NOT_SET);
    }
    return hresult;
}

/* ---- How many there are. ---- */

enum {
    CLIENT_ACCESSIBLE = 0x4 /* VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE */
};

struct volume_counts {
    PB(SnapshotCount) * *items;
    size_t count;
    size_t capacity;
};

static PB(SnapshotCount) *
    count_of(struct reply *reply, struct volume_counts *counts, const VSS_SNAPSHOT_PROP *snapshot)
{
    char *volume = reply_text(reply, snapshot->m_pwszOriginalVolumeName);
    for (size_t i = 0; volume != NULL && i < counts->count; i++) {
        if (strcmp(counts->items[i]->volume_guid_path, volume) == 0) {
            return counts->items[i];
        }
    }
    if (counts->count == counts->capacity) {
        size_t capacity = counts->capacity == 0 ? 16 : counts->capacity * 2;
        PB(SnapshotCount) **items = reply_alloc(reply, capacity * sizeof(*items));
        if (items != NULL && counts->count > 0) {
            memcpy(items, counts->items, counts->count * sizeof(*items));
        }
        counts->items = items != NULL ? items : counts->items;
        counts->capacity = items != NULL ? capacity : counts->capacity;
    }
    PB(SnapshotCount) *made = reply_message(reply, &shadowpipe__v1__snapshot_count__descriptor);
    if (volume == NULL || made == NULL || counts->count == counts->capacity) {
        return NULL; /* the reply says so */
    }
    made->volume_guid_path = volume;
    counts->items[counts->count++] = made;
    return made;
}

/* Those of other providers have limits of their own. */
static void count_one(struct reply *reply, struct volume_counts *counts, const VSS_SNAPSHOT_PROP *snapshot)
{
    if (!IsEqualGUID(&snapshot->m_ProviderId, &system_provider)) {
        return;
    }
    PB(SnapshotCount) *count = count_of(reply, counts, snapshot);
    if (count != NULL) {
        count->snapshots++;
        count->client_accessible += (snapshot->m_lSnapshotAttributes & CLIENT_ACCESSIBLE) != 0;
    }
}

static HRESULT count_all(struct session *session, struct reply *reply, IVssEnumObject *objects,
                         struct volume_counts *counts)
{
    while (!reply->no_memory) {
        VSS_OBJECT_PROP object;
        ULONG fetched = 0;
        memset(&object, 0, sizeof object);
        HRESULT hresult = IVssEnumObject_Next(objects, 1, &object, &fetched);
        if (FAILED(hresult)) {
            reply->failed_method = "IVssEnumObject::Next";
            return hresult;
        }
        if (fetched == 0) {
            return S_OK;
        }
        if (object.Type == VSS_OBJECT_SNAPSHOT) {
            count_one(reply, counts, &object.Obj.Snap);
            session->library.free_snapshot_properties(&object.Obj.Snap);
        }
    }
    return S_OK;
}

static HRESULT ask(struct reply *reply, IVssBackupComponents *object, IVssEnumObject **objects)
{
    reply->failed_method = "InitializeForBackup";
    HRESULT hresult = IVssBackupComponents_InitializeForBackup(object, NULL);
    if (SUCCEEDED(hresult)) {
        reply->failed_method = "SetContext";
        hresult = IVssBackupComponents_SetContext(object, VSS_CTX_ALL);
    }
    if (SUCCEEDED(hresult)) {
        reply->failed_method = "Query";
        hresult =
            IVssBackupComponents_Query(object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, objects);
    }
    if (SUCCEEDED(hresult)) {
        reply->failed_method = NULL;
    }
    return hresult;
}

HRESULT count_snapshots(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    if (session->library.module == NULL) {
        reply->failed_method = session->ready.method;
        return session->ready.hresult;
    }
    IVssBackupComponents *object = NULL;
    IVssEnumObject *objects = NULL;
    struct volume_counts counts = {0};
    reply->failed_method = "CreateVssBackupComponents";
    HRESULT hresult = session->library.create_backup_components(&object);
    if (FAILED(hresult) || object == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    hresult = ask(reply, object, &objects);
    if (SUCCEEDED(hresult) && objects != NULL) {
        hresult = count_all(session, reply, objects, &counts);
    }
    if (objects != NULL) {
        IVssEnumObject_Release(objects);
    }
    IVssBackupComponents_Release(object);
    PB(CountSnapshotsResult) *out =
        SUCCEEDED(hresult) ? REPLY_OUT(reply, COUNT_SNAPSHOTS, count_snapshots, count_snapshots_result)
                           : NULL;
    if (out != NULL) {
        out->volumes = counts.items;
        out->n_volumes = counts.count;
    }
    return hresult;
}
