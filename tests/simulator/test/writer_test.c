/* The writers: which there are, what they say, who takes part. */
#include "support.h"

#include <wchar.h>

static const GUID system_writer = {
    0xe8132975, 0x6f93, 0x4464, {0xa5, 0x3e, 0x10, 0x50, 0x25, 0x3a, 0xe2, 0x20}};
static const GUID registry_writer = {
    0xafbab4a2, 0x367d, 0x4d15, {0xa5, 0x86, 0x71, 0xdb, 0xb1, 0x8f, 0x84, 0x85}};

/* The metadata of the writer with this name; NULL if it did not answer. */
static IVssExamineWriterMetadataEx2 *find_writer(struct backup *b, const wchar_t *wanted, GUID *instance)
{
    UINT count;
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadataCount(b->object, &count));
    for (UINT i = 0; i < count; i++) {
        IVssExamineWriterMetadata *metadata;
        GUID id, class_id, listed;
        BSTR name;
        VSS_USAGE_TYPE usage;
        VSS_SOURCE_TYPE source;
        assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b->object, i, &listed, &metadata));
        assert_hr(S_OK,
                  IVssExamineWriterMetadata_GetIdentity(metadata, &id, &class_id, &name, &usage, &source));
        assert_true(IsEqualGUID(&id, &listed));
        BOOL found = wcscmp(name, wanted) == 0;
        SysFreeString(name);
        if (found) {
            *instance = id;
            return (IVssExamineWriterMetadataEx2 *)metadata;
        }
        IVssExamineWriterMetadata_Release(metadata);
    }
    return NULL;
}

static void release_writer(IVssExamineWriterMetadataEx2 *metadata)
{
    assert_non_null(metadata);
    IVssExamineWriterMetadataEx2_Release(metadata);
}

static BOOL has_writer(struct backup *b, const wchar_t *name)
{
    GUID instance;
    IVssExamineWriterMetadataEx2 *metadata = find_writer(b, name, &instance);
    if (metadata)
        IVssExamineWriterMetadataEx2_Release(metadata);
    return metadata != NULL;
}

static UINT writer_count(struct backup *b)
{
    UINT count;
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadataCount(b->object, &count));
    return count;
}

static void windows_own_ten_are_there(void **state)
{
    static const wchar_t *const names[] = {L"System Writer",
                                           L"Registry Writer",
                                           L"COM+ REGDB Writer",
                                           L"ASR Writer",
                                           L"Shadow Copy Optimization Writer",
                                           L"WMI Writer",
                                           L"Task Scheduler Writer",
                                           L"VSS Metadata Store Writer",
                                           L"Performance Counters Writer",
                                           L"MSSearch Service Writer"};
    struct backup b = backup_at(STAGE_GATHERED);
    (void)state;
    assert_int_equal(writer_count(&b), 10);
    for (size_t i = 0; i < ARRAYSIZE(names); i++)
        assert_true(has_writer(&b, names[i]));
    backup_release(&b);
}

static void instances_stay_the_same_between_objects(void **state)
{
    struct backup a = backup_at(STAGE_GATHERED), b = backup_at(STAGE_GATHERED);
    GUID first, second;
    (void)state;
    release_writer(find_writer(&a, L"System Writer", &first));
    release_writer(find_writer(&b, L"System Writer", &second));
    assert_true(IsEqualGUID(&first, &second));
    assert_false(IsEqualGUID(&first, &system_writer));
    backup_release(&a);
    backup_release(&b);
}

