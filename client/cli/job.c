#include "client/cli/job.h"

#include "client/cli/display.h"
#include "client/cli/terminal.h"

static void show_progress(void *context, const PB(Envelope) * envelope)
{
    (void)context;
    if (envelope->body_case == PB_BODY(PROGRESS))
        terminal_progress(envelope->progress);
}

static void tick(void *context)
{
    (void)context;
    terminal_tick();
}

static void fill_create(const struct arguments *arguments, PB(CreateSnapshot) * create)
{
    create->volumes = (char **)arguments->volumes.items;
    create->n_volumes = arguments->volumes.count;
    create->paths = (char **)arguments->paths.items;
    create->n_paths = arguments->paths.count;
    create->writers_required = (char **)arguments->required.items;
    create->n_writers_required = arguments->required.count;
    create->writers_excluded = (char **)arguments->excluded.items;
    create->n_writers_excluded = arguments->excluded.count;
    create->writers_tolerated = (char **)arguments->tolerated.items;
    create->n_writers_tolerated = arguments->tolerated.count;
    create->include_mounted = arguments->include_mounted;
    create->queue_timeout_ms = arguments->queue_timeout_ms;
    if (arguments->name)
        create->purpose = (char *)arguments->name;
    create->on_unsupported = (PB(OnUnsupported))arguments->on_unsupported;
    if (arguments->no_writers)
        create->context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
}

struct message *job_create(struct session *session, enum outcome *outcome)
{
    if (!session_connect(session, outcome))
        return NULL;
    PB(CreateSnapshot) create = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    fill_create(session->arguments, &create);
    request.body_case = PB_BODY(CREATE_SNAPSHOT);
    request.create_snapshot = &create;
    struct message_options options = {.timeout_ms = session_time_left(session),
                                      .on_message = show_progress,
                                      .on_tick = tick,
                                      .cancel = session->cancel};
    struct sp_error *error = NULL;
    struct message *reply =
        message_call(session->client, &request, PB_BODY(SNAPSHOT_REPLY), &options, &error);
    terminal_clear_progress();
    if (!reply)
        *outcome = session_fail(session, error);
    return reply;
}

static void tell_finish(const PB(FinishReply) * finish)
{
    struct text text = {0};
    for (size_t i = 0; i < finish->n_warnings; i++)
        text_format(&text, "shadowpipe: Warning: %s\n", finish->warnings[i]);
    for (size_t i = 0; i < finish->n_writers; i++) {
        if (finish->writers[i]->failed)
            display_writer_failure(&text, finish->writers[i]);
    }
    if (text.size > 0)
        terminal_complain(text_string(&text));
    text_free(&text);
}

struct message *job_finish(struct session *session, const PB(SnapshotReply) * snapshot, bool succeeded,
                           struct sp_error **error)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    finish.lease_id = snapshot->lease_id;
    finish.token = snapshot->token;
    finish.outcome = succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED);
    request.body_case = PB_BODY(FINISH_BACKUP);
    request.finish_backup = &finish;
    struct message *reply = message_call(session->client, &request, PB_BODY(FINISH_REPLY), NULL, error);
    if (reply)
        tell_finish(reply->envelope->finish_reply);
    return reply;
}
