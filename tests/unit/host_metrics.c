#include "host_support.h"

#include <string.h>

#include "service/host/log.h"
#include "service/host/metrics.h"

static struct loop loop;
static struct helper helper;
static struct metrics metrics;
static wchar_t path[MAX_PATH];
static const char *content;
static unsigned asked;
static unsigned warnings;

// NOLINTBEGIN(*-identifier*): the linker's name
void __wrap_log_write(enum broker_log_level level, const char *format, ...);

void __wrap_log_write(enum broker_log_level level, const char *format, ...)
{
    warnings += level == BROKER_LOG_WARNING && strstr(format, "metrics file") != NULL;
}
// NOLINTEND(*-identifier*)

static size_t write_content(void *context, char *buffer, size_t size)
{
    (void)context;
    asked++;
    return (size_t)snprintf(buffer, size, "%s", content);
}

static int set_up(void **state)
{
    (void)state;
    wchar_t folder[MAX_PATH];
    GetTempPathW(MAX_PATH, folder);
    swprintf(path, MAX_PATH, L"%lsshadowpipe-metrics-%lu.prom", folder, GetCurrentProcessId());
    asked = warnings = 0;
    content = "one 1\n";
    metrics = (struct metrics){.loop = &loop, .helper = &helper, .write = write_content, .path = path};
    return loop_init(&loop) == ERROR_SUCCESS && helper_start(&helper, &loop) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    metrics_stop(&metrics);
    loop_free(&loop);
    return 0;
}

static bool file_is(const wchar_t *name, const char *expected)
{
    char text[256] = "";
    DWORD size = 0;
    HANDLE file = CreateFileW(name, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    ReadFile(file, text, sizeof text - 1, &size, NULL);
    CloseHandle(file);
    return strcmp(text, expected) == 0;
}

static void due_now(void)
{
    loop_timer_start(&loop, &metrics.timer, 0);
}

static void test_written_again_and_removed(void **state)
{
    (void)state;
    metrics_start(&metrics);
    SERVE_UNTIL(&loop, file_is(path, "one 1\n") && !metrics.is_busy);
    assert_true(metrics.timer.armed);
    content = "one 2\n";
    due_now();
    SERVE_UNTIL(&loop, file_is(path, "one 2\n") && !metrics.is_busy);
    wchar_t temporary[MAX_PATH + 8];
    swprintf(temporary, MAX_PATH + 8, L"%ls.new", path);
    assert_int_equal(GetFileAttributesW(temporary), INVALID_FILE_ATTRIBUTES);
    metrics_stop(&metrics);
    assert_int_equal(GetFileAttributesW(path), INVALID_FILE_ATTRIBUTES);
    assert_false(metrics.timer.armed);
}

/* Told once, not every 15 seconds; and again when it comes back. */
static void test_a_folder_that_is_not_there(void **state)
{
    (void)state;
    metrics.path = L"C:\\no such folder\\shadowpipe.prom";
    metrics_start(&metrics);
    SERVE_UNTIL(&loop, warnings == 1);
    due_now();
    SERVE_UNTIL(&loop, asked >= 4 && !metrics.is_busy);
    assert_int_equal(warnings, 1);
    metrics.path = path;
    due_now();
    SERVE_UNTIL(&loop, file_is(path, "one 1\n") && !metrics.is_busy);
    metrics.path = L"C:\\no such folder\\shadowpipe.prom";
    due_now();
    SERVE_UNTIL(&loop, warnings == 2);
    DeleteFileW(path);
}

static void test_none_is_wanted(void **state)
{
    (void)state;
    metrics.path = L"";
    metrics_start(&metrics);
    assert_false(metrics.timer.armed);
    metrics_stop(&metrics);
    assert_int_equal(asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_again_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_none_is_wanted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
