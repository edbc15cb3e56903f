#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "tests/unit/cmocka_all.h"

enum {
    ARGUMENTS_MAX = 160
};

static char *argv[ARGUMENTS_MAX];
static struct arguments arguments;
static struct text problem;

/* Parses what `line` says, words separated by single spaces. */
static bool parse(const char *line)
{
    static char copy[4096];
    size_t argc = 0;
    text_free(&problem);
    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = word;
    }
    return args_parse(argc, argv, &arguments, &problem);
}

static void refuse(const char *line, const char *words)
{
    assert_false(parse(line));
    if (!strstr(text_string(&problem), words))
        fail_msg("\"%s\" gives \"%s\", which lacks \"%s\"", line, text_string(&problem), words);
}

static int forget(void **state)
{
    (void)state;
    text_free(&problem);
    return 0;
}

static void run_takes_everything(void **state)
{
    (void)state;
    assert_true(parse(
        "run --name nightly -v C: -vD: --volume=E: --path C:\\Data --as C:=X: --as D:=* --mount C:\\snap "
        "--tolerate VSSA --require VSSB --exclude-writer VSSC --on-unsupported skip --include-mounted "
        "--queue-timeout 1m --ok-codes 0-3 --warn-codes=4,5 --json -q --timeout 2h --pipe p "
        "-- robocopy X:\\ D:\\Backup --name -v"));
    assert_int_equal(arguments.command, COMMAND_RUN);
    assert_string_equal(arguments.name, "nightly");
    assert_int_equal(arguments.volumes.count, 3);
    assert_string_equal(arguments.volumes.items[1], "D:");
    assert_string_equal(arguments.volumes.items[2], "E:");
    assert_string_equal(arguments.paths.items[0], "C:\\Data");
    assert_int_equal(arguments.as.count, 2);
    assert_string_equal(arguments.mounts.items[0], "C:\\snap");
    assert_string_equal(arguments.tolerated.items[0], "VSSA");
    assert_string_equal(arguments.required.items[0], "VSSB");
    assert_string_equal(arguments.excluded.items[0], "VSSC");
    assert_int_equal(arguments.on_unsupported, 2);
    assert_true(arguments.include_mounted);
    assert_int_equal(arguments.queue_timeout_ms, 60000);
    assert_true(codes_contain(&arguments.ok, 3));
    assert_true(codes_contain(&arguments.warn, 5));
    assert_true(arguments.json);
    assert_true(arguments.quiet);
    assert_int_equal(arguments.timeout_ms, 7200000);
    assert_string_equal(arguments.pipe, "p");
    assert_int_equal(arguments.program_count, 5);
    assert_string_equal(arguments.program[0], "robocopy");
    assert_string_equal(arguments.program[4], "-v");
}

static void restore_takes_everything(void **state)
{
    (void)state;
    assert_true(parse(
        "restore -d b.xml --metadata a.xml --metadata b.xml --writer A --writer B --component A:P\\N "
        "--accept A --skip-missing-writers --to D:\\new --manifest m.json --restore-options gently "
        "--authoritative --roll-forward all --restore-name x --more --ok-codes 0-3 --warn-codes 4 -- cmd"));
    assert_int_equal(arguments.command, COMMAND_RESTORE);
    assert_string_equal(arguments.document, "b.xml");
    assert_int_equal(arguments.metadata.count, 2);
    assert_int_equal(arguments.writers.count, 2);
    assert_string_equal(arguments.selected.items[0], "A:P\\N");
    assert_string_equal(arguments.accepted.items[0], "A");
    assert_true(arguments.skip_missing);
    assert_string_equal(arguments.to, "D:\\new");
    assert_string_equal(arguments.manifest, "m.json");
    assert_string_equal(arguments.restore_options, "gently");
    assert_true(arguments.authoritative);
    assert_string_equal(arguments.roll_forward, "all");
    assert_string_equal(arguments.restore_name, "x");
    assert_true(arguments.more);
    assert_true(codes_contain(&arguments.ok, 3));
    assert_true(parse("restore --document b.xml --rehearse"));
    assert_true(arguments.rehearse);
}

static void the_others_take_theirs(void **state)
{
    (void)state;
    assert_true(parse("session -s - -l log.txt --json -- C: E:\\Backup"));
    assert_int_equal(arguments.command, COMMAND_SESSION);
    assert_string_equal(arguments.script, "-");
    assert_string_equal(arguments.log, "log.txt");
    assert_int_equal(arguments.program_count, 2);
    assert_true(parse("--json status --timeout 5"));
    assert_int_equal(arguments.command, COMMAND_STATUS);
    assert_true(arguments.json);
    assert_int_equal(arguments.timeout_ms, 5000);
    assert_true(parse("writers --components --refresh --writer SqlServerWriter"));
    assert_true(arguments.components);
    assert_true(arguments.refresh);
    assert_string_equal(arguments.writers.items[0], "SqlServerWriter");
    assert_true(parse("volumes"));
    assert_true(parse("providers"));
    assert_true(parse("snapshot -v C: --hold 0 --no-writers"));
    assert_string_equal(arguments.hold, "0");
    assert_int_equal(arguments.hold_ms, 0);
    assert_true(arguments.no_writers);
    assert_true(parse("run --help"));
    assert_true(parse("--version"));
}

