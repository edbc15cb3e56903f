#define COBJMACROS
#include "management_list.h"
#include "ownership.h"
#include "properties.h"

#include <objbase.h>
#include <stdlib.h>
#include <string.h>

struct management_list {
    IVssEnumMgmtObject base;
    LONG references;
    struct storage_entry *entries;
    unsigned count, at;
};

static struct management_list *list_of(IVssEnumMgmtObject *This)
{
    return CONTAINING_RECORD(This, struct management_list, base);
}

static HRESULT STDMETHODCALLTYPE list_query_interface(IVssEnumMgmtObject *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssEnumMgmtObject))
        return E_NOINTERFACE;
    *object = This;
    IVssEnumMgmtObject_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE list_add_ref(IVssEnumMgmtObject *This)
{
    return (ULONG)InterlockedIncrement(&list_of(This)->references);
}

static ULONG STDMETHODCALLTYPE list_release(IVssEnumMgmtObject *This)
{
    struct management_list *list = list_of(This);
    LONG left = InterlockedDecrement(&list->references);
    if (left == 0) {
        free(list->entries);
        ownership_end(list, (const void **)&list->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

/* Both kinds begin with two names, which are the caller's. */
static void free_names(VSS_MGMT_OBJECT_PROP *prop)
{
    CoTaskMemFree(prop->Obj.DiffArea.m_pwszVolumeName);
    CoTaskMemFree(prop->Obj.DiffArea.m_pwszDiffAreaVolumeName);
    memset(prop, 0, sizeof *prop);
}

static HRESULT fill(const struct storage_entry *entry, VSS_MGMT_OBJECT_PROP *prop)
{
    VSS_DIFF_AREA_PROP *area = &prop->Obj.DiffArea;
    VSS_DIFF_VOLUME_PROP *volume = &prop->Obj.DiffVol;
    HRESULT hr;
    if (entry->is_area) {
        prop->Type = VSS_MGMT_OBJECT_DIFF_AREA;
        area->m_llMaximumDiffSpace = entry->area.maximum;
        area->m_llAllocatedDiffSpace = entry->area.allocated;
        area->m_llUsedDiffSpace = entry->area.used;
        hr = properties_text(entry->area.volume, &area->m_pwszVolumeName);
        if (SUCCEEDED(hr))
            hr = properties_text(entry->area.on, &area->m_pwszDiffAreaVolumeName);
    } else {
        prop->Type = VSS_MGMT_OBJECT_DIFF_VOLUME;
        volume->m_llVolumeFreeSpace = entry->volume.free;
        volume->m_llVolumeTotalSpace = entry->volume.total;
        hr = properties_text(entry->volume.name, &volume->m_pwszVolumeName);
        if (SUCCEEDED(hr))
            hr = properties_text(entry->volume.root, &volume->m_pwszVolumeDisplayName);
    }
    if (FAILED(hr))
        free_names(prop);
    return hr;
}

/* As IVssEnumObject::Next: S_FALSE for fewer than wanted, and the rest zeroed. */
static HRESULT STDMETHODCALLTYPE list_next(IVssEnumMgmtObject *This, ULONG wanted,
                                           VSS_MGMT_OBJECT_PROP *props, ULONG *fetched)
{
    struct management_list *list = list_of(This);
    HRESULT hr = S_OK;
    if (!props || !fetched)
        return E_POINTER;
    *fetched = 0;
    memset(props, 0, wanted * sizeof *props);
    while (*fetched < wanted && list->at < list->count && SUCCEEDED(hr)) {
        hr = fill(&list->entries[list->at], &props[*fetched]);
        if (SUCCEEDED(hr)) {
            list->at++;
            (*fetched)++;
        }
    }
    if (SUCCEEDED(hr))
        return *fetched == wanted ? S_OK : S_FALSE;
    list->at -= (unsigned)*fetched;
    while (*fetched > 0)
        free_names(&props[--*fetched]);
    return hr;
}

static HRESULT STDMETHODCALLTYPE list_skip(IVssEnumMgmtObject *This, ULONG count)
{
    struct management_list *list = list_of(This);
    unsigned left = list->count - list->at;
    list->at += count < left ? (unsigned)count : left;
    return count <= left ? S_OK : S_FALSE;
}

static HRESULT STDMETHODCALLTYPE list_reset(IVssEnumMgmtObject *This)
{
    list_of(This)->at = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE list_clone(IVssEnumMgmtObject *This, IVssEnumMgmtObject **out)
{
    const struct management_list *list = list_of(This);
    if (!out)
        return E_POINTER;
    *out = NULL;
    struct storage_entry *entries = calloc(list->count + 1, sizeof *entries);
    if (!entries)
        return E_OUTOFMEMORY;
    if (list->count)
        memcpy(entries, list->entries, list->count * sizeof *entries);
    HRESULT hr = management_list_create(entries, list->count, out);
    if (SUCCEEDED(hr))
        list_of(*out)->at = list->at;
    return hr;
}

static CONST_VTBL IVssEnumMgmtObjectVtbl list_vtbl = {
    list_query_interface, list_add_ref, list_release, list_next, list_skip, list_reset, list_clone,
};

HRESULT management_list_create(struct storage_entry *entries, unsigned count, IVssEnumMgmtObject **out)
{
    struct management_list *list = calloc(1, sizeof *list);
    if (!list) {
        free(entries);
        return E_OUTOFMEMORY;
    }
    list->base.lpVtbl = &list_vtbl;
    list->references = 1;
    list->entries = entries;
    list->count = count;
    *out = &list->base;
    return S_OK;
}
