/* An outside program as a writer. */
#include "support.h"
#include "tests/simulator/hook.h"

struct participant {
    HANDLE mapping, request, answer, turn, stop;
    struct hook_block *block;
    LONG seen[HOOK_ABORT + 1];
    int refuse_at, silent_at;
};

static void answer(struct participant *p, LONG sequence, HRESULT result)
{
    p->block->result = result;
    InterlockedExchange(&p->block->answered, sequence);
    SetEvent(p->answer);
}

static DWORD WINAPI participate(void *parameter)
{
    struct participant *p = parameter;
    HANDLE handles[2] = {p->stop, p->request};
    while (WaitForMultipleObjects(2, handles, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) {
        LONG sequence = p->block->sequence;
        int phase = (int)p->block->phase;
        InterlockedIncrement(&p->seen[phase]);
        if (phase == p->silent_at)
            continue;
        answer(p, sequence, phase == p->refuse_at ? VSS_E_WRITERERROR_OUTOFRESOURCES : S_OK);
    }
    return 0;
}

static HANDLE participant_start(struct participant *p)
{
    p->mapping = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof *p->block,
                                    L"Global\\ShadowSim-sim-test");
    p->request = CreateEventW(NULL, FALSE, FALSE, L"Global\\ShadowSim-sim-test-request");
    p->answer = CreateEventW(NULL, FALSE, FALSE, L"Global\\ShadowSim-sim-test-answer");
    p->turn = CreateMutexW(NULL, FALSE, L"Global\\ShadowSim-sim-test-turn");
    p->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    assert_true(p->mapping && p->request && p->answer && p->turn && p->stop);
    p->block = MapViewOfFile(p->mapping, FILE_MAP_WRITE, 0, 0, sizeof *p->block);
    assert_non_null(p->block);
    *p->block = (struct hook_block){.size = sizeof *p->block, .participant_pid = GetCurrentProcessId()};
    return CreateThread(NULL, 0, participate, p, 0, NULL);
}

static void participant_end(struct participant *p, HANDLE thread)
{
    SetEvent(p->stop);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    UnmapViewOfFile(p->block);
    HANDLE handles[] = {p->mapping, p->request, p->answer, p->turn, p->stop};
    for (size_t i = 0; i < ARRAYSIZE(handles); i++)
        CloseHandle(handles[i]);
}

