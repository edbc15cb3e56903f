/* Which snapshots the machine has: the question that operations share, and ListSnapshots. */
#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/holding.h"
#include "service/broker/message.h"
#include "service/broker/operation.h"
#include "service/broker/snapshots.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    OBJECT_SNAPSHOT = 3, /* VSS_OBJECT_TYPE */
    OBJECT_PROVIDER = 4,
    ATTRIBUTE_IMPORTED = 0x80000 /* VSS_VOLSNAP_ATTR_IMPORTED */
};

static const uint32_t context_all = 0xFFFFFFFFu;
static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND: there is none at all */

/* ---- the question ---- */

void operation_fill_context(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    (void)index;
    ((PB(SetContext) *)parameters)->context = context_all;
}

size_t operation_count_query(void *subject)
{
    (void)subject;
    return 2;
}

static bool is_joined(const struct operation *operation, const struct operation *other)
{
    return operation->type->asks && other->type->asks && other->stage == OPERATION_WAITING;
}

/* The providers first. Who waits now is answered by the same: nothing has changed since it asked. */
void operation_fill_query(void *subject, size_t index, ProtobufCMessage *parameters)
{
    struct operation *operation = subject;
    ((PB(Query) *)parameters)->object_type = index == 0 ? OBJECT_PROVIDER : OBJECT_SNAPSHOT;
    if (index == 0)
        return;
    operation->asked_ms = operation->request.broker->now_ms;
    LIST_EACH(struct operation, other, &operation->request.broker->operations, link)
    other->shares |= is_joined(operation, other);
}

static bool keep_providers(struct operation *operation, const PB(QueryResult) * result)
{
    size_t count = result->n_providers;
    operation->providers = arena_alloc(&operation->arena, (count + 1) * sizeof *operation->providers);
    operation->providers_count = 0;
    for (size_t i = 0; operation->providers != NULL && i < count; i++) {
        char *id = arena_strdup(&operation->arena, result->providers[i]->provider_id);
        if (id == NULL)
            return false;
        operation->providers[operation->providers_count++] = id;
    }
    return operation->providers != NULL;
}

static int compare_age(const void *one, const void *other)
{
    const PB(Snapshot) *a = *(PB(Snapshot) *const *)one;
    const PB(Snapshot) *b = *(PB(Snapshot) *const *)other;
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return strcmp(a->snapshot_id, b->snapshot_id);
}

bool operation_query(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct operation *operation = subject;
    struct broker *broker = operation->request.broker;
    PB(Status) *failure = reply_failure(broker, PB_METHOD(QUERY), reply);
    PB(QueryResult) nothing = SHADOWPIPE__V1__QUERY_RESULT__INIT;
    const PB(QueryResult) *result = reply->out_case == PB_OUT(QUERY) ? reply->query : &nothing;
    if (failure != NULL && (index == 0 || reply->hresult != object_not_found))
        return operation_refuse(operation, failure);
    if (index == 0)
        return keep_providers(operation, result) || operation_refuse(operation, NULL);
    struct finding finding = {result->snapshots, result->n_snapshots, operation->providers,
                              operation->providers_count};
    if (finding.count > 0)
        qsort(finding.snapshots, finding.count, sizeof(*finding.snapshots), compare_age);
    leases_compare(broker, finding.snapshots, finding.count, operation->asked_ms);
    LIST_EACH(struct operation, other, &broker->operations, link)
    {
        if (other->shares && is_joined(operation, other) && other->type->found(other, &finding))
            operation_end(other);
    }
    return operation->type->found(operation, &finding);
}

/* ---- what there is to say about one ---- */

/* Without the domain where one of the two has none: VSS and Windows give either form. */
static bool is_this_machine(const struct broker *broker, const char *name)
{
    const char *own = broker->config.machine_name != NULL ? broker->config.machine_name : "";
    if (own[0] == '\0' || name[0] == '\0' || text_equal(own, name))
        return true;
    size_t own_length = strcspn(own, ".");
    size_t length = strcspn(name, ".");
    if (own[own_length] != '\0' && name[length] != '\0')
        return false;
    char own_label[256], label[256];
    if (own_length != length || length >= sizeof label)
        return false;
    memcpy(own_label, own, length);
    memcpy(label, name, length);
    own_label[length] = label[length] = '\0';
    return text_equal(own_label, label);
}

