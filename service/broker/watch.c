#include "service/broker/watch.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/lease.h"
#include "service/broker/message.h"
#include "service/broker/service_status.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

enum {
    HOLDER_CHARS = 65
};

/* What a summary tells. */
struct summary {
    uint32_t connections;
    uint32_t queue_length;
    uint32_t leases;
    uint32_t requesters;
    PB(Phase) gate_phase;
    PB(WaitingFor) waiting_for;
    char gate_holder[HOLDER_CHARS];
};

struct watcher {
    struct request request; /* first: they are cast */
    struct list link;
    uint64_t number;
    uint64_t lost;
    bool needs_state;
    struct summary told;
};

static bool summaries_equal(const struct summary *one, const struct summary *other)
{
    return one->connections == other->connections && one->queue_length == other->queue_length &&
           one->leases == other->leases && one->requesters == other->requesters &&
           one->gate_phase == other->gate_phase && one->waiting_for == other->waiting_for &&
           strcmp(one->gate_holder, other->gate_holder) == 0;
}

static void watcher_free(struct watcher *watcher)
{
    list_remove(&watcher->link);
    free(watcher);
}

static void summarize(const PB(ServiceStatus) * status, struct summary *summary)
{
    memset(summary, 0, sizeof *summary);
    summary->connections = status->connections;
    summary->queue_length = status->queue_length;
    summary->leases = status->leases;
    summary->requesters = status->requesters;
    summary->gate_phase = status->gate_phase;
    summary->waiting_for = status->gate_waiting_for;
    memcpy(summary->gate_holder, status->gate_holder, strnlen(status->gate_holder, HOLDER_CHARS - 1));
}

/* False: the watcher is left without it, and gets the whole state later. */
static bool send_event(struct watcher *watcher, PB(WatchEvent) * event)
{
    event->number = watcher->number + 1;
    PB(Envelope) envelope = ENVELOPE(WATCH_EVENT, .watch_event = event);
    if (!connection_has_room(watcher->request.connection) || !request_stream(&watcher->request, &envelope))
        return false;
    watcher->number++;
    return true;
}

/* The state that comes next tells it; before the first one nothing can be missed. */
static void miss(struct watcher *watcher)
{
    watcher->needs_state = true;
    watcher->lost += watcher->number > 0;
}

static void tell(struct watcher *watcher, PB(WatchEvent) * event)
{
    if (watcher->needs_state || !send_event(watcher, event))
        miss(watcher);
}

static void send_state(struct watcher *watcher)
{
    struct connection *connection = watcher->request.connection;
    struct status_reader reader = status_reader_of(connection);
    PB(ServiceStatus) status;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.lost_events = watcher->lost;
    event.state = &status;
    if (!connection_has_room(connection) || !service_status_fill(connection->broker, &reader, &status) ||
        !send_event(watcher, &event))
        return;
    summarize(&status, &watcher->told);
    watcher->lost = 0;
    watcher->needs_state = false;
}

static void tell_set(struct watcher *watcher, struct set *set, bool ended)
{
    struct status_reader reader = status_reader_of(watcher->request.connection);
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.changed_set = service_status_set(&reader, set);
    event.ended = ended;
    if (event.changed_set == NULL) {
        miss(watcher);
        return;
    }
    tell(watcher, &event);
}

static void tell_lease(struct watcher *watcher, const struct lease *lease, bool ended)
{
    struct status_reader reader = status_reader_of(watcher->request.connection);
    if (!reader.sees_all && lease->owner != reader.owner)
        return;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.changed_lease = lease->info;
    event.ended = ended;
    tell(watcher, &event);
}

/* ---- what has changed ---- */

void watch_set(struct set *set)
{
    set->is_changed = true;
}

void watch_lease(struct lease *lease)
{
    lease->is_changed = true;
    if (lease->set != NULL)
        lease->set->is_changed = true; /* it is a member of it */
}

void watch_set_ended(struct set *set)
{
    LIST_EACH(struct watcher, watcher, &set->broker->watchers, link)
    tell_set(watcher, set, true);
}

void watch_lease_ended(struct lease *lease)
{
    if (lease->set != NULL)
        lease->set->is_changed = true;
    LIST_EACH(struct watcher, watcher, &lease->broker->watchers, link)
    tell_lease(watcher, lease, true);
}

static void tell_changes(struct watcher *watcher, const PB(ServiceStatus) * status,
                         const struct summary *summary)
{
    struct broker *broker = watcher->request.broker;
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (set->is_changed)
            tell_set(watcher, set, false);
    }
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        if (lease->is_changed && lease->info != NULL)
            tell_lease(watcher, lease, false);
    }
    if (summaries_equal(summary, &watcher->told))
        return;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    PB(ServiceStatus) copy = *status;
    event.summary = &copy;
    tell(watcher, &event);
    watcher->told = *summary;
}

void watch_flush(struct broker *broker)
{
    if (list_is_empty(&broker->watchers))
        return;
    PB(ServiceStatus) status;
    struct summary summary;
    service_status_summary(broker, &status);
    summarize(&status, &summary);
    LIST_EACH(struct watcher, watcher, &broker->watchers, link)
    {
        if (watcher->needs_state)
            send_state(watcher);
        else
            tell_changes(watcher, &status, &summary);
    }
    LIST_EACH(struct set, set, &broker->sets, link)
    set->is_changed = false;
    LIST_EACH(struct lease, lease, &broker->leases, link)
    lease->is_changed = false;
}

/* ---- the request ---- */

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct broker *broker = request->broker;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request,
                     error_deadline(broker, broker->now_ms - request->arrived_ms, "Watch was running"));
    watcher_free((struct watcher *)request);
}

void watch_begin(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    uint32_t most = broker->config.max_watchers;
    PB(Status) *refusal = NULL;
    if (list_count(&broker->watchers) >= most)
        refusal = error_over_limit(broker, "max_watchers", most, "clients that watch the service",
                                   "End what watches in vain, or raise MaxWatchers.");
    struct watcher *watcher = refusal == NULL ? calloc(1, sizeof *watcher) : NULL;
    if (watcher == NULL) {
        fail_now(connection, envelope->id, refusal);
        return;
    }
    request_open(&watcher->request, connection, envelope, on_stop);
    if (envelope->timeout_ms == 0)
        request_never_expires(&watcher->request);
    watcher->needs_state = true; /* the end of this event sends it */
    list_append(&broker->watchers, &watcher->link);
}

void watch_stop(struct broker *broker)
{
    while (!list_is_empty(&broker->watchers)) {
        struct watcher *watcher = LIST_FIRST(&broker->watchers, struct watcher, link);
        request_fail(&watcher->request, error_stopping(broker));
        watcher_free(watcher);
    }
}
