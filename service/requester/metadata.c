#include "service/requester/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "service/requester/roots.h"

static HRESULT failed(struct reply *reply, const char *method, HRESULT hresult)
{
    reply->failed_method = method;
    return hresult;
}

/* Moves a BSTR onto the wire. */
static char *take_text(struct reply *reply, BSTR text)
{
    char *result = reply_text(reply, text);
    SysFreeString(text);
    return result;
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
        out->backup_type_mask = mask;
    }
    SysFreeString(path);
    SysFreeString(filespec);
    SysFreeString(alternate);
    return SUCCEEDED(hresult) ? S_OK : failed(reply, "IVssWMFiledesc", hresult);
}

/* One list of file descriptors: how many, and how to get each. */
struct file_list {
    const char *method;
    UINT count;
    void *object;
    HRESULT(STDMETHODCALLTYPE *get)(void *object, UINT index, IVssWMFiledesc **file);
};

/* `out` NULL: only the roots are wanted. */
static HRESULT read_files(struct reply *reply, const struct file_list *list, PB(FileDescriptor) * **out,
                          size_t *out_count, struct roots *roots)
{
    PB(FileDescriptor) **files = NULL;
    if (out != NULL && list->count > 0) {
        files = reply_alloc(reply, list->count * sizeof *files);
        if (files == NULL) {
            return S_OK; /* the reply says so */
        }
        *out = files;
    }
    for (UINT i = 0; i < list->count && !reply->no_memory; i++) {
        IVssWMFiledesc *file = NULL;
        HRESULT hresult = list->get(list->object, i, &file);
        if (FAILED(hresult) || file == NULL) {
            return failed(reply, list->method, FAILED(hresult) ? hresult : E_POINTER);
        }
        PB(FileDescriptor) *message = NULL;
        if (files != NULL) {
            message = reply_message(reply, &shadowpipe__v1__file_descriptor__descriptor);
        }
        hresult = read_file(reply, file, message, roots);
        IVssWMFiledesc_Release(file);
        if (FAILED(hresult)) {
            return hresult;
        }
        if (message != NULL) {
            files[(*out_count)++] = message;
        }
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
                                    bool with_files, PB(Component) * out)
{
    const struct file_list lists[] = {
        {"IVssWMComponent::GetFile", info->cFileCount, component, (get_file)component->lpVtbl->GetFile},
        {"IVssWMComponent::GetDatabaseFile", info->cDatabases, component,
         (get_file)component->lpVtbl->GetDatabaseFile},
        {"IVssWMComponent::GetDatabaseLogFile", info->cLogFiles, component,
         (get_file)component->lpVtbl->GetDatabaseLogFile},
    };
    PB(FileDescriptor) * **const to[] = {&out->files, &out->database_files, &out->log_files};
    size_t *const counts[] = {&out->n_files, &out->n_database_files, &out->n_log_files};
    struct roots roots;
    roots_init(&roots, reply);
    HRESULT hresult = S_OK;
    for (size_t i = 0; i < 3 && SUCCEEDED(hresult); i++) {
        hresult = read_files(reply, &lists[i], with_files ? to[i] : NULL, counts[i], &roots);
    }
    if (SUCCEEDED(hresult)) {
        out->roots = roots_take(&roots, &out->n_roots);
    }
    return hresult;
}

static PB(ComponentType) component_type(VSS_COMPONENT_TYPE type)
{
    return type == VSS_CT_DATABASE || type == VSS_CT_FILEGROUP
               ? (PB(ComponentType))type
               : PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_UNSPECIFIED);
}

static HRESULT read_component(struct reply *reply, IVssWMComponent *component, bool with_files,
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
        hresult = read_component_files(reply, component, info, with_files, out);
    }
    /* The object owns the struct and the strings in it. */
    IVssWMComponent_FreeComponentInfo(component, info);
    return hresult;
}

