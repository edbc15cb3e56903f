/* session: reads lines, runs them, and closes what is open at the end, whatever the end is. */
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/display.h"
#include "client/cli/json.h"
#include "client/cli/script.h"
#include "client/cli/script_source.h"
#include "client/cli/shell.h"
#include "client/cli/terminal.h"
#include "client/lib/wide.h"
#include "client/lib/error.h"

static const char PROMPT[] = "shadowpipe> ";

/* ---- output ---- */

/* A copy of what is shown, for --log. Losing it is no reason to stop a backup. */
static void write_log(const struct shell *shell, const char *string)
{
    DWORD written;
    if (shell->log)
        (void)WriteFile(shell->log, string, (DWORD)strlen(string), &written, NULL);
}

static void show(struct shell *shell, const struct text *text, enum outcome *outcome)
{
    write_log(shell, text_string(text));
    if (text->size == 0 || terminal_print(text))
        return;
    terminal_complain("shadowpipe: The result could not be written to standard output.\n");
    *outcome = OUTCOME_FAILED;
    shell->leaving = true;
}

/* The members of {"error":{…}}, without the braces around them. */
static void add_error(struct text *line, const struct sp_error *error)
{
    struct text json = {0};
    error_to_json(&json, error);
    if (json.size > 2)
        text_add_bytes(line, json.data + 1, json.size - 2);
    text_free(&json);
}

/* {"line":3,"command":"create","ok":true,…} */
static void show_json(struct shell *shell, unsigned number, const char *command, const struct sp_error *error,
                      enum outcome *outcome)
{
    struct text line = {0};
    text_format(&line, "{\"line\":%u,\"command\":", number);
    json_add_string(&line, command);
    text_format(&line, ",\"ok\":%s", error ? "false" : "true");
    if (shell->json.size > 0)
        text_format(&line, ",%s", text_string(&shell->json));
    if (error) {
        text_add(&line, ",");
        add_error(&line, error);
    }
    text_add(&line, "}\n");
    show(shell, &line, outcome);
    text_free(&line);
}

static void complain(struct shell *shell, unsigned number, const struct sp_error *error)
{
    struct text text = {0};
    if (!shell->interactive)
        text_format(&text, "shadowpipe: Line %u failed.\n", number);
    display_error(&text, error);
    write_log(shell, text_string(&text));
    terminal_complain(text_string(&text));
    text_free(&text);
}

static enum outcome outcome_of_error(const struct sp_error *error)
{
    return outcome_of((uint32_t)error->code, error->reason, error->hresult != 0 || error->writers_count > 0);
}

/* ---- one line ---- */

static bool interrupted(void)
{
    return WaitForSingleObject(terminal_interrupted(), 0) == WAIT_OBJECT_0;
}

/* Whether the session goes on after a command that failed. */
static bool goes_on(const struct shell *shell, bool may_fail)
{
    if (sp_wait_closed(shell->session->client, 0))
        return false;
    if (shell->interactive)
        return true;
    return !interrupted() && (may_fail || shell->go_on_after_errors);
}

static void run_words(struct shell *shell, const char *line, unsigned number, struct words *words,
                      struct sp_error *wrong, enum outcome *outcome)
{
    struct sp_error *error = wrong;
    text_clear(&shell->text);
    text_clear(&shell->json);
    if (!error && !shell_run(shell, words->items, words->count, &error) && !error)
        error = error_no_memory();
    if (!error && (shell->text.failed || shell->json.failed))
        error = error_no_memory();
    if (shell->session->arguments->json)
        show_json(shell, number, line, error, outcome);
    else
        show(shell, &shell->text, outcome);
    if (!error)
        return;
    complain(shell, number, error);
    if (!goes_on(shell, words->may_fail)) {
        *outcome = outcome_of_error(error);
        shell->leaving = true;
    }
    sp_error_free(error);
}

