/* The service ends and begins again while snapshots are held: what its next process makes of the store, of
 * the requesters that dial in again, and of the clients that come back or do not. */
#include <stdio.h>
#include <string.h>

#include "service/broker/message.h"
#include "tests/unit/broker_harness.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const char other_sid[] = "S-1-5-21-1-2-3-1002";
static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

enum {
    REATTACH_MS = 2 * 60 * 1000,
    TTL_MS = 10 * 60 * 1000,
    MINUTE_MS = 60 * 1000
};

/* ---- what clients do ---- */

static struct {
    PB(LeaseOptions) options;
    PB(ComponentSelection) component;
    PB(ComponentSelection) * components[1];
    char *volumes[2];
} made_of;

static PB(CreateSnapshot) bound(void)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    made_of.volumes[0] = TEXT("C:");
    made_of.volumes[1] = TEXT("D:");
    wish.volumes = made_of.volumes;
    wish.n_volumes = 2;
    wish.purpose = TEXT("nightly");
    return wish;
}

static PB(CreateSnapshot) detached(void)
{
    PB(CreateSnapshot) wish = bound();
    shadowpipe__v1__lease_options__init(&made_of.options);
    made_of.options.mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    made_of.options.ttl_ms = TTL_MS;
    wish.lease = &made_of.options;
    return wish;
}

static PB(CreateSnapshot) full(void)
{
    PB(CreateSnapshot) wish = bound();
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    wish.allow_types_without_components = true;
    return wish;
}

/* Beyond the end of its connection. */
static struct arena kept;

static const PB(SnapshotReply) * create(struct world *world, struct peer *peer, PB(CreateSnapshot) wish)
{
    uint32_t id = client_create(world, peer, &wish);
    world_run(world);
    const PB(SnapshotReply) *reply = client_snapshot_reply(peer, id);
    reply = MESSAGE_COPY(&kept, reply);
    assert_non_null(reply);
    return reply;
}

static uint32_t attach_with(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease,
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

static uint32_t attach(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    return attach_with(world, peer, lease, lease->token);
}

static const PB(LeaseReply) *
    attached(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    const PB(Envelope) *envelope = client_final(peer, attach(world, peer, lease));
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(LEASE_REPLY));
    return envelope->lease_reply;
}

static const char *refusal(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease)
{
    return client_status(peer, attach(world, peer, lease))->reason;
}

static PB(Completion)
    finish(struct world *world, struct peer *peer, const PB(SnapshotReply) * lease, PB(Outcome) outcome)
{
    uint32_t id = client_finish(world, peer, lease, outcome);
    world_run(world);
    return client_finish_reply(peer, id)->completion;
}

static struct peer *user(struct world *world)
{
    return client_connect(world, NULL, ALL_RIGHTS);
}

static struct broker_counts counts_of(struct world *world)
{
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    return counts;
}

static void assert_nothing_left(struct world *world)
{
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(counts_of(world).sets, 0);
    assert_int_equal(world->stored_count, 0);
}

/* ---- the service crashes ---- */

static void test_bound(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    assert_int_equal(world->stored_count, 2); /* set and lease */
    world_restart(world);
    world_run(world);
    assert_int_equal(world->broker->counters.sets_adopted, 1);
    struct peer *client = user(world);
    const PB(LeaseReply) *again = attached(world, client, lease);
    assert_string_equal(again->lease->purpose, "nightly");
    assert_int_equal(again->lease->mode, PB_VALUE(LEASE_MODE, LEASE_MODE_CONNECTION));
    assert_int_equal(again->lease->n_volumes, 2);
    const PB(SnapshotReply) *reply = again->snapshot;
    assert_string_equal(reply->lease_id, lease->lease_id);
    assert_string_equal(reply->token, lease->token);
    assert_string_equal(reply->set_id, lease->set_id);
    assert_int_equal(reply->n_volumes, 2);
    assert_string_equal(reply->volumes[1]->device_root, lease->volumes[1]->device_root);
    assert_int_equal(reply->n_map, lease->n_map);
    assert_string_equal(reply->map[0]->shadow, lease->map[0]->shadow);
    assert_int_equal(reply->n_writers, 0); /* neither is kept */
    assert_int_equal(reply->n_phases, 0);
    /* It is the client's again, for as long as this connection is. */
    world_advance(world, 4 * REATTACH_MS);
    assert_int_equal(counts_of(world).leases, 1);
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(GATHER_WRITER_STATUS)), 3);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_nothing_left(world);
    world_end(world);
}

