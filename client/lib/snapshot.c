/* The typed calls around one snapshot: taken, checked or attached, its components, and its end. */
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/hold.h"
#include "client/lib/result.h"

/* ---- the request ---- */

static void fill_simple(const struct sp_snapshot_request *from, PB(CreateSnapshot) * to)
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
    to->share = from->no_share ? PB_VALUE(SHARE, SHARE_NEVER) : PB_VALUE(SHARE, SHARE_ALLOWED);
    to->max_age_ms = from->max_age_ms;
    if (from->skip_unsupported)
        to->on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    to->context = (PB(Context))from->vss_context;
    if (from->without_writers && !from->vss_context)
        to->context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    to->attributes = from->attributes;
    to->keep_ms = from->keep_ms;
    to->backup_type = (PB(BackupType))from->backup_type;
    to->allow_types_without_components = from->allow_without_components;
    to->bootable = from->bootable;
    to->partial_files = from->partial_files;
    to->add_needed_volumes = from->add_needed_volumes;
    to->with_documents = from->with_documents;
    to->providers = (char **)from->providers;
    to->n_providers = from->providers_count;
    to->retry_without_failed = from->retry_without_failed;
    to->complete_within_ms = from->complete_within_ms;
}

/* An array of `count` messages of one type and of the pointers to them. NULL without memory. */
static void *message_array(struct arena *arena, size_t count, size_t size,
                           const ProtobufCMessageDescriptor *type, void *pointers)
{
    char *messages = arena_alloc(arena, (count ? count : 1) * size);
    void **list = arena_alloc(arena, (count ? count : 1) * sizeof *list);
    for (size_t i = 0; messages && list && i < count; i++) {
        list[i] = messages + i * size;
        protobuf_c_message_init(type, list[i]);
    }
    *(void ***)pointers = list;
    return list ? messages : NULL;
}

static bool fill_components(const struct sp_snapshot_request *from, struct arena *arena,
                            PB(CreateSnapshot) * to)
{
    PB(ComponentSelection) *made =
        message_array(arena, from->components_count, sizeof *made,
                      &shadowpipe__v1__component_selection__descriptor, &to->components);
    for (size_t i = 0; made && i < from->components_count; i++) {
        const struct sp_component_selection *component = &from->components[i];
        made[i].writer = (char *)text_or_empty(component->writer);
        made[i].type = (PB(ComponentType))component->type;
        made[i].logical_path = (char *)text_or_empty(component->logical_path);
        made[i].name = (char *)text_or_empty(component->name);
        made[i].previous_stamp = (char *)text_or_empty(component->previous_stamp);
        made[i].options = (char *)text_or_empty(component->options);
    }
    to->n_components = from->components_count;
    return made != NULL;
}

static bool fill_timeouts(const struct sp_snapshot_request *from, struct arena *arena,
                          PB(CreateSnapshot) * to, struct sp_error **error)
{
    PB(PhaseTimeout) *made = message_array(arena, from->phase_timeouts_count, sizeof *made,
                                           &shadowpipe__v1__phase_timeout__descriptor, &to->phase_timeouts);
    for (size_t i = 0; made && i < from->phase_timeouts_count; i++) {
        const char *name = text_or_empty(from->phase_timeouts[i].phase);
        made[i].phase = phase_by_name(name);
        made[i].timeout_ms = from->phase_timeouts[i].timeout_ms;
        if (made[i].phase == PB_PHASE(UNSPECIFIED)) {
            error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "",
                                           "There is no phase \"%s\".", name));
            return false;
        }
    }
    to->n_phase_timeouts = from->phase_timeouts_count;
    if (!made)
        error_give(error, error_no_memory());
    return made != NULL;
}

static bool fill_hold_points(const struct sp_snapshot_request *from, struct arena *arena,
                             PB(CreateSnapshot) * to)
{
    PB(HoldPoint) *made = message_array(arena, from->hold_points_count, sizeof *made,
                                        &shadowpipe__v1__hold_point__descriptor, &to->hold_points);
    for (size_t i = 0; made && i < from->hold_points_count; i++) {
        made[i].kind = (PB(HoldPointKind))from->hold_points[i].kind;
        made[i].timeout_ms = from->hold_points[i].timeout_ms;
    }
    to->n_hold_points = from->hold_points_count;
    return made != NULL;
}

static void fill_lease(bool detached, uint32_t ttl_ms, PB(LeaseOptions) * to)
{
    shadowpipe__v1__lease_options__init(to);
    to->mode =
        detached ? PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED) : PB_VALUE(LEASE_MODE, LEASE_MODE_UNSPECIFIED);
    to->ttl_ms = ttl_ms;
}

