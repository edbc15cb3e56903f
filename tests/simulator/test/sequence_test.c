/* Which call is allowed when: the order rules of VSS, method by method. */
#include "support.h"

/* ---- each method, on an object that is not initialised ---- */

static void nothing_works_before_initialization(void **state)
{
    struct backup b = backup_new();
    IVssBackupComponents *o = b.object;
    IVssAsync *async = (IVssAsync *)1;
    IVssExamineWriterMetadata *metadata;
    IVssEnumObject *found;
    VSS_SNAPSHOT_PROP prop;
    VSS_WRITER_STATE writer_state;
    GUID id = {.Data1 = 1};
    UINT count = 7;
    HRESULT hr;
    BSTR text;
    LONG deleted;
    WINBOOL supported;
    WCHAR name[] = L"x";
    (void)state;
    start_method starts[] = {o->lpVtbl->GatherWriterMetadata, o->lpVtbl->PrepareForBackup,
                             o->lpVtbl->GatherWriterStatus,   o->lpVtbl->DoSnapshotSet,
                             o->lpVtbl->BackupComplete,       o->lpVtbl->PreRestore};
    for (size_t i = 0; i < ARRAYSIZE(starts); i++) {
        assert_hr(VSS_E_BAD_STATE, starts[i](o, &async));
        assert_null(async);
    }
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterComponentsCount(o, &count));
    assert_int_equal(count, 0);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupState(o, 0, 0, VSS_BT_FULL, 0));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetContext(o, VSS_CTX_BACKUP));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterMetadataCount(o, &count));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterMetadata(o, 0, &id, &metadata));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterMetadata(o));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_AddComponent(o, id, id, VSS_CT_FILEGROUP, NULL, name));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_AbortBackup(o));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterStatusCount(o, &count));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterStatus(o));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_GetWriterStatus(o, 0, &id, &id, &text, &writer_state, &hr));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_SetBackupSucceeded(o, id, id, VSS_CT_FILEGROUP, NULL, name, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SaveAsXML(o, &text));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_StartSnapshotSet(o, &id));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_AddToSnapshotSet(o, machine.volumes[0], GUID_NULL, &id));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_IsVolumeSupported(o, GUID_NULL, machine.volumes[0], &supported));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetSnapshotProperties(o, id, &prop));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_Query(o, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_PROVIDER, &found));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_Query(o, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, &found));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_DeleteSnapshots(o, id, VSS_OBJECT_SNAPSHOT, 1, &deleted, &id));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_DisableWriterClasses(o, &id, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_EnableWriterClasses(o, &id, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_DisableWriterInstances(o, &id, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponentsEx4_GetSessionId(b.wide, &id));
    backup_release(&b);
}

static void initialization_happens_once(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    (void)state;
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_InitializeForBackup(b.object, NULL));
    backup_release(&b);
}

static void initialization_wants_xml(void **state)
{
    static const wchar_t *const bad[] = {L"",        L"no xml", L"<a>", L"<a></b>", L"<a></a><b/>",
                                         L"<a b=\"", L"</a>"};
    struct backup b = backup_new();
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        BSTR text = SysAllocString(bad[i]);
        assert_hr(VSS_E_INVALID_XML_DOCUMENT, IVssBackupComponents_InitializeForBackup(b.object, text));
        SysFreeString(text);
    }
    BSTR text =
        SysAllocString(L"<?xml version=\"1.0\"?><BACKUP_COMPONENTS a=\"x>y\"><B/></BACKUP_COMPONENTS>");
    assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(b.object, text));
    SysFreeString(text);
    backup_release(&b);
}

static void contexts_are_checked(void **state)
{
    static const struct {
        LONG context;
        HRESULT hr;
    } rows[] = {
        {VSS_CTX_BACKUP, S_OK},
        {VSS_CTX_FILE_SHARE_BACKUP, S_OK},
        {VSS_CTX_NAS_ROLLBACK, S_OK},
        {VSS_CTX_APP_ROLLBACK, S_OK},
        {VSS_CTX_CLIENT_ACCESSIBLE, S_OK},
        {VSS_CTX_CLIENT_ACCESSIBLE_WRITERS, S_OK},
        {(LONG)VSS_CTX_ALL, S_OK},
        {VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_TRANSPORTABLE, S_OK},
        {VSS_CTX_APP_ROLLBACK | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY, S_OK},
        {0x1, VSS_E_UNSUPPORTED_CONTEXT},
        {0x7, VSS_E_UNSUPPORTED_CONTEXT},
        {0x8, VSS_E_UNSUPPORTED_CONTEXT},
        {0x4000000, VSS_E_UNSUPPORTED_CONTEXT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        struct backup b = backup_at(STAGE_INITIALIZED);
        assert_hr(rows[i].hr, IVssBackupComponents_SetContext(b.object, rows[i].context));
        assert_hr(rows[i].hr == S_OK ? VSS_E_BAD_STATE : S_OK,
                  IVssBackupComponents_SetContext(b.object, VSS_CTX_BACKUP));
        backup_release(&b);
    }
}

static void the_context_comes_before_the_set(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_BACKUP));
    backup_release(&b);
    b = backup_at(STAGE_STARTED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetContext(b.object, VSS_CTX_BACKUP));
    backup_release(&b);
}

