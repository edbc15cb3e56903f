/* The Writer Metadata Document: from a struct writer, and back. */
#include "document.h"

#include <stdio.h>
#include <vsserror.h>
#include <wchar.h>

static const wchar_t *const usages[] = {L"UNDEFINED", L"BOOTABLE_SYSTEM_STATE", L"SYSTEM_SERVICE",
                                        L"USER_DATA", L"OTHER"};
static const wchar_t *const sources[] = {L"UNDEFINED", L"TRANSACTION_DB", L"NONTRANSACTIONAL_DB", L"OTHER"};
static const wchar_t *const methods[] = {L"UNDEFINED",
                                         L"RESTORE_IF_NONE_THERE",
                                         L"RESTORE_IF_CAN_BE_REPLACED",
                                         L"STOP_RESTART_SERVICE",
                                         L"RESTORE_TO_ALTERNATE_LOCATION",
                                         L"REPLACE_AT_REBOOT",
                                         L"REPLACE_AT_REBOOT_IF_CANNOT_REPLACE",
                                         L"CUSTOM",
                                         L"RESTORE_STOP_START"};
static const wchar_t *const writer_restores[] = {L"undefined", L"never", L"ifReplaceFails", L"always"};

#define WORD_OF(words, value) (words)[(unsigned)(value) % ARRAYSIZE(words)]

/* ---- writing ---- */

static BOOL write_files(struct xml *parent, const wchar_t *element, const struct writer_files *files,
                        unsigned count)
{
    BOOL ok = TRUE;
    for (unsigned i = 0; i < count && ok; i++) {
        struct xml *child = xml_add(parent, element);
        ok = child && xml_set(child, L"path", files[i].path) && xml_set(child, L"filespec", files[i].spec) &&
             xml_set_flag(child, L"recursive", files[i].recursive) &&
             xml_set(child, L"alternatePath", files[i].alternate);
        if (ok && files[i].backup_mask)
            ok = xml_set_number(child, L"filespecBackupType", files[i].backup_mask);
    }
    return ok;
}

static BOOL write_component(struct xml *locations, const struct writer_component *component)
{
    BOOL database = component->type == VSS_CT_DATABASE;
    struct xml *child = xml_add(locations, database ? L"DATABASE" : L"FILE_GROUP");
    BOOL ok = child && xml_set(child, L"logicalPath", component->path) &&
              xml_set(child, L"componentName", component->name) &&
              xml_set(child, L"caption", component->caption) &&
              xml_set_flag(child, L"restoreMetadata", component->restore_metadata) &&
              xml_set_flag(child, L"notifyOnBackupComplete", component->notify) &&
              xml_set_flag(child, L"selectable", component->selectable) &&
              xml_set_flag(child, L"selectableForRestore", component->selectable_for_restore) &&
              xml_set_number(child, L"componentFlags", component->flags) &&
              write_files(child, database ? L"DATABASE_FILES" : L"FILE_LIST", component->files,
                          component->file_count) &&
              write_files(child, L"DATABASE_LOGFILES", component->logs, component->log_count);
    for (unsigned i = 0; i < component->dependency_count && ok; i++) {
        const struct writer_dependency *on = &component->dependencies[i];
        struct xml *dependency = xml_add(child, L"DEPENDENCY");
        ok = dependency && xml_set_id(dependency, L"onWriterId", &on->writer) &&
             xml_set(dependency, L"onLogicalPath", on->path) &&
             xml_set(dependency, L"onComponentName", on->name);
    }
    return ok;
}

static BOOL write_identity(struct xml *root, const struct writer *writer)
{
    struct xml *identity = xml_add(root, L"IDENTIFICATION");
    return identity && xml_set_id(identity, L"writerId", &writer->class_id) &&
           xml_set_id(identity, L"instanceId", &writer->instance_id) &&
           xml_set(identity, L"friendlyName", writer->name) &&
           xml_set(identity, L"instanceName", writer->instance_name) &&
           xml_set_number(identity, L"majorVersion", writer->version_major) &&
           xml_set_number(identity, L"minorVersion", writer->version_minor) &&
           xml_set(identity, L"usage", WORD_OF(usages, writer->usage)) &&
           xml_set(identity, L"dataSource", WORD_OF(sources, writer->source)) &&
           xml_set_number(identity, L"backupSchema", writer->schema);
}