static bool fill_request(const struct sp_snapshot_request *from, struct arena *arena, PB(CreateSnapshot) * to,
                         struct sp_error **error)
{
    fill_simple(from, to);
    if (fill_components(from, arena, to) && fill_hold_points(from, arena, to))
        return fill_timeouts(from, arena, to, error);
    error_give(error, error_no_memory());
    return false;
}

/* ---- the reply ---- */

static bool convert_volume_snapshots(struct result *result, const PB(SnapshotReply) * reply)
{
    struct sp_volume_snapshot *volumes = result_array(result, reply->n_volumes, sizeof *volumes);
    struct sp_mapping *map = result_array(result, reply->n_map, sizeof *map);
    struct sp_uncovered *uncovered = result_array(result, reply->n_uncovered, sizeof *uncovered);
    if (!volumes || !map || !uncovered)
        return false;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        volumes[i] = result_volume_snapshot(reply->volumes[i]);
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

static bool convert_storage(struct result *result, const PB(SnapshotReply) * reply)
{
    struct sp_storage *storage = result_array(result, reply->n_storage, sizeof *storage);
    for (size_t i = 0; storage && i < reply->n_storage; i++) {
        const PB(VolumeStorage) *from = reply->storage[i];
        struct sp_diff_area *areas = result_array(result, from->n_diff_areas, sizeof *areas);
        for (size_t n = 0; areas && n < from->n_diff_areas; n++) {
            const PB(DiffArea) *area = from->diff_areas[n];
            areas[n] = (struct sp_diff_area){text_or_empty(area->diff_volume), area->maximum_bytes,
                                             area->allocated_bytes, area->used_bytes};
        }
        if (!areas)
            return false;
        storage[i] = (struct sp_storage){text_or_empty(from->volume_guid_path), from->snapshots,
                                         from->max_snapshots, areas, from->n_diff_areas};
    }
    result->u.snapshot.storage = storage;
    result->u.snapshot.storage_count = reply->n_storage;
    return storage != NULL;
}

struct sp_snapshot *result_snapshot(struct message *message, const PB(SnapshotReply) * reply,
                                    struct sp_error **error)
{
    struct result *result = result_create(message, error);
    if (!result)
        return NULL;
    static const PB(SnapshotReply) nothing = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    if (!reply)
        reply = &nothing;
    struct sp_snapshot *snapshot = &result->u.snapshot;
    snapshot->lease_id = text_or_empty(reply->lease_id);
    snapshot->token = text_or_empty(reply->token);
    snapshot->set_id = text_or_empty(reply->set_id);
    snapshot->created_ms = reply->created_ms;
    snapshot->expires_ms = reply->expires_ms;
    snapshot->consistency = (enum sp_consistency)reply->consistency;
    snapshot->shared = reply->shared;
    snapshot->simulated = reply->simulated;
    snapshot->warnings = (const char *const *)reply->warnings;
    snapshot->warnings_count = reply->n_warnings;
    snapshot->writers = result_writers(result, reply->writers, reply->n_writers);
    snapshot->writers_count = reply->n_writers;
    snapshot->vss_context = (enum sp_context)reply->context;
    snapshot->components_count = reply->components;
    snapshot->documents = result_documents(result, reply->documents, reply->n_documents);
    snapshot->documents_count = reply->n_documents;
    if (!snapshot->writers || !snapshot->documents || !convert_volume_snapshots(result, reply) ||
        !convert_storage(result, reply))
        return result_fail(result, error);
    return snapshot;
}

static struct sp_snapshot *give_snapshot(struct message *reply, struct sp_error **error)
{
    return reply ? result_snapshot(reply, reply->envelope->snapshot_reply, error) : NULL;
}

struct creation {
    struct progress_forward forward;
    struct holding holding;
};

static void take_progress(void *context, const PB(Envelope) * envelope)
{
    struct creation *creation = context;
    progress_forward(&creation->forward, envelope);
    holding_look(&creation->holding, envelope);
}

static struct sp_snapshot *create(struct sp_client *client, const struct sp_snapshot_request *request,
                                  bool dry_run, struct sp_error **error)
{
    PB(CreateSnapshot) create = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(LeaseOptions) lease;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct arena arena;
    struct message *reply = NULL;
    arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
    if (fill_request(request, &arena, &create, error)) {
        create.dry_run = dry_run;
        fill_lease(request->detached, request->ttl_ms, &lease);
        if (request->detached || request->ttl_ms)
            create.lease = &lease;
        envelope.body_case = PB_BODY(CREATE_SNAPSHOT);
        envelope.create_snapshot = &create;
        struct creation creation = {.forward = {request->on_progress, request->context},
                                    .holding = {.client = client,
                                                .on_hold = request->on_hold,
                                                .on_thaw = request->on_thaw,
                                                .context = request->context}};
        struct message_options options = {.timeout_ms = request->timeout_ms,
                                          .on_message = take_progress,
                                          .context = &creation,
                                          .cancel = request->cancel};
        reply = message_call(client, &envelope, PB_BODY(SNAPSHOT_REPLY), &options, error);
        holding_end(&creation.holding, reply != NULL);
    }
    arena_free(&arena);
    return give_snapshot(reply, error);
}

struct sp_snapshot *sp_create_snapshot(struct sp_client *client, const struct sp_snapshot_request *request,
                                       struct sp_error **error)
{
    return create(client, request, false, error);
}

struct sp_snapshot *sp_check_snapshot(struct sp_client *client, const struct sp_snapshot_request *request,
                                      struct sp_error **error)
{
    return create(client, request, true, error);
}

struct sp_snapshot *sp_attach_snapshot(struct sp_client *client, const struct sp_attach_request *request,
                                       struct sp_error **error)
{
    PB(AttachSnapshot) attach = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    PB(LeaseOptions) lease;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    attach.snapshot_id = (char *)text_or_empty(request->snapshot_id);
    attach.device = (char *)text_or_empty(request->device);
    attach.purpose = (char *)text_or_empty(request->purpose);
    fill_lease(request->detached, request->ttl_ms, &lease);
    if (request->detached || request->ttl_ms)
        attach.lease = &lease;
    envelope.body_case = PB_BODY(ATTACH_SNAPSHOT);
    envelope.attach_snapshot = &attach;
    struct message_options options = {.timeout_ms = request->timeout_ms, .cancel = request->cancel};
    return give_snapshot(message_call(client, &envelope, PB_BODY(SNAPSHOT_REPLY), &options, error), error);
}

void sp_snapshot_free(struct sp_snapshot *snapshot)
{
    result_free(snapshot);
}

/* ---- the end ---- */

static bool fill_outcomes(const struct sp_finish_request *from, struct arena *arena, PB(FinishBackup) * to)
{
    PB(ComponentOutcome) *made =
        message_array(arena, from->components_count, sizeof *made,
                      &shadowpipe__v1__component_outcome__descriptor, &to->components);
    for (size_t i = 0; made && i < from->components_count; i++) {
        const struct sp_component_outcome *component = &from->components[i];
        made[i].writer_instance_id = (char *)text_or_empty(component->writer_instance_id);
        made[i].logical_path = (char *)text_or_empty(component->logical_path);
        made[i].name = (char *)text_or_empty(component->name);
        made[i].ok = component->succeeded;
    }
    to->n_components = from->components_count;
    return made != NULL;
}

static struct message *finish(struct sp_client *client, const struct sp_finish_request *request,
                              struct sp_error **error)
{
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct arena arena;
    struct message *reply = NULL;
    arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
    finish.lease_id = (char *)text_or_empty(request->lease_id);
    finish.token = (char *)text_or_empty(request->token);
    finish.outcome =
        request->succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED);
    finish.with_documents = request->with_documents;
    envelope.body_case = PB_BODY(FINISH_BACKUP);
    envelope.finish_backup = &finish;
    struct message_options options = {.timeout_ms = request->timeout_ms, .cancel = request->cancel};
    if (fill_outcomes(request, &arena, &finish))
        reply = message_call(client, &envelope, PB_BODY(FINISH_REPLY), &options, error);
    else
        error_give(error, error_no_memory());
    arena_free(&arena);
    return reply;
}

