/* Limits of number, each met exactly: so many are there, one more is refused by the limit's name, and is
 * taken once another has ended. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/existing.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const char other_sid[] = "S-1-5-21-1-2-3-1002";
static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

static void check_status(const PB(Status) * status, const char *limit_name)
{
    assert_int_equal(status->code, PB_CODE(RESOURCE_EXHAUSTED));
    assert_string_equal(status->reason, "LIMIT");
    assert_string_equal(status->limit_name, limit_name);
    assert_non_null(strstr(status->message, limit_name));
    assert_true(status->retryable && status->retry_after_ms > 0);
    assert_true(strlen(status->advice) > 0);
}

static void check_refused(struct peer *peer, uint32_t id, const char *limit_name)
{
    check_status(client_status(peer, id), limit_name);
}

static void cancel(struct world *world, struct peer *peer, uint32_t id)
{
    client_cancel(world, peer, id);
    world_run(world);
    assert_int_equal(client_status(peer, id)->code, PB_CODE(CANCELLED));
}

static void finish(struct world *world, struct peer *peer, uint32_t id)
{
    (void)client_finish(world, peer, client_snapshot_reply(peer, id), good);
    world_advance(world, 10);
}

/* ---- connections ---- */

static void few_connections(struct broker_config *config)
{
    config->max_connections = 4;
    config->reserved_connections = 1;
    config->max_connections_per_owner = 2;
}

static void check_turned_away(struct world *world, const char *sid, uint32_t rights, const char *limit_name)
{
    struct caller caller = caller_make(sid, rights);
    struct peer *peer = client_connect_only(world, &caller);
    world_run(world);
    assert_int_equal(peer->frames[0]->body_case, PB_BODY(STATUS));
    check_status(peer->frames[0]->status, limit_name);
    peer_close(world, peer);
}

static void test_connections(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_connections);
    struct peer *first = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    check_turned_away(world, "S-1-5-21-1", USER_RIGHTS, "max_connections_per_owner");
    peer_close(world, first);
    first = client_connect(world, "S-1-5-21-1", USER_RIGHTS);
    client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    /* The last place is for those who manage. */
    check_turned_away(world, "S-1-5-21-3", USER_RIGHTS, "max_connections");
    struct peer *manager = client_connect(world, "S-1-5-21-4", ALL_RIGHTS);
    check_turned_away(world, "S-1-5-21-4", ALL_RIGHTS, "max_connections");
    peer_close(world, first);
    peer_close(world, manager);
    (void)client_connect(world, "S-1-5-21-3", USER_RIGHTS);
    world_end(world);
}

/* ---- one connection ---- */

static uint32_t ping(struct world *world, struct peer *peer)
{
    PB(Ping) message = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, &message);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static void few_slots(struct broker_config *config)
{
    config->max_in_flight = 2;
}

/* No refusal: what goes beyond is not read before there is room. */
static void test_in_flight(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_slots);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    assert_int_equal(peer->frames[0]->hello_reply->limits->max_in_flight, 2);
    world->holds_requesters = true;
    uint32_t first = client_snapshot(world, peer, "C:");
    (void)client_snapshot(world, peer, "C:");
    world_run(world);
    assert_false(peer->is_paused);
    (void)client_snapshot(world, peer, "C:");
    world_run(world);
    assert_true(peer->is_paused);
    PB(Cancel) wish = SHADOWPIPE__V1__CANCEL__INIT;
    wish.connection_id = peer->id;
    wish.id = first;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &wish);
    (void)client_send(world, other, &envelope);
    world_run(world);
    assert_false(peer->is_paused);
    world_end(world);
}

static void test_output(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t id = client_snapshot(world, peer, "C:");
    world_run(world);
    peer->does_not_read = true;
    peer->unsent_bytes = world->config.output_soft_limit_bytes;
    uint32_t ping_id = ping(world, peer);
    assert_non_null(client_final(peer, ping_id));
    assert_true(peer->unsent_bytes > world->config.output_soft_limit_bytes);
    assert_null(client_final(peer, ping(world, peer)));
    assert_true(peer->is_paused);
    /* A final reply goes out all the same. How large it is, the first of these shows. */
    size_t reply_bytes = peer->unsent_bytes;
    PB(Cancel) wish = SHADOWPIPE__V1__CANCEL__INIT;
    wish.connection_id = peer->id;
    wish.id = id;
    PB(Envelope) envelope = ENVELOPE_OF(CANCEL, cancel, &wish);
    (void)client_send(world, other, &envelope);
    world_run(world);
    reply_bytes = peer->unsent_bytes - reply_bytes;
    assert_true(peer->is_open);
    peer->does_not_read = false;
    peer_drain(world, peer);
    world_run(world);
    assert_false(peer->is_paused);
    for (int over = 0; over < 2; over++) {
        peer = client_connect(world, NULL, USER_RIGHTS);
        id = client_snapshot(world, peer, "C:");
        world_run(world);
        peer->does_not_read = true;
        peer->unsent_bytes = world->config.output_hard_limit_bytes - reply_bytes + (size_t)over;
        wish.connection_id = peer->id;
        wish.id = id;
        (void)client_send(world, other, &envelope);
        world_run(world);
        assert_int_equal(peer->is_open, over == 0);
    }
    world_end(world);
}

