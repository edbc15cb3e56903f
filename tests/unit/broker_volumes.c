/* Which volume a name or a path means, and what is refused. */
#include <string.h>

#include "service/broker/volumes.h"
#include "tests/unit/broker_harness.h"

#define GUID(letter) "\\\\?\\Volume{00000000-0000-0000-0000-00000000000" letter "}"

static const struct row {
    enum volume_name_kind kind;
    const char *name;
    const char *result; /* the last digit of the GUID, or the reason */
} rows[] = {
    {NAME_OF_VOLUME, "C:", "c"},
    {NAME_OF_VOLUME, "c:", "c"},
    {NAME_OF_VOLUME, "C:\\", "c"},
    {NAME_OF_VOLUME, "c:/", "c"},
    {NAME_OF_VOLUME, "\\\\?\\C:\\", "c"},
    {NAME_OF_VOLUME, "D:\\", "d"},
    {NAME_OF_VOLUME, "C:\\mnt\\data", "d"},
    {NAME_OF_VOLUME, "C:\\MNT\\Data\\", "d"},
    {NAME_OF_VOLUME, "C:/mnt/data/", "d"},
    {NAME_OF_VOLUME, "C:\\mnt\\data\\deep", "e"},
    {NAME_OF_VOLUME, "\\\\?\\C:\\mnt\\data\\deep\\", "e"},
    {NAME_OF_VOLUME, GUID("c"), "c"},
    {NAME_OF_VOLUME, GUID("C") "\\", "c"},
    {NAME_OF_VOLUME, GUID("f") "\\", "f"},
    {NAME_OF_VOLUME, GUID("9") "\\", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, GUID("c") "\\dir", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, "Q:", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, "C:\\Users", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, "C:\\mnt", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, "C:\\mnt\\database", "UNKNOWN_VOLUME"},
    {NAME_OF_VOLUME, "Z:\\", "NOT_LOCAL"},
    {NAME_OF_VOLUME, "C:\xc3\xa4", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "C", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "\\", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "Data", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "..", "NOT_ABSOLUTE"},
    {NAME_OF_VOLUME, "\\\\server\\share", "UNC_PATH"},
    {NAME_OF_VOLUME, "//server/share", "UNC_PATH"},
    {NAME_OF_VOLUME, "\\\\?\\UNC\\server\\share", "UNC_PATH"},
    {NAME_OF_VOLUME, "\\\\?\\unc\\server\\share", "UNC_PATH"},
    {NAME_OF_VOLUME, "\\\\.\\PhysicalDrive0", "DEVICE_PATH"},
    {NAME_OF_VOLUME, "\\\\?\\GLOBALROOT\\Device\\HarddiskVolume1", "DEVICE_PATH"},
    {NAME_OF_VOLUME, "\\\\?\\", "DEVICE_PATH"},
    {NAME_OF_PATH, "C:", "c"},
    {NAME_OF_PATH, "C:\\Users\\x\\file.txt", "c"},
    {NAME_OF_PATH, "C:\\mnt\\dat", "c"},
    {NAME_OF_PATH, "C:\\mnt\\database\\x", "c"},
    {NAME_OF_PATH, "C:\\mnt\\data\\x", "d"},
    {NAME_OF_PATH, "c:/MNT/data/deep", "e"},
    {NAME_OF_PATH, "C:\\mnt\\data\\deeper", "d"},
    {NAME_OF_PATH, "C:\\mnt\\data\\deep\\x\\y", "e"},
    {NAME_OF_PATH, "D:\\a..b\\.c\\...", "d"},
    {NAME_OF_PATH, GUID("e") "\\x", "e"},
    {NAME_OF_PATH, "C:\\a\\..\\b", "BAD_PATH"},
    {NAME_OF_PATH, "C:\\..", "BAD_PATH"},
    {NAME_OF_PATH, "C:\\a\\.", "BAD_PATH"},
    {NAME_OF_PATH, "C:\\a/../b", "BAD_PATH"},
    {NAME_OF_PATH, "C:\\file.txt:stream", "BAD_PATH"},
    {NAME_OF_PATH, "C:\\file::$DATA", "BAD_PATH"},
    {NAME_OF_PATH, GUID("c") "\\a\\..\\b", "BAD_PATH"},
    {NAME_OF_PATH, "C:relative", "NOT_ABSOLUTE"},
    {NAME_OF_PATH, "\\Users", "NOT_ABSOLUTE"},
    {NAME_OF_PATH, "Q:\\x", "NOT_LOCAL"},
    {NAME_OF_PATH, "Z:\\share\\x", "NOT_LOCAL"},
    {NAME_OF_PATH, "\\\\server\\share\\x", "UNC_PATH"},
    {NAME_OF_PATH, "\\\\.\\C:\\x", "DEVICE_PATH"},
    {NAME_OF_PATH, "\\\\?\\HarddiskVolume1\\x", "DEVICE_PATH"},
};