static void check_file(IVssWMFiledesc *file)
{
    BSTR text;
    boolean recursive = 7;
    DWORD mask;
    assert_hr(S_OK, IVssWMFiledesc_GetPath(file, &text));
    assert_non_null(text);
    SysFreeString(text);
    assert_hr(S_OK, IVssWMFiledesc_GetFilespec(file, &text));
    assert_non_null(text);
    SysFreeString(text);
    assert_hr(S_OK, IVssWMFiledesc_GetAlternateLocation(file, &text));
    assert_null(text);
    assert_hr(S_OK, IVssWMFiledesc_GetRecursive(file, &recursive));
    assert_true(recursive == 0 || recursive == 1);
    assert_hr(S_OK, IVssWMFiledesc_GetBackupTypeMask(file, &mask));
    assert_hr(E_INVALIDARG, IVssWMFiledesc_GetPath(file, NULL));
    assert_hr(E_INVALIDARG, IVssWMFiledesc_GetRecursive(file, NULL));
    assert_int_equal(IVssWMFiledesc_Release(file), 0);
}

static void check_component(IVssWMComponent *component)
{
    PVSSCOMPONENTINFO info;
    IVssWMFiledesc *file;
    IVssWMDependency *dependency;
    void *unknown;
    assert_hr(S_OK, IVssWMComponent_GetComponentInfo(component, &info));
    assert_non_null(info->bstrComponentName);
    for (UINT i = 0; i < info->cFileCount; i++) {
        assert_hr(S_OK, IVssWMComponent_GetFile(component, i, &file));
        check_file(file);
    }
    for (UINT i = 0; i < info->cDatabases; i++) {
        assert_hr(S_OK, IVssWMComponent_GetDatabaseFile(component, i, &file));
        check_file(file);
    }
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssWMComponent_GetFile(component, info->cFileCount, &file));
    assert_null(file);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssWMComponent_GetDatabaseFile(component, info->cDatabases, &file));
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssWMComponent_GetDatabaseLogFile(component, info->cLogFiles, &file));
    for (UINT i = 0; i < info->cDependencies; i++) {
        GUID writer;
        BSTR text;
        assert_hr(S_OK, IVssWMComponent_GetDependency(component, i, &dependency));
        assert_hr(S_OK, IVssWMDependency_GetWriterId(dependency, &writer));
        assert_true(IsEqualGUID(&writer, &registry_writer));
        assert_hr(S_OK, IVssWMDependency_GetLogicalPath(dependency, &text));
        SysFreeString(text);
        assert_hr(S_OK, IVssWMDependency_GetComponentName(dependency, &text));
        assert_int_equal(wcscmp(text, L"Registry"), 0);
        SysFreeString(text);
        assert_int_equal(IVssWMDependency_Release(dependency), 0);
    }
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssWMComponent_GetDependency(component, info->cDependencies, &dependency));
    assert_hr(S_OK, IVssWMComponent_FreeComponentInfo(component, info));
    assert_hr(S_OK, IVssWMComponent_QueryInterface(component, &IID_IUnknown, &unknown));
    IVssWMComponent_Release(component);
    assert_int_equal(IVssWMComponent_Release(component), 0);
}

