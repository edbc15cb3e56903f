#include "service/requester/metadata.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/requester/roots.h"

static HRESULT failed(struct reply *reply, const char *method, HRESULT hresult)
{
    reply->failed_method = method;
    return hresult;
}

/* ---- Parts. ---- */

enum {
    FIELD_BYTES = 24 /* about: what a file or a component takes beside its texts */
};

/* False: what comes now is for the next part. At least one thing is in each. */
static bool has_room(struct metadata_part *part)
{
    part->more |= part->budget > 0 && part->used >= part->budget;
    return !part->more;
}

static void use(struct metadata_part *part, const char *text)
{
    part->used += text != NULL ? strlen(text) : 0;
}

/* Moves a BSTR onto the wire. */
static char *take_text(struct reply *reply, BSTR text)
{
    char *result = reply_text(reply, text);
    SysFreeString(text);
    return result;
}

/* "" where that is the path itself: what a writer gives mostly has no variables. */
static char *expanded_text(struct reply *reply, const wchar_t *path)
{
    static char same[] = "";
    if (path == NULL || wcschr(path, L'%') == NULL) {
        return same;
    }
    const wchar_t *expanded = roots_expand(reply, path);
    return expanded != NULL ? reply_text(reply, expanded) : same;
}

static HRESULT read_file(struct reply *reply, IVssWMFiledesc *file, PB(FileDescriptor) * out,
                         struct roots *roots)
{
    BSTR path = NULL;
    BSTR filespec = NULL;
    BSTR alternate = NULL;
    boolean recursive = 0;
    DWORD mask = 0;
    HRESULT hresult = IVssWMFiledesc_GetPath(file, &path);
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetFilespec(file, &filespec);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetRecursive(file, &recursive);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetAlternateLocation(file, &alternate);
    }
    if (SUCCEEDED(hresult)) {
        HRESULT has_mask = IVssWMFiledesc_GetBackupTypeMask(file, &mask);
        hresult = has_mask == E_NOTIMPL ? S_OK : has_mask;
    }
    if (SUCCEEDED(hresult) && roots != NULL) {
        roots_add(roots, path);
        roots_add(roots, alternate);
    }
    if (SUCCEEDED(hresult) && out != NULL) {
        out->path = reply_text(reply, path);
        out->filespec = reply_text(reply, filespec);
        out->recursive = recursive != 0;
        out->alternate_location = reply_text(reply, alternate);
        out->expanded_path = expanded_text(reply, path);
        out->expanded_alternate_location = expanded_text(reply, alternate);
        out->backup_type_mask = mask;
    }
    SysFreeString(path);
    SysFreeString(filespec);
    SysFreeString(alternate);
    return SUCCEEDED(hresult) ? S_OK : failed(reply, "IVssWMFiledesc", hresult);
}

/* One list of file descriptors: how many, how to get each, and where they go. */
struct file_list {
    const char *method;
    UINT count;
    void *object;
    HRESULT(STDMETHODCALLTYPE *get)(void *object, UINT index, IVssWMFiledesc **file);
    PB(FileDescriptor) * **out;
    size_t *out_count;
};

static HRESULT read_one(struct reply *reply, const struct file_list *list, UINT index,
                        PB(FileDescriptor) * message, struct roots *roots)
{
    IVssWMFiledesc *file = NULL;
    HRESULT hresult = list->get(list->object, index, &file);
    if (FAILED(hresult) || file == NULL) {
        return failed(reply, list->method, FAILED(hresult) ? hresult : E_POINTER);
    }
    hresult = read_file(reply, file, message, roots);
    IVssWMFiledesc_Release(file);
    return hresult;
}

/* All of the list: the directories alone. */
static HRESULT read_roots(struct reply *reply, const struct file_list *list, struct roots *roots)
{
    HRESULT hresult = S_OK;
    for (UINT i = 0; i < list->count && SUCCEEDED(hresult) && !reply->no_memory; i++) {
        hresult = read_one(reply, list, i, NULL, roots);
    }
    return hresult;
}

/* From the part's file on, which is counted from the beginning of the list here. */
static HRESULT read_files(struct reply *reply, const struct file_list *list, struct roots *roots,
                          struct metadata_part *part)
{
    UINT first = part->file;
    if (first >= list->count) {
        part->file -= list->count;
        return S_OK;
    }
    PB(FileDescriptor) **files = reply_alloc(reply, (list->count - first) * sizeof *files);
    *list->out = files; /* without memory the reply says so */
    for (UINT i = first; i < list->count && !reply->no_memory && has_room(part); i++) {
        PB(FileDescriptor) *message = reply_message(reply, &shadowpipe__v1__file_descriptor__descriptor);
        HRESULT hresult = read_one(reply, list, i, message, roots);
        if (FAILED(hresult) || message == NULL) {
            return hresult;
        }
        files[(*list->out_count)++] = message;
        part->used += FIELD_BYTES;
        use(part, message->path);
        use(part, message->filespec);
        use(part, message->alternate_location);
        use(part, message->expanded_path);
        use(part, message->expanded_alternate_location);
        part->file = i + 1;
    }
    if (!part->more) {
        part->file = 0;
    }
    return S_OK;
}