static void wrong_lines_are_named(void **state)
{
    (void)state;
    refuse("", "what to do");
    refuse("frobnicate", "\"frobnicate\"");
    refuse("status --frob", "\"--frob\"");
    refuse("status -x", "\"-x\"");
    refuse("status -", "\"-\"");
    refuse("status extra", "\"extra\"");
    refuse("status -v C:", "--volume");
    refuse("volumes --components", "--components");
    refuse("status -- x", "behind --");
    refuse("status --json=yes", "--json takes no value");
    refuse("status --timeout", "--timeout needs a value");
    refuse("status --timeout 0", "--timeout does not take \"0\"");
    refuse("status --timeout soon", "\"soon\"");
    refuse("status --timeout 1 --timeout 2", "twice");
    refuse("writers --writer A --writer B", "twice");
    refuse("restore -- x", "--document FILE");
    refuse("restore -d b.xml", "needs a program");
    refuse("restore -d b.xml --rehearse --manifest m", "--manifest");
    refuse("restore -d b.xml -v C: -- x", "--volume");
    refuse("status --pipe=", "empty value");
    refuse("run -v -- x", "--volume needs a value");
    refuse("run -v C: xcopy", "behind --");
    refuse("run -v C:", "needs a program");
    refuse("run -v C: --", "needs a program");
    refuse("run -- x", "needs a volume");
    refuse("snapshot", "needs a volume");
    refuse("snapshot -v C: --hold long", "\"long\"");
    refuse("snapshot -v C: --ok-codes 0", "--ok-codes");
    refuse("run -v C: --ok-codes 1,a -- x", "\"1,a\"");
    refuse("run -v C: --on-unsupported ignore -- x", "\"ignore\": write fail or skip");
    refuse("run -v C: --no-writers --tolerate A -- x", "--no-writers");
    refuse("run -v C: --as C:=XY: -- x", "\"C:=XY:\"");
    refuse("run -v C: --as C:=1: -- x", "\"C:=1:\"");
    refuse("run -v C: --as =X: -- x", "\"=X:\"");
    refuse("run -v C: --mount C:= -- x", "\"C:=\"");
}

static void lists_are_bounded(void **state)
{
    struct text line = {0};
    (void)state;
    text_add(&line, "snapshot");
    for (int i = 0; i < LIST_MAX; i++)
        text_add(&line, " -v C:");
    assert_true(parse(text_string(&line)));
    text_add(&line, " -v C:");
    refuse(text_string(&line), "--volume is given more than 64 times");
    text_free(&line);
}

static void check_split(const char *value, bool is_mount, const char *volume, const char *target)
{
    char *left;
    char *right;
    assert_true(args_split_target(value, is_mount, &left, &right));
    assert_string_equal(left, volume);
    assert_string_equal(right, target);
    free(left);
    free(right);
}

static void targets_are_split(void **state)
{
    (void)state;
    check_split("C:=X:", false, "C:", "X:");
    check_split("C:\\a=b=*", false, "C:\\a=b", "*");
    check_split("C:\\snap", true, "", "C:\\snap");
    check_split("C:=C:\\snap", true, "C:", "C:\\snap");
    check_split("C:\\a=b", true, "", "C:\\a=b");
    check_split("D:\\m=\\\\?\\C:\\x", true, "D:\\m", "\\\\?\\C:\\x");
}

static void every_option_is_in_the_help(void **state)
{
    struct text text = {0};
    (void)state;
    args_help(COMMAND_RUN, &text);
    assert_non_null(strstr(text_string(&text), "--ok-codes LIST"));
    assert_non_null(strstr(text_string(&text), "-v, --volume VOLUME"));
    assert_null(strstr(text_string(&text), "--hold"));
    text_clear(&text);
    args_help(COMMAND_NONE, &text);
    for (enum command_id command = COMMAND_STATUS; command <= COMMAND_REVERT; command++)
        assert_non_null(strstr(text_string(&text), args_command_name(command)));
    assert_null(strstr(text_string(&text), "--volume"));
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(run_takes_everything, forget),
        cmocka_unit_test_teardown(restore_takes_everything, forget),
        cmocka_unit_test_teardown(the_others_take_theirs, forget),
        cmocka_unit_test_teardown(wrong_lines_are_named, forget),
        cmocka_unit_test_teardown(lists_are_bounded, forget),
        cmocka_unit_test(targets_are_split),
        cmocka_unit_test(every_option_is_in_the_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
