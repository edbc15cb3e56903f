/* Hold points: clients that let their snapshot go on, end it, are too late, or vanish. */
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    SLACK_MS = 2 * LATE_MS
};

static unsigned kind_of(const PB(Progress) * progress)
{
    return progress->phase == PB_PHASE(WAITING_FOR_GATE) ? HOLDS_AT_GATE : HOLDS_PREPARED;
}

void hold_progress_seen(struct model *model, struct link *link, struct request_seen *request,
                        const PB(Progress) * progress)
{
    if (progress->hold_token[0] == '\0') {
        request->hold_token[0] = '\0';
        return;
    }
    REQUIRE(model, (request->hold_kinds & kind_of(progress)) != 0, "held where nobody asked for it");
    if (strcmp(request->hold_token, progress->hold_token) == 0)
        return;
    (void)snprintf(request->hold_token, sizeof request->hold_token, "%s", progress->hold_token);
    request->held_at = kind_of(progress);
    request->proceeded &= ~request->held_at;
    request->hold_end_ms = model->now_ms + progress->hold_left_ms;
    REQUIRE(model, progress->hold_left_ms <= model->config.hold_point_ms, "held for longer than may be");
    size_t index = link_index(model, link);
    model_schedule(model, progress->hold_left_ms + SLACK_MS, EVENT_HOLD_DUE, index, request->id);
    if (model_chance(model, 10))
        return; /* its script hangs */
    uint64_t script_ms = model_random(model, (uint64_t)progress->hold_left_ms * 3 / 2 + 1);
    model_schedule(model, script_ms, EVENT_PROCEED, index, request->id);
}

void hold_is_due(struct model *model, struct link *link, uint32_t id)
{
    const struct request_seen *request = request_find_seen(link, id);
    bool is_held =
        request != NULL && request->hold_token[0] != '\0' && request->hold_end_ms + SLACK_MS <= model->now_ms;
    REQUIRE(model, !is_held || link->is_gone || link->is_closed || link->is_raw || link->is_slow,
            "request %u of connection %llu is held for ever", (unsigned)id, (unsigned long long)link->id);
}

/* A connection that can speak: a half-duplex client needs another one for this. */
static struct link *choose_speaker(struct model *model, struct link *link)
{
    const struct client *client = &model->clients[link->client - 1];
    bool has_own = !client->half_duplex && !link->is_gone && !link->is_closed && !link->is_raw;
    if (has_own && model_chance(model, 80))
        return link;
    size_t start = model_random(model, model->links_count);
    for (size_t i = 0; i < model->links_count; i++) {
        struct link *other = model->links[(start + i) % model->links_count];
        bool is_close = other->owner == link->owner || model_chance(model, 10);
        if (other->kind == CONNECTION_CLIENT && other->is_greeted && !other->is_gone && !other->is_closed &&
            !other->is_raw && is_close && requests_open(other) < REQUESTS - 2)
            return other;
    }
    return NULL;
}

void hold_script_ends(struct model *model, struct link *link, uint32_t id)
{
    struct request_seen *request = request_find_seen(link, id);
    if (request == NULL || request->hold_token[0] == '\0' || link->is_raw || model->is_quiet)
        return;
    if (model_chance(model, 8)) {
        model_say(model, "connection %llu vanishes while it is held", (unsigned long long)link->id);
        if (!link->is_closed)
            link_hang_up(model, link);
        return;
    }
    struct link *speaker = choose_speaker(model, link);
    if (speaker == NULL)
        return;
    PB(Proceed) proceed = SHADOWPIPE__V1__PROCEED__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    bool is_right = model_chance(model, 90);
    proceed.request_id = id;
    proceed.hold_token = is_right ? request->hold_token : (char *)(uintptr_t) "not the token";
    proceed.abort = model_chance(model, 15);
    envelope.body_case = PB_BODY(PROCEED);
    envelope.proceed = &proceed;
    struct request_seen *sent = request_find_seen(speaker, client_send(model, speaker, &envelope));
    sent->target_link = link_index(model, link);
    sent->target = id;
    sent->aborts = proceed.abort;
    (void)snprintf(sent->hold_token, sizeof sent->hold_token, "%s", proceed.hold_token);
}

/* What it is about, as long as it is held there. */
static struct request_seen *held_target(struct model *model, const struct link *link,
                                        const struct request_seen *proceed)
{
    struct link *target = link_at(model, proceed->target_link);
    struct request_seen *request = target->is_gone || target->is_closed || target->is_raw
                                       ? NULL
                                       : request_find_seen(target, proceed->target);
    bool is_meant = request != NULL && target->owner == link->owner &&
                    strcmp(request->hold_token, proceed->hold_token) == 0;
    return is_meant ? request : NULL;
}

void hold_proceed_seen(struct model *model, const struct link *link, const struct request_seen *proceed)
{
    struct request_seen *request = held_target(model, link, proceed);
    bool is_unclear = link_at(model, proceed->target_link)->is_raw;
    REQUIRE(model, request != NULL || is_unclear, "Proceed for what is not held, or is somebody else's");
    if (request == NULL)
        return;
    request->hold_token[0] = '\0';
    if (proceed->aborts)
        request->is_aborted = true;
    else
        request->proceeded |= request->held_at;
}

void hold_proceed_refused(struct model *model, const struct link *link, const struct request_seen *proceed,
                          const char *reason)
{
    const struct request_seen *request = held_target(model, link, proceed);
    bool is_slow = link_at(model, proceed->target_link)->is_slow;
    REQUIRE(model,
            strcmp(reason, "UNKNOWN_HOLD") != 0 || request == NULL || is_slow ||
                model->now_ms >= request->hold_end_ms,
            "Proceed is refused to whom is held");
}

void hold_failure_seen(struct model *model, const struct link *link, const struct request_seen *request,
                       const char *reason)
{
    if (strcmp(reason, "HOLD_TIMEOUT") == 0)
        REQUIRE(model, link->is_slow || (request->hold_end_ms != 0 && model->now_ms >= request->hold_end_ms),
                "a hold point ends before its time");
    REQUIRE(model, strcmp(reason, "HOLD_ABORTED") != 0 || request->is_aborted,
            "aborted at a hold point by nobody");
}

void holds_unclear(struct model *model, const struct link *link)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request_seen *proceed = &link->requests[i];
        struct request_seen *request =
            proceed->id != 0 && proceed->target_link != 0 ? held_target(model, link, proceed) : NULL;
        if (request != NULL)
            request->is_hold_unclear = true;
    }
}

/* Neither StartSnapshotSet nor DoSnapshotSet before its client says so. */
void hold_check_passed(struct model *model, const struct request_seen *request, PB(Call__MethodCase) method)
{
    unsigned kind = method == PB_METHOD(DO_SNAPSHOT_SET) ? HOLDS_PREPARED : HOLDS_AT_GATE;
    REQUIRE(model,
            (request->hold_kinds & kind) == 0 || (request->proceeded & kind) != 0 || request->is_hold_unclear,
            "request %u goes on although it is held", (unsigned)request->id);
    REQUIRE(model, !request->is_aborted, "request %u goes on although its client ended it",
            (unsigned)request->id);
}
