/* Detached leases: their term, AttachLease and RenewLease; and requests that are sent again with a job_key.
 */
#include <string.h>

#include "service/broker/message.h"
#include "tests/unit/existing.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const char other_sid[] = "S-1-5-21-1-2-3-1002";

enum {
    TTL_MS = 100 * 1000,
    DEFAULT_MS = 20 * 60 * 1000
};

static PB(LeaseOptions) options;
static char *volumes[2];

static PB(CreateSnapshot) wish_of(const char *volume, PB(LeaseMode) mode, uint32_t ttl_ms)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    shadowpipe__v1__lease_options__init(&options);
    options.mode = mode;
    options.ttl_ms = ttl_ms;
    volumes[0] = TEXT(volume);
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.lease = &options;
    return wish;
}

static PB(CreateSnapshot) detached(uint32_t ttl_ms)
{
    return wish_of("C:", PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED), ttl_ms);
}

/* Beyond the end of the client's connection. */
static struct arena kept;

static const PB(SnapshotReply) * keep(const PB(SnapshotReply) * reply)
{
    const PB(SnapshotReply) *copy = MESSAGE_COPY(&kept, reply);
    assert_non_null(copy);
    return copy;
}

static const PB(SnapshotReply) * create(struct world *world, struct peer *peer, PB(CreateSnapshot) * wish)
{
    uint32_t id = client_create(world, peer, wish);
    world_run(world);
    return keep(client_snapshot_reply(peer, id));
}

static uint32_t renew(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease,
                      const char *token, uint32_t ttl_ms)
{
    PB(RenewLease) renewal = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    renewal.lease_id = lease->lease_id;
    renewal.token = TEXT(token);
    renewal.ttl_ms = ttl_ms;
    PB(Envelope) envelope = ENVELOPE_OF(RENEW_LEASE, renew_lease, &renewal);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static uint32_t attach(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease,
                       const char *token)
{
    PB(AttachLease) attachment = SHADOWPIPE__V1__ATTACH_LEASE__INIT;
    attachment.lease_id = lease->lease_id;
    attachment.token = TEXT(token);
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_LEASE, attach_lease, &attachment);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static const PB(LeaseReply) * lease_reply(struct peer *peer, uint32_t id)
{
    const PB(Envelope) *envelope = client_final(peer, id);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(LEASE_REPLY));
    return envelope->lease_reply;
}

static const PB(LeasesReply) * list(struct world *world, struct peer *peer)
{
    PB(ListLeases) question = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_LEASES, list_leases, &question);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return client_final(peer, id)->leases_reply;
}

static size_t leases_of(struct world *world)
{
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    return counts.leases;
}

static void finish(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease,
                   PB(Completion) completion)
{
    uint32_t id = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(peer, id)->completion, completion);
}

/* ---- the term ---- */

static void test_term(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *maker = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    PB(CreateSnapshot) wish = detached(TTL_MS);
    wish.purpose = TEXT("nightly");
    const PB(SnapshotReply) *made = create(world, maker, &wish);
    assert_int_equal(made->expires_ms, world->broker->unix_ms + TTL_MS);
    /* Acknowledged, it outlives its connection, and any other can use it by the token. */
    world_advance(world, 1000);
    const PB(LeaseReply) *reply = lease_reply(maker, renew(world, maker, made, "", 0));
    assert_int_equal(reply->lease->expires_ms, made->expires_ms + 1000);
    assert_int_equal(reply->lease->mode, PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED));
    assert_null(reply->snapshot);
    peer_close(world, maker);
    world_advance(world, TTL_MS - 1000);
    assert_string_equal(client_status(other, attach(world, other, made, ""))->reason, "LEASE_NOT_YOURS");
    reply = lease_reply(other, attach(world, other, made, made->token));
    assert_string_equal(reply->lease->purpose, "nightly");
    assert_string_equal(reply->lease->volumes[0], "C:\\");
    assert_string_equal(reply->snapshot->token, made->token);
    assert_string_equal(reply->snapshot->volumes[0]->device_root, made->volumes[0]->device_root);
    assert_string_equal(reply->snapshot->map[0]->original, "C:\\");
    assert_int_equal(reply->snapshot->n_writers, made->n_writers);
    assert_int_equal(reply->snapshot->expires_ms, made->expires_ms + 1000);
    /* A longer term, also in what AttachLease tells. */
    reply = lease_reply(other, renew(world, other, made, made->token, 2 * TTL_MS));
    assert_int_equal(reply->lease->expires_ms, world->broker->unix_ms + 2 * TTL_MS);
    assert_int_equal(lease_reply(other, attach(world, other, made, made->token))->snapshot->expires_ms,
                     reply->lease->expires_ms);
    world_advance(world, 2 * TTL_MS - 1);
    assert_int_equal(leases_of(world), 1);
    world_advance(world, 1);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1); /* a COPY */
    assert_string_equal(client_status(other, attach(world, other, made, made->token))->reason,
                        "UNKNOWN_LEASE");
    assert_string_equal(client_status(other, renew(world, other, made, made->token, 0))->reason,
                        "UNKNOWN_LEASE");
    world_end(world);
}

