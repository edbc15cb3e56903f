/* Components of a backup: what the requester sets, what writers note, what the documents keep. */
#include "support.h"

#include <stdlib.h>
#include <wchar.h>

static void writers_components_are_two_vtables(void **state)
{
    IVssWriterComponentsExt *components = (IVssWriterComponentsExt *)1;
    GUID instance, found_instance, found_class;
    UINT count = 0;
    void *object;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_FULL, FALSE, &instance);
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponentsCount(b.object, &count));
    assert_int_equal(count, 1);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_GetWriterComponents(b.object, 1, &components));
    assert_null(components);
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponents(b.object, 0, &components));
    backup_release(&b); /* what was handed out stays */
    assert_hr(S_OK, IVssWriterComponentsExt_GetComponentCount(components, &count));
    assert_int_equal(count, 2);
    assert_hr(E_INVALIDARG, IVssWriterComponentsExt_GetComponentCount(components, NULL));
    assert_hr(S_OK, IVssWriterComponentsExt_GetWriterInfo(components, &found_instance, &found_class));
    assert_true(IsEqualGUID(&found_instance, &instance) && IsEqualGUID(&found_class, &ledger_class));
    assert_hr(E_INVALIDARG, IVssWriterComponentsExt_GetWriterInfo(components, NULL, &found_class));
    IVssComponent *component = (IVssComponent *)1;
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssWriterComponentsExt_GetComponent(components, 2, &component));
    assert_null(component);
    assert_hr(E_INVALIDARG, IVssWriterComponentsExt_GetComponent(components, 0, NULL));
    IUnknown *unknown = (IUnknown *)((char *)components + sizeof(void *));
    assert_hr(S_OK, IUnknown_QueryInterface(unknown, &IID_IUnknown, &object));
    assert_ptr_equal(object, unknown);
    assert_int_equal(IUnknown_Release(unknown), 1);
    /* The all-zero id that mingw's header gives it is nobody's. */
    assert_hr(E_NOINTERFACE, IUnknown_QueryInterface(unknown, &GUID_NULL, &object));
    assert_hr(S_OK, IVssWriterComponentsExt_GetComponent(components, 0, &component));
    assert_int_equal(release_components(components), 0);
    assert_hr(E_NOINTERFACE, IVssComponent_QueryInterface(component, &GUID_NULL, &object));
    assert_hr(S_OK, IVssComponent_QueryInterface(component, &IID_IVssComponentEx, &object));
    assert_int_equal(IVssComponent_Release(component), 1);
    assert_int_equal(IVssComponent_Release(component), 0);
}

static void zero_ids_are_never_matched(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    IVssExamineWriterMetadata *metadata;
    IVssWMComponent *component;
    void *object;
    GUID id;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, 1, &id, &metadata));
    assert_hr(E_NOINTERFACE, IVssBackupComponents_QueryInterface(b.object, &GUID_NULL, &object));
    assert_hr(E_NOINTERFACE, IVssExamineWriterMetadata_QueryInterface(metadata, &GUID_NULL, &object));
    assert_hr(S_OK, IVssExamineWriterMetadata_GetComponent(metadata, 0, &component));
    assert_hr(E_NOINTERFACE, IVssWMComponent_QueryInterface(component, &GUID_NULL, &object));
    IVssWMComponent_Release(component);
    IVssExamineWriterMetadata_Release(metadata);
    backup_release(&b);
}

