/* The portable side of `session`: lines, aliases, calls by the descriptors, and the choice of components. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/call_text.h"
#include "client/cli/json.h"
#include "client/cli/script.h"
#include "client/cli/selection.h"
#include "tests/unit/cmocka_all.h"

static struct aliases aliases;
static struct words words;
static struct text problem;

static bool look_up(const char *name, struct text *value)
{
    if (strcmp(name, "TEMP") != 0)
        return false;
    text_add(value, "C:\\Temp dir");
    return true;
}

static int forget(void **state)
{
    (void)state;
    words_free(&words);
    aliases_clear(&aliases);
    aliases.lookup = NULL;
    text_free(&problem);
    return 0;
}

static void expect_words(const char *line, size_t count, const char *const *wanted)
{
    words_free(&words);
    text_free(&problem);
    if (!script_split(line, &aliases, &words, &problem))
        fail_msg("\"%s\": %s", line, text_string(&problem));
    assert_int_equal(words.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(words.items[i], wanted[i]);
}

#define EXPECT(line, ...) \
    expect_words(line, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void expect_refusal(const char *line, const char *part)
{
    words_free(&words);
    text_free(&problem);
    assert_false(script_split(line, &aliases, &words, &problem));
    assert_int_equal(words.count, 0);
    if (!strstr(text_string(&problem), part))
        fail_msg("\"%s\" gives \"%s\", which lacks \"%s\"", line, text_string(&problem), part);
}

static void lines_become_words(void **state)
{
    (void)state;
    EXPECT("add volume C:", "add", "volume", "C:");
    EXPECT("  a\t b \r", "a", "b");
    EXPECT("exec \"C:\\Program Files\\x.cmd\" \"\" a\"b c\"d", "exec", "C:\\Program Files\\x.cmd", "",
           "ab cd");
    EXPECT("say \"he said \"\"no\"\"\"", "say", "he said \"no\"");
    EXPECT("path C:\\dir\\", "path", "C:\\dir\\");
    expect_refusal("exec \"open", "quote");
}

static void comments_say_nothing(void **state)
{
    static const char *const lines[] = {"",           "   ", "# create", "  #create",
                                        "REM create", "rem", "\t\r\n",   "-"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_words(lines[i], 0, NULL);
    EXPECT("remove x", "remove", "x");
    EXPECT("exec #1", "exec", "#1");
}

static void a_minus_allows_failure(void **state)
{
    (void)state;
    EXPECT("- create", "create");
    assert_true(words.may_fail);
    EXPECT("-create", "create");
    assert_true(words.may_fail);
    EXPECT("create -x", "create", "-x");
    assert_false(words.may_fail);
}

static void too_many_words(void **state)
{
    struct text line = {0};
    (void)state;
    for (size_t i = 0; i <= WORDS_MAX; i++)
        text_add(&line, "w ");
    expect_refusal(text_string(&line), "512");
    text_free(&line);
}

static void aliases_stay_in_their_word(void **state)
{
    (void)state;
    aliases.lookup = look_up;
    assert_true(aliases_set(&aliases, "Vol", "a b"));
    assert_true(aliases_set(&aliases, "VSS_SHADOW_1", "id-1"));
    EXPECT("x %vol% \"%VOL%\\y\" %TEMP%", "x", "a b", "a b\\y", "C:\\Temp dir");
    EXPECT("%vss_shadow_1% 100%%", "id-1", "100%");
    assert_true(aliases_set(&aliases, "VOL", "c"));
    assert_int_equal(aliases.count, 2);
    EXPECT("%Vol%", "c");
    assert_string_equal(aliases_name_of(&aliases, "ID-1"), "VSS_SHADOW_1");
    assert_null(aliases_name_of(&aliases, "id-2"));
    expect_refusal("delete shadows set %typo%", "%typo%");
    expect_refusal("x %half", "second");
    expect_refusal("x %a b%", "second"); /* a name has no blank: the word ends there */
}

static void names_of_aliases(void **state)
{
    (void)state;
    assert_true(alias_is_name("VSS_SHADOW_1") && alias_is_name("a.b-c"));
    assert_false(alias_is_name("") || alias_is_name("a b") || alias_is_name("a%") || alias_is_name("a=b"));
}

