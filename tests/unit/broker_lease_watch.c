/* WatchLease, and how the loss of snapshots is noticed. */
#include <string.h>

#include "tests/unit/existing.h"

#define TEXT(text)  ((char *)(uintptr_t)(text))
#define EVENT(kind) PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_##kind)

enum {
    NOTICED_MS = 30 * 1000,
    TTL_MS = 100 * 1000,
    NOTICE_MS = TTL_MS / 5
};

static const uint32_t not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */

static const PB(SnapshotReply) *
    create(struct world *world, struct peer *peer, uint32_t ttl_ms, PB(BackupType) type)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    PB(LeaseOptions) options = SHADOWPIPE__V1__LEASE_OPTIONS__INIT;
    char *volumes[] = {TEXT("C:"), TEXT("D:")};
    wish.volumes = volumes;
    wish.n_volumes = 2;
    wish.backup_type = type;
    wish.allow_types_without_components = true;
    wish.lease = ttl_ms != 0 ? &options : NULL;
    options.mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    options.ttl_ms = ttl_ms;
    uint32_t id = client_create(world, peer, &wish);
    world_run(world);
    return client_snapshot_reply(peer, id);
}

static uint32_t watch(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease,
                      uint32_t timeout_ms)
{
    PB(WatchLease) wish = SHADOWPIPE__V1__WATCH_LEASE__INIT;
    wish.lease_id = lease->lease_id;
    wish.token = lease->token;
    PB(Envelope) envelope = ENVELOPE_OF(WATCH_LEASE, watch_lease, &wish);
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static void renew(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    PB(RenewLease) renewal = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    renewal.lease_id = lease->lease_id;
    renewal.token = lease->token;
    PB(Envelope) envelope = ENVELOPE_OF(RENEW_LEASE, renew_lease, &renewal);
    (void)client_send(world, peer, &envelope);
    world_run(world);
}

static const PB(LeaseEvent) * event_at(struct peer *peer, uint32_t id, size_t index)
{
    for (size_t i = 0; i < peer->frames_count; i++) {
        const PB(Envelope) *frame = peer->frames[i];
        if (frame->id == id && frame->body_case == PB_BODY(LEASE_EVENT) && index-- == 0)
            return frame->lease_event;
    }
    return NULL;
}

/* Exactly these, ended by 0; numbered from 1. */
static void check_events(struct peer *peer, uint32_t id, const PB(LeaseEventKind) * kinds)
{
    size_t count = 0;
    for (; kinds[count] != EVENT(UNSPECIFIED); count++) {
        const PB(LeaseEvent) *event = event_at(peer, id, count);
        assert_non_null(event);
        assert_int_equal(event->kind, kinds[count]);
        assert_int_equal(event->number, count + 1);
    }
    assert_null(event_at(peer, id, count));
}

#define CHECK_EVENTS(peer, id, ...) \
    check_events(peer, id, (const PB(LeaseEventKind)[]){__VA_ARGS__, EVENT(UNSPECIFIED)})

static const char *reason_of(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    uint32_t id = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_FAILED));
    world_run(world);
    return client_status(peer, id)->reason;
}

/* ---- WatchLease ---- */

static void test_events(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, TTL_MS, 0);
    uint32_t id = watch(world, other, lease, 0);
    CHECK_EVENTS(other, id, EVENT(PRESENT));
    assert_string_equal(event_at(other, id, 0)->lease->lease_id, lease->lease_id);
    world_advance(world, TTL_MS - NOTICE_MS - 1);
    renew(world, peer, lease);
    CHECK_EVENTS(other, id, EVENT(PRESENT), EVENT(RENEWED));
    assert_int_equal(event_at(other, id, 1)->lease->expires_ms, world->broker->unix_ms + TTL_MS);
    world_advance(world, TTL_MS - NOTICE_MS - 1);
    CHECK_EVENTS(other, id, EVENT(PRESENT), EVENT(RENEWED));
    world_advance(world, 1);
    CHECK_EVENTS(other, id, EVENT(PRESENT), EVENT(RENEWED), EVENT(EXPIRING));
    world_advance(world, NOTICE_MS);
    CHECK_EVENTS(other, id, EVENT(PRESENT), EVENT(RENEWED), EVENT(EXPIRING), EVENT(ENDED));
    const PB(Status) *status = client_status(other, id);
    assert_string_equal(status->reason, "UNKNOWN_LEASE");
    assert_int_equal(status->code, PB_CODE(NOT_FOUND));
    /* Of a long term a minute's notice. */
    lease = create(world, peer, 10 * 60 * 1000, 0);
    id = watch(world, peer, lease, 0);
    world_advance(world, 9 * 60 * 1000 - 1);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    world_advance(world, 1);
    CHECK_EVENTS(peer, id, EVENT(PRESENT), EVENT(EXPIRING));
    world_end(world);
}

