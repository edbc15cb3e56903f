#include "service/broker/timer.h"

#include "service/broker/state.h"

void timer_init(struct timer *timer, timer_fired *fired)
{
    list_init(&timer->link);
    timer->when_ms = 0;
    timer->fired = fired;
}

void timer_set(struct broker *broker, struct timer *timer, uint64_t delay_ms)
{
    list_remove(&timer->link);
    timer->when_ms = broker->now_ms + delay_ms;
    struct list *place = broker->timers.previous;
    while (place != &broker->timers && LIST_ITEM(place, struct timer, link)->when_ms > timer->when_ms)
        place = place->previous;
    list_insert(place, &timer->link);
}

void timer_stop(struct timer *timer)
{
    list_remove(&timer->link);
}

bool timer_runs(const struct timer *timer)
{
    return !list_is_empty(&timer->link);
}

void timers_run(struct broker *broker)
{
    while (timers_next_ms(broker) <= broker->now_ms) {
        struct timer *timer = LIST_FIRST(&broker->timers, struct timer, link);
        timer_stop(timer);
        timer->fired(broker, timer);
    }
}

uint64_t timers_next_ms(const struct broker *broker)
{
    const struct timer *timer = LIST_FIRST(&broker->timers, struct timer, link);
    return timer != NULL ? timer->when_ms : UINT64_MAX;
}
