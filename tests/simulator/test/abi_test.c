/* Exports, interfaces, references, arguments: what holds of every method before the state is looked at. */
#include "support.h"

static void every_export_is_there(void **state)
{
    static const char *const names[] = {
        "CreateVssBackupComponents",
        "CreateVssBackupComponentsInternal",
        "CreateVssExamineWriterMetadata",
        "CreateVssExamineWriterMetadataInternal",
        "IsVolumeSnapshotted",
        "IsVolumeSnapshottedInternal",
        "VssFreeSnapshotProperties",
        "VssFreeSnapshotPropertiesInternal",
        "GetProviderMgmtInterface",
        "GetProviderMgmtInterfaceInternal",
        "ShouldBlockRevert",
        "ShouldBlockRevertInternal",
#ifdef _WIN64
        "?CreateVssBackupComponents@@YAJPEAPEAVIVssBackupComponents@@@Z",
        "?CreateVssExamineWriterMetadata@@YAJPEAGPEAPEAVIVssExamineWriterMetadata@@@Z",
#else
        "?CreateVssBackupComponents@@YGJPAPAVIVssBackupComponents@@@Z",
        "?CreateVssExamineWriterMetadata@@YGJPAGPAPAVIVssExamineWriterMetadata@@@Z",
#endif
    };
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(names); i++)
        if (!GetProcAddress(machine.library, names[i]))
            fail_msg("%s is not exported", names[i]);
}

static void exports_check_their_arguments(void **state)
{
    WINBOOL present;
    LONG capability;
    VSS_SNAPSHOT_PROP empty = {0};
    (void)state;
    assert_hr(E_INVALIDARG, machine.create(NULL));
    assert_hr(E_INVALIDARG, machine.is_snapshotted(NULL, &present, &capability));
    assert_hr(E_INVALIDARG, machine.is_snapshotted(machine.volumes[0], NULL, &capability));
    assert_hr(E_INVALIDARG, machine.is_snapshotted(machine.volumes[0], &present, NULL));
    machine.free_properties(&empty);
    machine.free_properties(NULL);
}

static void creation_can_be_refused(void **state)
{
    IVssBackupComponents *object = (IVssBackupComponents *)1;
    (void)state;
    scenario("[method:CreateVssBackupComponents]\nresult=0x80070005\n");
    assert_hr(E_ACCESSDENIED, machine.create(&object));
    assert_null(object);
}

static void the_object_answers_all_its_interfaces(void **state)
{
    static const IID *const ids[] = {&IID_IUnknown,
                                     &IID_IVssBackupComponents,
                                     &IID_IVssBackupComponentsEx,
                                     &IID_IVssBackupComponentsEx2,
                                     &IID_IVssBackupComponentsEx3,
                                     &IID_IVssBackupComponentsEx4};
    struct backup backup = backup_new();
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(ids); i++) {
        void *found = NULL;
        assert_hr(S_OK, IVssBackupComponents_QueryInterface(backup.object, ids[i], &found));
        assert_ptr_equal(found, backup.object);
        assert_int_equal(IVssBackupComponents_Release(backup.object), 1);
    }
    void *none = backup.object;
    assert_hr(E_NOINTERFACE, IVssBackupComponents_QueryInterface(backup.object, &IID_IVssAsync, &none));
    assert_null(none);
    assert_int_equal(IVssBackupComponents_AddRef(backup.object), 2);
    assert_int_equal(IVssBackupComponents_Release(backup.object), 1);
    assert_int_equal(files_in(L"objects", L"*.txt"), 1);
    backup_release(&backup);
    assert_int_equal(files_in(L"objects", L"*.txt"), 0);
}

static void structures_have_the_sizes_of_windows(void **state)
{
    (void)state;
    assert_int_equal(sizeof(VSS_SNAPSHOT_PROP), sizeof(void *) == 8 ? 128 : 96);
    assert_int_equal(sizeof(VSS_OBJECT_PROP), sizeof(void *) == 8 ? 136 : 104);
    assert_int_equal(sizeof(VSS_COMPONENTINFO), sizeof(void *) == 8 ? 72 : 48);
}

