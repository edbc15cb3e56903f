/* restore: tell the writers, run a program that copies the files back, tell the writers how it ended. */
#include "client/cli/file.h"
#include "client/cli/restore_disk.h"
#include "client/cli/restore_report.h"
#include "client/cli/restore_vss.h"
#include "client/cli/runner.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

static const struct runner runner = {
    .what = "restore",
    .lost =
        "shadowpipe: The service ended the connection: the writers cannot be told how the restore ends.\n"};

/* ---- problems ---- */

static void complain(const struct restore_plan *plan)
{
    struct text text = {0};
    restore_report_problems(&text, plan);
    if (text.size > 0)
        terminal_complain(text_string(&text));
    text_free(&text);
}

static void show_notes(const struct arguments *arguments, struct restore_plan *plan)
{
    struct text text = {0};
    restore_report_notes(&text, plan);
    if (text.size > 0 && !arguments->quiet)
        terminal_complain(text_string(&text));
    text_free(&text);
}

/* "x cannot be restored", with the first problem; the others have been printed. */
static struct sp_error *blocked(const struct restore_plan *plan)
{
    size_t count = restore_plan_blocked(plan);
    const struct restore_item *item = plan->items;
    while (item->problems_count == 0)
        item++;
    return error_create(SP_FAILED_PRECONDITION, "CANNOT_RESTORE",
                        "See all of it with --rehearse; docs/restore.md says what can be done.",
                        "%zu of %zu components cannot be restored; %s of %s: %s.", count, plan->count,
                        item->saved->name, item->writer_name, item->problems[0]);
}

/* What a plan does not allow is the writers' doing. */
static enum outcome fail_blocked(struct session *session, const struct restore_plan *plan)
{
    complain(plan);
    (void)session_fail(session, blocked(plan));
    return OUTCOME_VSS_FAILED;
}

/* ---- the plan ---- */

static void fill_wishes(const struct arguments *arguments, const struct text *to,
                        struct restore_wishes *wishes)
{
    *wishes = (struct restore_wishes){
        .writers = arguments->writers.items,
        .writers_count = arguments->writers.count,
        .components = arguments->selected.items,
        .components_count = arguments->selected.count,
        .accepted = arguments->accepted.items,
        .accepted_count = arguments->accepted.count,
        .to = arguments->to ? text_string(to) : NULL,
        .skip_missing = arguments->skip_missing,
        .authoritative = arguments->authoritative,
        .roll_forward = arguments->roll_forward != NULL,
        .restore_name = arguments->restore_name,
        .expand = restore_expand,
    };
}

static bool make_plan(struct restore *restore, const struct arguments *arguments, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    struct text problem = {0};
    if (!restore_read(restore, arguments, error))
        return false;
    bool chosen = restore_plan_choose(plan, &problem);
    if (chosen && arguments->restore_name && plan->count != 1) {
        text_add(&problem, "--restore-name is for one component: name it with --component.");
        chosen = false;
    }
    if (chosen)
        restore_plan_check(plan);
    if (!chosen)
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT",
                                       "See what there is with --rehearse, without --writer and --component.",
                                       "%s", text_string(&problem)));
    else if (plan->no_memory)
        error_give(error, error_no_memory());
    text_free(&problem);
    return chosen && !plan->no_memory;
}

/* ---- rehearsal ---- */

static enum outcome rehearse(struct session *session, struct restore_plan *plan)
{
    struct text text = {0};
    struct text json = {0};
    plan->rehearsal = true;
    restore_plan_direct(plan, &restore_real_disk);
    restore_report(&text, plan);
    size_t lost = restore_plan_blocked(plan) + restore_plan_skipped(plan);
    if (lost)
        text_format(&text, "%zu of %zu components would not be restored.\n", lost, plan->count);
    else
        text_add(&text, "Nothing is in the way of the restore.\n");
    text_format(&json, "{\"rehearsal\":{\"possible\":%s,\"components\":", lost ? "false" : "true");
    restore_report_json(&json, plan);
    text_add(&json, "}}\n");
    enum outcome outcome = session_answer(session, &text, &json);
    text_free(&text);
    text_free(&json);
    if (outcome != OUTCOME_DONE || lost == 0)
        return outcome;
    return lost == plan->count ? OUTCOME_VSS_FAILED : OUTCOME_PARTIAL;
}

/* ---- the restore ---- */

/* Into the file that was asked for, or one that goes when the program has ended. */
static bool write_manifest(struct restore *restore, const struct arguments *arguments, struct text *path,
                           struct sp_error **error)
{
    struct session *session = restore->steps.session;
    struct text json = {0};
    struct text document = {0};
    if (arguments->manifest)
        restore_full_path(arguments->manifest, path);
    else
        restore_temporary_path(path);
    restore_full_path(arguments->document, &document);
    restore_manifest(&json, &restore->plan, text_string(&document),
                     sp_get_server(session->client)->simulated);
    bool ok = !json.failed && !path->failed && !document.failed;
    if (!ok)
        error_give(error, error_no_memory());
    ok = ok && file_write(text_string(path), json.data, json.size, error);
    text_free(&json);
    text_free(&document);
    return ok;
}

