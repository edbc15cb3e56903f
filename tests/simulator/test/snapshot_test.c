/* Volumes, copies, and what becomes of them. */
#include "support.h"

#include <wchar.h>

static const GUID system_provider = {
    0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};
static const GUID other_provider = {0xb5946137, 0, 0, {0}};

static HRESULT add(struct backup *b, const wchar_t *name, GUID provider)
{
    WCHAR volume[100];
    GUID id;
    wcscpy(volume, name);
    HRESULT hr = IVssBackupComponents_AddToSnapshotSet(b->object, volume, provider, &id);
    if (FAILED(hr))
        assert_true(IsEqualGUID(&id, &GUID_NULL));
    return hr;
}

static HRESULT supported(struct backup *b, const wchar_t *name, GUID provider, WINBOOL *answer)
{
    WCHAR volume[100];
    wcscpy(volume, name);
    return IVssBackupComponents_IsVolumeSupported(b->object, provider, volume, answer);
}

static void guid_name_of(unsigned volume, wchar_t name[60])
{
    assert_true(GetVolumeNameForVolumeMountPointW(machine.volumes[volume], name, 60));
}

static void volume_names_are_checked(void **state)
{
    static const wchar_t *const bad[] = {L"",
                                         L"\\",
                                         L"C:",
                                         L"C",
                                         L"?:\\",
                                         L"\\\\server\\share\\",
                                         L"\\\\?\\Volume{00000000-0000-0000-0000-0000000000ff}\\",
                                         L"nothing\\"};
    struct backup b = backup_at(STAGE_STARTED);
    wchar_t name[60], no_backslash[8];
    WINBOOL answer = 7;
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        assert_hr(VSS_E_OBJECT_NOT_FOUND, add(&b, bad[i], GUID_NULL));
        assert_hr(VSS_E_OBJECT_NOT_FOUND, supported(&b, bad[i], GUID_NULL, &answer));
        assert_int_equal(answer, FALSE);
    }
    swprintf(no_backslash, ARRAYSIZE(no_backslash), L"%.2ls", machine.volumes[0]);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, add(&b, no_backslash, GUID_NULL));
    guid_name_of(0, name);
    assert_hr(S_OK, supported(&b, name, GUID_NULL, &answer));
    assert_int_equal(answer, TRUE);
    assert_hr(S_OK, add(&b, name, GUID_NULL));
    assert_hr(VSS_E_OBJECT_ALREADY_EXISTS, add(&b, machine.volumes[0], GUID_NULL));
    backup_release(&b);
}

static void providers_are_checked(void **state)
{
    struct backup b = backup_at(STAGE_STARTED);
    WINBOOL answer;
    (void)state;
    assert_hr(VSS_E_PROVIDER_NOT_REGISTERED, add(&b, machine.volumes[0], other_provider));
    assert_hr(VSS_E_PROVIDER_NOT_REGISTERED, supported(&b, machine.volumes[0], other_provider, &answer));
    assert_hr(S_OK, supported(&b, machine.volumes[0], system_provider, &answer));
    assert_int_equal(answer, TRUE);
    assert_hr(S_OK, add(&b, machine.volumes[0], system_provider));
    backup_release(&b);
}

static void volumes_can_be_unsupported(void **state)
{
    char text[100];
    WINBOOL answer = TRUE;
    (void)state;
    snprintf(text, sizeof text, "[volumes]\nunsupported=Q:\\;%ls\n", machine.volumes[0]);
    scenario(text);
    struct backup b = backup_at(STAGE_STARTED);
    assert_hr(S_OK, supported(&b, machine.volumes[0], GUID_NULL, &answer));
    assert_int_equal(answer, FALSE);
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED, add(&b, machine.volumes[0], GUID_NULL));
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER, add(&b, machine.volumes[0], system_provider));
    assert_hr(S_OK, add(&b, machine.volumes[1], GUID_NULL));
    backup_release(&b);
}

static void numbers_are_limited(void **state)
{
    (void)state;
    scenario("[volumes]\nmax_volumes=1\nmax_snapshots=1\n");
    struct backup a = backup_at(STAGE_ADDED);
    assert_hr(VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED, add(&a, machine.volumes[1], GUID_NULL));
    backup_advance(&a, STAGE_ADDED, STAGE_CREATED);
    struct backup b = backup_at(STAGE_STARTED);
    assert_hr(VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, add(&b, machine.volumes[0], GUID_NULL));
    WINBOOL answer = FALSE;
    assert_hr(S_OK, supported(&b, machine.volumes[0], GUID_NULL, &answer));
    assert_int_equal(answer, TRUE);
    backup_release(&b);
    backup_release(&a);
}

