#include "host_support.h"

#include "service/host/eventlog.h"
#include "service/host/machine.h"

static void test_a_flood_is_cut_and_counted(void **state)
{
    (void)state;
    struct eventlog_budget budget = {0};
    unsigned suppressed = 99;
    int written = 0;
    ULONGLONG now = 1000;
    for (int i = 0; i < 10000; i++) {
        written += eventlog_allow(&budget, now, &suppressed);
    }
    assert_int_equal(written, EVENTLOG_BURST);
    assert_true(eventlog_allow(&budget, now + EVENTLOG_REFILL_MS, &suppressed));
    assert_int_equal(suppressed, 10000 - EVENTLOG_BURST);
    assert_false(eventlog_allow(&budget, now + EVENTLOG_REFILL_MS, &suppressed));
}

static void test_a_quiet_time_refills_to_the_burst_only(void **state)
{
    (void)state;
    struct eventlog_budget budget = {0};
    unsigned suppressed;
    int written = 0;
    assert_true(eventlog_allow(&budget, 1, &suppressed));
    for (int i = 0; i < 1000; i++) {
        written += eventlog_allow(&budget, 1000ULL * EVENTLOG_REFILL_MS, &suppressed);
    }
    assert_int_equal(written, EVENTLOG_BURST);
}

static void test_only_the_native_machine_will_do(void **state)
{
    (void)state;
    assert_true(machine_matches(IMAGE_FILE_MACHINE_UNKNOWN, IMAGE_FILE_MACHINE_AMD64));
    assert_false(machine_matches(IMAGE_FILE_MACHINE_I386, IMAGE_FILE_MACHINE_AMD64));
    assert_false(machine_matches(IMAGE_FILE_MACHINE_UNKNOWN, IMAGE_FILE_MACHINE_ARM64));
    char error[256];
    assert_true(machine_is_native(error, sizeof error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flood_is_cut_and_counted),
        cmocka_unit_test(test_a_quiet_time_refills_to_the_burst_only),
        cmocka_unit_test(test_only_the_native_machine_will_do),
    };
    return cmocka_run_group_tests_name("host_eventlog", tests, NULL, NULL);
}