static void the_administrators_context_starts_no_set(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    GUID set;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, (LONG)VSS_CTX_ALL));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_StartSnapshotSet(b.object, &set));
    backup_release(&b);
}

static void the_state_may_come_late_but_not_after_prepare(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    (void)state;
    backup_advance(&b, STAGE_STATE_SET, STAGE_ADDED);
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(b.object, 1, 1, VSS_BT_FULL, 0));
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(b.object, 0, 0, VSS_BT_COPY, 0));
    backup_advance(&b, STAGE_ADDED, STAGE_PREPARED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupState(b.object, 0, 0, VSS_BT_COPY, 0));
    backup_release(&b);
}

/* ---- PrepareForBackup ---- */

static HRESULT prepare_call(struct backup *b)
{
    IVssAsync *async = (IVssAsync *)1;
    HRESULT hr = IVssBackupComponents_PrepareForBackup(b->object, &async);
    if (SUCCEEDED(hr))
        assert_hr(VSS_S_ASYNC_FINISHED, wait_async(async));
    else
        assert_null(async);
    return hr;
}

static void prepare_without_backup_state(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    (void)state;
    backup_advance(&b, STAGE_STATE_SET, STAGE_ADDED);
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_advance(&b, STAGE_INITIALIZED, STAGE_STATE_SET);
    assert_hr(S_OK, prepare_call(&b));
    backup_release(&b);
}

static void prepare_without_metadata(void **state)
{
    struct backup b = backup_at(STAGE_STATE_SET);
    (void)state;
    backup_advance(&b, STAGE_GATHERED, STAGE_ADDED);
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_advance(&b, STAGE_STATE_SET, STAGE_GATHERED);
    assert_hr(S_OK, prepare_call(&b));
    backup_release(&b);
}

static void prepare_without_a_set(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_advance(&b, STAGE_GATHERED, STAGE_STARTED);
    assert_hr(S_OK, prepare_call(&b));
    backup_release(&b);
}

static void prepare_happens_once(void **state)
{
    struct backup b = backup_at(STAGE_PREPARED);
    (void)state;
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_advance(&b, STAGE_PREPARED, STAGE_CREATED);
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_advance(&b, STAGE_CREATED, STAGE_COMPLETED);
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_release(&b);
}

static void prepare_after_abort(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_release(&b);
}

static void prepare_works_with_freed_metadata_and_an_empty_set(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_FreeWriterMetadata(b.object));
    backup_advance(&b, STAGE_GATHERED, STAGE_STARTED);
    assert_hr(S_OK, prepare_call(&b));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    backup_advance(&b, STAGE_CREATED, STAGE_COMPLETED);
    backup_release(&b);
}

/* Each documented code of the call, and one that only QueryStatus gives. E_INVALIDARG comes from Windows only
 * for a NULL pointer; as a fault it is there so that a program's way of passing it on can be tested. */
static void prepare_can_be_made_to_fail(void **state)
{
    static const HRESULT codes[] = {E_INVALIDARG, E_OUTOFMEMORY, VSS_E_BAD_STATE, VSS_E_UNEXPECTED,
                                    E_UNEXPECTED};
    char text[100];
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(codes); i++) {
        snprintf(text, sizeof text, "[method:PrepareForBackup]\nresult=0x%08lx\n", (unsigned long)codes[i]);
        scenario(text);
        struct backup b = backup_at(STAGE_ADDED);
        assert_hr(codes[i], prepare_call(&b));
        assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
        backup_release(&b);
    }
    scenario("[method:PrepareForBackup]\nasync_result=0x80042302\n");
    struct backup b = backup_at(STAGE_ADDED);
    assert_hr(VSS_E_UNEXPECTED, PREPARE(&b));
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    backup_release(&b);
}

/* ---- contexts without writers ---- */