static PB(Origin) origin_of(const struct broker *broker, const struct finding *finding,
                            const PB(Snapshot) * snapshot, const struct holding *holding)
{
    if (holding->is_ours)
        return PB_VALUE(ORIGIN, ORIGIN_OURS);
    if ((snapshot->attributes & ATTRIBUTE_IMPORTED) != 0 ||
        !is_this_machine(broker, snapshot->originating_machine))
        return PB_VALUE(ORIGIN, ORIGIN_UNKNOWN);
    for (size_t i = 0; i < finding->providers_count; i++) {
        if (text_equal(finding->providers[i], snapshot->provider_id))
            return PB_VALUE(ORIGIN, ORIGIN_FOREIGN);
    }
    return PB_VALUE(ORIGIN, ORIGIN_UNKNOWN);
}

const struct volume *snapshot_volume(const struct broker *broker, const char *guid_path)
{
    for (size_t i = 0; i < broker->volumes.count; i++) {
        if (text_equal(broker->volumes.volumes[i].guid_path, guid_path))
            return &broker->volumes.volumes[i];
    }
    return NULL;
}

PB(Snapshot) *
    snapshot_describe(struct broker *broker, const PB(Snapshot) * seen, bool with_volumes, bool may_read)
{
    struct arena *arena = &broker->arena;
    const struct volume *volume = with_volumes ? snapshot_volume(broker, seen->volume_guid_path) : NULL;
    PB(Snapshot) *shown = MESSAGE_NEW(arena, snapshot);
    if (shown == NULL)
        return NULL;
    *shown = *seen;
    if (volume != NULL) {
        shown->volume_names = volume->names;
        shown->n_volume_names = volume->names_count;
    }
    if (may_read) {
        shown->device_root =
            seen->device[0] != '\0' ? text_format(arena, "%s\\", seen->device) : seen->device;
        return shown->device_root != NULL ? shown : NULL;
    }
    shown->device = shown->device_root = shown->exposed_name = shown->exposed_path = text_constant("");
    shown->originating_machine = shown->service_machine = text_constant("");
    return shown;
}

/* NULL: no memory. */
static PB(SnapshotRecord) *
    make_record(struct operation *operation, const struct finding *finding, const PB(Snapshot) * snapshot)
{
    struct broker *broker = operation->request.broker;
    const struct connection *reader = operation->request.connection;
    struct holding holding;
    holding_find(reader, snapshot->snapshot_id, &holding);
    bool sees_all = holding.is_callers || (reader->caller.rights & RIGHT_BIT_MANAGE) != 0;
    PB(SnapshotRecord) *record = MESSAGE_NEW(&broker->arena, snapshot_record);
    if (record == NULL)
        return NULL;
    record->snapshot = snapshot_describe(broker, snapshot, operation->has_volumes, sees_all);
    record->origin = origin_of(broker, finding, snapshot, &holding);
    if (sees_all) {
        record->owner_sid = text_constant(holding.owner_sid);
        record->purpose = text_constant(holding.purpose);
        record->lease_id = text_constant(holding.lease_id);
    }
    return record->snapshot != NULL ? record : NULL;
}

/* ---- ListSnapshots ---- */

static bool is_asked_for(const struct operation *operation, const PB(SnapshotRecord) * record)
{
    const PB(ListSnapshots) *wish = operation->envelope->list_snapshots;
    const PB(Snapshot) *snapshot = record->snapshot;
    int64_t age_ms = operation->request.broker->unix_ms - snapshot->created_ms;
    if (wish->snapshot_id[0] != '\0' && !text_equal(wish->snapshot_id, snapshot->snapshot_id))
        return false;
    if (wish->set_id[0] != '\0' && !text_equal(wish->set_id, snapshot->set_id))
        return false;
    if (operation->volume != NULL && !text_equal(operation->volume, snapshot->volume_guid_path))
        return false;
    if (wish->min_age_ms != 0 && (age_ms < 0 || (uint64_t)age_ms < wish->min_age_ms))
        return false;
    if (wish->owner_sid[0] != '\0' && !text_equal(wish->owner_sid, record->owner_sid))
        return false;
    return wish->purpose[0] == '\0' || strcmp(wish->purpose, record->purpose) == 0;
}

