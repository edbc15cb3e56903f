/* The typed calls for snapshots that exist: listed, deleted, exposed, broken out, brought in, reverted to. */
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/result.h"

static struct sp_stored_snapshot convert(const PB(Snapshot) * from)
{
    return (struct sp_stored_snapshot){
        .snapshot = result_volume_snapshot(from),
        .set_id = text_or_empty(from->set_id),
        .created_ms = from->created_ms,
        .attributes = from->attributes,
        .originating_machine = text_or_empty(from->originating_machine),
        .service_machine = text_or_empty(from->service_machine),
        .exposed_name = text_or_empty(from->exposed_name),
        .exposed_path = text_or_empty(from->exposed_path),
        .owner_sid = "",
        .purpose = "",
        .lease_id = "",
    };
}

struct sp_stored_snapshots *sp_list_snapshots(struct sp_client *client,
                                              const struct sp_snapshot_filter *filter, uint32_t timeout_ms,
                                              struct sp_error **error)
{
    struct sp_snapshot_filter none = {0};
    PB(ListSnapshots) list = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!filter)
        filter = &none;
    list.snapshot_id = (char *)text_or_empty(filter->snapshot_id);
    list.set_id = (char *)text_or_empty(filter->set_id);
    list.volume = (char *)text_or_empty(filter->volume);
    list.min_age_ms = filter->min_age_ms;
    list.owner_sid = (char *)text_or_empty(filter->owner_sid);
    list.purpose = (char *)text_or_empty(filter->purpose);
    envelope.body_case = PB_BODY(LIST_SNAPSHOTS);
    envelope.list_snapshots = &list;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *message = message_call(client, &envelope, PB_BODY(SNAPSHOTS_REPLY), &options, error);
    struct result *result = message ? result_create(message, error) : NULL;
    if (!result)
        return NULL;
    const PB(SnapshotsReply) *reply = message->envelope->snapshots_reply;
    static const PB(Snapshot) nothing = SHADOWPIPE__V1__SNAPSHOT__INIT;
    struct sp_stored_snapshot *snapshots = result_array(result, reply->n_snapshots, sizeof *snapshots);
    if (!snapshots)
        return result_fail(result, error);
    for (size_t i = 0; i < reply->n_snapshots; i++) {
        const PB(SnapshotRecord) *record = reply->snapshots[i];
        snapshots[i] = convert(record->snapshot ? record->snapshot : &nothing);
        snapshots[i].origin = (enum sp_origin)record->origin;
        snapshots[i].owner_sid = text_or_empty(record->owner_sid);
        snapshots[i].purpose = text_or_empty(record->purpose);
        snapshots[i].lease_id = text_or_empty(record->lease_id);
    }
    result->u.stored = (struct sp_stored_snapshots){snapshots, reply->n_snapshots};
    return &result->u.stored;
}

void sp_stored_snapshots_free(struct sp_stored_snapshots *snapshots)
{
    result_free(snapshots);
}

/* ---- deleting ---- */

struct sp_deleted *sp_delete_snapshots(struct sp_client *client, const struct sp_delete_request *request,
                                       struct sp_error **error)
{
    PB(DeleteSnapshots) delete = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    delete.snapshot_id = (char *)text_or_empty(request->snapshot_id);
    delete.set_id = (char *)text_or_empty(request->set_id);
    delete.volume = (char *)text_or_empty(request->volume);
    delete.all_mine = request->all_mine;
    delete.oldest = request->oldest;
    delete.dry_run = request->dry_run;
    delete.force = request->force;
    envelope.body_case = PB_BODY(DELETE_SNAPSHOTS);
    envelope.delete_snapshots = &delete;
    struct progress_forward forward = {request->on_progress, request->context};
    struct message_options options = {.timeout_ms = request->timeout_ms,
                                      .on_message = progress_forward,
                                      .context = &forward,
                                      .cancel = request->cancel};
    struct message *message = message_call(client, &envelope, PB_BODY(DELETE_REPLY), &options, error);
    struct result *result = message ? result_create(message, error) : NULL;
    if (!result)
        return NULL;
    const PB(DeleteReply) *reply = message->envelope->delete_reply;
    result->u.deleted =
        (struct sp_deleted){.deleted = (const char *const *)reply->deleted,
                            .deleted_count = reply->n_deleted,
                            .left = (const char *const *)reply->left,
                            .left_count = reply->n_left,
                            .failure = reply->failure ? error_from_status(reply->failure) : NULL};
    return &result->u.deleted;
}