struct sp_finished *sp_finish_backup(struct sp_client *client, const struct sp_finish_request *request,
                                     struct sp_error **error)
{
    struct message *message = finish(client, request, error);
    struct result *result = message ? result_create(message, error) : NULL;
    if (!result)
        return NULL;
    const PB(FinishReply) *reply = message->envelope->finish_reply;
    struct sp_finished *finished = &result->u.finished;
    finished->completion = (enum sp_completion)reply->completion;
    finished->writers = result_writers(result, reply->writers, reply->n_writers);
    finished->writers_count = reply->n_writers;
    finished->warnings = (const char *const *)reply->warnings;
    finished->warnings_count = reply->n_warnings;
    finished->documents = result_documents(result, reply->documents, reply->n_documents);
    finished->documents_count = reply->n_documents;
    if (!finished->writers || !finished->documents)
        return result_fail(result, error);
    return finished;
}

void sp_finished_free(struct sp_finished *finished)
{
    result_free(finished);
}

bool sp_finish(struct sp_client *client, const char *lease_id, const char *token, bool succeeded,
               uint32_t timeout_ms, struct sp_cancel *cancel, struct sp_error **error)
{
    struct sp_finish_request request = {.lease_id = lease_id,
                                        .token = token,
                                        .succeeded = succeeded,
                                        .timeout_ms = timeout_ms,
                                        .cancel = cancel};
    struct message *reply = finish(client, &request, error);
    message_free(reply);
    return reply != NULL;
}
