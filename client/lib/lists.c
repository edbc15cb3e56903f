/* The typed calls that ask what there is: volumes, providers, writers. */
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/result.h"

struct sp_volumes *sp_list_volumes(struct sp_client *client, uint32_t timeout_ms, struct sp_error **error)
{
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.body_case = PB_BODY(LIST_VOLUMES);
    envelope.list_volumes = &list;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *message = message_call(client, &envelope, PB_BODY(VOLUMES_REPLY), &options, error);
    if (!message)
        return NULL;
    const PB(VolumesReply) *reply = message->envelope->volumes_reply;
    struct result *result = result_create(message, error);
    if (!result)
        return NULL;
    struct sp_volume *volumes = result_array(result, reply->n_volumes, sizeof *volumes);
    if (!volumes)
        return result_fail(result, error);
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Volume) *from = reply->volumes[i];
        volumes[i] = (struct sp_volume){
            .guid_path = text_or_empty(from->guid_path),
            .names = (const char *const *)from->names,
            .names_count = from->n_names,
            .label = text_or_empty(from->label),
            .file_system = text_or_empty(from->file_system),
            .total_bytes = from->total_bytes,
            .free_bytes = from->free_bytes,
            .supported = from->supported,
            .reason = text_or_empty(from->reason),
        };
    }
    result->u.volumes = (struct sp_volumes){volumes, reply->n_volumes, reply->age_ms};
    return &result->u.volumes;
}

void sp_volumes_free(struct sp_volumes *volumes)
{
    result_free(volumes);
}

struct sp_providers *sp_list_providers(struct sp_client *client, uint32_t timeout_ms, struct sp_error **error)
{
    PB(ListProviders) list = SHADOWPIPE__V1__LIST_PROVIDERS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.body_case = PB_BODY(LIST_PROVIDERS);
    envelope.list_providers = &list;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *message = message_call(client, &envelope, PB_BODY(PROVIDERS_REPLY), &options, error);
    if (!message)
        return NULL;
    const PB(ProvidersReply) *reply = message->envelope->providers_reply;
    struct result *result = result_create(message, error);
    if (!result)
        return NULL;
    struct sp_provider *providers = result_array(result, reply->n_providers, sizeof *providers);
    if (!providers)
        return result_fail(result, error);
    for (size_t i = 0; i < reply->n_providers; i++) {
        const PB(Provider) *from = reply->providers[i];
        providers[i] = (struct sp_provider){
            .provider_id = text_or_empty(from->provider_id),
            .name = text_or_empty(from->name),
            .type = (uint32_t)from->type,
            .version = text_or_empty(from->version),
        };
    }
    result->u.providers = (struct sp_providers){providers, reply->n_providers, reply->age_ms};
    return &result->u.providers;
}

void sp_providers_free(struct sp_providers *providers)
{
    result_free(providers);
}

/* The writers come one by one; their statuses are gathered until the final reply. */
struct writer_list {
    struct arena *arena;
    struct sp_writer *writers;
    size_t count;
    size_t capacity;
    bool no_memory;
};

static void gather_writer(void *context, const PB(Envelope) * envelope)
{
    struct writer_list *list = context;
    if (envelope->body_case != PB_BODY(WRITER) || !envelope->writer->status || list->no_memory)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        struct sp_writer *grown = arena_alloc(list->arena, capacity * sizeof *grown);
        if (!grown) {
            list->no_memory = true;
            return;
        }
        if (list->count)
            memcpy(grown, list->writers, list->count * sizeof *grown);
        list->writers = grown;
        list->capacity = capacity;
    }
    if (writer_convert(list->arena, envelope->writer->status, &list->writers[list->count]))
        list->count++;
    else
        list->no_memory = true;
}

struct sp_writers *sp_list_writers(struct sp_client *client, uint32_t timeout_ms, struct sp_error **error)
{
    PB(ListWriters) list = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.body_case = PB_BODY(LIST_WRITERS);
    envelope.list_writers = &list;
    struct result *result = result_create(NULL, error);
    if (!result)
        return NULL;
    struct writer_list gathered = {.arena = &result->arena};
    struct message_options options = {
        .timeout_ms = timeout_ms, .on_message = gather_writer, .context = &gathered};
    result->reply = message_call(client, &envelope, PB_BODY(WRITERS_REPLY), &options, error);
    if (!result->reply) {
        result_free(result);
        return NULL;
    }
    if (gathered.no_memory)
        return result_fail(result, error);
    result->u.writers =
        (struct sp_writers){gathered.writers, gathered.count, result->reply->envelope->writers_reply->age_ms};
    return &result->u.writers;
}

void sp_writers_free(struct sp_writers *writers)
{
    result_free(writers);
}
