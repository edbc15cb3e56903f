#include "xml.h"

#include <objbase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vss.h>
#include <vsserror.h>
#include <wchar.h>

#define DEPTH_LIMIT 64
#define SPACES      L" \t\r\n"

struct attribute {
    wchar_t *name, *value;
};

struct xml {
    wchar_t *name;
    unsigned attribute_count, child_count;
    struct attribute *attributes;
    struct xml **children;
};

/* ---- the tree ---- */

static wchar_t *part_of(const wchar_t *text, size_t n)
{
    wchar_t *part = calloc(n + 1, sizeof *part);
    if (part)
        memcpy(part, text, n * sizeof *part);
    return part;
}

struct xml *xml_create(const wchar_t *name)
{
    struct xml *element = calloc(1, sizeof *element);
    if (!element)
        return NULL;
    element->name = _wcsdup(name);
    if (element->name)
        return element;
    free(element);
    return NULL;
}

void xml_free(struct xml *element)
{
    if (!element)
        return;
    for (unsigned i = 0; i < element->attribute_count; i++) {
        free(element->attributes[i].name);
        free(element->attributes[i].value);
    }
    for (unsigned i = 0; i < element->child_count; i++)
        xml_free(element->children[i]);
    free(element->attributes);
    free((void *)element->children);
    free(element->name);
    free(element);
}

BOOL xml_adopt(struct xml *element, struct xml *child)
{
    struct xml **more =
        child ? realloc((void *)element->children, (element->child_count + 1) * sizeof(struct xml *)) : NULL;
    if (!more) {
        xml_free(child);
        return FALSE;
    }
    element->children = more;
    element->children[element->child_count++] = child;
    return TRUE;
}

struct xml *xml_add(struct xml *element, const wchar_t *name)
{
    struct xml *child = xml_create(name);
    return xml_adopt(element, child) ? child : NULL;
}

struct xml *xml_copy(const struct xml *element)
{
    struct xml *copy = xml_create(element->name);
    BOOL ok = copy != NULL;
    for (unsigned i = 0; i < element->attribute_count && ok; i++)
        ok = xml_set(copy, element->attributes[i].name, element->attributes[i].value);
    for (unsigned i = 0; i < element->child_count && ok; i++)
        ok = xml_adopt(copy, xml_copy(element->children[i]));
    if (ok)
        return copy;
    xml_free(copy);
    return NULL;
}

const wchar_t *xml_name(const struct xml *element)
{
    return element->name;
}

struct xml *xml_child(const struct xml *element, const wchar_t *name, unsigned index)
{
    for (unsigned i = 0; i < element->child_count; i++)
        if ((!name || wcscmp(element->children[i]->name, name) == 0) && index-- == 0)
            return element->children[i];
    return NULL;
}

unsigned xml_count(const struct xml *element, const wchar_t *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < element->child_count; i++)
        count += !name || wcscmp(element->children[i]->name, name) == 0;
    return count;
}

void xml_remove(struct xml *element, const wchar_t *name)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < element->child_count; i++) {
        if (wcscmp(element->children[i]->name, name) == 0)
            xml_free(element->children[i]);
        else
            element->children[kept++] = element->children[i];
    }
    element->child_count = kept;
}

/* ---- attributes ---- */

static struct attribute *find(const struct xml *element, const wchar_t *name)
{
    for (unsigned i = 0; i < element->attribute_count; i++)
        if (wcscmp(element->attributes[i].name, name) == 0)
            return &element->attributes[i];
    return NULL;
}

const wchar_t *xml_get(const struct xml *element, const wchar_t *name)
{
    const struct attribute *attribute = find(element, name);
    return attribute ? attribute->value : NULL;
}