static void a_copy_is_described(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    VSS_SNAPSHOT_PROP prop;
    wchar_t name[60];
    GUID unknown = {.Data1 = 1};
    (void)state;
    assert_hr(S_OK, backup_add(&b, 1));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_GetSnapshotProperties(b.object, unknown, &prop));
    assert_null(prop.m_pwszSnapshotDeviceObject);
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[1], &prop));
    assert_true(IsEqualGUID(&prop.m_SnapshotId, &b.snapshots[1]));
    assert_true(IsEqualGUID(&prop.m_SnapshotSetId, &b.set));
    assert_int_equal(prop.m_lSnapshotsCount, 2);
    assert_int_equal(prop.m_eStatus, VSS_SS_CREATED);
    assert_int_equal(prop.m_lSnapshotAttributes, 0x00420000);
    assert_true(IsEqualGUID(&prop.m_ProviderId, &system_provider));
    assert_true(prop.m_tsCreationTimestamp > 0);
    assert_null(prop.m_pwszExposedName);
    assert_null(prop.m_pwszExposedPath);
    guid_name_of(1, name);
    assert_int_equal(_wcsicmp(prop.m_pwszOriginalVolumeName, name), 0);
    assert_true(wcslen(prop.m_pwszServiceMachine) > 0 && wcslen(prop.m_pwszOriginatingMachine) > 0);
    size_t n = wcslen(prop.m_pwszSnapshotDeviceObject);
    assert_int_equal(wcsncmp(prop.m_pwszSnapshotDeviceObject, L"\\\\?\\", 4), 0);
    assert_true(prop.m_pwszSnapshotDeviceObject[n - 1] != L'\\');
    machine.free_properties(&prop);
    assert_null(prop.m_pwszSnapshotDeviceObject);
    backup_release(&b);
}

static void device_of(struct backup *b, unsigned volume, wchar_t *device)
{
    VSS_SNAPSHOT_PROP prop;
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b->object, b->snapshots[volume], &prop));
    wcscpy(device, prop.m_pwszSnapshotDeviceObject);
    machine.free_properties(&prop);
}

static void a_copy_is_of_its_moment_and_whole(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    wchar_t path[MAX_PATH], device[MAX_PATH];
    (void)state;
    assert_hr(S_OK, backup_add(&b, 1));
    swprintf(path, MAX_PATH, L"%lsfile with 'quotes' and \x00fc.txt", machine.volumes[0]);
    write_file(path, "before");
    swprintf(path, MAX_PATH, L"%ls.hidden", machine.volumes[0]);
    write_file(path, "dot");
    swprintf(path, MAX_PATH, L"%lsdeep\\beside.txt", machine.volumes[1]);
    write_file(path, "beside the store");
    swprintf(path, MAX_PATH, L"%lslocked.txt", machine.volumes[0]);
    write_file(path, "locked");
    HANDLE lock = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(lock != INVALID_HANDLE_VALUE);
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    CloseHandle(lock);
    swprintf(path, MAX_PATH, L"%lsfile with 'quotes' and \x00fc.txt", machine.volumes[0]);
    write_file(path, "after");
    device_of(&b, 0, device);
    swprintf(path, MAX_PATH, L"%ls\\file with 'quotes' and \x00fc.txt", device);
    assert_true(file_has(path, "before"));
    swprintf(path, MAX_PATH, L"%ls\\locked.txt", device);
    assert_true(file_has(path, "locked"));
    swprintf(path, MAX_PATH, L"%ls\\.hidden", device);
    assert_true(file_has(path, "dot"));
    device_of(&b, 1, device);
    swprintf(path, MAX_PATH, L"%ls\\deep\\beside.txt", device);
    assert_true(file_has(path, "beside the store"));
    assert_true(file_exists(L"%ls\\deep\\er", device));
    assert_false(file_exists(L"%ls\\deep\\er\\store", device));
    backup_release(&b);
    assert_false(file_exists(L"%ls", device));
}

