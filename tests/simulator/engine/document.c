#include "document.h"
#include "session.h"

#include <objbase.h>
#include <oleauto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

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

/* ' name="value"', nothing for a NULL value. */
static void text_attribute(struct text *text, const wchar_t *name, const wchar_t *value)
{
    static const wchar_t special[] = L"&<>\"";
    static const wchar_t *const names[] = {L"&amp;", L"&lt;", L"&gt;", L"&quot;"};
    if (!value)
        return;
    text_plain(text, L" ");
    text_plain(text, name);
    text_plain(text, L"=\"");
    while (*value) {
        size_t n = wcscspn(value, special);
        text_append(text, value, n);
        value += n;
        if (*value) {
            text_plain(text, names[wcschr(special, *value) - special]);
            value++;
        }
    }
    text_plain(text, L"\"");
}

static void text_id(struct text *text, const wchar_t *name, const GUID *id)
{
    wchar_t braces[40];
    StringFromGUID2(id, braces, ARRAYSIZE(braces));
    braces[37] = 0;
    _wcslwr(braces);
    text_attribute(text, name, braces + 1);
}

static void text_flag(struct text *text, const wchar_t *name, BOOL value)
{
    text_attribute(text, name, value ? L"yes" : L"no");
}

static BSTR text_finish(struct text *text)
{
    BSTR result = text->failed ? NULL : SysAllocStringLen(text->data, (UINT)text->length);
    free(text->data);
    return result;
}

static void write_files(struct text *text, const wchar_t *element, const struct writer_files *files)
{
    wchar_t mask[20];
    swprintf(mask, ARRAYSIZE(mask), L"%lu", files->backup_mask);
    text_plain(text, L"<");
    text_plain(text, element);
    text_attribute(text, L"path", files->path);
    text_attribute(text, L"filespec", files->spec);
    text_flag(text, L"recursive", files->recursive);
    if (files->backup_mask)
        text_attribute(text, L"filespecBackupType", mask);
    text_plain(text, L"/>");
}

static void write_component(struct text *text, const struct writer_component *component)
{
    const wchar_t *element = component->type == VSS_CT_DATABASE ? L"DATABASE" : L"FILE_GROUP";
    text_plain(text, L"<");
    text_plain(text, element);
    text_attribute(text, L"logicalPath", component->path);
    text_attribute(text, L"componentName", component->name);
    text_attribute(text, L"caption", component->caption);
    text_flag(text, L"restoreMetadata", FALSE);
    text_flag(text, L"notifyOnBackupComplete", component->notify);
    text_flag(text, L"selectable", component->selectable);
    text_plain(text, L">");
    for (unsigned i = 0; i < component->file_count; i++)
        write_files(text, component->type == VSS_CT_DATABASE ? L"DATABASE_FILES" : L"FILE_LIST",
                    &component->files[i]);
    if (component->dependency_count) {
        text_plain(text, L"<DEPENDENCY");
        text_id(text, L"onWriterId", &component->dependency.writer);
        text_attribute(text, L"onLogicalPath", component->dependency.path);
        text_attribute(text, L"onComponentName", component->dependency.name);
        text_plain(text, L"/>");
    }
    text_plain(text, L"</");
    text_plain(text, element);
    text_plain(text, L">");
}

BSTR document_of_writer(const struct writer *writer)
{
    static const wchar_t *const usages[] = {L"UNDEFINED", L"BOOTABLE_SYSTEM_STATE", L"SYSTEM_SERVICE",
                                            L"USER_DATA", L"OTHER"};
    static const wchar_t *const sources[] = {L"UNDEFINED", L"TRANSACTION_DB", L"NONTRANSACTIONAL_DB",
                                             L"OTHER"};
    static const wchar_t *const methods[] = {L"UNDEFINED",
                                             L"RESTORE_IF_NONE_THERE",
                                             L"RESTORE_IF_CAN_BE_REPLACED",
                                             L"STOP_RESTART_SERVICE",
                                             L"RESTORE_TO_ALTERNATE_LOCATION",
                                             L"REPLACE_AT_REBOOT",
                                             L"REPLACE_AT_REBOOT_IF_CANNOT_REPLACE",
                                             L"CUSTOM",
                                             L"RESTORE_STOP_START"};
    struct text text = {0};
    text_plain(&text,
               L"<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\"><IDENTIFICATION");
    text_id(&text, L"writerId", &writer->class_id);
    text_id(&text, L"instanceId", &writer->instance_id);
    text_attribute(&text, L"friendlyName", writer->name);
    text_attribute(&text, L"usage", usages[(unsigned)writer->usage % ARRAYSIZE(usages)]);
    text_attribute(&text, L"dataSource", sources[(unsigned)writer->source % ARRAYSIZE(sources)]);
    text_plain(&text, L"/><RESTORE_METHOD");
    text_attribute(&text, L"method", methods[(unsigned)writer->restore % ARRAYSIZE(methods)]);
    text_attribute(&text, L"writerRestore", L"never");
    text_flag(&text, L"rebootRequired", writer->restore == VSS_RME_RESTORE_AT_REBOOT);
    text_plain(&text, L"/><BACKUP_LOCATIONS>");
    for (unsigned i = 0; i < writer->component_count; i++)
        write_component(&text, &writer->components[i]);
    for (unsigned i = 0; i < writer->exclude_count; i++)
        write_files(&text, L"EXCLUDE_FILES", &writer->excludes[i]);
    text_plain(&text, L"</BACKUP_LOCATIONS></WRITER_METADATA>");
    return text_finish(&text);
}

