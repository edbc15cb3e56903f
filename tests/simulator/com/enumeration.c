#define COBJMACROS
#include "enumeration.h"
#include "properties.h"
#include "ownership.h"

#include <stdlib.h>
#include <string.h>

struct enumeration {
    IVssEnumObject base;
    LONG references;
    struct copy_info *infos; /* NULL: of providers */
    unsigned count, at;
};

static HRESULT create(struct copy_info *infos, unsigned count, unsigned at, IVssEnumObject **out);

static struct enumeration *enumeration_of(IVssEnumObject *This)
{
    return CONTAINING_RECORD(This, struct enumeration, base);
}

static HRESULT STDMETHODCALLTYPE enumeration_query_interface(IVssEnumObject *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssEnumObject))
        return E_NOINTERFACE;
    *object = This;
    IVssEnumObject_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE enumeration_add_ref(IVssEnumObject *This)
{
    return (ULONG)InterlockedIncrement(&enumeration_of(This)->references);
}

static ULONG STDMETHODCALLTYPE enumeration_release(IVssEnumObject *This)
{
    struct enumeration *enumeration = enumeration_of(This);
    LONG left = InterlockedDecrement(&enumeration->references);
    if (left == 0) {
        free(enumeration->infos);
        ownership_end(enumeration, (const void **)&enumeration->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

static HRESULT fill(const struct enumeration *enumeration, VSS_OBJECT_PROP *prop)
{
    if (!enumeration->infos) {
        prop->Type = VSS_OBJECT_PROVIDER;
        return properties_of_provider(enumeration->at, &prop->Obj.Prov);
    }
    prop->Type = VSS_OBJECT_SNAPSHOT;
    return properties_of_copy(&enumeration->infos[enumeration->at], &prop->Obj.Snap);
}

/* A call that fails hands out nothing, and the next one begins where it began. */
static HRESULT take_back(struct enumeration *enumeration, VSS_OBJECT_PROP *props, ULONG *fetched, HRESULT hr)
{
    enumeration->at -= (unsigned)*fetched;
    for (ULONG i = 0; i < *fetched; i++) {
        if (props[i].Type == VSS_OBJECT_SNAPSHOT)
            properties_free_copy(&props[i].Obj.Snap);
        else
            properties_free_provider(&props[i].Obj.Prov);
        memset(&props[i], 0, sizeof props[i]);
    }
    *fetched = 0;
    return hr;
}

/* The unused rest is zeroed: requesters have been seen to look at it before they look at the count. */
static HRESULT STDMETHODCALLTYPE enumeration_next(IVssEnumObject *This, ULONG wanted, VSS_OBJECT_PROP *props,
                                                  ULONG *fetched)
{
    struct enumeration *enumeration = enumeration_of(This);
    if (!props || !fetched)
        return E_POINTER;
    *fetched = 0;
    memset(props, 0, wanted * sizeof *props);
    while (*fetched < wanted && enumeration->at < enumeration->count) {
        HRESULT hr = fill(enumeration, &props[*fetched]);
        if (FAILED(hr))
            return take_back(enumeration, props, fetched, hr);
        enumeration->at++;
        (*fetched)++;
    }
    return *fetched == wanted ? S_OK : S_FALSE;
}

static HRESULT STDMETHODCALLTYPE enumeration_skip(IVssEnumObject *This, ULONG count)
{
    struct enumeration *enumeration = enumeration_of(This);
    unsigned left = enumeration->count - enumeration->at;
    enumeration->at += count < left ? (unsigned)count : left;
    return count <= left ? S_OK : S_FALSE;
}

static HRESULT STDMETHODCALLTYPE enumeration_reset(IVssEnumObject *This)
{
    enumeration_of(This)->at = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE enumeration_clone(IVssEnumObject *This, IVssEnumObject **out)
{
    const struct enumeration *enumeration = enumeration_of(This);
    if (!out)
        return E_POINTER;
    *out = NULL;
    struct copy_info *infos = NULL;
    if (enumeration->infos) {
        infos = malloc(enumeration->count * sizeof *infos);
        if (!infos)
            return E_OUTOFMEMORY;
        memcpy(infos, enumeration->infos, enumeration->count * sizeof *infos);
    }
    return create(infos, enumeration->count, enumeration->at, out);
}

static CONST_VTBL IVssEnumObjectVtbl enumeration_vtbl = {
    enumeration_query_interface, enumeration_add_ref, enumeration_release, enumeration_next, enumeration_skip,
    enumeration_reset,           enumeration_clone,
};

static HRESULT create(struct copy_info *infos, unsigned count, unsigned at, IVssEnumObject **out)
{
    struct enumeration *enumeration = calloc(1, sizeof *enumeration);
    if (!enumeration) {
        free(infos);
        return E_OUTOFMEMORY;
    }
    enumeration->base.lpVtbl = &enumeration_vtbl;
    enumeration->references = 1;
    enumeration->infos = infos;
    enumeration->count = count;
    enumeration->at = at;
    *out = &enumeration->base;
    return S_OK;
}

HRESULT enumeration_of_copies(struct copy_info *infos, unsigned count, IVssEnumObject **out)
{
    return create(infos, count, 0, out);
}

HRESULT enumeration_of_providers(unsigned count, IVssEnumObject **out)
{
    return create(NULL, count, 0, out);
}