static void only_utf8_is_text(void **state)
{
    (void)state;
    assert_true(script_is_text("Gr\xC3\xB6\xC3\x9F"
                               "e \xE5\xA4\xA7 \xF0\x9F\x98\x80",
                               16));
    assert_true(script_is_text("", 0));
    assert_false(script_is_text("a\0b", 3));
    assert_false(script_is_text("\xFC"
                                "ber",
                                4)); /* a code page */
    assert_false(script_is_text("\xFF\xFE"
                                "a",
                                3));                     /* UTF-16 */
    assert_false(script_is_text("\xC3", 1));             /* cut off */
    assert_false(script_is_text("\xE0\x80\x80", 3));     /* longer than it need be */
    assert_false(script_is_text("\xED\xA0\x80", 3));     /* a surrogate */
    assert_false(script_is_text("\xF4\x90\x80\x80", 4)); /* behind the last plane */
    assert_false(script_is_text("\xC3\x41", 2));
}

/* ---- call ---- */

static PB(Call) call = SHADOWPIPE__V1__CALL__INIT;

static bool parse_call(const char *line)
{
    words_free(&words);
    text_free(&problem);
    call_text_free(&call);
    shadowpipe__v1__call__init(&call);
    assert_true(script_split(line, &aliases, &words, &problem));
    return call_text_parse(words.items, words.count, &call, &problem);
}

static void expect_call(const char *line, const char *json)
{
    struct text text = {0};
    if (!parse_call(line))
        fail_msg("\"%s\": %s", line, text_string(&problem));
    assert_true(json_add_message(&text, &call.base));
    assert_string_equal(text_string(&text), json);
    text_free(&text);
    call_text_free(&call);
}

static void refuse_call(const char *line, const char *part)
{
    assert_false(parse_call(line));
    if (!strstr(text_string(&problem), part))
        fail_msg("\"%s\" gives \"%s\", which lacks \"%s\"", line, text_string(&problem), part);
    call_text_free(&call);
}

static void calls_by_their_descriptors(void **state)
{
    (void)state;
    expect_call("GatherWriterMetadata", "{\"gatherWriterMetadata\":{}}");
    expect_call("setContext context=-1", "{\"setContext\":{\"context\":4294967295}}");
    expect_call("SET_CONTEXT Context=0x1D wait_ms=500", "{\"waitMs\":500,\"setContext\":{\"context\":29}}");
    expect_call("SetBackupState select_components=yes backupType=5 bootable_system_state=off",
                "{\"setBackupState\":{\"selectComponents\":true,\"backupType\":5}}");
    expect_call("AddToSnapshotSet volume=C:\\ volume=D:\\", "{\"addToSnapshotSet\":{\"volume\":\"D:\\\\\"}}");
    expect_call(
        "DisableWriterClasses writer_ids={11111111-2222-3333-4444-555555555555} writer_ids=b",
        "{\"disableWriterClasses\":{\"writerIds\":[\"11111111-2222-3333-4444-555555555555\",\"b\"]}}");
    expect_call("AddComponent component.writer_id=w component.type=file_group \"component.name=a=b c\"",
                "{\"addComponent\":{\"component\":{\"writerId\":\"w\",\"type\":\"COMPONENT_TYPE_FILE_GROUP\","
                "\"name\":\"a=b c\"}}}");
    expect_call("AddComponent component.type=COMPONENT_TYPE_DATABASE",
                "{\"addComponent\":{\"component\":{\"type\":\"COMPONENT_TYPE_DATABASE\"}}}");
    expect_call("AddComponent component.type=2",
                "{\"addComponent\":{\"component\":{\"type\":\"COMPONENT_TYPE_FILE_GROUP\"}}}");
    expect_call("DeleteSnapshots object_id=x object_type=3 force=true",
                "{\"deleteSnapshots\":{\"objectId\":\"x\",\"objectType\":3,\"force\":true}}");
}

static void calls_that_cannot_be(void **state)
{
    (void)state;
    refuse_call("NoSuchMethod", "no method");
    refuse_call("SessionId", "no method"); /* a field of Call, and no method */
    refuse_call("ReleaseObject", "no method");
    refuse_call("SetContext context", "KEY=VALUE");
    refuse_call("SetContext contexts=1", "no parameter \"contexts\"");
    refuse_call("SetContext context=4294967296", "32 bits");
    refuse_call("SetContext context=12x", "32 bits");
    refuse_call("SetContext context=-2147483649", "32 bits");
    refuse_call("SetContext context=0x", "32 bits");
    refuse_call("SetContext context.x=1", "no dot");
    refuse_call("SetBackupState select_components=maybe", "true or false");
    refuse_call("AddComponent component=x", "behind a dot");
    refuse_call("AddComponent component.type=TABLE", "one of the values");
    refuse_call("AddComponent component.type=9", "one of the values");
    refuse_call("GatherWriterMetadata wait_ms=soon", "32 bits");
}

