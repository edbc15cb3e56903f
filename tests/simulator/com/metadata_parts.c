/* These interfaces have no IIDs of their own (the headers give them the zero GUID), so they answer IUnknown
 * only. */
#define COBJMACROS
#include "metadata_parts.h"
#include "ownership.h"

#include <oleauto.h>
#include <stdlib.h>

HRESULT bstr_copy(const wchar_t *text, BSTR *out)
{
    *out = NULL;
    if (!text)
        return S_OK;
    *out = SysAllocString(text);
    return *out ? S_OK : E_OUTOFMEMORY;
}

/* All three are alike but for their methods: a view of something in a list of writers, which it holds. */
struct part {
    IUnknown base; /* with the vtable of the interface in question */
    LONG references;
    struct writer_list *list;
    const void *model;
};

static HRESULT STDMETHODCALLTYPE part_query_interface(IUnknown *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown))
        return E_NOINTERFACE;
    *object = This;
    IUnknown_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE part_add_ref(IUnknown *This)
{
    return (ULONG)InterlockedIncrement(&CONTAINING_RECORD(This, struct part, base)->references);
}

static ULONG STDMETHODCALLTYPE part_release(IUnknown *This)
{
    struct part *part = CONTAINING_RECORD(This, struct part, base);
    LONG left = InterlockedDecrement(&part->references);
    if (left == 0) {
        writer_list_drop(part->list);
        ownership_end(part, (const void **)&part->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

/* How each vtable begins. */
#define PART_UNKNOWN(type)                                                                         \
    .QueryInterface = (HRESULT(STDMETHODCALLTYPE *)(type *, REFIID, void **))part_query_interface, \
    .AddRef = (ULONG(STDMETHODCALLTYPE *)(type *))part_add_ref,                                    \
    .Release = (ULONG(STDMETHODCALLTYPE *)(type *))part_release

static HRESULT part_create(const void *vtable, struct writer_list *list, const void *model, void **out)
{
    struct part *part = calloc(1, sizeof *part);
    if (!part)
        return E_OUTOFMEMORY;
    part->base.lpVtbl = (IUnknownVtbl *)vtable;
    part->references = 1;
    part->list = writer_list_hold(list);
    part->model = model;
    *out = part;
    return S_OK;
}

/* ---- IVssWMFiledesc ---- */

static const struct writer_files *files_of(IVssWMFiledesc *This)
{
    return CONTAINING_RECORD((IUnknown *)This, struct part, base)->model;
}

static HRESULT STDMETHODCALLTYPE filedesc_path(IVssWMFiledesc *This, BSTR *path)
{
    return path ? bstr_copy(files_of(This)->path, path) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_spec(IVssWMFiledesc *This, BSTR *spec)
{
    return spec ? bstr_copy(files_of(This)->spec, spec) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_recursive(IVssWMFiledesc *This, boolean *recursive)
{
    if (!recursive)
        return E_INVALIDARG;
    *recursive = files_of(This)->recursive != FALSE;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE filedesc_alternate(IVssWMFiledesc *This, BSTR *alternate)
{
    return alternate ? bstr_copy(files_of(This)->alternate, alternate) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_mask(IVssWMFiledesc *This, DWORD *mask)
{
    if (!mask)
        return E_INVALIDARG;
    *mask = files_of(This)->backup_mask;
    return S_OK;
}

static CONST_VTBL IVssWMFiledescVtbl filedesc_vtbl = {
    PART_UNKNOWN(IVssWMFiledesc),
    .GetPath = filedesc_path,
    .GetFilespec = filedesc_spec,
    .GetRecursive = filedesc_recursive,
    .GetAlternateLocation = filedesc_alternate,
    .GetBackupTypeMask = filedesc_mask,
};

HRESULT filedesc_create(struct writer_list *list, const struct writer_files *files, IVssWMFiledesc **out)
{
    return part_create(&filedesc_vtbl, list, files, (void **)out);
}

/* ---- IVssWMDependency ---- */

static const struct writer_dependency *dependency_of(IVssWMDependency *This)
{
    return CONTAINING_RECORD((IUnknown *)This, struct part, base)->model;
}

static HRESULT STDMETHODCALLTYPE dependency_writer(IVssWMDependency *This, VSS_ID *writer)
{
    if (!writer)
        return E_INVALIDARG;
    *writer = dependency_of(This)->writer;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE dependency_path(IVssWMDependency *This, BSTR *path)
{
    return path ? bstr_copy(dependency_of(This)->path, path) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE dependency_name(IVssWMDependency *This, BSTR *name)
{
    return name ? bstr_copy(dependency_of(This)->name, name) : E_INVALIDARG;
}

static CONST_VTBL IVssWMDependencyVtbl dependency_vtbl = {
    PART_UNKNOWN(IVssWMDependency),
    .GetWriterId = dependency_writer,
    .GetLogicalPath = dependency_path,
    .GetComponentName = dependency_name,
};

/* ---- IVssWMComponent ---- */

static const struct writer_component *component_of(IVssWMComponent *This)
{
    return CONTAINING_RECORD((IUnknown *)This, struct part, base)->model;
}

static struct writer_list *list_of(IVssWMComponent *This)
{
    return CONTAINING_RECORD((IUnknown *)This, struct part, base)->list;
}

static HRESULT STDMETHODCALLTYPE component_free_info(IVssWMComponent *This, PVSSCOMPONENTINFO info)
{
    (void)This;
    if (!info ||
        !ownership_take((const void *)info, L"FreeComponentInfo of what is not, or no longer, the caller's"))
        return S_OK;
    SysFreeString(info->bstrLogicalPath);
    SysFreeString(info->bstrComponentName);
    SysFreeString(info->bstrCaption);
    free((void *)info);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_info(IVssWMComponent *This, PVSSCOMPONENTINFO *out)
{
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    const struct writer_component *component = component_of(This);
    VSS_COMPONENTINFO *info = calloc(1, sizeof *info);
    if (!info)
        return E_OUTOFMEMORY;
    ownership_give(info);
    BOOL database = component->type == VSS_CT_DATABASE;
    info->type = component->type;
    info->bNotifyOnBackupComplete = component->notify != FALSE;
    info->bSelectable = component->selectable != FALSE;
    info->bSelectableForRestore = component->selectable_for_restore != FALSE;
    info->bRestoreMetadata = component->restore_metadata != FALSE;
    info->dwComponentFlags = component->flags;
    info->cLogFiles = component->log_count;
    info->cFileCount = database ? 0 : component->file_count;
    info->cDatabases = database ? component->file_count : 0;
    info->cDependencies = component->dependency_count;
    HRESULT hr = bstr_copy(component->path, &info->bstrLogicalPath);
    if (SUCCEEDED(hr))
        hr = bstr_copy(component->name, &info->bstrComponentName);
    if (SUCCEEDED(hr))
        hr = bstr_copy(component->caption, &info->bstrCaption);
    if (FAILED(hr)) {
        component_free_info(This, info);
        return hr;
    }
    *out = info;
    return S_OK;
}

static HRESULT file_at(IVssWMComponent *This, VSS_COMPONENT_TYPE type, UINT index, IVssWMFiledesc **out)
{
    const struct writer_component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (component->type != type || index >= component->file_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return filedesc_create(list_of(This), &component->files[index], out);
}

static HRESULT STDMETHODCALLTYPE component_file(IVssWMComponent *This, UINT index, IVssWMFiledesc **out)
{
    return file_at(This, VSS_CT_FILEGROUP, index, out);
}

static HRESULT STDMETHODCALLTYPE component_database_file(IVssWMComponent *This, UINT index,
                                                         IVssWMFiledesc **out)
{
    return file_at(This, VSS_CT_DATABASE, index, out);
}

static HRESULT STDMETHODCALLTYPE component_log_file(IVssWMComponent *This, UINT index, IVssWMFiledesc **out)
{
    const struct writer_component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (index >= component->log_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return filedesc_create(list_of(This), &component->logs[index], out);
}

static HRESULT STDMETHODCALLTYPE component_dependency(IVssWMComponent *This, UINT index,
                                                      IVssWMDependency **out)
{
    const struct writer_component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (index >= component->dependency_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return part_create(&dependency_vtbl, list_of(This), &component->dependencies[index], (void **)out);
}

static CONST_VTBL IVssWMComponentVtbl component_vtbl = {
    PART_UNKNOWN(IVssWMComponent),
    .GetComponentInfo = component_info,
    .FreeComponentInfo = component_free_info,
    .GetFile = component_file,
    .GetDatabaseFile = component_database_file,
    .GetDatabaseLogFile = component_log_file,
    .GetDependency = component_dependency,
};

HRESULT component_create(struct writer_list *list, const struct writer_component *model,
                         IVssWMComponent **out)
{
    return part_create(&component_vtbl, list, model, (void **)out);
}
