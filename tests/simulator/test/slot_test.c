/* Every slot of the object, from 3 to 64, on an object in each of four states, against a table. */
#include "support.h"

#include <wchar.h>

enum state {
    NEW,
    BACKUP,
    RESTORE,
    ABORTED,
    STATES
};

/* A component that no document has, and one without a name. */
#define C       id, VSS_CT_FILEGROUP, NULL, text
#define NO_NAME id, VSS_CT_FILEGROUP, NULL, NULL

/* What calls take and give. Out parameters are poisoned before each call. */
static GUID id, other;
static WCHAR text[] = L"x";
static BSTR document, bstr;
static UINT number;
static LONG deleted;
static WINBOOL flag;
static HRESULT failure;
static VSS_WRITER_STATE writer_state;
static VSS_PWSZ string, second;
static VSS_SNAPSHOT_PROP prop;
static IVssAsync *async;
static IVssEnumObject *enumeration;
static IVssWriterComponentsExt *writer_components;
static IVssExamineWriterMetadata *metadata;
static IVssExamineWriterMetadataEx *metadata_ex;

/* One function a slot: with good arguments, and with those that are wrong whatever the state is. */
#define CALLS(name, good, bad)                                                 \
    static HRESULT call_##name(IVssBackupComponentsEx4 *object, BOOL is_good)  \
    {                                                                          \
        return is_good ? object->lpVtbl->name good : object->lpVtbl->name bad; \
    }
#define ONE_CALL(name, good)                                                  \
    static HRESULT call_##name(IVssBackupComponentsEx4 *object, BOOL is_good) \
    {                                                                         \
        (void)is_good;                                                        \
        return object->lpVtbl->name good;                                     \
    }