/* One after the other; part->file counts through them. */
static HRESULT read_lists(struct reply *reply, const struct file_list *lists, size_t count,
                          struct roots *roots, struct metadata_part *part)
{
    UINT before = 0;
    for (size_t i = 0; i < count; i++) {
        HRESULT hresult = read_files(reply, &lists[i], roots, part);
        if (FAILED(hresult)) {
            return hresult;
        }
        if (part->more) {
            part->file += before;
            return S_OK;
        }
        before += lists[i].count;
    }
    return S_OK;
}

/* ---- Components. ---- */

static HRESULT read_dependency(struct reply *reply, IVssWMDependency *dependency, PB(Dependency) * out)
{
    VSS_ID writer_id = GUID_NULL;
    BSTR path = NULL;
    BSTR name = NULL;
    HRESULT hresult = IVssWMDependency_GetWriterId(dependency, &writer_id);
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMDependency_GetLogicalPath(dependency, &path);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMDependency_GetComponentName(dependency, &name);
    }
    if (SUCCEEDED(hresult)) {
        out->writer_id = reply_guid(reply, &writer_id);
        out->logical_path = reply_text(reply, path);
        out->name = reply_text(reply, name);
    }
    SysFreeString(path);
    SysFreeString(name);
    return SUCCEEDED(hresult) ? S_OK : failed(reply, "IVssWMDependency", hresult);
}

static HRESULT read_dependencies(struct reply *reply, IVssWMComponent *component, UINT count,
                                 PB(Component) * out)
{
    if (count == 0) {
        return S_OK;
    }
    out->dependencies = reply_alloc(reply, count * sizeof(PB(Dependency) *));
    for (UINT i = 0; i < count && !reply->no_memory; i++) {
        IVssWMDependency *dependency = NULL;
        HRESULT hresult = IVssWMComponent_GetDependency(component, i, &dependency);
        if (FAILED(hresult) || dependency == NULL) {
            return failed(reply, "IVssWMComponent::GetDependency", FAILED(hresult) ? hresult : E_POINTER);
        }
        PB(Dependency) *message = reply_message(reply, &shadowpipe__v1__dependency__descriptor);
        hresult = message != NULL ? read_dependency(reply, dependency, message) : S_OK;
        IVssWMDependency_Release(dependency);
        if (FAILED(hresult)) {
            return hresult;
        }
        out->dependencies[out->n_dependencies] = message;
        out->n_dependencies += message != NULL;
    }
    return S_OK;
}

typedef HRESULT(STDMETHODCALLTYPE *get_file)(void *object, UINT index, IVssWMFiledesc **file);

static HRESULT read_component_files(struct reply *reply, IVssWMComponent *component, PVSSCOMPONENTINFO info,
                                    struct metadata_part *part, PB(Component) * out)
{
    const struct file_list lists[] = {
        {"IVssWMComponent::GetFile", info->cFileCount, component, (get_file)component->lpVtbl->GetFile,
         &out->files, &out->n_files},
        {"IVssWMComponent::GetDatabaseFile", info->cDatabases, component,
         (get_file)component->lpVtbl->GetDatabaseFile, &out->database_files, &out->n_database_files},
        {"IVssWMComponent::GetDatabaseLogFile", info->cLogFiles, component,
         (get_file)component->lpVtbl->GetDatabaseLogFile, &out->log_files, &out->n_log_files},
    };
    enum {
        LISTS = sizeof lists / sizeof lists[0]
    };
    struct roots roots;
    roots_init(&roots, reply);
    HRESULT hresult = S_OK;
    if (part->with_files) {
        hresult = read_lists(reply, lists, LISTS, &roots, part);
    }
    for (size_t i = 0; i < LISTS && SUCCEEDED(hresult) && !part->with_files; i++) {
        hresult = read_roots(reply, &lists[i], &roots);
    }
    if (SUCCEEDED(hresult)) {
        out->roots = roots_take(&roots, &out->n_roots);
    }
    for (size_t i = 0; i < out->n_roots && out->roots != NULL; i++) {
        use(part, out->roots[i]);
    }
    return hresult;
}

static PB(ComponentType) component_type(VSS_COMPONENT_TYPE type)
{
    return type == VSS_CT_DATABASE || type == VSS_CT_FILEGROUP
               ? (PB(ComponentType))type
               : PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_UNSPECIFIED);
}