static void check_metadata(IVssExamineWriterMetadata *metadata)
{
    UINT includes, excludes, components, mappings;
    IVssWMFiledesc *file;
    IVssWMComponent *component;
    VSS_RESTOREMETHOD_ENUM method;
    VSS_WRITERRESTORE_ENUM writer_restore;
    boolean reboot;
    BSTR service, procedure, xml;
    DWORD schema;
    IXMLDOMDocument *document = (IXMLDOMDocument *)1;
    assert_hr(S_OK, IVssExamineWriterMetadata_GetFileCounts(metadata, &includes, &excludes, &components));
    assert_int_equal(includes, 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssExamineWriterMetadata_GetIncludeFile(metadata, 0, &file));
    for (UINT i = 0; i < excludes; i++) {
        assert_hr(S_OK, IVssExamineWriterMetadata_GetExcludeFile(metadata, i, &file));
        check_file(file);
    }
    assert_hr(VSS_E_OBJECT_NOT_FOUND, IVssExamineWriterMetadata_GetExcludeFile(metadata, excludes, &file));
    for (UINT i = 0; i < components; i++) {
        assert_hr(S_OK, IVssExamineWriterMetadata_GetComponent(metadata, i, &component));
        check_component(component);
    }
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssExamineWriterMetadata_GetComponent(metadata, components, &component));
    assert_hr(E_INVALIDARG, IVssExamineWriterMetadata_GetComponent(metadata, 0, NULL));
    HRESULT hr = IVssExamineWriterMetadata_GetRestoreMethod(metadata, &method, &service, &procedure,
                                                            &writer_restore, &reboot, &mappings);
    assert_hr(method == VSS_RME_UNDEFINED ? S_FALSE : S_OK, hr);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssExamineWriterMetadata_GetAlternateLocationMapping(metadata, 0, &file));
    assert_hr(S_OK, IVssExamineWriterMetadata_GetBackupSchema(metadata, &schema));
    /* There need not be an MSXML. */
    hr = IVssExamineWriterMetadata_GetDocument(metadata, &document);
    assert_hr(document ? S_OK : E_NOTIMPL, hr);
    if (document)
        ((IUnknown *)document)->lpVtbl->Release((IUnknown *)document);
    assert_hr(S_OK, IVssExamineWriterMetadata_SaveAsXML(metadata, &xml));
    assert_non_null(wcsstr(xml, L"<WRITER_METADATA "));
    assert_non_null(wcsstr(xml, L"</WRITER_METADATA>"));
    SysFreeString(xml);
}

static void metadata_is_complete_and_outlives_everything(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    IVssExamineWriterMetadata *all[10];
    GUID id;
    (void)state;
    for (UINT i = 0; i < 10; i++)
        assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, i, &id, &all[i]));
    assert_hr(S_OK, IVssBackupComponents_FreeWriterMetadata(b.object));
    backup_release(&b);
    for (UINT i = 0; i < 10; i++) {
        check_metadata(all[i]);
        assert_int_equal(IVssExamineWriterMetadata_Release(all[i]), 0);
    }
}

static void newer_metadata_interfaces_work(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    IVssExamineWriterMetadataEx *metadata;
    IVssExamineWriterMetadataEx2 *newest;
    IVssWMFiledesc *file;
    GUID instance, id, class_id;
    BSTR name, instance_name;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    DWORD major, minor;
    UINT count;
    void *found;
    (void)state;
    assert_hr(S_OK, IVssBackupComponentsEx4_GetWriterMetadataEx(b.wide, 0, &instance, &metadata));
    assert_hr(S_OK, IVssExamineWriterMetadataEx_GetIdentityEx(metadata, &id, &class_id, &name, &instance_name,
                                                              &usage, &source));
    assert_true(IsEqualGUID(&id, &instance));
    assert_null(instance_name);
    SysFreeString(name);
    assert_hr(S_OK, IVssExamineWriterMetadataEx_QueryInterface(metadata, &IID_IVssExamineWriterMetadataEx2,
                                                               &found));
    newest = found;
    assert_hr(S_OK, IVssExamineWriterMetadataEx2_GetVersion(newest, &major, &minor));
    assert_hr(S_OK, IVssExamineWriterMetadataEx2_GetExcludeFromSnapshotCount(newest, &count));
    assert_int_equal(count, 0);
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssExamineWriterMetadataEx2_GetExcludeFromSnapshotFile(newest, 0, &file));
    assert_hr(E_NOINTERFACE, IVssExamineWriterMetadataEx_QueryInterface(metadata, &IID_IVssAsync, &found));
    IVssExamineWriterMetadataEx2_Release(newest);
    assert_int_equal(IVssExamineWriterMetadataEx_Release(metadata), 0);
    backup_release(&b);
}

