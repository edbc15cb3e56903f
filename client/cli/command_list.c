/* status, writers, volumes, providers: one question, one answer. */
#include <stdlib.h>

#include "client/cli/command.h"
#include "client/cli/display.h"
#include "client/cli/json.h"
#include "proto/prometheus.h"

static void add_metrics(struct text *text, const PB(ServiceStatus) * status)
{
    size_t length = prometheus_write(status, NULL, 0);
    char *metrics = malloc(length + 1);
    if (metrics)
        prometheus_write(status, metrics, length + 1);
    text_add(text, metrics ? metrics : "");
    text->failed |= !metrics;
    free(metrics);
}

enum outcome command_status(struct session *session)
{
    enum outcome outcome;
    if (!session_connect(session, &outcome))
        return outcome;
    PB(GetServiceStatus) get = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    request.body_case = PB_BODY(GET_SERVICE_STATUS);
    request.get_service_status = &get;
    struct message_options options = {.timeout_ms = session_time_left(session), .cancel = session->cancel};
    struct sp_error *error = NULL;
    struct message *reply =
        message_call(session->client, &request, PB_BODY(SERVICE_STATUS), &options, &error);
    if (!reply)
        return session_fail(session, error);
    struct text text = {0};
    struct text json = {0};
    if (session->arguments->prometheus)
        add_metrics(&text, reply->envelope->service_status);
    else
        display_status(&text, sp_get_server(session->client), reply->envelope->service_status);
    (void)json_add_message(&json, &reply->envelope->service_status->base);
    text_add(&json, "\n");
    outcome = session_answer(session, &text, &json);
    text_free(&text);
    text_free(&json);
    message_free(reply);
    return outcome;
}

struct list {
    struct text text;
    struct text json;
    size_t writers;
};

static void take_writer(void *context, const PB(Envelope) * envelope)
{
    struct list *list = context;
    if (envelope->body_case != PB_BODY(WRITER))
        return;
    display_writer(&list->text, envelope->writer);
    text_add(&list->json, list->writers++ ? "," : "{\"writers\":[");
    (void)json_add_message(&list->json, &envelope->writer->base);
}

/* Fills the request for the command and says which body answers it. */
static PB(Envelope__BodyCase)
    fill_request(const struct arguments *arguments, PB(Envelope) * request, PB(ListWriters) * writers,
                 PB(ListVolumes) * volumes, PB(ListProviders) * providers)
{
    switch (arguments->command) {
    case COMMAND_WRITERS:
        writers->with_components = arguments->components;
        writers->refresh = arguments->refresh;
        if (arguments->writers.count > 0)
            writers->writer = (char *)arguments->writers.items[0];
        request->body_case = PB_BODY(LIST_WRITERS);
        request->list_writers = writers;
        return PB_BODY(WRITERS_REPLY);
    case COMMAND_VOLUMES:
        volumes->refresh = arguments->refresh;
        request->body_case = PB_BODY(LIST_VOLUMES);
        request->list_volumes = volumes;
        return PB_BODY(VOLUMES_REPLY);
    default:
        providers->refresh = arguments->refresh;
        request->body_case = PB_BODY(LIST_PROVIDERS);
        request->list_providers = providers;
        return PB_BODY(PROVIDERS_REPLY);
    }
}

static void add_reply(struct list *list, const PB(Envelope) * envelope)
{
    switch (envelope->body_case) {
    case PB_BODY(WRITERS_REPLY):
        text_add(&list->json, list->writers ? "]" : "{\"writers\":[]");
        text_format(&list->json, ",\"ageMs\":%u}", (unsigned)envelope->writers_reply->age_ms);
        break;
    case PB_BODY(VOLUMES_REPLY):
        display_volumes(&list->text, envelope->volumes_reply);
        (void)json_add_message(&list->json, &envelope->volumes_reply->base);
        break;
    default:
        display_providers(&list->text, envelope->providers_reply);
        (void)json_add_message(&list->json, &envelope->providers_reply->base);
    }
    text_add(&list->json, "\n");
}

enum outcome command_list(struct session *session)
{
    enum outcome outcome;
    struct list list = {.writers = 0};
    if (!session_connect(session, &outcome))
        return outcome;
    PB(ListWriters) writers = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(ListVolumes) volumes = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(ListProviders) providers = SHADOWPIPE__V1__LIST_PROVIDERS__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Envelope__BodyCase)
    expected = fill_request(session->arguments, &request, &writers, &volumes, &providers);
    if (expected == PB_BODY(WRITERS_REPLY))
        display_writer_head(&list.text);
    struct message_options options = {.timeout_ms = session_time_left(session),
                                      .on_message = take_writer,
                                      .context = &list,
                                      .cancel = session->cancel};
    struct sp_error *error = NULL;
    struct message *reply = message_call(session->client, &request, expected, &options, &error);
    if (reply) {
        add_reply(&list, reply->envelope);
        outcome = session_answer(session, &list.text, &list.json);
    } else {
        outcome = session_fail(session, error);
    }
    text_free(&list.text);
    text_free(&list.json);
    message_free(reply);
    return outcome;
}
