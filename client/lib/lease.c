/* The typed calls for leases: listed, found again, renewed, watched. */
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/result.h"

static struct sp_lease convert(const PB(LeaseInfo) * from)
{
    return (struct sp_lease){
        .lease_id = text_or_empty(from->lease_id),
        .set_id = text_or_empty(from->set_id),
        .detached = from->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED),
        .owner_sid = text_or_empty(from->owner_sid),
        .client_name = text_or_empty(from->client_name),
        .purpose = text_or_empty(from->purpose),
        .created_ms = from->created_ms,
        .expires_ms = from->expires_ms,
        .volumes = (const char *const *)from->volumes,
        .volumes_count = from->n_volumes,
        .persistent = from->persistent,
    };
}

struct sp_leases *sp_list_leases(struct sp_client *client, bool all_owners, uint32_t timeout_ms,
                                 struct sp_error **error)
{
    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    list.all_owners = all_owners;
    envelope.body_case = PB_BODY(LIST_LEASES);
    envelope.list_leases = &list;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *message = message_call(client, &envelope, PB_BODY(LEASES_REPLY), &options, error);
    struct result *result = message ? result_create(message, error) : NULL;
    if (!result)
        return NULL;
    const PB(LeasesReply) *reply = message->envelope->leases_reply;
    struct sp_lease *leases = result_array(result, reply->n_leases, sizeof *leases);
    if (!leases)
        return result_fail(result, error);
    for (size_t i = 0; i < reply->n_leases; i++)
        leases[i] = convert(reply->leases[i]);
    result->u.leases = (struct sp_leases){leases, reply->n_leases};
    return &result->u.leases;
}

void sp_leases_free(struct sp_leases *leases)
{
    result_free(leases);
}

struct sp_snapshot *sp_attach_lease(struct sp_client *client, const char *lease_id, const char *token,
                                    uint32_t timeout_ms, struct sp_error **error)
{
    PB(AttachLease) attach = SHADOWPIPE__V1__ATTACH_LEASE__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    attach.lease_id = (char *)text_or_empty(lease_id);
    attach.token = (char *)text_or_empty(token);
    envelope.body_case = PB_BODY(ATTACH_LEASE);
    envelope.attach_lease = &attach;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *reply = message_call(client, &envelope, PB_BODY(LEASE_REPLY), &options, error);
    return reply ? result_snapshot(reply, reply->envelope->lease_reply->snapshot, error) : NULL;
}

bool sp_renew_lease(struct sp_client *client, const char *lease_id, const char *token, uint32_t ttl_ms,
                    uint32_t timeout_ms, int64_t *expires_ms, struct sp_error **error)
{
    PB(RenewLease) renew = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    renew.lease_id = (char *)text_or_empty(lease_id);
    renew.token = (char *)text_or_empty(token);
    renew.ttl_ms = ttl_ms;
    envelope.body_case = PB_BODY(RENEW_LEASE);
    envelope.renew_lease = &renew;
    struct message_options options = {.timeout_ms = timeout_ms};
    struct message *reply = message_call(client, &envelope, PB_BODY(LEASE_REPLY), &options, error);
    const PB(LeaseInfo) *lease = reply ? reply->envelope->lease_reply->lease : NULL;
    if (expires_ms)
        *expires_ms = lease ? lease->expires_ms : 0;
    message_free(reply);
    return reply != NULL;
}

/* ---- watching ---- */

struct watch {
    const struct sp_lease_watch *wish;
    bool ended;
};

static void take_event(void *context, const PB(Envelope) * envelope)
{
    struct watch *watch = context;
    if (envelope->body_case != PB_BODY(LEASE_EVENT) || !envelope->lease_event->lease)
        return;
    const PB(LeaseEvent) *from = envelope->lease_event;
    struct sp_lease_event event = {.number = from->number,
                                   .lost_events = from->lost_events,
                                   .kind = (enum sp_lease_event_kind)from->kind,
                                   .lease = convert(from->lease)};
    watch->ended |= event.kind == SP_LEASE_ENDED;
    watch->wish->on_event(watch->wish->context, &event);
}

bool sp_watch_lease(struct sp_client *client, const struct sp_lease_watch *wish, struct sp_error **error)
{
    PB(WatchLease) body = SHADOWPIPE__V1__WATCH_LEASE__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct watch watch = {.wish = wish};
    struct sp_error *why = NULL;
    body.lease_id = (char *)text_or_empty(wish->lease_id);
    body.token = (char *)text_or_empty(wish->token);
    envelope.body_case = PB_BODY(WATCH_LEASE);
    envelope.watch_lease = &body;
    struct message_options options = {.timeout_ms = wish->timeout_ms ? wish->timeout_ms : SP_FOREVER,
                                      .on_message = take_event,
                                      .context = &watch,
                                      .cancel = wish->cancel};
    /* There is no good final reply: it ends by a Status. */
    message_free(message_call(client, &envelope, PB_BODY(LEASE_EVENT), &options, &why));
    bool is_over = watch.ended && why && strcmp(why->reason, "UNKNOWN_LEASE") == 0;
    if (is_over)
        sp_error_free(why);
    else
        error_give(error, why);
    return is_over;
}
