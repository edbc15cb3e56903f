/* Copies that exist already: who sees them, deletes, exposes, breaks, reverts them. */
#include "support.h"

#include <wchar.h>

static struct backup copy_in(LONG context, unsigned volumes)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    BOOL writers = !(context & VSS_VOLSNAP_ATTR_NO_WRITERS);
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, context));
    if (writers)
        backup_advance(&b, STAGE_INITIALIZED, STAGE_GATHERED);
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(b.object, &b.set));
    for (unsigned i = 0; i < volumes; i++)
        assert_hr(S_OK, backup_add(&b, i));
    if (writers)
        assert_hr(VSS_S_ASYNC_FINISHED, PREPARE(&b));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    return b;
}

static struct backup administrator(LONG context)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, context));
    return b;
}

static void delete_set(GUID set, LONG expected)
{
    struct backup all = administrator((LONG)VSS_CTX_ALL);
    LONG deleted = 0;
    GUID left;
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(all.object, set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &left));
    assert_int_equal(deleted, expected);
    assert_true(IsEqualGUID(&left, &GUID_NULL));
    backup_release(&all);
}

/* How many copies a fresh object of this context finds. */
static unsigned visible(LONG context)
{
    struct backup b = administrator(context);
    IVssEnumObject *found;
    VSS_OBJECT_PROP prop;
    ULONG fetched;
    unsigned count = 0;
    assert_hr(S_OK,
              IVssBackupComponents_Query(b.object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, &found));
    while (IVssEnumObject_Next(found, 1, &prop, &fetched) == S_OK) {
        machine.free_properties(&prop.Obj.Snap);
        count++;
    }
    IVssEnumObject_Release(found);
    backup_release(&b);
    return count;
}

static void a_query_shows_its_contexts_copies(void **state)
{
    (void)state;
    struct backup backup = backup_at(STAGE_CREATED);
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 2);
    struct backup nas = copy_in(VSS_CTX_NAS_ROLLBACK, 1);
    assert_int_equal(visible(VSS_CTX_BACKUP), 1);
    assert_int_equal(visible(VSS_CTX_APP_ROLLBACK), 2);
    assert_int_equal(visible(VSS_CTX_NAS_ROLLBACK), 1);
    assert_int_equal(visible(VSS_CTX_CLIENT_ACCESSIBLE), 0);
    assert_int_equal(visible((LONG)VSS_CTX_ALL), 4);
    backup_release(&backup);
    backup_release(&app);
    backup_release(&nas);
    assert_int_equal(visible((LONG)VSS_CTX_ALL), 3);
    delete_set(app.set, 2);
    delete_set(nas.set, 1);
    assert_int_equal(visible((LONG)VSS_CTX_ALL), 0);
}

static void deleting_says_what_is_left(void **state)
{
    (void)state;
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 2);
    backup_release(&app);
    struct backup other = administrator(VSS_CTX_NAS_ROLLBACK), own = administrator(VSS_CTX_APP_ROLLBACK);
    LONG deleted = 7;
    GUID left, nobody = {.Data1 = 7};
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_DeleteSnapshots(other.object, app.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                   &deleted, &left));
    assert_int_equal(deleted, 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          own.object, nobody, VSS_OBJECT_SNAPSHOT, TRUE, &deleted, &left));
    assert_true(IsEqualGUID(&left, &nobody));
    /* A set's id is no snapshot's. */
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          own.object, app.set, VSS_OBJECT_SNAPSHOT, TRUE, &deleted, &left));
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(own.object, app.snapshots[0], VSS_OBJECT_SNAPSHOT,
                                                         TRUE, &deleted, &left));
    assert_int_equal(deleted, 1);
    VSS_SNAPSHOT_PROP prop;
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(own.object, app.snapshots[1], &prop));
    assert_int_equal(prop.m_lSnapshotsCount, 2); /* as many as there were */
    machine.free_properties(&prop);
    backup_release(&other);
    backup_release(&own);
    delete_set(app.set, 1);
}

