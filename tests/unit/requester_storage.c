/* What a requester asks about room for copies, against objects that fail, answer and count at will. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/requester/methods.h"
#include "service/requester/session.h"

#define assert_hresult(got, expected) assert_int_equal((uint32_t)(got), (uint32_t)(expected))

static const GUID system_provider = {
    0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};

static struct {
    struct session session;
    struct arena arena;
    struct reply reply;
} bench;

static LONG references; /* of all objects here */
static LONG strings;    /* given out and not freed: what Next gave is counted by hand */
static HRESULT get_result, area_result, next_result, create_result, initialize_result, context_result,
    query_result;
static size_t objects_left;
static bool no_enumeration;
static wchar_t asked_volume[64];
static LONG asked_context;

static wchar_t *task_text(const wchar_t *text)
{
    size_t size = (wcslen(text) + 1) * sizeof *text;
    wchar_t *copy = CoTaskMemAlloc(size);
    memcpy(copy, text, size);
    return copy;
}

/* ---- shadow storage ---- */

static ULONG STDMETHODCALLTYPE areas_release(IVssEnumMgmtObject *This)
{
    (void)This;
    return (ULONG)--references;
}

static HRESULT STDMETHODCALLTYPE areas_next(IVssEnumMgmtObject *This, ULONG count,
                                            VSS_MGMT_OBJECT_PROP *object, ULONG *fetched)
{
    (void)This;
    assert_int_equal(count, 1);
    if (FAILED(next_result) || objects_left == 0) {
        *fetched = 0;
        return FAILED(next_result) ? next_result : S_FALSE;
    }
    objects_left--;
    *fetched = 1;
    object->Type = VSS_MGMT_OBJECT_DIFF_AREA;
    object->Obj.DiffArea = (VSS_DIFF_AREA_PROP){.m_pwszVolumeName = task_text(L"\\\\?\\Volume{c}\\"),
                                                .m_pwszDiffAreaVolumeName = task_text(L"\\\\?\\Volume{d}\\"),
                                                .m_llMaximumDiffSpace = VSS_ASSOC_NO_MAX_SPACE,
                                                .m_llAllocatedDiffSpace = 2000,
                                                .m_llUsedDiffSpace = 1000};
    return S_OK;
}

static IVssEnumMgmtObjectVtbl areas_table = {.Release = areas_release, .Next = areas_next};
static IVssEnumMgmtObject areas = {&areas_table};

static ULONG STDMETHODCALLTYPE management_release(IVssDifferentialSoftwareSnapshotMgmt *This)
{
    (void)This;
    return (ULONG)--references;
}

static HRESULT STDMETHODCALLTYPE query_areas(IVssDifferentialSoftwareSnapshotMgmt *This, VSS_PWSZ volume,
                                             IVssEnumMgmtObject **out)
{
    (void)This;
    wcscpy(asked_volume, volume);
    if (SUCCEEDED(area_result) && !no_enumeration) {
        references++;
        *out = &areas;
    }
    return area_result;
}

static IVssDifferentialSoftwareSnapshotMgmtVtbl management_table = {.Release = management_release,
                                                                    .QueryDiffAreasForVolume = query_areas};
static IVssDifferentialSoftwareSnapshotMgmt management = {&management_table};

static HRESULT STDAPICALLTYPE get_management(VSS_ID provider, IID interface_id, IUnknown **out)
{
    assert_true(IsEqualGUID(&provider, &system_provider));
    assert_true(IsEqualGUID(&interface_id, &IID_IVssDifferentialSoftwareSnapshotMgmt));
    *out = NULL;
    if (SUCCEEDED(get_result)) {
        references++;
        *out = (IUnknown *)&management;
    }
    return get_result;
}

/* ---- copies ---- */

static ULONG STDMETHODCALLTYPE snapshots_release(IVssEnumObject *This)
{
    (void)This;
    return (ULONG)--references;
}

