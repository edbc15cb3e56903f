/* What a session is told before it does anything: context, options, writers, aliases. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/script.h"
#include "client/cli/shell.h"

/* These are fixed once the object is there. */
static bool may_set(const struct shell *shell, struct sp_error **error)
{
    return shell->stage == STAGE_CLOSED ||
           shell_wrong(error, "Set it before \"begin backup\" and \"create\", or \"reset\" first.",
                       "A backup or restore is open already.");
}

/* ---- context and options ---- */

/* VSS_SNAPSHOT_CONTEXT, each with writers and without. */
static const struct {
    const char *word;
    const char *variation; /* NULL: the word alone */
    uint32_t context;
} contexts[] = {
    {"volatile", NULL, 0x00},
    {"volatile", "nowriters", 0x10},
    {"persistent", NULL, 0x09},
    {"persistent", "nowriters", 0x19},
    {"clientaccessible", NULL, 0x1D},
    {"clientaccessible", "nowriters", 0x1D},
    {"clientaccessible", "writers", 0x0D},
};

bool shell_set_context(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    const char *variation = count == 2 ? words[1] : NULL;
    if (!may_set(shell, error))
        return false;
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        const char *wanted = contexts[i].variation;
        bool same = wanted && variation ? equal_ignoring_case(wanted, variation) : wanted == variation;
        if (same && equal_ignoring_case(contexts[i].word, words[0])) {
            shell->context = contexts[i].context;
            return true;
        }
    }
    return shell_wrong(
        error, "set context {volatile [nowriters] | persistent [nowriters] | clientaccessible [writers]}",
        "There is no context \"%s%s%s\".", words[0], variation ? " " : "", variation ? variation : "");
}

/* VSS_VOLUME_SNAPSHOT_ATTRIBUTES */
static const struct word_value options[] = {
    {"differential", 0x20000},
    {"plex", 0x40000},
    {"transportable", VSS_ATTRIBUTE_TRANSPORTABLE},
    {"rollbackrecover", 0x800000},
    {"txfrecover", 0x2000000},
    {"noautorecover", 0x2},
    {"notsurfaced", 0x40},
    {"delayedpostsnapshot", 0x1000000},
};

/* Of each row not more than one side. */
static const struct {
    uint32_t one;
    uint32_t other;
} contradictions[] = {{0x20000, 0x40000}, {0x2, 0x800000 | 0x2000000}};

bool shell_set_option(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    uint32_t bits = 0;
    if (!may_set(shell, error))
        return false;
    if (count == 1 && equal_ignoring_case(words[0], "none")) {
        shell->options = 0;
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        const struct word_value *option = FIND_WORD(options, words[i]);
        if (!option)
            return shell_wrong(error, "\"help set option\" shows what there is.",
                               "There is no option \"%s\".", words[i]);
        bits |= option->value;
    }
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        if ((bits & contradictions[i].one) && (bits & contradictions[i].other))
            return shell_wrong(error, "", "These options contradict each other.");
    }
    shell->options = bits;
    return true;
}

/* VSS_BACKUP_TYPE */
static const struct word_value types[] = {{"full", VSS_TYPE_FULL}, {"incremental", 2},
                                          {"differential", 3},     {"log", 4},
                                          {"copy", VSS_TYPE_COPY}, {"other", 6}};

bool shell_set_type(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    const struct word_value *type = FIND_WORD(types, words[0]);
    bool bootable = false;
    bool partial = false;
    if (!may_set(shell, error))
        return false;
    for (size_t i = 1; i < count; i++) {
        bootable = bootable || equal_ignoring_case(words[i], "bootable");
        partial = partial || equal_ignoring_case(words[i], "partialfiles");
        if (!equal_ignoring_case(words[i], "bootable") && !equal_ignoring_case(words[i], "partialfiles"))
            type = NULL;
    }
    if (!type)
        return shell_wrong(error,
                           "set backup type {copy | full | incremental | differential | log | other} "
                           "[bootable] [partialfiles]",
                           "There is no such backup type.");
    shell->backup_type = type->value;
    shell->type_is_set = true;
    shell->bootable = bootable;
    shell->partial_files = partial;
    return true;
}

