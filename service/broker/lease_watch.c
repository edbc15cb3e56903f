#include "service/broker/lease_watch.h"

#include <stdlib.h>

#include "service/broker/error.h"
#include "service/broker/state.h"

struct lease_watcher {
    struct request request; /* first: they are cast */
    struct list link;       /* of all */
    struct lease *lease;
    uint64_t number;
    uint64_t lost;
};

static void watcher_free(struct lease_watcher *watcher)
{
    list_remove(&watcher->link);
    free(watcher);
}

static void tell(struct lease_watcher *watcher, PB(LeaseEventKind) kind)
{
    PB(LeaseEvent) event = SHADOWPIPE__V1__LEASE_EVENT__INIT;
    event.number = watcher->number + 1;
    event.lost_events = watcher->lost;
    event.kind = kind;
    event.lease = watcher->lease->info;
    PB(Envelope) envelope = ENVELOPE(LEASE_EVENT, .lease_event = &event);
    if (!connection_has_room(watcher->request.connection) || !request_stream(&watcher->request, &envelope)) {
        watcher->lost++;
        return;
    }
    watcher->number++;
    watcher->lost = 0;
}

void lease_watch_tell(struct lease *lease, PB(LeaseEventKind) kind)
{
    LIST_EACH(struct lease_watcher, watcher, &lease->broker->lease_watchers, link)
    {
        if (watcher->lease == lease)
            tell(watcher, kind);
    }
}

void lease_watch_ended(struct lease *lease)
{
    struct broker *broker = lease->broker;
    LIST_EACH(struct lease_watcher, watcher, &broker->lease_watchers, link)
    {
        if (watcher->lease != lease)
            continue;
        tell(watcher, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED));
        PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE",
                                         "the lease that was watched has ended");
        request_fail(
            &watcher->request,
            error_advise(status, "There is nothing more to watch; take another snapshot to read on."));
        watcher_free(watcher);
    }
}

void lease_watch_flush(struct broker *broker)
{
    LIST_EACH(struct lease_watcher, watcher, &broker->lease_watchers, link)
    {
        if (watcher->lost > 0 && connection_has_room(watcher->request.connection))
            tell(watcher, lease_is_lost(watcher->lease) ? PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_LOST)
                                                        : PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT));
    }
}

void lease_watch_stopping(struct broker *broker)
{
    LIST_EACH(struct lease_watcher, watcher, &broker->lease_watchers, link)
    tell(watcher, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_SERVICE_STOPPING));
}

void lease_watch_stop(struct broker *broker)
{
    while (!list_is_empty(&broker->lease_watchers)) {
        struct lease_watcher *watcher = LIST_FIRST(&broker->lease_watchers, struct lease_watcher, link);
        request_fail(&watcher->request, error_stopping(broker));
        watcher_free(watcher);
    }
}

/* ---- the request ---- */

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct broker *broker = request->broker;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request,
                     error_deadline(broker, broker->now_ms - request->arrived_ms, "WatchLease was running"));
    watcher_free((struct lease_watcher *)request);
}

void lease_watch_begin(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(WatchLease) *wish = envelope->watch_lease;
    PB(Status) *status = NULL;
    struct broker *broker = connection->broker;
    uint32_t most = broker->config.max_watchers;
    struct lease *lease = lease_find(connection, wish->lease_id, wish->token, &status);
    if (lease != NULL && list_count(&broker->lease_watchers) >= most) {
        status = error_over_limit(broker, "max_watchers", most, "requests that watch a lease",
                                  "End what watches in vain, or raise MaxWatchers.");
        lease = NULL;
    }
    struct lease_watcher *watcher = lease != NULL ? calloc(1, sizeof *watcher) : NULL;
    if (watcher == NULL) {
        fail_now(connection, envelope->id, status);
        return;
    }
    watcher->lease = lease;
    request_open(&watcher->request, connection, envelope, on_stop);
    if (envelope->timeout_ms == 0)
        request_never_expires(&watcher->request);
    list_append(&broker->lease_watchers, &watcher->link);
    tell(watcher, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT));
}
