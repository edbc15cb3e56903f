/* IVssAsync: what Wait, QueryStatus and Cancel say at which time, and who owns what. */
#include "support.h"

static const char slow_prepare[] = "[timing]\nprepare=60000\n";

static IVssAsync *start(struct backup *b, start_method method)
{
    IVssAsync *async = NULL;
    assert_hr(S_OK, method(b->object, &async));
    assert_non_null(async);
    return async;
}

static HRESULT status_of(IVssAsync *async)
{
    HRESULT result = E_UNEXPECTED;
    assert_hr(S_OK, IVssAsync_QueryStatus(async, &result, NULL));
    return result;
}

static void it_has_its_interfaces_and_checks_arguments(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssAsync *async = start(&b, b.object->lpVtbl->GatherWriterStatus);
    void *found = NULL;
    INT reserved = 0;
    HRESULT result;
    (void)state;
    assert_hr(S_OK, IVssAsync_QueryInterface(async, &IID_IVssAsync, &found));
    assert_ptr_equal(found, async);
    IVssAsync_Release(async);
    assert_hr(S_OK, IVssAsync_QueryInterface(async, &IID_IUnknown, &found));
    IVssAsync_Release(async);
    assert_hr(E_NOINTERFACE, IVssAsync_QueryInterface(async, &IID_IVssBackupComponents, &found));
    assert_null(found);
    assert_hr(E_INVALIDARG, IVssAsync_QueryStatus(async, NULL, NULL));
    assert_hr(E_INVALIDARG, IVssAsync_QueryStatus(async, &result, &reserved));
    assert_hr(S_OK, IVssAsync_Wait(async, INFINITE));
    assert_hr(S_OK, IVssAsync_Wait(async, 0));
    assert_hr(VSS_S_ASYNC_FINISHED, status_of(async));
    assert_hr(VSS_S_ASYNC_FINISHED, status_of(async));
    assert_hr(VSS_S_ASYNC_FINISHED, IVssAsync_Cancel(async));
    IVssAsync_Release(async);
    backup_release(&b);
}

static void wait_says_ok_when_the_time_is_over(void **state)
{
    (void)state;
    scenario(slow_prepare);
    struct backup b = backup_at(STAGE_ADDED);
    IVssAsync *async = start(&b, b.object->lpVtbl->PrepareForBackup);
    assert_hr(S_OK, IVssAsync_Wait(async, 20));
    assert_hr(VSS_S_ASYNC_PENDING, status_of(async));
    assert_hr(S_OK, IVssAsync_Cancel(async));
    assert_hr(S_OK, IVssAsync_Wait(async, MACHINE_LIMIT_MS));
    assert_hr(VSS_S_ASYNC_CANCELLED, status_of(async));
    assert_hr(VSS_S_ASYNC_CANCELLED, IVssAsync_Cancel(async));
    IVssAsync_Release(async);
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    backup_release(&b);
}

static void a_second_cancel_says_that_there_was_one(void **state)
{
    (void)state;
    scenario("[writer:System Writer]\nhang_at=prepare\nhang=timeout\ntimeout_ms=1500\n[timing]\nprepare=0\n");
    struct backup b = backup_at(STAGE_ADDED);
    IVssAsync *async = start(&b, b.object->lpVtbl->PrepareForBackup);
    assert_hr(S_OK, IVssAsync_Cancel(async));
    HRESULT second = IVssAsync_Cancel(async);
    assert_hr(VSS_S_ASYNC_CANCELLED, second);
    assert_hr(VSS_S_ASYNC_CANCELLED, wait_async(async));
    backup_release(&b);
}

static void a_failure_shows_in_query_status_only(void **state)
{
    (void)state;
    scenario("[method:DoSnapshotSet]\nasync_result=0x8004231f\n");
    struct backup b = backup_at(STAGE_PREPARED);
    IVssAsync *async = start(&b, b.object->lpVtbl->DoSnapshotSet);
    assert_hr(S_OK, IVssAsync_Wait(async, INFINITE));
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, status_of(async));
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, IVssAsync_Cancel(async));
    IVssAsync_Release(async);
    backup_release(&b);
}

