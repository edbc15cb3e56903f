/* Restore: which call is allowed when, what writers hear, what they can want and refuse. */
#include "support.h"

#include <stdlib.h>
#include <wchar.h>

/* The document of a good backup of the Ledger. */
static BSTR saved_backup(const char *text)
{
    GUID instance;
    BSTR saved;
    scenario(text);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_FULL, TRUE, &instance);
    backup_advance(&b, STAGE_GATHERED, STAGE_CREATED);
    assert_hr(S_OK, CALL(b.object, SetBackupSucceeded, instance, ledger_class, BOOKS, 1));
    backup_advance(&b, STAGE_CREATED, STAGE_COMPLETED);
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &saved));
    backup_release(&b);
    return saved;
}

static struct backup restore_at(const char *text, BOOL gather, BOOL select)
{
    BSTR saved = saved_backup(ledger);
    scenario(text);
    struct backup b = backup_new();
    assert_hr(S_OK, IVssBackupComponents_InitializeForRestore(b.object, saved));
    SysFreeString(saved);
    if (gather)
        assert_hr(VSS_S_ASYNC_FINISHED, GATHER(&b));
    if (select)
        assert_hr(S_OK, CALL(b.object, SetSelectedForRestore, ledger_class, BOOKS, 1));
    return b;
}

#define PRE_RESTORE(b)  run_async((b), (b)->object->lpVtbl->PreRestore)
#define POST_RESTORE(b) run_async((b), (b)->object->lpVtbl->PostRestore)

static void the_whole_way(void **state)
{
    struct backup b = restore_at(ledger, TRUE, FALSE);
    IVssBackupComponents *o = b.object;
    IVssBackupComponentsEx4 *w = b.wide;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(o, 1, 1, VSS_BT_FULL, 0)); /* as vshadow does */
    assert_hr(S_OK, IVssBackupComponents_SetRestoreState(o, VSS_RTYPE_BY_COPY));
    assert_int_equal(state_of(&b, L"Ledger", NULL), VSS_WS_STABLE);
    assert_hr(VSS_E_BAD_STATE, CALL(o, AddRestoreSubcomponent, ledger_class, BOOKS, L"p", L"n", 0));
    assert_hr(S_OK, CALL(w, SetSelectedForRestoreEx, ledger_class, BOOKS, 1, GUID_NULL));
    assert_hr(S_OK, CALL(o, AddRestoreSubcomponent, ledger_class, BOOKS, L"p", L"n", 0));
    assert_hr(S_OK, CALL(o, SetRestoreOptions, ledger_class, BOOKS, L"gently"));
    assert_hr(S_OK, CALL(o, SetAdditionalRestores, ledger_class, BOOKS, 1));
    assert_hr(S_OK, CALL(o, AddNewTarget, ledger_class, BOOKS, L"C:\\Ledger", L"*.bok", 1, L"C:\\New"));
    assert_hr(S_OK, CALL(o, SetRangesFilePath, ledger_class, BOOKS, 0, L"C:\\ranges"));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(o, SetRangesFilePath, ledger_class, BOOKS, 1, L"C:\\ranges"));
    assert_hr(S_OK, CALL(w, SetAuthoritativeRestore, ledger_class, BOOKS, 1));
    assert_hr(S_OK, CALL(w, SetRollForward, ledger_class, BOOKS, VSS_RF_PARTIAL, L"noon"));
    assert_hr(E_INVALIDARG, CALL(w, SetRollForward, ledger_class, BOOKS, VSS_RF_PARTIAL, NULL));
    assert_hr(S_OK, CALL(w, SetRestoreName, ledger_class, BOOKS, L"Old books"));
    assert_hr(VSS_E_BAD_STATE, CALL(o, SetFileRestoreStatus, ledger_class, BOOKS, VSS_RS_ALL));
    assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
    assert_int_equal(state_of(&b, L"Ledger", NULL), VSS_WS_STABLE);
    assert_true(logged("\tPreRestore\tLedger"));
    assert_false(logged("\tPreRestore\tRegistry Writer"));
    assert_hr(S_OK, CALL(o, SetFileRestoreStatus, ledger_class, BOOKS, VSS_RS_ALL));
    assert_hr(E_INVALIDARG, CALL(o, SetFileRestoreStatus, ledger_class, BOOKS, VSS_RS_UNDEFINED));
    assert_hr(S_OK, CALL(o, AddAlternativeLocationMapping, ledger_class, BOOKS, L"C:\\Ledger", L"*.bok", 1,
                         L"C:\\Elsewhere"));
    assert_hr(VSS_S_ASYNC_FINISHED, POST_RESTORE(&b));
    assert_int_equal(state_of(&b, L"Ledger", NULL), VSS_WS_STABLE);
    assert_true(logged("\tPostRestore\tLedger"));
    unsigned shutdowns = count_logged("\tBackupShutdown\tLedger"); /* of the backup */
    backup_release(&b);
    assert_int_equal(count_logged("\tBackupShutdown\tLedger"), shutdowns);
}

