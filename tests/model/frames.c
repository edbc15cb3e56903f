/* What clients see, and what it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    SLACK_MS = 2 * LATE_MS,
    FOR_EVER_MS = 1000 * 1000 * 1000
};

/* ---- requests ---- */

static uint32_t rights_of(const PB(Envelope) * envelope)
{
    const PB(CreateSnapshot) *wish = envelope->create_snapshot;
    switch (envelope->body_case) {
    case PB_BODY(CREATE_SNAPSHOT):
        return (wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_UNSPECIFIED) ||
                        wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY)
                    ? RIGHT_BIT_SNAPSHOT
                    : RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE) |
               (wish->context > PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) ? RIGHT_BIT_PERSIST : 0);
    case PB_BODY(PROCEED):
        return RIGHT_BIT_SNAPSHOT;
    case PB_BODY(OPEN_SESSION):
        return envelope->open_session->mode == PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP)
                   ? RIGHT_BIT_SNAPSHOT
                   : RIGHT_BIT_READ;
    case PB_BODY(LIST_LEASES):
        return envelope->list_leases->all_owners ? RIGHT_BIT_READ | RIGHT_BIT_MANAGE : RIGHT_BIT_READ;
    case PB_BODY(GET_SERVICE_STATUS):
    case PB_BODY(LIST_WRITERS):
    case PB_BODY(LIST_VOLUMES):
    case PB_BODY(LIST_PROVIDERS):
    case PB_BODY(HISTORY):
    case PB_BODY(WATCH):
        return RIGHT_BIT_READ;
    default:
        return 0;
    }
}

struct request_seen *request_new(struct model *model, struct link *link, const PB(Envelope) * envelope)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id != 0)
            continue;
        *request = (struct request_seen){.id = envelope->id, .kind = envelope->body_case};
        request->end_offset = link->sent_bytes;
        request->rights = rights_of(envelope);
        request->deadline_ms = UINT64_MAX;
        request->timeout_ms =
            envelope->timeout_ms != 0 ? envelope->timeout_ms : model->config.default_timeout_ms;
        if (request->timeout_ms > model->config.max_timeout_ms)
            request->timeout_ms = model->config.max_timeout_ms;
        request->is_stream =
            envelope->body_case == PB_BODY(WATCH) || envelope->body_case == PB_BODY(WATCH_LEASE);
        if (request->is_stream && envelope->timeout_ms == 0)
            request->timeout_ms = FOR_EVER_MS;
        if (envelope->body_case == PB_BODY(LIST_LEASES))
            request->all_owners = envelope->list_leases->all_owners;
        if (envelope->body_case == PB_BODY(CREATE_SNAPSHOT))
            wish_note(model, request, envelope->create_snapshot);
        return request;
    }
    model_fail(model, "the model has no room for another request");
}

unsigned requests_open(const struct link *link)
{
    unsigned count = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        count += link->requests[i].id != 0;
    return count;
}

unsigned requests_awaited(const struct link *link)
{
    unsigned count = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        count += link->requests[i].id != 0 && !link->requests[i].is_stream;
    return count;
}

struct request_seen *request_find_seen(struct link *link, uint32_t id)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        if (link->requests[i].id == id && id != 0)
            return &link->requests[i];
    }
    return NULL;
}

void requests_delivered(struct model *model, struct link *link, size_t size)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id == 0 || request->is_delivered || request->end_offset > link->delivered_bytes + size)
            continue;
        request->is_delivered = true;
        request->delivered_ms = model->now_ms;
        lease_request_delivered(model, link, request);
    }
}

void requests_settled(struct model *model, struct link *link)
{
    if (link->is_paused || link->is_closed || link->is_gone || link->is_raw)
        return;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id == 0 || !request->is_delivered || request->deadline_ms != UINT64_MAX)
            continue;
        request->deadline_ms = model->now_ms + request->timeout_ms;
        model_schedule(model, request->timeout_ms + SLACK_MS, EVENT_DEADLINE, link_index(model, link),
                       request->id);
    }
}

void request_due(struct model *model, struct link *link, uint32_t id)
{
    const struct request_seen *request = request_find_seen(link, id);
    if (request == NULL || link->is_gone || link->is_closed || link->is_raw ||
        request->deadline_ms + SLACK_MS > model->now_ms)
        return;
    model_fail(model, "request %u of connection %llu was not answered by its deadline", (unsigned)id,
               (unsigned long long)link->id);
}