/* All of VSS's slots, 3 to 64, and the free functions. */
static void every_slot_has_its_call(void **state)
{
    size_t slots = 0;
    (void)state;
    for (unsigned id = 3; id <= 64; id++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, id);
        assert_non_null(field);
        assert_true(parse_call(field->name));
        assert_int_equal(call.method_case, id);
        struct text name = {0};
        call_text_method(&call, &name);
        char *copy = strdup(text_string(&name));
        assert_true(copy && parse_call(copy)); /* as VSS spells it */
        assert_int_equal(call.method_case, id);
        free(copy);
        text_free(&name);
        slots++;
    }
    call_text_free(&call);
    assert_int_equal(slots, 62);
}

static void calls_are_listed(void **state)
{
    struct text text = {0};
    (void)state;
    assert_true(call_text_list(NULL, &text));
    assert_non_null(strstr(text_string(&text), "call SaveAsXML\n"));
    assert_non_null(strstr(text_string(&text), "call DeleteSnapshots [object_id=TEXT]"));
    assert_non_null(
        strstr(text_string(&text), "[component.type=COMPONENT_TYPE_UNSPECIFIED|COMPONENT_TYPE_DATABASE|"));
    text_clear(&text);
    assert_true(call_text_list("setcontext", &text));
    assert_string_equal(text_string(&text), "  call SetContext [context=NUMBER]\n");
    assert_false(call_text_list("nothing", &text));
    text_free(&text);
}

/* ---- components ---- */

enum {
    PARTS_MAX = 8
};

struct test_writer {
    PB(Writer) writer;
    PB(WriterStatus) status;
    PB(Component) components[PARTS_MAX];
    PB(Component) * pointers[PARTS_MAX];
    char *roots[PARTS_MAX];
};

static void make_writer(struct test_writer *made, const char *name, const char *id)
{
    shadowpipe__v1__writer__init(&made->writer);
    shadowpipe__v1__writer_status__init(&made->status);
    made->status.name = (char *)name;
    made->status.writer_id = (char *)id;
    made->status.instance_id = (char *)"99999999-0000-0000-0000-000000000000";
    made->writer.status = &made->status;
    made->writer.components = made->pointers;
    made->writer.n_components = 0;
}

static void give(struct test_writer *made, const char *logical_path, const char *name, bool selectable,
                 const char *root)
{
    size_t at = made->writer.n_components++;
    PB(Component) *component = &made->components[at];
    shadowpipe__v1__component__init(component);
    component->logical_path = (char *)logical_path;
    component->name = (char *)name;
    component->selectable = selectable;
    made->roots[at] = (char *)root;
    component->roots = &made->roots[at];
    component->n_roots = root ? 1 : 0;
    made->pointers[at] = component;
}

static bool on_c(const void *context, const char *directory)
{
    (void)context;
    return directory[0] == 'C';
}

static const char ID_A[] = "aaaaaaaa-0000-0000-0000-000000000000";

/* What is taken in, spelled and separated by ';'. */
static void expect_choice(const struct test_writer *made, const char *excluded, const char *wanted)
{
    struct selection selection = {0};
    struct strings left_out = {0};
    struct text spelled = {0};
    PB(Writer) * writers[] = {(PB(Writer) *)&made->writer};
    if (excluded)
        assert_true(strings_add(&left_out, excluded));
    assert_true(selection_of_all(&selection, writers, 1, &left_out, on_c, NULL));
    for (size_t i = 0; i < selection.count; i++) {
        text_add(&spelled, i ? ";" : "");
        chosen_spell(&selection.items[i], &spelled);
    }
    assert_string_equal(text_string(&spelled), wanted);
    text_free(&spelled);
    strings_clear(&left_out);
    selection_clear(&selection);
}

