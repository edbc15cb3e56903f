#include "service/broker/holding.h"

#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static struct set *find_set(const struct broker *broker, const char *snapshot_id)
{
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        for (size_t i = 0; i < set->volumes_count && set->created; i++) {
            const char *id = set->volumes[i].snapshot_id;
            if (id != NULL && text_equal(id, snapshot_id))
                return set;
        }
    }
    return NULL;
}

static const struct session *find_session(const struct broker *broker, const char *snapshot_id)
{
    LIST_EACH(const struct session, session, &broker->sessions, link)
    {
        if (session->requester != NULL && session_owns(session, snapshot_id))
            return session;
    }
    return NULL;
}

/* The lease that is shown: one of the reader's own, else the first. False: others read it, too. */
static bool look_at(const struct connection *reader, const struct lease *lease, const struct lease **shown)
{
    bool is_readers = lease->owner == reader->owner;
    if (*shown == NULL || (is_readers && (*shown)->owner != reader->owner))
        *shown = lease;
    return is_readers;
}

static void hold_by_lease(const struct lease *lease, struct holding *holding)
{
    holding->is_read = true;
    holding->owner_sid = lease->info->owner_sid;
    holding->purpose = lease->info->purpose;
    holding->lease_id = lease->id;
}

static void hold_by_set(const struct connection *reader, const struct set *set, struct holding *holding)
{
    const struct lease *shown = NULL;
    holding->is_ours = true;
    holding->is_callers = !list_is_empty(&set->leases); /* else it is being released */
    LIST_EACH(const struct lease, lease, &set->leases, set_link)
    holding->is_callers &= look_at(reader, lease, &shown);
    if (shown != NULL)
        hold_by_lease(shown, holding);
}

static void hold_by_record(const struct connection *reader, const struct record *record,
                           struct holding *holding)
{
    const struct lease *shown = NULL;
    holding->is_ours = true;
    holding->is_callers = record_is_owned_by(record, &reader->caller);
    LIST_EACH(const struct lease, lease, &record->leases, record_link)
    holding->is_callers &= look_at(reader, lease, &shown);
    if (shown != NULL)
        hold_by_lease(shown, holding);
    holding->owner_sid = record->stored->owner_sid;
    holding->purpose = record->stored->purpose;
}

static void hold_by_session(const struct connection *reader, const struct session *session,
                            struct holding *holding)
{
    holding->is_ours = holding->is_read = true;
    holding->is_callers = session->owner == reader->owner;
    if (session->connection != NULL)
        holding->owner_sid = session->connection->caller.sid;
}

void holding_find(const struct connection *reader, const char *snapshot_id, struct holding *holding)
{
    struct broker *broker = reader->broker;
    const struct record *record = record_find_snapshot(broker, snapshot_id);
    const struct set *set = find_set(broker, snapshot_id);
    const struct session *session = find_session(broker, snapshot_id);
    *holding = (struct holding){.owner_sid = "", .purpose = "", .lease_id = ""};
    if (record != NULL)
        hold_by_record(reader, record, holding);
    else if (set != NULL)
        hold_by_set(reader, set, holding);
    else if (session != NULL)
        hold_by_session(reader, session, holding);
    LIST_EACH(const struct lease, lease, &broker->leases, link)
    holding->is_read |= lease->snapshot_id != NULL && text_equal(lease->snapshot_id, snapshot_id);
}

void holding_deleted(struct broker *broker, const char *snapshot_id, const char *reason)
{
    struct set *set = find_set(broker, snapshot_id);
    record_deleted(broker, snapshot_id, reason);
    leases_lose_snapshot(broker, snapshot_id, reason);
    if (set == NULL || list_is_empty(&set->leases))
        return;
    leases_lose(set, reason);
    set_lease_ended(set);
}