static void deleting_stops_at_the_first_that_stays(void **state)
{
    char text[60];
    LONG deleted = 0;
    GUID left;
    (void)state;
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 2);
    backup_release(&app);
    snprintf(text, sizeof text, "[volumes]\nundeletable=%ls\n", machine.volumes[1]);
    scenario(text);
    struct backup all = administrator((LONG)VSS_CTX_ALL);
    for (LONG expected = 1; expected >= 0; expected--) {
        assert_hr(VSS_E_PROVIDER_VETO,
                  IVssBackupComponents_DeleteSnapshots(all.object, app.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                       &deleted, &left));
        assert_int_equal(deleted, expected);
        assert_true(IsEqualGUID(&left, &app.snapshots[1]));
    }
    backup_release(&all);
    scenario(NULL);
    delete_set(app.set, 1);
}

static void prepare_volume(const char *text)
{
    wchar_t path[MAX_PATH];
    swprintf(path, MAX_PATH, L"%lsexposed.txt", machine.volumes[0]);
    write_file(path, text);
}

static void check_exposed(const wchar_t *root, const char *text)
{
    wchar_t path[2 * MAX_PATH];
    swprintf(path, ARRAYSIZE(path), L"%lsexposed.txt", root);
    assert_true(file_has(path, text));
}

static wchar_t free_letter(void)
{
    for (wchar_t letter = L'G'; letter < L'Z'; letter++) {
        wchar_t root[] = {letter, L':', L'\\', 0};
        if (GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES)
            return letter;
    }
    fail_msg("no drive letter is free");
    return 0;
}

static void check_properties(struct backup *all, GUID id, const wchar_t *name)
{
    VSS_SNAPSHOT_PROP prop;
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(all->object, id, &prop));
    if (name)
        assert_int_equal(_wcsicmp(prop.m_pwszExposedName, name), 0);
    else
        assert_null(prop.m_pwszExposedName);
    assert_int_equal((prop.m_lSnapshotAttributes & VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY) != 0, name != NULL);
    machine.free_properties(&prop);
}

static void expose_and_back(struct backup *all, GUID id, wchar_t *as, const wchar_t *root)
{
    VSS_PWSZ exposed = NULL;
    assert_hr(S_OK, IVssBackupComponents_ExposeSnapshot(all->object, id, NULL,
                                                        VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, as, &exposed));
    assert_int_equal(_wcsicmp(exposed, root), 0);
    CoTaskMemFree(exposed);
    check_exposed(root, "before");
    check_properties(all, id, root);
    assert_hr(E_INVALIDARG, IVssBackupComponents_ExposeSnapshot(
                                all->object, id, NULL, VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, as, &exposed));
    assert_hr(S_OK, IVssBackupComponentsEx4_UnexposeSnapshot(all->wide, id));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponentsEx4_UnexposeSnapshot(all->wide, id));
    check_properties(all, id, NULL);
    assert_false(file_exists(L"%lsexposed.txt", root));
}

static void a_copy_is_exposed_by_letter_and_folder(void **state)
{
    (void)state;
    prepare_volume("before");
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 1);
    backup_release(&app);
    prepare_volume("after");
    struct backup all = administrator((LONG)VSS_CTX_ALL);
    wchar_t letter = free_letter(), as[] = {letter, L':', 0}, root[] = {letter, L':', L'\\', 0};
    expose_and_back(&all, app.snapshots[0], as, root);
    wchar_t folder[MAX_PATH], folder_root[MAX_PATH + 1];
    swprintf(folder, MAX_PATH, L"%lsplace", machine.volumes[1]);
    swprintf(folder_root, MAX_PATH, L"%ls\\", folder);
    assert_true(CreateDirectoryW(folder, NULL));
    expose_and_back(&all, app.snapshots[0], folder, folder_root);
    /* Deleting takes the letter away. */
    VSS_PWSZ exposed = NULL;
    assert_hr(S_OK, IVssBackupComponents_ExposeSnapshot(all.object, app.snapshots[0], NULL,
                                                        VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, root, &exposed));
    CoTaskMemFree(exposed);
    check_exposed(root, "before");
    delete_set(app.set, 1);
    assert_false(file_exists(L"%lsexposed.txt", root));
    assert_true(RemoveDirectoryW(folder));
    backup_release(&all);
}