static UINT count_found(IVssEnumObject *found, VSS_OBJECT_TYPE type, const GUID *wanted, BOOL *seen)
{
    UINT count = 0;
    VSS_OBJECT_PROP prop;
    ULONG n;
    *seen = FALSE;
    while (IVssEnumObject_Next(found, 1, &prop, &n) == S_OK) {
        assert_int_equal(n, 1);
        assert_int_equal(prop.Type, type);
        count++;
        if (type == VSS_OBJECT_SNAPSHOT) {
            *seen |= IsEqualGUID(&prop.Obj.Snap.m_SnapshotId, wanted);
            machine.free_properties(&prop.Obj.Snap);
        } else {
            *seen |= IsEqualGUID(&prop.Obj.Prov.m_ProviderId, wanted);
            CoTaskMemFree(prop.Obj.Prov.m_pwszProviderName);
            CoTaskMemFree(prop.Obj.Prov.m_pwszProviderVersion);
        }
    }
    assert_int_equal(n, 0);
    return count;
}

static UINT query(struct backup *b, VSS_OBJECT_TYPE type, const GUID *wanted, BOOL *seen)
{
    IVssEnumObject *found;
    assert_hr(S_OK, IVssBackupComponents_Query(b->object, GUID_NULL, VSS_OBJECT_NONE, type, &found));
    UINT count = count_found(found, type, wanted, seen);
    assert_int_equal(IVssEnumObject_Release(found), 0);
    return count;
}

static void queries_find_copies_and_the_provider(void **state)
{
    struct backup b = backup_at(STAGE_ADDED), other = backup_at(STAGE_INITIALIZED),
                  admin = backup_at(STAGE_INITIALIZED);
    BOOL seen;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(other.object, VSS_CTX_APP_ROLLBACK));
    assert_hr(S_OK, IVssBackupComponents_SetContext(admin.object, (LONG)VSS_CTX_ALL));
    assert_int_equal(query(&b, VSS_OBJECT_SNAPSHOT, &b.snapshots[0], &seen), 0);
    assert_int_equal(query(&b, VSS_OBJECT_PROVIDER, &system_provider, &seen), 1);
    assert_true(seen);
    assert_hr(S_OK, backup_add(&b, 1));
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_int_equal(query(&b, VSS_OBJECT_SNAPSHOT, &b.snapshots[1], &seen), 2);
    assert_true(seen);
    assert_int_equal(query(&other, VSS_OBJECT_SNAPSHOT, &b.snapshots[0], &seen), 0);
    assert_int_equal(query(&admin, VSS_OBJECT_SNAPSHOT, &b.snapshots[0], &seen), 2);
    assert_true(seen);
    backup_release(&b);
    backup_release(&other);
    backup_release(&admin);
}

static void enumerations_keep_com_manners(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    IVssEnumObject *found, *clone;
    VSS_OBJECT_PROP props[3];
    ULONG n;
    void *unknown;
    BOOL seen;
    (void)state;
    assert_hr(S_OK, backup_add(&b, 1));
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_hr(S_OK,
              IVssBackupComponents_Query(b.object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, &found));
    assert_hr(E_POINTER, IVssEnumObject_Next(found, 1, NULL, &n));
    assert_hr(E_POINTER, IVssEnumObject_Next(found, 1, props, NULL));
    assert_hr(S_FALSE, IVssEnumObject_Next(found, 3, props, &n));
    assert_int_equal(n, 2);
    assert_int_equal(props[2].Type, VSS_OBJECT_UNKNOWN);
    machine.free_properties(&props[0].Obj.Snap);
    machine.free_properties(&props[1].Obj.Snap);
    assert_hr(S_OK, IVssEnumObject_Reset(found));
    assert_hr(S_OK, IVssEnumObject_Skip(found, 1));
    assert_hr(S_OK, IVssEnumObject_Clone(found, &clone));
    assert_int_equal(count_found(clone, VSS_OBJECT_SNAPSHOT, &b.snapshots[1], &seen), 1);
    assert_true(seen);
    assert_hr(S_FALSE, IVssEnumObject_Skip(found, 2));
    assert_hr(E_POINTER, IVssEnumObject_Clone(found, NULL));
    assert_hr(S_OK, IVssEnumObject_QueryInterface(found, &IID_IVssEnumObject, &unknown));
    IVssEnumObject_Release(found);
    assert_hr(E_NOINTERFACE, IVssEnumObject_QueryInterface(found, &IID_IVssAsync, &unknown));
    assert_int_equal(IVssEnumObject_Release(found), 0);
    assert_int_equal(IVssEnumObject_Release(clone), 0);
    backup_release(&b);
}

