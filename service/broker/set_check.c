/* Whether the snapshots of a held set are still there: VSS is asked for one after the other, while nothing
 * else is asked of the set's requester. What comes meanwhile, such as the early completion, waits for one
 * short call. */
#include "service/broker/gate.h"
#include "service/broker/holding.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/rights.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */

/* The next one, or the end. */
static void go_on(struct set *set)
{
    struct set_check *check = &set->check;
    while (check->next < set->volumes_count && set->volumes[check->next].snapshot_id == NULL)
        check->next++;
    PB(GetSnapshotProperties) *parameters = NULL;
    bool is_over = set->stage != SET_HELD || check->next == set->volumes_count;
    if (!is_over)
        parameters = MESSAGE_NEW(&set->broker->arena, get_snapshot_properties);
    check->is_running = parameters != NULL; /* without memory: the next time */
    if (parameters == NULL)
        return;
    parameters->snapshot_id = set->volumes[check->next].snapshot_id;
    /* When it cannot be sent the process's end follows. */
    (void)requester_call(set->requester, PB_METHOD(GET_SNAPSHOT_PROPERTIES), &parameters->base, check->next,
                         0, set->broker->config.call_ms);
}

void set_check_begin(struct set *set)
{
    /* A transportable copy is on no machine before its import. */
    if (set->stage != SET_HELD || set->check.is_running || (set->context & ATTRIBUTE_TRANSPORTABLE) != 0 ||
        set->requester->state != REQUESTER_READY || requester_is_busy(set->requester))
        return;
    set->check.next = 0;
    go_on(set);
}

bool set_check_replied(struct set *set, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    struct set_check *check = &set->check;
    if (!check->is_running || method != PB_METHOD(GET_SNAPSHOT_PROPERTIES))
        return false;
    check->is_running = false;
    if (set_is_ending(set))
        return false; /* its end waits for this */
    if (reply->hresult == object_not_found) {
        holding_deleted(set->broker, set->volumes[check->next].snapshot_id, "VSS has the snapshot no more");
        return true;
    }
    check->next++;
    go_on(set);
    return true;
}

bool set_check_overdue(struct set *set, PB(Call__MethodCase) method)
{
    /* A completion that waits behind it fails. */
    if (!set->check.is_running || method != PB_METHOD(GET_SNAPSHOT_PROPERTIES) || set->stage != SET_HELD)
        return false;
    /* What hangs is the question; the copies may well be read. */
    broker_log(set->broker, BROKER_LOG_WARNING,
               "VSS does not say whether the snapshots of set %s are still there", set->set_id);
    return true;
}
