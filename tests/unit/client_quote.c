#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#include <shellapi.h>
#endif

#include "client/cli/quote.h"
#include "tests/unit/cmocka_all.h"

static void check(const char *argument, const char *expected)
{
    struct text line = {0};
    quote_argument(&line, argument);
    assert_string_equal(text_string(&line), expected);
    text_free(&line);
}

static void backslashes_count_before_quotes_only(void **state)
{
    (void)state;
    check("plain", "plain");
    check("", "\"\"");
    check("a b", "\"a b\"");
    check("C:\\dir\\", "C:\\dir\\");
    check("C:\\a b\\", "\"C:\\a b\\\\\"");
    check("say \"hi\"", "\"say \\\"hi\\\"\"");
    check("a\\\"b", "\"a\\\\\\\"b\"");
    check("\\\\", "\\\\");
}

#ifdef _WIN32
static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* The system's own parser gives back what was quoted, whatever it was. */
static void quoting_survives_the_system(void **state)
{
    static const char letters[] = "a\\\" \t";
    unsigned seed = 1;
    (void)state;
    for (int round = 0; round < 5000; round++) {
        char argument[12] = "";
        struct text line = {0};
        size_t length = next_random(&seed) % (sizeof argument - 1);
        for (size_t i = 0; i < length; i++)
            argument[i] = letters[next_random(&seed) % (sizeof letters - 1)];
        text_add(&line, "\"program\" ");
        quote_argument(&line, argument);
        text_add(&line, " last");
        wchar_t wide[256];
        char back[256];
        int count = 0;
        assert_true(MultiByteToWideChar(CP_UTF8, 0, text_string(&line), -1, wide, 256) > 0);
        wchar_t **parsed = CommandLineToArgvW(wide, &count);
        assert_non_null(parsed);
        assert_int_equal(count, 3);
        assert_true(WideCharToMultiByte(CP_UTF8, 0, parsed[1], -1, back, sizeof back, NULL, NULL) > 0);
        assert_string_equal(back, argument);
        LocalFree(parsed);
        text_free(&line);
    }
}
#endif

static void the_shell_keeps_quotes(void **state)
{
    struct text line = {0};
    (void)state;
    quote_for_shell(&line, "/c");
    text_add(&line, " ");
    quote_for_shell(&line, "dir \"X:\\a b\" > out");
    assert_string_equal(text_string(&line), "/c \"dir \"X:\\a b\" > out\"");
    text_clear(&line);
    quote_for_shell(&line, "");
    assert_string_equal(text_string(&line), "\"\"");
    text_free(&line);
}

static void batch_files_get_no_dangerous_arguments(void **state)
{
    static const char *const dangerous[] = {"%PATH%", "a\"b", "a\nb", "a\rb"};
    struct text line = {0};
    (void)state;
    for (size_t i = 0; i < sizeof dangerous / sizeof *dangerous; i++)
        assert_false(quote_for_batch(&line, dangerous[i]));
    text_clear(&line);
    assert_true(quote_for_batch(&line, "a&b"));
    assert_string_equal(text_string(&line), "\"a&b\"");
    text_clear(&line);
    assert_true(quote_for_batch(&line, "X:\\dir"));
    assert_string_equal(text_string(&line), "X:\\dir");
    text_clear(&line);
    assert_true(quote_for_batch(&line, ""));
    assert_string_equal(text_string(&line), "\"\"");
    text_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backslashes_count_before_quotes_only),
#ifdef _WIN32
        cmocka_unit_test(quoting_survives_the_system),
#endif
        cmocka_unit_test(the_shell_keeps_quotes),
        cmocka_unit_test(batch_files_get_no_dangerous_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