static void check_flags(IVssComponentEx2 *books)
{
    boolean flag = 0;
    assert_hr(S_OK, IVssComponentEx2_IsSelectedForRestore(books, &flag));
    assert_int_equal(flag, 1);
    assert_hr(S_OK, IVssComponentEx2_GetAdditionalRestores(books, &flag));
    assert_int_equal(flag, 1);
    assert_hr(S_OK, IVssComponentEx2_GetAuthoritativeRestore(books, &flag));
    assert_int_equal(flag, 1);
}

static void what_was_set_can_be_read(void **state)
{
    struct backup b = restore_at(ledger, TRUE, TRUE);
    IVssBackupComponents *o = b.object;
    VSS_ROLLFORWARD_TYPE roll;
    VSS_FILE_RESTORE_STATUS status;
    IVssWMFiledesc *file;
    boolean repair = 1;
    UINT count;
    BSTR text, second;
    (void)state;
    assert_hr(S_OK, CALL(o, AddRestoreSubcomponent, ledger_class, BOOKS, L"p", L"n", 0));
    assert_hr(S_OK, CALL(o, SetAdditionalRestores, ledger_class, BOOKS, 1));
    assert_hr(S_OK, CALL(o, SetRestoreOptions, ledger_class, BOOKS, L"gently"));
    assert_hr(S_OK, CALL(o, AddNewTarget, ledger_class, BOOKS, L"C:\\Ledger", L"*.bok", 1, L"C:\\New"));
    assert_hr(S_OK, CALL(b.wide, SetAuthoritativeRestore, ledger_class, BOOKS, 1));
    assert_hr(S_OK, CALL(b.wide, SetRollForward, ledger_class, BOOKS, VSS_RF_PARTIAL, L"noon"));
    assert_hr(S_OK, CALL(b.wide, SetRestoreName, ledger_class, BOOKS, L"Old books"));
    assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
    assert_hr(S_OK, CALL(o, SetFileRestoreStatus, ledger_class, BOOKS, VSS_RS_FAILED));
    assert_hr(S_OK, CALL(o, AddAlternativeLocationMapping, ledger_class, BOOKS, L"C:\\Ledger", L"*.bok", 0,
                         L"C:\\Elsewhere"));
    IVssComponentEx2 *books = component_at(&b, 0, 0);
    check_flags(books);
    check_text(books, books->lpVtbl->GetRestoreOptions, L"gently");
    check_text(books, books->lpVtbl->GetRestoreName, L"Old books");
    assert_hr(S_OK, IVssComponentEx2_GetRollForward(books, &roll, &text));
    assert_int_equal(roll, VSS_RF_PARTIAL);
    assert_int_equal(wcscmp(text, L"noon"), 0);
    SysFreeString(text);
    assert_hr(S_OK, IVssComponentEx2_GetFileRestoreStatus(books, &status));
    assert_int_equal(status, VSS_RS_FAILED);
    assert_hr(S_OK, IVssComponentEx2_GetNewTargetCount(books, &count));
    assert_int_equal(count, 1);
    assert_hr(S_OK, IVssComponentEx2_GetNewTarget(books, 0, &file));
    assert_hr(S_OK, IVssWMFiledesc_GetAlternateLocation(file, &text));
    assert_int_equal(wcscmp(text, L"C:\\New"), 0);
    SysFreeString(text);
    assert_int_equal(IVssWMFiledesc_Release(file), 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssComponentEx2_GetNewTarget(books, 1, &file));
    assert_hr(S_OK, IVssComponentEx2_GetAlternateLocationMappingCount(books, &count));
    assert_int_equal(count, 1);
    assert_hr(S_OK, IVssComponentEx2_GetAlternateLocationMapping(books, 0, &file));
    assert_hr(S_OK, IVssWMFiledesc_GetRecursive(file, &repair));
    assert_int_equal(repair, 0);
    IVssWMFiledesc_Release(file);
    assert_hr(S_OK, IVssComponentEx2_GetRestoreSubcomponentCount(books, &count));
    assert_int_equal(count, 1);
    assert_hr(S_OK, IVssComponentEx2_GetRestoreSubcomponent(books, 0, &text, &second, &repair));
    assert_int_equal(wcscmp(second, L"n"), 0);
    SysFreeString(text);
    SysFreeString(second);
    IVssComponentEx2_Release(books);
    backup_release(&b);
}

static void writers_veto_a_restore(void **state)
{
    static const struct {
        const char *phase;
        VSS_WRITER_STATE expected;
    } rows[] = {{"pre_restore", VSS_WS_FAILED_AT_PRE_RESTORE},
                {"post_restore", VSS_WS_FAILED_AT_POST_RESTORE}};
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        char text[1200];
        HRESULT failure;
        snprintf(text, sizeof text, "[writer:Ledger]\nfail_at=%s\nfailure=0x800423f3\n%s", rows[i].phase,
                 ledger + strlen("[writer:Ledger]\n"));
        struct backup b = restore_at(text, TRUE, TRUE);
        assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
        assert_hr(VSS_S_ASYNC_FINISHED, POST_RESTORE(&b));
        assert_int_equal(state_of(&b, L"Ledger", &failure), rows[i].expected);
        assert_hr(VSS_E_WRITERERROR_RETRYABLE, failure);
        backup_release(&b);
    }
}

