/* watch: what the service does, as it happens. */
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/terminal.h"
#include "client/cli/watch_view.h"
#include "client/lib/error.h"

struct watch {
    struct session *session;
    struct watch_view view;
    bool live;     /* a table that changes in its place */
    bool unusable; /* an event could not be shown */
};

static void show(struct watch *watch, const PB(WatchEvent) * event)
{
    struct text text = {0};
    bool shown;
    if (watch->session->arguments->json) {
        (void)json_add_message(&text, &event->base);
        text_add(&text, "\n");
        shown = terminal_print(&text);
    } else if (watch->live) {
        shown = watch_view_take(&watch->view, event);
        watch_view_table(&watch->view, &text);
        shown = shown && terminal_show_page(&text);
    } else {
        watch_event_lines(event, &text);
        shown = terminal_print(&text);
    }
    text_free(&text);
    watch->session->answered = true;
    if (shown)
        return;
    watch->unusable = true;
    sp_cancel_now(watch->session->cancel);
}

static void on_message(void *context, const PB(Envelope) * envelope)
{
    struct watch *watch = context;
    if (envelope->body_case == PB_BODY(WATCH_EVENT) && !watch->unusable)
        show(watch, envelope->watch_event);
}

/* Watching ends because somebody wants it to: Ctrl-C, or --timeout. */
static bool is_wanted_end(const struct session *session, const struct sp_error *error)
{
    return error->code == SP_CANCELLED ||
           (error->code == SP_DEADLINE_EXCEEDED && session->arguments->timeout_ms != 0);
}

enum outcome command_watch(struct session *session)
{
    enum outcome outcome;
    struct watch watch = {.session = session};
    if (!session_connect(session, &outcome))
        return outcome;
    watch.live = !session->arguments->json && terminal_has_console_output();
    PB(Watch) body = SHADOWPIPE__V1__WATCH__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    request.body_case = PB_BODY(WATCH);
    request.watch = &body;
    uint32_t left_ms = session_time_left(session);
    struct message_options options = {.timeout_ms = left_ms ? left_ms : SP_FOREVER,
                                      .on_message = on_message,
                                      .context = &watch,
                                      .cancel = session->cancel};
    struct sp_error *error = NULL;
    /* There is no good final reply: it ends by a Status. */
    message_free(message_call(session->client, &request, PB_BODY(WATCH_EVENT), &options, &error));
    watch_view_free(&watch.view);
    if (watch.unusable) {
        sp_error_free(error);
        terminal_complain("shadowpipe: The result could not be written to standard output.\n");
        return OUTCOME_FAILED;
    }
    if (error && is_wanted_end(session, error)) {
        sp_error_free(error);
        return OUTCOME_DONE;
    }
    return session_fail(session, error);
}