static void test_table(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(LIST_VOLUMES, list_volumes, &list);
    client_send(world, peer, &envelope);
    world_run(world); /* the table is there now */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *reason = NULL, *message = NULL, *result;
        const struct volume *volume =
            volumes_resolve(&world->broker->volumes, rows[i].name, rows[i].kind, &reason, &message);
        char digit[2] = "";
        if (volume != NULL)
            digit[0] = volume->guid_path[strlen(volume->guid_path) - 3];
        else
            assert_true(strlen(message) > 10);
        result = volume != NULL ? digit : reason;
        if (strcmp(result, rows[i].result) != 0)
            fail_msg("\"%s\" gave %s, not %s", rows[i].name, result, rows[i].result);
    }
    world_end(world);
}

static void test_below(void **state)
{
    (void)state;
    assert_true(path_is_below("C:\\a\\b", "c:\\A"));
    assert_true(path_is_below("C:\\a\\b", "c:\\A\\"));
    assert_true(path_is_below("C:\\a", "C:\\a\\"));
    assert_true(path_is_below("C:\\a\\", "C:\\a"));
    assert_false(path_is_below("C:\\ab", "C:\\a"));
    assert_false(path_is_below("C:\\a", "C:\\a\\b"));
    assert_false(path_is_below("C:\\a", ""));
    /* Names of mount points in other scripts, in either case. */
    assert_true(path_is_below("D:\\\xc3\x84\xc3\x96\\x", "d:\\\xc3\xa4\xc3\xb6")); /* ÄÖ äö */
    assert_true(path_is_below("D:\\\xd0\x94\xd0\x90\xd0\x81", "D:\\\xd0\xb4\xd0\xb0\xd1\x91")); /* ДАЁ даё */
    assert_true(path_is_below("D:\\\xce\xa9\\", "D:\\\xcf\x89\\"));                             /* Ω ω */
    assert_true(path_is_below("D:\\\xc5\xa0", "D:\\\xc5\xa1"));                                 /* Š š */
    assert_false(path_is_below("D:\\\xc3\x84", "D:\\\xc3\x96"));
    assert_false(path_is_below("D:\\\xff", "D:\\\xfe")); /* no UTF-8: bytes */
}

static const PB(Envelope) * take(struct world *world, PB(CreateSnapshot) * wish)
{
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t id = client_create(world, peer, wish);
    world_run(world);
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    return final;
}

static const char *refusal(struct world *world, char **volumes, size_t volumes_count, char **paths,
                           size_t paths_count)
{
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    wish.volumes = volumes;
    wish.n_volumes = volumes_count;
    wish.paths = paths;
    wish.n_paths = paths_count;
    const PB(Envelope) * final = take(world, &wish);
    assert_int_equal(final->body_case, PB_BODY(STATUS));
    return final->status->reason;
}

static void test_refusals(void **state)
{
    (void)state;
    struct world *world = world_new();
    char *names[70];
    assert_string_equal(refusal(world, NULL, 0, NULL, 0), "EMPTY_LIST");
    names[0] = (char *)(uintptr_t) "C:";
    names[1] = (char *)(uintptr_t) "\\\\?\\C:\\";
    assert_string_equal(refusal(world, names, 2, NULL, 0), "DUPLICATE_VOLUME");
    names[0] = (char *)(uintptr_t) "D:";
    names[1] = (char *)(uintptr_t) "C:\\mnt\\data";
    assert_string_equal(refusal(world, names, 2, NULL, 0), "DUPLICATE_VOLUME");
    names[0] = (char *)(uintptr_t) "\\\\server\\share";
    assert_string_equal(refusal(world, names, 1, NULL, 0), "UNC_PATH");
    assert_string_equal(refusal(world, NULL, 0, names, 1), "UNC_PATH");
    names[0] = (char *)(uintptr_t) "Q:\\x";
    assert_string_equal(refusal(world, NULL, 0, names, 1), "NOT_LOCAL");
    names[0] = (char *)(uintptr_t) "Q:";
    assert_string_equal(refusal(world, names, 1, NULL, 0), "UNKNOWN_VOLUME");
    for (size_t i = 0; i < 65; i++)
        names[i] = (char *)(uintptr_t) "C:";
    assert_string_equal(refusal(world, names, 65, NULL, 0), "TOO_MANY_VOLUMES");
    world->enumeration_failure = "the disk is on fire";
    names[0] = (char *)(uintptr_t) "C:";
    assert_string_equal(refusal(world, names, 1, NULL, 0), "VOLUMES_UNKNOWN");
    assert_int_equal(world->requesters_count, 0); /* none of this cost a process */
    world_end(world);
}

