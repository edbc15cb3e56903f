/* What is shown of snapshots that exist or would exist, and the manifest. */
#include <string.h>

#include "client/cli/display.h"
#include "client/cli/manifest.h"
#include "tests/unit/cmocka_all.h"

static struct text text;

static int forget(void **state)
{
    (void)state;
    text_free(&text);
    return 0;
}

static void has(const char *words)
{
    if (!strstr(text_string(&text), words))
        fail_msg("\"%s\" lacks \"%s\"", text_string(&text), words);
}

static void a_check_tells_verdict_writers_and_room(void **state)
{
    char *names[] = {"C:\\"};
    char *warnings[] = {"nearly full"};
    PB(Snapshot) volume = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * volumes[] = {&volume};
    PB(DiffArea) area = SHADOWPIPE__V1__DIFF_AREA__INIT;
    PB(DiffArea) endless = SHADOWPIPE__V1__DIFF_AREA__INIT;
    PB(DiffArea) * areas[] = {&area, &endless};
    PB(VolumeStorage) room = SHADOWPIPE__V1__VOLUME_STORAGE__INIT;
    PB(VolumeStorage) other = SHADOWPIPE__V1__VOLUME_STORAGE__INIT;
    PB(VolumeStorage) * storage[] = {&other, &room};
    PB(WriterStatus) good = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) bad = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) * writers[] = {&good, &bad};
    PB(Uncovered) uncovered = SHADOWPIPE__V1__UNCOVERED__INIT;
    PB(Uncovered) * left_out[] = {&uncovered};
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    (void)state;
    volume.volume_guid_path = "guid";
    volume.volume_names = names;
    volume.n_volume_names = 1;
    room.volume_guid_path = "guid";
    room.snapshots = 3;
    room.max_snapshots = 512;
    room.diff_areas = areas;
    room.n_diff_areas = 2;
    area.diff_volume = "D:\\";
    area.used_bytes = 1 << 20;
    area.maximum_bytes = 1 << 30;
    endless.diff_volume = "E:\\";
    endless.maximum_bytes = UINT64_MAX;
    good.name = "Good";
    good.took_part = true;
    bad.name = "Bad";
    bad.failed = true;
    reply.volumes = volumes;
    reply.n_volumes = 1;
    reply.storage = storage;
    reply.n_storage = 2;
    reply.writers = writers;
    reply.n_writers = 2;
    reply.warnings = warnings;
    reply.n_warnings = 1;
    reply.components = 7;
    display_check(&text, &reply);
    has("The snapshot would succeed.");
    has("3 snapshots of at most 512");
    has("copies on D:\\: 1.0 MiB used, 0 B allocated, at most 1.0 GiB");
    has("copies on E:\\: 0 B used, 0 B allocated, no limit");
    has("2 writers, 1 of them failed");
    has("Good takes part");
    has("Bad: ");
    has("7 components");
    has("Warning: nearly full");
    uncovered.path = "F:\\";
    uncovered.reason = "FAT";
    reply.uncovered = left_out;
    reply.n_uncovered = 1;
    text_clear(&text);
    display_check(&text, &reply);
    has("would succeed in part");
    has("NOT in the snapshot: F:\\: FAT");
}

static void a_list_tells_what_is_known(void **state)
{
    PB(Snapshot) snapshot = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(SnapshotRecord) record = SHADOWPIPE__V1__SNAPSHOT_RECORD__INIT;
    PB(SnapshotRecord) * records[] = {&record};
    PB(SnapshotsReply) reply = SHADOWPIPE__V1__SNAPSHOTS_REPLY__INIT;
    PB(Snapshot) * plain[] = {&snapshot};
    PB(ImportSetReply) import = SHADOWPIPE__V1__IMPORT_SET_REPLY__INIT;
    (void)state;
    display_stored(&text, &reply);
    has("no such snapshot");
    snapshot.snapshot_id = "the-id";
    snapshot.volume_guid_path = "the-volume";
    snapshot.exposed_name = "X:";
    snapshot.created_ms = 1;
    record.snapshot = &snapshot;
    record.origin = PB_VALUE(ORIGIN, ORIGIN_FOREIGN);
    record.purpose = "nightly";
    reply.snapshots = records;
    reply.n_snapshots = 1;
    text_clear(&text);
    display_stored(&text, &reply);
    has("1970-01-01 00:00:00 UTC the-volume  other program the-id");
    has("exposed as X:");
    has("for nightly");
    assert_null(strstr(text_string(&text), "read at"));
    import.snapshots = plain;
    import.n_snapshots = 1;
    text_clear(&text);
    display_imported(&text, &import);
    has("the-id");
}

