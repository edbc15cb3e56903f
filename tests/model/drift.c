/* Leases whose service has ended: who finds them again at the next one. */
#include <stdio.h>

#include "tests/model/model.h"

enum {
    STORED_MS = 25 * 1000 /* by then the store has done what was asked */
};

/* Its requester has it, and a service of which it can be heard. */
static bool lease_is_held(const struct model *model, const struct lease_seen *lease)
{
    const struct process *process = model->processes[lease->process - 1];
    return lease->is_open && model->config.orphan_grace_ms > 0 && process->is_alive && process->is_orphan &&
           !process->object.is_persistent && !process->object.has_lost;
}

/* That it was acknowledged, and until when it lasts: the store answers nobody who waits for this. */
static bool is_latest_stored(const struct model *model, const struct lease_seen *lease)
{
    return !lease->is_acknowledged ||
           (model->now_ms > lease->renewed_ms + STORED_MS && !store_has_failed(model, "lease-", lease->id));
}

void lease_drifts(struct model *model, struct lease_seen *lease)
{
    lease_close(model, lease);
    lease->link = 0;
    lease->is_adrift = true;
    lease->was_open = lease->is_stored = false;
    lease->adrift_ms = model->now_ms;
}

/* Whoever was told of a lease finds it again, if its requester lives on and what was stored has arrived. */
void leases_drift(struct model *model)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        struct lease_seen *lease = &model->leases[i];
        char set_id[40];
        if (lease->is_gone && !store_has(model, "lease-", lease->id))
            continue;
        lease->is_gone = false; /* that it has ended is not stored */
        if (model->config.orphan_grace_ms == 0) {
            lease_close(model, lease);
            lease->is_gone = true;
            continue;
        }
        (void)snprintf(set_id, sizeof set_id, "5e7%05u-0000-0000-0000-000000000000",
                       (unsigned)lease->process);
        bool is_expected = lease_is_held(model, lease) && !lease->is_adrift;
        bool is_stored = store_has(model, "lease-", lease->id) && store_has(model, "set-", set_id);
        REQUIRE(model,
                !is_expected || is_stored || store_has_failed(model, "lease-", lease->id) ||
                    store_has_failed(model, "set-", set_id),
                "lease %s of requester %zu was given out before it was stored", lease->id, lease->process);
        bool was_open = lease->is_adrift ? lease->was_open : lease->is_open;
        lease_drifts(model, lease);
        lease->was_open = was_open;
        lease->is_stored = is_stored && is_latest_stored(model, lease);
    }
}

/* Its client is back. */
void lease_moors(struct model *model, struct lease_seen *lease, const struct link *link)
{
    const struct process *process = model->processes[lease->process - 1];
    if (!lease->is_adrift)
        return;
    lease->is_adrift = false;
    lease->is_open = lease->was_open && (process->is_alive || process->object.is_persistent);
    model->processes[lease->process - 1]->object.open_leases += lease->is_open;
    if (!lease->is_acknowledged)
        lease->link = link_index(model, link);
    if (lease->is_detached)
        lease->expires_ms = inside_lease_expires_ms(model, lease->id);
}

bool leases_are_to_be_found(struct model *model, const struct process *process)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        const struct lease_seen *lease = &model->leases[i];
        if (lease->process == process_index(model, process) && lease_is_to_be_found(model, lease))
            return true;
    }
    return false;
}

/* It was to be found again, and can be. */
bool lease_is_to_be_found(struct model *model, const struct lease_seen *lease)
{
    const struct process *process = model->processes[lease->process - 1];
    bool is_in_time = lease->is_acknowledged
                          ? lease->wall_ms == model->wall_ms && model->now_ms < lease->expires_ms
                          : model->now_ms < process->welcome_ms + model->config.reattach_ms;
    return lease->is_adrift && lease->was_open && lease->is_stored && is_in_time && process->is_alive &&
           process->link != 0 && process->welcome_ms > lease->adrift_ms && !process->has_misbehaved &&
           !process->object.has_lost && !model->is_stopping;
}