static BOOL write_method(struct xml *root, const struct writer *writer)
{
    struct xml *method = xml_add(root, L"RESTORE_METHOD");
    return method && xml_set(method, L"method", WORD_OF(methods, writer->restore)) &&
           xml_set(method, L"service", writer->service) &&
           xml_set(method, L"userProcedure", writer->procedure) &&
           xml_set(method, L"writerRestore", WORD_OF(writer_restores, writer->writer_restore)) &&
           xml_set_flag(method, L"rebootRequired", writer->reboot) &&
           write_files(method, L"ALTERNATE_LOCATION_MAPPING", writer->mappings, writer->mapping_count);
}

BSTR document_of_writer(const struct writer *writer)
{
    struct xml *root = xml_create(L"WRITER_METADATA");
    BOOL ok = root && xml_set(root, L"xmlns", L"x-schema:#VssWriterMetadataInfo") &&
              xml_set(root, L"version", L"1.2") && write_identity(root, writer) && write_method(root, writer);
    struct xml *locations = ok ? xml_add(root, L"BACKUP_LOCATIONS") : NULL;
    ok = locations != NULL;
    for (unsigned i = 0; i < writer->component_count && ok; i++)
        ok = write_component(locations, &writer->components[i]);
    ok = ok && write_files(locations, L"EXCLUDE_FILES", writer->excludes, writer->exclude_count) &&
         write_files(locations, L"EXCLUDE_FILES_FROM_SNAPSHOT", writer->snapshot_excludes,
                     writer->snapshot_exclude_count);
    BSTR text = ok ? xml_text(root) : NULL;
    xml_free(root);
    return text;
}

/* ---- reading ---- */

struct reading {
    struct writer_list *list;
    HRESULT hr;
};

static void *allocate(struct reading *reading, size_t count, size_t size)
{
    void *memory = count ? writer_list_allocate(reading->list, count * size) : NULL;
    if (count && !memory)
        reading->hr = E_OUTOFMEMORY;
    return memory;
}

static const wchar_t *text_of(struct reading *reading, const struct xml *element, const wchar_t *name)
{
    const wchar_t *value = xml_get(element, name), *text = writer_list_text(reading->list, value);
    if (value && !text)
        reading->hr = E_OUTOFMEMORY;
    return text;
}

static const struct writer_files *read_files(struct reading *reading, const struct xml *parent,
                                             const wchar_t *element, unsigned *count)
{
    unsigned n = xml_count(parent, element);
    struct writer_files *files = allocate(reading, n, sizeof *files);
    *count = files ? n : 0;
    for (unsigned i = 0; i < *count; i++) {
        const struct xml *child = xml_child(parent, element, i);
        files[i].path = text_of(reading, child, L"path");
        files[i].spec = text_of(reading, child, L"filespec");
        files[i].recursive = xml_get_flag(child, L"recursive", FALSE);
        files[i].alternate = text_of(reading, child, L"alternatePath");
        files[i].backup_mask = xml_get_number(child, L"filespecBackupType", 0);
    }
    return files;
}

static void read_dependencies(struct reading *reading, const struct xml *element,
                              struct writer_component *component)
{
    unsigned n = xml_count(element, L"DEPENDENCY");
    struct writer_dependency *on = allocate(reading, n, sizeof *on);
    component->dependency_count = on ? n : 0;
    component->dependencies = on;
    for (unsigned i = 0; i < component->dependency_count; i++) {
        const struct xml *child = xml_child(element, L"DEPENDENCY", i);
        on[i].writer = xml_get_id(child, L"onWriterId");
        on[i].path = text_of(reading, child, L"onLogicalPath");
        on[i].name = text_of(reading, child, L"onComponentName");
    }
}

static void read_component(struct reading *reading, const struct xml *element,
                           struct writer_component *component)
{
    BOOL database = wcscmp(xml_name(element), L"DATABASE") == 0;
    component->type = database ? VSS_CT_DATABASE : VSS_CT_FILEGROUP;
    component->path = text_of(reading, element, L"logicalPath");
    component->name = text_of(reading, element, L"componentName");
    component->caption = text_of(reading, element, L"caption");
    component->restore_metadata = xml_get_flag(element, L"restoreMetadata", FALSE);
    component->notify = xml_get_flag(element, L"notifyOnBackupComplete", FALSE);
    component->selectable = xml_get_flag(element, L"selectable", FALSE);
    component->selectable_for_restore = xml_get_flag(element, L"selectableForRestore", FALSE);
    component->flags = xml_get_number(element, L"componentFlags", 0);
    component->files =
        read_files(reading, element, database ? L"DATABASE_FILES" : L"FILE_LIST", &component->file_count);
    component->logs = read_files(reading, element, L"DATABASE_LOGFILES", &component->log_count);
    read_dependencies(reading, element, component);
    if (!component->name && SUCCEEDED(reading->hr))
        reading->hr = VSS_E_INVALID_XML_DOCUMENT;
}

