/* The hardware provider, which is there only when the scenario says so: transportable sets, import, break. */
#include "support.h"

#include <stdlib.h>
#include <wchar.h>

#define HARDWARE      "[machine]\nhardware_provider=1\n"
#define TRANSPORTABLE (VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_TRANSPORTABLE)

static const GUID system_provider = {
    0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};

static struct backup object_in(LONG context)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    assert_hr(S_OK, IVssBackupComponents_SetContext(b.object, context));
    return b;
}

static struct backup started_in(LONG context)
{
    struct backup b = object_in(context);
    if (!(context & VSS_VOLSNAP_ATTR_NO_WRITERS))
        backup_advance(&b, STAGE_INITIALIZED, STAGE_GATHERED);
    assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(b.object, &b.set));
    return b;
}

/* A set of both volumes. */
static struct backup created_in(LONG context)
{
    struct backup b = started_in(context);
    assert_hr(S_OK, backup_add(&b, 0));
    assert_hr(S_OK, backup_add(&b, 1));
    if (!(context & VSS_VOLSNAP_ATTR_NO_WRITERS))
        assert_hr(VSS_S_ASYNC_FINISHED, PREPARE(&b));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    return b;
}

static LONG attributes_of(struct backup *b, GUID id, GUID *provider)
{
    VSS_SNAPSHOT_PROP prop;
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b->object, id, &prop));
    LONG attributes = prop.m_lSnapshotAttributes;
    *provider = prop.m_ProviderId;
    machine.free_properties(&prop);
    return attributes;
}

/* Finds the hardware provider in the list, if it is there. */
static unsigned providers(GUID *hardware)
{
    struct backup b = backup_at(STAGE_INITIALIZED);
    IVssEnumObject *found;
    VSS_OBJECT_PROP props[3];
    ULONG fetched;
    assert_hr(S_OK,
              IVssBackupComponents_Query(b.object, GUID_NULL, VSS_OBJECT_NONE, VSS_OBJECT_PROVIDER, &found));
    assert_hr(S_FALSE, IVssEnumObject_Next(found, 3, props, &fetched));
    for (ULONG i = 0; i < fetched; i++) {
        const VSS_PROVIDER_PROP *provider = &props[i].Obj.Prov;
        assert_int_equal(provider->m_eProviderType, i ? VSS_PROV_HARDWARE : VSS_PROV_SYSTEM);
        *hardware = provider->m_ProviderId;
        CoTaskMemFree(provider->m_pwszProviderName);
        CoTaskMemFree(provider->m_pwszProviderVersion);
    }
    IVssEnumObject_Release(found);
    backup_release(&b);
    return fetched;
}

static void the_hardware_comes_first(void **state)
{
    GUID hardware, provider, id;
    char text[100];
    (void)state;
    assert_int_equal(providers(&provider), 1);
    scenario(HARDWARE);
    assert_int_equal(providers(&hardware), 2);
    struct backup b = created_in(VSS_CTX_APP_ROLLBACK);
    assert_true(attributes_of(&b, b.snapshots[0], &provider) & VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED);
    assert_true(IsEqualGUID(&provider, &hardware));
    backup_release(&b);
    struct backup all = object_in((LONG)VSS_CTX_ALL);
    LONG deleted;
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(all.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &id));
    backup_release(&all);
    /* One volume only is on it; and who names a provider gets that one. */
    snprintf(text, sizeof text, HARDWARE "[volumes]\nhardware=%ls\n", machine.volumes[0]);
    scenario(text);
    b = started_in(VSS_CTX_NAS_ROLLBACK);
    assert_hr(VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
              IVssBackupComponents_AddToSnapshotSet(b.object, machine.volumes[1], hardware, &id));
    WINBOOL supported = TRUE;
    assert_hr(S_OK,
              IVssBackupComponents_IsVolumeSupported(b.object, hardware, machine.volumes[1], &supported));
    assert_false(supported);
    assert_hr(S_OK,
              IVssBackupComponents_AddToSnapshotSet(b.object, machine.volumes[0], system_provider, &id));
    assert_hr(S_OK, backup_add(&b, 1));
    assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(&b));
    assert_false(attributes_of(&b, id, &provider) & VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED);
    assert_true(IsEqualGUID(&provider, &system_provider));
    assert_hr(VSS_E_PROVIDER_VETO, IVssBackupComponents_BreakSnapshotSet(b.object, b.set));
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &id));
    backup_release(&b);
}

