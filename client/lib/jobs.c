/* The typed calls of shadowpipe.h: each fills a request, waits for its reply, and gives out a struct that
 * points into the reply's memory. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/result.h"

/* ---- snapshots ---- */

struct progress_forward {
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;
};

static void forward_progress(void *context, const PB(Envelope) * envelope)
{
    const struct progress_forward *forward = context;
    if (envelope->body_case != PB_BODY(PROGRESS) || !forward->on_progress)
        return;
    const PB(Progress) *from = envelope->progress;
    struct sp_progress progress = {
        .phase = phase_name(from->phase),
        .queue_position = from->queue_position,
        .expected_wait_ms = from->expected_wait_ms,
        .waiting_for = waiting_for_name(from->waiting_for),
        .elapsed_ms = from->elapsed_ms,
        .phase_elapsed_ms = from->phase_elapsed_ms,
        .attempt = from->attempt,
        .writer = text_or_empty(from->writer),
    };
    forward->on_progress(forward->context, &progress);
}

static void fill_request(const struct sp_snapshot_request *from, PB(CreateSnapshot) * to)
{
    to->job_key = (char *)text_or_empty(from->job_key);
    to->purpose = (char *)text_or_empty(from->purpose);
    to->volumes = (char **)from->volumes;
    to->n_volumes = from->volumes_count;
    to->paths = (char **)from->paths;
    to->n_paths = from->paths_count;
    to->writers_required = (char **)from->writers_required;
    to->n_writers_required = from->writers_required_count;
    to->writers_excluded = (char **)from->writers_excluded;
    to->n_writers_excluded = from->writers_excluded_count;
    to->writers_tolerated = (char **)from->writers_tolerated;
    to->n_writers_tolerated = from->writers_tolerated_count;
    to->include_mounted = from->include_mounted;
    to->queue_timeout_ms = from->queue_timeout_ms;
    if (from->skip_unsupported)
        to->on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    if (from->without_writers)
        to->context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
}

static bool convert_volume_snapshots(struct result *result, const PB(SnapshotReply) * reply)
{
    struct sp_volume_snapshot *volumes = result_array(result, reply->n_volumes, sizeof *volumes);
    struct sp_mapping *map = result_array(result, reply->n_map, sizeof *map);
    struct sp_uncovered *uncovered = result_array(result, reply->n_uncovered, sizeof *uncovered);
    if (!volumes || !map || !uncovered)
        return false;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Snapshot) *from = reply->volumes[i];
        volumes[i] = (struct sp_volume_snapshot){
            .volume_guid_path = text_or_empty(from->volume_guid_path),
            .volume_names = (const char *const *)from->volume_names,
            .volume_names_count = from->n_volume_names,
            .snapshot_id = text_or_empty(from->snapshot_id),
            .device = text_or_empty(from->device),
            .device_root = text_or_empty(from->device_root),
            .provider_id = text_or_empty(from->provider_id),
        };
    }
    for (size_t i = 0; i < reply->n_map; i++)
        map[i] =
            (struct sp_mapping){text_or_empty(reply->map[i]->original), text_or_empty(reply->map[i]->shadow)};
    for (size_t i = 0; i < reply->n_uncovered; i++)
        uncovered[i] = (struct sp_uncovered){text_or_empty(reply->uncovered[i]->path),
                                             text_or_empty(reply->uncovered[i]->reason)};
    struct sp_snapshot *snapshot = &result->u.snapshot;
    snapshot->volumes = volumes;
    snapshot->volumes_count = reply->n_volumes;
    snapshot->map = map;
    snapshot->map_count = reply->n_map;
    snapshot->uncovered = uncovered;
    snapshot->uncovered_count = reply->n_uncovered;
    return true;
}

static struct result *convert_snapshot(struct message *message, struct sp_error **error)
{
    struct result *result = result_create(message, error);
    if (!result)
        return NULL;
    const PB(SnapshotReply) *reply = message->envelope->snapshot_reply;
    struct sp_snapshot *snapshot = &result->u.snapshot;
    snapshot->lease_id = text_or_empty(reply->lease_id);
    snapshot->token = text_or_empty(reply->token);
    snapshot->set_id = text_or_empty(reply->set_id);
    snapshot->created_ms = reply->created_ms;
    snapshot->expires_ms = reply->expires_ms;
    snapshot->consistency = (enum sp_consistency)reply->consistency;
    snapshot->simulated = reply->simulated;
    snapshot->warnings = (const char *const *)reply->warnings;
    snapshot->warnings_count = reply->n_warnings;
    snapshot->writers = result_writers(result, reply->writers, reply->n_writers);
    snapshot->writers_count = reply->n_writers;
    if (!snapshot->writers || !convert_volume_snapshots(result, reply))
        return result_fail(result, error);
    return result;
}

struct sp_snapshot *sp_create_snapshot(struct sp_client *client, const struct sp_snapshot_request *request,
                                       struct sp_error **error)
{
    PB(CreateSnapshot) create = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    fill_request(request, &create);
    envelope.body_case = PB_BODY(CREATE_SNAPSHOT);
    envelope.create_snapshot = &create;
    struct progress_forward forward = {request->on_progress, request->context};
    struct message_options options = {.timeout_ms = request->timeout_ms,
                                      .on_message = forward_progress,
                                      .context = &forward,
                                      .cancel = request->cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(SNAPSHOT_REPLY), &options, error);
    struct result *result = reply ? convert_snapshot(reply, error) : NULL;
    return result ? &result->u.snapshot : NULL;
}

void sp_snapshot_free(struct sp_snapshot *snapshot)
{
    result_free(snapshot);
}

bool sp_finish(struct sp_client *client, const char *lease_id, const char *token, bool succeeded,
               uint32_t timeout_ms, struct sp_cancel *cancel, struct sp_error **error)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    finish.lease_id = (char *)text_or_empty(lease_id);
    finish.token = (char *)text_or_empty(token);
    finish.outcome = succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED);
    envelope.body_case = PB_BODY(FINISH_BACKUP);
    envelope.finish_backup = &finish;
    struct message_options options = {.timeout_ms = timeout_ms, .cancel = cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(FINISH_REPLY), &options, error);
    message_free(reply);
    return reply != NULL;
}

/* ---- what there is ---- */

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
