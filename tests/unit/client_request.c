/* What the options of snapshot, run and check ask for, and what the other commands want together. */
#include <string.h>

#include "client/cli/request.h"
#include "tests/unit/cmocka_all.h"

enum {
    WORDS_MAX = 40
};

static struct arguments arguments;
static struct text problem;
static struct arena arena;

/* Words are separated by '|', so that they may have spaces. */
static bool parse(const char *line)
{
    static char copy[4096];
    static char *words[WORDS_MAX];
    size_t count = 0;
    text_free(&problem);
    assert_true(strlen(line) < sizeof copy);
    memcpy(copy, line, strlen(line) + 1);
    for (char *word = strtok(copy, "|"); word; word = strtok(NULL, "|")) {
        assert_true(count < WORDS_MAX);
        words[count++] = word;
    }
    return args_parse(count, words, &arguments, &problem);
}

static PB(CreateSnapshot) * made(const char *line)
{
    if (!parse(line))
        fail_msg("\"%s\" gives \"%s\"", line, text_string(&problem));
    PB(CreateSnapshot) *create = request_make(&arguments, &arena, &problem);
    assert_non_null(create);
    return create;
}

static void refuse(const char *line, const char *words)
{
    assert_false(parse(line));
    if (!strstr(text_string(&problem), words))
        fail_msg("\"%s\" gives \"%s\", which lacks \"%s\"", line, text_string(&problem), words);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    arena_free(&arena);
    text_free(&problem);
    return 0;
}

static void every_option_reaches_the_request(void **state)
{
    (void)state;
    const PB(CreateSnapshot) *create = made(
        "check|-v|C:|--name|n|--type|incremental|--allow-without-components|--bootable|--partial-files|"
        "--add-needed-volumes|--retry-without-failed|--complete-within|30m|--phase-timeout|preparing=2m|"
        "--phase-timeout|waiting-for-gate=500ms|--provider|{B5946137-7B9F-4925-AF80-51ABD60B20D5}|"
        "--context|client-accessible-writers|--keep|60d|--attribute|transportable|--attribute|differential");
    assert_int_equal(create->backup_type, PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_INCREMENTAL));
    assert_true(create->allow_types_without_components && create->bootable && create->partial_files);
    assert_true(create->add_needed_volumes && create->retry_without_failed);
    assert_int_equal(create->complete_within_ms, 1800000);
    assert_int_equal(create->n_phase_timeouts, 2);
    assert_int_equal(create->phase_timeouts[0]->phase, PB_PHASE(PREPARING));
    assert_int_equal(create->phase_timeouts[0]->timeout_ms, 120000);
    assert_int_equal(create->phase_timeouts[1]->phase, PB_PHASE(WAITING_FOR_GATE));
    assert_string_equal(create->providers[0], "b5946137-7b9f-4925-af80-51abd60b20d5");
    assert_int_equal(create->context, PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS));
    assert_true(create->keep_ms == UINT64_C(60) * 86400000);
    assert_int_equal(create->attributes, 0x20020);
    assert_false(create->with_documents);
    assert_true(made("snapshot|-v|C:|--save-documents|d")->with_documents);
}

static void commands_around_the_freeze_ask_for_a_hold_point(void **state)
{
    (void)state;
    assert_int_equal(made("snapshot|-v|C:")->n_hold_points, 0);
    static const char *const lines[] = {"snapshot|-v|C:|--before-freeze|a & b",
                                        "run|-v|C:|--after-thaw|b|--|c"};
    for (size_t i = 0; i < 2; i++) {
        const PB(CreateSnapshot) *create = made(lines[i]);
        assert_int_equal(create->n_hold_points, 1);
        assert_int_equal(create->hold_points[0]->kind, PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED));
    }
    assert_string_equal(arguments.after_thaw, "b");
}

static void the_short_forms_are_contexts(void **state)
{
    (void)state;
    assert_int_equal(made("snapshot|-v|C:")->context, PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED));
    assert_int_equal(made("snapshot|-v|C:|--no-writers")->context,
                     PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP));
    assert_int_equal(made("snapshot|-v|C:|--persistent")->context, PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK));
    assert_int_equal(made("snapshot|-v|C:|--persistent|--no-writers|--keep|12h")->context,
                     PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK));
}