/* A client that died before it saw the reply leaves nothing. */
static void test_not_acknowledged(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *maker = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = detached(0);
    const PB(SnapshotReply) *made = create(world, maker, &wish);
    assert_int_equal(made->expires_ms, world->broker->unix_ms + DEFAULT_MS);
    peer_close(world, maker);
    world_run(world);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(world_alive(world), 0);
    /* AttachLease acknowledges as well; MANAGE needs no token. */
    maker = client_connect(world, NULL, USER_RIGHTS);
    struct peer *manager = client_connect(world, other_sid, ALL_RIGHTS);
    made = create(world, maker, &wish);
    (void)lease_reply(manager, attach(world, manager, made, ""));
    peer_close(world, maker);
    world_run(world);
    assert_int_equal(leases_of(world), 1);
    finish(world, manager, made, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    /* The term runs from the beginning. */
    maker = client_connect(world, NULL, USER_RIGHTS);
    made = create(world, maker, &wish);
    world_advance(world, DEFAULT_MS);
    assert_int_equal(leases_of(world), 0);
    world_end(world);
}

/* What expires has not succeeded: no writer may truncate its logs. */
static void test_expired_full(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = detached(TTL_MS);
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    wish.allow_types_without_components = true;
    const PB(SnapshotReply) *made = create(world, peer, &wish);
    (void)lease_reply(peer, renew(world, peer, made, "", 0));
    world_advance(world, TTL_MS);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
    /* And what is finished in time has. */
    made = create(world, peer, &wish);
    (void)lease_reply(peer, renew(world, peer, made, "", 0));
    peer_close(world, peer);
    peer = client_connect(world, NULL, ALL_RIGHTS);
    finish(world, peer, made, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

static void test_refused(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    PB(CreateSnapshot) wish = wish_of("C:", PB_VALUE(LEASE_MODE, LEASE_MODE_CONNECTION), 1000);
    uint32_t id = client_create(world, peer, &wish);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "NOT_DETACHED");
    assert_string_equal(client_status(peer, id)->field, "create_snapshot.lease.ttl_ms");
    options.ttl_ms = 0;
    const PB(SnapshotReply) *made = create(world, peer, &wish);
    assert_int_equal(made->expires_ms, 0);
    const PB(Status) *status = client_status(peer, renew(world, peer, made, "", 0));
    assert_string_equal(status->reason, "NOT_DETACHED");
    assert_int_equal(status->code, PB_CODE(FAILED_PRECONDITION));
    assert_string_equal(client_status(other, renew(world, other, made, "x", 0))->reason, "LEASE_NOT_YOURS");
    /* It can be used from elsewhere, and still ends with its connection. */
    assert_int_equal(lease_reply(other, attach(world, other, made, made->token))->lease->expires_ms, 0);
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(leases_of(world), 0);
    /* No longer than the service allows. */
    peer = client_connect(world, NULL, USER_RIGHTS);
    wish = detached(0xFFFFFFFFu);
    made = create(world, peer, &wish);
    assert_int_equal(made->expires_ms, world->broker->unix_ms + world->config.max_lease_ttl_ms);
    const PB(LeasesReply) *leases = list(world, peer);
    assert_int_equal(leases->n_leases, 1);
    assert_int_equal(leases->leases[0]->mode, PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED));
    assert_int_equal(leases->leases[0]->expires_ms, made->expires_ms);
    world_end(world);
}

/* Its copies are gone: told to who asks, and its end comes all the same. */
static void test_lost(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = detached(TTL_MS);
    const PB(SnapshotReply) *made = create(world, peer, &wish);
    (void)lease_reply(peer, renew(world, peer, made, "", 0));
    peer_close(world, peer);
    requester_die(world, &world->requesters[0], 1);
    world_run(world);
    peer = client_connect(world, NULL, USER_RIGHTS);
    assert_string_equal(client_status(peer, attach(world, peer, made, made->token))->reason, "SNAPSHOT_LOST");
    assert_string_equal(client_status(peer, renew(world, peer, made, made->token, 0))->reason,
                        "SNAPSHOT_LOST");
    assert_int_equal(leases_of(world), 1);
    world_advance(world, TTL_MS);
    assert_int_equal(leases_of(world), 0);
    world_end(world);
}

/* Of snapshots that stay, and of one that existed before. */
static void test_other_kinds(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = detached(TTL_MS);
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    wish.keep_ms = 1000;
    const PB(SnapshotReply) *made = create(world, peer, &wish);
    (void)lease_reply(peer, renew(world, peer, made, "", 0));
    peer_close(world, peer);
    world_advance(world, TTL_MS - 1);
    peer = client_connect(world, NULL, ALL_RIGHTS);
    const PB(LeaseReply) *reply = lease_reply(peer, attach(world, peer, made, made->token));
    assert_true(reply->lease->persistent);
    assert_string_equal(reply->snapshot->set_id, made->set_id);
    assert_int_equal(world->copies_count, 1); /* it is overdue, and read */
    world_advance(world, 1);
    world_advance(world, 1000);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(world->copies_count, 0);
    struct existing existing;
    existing_begin(world, &existing);
    existing_add(&existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    PB(AttachSnapshot) attachment = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    attachment.snapshot_id = TEXT(SNAPSHOT_ID(01));
    attachment.lease = &options;
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_SNAPSHOT, attach_snapshot, &attachment);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    made = keep(client_snapshot_reply(peer, id));
    assert_int_equal(made->expires_ms, world->broker->unix_ms + TTL_MS);
    (void)lease_reply(peer, renew(world, peer, made, "", 0));
    peer_close(world, peer);
    world_advance(world, 1000);
    peer = client_connect(world, NULL, ALL_RIGHTS);
    reply = lease_reply(peer, attach(world, peer, made, made->token));
    assert_string_equal(reply->snapshot->volumes[0]->snapshot_id, SNAPSHOT_ID(01));
    finish(world, peer, made, PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_int_equal(existing.count, 1);
    world_end(world);
}

/* ---- job_key ---- */

static PB(CreateSnapshot) keyed(const char *key)
{
    PB(CreateSnapshot) wish = wish_of("C:", PB_VALUE(LEASE_MODE, LEASE_MODE_CONNECTION), 0);
    wish.job_key = TEXT(key);
    return wish;
}

static void test_key_again(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    PB(CreateSnapshot) wish = keyed("nightly");
    const PB(SnapshotReply) *made = create(world, peer, &wish);
    struct peer *again = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *same = create(world, again, &wish);
    assert_string_equal(same->lease_id, made->lease_id);
    assert_string_equal(same->token, made->token);
    assert_string_equal(same->volumes[0]->device_root, made->volumes[0]->device_root);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    /* From now on it is the second one's. */
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(leases_of(world), 1);
    /* Another owner's key, another key, and none, are others. */
    assert_string_not_equal(create(world, other, &wish)->lease_id, made->lease_id);
    wish.job_key = TEXT("Nightly");
    assert_string_not_equal(create(world, again, &wish)->lease_id, made->lease_id);
    wish.job_key = TEXT("");
    assert_string_not_equal(create(world, again, &wish)->lease_id, made->lease_id);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 4);
    /* Something else under the same key. */
    wish = keyed("nightly");
    wish.purpose = TEXT("else");
    uint32_t id = client_create(world, again, &wish);
    wish = keyed("nightly");
    volumes[0] = TEXT("D:");
    uint32_t second = client_create(world, again, &wish);
    world_run(world);
    assert_string_equal(client_status(again, id)->reason, "KEY_MISMATCH");
    assert_int_equal(client_status(again, second)->code, PB_CODE(ALREADY_EXISTS));
    /* As long as the lease lives. */
    finish(world, again, same, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    wish = keyed("nightly");
    made = create(world, again, &wish);
    assert_string_not_equal(made->lease_id, same->lease_id);
    requester_die(world, &world->requesters[world->requesters_count - 1], 1);
    world_run(world);
    assert_string_not_equal(create(world, again, &wish)->lease_id, made->lease_id);
    world_end(world);
}

/* While the first one runs: in the queue, or inside of VSS. */
static void test_key_follows(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *again = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = keyed("nightly");
    world->holds_enumeration = true;
    uint32_t first = client_create(world, peer, &wish);
    uint32_t resolving = client_create(world, again, &wish);
    world->holds_enumeration = false;
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    world_run(world);
    uint32_t freezing = client_create(world, again, &wish);
    uint32_t cancelled = client_create(world, again, &wish);
    PB(CreateSnapshot) other_wish = keyed("nightly");
    volumes[0] = TEXT("D:");
    uint32_t different = client_create(world, again, &other_wish);
    world_run(world);
    assert_string_equal(client_status(again, different)->reason, "KEY_MISMATCH");
    assert_int_equal(client_progress(again, freezing)->phase, PB_PHASE(CREATING));
    (void)client_cancel(world, again, cancelled);
    world_run(world);
    assert_string_equal(client_status(again, cancelled)->reason, "CANCELLED");
    assert_null(client_final(again, freezing));
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    world_run(world);
    const PB(SnapshotReply) *made = client_snapshot_reply(peer, first);
    assert_string_equal(client_snapshot_reply(again, resolving)->lease_id, made->lease_id);
    assert_string_equal(client_snapshot_reply(again, freezing)->lease_id, made->lease_id);
    assert_int_equal(leases_of(world), 1);
    assert_int_equal(world->requesters_count, 1);
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(leases_of(world), 1);
    peer_close(world, again);
    world_run(world);
    assert_int_equal(leases_of(world), 0);
    world_end(world);
}

/* They fail alike. */
static void test_key_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *again = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = keyed("nightly");
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_FAIL, 0x80042306u); /* VSS_E_PROVIDER_VETO */
    uint32_t first = client_create(world, peer, &wish);
    uint32_t second = client_create(world, again, &wish);
    world_run(world);
    assert_string_equal(client_status(peer, first)->reason, "VSS_FAILED");
    assert_string_equal(client_status(again, second)->hresult_name, "VSS_E_PROVIDER_VETO");
    /* The key is free again. */
    world_clear_rules(world);
    (void)create(world, again, &wish);
    world_end(world);
}

