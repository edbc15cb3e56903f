#include "client/cli/command.h"

#include <string.h>

#include <windows.h>

#include "client/cli/display.h"
#include "client/cli/json.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

enum {
    JSON_WRITERS_MAX = 64
};

uint32_t session_time_left(const struct session *session)
{
    uint64_t now = GetTickCount64();
    if (session->deadline == UINT64_MAX)
        return 0;
    return now < session->deadline ? (uint32_t)(session->deadline - now) : 1;
}

bool session_connect(struct session *session, enum outcome *outcome)
{
    struct sp_connect_options options = {
        .pipe = session->arguments->pipe, .client_name = "shadowpipe", .client_version = SP_VERSION};
    struct sp_error *error = NULL;
    options.timeout_ms = session_time_left(session);
    options.no_reconnect = session->arguments->reconnect && session->arguments->reconnect_ms == 0;
    options.reconnect_ms = session->arguments->reconnect_ms;
    options.on_connection = connection_note;
    options.context = &session->connection;
    session->client = sp_connect(&options, &error);
    if (!session->client)
        *outcome = session_fail(session, error);
    return session->client != NULL;
}

bool session_is_whole(struct session *session)
{
    return connection_tell(&session->connection) && !sp_wait_closed(session->client, 0);
}

struct listener {
    message_handler *also; /* may be NULL */
    void *context;
};

static void show_progress(void *context, const PB(Envelope) * envelope)
{
    const struct listener *listener = context;
    if (envelope->body_case == PB_BODY(PROGRESS))
        terminal_progress(envelope->progress);
    if (listener->also)
        listener->also(listener->context, envelope);
}

static void tick(void *context)
{
    (void)context;
    terminal_tick();
}

struct message *session_ask(struct session *session, const PB(Envelope) * request,
                            PB(Envelope__BodyCase) expected, message_handler *also, void *context,
                            struct sp_error **error)
{
    struct listener listener = {also, context};
    struct message_options options = {.timeout_ms = session_time_left(session),
                                      .on_message = show_progress,
                                      .on_tick = tick,
                                      .context = &listener,
                                      .cancel = session->cancel};
    struct message *reply = message_call(session->client, request, expected, &options, error);
    terminal_clear_progress();
    return reply;
}

struct message *session_call(struct session *session, const PB(Envelope) * request,
                             PB(Envelope__BodyCase) expected, enum outcome *outcome)
{
    struct sp_error *error = NULL;
    struct message *reply = session_ask(session, request, expected, NULL, NULL, &error);
    if (!reply)
        *outcome = session_fail(session, error);
    return reply;
}

bool session_confirm(struct session *session, const char *question, enum outcome *outcome)
{
    if (session->arguments->yes)
        return true;
    if (!terminal_has_console_input()) {
        *outcome = session_fail(
            session, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "Add --yes, if you mean it.",
                                  "This cannot be undone, and nobody can be asked here."));
        return false;
    }
    if (!question || terminal_ask(question))
        return true;
    terminal_note("nothing was changed.");
    *outcome = OUTCOME_FAILED;
    return false;
}

enum outcome session_answer(struct session *session, const struct text *text, const struct text *json)
{
    const struct text *chosen = session->arguments->json ? json : text;
    session->answered = true;
    if (terminal_print(chosen))
        return OUTCOME_DONE;
    terminal_complain("shadowpipe: The result could not be written to standard output.\n");
    return OUTCOME_FAILED;
}

enum outcome session_answer_message(struct session *session, const struct text *text,
                                    const ProtobufCMessage *reply)
{
    struct text json = {0};
    (void)json_add_message(&json, reply);
    text_add(&json, "\n");
    enum outcome outcome = session_answer(session, text, &json);
    text_free(&json);
    return outcome;
}

enum outcome session_answer_reply(struct session *session, struct text *text, struct message *message,
                                  const ProtobufCMessage *reply)
{
    enum outcome outcome = session_answer_message(session, text, reply);
    text_free(text);
    message_free(message);
    return outcome;
}

static PB(WriterStatus) writer_to_message(const struct sp_writer *writer)
{
    PB(WriterStatus) status = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    status.writer_id = (char *)writer->writer_id;
    status.instance_id = (char *)writer->instance_id;
    status.name = (char *)writer->name;
    status.state = (PB(WriterState))(writer->state + 1);
    status.hresult = writer->hresult;
    status.hresult_name = (char *)writer->hresult_name;
    status.app_hresult = writer->app_hresult;
    status.app_message = (char *)writer->app_message;
    status.failed = writer->failed;
    status.tolerated = writer->tolerated;
    status.took_part = writer->took_part;
    status.host_service = (char *)writer->host_service;
    status.advice = (char *)writer->advice;
    status.components = writer->components_count;
    return status;
}

void error_to_json(struct text *json, const struct sp_error *error)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(WriterStatus) writers[JSON_WRITERS_MAX];
    PB(WriterStatus) * pointers[JSON_WRITERS_MAX];
    status.code = (PB(Code))error->code;
    status.reason = (char *)error->reason;
    status.hresult = error->hresult;
    status.hresult_name = (char *)error->hresult_name;
    status.method = (char *)error->method;
    status.phase = phase_by_name(error->phase);
    status.volume = (char *)error->volume;
    status.provider = (char *)error->provider;
    status.limit_name = (char *)error->limit_name;
    status.field = (char *)error->field;
    status.message = (char *)error->message;
    status.advice = (char *)error->advice;
    status.retry = (PB(Retry))error->retry;
    status.retryable = error->retry == SP_RETRY_SOON || error->retry == SP_RETRY_LATER;
    status.retry_after_ms = error->retry_after_ms;
    status.missing_prerequisite = (char *)error->missing_prerequisite;
    status.attempts = error->attempts;
    status.writers = pointers;
    while (status.n_writers < error->writers_count && status.n_writers < JSON_WRITERS_MAX) {
        writers[status.n_writers] = writer_to_message(&error->writers[status.n_writers]);
        pointers[status.n_writers] = &writers[status.n_writers];
        status.n_writers++;
    }
    text_add(json, "{\"error\":");
    (void)json_add_message(json, &status.base);
    text_add(json, "}");
}

enum outcome session_fail(struct session *session, struct sp_error *error)
{
    struct text text = {0};
    display_error(&text, error);
    terminal_complain(text_string(&text));
    text_free(&text);
    if (session->arguments->json && !session->answered) {
        struct text json = {0};
        error_to_json(&json, error);
        text_add(&json, "\n");
        (void)session_answer(session, NULL, &json);
        text_free(&json);
    }
    enum outcome outcome =
        outcome_of((uint32_t)error->code, error->reason, error->hresult != 0 || error->writers_count > 0);
    sp_error_free(error);
    return outcome;
}
