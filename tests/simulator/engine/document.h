/* The XML documents of VSS, in the shape of the real ones as far as a requester can see.
 * The Backup Components Document of a session is a tree for the session's whole life: what methods set is
 * set there, and what IVssComponent shows is read from a copy of it, so that nothing is lost between
 * SaveAsXML and InitializeForRestore. A Writer Metadata Document is made from a struct writer and becomes one
 * again. */
#pragma once
#include "writers.h"
#include "xml.h"

#define BCD_WRITER    L"WRITER_COMPONENTS"
#define BCD_COMPONENT L"COMPONENT"

/* Children of a component. */
#define BCD_PARTIAL_FILE    L"PARTIAL_FILE"
#define BCD_DIFFERENCED     L"DIFFERENCED_FILES"
#define BCD_MAPPING         L"ALTERNATE_LOCATION_MAPPING"
#define BCD_NEW_TARGET      L"NEW_TARGET"
#define BCD_DIRECTED_TARGET L"DIRECTED_TARGET"
#define BCD_SUBCOMPONENT    L"RESTORE_SUBCOMPONENT"

struct component_key;

struct xml *bcd_create(void);
/* S_OK, VSS_E_INVALID_XML_DOCUMENT, E_OUTOFMEMORY. */
HRESULT bcd_load(const wchar_t *text, struct xml **document);
/* A writer with at least one component; instance may be NULL. */
struct xml *bcd_writer(const struct xml *document, const GUID *class_id, const GUID *instance);
/* key->instance may be NULL. */
struct xml *bcd_find(const struct xml *document, const struct component_key *key);
/* Into a writer that is added if need be. NULL: out of memory. */
struct xml *bcd_add(struct xml *document, const struct component_key *key);
VSS_COMPONENT_TYPE bcd_component_type(const struct xml *component);

/* A Writer Metadata Document; NULL when out of memory. SysFreeString. */
BSTR document_of_writer(const struct writer *writer);
/* A list of the one writer that the document describes. S_OK, VSS_E_INVALID_XML_DOCUMENT, E_OUTOFMEMORY. */
HRESULT document_read_writer(const wchar_t *text, struct writer_list **list);