static void filters_choose_writers(void **state)
{
    struct backup b = backup_at(STAGE_STATE_SET);
    (void)state;
    assert_hr(S_OK, IVssBackupComponents_EnableWriterClasses(b.object, &system_writer, 1));
    backup_advance(&b, STAGE_STATE_SET, STAGE_GATHERED);
    assert_int_equal(writer_count(&b), 1);
    assert_hr(S_OK, IVssBackupComponents_DisableWriterClasses(b.object, &system_writer, 1));
    assert_int_equal(writer_count(&b), 1);
    backup_release(&b);

    b = backup_at(STAGE_STATE_SET);
    const GUID both[] = {system_writer, registry_writer};
    assert_hr(S_OK, IVssBackupComponents_DisableWriterClasses(b.object, both, 2));
    assert_hr(S_OK, IVssBackupComponents_EnableWriterClasses(b.object, &registry_writer, 1));
    backup_advance(&b, STAGE_STATE_SET, STAGE_GATHERED);
    assert_int_equal(writer_count(&b), 9);
    assert_false(has_writer(&b, L"System Writer"));
    GUID instance;
    release_writer(find_writer(&b, L"Registry Writer", &instance));
    backup_release(&b);

    b = backup_at(STAGE_STATE_SET);
    assert_hr(S_OK, IVssBackupComponents_DisableWriterInstances(b.object, &instance, 1));
    backup_advance(&b, STAGE_STATE_SET, STAGE_GATHERED);
    assert_int_equal(writer_count(&b), 9);
    assert_false(has_writer(&b, L"Registry Writer"));
    backup_release(&b);
}

static void failure_at_identify_hides_the_writer(void **state)
{
    (void)state;
    scenario("[writer:System Writer]\nfail_at=identify\n[writer:ASR Writer]\nabsent=1\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_int_equal(writer_count(&b), 8);
    assert_int_equal(state_of(&b, L"System Writer", NULL), -1);
    assert_int_equal(state_of(&b, L"ASR Writer", NULL), -1);
    backup_release(&b);
}

static void components_decide_who_takes_part(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    GUID instance;
    UINT count;
    BSTR text;
    WCHAR name[] = L"System Files", second[] = L"Win32 Services Files", unknown[] = L"Nothing";
    (void)state;
    release_writer(find_writer(&b, L"System Writer", &instance));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_AddComponent(b.object, instance, system_writer,
                                                                 VSS_CT_FILEGROUP, NULL, name));
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(b.object, 1, 0, VSS_BT_FULL, 0));
    assert_hr(S_OK, IVssBackupComponents_AddComponent(b.object, instance, system_writer, VSS_CT_FILEGROUP,
                                                      NULL, name));
    assert_hr(
        VSS_E_OBJECT_ALREADY_EXISTS,
        IVssBackupComponents_AddComponent(b.object, instance, system_writer, VSS_CT_FILEGROUP, L"", name));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddComponent(b.object, instance, system_writer,
                                                              VSS_CT_FILEGROUP, NULL, unknown));
    assert_hr(E_INVALIDARG, IVssBackupComponents_AddComponent(b.object, GUID_NULL, system_writer,
                                                              VSS_CT_FILEGROUP, NULL, name));
    backup_advance(&b, STAGE_GATHERED, STAGE_ADDED);
    assert_hr(S_OK, IVssBackupComponents_AddComponent(b.object, instance, system_writer, VSS_CT_FILEGROUP,
                                                      NULL, second));
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponentsCount(b.object, &count));
    assert_int_equal(count, 1);
    backup_advance(&b, STAGE_ADDED, STAGE_PREPARED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupSucceeded(b.object, instance, system_writer,
                                                                       VSS_CT_FILEGROUP, NULL, name, 1));
    backup_advance(&b, STAGE_PREPARED, STAGE_CREATED);
    assert_int_equal(state_of(&b, L"System Writer", NULL), VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    assert_int_equal(state_of(&b, L"Registry Writer", NULL), VSS_WS_STABLE);
    assert_true(logged("\tPrepareBackup\tRegistry Writer"));
    assert_false(logged("\tFreeze\tRegistry Writer"));
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_AddComponent(b.object, instance, system_writer,
                                                                 VSS_CT_FILEGROUP, NULL, name));
    assert_hr(VSS_E_OBJECT_NOT_FOUND,
              IVssBackupComponents_SetBackupSucceeded(b.object, instance, system_writer, VSS_CT_FILEGROUP,
                                                      NULL, unknown, 1));
    assert_hr(S_OK, IVssBackupComponents_SetBackupSucceeded(b.object, instance, system_writer,
                                                            VSS_CT_FILEGROUP, NULL, name, 1));
    backup_advance(&b, STAGE_CREATED, STAGE_COMPLETED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupSucceeded(b.object, instance, system_writer,
                                                                       VSS_CT_FILEGROUP, NULL, name, 1));
    assert_hr(S_OK, IVssBackupComponents_SaveAsXML(b.object, &text));
    assert_non_null(wcsstr(text, L"backupSucceeded=\"yes\""));
    SysFreeString(text);
    backup_release(&b);
}

