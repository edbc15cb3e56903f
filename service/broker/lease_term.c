#include "service/broker/lease_term.h"

#include "service/broker/error.h"
#include "service/broker/lease_watch.h"
#include "service/broker/log.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"

enum {
    NOTICE_PART = 5,          /* of the ttl … */
    NOTICE_MAX_MS = 60 * 1000 /* … and at most */
};

static bool is_detached(const PB(LeaseOptions) * options)
{
    return options != NULL && options->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
}

PB(Status) * lease_term_check(struct broker *broker, const PB(LeaseOptions) * options, const char *field)
{
    if (options == NULL || options->ttl_ms == 0 || is_detached(options))
        return NULL;
    PB(Status) *status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NOT_DETACHED",
                                     "a lease that ends with its connection has no time to live of its own");
    error_field(error_advise(status, "Set lease.mode to DETACHED, or leave ttl_ms out."), field);
    return status != NULL ? status : error_no_memory();
}

/* ---- the term ---- */

/* Before its end, when those who watch are warned. */
static uint32_t notice_ms(const struct lease *lease)
{
    uint32_t part_ms = lease->ttl_ms / NOTICE_PART;
    return part_ms < NOTICE_MAX_MS ? part_ms : NOTICE_MAX_MS;
}

static void on_term(struct broker *broker, struct timer *timer)
{
    struct lease *lease = LIST_ITEM(timer, struct lease, term);
    if (!lease->is_expiring) {
        lease->is_expiring = true;
        timer_set(broker, timer, lease->expires_at_ms - broker->now_ms);
        lease_watch_tell(lease, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_EXPIRING));
        return;
    }
    broker_log(broker, BROKER_LOG_WARNING, "lease %s of %s was not renewed within %u s, and ends", lease->id,
               lease->info->client_name, (unsigned)(lease->ttl_ms / 1000));
    lease_end(lease);
}

void lease_term_init(struct lease *lease)
{
    timer_init(&lease->term, on_term);
}

static void start(struct lease *lease, uint32_t ttl_ms)
{
    struct broker *broker = lease->broker;
    uint32_t most_ms = broker->config.max_lease_ttl_ms;
    lease->ttl_ms = ttl_ms < most_ms ? ttl_ms : most_ms;
    lease->expires_at_ms = broker->now_ms + lease->ttl_ms;
    lease->is_expiring = false;
    lease->info->expires_ms = broker->unix_ms + lease->ttl_ms;
    if (lease->reply != NULL)
        lease->reply->expires_ms = lease->info->expires_ms;
    timer_set(broker, &lease->term, lease->ttl_ms - notice_ms(lease));
}

void lease_term_begin(struct lease *lease, const PB(LeaseOptions) * options)
{
    lease->info->mode = PB_VALUE(LEASE_MODE, LEASE_MODE_CONNECTION);
    if (!is_detached(options))
        return;
    lease->info->mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    start(lease, options->ttl_ms != 0 ? options->ttl_ms : lease->broker->config.lease_ttl_ms);
}

/* ---- the requests ---- */

static void answer(struct connection *connection, uint32_t id, const struct lease *lease,
                   PB(SnapshotReply) * snapshot)
{
    PB(LeaseReply) reply = SHADOWPIPE__V1__LEASE_REPLY__INIT;
    reply.lease = lease->info;
    reply.snapshot = snapshot;
    PB(Envelope) envelope = ENVELOPE(LEASE_REPLY, .lease_reply = &reply);
    reply_now(connection, id, &envelope);
}

void lease_attach_again(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(AttachLease) *wish = envelope->attach_lease;
    PB(Status) *status = NULL;
    struct lease *lease = lease_find(connection, wish->lease_id, wish->token, &status);
    if (lease == NULL) {
        fail_now(connection, envelope->id, status);
        return;
    }
    lease->is_acknowledged = lease->ttl_ms != 0;
    answer(connection, envelope->id, lease, lease->reply);
}

void lease_renew(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(RenewLease) *wish = envelope->renew_lease;
    PB(Status) *status = NULL;
    struct lease *lease = lease_find(connection, wish->lease_id, wish->token, &status);
    if (lease != NULL && lease->ttl_ms == 0) {
        status = status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "NOT_DETACHED",
                             "the lease ends with its connection, so there is nothing to renew");
        error_advise(status, "Ask for a lease of mode DETACHED.");
        lease = NULL;
    }
    if (lease == NULL) {
        fail_now(connection, envelope->id, status);
        return;
    }
    lease->is_acknowledged = true;
    start(lease, wish->ttl_ms != 0 ? wish->ttl_ms : lease->ttl_ms);
    watch_lease(lease);
    lease_watch_tell(lease, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_RENEWED));
    answer(connection, envelope->id, lease, NULL);
}
