#define COBJMACROS
#include "metadata_parts.h"
#include "engine/document.h"

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
        free(metadata);
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
    return metadata_identity(This, instance, class_id, name, usage, source);
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
    *service = NULL;
    *procedure = NULL;
    *writer_restore = VSS_WRE_NEVER;
    *reboot = writer->restore == VSS_RME_RESTORE_AT_REBOOT;
    *mappings = 0;
    return writer->restore == VSS_RME_UNDEFINED ? S_FALSE : S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_mapping(This_t *This, UINT index, IVssWMFiledesc **out)
{
    (void)This, (void)index;
    return none_found(out);
}

static HRESULT STDMETHODCALLTYPE metadata_schema(This_t *This, DWORD *schema)
{
    if (!schema)
        return E_INVALIDARG;
    *schema = metadata_of(This)->writer->schema;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_document(This_t *This, IXMLDOMDocument **document)
{
    (void)This;
    if (!document)
        return E_INVALIDARG;
    *document = NULL;
    return E_NOTIMPL;
}

static HRESULT STDMETHODCALLTYPE metadata_save(This_t *This, BSTR *xml)
{
    if (!xml)
        return E_INVALIDARG;
    *xml = document_of_writer(metadata_of(This)->writer);
    return *xml ? S_OK : E_OUTOFMEMORY;
}

static HRESULT STDMETHODCALLTYPE metadata_load(This_t *This, BSTR xml)
{
    (void)This;
    return xml ? E_NOTIMPL : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE metadata_version(This_t *This, DWORD *major, DWORD *minor)
{
    (void)This;
    if (!major || !minor)
        return E_INVALIDARG;
    *major = *minor = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE metadata_snapshot_exclude_count(This_t *This, UINT *count)
{
    (void)This;
    if (!count)
        return E_INVALIDARG;
    *count = 0;
    return S_OK;
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
    metadata_include,
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
