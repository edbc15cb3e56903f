/* Documents of leases: read while the snapshots are held, and for a minute after the completion. */
#include <string.h>

#include "tests/unit/broker_harness.h"

enum {
    KEPT_MS = 60 * 1000,
    KEPT_MAX = 16,
    DOCUMENT_BYTES = 3 * 256 * 1024 + 17
};

static char *const volume_c[] = {(char *)(uintptr_t) "C:"};

static PB(CreateSnapshot) make_wish(void)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = (char **)(uintptr_t)volume_c;
    wish.n_volumes = 1;
    wish.with_documents = true;
    return wish;
}

static const PB(SnapshotReply) * create(struct world *world, struct peer *client)
{
    PB(CreateSnapshot) wish = make_wish();
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    return client_snapshot_reply(client, id);
}

static uint32_t ask(struct world *world, struct peer *client, const char *lease_id, const char *token)
{
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    read.lease_id = (char *)(uintptr_t)lease_id;
    read.token = (char *)(uintptr_t)token;
    read.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    PB(Envelope) envelope = ENVELOPE_OF(READ_DOCUMENT, read_document, &read);
    return client_send(world, client, &envelope);
}

/* The bytes of a document that came; each is its own offset. */
static size_t bytes_of(struct peer *client, uint32_t id)
{
    size_t got = 0;
    for (size_t i = 0; i < client->frames_count; i++) {
        const PB(Envelope) *frame = client->frames[i];
        if (frame->id != id || frame->body_case != PB_BODY(DOCUMENT_CHUNK))
            continue;
        assert_int_equal(frame->document_chunk->offset, got);
        assert_int_equal(frame->document_chunk->data.data[0], (uint8_t)got);
        got += frame->document_chunk->data.len;
        assert_int_equal(frame->document_chunk->last, got == DOCUMENT_BYTES);
    }
    return got;
}

static size_t read_all(struct world *world, struct peer *client, const char *lease_id, const char *token)
{
    uint32_t id = ask(world, client, lease_id, token);
    world_run(world);
    assert_int_equal(client_final(client, id)->body_case, PB_BODY(DOCUMENT_CHUNK));
    return bytes_of(client, id);
}

static const PB(Status) *
    refused(struct world *world, struct peer *client, const char *lease_id, const char *token)
{
    uint32_t id = ask(world, client, lease_id, token);
    world_run(world);
    return client_status(client, id);
}

static const PB(Envelope) *
    finish(struct world *world, struct peer *client, const PB(SnapshotReply) * snapshot, PB(Outcome) outcome)
{
    PB(FinishBackup) wish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    wish.lease_id = snapshot->lease_id;
    wish.token = snapshot->token;
    wish.outcome = outcome;
    wish.with_documents = true;
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &wish);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id);
}

static const PB(Envelope) *
    succeed(struct world *world, struct peer *client, const PB(SnapshotReply) * snapshot)
{
    return finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
}

static struct world *new_world(void)
{
    struct world *world = world_new();
    world->document_size = DOCUMENT_BYTES;
    return world;
}

/* ---- while the snapshots are held ---- */

static void test_held(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    assert_int_equal(snapshot->n_documents, WRITERS + 1);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);
    assert_int_equal(read_all(world, other, snapshot->lease_id, snapshot->token), DOCUMENT_BYTES);
    assert_string_equal(refused(world, other, snapshot->lease_id, "")->reason, "LEASE_NOT_YOURS");
    assert_string_equal(refused(world, other, "nonsense", "")->reason, "UNKNOWN_LEASE");
    uint32_t plain = client_snapshot(world, other, "D:");
    world_run(world);
    const PB(SnapshotReply) *without = client_snapshot_reply(other, plain);
    assert_int_equal(without->n_documents, 0);
    assert_string_equal(refused(world, other, without->lease_id, "")->reason, "UNKNOWN_DOCUMENT");
    world->document_refusal = "UNKNOWN_DOCUMENT";
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "UNKNOWN_DOCUMENT");
    world->document_refusal = NULL;
    world->document_is_empty = true;
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "MALFORMED");
    world_end(world);
}