static void test_bound_again_to_its_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world_restart(world);
    world_run(world);
    struct peer *client = user(world);
    (void)attached(world, client, lease);
    peer_close(world, client);
    world_run(world);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1); /* COPY */
    assert_nothing_left(world);
    world_end(world);
}

/* A copy is completed and released; writers of a full backup must not truncate their logs. */
static void test_client_does_not_come_back(void **state)
{
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        struct world *world = world_new();
        const PB(SnapshotReply) *lease = create(world, user(world), is_full ? full() : bound());
        world_restart(world);
        world_advance(world, REATTACH_MS - 1);
        assert_int_equal(counts_of(world).leases, 1);
        assert_int_equal(world_alive(world), 1);
        world_advance(world, 2);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), !is_full);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), is_full);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
        assert_string_equal(refusal(world, user(world), lease), "UNKNOWN_LEASE");
        assert_nothing_left(world);
        world_end(world);
    }
}

static void test_full(void **state)
{
    (void)state;
    for (int succeeds = 0; succeeds < 2; succeeds++) {
        struct world *world = world_new();
        const PB(SnapshotReply) *lease = create(world, user(world), full());
        world_restart(world);
        world_run(world);
        PB(Completion)
        completion = finish(world, user(world), lease, succeeds ? good : PB_VALUE(OUTCOME, OUTCOME_FAILED));
        assert_int_equal(completion, succeeds ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                                              : PB_VALUE(COMPLETION, COMPLETION_ABORTED));
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), succeeds);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), !succeeds);
        assert_nothing_left(world);
        world_end(world);
    }
}

static void test_crash_after_crash(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    for (int i = 0; i < 5; i++) {
        world_restart(world);
        if (i % 2 == 0) /* else the next comes before anything was done */
            world_run(world);
        if (i == 2)
            (void)attached(world, user(world), lease);
    }
    world_run(world);
    struct peer *client = user(world);
    (void)attached(world, client, lease);
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

/* ---- detached leases ---- */

static void test_detached(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *acknowledged = create(world, client, detached());
    (void)attached(world, client, acknowledged);
    const PB(SnapshotReply) *other = create(world, client, detached());
    world_restart(world);
    /* Its term goes on; the other's client may never have heard of it. */
    world_advance(world, REATTACH_MS + 1);
    assert_int_equal(counts_of(world).leases, 1);
    assert_string_equal(refusal(world, user(world), other), "UNKNOWN_LEASE");
    world_advance(world, TTL_MS - REATTACH_MS - 10);
    assert_int_equal(counts_of(world).leases, 1);
    world_advance(world, 20);
    assert_int_equal(counts_of(world).leases, 0);
    assert_nothing_left(world);
    world_end(world);
}

static void test_renewed(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *lease = create(world, client, detached());
    PB(RenewLease) renewal = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    renewal.lease_id = lease->lease_id;
    renewal.token = lease->token;
    renewal.ttl_ms = 2 * TTL_MS;
    PB(Envelope) envelope = ENVELOPE_OF(RENEW_LEASE, renew_lease, &renewal);
    client_send(world, client, &envelope);
    world_run(world);
    world_restart(world);
    world_advance(world, TTL_MS + MINUTE_MS);
    client = user(world);
    renewal.ttl_ms = 0; /* as before */
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    const PB(LeaseInfo) *info = client_final(client, id)->lease_reply->lease;
    assert_int_equal(info->expires_ms, world->broker->unix_ms + 2 * TTL_MS);
    world_restart(world); /* and this is known to the next one */
    world_advance(world, 2 * TTL_MS - 10);
    assert_int_equal(counts_of(world).leases, 1);
    world_advance(world, 20);
    assert_nothing_left(world);
    world_end(world);
}

static void test_expired_meanwhile(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *lease = create(world, client, detached());
    (void)attached(world, client, lease);
    world->now_ms += 2 * TTL_MS; /* while no service runs */
    world_restart(world);
    world_advance(world, 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_nothing_left(world);
    world_end(world);
}

/* ---- before the requester has come ---- */

static void test_pending(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = detached();
    wish.job_key = TEXT("one");
    const PB(SnapshotReply) *lease = create(world, user(world), wish);
    world->holds_redials = true;
    world_restart(world);
    world_advance(world, 3 * REATTACH_MS); /* this is no fault of the client's */
    struct peer *client = user(world);
    const PB(Status) *status = client_status(client, attach(world, client, lease));
    assert_int_equal(status->code, PB_CODE(UNAVAILABLE));
    assert_string_equal(status->reason, "ADOPTION_PENDING");
    assert_int_equal(status->retry_after_ms, 1000);
    uint32_t id = client_finish(world, client, lease, good);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "ADOPTION_PENDING");
    id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "ADOPTION_PENDING");
    struct peer *other = client_connect(world, other_sid, USER_RIGHTS);
    id = attach_with(world, other, lease, "");
    assert_string_equal(client_status(other, id)->reason, "LEASE_NOT_YOURS");
    world->holds_redials = false;
    world_run(world);
    id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_snapshot_reply(client, id)->lease_id, lease->lease_id);
    world_advance(world, REATTACH_MS + 1); /* who asked by the key has come back */
    assert_int_equal(counts_of(world).leases, 1);
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