static HRESULT read_components(struct reply *reply, IVssExamineWriterMetadata *metadata, UINT count,
                               bool with_files, PB(Writer) * writer)
{
    if (count == 0) {
        return S_OK;
    }
    writer->components = reply_alloc(reply, count * sizeof(PB(Component) *));
    for (UINT i = 0; i < count && !reply->no_memory; i++) {
        IVssWMComponent *component = NULL;
        HRESULT hresult = IVssExamineWriterMetadata_GetComponent(metadata, i, &component);
        if (FAILED(hresult) || component == NULL) {
            return failed(reply, "IVssExamineWriterMetadata::GetComponent",
                          FAILED(hresult) ? hresult : E_POINTER);
        }
        PB(Component) *message = reply_message(reply, &shadowpipe__v1__component__descriptor);
        hresult = message != NULL ? read_component(reply, component, with_files, message) : S_OK;
        IVssWMComponent_Release(component);
        if (FAILED(hresult)) {
            return hresult;
        }
        writer->components[writer->n_components] = message;
        writer->n_components += message != NULL;
    }
    return S_OK;
}

/* ---- The writer. ---- */

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

static HRESULT read_restore_method(struct reply *reply, IVssExamineWriterMetadata *metadata, bool with_files,
                                   PB(Writer) * writer)
{
    VSS_RESTOREMETHOD_ENUM method = VSS_RME_UNDEFINED;
    VSS_WRITERRESTORE_ENUM restore = VSS_WRE_UNDEFINED;
    BSTR service = NULL;
    BSTR procedure = NULL;
    boolean reboot = 0;
    UINT mappings = 0;
    HRESULT hresult = IVssExamineWriterMetadata_GetRestoreMethod(metadata, &method, &service, &procedure,
                                                                 &restore, &reboot, &mappings);
    if (hresult == S_FALSE || hresult == E_NOTIMPL) {
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
    const struct file_list list = {"IVssExamineWriterMetadata::GetAlternateLocationMapping", mappings,
                                   metadata, (get_file)metadata->lpVtbl->GetAlternateLocationMapping};
    return with_files ? read_files(reply, &list, &out->alternate_locations, &out->n_alternate_locations, NULL)
                      : S_OK;
}

static HRESULT read_writer_files(struct reply *reply, IVssExamineWriterMetadata *metadata, UINT includes,
                                 UINT excludes, PB(Writer) * writer)
{
    const struct file_list include = {"IVssExamineWriterMetadata::GetIncludeFile", includes, metadata,
                                      (get_file)metadata->lpVtbl->GetIncludeFile};
    const struct file_list exclude = {"IVssExamineWriterMetadata::GetExcludeFile", excludes, metadata,
                                      (get_file)metadata->lpVtbl->GetExcludeFile};
    HRESULT hresult = read_files(reply, &include, &writer->include_files, &writer->n_include_files, NULL);
    if (SUCCEEDED(hresult)) {
        hresult = read_files(reply, &exclude, &writer->exclude_files, &writer->n_exclude_files, NULL);
    }
    return hresult;
}

HRESULT metadata_fill(struct reply *reply, IVssExamineWriterMetadata *metadata, bool with_components,
                      bool with_files, PB(Writer) * writer)
{
    writer->status = reply_message(reply, &shadowpipe__v1__writer_status__descriptor);
    if (writer->status == NULL) {
        return S_OK;
    }
    HRESULT hresult = read_identity(reply, metadata, writer);
    UINT includes = 0;
    UINT excludes = 0;
    UINT components = 0;
    DWORD schema = 0;
    if (SUCCEEDED(hresult)) {
        hresult = IVssExamineWriterMetadata_GetFileCounts(metadata, &includes, &excludes, &components);
        if (FAILED(hresult)) {
            failed(reply, "IVssExamineWriterMetadata::GetFileCounts", hresult);
        }
    }
    if (SUCCEEDED(hresult)) {
        hresult = read_restore_method(reply, metadata, with_files, writer);
    }
    if (SUCCEEDED(hresult)) {
        HRESULT has_schema = IVssExamineWriterMetadata_GetBackupSchema(metadata, &schema);
        hresult = has_schema == E_NOTIMPL ? S_OK : has_schema;
        if (FAILED(hresult)) {
            failed(reply, "IVssExamineWriterMetadata::GetBackupSchema", hresult);
        }
    }
    writer->status->components = components;
    writer->backup_schema = schema;
    if (SUCCEEDED(hresult) && with_components) {
        hresult = read_components(reply, metadata, components, with_files, writer);
    }
    if (SUCCEEDED(hresult) && with_files) {
        hresult = read_writer_files(reply, metadata, includes, excludes, writer);
    }
    return hresult;
}
