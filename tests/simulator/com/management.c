#define COBJMACROS
#include "management.h"
#include "engine/accidents.h"
#include "engine/copies.h"
#include "engine/storage.h"
#include "engine/store.h"
#include "management_list.h"
#include "ownership.h"

#include <stdlib.h>

#define MANAGEMENT IVssDifferentialSoftwareSnapshotMgmt

struct management {
    MANAGEMENT base;
    LONG references;
    struct scenario *scenario;
};

static struct management *management_of(MANAGEMENT *This)
{
    return CONTAINING_RECORD(This, struct management, base);
}

static HRESULT STDMETHODCALLTYPE management_query_interface(MANAGEMENT *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssDifferentialSoftwareSnapshotMgmt))
        return E_NOINTERFACE;
    *object = This;
    IVssDifferentialSoftwareSnapshotMgmt_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE management_add_ref(MANAGEMENT *This)
{
    return (ULONG)InterlockedIncrement(&management_of(This)->references);
}

static ULONG STDMETHODCALLTYPE management_release(MANAGEMENT *This)
{
    struct management *management = management_of(This);
    LONG left = InterlockedDecrement(&management->references);
    if (left == 0) {
        scenario_drop(management->scenario);
        ownership_end(management, (const void **)&management->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

/* One call: TRUE if it is to be carried out; else hr says why not. */
static BOOL begin(MANAGEMENT *This, const wchar_t *method, BOOL arguments_are_good, HRESULT *hr)
{
    struct fault fault;
    *hr =
        arguments_are_good ? accidents_enter(management_of(This)->scenario, 0, method, &fault) : E_INVALIDARG;
    if (SUCCEEDED(*hr))
        copies_sweep();
    return SUCCEEDED(*hr);
}

static HRESULT end(const wchar_t *method, HRESULT hr)
{
    store_log(0, L"call", L"%ls\thr=0x%08lx", method, (unsigned long)hr);
    return hr;
}

static HRESULT STDMETHODCALLTYPE add_area(MANAGEMENT *This, VSS_PWSZ volume, VSS_PWSZ on, LONGLONG maximum)
{
    static const wchar_t method[] = L"AddDiffArea";
    HRESULT hr;
    if (begin(This, method, volume && on, &hr))
        hr = storage_add(management_of(This)->scenario, volume, on, maximum);
    return end(method, hr);
}

static HRESULT STDMETHODCALLTYPE change_area(MANAGEMENT *This, VSS_PWSZ volume, VSS_PWSZ on, LONGLONG maximum)
{
    static const wchar_t method[] = L"ChangeDiffAreaMaximumSize";
    HRESULT hr;
    if (begin(This, method, volume && on, &hr))
        hr = storage_change(management_of(This)->scenario, volume, on, maximum);
    return end(method, hr);
}

typedef HRESULT (*storage_query)(const struct scenario *, const wchar_t *, struct storage_entry **,
                                 unsigned *);

static HRESULT query(MANAGEMENT *This, const wchar_t *method, storage_query run, const wchar_t *volume,
                     IVssEnumMgmtObject **out)
{
    struct storage_entry *list = NULL;
    unsigned count = 0;
    HRESULT hr;
    if (out)
        *out = NULL;
    if (begin(This, method, volume && out, &hr)) {
        hr = run(management_of(This)->scenario, volume, &list, &count);
        if (SUCCEEDED(hr))
            hr = management_list_create(list, count, out);
    }
    return end(method, hr);
}

static HRESULT STDMETHODCALLTYPE query_volumes(MANAGEMENT *This, VSS_PWSZ volume, IVssEnumMgmtObject **out)
{
    return query(This, L"QueryVolumesSupportedForDiffAreas", storage_volumes, volume, out);
}

static HRESULT STDMETHODCALLTYPE query_for_volume(MANAGEMENT *This, VSS_PWSZ volume, IVssEnumMgmtObject **out)
{
    return query(This, L"QueryDiffAreasForVolume", storage_for_volume, volume, out);
}

static HRESULT STDMETHODCALLTYPE query_on_volume(MANAGEMENT *This, VSS_PWSZ volume, IVssEnumMgmtObject **out)
{
    return query(This, L"QueryDiffAreasOnVolume", storage_on_volume, volume, out);
}

static HRESULT STDMETHODCALLTYPE query_for_snapshot(MANAGEMENT *This, VSS_ID id, IVssEnumMgmtObject **out)
{
    static const wchar_t method[] = L"QueryDiffAreasForSnapshot";
    struct storage_entry *list = NULL;
    unsigned count = 0;
    HRESULT hr;
    if (out)
        *out = NULL;
    if (begin(This, method, out != NULL, &hr)) {
        hr = storage_for_snapshot(management_of(This)->scenario, &id, &list, &count);
        if (SUCCEEDED(hr))
            hr = management_list_create(list, count, out);
    }
    return end(method, hr);
}

static CONST_VTBL IVssDifferentialSoftwareSnapshotMgmtVtbl management_vtbl = {
    management_query_interface, management_add_ref, management_release, add_area, change_area, query_volumes,
    query_for_volume,           query_on_volume,    query_for_snapshot,
};

static HRESULT create(MANAGEMENT **out)
{
    struct fault fault;
    if (FAILED(store_open()))
        return VSS_E_UNEXPECTED;
    struct management *management = calloc(1, sizeof *management);
    if (!management)
        return E_OUTOFMEMORY;
    management->base.lpVtbl = &management_vtbl;
    management->references = 1;
    HRESULT hr = scenario_load(&management->scenario);
    if (SUCCEEDED(hr))
        hr = accidents_enter(management->scenario, 0, L"GetProviderMgmtInterface", &fault);
    if (FAILED(hr)) {
        scenario_drop(management->scenario);
        free(management);
        return hr;
    }
    *out = &management->base;
    return S_OK;
}

HRESULT management_create(REFIID interface_id, IUnknown **out)
{
    MANAGEMENT *management;
    HRESULT hr = create(&management);
    if (SUCCEEDED(hr)) {
        hr = IVssDifferentialSoftwareSnapshotMgmt_QueryInterface(management, interface_id, (void **)out);
        IVssDifferentialSoftwareSnapshotMgmt_Release(management);
    }
    return end(L"GetProviderMgmtInterface", hr);
}