static void options_and_stamps_are_kept(void **state)
{
    GUID instance;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_FULL, FALSE, &instance);
    assert_hr(S_OK, CALL(b.object, SetBackupOptions, ledger_class, BOOKS, L"fast & <loose>"));
    assert_hr(S_OK, CALL(b.object, SetPreviousBackupStamp, ledger_class, BOOKS, L"12\n3"));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_SetBackupOptions(
                                          b.object, ledger_class, VSS_CT_FILEGROUP, NULL, L"Books", L"x"));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, CALL(b.object, SetPreviousBackupStamp, instance, BOOKS, L"x"));
    assert_hr(E_INVALIDARG, CALL(b.object, SetBackupOptions, ledger_class, BOOKS, NULL));
    IVssComponentEx2 *early = component_at(&b, 0, 0);
    check_text(early, early->lpVtbl->GetBackupOptions, L"fast & <loose>");
    check_text(early, early->lpVtbl->GetPreviousBackupStamp, L"12\n3");
    check_text(early, early->lpVtbl->GetBackupMetadata, NULL);
    backup_advance(&b, STAGE_GATHERED, STAGE_PREPARED);
    assert_hr(VSS_E_BAD_STATE, CALL(b.object, SetBackupOptions, ledger_class, BOOKS, L"x"));
    assert_hr(VSS_E_BAD_STATE, CALL(b.object, SetPreviousBackupStamp, ledger_class, BOOKS, L"x"));
    IVssComponentEx2 *late = component_at(&b, 0, 0);
    check_text(late, late->lpVtbl->GetBackupMetadata, L"Ledger");
    check_text(late, late->lpVtbl->GetBackupStamp, NULL);
    IVssComponentEx2_Release(late);
    backup_advance(&b, STAGE_PREPARED, STAGE_CREATED);
    late = component_at(&b, 0, 1);
    BSTR stamp;
    assert_hr(S_OK, IVssComponentEx2_GetBackupStamp(late, &stamp));
    assert_true(wcstoull(stamp, NULL, 10) > 0);
    SysFreeString(stamp);
    check_text(early, early->lpVtbl->GetBackupMetadata, NULL); /* it is of its time */
    IVssComponentEx2_Release(late);
    IVssComponentEx2_Release(early);
    backup_release(&b);
}

static void a_component_describes_itself(void **state)
{
    GUID instance;
    VSS_COMPONENT_TYPE type;
    VSS_FILE_RESTORE_STATUS status;
    VSS_RESTORE_TARGET target;
    VSS_ROLLFORWARD_TYPE roll;
    HRESULT failure, application;
    boolean flag = 1;
    UINT count = 7;
    BSTR text, second;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_CREATED, VSS_BT_FULL, FALSE, &instance);
    assert_hr(S_OK, CALL(b.object, SetBackupSucceeded, instance, ledger_class, JOURNAL, 1));
    IVssComponentEx2 *books = component_at(&b, 0, 0), *journal = component_at(&b, 0, 1);
    check_text(books, books->lpVtbl->GetLogicalPath, L"Accounts");
    check_text(journal, journal->lpVtbl->GetLogicalPath, NULL);
    check_text(books, books->lpVtbl->GetComponentName, L"Books");
    assert_hr(S_OK, IVssComponentEx2_GetComponentType(books, &type));
    assert_int_equal(type, VSS_CT_FILEGROUP);
    assert_hr(S_OK, IVssComponentEx2_GetComponentType(journal, &type));
    assert_int_equal(type, VSS_CT_DATABASE);
    assert_hr(S_OK, IVssComponentEx2_GetBackupSucceeded(books, &flag));
    assert_int_equal(flag, 0);
    assert_hr(S_OK, IVssComponentEx2_GetBackupSucceeded(journal, &flag));
    assert_int_equal(flag, 1);
    assert_hr(S_OK, IVssComponentEx2_GetFileRestoreStatus(books, &status));
    assert_int_equal(status, VSS_RS_UNDEFINED);
    assert_hr(S_OK, IVssComponentEx2_GetRestoreTarget(books, &target));
    assert_int_equal(target, VSS_RT_UNDEFINED);
    assert_hr(S_OK, IVssComponentEx2_GetRollForward(books, &roll, &text));
    assert_null(text);
    assert_hr(S_OK, IVssComponentEx2_GetFailure(books, &failure, &application, &text, NULL));
    assert_hr(S_OK, failure);
    assert_hr(S_OK, IVssComponentEx2_GetPartialFileCount(books, &count));
    assert_int_equal(count, 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssComponentEx2_GetPartialFile(books, 0, &text, &second, &text, &second));
    assert_hr(E_INVALIDARG, IVssComponentEx2_GetPartialFile(books, 0, NULL, &second, &text, &second));
    /* A requester is no writer. */
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_SetBackupMetadata(books, L"x"));
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_SetBackupStamp(books, L"x"));
    assert_hr(E_INVALIDARG, IVssComponentEx2_SetBackupStamp(books, NULL));
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_SetRestoreTarget(books, VSS_RT_ORIGINAL));
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_AddPartialFile(books, L"a", L"b", L"c", NULL));
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_AddDirectedTarget(books, L"a", L"b", L"c", L"d", L"e", L"f"));
    assert_hr(VSS_E_BAD_STATE, IVssComponentEx2_SetFailure(books, E_FAIL, S_OK, NULL, 0));
    IVssComponentEx2_Release(books);
    IVssComponentEx2_Release(journal);
    backup_release(&b);
}