static void test_paths_and_mounted(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    /* Several paths of one volume are one volume; what is mounted below them is told. */
    char *paths[] = {(char *)(uintptr_t) "C:\\mnt", (char *)(uintptr_t) "C:\\Users"};
    wish.paths = paths;
    wish.n_paths = 2;
    const PB(Envelope) * final = take(world, &wish);
    assert_int_equal(final->body_case, PB_BODY(SNAPSHOT_REPLY));
    assert_int_equal(final->snapshot_reply->n_volumes, 1);
    assert_int_equal(final->snapshot_reply->n_uncovered, 2);
    assert_string_equal(final->snapshot_reply->uncovered[0]->path, "C:\\mnt\\data\\");
    assert_string_equal(final->snapshot_reply->uncovered[1]->path, "C:\\mnt\\data\\deep\\");
    wish.include_mounted = true;
    final = take(world, &wish);
    assert_int_equal(final->snapshot_reply->n_volumes, 3);
    assert_int_equal(final->snapshot_reply->n_uncovered, 0);
    assert_int_equal(final->snapshot_reply->n_map, 4); /* D: has two names */
    /* The same where the path names its volume by GUID, with and without a backslash behind. */
    static const char *const by_guid[] = {"\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\mnt",
                                          "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\",
                                          "\\\\?\\Volume{00000000-0000-0000-0000-00000000000d}\\deep"};
    for (size_t i = 0; i < 3; i++) {
        paths[0] = (char *)(uintptr_t)by_guid[i];
        wish.n_paths = 1;
        wish.include_mounted = false;
        final = take(world, &wish);
        assert_int_equal(final->snapshot_reply->n_uncovered, i < 2 ? 2 : 1);
        wish.include_mounted = true;
        final = take(world, &wish);
        assert_int_equal(final->snapshot_reply->n_volumes, i < 2 ? 3 : 2);
        assert_int_equal(final->snapshot_reply->n_uncovered, 0);
    }
    /* Below this path nothing is mounted. */
    wish.n_paths = 1;
    paths[0] = (char *)(uintptr_t) "C:\\Users";
    final = take(world, &wish);
    assert_int_equal(final->snapshot_reply->n_volumes, 1);
    assert_int_equal(final->snapshot_reply->n_uncovered, 0);
    /* A whole volume, and with it what is mounted below the one mounted there. */
    paths[0] = (char *)(uintptr_t) "D:\\";
    wish.volumes = paths;
    wish.n_volumes = 1;
    wish.n_paths = 0;
    final = take(world, &wish);
    assert_int_equal(final->snapshot_reply->n_volumes, 2);
    world_end(world);
}

static void test_unsupported(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {(char *)(uintptr_t) "C:", (char *)(uintptr_t) "D:"};
    wish.volumes = volumes;
    wish.n_volumes = 2;
    world->unsupported[1] = true;
    const PB(Status) *status = take(world, &wish)->status;
    assert_string_equal(status->reason, "VOLUME_NOT_SUPPORTED");
    assert_string_equal(status->volume, "D:\\");
    assert_string_equal(status->hresult_name, "VSS_E_VOLUME_NOT_SUPPORTED");
    assert_int_equal(world_calls(world, PB_METHOD(START_SNAPSHOT_SET)), 0);
    wish.on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    const PB(SnapshotReply) *reply = take(world, &wish)->snapshot_reply;
    assert_int_equal(reply->n_volumes, 1);
    assert_int_equal(reply->n_uncovered, 2); /* D: itself, and what is mounted below C: */
    assert_string_equal(reply->uncovered[1]->path, "D:\\");
    world->unsupported[0] = true;
    status = take(world, &wish)->status; /* nothing would be left */
    assert_string_equal(status->reason, "VOLUME_NOT_SUPPORTED");
    world_end(world);
}

static void test_providers(void **state)
{
    (void)state;
    struct world *world = world_new();
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {(char *)(uintptr_t) "C:", (char *)(uintptr_t) "D:"};
    char *providers[] = {(char *)(uintptr_t) "bad00000-0000-0000-0000-000000000000",
                         (char *)(uintptr_t) "{b5946137-7b9f-4925-af80-51abd60b20d5}"};
    wish.volumes = volumes;
    wish.n_volumes = 2;
    wish.providers = providers;
    wish.n_providers = 2;
    assert_int_equal(take(world, &wish)->body_case, PB_BODY(SNAPSHOT_REPLY));
    assert_int_equal(world_calls(world, PB_METHOD(IS_VOLUME_SUPPORTED)), 4);
    wish.n_providers = 1;
    assert_string_equal(take(world, &wish)->status->reason, "VOLUME_NOT_SUPPORTED");
    providers[0] = (char *)(uintptr_t) "Microsoft";
    assert_string_equal(take(world, &wish)->status->reason, "BAD_ID");
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_below),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_paths_and_mounted),
        cmocka_unit_test(test_unsupported), cmocka_unit_test(test_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