static HRESULT read_component(struct reply *reply, IVssWMComponent *component, struct metadata_part *part,
                              PB(Component) * out)
{
    PVSSCOMPONENTINFO info = NULL;
    HRESULT hresult = IVssWMComponent_GetComponentInfo(component, &info);
    if (FAILED(hresult) || info == NULL) {
        return failed(reply, "IVssWMComponent::GetComponentInfo", FAILED(hresult) ? hresult : E_POINTER);
    }
    out->type = component_type(info->type);
    out->logical_path = reply_text(reply, info->bstrLogicalPath);
    out->name = reply_text(reply, info->bstrComponentName);
    out->caption = reply_text(reply, info->bstrCaption);
    out->restore_metadata = info->bRestoreMetadata != 0;
    out->notify_on_backup_complete = info->bNotifyOnBackupComplete != 0;
    out->selectable = info->bSelectable != 0;
    out->selectable_for_restore = info->bSelectableForRestore != 0;
    out->flags = info->dwComponentFlags;
    hresult = read_dependencies(reply, component, info->cDependencies, out);
    if (SUCCEEDED(hresult)) {
        hresult = read_component_files(reply, component, info, part, out);
    }
    /* After the files: however small the part, one of them is in it, and the next goes on behind it. */
    part->used += FIELD_BYTES;
    use(part, out->logical_path);
    use(part, out->name);
    use(part, out->caption);
    /* The object owns the struct and the strings in it. */
    IVssWMComponent_FreeComponentInfo(component, info);
    return hresult;
}

/* From the part's component on. */
static HRESULT read_components(struct reply *reply, IVssExamineWriterMetadata *metadata, UINT count,
                               struct metadata_part *part, PB(Writer) * writer)
{
    if (part->component >= count) {
        return S_OK;
    }
    writer->components = reply_alloc(reply, (count - part->component) * sizeof(PB(Component) *));
    for (UINT i = part->component; i < count && !reply->no_memory && has_room(part); i++) {
        IVssWMComponent *component = NULL;
        HRESULT hresult = IVssExamineWriterMetadata_GetComponent(metadata, i, &component);
        if (FAILED(hresult) || component == NULL) {
            return failed(reply, "IVssExamineWriterMetadata::GetComponent",
                          FAILED(hresult) ? hresult : E_POINTER);
        }
        PB(Component) *message = reply_message(reply, &shadowpipe__v1__component__descriptor);
        hresult = message != NULL ? read_component(reply, component, part, message) : S_OK;
        IVssWMComponent_Release(component);
        if (FAILED(hresult)) {
            return hresult;
        }
        writer->components[writer->n_components] = message;
        writer->n_components += message != NULL;
        part->component = part->more ? i : i + 1;
    }
    return S_OK;
}

/* ---- The writer. ---- */

struct counts {
    UINT components;
    UINT includes;
    UINT excludes;
    UINT mappings; /* alternate locations */
};

static HRESULT read_identity(struct reply *reply, IVssExamineWriterMetadata *metadata, PB(Writer) * writer)
{
    VSS_ID instance_id = GUID_NULL;
    VSS_ID writer_id = GUID_NULL;
    BSTR name = NULL;
    BSTR instance_name = NULL;
    VSS_USAGE_TYPE usage = VSS_UT_UNDEFINED;
    VSS_SOURCE_TYPE source = VSS_ST_UNDEFINED;
    IVssExamineWriterMetadataEx *metadata_ex = NULL;
    HRESULT hresult = IVssExamineWriterMetadata_QueryInterface(metadata, &IID_IVssExamineWriterMetadataEx,
                                                               (void **)&metadata_ex);
    if (SUCCEEDED(hresult) && metadata_ex != NULL) {
        hresult = IVssExamineWriterMetadataEx_GetIdentityEx(metadata_ex, &instance_id, &writer_id, &name,
                                                            &instance_name, &usage, &source);
        IVssExamineWriterMetadataEx_Release(metadata_ex);
    } else {
        hresult =
            IVssExamineWriterMetadata_GetIdentity(metadata, &instance_id, &writer_id, &name, &usage, &source);
    }
    if (SUCCEEDED(hresult)) {
        writer->status->instance_id = reply_guid(reply, &instance_id);
        writer->status->writer_id = reply_guid(reply, &writer_id);
        writer->status->name = reply_text(reply, name);
        writer->instance_name = reply_text(reply, instance_name);
        writer->usage =
            usage <= VSS_UT_OTHER ? (PB(UsageType))usage : PB_VALUE(USAGE_TYPE, USAGE_TYPE_UNSPECIFIED);
        writer->source =
            source <= VSS_ST_OTHER ? (PB(SourceType))source : PB_VALUE(SOURCE_TYPE, SOURCE_TYPE_UNSPECIFIED);
    }
    SysFreeString(name);
    SysFreeString(instance_name);
    return SUCCEEDED(hresult) ? S_OK : failed(reply, "IVssExamineWriterMetadata::GetIdentity", hresult);
}

