#define COBJMACROS
#include "async.h"
#include "ownership.h"

#include <stdlib.h>

struct async {
    IVssAsync base;
    LONG references;
    struct session *session;
    enum operation operation;
    HMODULE module;
    HANDLE ended;
    LONG cancelled;       /* by a Cancel() that came in time */
    volatile LONG result; /* VSS_S_ASYNC_PENDING until the end */
};

static struct async *async_of(IVssAsync *This)
{
    return CONTAINING_RECORD(This, struct async, base);
}

static HRESULT STDMETHODCALLTYPE async_query_interface(IVssAsync *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssAsync))
        return E_NOINTERFACE;
    *object = This;
    IVssAsync_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE async_add_ref(IVssAsync *This)
{
    return (ULONG)InterlockedIncrement(&async_of(This)->references);
}

static ULONG STDMETHODCALLTYPE async_release(IVssAsync *This)
{
    struct async *async = async_of(This);
    LONG left = InterlockedDecrement(&async->references);
    if (left == 0) {
        session_drop(async->session);
        CloseHandle(async->ended);
        ownership_end(async, (const void **)&async->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

static HRESULT result_of(struct async *async)
{
    return InterlockedCompareExchange(&async->result, 0, 0);
}

static HRESULT STDMETHODCALLTYPE async_cancel(IVssAsync *This)
{
    struct async *async = async_of(This);
    HRESULT result = result_of(async);
    if (result != VSS_S_ASYNC_PENDING)
        return result;
    if (InterlockedExchange(&async->cancelled, 1))
        return VSS_S_ASYNC_CANCELLED;
    session_cancel(async->session);
    return S_OK;
}

/* S_OK also when the time is over and when the operation failed: that is how Windows behaves, whatever its
 * page says. The scenario can ask for the page's form. */
static HRESULT STDMETHODCALLTYPE async_wait(IVssAsync *This, DWORD milliseconds)
{
    struct async *async = async_of(This);
    if (WaitForSingleObject(async->ended, milliseconds) == WAIT_FAILED)
        return VSS_E_UNEXPECTED;
    HRESULT result = result_of(async);
    return FAILED(result) && session_wait_returns_error(async->session) ? result : S_OK;
}

static HRESULT STDMETHODCALLTYPE async_query_status(IVssAsync *This, HRESULT *status, INT *reserved)
{
    if (!status || reserved)
        return E_INVALIDARG;
    *status = result_of(async_of(This));
    return S_OK;
}

static CONST_VTBL IVssAsyncVtbl async_vtbl = {
    async_query_interface, async_add_ref, async_release, async_cancel, async_wait, async_query_status,
};

static DWORD WINAPI run(void *parameter)
{
    struct async *async = parameter;
    HMODULE module = async->module;
    HRESULT result = session_run(async->session, async->operation);
    InterlockedExchange(&async->result, result);
    SetEvent(async->ended);
    IVssAsync_Release(&async->base);
    FreeLibraryAndExitThread(module, 0);
}

static HRESULT start_thread(struct async *async)
{
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)&async_vtbl,
                            &async->module))
        return E_OUTOFMEMORY;
    IVssAsync_AddRef(&async->base);
    HANDLE thread = CreateThread(NULL, 0, run, async, 0, NULL);
    if (!thread) {
        IVssAsync_Release(&async->base);
        FreeLibrary(async->module);
        return E_OUTOFMEMORY;
    }
    CloseHandle(thread);
    return S_OK;
}

HRESULT async_start(struct session *session, enum operation operation, const struct fault *fault,
                    IVssAsync **out)
{
    struct async *async = calloc(1, sizeof *async);
    HANDLE ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    HRESULT hr = async && ended ? session_begin(session, operation, fault) : E_OUTOFMEMORY;
    if (FAILED(hr)) {
        if (ended)
            CloseHandle(ended);
        free(async);
        return hr;
    }
    async->base.lpVtbl = &async_vtbl;
    async->references = 1;
    async->session = session_hold(session);
    async->operation = operation;
    async->ended = ended;
    async->result = VSS_S_ASYNC_PENDING;
    hr = start_thread(async);
    if (FAILED(hr)) {
        session_give_up(session, operation);
        IVssAsync_Release(&async->base);
        return hr;
    }
    *out = &async->base;
    return S_OK;
}