/* clang-format off */
CALLS(GetWriterComponentsCount, (object, &number), (object, NULL))
CALLS(GetWriterComponents, (object, 0, &writer_components), (object, 0, NULL))
ONE_CALL(InitializeForBackup, (object, NULL))
CALLS(SetBackupState, (object, 0, 0, VSS_BT_COPY, 0), (object, 0, 0, VSS_BT_UNDEFINED, 0))
CALLS(InitializeForRestore, (object, document), (object, NULL))
CALLS(SetRestoreState, (object, VSS_RTYPE_BY_COPY), (object, (VSS_RESTORE_TYPE)99))
CALLS(GatherWriterMetadata, (object, &async), (object, NULL))
CALLS(GetWriterMetadataCount, (object, &number), (object, NULL))
CALLS(GetWriterMetadata, (object, 0, &id, &metadata), (object, 0, NULL, &metadata))
ONE_CALL(FreeWriterMetadata, (object))
CALLS(AddComponent, (object, id, id, VSS_CT_FILEGROUP, NULL, text), (object, id, id, VSS_CT_FILEGROUP, NULL, NULL))
CALLS(PrepareForBackup, (object, &async), (object, NULL))
ONE_CALL(AbortBackup, (object))
CALLS(GatherWriterStatus, (object, &async), (object, NULL))
CALLS(GetWriterStatusCount, (object, &number), (object, NULL))
ONE_CALL(FreeWriterStatus, (object))
CALLS(GetWriterStatus, (object, 0, &id, &other, &bstr, &writer_state, &failure), (object, 0, &id, &other, NULL, &writer_state, &failure))
CALLS(SetBackupSucceeded, (object, id, C, 1), (object, id, NO_NAME, 1))
CALLS(SetBackupOptions, (object, C, text), (object, C, NULL))
CALLS(SetSelectedForRestore, (object, C, 1), (object, NO_NAME, 1))
CALLS(SetRestoreOptions, (object, C, text), (object, C, NULL))
CALLS(SetAdditionalRestores, (object, C, 1), (object, NO_NAME, 1))
CALLS(SetPreviousBackupStamp, (object, C, text), (object, C, NULL))
CALLS(SaveAsXML, (object, &bstr), (object, NULL))
CALLS(BackupComplete, (object, &async), (object, NULL))
CALLS(AddAlternativeLocationMapping, (object, C, text, text, 0, text), (object, C, text, NULL, 0, text))
CALLS(AddRestoreSubcomponent, (object, C, text, text, 0), (object, C, text, text, 1))
CALLS(SetFileRestoreStatus, (object, C, VSS_RS_ALL), (object, C, VSS_RS_UNDEFINED))
CALLS(AddNewTarget, (object, C, text, text, 0, text), (object, C, text, text, 0, NULL))
CALLS(SetRangesFilePath, (object, C, 0, text), (object, C, 0, NULL))
CALLS(PreRestore, (object, &async), (object, NULL))
CALLS(PostRestore, (object, &async), (object, NULL))
ONE_CALL(SetContext, (object, VSS_CTX_BACKUP))
CALLS(StartSnapshotSet, (object, &id), (object, NULL))
CALLS(AddToSnapshotSet, (object, machine.volumes[0], GUID_NULL, &id), (object, machine.volumes[0], GUID_NULL, NULL))
CALLS(DoSnapshotSet, (object, &async), (object, NULL))
CALLS(DeleteSnapshots, (object, id, VSS_OBJECT_SNAPSHOT, 1, &deleted, &other), (object, id, VSS_OBJECT_SNAPSHOT, 1, NULL, &other))
CALLS(ImportSnapshots, (object, &async), (object, NULL))
ONE_CALL(BreakSnapshotSet, (object, id))
CALLS(GetSnapshotProperties, (object, id, &prop), (object, id, NULL))
CALLS(Query, (object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, &enumeration), (object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_SNAPSHOT, NULL))
CALLS(IsVolumeSupported, (object, GUID_NULL, machine.volumes[0], &flag), (object, GUID_NULL, NULL, &flag))
CALLS(DisableWriterClasses, (object, &id, 1), (object, NULL, 1))
CALLS(EnableWriterClasses, (object, &id, 1), (object, NULL, 1))
CALLS(DisableWriterInstances, (object, &id, 1), (object, NULL, 1))
CALLS(ExposeSnapshot, (object, id, NULL, VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, text, &string), (object, id, NULL, VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, text, NULL))
ONE_CALL(RevertToSnapshot, (object, id, 0))
CALLS(QueryRevertStatus, (object, machine.volumes[0], &async), (object, machine.volumes[0], NULL))
CALLS(GetWriterMetadataEx, (object, 0, &id, &metadata_ex), (object, 0, &id, NULL))
CALLS(SetSelectedForRestoreEx, (object, C, 1, GUID_NULL), (object, NO_NAME, 1, GUID_NULL))
ONE_CALL(UnexposeSnapshot, (object, id))
CALLS(SetAuthoritativeRestore, (object, C, 1), (object, NO_NAME, 1))
CALLS(SetRollForward, (object, C, VSS_RF_ALL, NULL), (object, C, VSS_RF_UNDEFINED, NULL))
CALLS(SetRestoreName, (object, C, text), (object, C, NULL))
CALLS(BreakSnapshotSetEx, (object, id, 0, &async), (object, id, 0, NULL))
CALLS(PreFastRecovery, (object, id, 0, &async), (object, id, 0, NULL))
CALLS(FastRecovery, (object, id, 0, &async), (object, id, 0, NULL))
CALLS(GetWriterStatusEx, (object, 0, &id, &other, &bstr, &writer_state, &failure, NULL, NULL), (object, 0, &id, &other, &bstr, NULL, &failure, NULL, NULL))
CALLS(AddSnapshotToRecoverySet, (object, id, 0, NULL), (object, id, 1, NULL))
CALLS(RecoverSet, (object, 0, &async), (object, 0, NULL))
CALLS(GetSessionId, (object, &id), (object, NULL))
CALLS(GetRootAndLogicalPrefixPaths, (object, machine.volumes[0], &string, &second, 0), (object, machine.volumes[0], &string, NULL, 0))

#define OK      S_OK
#define BAD     VSS_E_BAD_STATE
#define ONF     VSS_E_OBJECT_NOT_FOUND
#define NOTIMPL E_NOTIMPL

