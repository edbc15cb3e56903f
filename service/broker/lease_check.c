#include "service/broker/lease_check.h"

#include "service/broker/set.h"
#include "service/broker/state.h"

/* Nobody else holds what it reads. */
static bool needs_process(const struct lease *lease)
{
    return lease->set == NULL && (lease->record != NULL || lease->snapshot_id != NULL);
}

static void on_timer(struct broker *broker, struct timer *timer)
{
    bool asks = false;
    if (broker->stopping || list_is_empty(&broker->leases))
        return;
    timer_set(broker, timer, broker->config.lease_check_ms);
    LIST_EACH(struct set, set, &broker->sets, link)
    set_check_begin(set);
    LIST_EACH(const struct lease, lease, &broker->leases, link)
    asks |= needs_process(lease);
    if (asks)
        retention_reconcile(broker);
}

void lease_check_init(struct broker *broker)
{
    timer_init(&broker->lease_check, on_timer);
}

void lease_check_begin(struct broker *broker)
{
    if (!timer_runs(&broker->lease_check))
        timer_set(broker, &broker->lease_check, broker->config.lease_check_ms);
}