static void what_only_hardware_can_do(void **state)
{
    GUID id;
    (void)state;
    const LONG contexts[] = {TRANSPORTABLE, VSS_CTX_NAS_ROLLBACK | VSS_VOLSNAP_ATTR_PLEX};
    for (size_t i = 0; i < ARRAYSIZE(contexts); i++) {
        struct backup b = started_in(contexts[i]);
        assert_hr(VSS_E_VOLUME_NOT_SUPPORTED, backup_add(&b, 0));
        assert_hr(VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                  IVssBackupComponents_AddToSnapshotSet(b.object, machine.volumes[0], system_provider, &id));
        backup_release(&b);
    }
    /* And what it cannot. */
    scenario(HARDWARE);
    struct backup b = created_in(VSS_CTX_CLIENT_ACCESSIBLE);
    GUID provider;
    assert_false(attributes_of(&b, b.snapshots[0], &provider) & VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED);
    LONG deleted;
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b.object, b.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &id));
    backup_release(&b);
}

/* A transportable set, made and let go; what SaveAsXML gave. */
static BSTR exported(struct backup *b)
{
    BSTR document = NULL;
    VSS_SNAPSHOT_PROP prop;
    *b = created_in(TRANSPORTABLE);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_GetSnapshotProperties(b->object, b->snapshots[0], &prop));
    assert_hr(VSS_S_ASYNC_FINISHED, COMPLETE(b));
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b->object, &document));
    backup_release(b);
    assert_int_equal(files_in(L"copies", L"*"), 0);
    return document;
}

static struct backup importer(BSTR document)
{
    struct backup b = backup_new();
    assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(b.object, document));
    return b;
}