static void test_repeated_fields(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    char *writers[257];
    char *volumes[65];
    char *providers[17];
    for (size_t i = 0; i < 257; i++)
        writers[i] = TEXT("System Writer");
    for (size_t i = 0; i < 65; i++)
        volumes[i] = TEXT("C:");
    for (size_t i = 0; i < 17; i++)
        providers[i] = TEXT(PROVIDER);
    const struct {
        size_t writers, volumes, providers;
        const char *reason, *limit_name;
    } rows[] = {
        {256, 1, 16, NULL, NULL},
        {257, 1, 0, "TOO_MANY", "create_snapshot.writers_tolerated"},
        {0, 64, 0, "DUPLICATE_VOLUME", ""}, /* as many as there may be */
        {0, 65, 0, "TOO_MANY_VOLUMES", "max_volumes"},
        {0, 1, 17, "TOO_MANY", "create_snapshot.providers"},
    };
    assert_int_equal(peer->frames[0]->hello_reply->limits->max_volumes, 64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        wish.writers_tolerated = writers;
        wish.n_writers_tolerated = rows[i].writers;
        wish.volumes = volumes;
        wish.n_volumes = rows[i].volumes;
        wish.providers = providers;
        wish.n_providers = rows[i].providers;
        uint32_t id = client_create(world, peer, &wish);
        world_run(world);
        if (rows[i].reason == NULL) {
            (void)client_snapshot_reply(peer, id);
            continue;
        }
        const PB(Status) *status = client_status(peer, id);
        assert_string_equal(status->reason, rows[i].reason);
        assert_string_equal(status->limit_name, rows[i].limit_name);
        if (rows[i].limit_name[0] != '\0')
            assert_int_equal(status->code, PB_CODE(RESOURCE_EXHAUSTED));
        assert_false(status->retryable);
    }
    world_end(world);
}

/* ---- the queue ---- */

static void short_queue(struct broker_config *config)
{
    config->max_queue = 2;
}

static void test_queue(void **state)
{
    (void)state;
    struct world *world = world_new_with(short_queue);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t ids[4]; /* one is being made, two wait */
    for (size_t i = 0; i < 4; i++) {
        ids[i] = client_snapshot(world, peer, "C:");
        world_run(world);
    }
    assert_null(client_final(peer, ids[2]));
    check_refused(peer, ids[3], "max_queue");
    cancel(world, peer, ids[1]);
    ids[3] = client_snapshot(world, peer, "C:");
    world_run(world);
    assert_null(client_final(peer, ids[3]));
    world_end(world);
}

/* ---- leases ---- */

static void few_leases(struct broker_config *config)
{
    config->max_leases = 4;
    config->max_leases_per_owner = 3;
    config->max_lease_ttl_ms = 50000;
}

static uint32_t create(struct world *world, struct peer *peer, PB(CreateSnapshot) * wish)
{
    static char *volumes[] = {TEXT("C:")};
    wish->volumes = volumes;
    wish->n_volumes = 1;
    uint32_t id = client_create(world, peer, wish);
    world_run(world);
    return id;
}

static uint32_t snapshot(struct world *world, struct peer *peer)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    return create(world, peer, &wish);
}

