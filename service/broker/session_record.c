/* What VSS holds for a session, by the replies that its requester gave, and what it is owed therefore. */
#include <string.h>

#include "service/broker/gate.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/quota.h"
#include "service/broker/record.h"
#include "service/broker/rights.h"
#include "service/broker/sequence.h"
#include "service/broker/session.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    TYPE_COPY = 5,            /* VSS_BT_COPY */
    CONTEXT_NO_WRITERS = 0x10 /* VSS_VOLSNAP_ATTR_NO_WRITERS */
};

static bool has_writers(const struct session *session)
{
    return (session->record.context & CONTEXT_NO_WRITERS) == 0;
}

bool session_is_in_vss(const struct session *session)
{
    const struct session_record *record = &session->record;
    return session->requester != NULL && record->has_object && !record->aborted && !record->completed &&
           !record->creation_ended && (record->opened || record->prepared || record->start_sent);
}

bool session_owns(const void *subject, const char *id)
{
    const struct session *session = subject;
    const struct session_record *record = &session->record;
    if (id[0] == '\0')
        return false;
    if (text_equal(record->set_id, id))
        return true;
    for (size_t i = 0; i < record->snapshots_count; i++) {
        if (text_equal(record->snapshots[i], id))
            return true;
    }
    return false;
}

static void keep_id(char kept[GUID_CHARS], const char *id)
{
    if (strlen(id) < GUID_CHARS)
        memcpy(kept, id, strlen(id) + 1);
}

static void note_start(struct session *session, const PB(CallReply) * reply, bool is_good)
{
    struct session_record *record = &session->record;
    record->start_sent = false;
    if (!is_good)
        return;
    record->opened = true;
    record->snapshots_count = 0;
    gate_session_opened(session);
    if (reply->out_case == PB_OUT(START_SNAPSHOT_SET))
        keep_id(record->set_id, reply->start_snapshot_set->set_id);
}

static PB(Context) context_kind(uint32_t context)
{
    static const struct {
        uint32_t bits;
        PB(Context) kind;
    } kinds[] = {
        {0x19, PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK)},
        {0x09, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK)},
        {0x1D, PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE)},
        {0x0D, PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS)},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if ((context & 0x1F) == kinds[i].bits)
            return kinds[i].kind;
    }
    return PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED);
}

static bool list_snapshots(struct session *session, PB(StoredSet) * stored)
{
    struct arena *arena = &session->broker->arena;
    struct session_record *record = &session->record;
    stored->snapshots = arena_alloc(arena, record->snapshots_count * sizeof(*stored->snapshots));
    for (size_t i = 0; i < record->snapshots_count && stored->snapshots != NULL; i++) {
        PB(Snapshot) *snapshot = MESSAGE_NEW(arena, snapshot);
        if (snapshot == NULL)
            return false;
        snapshot->snapshot_id = record->snapshots[i];
        snapshot->set_id = record->set_id;
        stored->snapshots[stored->n_snapshots++] = snapshot;
    }
    return stored->snapshots != NULL;
}

static bool stays_here(const struct session *session)
{
    uint32_t context = session->record.context;
    return (context & ATTRIBUTE_NO_AUTO_RELEASE) != 0 && (context & ATTRIBUTE_TRANSPORTABLE) == 0;
}

bool session_makes_record(const struct session *session)
{
    return stays_here(session) && session_is_in_vss(session);
}

PB(Status) * session_check_record(const struct session *session)
{
    return stays_here(session) ? quota_record(session->broker) : NULL;
}

/* Snapshots that outlive the session are its owner's ever after. The client drives VSS itself, so nobody
 * waits for the store here: a crash right now leaves snapshots that look like another program's. */
static void keep_record(struct session *session)
{
    struct broker *broker = session->broker;
    struct session_record *record = &session->record;
    if (!stays_here(session) || record->snapshots_count == 0 || !text_is_guid(record->set_id) ||
        record_find_set(broker, record->set_id) != NULL)
        return;
    PB(StoredSet) stored = SHADOWPIPE__V1__STORED_SET__INIT;
    stored.set_id = record->set_id;
    stored.created = true;
    stored.context = context_kind(record->context);
    stored.owner_sid = session->caller.sid;
    stored.service_sid = session->caller.service_sid;
    stored.process_name = session->caller.process_name;
    stored.client_name = session->client_name;
    stored.purpose = session->purpose;
    stored.created_ms = broker->unix_ms;
    struct record *kept = list_snapshots(session, &stored) ? record_create(broker, &stored) : NULL;
    if (kept != NULL)
        kept->is_given = true;
    if (kept == NULL || !record_put(kept))
        broker_log(broker, BROKER_LOG_ERROR,
                   "there is no memory for the record of snapshot set %s, which %s made", record->set_id,
                   session->client_name);
}

void session_note(struct session *session, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    struct session_record *record = &session->record;
    bool was_called = (reply->hresult & 0x80000000u) == 0;
    bool is_good = reply_failure(session->broker, method, reply) == NULL;
    switch (method) {
    case PB_METHOD(CREATE_OBJECT):
        record->has_object = is_good;
        break;
    case PB_METHOD(SET_CONTEXT):
        record->context = was_called ? session->sent_context : record->context;
        break;
    case PB_METHOD(SET_BACKUP_STATE):
        if (was_called) {
            record->backup_type = session->sent_type;
            record->component_mode = session->sent_component_mode;
        }
        break;
    case PB_METHOD(START_SNAPSHOT_SET):
        note_start(session, reply, was_called);
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        if (reply->out_case == PB_OUT(ADD_TO_SNAPSHOT_SET) && record->snapshots_count < SESSION_SNAPSHOTS_MAX)
            keep_id(record->snapshots[record->snapshots_count++], reply->add_to_snapshot_set->snapshot_id);
        break;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        record->prepared |= was_called;
        break;
    case PB_METHOD(DO_SNAPSHOT_SET):
        record->creation_ended |= was_called && reply->async_hresult != ASYNC_PENDING;
        record->created |= is_good;
        if (is_good)
            keep_record(session);
        break;
    case PB_METHOD(BACKUP_COMPLETE):
        record->completed |= is_good;
        break;
    case PB_METHOD(ABORT_BACKUP):
        record->aborted |= is_good;
        break;
    default:
        break;
    }
}

bool session_owes_completion(const struct session *session)
{
    const struct session_record *record = &session->record;
    return record->created && has_writers(session) && !record->completed && !record->aborted &&
           record->backup_type == TYPE_COPY;
}

/* The same rule as a set's: elsewhere AbortBackup would do harm, for it raises Abort in every writer. */
bool session_owes_abort(const struct session *session)
{
    const struct session_record *record = &session->record;
    if (record->aborted || record->completed || !record->has_object)
        return false;
    return record->created ? has_writers(session) : record->opened || record->prepared || record->start_sent;
}