/* Takes both strings over, also when it fails. */
static BOOL append(struct xml *element, wchar_t *name, wchar_t *value)
{
    struct attribute *more =
        name && value ? realloc(element->attributes, (element->attribute_count + 1) * sizeof *more) : NULL;
    if (!more) {
        free(name);
        free(value);
        return FALSE;
    }
    element->attributes = more;
    element->attributes[element->attribute_count++] = (struct attribute){name, value};
    return TRUE;
}

BOOL xml_set(struct xml *element, const wchar_t *name, const wchar_t *value)
{
    struct attribute *attribute = find(element, name);
    if (!attribute)
        return !value || append(element, _wcsdup(name), _wcsdup(value));
    if (!value) {
        free(attribute->name);
        free(attribute->value);
        *attribute = element->attributes[--element->attribute_count];
        return TRUE;
    }
    wchar_t *copy = _wcsdup(value);
    if (!copy)
        return FALSE;
    free(attribute->value);
    attribute->value = copy;
    return TRUE;
}

BOOL xml_get_flag(const struct xml *element, const wchar_t *name, BOOL otherwise)
{
    const wchar_t *value = xml_get(element, name);
    return value ? wcscmp(value, L"yes") == 0 : otherwise;
}

BOOL xml_set_flag(struct xml *element, const wchar_t *name, BOOL value)
{
    return xml_set(element, name, value ? L"yes" : L"no");
}

GUID xml_get_id(const struct xml *element, const wchar_t *name)
{
    const wchar_t *value = xml_get(element, name);
    wchar_t braces[40];
    GUID id = GUID_NULL;
    if (value && wcslen(value) == 36 && swprintf(braces, ARRAYSIZE(braces), L"{%ls}", value) > 0 &&
        FAILED(CLSIDFromString(braces, &id)))
        id = GUID_NULL;
    return id;
}

BOOL xml_set_id(struct xml *element, const wchar_t *name, const GUID *id)
{
    wchar_t braces[40];
    StringFromGUID2(id, braces, ARRAYSIZE(braces));
    braces[37] = 0;
    _wcslwr(braces);
    return xml_set(element, name, braces + 1);
}

unsigned long xml_get_number(const struct xml *element, const wchar_t *name, unsigned long otherwise)
{
    const wchar_t *value = xml_get(element, name);
    return value ? wcstoul(value, NULL, 0) : otherwise;
}

BOOL xml_set_number(struct xml *element, const wchar_t *name, unsigned long value)
{
    wchar_t text[20];
    swprintf(text, ARRAYSIZE(text), L"%lu", value);
    return xml_set(element, name, text);
}

unsigned xml_get_word(const struct xml *element, const wchar_t *name, const wchar_t *const *words,
                      unsigned count)
{
    const wchar_t *value = xml_get(element, name);
    for (unsigned i = 0; value && i < count; i++)
        if (wcscmp(value, words[i]) == 0)
            return i;
    return 0;
}

/* ---- writing ---- */

struct text {
    wchar_t *data;
    size_t length, room;
    BOOL failed;
};

static void text_append(struct text *text, const wchar_t *part, size_t n)
{
    if (text->length + n + 1 > text->room) {
        size_t room = (text->length + n + 1) * 2;
        wchar_t *data = realloc(text->data, room * sizeof *data);
        if (!data) {
            text->failed = TRUE;
            return;
        }
        text->data = data;
        text->room = room;
    }
    memcpy(text->data + text->length, part, n * sizeof *part);
    text->length += n;
    text->data[text->length] = 0;
}

static void text_plain(struct text *text, const wchar_t *part)
{
    text_append(text, part, wcslen(part));
}

/* Line ends and tabs as references: a reader makes spaces of them in attributes. */
static void text_value(struct text *text, const wchar_t *value)
{
    static const wchar_t special[] = L"&<>\"\t\r\n";
    static const wchar_t *const names[] = {L"&amp;", L"&lt;",  L"&gt;", L"&quot;",
                                           L"&#9;",  L"&#13;", L"&#10;"};
    while (*value) {
        size_t n = wcscspn(value, special);
        text_append(text, value, n);
        value += n;
        if (*value) {
            text_plain(text, names[wcschr(special, *value) - special]);
            value++;
        }
    }
}