static void test_never_comes(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world->holds_redials = true;
    world_restart(world);
    world_advance(world, 60 * MINUTE_MS); /* longer than its grace */
    assert_int_equal(world_alive(world), 0);
    assert_nothing_left(world);
    world->holds_redials = false;
    assert_string_equal(refusal(world, user(world), lease), "UNKNOWN_LEASE");
    world_end(world);
}

static void test_process_is_gone(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world_crash(world);
    world_run(world);
    struct peer *client = user(world);
    const PB(Status) *status = client_status(client, attach(world, client, lease));
    assert_int_equal(status->code, PB_CODE(DATA_LOSS));
    assert_string_equal(status->reason, "SNAPSHOT_LOST");
    assert_non_null(strstr(status->message, "there is no such process"));
    assert_int_equal(world->stored_count, 0);
    world_advance(world, REATTACH_MS + 1);
    assert_string_equal(refusal(world, client, lease), "UNKNOWN_LEASE");
    world_end(world);
}

/* It lives, but the set does not. */
static void test_comes_without_the_set(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct world *world = world_new();
        const PB(SnapshotReply) *lease = create(world, user(world), full());
        if (how == 0)
            world->redial_set_id = "5e700099-0000-0000-0000-000000000000";
        else if (how == 1)
            world->redial_phase = PB_VALUE(SESSION_PHASE, SESSION_PHASE_ABORTED);
        else
            world->redial_without_snapshots = true;
        world_restart(world);
        world_run(world);
        assert_string_equal(refusal(world, user(world), lease), "SNAPSHOT_LOST");
        assert_int_equal(world->broker->counters.sets_adopted, how == 2);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), how != 1);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 0);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
        assert_nothing_left(world);
        world_end(world);
    }
}

static void test_dies_before_it_comes(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world->holds_redials = true;
    world_restart(world);
    world_run(world);
    requester_die(world, &world->requesters[0], 0xC0000005u);
    world_run(world);
    assert_string_equal(refusal(world, user(world), lease), "SNAPSHOT_LOST");
    assert_nothing_left(world);
    world_end(world);
}

/* ---- completion ---- */

static void early(struct broker_config *config)
{
    config->complete_within_ms = 10 * MINUTE_MS;
}

