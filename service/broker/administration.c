/* Expose, Unexpose, BreakSet, ImportSet and RevertVolume: what VSS does with snapshots besides making them.
 */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/operation.h"
#include "service/broker/snapshots.h"
#include "service/broker/state.h"

enum {
    ATTRIBUTE_EXPOSED_LOCALLY = 0x100000, /* VSS_VOLSNAP_ATTR_… */
    ATTRIBUTE_EXPOSED_REMOTELY = 0x200000
};

static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */

static PB(Status) * invalid(struct broker *broker, const char *reason, const char *field, const char *message,
                            const char *advice)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), reason, "%s", message);
    error_field(error_advise(status, advice), field);
    return status != NULL ? status : error_no_memory();
}

/* ---- Expose ---- */

static bool is_drive(const char *text)
{
    bool is_letter = (text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z');
    return is_letter && text[1] == ':' && (text[2] == '\0' || (text[2] == '\\' && text[3] == '\0'));
}

static PB(Status) * check_expose(struct broker *broker, const PB(Expose) * wish)
{
    int ways = (wish->as_drive[0] != '\0') + (wish->as_directory[0] != '\0') + (wish->as_share[0] != '\0');
    if (!text_is_id(wish->snapshot_id))
        return error_bad_id(broker, "expose.snapshot_id");
    if (ways != 1)
        return invalid(
            broker, "ONE_OF", "expose",
            "exactly one of as_drive, as_directory and as_share says where the snapshot is to show",
            "Choose a drive letter, an empty folder or the name of a share.");
    if (wish->as_drive[0] != '\0' && !is_drive(wish->as_drive))
        return invalid(broker, "BAD_PATH", "expose.as_drive", "it is no drive letter with a colon",
                       "Name a free drive letter, such as X:.");
    if (wish->sub_path[0] != '\0' && wish->as_share[0] == '\0')
        return invalid(broker, "BAD_PATH", "expose.sub_path",
                       "only a share can begin at a folder of the snapshot",
                       "Leave sub_path out, or expose the snapshot as a share.");
    return NULL;
}

/* The folder has to be on this machine; whether it is there and empty, VSS says. */
static PB(Status) * prepare_expose(struct operation *operation, const char *failure)
{
    struct broker *broker = operation->request.broker;
    const char *path = operation->envelope->expose->as_directory;
    const char *reason;
    const char *message;
    if (path[0] == '\0')
        return NULL;
    if (failure != NULL) {
        PB(Status) *status = error_volumes_unknown(broker, failure);
        return status != NULL ? status : error_no_memory();
    }
    if (volumes_resolve(&broker->volumes, path, NAME_OF_PATH, &reason, &message) != NULL)
        return NULL;
    return invalid(broker, reason, "expose.as_directory", message, "Name an empty folder on a local volume.");
}

static void fill_expose(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct operation *operation = subject;
    const PB(Expose) *wish = operation->envelope->expose;
    PB(ExposeSnapshot) *call = (PB(ExposeSnapshot) *)parameters;
    bool is_share = wish->as_share[0] != '\0';
    (void)index;
    call->snapshot_id = wish->snapshot_id;
    call->attributes = is_share ? ATTRIBUTE_EXPOSED_REMOTELY : ATTRIBUTE_EXPOSED_LOCALLY;
    call->path_from_root = wish->sub_path;
    call->expose = is_share ? wish->as_share : wish->as_directory;
    if (wish->as_drive[0] != '\0') {
        call->expose = wish->as_drive;
        call->expose[2] = '\0'; /* VSS takes the letter without a backslash */
    }
}

static bool on_exposed(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    PB(ExposeReply) answer = SHADOWPIPE__V1__EXPOSE_REPLY__INIT;
    (void)index;
    if (reply->out_case == PB_OUT(EXPOSE_SNAPSHOT))
        answer.exposed = reply->expose_snapshot->exposed;
    broker_log(operation->request.broker, BROKER_LOG_INFO, "snapshot %s exposed as %s for %s",
               operation->envelope->expose->snapshot_id, answer.exposed, operation->client_name);
    PB(Envelope) envelope = ENVELOPE(EXPOSE_REPLY, .expose_reply = &answer);
    request_reply(&operation->request, &envelope);
    return true;
}

static const struct step expose_steps[] = {
    OPERATION_OPENS, OPERATION_STEP(EXPOSE_SNAPSHOT, CHANGING, NULL, fill_expose, on_exposed, false),
    OPERATION_ENDS};
static const struct operation_type expose_type = {.doing = "the snapshot was being exposed",
                                                  .steps = expose_steps,
                                                  .wants_volumes = true,
                                                  .prepare = prepare_expose};

void administration_expose(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *refusal = check_expose(connection->broker, envelope->expose);
    if (refusal != NULL)
        fail_now(connection, envelope->id, refusal);
    else
        operation_begin(connection, envelope, &expose_type);
}

/* ---- Unexpose ---- */

static void fill_unexpose(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    ((PB(UnexposeSnapshot) *)parameters)->snapshot_id =
        ((const struct operation *)subject)->envelope->unexpose->snapshot_id;
}

static void succeed_unexpose(struct operation *operation)
{
    PB(UnexposeReply) reply = SHADOWPIPE__V1__UNEXPOSE_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE(UNEXPOSE_REPLY, .unexpose_reply = &reply);
    broker_log(operation->request.broker, BROKER_LOG_INFO, "snapshot %s unexposed for %s",
               operation->envelope->unexpose->snapshot_id, operation->client_name);
    request_reply(&operation->request, &envelope);
}

static const struct step unexpose_steps[] = {
    OPERATION_OPENS, OPERATION_STEP(UNEXPOSE_SNAPSHOT, CHANGING, NULL, fill_unexpose, NULL, false),
    OPERATION_ENDS};
static const struct operation_type unexpose_type = {
    .doing = "the snapshot was being unexposed", .steps = unexpose_steps, .succeed = succeed_unexpose};

void administration_unexpose(struct connection *connection, const PB(Envelope) * envelope)
{
    if (text_is_id(envelope->unexpose->snapshot_id))
        operation_begin(connection, envelope, &unexpose_type);
    else
        fail_now(connection, envelope->id, error_bad_id(connection->broker, "unexpose.snapshot_id"));
}

/* ---- BreakSet ---- */

static size_t count_break(void *subject)
{
    return ((const struct operation *)subject)->envelope->break_set->flags == 0 ? 1 : 0;
}

static size_t count_break_ex(void *subject)
{
    return 1 - count_break(subject);
}

static void fill_break(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    ((PB(BreakSnapshotSet) *)parameters)->set_id =
        ((const struct operation *)subject)->envelope->break_set->set_id;
}

static void fill_break_ex(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const PB(BreakSet) *wish = ((const struct operation *)subject)->envelope->break_set;
    (void)index;
    ((PB(BreakSnapshotSetEx) *)parameters)->set_id = wish->set_id;
    ((PB(BreakSnapshotSetEx) *)parameters)->flags = wish->flags;
}

static void succeed_break(struct operation *operation)
{
    PB(BreakSetReply) reply = SHADOWPIPE__V1__BREAK_SET_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE(BREAK_SET_REPLY, .break_set_reply = &reply);
    broker_log(operation->request.broker, BROKER_LOG_INFO, "snapshot set %s broken for %s",
               operation->envelope->break_set->set_id, operation->client_name);
    request_reply(&operation->request, &envelope);
}

static const struct step break_steps[] = {
    OPERATION_OPENS, OPERATION_STEP(BREAK_SNAPSHOT_SET, CHANGING, count_break, fill_break, NULL, false),
    OPERATION_STEP(BREAK_SNAPSHOT_SET_EX, CHANGING, count_break_ex, fill_break_ex, NULL, false),
    OPERATION_ENDS};
static const struct operation_type break_type = {
    .doing = "the snapshot set was being broken", .steps = break_steps, .succeed = succeed_break};

void administration_break(struct connection *connection, const PB(Envelope) * envelope)
{
    if (text_is_id(envelope->break_set->set_id))
        operation_begin(connection, envelope, &break_type);
    else
        fail_now(connection, envelope->id, error_bad_id(connection->broker, "break_set.set_id"));
}

/* ---- ImportSet ---- */

static void fill_document(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    ((PB(InitializeForBackup) *)parameters)->document_id = ((const struct operation *)subject)->document->id;
}

/* Those that were there before. */
static bool keep_known(struct operation *operation, const struct finding *finding)
{
    operation->known = arena_alloc(&operation->arena, (finding->count + 1) * sizeof *operation->known);
    for (size_t i = 0; operation->known != NULL && i < finding->count; i++) {
        char *id = arena_strdup(&operation->arena, finding->snapshots[i]->snapshot_id);
        if (id == NULL)
            return false;
        operation->known[operation->known_count++] = id;
    }
    return operation->known != NULL;
}

static bool is_known(const struct operation *operation, const char *snapshot_id)
{
    for (size_t i = 0; i < operation->known_count; i++) {
        if (text_equal(operation->known[i], snapshot_id))
            return true;
    }
    return false;
}

/* Asked before and after: what is new was imported. */
static bool import_found(struct operation *operation, const struct finding *finding)
{
    struct broker *broker = operation->request.broker;
    if (operation->known == NULL)
        return keep_known(operation, finding) || operation_refuse(operation, NULL);
    PB(ImportSetReply) reply = SHADOWPIPE__V1__IMPORT_SET_REPLY__INIT;
    reply.snapshots = arena_alloc(&broker->arena, (finding->count + 1) * sizeof(*reply.snapshots));
    for (size_t i = 0; reply.snapshots != NULL && i < finding->count; i++) {
        if (is_known(operation, finding->snapshots[i]->snapshot_id))
            continue;
        PB(Snapshot) *snapshot = snapshot_describe(broker, finding->snapshots[i], false, true);
        if (snapshot == NULL)
            return operation_refuse(operation, NULL);
        reply.snapshots[reply.n_snapshots++] = snapshot;
    }
    if (reply.snapshots == NULL)
        return operation_refuse(operation, NULL);
    broker_log(broker, BROKER_LOG_INFO, "%zu snapshots imported for %s", reply.n_snapshots,
               operation->client_name);
    PB(Envelope) envelope = ENVELOPE(IMPORT_SET_REPLY, .import_set_reply = &reply);
    request_reply(&operation->request, &envelope);
    return true;
}

static const struct step import_steps[] = {
    OPERATION_STEP(INITIALIZE_FOR_BACKUP, INITIALIZING, NULL, fill_document, NULL, false),
    OPERATION_STEP(SET_CONTEXT, INITIALIZING, NULL, operation_fill_context, NULL, false),
    OPERATION_ASKS,
    OPERATION_STEP(IMPORT_SNAPSHOTS, CHANGING, NULL, NULL, NULL, false),
    OPERATION_ASKS,
    OPERATION_ENDS};
static const struct operation_type import_type = {
    .doing = "the snapshot set was being imported", .steps = import_steps, .found = import_found};

void administration_import(struct connection *connection, const PB(Envelope) * envelope)
{
    struct document *document = document_find(connection, envelope->import_set->document_id);
    if (document != NULL && document->is_complete)
        operation_begin_with(connection, envelope, &import_type, document);
    else
        fail_now(connection, envelope->id,
                 error_document(connection->broker, document, "import_set.document_id"));
}

/* ---- RevertVolume ---- */

static void fill_properties(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    ((PB(GetSnapshotProperties) *)parameters)->snapshot_id =
        ((const struct operation *)subject)->envelope->revert_volume->snapshot_id;
}

static bool on_properties(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    const PB(Snapshot) *snapshot =
        reply->out_case == PB_OUT(GET_SNAPSHOT_PROPERTIES) ? reply->get_snapshot_properties->snapshot : NULL;
    (void)index;
    operation->volume = arena_strdup(&operation->arena, snapshot != NULL ? snapshot->volume_guid_path : "");
    return operation->volume != NULL || operation_refuse(operation, NULL);
}

/* From here on VSS goes through with it, whatever becomes of us. */
static void fill_revert(void *subject, size_t index, ProtobufCMessage *parameters)
{
    struct operation *operation = subject;
    const PB(RevertVolume) *wish = operation->envelope->revert_volume;
    (void)index;
    operation->cannot_be_stopped = true;
    ((PB(RevertToSnapshot) *)parameters)->snapshot_id = wish->snapshot_id;
    ((PB(RevertToSnapshot) *)parameters)->force_dismount = wish->force_dismount;
    broker_log(operation->request.broker, BROKER_LOG_WARNING, "reverting %s to snapshot %s for %s",
               operation->volume, wish->snapshot_id, operation->client_name);
}

/* It may take hours; others need not wait for that. */
static void fill_status(void *subject, size_t index, ProtobufCMessage *parameters)
{
    struct operation *operation = subject;
    (void)index;
    lane_leave(operation->request.broker, &operation->place);
    ((PB(QueryRevertStatus) *)parameters)->volume = operation->volume;
}

/* No revert runs any more: it was that quick. */
static bool on_status(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    PB(Status) *failure = reply_failure(operation->request.broker, PB_METHOD(QUERY_REVERT_STATUS), reply);
    (void)index;
    if (failure == NULL || reply->hresult == object_not_found)
        return true;
    failure->volume = operation->volume;
    return operation_refuse(operation, failure);
}

static void succeed_revert(struct operation *operation)
{
    PB(RevertVolumeReply) reply = SHADOWPIPE__V1__REVERT_VOLUME_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE(REVERT_VOLUME_REPLY, .revert_volume_reply = &reply);
    reply.volume = operation->volume;
    broker_log(operation->request.broker, BROKER_LOG_WARNING, "%s was reverted to snapshot %s for %s",
               operation->volume, operation->envelope->revert_volume->snapshot_id, operation->client_name);
    request_reply(&operation->request, &envelope);
}

static const struct step revert_steps[] = {
    OPERATION_OPENS,
    OPERATION_STEP(GET_SNAPSHOT_PROPERTIES, INITIALIZING, NULL, fill_properties, on_properties, false),
    OPERATION_STEP(REVERT_TO_SNAPSHOT, REVERTING, NULL, fill_revert, NULL, false),
    OPERATION_STEP(QUERY_REVERT_STATUS, REVERTING, NULL, fill_status, on_status, true), OPERATION_ENDS};
static const struct operation_type revert_type = {
    .doing = "the volume was about to be reverted", .steps = revert_steps, .succeed = succeed_revert};

void administration_revert(struct connection *connection, const PB(Envelope) * envelope)
{
    if (text_is_id(envelope->revert_volume->snapshot_id))
        operation_begin(connection, envelope, &revert_type);
    else
        fail_now(connection, envelope->id, error_bad_id(connection->broker, "revert_volume.snapshot_id"));
}
