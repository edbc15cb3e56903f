/* What the scenario lets happen by itself, and what the debug mode catches. */
#include "support.h"

#include <stdlib.h>
#include <wchar.h>

static void a_foreign_requester_holds_the_set(void **state)
{
    struct backup b;
    GUID set;
    (void)state;
    scenario("[machine]\nforeign_hold_ms=700\n");
    b = backup_at(STAGE_INITIALIZED);
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, IVssBackupComponents_StartSnapshotSet(b.object, &set));
    wait_until(IVssBackupComponents_StartSnapshotSet(b.object, &set) == S_OK);
    assert_int_equal(count_logged("\ta foreign requester has a set open"), 1);
    backup_release(&b);
}

static void copies_can_vanish_while_held(void **state)
{
    VSS_SNAPSHOT_PROP prop;
    wchar_t device[MAX_PATH];
    (void)state;
    scenario("[volumes]\nvanish_ms=400\n");
    struct backup b = backup_at(STAGE_CREATED);
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    swprintf(device, MAX_PATH, L"%ls\\", prop.m_pwszSnapshotDeviceObject);
    machine.free_properties(&prop);
    wait_until(!file_exists(L"%ls", device)); /* nobody has to call anything */
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    assert_hr(VSS_S_ASYNC_FINISHED, COMPLETE(&b));
    backup_release(&b);
}

static void storage_runs_out(void **state)
{
    VSS_SNAPSHOT_PROP prop;
    (void)state;
    scenario("[volumes]\nstorage_copies=1\n");
    struct backup first = backup_at(STAGE_CREATED), second = backup_at(STAGE_CREATED);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(first.object, first.snapshots[0], &prop));
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(second.object, second.snapshots[0], &prop));
    machine.free_properties(&prop);
    scenario("[volumes]\nstorage_copies=0\n");
    struct backup third = backup_at(STAGE_PREPARED);
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, SNAPSHOT(&third));
    assert_true(logged("\tAbort\t"));
    backup_release(&first);
    backup_release(&second);
    backup_release(&third);
}

/* ---- debug mode ---- */

static void strings_are_freed_once(void **state)
{
    VSS_SNAPSHOT_PROP prop, again;
    (void)state;
    scenario("[machine]\ndebug=1\n");
    struct backup b = backup_at(STAGE_CREATED);
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    again = prop;
    machine.free_properties(&prop);
    assert_false(logged("\tmisuse\t"));
    machine.free_properties(&prop); /* is empty now */
    assert_false(logged("\tmisuse\t"));
    machine.free_properties(&again);
    assert_int_equal(count_logged("\tmisuse\tVssFreeSnapshotProperties"), 4);
    WCHAR own[] = L"never from here";
    VSS_SNAPSHOT_PROP foreign = {.m_pwszExposedName = own};
    machine.free_properties(&foreign);
    assert_int_equal(count_logged("\tmisuse\tVssFreeSnapshotProperties"), 5);
    backup_release(&b);
}

static void infos_are_freed_once(void **state)
{
    IVssExamineWriterMetadata *metadata;
    IVssWMComponent *component;
    PVSSCOMPONENTINFO info;
    VSS_COMPONENTINFO foreign = {0};
    GUID id;
    (void)state;
    scenario("[machine]\ndebug=1\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, 1, &id, &metadata));
    assert_hr(S_OK, IVssExamineWriterMetadata_GetComponent(metadata, 0, &component));
    assert_hr(S_OK, IVssWMComponent_GetComponentInfo(component, &info));
    IVssWMComponent_FreeComponentInfo(component, info);
    assert_false(logged("\tmisuse\t"));
    IVssWMComponent_FreeComponentInfo(component, info);
    IVssWMComponent_FreeComponentInfo(component, &foreign);
    assert_int_equal(count_logged("\tmisuse\tFreeComponentInfo"), 2);
    IVssWMComponent_Release(component);
    IVssExamineWriterMetadata_Release(metadata);
    backup_release(&b);
}

static void a_released_object_is_not_used(void **state)
{
    (void)state;
    scenario("[machine]\ndebug=1\n");
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssBackupComponents *object = b.object;
    backup_release(&b);
#ifdef _WIN64
    IVssBackupComponents_Release(object);
    assert_hr(E_UNEXPECTED, IVssBackupComponents_FreeWriterStatus(object));
    assert_int_equal(count_logged("\tmisuse\tan object is used after its last Release"), 2);
#else
    (void)object; /* it would end this process */
#endif
}

static void misuse_can_end_the_process(void **state)
{
    (void)state;
    scenario("[machine]\ndebug=2\n");
    struct child child = child_start(L"misuse");
    assert_int_equal(WaitForSingleObject(child.process.hProcess, MACHINE_LIMIT_MS), WAIT_OBJECT_0);
    DWORD code = 0;
    GetExitCodeProcess(child.process.hProcess, &code);
    assert_int_equal(code, 4);
    child_kill(&child);
}

#define HOLD_FILE L"accident_test.hold"

static DWORD WINAPI create_object(void *parameter)
{
    struct backup *b = parameter;
    *b = backup_new();
    return (DWORD)IVssBackupComponents_InitializeForBackup(b->object, NULL);
}

static void a_call_is_held_while_its_file_is_there(void **state)
{
    struct backup b;
    DWORD result = 1;
    (void)state;
    write_file(HOLD_FILE, "");
    scenario("[method:CreateVssBackupComponents]\nhold=accident_test.hold\n"
             "[method:InitializeForBackup]\nhold=accident_test.hold\n"
             "[method:Release]\nhold=accident_test.hold\n");
    HANDLE thread = CreateThread(NULL, 0, create_object, &b, 0, NULL);
    assert_non_null(thread);
    wait_until(logged("\theld in CreateVssBackupComponents"));
    assert_int_equal(WaitForSingleObject(thread, 100), WAIT_TIMEOUT);
    assert_false(logged("\theld in InitializeForBackup"));
    assert_true(DeleteFileW(HOLD_FILE));
    assert_int_equal(WaitForSingleObject(thread, MACHINE_LIMIT_MS), WAIT_OBJECT_0);
    assert_true(GetExitCodeThread(thread, &result));
    assert_int_equal(result, S_OK);
    assert_true(logged("\theld in InitializeForBackup"));
    CloseHandle(thread);
    backup_release(&b);
    assert_true(logged("\theld in Release"));
}

int run_accident_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_foreign_requester_holds_the_set, test_begin, test_end),
        cmocka_unit_test_setup_teardown(copies_can_vanish_while_held, test_begin, test_end),
        cmocka_unit_test_setup_teardown(storage_runs_out, test_begin, test_end),
        cmocka_unit_test_setup_teardown(strings_are_freed_once, test_begin, test_end),
        cmocka_unit_test_setup_teardown(infos_are_freed_once, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_released_object_is_not_used, test_begin, test_end),
        cmocka_unit_test_setup_teardown(misuse_can_end_the_process, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_call_is_held_while_its_file_is_there, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("accident", tests, NULL, NULL);
}
