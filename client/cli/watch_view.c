#include "client/cli/watch_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/display.h"

/* ---- copies ---- */

/* NULL without memory. */
static void *copy(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return NULL;
    protobuf_c_message_pack(message, bytes);
    void *result = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    free(bytes);
    return result;
}

static void release(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

static bool take_summary(struct watch_view *view, const PB(ServiceStatus) * status)
{
    PB(ServiceStatus) bare = *status;
    bare.n_sets = 0;
    bare.n_counters = 0;
    PB(ServiceStatus) *kept = copy(&bare.base);
    if (!kept)
        return false;
    release(view->summary);
    view->summary = kept;
    return true;
}

static size_t find_set(const struct watch_view *view, uint64_t number)
{
    size_t at = 0;
    while (at < view->sets_count && view->sets[at]->number != number)
        at++;
    return at;
}

static bool take_set(struct watch_view *view, const PB(SetInfo) * set, bool ended)
{
    size_t at = find_set(view, set->number);
    if (ended) {
        if (at == view->sets_count)
            return true;
        release(view->sets[at]);
        memmove(&view->sets[at], &view->sets[at + 1], (view->sets_count - at - 1) * sizeof *view->sets);
        view->sets_count--;
        return true;
    }
    if (at == WATCH_ITEMS_MAX)
        return true;
    PB(SetInfo) *kept = copy(&set->base);
    if (!kept)
        return false;
    if (at == view->sets_count)
        view->sets_count++;
    else
        release(view->sets[at]);
    view->sets[at] = kept;
    return true;
}

static bool take_lease(struct watch_view *view, const PB(LeaseInfo) * lease, bool ended)
{
    size_t at = 0;
    while (at < view->leases_count && strcmp(view->leases[at]->lease_id, lease->lease_id) != 0)
        at++;
    if (ended) {
        if (at == view->leases_count)
            return true;
        release(view->leases[at]);
        memmove(&view->leases[at], &view->leases[at + 1],
                (view->leases_count - at - 1) * sizeof *view->leases);
        view->leases_count--;
        return true;
    }
    if (at == WATCH_ITEMS_MAX)
        return true;
    PB(LeaseInfo) *kept = copy(&lease->base);
    if (!kept)
        return false;
    if (at == view->leases_count)
        view->leases_count++;
    else
        release(view->leases[at]);
    view->leases[at] = kept;
    return true;
}

void watch_view_free(struct watch_view *view)
{
    release(view->summary);
    for (size_t i = 0; i < view->sets_count; i++)
        release(view->sets[i]);
    for (size_t i = 0; i < view->leases_count; i++)
        release(view->leases[i]);
    *view = (struct watch_view){.lost_events = view->lost_events};
}

static bool take_state(struct watch_view *view, const PB(WatchEvent) * event)
{
    watch_view_free(view);
    view->lost_events += event->lost_events;
    for (size_t i = 0; i < event->state->n_sets; i++) {
        if (!take_set(view, event->state->sets[i], false))
            return false;
    }
    return take_summary(view, event->state);
}

bool watch_view_take(struct watch_view *view, const PB(WatchEvent) * event)
{
    if (event->state)
        return take_state(view, event);
    if (event->summary)
        return take_summary(view, event->summary);
    if (event->changed_set)
        return take_set(view, event->changed_set, event->ended);
    if (event->changed_lease)
        return take_lease(view, event->changed_lease, event->ended);
    return true; /* something that a later service tells */
}

/* ---- text ---- */

static void add_list(struct text *text, char *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_format(text, "%s%s", i ? " " : "", items[i]);
    if (count == 0)
        text_add(text, "-");
}

static void add_members(struct text *text, const PB(SetInfo) * set)
{
    for (size_t i = 0; i < set->n_members; i++) {
        const PB(MemberInfo) *member = set->members[i];
        text_format(text, "%s%s", i ? ", " : "", member->client_name);
        if (member->process_id)
            text_format(text, " (%" PRIu32 ")", member->process_id);
        if (*member->purpose)
            text_format(text, " \"%s\"", member->purpose);
    }
}

static void add_gate(struct text *text, const PB(ServiceStatus) * summary)
{
    if (*summary->gate_holder)
        text_format(text, "%s, %s", summary->gate_holder, display_phase(summary->gate_phase));
    else
        text_add(text, "free");
    const char *waiting = display_waiting(summary->gate_waiting_for);
    if (waiting && summary->gate_waiting_for != PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET))
        text_format(text, ": %s", waiting);
}

