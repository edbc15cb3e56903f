/* Fairness, as those who wait see it by their Progress. */
#include "tests/model/model.h"

enum {
    FAIRNESS_SLACK = 1
};

/* Those with a key follow another one, or take over its place. */
static bool waits(const struct link *link, const struct request_seen *request)
{
    return request->id != 0 && request->key == 0 && request->is_waiting && !request->has_started &&
           !link->is_gone && !link->is_closed && !link->is_raw &&
           !link->is_slow; /* a slow one is not told of its turn */
}

void turn_awaited(struct model *model, struct link *link, struct request_seen *request)
{
    request->is_waiting = true;
    request->order = ++model->queue_order;
    for (size_t i = 0; i < model->links_count; i++) {
        const struct link *other = model->links[i];
        for (size_t j = 0; j < REQUESTS && other->owner == link->owner; j++) {
            const struct request_seen *own = &other->requests[j];
            request->ahead += own->id != 0 && own != request &&
                              (own->wants_gate || (own->kind == PB_BODY(CREATE_SNAPSHOT) &&
                                                   own->is_delivered && !own->has_started));
        }
    }
}

void turn_taken(struct model *model, struct link *link, struct request_seen *turn)
{
    turn->has_started = true;
    if (link->is_slow)
        return; /* it may hear of its turn long after it */
    for (size_t i = 0; i < model->links_count; i++) {
        struct link *other = model->links[i];
        for (size_t j = 0; j < REQUESTS; j++) {
            struct request_seen *request = &other->requests[j];
            if (!waits(other, request) || !inside_is_queued(model, other, request->id))
                continue;
            REQUIRE(
                model, other->owner != link->owner || turn->key != 0 || request->order > turn->order,
                "request %u of connection %llu goes before request %u of connection %llu, of the same owner",
                (unsigned)turn->id, (unsigned long long)link->id, (unsigned)request->id,
                (unsigned long long)other->id);
            unsigned passed = ++request->passed[link->owner];
            REQUIRE(model,
                    other->owner == link->owner || other->owner == MALICIOUS_OWNER ||
                        passed <= request->ahead + 1 + FAIRNESS_SLACK,
                    "request %u of connection %llu starves: owner %zu had %u turns meanwhile",
                    (unsigned)request->id, (unsigned long long)other->id, link->owner, passed);
        }
    }
}

void turn_of_session(struct model *model, size_t owner)
{
    for (size_t i = 0; i < model->links_count; i++) {
        struct link *link = model->links[i];
        for (size_t j = 0; j < REQUESTS && link->owner == owner; j++)
            link->requests[j].ahead += waits(link, &link->requests[j]);
    }
}