static void an_incremental_backup_knows_what_changed(void **state)
{
    GUID instance;
    UINT count;
    BSTR path, spec, lsn, ranges, metadata;
    WINBOOL recursive;
    FILETIME time;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_INCREMENTAL, TRUE, &instance);
    assert_hr(S_OK, CALL(b.object, SetPreviousBackupStamp, ledger_class, BOOKS, L"1000000000000"));
    backup_advance(&b, STAGE_GATHERED, STAGE_CREATED);
    IVssComponentEx2 *books = component_at(&b, 0, 0);
    assert_hr(S_OK, IVssComponentEx2_GetDifferencedFilesCount(books, &count));
    assert_int_equal(count, 1);
    assert_hr(S_OK, IVssComponentEx2_GetDifferencedFile(books, 0, &path, &spec, &recursive, &lsn, &time));
    assert_int_equal(wcscmp(path, L"C:\\Ledger"), 0);
    assert_int_equal(wcscmp(spec, L"*.bok"), 0);
    assert_null(lsn);
    assert_true(recursive);
    ULONGLONG ticks = ((ULONGLONG)time.dwHighDateTime << 32) | time.dwLowDateTime;
    assert_true(ticks == (1000000000000ULL + 11644473600000ULL) * 10000);
    SysFreeString(path);
    SysFreeString(spec);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssComponentEx2_GetDifferencedFile(books, 1, &path, &spec, &recursive, &lsn, &time));
    assert_hr(S_OK, IVssComponentEx2_GetPartialFileCount(books, &count));
    assert_int_equal(count, 1);
    assert_hr(S_OK, IVssComponentEx2_GetPartialFile(books, 0, &path, &spec, &ranges, &metadata));
    assert_int_equal(wcscmp(path, L"C:\\Ledger"), 0);
    assert_int_equal(wcscmp(spec, L"big.bok"), 0);
    SysFreeString(path);
    SysFreeString(spec);
    SysFreeString(ranges);
    SysFreeString(metadata);
    IVssComponentEx2_Release(books);
    backup_release(&b);
}

static void one_component_can_fail(void **state)
{
    GUID instance;
    HRESULT failure, application;
    BSTR message;
    char text[1200];
    (void)state;
    snprintf(text, sizeof text,
             "%sfail_at=post_snapshot\nfailure=0x800423f3\napplication_failure=0x80040001\n"
             "application_message=the journal is locked\n",
             ledger);
    scenario(text);
    struct backup b = ledger_backup(STAGE_CREATED, VSS_BT_FULL, FALSE, &instance);
    assert_int_equal(state_of(&b, L"Ledger", &failure), VSS_WS_FAILED_AT_POST_SNAPSHOT);
    assert_hr(VSS_E_WRITERERROR_PARTIAL_FAILURE, failure);
    IVssComponentEx2 *books = component_at(&b, 0, 0), *journal = component_at(&b, 0, 1);
    assert_hr(S_OK, IVssComponentEx2_GetFailure(books, &failure, &application, &message, NULL));
    assert_hr(S_OK, failure);
    assert_hr(S_OK, IVssComponentEx2_GetFailure(journal, &failure, &application, &message, NULL));
    assert_hr(VSS_E_WRITERERROR_RETRYABLE, failure);
    assert_hr((HRESULT)0x80040001, application);
    assert_int_equal(wcscmp(message, L"the journal is locked"), 0);
    SysFreeString(message);
    check_text(journal, journal->lpVtbl->GetPostSnapshotFailureMsg, L"the journal is locked");
    check_text(journal, journal->lpVtbl->GetPrepareForBackupFailureMsg, NULL);
    IVssComponentEx2_Release(books);
    IVssComponentEx2_Release(journal);
    backup_release(&b);
}