#define ROW(slot, name, has_bad, a, b, c, d) \
    {slot, offsetof(IVssBackupComponentsEx4Vtbl, name), L"" #name, call_##name, has_bad, {a, b, c, d}}

static const struct row {
    unsigned slot;
    size_t offset;
    const wchar_t *name;
    HRESULT (*call)(IVssBackupComponentsEx4 *object, BOOL is_good);
    BOOL has_bad; /* are there arguments that are always wrong? */
    HRESULT expected[STATES]; /* new, backup, restore, aborted */
} rows[] = {
    ROW(3, GetWriterComponentsCount, TRUE, BAD, OK, OK, OK),
    ROW(4, GetWriterComponents, TRUE, BAD, ONF, ONF, ONF),
    ROW(5, InitializeForBackup, FALSE, OK, BAD, BAD, BAD),
    ROW(6, SetBackupState, TRUE, BAD, OK, OK, BAD),
    ROW(7, InitializeForRestore, TRUE, OK, BAD, BAD, BAD),
    ROW(8, SetRestoreState, TRUE, BAD, BAD, OK, BAD),
    ROW(9, GatherWriterMetadata, TRUE, BAD, OK, OK, BAD),
    ROW(10, GetWriterMetadataCount, TRUE, BAD, BAD, BAD, OK),
    ROW(11, GetWriterMetadata, TRUE, BAD, BAD, BAD, OK),
    ROW(12, FreeWriterMetadata, FALSE, BAD, BAD, BAD, OK),
    ROW(13, AddComponent, TRUE, BAD, BAD, BAD, BAD),
    ROW(14, PrepareForBackup, TRUE, BAD, BAD, BAD, BAD),
    ROW(15, AbortBackup, FALSE, BAD, OK, BAD, OK),
    ROW(16, GatherWriterStatus, TRUE, BAD, OK, OK, OK),
    ROW(17, GetWriterStatusCount, TRUE, BAD, BAD, BAD, BAD),
    ROW(18, FreeWriterStatus, FALSE, BAD, BAD, BAD, BAD),
    ROW(19, GetWriterStatus, TRUE, BAD, BAD, BAD, BAD),
    ROW(20, SetBackupSucceeded, TRUE, BAD, BAD, BAD, BAD),
    ROW(21, SetBackupOptions, TRUE, BAD, ONF, BAD, BAD),
    ROW(22, SetSelectedForRestore, TRUE, BAD, BAD, BAD, BAD),
    ROW(23, SetRestoreOptions, TRUE, BAD, BAD, ONF, BAD),
    ROW(24, SetAdditionalRestores, TRUE, BAD, BAD, ONF, BAD),
    ROW(25, SetPreviousBackupStamp, TRUE, BAD, ONF, BAD, BAD),
    ROW(26, SaveAsXML, TRUE, BAD, BAD, OK, BAD),
    ROW(27, BackupComplete, TRUE, BAD, BAD, BAD, BAD),
    ROW(28, AddAlternativeLocationMapping, TRUE, BAD, BAD, ONF, BAD),
    ROW(29, AddRestoreSubcomponent, TRUE, BAD, BAD, ONF, BAD),
    ROW(30, SetFileRestoreStatus, TRUE, BAD, BAD, BAD, BAD),
    ROW(31, AddNewTarget, TRUE, BAD, BAD, ONF, BAD),
    ROW(32, SetRangesFilePath, TRUE, BAD, BAD, ONF, BAD),
    ROW(33, PreRestore, TRUE, BAD, BAD, BAD, BAD),
    ROW(34, PostRestore, TRUE, BAD, BAD, BAD, BAD),
    ROW(35, SetContext, FALSE, BAD, OK, BAD, BAD),
    ROW(36, StartSnapshotSet, TRUE, BAD, OK, BAD, BAD),
    ROW(37, AddToSnapshotSet, TRUE, BAD, BAD, BAD, BAD),
    ROW(38, DoSnapshotSet, TRUE, BAD, BAD, BAD, BAD),
    ROW(39, DeleteSnapshots, TRUE, BAD, ONF, BAD, ONF),
    ROW(40, ImportSnapshots, TRUE, BAD, BAD, BAD, BAD),
    ROW(41, BreakSnapshotSet, FALSE, BAD, ONF, BAD, ONF),
    ROW(42, GetSnapshotProperties, TRUE, BAD, ONF, BAD, ONF),
    ROW(43, Query, TRUE, BAD, OK, BAD, OK),
    ROW(44, IsVolumeSupported, TRUE, BAD, OK, BAD, OK),
    ROW(45, DisableWriterClasses, TRUE, BAD, OK, OK, OK),
    ROW(46, EnableWriterClasses, TRUE, BAD, OK, OK, OK),
    ROW(47, DisableWriterInstances, TRUE, BAD, OK, OK, OK),
    ROW(48, ExposeSnapshot, TRUE, BAD, ONF, BAD, ONF),
    ROW(49, RevertToSnapshot, FALSE, BAD, ONF, BAD, ONF),
    ROW(50, QueryRevertStatus, TRUE, BAD, ONF, BAD, ONF),
    ROW(51, GetWriterMetadataEx, TRUE, BAD, BAD, BAD, OK),
    ROW(52, SetSelectedForRestoreEx, TRUE, BAD, BAD, BAD, BAD),
    ROW(53, UnexposeSnapshot, FALSE, BAD, ONF, BAD, ONF),
    ROW(54, SetAuthoritativeRestore, TRUE, BAD, BAD, ONF, BAD),
    ROW(55, SetRollForward, TRUE, BAD, BAD, ONF, BAD),
    ROW(56, SetRestoreName, TRUE, BAD, BAD, ONF, BAD),
    ROW(57, BreakSnapshotSetEx, TRUE, BAD, ONF, BAD, ONF),
    ROW(58, PreFastRecovery, TRUE, BAD, NOTIMPL, NOTIMPL, NOTIMPL),
    ROW(59, FastRecovery, TRUE, BAD, NOTIMPL, NOTIMPL, NOTIMPL),
    ROW(60, GetWriterStatusEx, TRUE, BAD, BAD, BAD, BAD),
    ROW(61, AddSnapshotToRecoverySet, TRUE, BAD, ONF, BAD, ONF),
    ROW(62, RecoverSet, TRUE, BAD, BAD, BAD, BAD),
    ROW(63, GetSessionId, TRUE, BAD, OK, OK, OK),
    ROW(64, GetRootAndLogicalPrefixPaths, TRUE, BAD, OK, BAD, OK),
};
/* clang-format on */

static struct backup object_in(enum state state)
{
    struct backup b = state == ABORTED ? backup_at(STAGE_STARTED) : backup_new();
    if (state == BACKUP)
        assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(b.object, NULL));
    if (state == RESTORE)
        assert_hr(S_OK, IVssBackupComponents_InitializeForRestore(b.object, document));
    if (state == ABORTED)
        assert_hr(S_OK, IVssBackupComponents_AbortBackup(b.object));
    return b;
}

