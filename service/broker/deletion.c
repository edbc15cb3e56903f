/* DeleteSnapshots: which ones are meant, whether the caller may, and one after the other, the oldest first.
 */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/holding.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/operation.h"
#include "service/broker/snapshots.h"
#include "service/broker/state.h"

enum {
    OBJECT_SNAPSHOT = 3, /* VSS_OBJECT_SNAPSHOT */
    IN_USE_RETRY_MS = 60 * 1000
};

static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND: somebody was faster */

struct doomed {
    char *id;
    char *volume; /* a name of it for people */
    bool is_gone;
};

struct deletion {
    struct doomed *snapshots; /* the oldest first */
    size_t count;
    size_t answered;
    char **kept; /* ids of those that are still read */
    size_t kept_count;
    PB(Status) * kept_why; /* about the first of them */
};

void deletion_count(const struct deletion *deletion, uint32_t *done, uint32_t *total)
{
    *done = 0;
    *total = (uint32_t)deletion->count;
    for (size_t i = 0; i < deletion->count; i++)
        *done += deletion->snapshots[i].is_gone;
}

/* ---- answers ---- */

/* `failure` may be NULL. A dry run tells the same as if all had gone well. */
static void answer(struct operation *operation, PB(Status) * failure)
{
    struct arena *arena = &operation->request.broker->arena;
    const struct deletion *deletion = operation->deletion;
    PB(DeleteReply) reply = SHADOWPIPE__V1__DELETE_REPLY__INIT;
    size_t most = deletion->count + deletion->kept_count + 1;
    reply.deleted = arena_alloc(arena, most * sizeof *reply.deleted);
    reply.left = arena_alloc(arena, most * sizeof *reply.left);
    if (reply.deleted == NULL || reply.left == NULL) {
        request_fail(&operation->request, NULL);
        return;
    }
    for (size_t i = 0; i < deletion->kept_count; i++)
        reply.left[reply.n_left++] = deletion->kept[i];
    for (size_t i = 0; i < deletion->count; i++) {
        if (deletion->snapshots[i].is_gone || operation->envelope->delete_snapshots->dry_run)
            reply.deleted[reply.n_deleted++] = deletion->snapshots[i].id;
        else
            reply.left[reply.n_left++] = deletion->snapshots[i].id;
    }
    reply.failure = failure;
    PB(Envelope) envelope = ENVELOPE(DELETE_REPLY, .delete_reply = &reply);
    request_reply(&operation->request, &envelope);
}

static void succeed(struct operation *operation)
{
    answer(operation, operation->deletion->kept_why);
}

/* Before it is known what would go, the Status is all that there is to tell. */
static void fail(struct operation *operation, PB(Status) * status)
{
    if (operation->deletion == NULL)
        request_fail(&operation->request, status);
    else
        answer(operation, status);
}

/* ---- what is meant ---- */

static bool is_meant(const struct operation *operation, const PB(Snapshot) * snapshot,
                     const struct holding *holding)
{
    const PB(DeleteSnapshots) *wish = operation->envelope->delete_snapshots;
    if (wish->snapshot_id[0] != '\0')
        return text_equal(wish->snapshot_id, snapshot->snapshot_id);
    if (wish->set_id[0] != '\0')
        return text_equal(wish->set_id, snapshot->set_id);
    if (wish->all_mine)
        return holding->is_callers;
    return text_equal(operation->volume, snapshot->volume_guid_path);
}

static PB(Status) * not_yours(const struct operation *operation, const PB(Snapshot) * snapshot)
{
    struct broker *broker = operation->request.broker;
    const struct caller *caller = &operation->request.connection->caller;
    broker_log(broker, BROKER_LOG_WARNING,
               "%s (%s, process %u) may not delete snapshot %s: it lacks the right MANAGE",
               operation->client_name, caller->sid, (unsigned)caller->process_id, snapshot->snapshot_id);
    PB(Status) *status = status_make(
        &broker->arena, PB_CODE(PERMISSION_DENIED), "RIGHT_MISSING",
        "snapshot %s is not the caller's; to delete it needs the right MANAGE, so nothing was deleted",
        snapshot->snapshot_id);
    return error_advise(status, caller->filtered_admin
                                    ? "Run the program elevated, or ask an administrator for this right."
                                    : "Ask an administrator for this right, or name snapshots of your own.");
}