static void test_leases(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_leases);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    const PB(Limits) *limits = peer->frames[0]->hello_reply->limits;
    assert_int_equal(limits->max_leases, 3);
    assert_int_equal(limits->max_lease_ttl_ms, 50000);
    uint32_t first = snapshot(world, peer);
    (void)client_snapshot_reply(peer, snapshot(world, peer));
    /* What is under way counts: nobody is frozen for a lease that may not be. */
    world->holds_requesters = true;
    uint32_t pending = snapshot(world, peer);
    assert_null(client_final(peer, pending));
    check_refused(peer, snapshot(world, peer), "max_leases_per_owner");
    assert_int_equal(world_calls(world, PB_METHOD(DO_SNAPSHOT_SET)), 2);
    cancel(world, peer, pending);
    world->holds_requesters = false;
    (void)client_snapshot_reply(peer, snapshot(world, peer));
    /* Another owner has what is left of all. */
    uint32_t last = snapshot(world, other);
    (void)client_snapshot_reply(other, last);
    check_refused(other, snapshot(world, other), "max_leases");
    finish(world, peer, first);
    (void)client_snapshot_reply(other, snapshot(world, other));
    /* A dry run makes none. */
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.dry_run = true;
    assert_string_equal(client_snapshot_reply(other, create(world, other, &wish))->lease_id, "");
    world_end(world);
}

static void one_lease(struct broker_config *config)
{
    config->max_leases = 1;
}

/* A lease without a connection counts, and the same job_key asks for no further one. */
static void test_detached_lease(void **state)
{
    (void)state;
    struct world *world = world_new_with(one_lease);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(LeaseOptions) options = SHADOWPIPE__V1__LEASE_OPTIONS__INIT;
    wish.job_key = TEXT("nightly");
    wish.lease = &options;
    options.mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    options.ttl_ms = 60000;
    const PB(SnapshotReply) *lease = client_snapshot_reply(peer, create(world, peer, &wish));
    PB(RenewLease) renewal = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    renewal.lease_id = lease->lease_id;
    renewal.token = lease->token;
    PB(Envelope) envelope = ENVELOPE_OF(RENEW_LEASE, renew_lease, &renewal);
    (void)client_send(world, peer, &envelope);
    world_run(world);
    peer_close(world, peer);
    peer = client_connect(world, NULL, USER_RIGHTS);
    (void)client_snapshot_reply(peer, create(world, peer, &wish));
    check_refused(peer, snapshot(world, peer), "max_leases");
    world_advance(world, 60000);
    (void)client_snapshot_reply(peer, snapshot(world, peer));
    world_end(world);
}

static uint32_t attach(struct world *world, struct peer *peer)
{
    PB(AttachSnapshot) wish = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    wish.snapshot_id = TEXT(SNAPSHOT_ID(01));
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_SNAPSHOT, attach_snapshot, &wish);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static void test_attached_lease(void **state)
{
    (void)state;
    struct world *world = world_new_with(one_lease);
    struct existing existing;
    existing_begin(world, &existing);
    existing_add(&existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    world->holds_requesters = true;
    uint32_t id = attach(world, peer);
    assert_null(client_final(peer, id));
    check_refused(peer, attach(world, peer), "max_leases");
    world->holds_requesters = false;
    world_run(world);
    (void)client_snapshot_reply(peer, id);
    check_refused(peer, attach(world, peer), "max_leases");
    check_refused(peer, snapshot(world, peer), "max_leases");
    world_advance(world, 10);
    finish(world, peer, id);
    (void)client_snapshot_reply(peer, attach(world, peer));
    world_end(world);
}

/* ---- sessions ---- */

static void few_sessions(struct broker_config *config)
{
    config->max_sessions = 2;
}

static uint32_t open_session(struct world *world, struct peer *peer)
{
    PB(OpenSession) wish = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    wish.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &wish);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static const char *session_of(struct peer *peer, uint32_t id)
{
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    assert_int_equal(final->body_case, PB_BODY(OPEN_SESSION_REPLY));
    return final->open_session_reply->session_id;
}

static void close_session(struct world *world, struct peer *peer, const char *session_id)
{
    PB(CloseSession) wish = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    wish.session_id = TEXT(session_id);
    PB(Envelope) envelope = ENVELOPE_OF(CLOSE_SESSION, close_session, &wish);
    (void)client_send(world, peer, &envelope);
    world_run(world);
}

static void test_sessions(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_sessions);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    assert_int_equal(peer->frames[0]->hello_reply->limits->max_sessions, 2);
    const char *first = session_of(peer, open_session(world, peer));
    (void)session_of(other, open_session(world, other));
    check_refused(other, open_session(world, other), "max_sessions");
    close_session(world, peer, first);
    (void)session_of(other, open_session(world, other));
    world_end(world);
}

/* Those that ended by themselves are remembered until the client closes them. */
static void test_sessions_of_a_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    const char *last = NULL;
    for (int i = 0; i < 64; i++) {
        last = session_of(peer, open_session(world, peer));
        requester_die(world, &world->requesters[world->requesters_count - 1], 1);
        world_run(world);
    }
    check_refused(peer, open_session(world, peer), "sessions_per_connection");
    close_session(world, peer, last);
    (void)session_of(peer, open_session(world, peer));
    world_end(world);
}