static void not_everything_can_be_exposed(void **state)
{
    (void)state;
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 1), backup = backup_at(STAGE_CREATED);
    struct backup all = administrator((LONG)VSS_CTX_ALL);
    wchar_t letter = free_letter(), as[] = {letter, L':', 0};
    wchar_t nowhere[] = L"C:\\no\\such\\folder", taken[] = L"C:", empty[] = L"";
    wchar_t *const bad[] = {nowhere, taken, empty, machine.volumes[0]};
    const LONG local = VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY;
    VSS_PWSZ exposed = (VSS_PWSZ)1;
    GUID nobody = {.Data1 = 7};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++)
        assert_hr(E_INVALIDARG, IVssBackupComponents_ExposeSnapshot(all.object, app.snapshots[0], NULL, local,
                                                                    bad[i], &exposed));
    assert_null(exposed);
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(all.object, app.snapshots[0], NULL, 0, as, &exposed));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(all.object, app.snapshots[0], as, local, as, &exposed));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_ExposeSnapshot(all.object, app.snapshots[0], NULL, local, NULL, &exposed));
    /* It would vanish with its object. */
    assert_hr(E_INVALIDARG, IVssBackupComponents_ExposeSnapshot(all.object, backup.snapshots[0], NULL, local,
                                                                as, &exposed));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_ExposeSnapshot(all.object, nobody, NULL, local, as, &exposed));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponentsEx4_UnexposeSnapshot(all.wide, nobody));
    backup_release(&backup);
    backup_release(&app);
    delete_set(app.set, 1);
    backup_release(&all);
}

static void what_the_system_provider_cannot_do(void **state)
{
    (void)state;
    struct backup app = copy_in(VSS_CTX_APP_ROLLBACK, 1), backup = backup_at(STAGE_CREATED);
    struct backup all = administrator((LONG)VSS_CTX_ALL);
    IVssAsync *async = (IVssAsync *)1;
    GUID nobody = {.Data1 = 7};
    WCHAR nowhere[] = L"no volume";
    assert_hr(VSS_E_PROVIDER_VETO, IVssBackupComponents_BreakSnapshotSet(all.object, app.set));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_BreakSnapshotSet(all.object, nobody));
    assert_hr(VSS_E_PROVIDER_VETO, IVssBackupComponentsEx4_BreakSnapshotSetEx(all.wide, app.set, 0, &async));
    assert_null(async);
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_BreakSnapshotSetEx(all.wide, app.set, 0x1000000, &async));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_ImportSnapshots(all.object, &async));
    assert_hr(E_NOTIMPL, IVssBackupComponents_RevertToSnapshot(all.object, app.snapshots[0], FALSE));
    assert_hr(VSS_E_UNSUPPORTED_CONTEXT,
              IVssBackupComponents_RevertToSnapshot(all.object, backup.snapshots[0], FALSE));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_RevertToSnapshot(all.object, nobody, FALSE));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_QueryRevertStatus(all.object, machine.volumes[0], &async));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_QueryRevertStatus(all.object, nowhere, &async));
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED,
              IVssBackupComponentsEx4_AddSnapshotToRecoverySet(all.wide, app.snapshots[0], 0, NULL));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponentsEx4_AddSnapshotToRecoverySet(all.wide, nobody, 0, NULL));
    assert_hr(E_INVALIDARG,
              IVssBackupComponentsEx4_AddSnapshotToRecoverySet(all.wide, app.snapshots[0], 1, NULL));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponentsEx4_RecoverSet(all.wide, 0, &async));
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_RecoverSet(all.wide, 1, &async));
    assert_hr(E_NOTIMPL, IVssBackupComponentsEx4_PreFastRecovery(all.wide, app.set, 0, &async));
    assert_hr(E_NOTIMPL, IVssBackupComponentsEx4_FastRecovery(all.wide, app.set, 0, &async));
    backup_release(&backup);
    backup_release(&app);
    delete_set(app.set, 1);
    backup_release(&all);
}

static void unsupported_volumes_cannot_revert(void **state)
{
    char text[60];
    IVssAsync *async;
    (void)state;
    snprintf(text, sizeof text, "[volumes]\nunsupported=%ls\n", machine.volumes[0]);
    scenario(text);
    struct backup b = backup_at(STAGE_INITIALIZED);
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED,
              IVssBackupComponents_QueryRevertStatus(b.object, machine.volumes[0], &async));
    backup_release(&b);
}

