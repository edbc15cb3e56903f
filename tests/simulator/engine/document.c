/* The Backup Components Document. */
#include "document.h"
#include "session.h"

#include <stdio.h>
#include <vsserror.h>
#include <wchar.h>

static const wchar_t *const component_types[] = {L"", L"database", L"filegroup"};

struct xml *bcd_create(void)
{
    struct xml *document = xml_create(L"BACKUP_COMPONENTS");
    if (document && xml_set(document, L"xmlns", L"x-schema:#VssComponentMetadata") &&
        xml_set(document, L"version", L"1.2"))
        return document;
    xml_free(document);
    return NULL;
}

HRESULT bcd_load(const wchar_t *text, struct xml **document)
{
    HRESULT hr = xml_parse(text, document);
    if (FAILED(hr) || wcscmp(xml_name(*document), L"BACKUP_COMPONENTS") == 0)
        return hr;
    xml_free(*document);
    *document = NULL;
    return VSS_E_INVALID_XML_DOCUMENT;
}

static BOOL has_id(const struct xml *element, const wchar_t *name, const GUID *id)
{
    GUID found = xml_get_id(element, name);
    return !id || IsEqualGUID(&found, id);
}

struct xml *bcd_writer(const struct xml *document, const GUID *class_id, const GUID *instance)
{
    struct xml *writer;
    for (unsigned i = 0; (writer = xml_child(document, BCD_WRITER, i)) != NULL; i++)
        if (has_id(writer, L"writerId", class_id) && has_id(writer, L"instanceId", instance))
            return writer;
    return NULL;
}

VSS_COMPONENT_TYPE bcd_component_type(const struct xml *component)
{
    return (VSS_COMPONENT_TYPE)xml_get_word(component, L"componentType", component_types,
                                            ARRAYSIZE(component_types));
}

static BOOL is_component(const struct xml *component, const struct component_key *key)
{
    const wchar_t *name = xml_get(component, L"componentName");
    return name && bcd_component_type(component) == key->type && _wcsicmp(name, key->name) == 0 &&
           writer_same_path(xml_get(component, L"logicalPath"), key->path);
}

/* Several instances of one class may be in it: all are looked through. */
struct xml *bcd_find(const struct xml *document, const struct component_key *key)
{
    struct xml *writer, *component;
    for (unsigned i = 0; (writer = xml_child(document, BCD_WRITER, i)) != NULL; i++) {
        if (!has_id(writer, L"writerId", key->writer) || !has_id(writer, L"instanceId", key->instance))
            continue;
        for (unsigned k = 0; (component = xml_child(writer, BCD_COMPONENT, k)) != NULL; k++)
            if (is_component(component, key))
                return component;
    }
    return NULL;
}

struct xml *bcd_add(struct xml *document, const struct component_key *key)
{
    struct xml *writer = bcd_writer(document, key->writer, key->instance);
    if (!writer) {
        writer = xml_create(BCD_WRITER);
        if (!writer || !xml_set_id(writer, L"instanceId", key->instance) ||
            !xml_set_id(writer, L"writerId", key->writer)) {
            xml_free(writer);
            return NULL;
        }
        if (!xml_adopt(document, writer))
            return NULL;
    }
    struct xml *component = xml_create(BCD_COMPONENT);
    if (component && xml_set(component, L"logicalPath", key->path) &&
        xml_set(component, L"componentName", key->name) &&
        xml_set(component, L"componentType", component_types[key->type]))
        return xml_adopt(writer, component) ? component : NULL;
    xml_free(component);
    return NULL;
}

static BOOL write_set(struct xml *document, const struct session *session)
{
    xml_remove(document, L"SNAPSHOT_SET_DESCRIPTION");
    if (session->set != SET_CREATED)
        return TRUE;
    struct xml *set = xml_add(document, L"SNAPSHOT_SET_DESCRIPTION");
    BOOL ok = set && xml_set_id(set, L"snapshotSetId", &session->set_id) &&
              xml_set_number(set, L"context", (unsigned long)session->context);
    for (unsigned i = 0; i < session->volume_count && ok; i++) {
        struct xml *copy = xml_add(set, L"SNAPSHOT_DESCRIPTION");
        ok = copy && xml_set_id(copy, L"snapshotId", &session->copies[i].id) &&
             xml_set(copy, L"originalVolumeName", session->volumes[i].name);
    }
    return ok;
}

BSTR document_of_session(const struct session *session)
{
    static const wchar_t *const types[] = {L"undefined", L"full", L"incremental", L"differential",
                                           L"log",       L"copy", L"other"};
    struct xml *document = xml_copy(session->document);
    BOOL ok = document != NULL;
    if (ok && !session->restore)
        ok = xml_set_flag(document, L"bootableSystemStateBackup", session->bootable) &&
             xml_set_flag(document, L"selectComponents", session->select_components) &&
             xml_set(document, L"backupType", types[(unsigned)session->type % ARRAYSIZE(types)]) &&
             xml_set_flag(document, L"partialFileSupport", session->partial_files) &&
             write_set(document, session);
    if (ok && session->set != SET_NONE)
        ok = xml_set_id(document, L"snapshotSetId", &session->set_id);
    BSTR text = ok ? xml_text(document) : NULL;
    xml_free(document);
    return text;
}