static void run_line(struct shell *shell, const char *line, unsigned number, enum outcome *outcome)
{
    struct words words;
    struct text problem = {0};
    struct sp_error *error = NULL;
    bool ok = script_split(line, &shell->aliases, &words, &problem);
    if (!ok)
        (void)shell_wrong(&error, "", "%s", text_string(&problem));
    if (!ok || words.count > 0) {
        write_log(shell, "-> ");
        write_log(shell, line);
        write_log(shell, "\r\n");
        run_words(shell, line, number, &words, error, outcome);
    }
    words_free(&words);
    text_free(&problem);
    if (shell->interactive && interrupted()) {
        /* The call was cancelled; the next one is not. */
        struct sp_cancel *fresh = sp_cancel_create();
        if (fresh) {
            shell->session->cancel = fresh;
            terminal_await_next_interrupt(fresh);
        } else {
            shell->leaving = true;
        }
    }
}

static void run_lines(struct shell *shell, struct script_source *source, enum outcome *outcome)
{
    while (!shell->leaving) {
        struct sp_error *error = NULL;
        if (shell->interactive && !shell->session->arguments->json) {
            struct text prompt = {0};
            text_add(&prompt, PROMPT);
            (void)terminal_print(&prompt);
            text_free(&prompt);
        }
        switch (script_next(source, terminal_interrupted(), &error)) {
        case SCRIPT_LINE:
            run_line(shell, text_string(&source->text), source->line, outcome);
            break;
        case SCRIPT_INTERRUPTED:
            *outcome = shell->interactive ? OUTCOME_DONE : OUTCOME_FAILED;
            return;
        case SCRIPT_FAILED:
            *outcome = session_fail(shell->session, error);
            return;
        case SCRIPT_END:
        default:
            return;
        }
    }
}

/* ---- the session ---- */

static bool open_log(struct shell *shell, struct sp_error **error)
{
    const char *path = shell->session->arguments->log;
    if (!path)
        return true;
    wchar_t *wide = wide_from_utf8(path);
    HANDLE log = wide ? CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS,
                                    FILE_ATTRIBUTE_NORMAL, NULL)
                      : INVALID_HANDLE_VALUE;
    DWORD failure = wide ? GetLastError() : ERROR_OUTOFMEMORY;
    free(wide);
    if (log == INVALID_HANDLE_VALUE) {
        error_give(error, error_from_win32(failure, "CreateFileW", "write the log"));
        return false;
    }
    shell->log = log;
    return true;
}

static void end_session(struct shell *shell, enum outcome *outcome)
{
    struct sp_error *error = NULL;
    bool closed = sp_wait_closed(shell->session->client, 0);
    if (!shell_close(shell, &error) && !closed) {
        enum outcome failed = session_fail(shell->session, error);
        if (*outcome == OUTCOME_DONE)
            *outcome = failed;
    } else {
        sp_error_free(error);
    }
    shell_clear_settings(shell);
    text_free(&shell->text);
    text_free(&shell->json);
    if (shell->log)
        CloseHandle(shell->log);
}

static enum outcome run_session(struct shell *shell, struct script_source *source)
{
    struct session *session = shell->session;
    struct sp_error *error = NULL;
    enum outcome outcome = OUTCOME_DONE;
    if (!open_log(shell, &error) || !shell_set_parameters(shell, &error) ||
        !script_open(source, session->arguments->script, &error))
        return session_fail(session, error);
    shell->interactive = source->is_console;
    session->answered = true; /* one value for each line, and none for the whole */
    run_lines(shell, source, &outcome);
    end_session(shell, &outcome);
    script_close(source);
    return outcome;
}

enum outcome command_session(struct session *session)
{
    struct shell *shell = calloc(1, sizeof *shell);
    struct script_source *source = calloc(1, sizeof *source);
    enum outcome outcome = OUTCOME_DONE;
    if (!shell || !source) {
        free(shell);
        free(source);
        return session_fail(session, error_no_memory());
    }
    shell->session = session;
    shell_clear_settings(shell);
    shell->aliases.lookup = shell_variable;
    if (session_connect(session, &outcome))
        outcome = run_session(shell, source);
    free(shell);
    return outcome; /* the source stays: its thread may be reading */
}
