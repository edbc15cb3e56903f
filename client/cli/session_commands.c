/* The table of a session's commands. */
#include <string.h>

#include "client/cli/call_text.h"
#include "client/cli/shell.h"

static const struct shell_command {
    const char *name; /* words, separated by one blank */
    shell_handler *handler;
    const char *parameters;
    const char *help;
    unsigned least; /* words behind the name */
    unsigned most;
} commands[] = {
    {"set context", shell_set_context,
     "{volatile [nowriters] | persistent [nowriters] | clientaccessible [writers]}",
     "whose copies, and how long they live (volatile)", 1, 2},
    {"set option", shell_set_option,
     "{[differential | plex] [transportable] [rollbackrecover] [txfrecover] | noautorecover | notsurfaced | "
     "delayedpostsnapshot | none}",
     "further properties of the copies", 1, 8},
    {"set backup type", shell_set_type,
     "{copy | full | incremental | differential | log | other} [bootable] [partialfiles]",
     "what the writers are told (copy; full from \"begin backup\" on)", 1, 3},
    {"set restore type", shell_set_restore_type, "{bycopy | import | other | undefined}",
     "what the writers are told of a restore", 1, 1},
    {"set metadata", shell_set_metadata, "FILE",
     "where \"create\" and \"end backup\" save the Backup Components Document", 1, 1},
    {"set verbose", shell_set_verbose, "{on | off}", "show each call of VSS and its result", 1, 1},
    {"set onerror", shell_set_errors, "{stop | continue}",
     "what a script does after a command that failed (stop)", 1, 1},
    {"set file status", shell_set_file_status, "{all | none | failed} COMPONENT",
     "in a restore: whether the component's files came back", 2, 512},
    {"load metadata", shell_load_metadata, "FILE", "the document that import, restore and resync go by", 1,
     1},
    {"save document", shell_save_document, "FILE [writer WRITER]",
     "write the Backup Components Document, or a writer's metadata", 1, 512},
    {"save variables", shell_save_variables, "FILE",
     "write a batch file that sets the variables of the copies", 1, 1},
    {"writer verify", shell_writer_verify, "{WRITER | COMPONENT}", "fail unless it is included", 1, 512},
    {"writer exclude", shell_writer_exclude, "{WRITER | COMPONENT}", "leave it out", 1, 512},
    {"add volume", shell_add_volume, "VOLUME [alias NAME] [provider ID]", "take this volume into the set", 1,
     5},
    {"add component", shell_add_component, "COMPONENT",
     "back up this component, and only such: WRITER:\\LOGICAL PATH\\NAME", 1, 512},
    {"add alias", shell_add_alias, "NAME VALUE", "%NAME% stands for VALUE from now on", 2, 2},
    {"add shadow", shell_add_shadow, "ID [VOLUME]", "a copy for \"resync\", and the volume to put it on", 1,
     2},
    {"add", shell_add, "", "show what was added", 0, 1},
    {"begin backup", shell_begin_backup, "", "a full backup, by components: opens VSS and asks the writers",
     0, 0},
    {"create", shell_create, "", "make the shadow copies", 0, 0},
    {"end backup", shell_end_backup, "", "tell the writers that the backup succeeded", 0, 0},
    {"exec", shell_exec, "PROGRAM [ARGUMENT ...]",
     "run a program; it fails if the program's exit code is not 0", 1, 512},
    {"reset", shell_reset, "", "forget everything, and release VSS and with it volatile copies", 0, 0},
    {"list writers", shell_list_writers, "[metadata | detailed | status]", "the writers (metadata)", 0, 1},
    {"list shadows", shell_list_shadows, "[all | set ID | id ID]", "the shadow copies (all)", 0, 2},
    {"list providers", shell_list_providers, "", "what makes copies", 0, 0},
    {"list volumes", shell_list_volumes, "", "the volumes, and which can be copied", 0, 0},
    {"delete shadows", shell_delete, "{all | volume V | oldest V | set ID | id ID | exposed PLACE}",
     "delete shadow copies", 0, 2},
    {"import", shell_import, "", "bring in the transportable copies of the loaded document", 0, 0},
    {"mask", shell_mask, "SETID", "take imported hardware copies away from this machine", 1, 1},
    {"break", shell_break, "[writable] [mask] [forcerevert | norevert] SETID",
     "make hardware copies volumes of their own", 1, 5},
    {"expose", shell_expose, "ID {X: | FOLDER | SHARE [PATH]}", "show a persistent copy to everybody", 2, 3},
    {"unexpose", shell_unexpose, "{ID | X: | FOLDER | SHARE}", "the opposite", 1, 1},
    {"revert", shell_revert, "ID --yes [force]", "put the whole volume back to the copy", 1, 3},
    {"resync", shell_resync, "[novolcheck] [revert_originalsig]",
     "put LUNs back to the copies of \"add shadow\"", 0, 2},
    {"begin restore", shell_begin_restore, "[manual]",
     "select all that the document has and call PreRestore; with manual only open it", 0, 1},
    {"select component", shell_select, "{COMPONENT | all}", "in a manual restore", 1, 512},
    {"pre restore", shell_pre_restore, "", "in a manual restore: PreRestore", 0, 0},
    {"post restore", shell_post_restore, "", "PostRestore, without ending the restore", 0, 0},
    {"end restore", shell_end_restore, "", "PostRestore if it is due, and the end", 0, 0},
    {"simulate restore", shell_simulate_restore, "", "see whether the writers of the document are there", 0,
     0},
    {"call", shell_call, "METHOD [KEY=VALUE ...]",
     "any method of IVssBackupComponents; prints its reply as JSON", 1, 512},
    {"help", shell_show_help, "[COMMAND | call METHOD]", "this list, or a part of it", 0, 3},
    {"?", shell_show_help, "", "the same", 0, 3},
    {"exit", shell_exit, "", "end the session: what is open is closed, volatile copies go", 0, 0},
    {"quit", shell_exit, "", "the same", 0, 0},
};