static void test_completion_goes_on(void **state)
{
    (void)state;
    struct world *world = world_new_with(early);
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world_advance(world, 6 * MINUTE_MS);
    world_restart(world);
    world_run(world);
    struct peer *client = user(world);
    (void)attached(world, client, lease);
    world_advance(world, 4 * MINUTE_MS - 10);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 0);
    world_advance(world, 20);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
    /* Completed is completed, for the next process too. */
    world_restart(world);
    world_run(world);
    client = user(world);
    (void)attached(world, client, lease);
    world_advance(world, 60 * MINUTE_MS);
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_nothing_left(world);
    world_end(world);
}

/* The service dies while it carries out FinishBackup: the client asks again, and hears how it went. */
static void test_crash_while_completing(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *lease = create(world, client, full());
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    client_finish(world, client, lease, good);
    world_run(world);
    struct fake_requester *requester = world_hanging(world, PB_METHOD(BACKUP_COMPLETE));
    assert_non_null(requester);
    requester->last_step = PB_METHOD(BACKUP_COMPLETE); /* it ends well, with nobody there to be told */
    world_restart(world);
    requester->hangs = false;
    world_run(world);
    assert_int_equal(finish(world, user(world), lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 0);
    assert_nothing_left(world);
    world_end(world);
}

/* The same, but nobody asks again: the record of the lease is gone with its client. */
static void test_client_gone_while_completing(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *lease = create(world, client, bound());
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    client_finish(world, client, lease, good);
    world_run(world);
    peer_close(world, client);
    world_run(world);
    assert_int_equal(world->stored_count, 1);
    requester_resume(world, world_hanging(world, PB_METHOD(BACKUP_COMPLETE)));
    assert_nothing_left(world);
    world_end(world);
}

/* ---- components and documents ---- */

/* The first writer declares one component, with files on C:. */
static void declare(struct world *world)
{
    static PB(Writer) writer;
    static PB(Component) component;
    static PB(Component) * components[] = {&component};
    static PB(FileDescriptor) file;
    static PB(FileDescriptor) * files[] = {&file};
    static char *roots[] = {TEXT("C:\\Windows")};
    shadowpipe__v1__writer__init(&writer);
    shadowpipe__v1__component__init(&component);
    shadowpipe__v1__file_descriptor__init(&file);
    file.path = roots[0];
    file.filespec = TEXT("*");
    component.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_FILE_GROUP);
    component.name = TEXT("System Files");
    component.selectable = true;
    component.files = files;
    component.roots = roots;
    component.n_files = component.n_roots = 1;
    writer.components = components;
    writer.n_components = 1;
    world->machine.declared[0] = &writer;
}

static const PB(SnapshotReply) * create_by_component(struct world *world, struct peer *client)
{
    declare(world);
    PB(CreateSnapshot) wish = full();
    PB(ComponentSelection) *component = made_of.components[0] = &made_of.component;
    shadowpipe__v1__component_selection__init(component);
    component->writer = TEXT("System Writer");
    component->name = TEXT("System Files");
    wish.components = made_of.components;
    wish.n_components = 1;
    return create(world, client, wish);
}

static void test_components(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->document_size = 300 * 1024;
    const PB(SnapshotReply) *lease = create_by_component(world, user(world));
    assert_true(lease->components > 0);
    world_restart(world);
    world_run(world);
    struct peer *client = user(world);
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    list.lease_id = lease->lease_id;
    list.token = lease->token;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_COMPONENTS, list_components, &list);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    const PB(SelectedComponent) *listed = NULL;
    for (size_t i = 0; i < client->frames_count; i++) {
        if (client->frames[i]->id == id && client->frames[i]->body_case == PB_BODY(SELECTED_COMPONENT))
            listed = client->frames[i]->selected_component;
    }
    assert_non_null(listed);
    assert_string_equal(listed->component->name, "System Files");
    assert_string_equal(listed->writer_name, "System Writer");
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    read.lease_id = lease->lease_id;
    read.token = lease->token;
    read.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    envelope = ENVELOPE_OF(READ_DOCUMENT, read_document, &read);
    id = client_send(world, client, &envelope);
    world_run(world);
    assert_int_equal(client_final(client, id)->body_case, PB_BODY(DOCUMENT_CHUNK));
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(requester_calls(world, 1, PB_METHOD(SET_BACKUP_SUCCEEDED)), 1);
    assert_true(world->requesters[0].document.components[0].succeeded);
    assert_nothing_left(world);
    world_end(world);
}

