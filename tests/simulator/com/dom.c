#define COBJMACROS
#include "dom.h"

#include <objbase.h>
#include <vss.h>
#include <vsserror.h>

HRESULT dom_create(BSTR xml, IXMLDOMDocument **document)
{
    static const CLSID dom_class = {
        0x2933bf90, 0x7b36, 0x11d2, {0xb2, 0x0e, 0x00, 0xc0, 0x4f, 0x98, 0x3e, 0x60}};
    static const IID dom_interface = {
        0x2933bf81, 0x7b36, 0x11d2, {0xb2, 0x0e, 0x00, 0xc0, 0x4f, 0x98, 0x3e, 0x60}};
    IXMLDOMDocument *created = NULL;
    VARIANT_BOOL loaded = VARIANT_FALSE;
    *document = NULL;
    if (FAILED(CoCreateInstance(&dom_class, NULL, CLSCTX_INPROC_SERVER, &dom_interface, (void **)&created)))
        return E_NOTIMPL;
    HRESULT hr = IXMLDOMDocument_put_async(created, VARIANT_FALSE);
    if (SUCCEEDED(hr))
        hr = IXMLDOMDocument_loadXML(created, xml, &loaded);
    if (FAILED(hr) || !loaded) {
        IXMLDOMDocument_Release(created);
        return FAILED(hr) ? hr : VSS_E_INVALID_XML_DOCUMENT;
    }
    *document = created;
    return S_OK;
}
