#define COBJMACROS
#include "metadata_parts.h"
#include "dom.h"
#include "engine/document.h"
#include "ownership.h"

#include <oleauto.h>
#include <stdlib.h>

struct metadata {
    IVssExamineWriterMetadataEx2 base;
    LONG references;
    struct writer_list *list;
    const struct writer *writer;
};

#define This_t IVssExamineWriterMetadataEx2

static struct metadata *metadata_of(This_t *This)
{
    return CONTAINING_RECORD(This, struct metadata, base);
}

static HRESULT STDMETHODCALLTYPE metadata_query_interface(This_t *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssExamineWriterMetadata) &&
        !IsEqualIID(riid, &IID_IVssExamineWriterMetadataEx) &&
        !IsEqualIID(riid, &IID_IVssExamineWriterMetadataEx2))
        return E_NOINTERFACE;
    *object = This;
    IVssExamineWriterMetadataEx2_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE metadata_add_ref(This_t *This)
{
    return (ULONG)InterlockedIncrement(&metadata_of(This)->references);
}

static ULONG STDMETHODCALLTYPE metadata_release(This_t *This)
{
    struct metadata *metadata = metadata_of(This);
    LONG left = InterlockedDecrement(&metadata->references);
    if (left == 0) {
        writer_list_drop(metadata->list);
        ownership_end(metadata, (const void **)&metadata->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE metadata_identity(This_t *This, VSS_ID *instance, VSS_ID *class_id,
                                                   BSTR *name, VSS_USAGE_TYPE *usage, VSS_SOURCE_TYPE *source)
{
    const struct writer *writer = metadata_of(This)->writer;
    if (!instance || !class_id || !name || !usage || !source)
        return E_INVALIDARG;
    *instance = writer->instance_id;
    *class_id = writer->class_id;
    *usage = writer->usage;
    *source = writer->source;
    return bstr_copy(writer->name, name);
}

static HRESULT STDMETHODCALLTYPE metadata_identity_ex(This_t *This, VSS_ID *instance, VSS_ID *class_id,
                                                      BSTR *name, BSTR *instance_name, VSS_USAGE_TYPE *usage,
                                                      VSS_SOURCE_TYPE *source)
{
    if (!instance_name)
        return E_INVALIDARG;
    *instance_name = NULL;
    HRESULT hr = metadata_identity(This, instance, class_id, name, usage, source);
    if (FAILED(hr))
        return hr;
    hr = bstr_copy(metadata_of(This)->writer->instance_name, instance_name);
    if (FAILED(hr)) {
        SysFreeString(*name);
        *name = NULL;
    }
    return hr;
}

static HRESULT STDMETHODCALLTYPE metadata_file_counts(This_t *This, UINT *includes, UINT *excludes,
                                                      UINT *components)
{
    const struct writer *writer = metadata_of(This)->writer;
    if (!includes || !excludes || !components)
        return E_INVALIDARG;
    *includes = 0; /* as on Windows, where nothing has ever filled it */
    *excludes = writer->exclude_count;
    *components = writer->component_count;
    return S_OK;
}

static HRESULT none_found(void *out)
{
    void **pointer = out;
    if (!pointer)
        return E_INVALIDARG;
    *pointer = NULL;
    return VSS_E_OBJECT_NOT_FOUND;
}

static HRESULT STDMETHODCALLTYPE metadata_include(This_t *This, UINT index, IVssWMFiledesc **out)
{
    (void)This, (void)index;
    return none_found(out);
}

static HRESULT STDMETHODCALLTYPE metadata_exclude(This_t *This, UINT index, IVssWMFiledesc **out)
{
    const struct metadata *metadata = metadata_of(This);
    if (!out || index >= metadata->writer->exclude_count)
        return none_found(out);
    return filedesc_create(metadata->list, &metadata->writer->excludes[index], out);
}

static HRESULT STDMETHODCALLTYPE metadata_component(This_t *This, UINT index, IVssWMComponent **out)
{
    const struct metadata *metadata = metadata_of(This);
    if (!out || index >= metadata->writer->component_count)
        return none_found(out);
    return component_create(metadata->list, &metadata->writer->components[index], out);
}

static HRESULT STDMETHODCALLTYPE metadata_restore_method(This_t *This, VSS_RESTOREMETHOD_ENUM *method,
                                                         BSTR *service, BSTR *procedure,
                                                         VSS_WRITERRESTORE_ENUM *writer_restore,
                                                         boolean *reboot, UINT *mappings)
{
    const struct writer *writer = metadata_of(This)->writer;
    if (!method || !service || !procedure || !writer_restore || !reboot || !mappings)
        return E_INVALIDARG;
    *method = writer->restore;
    *procedure = NULL;
    *writer_restore = writer->writer_restore;
    *reboot = writer->reboot != FALSE;
    *mappings = writer->mapping_count;
    HRESULT hr = bstr_copy(writer->service, service);
    if (SUCCEEDED(hr))
        hr = bstr_copy(writer->procedure, procedure);
    if (FAILED(hr)) {
        SysFreeString(*service);
        *service = NULL;
        return hr;
    }
    return writer->restore == VSS_RME_UNDEFINED ? S_FALSE : S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_mapping(This_t *This, UINT index, IVssWMFiledesc **out)
{
    const struct metadata *metadata = metadata_of(This);
    if (!out || index >= metadata->writer->mapping_count)
        return none_found(out);
    return filedesc_create(metadata->list, &metadata->writer->mappings[index], out);
}

static HRESULT STDMETHODCALLTYPE metadata_schema(This_t *This, DWORD *schema)
{
    if (!schema)
        return E_INVALIDARG;
    *schema = metadata_of(This)->writer->schema;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_save(This_t *This, BSTR *xml)
{
    if (!xml)
        return E_INVALIDARG;
    *xml = document_of_writer(metadata_of(This)->writer);
    return *xml ? S_OK : E_OUTOFMEMORY;
}

static HRESULT STDMETHODCALLTYPE metadata_document(This_t *This, IXMLDOMDocument **document)
{
    BSTR xml = NULL;
    if (!document)
        return E_INVALIDARG;
    *document = NULL;
    HRESULT hr = metadata_save(This, &xml);
    if (SUCCEEDED(hr))
        hr = dom_create(xml, document);
    SysFreeString(xml);
    return hr;
}

static HRESULT STDMETHODCALLTYPE metadata_load(This_t *This, BSTR xml)
{
    struct metadata *metadata = metadata_of(This);
    struct writer_list *list;
    if (!xml)
        return E_INVALIDARG;
    HRESULT hr = document_read_writer(xml, &list);
    if (FAILED(hr))
        return hr;
    writer_list_drop(metadata->list);
    metadata->list = list;
    metadata->writer = &list->writers[0];
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_version(This_t *This, DWORD *major, DWORD *minor)
{
    if (!major || !minor)
        return E_INVALIDARG;
    *major = metadata_of(This)->writer->version_major;
    *minor = metadata_of(This)->writer->version_minor;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_snapshot_exclude_count(This_t *This, UINT *count)
{
    if (!count)
        return E_INVALIDARG;
    *count = metadata_of(This)->writer->snapshot_exclude_count;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_snapshot_exclude(This_t *This, UINT index, IVssWMFiledesc **out)
{
    const struct metadata *metadata = metadata_of(This);
    if (!out || index >= metadata->writer->snapshot_exclude_count)
        return none_found(out);
    return filedesc_create(metadata->list, &metadata->writer->snapshot_excludes[index], out);
}

static CONST_VTBL IVssExamineWriterMetadataEx2Vtbl metadata_vtbl = {
    metadata_query_interface,
    metadata_add_ref,
    metadata_release,
    metadata_identity,
    metadata_file_counts,
    metadata_include,
    metadata_exclude,
    metadata_component,
    metadata_restore_method,
    metadata_mapping,
    metadata_schema,
    metadata_document,
    metadata_save,
    metadata_load,
    metadata_identity_ex,
    metadata_version,
    metadata_snapshot_exclude_count,
    metadata_snapshot_exclude,
};

HRESULT metadata_create(struct writer_list *list, unsigned index, IVssExamineWriterMetadataEx2 **out)
{
    struct metadata *metadata = calloc(1, sizeof *metadata);
    if (!metadata) {
        writer_list_drop(list);
        return E_OUTOFMEMORY;
    }
    metadata->base.lpVtbl = &metadata_vtbl;
    metadata->references = 1;
    metadata->list = list;
    metadata->writer = &list->writers[index];
    *out = &metadata->base;
    return S_OK;
}
