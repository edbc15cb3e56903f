#include "client/cli/thaw.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/child.h"
#include "client/cli/runner.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/lib/error.h"

enum {
    LOOK_MS = 50,
    NOT_STARTED = 1
};

/* ---- the side that is looked after ---- */

static bool tell(struct thaw *thaw, const char *kind, const char *line)
{
    struct text text = {0};
    DWORD written = 0;
    text_format(&text, "%s%s\n", kind, line);
    bool ok = !text.failed && WriteFile(thaw->companion.input, text.data, (DWORD)text.size, &written, NULL) &&
              written == text.size;
    text_free(&text);
    return ok;
}

bool thaw_arm(struct thaw *thaw, const char *command, struct sp_error **error)
{
    bool ok = companion_start(&thaw->companion, L"--thaw", true);
    if (ok && tell(thaw, "!", command))
        return true;
    error_give(error, error_from_win32(GetLastError(), ok ? "WriteFile" : "CreateProcessW",
                                       "start the process that runs the command of --after-thaw"));
    companion_free(&thaw->companion);
    return false;
}

void thaw_set_variable(void *context, const char *name, const char *value)
{
    struct text line = {0};
    text_format(&line, "%s=%s", name, value);
    if (!line.failed)
        (void)tell(context, "=", line.data);
    text_free(&line);
}

/* Hands on what has been printed so far. */
static void drain(HANDLE output)
{
    char bytes[4096];
    DWORD there = 0;
    DWORD read = 0;
    while (PeekNamedPipe(output, NULL, 0, NULL, &there, NULL) && there > 0 &&
           ReadFile(output, bytes, sizeof bytes - 1, &read, NULL) && read > 0) {
        bytes[read] = 0;
        terminal_complain(bytes);
    }
}

uint32_t thaw_run(struct thaw *thaw)
{
    struct companion *companion = &thaw->companion;
    DWORD code = NOT_STARTED;
    (void)tell(thaw, ">", "");
    companion_release(companion);
    /* Not the end of its output: the command may have started what lives on and holds that open. */
    while (WaitForSingleObject(companion->process, LOOK_MS) == WAIT_TIMEOUT)
        drain(companion->output);
    drain(companion->output);
    if (!GetExitCodeProcess(companion->process, &code))
        code = NOT_STARTED;
    companion_free(companion);
    return code;
}

/* ---- the process itself ---- */

struct orders {
    char *command;
    bool is_heard;
};

static void obey(void *context, char *line)
{
    struct orders *orders = context;
    char *equals = strchr(line + 1, '=');
    bool ok = true;
    if (line[0] == '!') {
        free(orders->command);
        orders->command = _strdup(line + 1);
    } else if (line[0] == '=' && equals) {
        *equals = 0;
        runner_set_variable(&ok, line + 1, equals + 1);
    } else if (line[0] == '>') {
        orders->is_heard = true;
    }
}

static uint32_t run(const char *command)
{
    struct program program;
    struct child child;
    uint32_t code = NOT_STARTED;
    if (!program_prepare_command(&program, command, NULL))
        return code;
    if (child_start(&child, &program, CHILD_WITHOUT_INPUT | CHILD_ON_ITS_OWN, NULL)) {
        (void)child_wait(&child, INFINITE, &code);
        child_free(&child);
    }
    program_free(&program);
    return code;
}

int thaw_main(void)
{
    struct orders orders = {NULL, false};
    companion_obey(obey, &orders);
    if (!orders.is_heard) { /* a pipe that nobody reads would fail the command */
        HANDLE nothing = CreateFileW(L"NUL", GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                     OPEN_EXISTING, 0, NULL);
        SetStdHandle(STD_OUTPUT_HANDLE, nothing);
        SetStdHandle(STD_ERROR_HANDLE, nothing);
    }
    uint32_t code = orders.command ? run(orders.command) : 0;
    free(orders.command);
    return (int)code;
}
