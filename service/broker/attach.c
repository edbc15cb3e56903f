/* AttachSnapshot: a lease of a snapshot that exists, whoever made it; and the end of such a lease. Whether
 * the snapshot is there is asked both times. */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/held.h"
#include "service/broker/holding.h"
#include "service/broker/job.h"
#include "service/broker/lease.h"
#include "service/broker/lease_term.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/operation.h"
#include "service/broker/quota.h"
#include "service/broker/snapshots.h"
#include "service/broker/state.h"

/* ---- AttachSnapshot ---- */

/* With or without trailing backslash. */
static bool is_device(const char *device, const char *name)
{
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '\\')
        length--;
    return length > 0 && strlen(device) == length && path_is_below(name, device);
}

static const PB(Snapshot) * find(const struct operation *operation, const struct finding *finding)
{
    const PB(AttachSnapshot) *wish = operation->envelope->attach_snapshot;
    for (size_t i = 0; i < finding->count; i++) {
        const PB(Snapshot) *snapshot = finding->snapshots[i];
        bool is_meant = wish->snapshot_id[0] != '\0' ? text_equal(wish->snapshot_id, snapshot->snapshot_id)
                                                     : is_device(snapshot->device, wish->device);
        if (is_meant)
            return snapshot;
    }
    return NULL;
}

/* NULL: this client may read it. */
static PB(Status) * check_owner(const struct operation *operation, const PB(Snapshot) * snapshot)
{
    struct broker *broker = operation->request.broker;
    const struct connection *connection = operation->request.connection;
    struct holding holding;
    if (snapshot == NULL) {
        PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_SNAPSHOT",
                                         "no snapshot of this id or device exists");
        error_advise(status, "It may have been deleted; list the snapshots to see what there is.");
        return status != NULL ? status : error_no_memory();
    }
    holding_find(connection, snapshot->snapshot_id, &holding);
    if (holding.is_callers || (connection->caller.rights & RIGHT_BIT_MANAGE) != 0)
        return NULL;
    PB(Status) *status = status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "RIGHT_MISSING",
                                     "snapshot %s is not the caller's; to read it needs the right MANAGE",
                                     snapshot->snapshot_id);
    error_advise(status, connection->caller.filtered_admin
                             ? "Run the program elevated, or ask an administrator for this right."
                             : "Ask an administrator for this right.");
    return status != NULL ? status : error_no_memory();
}

/* The context it was made in, as far as its attributes tell. */
static PB(Context) context_of(const PB(Snapshot) * snapshot)
{
    static const uint32_t values[] = {0x00, 0x10, 0x19, 0x09, 0x1D, 0x0D}; /* from CONTEXT_BACKUP on */
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if ((snapshot->attributes & 0x1F) == values[i])
            return (PB(Context))(PB_VALUE(CONTEXT, CONTEXT_BACKUP) + i);
    }
    return PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED);
}

static bool fill_map(struct arena *arena, PB(SnapshotReply) * reply, PB(Snapshot) * snapshot)
{
    size_t count = snapshot->n_volume_names > 0 ? snapshot->n_volume_names : 1;
    reply->map = arena_alloc(arena, count * sizeof(*reply->map));
    for (size_t i = 0; reply->map != NULL && i < count; i++) {
        PB(PathMapping) *mapping = MESSAGE_NEW(arena, path_mapping);
        if (mapping == NULL)
            return false;
        mapping->original =
            snapshot->n_volume_names > 0 ? snapshot->volume_names[i] : snapshot->volume_guid_path;
        mapping->shadow = snapshot->device_root;
        reply->map[reply->n_map++] = mapping;
    }
    return reply->map != NULL;
}