static PB(Status) * still_read(const struct operation *operation, const struct doomed *snapshot)
{
    struct broker *broker = operation->request.broker;
    PB(Status) *status = status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "SNAPSHOT_IN_USE",
                                     "snapshot %s is still being read through this service", snapshot->id);
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), IN_USE_RETRY_MS);
    if (status != NULL)
        status->volume = snapshot->volume;
    return error_advise(status, "Let the backup finish, see the list of leases, or force the deletion.");
}

static PB(Status) * none_found(struct broker *broker, const PB(DeleteSnapshots) * wish)
{
    bool by_set = wish->set_id[0] != '\0';
    PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_SNAPSHOT",
                                     by_set ? "no snapshot of this set exists" : "there is no such snapshot");
    error_field(status, by_set ? "delete_snapshots.set_id" : "delete_snapshots.snapshot_id");
    return error_advise(status, "It may have been deleted already; list the snapshots to see what there is.");
}

/* False: no memory. */
static bool add(struct operation *operation, const PB(Snapshot) * seen, bool is_read)
{
    struct deletion *deletion = operation->deletion;
    const struct volume *volume =
        operation->has_volumes ? snapshot_volume(operation->request.broker, seen->volume_guid_path) : NULL;
    const char *name = volume != NULL && volume->names_count > 0 ? volume->names[0] : seen->volume_guid_path;
    struct doomed doomed = {.id = arena_strdup(&operation->arena, seen->snapshot_id),
                            .volume = arena_strdup(&operation->arena, name)};
    if (doomed.id == NULL || doomed.volume == NULL)
        return false;
    if (!is_read || operation->envelope->delete_snapshots->force) {
        deletion->snapshots[deletion->count++] = doomed;
        return true;
    }
    deletion->kept[deletion->kept_count++] = doomed.id;
    if (deletion->kept_why == NULL) {
        const PB(Status) *why = still_read(operation, &doomed);
        deletion->kept_why = why != NULL ? MESSAGE_COPY(&operation->arena, why) : NULL;
    }
    return deletion->kept_why != NULL;
}

static struct deletion *deletion_new(struct arena *arena, size_t count)
{
    struct deletion *deletion = arena_alloc(arena, sizeof *deletion);
    if (deletion == NULL)
        return NULL;
    deletion->snapshots = arena_alloc(arena, (count + 1) * sizeof *deletion->snapshots);
    deletion->kept = arena_alloc(arena, (count + 1) * sizeof *deletion->kept);
    return deletion->snapshots != NULL && deletion->kept != NULL ? deletion : NULL;
}

/* NULL, or why nothing is deleted. */
static PB(Status) * choose(struct operation *operation, const struct finding *finding)
{
    const PB(DeleteSnapshots) *wish = operation->envelope->delete_snapshots;
    const struct connection *caller = operation->request.connection;
    for (size_t i = 0; i < finding->count; i++) {
        const PB(Snapshot) *snapshot = finding->snapshots[i];
        struct holding holding;
        holding_find(caller, snapshot->snapshot_id, &holding);
        if (!is_meant(operation, snapshot, &holding))
            continue;
        if (!holding.is_callers && (caller->caller.rights & RIGHT_BIT_MANAGE) == 0)
            return not_yours(operation, snapshot);
        if (!add(operation, snapshot, holding.is_read))
            return error_no_memory();
        if (wish->oldest)
            break;
    }
    bool is_named = wish->snapshot_id[0] != '\0' || wish->set_id[0] != '\0';
    bool is_empty = operation->deletion->count + operation->deletion->kept_count == 0;
    return is_named && is_empty ? none_found(operation->request.broker, wish) : NULL;
}

static bool found(struct operation *operation, const struct finding *finding)
{
    operation->deletion = deletion_new(&operation->arena, finding->count);
    PB(Status) *refusal = operation->deletion != NULL ? choose(operation, finding) : error_no_memory();
    if (refusal != NULL) {
        operation->deletion = NULL; /* the whole request is refused */
        return operation_refuse(operation, refusal);
    }
    if (operation->deletion->count > 0 && !operation->envelope->delete_snapshots->dry_run)
        return true;
    succeed(operation);
    operation_end(operation);
    return false;
}