static void the_topmost_whole_ones_are_chosen(void **state)
{
    struct test_writer made;
    (void)state;
    make_writer(&made, "Store", ID_A);
    give(&made, "", "Server", true, NULL);
    give(&made, "Server", "One", true, "C:\\one");
    give(&made, "Server", "Two", false, "C:\\two");
    give(&made, "", "Other", true, "C:\\other");
    expect_choice(&made, NULL, "Store:\\Server;Store:\\Other");
    expect_choice(&made, "store:\\other", "Store:\\Server");
    /* A part is left out: the whole is not; what cannot be selected alone comes only with it. */
    expect_choice(&made, "Store:\\Server\\One", "Store:\\Other");
    expect_choice(&made, "Store:\\Server\\Two", "Store:\\Server\\One;Store:\\Other");
    expect_choice(&made, "Store", "");
    expect_choice(&made, "{AAAAAAAA-0000-0000-0000-000000000000}", "");
    expect_choice(&made, "99999999-0000-0000-0000-000000000000", "");
    expect_choice(&made, "{aaaaaaaa-0000-0000-0000-000000000000}:\\Other", "Store:\\Server");
    expect_choice(&made, "Stor", "Store:\\Server;Store:\\Other");
}

static void what_lies_elsewhere_is_not_chosen(void **state)
{
    struct test_writer made;
    (void)state;
    make_writer(&made, "Store", ID_A);
    give(&made, "", "Server", true, "C:\\s");
    give(&made, "Server", "Far", true, "D:\\far");
    give(&made, "Server", "Near", true, "C:\\near");
    give(&made, "", "Serverx", true, "C:\\x"); /* not below Server */
    expect_choice(&made, NULL, "Store:\\Server\\Near;Store:\\Serverx");
}

static void a_writer_without_what_it_must_have_is_not_chosen(void **state)
{
    struct test_writer made;
    (void)state;
    make_writer(&made, "Store", ID_A);
    give(&made, "", "Must", false, "D:\\must");
    give(&made, "", "May", true, "C:\\may");
    expect_choice(&made, NULL, "");
    made.roots[0] = (char *)"C:\\must";
    expect_choice(&made, NULL, "Store:\\Must;Store:\\May");
}

static void one_component_by_name(void **state)
{
    struct test_writer made;
    struct selection selection = {0};
    PB(ComponentRef) reference;
    (void)state;
    make_writer(&made, "Store", ID_A);
    give(&made, "\\Server", "One", true, "C:\\one");
    PB(Writer) * writers[] = {&made.writer};
    assert_true(selection_of_one(&selection, writers, 1, "STORE:\\server\\one", &problem));
    assert_false(selection_of_one(&selection, writers, 1, "Store:\\One", &problem));
    assert_non_null(strstr(text_string(&problem), "Store:\\One"));
    assert_true(selection_has(&selection, "Store") && selection_has(&selection, "Store:\\Server\\One"));
    assert_false(selection_has(&selection, "Other") || selection_has(&selection, "Store:\\Server"));
    assert_true(selection_has_writer(&selection, ID_A, "") && !selection_has_writer(&selection, "b", ""));
    assert_false(selection_has_writer(&selection, ID_A, "another instance"));
    assert_non_null(selection_find(&selection, "{AAAAAAAA-0000-0000-0000-000000000000}:\\Server\\One"));
    assert_null(selection_find(&selection, "Store"));
    chosen_refer(&selection.items[0], &reference);
    assert_string_equal(reference.logical_path, "\\Server");
    assert_string_equal(reference.writer_id, ID_A);
    selection_clear(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_become_words, forget),
        cmocka_unit_test_teardown(comments_say_nothing, forget),
        cmocka_unit_test_teardown(a_minus_allows_failure, forget),
        cmocka_unit_test_teardown(too_many_words, forget),
        cmocka_unit_test_teardown(aliases_stay_in_their_word, forget),
        cmocka_unit_test_teardown(names_of_aliases, forget),
        cmocka_unit_test_teardown(only_utf8_is_text, forget),
        cmocka_unit_test_teardown(calls_by_their_descriptors, forget),
        cmocka_unit_test_teardown(calls_that_cannot_be, forget),
        cmocka_unit_test_teardown(every_slot_has_its_call, forget),
        cmocka_unit_test_teardown(calls_are_listed, forget),
        cmocka_unit_test_teardown(the_topmost_whole_ones_are_chosen, forget),
        cmocka_unit_test_teardown(what_lies_elsewhere_is_not_chosen, forget),
        cmocka_unit_test_teardown(a_writer_without_what_it_must_have_is_not_chosen, forget),
        cmocka_unit_test_teardown(one_component_by_name, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
