/* Shadow storage: IVssDifferentialSoftwareSnapshotMgmt, and that it agrees with what DoSnapshotSet does. */
#include "support.h"

#include <vsmgmt.h>
#include <wchar.h>

#define MB (1LL << 20)

static const VSS_ID system_provider = {
    0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};

typedef IVssDifferentialSoftwareSnapshotMgmt *storage_t;

static storage_t storage_open(void)
{
    IUnknown *found = NULL;
    assert_hr(S_OK, machine.management(system_provider, IID_IVssDifferentialSoftwareSnapshotMgmt, &found));
    return (storage_t)found;
}

static void free_prop(VSS_MGMT_OBJECT_PROP *prop)
{
    CoTaskMemFree(prop->Obj.DiffArea.m_pwszVolumeName);
    CoTaskMemFree(prop->Obj.DiffArea.m_pwszDiffAreaVolumeName);
}

/* The area of a test volume as a new object sees it; FALSE: it has none. */
static BOOL area_of(unsigned volume, VSS_DIFF_AREA_PROP *area)
{
    storage_t storage = storage_open();
    IVssEnumMgmtObject *list;
    VSS_MGMT_OBJECT_PROP prop;
    ULONG fetched;
    assert_hr(S_OK, IVssDifferentialSoftwareSnapshotMgmt_QueryDiffAreasForVolume(
                        storage, machine.volumes[volume], &list));
    HRESULT hr = IVssEnumMgmtObject_Next(list, 1, &prop, &fetched);
    assert_int_equal(fetched, hr == S_OK ? 1 : 0);
    if (hr == S_OK) {
        assert_int_equal(prop.Type, VSS_MGMT_OBJECT_DIFF_AREA);
        *area = prop.Obj.DiffArea;
        free_prop(&prop);
    }
    IVssEnumMgmtObject_Release(list);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    return hr == S_OK;
}

static HRESULT change(unsigned volume, unsigned on, LONGLONG maximum)
{
    storage_t storage = storage_open();
    HRESULT hr = IVssDifferentialSoftwareSnapshotMgmt_ChangeDiffAreaMaximumSize(
        storage, machine.volumes[volume], machine.volumes[on], maximum);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    return hr;
}

static HRESULT add(unsigned volume, unsigned on, LONGLONG maximum)
{
    storage_t storage = storage_open();
    HRESULT hr = IVssDifferentialSoftwareSnapshotMgmt_AddDiffArea(storage, machine.volumes[volume],
                                                                  machine.volumes[on], maximum);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    return hr;
}

static void the_interface_is_the_system_providers(void **state)
{
    IUnknown *found = (IUnknown *)1, *same = NULL;
    VSS_ID nobody = {.Data1 = 7};
    (void)state;
    assert_hr(E_INVALIDARG, machine.management(system_provider, IID_IUnknown, NULL));
    assert_hr(VSS_E_PROVIDER_NOT_REGISTERED,
              machine.management(nobody, IID_IVssDifferentialSoftwareSnapshotMgmt, &found));
    assert_null(found);
    assert_hr(E_NOINTERFACE, machine.management(system_provider, IID_IVssSnapshotMgmt, &found));
    assert_null(found);
    storage_t storage = storage_open();
    assert_hr(S_OK,
              IVssDifferentialSoftwareSnapshotMgmt_QueryInterface(storage, &IID_IUnknown, (void **)&same));
    assert_ptr_equal(same, storage);
    assert_hr(E_POINTER, IVssDifferentialSoftwareSnapshotMgmt_QueryInterface(storage, &IID_IUnknown, NULL));
    assert_int_equal(IVssDifferentialSoftwareSnapshotMgmt_Release(storage), 1);
    assert_int_equal(IVssDifferentialSoftwareSnapshotMgmt_Release(storage), 0);
    scenario("[method:GetProviderMgmtInterface]\nresult=0x80070005\n");
    assert_hr(E_ACCESSDENIED,
              machine.management(system_provider, IID_IVssDifferentialSoftwareSnapshotMgmt, &found));
    assert_null(found);
}