enum {
    COMMANDS_COUNT = sizeof commands / sizeof *commands
};

/* How many words the name has if the line begins with it; 0: it does not. */
static size_t begins_with(char *const *words, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(name, " ");
        if (strlen(words[i]) != length || !starts_ignoring_case(name, words[i]))
            return 0;
        if (!name[length])
            return i + 1;
        name += length + 1;
    }
    return 0;
}

static const struct shell_command *find(char *const *words, size_t count, size_t *used)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        *used = begins_with(words, count, commands[i].name);
        if (*used > 0)
            return &commands[i];
    }
    return NULL;
}

static void add_help(struct text *text, const struct shell_command *command)
{
    text_format(text, "  %s%s%s\n", command->name, *command->parameters ? " " : "", command->parameters);
    text_format(text, "      %s\n", command->help);
}

bool shell_help(char *const *words, size_t count, struct text *text)
{
    size_t found = 0;
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const char *name = commands[i].name;
        bool same = true;
        for (size_t n = 0; same && n < count; n++) {
            size_t length = strcspn(name, " ");
            same = strlen(words[n]) == length && starts_ignoring_case(name, words[n]);
            name += length + (name[length] ? 1 : 0);
        }
        if (same) {
            add_help(text, &commands[i]);
            found++;
        }
    }
    return found > 0;
}

bool shell_show_help(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool calls = count > 0 && equal_ignoring_case(words[0], "call");
    bool known = calls ? call_text_list(count > 1 ? words[1] : NULL, &shell->text)
                       : shell_help(words, count, &shell->text);
    if (!known)
        return shell_wrong(error, "\"help\" lists the commands, \"help call\" the methods.",
                           "There is no such command.");
    shell_json(shell, "help", text_string(&shell->text));
    return true;
}

bool shell_exit(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    (void)error;
    shell->leaving = true;
    return true;
}

bool shell_run(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    size_t used;
    const struct shell_command *command = find(words, count, &used);
    if (!command)
        return shell_wrong(error, "\"help\" lists the commands.", "There is no command \"%s%s%s\".", words[0],
                           count > 1 ? " " : "", count > 1 ? words[1] : "");
    size_t left = count - used;
    if (left < command->least || left > command->most) {
        struct text usage = {0};
        text_format(&usage, "%s %s", command->name, command->parameters);
        (void)shell_wrong(error, text_string(&usage), "\"%s\" has too %s parameters.", command->name,
                          left < command->least ? "few" : "many");
        text_free(&usage);
        return false;
    }
    return command->handler(shell, words + used, left, error);
}