static void test_no_writers(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    PB(CreateSnapshot) wish = make_wish();
    wish.context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "NO_WRITERS");
    wish.with_documents = false;
    id = client_create(world, client, &wish);
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_string_equal(succeed(world, client, snapshot)->status->reason, "NO_WRITERS");
    world_end(world);
}

/* Readers take turns, and one that does not read holds up no other. */
static void test_several_readers(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *slow = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    slow->does_not_read = true;
    uint32_t waits = ask(world, slow, snapshot->lease_id, snapshot->token);
    world_run(world);
    assert_null(client_final(slow, waits));
    assert_true(world->chunks_asked <= 2);
    uint32_t one = ask(world, client, snapshot->lease_id, "");
    uint32_t two = ask(world, client, snapshot->lease_id, "");
    world_run(world);
    assert_int_equal(bytes_of(client, one), DOCUMENT_BYTES);
    assert_int_equal(bytes_of(client, two), DOCUMENT_BYTES);
    for (int i = 0; i < 10; i++) {
        peer_drain(world, slow);
        world_run(world);
    }
    assert_int_equal(bytes_of(slow, waits), DOCUMENT_BYTES);
    world_end(world);
}

/* Cancelled, too late, gone, or the lease ends: the requester's answer then is for nobody. */
static void test_given_up(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    uint32_t id = ask(world, client, snapshot->lease_id, "");
    client_cancel(world, client, id);
    world_run(world);
    assert_int_equal(client_status(client, id)->code, PB_CODE(CANCELLED));
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    read.lease_id = snapshot->lease_id;
    read.token = snapshot->token;
    PB(Envelope) envelope = ENVELOPE_OF(READ_DOCUMENT, read_document, &read);
    struct peer *slow = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    envelope.timeout_ms = 1000;
    slow->does_not_read = true;
    id = client_send(world, slow, &envelope);
    world_advance(world, 2000);
    slow->does_not_read = false;
    peer_drain(world, slow);
    world_run(world);
    assert_int_equal(client_status(slow, id)->code, PB_CODE(DEADLINE_EXCEEDED));
    slow->does_not_read = true;
    (void)client_send(world, slow, &envelope);
    world_run(world);
    peer_close(world, slow);
    world_run(world);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);

    slow = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    slow->does_not_read = true;
    id = ask(world, slow, snapshot->lease_id, snapshot->token);
    world_run(world);
    client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    slow->does_not_read = false;
    peer_drain(world, slow);
    world_run(world);
    assert_string_equal(client_status(slow, id)->reason, "UNKNOWN_LEASE");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- after the completion ---- */