static void contexts_without_writers_skip_the_writers(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssAsync *async;
    GUID id = {.Data1 = 1};
    WCHAR name[] = L"x";
    BSTR text;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_FILE_SHARE_BACKUP));
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(b.object, 1, 1, VSS_BT_FULL, 0));
    assert_hr(VSS_S_ASYNC_FINISHED, GATHER(&b));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_AddComponent(b.object, id, id, VSS_CT_FILEGROUP, NULL, name));
    backup_advance(&b, STAGE_GATHERED, STAGE_ADDED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_PrepareForBackup(b.object, &async));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_BackupComplete(b.object, &async));
    assert_int_equal(state_of(&b, L"System Writer", NULL), VSS_WS_STABLE);
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &text));
    SysFreeString(text);
    assert_false(logged("\tFreeze\t"));
    backup_release(&b);
}

static void contexts_without_writers_need_no_metadata(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, VSS_CTX_FILE_SHARE_BACKUP));
    backup_advance(&b, STAGE_GATHERED, STAGE_ADDED);
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    backup_release(&b);
}

/* ---- the snapshot set ---- */

static HRESULT snapshot_call(struct backup *b)
{
    IVssAsync *async = (IVssAsync *)1;
    HRESULT hr = IVssBackupComponents_DoSnapshotSet(b->object, &async);
    assert_true(FAILED(hr));
    assert_null(async);
    return hr;
}

static void a_set_has_one_beginning_and_one_end(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    GUID id;
    (void)state;
    assert_hr(VSS_E_BAD_STATE, backup_add(&b, 0));
    assert_hr(VSS_E_BAD_STATE, snapshot_call(&b));
    backup_advance(&b, STAGE_GATHERED, STAGE_ADDED);
    assert_hr(VSS_E_SNAPSHOT_SET_IN_PROGRESS, IVssBackupComponents_StartSnapshotSet(b.object, &id));
    assert_true(IsEqualGUID(&id, &GUID_NULL));
    assert_hr(VSS_E_BAD_STATE, snapshot_call(&b));
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_hr(VSS_E_BAD_STATE, snapshot_call(&b));
    assert_hr(VSS_E_BAD_STATE, backup_add(&b, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_StartSnapshotSet(b.object, &id));
    backup_release(&b);
}

static void an_aborted_object_is_of_no_further_use(void **state)
{
    struct backup b = backup_at(STAGE_PREPARED);
    GUID id;
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_hr(VSS_E_BAD_STATE, snapshot_call(&b));
    assert_hr(VSS_E_BAD_STATE, backup_add(&b, 1));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_StartSnapshotSet(b.object, &id));
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    backup_release(&b);
}

/* Nobody would hear Prepare and Freeze any more: the copy would be of writers that go on writing. */
static void an_abort_before_the_set_ends_it_too(void **state)
{
    GUID id;
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_true(logged("\tAbort\tSystem Writer"));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_StartSnapshotSet(b.object, &id));
    assert_hr(VSS_E_BAD_STATE, prepare_call(&b));
    assert_hr(VSS_E_BAD_STATE, snapshot_call(&b));
    backup_release(&b);
}

static void abort_with_nothing_under_way_is_ignored(void **state)
{
    struct backup b = backup_at(STAGE_STATE_SET);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_false(logged("\tAbort\t"));
    backup_advance(&b, STAGE_STATE_SET, STAGE_CREATED);
    backup_release(&b);
}

/* ---- completion and documents ---- */

static HRESULT complete_call(struct backup *b)
{
    IVssAsync *async = (IVssAsync *)1;
    HRESULT hr = IVssBackupComponents_BackupComplete(b->object, &async);
    assert_true(FAILED(hr));
    assert_null(async);
    return hr;
}

static void completion_needs_a_good_snapshot(void **state)
{
    (void)state;
    for (enum stage stage = STAGE_INITIALIZED; stage < STAGE_CREATED; stage = (enum stage)(stage + 1)) {
        struct backup b = backup_at(stage);
        assert_hr(VSS_E_BAD_STATE, complete_call(&b));
        backup_release(&b);
    }
    struct backup b = backup_at(STAGE_COMPLETED);
    assert_hr(VSS_E_BAD_STATE, complete_call(&b));
    backup_release(&b);
    b = backup_at(STAGE_CREATED);
    assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    assert_hr(VSS_E_BAD_STATE, complete_call(&b));
    backup_release(&b);
    scenario("[method:DoSnapshotSet]\nasync_result=0x80042306\n");
    b = backup_at(STAGE_PREPARED);
    assert_hr(VSS_E_PROVIDER_VETO, SNAPSHOT(&b));
    assert_hr(VSS_E_BAD_STATE, complete_call(&b));
    backup_release(&b);
}