static void writers_direct_a_restore(void **state)
{
    static const struct {
        const char *word;
        VSS_RESTORE_TARGET target;
    } rows[] = {{"original", VSS_RT_ORIGINAL},
                {"alternate", VSS_RT_ALTERNATE},
                {"directed", VSS_RT_DIRECTED},
                {"original_location", VSS_RT_ORIGINAL_LOCATION}};
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        char text[1200];
        VSS_RESTORE_TARGET target;
        BSTR parts[6] = {0};
        UINT count;
        snprintf(text, sizeof text, "[writer:Ledger]\nrestore_target=%s\n%s", rows[i].word,
                 ledger + strlen("[writer:Ledger]\n"));
        struct backup b = restore_at(text, TRUE, TRUE);
        assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
        IVssComponentEx2 *books = component_at(&b, 0, 0), *journal = component_at(&b, 0, 1);
        assert_hr(S_OK, IVssComponentEx2_GetRestoreTarget(books, &target));
        assert_int_equal(target, rows[i].target);
        assert_hr(S_OK, IVssComponentEx2_GetRestoreTarget(journal, &target)); /* not selected */
        assert_int_equal(target, VSS_RT_UNDEFINED);
        assert_hr(S_OK, IVssComponentEx2_GetDirectedTargetCount(books, &count));
        assert_int_equal(count, rows[i].target == VSS_RT_DIRECTED);
        assert_hr(count ? S_OK : VSS_E_OBJECT_NOT_FOUND,
                  IVssComponentEx2_GetDirectedTarget(books, 0, &parts[0], &parts[1], &parts[2], &parts[3],
                                                     &parts[4], &parts[5]));
        for (size_t k = 0; k < ARRAYSIZE(parts); k++)
            SysFreeString(parts[k]);
        IVssComponentEx2_Release(books);
        IVssComponentEx2_Release(journal);
        backup_release(&b);
    }
}

static void a_writer_may_be_missing(void **state)
{
    struct backup b = restore_at(NULL, TRUE, FALSE);
    UINT count;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponentsCount(b.object, &count));
    assert_int_equal(count, 1);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(b.object, SetSelectedForRestore, ledger_class, BOOKS, 1));
    assert_hr(S_OK, CALL(b.object, SetRestoreOptions, ledger_class, BOOKS, L"x"));
    assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
    assert_false(logged("\twriter\tPreRestore\t"));
    backup_release(&b);
}

static void the_order_of_a_restore(void **state)
{
    struct backup b = restore_at(ledger, FALSE, FALSE);
    IVssBackupComponents *o = b.object;
    IVssAsync *async;
    GUID id = {.Data1 = 1};
    (void)state;
    assert_hr(VSS_E_BAD_STATE, CALL(o, SetSelectedForRestore, ledger_class, BOOKS, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_PreRestore(o, &async));
    assert_null(async);
    assert_hr(VSS_S_ASYNC_FINISHED, GATHER(&b));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_SetSelectedForRestore(o, ledger_class, VSS_CT_DATABASE, NULL, L"None", 1));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(b.wide, SetSelectedForRestoreEx, ledger_class, BOOKS, 1, id));
    assert_hr(S_OK, CALL(o, SetSelectedForRestore, ledger_class, BOOKS, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_PostRestore(o, &async));
    assert_hr(VSS_S_ASYNC_FINISHED, PRE_RESTORE(&b));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_PreRestore(o, &async));
    assert_hr(VSS_E_BAD_STATE, CALL(o, SetSelectedForRestore, ledger_class, BOOKS, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetRestoreState(o, VSS_RTYPE_BY_COPY));
    assert_hr(VSS_E_BAD_STATE, CALL(o, SetRestoreOptions, ledger_class, BOOKS, L"x"));
    assert_hr(VSS_E_BAD_STATE, CALL(o, AddNewTarget, ledger_class, BOOKS, L"a", L"b", 0, L"c"));
    assert_hr(VSS_S_ASYNC_FINISHED, POST_RESTORE(&b));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_PostRestore(o, &async));
    assert_hr(VSS_E_BAD_STATE, CALL(o, SetFileRestoreStatus, ledger_class, BOOKS, VSS_RS_ALL));
    assert_hr(VSS_E_BAD_STATE,
              CALL(o, AddAlternativeLocationMapping, ledger_class, BOOKS, L"a", L"b", 0, L"c"));
    backup_release(&b);
}

int run_restore_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_way, test_begin, test_end),
        cmocka_unit_test_setup_teardown(what_was_set_can_be_read, test_begin, test_end),
        cmocka_unit_test_setup_teardown(writers_veto_a_restore, test_begin, test_end),
        cmocka_unit_test_setup_teardown(writers_direct_a_restore, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_writer_may_be_missing, test_begin, test_end),
        cmocka_unit_test_setup_teardown(the_order_of_a_restore, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
