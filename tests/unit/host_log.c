#include "host_support.h"

#include "service/host/log.h"

enum {
    ENTRIES = 8
};

static struct {
    DWORD event_id;
    char text[LOG_TEXT_BYTES];
} entries[ENTRIES];
static size_t entries_count;

// NOLINTBEGIN(*-identifier*): the linker's name
void __wrap_eventlog_write(DWORD event_id, enum broker_log_level level, const char *text);

/* Called by one thread at a time; the tests look when the helper has ended. */
void __wrap_eventlog_write(DWORD event_id, enum broker_log_level level, const char *text)
{
    (void)level;
    assert_true(entries_count < ENTRIES);
    entries[entries_count].event_id = event_id;
    snprintf(entries[entries_count].text, sizeof entries[0].text, "%s", text);
    entries_count++;
}
// NOLINTEND(*-identifier*)

static int set_up(void **state)
{
    (void)state;
    entries_count = 0;
    log_start(LOG_TO_EVENT_LOG, BROKER_LOG_INFO);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_use_helper(NULL);
    log_end();
    return 0;
}

static void test_the_event_log_gets_warnings_and_named_events(void **state)
{
    (void)state;
    log_write(BROKER_LOG_INFO, "a line for the console");
    log_write(BROKER_LOG_WARNING, "a warning\nwith a forged line");
    log_event(1, BROKER_LOG_DEBUG, "started");
    assert_int_equal(entries_count, 2);
    assert_int_equal(entries[0].event_id, 0);
    assert_string_equal(entries[0].text, "a warning with a forged line");
    assert_int_equal(entries[1].event_id, 1);
}

static void test_lost_entries_are_told(void **state)
{
    (void)state;
    struct loop loop;
    struct helper helper;
    assert_int_equal(loop_init(&loop), ERROR_SUCCESS);
    assert_int_equal(helper_start(&helper, &loop), ERROR_SUCCESS);
    assert_true(helper_stop(&helper, SUPPORT_LIMIT_MS)); /* takes nothing any more */
    log_use_helper(&helper);
    log_write(BROKER_LOG_WARNING, "lost");
    log_write(BROKER_LOG_ERROR, "lost, too");
    log_write(BROKER_LOG_INFO, "not wanted, so not lost");
    assert_int_equal(entries_count, 0);
    log_use_helper(NULL);
    log_write(BROKER_LOG_WARNING, "arrives");
    assert_int_equal(entries_count, 2);
    assert_string_equal(entries[0].text, "Entries that were lost before this one: 2.");
    assert_string_equal(entries[1].text, "arrives");
    log_write(BROKER_LOG_WARNING, "the next");
    assert_int_equal(entries_count, 3); /* told once */
    loop_free(&loop);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_event_log_gets_warnings_and_named_events),
        TEST(test_lost_entries_are_told),
    };
    return cmocka_run_group_tests_name("host_log", tests, NULL, NULL);
}