static void copies_are_deleted_one_by_one_or_by_set(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    LONG deleted = 7;
    GUID failed, unknown = {.Data1 = 1};
    VSS_SNAPSHOT_PROP prop;
    (void)state;
    assert_hr(S_OK, backup_add(&b, 1));
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          b.object, unknown, VSS_OBJECT_SNAPSHOT, TRUE, &deleted, &failed));
    assert_int_equal(deleted, 0);
    assert_true(IsEqualGUID(&failed, &unknown));
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b.object, b.snapshots[0], VSS_OBJECT_SNAPSHOT, FALSE,
                                                         &deleted, &failed));
    assert_int_equal(deleted, 1);
    assert_true(IsEqualGUID(&failed, &GUID_NULL));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &failed));
    assert_int_equal(deleted, 1);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          b.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE, &deleted, &failed));
    backup_release(&b);
}

static void persistent_copies_stay(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    wchar_t device[MAX_PATH];
    LONG deleted;
    GUID failed;
    BOOL seen;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_APP_ROLLBACK));
    backup_advance(&b, STAGE_INITIALIZED, STAGE_COMPLETED);
    device_of(&b, 0, device);
    GUID id = b.snapshots[0];
    backup_release(&b);
    assert_true(file_exists(L"%ls", device));
    struct backup other = backup_at(STAGE_INITIALIZED);
    assert_int_equal(query(&other, VSS_OBJECT_SNAPSHOT, &id, &seen), 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          other.object, id, VSS_OBJECT_SNAPSHOT, TRUE, &deleted, &failed));
    backup_release(&other);
    struct backup admin = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_SetContext(admin.object, (LONG)VSS_CTX_ALL));
    assert_int_equal(query(&admin, VSS_OBJECT_SNAPSHOT, &id, &seen), 1);
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(admin.object, id, VSS_OBJECT_SNAPSHOT, TRUE,
                                                         &deleted, &failed));
    assert_false(file_exists(L"%ls", device));
    backup_release(&admin);
}

static void release_may_lag(void **state)
{
    (void)state;
    scenario("[machine]\nrelease_delay_ms=150\n");
    struct backup b = backup_at(STAGE_CREATED);
    wchar_t device[MAX_PATH];
    device_of(&b, 0, device);
    backup_release(&b);
    assert_true(file_exists(L"%ls", device));
    WINBOOL present = TRUE;
    LONG capability;
    wait_until(machine.is_snapshotted(machine.volumes[0], &present, &capability) == S_OK && !present);
    assert_false(file_exists(L"%ls", device));
}

static void a_volume_knows_whether_it_has_copies(void **state)
{
    WINBOOL present = TRUE;
    LONG capability = 7;
    WCHAR nothing[] = L"?:\\";
    (void)state;
    assert_hr(S_OK, machine.is_snapshotted(machine.volumes[0], &present, &capability));
    assert_int_equal(present, FALSE);
    assert_int_equal(capability, 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, machine.is_snapshotted(nothing, &present, &capability));
    struct backup b = backup_at(STAGE_CREATED);
    assert_hr(S_OK, machine.is_snapshotted(machine.volumes[0], &present, &capability));
    assert_int_equal(present, TRUE);
    assert_hr(S_OK, machine.is_snapshotted(machine.volumes[1], &present, &capability));
    assert_int_equal(present, FALSE);
    backup_release(&b);
}

static void a_failed_set_leaves_nothing(void **state)
{
    (void)state;
    scenario("[method:DoSnapshotSet]\nasync_result=0x8004231f\n");
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, SNAPSHOT(&b));
    assert_true(logged("\tAbort\tSystem Writer"));
    /* The creator's place is free already now. */
    scenario(NULL);
    struct backup other = backup_at(STAGE_CREATED);
    backup_release(&other);
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    backup_release(&b);
}

static void abort_after_a_good_set_keeps_the_copies(void **state)
{
    struct backup b = backup_at(STAGE_CREATED);
    wchar_t device[MAX_PATH];
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_false(logged("\tAbort\t"));
    device_of(&b, 0, device);
    assert_true(file_exists(L"%ls", device));
    backup_release(&b);
    assert_false(file_exists(L"%ls", device));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_snapshot_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(volume_names_are_checked),
        TEST(providers_are_checked),
        TEST(volumes_can_be_unsupported),
        TEST(numbers_are_limited),
        TEST(a_copy_is_described),
        TEST(a_copy_is_of_its_moment_and_whole),
        TEST(queries_find_copies_and_the_provider),
        TEST(enumerations_keep_com_manners),
        TEST(copies_are_deleted_one_by_one_or_by_set),
        TEST(persistent_copies_stay),
        TEST(release_may_lag),
        TEST(a_volume_knows_whether_it_has_copies),
        TEST(a_failed_set_leaves_nothing),
        TEST(abort_after_a_good_set_keeps_the_copies),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