/* False: no memory. */
static bool answer(struct operation *operation, PB(Snapshot) * snapshot)
{
    struct broker *broker = operation->request.broker;
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    if (snapshot == NULL || !fill_map(&broker->arena, &reply, snapshot))
        return false;
    struct lease *lease =
        lease_attach(operation->request.connection, snapshot, operation->envelope->attach_snapshot);
    if (lease == NULL)
        return false;
    reply.expires_ms = lease->info->expires_ms;
    reply.lease_id = text_constant(lease->id);
    reply.token = text_constant(lease->token);
    reply.set_id = snapshot->set_id;
    reply.created_ms = snapshot->created_ms;
    reply.context = context_of(snapshot);
    if ((snapshot->attributes & ATTRIBUTE_NO_WRITERS) != 0)
        reply.consistency = PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH);
    reply.volumes = &snapshot;
    reply.n_volumes = 1;
    reply.simulated = broker->simulated;
    if (!lease_keep_reply(lease, &reply)) {
        lease_discard(lease);
        return false;
    }
    held_put_lease(lease); /* the snapshot exists by itself: nobody has to wait for this */
    PB(Envelope) envelope = ENVELOPE(SNAPSHOT_REPLY, .snapshot_reply = &reply);
    broker_log(broker, BROKER_LOG_INFO, "%s (\"%s\") reads snapshot %s", operation->client_name,
               operation->envelope->attach_snapshot->purpose, snapshot->snapshot_id);
    request_reply(&operation->request, &envelope);
    return true;
}

static bool attach_found(struct operation *operation, const struct finding *finding)
{
    const PB(Snapshot) *snapshot = find(operation, finding);
    PB(Status) *refusal = check_owner(operation, snapshot);
    if (refusal != NULL)
        return operation_refuse(operation, refusal);
    return answer(operation,
                  snapshot_describe(operation->request.broker, snapshot, operation->has_volumes, true)) ||
           operation_refuse(operation, NULL);
}

static const struct step steps[] = {OPERATION_OPENS, OPERATION_ASKS, OPERATION_ENDS};
static const struct operation_type attach_type = {.doing = "the snapshot was being looked for",
                                                  .steps = steps,
                                                  .asks = true,
                                                  .wants_volumes = true,
                                                  .found = attach_found};

static PB(Status) * check(struct broker *broker, const PB(AttachSnapshot) * wish)
{
    if ((wish->snapshot_id[0] != '\0') == (wish->device[0] != '\0')) {
        PB(Status) *status =
            status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "ONE_OF",
                        "exactly one of snapshot_id and device says which snapshot is meant");
        error_field(error_advise(status, "List the snapshots to see both."), "attach_snapshot");
        return status != NULL ? status : error_no_memory();
    }
    if (wish->snapshot_id[0] != '\0' && !text_is_id(wish->snapshot_id))
        return error_bad_id(broker, "attach_snapshot.snapshot_id");
    return lease_term_check(broker, wish->lease, "attach_snapshot.lease.ttl_ms");
}

void attach_count(const struct broker *broker, const struct owner *owner, uint32_t *all, uint32_t *own)
{
    *all = *own = 0;
    LIST_EACH(const struct operation, operation, &broker->operations, link)
    {
        if (operation->type != &attach_type || !request_is_open(&operation->request))
            continue;
        ++*all;
        *own += operation->request.connection->owner == owner;
    }
}

void attach_begin(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *refusal = check(connection->broker, envelope->attach_snapshot);
    if (refusal == NULL)
        refusal = quota_lease(connection);
    if (refusal != NULL)
        fail_now(connection, envelope->id, refusal);
    else
        operation_begin(connection, envelope, &attach_type);
}

/* ---- FinishBackup ---- */

/* Those of which the snapshot has gone have been told by now; see operation_query. */
static bool finish_found(struct operation *operation, const struct finding *finding)
{
    struct lease *lease = NULL;
    (void)finding;
    PB(Status) *refusal =
        lease_check_finish(operation->request.connection, operation->envelope->finish_backup, &lease);
    if (refusal != NULL || lease == NULL)
        return operation_refuse(operation, refusal);
    PB(FinishReply) reply = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE(FINISH_REPLY, .finish_reply = &reply);
    reply.completion = PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED);
    lease_discard(lease);
    request_reply(&operation->request, &envelope);
    return true;
}

static const struct operation_type finish_type = {.doing =
                                                      "VSS was asked whether the snapshot is still there",
                                                  .steps = steps,
                                                  .asks = true,
                                                  .found = finish_found};

void attach_finish(struct connection *connection, const PB(Envelope) * envelope)
{
    if (connection->broker->stopping)
        fail_now(connection, envelope->id, error_stopping(connection->broker));
    else
        operation_begin(connection, envelope, &finish_type);
}
