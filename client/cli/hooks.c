#include "client/cli/hooks.h"

#include <string.h>

#include <windows.h>

#include "client/cli/child.h"
#include "client/cli/places.h"
#include "client/cli/runner.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

/* ---- before the freeze ---- */

static bool set_environment(const struct hooks *hooks, const struct sp_hold *hold)
{
    const char *name = hooks->session->arguments->name;
    struct text attempt = {0};
    bool ok = runner_clear_variables();
    text_format(&attempt, "%u", (unsigned)hold->attempt);
    runner_set_variable(&ok, "SHADOWPIPE_ATTEMPT", text_string(&attempt));
    runner_set_variable(&ok, "SHADOWPIPE_NAME", name);
    ok = ok && !attempt.failed;
    text_free(&attempt);
    return ok;
}

/* The process for --after-thaw has the variables that this one has when it starts. */
static bool arm_thaw(struct hooks *hooks, struct sp_error **error)
{
    const char *command = hooks->session->arguments->after_thaw;
    bool ok = true;
    if (!command)
        return true;
    runner_set_variable(&ok, "SHADOWPIPE_HOOK", "after-thaw");
    runner_set_variable(&ok, "SHADOWPIPE_OUTCOME", "failed"); /* unless it is told better */
    if (ok)
        ok = thaw_arm(&hooks->thaw, command, error);
    else
        error_give(error, error_no_memory());
    runner_set_variable(&ok, "SHADOWPIPE_OUTCOME", NULL);
    return ok;
}

static struct sp_error *took_too_long(const char *command, uint32_t limit_ms)
{
    return error_create(SP_DEADLINE_EXCEEDED, "HOLD_TIMEOUT",
                        "Make it quicker, or do its work before; an administrator can raise HoldPointMs.",
                        "The command of --before-freeze did not end within %.1f s, and was ended: %s",
                        limit_ms / 1000.0, command);
}

/* NULL: it has ended well. */
static struct sp_error *wait_for(struct child *child, const char *command, uint32_t limit_ms)
{
    HANDLE either[2] = {child->process, terminal_interrupted()};
    uint32_t code = 0;
    DWORD result = WaitForMultipleObjects(2, either, FALSE, limit_ms);
    if (!child_wait(child, 0, &code)) {
        child_kill(child);
        if (result == WAIT_OBJECT_0 + 1)
            return error_create(SP_CANCELLED, "CANCELLED", "",
                                "The command was interrupted while --before-freeze ran.");
        return took_too_long(command, limit_ms);
    }
    if (code == 0)
        return NULL;
    return error_create(SP_ABORTED, "HOLD_ABORTED", "See why it failed; nothing was frozen.",
                        "The command of --before-freeze ended with code %lu: %s", (unsigned long)code,
                        command);
}

static bool run_before(struct hooks *hooks, const struct sp_hold *hold, struct sp_error **error)
{
    const char *command = hooks->session->arguments->before_freeze;
    uint32_t left_ms = session_time_left(hooks->session);
    uint32_t limit_ms = left_ms && left_ms < hold->left_ms ? left_ms : hold->left_ms;
    struct program program;
    struct child child;
    bool ok = true;
    if (!command)
        return true;
    runner_set_variable(&ok, "SHADOWPIPE_HOOK", "before-freeze");
    if (!program_prepare_command(&program, command, error))
        return false;
    struct sp_error *failure = NULL;
    ok = child_start(&child, &program, CHILD_WITHOUT_INPUT | CHILD_OUTPUT_TO_ERROR, &failure);
    program_free(&program);
    if (ok) {
        failure = wait_for(&child, command, limit_ms);
        child_free(&child);
    }
    if (failure)
        error_give(error, failure);
    return failure == NULL;
}

bool hooks_hold(void *context, const struct sp_hold *hold)
{
    struct hooks *hooks = context;
    struct sp_error *failure = NULL;
    sp_error_free(hooks->failure);
    hooks->failure = NULL;
    bool ok = runner_not_interrupted(&failure);
    if (ok && !set_environment(hooks, hold)) {
        failure = error_no_memory();
        ok = false;
    }
    ok = ok && arm_thaw(hooks, &failure) && run_before(hooks, hold, &failure);
    hooks->failure = failure;
    return ok;
}

/* ---- after the thaw ---- */

void hooks_thaw(void *context, bool created)
{
    struct hooks *hooks = context;
    const char *command = hooks->session->arguments->after_thaw;
    if (!hooks->thaw.companion.process)
        return;
    if (created && hooks->reply) {
        struct places places = {.reply = hooks->reply};
        thaw_set_variable(&hooks->thaw, "SHADOWPIPE_OUTCOME", "created");
        (void)places_environment(&places, thaw_set_variable, &hooks->thaw);
    }
    uint32_t code = thaw_run(&hooks->thaw);
    if (code == 0)
        return;
    struct text text = {0};
    text_format(&text, "shadowpipe: The command of --after-thaw ended with code %lu: %s\n",
                (unsigned long)code, command);
    terminal_complain(text_string(&text));
    text_free(&text);
    hooks->session->thaw_failed = true;
}

struct sp_error *hooks_explain(struct hooks *hooks, struct sp_error *error)
{
    if (!hooks->failure)
        return error;
    sp_error_free(error);
    error = hooks->failure;
    hooks->failure = NULL;
    return error;
}