/* VSS_RESTORE_TYPE */
static const struct word_value restore_types[] = {
    {"undefined", 0}, {"bycopy", 1}, {"import", 2}, {"other", 3}};

bool shell_set_restore_type(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    const struct word_value *type = FIND_WORD(restore_types, words[0]);
    (void)count;
    if (!type)
        return shell_wrong(error, "set restore type {bycopy | import | other | undefined}",
                           "There is no restore type \"%s\".", words[0]);
    if (!may_set(shell, error))
        return false;
    shell->restore_type = type->value;
    return true;
}

bool shell_set_metadata(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    char *copy = strdup(words[0]);
    if (!copy)
        return shell_no_memory(error);
    free(shell->metadata_file);
    shell->metadata_file = copy;
    return true;
}

bool shell_set_verbose(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    bool on = equal_ignoring_case(words[0], "on");
    if (!on && !equal_ignoring_case(words[0], "off"))
        return shell_wrong(error, "set verbose {on | off}", "\"%s\" is not understood.", words[0]);
    shell->verbose = on;
    return true;
}

bool shell_set_errors(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    bool go_on = equal_ignoring_case(words[0], "continue");
    if (!go_on && !equal_ignoring_case(words[0], "stop"))
        return shell_wrong(error, "set onerror {stop | continue}", "\"%s\" is not understood.", words[0]);
    shell->go_on_after_errors = go_on;
    return true;
}

/* ---- writers ---- */

static bool add_spec(struct strings *strings, char **words, size_t count, struct sp_error **error)
{
    struct text spec = {0};
    words_join(words, count, &spec);
    bool ok = !spec.failed && strings_add(strings, text_string(&spec));
    text_free(&spec);
    return ok || shell_no_memory(error);
}

bool shell_writer_verify(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    return add_spec(&shell->verified, words, count, error);
}

/* Once the writers were asked, one can be left out only by taking none of its components. */
bool shell_writer_exclude(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool by_component =
        shell->stage == STAGE_OPEN && !shell->state_is_set && shell->backup_type != VSS_TYPE_COPY;
    bool may = by_component || shell->stage == STAGE_RESTORING || may_set(shell, error);
    return may && add_spec(&shell->excluded, words, count, error);
}

bool shell_add_component(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct text spec = {0};
    words_join(words, count, &spec);
    bool is_component = spec_names_component(text_string(&spec));
    text_free(&spec);
    if (!is_component)
        return shell_wrong(error, "Write WRITER:\\LOGICAL PATH\\NAME.", "This does not name a component.");
    if (shell->stage >= STAGE_CREATED)
        return shell_wrong(error, "\"reset\" first.", "A set was created already.");
    return add_spec(&shell->added, words, count, error);
}

/* ---- aliases ---- */

bool shell_add_alias(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    char *value = spec_copy(words[1]);
    bool ok = value ? shell_set_alias(shell, words[0], value, error) : shell_no_memory(error);
    free(value);
    return ok;
}

/* add: what has been added so far. */
bool shell_add(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    if (count > 0)
        return shell_wrong(error, "add {volume | component | alias | shadow} ...", "\"%s\" cannot be added.",
                           words[0]);
    shell_json_name(shell, "volumes");
    text_add(&shell->json, "[");
    for (size_t i = 0; i < shell->volumes_count; i++) {
        text_format(&shell->text, "volume %s\n", shell->volumes[i].name);
        text_add(&shell->json, i ? "," : "");
        json_add_string(&shell->json, shell->volumes[i].name);
    }
    text_add(&shell->json, "]");
    shell_json_name(shell, "aliases");
    text_add(&shell->json, "{");
    for (size_t i = 0; i < shell->aliases.count; i++) {
        const struct alias *alias = &shell->aliases.items[i];
        text_format(&shell->text, "alias %s = %s\n", alias->name, alias->value);
        text_add(&shell->json, i ? "," : "");
        json_add_string(&shell->json, alias->name);
        text_add(&shell->json, ":");
        json_add_string(&shell->json, alias->value);
    }
    text_add(&shell->json, "}");
    return true;
}