static HRESULT read_restore_method(struct reply *reply, IVssExamineWriterMetadata *metadata,
                                   PB(Writer) * writer, UINT *mappings)
{
    VSS_RESTOREMETHOD_ENUM method = VSS_RME_UNDEFINED;
    VSS_WRITERRESTORE_ENUM restore = VSS_WRE_UNDEFINED;
    BSTR service = NULL;
    BSTR procedure = NULL;
    boolean reboot = 0;
    HRESULT hresult = IVssExamineWriterMetadata_GetRestoreMethod(metadata, &method, &service, &procedure,
                                                                 &restore, &reboot, mappings);
    if (hresult == S_FALSE || hresult == E_NOTIMPL) {
        *mappings = 0;
        return S_OK; /* the writer does not say how it wants to be restored */
    }
    if (FAILED(hresult)) {
        return failed(reply, "IVssExamineWriterMetadata::GetRestoreMethod", hresult);
    }
    PB(RestoreMethod) *out = reply_message(reply, &shadowpipe__v1__restore_method__descriptor);
    char *service_text = take_text(reply, service);
    char *procedure_text = take_text(reply, procedure);
    if (out == NULL) {
        return S_OK;
    }
    writer->restore_method = out;
    out->method = method <= VSS_RME_RESTORE_STOP_START
                      ? (PB(RestoreMethodType))method
                      : PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_UNSPECIFIED);
    out->writer_restore = restore <= VSS_WRE_ALWAYS ? (PB(WriterRestore))restore
                                                    : PB_VALUE(WRITER_RESTORE, WRITER_RESTORE_UNSPECIFIED);
    out->service = service_text;
    out->user_procedure = procedure_text;
    out->reboot_required = reboot != 0;
    return S_OK;
}

/* The lists that are no component's. */
static HRESULT read_writer_files(struct reply *reply, IVssExamineWriterMetadata *metadata,
                                 const struct counts *counts, struct metadata_part *part, PB(Writer) * writer)
{
    PB(RestoreMethod) *restore = writer->restore_method;
    const struct file_list lists[] = {
        {"IVssExamineWriterMetadata::GetIncludeFile", counts->includes, metadata,
         (get_file)metadata->lpVtbl->GetIncludeFile, &writer->include_files, &writer->n_include_files},
        {"IVssExamineWriterMetadata::GetExcludeFile", counts->excludes, metadata,
         (get_file)metadata->lpVtbl->GetExcludeFile, &writer->exclude_files, &writer->n_exclude_files},
        {"IVssExamineWriterMetadata::GetAlternateLocationMapping", counts->mappings, metadata,
         (get_file)metadata->lpVtbl->GetAlternateLocationMapping,
         restore != NULL ? &restore->alternate_locations : NULL,
         restore != NULL ? &restore->n_alternate_locations : NULL},
    };
    return read_lists(reply, lists, restore != NULL ? 3 : 2, NULL, part);
}

HRESULT metadata_fill(struct reply *reply, IVssExamineWriterMetadata *metadata, struct metadata_part *part,
                      PB(Writer) * writer)
{
    writer->status = reply_message(reply, &shadowpipe__v1__writer_status__descriptor);
    if (writer->status == NULL) {
        return S_OK;
    }
    HRESULT hresult = read_identity(reply, metadata, writer);
    struct counts counts = {0};
    DWORD schema = 0;
    if (SUCCEEDED(hresult)) {
        hresult = IVssExamineWriterMetadata_GetFileCounts(metadata, &counts.includes, &counts.excludes,
                                                          &counts.components);
        if (FAILED(hresult)) {
            failed(reply, "IVssExamineWriterMetadata::GetFileCounts", hresult);
        }
    }
    if (SUCCEEDED(hresult)) {
        hresult = read_restore_method(reply, metadata, writer, &counts.mappings);
    }
    if (SUCCEEDED(hresult)) {
        HRESULT has_schema = IVssExamineWriterMetadata_GetBackupSchema(metadata, &schema);
        hresult = has_schema == E_NOTIMPL ? S_OK : has_schema;
        if (FAILED(hresult)) {
            failed(reply, "IVssExamineWriterMetadata::GetBackupSchema", hresult);
        }
    }
    writer->status->components = counts.components;
    writer->backup_schema = schema;
    if (SUCCEEDED(hresult) && part->with_components) {
        hresult = read_components(reply, metadata, counts.components, part, writer);
    }
    if (SUCCEEDED(hresult) && part->with_files && !part->more) {
        part->component = counts.components;
        hresult = read_writer_files(reply, metadata, &counts, part, writer);
    }
    return hresult;
}