static void test_kept(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    struct peer *other = client_connect(world, "S-1-5-21-9", USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    const PB(FinishReply) *reply = succeed(world, client, snapshot)->finish_reply;
    assert_int_equal(reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(reply->n_documents, WRITERS + 1);
    assert_int_equal(world->requesters[0].document.saved, 2);
    /* The object is gone, the process is not, and nothing waits for it. */
    assert_int_equal(requester_calls(world, 1, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_int_equal(world_alive(world), 1);
    struct broker_counts counts;
    broker_counts(world->broker, &counts);
    assert_int_equal(counts.sets, 0);
    assert_int_equal(counts.leases, 0);
    client_finish(world, other, create(world, other), PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_advance(world, KEPT_MS / 2);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);
    assert_int_equal(read_all(world, other, snapshot->lease_id, snapshot->token), DOCUMENT_BYTES);
    assert_string_equal(refused(world, other, snapshot->lease_id, "")->reason, "UNKNOWN_LEASE");
    other->does_not_read = true;
    uint32_t late = ask(world, other, snapshot->lease_id, snapshot->token);
    world_advance(world, KEPT_MS / 2 + 1000);
    assert_int_equal(world_alive(world), 0);
    other->does_not_read = false;
    peer_drain(world, other);
    world_run(world);
    assert_string_equal(client_status(other, late)->reason, "UNKNOWN_LEASE");
    assert_string_equal(refused(world, client, snapshot->lease_id, snapshot->token)->reason, "UNKNOWN_LEASE");
    world_end(world);
}

/* Asked for only at the end, by a job that kept none so far. */
static void test_asked_for_late(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    /* BackupComplete has been called by then. */
    world_advance(world, (uint64_t)world->config.complete_within_ms + 1000);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
    const PB(FinishReply) *reply = succeed(world, client, snapshot)->finish_reply;
    assert_int_equal(reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(reply->n_documents, 1);
    assert_int_equal(world_calls(world, PB_METHOD(BACKUP_COMPLETE)), 1);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);
    world_end(world);
}

/* A read that comes before Release has ended waits for it. */
static void test_read_during_release(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_SLOW, 0);
    assert_int_equal(succeed(world, client, snapshot)->body_case, PB_BODY(FINISH_REPLY));
    uint32_t id = ask(world, client, snapshot->lease_id, "");
    world_run(world);
    assert_null(client_final(client, id));
    requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
    assert_int_equal(bytes_of(client, id), DOCUMENT_BYTES);
    world_advance(world, KEPT_MS + 1000);
    assert_int_equal(world_alive(world), 0);
    /* One that takes longer than the minute, and one whose process dies in it. */
    for (int i = 0; i < 2; i++) {
        world_clear_rules(world);
        world_rule(world, PB_METHOD(RELEASE_OBJECT), 1, ACT_SLOW, 0);
        snapshot = create(world, client);
        assert_int_equal(succeed(world, client, snapshot)->body_case, PB_BODY(FINISH_REPLY));
        id = ask(world, client, snapshot->lease_id, "");
        world_run(world);
        if (i == 0)
            world_advance(world, KEPT_MS + 1000);
        else
            requester_die(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)), 0xC0000005u);
        world_run(world);
        assert_string_equal(client_status(client, id)->reason, "UNKNOWN_LEASE");
        if (i == 0)
            requester_resume(world, world_hanging(world, PB_METHOD(RELEASE_OBJECT)));
        assert_int_equal(world_alive(world), 0);
    }
    world_end(world);
}

static void test_not_saved_again(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    world_rule(world, PB_METHOD(SAVE_AS_XML), 1, ACT_FAIL, 0x80042302u);
    const PB(FinishReply) *reply = succeed(world, client, snapshot)->finish_reply;
    assert_int_equal(reply->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_int_equal(reply->n_documents, 0);
    assert_non_null(strstr(reply->warnings[0], "could not be saved"));
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "UNKNOWN_LEASE");
    assert_int_equal(world_alive(world), 0);
    /* What was aborted has no documents either. */
    world_clear_rules(world);
    PB(CreateSnapshot) wish = make_wish();
    wish.backup_type = PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL);
    wish.allow_types_without_components = true;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    snapshot = client_snapshot_reply(client, id);
    reply = finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_FAILED))->finish_reply;
    assert_int_equal(reply->completion, PB_VALUE(COMPLETION, COMPLETION_ABORTED));
    assert_int_equal(reply->n_documents, 0);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* The process is lost, or does not answer, after the lease has ended. */