static void test_ends(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, 0, 0);
    PB(SnapshotReply) wrong = *lease;
    wrong.token = TEXT("");
    assert_string_equal(client_status(other, watch(world, other, &wrong, 0))->reason, "LEASE_NOT_YOURS");
    wrong.lease_id = TEXT("none");
    assert_string_equal(client_status(other, watch(world, other, &wrong, 0))->reason, "UNKNOWN_LEASE");
    uint32_t bounded = watch(world, peer, lease, 1000);
    uint32_t cancelled = watch(world, peer, lease, 0);
    uint32_t endless = watch(world, other, lease, 0);
    (void)client_cancel(world, peer, cancelled);
    world_advance(world, 1000);
    assert_string_equal(client_status(peer, cancelled)->reason, "CANCELLED");
    assert_string_equal(client_status(peer, bounded)->reason, "DEADLINE");
    world_advance(world, world->config.default_timeout_ms);
    assert_null(client_final(other, endless));
    /* Its connection ends, and so does it. */
    uint32_t own = watch(world, peer, lease, 0);
    (void)own;
    peer_close(world, peer);
    world_run(world);
    CHECK_EVENTS(other, endless, EVENT(PRESENT), EVENT(ENDED));
    assert_string_equal(client_status(other, endless)->reason, "UNKNOWN_LEASE");
    /* The service stops. */
    lease = create(world, other, TTL_MS, 0);
    endless = watch(world, other, lease, 0);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    CHECK_EVENTS(other, endless, EVENT(PRESENT), EVENT(SERVICE_STOPPING), EVENT(LOST));
    assert_string_equal(client_status(other, endless)->reason, "SHUTTING_DOWN");
    world_end(world);
}

/* What was not read in time is counted. */
static void test_overflow(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *slow = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, TTL_MS, 0);
    uint32_t id = watch(world, slow, lease, 0);
    for (int i = 0; i < 2; i++) {
        slow->does_not_read = true;
        slow->unsent_bytes = world->config.output_soft_limit_bytes + 1;
        renew(world, peer, lease);
        if (i == 0)
            renew(world, peer, lease);
        else
            requester_die(world, &world->requesters[0], 1);
        world_run(world);
        assert_null(event_at(slow, id, (size_t)i + 1));
        slow->does_not_read = false;
        peer_drain(world, slow);
        world_run(world);
        assert_int_equal(event_at(slow, id, (size_t)i + 1)->lost_events, 2);
    }
    /* How it is now. */
    CHECK_EVENTS(slow, id, EVENT(PRESENT), EVENT(PRESENT), EVENT(LOST));
    assert_int_equal(event_at(slow, id, 1)->lease->expires_ms, world->broker->unix_ms + TTL_MS);
    assert_string_equal(client_status(slow, watch(world, slow, lease, 0))->reason, "SNAPSHOT_LOST");
    /* It goes with the lease. */
    assert_string_equal(reason_of(world, peer, lease), "SNAPSHOT_LOST");
    CHECK_EVENTS(slow, id, EVENT(PRESENT), EVENT(PRESENT), EVENT(LOST), EVENT(ENDED));
    world_end(world);
}

/* ---- lost ---- */

/* A copy is completed, of another type the writers are told to abort. */
static void vanish(PB(BackupType) type, const char *history_end)
{
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, 0, type);
    uint32_t id = watch(world, peer, lease, 0);
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT)); /* all is well */
    assert_int_equal(world_calls(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)), 4);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 2, ACT_FAIL, not_found);
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT), EVENT(LOST));
    assert_int_equal(world_alive(world), 0);
    const char *history = requester_history(world, 1);
    assert_string_equal(history + strlen(history) - strlen(history_end), history_end);
    assert_string_equal(reason_of(world, peer, lease), "SNAPSHOT_LOST");
    CHECK_EVENTS(peer, id, EVENT(PRESENT), EVENT(LOST), EVENT(ENDED));
    world_end(world);
}

static void test_set_vanishes(void **state)
{
    (void)state;
    vanish(PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY), "BackupComplete GatherWriterStatus GetWriterStatusCount "
                                                    "GetWriterStatusEx*3 FreeWriterStatus Release");
    vanish(PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL), "GetSnapshotProperties*6 AbortBackup Release");
}

