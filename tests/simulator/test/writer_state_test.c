/* How writers fare: states through a backup, failures, vetoes, hangs. */
#include "support.h"

#include <wchar.h>

static void a_healthy_writer_goes_through_its_states(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    HRESULT failure;
    (void)state;
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_STABLE);
    backup_advance(&b, STAGE_GATHERED, STAGE_PREPARED);
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_STABLE);
    backup_advance(&b, STAGE_PREPARED, STAGE_CREATED);
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    assert_hr(S_OK, failure);
    backup_advance(&b, STAGE_CREATED, STAGE_COMPLETED);
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_STABLE);
    backup_release(&b);
    assert_int_equal(count_logged("\tPrepareSnapshot\tSystem Writer\thr=0x00000000\tstate=2"), 1);
    assert_int_equal(count_logged("\tFreeze\tSystem Writer\thr=0x00000000\tstate=3"), 1);
    assert_int_equal(count_logged("\tThaw\tSystem Writer\thr=0x00000000\tstate=4"), 1);
    assert_int_equal(count_logged("\tBackupShutdown\tSystem Writer"), 1);
    assert_int_equal(count_logged("\tAbort\t"), 0);
}

/* Where a writer fails, the operation still finishes: only the status tells. */
static void a_writer_fails_at_each_phase(void **state)
{
    static const struct {
        const char *phase;
        int state;
        enum stage seen_after;
        BOOL aborted_by_failure;
    } rows[] = {
        {"prepare", VSS_WS_FAILED_AT_PREPARE_BACKUP, STAGE_PREPARED, FALSE},
        {"prepare_snapshot", VSS_WS_FAILED_AT_PREPARE_SNAPSHOT, STAGE_CREATED, FALSE},
        {"freeze", VSS_WS_FAILED_AT_FREEZE, STAGE_CREATED, TRUE},
        {"thaw", VSS_WS_FAILED_AT_THAW, STAGE_CREATED, TRUE},
        {"post_snapshot", VSS_WS_FAILED_AT_POST_SNAPSHOT, STAGE_CREATED, FALSE},
        {"complete", VSS_WS_FAILED_AT_BACKUP_COMPLETE, STAGE_COMPLETED, FALSE},
    };
    char text[160];
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        HRESULT failure = S_OK;
        test_begin(NULL);
        snprintf(text, sizeof text, "[writer:System Writer]\nfail_at=%s\nfailure=0x800423f3\n",
                 rows[i].phase);
        scenario(text);
        struct backup b = backup_at(rows[i].seen_after);
        assert_int_equal(state_of(&b, L"System Writer", &failure), rows[i].state);
        assert_hr(VSS_E_WRITERERROR_RETRYABLE, failure);
        assert_int_equal(state_of(&b, L"Registry Writer", &failure), rows[i].seen_after == STAGE_CREATED
                                                                         ? VSS_WS_WAITING_FOR_BACKUP_COMPLETE
                                                                         : VSS_WS_STABLE);
        assert_hr(S_OK, failure);
        assert_int_equal(logged("\tAbort\tSystem Writer"), rows[i].aborted_by_failure);
        assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
        assert_int_equal(state_of(&b, L"System Writer", &failure), rows[i].state);
        backup_release(&b);
    }
}

static void the_applications_own_words_are_passed_on(void **state)
{
    struct backup b;
    GUID instance, class_id;
    BSTR name, message;
    VSS_WRITER_STATE writer_state;
    HRESULT failure, application;
    UINT count;
    BOOL seen = FALSE;
    (void)state;
    scenario("[writer:My DB]\nfail_at=prepare\nfailure=0x80042336\napplication_failure=0x80070020\n"
             "application_message=The database is busy.\n");
    b = backup_at(STAGE_PREPARED);
    assert_hr(VSS_S_ASYNC_FINISHED, STATUS(&b));
    assert_hr(S_OK, IVssBackupComponents_GetWriterStatusCount(b.object, &count));
    for (UINT i = 0; i < count; i++) {
        assert_hr(S_OK, IVssBackupComponentsEx4_GetWriterStatusEx(b.wide, i, &instance, &class_id, &name,
                                                                  &writer_state, &failure, NULL, NULL));
        SysFreeString(name);
        assert_hr(S_OK,
                  IVssBackupComponentsEx4_GetWriterStatusEx(b.wide, i, &instance, &class_id, &name,
                                                            &writer_state, &failure, &application, &message));
        if (wcscmp(name, L"My DB") == 0) {
            seen = TRUE;
            assert_hr(VSS_E_WRITERERROR_PARTIAL_FAILURE, failure);
            assert_hr(HRESULT_FROM_WIN32(ERROR_SHARING_VIOLATION), application);
            assert_int_equal(wcscmp(message, L"The database is busy."), 0);
        } else {
            assert_hr(S_OK, application);
            assert_null(message);
        }
        SysFreeString(name);
        SysFreeString(message);
    }
    assert_true(seen);
    backup_release(&b);
}

