/* What streams tell: Watch and WatchLease. */
#include <string.h>

#include "tests/model/model.h"

static const uint64_t notice_max_ms = 60 * 1000;

static void check_number(struct model *model, const struct link *link, struct request_seen *request,
                         uint64_t number, uint64_t lost)
{
    REQUIRE(model, number == request->stream_number + 1, "events of a stream are not numbered in order");
    REQUIRE(model, lost == 0 || link->is_slow, "events were lost to a reader that reads");
    request->stream_number = number;
}

static void check_kind(struct model *model, const struct link *link, const struct request_seen *request,
                       const PB(LeaseEvent) * event)
{
    struct lease_seen *lease = &model->leases[request->lease - 1];
    uint64_t notice_ms = lease->ttl_ms / 5 < notice_max_ms ? lease->ttl_ms / 5 : notice_max_ms;
    switch (event->kind) {
    case PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT):
        REQUIRE(model, event->number == 1 || link->is_slow, "PRESENT, and nothing was lost");
        break;
    case PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_RENEWED):
        REQUIRE(model, lease->is_detached, "RENEWED, and it has no term");
        break;
    case PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_EXPIRING):
        REQUIRE(model, lease->is_detached && model->now_ms + notice_ms + LATE_MS >= lease->expires_ms,
                "EXPIRING, and there is time");
        break;
    case PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_LOST):
        REQUIRE(model, !lease_is_sound(model, lease), "LOST, and the snapshots are there");
        break;
    case PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_SERVICE_STOPPING):
        REQUIRE(model, model->is_stopping, "SERVICE_STOPPING, and it does not");
        break;
    default:
        REQUIRE(model, event->kind == PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED), "an event of no kind");
        REQUIRE(model, !lease_is_sound(model, lease), "ENDED, and nobody ended it");
        break;
    }
}

void lease_event_seen(struct model *model, const struct link *link, struct request_seen *request,
                      const PB(LeaseEvent) * event)
{
    const struct lease_seen *lease = &model->leases[request->lease - 1];
    REQUIRE(model, request->may_use || lease_may_use(model, lease, link, request->shows_token),
            "somebody watches a lease that is not his");
    REQUIRE(model, strcmp(event->lease->lease_id, lease->id) == 0, "an event of another lease");
    REQUIRE(model, !request->has_ended, "an event behind the last one");
    bool is_first = request->stream_number == 0;
    check_number(model, link, request, event->number, event->lost_events);
    REQUIRE(model,
            !is_first || event->kind == PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT) || link->is_slow,
            "the first event does not say how the lease is");
    request->has_ended = event->kind == PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED);
    if (!lease->is_unclear)
        check_kind(model, link, request, event);
}

void watch_over_seen(struct model *model, const struct link *link, const struct request_seen *request,
                     const char *reason)
{
    bool has_begun = request->stream_number > 0;
    if (has_begun && strcmp(reason, "UNKNOWN_LEASE") == 0)
        REQUIRE(model, request->has_ended || link->is_slow, "a stream ends, and its last event is missing");
    if (!has_begun)
        lease_refused(model, link, request, reason);
}

void watch_event_seen(struct model *model, const struct link *link, struct request_seen *request,
                      const PB(WatchEvent) * event)
{
    bool is_first = request->stream_number == 0;
    check_number(model, link, request, event->number, event->lost_events);
    REQUIRE(model, (!is_first && event->lost_events == 0) || event->state != NULL,
            "whoever has missed changes does not get the whole state");
    REQUIRE(model,
            event->state != NULL || event->changed_set != NULL || event->changed_lease != NULL ||
                event->summary != NULL,
            "an event that says nothing");
    if (event->changed_lease == NULL || (link->rights & RIGHT_BIT_MANAGE) != 0)
        return;
    const struct lease_seen *lease = lease_find_seen(model, event->changed_lease->lease_id);
    /* Its reply comes later in the same event. */
    REQUIRE(model, lease == NULL || lease->owner == link->owner, "a lease of another owner is shown");
}