static void without_component_mode_no_components(void **state)
{
    struct backup b = backup_at(STAGE_GATHERED);
    GUID instance;
    UINT count = 7;
    WCHAR name[] = L"System Files";
    (void)state;
    release_writer(find_writer(&b, L"System Writer", &instance));
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponentsCount(b.object, &count));
    assert_int_equal(count, 0);
    backup_advance(&b, STAGE_GATHERED, STAGE_CREATED);
    assert_hr(VSS_E_BAD_STATE, IVssBackupComponents_SetBackupSucceeded(b.object, instance, system_writer,
                                                                       VSS_CT_FILEGROUP, NULL, name, 1));
    backup_release(&b);
}

static void the_scenario_adds_writers(void **state)
{
    GUID instance, id, class_id;
    BSTR name;
    VSS_USAGE_TYPE usage;
    VSS_SOURCE_TYPE source;
    const GUID given = {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}};
    (void)state;
    scenario(
        "[writer:My DB]\nclass={11111111-2222-3333-4444-555555555555}\npath=C:\\Data\nspec=*.db\nusage=3\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_int_equal(writer_count(&b), 11);
    IVssExamineWriterMetadataEx2 *metadata = find_writer(&b, L"My DB", &instance);
    assert_non_null(metadata);
    assert_hr(S_OK,
              IVssExamineWriterMetadataEx2_GetIdentity(metadata, &id, &class_id, &name, &usage, &source));
    assert_true(IsEqualGUID(&class_id, &given));
    assert_int_equal(usage, VSS_UT_USERDATA);
    SysFreeString(name);
    check_metadata((IVssExamineWriterMetadata *)metadata);
    IVssExamineWriterMetadataEx2_Release(metadata);
    backup_release(&b);
}

static void mistakes_in_the_scenario_are_named(void **state)
{
    (void)state;
    scenario("[nonsense]\na=1\n[timing]\nfreezer=1\n[writer:System "
             "Writer]\nfail_at=lunch\nhang=maybe\nclass=no id\n"
             "; a remark\n");
    struct backup b = backup_at(STAGE_GATHERED);
    assert_true(logged("unknown section [nonsense]"));
    assert_true(logged("unknown key \"freezer\" in [timing]"));
    assert_true(logged("unknown phase \"lunch\""));
    assert_true(logged("unknown hang \"maybe\""));
    assert_true(logged("\"no id\" in [writer:System Writer] is no id"));
    backup_release(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)

int run_writer_tests(void)
{
    const struct CMUnitTest tests[] = {
        TEST(windows_own_ten_are_there),
        TEST(instances_stay_the_same_between_objects),
        TEST(metadata_is_complete_and_outlives_everything),
        TEST(newer_metadata_interfaces_work),
        TEST(filters_choose_writers),
        TEST(failure_at_identify_hides_the_writer),
        TEST(components_decide_who_takes_part),
        TEST(without_component_mode_no_components),
        TEST(the_scenario_adds_writers),
        TEST(mistakes_in_the_scenario_are_named),
    };
    return cmocka_run_group_tests_name("writers", tests, NULL, NULL);
}
