#include "client/cli/runner.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/child.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

enum {
    LOOK_MS = 500
};

/* ---- environment ---- */

void runner_set_variable(void *context, const char *name, const char *value)
{
    bool *ok = context;
    wchar_t *wide_name = wide_from_utf8(name);
    wchar_t *wide_value = value ? wide_from_utf8(value) : NULL;
    if (!wide_name || (value && !wide_value) || !SetEnvironmentVariableW(wide_name, wide_value))
        *ok = false;
    free(wide_name);
    free(wide_value);
}

bool runner_clear_variables(void)
{
    wchar_t *all = GetEnvironmentStringsW();
    bool ok = all != NULL;
    for (const wchar_t *at = all; at && *at; at += wcslen(at) + 1) {
        char *variable = utf8_from_wide(at);
        char *equals = variable ? strchr(variable, '=') : NULL;
        if (equals) {
            *equals = 0;
            if (starts_ignoring_case(variable, "SHADOWPIPE_") &&
                !equal_ignoring_case(variable, "SHADOWPIPE_PIPE"))
                runner_set_variable(&ok, variable, NULL);
        }
        free(variable);
    }
    if (all)
        FreeEnvironmentStringsW(all);
    return ok;
}

/* ---- running ---- */

bool runner_not_interrupted(struct sp_error **error)
{
    if (WaitForSingleObject(terminal_interrupted(), 0) != WAIT_OBJECT_0)
        return true;
    error_give(error, error_create(SP_CANCELLED, "CANCELLED", "",
                                   "The command was interrupted before the program had started."));
    return false;
}

static void wait_for_program(const struct runner *runner, struct session *session, const struct child *child,
                             struct result *result)
{
    while (!child_wait(child, LOOK_MS, &result->exit_code)) {
        if (!result->lost && !session_is_whole(session)) {
            result->lost = true;
            terminal_complain(runner->lost);
        }
    }
    result->ran = true;
}

static void judge(const struct runner *runner, const struct arguments *arguments, bool is_robocopy,
                  struct result *result)
{
    static const struct code_list zero = {.ranges = {{0, 0}}, .count = 1};
    static const struct code_list robocopy = {.ranges = {{0, 7}}, .count = 1};
    const struct code_list *ok = arguments->ok_codes ? &arguments->ok : is_robocopy ? &robocopy : &zero;
    result->warned = codes_contain(&arguments->warn, result->exit_code);
    result->succeeded = result->warned || codes_contain(ok, result->exit_code);
    bool interrupted = WaitForSingleObject(terminal_interrupted(), 0) == WAIT_OBJECT_0;
    if (interrupted)
        result->succeeded = false;
    if (!result->succeeded)
        terminal_note("the program %s with code %lu: the %s counts as failed.",
                      interrupted ? "was interrupted and ended" : "ended", (unsigned long)result->exit_code,
                      runner->what);
    else if (result->warned)
        terminal_note("Warning: the program ended with code %lu.", (unsigned long)result->exit_code);
}

bool runner_run(const struct runner *runner, struct session *session, char **program, size_t count,
                struct result *result, struct sp_error **error)
{
    struct program prepared = {0};
    struct child child;
    bool ok = program_prepare(&prepared, program, count, error) && runner_not_interrupted(error) &&
              child_start(&child, &prepared, session->arguments->json ? CHILD_OUTPUT_TO_ERROR : 0, error);
    if (ok) {
        terminal_leave_interrupts_to_child();
        wait_for_program(runner, session, &child, result);
        child_free(&child);
        judge(runner, session->arguments, prepared.is_robocopy, result);
    }
    program_free(&prepared);
    return ok;
}

bool runner_finds(char **program, struct sp_error **error)
{
    struct program prepared;
    bool found = program_prepare(&prepared, program, 1, error);
    if (found)
        program_free(&prepared);
    return found;
}

void runner_add_json(struct text *json, const struct result *result)
{
    text_format(json, "{\"exitCode\":%lu,\"succeeded\":%s,\"warned\":%s}", (unsigned long)result->exit_code,
                result->succeeded ? "true" : "false", result->warned ? "true" : "false");
}