/* Of two volumes; the first of all is another provider's, the last one client-accessible. */
static HRESULT STDMETHODCALLTYPE snapshots_next(IVssEnumObject *This, ULONG count, VSS_OBJECT_PROP *object,
                                                ULONG *fetched)
{
    static size_t given;
    (void)This;
    assert_int_equal(count, 1);
    if (FAILED(next_result) || objects_left == 0) {
        *fetched = 0;
        return FAILED(next_result) ? next_result : S_FALSE;
    }
    objects_left--;
    *fetched = 1;
    object->Type = VSS_OBJECT_SNAPSHOT;
    object->Obj.Snap.m_pwszOriginalVolumeName =
        task_text(objects_left % 2 == 0 ? L"\\\\?\\Volume{c}\\" : L"\\\\?\\Volume{d}\\");
    object->Obj.Snap.m_ProviderId = given++ == 0 ? GUID_NULL : system_provider;
    object->Obj.Snap.m_lSnapshotAttributes = objects_left == 0 ? VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE : 0;
    strings++;
    return S_OK;
}

static void STDAPICALLTYPE free_properties(VSS_SNAPSHOT_PROP *properties)
{
    CoTaskMemFree(properties->m_pwszOriginalVolumeName);
    strings--;
}

static IVssEnumObjectVtbl snapshots_table = {.Release = snapshots_release, .Next = snapshots_next};
static IVssEnumObject snapshots = {&snapshots_table};

static ULONG STDMETHODCALLTYPE object_release(IVssBackupComponents *This)
{
    (void)This;
    return (ULONG)--references;
}

static HRESULT STDMETHODCALLTYPE object_initialize(IVssBackupComponents *This, BSTR document)
{
    (void)This;
    assert_null(document);
    return initialize_result;
}

static HRESULT STDMETHODCALLTYPE object_context(IVssBackupComponents *This, LONG context)
{
    (void)This;
    asked_context = context;
    return context_result;
}

static HRESULT STDMETHODCALLTYPE object_query(IVssBackupComponents *This, VSS_ID id, VSS_OBJECT_TYPE of,
                                              VSS_OBJECT_TYPE wanted, IVssEnumObject **out)
{
    (void)This;
    assert_true(IsEqualGUID(&id, &GUID_NULL));
    assert_int_equal(of, VSS_OBJECT_NONE);
    assert_int_equal(wanted, VSS_OBJECT_SNAPSHOT);
    if (SUCCEEDED(query_result) && !no_enumeration) {
        references++;
        *out = &snapshots;
    }
    return query_result;
}

static IVssBackupComponentsVtbl object_table = {.Release = object_release,
                                                .InitializeForBackup = object_initialize,
                                                .SetContext = object_context,
                                                .Query = object_query};
static IVssBackupComponents object = {&object_table};

static HRESULT STDAPICALLTYPE create(IVssBackupComponents **out)
{
    *out = NULL;
    if (SUCCEEDED(create_result)) {
        references++;
        *out = &object;
    }
    return create_result;
}

/* ---- the bench ---- */

static int set_up(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    arena_init(&bench.arena, 1024 * 1024);
    bench.reply.arena = &bench.arena;
    bench.session.library.module = GetModuleHandleW(NULL);
    bench.session.library.get_provider_management = get_management;
    bench.session.library.create_backup_components = create;
    bench.session.library.free_snapshot_properties = free_properties;
    get_result = area_result = next_result = create_result = initialize_result = context_result =
        query_result = S_OK;
    objects_left = 0;
    no_enumeration = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(references, 0);
    assert_int_equal(strings, 0);
    arena_free(&bench.arena);
    return 0;
}

static const PB(CallReply) * run(PB(Call__MethodCase) method, void *parameters)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    call.method_case = method;
    call.create_object = parameters;
    arena_reset(&bench.arena);
    bench.reply = (struct reply){.arena = &bench.arena};
    session_call(&bench.session, &call, &bench.reply);
    return &bench.reply.message;
}

static const PB(CallReply) * areas_of(const char *volume)
{
    PB(QueryDiffAreas) in = SHADOWPIPE__V1__QUERY_DIFF_AREAS__INIT;
    in.volume = (char *)(uintptr_t)volume;
    return run(PB_METHOD(QUERY_DIFF_AREAS), &in);
}

static const PB(CallReply) * counts(void)
{
    PB(CountSnapshots) in = SHADOWPIPE__V1__COUNT_SNAPSHOTS__INIT;
    return run(PB_METHOD(COUNT_SNAPSHOTS), &in);
}