/* ---- one after the other ---- */

static size_t count_doomed(void *subject)
{
    return ((const struct operation *)subject)->deletion->count;
}

static void fill_doomed(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct operation *operation = subject;
    PB(DeleteSnapshotsCall) *call = (PB(DeleteSnapshotsCall) *)parameters;
    call->object_id = operation->deletion->snapshots[index].id;
    call->object_type = OBJECT_SNAPSHOT;
    call->force = operation->envelope->delete_snapshots->force;
}

static void note(struct operation *operation, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    struct broker *broker = operation->request.broker;
    if (method != PB_METHOD(DELETE_SNAPSHOTS))
        return;
    struct doomed *snapshot = &operation->deletion->snapshots[operation->deletion->answered++];
    bool is_failure = (reply->hresult & 0x80000000u) != 0;
    if (is_failure && reply->hresult != object_not_found)
        return;
    snapshot->is_gone = true;
    broker_log(broker, BROKER_LOG_INFO, "snapshot %s of %s %s for %s", snapshot->id, snapshot->volume,
               is_failure ? "was gone already" : "deleted", operation->client_name);
    holding_deleted(broker, snapshot->id, "the snapshot was deleted");
    operation_progress(operation);
}

static bool on_deleted(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    struct broker *broker = operation->request.broker;
    const struct doomed *snapshot = &operation->deletion->snapshots[index];
    if (!snapshot->is_gone) {
        PB(Status) *failure = reply_failure(broker, PB_METHOD(DELETE_SNAPSHOTS), reply);
        broker_log(broker, BROKER_LOG_WARNING, "snapshot %s of %s could not be deleted for %s: %s",
                   snapshot->id, snapshot->volume, operation->client_name, failure->message);
        failure->volume = snapshot->volume;
        return operation_refuse(operation, failure);
    }
    bool is_last = index + 1 == operation->deletion->count;
    if (operation->is_stopping && !is_last)
        return operation_refuse(operation,
                                broker->stopping ? error_stopping(broker) : error_cancelled(broker));
    return true;
}

/* ---- the request ---- */

static PB(Status) * prepare(struct operation *operation, const char *failure)
{
    const char *name = operation->envelope->delete_snapshots->volume;
    return name[0] != '\0' ? operation_resolve(operation, name, "delete_snapshots.volume", failure) : NULL;
}

static const struct step steps[] = {
    OPERATION_OPENS, OPERATION_ASKS,
    OPERATION_STEP(DELETE_SNAPSHOTS, DELETING, count_doomed, fill_doomed, on_deleted, true), OPERATION_ENDS};
static const struct operation_type type = {.doing = "snapshots were being deleted",
                                           .steps = steps,
                                           .wants_volumes = true,
                                           .prepare = prepare,
                                           .found = found,
                                           .succeed = succeed,
                                           .fail = fail,
                                           .note = note};

static PB(Status) * check(struct broker *broker, const PB(DeleteSnapshots) * wish)
{
    int selectors = (wish->snapshot_id[0] != '\0') + (wish->set_id[0] != '\0') + (wish->volume[0] != '\0') +
                    (wish->all_mine ? 1 : 0);
    PB(Status) * status;
    if (selectors != 1 || (wish->oldest && wish->volume[0] == '\0')) {
        status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "ONE_OF", "%s",
                             selectors == 1
                                 ? "the oldest snapshot is one of a volume, and none is named"
                                 : "exactly one of snapshot, set, volume and all_mine says what to delete");
        error_field(status, selectors == 1 ? "delete_snapshots.oldest" : "delete_snapshots");
        error_advise(status, "Name a snapshot, a set or a volume, or ask for all of your own.");
        return status != NULL ? status : error_no_memory();
    }
    if (wish->snapshot_id[0] != '\0' && !text_is_id(wish->snapshot_id))
        return error_bad_id(broker, "delete_snapshots.snapshot_id");
    if (wish->set_id[0] != '\0' && !text_is_id(wish->set_id))
        return error_bad_id(broker, "delete_snapshots.set_id");
    return NULL;
}

void deletion_begin(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *refusal = check(connection->broker, envelope->delete_snapshots);
    if (refusal != NULL)
        fail_now(connection, envelope->id, refusal);
    else
        operation_begin(connection, envelope, &type);
}