static BOOL is_component(const struct xml *element)
{
    return wcscmp(xml_name(element), L"DATABASE") == 0 || wcscmp(xml_name(element), L"FILE_GROUP") == 0;
}

static void read_locations(struct reading *reading, const struct xml *locations, struct writer *writer)
{
    unsigned n = xml_count(locations, L"DATABASE") + xml_count(locations, L"FILE_GROUP");
    struct writer_component *components = allocate(reading, n, sizeof *components);
    const struct xml *element;
    writer->components = components;
    for (unsigned i = 0; components && (element = xml_child(locations, NULL, i)) != NULL; i++)
        if (is_component(element))
            read_component(reading, element, &components[writer->component_count++]);
    writer->excludes = read_files(reading, locations, L"EXCLUDE_FILES", &writer->exclude_count);
    writer->snapshot_excludes =
        read_files(reading, locations, L"EXCLUDE_FILES_FROM_SNAPSHOT", &writer->snapshot_exclude_count);
}

static void read_writer(struct reading *reading, const struct xml *root, struct writer *writer)
{
    const struct xml *identity = xml_child(root, L"IDENTIFICATION", 0);
    const struct xml *method = xml_child(root, L"RESTORE_METHOD", 0);
    const struct xml *locations = xml_child(root, L"BACKUP_LOCATIONS", 0);
    if (wcscmp(xml_name(root), L"WRITER_METADATA") != 0 || !identity) {
        reading->hr = VSS_E_INVALID_XML_DOCUMENT;
        return;
    }
    writer->class_id = xml_get_id(identity, L"writerId");
    writer->instance_id = xml_get_id(identity, L"instanceId");
    writer->name = text_of(reading, identity, L"friendlyName");
    writer->instance_name = text_of(reading, identity, L"instanceName");
    writer->version_major = xml_get_number(identity, L"majorVersion", 0);
    writer->version_minor = xml_get_number(identity, L"minorVersion", 0);
    writer->usage = (VSS_USAGE_TYPE)xml_get_word(identity, L"usage", usages, ARRAYSIZE(usages));
    writer->source = (VSS_SOURCE_TYPE)xml_get_word(identity, L"dataSource", sources, ARRAYSIZE(sources));
    writer->schema = xml_get_number(identity, L"backupSchema", 0);
    if (method) {
        writer->restore =
            (VSS_RESTOREMETHOD_ENUM)xml_get_word(method, L"method", methods, ARRAYSIZE(methods));
        writer->service = text_of(reading, method, L"service");
        writer->procedure = text_of(reading, method, L"userProcedure");
        writer->writer_restore = (VSS_WRITERRESTORE_ENUM)xml_get_word(
            method, L"writerRestore", writer_restores, ARRAYSIZE(writer_restores));
        writer->reboot = xml_get_flag(method, L"rebootRequired", FALSE);
        writer->mappings = read_files(reading, method, L"ALTERNATE_LOCATION_MAPPING", &writer->mapping_count);
    }
    if (locations)
        read_locations(reading, locations, writer);
}

HRESULT document_read_writer(const wchar_t *text, struct writer_list **list)
{
    struct xml *root;
    *list = NULL;
    HRESULT hr = xml_parse(text, &root);
    if (FAILED(hr))
        return hr;
    struct reading reading = {writer_list_create(NULL, 1), S_OK};
    if (reading.list) {
        reading.list->count = 1;
        read_writer(&reading, root, &reading.list->writers[0]);
    } else {
        reading.hr = E_OUTOFMEMORY;
    }
    xml_free(root);
    if (FAILED(reading.hr)) {
        writer_list_drop(reading.list);
        return reading.hr;
    }
    *list = reading.list;
    return S_OK;
}
