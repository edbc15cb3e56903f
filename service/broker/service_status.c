#include "service/broker/service_status.h"

#include "proto/prometheus.h"
#include "service/broker/gate.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/request.h"
#include "service/broker/requester.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

struct status_reader status_reader_of(struct connection *connection)
{
    return (struct status_reader){.arena = &connection->broker->arena,
                                  .owner = connection->owner,
                                  .sees_all = (connection->caller.rights & RIGHT_BIT_MANAGE) != 0};
}

static PB(MemberInfo) * make_member(const struct status_reader *reader, const struct owner *owner,
                                    const char *client_name, const char *sid, uint32_t process_id,
                                    const char *purpose, const char *lease_id)
{
    PB(MemberInfo) *member = MESSAGE_NEW(reader->arena, member_info);
    if (member == NULL)
        return NULL;
    member->client_name = text_constant(client_name);
    if (!reader->sees_all && owner != reader->owner)
        return member;
    member->owner_sid = text_constant(sid);
    member->process_id = process_id;
    member->purpose = text_constant(purpose);
    member->lease_id = text_constant(lease_id);
    return member;
}

static PB(MemberInfo) * make_holder(const struct status_reader *reader, const struct lease *lease)
{
    return make_member(reader, lease->owner, lease->info->client_name, lease->info->owner_sid,
                       lease->process_id, lease->info->purpose, lease->id);
}

static bool add_members(const struct status_reader *reader, const struct set *set, PB(SetInfo) * info)
{
    size_t most = list_count(&set->members) + list_count(&set->leases);
    info->members = arena_alloc(reader->arena, (most + 1) * sizeof(*info->members));
    if (info->members == NULL)
        return false;
    LIST_EACH(struct job, job, &set->members, link)
    {
        const struct connection *connection = job->request.connection;
        if (connection == NULL)
            continue;
        PB(MemberInfo) *member =
            make_member(reader, job->owner, connection->client_name, connection->caller.sid,
                        connection->caller.process_id, job->wish->purpose, "");
        if (member == NULL)
            return false;
        info->members[info->n_members++] = member;
    }
    LIST_EACH(struct lease, lease, &set->leases, set_link)
    {
        PB(MemberInfo) *member = make_holder(reader, lease);
        if (member == NULL)
            return false;
        info->members[info->n_members++] = member;
    }
    return true;
}

PB(SetInfo) * service_status_set(const struct status_reader *reader, struct set *set)
{
    struct broker *broker = set->broker;
    PB(SetInfo) *info = MESSAGE_NEW(reader->arena, set_info);
    if (info == NULL || !add_members(reader, set, info))
        return NULL;
    info->number = set->number;
    info->set_id = set->set_id;
    info->phase = set->phase;
    info->volumes = arena_alloc(reader->arena, (set->volumes_count + 1) * sizeof *info->volumes);
    for (size_t i = 0; i < set->volumes_count && info->volumes != NULL; i++) {
        const struct set_volume *volume = &set->volumes[i];
        info->volumes[info->n_volumes++] = TITLE_OF(volume);
    }
    info->requester_pid = set->requester != NULL ? set->requester->process_id : 0;
    info->created_ms = set->created_unix_ms;
    info->age_ms = broker->now_ms - set->started_ms;
    return info->volumes != NULL ? info : NULL;
}

/* One that somebody reads, and that needs no requester any more. */
static PB(SetInfo) * make_recorded_set(const struct status_reader *reader, const struct record *record)
{
    PB(SetInfo) *info = MESSAGE_NEW(reader->arena, set_info);
    if (info == NULL)
        return NULL;
    const PB(StoredSet) *stored = record->stored;
    info->set_id = stored->set_id;
    info->phase = PB_PHASE(HELD);
    info->created_ms = stored->created_ms;
    int64_t age_ms = record->broker->unix_ms - stored->created_ms;
    info->age_ms = age_ms > 0 ? (uint64_t)age_ms : 0;
    info->volumes = arena_alloc(reader->arena, stored->n_snapshots * sizeof *info->volumes);
    info->members = arena_alloc(reader->arena, list_count(&record->leases) * sizeof(*info->members));
    if (info->volumes == NULL || info->members == NULL)
        return NULL;
    for (size_t i = 0; i < stored->n_snapshots; i++) {
        const PB(Snapshot) *snapshot = stored->snapshots[i];
        info->volumes[info->n_volumes++] =
            snapshot->n_volume_names > 0 ? snapshot->volume_names[0] : snapshot->volume_guid_path;
    }
    LIST_EACH(const struct lease, lease, &record->leases, record_link)
    {
        info->members[info->n_members] = make_holder(reader, lease);
        if (info->members[info->n_members++] == NULL)
            return NULL;
    }
    return info;
}

