#include "client/cli/job.h"

#include "client/cli/display.h"
#include "client/cli/hooks.h"
#include "client/cli/request.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"
#include "client/lib/hold.h"

struct message *job_attach(struct session *session, const char *snapshot, enum outcome *outcome)
{
    char id[ID_CHARS];
    PB(AttachSnapshot) attach = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_connect(session, outcome))
        return NULL;
    if (guid_parse(snapshot, id))
        attach.snapshot_id = id;
    else
        attach.device = (char *)snapshot;
    if (session->arguments->name)
        attach.purpose = (char *)session->arguments->name;
    request.body_case = PB_BODY(ATTACH_SNAPSHOT);
    request.attach_snapshot = &attach;
    return session_call(session, &request, PB_BODY(SNAPSHOT_REPLY), outcome);
}

/* With what is to be done at its hold point, if it has one. */
static struct message *ask(struct session *session, const PB(Envelope) * request, enum outcome *outcome)
{
    struct sp_error *error = NULL;
    struct hooks hooks = {.session = session};
    struct holding holding = {
        .client = session->client, .on_hold = hooks_hold, .on_thaw = hooks_thaw, .context = &hooks};
    struct message *reply =
        session_ask(session, request, PB_BODY(SNAPSHOT_REPLY), holding_look, &holding, &error);
    if (reply)
        hooks.reply = reply->envelope->snapshot_reply;
    holding_end(&holding, reply != NULL);
    if (!reply)
        *outcome = session_fail(session, hooks_explain(&hooks, error));
    return reply;
}

static struct message *create(struct session *session, bool dry_run, enum outcome *outcome)
{
    struct arena arena;
    struct text problem = {0};
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct message *reply = NULL;
    if (!session_connect(session, outcome))
        return NULL;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    request.body_case = PB_BODY(CREATE_SNAPSHOT);
    request.create_snapshot = request_make(session->arguments, &arena, &problem);
    if (request.create_snapshot) {
        request.create_snapshot->dry_run = dry_run;
        reply = ask(session, &request, outcome);
    } else {
        *outcome = session_fail(
            session, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "%s", text_string(&problem)));
    }
    arena_free(&arena);
    text_free(&problem);
    return reply;
}

struct message *job_create(struct session *session, enum outcome *outcome)
{
    return create(session, false, outcome);
}

struct message *job_check(struct session *session, enum outcome *outcome)
{
    return create(session, true, outcome);
}

struct message *job_renew(struct session *session, const char *lease_id, const char *token, uint32_t ttl_ms,
                          enum outcome *outcome)
{
    PB(RenewLease) renew = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    renew.lease_id = (char *)lease_id;
    renew.token = (char *)token;
    renew.ttl_ms = ttl_ms;
    request.body_case = PB_BODY(RENEW_LEASE);
    request.renew_lease = &renew;
    return session_call(session, &request, PB_BODY(LEASE_REPLY), outcome);
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

static void show_connection(void *session)
{
    (void)session_is_whole(session);
}

struct message *job_finish(struct session *session, const PB(SnapshotReply) * snapshot, bool succeeded,
                           struct sp_error **error)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    finish.lease_id = snapshot->lease_id;
    finish.token = snapshot->token;
    finish.outcome = succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED);
    finish.with_documents = session->arguments->save_documents != NULL;
    request.body_case = PB_BODY(FINISH_BACKUP);
    request.finish_backup = &finish;
    struct message_options options = {
        .on_tick = show_connection, .context = session, .patience = session->cancel};
    struct message *reply = message_call(session->client, &request, PB_BODY(FINISH_REPLY), &options, error);
    (void)session_is_whole(session);
    if (reply)
        tell_finish(reply->envelope->finish_reply);
    return reply;
}
