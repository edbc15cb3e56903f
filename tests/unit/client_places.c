#include <string.h>

#include "client/cli/places.h"
#include "tests/unit/cmocka_all.h"

#define DEVICE_C "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy5"
#define DEVICE_D "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy6"

static char *names_c[] = {"C:\\"};
static char *names_d[] = {"D:\\", "C:\\mnt\\data\\"};
static PB(Snapshot) volume_c;
static PB(Snapshot) volume_d;
static PB(Snapshot) * volumes[] = {&volume_c, &volume_d};
static PB(PathMapping) mapping;
static PB(PathMapping) * map[] = {&mapping};
static PB(SnapshotReply) reply;
static struct places places;
static struct text text;
static bool refers;

static int set_up(void **state)
{
    (void)state;
    shadowpipe__v1__snapshot__init(&volume_c);
    shadowpipe__v1__snapshot__init(&volume_d);
    shadowpipe__v1__snapshot_reply__init(&reply);
    shadowpipe__v1__path_mapping__init(&mapping);
    volume_c.volume_guid_path = "\\\\?\\Volume{11111111-0000-0000-0000-000000000000}\\";
    volume_c.volume_names = names_c;
    volume_c.n_volume_names = 1;
    volume_c.device = DEVICE_C;
    volume_c.device_root = DEVICE_C "\\";
    volume_d.volume_guid_path = "\\\\?\\Volume{22222222-0000-0000-0000-000000000000}\\";
    volume_d.volume_names = names_d;
    volume_d.n_volume_names = 2;
    volume_d.device = DEVICE_D;
    volume_d.device_root = DEVICE_D "\\";
    mapping.original = "C:\\junction\\";
    mapping.shadow = DEVICE_D "\\inner\\";
    reply.volumes = volumes;
    reply.n_volumes = 2;
    reply.map = map;
    reply.n_map = 1;
    reply.set_id = "the-set";
    memset(&places, 0, sizeof places);
    places.reply = &reply;
    text_clear(&text);
    refers = false;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_free(&text);
    return 0;
}

static bool already_full(const char *path, struct text *full)
{
    text_add(full, path);
    return strstr(path, "bad") == NULL;
}

static void map_c_as_x(void)
{
    places.items[places.count++] = (struct place){&volume_c, "X:\\"};
}

static void check_path(const char *path, const char *expected)
{
    text_clear(&text);
    assert_true(places_resolve(&places, path, &text));
    assert_string_equal(text_string(&text), expected);
}

static void check_argument(const char *argument, const char *expected, bool expected_to_refer)
{
    text_clear(&text);
    refers = false;
    assert_true(places_argument(&places, argument, already_full, &text, &refers));
    assert_string_equal(text_string(&text), expected);
    assert_int_equal(refers, expected_to_refer);
}

static void volumes_have_many_names(void **state)
{
    (void)state;
    assert_ptr_equal(places_find_volume(&reply, "C:"), &volume_c);
    assert_ptr_equal(places_find_volume(&reply, "c:\\"), &volume_c);
    assert_ptr_equal(places_find_volume(&reply, "C:\\MNT\\data"), &volume_d);
    assert_ptr_equal(places_find_volume(&reply, volume_d.volume_guid_path), &volume_d);
    assert_null(places_find_volume(&reply, "E:"));
    assert_null(places_find_volume(&reply, "C"));
    assert_null(places_find_volume(&reply, ""));
    assert_null(places_find_volume(&reply, "C:\\\\"));
}

static void paths_go_to_the_device(void **state)
{
    (void)state;
    check_path("C:\\Data\\x", DEVICE_C "\\Data\\x");
    check_path("c:\\", DEVICE_C "\\");
    check_path("C:\\mnt\\data\\file", DEVICE_D "\\file");
    check_path("C:\\mnt\\data", DEVICE_D "\\");
    check_path("C:\\mnt\\database", DEVICE_C "\\mnt\\database");
    check_path("C:\\junction\\y", DEVICE_D "\\inner\\y");
    text_clear(&text);
    assert_false(places_resolve(&places, "E:\\x", &text));
}

