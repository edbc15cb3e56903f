/* AttachSnapshot, and the end of such a lease. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/existing.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const char other_sid[] = "S-1-5-21-1-2-3-1002";

static PB(AttachSnapshot) asked;
#define WISH(field, value) (shadowpipe__v1__attach_snapshot__init(&asked), asked.field = (value), &asked)

static struct peer *begin(struct world **world, struct existing *existing)
{
    *world = world_new();
    existing_begin(*world, existing);
    existing_add(existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    existing_add(existing, SNAPSHOT_ID(02), SET_ID(01), VOLUME_D, 1000);
    existing->snapshots[0].device = TEXT("\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1");
    return client_connect(*world, NULL, ALL_RIGHTS);
}

static uint32_t attach(struct world *world, struct peer *peer, PB(AttachSnapshot) * wish)
{
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_SNAPSHOT, attach_snapshot, wish);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static const PB(SnapshotReply) * attached(struct world *world, struct peer *peer, PB(AttachSnapshot) * wish)
{
    return client_snapshot_reply(peer, attach(world, peer, wish));
}

static uint32_t finish(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    world_advance(world, 10); /* younger questions tell more */
    uint32_t id = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    return id;
}

static size_t leases_of(struct world *world)
{
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    return counts.leases;
}

static void test_attach(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    existing.snapshots[1].attributes = 0x420019; /* NAS_ROLLBACK */
    PB(AttachSnapshot) *wish = WISH(snapshot_id, TEXT(SNAPSHOT_ID(02)));
    wish->purpose = TEXT("restore a file");
    const PB(SnapshotReply) *reply = attached(world, peer, wish);
    assert_string_equal(reply->set_id, SET_ID(01));
    assert_int_equal(reply->created_ms, 1000);
    assert_int_equal(reply->context, PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK));
    assert_int_equal(reply->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH));
    assert_int_equal(reply->n_volumes, 1);
    assert_string_equal(reply->volumes[0]->volume_names[0], "D:\\");
    assert_int_equal(reply->n_map, 2);
    assert_string_equal(reply->map[1]->original, "C:\\mnt\\data\\");
    assert_string_equal(reply->map[1]->shadow, reply->volumes[0]->device_root);
    assert_true(reply->simulated);
    assert_int_equal(strlen(reply->token), 32);
    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_LEASES, list_leases, &list);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    const PB(LeasesReply) *leases = client_final(peer, id)->leases_reply;
    assert_int_equal(leases->n_leases, 1);
    assert_string_equal(leases->leases[0]->purpose, "restore a file");
    assert_string_equal(leases->leases[0]->volumes[0], "D:\\");
    assert_true(leases->leases[0]->persistent);
    /* It ends, and deletes nothing. */
    id = finish(world, peer, reply);
    assert_int_equal(client_finish_reply(peer, id)->completion, PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_int_equal(existing.count, 2);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_by_device(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    static const char *const names[] = {"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1",
                                        "\\\\?\\globalroot\\device\\harddiskvolumeshadowcopy1\\"};
    for (int i = 0; i < 2; i++)
        assert_string_equal(attached(world, peer, WISH(device, TEXT(names[i])))->volumes[0]->snapshot_id,
                            SNAPSHOT_ID(01));
    static const char *const unknown[] = {"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy", "\\",
                                          "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy12"};
    for (int i = 0; i < 3; i++)
        assert_string_equal(client_status(peer, attach(world, peer, WISH(device, TEXT(unknown[i]))))->reason,
                            "UNKNOWN_SNAPSHOT");
    /* The end of the connection is the end of its leases, and nothing else. */
    assert_int_equal(leases_of(world), 2);
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(leases_of(world), 0);
    assert_int_equal(existing.count, 2);
    world_end(world);
}

static void check_refusal(struct world *world, struct peer *peer, PB(AttachSnapshot) * wish,
                          const char *reason, const char *field)
{
    const PB(Status) *status = client_status(peer, attach(world, peer, wish));
    assert_string_equal(status->reason, reason);
    assert_string_equal(status->field, field);
}

static void test_refused(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(LeaseOptions) lease = SHADOWPIPE__V1__LEASE_OPTIONS__INIT;
    check_refusal(world, peer, WISH(purpose, TEXT("none")), "ONE_OF", "attach_snapshot");
    PB(AttachSnapshot) *wish = WISH(snapshot_id, TEXT(SNAPSHOT_ID(01)));
    wish->device = TEXT("\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1");
    check_refusal(world, peer, wish, "ONE_OF", "attach_snapshot");
    check_refusal(world, peer, WISH(snapshot_id, TEXT("1")), "BAD_ID", "attach_snapshot.snapshot_id");
    wish = WISH(snapshot_id, TEXT(SNAPSHOT_ID(01)));
    wish->lease = &lease;
    lease.ttl_ms = 1000;
    check_refusal(world, peer, wish, "NOT_DETACHED", "attach_snapshot.lease.ttl_ms");
    assert_int_equal(world->requesters_count, 0);
    lease = (PB(LeaseOptions))SHADOWPIPE__V1__LEASE_OPTIONS__INIT;
    (void)attached(world, peer, wish); /* as bound to the connection as without */
    check_refusal(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(09))), "UNKNOWN_SNAPSHOT", "");
    /* What is another's. */
    struct peer *weak = client_connect(world, other_sid, USER_RIGHTS);
    struct peer *blind = client_connect(world, other_sid, RIGHT_BIT_READ);
    check_refusal(world, weak, WISH(snapshot_id, TEXT(SNAPSHOT_ID(01))), "RIGHT_MISSING", "");
    check_refusal(world, blind, WISH(snapshot_id, TEXT(SNAPSHOT_ID(01))), "RIGHT_MISSING", "");
    world_end(world);
}

