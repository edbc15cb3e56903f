#include "client/cli/restore_report.h"

#include <string.h>

#include "client/cli/json.h"

/* ---- names ---- */

static const char *enum_name(const ProtobufCEnumDescriptor *descriptor, int value, const char *prefix)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(descriptor, value);
    return known && value != 0 ? known->name + strlen(prefix) : "UNDEFINED";
}

static const char *method_name(const struct restore_item *item)
{
    return enum_name(&shadowpipe__v1__restore_method_type__descriptor, (int)restore_method(item),
                     "RESTORE_METHOD_");
}

static const char *target_name(uint32_t target)
{
    static const char *const names[] = {"UNDEFINED", "ORIGINAL", "ALTERNATE", "DIRECTED",
                                        "ORIGINAL_LOCATION"};
    return names[target < sizeof names / sizeof *names ? target : 0];
}

static void add_full_name(struct text *text, const char *logical_path, const char *name)
{
    text_format(text, "%s%s%s", logical_path, *logical_path ? "\\" : "", name);
}

static void add_item_name(struct text *text, const struct restore_item *item)
{
    text_format(text, "%s: ", item->writer_name);
    add_full_name(text, item->saved->logical_path, item->saved->name);
}

/* ---- for people ---- */

static void add_files(struct text *text, const struct restore_files *files)
{
    text_format(text, "    %s\\%s%s", files->path, files->declared->filespec,
                files->declared->recursive ? " and below" : "");
    if (strcmp(files->path, files->target) != 0)
        text_format(text, " -> %s", files->target);
    else if (files->alternate)
        text_format(text, " (or %s)", files->alternate);
    text_add_char(text, '\n');
}

static void add_item(struct text *text, const struct restore_item *item)
{
    add_item_name(text, item);
    text_add(text, item->problems_count ? ": cannot be restored\n" : item->skipped ? ": left out\n" : "\n");
    if (item->metadata) {
        const PB(RestoreMethod) *method = item->metadata->restore_method;
        text_format(text, "    restore method %s%s%s%s\n", method_name(item),
                    method && *method->service ? ", service " : "",
                    method && *method->service ? method->service : "",
                    method && method->reboot_required ? ", reboot required" : "");
    }
    for (size_t i = 0; i < item->below_count; i++) {
        text_add(text, "    only ");
        add_full_name(text, item->below[i]->logical_path, item->below[i]->name);
        text_add_char(text, '\n');
    }
    for (size_t i = 0; i < item->files_count; i++)
        add_files(text, &item->files[i]);
    for (size_t i = 0; i < item->problems_count; i++)
        text_format(text, "    PROBLEM: %s\n", item->problems[i]);
    for (size_t i = 0; i < item->notes_count; i++)
        text_format(text, "    note: %s\n", item->notes[i]);
}

void restore_report(struct text *text, const struct restore_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        add_item(text, &plan->items[i]);
}

static void add_lines(struct text *text, const struct restore_item *item, const char *const *lines,
                      size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        text_add(text, "  - ");
        add_item_name(text, item);
        text_format(text, ": %s\n", lines[i]);
    }
}

void restore_report_problems(struct text *text, const struct restore_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        add_lines(text, &plan->items[i], plan->items[i].problems, 0, plan->items[i].problems_count);
}

void restore_report_notes(struct text *text, struct restore_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct restore_item *item = &plan->items[i];
        add_lines(text, item, item->notes, item->notes_shown, item->notes_count);
        item->notes_shown = item->notes_count;
    }
}

/* ---- JSON ---- */

/* `first` is false from the second member of an object on. */
static void add_key(struct text *json, bool *first, const char *key)
{
    if (!*first)
        text_add_char(json, ',');
    *first = false;
    json_add_string(json, key);
    text_add_char(json, ':');
}

static void add_string(struct text *json, bool *first, const char *key, const char *value)
{
    add_key(json, first, key);
    json_add_string(json, value);
}

static void add_bool(struct text *json, bool *first, const char *key, bool value)
{
    add_key(json, first, key);
    text_add(json, value ? "true" : "false");
}

static void add_string_list(struct text *json, bool *first, const char *key, const char *const *values,
                            size_t count)
{
    add_key(json, first, key);
    text_add_char(json, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_add_char(json, ',');
        json_add_string(json, values[i]);
    }
    text_add_char(json, ']');
}

/* By the mapping of proto3, as everywhere in this program. */
static void add_messages(struct text *json, bool *first, const char *key, const void *messages, size_t count)
{
    const ProtobufCMessage *const *all = messages;
    add_key(json, first, key);
    text_add_char(json, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_add_char(json, ',');
        (void)json_add_message(json, all[i]);
    }
    text_add_char(json, ']');
}

