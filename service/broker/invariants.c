/* What always holds between two events. A service that finds one of these broken must not go on. */
#include <assert.h>

#include "service/broker/job.h"
#include "service/broker/lease_documents.h"
#include "service/broker/requester.h"
#include "service/broker/session.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static bool is_among_sets(const struct broker *broker, const void *set)
{
    LIST_EACH(const struct set, other, &broker->sets, link)
    {
        if (other == set)
            return true;
    }
    return false;
}

static bool is_session(const struct broker *broker, const void *subject)
{
    LIST_EACH(const struct session, session, &broker->sessions, link)
    {
        if (session == subject)
            return true;
    }
    return false;
}

static bool is_inventory(const struct broker *broker, const void *subject)
{
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        if (subject == &broker->inventories[kind])
            return true;
    }
    return false;
}

static bool is_operation(const struct broker *broker, const void *subject)
{
    LIST_EACH(const struct operation, operation, &broker->operations, link)
    {
        if (operation == subject)
            return true;
    }
    return false;
}

static void check_connections(const struct broker *broker)
{
    uint32_t clients = 0;
    LIST_EACH(struct connection, connection, &broker->connections, link)
    {
        assert(connection->in_flight == list_count(&connection->requests));
        assert(connection->in_flight <= broker->config.max_in_flight);
        if (connection->state == CONNECTION_CLOSED) {
            assert(list_is_empty(&connection->requests) && list_is_empty(&connection->leases));
            assert(list_is_empty(&connection->sessions) && list_is_empty(&connection->documents));
            assert(connection->owner == NULL && connection->requester == NULL && connection->rest == NULL);
        }
        clients += connection->owner != NULL;
        LIST_EACH(struct request, request, &connection->requests, link)
        {
            assert(request->connection == connection && timer_runs(&request->deadline));
            assert(request_find(connection, request->id) == request); /* ids are unique */
        }
    }
    assert(clients == broker->clients);
}

/* One holder, and nobody who should not wait. */
static void check_gate(const struct broker *broker)
{
    const struct gate *gate = &broker->gate;
    assert(gate->holder == NULL || is_among_sets(broker, gate->holder));
    assert(gate->holder == NULL || list_is_empty(&gate->holder->leases));
    assert(gate->session == NULL || (gate->holder == NULL && is_session(broker, gate->session)));
    bool is_free = gate->holder == NULL && gate->session == NULL;
    assert(!is_free || (list_is_empty(&gate->waiting) && list_is_empty(&gate->sessions)));
    LIST_EACH(const struct set, set, &gate->waiting, gate_link)
    assert(set != gate->holder && set->stage == SET_AT_GATE && is_among_sets(broker, set));
    LIST_EACH(const struct set, set, &broker->sets, link)
    {
        assert(!set_may_be_open(set) || gate->holder == set);
    }
}

static void check_session(const struct broker *broker, const struct session *session)
{
    assert((session->requester == NULL) == (session->stage == SESSION_ENDED));
    assert(session->requester == NULL || session->requester->subject == session);
    assert(!session_is_in_vss(session) || broker->gate.session == session);
    assert(session->stage != SESSION_ENDED || (session->connection != NULL && session->failure != NULL));
    /* A session that works on nothing has nothing to work on, or waits for the gate or the lane. */
    assert(session->stage != SESSION_OPEN || list_is_empty(&session->steps) || session->running != NULL ||
           requester_is_busy(session->requester) || gate_session_waits(session) ||
           !list_is_empty(&session->lane.link) || session->requester->state != REQUESTER_READY);
    assert(!lane_is_held_by(broker, &session->lane) || session->requester != NULL);
    assert(!session->record.completed || session->record.created || session->record.prepared);
}

static void check_set(const struct broker *broker, const struct set *set)
{
    assert(set->requester != NULL && set->requester->subject == set);
    assert(set->volumes_count <= MAX_VOLUMES);
    assert(list_is_empty(&set->leases) || set->created);
    assert(list_is_empty(&set->leases) || set->stage == SET_ADOPTING || set->stage == SET_HELD ||
           set->stage == SET_COMPLETING_EARLY);
    assert(!set->completed || (set->created && set->has_writers));
    /* No persistent snapshot without its record. */
    assert(set->record == NULL || (set->is_persistent && set->record->set == set));
    /* BackupComplete lets writers truncate their logs. */
    assert(!set->completed || set_is_copy(set) || set->succeeded);
    assert(set->stage != SET_HELD || !list_is_empty(&set->leases) || set->awaited_key[0] != '\0');
    assert(set->awaited_key[0] == '\0' || set->stage >= SET_HELD);
    LIST_EACH(const struct job, job, &set->members, link)
    assert(job->set == set && job->state == JOB_IN_SET && job->request.connection != NULL);
    LIST_EACH(const struct lease, lease, &set->leases, set_link)
    assert(lease->set == set);
    (void)broker;
}