static void the_other_form_of_wait_can_be_had(void **state)
{
    (void)state;
    scenario("[machine]\nwait_returns_error=1\n[method:DoSnapshotSet]\nasync_result=0x8004231f\n");
    struct backup b = backup_at(STAGE_PREPARED);
    IVssAsync *async = start(&b, b.object->lpVtbl->DoSnapshotSet);
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, IVssAsync_Wait(async, INFINITE));
    assert_hr(VSS_E_INSUFFICIENT_STORAGE, status_of(async));
    IVssAsync_Release(async);
    backup_release(&b);
}

static void a_running_operation_has_the_object_for_itself(void **state)
{
    IVssAsync *second;
    GUID id;
    BSTR text;
    (void)state;
    scenario(slow_prepare);
    struct backup b = backup_at(STAGE_ADDED);
    IVssAsync *async = start(&b, b.object->lpVtbl->PrepareForBackup);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GatherWriterStatus(b.object, &second));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_DoSnapshotSet(b.object, &second));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupState(b.object, 0, 0, VSS_BT_FULL, 0));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_AddToSnapshotSet(b.object, machine.volumes[1], GUID_NULL, &id));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SaveAsXML(b.object, &text));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterMetadata(b.object));
    /* AbortBackup is the exception: it cuts the operation short, and comes back when that has ended. */
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_hr(VSS_S_ASYNC_CANCELLED, status_of(async));
    IVssAsync_Release(async);
    backup_release(&b);
}

static void releasing_it_does_not_cancel(void **state)
{
    (void)state;
    scenario("[timing]\nprepare=50\n");
    struct backup b = backup_at(STAGE_ADDED);
    IVssAsync *async = start(&b, b.object->lpVtbl->PrepareForBackup);
    IVssAsync_Release(async);
    wait_until(logged("async\tPrepareForBackup\thr=0x0004230a"));
    backup_advance(&b, STAGE_PREPARED, STAGE_CREATED);
    backup_release(&b);
}

static void it_outlives_the_object(void **state)
{
    (void)state;
    scenario(slow_prepare);
    struct backup b = backup_at(STAGE_ADDED);
    IVssAsync *async = start(&b, b.object->lpVtbl->PrepareForBackup);
    backup_release(&b);
    assert_hr(VSS_S_ASYNC_CANCELLED, wait_async(async));
    assert_true(logged("\tAbort\tSystem Writer"));
    assert_true(logged("\tBackupShutdown\tSystem Writer"));
}

static void a_snapshot_can_be_cancelled_at_each_phase(void **state)
{
    static const char *const phases[] = {"prepare_snapshot", "freeze", "commit", "thaw", "post_snapshot"};
    char text[100];
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(phases); i++) {
        snprintf(text, sizeof text, "[timing]\n%s=60000\n", phases[i]);
        scenario(text);
        struct backup b = backup_at(STAGE_PREPARED);
        IVssAsync *async = start(&b, b.object->lpVtbl->DoSnapshotSet);
        assert_hr(S_OK, IVssAsync_Wait(async, 30));
        assert_hr(S_OK, IVssAsync_Cancel(async));
        assert_hr(VSS_S_ASYNC_CANCELLED, wait_async(async));
        assert_int_equal(files_in(L"copies", L"*.txt"), 0);
        assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
        backup_release(&b);
        /* The way is free again. */
        scenario(NULL);
        b = backup_at(STAGE_STARTED);
        backup_release(&b);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_async_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_its_interfaces_and_checks_arguments),
        TEST(wait_says_ok_when_the_time_is_over),
        TEST(a_second_cancel_says_that_there_was_one),
        TEST(a_failure_shows_in_query_status_only),
        TEST(the_other_form_of_wait_can_be_had),
        TEST(a_running_operation_has_the_object_for_itself),
        TEST(releasing_it_does_not_cancel),
        TEST(it_outlives_the_object),
        TEST(a_snapshot_can_be_cancelled_at_each_phase),
    };
    return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
