#include "service/broker/warm.h"

#include "service/broker/log.h"
#include "service/broker/state.h"

enum {
    NEXT_MS = 2000, /* whoever took the last one needs the machine first */
    RETRY_MS = 60 * 1000
};

/* It has nothing to do, so nothing is answered and nothing takes too long. */
static void on_ready(void *subject)
{
    (void)subject;
}

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct broker *broker = subject;
    (void)left_open;
    broker->warm = NULL;
    if (broker->stopping)
        return;
    broker_log(broker, BROKER_LOG_WARNING, "the requester process that is kept ready is gone%s%s",
               why != NULL ? ": " : "", why != NULL ? why->message : "");
    timer_set(broker, &broker->warm_timer, RETRY_MS);
}

static const struct requester_user user = {.ready = on_ready, .ended = on_ended};

static void on_timer(struct broker *broker, struct timer *timer)
{
    if (broker->stopping || broker->warm != NULL)
        return;
    broker->warm = requester_launch(broker, &user, broker);
    if (broker->warm == NULL)
        timer_set(broker, timer, RETRY_MS);
}

void warm_init(struct broker *broker)
{
    timer_init(&broker->warm_timer, on_timer);
    if (broker->config.warm_requesters > 0)
        timer_set(broker, &broker->warm_timer, 0);
}

struct requester *warm_take(struct broker *broker)
{
    struct requester *requester = broker->warm;
    if (requester == NULL || requester->state == REQUESTER_LEAVING)
        return NULL;
    broker->warm = NULL;
    timer_set(broker, &broker->warm_timer, NEXT_MS);
    return requester;
}

void warm_stop(struct broker *broker)
{
    timer_stop(&broker->warm_timer);
    if (broker->warm != NULL)
        requester_let_go(broker->warm);
}