/* ---- documents ---- */

static void a_backup_document_round_trips(void **state)
{
    GUID instance;
    BSTR first, second;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_FULL, TRUE, &instance);
    assert_hr(S_OK, CALL(b.object, SetBackupOptions, ledger_class, BOOKS, L"\"a\"\t<&'\x4e2d"));
    backup_advance(&b, STAGE_GATHERED, STAGE_COMPLETED);
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &first));
    backup_release(&b);
    struct backup restored = backup_new();
    assert_hr(S_OK, IVssBackupComponents_InitializeForRestore(restored.object, first));
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(restored.object, &second));
    assert_int_equal(wcscmp(first, second), 0);
    IVssComponentEx2 *books = component_at(&restored, 0, 0);
    check_text(books, books->lpVtbl->GetBackupOptions, L"\"a\"\t<&'\x4e2d");
    check_text(books, books->lpVtbl->GetBackupMetadata, L"Ledger");
    IVssComponentEx2_Release(books);
    backup_release(&restored);
    /* For transportable sets, a backup begins with one, too. */
    struct backup imported = backup_new();
    UINT count;
    assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(imported.object, first));
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponentsCount(imported.object, &count));
    assert_int_equal(count, 1);
    backup_release(&imported);
    SysFreeString(first);
    SysFreeString(second);
}

static void check_stored(IVssExamineWriterMetadata *stored, BSTR saved)
{
    UINT includes, excludes, components, mappings;
    IVssWMFiledesc *file;
    VSS_RESTOREMETHOD_ENUM method;
    VSS_WRITERRESTORE_ENUM writer_restore;
    boolean reboot;
    BSTR text, service, procedure;
    assert_hr(S_OK, IVssExamineWriterMetadata_SaveAsXML(stored, &text));
    assert_int_equal(wcscmp(saved, text), 0);
    SysFreeString(text);
    assert_hr(S_OK, IVssExamineWriterMetadata_GetFileCounts(stored, &includes, &excludes, &components));
    assert_int_equal(components, 2);
    assert_hr(S_OK, IVssExamineWriterMetadata_GetRestoreMethod(stored, &method, &service, &procedure,
                                                               &writer_restore, &reboot, &mappings));
    assert_int_equal(method, VSS_RME_RESTORE_IF_CAN_REPLACE);
    assert_int_equal(writer_restore, VSS_WRE_ALWAYS);
    assert_int_equal(wcscmp(service, L"LedgerSvc"), 0);
    SysFreeString(service);
    assert_int_equal(mappings, 1);
    assert_hr(S_OK, IVssExamineWriterMetadata_GetAlternateLocationMapping(stored, 0, &file));
    assert_hr(S_OK, IVssWMFiledesc_GetAlternateLocation(file, &text));
    assert_int_equal(wcscmp(text, L"C:\\Elsewhere"), 0);
    SysFreeString(text);
    IVssWMFiledesc_Release(file);
}

static void check_stored_component(IVssExamineWriterMetadata *stored)
{
    IVssWMComponent *component;
    IVssWMDependency *dependency;
    IVssWMFiledesc *file;
    PVSSCOMPONENTINFO info;
    GUID id;
    assert_hr(S_OK, IVssExamineWriterMetadata_GetComponent(stored, 1, &component));
    assert_hr(S_OK, IVssWMComponent_GetComponentInfo(component, &info));
    assert_int_equal(info->type, VSS_CT_DATABASE);
    assert_int_equal(info->cDatabases, 1);
    assert_int_equal(info->cLogFiles, 1);
    assert_hr(S_OK, IVssWMComponent_FreeComponentInfo(component, info));
    assert_hr(S_OK, IVssWMComponent_GetDatabaseLogFile(component, 0, &file));
    IVssWMFiledesc_Release(file);
    IVssWMComponent_Release(component);
    assert_hr(S_OK, IVssExamineWriterMetadata_GetComponent(stored, 0, &component));
    assert_hr(S_OK, IVssWMComponent_GetDependency(component, 0, &dependency));
    assert_hr(S_OK, IVssWMDependency_GetWriterId(dependency, &id));
    assert_int_equal(id.Data1, 0xafbab4a2);
    IVssWMDependency_Release(dependency);
    IVssWMComponent_Release(component);
}