static void arguments_come_first(void **state)
{
    storage_t storage = storage_open();
    IVssEnumMgmtObject *list = (IVssEnumMgmtObject *)1;
    WCHAR none[] = L"1:\\", bare[] = L"C:";
    wchar_t *volume = machine.volumes[0];
    VSS_ID nobody = {.Data1 = 7};
    (void)state;
    assert_hr(E_INVALIDARG, CALL(storage, QueryDiffAreasForVolume, NULL, &list));
    assert_null(list);
    assert_hr(E_INVALIDARG, CALL(storage, QueryDiffAreasForVolume, volume, NULL));
    assert_hr(E_INVALIDARG, CALL(storage, QueryDiffAreasOnVolume, NULL, &list));
    assert_hr(E_INVALIDARG, CALL(storage, QueryVolumesSupportedForDiffAreas, NULL, &list));
    assert_hr(E_INVALIDARG, CALL(storage, QueryDiffAreasForSnapshot, nobody, NULL));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, QueryDiffAreasForVolume, none, &list));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, QueryDiffAreasOnVolume, bare, &list));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, QueryVolumesSupportedForDiffAreas, none, &list));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, QueryDiffAreasForSnapshot, nobody, &list));
    assert_hr(E_INVALIDARG, CALL(storage, AddDiffArea, NULL, volume, 400 * MB));
    assert_hr(E_INVALIDARG, CALL(storage, AddDiffArea, volume, NULL, 400 * MB));
    assert_hr(E_INVALIDARG, CALL(storage, AddDiffArea, volume, volume, 319 * MB));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, AddDiffArea, none, volume, 400 * MB));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, AddDiffArea, volume, none, 400 * MB));
    assert_hr(E_INVALIDARG, CALL(storage, ChangeDiffAreaMaximumSize, NULL, volume, 400 * MB));
    assert_hr(E_INVALIDARG, CALL(storage, ChangeDiffAreaMaximumSize, volume, NULL, 400 * MB));
    assert_hr(E_INVALIDARG, CALL(storage, ChangeDiffAreaMaximumSize, volume, volume, -2));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(storage, ChangeDiffAreaMaximumSize, volume, none, 400 * MB));
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    assert_true(logged("\tcall\tAddDiffArea\thr=0x80042308"));
}

static void an_area_comes_and_goes_with_the_copies(void **state)
{
    VSS_DIFF_AREA_PROP area;
    (void)state;
    assert_false(area_of(0, &area));
    struct backup b = backup_at(STAGE_CREATED);
    assert_true(area_of(0, &area));
    assert_true(area.m_llMaximumDiffSpace == VSS_ASSOC_NO_MAX_SPACE);
    assert_true(area.m_llUsedDiffSpace == 32 * MB);
    assert_true(area.m_llAllocatedDiffSpace == 32 * MB);
    storage_t storage = storage_open();
    IVssEnumMgmtObject *list, *copy;
    VSS_MGMT_OBJECT_PROP props[2];
    ULONG fetched;
    assert_hr(S_OK, CALL(storage, QueryDiffAreasForSnapshot, b.snapshots[0], &list));
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage); /* the list has a life of its own */
    assert_hr(E_POINTER, IVssEnumMgmtObject_Next(list, 2, NULL, &fetched));
    assert_hr(E_POINTER, IVssEnumMgmtObject_Next(list, 2, props, NULL));
    assert_hr(S_FALSE, IVssEnumMgmtObject_Next(list, 2, props, &fetched));
    assert_int_equal(fetched, 1);
    assert_null(props[1].Obj.DiffArea.m_pwszVolumeName);
    assert_int_equal(wcsncmp(props[0].Obj.DiffArea.m_pwszVolumeName, L"\\\\?\\Volume{", 11), 0);
    free_prop(&props[0]);
    assert_hr(S_OK, IVssEnumMgmtObject_Clone(list, &copy));
    assert_hr(S_FALSE, IVssEnumMgmtObject_Next(copy, 1, props, &fetched));
    assert_hr(S_OK, IVssEnumMgmtObject_Reset(copy));
    assert_hr(S_OK, IVssEnumMgmtObject_Skip(copy, 1));
    assert_hr(S_FALSE, IVssEnumMgmtObject_Skip(copy, 1));
    assert_int_equal(IVssEnumMgmtObject_Release(copy), 0);
    assert_int_equal(IVssEnumMgmtObject_Release(list), 0);
    backup_release(&b);
    assert_false(area_of(0, &area));
}