static void test_kept_process_ends(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    (void)succeed(world, client, snapshot);
    requester_die(world, &world->requesters[0], 0xC0000005u);
    world_run(world);
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "UNKNOWN_LEASE");

    snapshot = create(world, client);
    (void)succeed(world, client, snapshot);
    world->document_hangs = true;
    uint32_t id = ask(world, client, snapshot->lease_id, "");
    world_run(world);
    requester_die(world, &world->requesters[1], 0xC0000005u);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "REQUESTER_DIED");

    world->config.call_ms = 1000;
    snapshot = create(world, client);
    (void)succeed(world, client, snapshot);
    id = ask(world, client, snapshot->lease_id, "");
    world_advance(world, (uint64_t)world->broker->config.call_ms + 1000);
    assert_int_equal(client_final(client, id)->body_case, PB_BODY(STATUS));
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* A requester that does not answer is of no use for the snapshots either. */
static void test_held_process_hangs(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) *snapshot = create(world, client);
    world->document_hangs = true;
    uint32_t id = ask(world, client, snapshot->lease_id, "");
    world_advance(world, (uint64_t)world->config.call_ms + 1000);
    assert_int_equal(client_final(client, id)->body_case, PB_BODY(STATUS));
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "SNAPSHOT_LOST");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

static void test_not_too_many(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    const PB(SnapshotReply) * snapshots[KEPT_MAX + 1];
    for (int i = 0; i <= KEPT_MAX; i++) {
        snapshots[i] = create(world, client);
        (void)succeed(world, client, snapshots[i]);
    }
    assert_int_equal(world_alive(world), KEPT_MAX);
    assert_string_equal(refused(world, client, snapshots[0]->lease_id, "")->reason, "UNKNOWN_LEASE");
    assert_int_equal(read_all(world, client, snapshots[1]->lease_id, ""), DOCUMENT_BYTES);
    world_end(world); /* stops with them */
}

/* ---- persistent sets ---- */

static const PB(Envelope) * list_components(struct world *world, struct peer *client, const char *lease_id)
{
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    list.lease_id = (char *)(uintptr_t)lease_id;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_COMPONENTS, list_components, &list);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    return client_final(client, id);
}

/* With documents the VSS object stays until FinishBackup; the snapshots stay longer. */
static void test_persistent(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = make_wish();
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_int_equal(snapshot->n_documents, WRITERS + 1);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 0);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);
    assert_int_equal(succeed(world, client, snapshot)->finish_reply->n_documents, WRITERS + 1);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_int_equal(read_all(world, client, snapshot->lease_id, ""), DOCUMENT_BYTES);
    world_end(world);
}

/* Without, a record is all that is left, and it knows of no document. */
static void test_persistent_without(void **state)
{
    (void)state;
    struct world *world = new_world();
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    PB(CreateSnapshot) wish = make_wish();
    wish.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    wish.with_documents = false;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_string_equal(refused(world, client, snapshot->lease_id, "")->reason, "UNKNOWN_DOCUMENT");
    assert_string_equal(list_components(world, client, snapshot->lease_id)->status->reason,
                        "UNKNOWN_DOCUMENT");
    const PB(Status) *status = succeed(world, client, snapshot)->status;
    assert_string_equal(status->reason, "UNKNOWN_DOCUMENT");
    assert_string_equal(status->field, "finish_backup.with_documents");
    PB(ComponentOutcome) outcome = SHADOWPIPE__V1__COMPONENT_OUTCOME__INIT;
    PB(ComponentOutcome) * outcomes[] = {&outcome};
    PB(FinishBackup) finish_wish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    finish_wish.lease_id = snapshot->lease_id;
    finish_wish.outcome = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    finish_wish.components = outcomes;
    finish_wish.n_components = 1;
    PB(Envelope) envelope = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish_wish);
    id = client_send(world, client, &envelope);
    world_run(world);
    assert_string_equal(client_status(client, id)->reason, "UNKNOWN_COMPONENT");
    id = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(client, id)->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_no_writers),
        cmocka_unit_test(test_several_readers),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_asked_for_late),
        cmocka_unit_test(test_read_during_release),
        cmocka_unit_test(test_not_saved_again),
        cmocka_unit_test(test_kept_process_ends),
        cmocka_unit_test(test_held_process_hangs),
        cmocka_unit_test(test_not_too_many),
        cmocka_unit_test(test_persistent),
        cmocka_unit_test(test_persistent_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
