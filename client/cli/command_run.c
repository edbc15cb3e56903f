/* run: take a snapshot, run a program on it, finish the backup by its exit code. */
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/artifacts.h"
#include "client/cli/display.h"
#include "client/cli/file.h"
#include "client/cli/job.h"
#include "client/cli/json.h"
#include "client/cli/mapping.h"
#include "client/cli/runner.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

static const struct runner runner = {
    .what = "backup",
    .lost =
        "shadowpipe: The connection to the service broke, and the snapshot is gone: what the program still "
        "reads fails.\n"};

/* ---- arguments and environment ---- */

static void free_arguments(char **arguments, size_t count)
{
    for (size_t i = 0; arguments && i < count; i++)
        free(arguments[i]);
    free(arguments);
}

static struct sp_error *not_in_snapshot(const char *argument, const PB(SnapshotReply) * reply)
{
    struct text all = {0};
    places_list_volumes(reply, &all);
    struct sp_error *error =
        error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "Add its volume with -v.",
                     "\"%s\" names a path that is not in the snapshot (of %s).", argument, text_string(&all));
    text_free(&all);
    return error;
}

/* The program's arguments with their snap: parts translated. */
static char **translate(const struct arguments *arguments, const struct places *places,
                        struct sp_error **error)
{
    size_t count = arguments->program_count;
    char **translated = calloc(count + 1, sizeof *translated);
    bool refers = false;
    for (size_t i = 0; translated && i < count; i++) {
        struct text text = {0};
        text_add(&text, "");
        bool found = places_argument(places, arguments->program[i], file_full_path, &text, &refers);
        if (!found || text.failed) {
            error_give(error,
                       found ? error_no_memory() : not_in_snapshot(arguments->program[i], places->reply));
            text_free(&text);
            free_arguments(translated, count);
            return NULL;
        }
        translated[i] = text.data;
    }
    if (!translated)
        error_give(error, error_no_memory());
    else if (!refers)
        terminal_note(
            "Warning: nothing on the command line refers to the snapshot. Unless %s uses the variables "
            "SHADOWPIPE_..., it reads the live disk.",
            arguments->program[0]);
    return translated;
}

static bool set_environment(const struct arguments *arguments, const struct places *places,
                            struct sp_error **error)
{
    bool ok = runner_clear_variables();
    if (!places_environment(places, runner_set_variable, &ok) ||
        !artifacts_environment(arguments, runner_set_variable, &ok) || !ok) {
        error_give(error,
                   error_create(SP_INTERNAL, "WIN32", "", "The environment of the program cannot be set."));
        return false;
    }
    return true;
}

static bool run_program(struct session *session, const struct places *places, struct result *result,
                        struct sp_error **error)
{
    const struct arguments *arguments = session->arguments;
    char **translated = translate(arguments, places, error);
    bool ok = translated && artifacts_write_manifest(session, places, error) &&
              set_environment(arguments, places, error) &&
              runner_run(&runner, session, translated, arguments->program_count, result, error);
    free_arguments(translated, arguments->program_count);
    return ok;
}

/* ---- the end ---- */

static void answer(struct session *session, const PB(SnapshotReply) * reply, const struct result *result,
                   const PB(FinishReply) * finish)
{
    struct text json = {0};
    if (!session->arguments->json || session->answered)
        return;
    text_add(&json, "{\"snapshot\":");
    (void)json_add_message(&json, &reply->base);
    text_add(&json, ",\"command\":");
    runner_add_json(&json, result);
    text_add(&json, ",\"finish\":");
    (void)json_add_message(&json, &finish->base);
    text_add(&json, "}\n");
    (void)session_answer(session, NULL, &json);
    text_free(&json);
}

static enum outcome end_backup(struct session *session, const PB(SnapshotReply) * reply,
                               const struct result *result)
{
    struct sp_error *error = NULL;
    struct message *message = job_finish(session, reply, result->ran && result->succeeded, &error);
    if (!message)
        return session_fail(session, error);
    const PB(FinishReply) *finish = message->envelope->finish_reply;
    enum outcome outcome = OUTCOME_DONE;
    if (result->ran)
        answer(session, reply, result, finish);
    if (!artifacts_save_completed(session, reply, finish, &error))
        outcome = session_fail(session, error);
    message_free(message);
    return outcome;
}

static int run_on(struct session *session, const PB(SnapshotReply) * reply)
{
    struct sp_error *error = NULL;
    struct mapping mapping;
    struct result result = {.ran = false};
    enum outcome outcome = OUTCOME_DONE;
    if (reply->n_uncovered > 0 || reply->n_warnings > 0) {
        struct text text = {0};
        display_snapshot(&text, reply);
        terminal_complain(text_string(&text));
        text_free(&text);
    }
    if (!runner_not_interrupted(&error) || !artifacts_save_documents(session, reply, &error) ||
        !mapping_make(&mapping, reply, session->arguments, &error)) {
        outcome = session_fail(session, error);
    } else {
        if (!run_program(session, &mapping.places, &result, &error))
            outcome = session_fail(session, error);
        if (!mapping_undo(&mapping) && outcome == OUTCOME_DONE)
            outcome = OUTCOME_FAILED;
    }
    enum outcome finished = end_backup(session, reply, &result);
    if (outcome == OUTCOME_DONE)
        outcome = finished;
    if (outcome == OUTCOME_DONE && session->thaw_failed)
        outcome = OUTCOME_FAILED;
    if (outcome == OUTCOME_DONE && reply->n_uncovered > 0)
        outcome = OUTCOME_PARTIAL;
    return outcome_of_run(result.ran, result.succeeded, result.exit_code, outcome);
}

/* What would fail after the snapshot anyway: nothing has to be frozen for it. */
static bool check_before(const struct arguments *arguments, struct sp_error **error)
{
    if (!mapping_check(arguments, error) || !artifacts_prepare(arguments, error))
        return false;
    return starts_ignoring_case(arguments->program[0], "snap:") || runner_finds(arguments->program, error);
}

int command_run(struct session *session)
{
    struct sp_error *error = NULL;
    enum outcome outcome;
    mapping_sweep();
    if (!check_before(session->arguments, &error))
        return OUTCOME_RUN_OFFSET + (int)session_fail(session, error);
    const char *attach = session->arguments->attach;
    struct message *reply = attach ? job_attach(session, attach, &outcome) : job_create(session, &outcome);
    if (!reply)
        return OUTCOME_RUN_OFFSET + (int)outcome;
    int code = run_on(session, reply->envelope->snapshot_reply);
    message_free(reply);
    return code;
}