static void the_scenario_describes_an_area(void **state)
{
    VSS_DIFF_AREA_PROP area;
    char text[300];
    (void)state;
    snprintf(text, sizeof text,
             "[storage:%ls]\non=%ls\nmaximum=1000000000\nallocated=500000000\nused=400000000\ncopy=1000\n",
             machine.volumes[0], machine.volumes[1]);
    scenario(text);
    assert_true(area_of(0, &area));
    assert_true(area.m_llMaximumDiffSpace == 1000000000);
    assert_true(area.m_llAllocatedDiffSpace == 500000000);
    assert_true(area.m_llUsedDiffSpace == 400000000);
    assert_false(area_of(1, &area));
    struct backup b = backup_at(STAGE_CREATED);
    assert_true(area_of(0, &area));
    assert_true(area.m_llUsedDiffSpace == 400001000);
    /* On the other volume it is found, too; and only there. */
    storage_t storage = storage_open();
    IVssEnumMgmtObject *list;
    VSS_MGMT_OBJECT_PROP props[2];
    ULONG fetched;
    assert_hr(S_OK, CALL(storage, QueryDiffAreasOnVolume, machine.volumes[1], &list));
    assert_hr(S_FALSE, IVssEnumMgmtObject_Next(list, 2, props, &fetched));
    assert_int_equal(fetched, 1);
    assert_int_not_equal(
        _wcsicmp(props[0].Obj.DiffArea.m_pwszVolumeName, props[0].Obj.DiffArea.m_pwszDiffAreaVolumeName), 0);
    free_prop(&props[0]);
    IVssEnumMgmtObject_Release(list);
    assert_hr(S_OK, CALL(storage, QueryDiffAreasOnVolume, machine.volumes[0], &list));
    assert_hr(S_FALSE, IVssEnumMgmtObject_Next(list, 1, props, &fetched));
    IVssEnumMgmtObject_Release(list);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    backup_release(&b);
    scenario("[storage:X]\nsize=1\n");
    storage = storage_open();
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    assert_true(logged("unknown key \"size\" in [storage:X]"));
}

/* What the numbers say comes true: as many copies fit as there is room for. */
static void an_area_is_full(void **state)
{
    VSS_DIFF_AREA_PROP area;
    VSS_SNAPSHOT_PROP prop;
    (void)state;
    scenario("[volumes]\nstorage_copies=1\n");
    assert_true(area_of(0, &area));
    assert_true(area.m_llMaximumDiffSpace == 48 * MB && area.m_llUsedDiffSpace == 0);
    struct backup first = backup_at(STAGE_CREATED);
    assert_true(area_of(0, &area));
    assert_true(area.m_llUsedDiffSpace == 32 * MB);
    struct backup second = backup_at(STAGE_CREATED); /* the first copy goes for it */
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(first.object, first.snapshots[0], &prop));
    char text[200];
    snprintf(text, sizeof text, "[storage:%ls]\nmaximum=0x4000000\nused=0x3000000\n", machine.volumes[0]);
    scenario(text); /* 64 MB, of which 48 are something else's */
    struct backup third = backup_at(STAGE_PREPARED);
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, SNAPSHOT(&third));
    /* A copy that could not be saved by it has not been given up. */
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(second.object, second.snapshots[0], &prop));
    machine.free_properties(&prop);
    backup_release(&first);
    backup_release(&second);
    backup_release(&third);
}

