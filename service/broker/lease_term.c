#include "service/broker/lease_term.h"

#include "service/broker/adoption.h"
#include "service/broker/error.h"
#include "service/broker/held.h"
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

static void await_client(struct lease *lease)
{
    timer_set(lease->broker, &lease->term, lease->broker->config.reattach_ms);
}

static void on_term(struct broker *broker, struct timer *timer)
{
    struct lease *lease = LIST_ITEM(timer, struct lease, term);
    if (lease->awaits_client && adoption_pending(lease) != NULL) {
        await_client(lease); /* nobody could have attached to it */
        return;
    }
    if (lease->awaits_client) {
        broker_log(broker, BROKER_LOG_WARNING,
                   "the client of lease %s (%s) did not come back within %u s, and the lease ends", lease->id,
                   lease->info->client_name, (unsigned)(broker->config.reattach_ms / 1000));
        lease_end(lease);
        return;
    }
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

/* The rest of a term that began in another process: by the wall clock, which is all that both share. */
static void go_on(struct lease *lease)
{
    struct broker *broker = lease->broker;
    int64_t left_ms = lease->info->expires_ms - broker->unix_ms;
    if (left_ms < 0)
        left_ms = 0;
    if (left_ms > (int64_t)lease->ttl_ms)
        left_ms = lease->ttl_ms;
    lease->expires_at_ms = broker->now_ms + (uint64_t)left_ms;
    lease->is_expiring = left_ms <= (int64_t)notice_ms(lease);
    timer_set(broker, &lease->term, (uint64_t)left_ms - (lease->is_expiring ? 0 : notice_ms(lease)));
}

void lease_term_resume(struct lease *lease)
{
    lease->awaits_client = !lease->is_acknowledged;
    if (lease->awaits_client)
        await_client(lease);
    else
        go_on(lease);
}

void lease_term_adopted(struct lease *lease)
{
    if (lease->awaits_client)
        await_client(lease);
}

void lease_term_came_back(struct lease *lease)
{
    lease->awaits_client = false;
    timer_stop(&lease->term);
    if (lease->ttl_ms != 0)
        go_on(lease);
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
    if (lease->awaits_client)
        lease_bind(lease, connection);
    if (lease->ttl_ms != 0 && !lease->is_acknowledged) {
        lease->is_acknowledged = true;
        held_put_lease(lease);
    }
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
    if (lease->awaits_client)
        lease_bind(lease, connection);
    lease->is_acknowledged = true;
    start(lease, wish->ttl_ms != 0 ? wish->ttl_ms : lease->ttl_ms);
    held_put_lease(lease);
    watch_lease(lease);
    lease_watch_tell(lease, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_RENEWED));
    answer(connection, envelope->id, lease, NULL);
}
