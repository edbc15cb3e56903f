/* What sessions show of themselves: Progress to whom waits for the gate, and a row in the service's status.
 */
#include "service/broker/gate.h"
#include "service/broker/request.h"
#include "service/broker/requester.h"
#include "service/broker/session.h"
#include "service/broker/state.h"

PB(Phase) session_phase(const struct session *session)
{
    const struct session_record *record = &session->record;
    if (session->stage >= SESSION_LEAVING)
        return PB_PHASE(ENDED);
    if (session->stage >= SESSION_DRAINING)
        return session_owes_completion(session) ? PB_PHASE(COMPLETING) : PB_PHASE(ABORTING);
    if (gate_session_waits(session))
        return PB_PHASE(WAITING_FOR_GATE);
    if (record->aborted)
        return PB_PHASE(ABORTING);
    if (record->created)
        return record->completed ? PB_PHASE(COMPLETING) : PB_PHASE(HELD);
    if (session->requester != NULL && requester_busy_with(session->requester) == PB_METHOD(DO_SNAPSHOT_SET))
        return PB_PHASE(CREATING);
    if (record->prepared)
        return PB_PHASE(PREPARING);
    if (record->opened || gate_is_held_by_session(session))
        return PB_PHASE(ADDING_VOLUMES);
    return record->has_object ? PB_PHASE(INITIALIZING) : PB_PHASE(STARTING);
}

/* Among the sessions and the sets that came before it. Owners' turns may change that. */
static uint32_t position(const struct session *session)
{
    const struct gate *gate = &session->broker->gate;
    uint32_t count = 1;
    LIST_EACH(const struct set, set, &gate->waiting, gate_link)
    count += set->gate_ms <= session->gate_ms;
    LIST_EACH(const struct session, other, &gate->sessions, gate_link)
    {
        if (other == session)
            break;
        count++;
    }
    return count;
}

static void tell(struct session *session)
{
    struct broker *broker = session->broker;
    struct request *request = steps_first_request(session);
    if (request == NULL)
        return;
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    progress.phase = PB_PHASE(WAITING_FOR_GATE);
    progress.queue_position = position(session);
    progress.waiting_for = gate_waiting_for(broker);
    progress.expected_wait_ms = (uint32_t)(broker->gate.average_ms * progress.queue_position);
    progress.elapsed_ms = (uint32_t)(broker->now_ms - request->arrived_ms);
    progress.phase_elapsed_ms = (uint32_t)(broker->now_ms - session->gate_ms);
    progress.attempt = 1;
    session->told_position = progress.queue_position;
    request_progress(request, &progress);
}

void sessions_progress(struct broker *broker, bool only_changed_positions)
{
    LIST_EACH(struct session, session, &broker->gate.sessions, gate_link)
    {
        if (!only_changed_positions || position(session) != session->told_position)
            tell(session);
    }
}