static void text_element(struct text *text, const struct xml *element)
{
    text_plain(text, L"<");
    text_plain(text, element->name);
    for (unsigned i = 0; i < element->attribute_count; i++) {
        text_plain(text, L" ");
        text_plain(text, element->attributes[i].name);
        text_plain(text, L"=\"");
        text_value(text, element->attributes[i].value);
        text_plain(text, L"\"");
    }
    if (element->child_count == 0) {
        text_plain(text, L"/>");
        return;
    }
    text_plain(text, L">");
    for (unsigned i = 0; i < element->child_count; i++)
        text_element(text, element->children[i]);
    text_plain(text, L"</");
    text_plain(text, element->name);
    text_plain(text, L">");
}

BSTR xml_text(const struct xml *element)
{
    struct text text = {0};
    text_element(&text, element);
    BSTR result = text.failed ? NULL : SysAllocStringLen(text.data, (UINT)text.length);
    free(text.data);
    return result;
}

/* ---- reading ---- */

struct reader {
    const wchar_t *at;
    HRESULT hr;
};

static BOOL bad(struct reader *reader, HRESULT hr)
{
    if (SUCCEEDED(reader->hr))
        reader->hr = hr;
    return FALSE;
}

static BOOL skip_past(struct reader *reader, const wchar_t *end)
{
    const wchar_t *found = wcsstr(reader->at, end);
    if (!found)
        return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
    reader->at = found + wcslen(end);
    return TRUE;
}

/* To the next tag that is an element's. FALSE at the end of the text, and if something is never closed. */
static BOOL next_tag(struct reader *reader)
{
    for (;;) {
        const wchar_t *tag = wcschr(reader->at, L'<');
        if (!tag) {
            reader->at += wcslen(reader->at);
            return FALSE;
        }
        reader->at = tag + 1;
        BOOL comment = wcsncmp(reader->at, L"!--", 3) == 0;
        if (*reader->at != L'?' && *reader->at != L'!')
            return TRUE;
        if (!skip_past(reader, comment ? L"-->" : L">"))
            return FALSE;
    }
}

/* "&name;" at *from: the character it stands for; 0 if it stands for none. */
static unsigned long read_reference(const wchar_t **from, const wchar_t *end)
{
    static const struct {
        const wchar_t *name;
        wchar_t character;
    } known[] = {{L"&amp;", L'&'}, {L"&lt;", L'<'}, {L"&gt;", L'>'}, {L"&quot;", L'"'}, {L"&apos;", L'\''}};
    const wchar_t *text = *from;
    for (size_t i = 0; i < ARRAYSIZE(known); i++)
        if (wcsncmp(text, known[i].name, wcslen(known[i].name)) == 0) {
            *from += wcslen(known[i].name);
            return known[i].character;
        }
    if (text[1] != L'#')
        return 0;
    wchar_t *stop;
    unsigned long character = text[2] == L'x' ? wcstoul(text + 3, &stop, 16) : wcstoul(text + 2, &stop, 10);
    if (*stop != L';' || stop >= end || character > 0x10ffff)
        return 0;
    *from = stop + 1;
    return character;
}

static wchar_t *read_value(struct reader *reader, const wchar_t *from, const wchar_t *end)
{
    wchar_t *value = calloc((size_t)(end - from) + 1, sizeof *value), *to = value;
    if (!value) {
        bad(reader, E_OUTOFMEMORY);
        return NULL;
    }
    while (from < end) {
        if (*from != L'&') {
            *to++ = wcschr(SPACES, *from) ? L' ' : *from;
            from++;
            continue;
        }
        unsigned long character = read_reference(&from, end);
        if (character == 0) {
            free(value);
            bad(reader, VSS_E_INVALID_XML_DOCUMENT);
            return NULL;
        }
        if (character > 0xffff) {
            *to++ = (wchar_t)(0xd7c0 + (character >> 10));
            character = 0xdc00 + (character & 0x3ff);
        }
        *to++ = (wchar_t)character;
    }
    return value;
}