static void poison(void)
{
    id = (GUID){.Data1 = 7};
    async = (IVssAsync *)1;
    enumeration = (IVssEnumObject *)1;
    writer_components = (IVssWriterComponentsExt *)1;
    metadata = (IVssExamineWriterMetadata *)1;
    metadata_ex = (IVssExamineWriterMetadataEx *)1;
    bstr = (BSTR)1;
    string = second = (VSS_PWSZ)1;
}

#define IS_CLEAN(pointer) ((pointer) == NULL || (UINT_PTR)(pointer) == 1)

/* After a failure nothing may look like something: untouched (another slot's) or NULL. */
static BOOL all_clean(void)
{
    return IS_CLEAN(async) && IS_CLEAN(enumeration) && IS_CLEAN(writer_components) && IS_CLEAN(metadata) &&
           IS_CLEAN(metadata_ex) && IS_CLEAN(bstr) && IS_CLEAN(string) && IS_CLEAN(second);
}

static void give_back(void)
{
    if (!IS_CLEAN(async))
        wait_async(async);
    if (!IS_CLEAN(metadata))
        IVssExamineWriterMetadata_Release(metadata);
    if (!IS_CLEAN(metadata_ex))
        IVssExamineWriterMetadataEx_Release(metadata_ex);
    if (!IS_CLEAN(enumeration))
        IVssEnumObject_Release(enumeration);
    if (!IS_CLEAN(bstr))
        SysFreeString(bstr);
    if (!IS_CLEAN(string))
        CoTaskMemFree(string);
    if (!IS_CLEAN(second))
        CoTaskMemFree(second);
}

static BOOL check_row(const struct row *row, enum state state, BOOL is_good)
{
    static const char *const states[] = {"new", "backup", "restore", "aborted"};
    struct backup b = object_in(state);
    HRESULT expected = is_good ? row->expected[state] : E_INVALIDARG;
    poison();
    HRESULT hr = row->call(b.wide, is_good);
    BOOL ok = hr == expected && (SUCCEEDED(hr) || all_clean());
    if (!ok)
        print_error("slot %u %ls, %s, %s: 0x%08lx, expected 0x%08lx\n", row->slot, row->name, states[state],
                    is_good ? "good arguments" : "bad arguments", (unsigned long)hr, (unsigned long)expected);
    give_back();
    backup_release(&b);
    return ok;
}

static void every_slot_in_every_state(void **state)
{
    BOOL ok = TRUE;
    (void)state;
    document = SysAllocString(L"<BACKUP_COMPONENTS/>");
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        assert_int_equal(rows[i].slot, i + 3);
        assert_int_equal(rows[i].offset, rows[i].slot * sizeof(void *));
        for (int s = NEW; s < STATES; s++) {
            ok = check_row(&rows[i], (enum state)s, TRUE) && ok;
            if (rows[i].has_bad)
                ok = check_row(&rows[i], (enum state)s, FALSE) && ok;
        }
    }
    SysFreeString(document);
    assert_true(ok);
    assert_int_equal(sizeof(IVssBackupComponentsEx4Vtbl), 65 * sizeof(void *));
}

int run_slot_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_slot_in_every_state, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
