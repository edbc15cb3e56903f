/* Points in time at which something has to be looked at.
 *
 * A timer lives in the object that it belongs to. The broker's list is sorted; most timers are set far
 * ahead, so a new one is placed from the end. Setting one that runs moves it. */
#ifndef SHADOWPIPE_BROKER_TIMER_H
#define SHADOWPIPE_BROKER_TIMER_H

#include <stdint.h>

#include "service/broker/list.h"

struct broker;
struct timer;

typedef void timer_fired(struct broker *broker, struct timer *timer);

struct timer {
    struct list link;
    uint64_t when_ms;
    timer_fired *fired;
};

void timer_init(struct timer *timer, timer_fired *fired);
/* Fires once, `delay_ms` from now. */
void timer_set(struct broker *broker, struct timer *timer, uint64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_runs(const struct timer *timer);

/* All that are due. */
void timers_run(struct broker *broker);
uint64_t timers_next_ms(const struct broker *broker);

#endif
