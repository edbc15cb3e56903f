#include "service/broker/lane.h"

#include "service/broker/state.h"

void lane_init(struct lane *lane)
{
    lane->holder = NULL;
    list_init(&lane->waiting);
}

void lane_place_init(struct lane_place *place, lane_granted *granted)
{
    list_init(&place->link);
    place->granted = granted;
}

void lane_enter(struct broker *broker, struct lane_place *place)
{
    if (broker->lane.holder == place || !list_is_empty(&place->link))
        return;
    list_append(&broker->lane.waiting, &place->link);
    broker->is_dirty = true;
}

void lane_leave(struct broker *broker, struct lane_place *place)
{
    list_remove(&place->link);
    if (broker->lane.holder != place)
        return;
    broker->lane.holder = NULL;
    broker->is_dirty = true;
}

bool lane_is_held_by(const struct broker *broker, const struct lane_place *place)
{
    return broker->lane.holder == place;
}

void lane_advance(struct broker *broker)
{
    struct lane *lane = &broker->lane;
    if (lane->holder != NULL || list_is_empty(&lane->waiting))
        return;
    lane->holder = LIST_FIRST(&lane->waiting, struct lane_place, link);
    list_remove(&lane->holder->link);
    lane->holder->granted(lane->holder);
}
