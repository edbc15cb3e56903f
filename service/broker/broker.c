#include "service/broker/broker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/broker/adoption.h"
#include "service/broker/job.h"
#include "service/broker/lease_check.h"
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
    TICK_MS = 1000,
    LOG_CHARS = 1024
};

void broker_log(struct broker *broker, enum broker_log_level level, const char *format, ...)
{
    char text[LOG_CHARS];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Names and purposes come from clients: none may look like a line of ours. */
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    }
    broker->host.log(broker->host.context, level, text);
}

/* Progress once a second, as long as somebody waits for something to be done. */
static void on_tick(struct broker *broker, struct timer *timer)
{
    jobs_progress(broker, false);
    sessions_progress(broker, false);
    operations_progress(broker);
    bool is_needed =
        !list_is_empty(&broker->queue) || !list_is_empty(&broker->gate.sessions) || operations_wait(broker);
    LIST_EACH(struct set, set, &broker->sets, link)
    is_needed |= !list_is_empty(&set->members);
    if (is_needed)
        timer_set(broker, timer, TICK_MS);
}

struct broker *broker_create(const struct broker_config *config, const struct broker_host *host)
{
    struct broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        return NULL;
    broker->config = *config;
    broker->host = *host;
    arena_init(&broker->arena, DECODE_LIMIT_REQUEST_BYTES);
    struct list *heads[] = {
        &broker->timers,     &broker->connections, &broker->attention,      &broker->owners,
        &broker->queue,      &broker->sets,        &broker->leases,         &broker->requesters,
        &broker->resolving,  &broker->sessions,    &broker->records,        &broker->watchers,
        &broker->operations, &broker->shelves,     &broker->lease_watchers, &broker->keepsakes};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        list_init(heads[i]);
    for (size_t i = 0; i < CONNECTION_BUCKETS; i++)
        list_init(&broker->buckets[i]);
    gate_init(&broker->gate);
    lane_init(&broker->lane);
    retention_init(broker);
    lease_check_init(broker);
    volumes_init(&broker->volumes);
    inventories_init(broker);
    stop_init(broker);
    warm_init(broker);
    timer_init(&broker->tick, on_tick);
    make_guid(broker, broker->boot_id);
    broker->simulated = config->vss_library[0] != '\0'; /* until a requester knows better */
    return broker;
}

void broker_destroy(struct broker *broker)
{
    if (broker == NULL)
        return;
    broker->stopping = true; /* nothing starts again */
    broker->leaves_store = true;
    broker_begin(broker);
    connections_free(broker);
    leases_free(broker);
    sets_free(broker);
    shelves_free(broker);
    sessions_free(broker);
    operations_free(broker);
    adoption_free(broker);
    records_free(broker);
    retention_free(broker);
    inventories_free(broker);
    requesters_free(broker);
    volumes_free(&broker->volumes);
    frame_buffer_free(&broker->output);
    arena_free(&broker->arena);
    free(broker);
}

void broker_start(struct broker *broker)
{
    broker_begin(broker);
    adoption_begin(broker);
    broker_settle(broker);
}

void broker_set_time(struct broker *broker, uint64_t monotonic_ms, int64_t unix_ms)
{
    if (monotonic_ms > broker->now_ms)
        broker->now_ms = monotonic_ms;
    broker->unix_ms = unix_ms;
    if (broker->started_unix_ms == 0)
        broker->started_unix_ms = unix_ms;
}

uint64_t broker_next_timer_ms(const struct broker *broker)
{
    return timers_next_ms(broker);
}

void broker_timer(struct broker *broker)
{
    broker_begin(broker);
    timers_run(broker);
    broker_settle(broker);
}

void broker_begin(struct broker *broker)
{
    arena_reset(&broker->arena);
}

void broker_settle(struct broker *broker)
{
    while (broker->is_dirty || !list_is_empty(&broker->attention)) {
        connections_attend(broker);
        if (broker->is_dirty) {
            broker->is_dirty = false;
            requesters_attend(broker);
            gate_advance(broker);
            lane_advance(broker);
            jobs_progress(broker, true);
            sessions_progress(broker, true);
        }
    }
    watch_flush(broker);
    lease_watch_flush(broker);
    if (broker->stopping)
        stop_advance(broker);
#ifdef SHADOWPIPE_CHECK_INVARIANTS
    broker_check_invariants(broker);
#endif
}

void broker_counts(const struct broker *broker, struct broker_counts *counts)
{
    counts->connections = broker->clients;
    counts->sets = (uint32_t)list_count(&broker->sets);
    counts->leases = (uint32_t)list_count(&broker->leases);
    counts->requesters = (uint32_t)list_count(&broker->requesters) - (broker->warm != NULL);
    counts->queue_length = (uint32_t)(list_count(&broker->queue) + list_count(&broker->resolving));
}