static BOOL read_attribute(struct reader *reader, struct xml *element)
{
    size_t n = wcscspn(reader->at, SPACES L"=/><\"'");
    const wchar_t *name = reader->at, *at = name + n + wcsspn(name + n, SPACES);
    if (n == 0 || *at != L'=')
        return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
    at++;
    at += wcsspn(at, SPACES);
    const wchar_t *end = *at == L'"' || *at == L'\'' ? wcschr(at + 1, *at) : NULL;
    if (!end || wmemchr(at + 1, L'<', (size_t)(end - at - 1)))
        return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
    wchar_t *value = read_value(reader, at + 1, end);
    if (!value)
        return FALSE;
    reader->at = end + 1;
    wchar_t *copy = part_of(name, n);
    if (copy && find(element, copy)) {
        free(copy);
        free(value);
        return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
    }
    return append(element, copy, value) || bad(reader, E_OUTOFMEMORY);
}

static struct xml *read_element(struct reader *reader, unsigned depth);

static BOOL read_children(struct reader *reader, struct xml *element, unsigned depth)
{
    size_t n = wcslen(element->name);
    for (;;) {
        if (!next_tag(reader))
            return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
        if (*reader->at != L'/') {
            struct xml *child = read_element(reader, depth + 1);
            if (!child)
                return FALSE;
            if (!xml_adopt(element, child))
                return bad(reader, E_OUTOFMEMORY);
            continue;
        }
        const wchar_t *name = reader->at + 1;
        const wchar_t *end = name + n;
        if (wcsncmp(name, element->name, n) != 0 || *(end += wcsspn(end, SPACES)) != L'>')
            return bad(reader, VSS_E_INVALID_XML_DOCUMENT);
        reader->at = end + 1;
        return TRUE;
    }
}

/* From behind the '<'. */
static struct xml *read_element(struct reader *reader, unsigned depth)
{
    size_t n = wcscspn(reader->at, SPACES L"=/><\"'");
    wchar_t *name = n && depth < DEPTH_LIMIT ? part_of(reader->at, n) : NULL;
    struct xml *element = name ? xml_create(name) : NULL;
    free(name);
    if (!element) {
        bad(reader, n && depth < DEPTH_LIMIT ? E_OUTOFMEMORY : VSS_E_INVALID_XML_DOCUMENT);
        return NULL;
    }
    reader->at += n;
    BOOL ok = TRUE;
    for (;;) {
        reader->at += wcsspn(reader->at, SPACES);
        if (!ok || *reader->at == L'>' || *reader->at == L'/')
            break;
        ok = read_attribute(reader, element);
    }
    if (ok && reader->at[0] == L'/') {
        ok = reader->at[1] == L'>' || bad(reader, VSS_E_INVALID_XML_DOCUMENT);
        reader->at += 2 * (ok != FALSE);
    } else if (ok) {
        reader->at++;
        ok = read_children(reader, element, depth);
    }
    if (ok)
        return element;
    xml_free(element);
    return NULL;
}

HRESULT xml_parse(const wchar_t *text, struct xml **root)
{
    struct reader reader = {text, S_OK};
    *root = NULL;
    if (!next_tag(&reader))
        return FAILED(reader.hr) ? reader.hr : VSS_E_INVALID_XML_DOCUMENT;
    struct xml *element = read_element(&reader, 0);
    if (element && next_tag(&reader))
        bad(&reader, VSS_E_INVALID_XML_DOCUMENT);
    if (FAILED(reader.hr)) {
        xml_free(element);
        return reader.hr;
    }
    *root = element;
    return S_OK;
}