static void import_brings_nothing(void **state)
{
    struct backup b = backup_new();
    IVssAsync *async;
    BSTR text = SysAllocString(L"<BACKUP_COMPONENTS/>");
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(b.object, text));
    SysFreeString(text);
    assert_hr(VSS_E_NO_SNAPSHOTS_IMPORTED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_ImportSnapshots(b.object, &async));
    backup_release(&b);
}

static void paths_have_roots(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    wchar_t path[MAX_PATH];
    VSS_PWSZ root = NULL, prefix = NULL;
    (void)state;
    swprintf(path, MAX_PATH, L"%lsdeep\\er\\file", machine.volumes[1]);
    assert_hr(S_OK, IVssBackupComponentsEx4_GetRootAndLogicalPrefixPaths(b.wide, path, &root, &prefix, TRUE));
    assert_int_equal(_wcsicmp(root, machine.volumes[1]), 0);
    assert_int_equal(_wcsicmp(prefix, machine.volumes[1]), 0);
    CoTaskMemFree(root);
    CoTaskMemFree(prefix);
    assert_hr(E_INVALIDARG,
              IVssBackupComponentsEx4_GetRootAndLogicalPrefixPaths(b.wide, path, &root, NULL, TRUE));
    assert_null(root);
    backup_release(&b);
}

static void the_system_volume_blocks_a_revert(void **state)
{
    boolean block = 1;
    (void)state;
    assert_hr(S_OK, machine.should_block_revert(machine.volumes[0], &block));
    assert_int_equal(block, 0);
    assert_hr(S_OK, machine.should_block_revert(L"C:\\", &block));
    assert_int_equal(block, 1);
    assert_hr(E_INVALIDARG, machine.should_block_revert(L"no volume", &block));
    assert_hr(E_INVALIDARG, machine.should_block_revert(NULL, &block));
    assert_hr(E_INVALIDARG, machine.should_block_revert(L"C:\\", NULL));
}

static void client_accessible_copies_have_a_limit_of_their_own(void **state)
{
    (void)state;
    scenario("[volumes]\nmax_client_accessible=1\nmax_snapshots=2\n");
    struct backup first = copy_in(VSS_CTX_CLIENT_ACCESSIBLE, 1);
    struct backup second = administrator(VSS_CTX_CLIENT_ACCESSIBLE);
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(second.object, &second.set));
    assert_hr(VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, backup_add(&second, 0));
    assert_hr(S_OK, backup_add(&second, 1));
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(second.object));
    backup_release(&second);
    struct backup third = copy_in(VSS_CTX_NAS_ROLLBACK, 1);
    struct backup fourth = administrator(VSS_CTX_NAS_ROLLBACK);
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(fourth.object, &fourth.set));
    assert_hr(VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED, backup_add(&fourth, 0));
    backup_release(&fourth);
    backup_release(&first);
    backup_release(&third);
    delete_set(first.set, 1);
    delete_set(third.set, 1);
}

int run_administration_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_shows_its_contexts_copies, test_begin, test_end),
        cmocka_unit_test_setup_teardown(deleting_says_what_is_left, test_begin, test_end),
        cmocka_unit_test_setup_teardown(deleting_stops_at_the_first_that_stays, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_copy_is_exposed_by_letter_and_folder, test_begin, test_end),
        cmocka_unit_test_setup_teardown(not_everything_can_be_exposed, test_begin, test_end),
        cmocka_unit_test_setup_teardown(what_the_system_provider_cannot_do, test_begin, test_end),
        cmocka_unit_test_setup_teardown(unsupported_volumes_cannot_revert, test_begin, test_end),
        cmocka_unit_test_setup_teardown(import_brings_nothing, test_begin, test_end),
        cmocka_unit_test_setup_teardown(paths_have_roots, test_begin, test_end),
        cmocka_unit_test_setup_teardown(the_system_volume_blocks_a_revert, test_begin, test_end),
        cmocka_unit_test_setup_teardown(client_accessible_copies_have_a_limit_of_their_own, test_begin,
                                        test_end),
    };
    return cmocka_run_group_tests_name("administration", tests, NULL, NULL);
}
