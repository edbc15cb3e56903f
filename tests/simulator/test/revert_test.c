/* RevertToSnapshot and QueryRevertStatus on a machine that can; shares, which are noted. */
#include "support.h"

#include <wchar.h>

#define SERVER "[machine]\nserver=1\n"

static struct backup persistent(void)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_NAS_ROLLBACK));
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(b.object, &b.set));
    assert_hr(S_OK, backup_add(&b, 0));
    assert_hr(S_OK, backup_add(&b, 1));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    return b;
}

static void delete_and_release(struct backup *b)
{
    LONG deleted;
    GUID left;
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b->object, b->set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &left));
    backup_release(b);
}

static void file_on(unsigned volume, const wchar_t *name, wchar_t path[MAX_PATH])
{
    swprintf(path, MAX_PATH, L"%ls%ls", machine.volumes[volume], name);
}

/* The store lies on the second volume, and is left alone. */
static void a_volume_gets_its_old_files_back(void **state)
{
    wchar_t kept[2][MAX_PATH], later[2][MAX_PATH], folder[2][MAX_PATH];
    (void)state;
    scenario(SERVER);
    for (unsigned i = 0; i < 2; i++) {
        file_on(i, L"revert.txt", kept[i]);
        file_on(i, L".later", later[i]);
        file_on(i, L"a new folder", folder[i]);
        write_file(kept[i], "before");
    }
    struct backup b = persistent();
    IVssAsync *async = (IVssAsync *)1;
    for (unsigned i = 0; i < 2; i++) {
        write_file(kept[i], "after");
        write_file(later[i], "after");
        assert_true(CreateDirectoryW(folder[i], NULL));
        assert_hr(S_OK, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[i], FALSE));
        assert_true(file_has(kept[i], "before"));
        assert_false(file_exists(L"%ls", later[i]));
        assert_false(file_exists(L"%ls", folder[i]));
        /* It was over at once. */
        assert_hr(VSS_E_OBJECT_NOT_FOUND,
                  IVssBackupComponents_QueryRevertStatus(b.object, machine.volumes[i], &async));
        assert_null(async);
    }
    delete_and_release(&b);
    assert_int_equal(count_logged("\trevert\tbegun\t"), 2);
}

static void a_revert_takes_its_time(void **state)
{
    HRESULT status;
    IVssAsync *async = NULL;
    (void)state;
    scenario(SERVER "revert_ms=600\n");
    struct backup b = persistent();
    assert_hr(S_OK, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], FALSE));
    assert_hr(VSS_E_REVERT_IN_PROGRESS,
              IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], TRUE));
    assert_hr(S_OK, IVssBackupComponents_QueryRevertStatus(b.object, machine.volumes[0], &async));
    assert_hr(S_OK, IVssAsync_QueryStatus(async, &status, NULL));
    assert_hr(VSS_S_ASYNC_PENDING, status);
    IVssAsync_Cancel(async); /* cannot be done */
    assert_hr(VSS_S_ASYNC_FINISHED, wait_async(async));
    assert_true(logged("\tasync\tQueryRevertStatus\thr=0x0004230a"));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_QueryRevertStatus(b.object, machine.volumes[0], &async));
    delete_and_release(&b);
}

/* Another object sees it too; and who does not wait keeps nobody. */
static void a_revert_is_the_machines(void **state)
{
    IVssAsync *async = NULL;
    (void)state;
    scenario(SERVER "revert_ms=300000\n");
    struct backup b = persistent();
    assert_hr(S_OK, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], FALSE));
    delete_and_release(&b);
    struct backup other = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_QueryRevertStatus(other.object, machine.volumes[0], &async));
    IVssAsync_Release(async);
    ULONGLONG began = GetTickCount64();
    backup_release(&other);
    assert_true(GetTickCount64() - began < 60000);
    WIN32_FIND_DATAW found;
    wchar_t path[MAX_PATH];
    swprintf(path, MAX_PATH, L"%ls\\reverts\\*.txt", machine.store);
    HANDLE search = FindFirstFileW(path, &found);
    assert_true(search != INVALID_HANDLE_VALUE);
    FindClose(search);
    swprintf(path, MAX_PATH, L"%ls\\reverts\\%ls", machine.store, found.cFileName);
    assert_true(DeleteFileW(path));
}