/* ---- persistent snapshots ---- */

static void test_persistent(void **state)
{
    (void)state;
    for (int is_full = 0; is_full < 2; is_full++) {
        struct world *world = world_new();
        PB(CreateSnapshot) wish = is_full ? full() : bound();
        wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
        wish.keep_ms = MINUTE_MS;
        const PB(SnapshotReply) *lease = create(world, user(world), wish);
        assert_int_equal(world_alive(world), is_full);
        world_restart(world);
        world_advance(world, REATTACH_MS - MINUTE_MS / 2);
        assert_int_equal(world->copies_count, 2); /* due, but it is read */
        struct peer *client = user(world);
        (void)attached(world, client, lease);
        world_advance(world, 10 * MINUTE_MS);
        assert_int_equal(world->copies_count, 2);
        assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
        assert_int_equal(requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)), 1);
        world_advance(world, MINUTE_MS);
        assert_int_equal(world->copies_count, 0);
        assert_nothing_left(world);
        world_end(world);
    }
}

static void test_persistent_not_completed(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = bound();
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    world_rule(world, PB_METHOD(BACKUP_COMPLETE), 1, ACT_HANG, 0);
    const PB(SnapshotReply) *lease = create(world, user(world), wish);
    assert_non_null(world_hanging(world, PB_METHOD(BACKUP_COMPLETE)));
    world_crash(world);
    world_run(world);
    struct peer *client = user(world);
    (void)attached(world, client, lease);
    uint32_t id = client_finish(world, client, lease, good);
    world_run(world);
    assert_int_equal(client_status(client, id)->code, PB_CODE(ABORTED));
    assert_string_equal(client_status(client, id)->reason, "COMPLETION_UNKNOWN");
    assert_int_equal(counts_of(world).leases, 0);
    assert_int_equal(world->copies_count, 2); /* they are its owner's */
    assert_int_equal(world->stored_count, 1);
    world_end(world);
}

/* ---- several readers ---- */

static void with_sharing(struct broker_config *config)
{
    config->max_shared_volumes = 8;
}

