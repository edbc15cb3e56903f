#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "tests/unit/cmocka_all.h"

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        uint32_t ms;
    } good[] = {{"30s", 30000},        {"5m", 300000},     {"90", 90000},
                {"250ms", 250},        {"1h30m", 5400000}, {"2d", 172800000},
                {"1m30s500ms", 90500}, {"0", 0},           {"4294967s", 4294967000u}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint32_t ms = 1;
        assert_true(duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
}

static void durations_refuse_the_rest(void **state)
{
    static const char *const bad[] = {
        "",     "s", "-5s", "5x", "5 s", "1m2h", "1s1s", "1m30", "30s ", "50d", "99999999999999999999s",
        "1.5h", "5S"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t ms;
        assert_false(duration_parse(bad[i], &ms));
    }
}

static void codes_have_ranges(void **state)
{
    struct code_list codes;
    (void)state;
    assert_true(codes_parse("0-7,16", &codes));
    assert_true(codes_contain(&codes, 0));
    assert_true(codes_contain(&codes, 7));
    assert_true(codes_contain(&codes, 16));
    assert_false(codes_contain(&codes, 8));
    assert_false(codes_contain(&codes, 17));
}

static void codes_reach_all_of_32_bits(void **state)
{
    struct code_list codes;
    (void)state;
    assert_true(codes_parse("0xC0000005", &codes));
    assert_true(codes_contain(&codes, 0xC0000005u));
    assert_true(codes_parse("-1", &codes));
    assert_true(codes_contain(&codes, UINT32_MAX));
    assert_true(codes_parse("-2147483648", &codes));
    assert_true(codes_contain(&codes, 0x80000000u));
    assert_true(codes_parse("-0", &codes));
    assert_true(codes_contain(&codes, 0));
    assert_true(codes_parse("-5--1", &codes));
    assert_true(codes_contain(&codes, UINT32_MAX - 2));
    assert_true(codes_parse("1-4294967295", &codes));
    assert_false(codes_contain(&codes, 0));
}

static void codes_refuse_the_rest(void **state)
{
    static const char *const bad[] = {"",   ",",          "1,",  "7-0",         "1-",          "a",
                                      "0x", "4294967296", "1 2", "0x100000000", "-2147483649", "0-3-5"};
    struct code_list codes;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(codes_parse(bad[i], &codes));
}

static void codes_are_bounded(void **state)
{
    char many[4 * (CODE_RANGES_MAX + 1)] = "";
    struct code_list codes;
    (void)state;
    for (size_t i = 0; i < CODE_RANGES_MAX; i++) {
        many[2 * i] = '1';
        many[2 * i + 1] = ',';
    }
    many[2 * CODE_RANGES_MAX - 1] = 0;
    assert_true(codes_parse(many, &codes));
    many[2 * CODE_RANGES_MAX - 1] = ',';
    many[2 * CODE_RANGES_MAX] = '1';
    assert_false(codes_parse(many, &codes));
}

static void failures_have_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(3, "ANY", false), OUTCOME_USAGE);
    assert_int_equal(outcome_of(3, "ANY", true), OUTCOME_VSS_FAILED); /* E_INVALIDARG of VSS */
    assert_int_equal(outcome_of(5, "ANY", false), OUTCOME_USAGE);
    assert_int_equal(outcome_of(11, "ANY", false), OUTCOME_USAGE);
    assert_int_equal(outcome_of(14, "NO_SERVICE", false), OUTCOME_NO_SERVICE);
    assert_int_equal(outcome_of(14, "PIPE_BUSY", false), OUTCOME_NO_SERVICE);
    assert_int_equal(outcome_of(14, "CONNECTION_LOST", false), OUTCOME_NO_SERVICE);
    assert_int_equal(outcome_of(14, "SHUTTING_DOWN", false), OUTCOME_NO_SERVICE);
    assert_int_equal(outcome_of(14, "QUEUE_TIMEOUT", false), OUTCOME_DEADLINE);
    assert_int_equal(outcome_of(14, "QUEUE_TIMEOUT", true), OUTCOME_DEADLINE);
    assert_int_equal(outcome_of(14, "REQUESTER_DIED", false), OUTCOME_FAILED);
    assert_int_equal(outcome_of(14, "ANY", true), OUTCOME_VSS_FAILED);
    assert_int_equal(outcome_of(7, "ANY", false), OUTCOME_NOT_PERMITTED);
    assert_int_equal(outcome_of(16, "ANY", false), OUTCOME_NOT_PERMITTED);
    assert_int_equal(outcome_of(4, "ANY", false), OUTCOME_DEADLINE);
    assert_int_equal(outcome_of(4, "ANY", true), OUTCOME_DEADLINE);
    assert_int_equal(outcome_of(1, "ANY", false), OUTCOME_FAILED);
    assert_int_equal(outcome_of(13, "ANY", false), OUTCOME_FAILED);
    assert_int_equal(OUTCOME_RUN_OFFSET + OUTCOME_FAILED, 120);
    assert_int_equal(OUTCOME_RUN_OFFSET + OUTCOME_PARTIAL, 126);
}

static void run_passes_the_code_of_its_program(void **state)
{
    (void)state;
    assert_int_equal(outcome_of_run(true, true, 0, OUTCOME_DONE), 0);
    assert_int_equal(outcome_of_run(true, true, 3, OUTCOME_DONE), 3); /* by --ok-codes */
    assert_int_equal(outcome_of_run(true, false, 3, OUTCOME_DONE), 3);
    assert_int_equal(outcome_of_run(true, false, 3, OUTCOME_NO_SERVICE), 3);
    assert_int_equal(outcome_of_run(true, false, 0, OUTCOME_DONE),
                     120); /* interrupted, or --ok-codes without 0 */
    assert_int_equal(outcome_of_run(true, true, 0, OUTCOME_VSS_FAILED), 124);
    assert_int_equal(outcome_of_run(true, true, 3, OUTCOME_PARTIAL), 126);
    assert_int_equal(outcome_of_run(false, false, 0, OUTCOME_USAGE), 121);
    assert_int_equal(outcome_of_run(true, false, 0xC0000005u, OUTCOME_DONE), (int)0xC0000005u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),     cmocka_unit_test(durations_refuse_the_rest),
        cmocka_unit_test(codes_have_ranges),        cmocka_unit_test(codes_reach_all_of_32_bits),
        cmocka_unit_test(codes_refuse_the_rest),    cmocka_unit_test(codes_are_bounded),
        cmocka_unit_test(failures_have_exit_codes), cmocka_unit_test(run_passes_the_code_of_its_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