static void progress_seen(struct model *model, struct link *link, struct request_seen *request,
                          const PB(Progress) * progress)
{
    bool is_call = request->kind == PB_BODY(CALL);
    REQUIRE(model, is_call || request->kind == PB_BODY(CREATE_SNAPSHOT),
            "Progress for a request that has none");
    REQUIRE(model, progress->phase != PB_PHASE(UNSPECIFIED), "Progress without a phase");
    model_say(model, "connection %llu, request %u: phase %d, position %u", (unsigned long long)link->id,
              (unsigned)request->id, (int)progress->phase, (unsigned)progress->queue_position);
    if (is_call)
        return;
    hold_progress_seen(model, link, request, progress);
    if (!request->is_waiting && !request->has_started)
        turn_awaited(model, link, request);
    if (progress->phase == PB_PHASE(QUEUED) || request->has_started)
        return;
    /* Whoever joins a set takes no turn. */
    if (inside_begins_set(model, link, request->id))
        turn_taken(model, link, request);
    request->has_started = true;
}

/* ---- frames ---- */

static PB(Envelope__BodyCase) reply_of(PB(Envelope__BodyCase) request)
{
    static const PB(Envelope__BodyCase) pairs[][2] = {
        {PB_BODY(HELLO), PB_BODY(HELLO_REPLY)},
        {PB_BODY(PING), PB_BODY(PING_REPLY)},
        {PB_BODY(CANCEL), PB_BODY(CANCEL_REPLY)},
        {PB_BODY(GET_SERVICE_STATUS), PB_BODY(SERVICE_STATUS)},
        {PB_BODY(LIST_WRITERS), PB_BODY(WRITERS_REPLY)},
        {PB_BODY(LIST_VOLUMES), PB_BODY(VOLUMES_REPLY)},
        {PB_BODY(LIST_PROVIDERS), PB_BODY(PROVIDERS_REPLY)},
        {PB_BODY(CREATE_SNAPSHOT), PB_BODY(SNAPSHOT_REPLY)},
        {PB_BODY(FINISH_BACKUP), PB_BODY(FINISH_REPLY)},
        {PB_BODY(LIST_LEASES), PB_BODY(LEASES_REPLY)},
        {PB_BODY(ATTACH_LEASE), PB_BODY(LEASE_REPLY)},
        {PB_BODY(RENEW_LEASE), PB_BODY(LEASE_REPLY)},
        {PB_BODY(PROCEED), PB_BODY(PROCEED_REPLY)},
        {PB_BODY(OPEN_SESSION), PB_BODY(OPEN_SESSION_REPLY)},
        {PB_BODY(CALL), PB_BODY(CALL_REPLY)},
        {PB_BODY(CLOSE_SESSION), PB_BODY(CLOSE_SESSION_REPLY)},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] == request)
            return pairs[i][1];
    }
    return PB_BODY(STATUS);
}

static void status_seen(struct model *model, struct link *link, const PB(Status) * status)
{
    model_say(model, "connection %llu gets %s: %s", (unsigned long long)link->id, status->reason,
              status->message);
    REQUIRE(model,
            status->code != PB_CODE(UNSPECIFIED) && status->reason[0] != '\0' && status->message[0] != '\0' &&
                status->advice[0] != '\0',
            "a Status that says nothing");
    REQUIRE(model, status->hresult != VSS_IN_PROGRESS, "a set of somebody else's is a failure");
    REQUIRE(model, strcmp(status->reason, "NO_MEMORY") != 0, "the broker lacks memory that there is");
}

static void refused_seen(struct model *model, const struct link *link, const struct request_seen *request,
                         const PB(Status) * status)
{
    uint32_t rights = request->kind == PB_BODY(CALL) ? request->call_rights : request->rights;
    REQUIRE(model, (rights & ~link->rights) != 0 || strcmp(status->reason, "RIGHT_MISSING") != 0,
            "a right is missed that is there");
    switch (request->kind) {
    case PB_BODY(WATCH_LEASE):
        watch_over_seen(model, link, request, status->reason);
        break;
    case PB_BODY(PROCEED):
        hold_proceed_refused(model, link, request, status->reason);
        break;
    case PB_BODY(CREATE_SNAPSHOT):
        failure_seen(model, request, status);
        hold_failure_seen(model, link, request, status->reason);
        break;
    default:
        if (request->lease != 0)
            lease_refused(model, link, request, status->reason);
        break;
    }
}

