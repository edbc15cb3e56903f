/* What processes see of each other: one creator for the machine, and what a dead one leaves. */
#include "support.h"

static HRESULT start_set(struct backup *b)
{
    return IVssBackupComponents_StartSnapshotSet(b->object, &b->set);
}

static void one_creator_in_a_process(void **state)
{
    struct backup a = backup_at(STAGE_STARTED), b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(a.object));
    assert_hr(S_OK, start_set(&b));
    backup_release(&b);
    struct backup c = backup_at(STAGE_STARTED);
    backup_release(&c);
    backup_release(&a);
}

static void finished_sets_live_side_by_side(void **state)
{
    struct backup a = backup_at(STAGE_CREATED), b = backup_at(STAGE_CREATED);
    (void)state;
    assert_int_equal(files_in(L"copies", L"*.txt"), 2);
    backup_release(&a);
    assert_int_equal(files_in(L"copies", L"*.txt"), 1);
    backup_release(&b);
}

static void release_of_an_open_set_aborts_it(void **state)
{
    struct backup a = backup_at(STAGE_PREPARED);
    (void)state;
    backup_release(&a);
    assert_true(logged("\tAbort\tSystem Writer"));
    assert_true(logged("\tBackupShutdown\tSystem Writer"));
    assert_true(logged("creator\tclosed"));
}

static void one_creator_on_the_machine(void **state)
{
    struct child child = child_start(L"hold");
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    child_kill(&child);
    assert_hr(S_OK, start_set(&b));
    assert_true(logged("object\trun down"));
    assert_true(logged("\tAbort\tSystem Writer"));
    assert_true(logged("\tBackupShutdown\tSystem Writer"));
    backup_release(&b);
}

static void a_dead_creator_counts_until_it_is_run_down(void **state)
{
    (void)state;
    scenario("[machine]\nrundown_ms=700\n");
    struct child child = child_start(L"hold");
    struct backup b = backup_at(STAGE_GATHERED);
    child_kill(&child);
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    assert_true(logged("object\tfound dead"));
    assert_false(logged("object\trun down"));
    HRESULT hr;
    wait_until((hr = start_set(&b)) != VSS_E_SNAPSHOT_SET_IN_PROGRESS);
    assert_hr(S_OK, hr);
    assert_true(logged("object\trun down"));
    backup_release(&b);
}

static void a_dead_process_leaves_its_copies_until_it_is_run_down(void **state)
{
    (void)state;
    scenario("[machine]\nrundown_ms=300\n");
    struct child child = child_start(L"copy");
    assert_int_equal(files_in(L"copies", L"*.txt"), 1);
    child_kill(&child);
    /* It had no set open any more: the way is free at once, its copy goes later. */
    struct backup b = backup_at(STAGE_STARTED);
    assert_int_equal(files_in(L"copies", L"*.txt"), 1);
    backup_release(&b);
    BOOL gone = FALSE;
    for (ULONGLONG end = GetTickCount64() + MACHINE_LIMIT_MS; !gone && GetTickCount64() < end; Sleep(20)) {
        struct backup visitor = backup_new();
        gone = files_in(L"copies", L"*.txt") == 0;
        backup_release(&visitor);
    }
    assert_true(gone);
    assert_int_equal(files_in(L"objects", L"*.txt"), 0);
}

/* Once before the files are copied, once in the middle of that. */
static void a_process_that_dies_while_copying_leaves_nothing(void **state)
{
    static const struct {
        const char *scenario;
        const wchar_t *role;
    } when[] = {{"[timing]\ncommit=60000\n", L"begun"}, {"[timing]\nthaw=60000\n", L"copying"}};
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(when); i++) {
        scenario(when[i].scenario);
        struct child child = child_start(when[i].role);
        child_kill(&child);
        scenario(NULL);
        struct backup visitor = backup_new();
        assert_int_equal(files_in(L"copies", L"*"), 0);
        wait_until(files_in(L"work", L"*") == 0);
        backup_release(&visitor);
    }
}

static void a_fault_comes_at_its_call(void **state)
{
    (void)state;
    scenario("[method:StartSnapshotSet]\nresult=0x80042316\ncall=2\ncount=2\n");
    struct backup a = backup_at(STAGE_STARTED), b = backup_at(STAGE_GATHERED);
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(a.object));
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    assert_hr(S_OK, start_set(&b));
    backup_release(&a);
    backup_release(&b);
}

static void a_process_can_die_inside_a_method(void **state)
{
    static const char *const where[] = {"call", "async"};
    char text[80];
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(where); i++) {
        snprintf(text, sizeof text, "[method:PrepareForBackup]\nexit=%s\n", where[i]);
        scenario(text);
        wchar_t program[MAX_PATH], command[MAX_PATH + 40];
        STARTUPINFOW startup = {.cb = sizeof startup};
        PROCESS_INFORMATION process;
        DWORD code = 0;
        GetModuleFileNameW(NULL, program, MAX_PATH);
        swprintf(command, ARRAYSIZE(command), L"\"%ls\" --child hold", program);
        assert_true(CreateProcessW(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process));
        assert_int_equal(WaitForSingleObject(process.hProcess, MACHINE_LIMIT_MS), WAIT_OBJECT_0);
        assert_true(GetExitCodeProcess(process.hProcess, &code));
        assert_int_equal(code, 3);
        CloseHandle(process.hProcess);
        CloseHandle(process.hThread);
        scenario(NULL);
        struct backup b = backup_at(STAGE_STARTED);
        backup_release(&b);
    }
}

static void a_writer_can_hang_for_ever(void **state)
{
    (void)state;
    scenario("[machine]\nabort_limit_ms=50\n[writer:System Writer]\nhang_at=prepare\nhang=forever\n");
    struct child child = child_start(L"stuck");
    scenario(NULL);
    struct backup b = backup_at(STAGE_GATHERED);
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, start_set(&b));
    child_kill(&child);
    assert_hr(S_OK, start_set(&b));
    backup_release(&b);
}

static void synchronous_calls_can_be_slow(void **state)
{
    (void)state;
    scenario("[timing]\nsync=30\nrelease=30\n[method:SetContext]\ndelay=120\n");
    ULONGLONG begin = GetTickCount64();
    struct backup b = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_BACKUP));
    backup_release(&b);
    assert_true(GetTickCount64() - begin >= 160);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_machine_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_creator_in_a_process),
        TEST(finished_sets_live_side_by_side),
        TEST(release_of_an_open_set_aborts_it),
        TEST(one_creator_on_the_machine),
        TEST(a_dead_creator_counts_until_it_is_run_down),
        TEST(a_dead_process_leaves_its_copies_until_it_is_run_down),
        TEST(a_process_that_dies_while_copying_leaves_nothing),
        TEST(a_fault_comes_at_its_call),
        TEST(a_process_can_die_inside_a_method),
        TEST(a_writer_can_hang_for_ever),
        TEST(synchronous_calls_can_be_slow),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