static void the_document_exists_from_prepare_on(void **state)
{
    struct backup b = backup_at(STAGE_ADDED);
    BSTR text = (BSTR)1;
    (void)state;
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SaveAsXML(b.object, &text));
    assert_null(text);
    backup_advance(&b, STAGE_ADDED, STAGE_CREATED);
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &text));
    assert_non_null(wcsstr(text, L"<BACKUP_COMPONENTS "));
    assert_non_null(wcsstr(text, L"backupType=\"copy\""));
    assert_non_null(wcsstr(text, L"</BACKUP_COMPONENTS>"));
    struct backup second = backup_new();
    assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(second.object, text));
    SysFreeString(text);
    backup_release(&second);
    backup_release(&b);
}

static void metadata_and_status_have_their_times(void **state)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssExamineWriterMetadata *metadata;
    IVssAsync *async;
    GUID id;
    UINT count, status_count;
    BSTR name;
    VSS_WRITER_STATE writer_state;
    HRESULT hr;
    (void)state;
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterMetadataCount(b.object, &count));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterMetadata(b.object, 0, &id, &metadata));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterMetadata(b.object));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterStatusCount(b.object, &count));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterStatus(b.object));
    assert_hr(VSS_S_ASYNC_FINISHED, GATHER(&b));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GatherWriterMetadata(b.object, &async));
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadataCount(b.object, &count));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetWriterMetadata(b.object, count, &id, &metadata));
    assert_hr(VSS_S_ASYNC_FINISHED, STATUS(&b));
    assert_hr(VSS_S_ASYNC_FINISHED, STATUS(&b));
    assert_hr(S_OK, IVssBackupComponents_GetWriterStatusCount(b.object, &status_count));
    assert_int_equal(status_count, count);
    id = b.set = (GUID){1, 2, 3, {4}};
    writer_state = VSS_WS_STABLE;
    hr = E_FAIL;
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetWriterStatus(b.object, count, &id, &b.set, &name, &writer_state, &hr));
    assert_true(IsEqualGUID(&id, &GUID_NULL) && IsEqualGUID(&b.set, &GUID_NULL));
    assert_null(name);
    assert_int_equal(writer_state, VSS_WS_UNKNOWN);
    assert_hr(S_OK, hr);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetWriterStatus(b.object, count, &id, &id, &name, &writer_state, &hr));
    assert_hr(S_OK, IVssBackupComponents_FreeWriterMetadata(b.object));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterMetadataCount(b.object, &count));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterMetadata(b.object));
    assert_hr(S_OK, IVssBackupComponents_FreeWriterStatus(b.object));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_GetWriterStatusCount(b.object, &count));
    assert_hr(VSS_E_BAD_STATE,
              IVssBackupComponents_GetWriterStatus(b.object, 0, &id, &id, &name, &writer_state, &hr));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_FreeWriterStatus(b.object));
    backup_release(&b);
}

static void the_session_has_an_id(void **state)
{
    struct backup a = backup_at(STAGE_INITIALIZED), b = backup_at(STAGE_INITIALIZED);
    GUID first, again, other;
    (void)state;
    assert_hr(S_OK, IVssBackupComponentsEx4_GetSessionId(a.wide, &first));
    assert_hr(S_OK, IVssBackupComponentsEx4_GetSessionId(a.wide, &again));
    assert_hr(S_OK, IVssBackupComponentsEx4_GetSessionId(b.wide, &other));
    assert_true(IsEqualGUID(&first, &again));
    assert_false(IsEqualGUID(&first, &other));
    backup_release(&a);
    backup_release(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_sequence_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_works_before_initialization),
        TEST(initialization_happens_once),
        TEST(initialization_wants_xml),
        TEST(contexts_are_checked),
        TEST(the_context_comes_before_the_set),
        TEST(the_administrators_context_starts_no_set),
        TEST(the_state_may_come_late_but_not_after_prepare),
        TEST(prepare_without_backup_state),
        TEST(prepare_without_metadata),
        TEST(prepare_without_a_set),
        TEST(prepare_happens_once),
        TEST(prepare_after_abort),
        TEST(prepare_works_with_freed_metadata_and_an_empty_set),
        TEST(prepare_can_be_made_to_fail),
        TEST(contexts_without_writers_skip_the_writers),
        TEST(contexts_without_writers_need_no_metadata),
        TEST(a_set_has_one_beginning_and_one_end),
        TEST(an_aborted_object_is_of_no_further_use),
        TEST(an_abort_before_the_set_ends_it_too),
        TEST(abort_with_nothing_under_way_is_ignored),
        TEST(completion_needs_a_good_snapshot),
        TEST(the_document_exists_from_prepare_on),
        TEST(metadata_and_status_have_their_times),
        TEST(the_session_has_an_id),
    };
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
