/* The end of the service: no new work, the sets by their rules, the last replies out, in bounded time. */
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/lease.h"
#include "service/broker/lease_documents.h"
#include "service/broker/lease_watch.h"
#include "service/broker/log.h"
#include "service/broker/requester.h"
#include "service/broker/session.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/warm.h"
#include "service/broker/watch.h"

enum {
    FLUSH_MS = 5000,
    KILLED_MS = 5000 /* from the kill of what is left to the end, whatever the host still owes us */
};

/* It goes on without this process. */
static bool is_left(const struct set *set)
{
    return set->broker->hands_over && set_may_be_left(set);
}

static void finish(struct broker *broker)
{
    if (broker->has_stopped)
        return;
    broker->has_stopped = true;
    timer_stop(&broker->stop_timer);
    timer_stop(&broker->stop_create_timer);
    timer_stop(&broker->stop_flush_timer);
    broker->host.stopped(broker->host.context);
}

static void on_stop_timer(struct broker *broker, struct timer *timer)
{
    if (broker->stop_has_killed) {
        finish(broker);
        return;
    }
    broker->stop_has_killed = true;
    broker_log(broker, BROKER_LOG_ERROR, "the time to stop is over; killing the requesters that are left");
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (!is_left(set))
            set_kill(set);
    }
    sessions_kill(broker);
    operations_kill(broker);
    shelves_kill(broker);
    inventories_kill(broker);
    retention_kill(broker);
    timer_set(broker, timer, KILLED_MS);
}

static void on_create_timer(struct broker *broker, struct timer *timer)
{
    (void)timer;
    LIST_EACH(struct set, set, &broker->sets, link)
    set_stop_overdue(set);
    sessions_stop_overdue(broker);
}

static void on_flush_timer(struct broker *broker, struct timer *timer)
{
    (void)timer;
    finish(broker);
}

void stop_init(struct broker *broker)
{
    timer_init(&broker->stop_timer, on_stop_timer);
    timer_init(&broker->stop_create_timer, on_create_timer);
    timer_init(&broker->stop_flush_timer, on_flush_timer);
}

void broker_stop(struct broker *broker, enum broker_stop_kind kind)
{
    if (broker->stopping)
        return;
    broker_begin(broker);
    broker_log(broker, BROKER_LOG_INFO, "stopping: %zu snapshot sets, %zu requests waiting",
               list_count(&broker->sets), list_count(&broker->queue));
    broker->stopping = true;
    broker->hands_over = kind == BROKER_STOP_HAND_OVER;
    timer_set(broker, &broker->stop_timer, broker->config.stop_all_ms);
    timer_set(broker, &broker->stop_create_timer, broker->config.stop_create_ms);
    timer_stop(&broker->lease_check);
    lease_watch_stopping(broker);
    jobs_stop(broker);
    inventories_stop(broker);
    sessions_stop(broker);
    operations_stop(broker);
    retention_stop(broker);
    warm_stop(broker);
    shelves_stop(broker);
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (!is_left(set))
            set_stop(set);
    }
    broker_settle(broker);
}

/* All others have ended. */
static bool only_left_ones(const struct broker *broker)
{
    LIST_EACH(const struct set, set, &broker->sets, link)
    {
        if (!is_left(set))
            return false;
    }
    return list_count(&broker->requesters) == list_count(&broker->sets);
}

/* A requester that found its pipe broken would dial in at once, and here nobody waits for it any more: so the
 * pipe lasts as long as the process. */
static bool is_left_open(const struct connection *connection)
{
    return connection->requester != NULL && connection->state == CONNECTION_OPEN;
}

static bool all_are_left_open(const struct broker *broker)
{
    LIST_EACH(const struct connection, connection, &broker->connections, link)
    {
        if (!is_left_open(connection))
            return false;
    }
    return true;
}

static void flush(struct broker *broker)
{
    broker->is_flushing = true;
    broker->leaves_store = broker->hands_over;
    timer_set(broker, &broker->stop_flush_timer, FLUSH_MS);
    watch_stop(broker);
    lease_watch_stop(broker);
    leases_forget_lost(broker);
    LIST_EACH(struct connection, connection, &broker->connections, link)
    {
        if (!is_left_open(connection))
            connection_close(connection, true);
    }
}

void stop_advance(struct broker *broker)
{
    if (!broker->is_flushing && !only_left_ones(broker))
        return;
    if (!broker->is_flushing)
        flush(broker);
    if (all_are_left_open(broker))
        finish(broker);
}