static void components_have_three_parts(void **state)
{
    static const struct {
        const char *value;
        const char *writer;
        const char *path;
        const char *name;
    } cases[] = {
        {"System Writer:System Files", "System Writer", "", "System Files"},
        {"SqlServerWriter:HOST\\INSTANCE\\db", "SqlServerWriter", "HOST\\INSTANCE", "db"},
        {"W:\\System Files", "W", "", "System Files"},
        {"W:\\a\\b\\c", "W", "a\\b", "c"},
        {"W:a\\b\\\\c", "W", "a", "b\\c"},
        {"W:\\\\server\\name", "W", "\\server", "name"},
        {"W:a:b=c", "W", "", "a:b=c"},
        {"{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}:x", "{66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}", "", "x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[200];
        (void)snprintf(line, sizeof line, "check|-v|C:|--component|%s", cases[i].value);
        const PB(CreateSnapshot) *create = made(line);
        assert_int_equal(create->n_components, 1);
        assert_string_equal(create->components[0]->writer, cases[i].writer);
        assert_string_equal(create->components[0]->logical_path, cases[i].path);
        assert_string_equal(create->components[0]->name, cases[i].name);
    }
    refuse("check|-v|C:|--component|System Writer", "WRITER:NAME");
    refuse("check|-v|C:|--component|:x", "WRITER:NAME");
    refuse("check|-v|C:|--component|W:", "WRITER:NAME");
    refuse("check|-v|C:|--component|W:path\\", "WRITER:NAME");
}

static void stamps_go_to_their_component(void **state)
{
    (void)state;
    const PB(CreateSnapshot) *create = made(
        "check|-v|C:|--component|W:a|--component|W:a=b|--previous-stamp|W:a=1=2|--previous-stamp|W:a=b=3");
    assert_string_equal(create->components[0]->previous_stamp, "1=2");
    assert_string_equal(create->components[1]->previous_stamp, "3");
    refuse("check|-v|C:|--component|W:a|--previous-stamp|W:b=1", "--previous-stamp");
    refuse("check|-v|C:|--component|W:a|--previous-stamp|W:a=", "--previous-stamp");
    refuse("check|-v|C:|--component|W:a|--previous-stamp|W:a", "--previous-stamp");
}

static void what_does_not_belong_together_is_named(void **state)
{
    (void)state;
    refuse("check|-v|C:|--type|weekly", "write full, incremental, differential, log, copy or other");
    refuse("check|-v|C:|--type|full|--type|log", "twice");
    refuse("check|-v|C:|--attribute|imported", "transportable");
    refuse("check|-v|C:|--attribute|hardware-assisted", "transportable"); /* VSS alone sets it */
    refuse("check|-v|C:|--attribute|autorecover", "transportable");
    refuse("check|-v|C:|--phase-timeout|preparing", "preparing=2m");
    refuse("check|-v|C:|--phase-timeout|resting=1m", "resting=1m");
    refuse("check|-v|C:|--phase-timeout|unspecified=1m", "unspecified=1m");
    refuse("check|-v|C:|--phase-timeout|preparing=0", "preparing=0");
    refuse("check|-v|C:|--provider|Microsoft", "--provider");
    refuse("check|-v|C:|--context|backup|--persistent", "--context");
    refuse("check|-v|C:|--context|backup|--no-writers", "--context");
    refuse("check|-v|C:|--keep|7d", "--persistent");
    refuse("check|-v|C:|--persistent|--keep|0", "--keep");
    refuse("check|-v|C:|--persistent|--keep|200000d", "--keep");
    refuse("check|-v|C:|--no-writers|--component|W:a", "--component");
    refuse("check|-v|C:|--context|client-accessible|--require|W", "--require");
    refuse("check", "needs a volume");
    refuse("check|-v|C:|--hold|1s", "--hold");
    refuse("snapshot|-v|C:|--manifest|m", "--component");
    refuse("run|--attach|x|-v|C:|--|cmd", "--attach");
    refuse("run|--attach|x|--type|full|--|cmd", "--attach");
    assert_true(parse(
        "run|--attach|x|--as|X:|--mount|C:\\m|--name|n|--timeout|1m|--ok-codes|0|--warn-codes|1|--|cmd"));
    refuse("attach", "--snapshot");
    assert_true(parse("attach|--snapshot|\\\\?\\GLOBALROOT\\Device\\X|--hold|1s|--as|X:"));
    refuse("check|-v|C:|--before-freeze|x", "--before-freeze");
    refuse("run|--attach|1|--after-thaw|x|--|c", "the snapshot exists");
    refuse("snapshot|-v|C:|--before-freeze|a\nb", "one line");
}

static void the_commands_for_what_exists_check_theirs(void **state)
{
    static const char id[] = "{3808876B-C176-4E48-B7AE-04046E6CC752}";
    char line[200];
    (void)state;
    assert_true(parse("list|-v|C:|--older-than|7d|--owner|S-1-5-18|--purpose|p|--set|"
                      "3808876b-c176-4e48-b7ae-04046e6cc752"));
    assert_true(arguments.older_than_ms == UINT64_C(7) * 86400000);
    assert_string_equal(arguments.set_id, "3808876b-c176-4e48-b7ae-04046e6cc752");
    refuse("list|-v|C:|-v|D:", "twice");
    refuse("list|--snapshot|x", "--snapshot");
    refuse("list|--set|x", "--set");
    refuse("delete", "exactly one");
    refuse("delete|-v|C:|--all-mine", "exactly one");
    refuse("delete|-v|C:|-v|D:", "exactly one");
    refuse("delete|--all-mine|--oldest", "--oldest");
    assert_true(parse("delete|-v|C:|--oldest|--dry-run|--force|-y"));
    refuse("expose|--as|X:", "--snapshot");
    (void)snprintf(line, sizeof line, "expose|--snapshot|%s|--as|X:|--share|s", id);
    refuse(line, "exactly one");
    (void)snprintf(line, sizeof line, "expose|--snapshot|%s|--as|C:=X:", id);
    refuse(line, "write X:");
    (void)snprintf(line, sizeof line, "expose|--snapshot|%s|--as|X:|--sub-path|a", id);
    refuse(line, "--sub-path");
    (void)snprintf(line, sizeof line, "expose|--snapshot|%s|--share|s|--sub-path|a", id);
    assert_true(parse(line));
    refuse("unexpose", "--snapshot");
    refuse("revert|--force-dismount", "--snapshot");
    refuse("break|--yes", "--set");
    refuse("import|--yes", "--document");
    (void)snprintf(line, sizeof line, "break|--set|%s|--flag|mask-luns|--flag|make-read-write", id);
    assert_true(parse(line));
    assert_int_equal(arguments.break_flags, 3);
}

static void ids_have_one_form(void **state)
{
    char guid[ID_CHARS];
    (void)state;
    assert_true(guid_parse("{3808876B-C176-4E48-B7AE-04046E6CC752}", guid));
    assert_string_equal(guid, "3808876b-c176-4e48-b7ae-04046e6cc752");
    assert_false(guid_parse("3808876B-C176-4E48-B7AE-04046E6CC75", guid));
    assert_false(guid_parse("{3808876B-C176-4E48-B7AE-04046E6CC752]", guid));
    assert_false(guid_parse("3808876BXC176-4E48-B7AE-04046E6CC752", guid));
    assert_false(guid_parse("3808876G-C176-4E48-B7AE-04046E6CC752", guid));
    assert_false(guid_parse("", guid));
}

static void detached_leases_are_asked_for(void **state)
{
    (void)state;
    const PB(CreateSnapshot) *create = made("snapshot|-v|C:|--detach|--ttl|10m|--job-key|k");
    assert_non_null(create->lease);
    assert_int_equal(create->lease->mode, PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED));
    assert_int_equal(create->lease->ttl_ms, 600000);
    assert_string_equal(create->job_key, "k");
    create = made("run|-v|C:|--job-key|other|--|cmd");
    assert_null(create->lease);
    assert_string_equal(create->job_key, "other");
    assert_true(parse("renew|--lease|l|--token|t|--ttl|90s"));
    assert_int_equal(arguments.command, COMMAND_RENEW);
    assert_int_equal(arguments.ttl_ms, 90000);
    assert_true(parse("finish|--lease|l|--token|t|--failed") && arguments.failed);
    assert_true(parse("leases|--all") && arguments.all);
    refuse("snapshot|-v|C:|--ttl|10m", "--ttl is for --detach");
    refuse("snapshot|-v|C:|--detach|--hold|1s", "--detach does not go with");
    refuse("snapshot|-v|C:|--detach|--as|X:", "--detach does not go with");
    refuse("run|-v|C:|--detach|--|cmd", "no option --detach");
    refuse("renew|--lease|l", "--token TOKEN");
    refuse("finish|--token|t", "--lease ID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_option_reaches_the_request, begin, forget),
        cmocka_unit_test_setup_teardown(commands_around_the_freeze_ask_for_a_hold_point, begin, forget),
        cmocka_unit_test_setup_teardown(the_short_forms_are_contexts, begin, forget),
        cmocka_unit_test_setup_teardown(components_have_three_parts, begin, forget),
        cmocka_unit_test_setup_teardown(stamps_go_to_their_component, begin, forget),
        cmocka_unit_test_setup_teardown(what_does_not_belong_together_is_named, begin, forget),
        cmocka_unit_test_setup_teardown(the_commands_for_what_exists_check_theirs, begin, forget),
        cmocka_unit_test_setup_teardown(detached_leases_are_asked_for, begin, forget),
        cmocka_unit_test(ids_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