static void test_shared(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_sharing);
    struct peer *one = user(world);
    struct peer *two = client_connect(world, other_sid, USER_RIGHTS);
    world->holds_requesters = true;
    uint32_t first = client_snapshot(world, one, "C:");
    uint32_t second = client_snapshot(world, two, "D:");
    world->holds_requesters = false;
    world_run(world);
    const PB(SnapshotReply) *ones = MESSAGE_COPY(&kept, client_snapshot_reply(one, first));
    const PB(SnapshotReply) *twos = MESSAGE_COPY(&kept, client_snapshot_reply(two, second));
    assert_string_equal(ones->set_id, twos->set_id);
    world_restart(world);
    world_run(world);
    one = user(world);
    two = client_connect(world, other_sid, USER_RIGHTS);
    assert_int_equal(attached(world, two, twos)->snapshot->n_volumes, 1); /* its own only */
    (void)attached(world, one, ones);
    assert_int_equal(finish(world, one, ones, good), PB_VALUE(COMPLETION, COMPLETION_PENDING));
    world_restart(world);
    world_run(world);
    two = client_connect(world, other_sid, USER_RIGHTS);
    assert_string_equal(refusal(world, two, ones), "UNKNOWN_LEASE");
    assert_int_equal(finish(world, two, twos, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

/* Who joins a set that is read already is told as late as the others: when the store has it. */
static void test_joins_late(void **state)
{
    (void)state;
    struct world *world = world_new_with(with_sharing);
    struct peer *client = user(world);
    PB(CreateSnapshot) wish = bound();
    const PB(SnapshotReply) *first = create(world, client, wish);
    world->holds_store = true;
    wish.max_age_ms = MINUTE_MS;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_null(client_final(client, id));
    world->holds_store = false;
    world_run(world);
    const PB(SnapshotReply) *second = MESSAGE_COPY(&kept, client_snapshot_reply(client, id));
    assert_string_equal(second->set_id, first->set_id);
    assert_int_equal(world->stored_count, 3);
    world_restart(world);
    world_run(world);
    client = user(world);
    assert_int_equal(finish(world, client, first, good), PB_VALUE(COMPLETION, COMPLETION_PENDING));
    assert_int_equal(finish(world, client, second, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

/* ---- the store ---- */

/* Nobody is told of a snapshot that would not survive a crash right then. */
static void test_told_when_it_is_stored(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    PB(CreateSnapshot) wish = bound();
    world->holds_store = true;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_null(client_final(client, id));
    world->holds_store = false;
    world_run(world);
    (void)client_snapshot_reply(client, id);
    world_end(world);
}

static void test_gone_before_it_is_stored(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct world *world = world_new();
        struct peer *client = user(world);
        PB(CreateSnapshot) wish = bound();
        world->holds_store = true;
        uint32_t id = client_create(world, client, &wish);
        world_run(world);
        if (how == 0)
            peer_close(world, client);
        else if (how == 1)
            client_cancel(world, client, id);
        else
            requester_die(world, &world->requesters[0], 1);
        world_run(world);
        world->holds_store = false;
        world_run(world);
        if (how == 1)
            assert_int_equal(client_status(client, id)->code, PB_CODE(CANCELLED));
        if (how == 2)
            assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");
        assert_int_equal(counts_of(world).leases, 0);
        assert_nothing_left(world);
        world_end(world);
    }
}

static void test_store_fails(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    world->store_failure = "the disk is full";
    const PB(SnapshotReply) *lease = create(world, client, bound());
    assert_non_null(strstr(world->log, "snapshot set"));
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world->store_failure = NULL;
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void no_grace(struct broker_config *config)
{
    config->orphan_grace_ms = 0;
}

static void test_no_grace(void **state)
{
    (void)state;
    struct world *world = world_new_with(no_grace);
    struct peer *client = user(world);
    world->holds_store = true; /* nothing waits for it */
    const PB(SnapshotReply) *lease = create(world, client, bound());
    assert_int_equal(world->operations_count, 0);
    assert_int_equal(finish(world, client, lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

static struct stored *value_of(struct world *world, const char *prefix)
{
    for (size_t i = 0; i < world->stored_count; i++) {
        if (strncmp(world->stored[i].key, prefix, strlen(prefix)) == 0)
            return &world->stored[i];
    }
    return NULL;
}

/* What cannot be read is deleted: the next start would fare no better. */
static void test_damaged(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"set-", "lease-"};
    for (size_t i = 0; i < 2; i++) {
        for (int how = 0; how < 3; how++) {
            struct world *world = world_new();
            const PB(SnapshotReply) *lease = create(world, user(world), bound());
            struct stored *value = value_of(world, prefixes[i]);
            assert_non_null(value);
            if (how == 0)
                value->size /= 2;
            else if (how == 1)
                value->size = 0;
            else
                value->key[strlen(prefixes[i])] ^= 1; /* it is about another */
            world_restart(world);
            world_advance(world, 1);
            /* A set without its leases is ended; leases without their set are lost. */
            assert_string_equal(refusal(world, user(world), lease),
                                i == 0 ? "SNAPSHOT_LOST" : "UNKNOWN_LEASE");
            assert_nothing_left(world);
            world_end(world);
        }
    }
}

/* ---- hand over ---- */

static void test_hand_over(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *plain = create(world, client, bound());
    const PB(SnapshotReply) *truncating = create(world, client, full());
    const PB(SnapshotReply) *term = create(world, client, detached());
    (void)attached(world, client, term);
    /* A fourth is on its way, a fifth waits. */
    world_rule(world, PB_METHOD(PREPARE_FOR_BACKUP), 1, ACT_HANG, 0);
    PB(CreateSnapshot) wish = bound();
    uint32_t fourth = client_create(world, client, &wish);
    uint32_t fifth = client_create(world, client, &wish);
    world_run(world);
    struct fake_requester *hanging = world_hanging(world, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_non_null(hanging);
    hanging->hang_can_be_cancelled = true;
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_HAND_OVER));
    world_run(world);
    assert_string_equal(client_status(client, fourth)->reason, "SHUTTING_DOWN");
    assert_string_equal(client_status(client, fifth)->reason, "SHUTTING_DOWN");
    peer_close(world, client);
    assert_true(world->has_stopped);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), world->requesters_count - 3);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 0);
    world_restart(world);
    world_run(world);
    assert_int_equal(world_alive(world), 3);
    assert_int_equal(world->broker->counters.sets_adopted, 3);
    client = user(world);
    assert_int_equal(finish(world, client, plain, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(finish(world, client, truncating, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(finish(world, client, term, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

/* Whoever finishes while the service is being handed over is served. */
static void test_finish_during_hand_over(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = user(world);
    const PB(SnapshotReply) *first = create(world, client, bound());
    const PB(SnapshotReply) *second = create(world, client, bound());
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    PB(CreateSnapshot) wish = bound();
    client_create(world, client, &wish);
    world_run(world);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_HAND_OVER));
    world_run(world);
    assert_false(world->has_stopped); /* inside DoSnapshotSet it has to wait */
    assert_int_equal(finish(world, client, first, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    requester_resume(world, world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET)));
    peer_close(world, client);
    assert_true(world->has_stopped);
    world_restart(world);
    world_run(world);
    assert_int_equal(world_alive(world), 1);
    assert_int_equal(finish(world, user(world), second, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

/* A stop for good leaves nothing to adopt, also of what was being adopted. */
static void test_stop(void **state)
{
    (void)state;
    for (int pending = 0; pending < 2; pending++) {
        struct world *world = world_new();
        (void)create(world, user(world), full());
        world->holds_redials = pending;
        world_restart(world);
        world_run(world);
        INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
        world_run(world);
        assert_int_equal(world->has_stopped, !pending);
        world->holds_redials = false;
        world_run(world);
        assert_true(world->has_stopped);
        assert_int_equal(requester_calls(world, 1, PB_METHOD(ABORT_BACKUP)), 1);
        assert_nothing_left(world);
        world_end(world);
    }
}

/* Handed over while it was being adopted. */
static void test_hand_over_pending(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(SnapshotReply) *lease = create(world, user(world), bound());
    world->holds_redials = true;
    world_restart(world);
    world_run(world);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_HAND_OVER));
    world_run(world);
    assert_true(world->has_stopped);
    world->holds_redials = false;
    world_restart(world);
    world_run(world);
    assert_int_equal(finish(world, user(world), lease, good), PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_nothing_left(world);
    world_end(world);
}

int main(void)
{
    arena_init(&kept, DECODE_LIMIT_REQUEST_BYTES);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_bound_again_to_its_connection),
        cmocka_unit_test(test_client_does_not_come_back),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_crash_after_crash),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_expired_meanwhile),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_never_comes),
        cmocka_unit_test(test_process_is_gone),
        cmocka_unit_test(test_comes_without_the_set),
        cmocka_unit_test(test_dies_before_it_comes),
        cmocka_unit_test(test_completion_goes_on),
        cmocka_unit_test(test_crash_while_completing),
        cmocka_unit_test(test_client_gone_while_completing),
        cmocka_unit_test(test_components),
        cmocka_unit_test(test_persistent),
        cmocka_unit_test(test_persistent_not_completed),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_joins_late),
        cmocka_unit_test(test_told_when_it_is_stored),
        cmocka_unit_test(test_gone_before_it_is_stored),
        cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_no_grace),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_hand_over),
        cmocka_unit_test(test_finish_during_hand_over),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_hand_over_pending),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&kept);
    return failed;
}