static void paths_go_through_letters(void **state)
{
    (void)state;
    map_c_as_x();
    places.items[places.count++] = (struct place){&volume_c, "C:\\snap\\"};
    check_path("C:\\Data\\x", "X:\\Data\\x");
    check_path("C:\\mnt\\data\\file", DEVICE_D "\\file");
    places.items[places.count++] = (struct place){&volume_d, "Y:\\"};
    check_path("C:\\junction\\y", "Y:\\inner\\y");
}

static void arguments_are_translated(void **state)
{
    (void)state;
    check_argument("snap:C:\\Data", DEVICE_C "\\Data", true);
    check_argument("SNAP:D:\\a b\\", DEVICE_D "\\a b\\", true);
    check_argument("--source=snap:C:\\Data", "--source=" DEVICE_C "\\Data", true);
    map_c_as_x();
    check_argument("snap:C:", "X:\\", true);
    check_argument("snap:C:\\Data", "X:\\Data", true);
    check_argument("C:\\snap:C:", "C:\\snap:C:", false);
}

static void foreign_paths_are_refused(void **state)
{
    (void)state;
    assert_false(places_argument(&places, "snap:E:\\x", already_full, &text, &refers));
    assert_false(places_argument(&places, "snap:", already_full, &text, &refers));
    assert_false(places_argument(&places, "snap:bad", already_full, &text, &refers));
}

static void references_are_noticed(void **state)
{
    (void)state;
    check_argument("X:\\Data", "X:\\Data", false);
    check_argument("dir %SHADOWPIPE_C%\\x", "dir %SHADOWPIPE_C%\\x", true);
    map_c_as_x();
    check_argument("x:\\Data", "x:\\Data", true);
    check_argument("/from:X:", "/from:X:", true);
    check_argument("prefix:\\", "prefix:\\", false);
    check_argument("D:\\Backup", "D:\\Backup", false);
    places.items[places.count++] = (struct place){&volume_d, "C:\\snap\\d\\"};
    check_argument("-r=c:\\SNAP\\d\\x", "-r=c:\\SNAP\\d\\x", true);
}

static void remember(void *context, const char *name, const char *value)
{
    struct text *variables = context;
    text_format(variables, "%s=%s\n", name, value);
}

static void the_environment_says_where(void **state)
{
    (void)state;
    map_c_as_x();
    assert_true(places_environment(&places, remember, &text));
    assert_string_equal(text_string(&text), "SHADOWPIPE_SET_ID=the-set\n"
                                            "SHADOWPIPE_COUNT=2\n"
                                            "SHADOWPIPE_ORIGINAL_1=C:\\\n"
                                            "SHADOWPIPE_PATH_1=X:\\\n"
                                            "SHADOWPIPE_C=" DEVICE_C "\n"
                                            "SHADOWPIPE_ORIGINAL_2=D:\\\n"
                                            "SHADOWPIPE_PATH_2=" DEVICE_D "\\\n"
                                            "SHADOWPIPE_D=" DEVICE_D "\n");
}

static void volumes_without_names_have_their_guid(void **state)
{
    (void)state;
    volume_d.n_volume_names = 0;
    assert_true(places_environment(&places, remember, &text));
    assert_non_null(strstr(text_string(&text), "SHADOWPIPE_ORIGINAL_2=\\\\?\\Volume{2222"));
    assert_null(strstr(text_string(&text), "SHADOWPIPE_D="));
    text_clear(&text);
    places_list_volumes(&reply, &text);
    assert_string_equal(text_string(&text), "C:\\, \\\\?\\Volume{22222222-0000-0000-0000-000000000000}\\");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(volumes_have_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_go_to_the_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paths_go_through_letters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arguments_are_translated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_paths_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(references_are_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_says_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(volumes_without_names_have_their_guid, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