static void a_transportable_set_is_imported(void **state)
{
    struct backup made;
    GUID provider, id;
    wchar_t path[MAX_PATH];
    VSS_SNAPSHOT_PROP prop;
    IVssAsync *async;
    (void)state;
    scenario(HARDWARE);
    swprintf(path, MAX_PATH, L"%lstravels.txt", machine.volumes[0]);
    write_file(path, "there and back");
    BSTR document = exported(&made);
    assert_int_equal(files_in(L"array", L"*.txt"), 2);
    /* A machine without the hardware, then one with it. */
    scenario(NULL);
    struct backup b = importer(document);
    assert_hr(VSS_E_NO_SNAPSHOTS_IMPORTED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    backup_release(&b);
    scenario(HARDWARE);
    b = importer(document);
    assert_hr(VSS_S_ASYNC_FINISHED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_ImportSnapshots(b.object, &async));
    assert_true(attributes_of(&b, made.snapshots[1], &provider) & VSS_VOLSNAP_ATTR_IMPORTED);
    assert_hr(S_OK, IVssBackupComponents_GetSnapshotProperties(b.object, made.snapshots[0], &prop));
    assert_true(IsEqualGUID(&prop.m_SnapshotSetId, &made.set));
    swprintf(path, MAX_PATH, L"%ls\\travels.txt", prop.m_pwszSnapshotDeviceObject);
    assert_true(file_has(path, "there and back"));
    machine.free_properties(&prop);
    assert_int_equal(files_in(L"array", L"*"), 0);
    backup_release(&b); /* its context is auto-release: they go with it */
    assert_int_equal(files_in(L"copies", L"*"), 0);
    /* Once only; and one of two is not all. */
    b = importer(document);
    assert_hr(VSS_E_NO_SNAPSHOTS_IMPORTED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    backup_release(&b);
    SysFreeString(document);
    document = exported(&made);
    wchar_t name[40];
    StringFromGUID2(&made.snapshots[0], name, ARRAYSIZE(name));
    swprintf(path, MAX_PATH, L"%ls\\array\\%ls.txt", machine.store, name);
    assert_true(DeleteFileW(path));
    b = importer(document);
    assert_hr(VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    LONG deleted;
    assert_hr(S_OK, IVssBackupComponents_DeleteSnapshots(b.object, made.set, VSS_OBJECT_SNAPSHOT_SET, TRUE,
                                                         &deleted, &id));
    assert_int_equal(deleted, 1);
    backup_release(&b);
    SysFreeString(document);
}

/* A machine finds what is in the array that it names, and nothing else. */
static void an_array_can_be_anywhere(void **state)
{
    char text[MAX_PATH + 100];
    struct backup made;
    (void)state;
    snprintf(text, sizeof text, HARDWARE "hardware_array=%ls\\shared\n", machine.store);
    scenario(text);
    BSTR document = exported(&made);
    assert_int_equal(files_in(L"shared", L"*.txt"), 2);
    scenario(HARDWARE);
    struct backup b = importer(document);
    assert_hr(VSS_E_NO_SNAPSHOTS_IMPORTED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    backup_release(&b);
    scenario(text);
    b = importer(document);
    assert_hr(VSS_S_ASYNC_FINISHED, run_async(&b, b.object->lpVtbl->ImportSnapshots));
    backup_release(&b);
    SysFreeString(document);
}

static void an_array_out_of_reach_fails_the_set(void **state)
{
    (void)state;
    scenario(HARDWARE "hardware_array=Q:\\no\\such\\place\n");
    struct backup b = started_in(TRANSPORTABLE);
    assert_hr(S_OK, backup_add(&b, 0));
    assert_hr(VSS_S_ASYNC_FINISHED, PREPARE(&b));
    assert_hr(VSS_E_UNEXPECTED_PROVIDER_ERROR, SNAPSHOT(&b));
    assert_int_equal(files_in(L"copies", L"*"), 0);
    backup_release(&b);
}

static void a_broken_set_is_forgotten(void **state)
{
    (void)state;
    scenario(HARDWARE);
    wchar_t path[MAX_PATH], as[] = L"?:";
    swprintf(path, MAX_PATH, L"%lsbroken.txt", machine.volumes[0]);
    write_file(path, "a volume of its own");
    struct backup b = created_in(VSS_CTX_APP_ROLLBACK);
    for (as[0] = L'G'; as[0] < L'Z'; as[0]++)
        if (!file_exists(L"%ls\\", as))
            break;
    VSS_PWSZ exposed = NULL;
    assert_hr(S_OK, IVssBackupComponents_ExposeSnapshot(b.object, b.snapshots[0], NULL,
                                                        VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY, as, &exposed));
    CoTaskMemFree(exposed);
    assert_hr(S_OK, IVssBackupComponents_BreakSnapshotSet(b.object, b.set));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssBackupComponents_BreakSnapshotSet(b.object, b.set));
    assert_int_equal(files_in(L"copies", L"*"), 0);
    assert_int_equal(count_logged("\tcopy\tbroken\t"), 2);
    /* The letter stays with it, and it can be written to. */
    swprintf(path, MAX_PATH, L"%ls\\broken.txt", as);
    assert_true(file_has(path, "a volume of its own"));
    write_file(path, "changed");
    assert_true(file_has(path, "changed"));
    backup_release(&b);
    assert_true(file_has(path, "changed"));
    take_letter(as[0]);
}

static void breaking_can_be_watched(void **state)
{
    const DWORD flags = VSS_BREAKEX_FLAG_MASK_LUNS | VSS_BREAKEX_FLAG_REVERT_IDENTITY_ALL;
    IVssAsync *async = NULL;
    (void)state;
    scenario(HARDWARE);
    struct backup b = created_in(VSS_CTX_APP_ROLLBACK);
    assert_hr(S_OK, IVssBackupComponentsEx4_BreakSnapshotSetEx(b.wide, b.set, flags, &async));
    assert_hr(VSS_S_ASYNC_FINISHED, wait_async(async));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponentsEx4_BreakSnapshotSetEx(b.wide, b.set, flags, &async));
    assert_null(async);
    backup_release(&b);
    scenario(HARDWARE "[method:BreakSnapshotSetEx]\nasync_result=0x800423f6\n");
    b = created_in(VSS_CTX_APP_ROLLBACK);
    assert_hr(S_OK, IVssBackupComponentsEx4_BreakSnapshotSetEx(b.wide, b.set, flags, &async));
    assert_hr(VSS_E_BREAK_REVERT_ID_FAILED, wait_async(async));
    assert_hr(S_OK, IVssBackupComponents_BreakSnapshotSet(b.object, b.set)); /* it was still there */
    backup_release(&b);
}

int run_hardware_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_hardware_comes_first, test_begin, test_end),
        cmocka_unit_test_setup_teardown(what_only_hardware_can_do, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_transportable_set_is_imported, test_begin, test_end),
        cmocka_unit_test_setup_teardown(an_array_can_be_anywhere, test_begin, test_end),
        cmocka_unit_test_setup_teardown(an_array_out_of_reach_fails_the_set, test_begin, test_end),
        cmocka_unit_test_setup_teardown(a_broken_set_is_forgotten, test_begin, test_end),
        cmocka_unit_test_setup_teardown(breaking_can_be_watched, test_begin, test_end),
    };
    return cmocka_run_group_tests_name("hardware", tests, NULL, NULL);
}
