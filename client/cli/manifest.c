#include "client/cli/manifest.h"

#include <string.h>

#include "client/cli/json.h"

static void add_string(struct text *text, const char *name, const char *value)
{
    text_format(text, "\"%s\":", name);
    json_add_string(text, value);
    text_add_char(text, ',');
}

static const char *role_word(enum sp_file_role role)
{
    switch (role) {
    case SP_FILE_GROUP:
        return "file-group";
    case SP_FILE_DATABASE:
        return "database";
    case SP_FILE_LOG:
        return "log";
    case SP_FILE_EXCLUDED:
        return "excluded";
    default:
        return "unknown";
    }
}

static void add_files(struct manifest *manifest, const struct sp_component *component,
                      const struct sp_files *files)
{
    struct text *text = &manifest->text;
    struct text shadow = {0};
    places_shorten(manifest->places, files->shadow_path, &shadow);
    text_add_char(text, '{');
    add_string(text, "original", files->path);
    add_string(text, "shadow", text_string(&shadow));
    add_string(text, "filespec", files->filespec);
    text_format(text, "\"recursive\":%s,", files->recursive ? "true" : "false");
    add_string(text, "role", role_word(files->role));
    text_format(text, "\"backupTypeMask\":%u,", (unsigned)files->backup_type_mask);
    if (*files->alternate_path)
        add_string(text, "alternate", files->alternate_path);
    add_string(text, "writer", component->writer_name);
    add_string(text, "writerId", component->writer_id);
    add_string(text, "instanceId", component->writer_instance_id);
    add_string(text, "logicalPath", component->logical_path);
    add_string(text, "component", component->name);
    text_format(text, "\"implied\":%s}\n", component->implied ? "true" : "false");
    text->failed = text->failed || shadow.failed;
    text_free(&shadow);
}

void manifest_add(void *context, const struct sp_component *component)
{
    struct manifest *manifest = context;
    for (size_t i = 0; i < component->files_count; i++)
        add_files(manifest, component, &component->files[i]);
    if (*component->left_out)
        text_format(&manifest->incomplete, "%s%s:%s%s%s", manifest->incomplete.size ? ", " : "",
                    component->writer_name, component->logical_path, *component->logical_path ? "\\" : "",
                    component->name);
}