static void tells_shadow_storage(void **state)
{
    (void)state;
    objects_left = 2;
    const PB(CallReply) *reply = areas_of("D:\\");
    assert_hresult(reply->hresult, S_OK);
    assert_true(wcscmp(asked_volume, L"D:\\") == 0);
    assert_int_equal(reply->query_diff_areas->n_areas, 2);
    const PB(DiffArea) *area = reply->query_diff_areas->areas[1];
    assert_string_equal(area->volume, "\\\\?\\Volume{c}\\");
    assert_string_equal(area->diff_volume, "\\\\?\\Volume{d}\\");
    assert_true(area->maximum_bytes == UINT64_MAX);
    assert_int_equal(area->allocated_bytes, 2000);
    assert_int_equal(area->used_bytes, 1000);
    reply = areas_of("D:\\");
    assert_int_equal(reply->query_diff_areas->n_areas, 0);
    no_enumeration = true;
    area_result = S_FALSE;
    reply = areas_of("D:\\");
    assert_hresult(reply->hresult, S_FALSE);
    assert_int_equal(reply->query_diff_areas->n_areas, 0);
}

static void shadow_storage_that_is_not_told(void **state)
{
    (void)state;
    get_result = REGDB_E_CLASSNOTREG;
    const PB(CallReply) *reply = areas_of("D:\\");
    assert_hresult(reply->hresult, REGDB_E_CLASSNOTREG);
    assert_string_equal(reply->status->method, "GetProviderMgmtInterface");
    get_result = S_OK;
    area_result = VSS_E_VOLUME_NOT_SUPPORTED;
    reply = areas_of("D:\\");
    assert_hresult(reply->hresult, VSS_E_VOLUME_NOT_SUPPORTED);
    assert_string_equal(reply->status->method, "QueryDiffAreasForVolume");
    area_result = S_OK;
    next_result = E_ACCESSDENIED;
    reply = areas_of("D:\\");
    assert_hresult(reply->hresult, E_ACCESSDENIED);
    assert_string_equal(reply->status->method, "IVssEnumMgmtObject::Next");
    assert_int_equal(reply->out_case, PB_OUT(_NOT_SET));
    bench.session.library.get_provider_management = NULL;
    assert_hresult(areas_of("D:\\")->hresult, E_NOTIMPL);
}

static void counts_copies(void **state)
{
    (void)state;
    objects_left = 6; /* d, c, d, c, d, c; the first is another provider's */
    const PB(CallReply) *reply = counts();
    assert_hresult(reply->hresult, S_OK);
    assert_int_equal(asked_context, (LONG)VSS_CTX_ALL);
    const PB(CountSnapshotsResult) *result = reply->count_snapshots;
    assert_int_equal(result->n_volumes, 2);
    assert_string_equal(result->volumes[0]->volume_guid_path, "\\\\?\\Volume{c}\\");
    assert_int_equal(result->volumes[0]->snapshots, 3);
    assert_int_equal(result->volumes[0]->client_accessible, 1);
    assert_int_equal(result->volumes[1]->snapshots, 2);
    assert_int_equal(result->volumes[1]->client_accessible, 0);
    assert_null(bench.session.object); /* the session's own is not touched */
    no_enumeration = true;
    query_result = S_FALSE;
    assert_int_equal(counts()->count_snapshots->n_volumes, 0);
}

static void copies_that_are_not_counted(void **state)
{
    (void)state;
    const struct {
        HRESULT *result;
        const char *method;
    } cases[] = {{&create_result, "CreateVssBackupComponents"},
                 {&initialize_result, "InitializeForBackup"},
                 {&context_result, "SetContext"},
                 {&query_result, "Query"},
                 {&next_result, "IVssEnumObject::Next"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *cases[i].result = E_ACCESSDENIED;
        const PB(CallReply) *reply = counts();
        assert_hresult(reply->hresult, E_ACCESSDENIED);
        assert_string_equal(reply->status->method, cases[i].method);
        *cases[i].result = S_OK;
    }
    bench.session.library.module = NULL;
    bench.session.ready.hresult = E_FAIL;
    assert_hresult(counts()->hresult, E_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_shadow_storage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shadow_storage_that_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_that_are_not_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("requester_storage", tests, NULL, NULL);
}