static void add_identity(struct text *json, bool *first, const struct restore_item *item)
{
    add_string(json, first, "writer", item->writer_name);
    add_string(json, first, "writerId", item->writer_id);
    add_string(
        json, first, "type",
        enum_name(&shadowpipe__v1__component_type__descriptor, (int)item->saved->type, "COMPONENT_TYPE_"));
    add_string(json, first, "logicalPath", item->saved->logical_path);
    add_string(json, first, "name", item->saved->name);
}

static void add_method(struct text *json, bool *first, const struct restore_item *item)
{
    const PB(RestoreMethod) *method = item->metadata ? item->metadata->restore_method : NULL;
    add_string(json, first, "restoreMethod", method_name(item));
    add_string(json, first, "service", method ? method->service : "");
    add_string(json, first, "userProcedure", method ? method->user_procedure : "");
    add_bool(json, first, "rebootRequired", method && method->reboot_required);
    add_bool(json, first, "atReboot", item->at_reboot);
}

static void add_file_set(struct text *json, const struct restore_files *files)
{
    bool first = true;
    text_add_char(json, '{');
    add_string(json, &first, "path", files->path);
    add_string(json, &first, "filespec", files->declared->filespec);
    add_bool(json, &first, "recursive", files->declared->recursive);
    add_string(json, &first, "role",
               enum_name(&shadowpipe__v1__file_role__descriptor, (int)files->role, "FILE_ROLE_"));
    add_string(json, &first, "targetPath", files->target);
    add_string(json, &first, "alternatePath", files->alternate ? files->alternate : "");
    add_string(json, &first, "componentLogicalPath", files->component->logical_path);
    add_string(json, &first, "componentName", files->component->name);
    text_add_char(json, '}');
}

static void add_file_sets(struct text *json, bool *first, const struct restore_item *item)
{
    add_key(json, first, "files");
    text_add_char(json, '[');
    for (size_t i = 0; i < item->files_count; i++) {
        if (i)
            text_add_char(json, ',');
        add_file_set(json, &item->files[i]);
    }
    text_add_char(json, ']');
}

static void add_report_item(struct text *json, const struct restore_item *item)
{
    bool first = true;
    text_add_char(json, '{');
    add_identity(json, &first, item);
    add_bool(json, &first, "possible", item->problems_count == 0 && !item->skipped);
    add_bool(json, &first, "leftOut", item->skipped);
    add_bool(json, &first, "writerRuns", item->running != NULL);
    add_bool(json, &first, "declared", item->declared != NULL);
    add_method(json, &first, item);
    add_file_sets(json, &first, item);
    add_string_list(json, &first, "problems", item->problems, item->problems_count);
    add_string_list(json, &first, "notes", item->notes, item->notes_count);
    text_add_char(json, '}');
}

void restore_report_json(struct text *json, const struct restore_plan *plan)
{
    text_add_char(json, '[');
    for (size_t i = 0; i < plan->count; i++) {
        if (i)
            text_add_char(json, ',');
        add_report_item(json, &plan->items[i]);
    }
    text_add_char(json, ']');
}

static void add_manifest_item(struct text *json, const struct restore_item *item)
{
    const PB(BackupComponent) *saved = item->saved;
    bool first = true;
    text_add_char(json, '{');
    add_identity(json, &first, item);
    add_method(json, &first, item);
    add_string(json, &first, "restoreTarget", target_name(saved->restore_target));
    add_bool(json, &first, "backupSucceeded", saved->backup_succeeded);
    add_string(json, &first, "backupStamp", saved->backup_stamp);
    add_string(json, &first, "previousBackupStamp", saved->previous_backup_stamp);
    add_string(json, &first, "backupMetadata", saved->backup_metadata);
    add_string(json, &first, "backupOptions", saved->backup_options);
    add_string(json, &first, "restoreMetadata", saved->restore_metadata);
    add_string(json, &first, "restoreOptions", saved->restore_options);
    add_string(json, &first, "restoreName", saved->restore_name);
    add_file_sets(json, &first, item);
    add_messages(json, &first, "directedTargets", saved->directed_targets, saved->n_directed_targets);
    add_messages(json, &first, "partialFiles", saved->partial_files, saved->n_partial_files);
    add_messages(json, &first, "differencedFiles", saved->differenced_files, saved->n_differenced_files);
    text_add_char(json, '}');
}

void restore_manifest(struct text *json, const struct restore_plan *plan, const char *document,
                      bool simulated)
{
    bool first = true;
    bool first_item = true;
    text_add_char(json, '{');
    add_key(json, &first, "version");
    text_add_char(json, '1');
    add_string(json, &first, "document", document);
    add_bool(json, &first, "simulated", simulated);
    add_key(json, &first, "components");
    text_add_char(json, '[');
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->items[i].skipped)
            continue;
        if (!first_item)
            text_add_char(json, ',');
        first_item = false;
        add_manifest_item(json, &plan->items[i]);
    }
    text_add(json, "]}\n");
}
