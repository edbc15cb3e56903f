/* The clients: correct ones, crashing, slow, half-duplex, cancelling, impatient, flooding and malicious ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    READ_SNAPSHOT = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT,
    BACKUP_OPERATOR = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE,
    EVERYTHING = 0x7e
};

static char *constant(const char *text)
{
    return (char *)(uintptr_t)text;
}

void clients_init(struct model *model)
{
    static const uint32_t rights[] = {0,          RIGHT_BIT_READ,  READ_SNAPSHOT,
                                      EVERYTHING, BACKUP_OPERATOR, BACKUP_OPERATOR};
    model->clients_count = 1 + model_random(model, CLIENTS);
    for (size_t i = 0; i < model->clients_count; i++) {
        struct client *client = &model->clients[i];
        client->owner = model_random(model, OWNERS);
        client->is_malicious = client->owner == MALICIOUS_OWNER;
        client->rights = model_chance(model, 80) ? BACKUP_OPERATOR : rights[model_random(model, 6)];
        client->rights |= model_chance(model, 60) ? RIGHT_BIT_PERSIST : 0;
        client->actions_left = (unsigned)model_between(model, 3, 25);
        client->half_duplex = model_chance(model, 30);
        client->crashes = model_chance(model, 20);
        client->cancels = model_chance(model, 25);
        client->floods = model_chance(model, 20);
        client->is_short = model_chance(model, 15);
        client->is_slow = model_chance(model, 15);
        client->has_sessions = model_chance(model, 20);
        client->actions_left += client->has_sessions ? 15 : 0;
        model_schedule(model, model_random(model, 20000), EVENT_CLIENT, i, 0);
    }
}

/* ---- connections ---- */

static void connect_client(struct model *model, size_t index)
{
    struct client *client = &model->clients[index];
    struct link *link = link_new(model, CONNECTION_CLIENT);
    link->client = index + 1;
    link->owner = client->owner;
    link->rights = client->rights;
    link->is_slow = client->is_slow;
    link->never_reads = client->is_slow && model_chance(model, 25);
    client->link = link_index(model, link);
    model_say(model, "client %zu of owner %zu connects as connection %llu", index, client->owner,
              (unsigned long long)link->id);
    if (model_chance(model, 98)) /* else nobody ever says who it is */
        model_schedule(model, model_random(model, 30), EVENT_IDENTIFIED, link_index(model, link), 0);
}

uint32_t client_send(struct model *model, struct link *link, PB(Envelope) * envelope)
{
    envelope->id = ++link->last_id;
    link_send(model, link, envelope);
    if (!link->is_raw)
        (void)request_new(model, link, envelope);
    return envelope->id;
}

static void send_hello(struct model *model, struct link *link)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = model_chance(model, 98) ? PROTOCOL_MAJOR : 9;
    hello.client_name = constant("model");
    envelope.body_case = PB_BODY(HELLO);
    envelope.hello = &hello;
    (void)client_send(model, link, &envelope);
}

void client_identified(struct model *model, struct link *link)
{
    if (link->is_gone || link->is_closed)
        return;
    struct caller caller = {.process_id = 70 + (uint32_t)link->client, .rights = link->rights};
    (void)snprintf(caller.sid, sizeof caller.sid, "S-1-5-21-1-2-3-%zu", 1000 + link->owner);
    (void)snprintf(caller.process_name, sizeof caller.process_name, "model.exe");
    bool fails = model->fault_permille > 0 && model_chance(model, 2);
    link->is_identified = true;
    broker_identified(model->broker, link->id, &caller, fails ? "no token" : NULL);
    if (!link->is_closed)
        send_hello(model, link);
}

/* ---- other requests ---- */

static void cancel_something(struct model *model, struct link *link)
{
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct link *target = link;
    if (model_chance(model, 30))
        target = model->links[model_random(model, model->links_count)];
    cancel.connection_id = target == link && model_chance(model, 50) ? 0 : target->id;
    for (size_t i = 0; i < REQUESTS; i++) {
        if (target->requests[i].id != 0 && (cancel.id == 0 || model_chance(model, 30)))
            cancel.id = target->requests[i].id;
    }
    envelope.body_case = PB_BODY(CANCEL);
    envelope.cancel = &cancel;
    (void)client_send(model, link, &envelope);
}