static void what_is_left_is_told_with_the_reason(void **state)
{
    char *deleted[] = {"one"};
    char *left[] = {"two"};
    PB(Status) failure = SHADOWPIPE__V1__STATUS__INIT;
    PB(DeleteReply) reply = SHADOWPIPE__V1__DELETE_REPLY__INIT;
    (void)state;
    display_deleted(&text, &reply, false);
    has("no such snapshot");
    failure.message = "it is read";
    failure.advice = "Wait.";
    reply.deleted = deleted;
    reply.n_deleted = 1;
    reply.left = left;
    reply.n_left = 1;
    reply.failure = &failure;
    text_clear(&text);
    display_deleted(&text, &reply, false);
    assert_string_equal(text_string(&text),
                        "deleted: one\nLEFT: two\n  Why: it is read\n  What to do: Wait.\n");
    text_clear(&text);
    display_deleted(&text, &reply, true);
    has("would go: one\nwould stay: two\n");
}

/* ---- the manifest ---- */

static void a_manifest_has_a_line_for_each_directory(void **state)
{
    PB(Snapshot) volume = SHADOWPIPE__V1__SNAPSHOT__INIT;
    struct places places = {.items = {{&volume, "X:\\"}}, .count = 1};
    struct manifest manifest = {.places = &places};
    const struct sp_files files[] = {
        {"C:\\Data", "\\\\?\\dev\\Data", "*.mdf", true, "", 0x101, SP_FILE_DATABASE},
        {"C:\\", "\\\\?\\dev", "\xc3\xa4\"*", false, "D:\\copy", 0, SP_FILE_EXCLUDED},
        {"E:\\Log", "", "*", false, "", 0, SP_FILE_LOG}};
    struct sp_component component = {.writer_id = "wid",
                                     .writer_instance_id = "iid",
                                     .writer_name = "Writer",
                                     .logical_path = "path",
                                     .name = "name",
                                     .implied = true,
                                     .files = files,
                                     .files_count = 3,
                                     .left_out = ""};
    (void)state;
    volume.device_root = "\\\\?\\dev\\";
    manifest_add(&manifest, &component);
    assert_string_equal(
        text_string(&manifest.text),
        "{\"original\":\"C:\\\\Data\",\"shadow\":\"X:\\\\Data\",\"filespec\":\"*.mdf\",\"recursive\":true,"
        "\"role\":\"database\",\"backupTypeMask\":257,\"writer\":\"Writer\",\"writerId\":\"wid\","
        "\"instanceId\":\"iid\",\"logicalPath\":\"path\",\"component\":\"name\",\"implied\":true}\n"
        "{\"original\":\"C:\\\\\",\"shadow\":\"X:\\\\\",\"filespec\":\"\xc3\xa4\\\"*\",\"recursive\":false,"
        "\"role\":\"excluded\",\"backupTypeMask\":0,\"alternate\":\"D:\\\\copy\",\"writer\":\"Writer\","
        "\"writerId\":\"wid\",\"instanceId\":\"iid\",\"logicalPath\":\"path\",\"component\":\"name\","
        "\"implied\":true}\n"
        "{\"original\":\"E:\\\\Log\",\"shadow\":\"\",\"filespec\":\"*\",\"recursive\":false,\"role\":\"log\","
        "\"backupTypeMask\":0,\"writer\":\"Writer\",\"writerId\":\"wid\",\"instanceId\":\"iid\","
        "\"logicalPath\":\"path\",\"component\":\"name\",\"implied\":true}\n");
    assert_int_equal(manifest.incomplete.size, 0);
    component.files_count = 0;
    component.left_out = "files";
    manifest_add(&manifest, &component);
    component.logical_path = "";
    manifest_add(&manifest, &component);
    assert_string_equal(text_string(&manifest.incomplete), "Writer:path\\name, Writer:name");
    text_free(&manifest.text);
    text_free(&manifest.incomplete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_check_tells_verdict_writers_and_room, forget),
        cmocka_unit_test_teardown(a_list_tells_what_is_known, forget),
        cmocka_unit_test_teardown(what_is_left_is_told_with_the_reason, forget),
        cmocka_unit_test(a_manifest_has_a_line_for_each_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