static bool list_found(struct operation *operation, const struct finding *finding)
{
    struct arena *arena = &operation->request.broker->arena;
    PB(SnapshotsReply) reply = SHADOWPIPE__V1__SNAPSHOTS_REPLY__INIT;
    reply.snapshots = arena_alloc(arena, (finding->count + 1) * sizeof(*reply.snapshots));
    for (size_t i = 0; reply.snapshots != NULL && i < finding->count; i++) {
        PB(SnapshotRecord) *record = make_record(operation, finding, finding->snapshots[i]);
        if (record == NULL)
            return operation_refuse(operation, NULL);
        if (is_asked_for(operation, record))
            reply.snapshots[reply.n_snapshots++] = record;
    }
    if (reply.snapshots == NULL)
        return operation_refuse(operation, NULL);
    PB(Envelope) envelope = ENVELOPE(SNAPSHOTS_REPLY, .snapshots_reply = &reply);
    request_reply(&operation->request, &envelope);
    return true;
}

PB(Status) *
    operation_resolve(struct operation *operation, const char *name, const char *field, const char *failure)
{
    struct broker *broker = operation->request.broker;
    const char *reason;
    const char *message;
    if (failure != NULL) {
        PB(Status) *status = error_volumes_unknown(broker, failure);
        return status != NULL ? status : error_no_memory();
    }
    const struct volume *volume = volumes_resolve(&broker->volumes, name, NAME_OF_VOLUME, &reason, &message);
    if (volume != NULL) {
        operation->volume = arena_strdup(&operation->arena, volume->guid_path);
        return operation->volume != NULL ? NULL : error_no_memory();
    }
    bool is_unknown = strcmp(reason, "UNKNOWN_VOLUME") == 0 || strcmp(reason, "NOT_LOCAL") == 0;
    PB(Status) *status =
        status_make(&broker->arena, is_unknown ? PB_CODE(NOT_FOUND) : PB_CODE(INVALID_ARGUMENT), reason,
                    "\"%.200s\" cannot be used: %s", name, message);
    if (status == NULL)
        return error_no_memory();
    status->volume = text_constant(name);
    return error_field(error_advise(status, "List the volumes (shadowpipe volumes) and name one of them."),
                       field);
}

static PB(Status) * prepare_list(struct operation *operation, const char *failure)
{
    const char *name = operation->envelope->list_snapshots->volume;
    return name[0] != '\0' ? operation_resolve(operation, name, "list_snapshots.volume", failure) : NULL;
}

PB(Status) * error_bad_id(struct broker *broker, const char *field)
{
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "BAD_ID", "%s is no GUID", field);
    error_field(error_advise(status, "List the snapshots to see their ids."), field);
    return status != NULL ? status : error_no_memory();
}

bool text_is_id(const char *text)
{
    return text[0] != '{' && text_is_guid(text);
}

static const struct step list_steps[] = {OPERATION_OPENS, OPERATION_ASKS, OPERATION_ENDS};
static const struct operation_type list_type = {.doing = "the snapshots were being listed",
                                                .steps = list_steps,
                                                .asks = true,
                                                .wants_volumes = true,
                                                .prepare = prepare_list,
                                                .found = list_found};

void snapshots_list(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(ListSnapshots) *wish = envelope->list_snapshots;
    const char *field = NULL;
    if (wish->snapshot_id[0] != '\0' && !text_is_id(wish->snapshot_id))
        field = "list_snapshots.snapshot_id";
    else if (wish->set_id[0] != '\0' && !text_is_id(wish->set_id))
        field = "list_snapshots.set_id";
    if (field != NULL)
        fail_now(connection, envelope->id, error_bad_id(connection->broker, field));
    else
        operation_begin(connection, envelope, &list_type);
}