void sp_deleted_free(struct sp_deleted *deleted)
{
    if (deleted)
        sp_error_free((struct sp_error *)(uintptr_t)deleted->failure);
    result_free(deleted);
}

/* ---- one at a time ---- */

/* A reply of which one string counts. NULL without memory. */
static char *give_string(struct message *reply, const char *string, struct sp_error **error)
{
    char *copy = strdup(text_or_empty(string));
    message_free(reply);
    if (!copy)
        error_give(error, error_no_memory());
    return copy;
}

char *sp_expose_snapshot(struct sp_client *client, const struct sp_expose_request *request,
                         struct sp_error **error)
{
    PB(Expose) expose = SHADOWPIPE__V1__EXPOSE__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    expose.snapshot_id = (char *)text_or_empty(request->snapshot_id);
    expose.as_drive = (char *)text_or_empty(request->as_drive);
    expose.as_directory = (char *)text_or_empty(request->as_directory);
    expose.as_share = (char *)text_or_empty(request->as_share);
    expose.sub_path = (char *)text_or_empty(request->sub_path);
    envelope.body_case = PB_BODY(EXPOSE);
    envelope.expose = &expose;
    struct message_options options = {.timeout_ms = request->timeout_ms, .cancel = request->cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(EXPOSE_REPLY), &options, error);
    return reply ? give_string(reply, reply->envelope->expose_reply->exposed, error) : NULL;
}

bool sp_unexpose_snapshot(struct sp_client *client, const char *snapshot_id, uint32_t timeout_ms,
                          struct sp_error **error)
{
    PB(Unexpose) unexpose = SHADOWPIPE__V1__UNEXPOSE__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    unexpose.snapshot_id = (char *)text_or_empty(snapshot_id);
    envelope.body_case = PB_BODY(UNEXPOSE);
    envelope.unexpose = &unexpose;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *reply = message_call(client, &envelope, PB_BODY(UNEXPOSE_REPLY), &options, error);
    message_free(reply);
    return reply != NULL;
}

bool sp_break_set(struct sp_client *client, const char *set_id, uint32_t flags, uint32_t timeout_ms,
                  struct sp_error **error)
{
    PB(BreakSet) break_set = SHADOWPIPE__V1__BREAK_SET__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    break_set.set_id = (char *)text_or_empty(set_id);
    break_set.flags = flags;
    envelope.body_case = PB_BODY(BREAK_SET);
    envelope.break_set = &break_set;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *reply = message_call(client, &envelope, PB_BODY(BREAK_SET_REPLY), &options, error);
    message_free(reply);
    return reply != NULL;
}

struct sp_stored_snapshots *sp_import_set(struct sp_client *client, const char *document_id,
                                          uint32_t timeout_ms, struct sp_error **error)
{
    PB(ImportSet) import = SHADOWPIPE__V1__IMPORT_SET__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    import.document_id = (char *)text_or_empty(document_id);
    envelope.body_case = PB_BODY(IMPORT_SET);
    envelope.import_set = &import;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *message = message_call(client, &envelope, PB_BODY(IMPORT_SET_REPLY), &options, error);
    struct result *result = message ? result_create(message, error) : NULL;
    if (!result)
        return NULL;
    const PB(ImportSetReply) *reply = message->envelope->import_set_reply;
    struct sp_stored_snapshot *snapshots = result_array(result, reply->n_snapshots, sizeof *snapshots);
    if (!snapshots)
        return result_fail(result, error);
    for (size_t i = 0; i < reply->n_snapshots; i++)
        snapshots[i] = convert(reply->snapshots[i]);
    result->u.stored = (struct sp_stored_snapshots){snapshots, reply->n_snapshots};
    return &result->u.stored;
}

char *sp_revert_volume(struct sp_client *client, const struct sp_revert_request *request,
                       struct sp_error **error)
{
    PB(RevertVolume) revert = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    revert.snapshot_id = (char *)text_or_empty(request->snapshot_id);
    revert.force_dismount = request->force_dismount;
    envelope.body_case = PB_BODY(REVERT_VOLUME);
    envelope.revert_volume = &revert;
    struct progress_forward forward = {request->on_progress, request->context};
    struct message_options options = {.timeout_ms = request->timeout_ms,
                                      .on_message = progress_forward,
                                      .context = &forward,
                                      .cancel = request->cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(REVERT_VOLUME_REPLY), &options, error);
    return reply ? give_string(reply, reply->envelope->revert_volume_reply->volume, error) : NULL;
}
