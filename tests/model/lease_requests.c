/* What clients ask about leases: their own, and those of others. */
#include "tests/model/model.h"

static char *constant(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* For its client, after the end of a service. */
static bool is_waiting(const struct lease_seen *lease, const struct link *link)
{
    return lease->is_adrift && lease->was_open && !lease->is_gone && lease->owner == link->owner;
}

bool lease_waits_for_client(const struct model *model, const struct link *link)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        if (is_waiting(&model->leases[i], link))
            return true;
    }
    return false;
}

static struct lease_seen *choose_lease(struct model *model, const struct link *link, bool of_anybody)
{
    size_t start = model->leases_count > 0 ? model_random(model, model->leases_count) : 0;
    for (size_t i = 0; i < model->leases_count; i++) {
        struct lease_seen *lease = &model->leases[(start + i) % model->leases_count];
        bool is_left = lease->link == 0 && lease->owner == link->owner; /* by a client that has gone */
        if (is_waiting(lease, link))
            return lease;
        if (lease->is_open && (of_anybody || is_left || lease->link == link_index(model, link)))
            return lease;
    }
    return NULL;
}

static const char *choose_token(struct model *model, const struct lease_seen *lease, bool shows_token)
{
    if (shows_token)
        return lease->token;
    return model_chance(model, 50) ? "" : "0123456789abcdef0123456789abcdef";
}

static struct request_seen *send_request(struct model *model, struct link *link, PB(Envelope) * envelope,
                                         const struct lease_seen *lease, bool shows_token)
{
    uint32_t id = client_send(model, link, envelope);
    struct request_seen *request = link->is_raw ? NULL : request_find_seen(link, id);
    if (request == NULL)
        return NULL;
    request->lease = (size_t)(lease - model->leases) + 1;
    request->shows_token = shows_token;
    return request;
}

bool lease_request_finish(struct model *model, struct link *link, bool of_anybody)
{
    struct lease_seen *lease = choose_lease(model, link, of_anybody);
    if (lease == NULL)
        return false;
    bool is_own = lease->link == link_index(model, link);
    bool shows_token = model_chance(model, is_own ? 20 : 40);
    bool succeeded = model_chance(model, 60);
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    finish.lease_id = lease->id;
    finish.token = constant(choose_token(model, lease, shows_token));
    finish.outcome = succeeded ? PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED) : PB_VALUE(OUTCOME, OUTCOME_FAILED);
    envelope.body_case = PB_BODY(FINISH_BACKUP);
    envelope.finish_backup = &finish;
    if (model_chance(model, 10))
        envelope.timeout_ms = (uint32_t)model_between(model, 1, 5000);
    struct request_seen *request = send_request(model, link, &envelope, lease, shows_token);
    if (request != NULL)
        request->success = succeeded;
    else if (lease_may_use(model, lease, link, shows_token)) /* whatever becomes of it */
        lease_finished(model, lease, succeeded), lease_unclear(model, lease);
    return true;
}

bool lease_request_any(struct model *model, const struct client *client, struct link *link)
{
    struct lease_seen *lease = choose_lease(model, link, model_chance(model, 30));
    if (lease == NULL)
        return false;
    bool is_own = lease->link == link_index(model, link);
    bool shows_token = model_chance(model, is_own ? 30 : lease->is_adrift ? 85 : 60);
    const char *token = choose_token(model, lease, shows_token);
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(AttachLease) attach = SHADOWPIPE__V1__ATTACH_LEASE__INIT;
    PB(RenewLease) renew = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    PB(WatchLease) watch = SHADOWPIPE__V1__WATCH_LEASE__INIT;
    attach.lease_id = renew.lease_id = watch.lease_id = lease->id;
    attach.token = renew.token = watch.token = constant(token);
    renew.ttl_ms = model_chance(model, 50) ? (uint32_t)model_between(model, 1, 150000) : 0;
    switch (model_random(model, client->half_duplex ? 2 : 3)) {
    case 0:
        envelope.body_case = PB_BODY(RENEW_LEASE);
        envelope.renew_lease = &renew;
        break;
    case 1:
        envelope.body_case = PB_BODY(ATTACH_LEASE);
        envelope.attach_lease = &attach;
        break;
    default:
        envelope.body_case = PB_BODY(WATCH_LEASE);
        envelope.watch_lease = &watch;
        envelope.timeout_ms = model_chance(model, 30) ? (uint32_t)model_between(model, 1, 60000) : 0;
        break;
    }
    struct request_seen *request = send_request(model, link, &envelope, lease, shows_token);
    if (request != NULL)
        request->ttl_ms = renew.ttl_ms;
    else
        lease_unclear(model, lease);
    return true;
}
