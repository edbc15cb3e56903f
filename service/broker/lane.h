/* The lane: DeleteSnapshots, ImportSnapshots and whatever else changes snapshots that exist; VSS leaves it to
 * its callers to make such calls one at a time.
 *
 * One holder, first come first served. A place lives in the struct of who wants the lane, and is granted
 * after the event in which it entered. */
#ifndef SHADOWPIPE_BROKER_LANE_H
#define SHADOWPIPE_BROKER_LANE_H

#include <stdbool.h>

#include "service/broker/list.h"

struct broker;
struct lane_place;

typedef void lane_granted(struct lane_place *place);

struct lane_place {
    struct list link; /* among those that wait */
    lane_granted *granted;
};

struct lane {
    struct lane_place *holder;
    struct list waiting;
};

void lane_init(struct lane *lane);
void lane_place_init(struct lane_place *place, lane_granted *granted);
/* Twice does no harm. */
void lane_enter(struct broker *broker, struct lane_place *place);
/* Holder, waiting or neither. */
void lane_leave(struct broker *broker, struct lane_place *place);
bool lane_is_held_by(const struct broker *broker, const struct lane_place *place);
/* Called after each event. */
void lane_advance(struct broker *broker);

#endif
