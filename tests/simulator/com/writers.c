/* The slots about writers: filters, metadata, components, status. */
#include "backup.h"
#include "metadata_parts.h"

#include <oleauto.h>

static HRESULT filter(BACKUP *This, const wchar_t *method, enum writer_filter how, const VSS_ID *ids,
                      UINT count)
{
    struct call call;
    if (call_begin(&call, This, method, ids || count == 0))
        call.hr = session_filter_writers(call.session, how, ids, count);
    return call_end(&call);
}

SLOT(DisableWriterClasses, const VSS_ID *ids, UINT count)
{
    return filter(This, L"DisableWriterClasses", FILTER_DISABLE_CLASSES, ids, count);
}

SLOT(EnableWriterClasses, const VSS_ID *ids, UINT count)
{
    return filter(This, L"EnableWriterClasses", FILTER_ENABLE_CLASSES, ids, count);
}

SLOT(DisableWriterInstances, const VSS_ID *ids, UINT count)
{
    return filter(This, L"DisableWriterInstances", FILTER_DISABLE_INSTANCES, ids, count);
}

static HRESULT number(BACKUP *This, const wchar_t *method, UINT *count,
                      HRESULT (*ask)(struct session *, unsigned *))
{
    struct call call;
    if (count)
        *count = 0;
    if (call_begin(&call, This, method, count != NULL))
        call.hr = ask(call.session, count);
    return call_end(&call);
}

SLOT(GetWriterMetadataCount, UINT *count)
{
    return number(This, L"GetWriterMetadataCount", count, session_metadata_count);
}

SLOT(GetWriterStatusCount, UINT *count)
{
    return number(This, L"GetWriterStatusCount", count, session_status_count);
}

SLOT(GetWriterComponentsCount, UINT *count)
{
    return number(This, L"GetWriterComponentsCount", count, session_count_writers_with_components);
}

static HRESULT metadata(BACKUP *This, const wchar_t *method, UINT index, VSS_ID *instance, void *out)
{
    struct call call;
    struct writer_list *list;
    unsigned at;
    IVssExamineWriterMetadataEx2 **object = out;
    if (instance)
        *instance = GUID_NULL;
    if (object)
        *object = NULL;
    if (call_begin(&call, This, method, instance && object)) {
        call.hr = session_metadata(call.session, index, &list, &at);
        if (SUCCEEDED(call.hr)) {
            VSS_ID id = list->writers[at].instance_id;
            call.hr = metadata_create(list, at, object);
            if (SUCCEEDED(call.hr))
                *instance = id;
        }
    }
    return call_end(&call);
}

SLOT(GetWriterMetadata, UINT index, VSS_ID *instance, IVssExamineWriterMetadata **out)
{
    return metadata(This, L"GetWriterMetadata", index, instance, out);
}

SLOT(GetWriterMetadataEx, UINT index, VSS_ID *instance, IVssExamineWriterMetadataEx **out)
{
    return metadata(This, L"GetWriterMetadataEx", index, instance, out);
}

SLOT0(FreeWriterMetadata)
{
    struct call call;
    if (call_begin(&call, This, L"FreeWriterMetadata", TRUE))
        call.hr = session_free_metadata(call.session);
    return call_end(&call);
}

SLOT0(FreeWriterStatus)
{
    struct call call;
    if (call_begin(&call, This, L"FreeWriterStatus", TRUE))
        call.hr = session_free_status(call.session);
    return call_end(&call);
}

static BOOL is_component(VSS_COMPONENT_TYPE type, LPCWSTR name)
{
    return name && (type == VSS_CT_DATABASE || type == VSS_CT_FILEGROUP);
}

SLOT(AddComponent, VSS_ID instance, WITH_COMPONENT)
{
    struct call call;
    struct component_key key = {&writer, &instance, type, path, name};
    if (call_begin(&call, This, L"AddComponent", is_component(type, name)))
        call.hr = session_add_component(call.session, &key);
    return call_end(&call);
}

/* What stays when the call fails. */
static void clear_status(VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *state,
                         HRESULT *failure)
{
    if (instance)
        *instance = GUID_NULL;
    if (writer)
        *writer = GUID_NULL;
    if (name)
        *name = NULL;
    if (state)
        *state = VSS_WS_UNKNOWN;
    if (failure)
        *failure = S_OK;
}

static HRESULT hand_out(const struct writer_status *status, VSS_ID *instance, VSS_ID *writer, BSTR *name,
                        VSS_WRITER_STATE *state, HRESULT *failure)
{
    HRESULT hr = bstr_copy(status->name, name);
    if (FAILED(hr))
        return hr;
    *instance = status->instance_id;
    *writer = status->class_id;
    *state = status->state;
    *failure = status->failure;
    return S_OK;
}

SLOT(GetWriterStatus, UINT index, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *state,
     HRESULT *failure)
{
    struct call call;
    struct writer_status status;
    clear_status(instance, writer, name, state, failure);
    if (call_begin(&call, This, L"GetWriterStatus", instance && writer && name && state && failure)) {
        call.hr = session_status(call.session, index, &status);
        if (SUCCEEDED(call.hr))
            call.hr = hand_out(&status, instance, writer, name, state, failure);
    }
    return call_end(&call);
}

SLOT(GetWriterStatusEx, UINT index, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *state,
     HRESULT *failure, HRESULT *application, BSTR *message)
{
    struct call call;
    struct writer_status status;
    clear_status(instance, writer, name, state, failure);
    if (message)
        *message = NULL;
    if (application)
        *application = S_OK;
    if (call_begin(&call, This, L"GetWriterStatusEx", instance && writer && name && state && failure)) {
        call.hr = session_status(call.session, index, &status);
        if (SUCCEEDED(call.hr) && message)
            call.hr = bstr_copy(status.application_message, message);
        if (SUCCEEDED(call.hr))
            call.hr = hand_out(&status, instance, writer, name, state, failure);
        if (SUCCEEDED(call.hr) && application)
            *application = status.application_failure;
    }
    return call_end(&call);
}
