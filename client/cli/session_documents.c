/* Documents between the service and files. The aliases lie beside the Backup Components Document, as a script
 * of "add alias" lines, because an XML document of VSS has no place for them. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/file.h"
#include "client/cli/script.h"
#include "client/cli/shell.h"
#include "client/lib/error.h"

enum {
    ALIASES_BYTES_MAX = 1024 * 1024
};

static const char ALIASES_SUFFIX[] = ".aliases";

bool shell_put_document(struct shell *shell, char id[GUID_TEXT_CHARS], struct sp_error **error)
{
    const struct sp_document_source source = {.kind = SP_DOCUMENT_BACKUP_COMPONENTS,
                                              .bytes = (const uint8_t *)shell->document,
                                              .size = shell->document_size,
                                              .timeout_ms = session_time_left(shell->session),
                                              .cancel = shell->session->cancel};
    char *made = sp_put_document(shell->session->client, &source, error);
    if (!made)
        return false;
    (void)strncpy(id, made, GUID_TEXT_CHARS - 1);
    id[GUID_TEXT_CHARS - 1] = 0;
    sp_string_free(made);
    return true;
}

static bool read_to_file(struct shell *shell, enum sp_document_kind kind, const char *instance_id,
                         const char *path, struct sp_error **error)
{
    const struct sp_document_request request = {.session_id = shell->object.id,
                                                .kind = kind,
                                                .writer_instance_id = instance_id,
                                                .timeout_ms = session_time_left(shell->session),
                                                .cancel = shell->session->cancel};
    struct sp_document *document = sp_read_document(shell->session->client, &request, error);
    bool ok = document && file_write(path, document->bytes, document->size, error);
    sp_document_free(document);
    return ok;
}

static bool save_components(struct shell *shell, const char *path, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SaveAsXML) save = SHADOWPIPE__V1__SAVE_AS_XML__INIT;
    call.method_case = PB_METHOD(SAVE_AS_XML);
    call.save_as_xml = &save;
    return object_do(shell, &shell->object, &call, error) &&
           read_to_file(shell, SP_DOCUMENT_BACKUP_COMPONENTS, NULL, path, error);
}

/* A value is quoted as a script wants it. */
static void add_alias_line(struct text *text, const struct alias *alias)
{
    text_format(text, "add alias %s \"", alias->name);
    for (const char *at = alias->value; *at; at++)
        text_add(text, *at == '"' ? "\"\"" : *at == '%' ? "%%" : (char[]){*at, 0});
    text_add(text, "\"\n");
}

static bool save_aliases(struct shell *shell, const char *path, struct sp_error **error)
{
    struct text file = {0};
    struct text lines = {0};
    text_format(&file, "%s%s", path, ALIASES_SUFFIX);
    for (size_t i = 0; i < shell->aliases.count; i++) {
        if (!shell_is_parameter(shell->aliases.items[i].name))
            add_alias_line(&lines, &shell->aliases.items[i]);
    }
    bool ok = !lines.failed && !file.failed;
    ok = ok ? file_write(text_string(&file), text_string(&lines), lines.size, error) : shell_no_memory(error);
    text_free(&file);
    text_free(&lines);
    return ok;
}

bool shell_save_metadata(struct shell *shell, struct sp_error **error)
{
    if (!shell->metadata_file)
        return true;
    if (!save_components(shell, shell->metadata_file, error) ||
        !save_aliases(shell, shell->metadata_file, error))
        return false;
    text_format(&shell->text, "The Backup Components Document is in %s.\n", shell->metadata_file);
    return true;
}

/* ---- commands ---- */

/* The lines of the file beside the document. */
static bool load_aliases(struct shell *shell, const char *lines, struct sp_error **error)
{
    const struct aliases none = {.items = NULL};
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        struct text line = {0};
        struct text problem = {0};
        struct words words;
        text_add_bytes(&line, lines, length);
        bool ok = script_split(text_string(&line), &none, &words, &problem);
        if (!ok)
            (void)shell_wrong(error, "", "The aliases cannot be read: %s", text_string(&problem));
        else if (words.count == 4 && equal_ignoring_case(words.items[0], "add") &&
                 equal_ignoring_case(words.items[1], "alias"))
            ok = shell_set_alias(shell, words.items[2], words.items[3], error);
        words_free(&words);
        text_free(&line);
        text_free(&problem);
        if (!ok)
            return false;
        lines += length + (lines[length] == '\n');
    }
    return true;
}