enum way {
    WAY_GONE,
    WAY_CANCELLED,
    WAY_EXPIRED
};

/* The first one leaves: it goes on for the second. Before its turn, or inside DoSnapshotSet. */
static void leave(enum way way, PB(Call__MethodCase) where)
{
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *again = client_connect(world, NULL, USER_RIGHTS);
    struct peer *third = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = keyed("nightly");
    world_rule(world, where, 1, ACT_HANG, 0);
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    envelope.timeout_ms = 10000;
    uint32_t first = client_send(world, peer, &envelope);
    uint32_t second = client_create(world, again, &wish);
    uint32_t late = client_create(world, third, &wish);
    world_run(world);
    if (way == WAY_GONE)
        peer_close(world, peer);
    else if (way == WAY_CANCELLED)
        (void)client_cancel(world, peer, first);
    else
        world_advance(world, 10000);
    world_run(world);
    if (way != WAY_GONE)
        assert_string_equal(client_status(peer, first)->reason,
                            way == WAY_CANCELLED ? "CANCELLED" : "DEADLINE");
    requester_resume(world, world_hanging(world, where));
    world_run(world);
    const PB(SnapshotReply) *made = client_snapshot_reply(again, second);
    assert_string_equal(client_snapshot_reply(third, late)->lease_id, made->lease_id);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 1);
    finish(world, third, made, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

static void test_key_first_leaves(void **state)
{
    (void)state;
    for (int way = WAY_GONE; way <= WAY_EXPIRED; way++) {
        leave((enum way)way, PB_METHOD(GATHER_WRITER_METADATA));
        leave((enum way)way, PB_METHOD(DO_SNAPSHOT_SET));
    }
}

/* All leave; one that comes while the first is being cleaned up begins anew. */
static void test_key_all_leave(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *again = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = keyed("nightly");
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_SLOW, 0);
    uint32_t first = client_create(world, peer, &wish);
    PB(Envelope) envelope = ENVELOPE_OF(CREATE_SNAPSHOT, create_snapshot, &wish);
    envelope.timeout_ms = 1000;
    uint32_t second = client_send(world, again, &envelope);
    world_run(world);
    world_advance(world, 1000);
    assert_string_equal(client_status(again, second)->reason, "DEADLINE");
    (void)client_cancel(world, peer, first);
    world_run(world);
    assert_null(client_final(peer, first)); /* VSS is not to be interrupted */
    uint32_t third = client_create(world, again, &wish);
    world_run(world);
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    world_run(world);
    assert_string_equal(client_status(peer, first)->reason, "CANCELLED");
    (void)client_snapshot_reply(again, third);
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 2);
    /* And both of them on one connection that ends. */
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    wish = keyed("other");
    (void)client_create(world, again, &wish);
    (void)client_create(world, again, &wish);
    world_run(world);
    peer_close(world, again);
    world_run(world);
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    world_run(world);
    assert_int_equal(leases_of(world), 0);
    world_end(world);
}

static int end(void **state)
{
    (void)state;
    arena_free(&kept);
    return 0;
}

int main(void)
{
    arena_init(&kept, 16 * 1024 * 1024);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_term),          cmocka_unit_test(test_not_acknowledged),
        cmocka_unit_test(test_expired_full),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lost),          cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_key_again),     cmocka_unit_test(test_key_follows),
        cmocka_unit_test(test_key_fails),     cmocka_unit_test(test_key_first_leaves),
        cmocka_unit_test(test_key_all_leave),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