/* ---- records ---- */

static void one_record(struct broker_config *config)
{
    config->max_records = 1;
}

static uint32_t persist(struct world *world, struct peer *peer, uint64_t keep_ms)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    wish.keep_ms = keep_ms;
    return create(world, peer, &wish);
}

static uint32_t call(struct world *world, struct peer *peer, const char *session_id, PB(Call) * message)
{
    message->session_id = TEXT(session_id);
    PB(Envelope) envelope = ENVELOPE_OF(CALL, call, message);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

/* InitializeForBackup and SetContext; then StartSnapshotSet, whose id it gives. */
static uint32_t start_persistent(struct world *world, struct peer *peer, const char *session_id)
{
    PB(InitializeForBackup) initialize = SHADOWPIPE__V1__INITIALIZE_FOR_BACKUP__INIT;
    PB(SetContext) context = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    PB(StartSnapshotSet) start = SHADOWPIPE__V1__START_SNAPSHOT_SET__INIT;
    PB(Call) message = SHADOWPIPE__V1__CALL__INIT;
    message.method_case = PB_METHOD(INITIALIZE_FOR_BACKUP);
    message.initialize_for_backup = &initialize;
    (void)call(world, peer, session_id, &message);
    message.method_case = PB_METHOD(SET_CONTEXT);
    message.set_context = &context;
    context.context = 0x19; /* VSS_CTX_NAS_ROLLBACK */
    (void)call(world, peer, session_id, &message);
    message.method_case = PB_METHOD(START_SNAPSHOT_SET);
    message.start_snapshot_set = &start;
    return call(world, peer, session_id, &message);
}

static void test_records(void **state)
{
    (void)state;
    struct world *world = world_new_with(one_record);
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    world->holds_requesters = true;
    uint32_t id = persist(world, peer, 60000);
    check_refused(peer, persist(world, peer, 0), "max_records"); /* what is under way counts */
    world->holds_requesters = false;
    world_run(world);
    (void)client_snapshot_reply(peer, id);
    check_refused(peer, persist(world, peer, 0), "max_records");
    (void)client_snapshot_reply(peer, snapshot(world, peer)); /* has no record */
    const char *session_id = session_of(peer, open_session(world, peer));
    check_refused(peer, start_persistent(world, peer, session_id), "max_records");
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 2);
    /* Its time is over. */
    finish(world, peer, id);
    world_advance(world, 120000);
    assert_int_equal(world->copies_count, 0);
    id = start_persistent(world, peer, session_id);
    assert_int_equal(client_final(peer, id)->call_reply->hresult, 0);
    check_refused(peer, persist(world, peer, 0), "max_records"); /* the session makes one */
    close_session(world, peer, session_id);
    (void)client_snapshot_reply(peer, persist(world, peer, 0));
    world_end(world);
}

/* ---- watchers ---- */

static void few_watchers(struct broker_config *config)
{
    config->max_watchers = 2;
}

static void test_watchers(void **state)
{
    (void)state;
    struct world *world = world_new_with(few_watchers);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *lease = client_snapshot_reply(peer, snapshot(world, peer));
    PB(Watch) watch = SHADOWPIPE__V1__WATCH__INIT;
    PB(WatchLease) watch_lease = SHADOWPIPE__V1__WATCH_LEASE__INIT;
    watch_lease.lease_id = lease->lease_id;
    PB(Envelope)
    envelopes[] = {ENVELOPE_OF(WATCH, watch, &watch), ENVELOPE_OF(WATCH_LEASE, watch_lease, &watch_lease)};
    for (size_t i = 0; i < 2; i++) {
        uint32_t ids[3];
        for (size_t j = 0; j < 3; j++) {
            ids[j] = client_send(world, peer, &envelopes[i]);
            world_run(world);
        }
        assert_null(client_final(peer, ids[1]));
        check_refused(peer, ids[2], "max_watchers");
        cancel(world, peer, ids[0]);
        ids[2] = client_send(world, peer, &envelopes[i]);
        world_run(world);
        assert_null(client_final(peer, ids[2]));
    }
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),    cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_output),         cmocka_unit_test(test_repeated_fields),
        cmocka_unit_test(test_queue),          cmocka_unit_test(test_leases),
        cmocka_unit_test(test_detached_lease), cmocka_unit_test(test_attached_lease),
        cmocka_unit_test(test_sessions),       cmocka_unit_test(test_sessions_of_a_connection),
        cmocka_unit_test(test_records),        cmocka_unit_test(test_watchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