static void reply_seen(struct model *model, struct link *link, const struct request_seen *request,
                       const PB(Envelope) * envelope)
{
    switch (envelope->body_case) {
    case PB_BODY(HELLO_REPLY):
        link->is_greeted = true;
        break;
    case PB_BODY(SNAPSHOT_REPLY):
        snapshot_seen(model, link, request, envelope->snapshot_reply);
        break;
    case PB_BODY(FINISH_REPLY):
        finish_seen(model, link, request, envelope->finish_reply);
        break;
    case PB_BODY(LEASE_REPLY):
        lease_reply_seen(model, link, request, envelope->lease_reply);
        break;
    case PB_BODY(LEASES_REPLY):
        leases_listed(model, link, request, envelope->leases_reply);
        break;
    case PB_BODY(WRITERS_REPLY):
        REQUIRE(model, envelope->writers_reply->count == request->writers_sent, "a list with a gap");
        break;
    case PB_BODY(PROCEED_REPLY):
        hold_proceed_seen(model, link, request);
        break;
    case PB_BODY(OPEN_SESSION_REPLY):
        session_opened(model, link, envelope->open_session_reply);
        break;
    case PB_BODY(CALL_REPLY):
        session_call_replied(model, link, request);
        break;
    case PB_BODY(CLOSE_SESSION_REPLY):
        session_closed(model, request, envelope->close_session_reply);
        break;
    default:
        break;
    }
}

static void final_seen(struct model *model, struct link *link, struct request_seen *request,
                       const PB(Envelope) * envelope)
{
    bool is_status = envelope->body_case == PB_BODY(STATUS);
    bool lacks_right = (request->rights & ~link->rights) != 0;
    REQUIRE(model, is_status || envelope->body_case == reply_of(request->kind), "a reply of another kind");
    REQUIRE(model, !lacks_right || (is_status && envelope->status->code == PB_CODE(PERMISSION_DENIED)),
            "request %u was not refused for the right that is missing", (unsigned)request->id);
    if (is_status)
        refused_seen(model, link, request, envelope->status);
    else
        reply_seen(model, link, request, envelope);
    request->id = 0;
}

void frame_seen(struct model *model, struct link *link, const PB(Envelope) * envelope)
{
    if (envelope->body_case == PB_BODY(STATUS))
        status_seen(model, link, envelope->status);
    else if (envelope->body_case != PB_BODY(PROGRESS))
        model_say(model, "connection %llu gets reply %d to %u", (unsigned long long)link->id,
                  (int)envelope->body_case, (unsigned)envelope->id);
    if (envelope->id == 0) {
        REQUIRE(model, envelope->body_case == PB_BODY(STATUS), "a reply to no request");
        link->is_refused = true;
        return;
    }
    struct request_seen *request = request_find_seen(link, envelope->id);
    if (request == NULL || link->is_raw) {
        REQUIRE(model, link->is_raw, "a reply to request %u of connection %llu, which is not open",
                (unsigned)envelope->id, (unsigned long long)link->id);
        if (envelope->body_case == PB_BODY(SNAPSHOT_REPLY))
            snapshot_seen(model, link, NULL, envelope->snapshot_reply);
        return;
    }
    REQUIRE(model, request->is_delivered, "a reply before its request");
    if (envelope->body_case == PB_BODY(PROGRESS))
        progress_seen(model, link, request, envelope->progress);
    else if (envelope->body_case == PB_BODY(WRITER) && request->kind == PB_BODY(LIST_WRITERS))
        request->writers_sent++;
    else if (envelope->body_case == PB_BODY(LEASE_EVENT) && request->kind == PB_BODY(WATCH_LEASE))
        lease_event_seen(model, link, request, envelope->lease_event);
    else if (envelope->body_case == PB_BODY(WATCH_EVENT) && request->kind == PB_BODY(WATCH))
        watch_event_seen(model, link, request, envelope->watch_event);
    else
        final_seen(model, link, request, envelope);
}

/* ---- ends ---- */

void link_closed_by_broker(struct model *model, struct link *link, bool flush)
{
    leases_end(model, link);
    if (link->kind == CONNECTION_REQUESTER || link->is_raw || link->is_refused)
        return;
    if (!flush) {
        REQUIRE(model, link->is_slow || !link->is_identified, "a reader that reads was closed");
        return;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request_seen *request = &link->requests[i];
        REQUIRE(model, request->id == 0 || request->deadline_ms == UINT64_MAX,
                "connection %llu was closed and request %u never answered", (unsigned long long)link->id,
                (unsigned)request->id);
    }
}
