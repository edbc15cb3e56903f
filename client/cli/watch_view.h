/* What `watch` shows: the service's state, kept up to date by the events of Watch, as a table or as lines.
 *
 * Pure text, no terminal. The view keeps copies of its own. */
#ifndef SHADOWPIPE_CLIENT_CLI_WATCH_VIEW_H
#define SHADOWPIPE_CLIENT_CLI_WATCH_VIEW_H

#include "client/cli/text.h"
#include "proto/wire.h"

enum {
    WATCH_ITEMS_MAX = 512 /* sets, and leases, that are kept; more are counted only */
};

struct watch_view {
    PB(ServiceStatus) * summary; /* without sets */
    PB(SetInfo) * sets[WATCH_ITEMS_MAX];
    size_t sets_count;
    PB(LeaseInfo) * leases[WATCH_ITEMS_MAX];
    size_t leases_count;
    uint64_t lost_events;
};

/* False: no memory; the view is as it was, or empty. */
bool watch_view_take(struct watch_view *view, const PB(WatchEvent) * event);
void watch_view_free(struct watch_view *view);

/* The whole state as a table. */
void watch_view_table(const struct watch_view *view, struct text *text);
/* What this event tells, as one line (several for a whole state). */
void watch_event_lines(const PB(WatchEvent) * event, struct text *text);

#endif