static bool run_program(struct restore *restore, const struct arguments *arguments, struct result *result,
                        struct sp_error **error)
{
    struct text path = {0};
    bool written = write_manifest(restore, arguments, &path, error);
    bool ok = written && runner_clear_variables();
    if (written)
        runner_set_variable(&ok, "SHADOWPIPE_RESTORE_MANIFEST", text_string(&path));
    if (written && !ok)
        error_give(error,
                   error_create(SP_INTERNAL, "WIN32", "", "The environment of the program cannot be set."));
    ok = ok && runner_run(&runner, restore->steps.session, arguments->program, arguments->program_count,
                          result, error);
    if (written && !arguments->manifest)
        restore_delete_file(text_string(&path));
    text_free(&path);
    return ok;
}

/* Before the program: what is not well now ends the restore, while no file has been touched. */
static bool begin(struct restore *restore, struct session *session, enum outcome *outcome)
{
    struct restore_plan *plan = &restore->plan;
    struct sp_error *error = NULL;
    *outcome = OUTCOME_DONE;
    if (!restore_begin(restore, session->arguments, &error)) {
        complain(plan);
        *outcome = session_fail(session, error);
        return false;
    }
    if (restore_plan_blocked(plan) == 0)
        restore_plan_direct(plan, &restore_real_disk);
    if (restore_plan_blocked(plan) > 0)
        *outcome = fail_blocked(session, plan);
    else if (plan->no_memory)
        *outcome = session_fail(session, error_no_memory());
    else
        show_notes(session->arguments, plan);
    return *outcome == OUTCOME_DONE;
}

/* None was touched, all are in place, or nobody knows: a program that failed may have been half-way. */
static enum file_status file_status(const struct result *result)
{
    return !result->ran ? FILES_NONE : result->succeeded ? FILES_ALL : FILES_FAILED;
}

static enum outcome end(struct restore *restore, struct session *session, const struct result *result)
{
    struct restore_plan *plan = &restore->plan;
    struct sp_error *error = NULL;
    if (!restore_end(restore, file_status(result), &error)) {
        if (result->ran)
            complain(plan);
        return session_fail(session, error);
    }
    if (!result->ran)
        return OUTCOME_DONE;
    show_notes(session->arguments, plan);
    return restore_plan_blocked(plan) > 0 ? fail_blocked(session, plan) : OUTCOME_DONE;
}

static void answer(struct session *session, const struct restore_plan *plan, const struct result *result)
{
    struct text json = {0};
    if (!session->arguments->json || session->answered)
        return;
    text_add(&json, "{\"restore\":{\"components\":");
    restore_report_json(&json, plan);
    text_add(&json, "},\"command\":");
    runner_add_json(&json, result);
    text_add(&json, "}\n");
    (void)session_answer(session, NULL, &json);
    text_free(&json);
}

static enum outcome carry_out(struct restore *restore, struct session *session, struct result *result)
{
    struct restore_plan *plan = &restore->plan;
    struct sp_error *error = NULL;
    enum outcome outcome;
    if (restore_plan_blocked(plan) > 0)
        return fail_blocked(session, plan);
    if (restore_plan_skipped(plan) == plan->count) {
        (void)session_fail(session,
                           error_create(SP_FAILED_PRECONDITION, "CANNOT_RESTORE",
                                        "Start the services of the writers.",
                                        "No component is left to restore: none of the writers runs."));
        return OUTCOME_VSS_FAILED;
    }
    if (begin(restore, session, &outcome) && !run_program(restore, session->arguments, result, &error))
        outcome = session_fail(session, error);
    enum outcome ended = end(restore, session, result);
    if (outcome == OUTCOME_DONE)
        outcome = ended;
    if (result->ran)
        answer(session, plan, result);
    return outcome == OUTCOME_DONE && restore_plan_skipped(plan) > 0 ? OUTCOME_PARTIAL : outcome;
}

/* The connection is there. */
static enum outcome restore_with(struct session *session, const struct restore_wishes *wishes,
                                 struct result *result)
{
    struct restore restore = {.steps = {.session = session}, .plan = {.wishes = wishes}};
    struct sp_error *error = NULL;
    enum outcome outcome;
    arena_init(&restore.plan.arena, DECODE_LIMIT_REPLY_BYTES);
    if (!make_plan(&restore, session->arguments, &error))
        outcome = session_fail(session, error);
    else if (session->arguments->rehearse)
        outcome = rehearse(session, &restore.plan);
    else
        outcome = carry_out(&restore, session, result);
    error = NULL;
    if (!steps_close(&restore.steps, &error)) {
        bool was_lost = sp_wait_closed(session->client, 0) && outcome != OUTCOME_DONE;
        if (was_lost)
            sp_error_free(error); /* has been said */
        else
            outcome = session_fail(session, error);
    }
    restore_plan_free(&restore.plan);
    return outcome;
}

int command_restore(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    struct sp_error *error = NULL;
    struct restore_wishes wishes;
    struct result result = {.ran = false};
    struct text to = {0};
    enum outcome outcome = OUTCOME_DONE;
    if (arguments->to)
        restore_full_path(arguments->to, &to);
    fill_wishes(arguments, &to, &wishes);
    if (to.failed)
        outcome = session_fail(session, error_no_memory());
    else if (arguments->program_count > 0 && !runner_finds(arguments->program, &error))
        outcome = session_fail(session, error);
    else if (session_connect(session, &outcome))
        outcome = restore_with(session, &wishes, &result);
    text_free(&to);
    if (arguments->rehearse)
        return (int)outcome;
    return outcome_of_run(result.ran, result.succeeded, result.exit_code, outcome);
}
