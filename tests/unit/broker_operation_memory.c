/* Whichever allocation fails, operations on snapshots answer, leave nothing behind, and the next ones work.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/existing.h"
#include "tests/unit/failing_broker.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const PB(SnapshotsReply) * list_now(struct world *world, struct peer *peer)
{
    PB(ListSnapshots) list = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_SNAPSHOTS, list_snapshots, &list);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    assert_int_equal(client_final(peer, id)->body_case, PB_BODY(SNAPSHOTS_REPLY));
    return client_final(peer, id)->snapshots_reply;
}

/* What is told to be deleted is, and what is told to be left is there; but for the one whose answer was lost.
 */
static void check_deletion(const struct existing *existing, const PB(Envelope) * final)
{
    if (final == NULL || final->body_case != PB_BODY(DELETE_REPLY))
        return;
    for (size_t i = 0; i < final->delete_reply->n_deleted; i++)
        assert_false(existing_has(existing, final->delete_reply->deleted[i]));
    size_t gone = 0;
    for (size_t i = 0; i < final->delete_reply->n_left; i++)
        gone += !existing_has(existing, final->delete_reply->left[i]);
    assert_true(gone <= 1);
    assert_true(final->delete_reply->n_left == 0 || final->delete_reply->failure != NULL);
}

enum {
    REQUESTS = 9
};

/* Of the lease, for more requesters than the world has. */
static void without_checks(struct broker_config *config)
{
    config->lease_check_ms = UINT32_MAX;
}

/* Each kind of operation, all at once. True: all went through before the failure came. */
static bool live_through(size_t at, size_t count)
{
    struct existing existing;
    struct world *world = world_new_with(without_checks);
    existing_begin(world, &existing);
    existing_add(&existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1);
    existing_add(&existing, SNAPSHOT_ID(02), SET_ID(02), VOLUME_C, 2);
    existing_add(&existing, SNAPSHOT_ID(03), SET_ID(02), VOLUME_D, 3);
    struct peer *client = client_connect(world, NULL, ALL_RIGHTS);
    uint8_t bytes[] = "<document/>";
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    chunk.data = (ProtobufCBinaryData){sizeof bytes, bytes};
    chunk.total_bytes = sizeof bytes;
    chunk.last = true;
    put.chunk = &chunk;
    put.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    PB(Envelope) envelope = ENVELOPE_OF(PUT_DOCUMENT, put_document, &put);
    uint32_t document = client_send(world, client, &envelope);
    world_run(world);
    PB(ListSnapshots) list = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    PB(DeleteSnapshots) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    PB(Expose) expose = SHADOWPIPE__V1__EXPOSE__INIT;
    PB(Unexpose) unexpose = SHADOWPIPE__V1__UNEXPOSE__INIT;
    PB(BreakSet) breaking = SHADOWPIPE__V1__BREAK_SET__INIT;
    PB(ImportSet) import = SHADOWPIPE__V1__IMPORT_SET__INIT;
    PB(RevertVolume) revert = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
    PB(AttachSnapshot) attach = SHADOWPIPE__V1__ATTACH_SNAPSHOT__INIT;
    list.volume = deletion.volume = expose.as_directory = TEXT("C:\\");
    expose.snapshot_id = unexpose.snapshot_id = revert.snapshot_id = attach.snapshot_id =
        TEXT(SNAPSHOT_ID(03));
    breaking.set_id = TEXT(SET_ID(02));
    import.document_id = client_final(client, document)->put_document_reply->document_id;
    PB(Envelope)
    requests[REQUESTS] = {ENVELOPE_OF(LIST_SNAPSHOTS, list_snapshots, &list),
                          ENVELOPE_OF(LIST_SNAPSHOTS, list_snapshots, &list),
                          ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, &deletion),
                          ENVELOPE_OF(EXPOSE, expose, &expose),
                          ENVELOPE_OF(UNEXPOSE, unexpose, &unexpose),
                          ENVELOPE_OF(BREAK_SET, break_set, &breaking),
                          ENVELOPE_OF(IMPORT_SET, import_set, &import),
                          ENVELOPE_OF(REVERT_VOLUME, revert_volume, &revert),
                          ENVELOPE_OF(ATTACH_SNAPSHOT, attach_snapshot, &attach)};
    uint32_t ids[REQUESTS];
    allocations = 0;
    first_failure = at;
    failures = count;
    for (int i = 0; i < REQUESTS; i++)
        ids[i] = client->is_open ? client_send(world, client, &requests[i]) : 0;
    world_run(world);
    bool is_through = allocations < at;
    first_failure = 0;
    world_advance(world, 25 * 3600 * 1000); /* every limit has passed */
    for (int i = 0; i < REQUESTS; i++) {
        assert_true(!client->is_open || ids[i] == 0 || client_final(client, ids[i]) != NULL);
        if (is_through)
            assert_int_not_equal(client_final(client, ids[i])->body_case, PB_BODY(STATUS));
    }
    check_deletion(&existing, client_final(client, ids[2]));
    assert_int_equal(world_alive(world), 0);
    struct peer *other = client_connect(world, NULL, ALL_RIGHTS);
    assert_int_equal(list_now(world, other)->n_snapshots, existing.count);
    world_end(world);
    return is_through;
}

static void test_one_allocation_fails(void **state)
{
    (void)state;
    size_t at = 1;
    while (!live_through(at, 1))
        at++;
    assert_true(at > 50);
}

static void test_all_allocations_fail_for_a_while(void **state)
{
    (void)state;
    for (size_t at = 1; !live_through(at, 20); at++)
        ;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_allocation_fails),
        cmocka_unit_test(test_all_allocations_fail_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