static void ask_something(struct model *model, const struct client *client, struct link *link)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    PB(GetServiceStatus) status = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(ListWriters) writers = SHADOWPIPE__V1__LIST_WRITERS__INIT;
    PB(ListVolumes) volumes = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(ListProviders) providers = SHADOWPIPE__V1__LIST_PROVIDERS__INIT;
    PB(ListLeases) leases = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(History) history = SHADOWPIPE__V1__HISTORY__INIT;
    PB(Watch) watch = SHADOWPIPE__V1__WATCH__INIT;
    switch (model_random(model, client->half_duplex ? 7 : 8)) {
    case 0:
        envelope.body_case = PB_BODY(PING);
        envelope.ping = &ping;
        break;
    case 1:
        envelope.body_case = PB_BODY(GET_SERVICE_STATUS);
        envelope.get_service_status = &status;
        break;
    case 2:
        writers.refresh = model_chance(model, 30);
        writers.with_components = model_chance(model, 50);
        envelope.body_case = PB_BODY(LIST_WRITERS);
        envelope.list_writers = &writers;
        break;
    case 3:
        volumes.refresh = model_chance(model, 30);
        envelope.body_case = PB_BODY(LIST_VOLUMES);
        envelope.list_volumes = &volumes;
        break;
    case 4:
        envelope.body_case = PB_BODY(LIST_PROVIDERS);
        envelope.list_providers = &providers;
        break;
    case 5:
        leases.all_owners = model_chance(model, 40);
        envelope.body_case = PB_BODY(LIST_LEASES);
        envelope.list_leases = &leases;
        break;
    case 7:
        envelope.body_case = PB_BODY(WATCH);
        envelope.watch = &watch;
        break;
    default: /* nothing that this version does */
        envelope.body_case = PB_BODY(HISTORY);
        envelope.history = &history;
        break;
    }
    if (model_chance(model, 15))
        envelope.timeout_ms = (uint32_t)model_between(model, 1, 3000);
    (void)client_send(model, link, &envelope);
}

/* From now on anything may come of this connection. */
static void send_nonsense(struct model *model, struct link *link)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    leases_unclear(model, link);
    holds_unclear(model, link);
    link->is_raw = true;
    envelope.id = (uint32_t)model_random(model, 3);
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &ping;
    link_send(model, link, &envelope);
    for (unsigned i = 0; i < 4 && link->outbox.size > 0 && model_chance(model, 70); i++)
        link->outbox.data[model_random(model, link->outbox.size)] = (uint8_t)model_random(model, 256);
}

/* ---- what comes next ---- */

static void act(struct model *model, struct client *client, struct link *link)
{
    uint64_t choice = model_random(model, 100);
    if (client->is_malicious && choice < 30) {
        send_nonsense(model, link);
    } else if (client->crashes && choice < 20) {
        model_say(model, "connection %llu breaks", (unsigned long long)link->id);
        link_hang_up(model, link);
    } else if (client->cancels && choice < 45) {
        cancel_something(model, link);
    } else if (client->has_sessions && model_chance(model, 70)) {
        session_act(model, client, link);
    } else if ((lease_waits_for_client(model, link) && model_chance(model, 50) &&
                lease_request_any(model, client, link)) ||
               (choice < 58 && choice >= 40 && lease_request_finish(model, link, model_chance(model, 12))) ||
               (choice < 68 && choice >= 58 && lease_request_any(model, client, link))) {
        return;
    } else if (choice < 80) {
        unsigned count = client->floods ? 1 + (unsigned)model_random(model, 5) : 1;
        for (unsigned i = 0; i < count && requests_open(link) < REQUESTS - 2; i++)
            wish_send(model, client, link);
    } else {
        ask_something(model, client, link);
    }
}

void client_act(struct model *model, size_t index)
{
    struct client *client = &model->clients[index];
    struct link *link = link_at(model, client->link);
    if (model->is_quiet || model->has_stopped)
        return;
    if (link == NULL && client->actions_left > 0) {
        connect_client(model, index);
    } else if (link != NULL && client->actions_left == 0 && requests_awaited(link) == 0) {
        link_hang_up(model, link);
        return;
    } else if (link != NULL && link->is_greeted && !link->is_closed && client->actions_left > 0) {
        bool must_wait = client->half_duplex && requests_open(link) > 0;
        if (!must_wait && requests_open(link) < REQUESTS - 2) {
            client->actions_left--;
            act(model, client, link);
        }
    }
    if (link != NULL || client->actions_left > 0)
        model_schedule(model, model_random(model, model_chance(model, 50) ? 500 : 15000), EVENT_CLIENT, index,
                       0);
}