static void write_writer_components(struct text *text, const struct session *session, unsigned answer)
{
    BOOL any = FALSE;
    for (unsigned i = 0; i < session->component_count; i++) {
        const struct session_component *chosen = &session->components[i];
        if (chosen->writer != answer)
            continue;
        if (!any) {
            text_plain(text, L"<WRITER_COMPONENTS");
            text_id(text, L"instanceId", &session_writer(session, answer)->instance_id);
            text_id(text, L"writerId", &session_writer(session, answer)->class_id);
            text_plain(text, L">");
        }
        any = TRUE;
        text_plain(text, L"<COMPONENT");
        text_attribute(text, L"logicalPath", chosen->component->path);
        text_attribute(text, L"componentName", chosen->component->name);
        text_attribute(text, L"componentType",
                       chosen->component->type == VSS_CT_DATABASE ? L"database" : L"filegroup");
        if (chosen->reported)
            text_flag(text, L"backupSucceeded", chosen->succeeded);
        text_plain(text, L"/>");
    }
    if (any)
        text_plain(text, L"</WRITER_COMPONENTS>");
}

static void write_set(struct text *text, const struct session *session)
{
    text_plain(text, L"<SNAPSHOT_SET_DESCRIPTION");
    text_id(text, L"snapshotSetId", &session->set_id);
    text_plain(text, L">");
    for (unsigned i = 0; i < session->volume_count; i++) {
        text_plain(text, L"<SNAPSHOT_DESCRIPTION");
        text_id(text, L"snapshotId", &session->copies[i].id);
        text_attribute(text, L"originalVolumeName", session->volumes[i].name);
        text_plain(text, L"/>");
    }
    text_plain(text, L"</SNAPSHOT_SET_DESCRIPTION>");
}

BSTR document_of_session(const struct session *session)
{
    static const wchar_t *const types[] = {L"undefined", L"full", L"incremental", L"differential",
                                           L"log",       L"copy", L"other"};
    struct text text = {0};
    text_plain(&text, L"<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" version=\"1.2\"");
    text_flag(&text, L"bootableSystemStateBackup", session->bootable);
    text_flag(&text, L"selectComponents", session->select_components);
    text_attribute(&text, L"backupType", types[(unsigned)session->type % ARRAYSIZE(types)]);
    text_flag(&text, L"partialFileSupport", session->partial_files);
    if (session->set != SET_NONE)
        text_id(&text, L"snapshotSetId", &session->set_id);
    text_plain(&text, L">");
    for (unsigned i = 0; i < session->answering; i++)
        write_writer_components(&text, session, i);
    if (session->set == SET_CREATED)
        write_set(&text, session);
    text_plain(&text, L"</BACKUP_COMPONENTS>");
    return text_finish(&text);
}

/* One tag, from behind its '<': its end, or NULL if it has none. Quotes may hold a '>'. */
static const wchar_t *end_of_tag(const wchar_t *at)
{
    wchar_t quote = 0;
    for (; *at; at++) {
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (*at == L'"' || *at == L'\'')
            quote = *at;
        else if (*at == L'<')
            return NULL;
        else if (*at == L'>')
            return at;
    }
    return NULL;
}

/* Tags balance by name, and there is one root: enough to refuse what is no XML. */
BOOL document_is_well_formed(const wchar_t *text)
{
    const wchar_t *names[64];
    size_t lengths[64];
    unsigned depth = 0, roots = 0;
    while ((text = wcschr(text, L'<')) != NULL) {
        const wchar_t *name = text + 1, *close = end_of_tag(name);
        if (!close)
            return FALSE;
        text = close;
        if (*name == L'?' || *name == L'!')
            continue;
        BOOL closing = *name == L'/';
        name += closing;
        size_t n = wcscspn(name, L" \t\r\n/>");
        if (n == 0)
            return FALSE;
        if (closing) {
            if (depth == 0 || lengths[depth - 1] != n || wcsncmp(names[depth - 1], name, n) != 0)
                return FALSE;
            depth--;
        } else {
            roots += depth == 0;
            if (close[-1] == L'/')
                continue;
            if (depth == ARRAYSIZE(names))
                return FALSE;
            names[depth] = name;
            lengths[depth++] = n;
        }
    }
    return depth == 0 && roots == 1;
}
