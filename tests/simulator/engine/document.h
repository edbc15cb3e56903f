/* The XML documents of VSS, in the shape of the real ones as far as a requester can see: written for
 * SaveAsXML, never read back. */
#pragma once
#include "writers.h"

BOOL document_is_well_formed(const wchar_t *text);

/* A Writer Metadata Document; NULL when out of memory. SysFreeString. */
BSTR document_of_writer(const struct writer *writer);