static void not_everything_can_be_reverted(void **state)
{
    char text[100];
    (void)state;
    struct backup b = persistent();
    assert_hr(E_NOTIMPL, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], TRUE));
    delete_and_release(&b);
    scenario(SERVER);
    struct backup released = backup_at(STAGE_CREATED);
    assert_hr(VSS_E_UNSUPPORTED_CONTEXT,
              IVssBackupComponents_RevertToSnapshot(released.object, released.snapshots[0], TRUE));
    backup_release(&released);
    snprintf(text, sizeof text, SERVER "[volumes]\nbusy=%ls\n", machine.volumes[0]);
    scenario(text);
    b = persistent();
    assert_hr(VSS_E_VOLUME_IN_USE, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], FALSE));
    assert_hr(S_OK, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], TRUE));
    GUID id = b.snapshots[0], set = b.set;
    backup_release(&b);
    snprintf(text, sizeof text, SERVER "[volumes]\nunsupported=%ls\n", machine.volumes[0]);
    scenario(text);
    b = backup_at(STAGE_INITIALIZED);
    IVssBackupComponents_SetContext(b.object, (LONG)VSS_CTX_ALL);
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED, IVssBackupComponents_RevertToSnapshot(b.object, id, TRUE));
    b.set = set;
    delete_and_release(&b);
    /* The hardware's copies revert everywhere. */
    scenario("[machine]\nhardware_provider=1\n");
    b = persistent();
    assert_hr(S_OK, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], FALSE));
    id = b.snapshots[0], set = b.set;
    backup_release(&b);
    scenario(NULL);
    b = backup_at(STAGE_INITIALIZED);
    IVssBackupComponents_SetContext(b.object, VSS_CTX_NAS_ROLLBACK);
    assert_hr(VSS_E_PROVIDER_NOT_REGISTERED, IVssBackupComponents_RevertToSnapshot(b.object, id, FALSE));
    b.set = set;
    delete_and_release(&b);
}

/* The volume keeps what it has. */
static void a_copy_without_its_files_is_no_use(void **state)
{
    wchar_t path[MAX_PATH], aside[MAX_PATH];
    VSS_SNAPSHOT_PROP prop;
    (void)state;
    scenario(SERVER);
    file_on(0, L"revert.txt", path);
    struct backup b = persistent();
    write_file(path, "now");
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    swprintf(aside, MAX_PATH, L"%ls-aside", prop.m_pwszSnapshotDeviceObject);
    assert_true(MoveFileExW(prop.m_pwszSnapshotDeviceObject, aside, 0));
    assert_hr(E_FAIL, IVssBackupComponents_RevertToSnapshot(b.object, b.snapshots[0], FALSE));
    assert_true(file_has(path, "now"));
    assert_true(MoveFileExW(aside, prop.m_pwszSnapshotDeviceObject, 0));
    machine.free_properties(&prop);
    delete_and_release(&b);
}

static void check_share(struct backup *b, const wchar_t *name, const wchar_t *path)
{
    VSS_SNAPSHOT_PROP prop;
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b->object, b->snapshots[0], &prop));
    if (name) {
        assert_int_equal(wcscmp(prop.m_pwszExposedName, name), 0);
        assert_true(prop.m_lSnapshotAttributes & VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY);
    } else {
        assert_null(prop.m_pwszExposedName);
        assert_false(prop.m_lSnapshotAttributes & VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY);
    }
    if (path)
        assert_int_equal(wcscmp(prop.m_pwszExposedPath, path), 0);
    else
        assert_null(prop.m_pwszExposedPath);
    machine.free_properties(&prop);
}

static void a_share_is_noted(void **state)
{
    const LONG remote = VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY;
    wchar_t folder[MAX_PATH], name[] = L"Backups", path[] = L"\\shared", bad[] = L"a\\b",
                              missing[] = L"\\none";
    VSS_PWSZ exposed = NULL;
    (void)state;
    file_on(0, L"shared", folder);
    assert_true(CreateDirectoryW(folder, NULL));
    struct backup b = persistent(), released = backup_at(STAGE_CREATED);
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], NULL, remote, bad, &exposed));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], missing, remote, name, &exposed));
    assert_hr(E_INVALIDARG, IVssBackupComponents_ExposeSnapshot(released.object, released.snapshots[0], NULL,
                                                                remote, name, &exposed));
    assert_null(exposed);
    assert_hr(S_OK,
              IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], path, remote, name, &exposed));
    assert_int_equal(wcscmp(exposed, name), 0);
    CoTaskMemFree(exposed);
    check_share(&b, name, path);
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], path, remote, name, &exposed));
    assert_hr(S_OK, IVssBackupComponentsEx4_UnexposeSnapshot(b.wide, b.snapshots[0]));
    check_share(&b, NULL, NULL);
    assert_hr(S_OK,
              IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], NULL, remote, NULL, &exposed));
    check_share(&b, exposed, NULL);
    CoTaskMemFree(exposed);
    backup_release(&released);
    delete_and_release(&b); /* exposed as it is */
    assert_true(RemoveDirectoryW(folder));
}

int run_revert_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_volume_gets_its_old_files_back, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_revert_takes_its_time, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_revert_is_the_machines, test_begin, test_end),
        cmocka_unit_test_setup_teardown(not_everything_can_be_reverted, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_copy_without_its_files_is_no_use, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_share_is_noted, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("revert", tests, NULL, NULL);
}
