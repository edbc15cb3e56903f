/* Snapshots from the request to the end of the lease, where everything goes well. */
#include <string.h>

#include "tests/unit/broker_harness.h"

static void test_happy_path(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    const PB(SnapshotReply) *snapshot = client_snapshot_reply(client, id);
    assert_int_equal(snapshot->n_volumes, 1);
    assert_string_equal(snapshot->volumes[0]->device, "\\\\?\\GLOBALROOT\\Device\\Copy01");
    assert_string_equal(snapshot->volumes[0]->device_root, "\\\\?\\GLOBALROOT\\Device\\Copy01\\");
    assert_string_equal(snapshot->set_id, "5e700001-0000-0000-0000-000000000000");
    assert_int_equal(snapshot->n_map, 1);
    assert_string_equal(snapshot->map[0]->original, "C:\\");
    assert_string_equal(snapshot->map[0]->shadow, snapshot->volumes[0]->device_root);
    assert_int_equal(snapshot->consistency, PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION));
    assert_int_equal(snapshot->n_writers, WRITERS);
    assert_int_equal(snapshot->attempts, 1);
    assert_true(snapshot->simulated);
    assert_int_equal(strlen(snapshot->token), 32);
    assert_true(snapshot->n_phases >= 6);
    assert_int_equal(world->creator, 0);

    uint32_t finish = client_finish(world, client, snapshot, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    assert_int_equal(client_finish_reply(client, finish)->completion,
                     PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    assert_string_equal(
        requester_history(world, 1),
        "CreateObject InitializeForBackup SetContext SetBackupState GatherWriterMetadata "
        "GetWriterMetadataCount "
        "GetWriterMetadata*3 FreeWriterMetadata IsVolumeSupported StartSnapshotSet AddToSnapshotSet "
        "PrepareForBackup GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "DoSnapshotSet GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 FreeWriterStatus "
        "GetSnapshotProperties BackupComplete GatherWriterStatus GetWriterStatusCount GetWriterStatusEx*3 "
        "FreeWriterStatus ReleaseObject");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_happy_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