bool shell_load_metadata(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    size_t size;
    struct text beside = {0};
    (void)count;
    if (shell->stage != STAGE_CLOSED)
        return shell_wrong(error, "\"reset\" first.", "A backup or restore is open already.");
    char *document = file_read(words[0], FILE_DOCUMENT_BYTES_MAX, &size, error);
    if (!document)
        return false;
    free(shell->document);
    shell->document = document;
    shell->document_size = size;
    text_format(&beside, "%s%s", words[0], ALIASES_SUFFIX);
    char *lines = beside.failed ? NULL : file_read(text_string(&beside), ALIASES_BYTES_MAX, &size, NULL);
    text_free(&beside);
    bool ok = !lines || load_aliases(shell, lines, error); /* without the file there are none */
    free(lines);
    return ok;
}

/* Of one writer: its document has to be kept while its metadata is there. */
static bool save_writer(struct shell *shell, const char *path, const char *spec, struct sp_error **error)
{
    uint32_t writers;
    if (!object_count_writers(shell, &shell->object, &writers, error))
        return false;
    for (uint32_t i = 0; i < writers; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterMetadataEx) get = SHADOWPIPE__V1__GET_WRITER_METADATA_EX__INIT;
        get.index = i;
        get.with_document = true;
        call.method_case = PB_METHOD(GET_WRITER_METADATA_EX);
        call.get_writer_metadata_ex = &get;
        struct message *reply = object_call(shell, &shell->object, &call, error);
        if (!reply)
            return false;
        const PB(CallReply) *answer = reply->envelope->call_reply;
        const PB(Writer) *writer = answer->out_case == PB_OUT(GET_WRITER_METADATA_EX)
                                       ? answer->get_writer_metadata_ex->writer
                                       : NULL;
        const PB(WriterStatus) *status = writer ? writer->status : NULL;
        bool found = status && spec_is_writer(spec, status->name, status->writer_id, status->instance_id);
        bool ok = found && read_to_file(shell, SP_DOCUMENT_WRITER_METADATA, status->instance_id, path, error);
        message_free(reply);
        if (found)
            return ok;
    }
    return shell_wrong(error, "\"list writers\" shows them.", "There is no writer \"%s\".", spec);
}

bool shell_save_document(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    if (!*shell->object.id)
        return shell_wrong(error, "\"begin backup\" and \"create\" first.", "No backup or restore is open.");
    if (count == 1)
        return save_components(shell, words[0], error);
    struct text writer = {0};
    if (count < 3 || !equal_ignoring_case(words[1], "writer"))
        return shell_wrong(error, "save document FILE [writer WRITER]", "\"%s\" is not understood.",
                           words[1]);
    words_join(words + 2, count - 2, &writer);
    bool ok = save_writer(shell, words[0], text_string(&writer), error);
    text_free(&writer);
    return ok;
}

/* In a batch file a percent sign stands for itself when it is doubled. */
static void add_variable(struct text *text, const char *name, const char *value)
{
    text_format(text, "SET \"%s=", name);
    for (const char *at = value; *at; at++)
        text_add(text, *at == '%' ? "%%" : (char[]){*at, 0});
    text_add(text, "\"\r\n");
}

/* The names that vshadow gives, and the aliases. */
bool shell_save_variables(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct text lines = {0};
    struct text name = {0};
    (void)count;
    add_variable(&lines, "SHADOW_SET_ID", shell->set_id);
    for (size_t i = 0; i < shell->volumes_count; i++) {
        const struct shell_volume *volume = &shell->volumes[i];
        text_clear(&name);
        text_format(&name, "SHADOW_ID_%lu", (unsigned long)i + 1);
        add_variable(&lines, text_string(&name), volume->snapshot_id);
        if (!volume->properties)
            continue;
        text_clear(&name);
        text_format(&name, "SHADOW_DEVICE_%lu", (unsigned long)i + 1);
        add_variable(&lines, text_string(&name),
                     volume->properties->envelope->call_reply->get_snapshot_properties->snapshot->device);
    }
    for (size_t i = 0; i < shell->aliases.count; i++)
        add_variable(&lines, shell->aliases.items[i].name, shell->aliases.items[i].value);
    bool ok = lines.failed || name.failed ? shell_no_memory(error)
                                          : file_write(words[0], text_string(&lines), lines.size, error);
    text_free(&lines);
    text_free(&name);
    return ok;
}
