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

static HRESULT answer_unknown(IUnknown *This, REFIID riid, void **object)
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

/* ---- IVssWMFiledesc ---- */

struct filedesc {
    IVssWMFiledesc base;
    LONG references;
    struct writer_list *list;
    const struct writer_files *files;
};

static struct filedesc *filedesc_of(IVssWMFiledesc *This)
{
    return CONTAINING_RECORD(This, struct filedesc, base);
}

static HRESULT STDMETHODCALLTYPE filedesc_query_interface(IVssWMFiledesc *This, REFIID riid, void **object)
{
    return answer_unknown((IUnknown *)This, riid, object);
}

static ULONG STDMETHODCALLTYPE filedesc_add_ref(IVssWMFiledesc *This)
{
    return (ULONG)InterlockedIncrement(&filedesc_of(This)->references);
}

static ULONG STDMETHODCALLTYPE filedesc_release(IVssWMFiledesc *This)
{
    struct filedesc *filedesc = filedesc_of(This);
    LONG left = InterlockedDecrement(&filedesc->references);
    if (left == 0) {
        writer_list_drop(filedesc->list);
        ownership_end(filedesc, (const void **)&filedesc->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE filedesc_path(IVssWMFiledesc *This, BSTR *path)
{
    return path ? bstr_copy(filedesc_of(This)->files->path, path) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_spec(IVssWMFiledesc *This, BSTR *spec)
{
    return spec ? bstr_copy(filedesc_of(This)->files->spec, spec) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_recursive(IVssWMFiledesc *This, boolean *recursive)
{
    if (!recursive)
        return E_INVALIDARG;
    *recursive = filedesc_of(This)->files->recursive != FALSE;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE filedesc_alternate(IVssWMFiledesc *This, BSTR *alternate)
{
    return alternate ? bstr_copy(filedesc_of(This)->files->alternate, alternate) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE filedesc_mask(IVssWMFiledesc *This, DWORD *mask)
{
    if (!mask)
        return E_INVALIDARG;
    *mask = filedesc_of(This)->files->backup_mask;
    return S_OK;
}

static CONST_VTBL IVssWMFiledescVtbl filedesc_vtbl = {
    filedesc_query_interface, filedesc_add_ref,   filedesc_release, filedesc_path, filedesc_spec,
    filedesc_recursive,       filedesc_alternate, filedesc_mask,
};

HRESULT filedesc_create(struct writer_list *list, const struct writer_files *files, IVssWMFiledesc **out)
{
    struct filedesc *filedesc = calloc(1, sizeof *filedesc);
    if (!filedesc)
        return E_OUTOFMEMORY;
    filedesc->base.lpVtbl = &filedesc_vtbl;
    filedesc->references = 1;
    filedesc->list = writer_list_hold(list);
    filedesc->files = files;
    *out = &filedesc->base;
    return S_OK;
}

/* ---- IVssWMDependency ---- */

struct dependency {
    IVssWMDependency base;
    LONG references;
    struct writer_list *list;
    const struct writer_dependency *on;
};

static struct dependency *dependency_of(IVssWMDependency *This)
{
    return CONTAINING_RECORD(This, struct dependency, base);
}

static HRESULT STDMETHODCALLTYPE dependency_query_interface(IVssWMDependency *This, REFIID riid,
                                                            void **object)
{
    return answer_unknown((IUnknown *)This, riid, object);
}

static ULONG STDMETHODCALLTYPE dependency_add_ref(IVssWMDependency *This)
{
    return (ULONG)InterlockedIncrement(&dependency_of(This)->references);
}

static ULONG STDMETHODCALLTYPE dependency_release(IVssWMDependency *This)
{
    struct dependency *dependency = dependency_of(This);
    LONG left = InterlockedDecrement(&dependency->references);
    if (left == 0) {
        writer_list_drop(dependency->list);
        ownership_end(dependency, (const void **)&dependency->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE dependency_writer(IVssWMDependency *This, VSS_ID *writer)
{
    if (!writer)
        return E_INVALIDARG;
    *writer = dependency_of(This)->on->writer;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE dependency_path(IVssWMDependency *This, BSTR *path)
{
    return path ? bstr_copy(dependency_of(This)->on->path, path) : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE dependency_name(IVssWMDependency *This, BSTR *name)
{
    return name ? bstr_copy(dependency_of(This)->on->name, name) : E_INVALIDARG;
}

static CONST_VTBL IVssWMDependencyVtbl dependency_vtbl = {
    dependency_query_interface, dependency_add_ref, dependency_release,
    dependency_writer,          dependency_path,    dependency_name,
};

static HRESULT dependency_create(struct writer_list *list, const struct writer_dependency *on,
                                 IVssWMDependency **out)
{
    struct dependency *dependency = calloc(1, sizeof *dependency);
    if (!dependency)
        return E_OUTOFMEMORY;
    dependency->base.lpVtbl = &dependency_vtbl;
    dependency->references = 1;
    dependency->list = writer_list_hold(list);
    dependency->on = on;
    *out = &dependency->base;
    return S_OK;
}

/* ---- IVssWMComponent ---- */

struct component {
    IVssWMComponent base;
    LONG references;
    struct writer_list *list;
    const struct writer_component *component;
};

static struct component *component_of(IVssWMComponent *This)
{
    return CONTAINING_RECORD(This, struct component, base);
}

static HRESULT STDMETHODCALLTYPE component_query_interface(IVssWMComponent *This, REFIID riid, void **object)
{
    return answer_unknown((IUnknown *)This, riid, object);
}

static ULONG STDMETHODCALLTYPE component_add_ref(IVssWMComponent *This)
{
    return (ULONG)InterlockedIncrement(&component_of(This)->references);
}

static ULONG STDMETHODCALLTYPE component_release(IVssWMComponent *This)
{
    struct component *component = component_of(This);
    LONG left = InterlockedDecrement(&component->references);
    if (left == 0) {
        writer_list_drop(component->list);
        ownership_end(component, (const void **)&component->base.lpVtbl, 1);
    }
    return (ULONG)left;
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
    const struct writer_component *component = component_of(This)->component;
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
    const struct component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (component->component->type != type || index >= component->component->file_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return filedesc_create(component->list, &component->component->files[index], out);
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
    const struct component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (index >= component->component->log_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return filedesc_create(component->list, &component->component->logs[index], out);
}

static HRESULT STDMETHODCALLTYPE component_dependency(IVssWMComponent *This, UINT index,
                                                      IVssWMDependency **out)
{
    const struct component *component = component_of(This);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    if (index >= component->component->dependency_count)
        return VSS_E_OBJECT_NOT_FOUND;
    return dependency_create(component->list, &component->component->dependencies[index], out);
}

static CONST_VTBL IVssWMComponentVtbl component_vtbl = {
    component_query_interface, component_add_ref, component_release,       component_info,
    component_free_info,       component_file,    component_database_file, component_log_file,
    component_dependency,
};

HRESULT component_create(struct writer_list *list, const struct writer_component *model,
                         IVssWMComponent **out)
{
    struct component *component = calloc(1, sizeof *component);
    if (!component)
        return E_OUTOFMEMORY;
    component->base.lpVtbl = &component_vtbl;
    component->references = 1;
    component->list = writer_list_hold(list);
    component->component = model;
    *out = &component->base;
    return S_OK;
}
