/* shadowpipe.exe: reads the command line and runs the command. */
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <shellapi.h>

#include "client/cli/command.h"
#include "client/cli/guard.h"
#include "client/cli/terminal.h"
#include "client/cli/thaw.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

/* The arguments behind the program's name in UTF-8, not expanded: "X:\*" is for the program that gets it. */
static char **read_arguments(size_t *count)
{
    int total = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &total);
    char **arguments = wide ? calloc((size_t)total + 1, sizeof *arguments) : NULL;
    *count = 0;
    for (int i = 1; arguments && i < total; i++) {
        arguments[*count] = utf8_from_wide(wide[i]);
        if (!arguments[*count])
            exit(OUTCOME_FAILED);
        (*count)++;
    }
    LocalFree(wide);
    return arguments;
}

/* What ends this program before a command has begun. */
static int own_failure(const struct arguments *arguments, enum outcome outcome)
{
    bool runs =
        arguments->command == COMMAND_RUN || (arguments->command == COMMAND_RESTORE && !arguments->rehearse);
    return runs ? OUTCOME_RUN_OFFSET + (int)outcome : (int)outcome;
}

/* The command line may be wrong before --json is reached. */
static bool wants_json(char **argv, size_t count)
{
    for (size_t i = 0; i < count && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

static int usage(const struct arguments *arguments, bool json, const struct text *problem)
{
    struct text text = {0};
    const char *command = args_command_name(arguments->command);
    text_format(&text, "see shadowpipe %s%s--help.", command, *command ? " " : "");
    struct sp_error *error =
        error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", text_string(&text), "%s", text_string(problem));
    text_clear(&text);
    text_format(&text, "shadowpipe: %s\n  What to do: %s\n", error->message, error->advice);
    terminal_complain(text_string(&text));
    text_clear(&text);
    if (json) {
        error_to_json(&text, error);
        text_add(&text, "\n");
        (void)terminal_print(&text); /* the exit code says it, too */
    }
    text_free(&text);
    sp_error_free(error);
    return own_failure(arguments, OUTCOME_USAGE);
}

static int print_help(const struct arguments *arguments)
{
    struct text text = {0};
    if (arguments->help)
        args_help(arguments->command, &text);
    else
        text_add(&text, "shadowpipe " SP_VERSION "\n");
    bool ok = terminal_print(&text);
    text_free(&text);
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* What carries a command out: with the exit codes of this program, or of the program that it runs. */
static const struct {
    enum command_id id;
    enum outcome (*command)(struct session *session);
    int (*runner)(struct session *session);
} carriers[] = {
    /* clang-format off */
    {COMMAND_STATUS, command_status, NULL},
    {COMMAND_WRITERS, command_list, NULL},
    {COMMAND_VOLUMES, command_list, NULL},
    {COMMAND_PROVIDERS, command_list, NULL},
    {COMMAND_SNAPSHOT, command_snapshot, NULL},
    {COMMAND_RUN, NULL, command_run},
    {COMMAND_WATCH, command_watch, NULL},
    {COMMAND_SESSION, command_session, NULL},
    {COMMAND_CHECK, command_check, NULL},
    {COMMAND_ATTACH, command_attach, NULL},
    {COMMAND_LIST, command_stored, NULL},
    {COMMAND_DELETE, command_delete, NULL},
    {COMMAND_EXPOSE, command_expose, NULL},
    {COMMAND_UNEXPOSE, command_unexpose, NULL},
    {COMMAND_BREAK, command_break, NULL},
    {COMMAND_IMPORT, command_import, NULL},
    {COMMAND_REVERT, command_revert, NULL},
    {COMMAND_RESTORE, NULL, command_restore},
    {COMMAND_LEASES, command_leases, NULL},
    {COMMAND_RENEW, command_renew, NULL},
    {COMMAND_FINISH, command_finish, NULL},
    /* clang-format on */
};

static int carry_out(struct session *session)
{
    for (size_t i = 0; i < ARRAYSIZE(carriers); i++) {
        if (carriers[i].id == session->arguments->command)
            return carriers[i].runner ? carriers[i].runner(session) : (int)carriers[i].command(session);
    }
    return OUTCOME_FAILED;
}

static int run_command(const struct arguments *arguments)
{
    struct session session = {.arguments = arguments, .deadline = UINT64_MAX};
    if (arguments->timeout_ms)
        session.deadline = GetTickCount64() + arguments->timeout_ms;
    session.cancel = sp_cancel_create();
    if (!session.cancel || !terminal_catch_interrupts(session.cancel)) {
        terminal_complain("shadowpipe: There is not enough memory.\n");
        return own_failure(arguments, OUTCOME_FAILED);
    }
    int code = carry_out(&session);
    sp_close(session.client);
    terminal_done();
    return code; /* the cancel object stays: an interrupt may still come */
}

int wmain(void);

int wmain(void)
{
    size_t count;
    char **argv = read_arguments(&count);
    struct arguments arguments;
    struct text problem = {0};
    int code;
    if (!argv)
        return OUTCOME_FAILED;
    SetErrorMode(SEM_FAILCRITICALERRORS);
    if (count == 1 && strcmp(argv[0], "--guard") == 0)
        code = guard_main();
    else if (count == 1 && strcmp(argv[0], "--thaw") == 0)
        code = thaw_main();
    else if (!args_parse(count, argv, &arguments, &problem))
        code = usage(&arguments, wants_json(argv, count), &problem);
    else if (arguments.help || arguments.version)
        code = print_help(&arguments);
    else {
        terminal_set_quiet(arguments.quiet);
        code = run_command(&arguments);
    }
    text_free(&problem);
    for (size_t i = 0; i < count; i++)
        free(argv[i]);
    free(argv);
    return code;
}