/* One's own may be read a second time; it goes with its set all the same. */
static void test_own(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    (void)begin(&world, &existing);
    struct peer *owner = client_connect(world, other_sid, USER_RIGHTS);
    struct peer *again = client_connect(world, other_sid, USER_RIGHTS);
    uint32_t id = client_snapshot(world, owner, "D:");
    world_run(world);
    const PB(SnapshotReply) *made = client_snapshot_reply(owner, id);
    existing_add_made(&existing, made, 2000);
    const PB(SnapshotReply) *lease = attached(world, again, WISH(snapshot_id, made->volumes[0]->snapshot_id));
    assert_int_equal(client_finish_reply(owner, finish(world, owner, made))->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    const PB(Status) *status = client_status(again, finish(world, again, lease));
    assert_string_equal(status->reason, "SNAPSHOT_LOST");
    world_end(world);
}

/* It is deleted by somebody: noticed when it is used, and whenever VSS is asked. */
static void test_lost(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    const PB(SnapshotReply) *lease = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    const PB(SnapshotReply) *second = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    existing.count = 1;
    const PB(Status) *status = client_status(peer, finish(world, peer, lease));
    assert_string_equal(status->reason, "SNAPSHOT_LOST");
    assert_non_null(strstr(status->message, "VSS has the snapshot no more"));
    unsigned asked_before = world_calls(world, PB_METHOD(QUERY));
    assert_string_equal(client_status(peer, finish(world, peer, second))->reason, "SNAPSHOT_LOST");
    assert_int_equal(world_calls(world, PB_METHOD(QUERY)), asked_before); /* it was told with the other */
    assert_int_equal(leases_of(world), 0);
    world_end(world);
}

/* What was attached to after the question had gone out is not missed in its answer. */
static void test_younger_than_the_question(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    existing.count = 1;
    world_rule(world, PB_METHOD(QUERY), 2, ACT_HANG, 0);
    PB(DeleteSnapshots) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    deletion.volume = TEXT("C:");
    deletion.dry_run = true;
    PB(Envelope) envelope = ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, &deletion);
    uint32_t id = client_send(world, peer, &envelope);
    world_advance(world, 100);
    existing.count = 2;
    const PB(SnapshotReply) *lease = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    existing.count = 1; /* as VSS saw it when it was asked */
    requester_resume(world, world_hanging(world, PB_METHOD(QUERY)));
    assert_int_equal(client_final(peer, id)->delete_reply->n_deleted, 1);
    existing.count = 2;
    assert_int_equal(client_finish_reply(peer, finish(world, peer, lease))->completion,
                     PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    world_end(world);
}

/* It is in use: deleted by force only, and then lost. */
static void test_deleted(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    const PB(SnapshotReply) *lease = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    PB(DeleteSnapshots) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    deletion.snapshot_id = TEXT(SNAPSHOT_ID(02));
    for (int i = 0; i < 2; i++) {
        PB(Envelope) envelope = ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, &deletion);
        uint32_t id = client_send(world, peer, &envelope);
        world_run(world);
        const PB(DeleteReply) *reply = client_final(peer, id)->delete_reply;
        assert_int_equal(reply->n_deleted, i);
        if (i == 0)
            assert_string_equal(reply->failure->reason, "SNAPSHOT_IN_USE");
        deletion.force = true;
    }
    const PB(Status) *status = client_status(peer, finish(world, peer, lease));
    assert_string_equal(status->reason, "SNAPSHOT_LOST");
    assert_non_null(strstr(status->message, "the snapshot was deleted"));
    world_end(world);
}