/* Another failure says nothing about the copies. */
static void test_not_known(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, 0, 0);
    uint32_t id = watch(world, peer, lease, 0);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 0, ACT_FAIL, 0x80042306u);
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    /* Nor does a question that hangs: nobody loses what can be read. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 1, ACT_HANG, 0);
    world_advance(world, NOTICED_MS);
    struct fake_requester *hanging = world_hanging(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES));
    assert_non_null(hanging);
    world_advance(world, 2ull * world->config.call_ms);
    assert_int_equal(world_alive(world), 1);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    assert_non_null(strstr(world->log, "VSS does not say"));
    requester_resume(world, hanging);
    world_run(world);
    uint32_t finish = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(peer, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

/* The end, and the early completion, wait for the one question that is under way, and for no other. */
static void test_out_of_the_way(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *lease = create(world, peer, 0, 0);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 1, ACT_HANG, 0);
    world_advance(world, NOTICED_MS);
    uint32_t finish = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_null(client_final(peer, finish));
    requester_resume(world, world_hanging(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)));
    world_run(world);
    assert_int_equal(client_finish_reply(peer, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(world_calls(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)), 3);
    /* It hangs for ever: the process goes. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 3, ACT_HANG, 0);
    lease = create(world, peer, 0, 0);
    world_advance(world, NOTICED_MS + 2ull * world->config.call_ms);
    finish = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_string_equal(client_status(peer, finish)->reason, "REQUESTER_STUCK");
    assert_int_equal(world_alive(world), 0);
    /* complete_within falls into a question. */
    world_clear_rules(world);
    world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 3, ACT_HANG, 0);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {TEXT("C:"), TEXT("D:")};
    wish.volumes = volumes;
    wish.n_volumes = 2;
    wish.complete_within_ms = NOTICED_MS;
    uint32_t id = client_create(world, peer, &wish);
    world_run(world);
    lease = client_snapshot_reply(peer, id);
    unsigned completed_before = world_calls(world, PB_METHOD(BACKUP_COMPLETE));
    world_advance(world, NOTICED_MS);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), completed_before);
    requester_resume(world, world_hanging(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)));
    world_run(world);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), completed_before + 1);
    finish = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(peer, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

/* The question hangs, and the early completion behind it: the copies can be read, and then nothing is left.
 */
static void test_completion_behind_a_question(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        struct world *world = world_new();
        struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        char *volumes[] = {TEXT("C:")};
        wish.volumes = volumes;
        wish.n_volumes = 1;
        wish.complete_within_ms = NOTICED_MS;
        world_rule(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES), 2, ACT_HANG, 0);
        uint32_t id = client_create(world, peer, &wish);
        world_run(world);
        const PB(SnapshotReply) *lease = client_snapshot_reply(peer, id);
        world_advance(world, NOTICED_MS + 1000);
        assert_non_null(world_hanging(world, PB_METHOD(GET_SNAPSHOT_PROPERTIES)));
        if (leaves) {
            peer_close(world, peer);
            world_advance(world, 2ull * world->config.call_ms);
        } else {
            world_advance(world, 2ull * world->config.call_ms);
            assert_int_equal(world_alive(world), 1);
            id = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
            world_run(world);
            assert_string_equal(client_status(peer, id)->method, "GetSnapshotProperties");
        }
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* One process asks for those of which no VSS object is held. */
static void test_record_vanishes(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {TEXT("C:")};
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    uint32_t made = client_create(world, peer, &wish);
    world_run(world);
    const PB(SnapshotReply) *lease = client_snapshot_reply(peer, made);
    uint32_t id = watch(world, peer, lease, 0);
    world_advance(world, NOTICED_MS);
    assert_int_equal(world_calls(world, PB_METHOD(QUERY)), 1);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    world->copies_count = 0;
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT), EVENT(LOST));
    assert_int_equal(world->stored_count, 0);
    assert_int_equal(world_alive(world), 0);
    /* Nobody reads anything: nobody asks. */
    assert_string_equal(reason_of(world, peer, lease), "SNAPSHOT_LOST");
    unsigned asked = world_calls(world, PB_METHOD(QUERY));
    world_advance(world, 10 * NOTICED_MS);
    assert_int_equal(world_calls(world, PB_METHOD(QUERY)), asked);
    world_end(world);
}

static void test_attached_vanishes(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct existing existing;
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    existing_begin(world, &existing);
    existing_add(&existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    PB(AttachSnapshot) attachment = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    attachment.snapshot_id = TEXT(SNAPSHOT_ID(01));
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_SNAPSHOT, attach_snapshot, &attachment);
    uint32_t attached = client_send(world, peer, &envelope);
    world_run(world);
    const PB(SnapshotReply) *lease = client_snapshot_reply(peer, attached);
    uint32_t id = watch(world, peer, lease, 0);
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    /* VSS cannot be asked: that is no loss. */
    world_rule(world, PB_METHOD(QUERY), 1, ACT_FAIL, 0x80042302u);
    world_advance(world, 20 * 1000);
    CHECK_EVENTS(peer, id, EVENT(PRESENT));
    existing.count = 0;
    world_advance(world, NOTICED_MS);
    CHECK_EVENTS(peer, id, EVENT(PRESENT), EVENT(LOST));
    assert_string_equal(reason_of(world, peer, lease), "SNAPSHOT_LOST");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_set_vanishes),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_out_of_the_way),
        cmocka_unit_test(test_completion_behind_a_question),
        cmocka_unit_test(test_record_vanishes),
        cmocka_unit_test(test_attached_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
