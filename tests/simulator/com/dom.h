/* A document as MSXML's object. */
#pragma once
#include <windows.h>
#include <msxml.h>

/* E_NOTIMPL where MSXML is not installed, or COM is not initialised. */
HRESULT dom_create(BSTR xml, IXMLDOMDocument **document);