/* The question at its end fails, or another ends it first: the lease stays, or is gone. */
static void test_end_fails(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    struct peer *other = client_connect(world, other_sid, ALL_RIGHTS);
    const PB(SnapshotReply) *lease = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    world_rule(world, PB_METHOD(QUERY), 1, ACT_FAIL, 0x80042302u);
    assert_string_equal(client_status(peer, finish(world, peer, lease))->reason, "VSS_FAILED");
    assert_int_equal(leases_of(world), 1);
    world->holds_requesters = true;
    uint32_t first = client_finish(world, other, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    uint32_t second = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world->holds_requesters = false;
    world_run(world);
    /* Those who wait are answered before the one that asked. */
    assert_int_equal(client_finish_reply(peer, second)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_string_equal(client_status(other, first)->reason, "UNKNOWN_LEASE");
    /* The service stops. */
    lease = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    uint32_t id = client_snapshot(world, other, "C:"); /* so that it does not stop at once */
    world_run(world);
    (void)client_snapshot_reply(other, id);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_HANG, 0);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    id = client_finish(world, peer, lease, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "SHUTTING_DOWN");
    world_end(world);
}

/* The service is killed: the snapshot exists by itself, and so does the right to read it. */
static void test_restart(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    const PB(SnapshotReply) *first = attached(world, peer, WISH(snapshot_id, TEXT(SNAPSHOT_ID(02))));
    char lease_id[40];
    char token[40];
    (void)snprintf(lease_id, sizeof lease_id, "%s", first->lease_id);
    (void)snprintf(token, sizeof token, "%s", first->token);
    assert_int_equal(world->stored_count, 1);
    world_restart(world);
    world_run(world);
    assert_int_equal(leases_of(world), 1);
    peer = client_connect(world, NULL, ALL_RIGHTS);
    PB(AttachLease) attachment = SHADOWPIPE__V1__ATTACH_LEASE__INIT;
    attachment.lease_id = lease_id;
    attachment.token = token;
    PB(Envelope) envelope = ENVELOPE_OF(ATTACH_LEASE, attach_lease, &attachment);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    const PB(SnapshotReply) *again = client_final(peer, id)->lease_reply->snapshot;
    assert_string_equal(again->volumes[0]->snapshot_id, SNAPSHOT_ID(02));
    id = finish(world, peer, again);
    assert_int_equal(client_finish_reply(peer, id)->completion, PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED));
    assert_int_equal(world->stored_count, 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attach),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_by_device),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_younger_than_the_question),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_end_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