static bool is_record(const struct broker *broker, const struct record *record)
{
    LIST_EACH(const struct record, other, &broker->records, link)
    {
        if (other == record)
            return true;
    }
    return false;
}

static void check_record(const struct broker *broker, const struct record *record)
{
    assert(record->set == NULL || (is_among_sets(broker, record->set) && record->set->record == record));
    assert(record->stored->n_snapshots > 0);
    /* Whoever was told of it finds it again after a restart. */
    assert(!record->is_given || record->stored->created);
    LIST_EACH(const struct lease, lease, &record->leases, record_link)
    assert(lease->record == record);
}

static void check_requesters(const struct broker *broker)
{
    size_t users =
        list_count(&broker->sets) + sessions_count(broker) + operations_count(broker) + shelves_count(broker);
    for (int kind = 0; kind < INVENTORY_KINDS; kind++)
        users += broker->inventories[kind].requester != NULL;
    users += broker->retention.requester != NULL;
    users += broker->warm != NULL;
    assert(users == list_count(&broker->requesters));
    LIST_EACH(const struct requester, requester, &broker->requesters, link)
    assert(is_among_sets(broker, requester->subject) || is_inventory(broker, requester->subject) ||
           is_session(broker, requester->subject) || is_operation(broker, requester->subject) ||
           is_shelf(broker, requester->subject) ||
           requester->subject == broker); /* retention, or the warm one */
}

/* One that changes something, one that asks; and nobody waits for nothing. */
static void check_operations(const struct broker *broker)
{
    size_t asking = 0, waiting = 0;
    assert(broker->lane.holder != NULL || list_is_empty(&broker->lane.waiting));
    LIST_EACH(const struct operation, operation, &broker->operations, link)
    {
        bool asks = operation->type->asks;
        bool has_lane = lane_is_held_by(broker, &operation->place);
        asking += asks && operation->requester != NULL;
        waiting += asks && operation->stage == OPERATION_WAITING;
        assert(operation->requester == NULL || operation->requester->subject == operation);
        assert((operation->stage < OPERATION_RUNNING) == (operation->requester == NULL));
        assert(!has_lane || operation->requester != NULL);
        assert(asks || operation->requester == NULL || has_lane || operation->cannot_be_stopped);
        assert(request_is_open(&operation->request) || operation->stage == OPERATION_ENDING ||
               operation->cannot_be_stopped);
    }
    assert(asking <= 1 && (asking == 1 || waiting == 0));
}

void broker_check_invariants(const struct broker *broker)
{
    check_connections(broker);
    check_gate(broker);
    check_requesters(broker);
    check_operations(broker);
    size_t begun = 0;
    LIST_EACH(const struct set, set, &broker->sets, link)
    {
        check_set(broker, set);
        begun += !set->is_adopted; /* an earlier process may have been configured otherwise */
    }
    assert(begun <= broker->config.max_sets);
    LIST_EACH(const struct session, session, &broker->sessions, link)
    check_session(broker, session);
    LIST_EACH(const struct job, job, &broker->queue, link)
    assert(job->state == JOB_QUEUED && job->set == NULL && job->request.connection != NULL);
    LIST_EACH(const struct job, job, &broker->resolving, link)
    assert(job->state == JOB_RESOLVING && job->set == NULL && job->request.connection != NULL);
    LIST_EACH(const struct lease, lease, &broker->leases, link)
    {
        assert(lease->set == NULL || is_among_sets(broker, lease->set));
        assert(lease->record == NULL || is_record(broker, lease->record));
    }
    LIST_EACH(const struct record, record, &broker->records, link)
    check_record(broker, record);
    uint64_t last_ms = 0;
    LIST_EACH(const struct timer, timer, &broker->timers, link)
    {
        assert(timer->when_ms >= last_ms);
        last_ms = timer->when_ms;
    }
}