/* Its one object, as if it were a set with one member. */
static PB(SetInfo) * make_session(const struct status_reader *reader, struct session *session)
{
    PB(SetInfo) *info = MESSAGE_NEW(reader->arena, set_info);
    if (info == NULL)
        return NULL;
    const struct connection *connection = session->connection;
    info->members = arena_alloc(reader->arena, sizeof(*info->members));
    if (info->members == NULL)
        return NULL;
    info->members[0] = make_member(
        reader, session->owner, session->client_name, connection != NULL ? connection->caller.sid : "",
        connection != NULL ? connection->caller.process_id : 0, session->purpose, "");
    if (info->members[0] == NULL)
        return NULL;
    info->n_members = 1;
    info->set_id = session->record.set_id;
    info->phase = session_phase(session);
    info->requester_pid = session->requester != NULL ? session->requester->process_id : 0;
    info->age_ms = session->broker->now_ms - session->opened_ms;
    return info;
}

static bool add_sessions(const struct status_reader *reader, struct broker *broker,
                         PB(ServiceStatus) * status)
{
    LIST_EACH(struct session, session, &broker->sessions, link)
    {
        if (session->stage == SESSION_ENDED)
            continue;
        PB(SetInfo) *info = make_session(reader, session);
        if (info == NULL)
            return false;
        status->sets[status->n_sets++] = info;
    }
    return true;
}

static bool add_sets(const struct status_reader *reader, struct broker *broker, PB(ServiceStatus) * status)
{
    size_t most = list_count(&broker->sets) + list_count(&broker->records) + list_count(&broker->sessions);
    status->sets = arena_alloc(reader->arena, (most + 1) * sizeof(*status->sets));
    if (status->sets == NULL)
        return false;
    LIST_EACH(const struct record, record, &broker->records, link)
    {
        if (record->set != NULL || list_is_empty(&record->leases))
            continue;
        PB(SetInfo) *info = make_recorded_set(reader, record);
        if (info == NULL)
            return false;
        status->sets[status->n_sets++] = info;
    }
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        PB(SetInfo) *info = service_status_set(reader, set);
        if (info == NULL)
            return false;
        status->sets[status->n_sets++] = info;
    }
    return add_sessions(reader, broker, status);
}

static void describe_gate(const struct broker *broker, PB(ServiceStatus) * status)
{
    const struct set *holder = broker->gate.holder;
    status->gate_waiting_for = gate_waiting_for(broker);
    if (broker->gate.session != NULL) {
        status->gate_phase = session_phase(broker->gate.session);
        status->gate_holder = broker->gate.session->client_name;
    }
    if (holder == NULL)
        return;
    status->gate_phase = holder->phase;
    const struct job *first = LIST_FIRST(&holder->members, struct job, link);
    status->gate_holder = text_constant(first != NULL && first->request.connection != NULL
                                            ? first->request.connection->client_name
                                            : "a client that has gone");
}

void service_status_summary(struct broker *broker, PB(ServiceStatus) * status)
{
    static const PB(ServiceStatus) none = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    struct broker_counts counts;
    *status = none;
    status->server_version = text_constant(broker->config.server_version);
    status->boot_id = broker->boot_id;
    status->started_ms = broker->started_unix_ms;
    status->simulated = broker->simulated;
    status->vss_library = text_constant(broker->config.vss_library);
    status->stopping = broker->stopping;
    broker_counts(broker, &counts);
    status->connections = counts.connections;
    status->queue_length = counts.queue_length + (uint32_t)list_count(&broker->gate.waiting) +
                           (uint32_t)list_count(&broker->gate.sessions);
    status->leases = counts.leases;
    status->requesters = counts.requesters;
    describe_gate(broker, status);
}

bool service_status_fill(struct broker *broker, const struct status_reader *reader,
                         PB(ServiceStatus) * status)
{
    service_status_summary(broker, status);
    struct host_load load = {0};
    if (broker->host.load != NULL)
        broker->host.load(broker->host.context, &load);
    return add_sets(reader, broker, status) &&
           counters_report(&broker->counters, &load, reader->arena, status);
}

void service_status_answer(struct connection *connection, const PB(Envelope) * envelope)
{
    struct status_reader reader = status_reader_of(connection);
    PB(ServiceStatus) status;
    if (!service_status_fill(connection->broker, &reader, &status)) {
        fail_now(connection, envelope->id, NULL);
        return;
    }
    PB(Envelope) answer = ENVELOPE(SERVICE_STATUS, .service_status = &status);
    reply_now(connection, envelope->id, &answer);
}

size_t broker_metrics(struct broker *broker, char *buffer, size_t size)
{
    broker_begin(broker);
    const struct status_reader reader = {.arena = &broker->arena, .sees_all = true};
    PB(ServiceStatus) status;
    if (!service_status_fill(broker, &reader, &status))
        return 0;
    return prometheus_write(&status, buffer, size);
}
