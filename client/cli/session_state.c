/* What a session knows: set, kept, and forgotten again. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/shell.h"
#include "client/lib/error.h"

bool shell_wrong(struct sp_error **error, const char *advice, const char *format, ...)
{
    struct text message = {0};
    va_list arguments;
    va_start(arguments, format);
    text_format_list(&message, format, arguments);
    va_end(arguments);
    error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", advice, "%s", text_string(&message)));
    text_free(&message);
    return false;
}

bool shell_no_memory(struct sp_error **error)
{
    error_give(error, error_no_memory());
    return false;
}

bool shell_same_path(const char *a, const char *b)
{
    size_t length_a = strlen(a);
    size_t length_b = strlen(b);
    bool shorter = length_a < length_b;
    bool begins = shorter ? starts_ignoring_case(b, a) : starts_ignoring_case(a, b);
    length_a -= length_a > 0 && a[length_a - 1] == '\\';
    length_b -= length_b > 0 && b[length_b - 1] == '\\';
    return begins && length_a == length_b && length_a > 0;
}

const struct word_value *find_word(const struct word_value *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (equal_ignoring_case(words[i].word, word))
            return &words[i];
    }
    return NULL;
}

bool shell_too_many(struct sp_error **error)
{
    error_give(error,
               error_create(SP_RESOURCE_EXHAUSTED, "TOO_LARGE", "",
                            "There are more than %d writers, or parts of what they say.", WRITERS_MAX));
    return false;
}

/* ---- the reply ---- */

void shell_json_name(struct shell *shell, const char *name)
{
    if (shell->json.size > 0)
        text_add_char(&shell->json, ',');
    json_add_string(&shell->json, name);
    text_add_char(&shell->json, ':');
}

void shell_json(struct shell *shell, const char *name, const char *value)
{
    shell_json_name(shell, name);
    json_add_string(&shell->json, value);
}

void shell_json_message(struct shell *shell, const char *name, const ProtobufCMessage *message)
{
    shell_json_name(shell, name);
    (void)json_add_message(&shell->json, message);
}

/* ---- aliases ---- */

bool shell_set_alias(struct shell *shell, const char *name, const char *value, struct sp_error **error)
{
    if (!alias_is_name(name))
        return shell_wrong(error, "Use letters, digits, and the marks _ . -",
                           "\"%s\" cannot be the name of an alias.", name);
    return aliases_set(&shell->aliases, name, value) || shell_no_memory(error);
}

void shell_add_alias_of(const struct shell *shell, const char *value, struct text *text)
{
    const char *name = aliases_name_of(&shell->aliases, value);
    if (name)
        text_format(text, " %%%s%%", name);
}

static const char PARAMETER[] = "DISKSH_PARAM_"; /* as scripts for diskshadow have it */

bool shell_is_parameter(const char *name)
{
    return starts_ignoring_case(name, PARAMETER);
}

bool shell_set_parameters(struct shell *shell, struct sp_error **error)
{
    const struct arguments *arguments = shell->session->arguments;
    for (size_t i = 0; i < arguments->program_count; i++) {
        struct text name = {0};
        text_format(&name, "%s%lu", PARAMETER, (unsigned long)i + 1);
        bool ok = shell_set_alias(shell, text_string(&name), arguments->program[i], error);
        text_free(&name);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- forgetting ---- */

static void forget_set(struct shell *shell)
{
    for (size_t i = 0; i < shell->volumes_count; i++) {
        message_free(shell->volumes[i].properties);
        shell->volumes[i].properties = NULL;
        shell->volumes[i].snapshot_id[0] = 0;
    }
    shell->set_id[0] = 0;
}

bool shell_close(struct shell *shell, struct sp_error **error)
{
    bool ok = object_close(shell, &shell->object, error);
    shell->stage = STAGE_CLOSED;
    shell->component_mode = false;
    shell->state_is_set = false;
    selection_clear(&shell->chosen);
    shell_forget_writers(shell);
    for (size_t i = 0; i < shell->components_count; i++)
        message_free(shell->components[i]);
    shell->components_count = 0;
    forget_set(shell);
    return ok;
}

static void free_volume(struct shell_volume *volume)
{
    free(volume->name);
    free(volume->path);
    free(volume->alias);
    free(volume->provider);
    message_free(volume->properties);
    memset(volume, 0, sizeof *volume);
}

void shell_clear_settings(struct shell *shell)
{
    aliases_clear(&shell->aliases);
    strings_clear(&shell->verified);
    strings_clear(&shell->excluded);
    strings_clear(&shell->added);
    for (size_t i = 0; i < shell->volumes_count; i++)
        free_volume(&shell->volumes[i]);
    shell->volumes_count = 0;
    for (size_t i = 0; i < shell->resyncs_count; i++) {
        free(shell->resyncs[i].snapshot_id);
        free(shell->resyncs[i].destination);
    }
    shell->resyncs_count = 0;
    free(shell->metadata_file);
    shell->metadata_file = NULL;
    free(shell->document);
    shell->document = NULL;
    shell->document_size = 0;
    shell->context = VSS_CONTEXT_BACKUP;
    shell->options = 0;
    shell->backup_type = VSS_TYPE_COPY;
    shell->type_is_set = false;
    shell->full_backup = false;
    shell->bootable = false;
    shell->partial_files = false;
    shell->restore_type = 0;
    shell->verbose = false;
    message_free(shell->volumes_reply);
    shell->volumes_reply = NULL;
}
