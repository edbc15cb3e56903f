/* exec: a program with the copies' paths and the aliases in its environment. */
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/places.h"
#include "client/cli/runner.h"
#include "client/cli/shell.h"
#include "client/cli/terminal.h"
#include "client/lib/wide.h"
#include "client/lib/error.h"

/* ---- environment ---- */

bool shell_variable(const char *name, struct text *value)
{
    wchar_t *wide_name = wide_from_utf8(name);
    DWORD chars = wide_name ? GetEnvironmentVariableW(wide_name, NULL, 0) : 0;
    wchar_t *wide_value = chars ? malloc(chars * sizeof *wide_value) : NULL;
    DWORD length = wide_value ? GetEnvironmentVariableW(wide_name, wide_value, chars) : chars;
    char *utf8 = wide_value && length < chars ? utf8_from_wide(wide_value) : NULL;
    if (utf8)
        text_add(value, utf8);
    free(wide_name);
    free(wide_value);
    free(utf8);
    return utf8 != NULL;
}

/* What the aliases stand in front of, to be put back. */
struct hidden {
    struct strings values; /* in the order of the aliases */
    bool *there;
};

static void show_again(const struct shell *shell, struct hidden *hidden)
{
    bool ok;
    for (size_t i = 0; i < hidden->values.count; i++)
        runner_set_variable(&ok, shell->aliases.items[i].name,
                            hidden->there[i] ? hidden->values.items[i] : NULL);
    strings_clear(&hidden->values);
    free(hidden->there);
    hidden->there = NULL;
}

static bool hide_behind_aliases(const struct shell *shell, struct hidden *hidden)
{
    memset(hidden, 0, sizeof *hidden);
    hidden->there = calloc(shell->aliases.count + 1, sizeof *hidden->there);
    bool ok = hidden->there != NULL;
    for (size_t i = 0; ok && i < shell->aliases.count; i++) {
        const struct alias *alias = &shell->aliases.items[i];
        struct text value = {0};
        hidden->there[i] = shell_variable(alias->name, &value);
        ok = !value.failed && strings_add(&hidden->values, text_string(&value));
        if (ok)
            runner_set_variable(&ok, alias->name, alias->value);
        text_free(&value);
    }
    return ok;
}

/* The copies as `run` shows them. */
static bool set_places(const struct shell *shell)
{
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(Snapshot) * snapshots[VOLUMES_MAX];
    struct places places = {.reply = &reply};
    bool ok = runner_clear_variables();
    reply.set_id = (char *)shell->set_id;
    reply.volumes = snapshots;
    for (size_t i = 0; i < shell->volumes_count; i++) {
        if (shell->volumes[i].properties)
            snapshots[reply.n_volumes++] =
                shell->volumes[i].properties->envelope->call_reply->get_snapshot_properties->snapshot;
    }
    return places_environment(&places, runner_set_variable, &ok) && ok;
}

/* ---- running ---- */

static bool judge(struct shell *shell, const char *name, const struct result *result, struct sp_error **error)
{
    shell_json_name(shell, "program");
    runner_add_json(&shell->json, result);
    if (result->lost)
        error_give(error, error_create(SP_UNAVAILABLE, "CONNECTION_LOST", "See whether the service runs.",
                                       "The service ended the connection while the program ran."));
    else if (!result->succeeded)
        error_give(error,
                   error_create(SP_ABORTED, "PROGRAM_FAILED", "", "The program \"%s\" ended with code %lu.",
                                name, (unsigned long)result->exit_code));
    return result->succeeded && !result->lost;
}

bool shell_exec(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    static const struct runner runner = {
        .what = "command",
        .lost = "shadowpipe: The service ended the connection: volatile shadow copies are gone, and what the "
                "program still reads of them fails.\n"};
    struct hidden hidden;
    struct result result = {.ran = false};
    bool ok = hide_behind_aliases(shell, &hidden) && set_places(shell);
    if (!ok)
        error_give(error,
                   error_create(SP_INTERNAL, "WIN32", "", "The environment of the program cannot be set."));
    ok = ok && runner_run(&runner, shell->session, words, count, &result, error);
    terminal_take_interrupts_back();
    show_again(shell, &hidden);
    return ok && judge(shell, words[0], &result, error);
}