static void a_writers_document_round_trips(void **state)
{
    IVssExamineWriterMetadata *live, *stored;
    GUID instance, id;
    BSTR saved;
    (void)state;
    scenario(ledger);
    struct backup b = ledger_backup(STAGE_GATHERED, VSS_BT_FULL, FALSE, &instance);
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, 1, &id, &live));
    assert_hr(S_OK, IVssExamineWriterMetadata_SaveAsXML(live, &saved));
    IVssExamineWriterMetadata_Release(live);
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, 0, &id, &live));
    backup_release(&b);
    assert_hr(S_OK, machine.create_metadata(saved, &stored));
    check_stored(stored, saved);
    check_stored_component(stored);
    /* Another object becomes that writer's. */
    assert_hr(S_OK, IVssExamineWriterMetadata_LoadFromXML(live, saved));
    check_stored(live, saved);
    BSTR bad = SysAllocString(L"<WRITER_METADATA/>");
    assert_hr(VSS_E_INVALID_XML_DOCUMENT, IVssExamineWriterMetadata_LoadFromXML(live, bad));
    check_stored(live, saved);
    IVssExamineWriterMetadata_Release(live);
    assert_int_equal(IVssExamineWriterMetadata_Release(stored), 0);
    assert_hr(VSS_E_INVALID_XML_DOCUMENT, machine.create_metadata(bad, &stored));
    assert_null(stored);
    assert_hr(E_INVALIDARG, machine.create_metadata(NULL, &stored));
    assert_hr(E_INVALIDARG, machine.create_metadata(saved, NULL));
    SysFreeString(bad);
    SysFreeString(saved);
}

static void every_writers_document_round_trips(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    IVssExamineWriterMetadata *live, *stored;
    BSTR first, second;
    GUID id;
    (void)state;
    for (UINT i = 0; i < 10; i++) {
        assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, i, &id, &live));
        assert_hr(S_OK, IVssExamineWriterMetadata_SaveAsXML(live, &first));
        assert_hr(S_OK, machine.create_metadata(first, &stored));
        assert_hr(S_OK, IVssExamineWriterMetadata_SaveAsXML(stored, &second));
        assert_int_equal(wcscmp(first, second), 0);
        SysFreeString(first);
        SysFreeString(second);
        IVssExamineWriterMetadata_Release(stored);
        IVssExamineWriterMetadata_Release(live);
    }
    backup_release(&b);
}

static void what_is_no_document_is_refused(void **state)
{
    static const wchar_t *const bad[] = {
        L"",
        L"x",
        L"<a/>",
        L"<BACKUP_COMPONENTS>",
        L"<BACKUP_COMPONENTS a=\"1\" a=\"2\"/>",
        L"<BACKUP_COMPONENTS a=\"&nothing;\"/>",
        L"<BACKUP_COMPONENTS a=1/>",
        L"<BACKUP_COMPONENTS><!-- </BACKUP_COMPONENTS>",
        L"<BACKUP_COMPONENTS/><BACKUP_COMPONENTS/>",
        L"<BACKUP_COMPONENTS a=\"<\"/>",
        L"<BACKUP_COMPONENTS a=\"&#1114112;\"/>",
        L"<BACKUP_COMPONENTS / >",
    };
    struct backup b = backup_new();
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        BSTR text = SysAllocString(bad[i]);
        assert_hr(VSS_E_INVALID_XML_DOCUMENT, IVssBackupComponents_InitializeForRestore(b.object, text));
        SysFreeString(text);
    }
    wchar_t deep[1400] = L"";
    for (int i = 0; i < 65; i++)
        wcscat(deep, L"<BACKUP_COMPONENTS>");
    BSTR text = SysAllocString(deep);
    assert_hr(VSS_E_INVALID_XML_DOCUMENT, IVssBackupComponents_InitializeForRestore(b.object, text));
    SysFreeString(text);
    text = SysAllocString(L"\xfeff<?xml version='1.0'?><!-- > --><BACKUP_COMPONENTS a='&#x1F600;&#65;' >"
                          L" text <!-- <x> --> <B/></BACKUP_COMPONENTS>\n");
    assert_hr(S_OK, IVssBackupComponents_InitializeForRestore(b.object, text));
    SysFreeString(text);
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &text));
    assert_int_equal(wcscmp(text, L"<BACKUP_COMPONENTS a=\"\xd83d\xde00"
                                  L"A\"><B/></BACKUP_COMPONENTS>"),
                     0);
    SysFreeString(text);
    backup_release(&b);
}

