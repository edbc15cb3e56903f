#define COBJMACROS
#include "components.h"
#include "component.h"
#include "engine/document.h"
#include "ownership.h"

#include <stdlib.h>

struct tree *tree_hold(struct tree *tree)
{
    InterlockedIncrement(&tree->references);
    return tree;
}

void tree_drop(struct tree *tree)
{
    if (InterlockedDecrement(&tree->references))
        return;
    xml_free(tree->root);
    free(tree);
}

struct writer_components {
    IVssWriterComponentsExt first;
    IUnknown second;
    LONG references;
    struct tree *tree;
};

static HRESULT STDMETHODCALLTYPE writer_count(IVssWriterComponentsExt *This, UINT *count)
{
    const struct writer_components *writer = CONTAINING_RECORD(This, struct writer_components, first);
    if (!count)
        return E_INVALIDARG;
    *count = xml_count(writer->tree->root, BCD_COMPONENT);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE writer_info(IVssWriterComponentsExt *This, VSS_ID *instance,
                                             VSS_ID *class_id)
{
    const struct writer_components *writer = CONTAINING_RECORD(This, struct writer_components, first);
    if (!instance || !class_id)
        return E_INVALIDARG;
    *instance = xml_get_id(writer->tree->root, L"instanceId");
    *class_id = xml_get_id(writer->tree->root, L"writerId");
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE writer_component(IVssWriterComponentsExt *This, UINT index,
                                                  IVssComponent **out)
{
    const struct writer_components *writer = CONTAINING_RECORD(This, struct writer_components, first);
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    return component_create_at(writer->tree, index, out);
}

static struct writer_components *writer_of(IUnknown *This)
{
    return CONTAINING_RECORD(This, struct writer_components, second);
}

/* The interface has no id of its own: only IUnknown can be asked for. */
static HRESULT STDMETHODCALLTYPE writer_query_interface(IUnknown *This, REFIID riid, void **object)
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

static ULONG STDMETHODCALLTYPE writer_add_ref(IUnknown *This)
{
    return (ULONG)InterlockedIncrement(&writer_of(This)->references);
}

static ULONG STDMETHODCALLTYPE writer_release(IUnknown *This)
{
    struct writer_components *writer = writer_of(This);
    LONG left = InterlockedDecrement(&writer->references);
    if (left == 0) {
        tree_drop(writer->tree);
        ownership_end(writer, (const void **)&writer->first.lpVtbl, 2);
    }
    return (ULONG)left;
}

static CONST_VTBL IVssWriterComponentsExtVtbl first_vtbl = {writer_count, writer_info, writer_component};
static CONST_VTBL IUnknownVtbl second_vtbl = {writer_query_interface, writer_add_ref, writer_release};

HRESULT writer_components_create(struct xml *root, IVssWriterComponentsExt **out)
{
    struct writer_components *writer = calloc(1, sizeof *writer);
    struct tree *tree = writer ? calloc(1, sizeof *tree) : NULL;
    if (!tree) {
        free(writer);
        xml_free(root);
        return E_OUTOFMEMORY;
    }
    *tree = (struct tree){1, root};
    writer->first.lpVtbl = &first_vtbl;
    writer->second.lpVtbl = (IUnknownVtbl *)&second_vtbl;
    writer->references = 1;
    writer->tree = tree;
    *out = &writer->first;
    return S_OK;
}