/* The object is new: a wrong argument is reported before the missing initialisation. */
static void null_is_reported_before_the_state(void **state)
{
    struct backup b = backup_new();
    IVssBackupComponents *o = b.object;
    IVssBackupComponentsEx4 *w = b.wide;
    GUID id = {.Data1 = 1};
    BSTR name = NULL;
    VSS_WRITER_STATE writer_state;
    HRESULT hr;
    LONG deleted;
    WINBOOL supported;
    WCHAR text[] = L"x";
    VSS_PWSZ out;
    (void)state;
    start_method starts[] = {o->lpVtbl->GatherWriterMetadata, o->lpVtbl->PrepareForBackup,
                             o->lpVtbl->GatherWriterStatus,   o->lpVtbl->DoSnapshotSet,
                             o->lpVtbl->BackupComplete,       o->lpVtbl->PreRestore,
                             o->lpVtbl->PostRestore,          o->lpVtbl->ImportSnapshots};
    for (size_t i = 0; i < ARRAYSIZE(starts); i++)
        assert_hr(E_INVALIDARG, starts[i](o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterComponentsCount(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterComponents(o, 0, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterMetadataCount(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterMetadata(o, 0, &id, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_GetWriterMetadataEx(w, 0, &id, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterStatusCount(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterStatus(o, 0, &id, NULL, &name, &writer_state, &hr));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterStatus(o, 0, &id, &id, NULL, &writer_state, &hr));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterStatus(o, 0, &id, &id, &name, NULL, &hr));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetWriterStatus(o, 0, &id, &id, &name, &writer_state, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_GetWriterStatusEx(w, 0, NULL, &id, &name, &writer_state,
                                                                      &hr, NULL, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_SaveAsXML(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_StartSnapshotSet(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddToSnapshotSet(o, NULL, GUID_NULL, &id));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddToSnapshotSet(o, machine.volumes[0], GUID_NULL, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_IsVolumeSupported(o, GUID_NULL, NULL, &supported));
    assert_hr(E_INVALIDARG, IVssBackupComponents_IsVolumeSupported(o, GUID_NULL, machine.volumes[0], NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_GetSnapshotProperties(o, id, NULL));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_Query(o, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, NULL));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_DeleteSnapshots(o, id, VSS_OBJECT_SNAPSHOT, TRUE, NULL, &id));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_DeleteSnapshots(o, id, VSS_OBJECT_SNAPSHOT, TRUE, &deleted, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_DisableWriterClasses(o, NULL, 1));
    assert_hr(E_INVALIDARG, IVssBackupComponents_EnableWriterClasses(o, NULL, 1));
    assert_hr(E_INVALIDARG, IVssBackupComponents_DisableWriterInstances(o, NULL, 1));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddComponent(o, id, id, VSS_CT_FILEGROUP, NULL, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddComponent(o, id, id, VSS_CT_UNDEFINED, NULL, text));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_SetBackupSucceeded(o, id, id, VSS_CT_FILEGROUP, NULL, NULL, 1));
    assert_hr(E_INVALIDARG, IVssBackupComponents_SetBackupState(o, 0, 0, VSS_BT_UNDEFINED, 0));
    assert_hr(E_INVALIDARG, IVssBackupComponents_SetBackupState(o, 0, 0, (VSS_BACKUP_TYPE)7, 0));
    assert_hr(E_INVALIDARG, IVssBackupComponents_InitializeForRestore(o, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_QueryRevertStatus(o, NULL, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponents_ExposeSnapshot(o, id, NULL, 0, NULL, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_GetSessionId(w, NULL));
    assert_hr(E_INVALIDARG, IVssBackupComponentsEx4_GetRootAndLogicalPrefixPaths(w, text, NULL, &out, FALSE));
    backup_release(&b);
}

static void query_takes_only_its_fixed_arguments(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssEnumObject *found = (IVssEnumObject *)1;
    GUID id = {.Data1 = 1};
    LONG deleted;
    (void)state;
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_Query(b.object, id, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, &found));
    assert_null(found);
    assert_hr(E_INVALIDARG, IVssBackupComponents_Query(b.object, GUID_NULL, VSS_OBJECT_SNAPSHOT,
                                                       VSS_OBJECT_SNAPSHOT, &found));
    assert_hr(E_INVALIDARG, IVssBackupComponents_Query(b.object, GUID_NULL, VSS_OBJECT_NONE,
                                                       VSS_OBJECT_SNAPSHOT_SET, &found));
    assert_hr(E_INVALIDARG,
              IVssBackupComponents_DeleteSnapshots(b.object, id, VSS_OBJECT_PROVIDER, TRUE, &deleted, &id));
    backup_release(&b);
}

int run_abi_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_export_is_there),
        cmocka_unit_test(structures_have_the_sizes_of_windows),
        cmocka_unit_test_setup_teardown(exports_check_their_arguments, test_begin, test_end),
        cmocka_unit_test_setup_teardown(creation_can_be_refused, test_begin, test_end),
        cmocka_unit_test_setup_teardown(the_object_answers_all_its_interfaces, test_begin, test_end),
        cmocka_unit_test_setup_teardown(null_is_reported_before_the_state, test_begin, test_end),
        cmocka_unit_test_setup_teardown(query_takes_only_its_fixed_arguments, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("abi", tests, NULL, NULL);
}