static void many_writers_with_many_components(void **state)
{
    IVssExamineWriterMetadata *metadata;
    UINT includes, excludes, components, count;
    GUID id;
    (void)state;
    scenario("[machine]\nextra_writers=200\nextra_components=50\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadataCount(b.object, &count));
    assert_int_equal(count, 210);
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, 150, &id, &metadata));
    assert_hr(S_OK, IVssExamineWriterMetadata_GetFileCounts(metadata, &includes, &excludes, &components));
    assert_int_equal(components, 50);
    IVssExamineWriterMetadata_Release(metadata);
    backup_release(&b);
}

static void mistakes_about_components_are_named(void **state)
{
    (void)state;
    scenario("[writer:Ledger]\ncomponent=Books\nrestore_target=nowhere\ndepends_on=nobody\n"
             "[component:Ledger:Journal]\nfail_at=noon\ncolour=red\ndepends_on={no id};x\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_true(logged("unknown restore target \"nowhere\" in [writer:Ledger]"));
    assert_true(logged("\"nobody\" in [writer:Ledger] is no dependency"));
    assert_true(logged("\"{no id};x\" in [component:Ledger:Journal] is no dependency"));
    assert_true(logged("unknown phase \"noon\" in [component:Ledger:Journal]"));
    assert_true(logged("unknown key \"colour\" in [component:Ledger:Journal]"));
    backup_release(&b);
}

/* Somebody else's requester, as a program of its own. It is not there where there was no C++ compiler. */
static void a_requester_in_cpp_is_served(void **state)
{
    wchar_t program[MAX_PATH];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    DWORD code = 99;
    (void)state;
    GetModuleFileNameW(NULL, program, MAX_PATH);
    wcscpy(wcsrchr(program, L'\\'), L"\\sim_requester.exe");
    if (!file_exists(L"%ls", program))
        skip();
    scenario(ledger);
    assert_true(CreateProcessW(program, NULL, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process));
    assert_int_equal(WaitForSingleObject(process.hProcess, 4 * MACHINE_LIMIT_MS), WAIT_OBJECT_0);
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(process.hProcess);
    CloseHandle(process.hThread);
    assert_int_equal(code, 0);
}

int run_component_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writers_components_are_two_vtables, test_begin, test_end),
        cmocka_unit_test_setup_teardown(zero_ids_are_never_matched, test_begin, test_end),
        cmocka_unit_test_setup_teardown(options_and_stamps_are_kept, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_component_describes_itself, test_begin, test_end),
        cmocka_unit_test_setup_teardown(an_incremental_backup_knows_what_changed, test_begin, test_end),
        cmocka_unit_test_setup_teardown(one_component_can_fail, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_backup_document_round_trips, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_writers_document_round_trips, test_begin, test_end),
        cmocka_unit_test_setup_teardown(every_writers_document_round_trips, test_begin, test_end),
        cmocka_unit_test_setup_teardown(what_is_no_document_is_refused, test_begin, test_end),
        cmocka_unit_test_setup_teardown(mistakes_about_components_are_named, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_requester_in_cpp_is_served, test_begin, test_end),
        cmocka_unit_test_setup_teardown(many_writers_with_many_components, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("component", tests, NULL, NULL);
}