static void add_summary(struct text *text, const PB(ServiceStatus) * summary)
{
    text_format(text,
                "clients %" PRIu32 "  waiting %" PRIu32 "  leases %" PRIu32 "  requesters %" PRIu32 "%s",
                summary->connections, summary->queue_length, summary->leases, summary->requesters,
                summary->stopping ? "  STOPPING" : "");
}

static void add_set_row(struct text *text, const PB(SetInfo) * set)
{
    size_t line = text->size;
    text_format(text, "%" PRIu64, set->number);
    text_pad(text, line, 5);
    text_add(text, display_phase(set->phase));
    text_pad(text, line, 40);
    add_list(text, set->volumes, set->n_volumes);
    text_pad(text, line, 56);
    add_members(text, set);
    text_add(text, "\n");
}

static void add_lease_row(struct text *text, const PB(LeaseInfo) * lease)
{
    size_t line = text->size;
    text_add(text, lease->lease_id);
    text_pad(text, line, 40);
    add_list(text, lease->volumes, lease->n_volumes);
    text_pad(text, line, 56);
    text_add(text, lease->client_name);
    if (*lease->purpose)
        text_format(text, " \"%s\"", lease->purpose);
    if (lease->expires_ms) {
        text_add(text, " until ");
        display_time(text, lease->expires_ms);
    }
    text_add(text, "\n");
}

void watch_view_table(const struct watch_view *view, struct text *text)
{
    if (!view->summary)
        return;
    text_format(text, "shadowpiped %s%s  ", view->summary->server_version,
                view->summary->simulated ? " (simulated)" : "");
    add_summary(text, view->summary);
    text_add(text, "\nturn: ");
    add_gate(text, view->summary);
    text_add(text, "\n\nSET  PHASE                              VOLUMES         MEMBERS\n");
    for (size_t i = 0; i < view->sets_count; i++)
        add_set_row(text, view->sets[i]);
    if (view->leases_count > 0)
        text_add(text, "\nLEASE                                   VOLUMES         HOLDER\n");
    for (size_t i = 0; i < view->leases_count; i++)
        add_lease_row(text, view->leases[i]);
    if (view->lost_events > 0)
        text_format(text, "\n%" PRIu64 " changes were too quick to be shown.\n", view->lost_events);
}

static void add_set_line(struct text *text, const PB(SetInfo) * set, bool ended)
{
    text_format(text, "set %" PRIu64 ": %s; ", set->number, ended ? "ended" : display_phase(set->phase));
    add_list(text, set->volumes, set->n_volumes);
    if (set->n_members > 0)
        text_add(text, "; ");
    add_members(text, set);
    text_add(text, "\n");
}

void watch_event_lines(const PB(WatchEvent) * event, struct text *text)
{
    const PB(ServiceStatus) *summary = event->state ? event->state : event->summary;
    if (event->lost_events > 0)
        text_format(text, "%" PRIu64 " changes were lost\n", event->lost_events);
    if (summary) {
        add_summary(text, summary);
        text_add(text, "  turn: ");
        add_gate(text, summary);
        text_add(text, "\n");
    }
    for (size_t i = 0; event->state && i < event->state->n_sets; i++)
        add_set_line(text, event->state->sets[i], false);
    if (event->changed_set)
        add_set_line(text, event->changed_set, event->ended);
    if (event->changed_lease) {
        text_format(text, "lease %s: %s; ", event->changed_lease->lease_id,
                    event->ended ? "ended" : event->changed_lease->client_name);
        add_list(text, event->changed_lease->volumes, event->changed_lease->n_volumes);
        text_add(text, "\n");
    }
}