static void a_veto_can_fail_the_snapshot(void **state)
{
    (void)state;
    scenario("[machine]\nwriter_failure_result=0x80042315\n[writer:System Writer]\nfail_at=freeze\n");
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(VSS_E_UNEXPECTED_WRITER_ERROR, SNAPSHOT(&b));
    assert_int_equal(state_of(&b, L"System Writer", NULL), VSS_WS_FAILED_AT_FREEZE);
    assert_int_equal(state_of(&b, L"Registry Writer", NULL), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    assert_int_equal(files_in(L"copies", L"*.txt"), 0);
    backup_release(&b);
}

static void a_hanging_writer_times_out(void **state)
{
    HRESULT failure;
    (void)state;
    scenario("[writer:System Writer]\nhang_at=freeze\nhang=timeout\ntimeout_ms=30\n");
    struct backup b = backup_at(STAGE_CREATED);
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_FAILED_AT_FREEZE);
    assert_hr(VSS_E_WRITERERROR_TIMEOUT, failure);
    backup_release(&b);
}

static void a_hanging_writer_lets_go_when_cancelled(void **state)
{
    IVssAsync *async;
    HRESULT failure;
    (void)state;
    scenario("[writer:System Writer]\nhang_at=freeze\n");
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(S_OK, IVssBackupComponents_DoSnapshotSet(b.object, &async));
    wait_until(logged("\thangs\tSystem Writer"));
    assert_hr(S_OK, IVssAsync_Cancel(async));
    assert_hr(VSS_S_ASYNC_CANCELLED, wait_async(async));
    assert_true(logged("\tAbort\tRegistry Writer"));
    (void)state_of(&b, L"System Writer", &failure);
    assert_hr(VSS_E_WRITER_NOT_RESPONDING, failure);
    (void)state_of(&b, L"Registry Writer", &failure);
    assert_hr(S_OK, failure);
    backup_release(&b);
}

static void a_writer_hangs_while_its_file_is_there(void **state)
{
    IVssAsync *async;
    HRESULT result;
    (void)state;
    write_file(L"writer_state_test.hang", "");
    scenario("[writer:System Writer]\nhang_at=freeze\nhang=file\nhang_file=writer_state_test.hang\n");
    struct backup b = backup_at(STAGE_PREPARED);
    assert_hr(S_OK, IVssBackupComponents_DoSnapshotSet(b.object, &async));
    wait_until(logged("\thangs\tSystem Writer"));
    assert_hr(S_OK, IVssAsync_Wait(async, 100));
    assert_hr(S_OK, IVssAsync_QueryStatus(async, &result, NULL));
    assert_hr(VSS_S_ASYNC_PENDING, result);
    assert_true(DeleteFileW(L"writer_state_test.hang"));
    assert_hr(VSS_S_ASYNC_FINISHED, wait_async(async));
    assert_int_equal(state_of(&b, L"System Writer", NULL), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    backup_release(&b);
}

static void a_freeze_that_lasts_too_long_fails_the_writer(void **state)
{
    HRESULT failure;
    (void)state;
    scenario("[timing]\ncommit=120\n[writer:System Writer]\ntimeout_ms=40\n");
    struct backup b = backup_at(STAGE_CREATED);
    assert_int_equal(state_of(&b, L"System Writer", &failure), VSS_WS_FAILED_AT_FREEZE);
    assert_hr(VSS_E_WRITERERROR_TIMEOUT, failure);
    assert_int_equal(state_of(&b, L"Registry Writer", &failure), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    backup_release(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_writer_state_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_writer_goes_through_its_states),
        TEST(a_writer_fails_at_each_phase),
        TEST(the_applications_own_words_are_passed_on),
        TEST(a_veto_can_fail_the_snapshot),
        TEST(a_hanging_writer_times_out),
        TEST(a_hanging_writer_lets_go_when_cancelled),
        TEST(a_writer_hangs_while_its_file_is_there),
        TEST(a_freeze_that_lasts_too_long_fails_the_writer),
    };
    return cmocka_run_group_tests_name("writer states", tests, NULL, NULL);
}