static void a_program_takes_part_by_its_hook(void **state)
{
    struct participant p = {0};
    (void)state;
    scenario("[writer:Ledger]\nhook=sim-test\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_int_equal(state_of(&b, L"Ledger", NULL), -1);
    backup_release(&b);
    HANDLE thread = participant_start(&p);
    b = backup_at(STAGE_COMPLETED);
    assert_int_not_equal(state_of(&b, L"Ledger", NULL), -1);
    for (int phase = HOOK_PREPARE_SNAPSHOT; phase <= HOOK_POST_SNAPSHOT; phase++)
        assert_int_equal(p.seen[phase], 1);
    assert_int_equal(p.seen[HOOK_ABORT], 0);
    backup_release(&b);
    participant_end(&p, thread);
}

static void a_program_can_refuse_or_say_nothing(void **state)
{
    struct participant p = {.refuse_at = HOOK_FREEZE};
    HRESULT failure;
    (void)state;
    scenario("[writer:Ledger]\nhook=sim-test\ntimeout_ms=40\n");
    HANDLE thread = participant_start(&p);
    struct backup b = backup_at(STAGE_CREATED);
    assert_int_equal(state_of(&b, L"Ledger", &failure), VSS_WS_FAILED_AT_FREEZE);
    assert_hr(VSS_E_WRITERERROR_OUTOFRESOURCES, failure);
    assert_int_equal(p.seen[HOOK_ABORT], 1);
    backup_release(&b);
    p.refuse_at = 0;
    p.silent_at = HOOK_FREEZE;
    b = backup_at(STAGE_CREATED);
    assert_int_equal(state_of(&b, L"Ledger", &failure), VSS_WS_FAILED_AT_FREEZE);
    assert_hr(VSS_E_WRITERERROR_TIMEOUT, failure);
    backup_release(&b);
    participant_end(&p, thread);
}

static void a_frozen_program_hears_of_an_abort(void **state)
{
    struct participant p = {0};
    IVssAsync *async;
    (void)state;
    scenario("[timing]\ncommit=60000\n[writer:Ledger]\nhook=sim-test\n");
    HANDLE thread = participant_start(&p);
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(S_OK, IVssBackupComponents_DoSnapshotSet(b.object, &async));
    wait_until(InterlockedCompareExchange(&p.seen[HOOK_FREEZE], 0, 0) == 1);
    assert_hr(S_OK, IVssAsync_Cancel(async));
    assert_hr(VSS_S_ASYNC_CANCELLED, wait_async(async));
    assert_int_equal(p.seen[HOOK_ABORT], 1);
    assert_int_equal(p.seen[HOOK_THAW], 0);
    backup_release(&b);
    participant_end(&p, thread);
}

/* While Thaw lasts the files are there, and the copy is not yet. */
static void a_copy_exists_when_the_operation_has_ended(void **state)
{
    struct participant p = {.silent_at = HOOK_THAW};
    VSS_SNAPSHOT_PROP prop;
    IVssAsync *async;
    LONG deleted;
    GUID failed;
    (void)state;
    scenario("[writer:Ledger]\nhook=sim-test\n");
    HANDLE thread = participant_start(&p);
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(S_OK, IVssBackupComponents_DoSnapshotSet(b.object, &async));
    wait_until(InterlockedCompareExchange(&p.seen[HOOK_THAW], 0, 0) == 1);
    assert_true(logged("copy\tcreated"));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_DeleteSnapshots(
                                          b.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE, &deleted, &failed));
    answer(&p, p.block->sequence, S_OK);
    assert_hr(VSS_S_ASYNC_FINISHED, wait_async(async));
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, b.snapshots[0], &prop));
    machine.free_properties(&prop);
    backup_release(&b);
    participant_end(&p, thread);
}

static DWORD WINAPI come_and_go(void *unused)
{
    (void)unused;
    IVssBackupComponents *object;
    if (FAILED(machine.create(&object)))
        return 1;
    IVssBackupComponents_Release(object);
    return 0;
}

/* Whoever finds a dead requester tells its writers; if one of them hangs, the others must not. */
static void a_hanging_program_does_not_stop_the_machine(void **state)
{
    struct participant p = {.silent_at = HOOK_ABORT};
    GUID set;
    (void)state;
    scenario("[writer:Ledger]\nhook=sim-test\n");
    HANDLE thread = participant_start(&p);
    struct child child = child_start(L"hold");
    struct backup b = backup_at(STAGE_GATHERED);
    child_kill(&child);
    HANDLE finder = CreateThread(NULL, 0, come_and_go, NULL, 0, NULL);
    assert_non_null(finder);
    wait_until(InterlockedCompareExchange(&p.seen[HOOK_ABORT], 0, 0) == 1);
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, IVssBackupComponents_StartSnapshotSet(b.object, &set));
    answer(&p, p.block->sequence, S_OK);
    WaitForSingleObject(finder, INFINITE);
    CloseHandle(finder);
    assert_false(logged("no answer from the hook"));
    assert_int_equal(p.seen[HOOK_ABORT], 1);
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(b.object, &set));
    backup_release(&b);
    participant_end(&p, thread);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_hook_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_takes_part_by_its_hook),
        TEST(a_program_can_refuse_or_say_nothing),
        TEST(a_frozen_program_hears_of_an_abort),
        TEST(a_copy_exists_when_the_operation_has_ended),
        TEST(a_hanging_program_does_not_stop_the_machine),
    };
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