static void areas_are_added_changed_and_taken_away(void **state)
{
    VSS_DIFF_AREA_PROP area;
    VSS_SNAPSHOT_PROP prop;
    (void)state;
    assert_hr(VSS_E_OBJECT_NOT_FOUND, change(0, 0, 0));
    assert_hr(S_OK, add(0, 1, 320 * MB));
    assert_hr(VSS_E_OBJECT_ALREADY_EXISTS, add(0, 1, 400 * MB));
    assert_hr(VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED, add(0, 0, 400 * MB));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, change(0, 0, 400 * MB)); /* it is on the other volume */
    assert_true(area_of(0, &area));
    assert_true(area.m_llMaximumDiffSpace == 320 * MB);
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, change(0, 1, 31 * MB));
    assert_hr(S_OK, change(0, 1, 64 * MB));
    struct backup first = backup_at(STAGE_CREATED), second = backup_at(STAGE_CREATED);
    assert_hr(VSS_E_VOLUME_IN_USE, change(0, 1, 0));
    assert_hr(S_OK, change(0, 1, 33 * MB)); /* the oldest goes */
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(first.object, first.snapshots[0], &prop));
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(second.object, second.snapshots[0], &prop));
    machine.free_properties(&prop);
    assert_hr(S_OK, change(0, 1, VSS_ASSOC_NO_MAX_SPACE));
    backup_release(&first);
    backup_release(&second);
    assert_true(area_of(0, &area)); /* explicit: it stays without copies */
    assert_true(area.m_llMaximumDiffSpace == VSS_ASSOC_NO_MAX_SPACE && area.m_llUsedDiffSpace == 0);
    assert_hr(S_OK, change(0, 1, 0));
    assert_false(area_of(0, &area));
    assert_hr(S_OK, change(0, 0, 100 * MB)); /* makes one where there is none */
    assert_true(area_of(0, &area));
    assert_hr(S_OK, change(0, 0, 0));
    char text[100];
    snprintf(text, sizeof text, "[volumes]\nunsupported=%ls\n", machine.volumes[1]);
    scenario(text);
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED, add(0, 1, 400 * MB));
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED, change(0, 1, 400 * MB));
}

static void volumes_that_can_hold_areas_are_listed(void **state)
{
    storage_t storage = storage_open();
    IVssEnumMgmtObject *list;
    VSS_MGMT_OBJECT_PROP prop;
    ULONG fetched;
    unsigned found = 0;
    (void)state;
    assert_hr(S_OK, CALL(storage, QueryVolumesSupportedForDiffAreas, machine.volumes[0], &list));
    while (IVssEnumMgmtObject_Next(list, 1, &prop, &fetched) == S_OK) {
        const VSS_DIFF_VOLUME_PROP *volume = &prop.Obj.DiffVol;
        assert_int_equal(prop.Type, VSS_MGMT_OBJECT_DIFF_VOLUME);
        assert_true(volume->m_llVolumeTotalSpace > 0);
        assert_true(volume->m_llVolumeFreeSpace <= volume->m_llVolumeTotalSpace);
        for (unsigned i = 0; i < 2; i++)
            found += _wcsicmp(volume->m_pwszVolumeDisplayName, machine.volumes[i]) == 0;
        free_prop(&prop);
    }
    assert_int_equal(found, 2);
    IVssEnumMgmtObject_Release(list);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
    scenario("[method:QueryDiffAreasForVolume]\nresult=0x80042306\n");
    storage = storage_open();
    assert_hr(VSS_E_PROVIDER_VETO, CALL(storage, QueryDiffAreasForVolume, machine.volumes[0], &list));
    assert_null(list);
    IVssDifferentialSoftwareSnapshotMgmt_Release(storage);
}

int run_storage_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_interface_is_the_system_providers, test_begin, test_end),
        cmocka_unit_test_setup_teardown(arguments_come_first, test_begin, test_end),
        cmocka_unit_test_setup_teardown(an_area_comes_and_goes_with_the_copies, test_begin, test_end),
        cmocka_unit_test_setup_teardown(the_scenario_describes_an_area, test_begin, test_end),
        cmocka_unit_test_setup_teardown(an_area_is_full, test_begin, test_end),
        cmocka_unit_test_setup_teardown(areas_are_added_changed_and_taken_away, test_begin, test_end),
        cmocka_unit_test_setup_teardown(volumes_that_can_hold_areas_are_listed, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
