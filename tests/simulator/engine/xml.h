/* XML as the documents of VSS use it: elements with attributes. Text between elements, comments and
 * instructions are read over. A tree belongs to whoever made it, children to their parent. Functions that
 * need memory say so by FALSE or NULL; a tree that could not grow is whole as it was. */
#pragma once
#include <windows.h>
#include <oleauto.h>

struct xml;

/* S_OK, VSS_E_INVALID_XML_DOCUMENT or E_OUTOFMEMORY. */
HRESULT xml_parse(const wchar_t *text, struct xml **root);
struct xml *xml_create(const wchar_t *name);
struct xml *xml_copy(const struct xml *element);
void xml_free(struct xml *element);
/* SysFreeString; NULL: out of memory. */
BSTR xml_text(const struct xml *element);

const wchar_t *xml_name(const struct xml *element);
/* Children of that name, by index; a NULL name means any. NULL past the last. */
struct xml *xml_child(const struct xml *element, const wchar_t *name, unsigned index);
unsigned xml_count(const struct xml *element, const wchar_t *name);
struct xml *xml_add(struct xml *element, const wchar_t *name);
/* Takes the child over, also when it fails. */
BOOL xml_adopt(struct xml *element, struct xml *child);
/* Frees the children of that name. */
void xml_remove(struct xml *element, const wchar_t *name);

/* NULL: there is no such attribute. Setting NULL takes it away. */
const wchar_t *xml_get(const struct xml *element, const wchar_t *name);
BOOL xml_set(struct xml *element, const wchar_t *name, const wchar_t *value);

/* "yes" and "no". */
BOOL xml_get_flag(const struct xml *element, const wchar_t *name, BOOL otherwise);
BOOL xml_set_flag(struct xml *element, const wchar_t *name, BOOL value);
/* Without braces, as in VSS documents; GUID_NULL if absent or no id. */
GUID xml_get_id(const struct xml *element, const wchar_t *name);
BOOL xml_set_id(struct xml *element, const wchar_t *name, const GUID *id);
unsigned long xml_get_number(const struct xml *element, const wchar_t *name, unsigned long otherwise);
BOOL xml_set_number(struct xml *element, const wchar_t *name, unsigned long value);
/* A word of a list, as its place in it; 0 for any other. */
unsigned xml_get_word(const struct xml *element, const wchar_t *name, const wchar_t *const *words,
                      unsigned count);
