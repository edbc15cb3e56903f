#include "host_support.h"

#include <sddl.h>
#include <stdlib.h>
#include <string.h>

#include "service/host/log.h"
#include "service/host/store.h"
#include "service/host/win32_api.h"

#define PATH L"Software\\ShadowpipeUnitTest\\Sets"

static struct loop loop;
static struct helper helper;
static struct store store;
static HANDLE gate;
static struct win32_api real;
static volatile LONG flushes;
static LSTATUS flush_error;

static LSTATUS WINAPI spy_flush(HKEY key)
{
    InterlockedIncrement(&flushes);
    return flush_error != ERROR_SUCCESS ? flush_error : RegFlushKey(key);
}

/* What was answered, in order: the key, "!" and the failure. */
static char answers[16][320];
static size_t answers_count;
/* What was found. */
static char found_keys[8][64];
static uint8_t found_bytes[8][64];
static size_t found_sizes[8];
static size_t found_count;

static void on_done(void *context, const char *key, const char *failure)
{
    (void)context;
    assert_in_range(answers_count, 0, 15);
    snprintf(answers[answers_count++], sizeof answers[0], "%s%s%s", key, failure != NULL ? "!" : "",
             failure != NULL ? failure : "");
}

static void on_found(void *context, const char *key, const uint8_t *bytes, size_t size)
{
    (void)context;
    assert_in_range(found_count, 0, 7);
    assert_in_range(size, 0, sizeof found_bytes[0]);
    snprintf(found_keys[found_count], sizeof found_keys[0], "%s", key);
    memcpy(found_bytes[found_count], bytes, size);
    found_sizes[found_count++] = size;
}

static DWORD open_store(HKEY root, const wchar_t *sddl)
{
    store = (struct store){.loop = &loop, .helper = &helper, .done = on_done};
    return store_open(&store, root, PATH, sddl);
}

static void read_again(void)
{
    found_count = 0;
    store_read(&store, on_found, NULL);
}

static int set_up(void **state)
{
    (void)state;
    RegDeleteTreeW(HKEY_CURRENT_USER, L"Software\\ShadowpipeUnitTest");
    answers_count = 0;
    real = win32;
    win32.flush_key = spy_flush;
    flushes = 0;
    flush_error = ERROR_SUCCESS;
    gate = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (loop_init(&loop) != ERROR_SUCCESS || helper_start(&helper, &loop) != ERROR_SUCCESS) {
        return -1;
    }
    return open_store(HKEY_CURRENT_USER, NULL) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    store_close(&store);
    loop_free(&loop);
    CloseHandle(gate);
    win32 = real;
    RegDeleteTreeW(HKEY_CURRENT_USER, L"Software\\ShadowpipeUnitTest");
    return 0;
}

static void put(const char *key, const char *text)
{
    store_put(&store, key, (const uint8_t *)text, strlen(text), true);
}

/* The longest key of each kind. */
#define SET_KEY   "set-11111111-0000-0000-0000-000000000000"
#define LEASE_KEY "lease-11111111-0000-0000-0000-000000000000"

static void test_only_what_is_to_last_is_flushed(void **state)
{
    (void)state;
    store_put(&store, SET_KEY, (const uint8_t *)"s", 1, false);
    store_put(&store, LEASE_KEY, (const uint8_t *)"l", 1, false);
    store_delete(&store, SET_KEY);
    SERVE_UNTIL(&loop, answers_count == 3);
    assert_int_equal(flushes, 0);
    assert_string_equal(answers[1], LEASE_KEY);
    put("11111111-0000-0000-0000-000000000000", "one");
    SERVE_UNTIL(&loop, answers_count == 4);
    assert_int_equal(flushes, 1);
    assert_string_equal(answers[3], "11111111-0000-0000-0000-000000000000");
}

static void test_a_flush_that_fails_is_told(void **state)
{
    (void)state;
    flush_error = ERROR_REGISTRY_IO_FAILED;
    put("11111111-0000-0000-0000-000000000000", "one");
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_non_null(strchr(answers[0], '!'));
}

static void test_a_key_of_the_full_length_comes_back(void **state)
{
    (void)state;
    char key[STORE_KEY_MAX + 1];
    memset(key, 'k', STORE_KEY_MAX);
    key[STORE_KEY_MAX] = '\0';
    store_put(&store, key, (const uint8_t *)"x", 1, false);
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_string_equal(answers[0], key);
    store_close(&store);
    open_store(HKEY_CURRENT_USER, NULL);
    read_again();
    assert_int_equal(found_count, 1);
    assert_string_equal(found_keys[0], key);
}

static void test_values_outlive_the_store(void **state)
{
    (void)state;
    put("11111111-0000-0000-0000-000000000000", "one");
    put("22222222-0000-0000-0000-000000000000", "two");
    put("11111111-0000-0000-0000-000000000000", "more");
    store_delete(&store, "22222222-0000-0000-0000-000000000000");
    store_delete(&store, "33333333-0000-0000-0000-000000000000"); /* nothing to delete is no failure */
    SERVE_UNTIL(&loop, answers_count == 5);
    assert_int_equal(store.operations, 0);
    assert_string_equal(answers[0], "11111111-0000-0000-0000-000000000000");
    assert_string_equal(answers[3], "22222222-0000-0000-0000-000000000000");
    assert_string_equal(answers[4], "33333333-0000-0000-0000-000000000000");
    store_close(&store);
    open_store(HKEY_CURRENT_USER, NULL);
    read_again();
    assert_int_equal(found_count, 1);
    assert_string_equal(found_keys[0], "11111111-0000-0000-0000-000000000000");
    assert_int_equal(found_sizes[0], 4);
    assert_memory_equal(found_bytes[0], "more", 4);
}

static void test_what_is_not_ours_is_passed_over(void **state)
{
    (void)state;
    HKEY key;
    static uint8_t large[STORE_VALUE_BYTES + 1];
    wchar_t name[STORE_KEY_CHARS + 32];
    put("11111111-0000-0000-0000-000000000000", "one");
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_int_equal(RegOpenKeyExW(HKEY_CURRENT_USER, PATH, 0, KEY_SET_VALUE, &key), ERROR_SUCCESS);
    wmemset(name, L'x', ARRAYSIZE(name) - 1);
    name[ARRAYSIZE(name) - 1] = L'\0';
    RegSetValueExW(key, L"a text", 0, REG_SZ, (const BYTE *)L"a", 4);
    RegSetValueExW(key, L"a large one", 0, REG_BINARY, large, sizeof large);
    RegSetValueExW(key, name, 0, REG_BINARY, large, 1);
    RegSetValueExW(key, L"z", 0, REG_BINARY, large, 1);
    RegCloseKey(key);
    read_again();
    assert_int_equal(found_count, 2);
    assert_string_equal(found_keys[0], "11111111-0000-0000-0000-000000000000");
    assert_string_equal(found_keys[1], "z");
}

static void test_only_those_named_may_use_the_key(void **state)
{
    (void)state;
    store_close(&store);
    /* It exists, with the DACL of its parent. */
    assert_int_equal(open_store(HKEY_CURRENT_USER, STORE_SDDL), ERROR_SUCCESS);
    union {
        SECURITY_DESCRIPTOR descriptor;
        uint8_t bytes[1024];
    } security;
    DWORD size = sizeof security;
    wchar_t *text;
    HKEY key;
    assert_int_equal(RegOpenKeyExW(HKEY_CURRENT_USER, PATH, 0, READ_CONTROL, &key), ERROR_SUCCESS);
    assert_int_equal(RegGetKeySecurity(key, DACL_SECURITY_INFORMATION, &security, &size), ERROR_SUCCESS);
    RegCloseKey(key);
    assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(&security, SDDL_REVISION_1,
                                                                     DACL_SECURITY_INFORMATION, &text, NULL));
    assert_non_null(wcsstr(text, L";;;SY)"));
    assert_non_null(wcsstr(text, L";;;BA)"));
    size_t entries = 0;
    for (const wchar_t *c = text; *c != L'\0'; c++) {
        entries += *c == L'(';
    }
    assert_int_equal(entries, 2);
    LocalFree(text);
}

static void test_without_a_key_each_write_fails(void **state)
{
    (void)state;
    store_close(&store);
    assert_int_not_equal(open_store((HKEY)(ULONG_PTR)0x1234, NULL), ERROR_SUCCESS);
    assert_null(store.key);
    read_again();
    assert_int_equal(found_count, 0);
    put("11111111-0000-0000-0000-000000000000", "one");
    assert_int_equal(answers_count, 0); /* never from within the call */
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_non_null(strstr(answers[0], "!the registry key could not be opened: "));
    assert_int_not_equal(open_store(HKEY_CURRENT_USER, L"nonsense"), ERROR_SUCCESS);
    assert_non_null(strstr(store.failure, "the security descriptor could not be built"));
}

static void test_a_write_fails(void **state)
{
    (void)state;
    HKEY read_only;
    assert_int_equal(RegOpenKeyExW(HKEY_CURRENT_USER, PATH, 0, KEY_QUERY_VALUE, &read_only), ERROR_SUCCESS);
    RegCloseKey(store.key);
    store.key = read_only;
    put("11111111-0000-0000-0000-000000000000", "one");
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_non_null(strchr(answers[0], '!'));
    assert_true(strlen(strchr(answers[0], '!')) > 1);
}

static void work_after_gate(struct helper_job *job)
{
    (void)job;
    WaitForSingleObject(gate, INFINITE);
}

static void test_a_busy_helper_refuses(void **state)
{
    (void)state;
    struct helper_job *jobs = calloc(HELPER_QUEUE_LIMIT + 2, sizeof *jobs);
    assert_non_null(jobs);
    for (int i = 0; i < HELPER_QUEUE_LIMIT + 2; i++) {
        jobs[i].work = work_after_gate;
        helper_submit(&helper, &jobs[i]);
    }
    put("11111111-0000-0000-0000-000000000000", "one");
    assert_int_equal(answers_count, 0);
    SERVE_UNTIL(&loop, answers_count == 1);
    assert_string_equal(answers[0], "11111111-0000-0000-0000-000000000000!the service is too busy");
    SetEvent(gate);
    assert_true(helper_stop(&helper, SUPPORT_LIMIT_MS));
    free(jobs);
}

static void assert_place(struct service_config *config, const wchar_t *expected)
{
    wchar_t path[STORE_PATH_CHARS];
    store_place(config, path);
    if (wcscmp(path, expected) != 0) {
        fail_msg("%ls is not %ls", path, expected);
    }
}

static void test_each_instance_has_its_own_key(void **state)
{
    (void)state;
    struct service_config *config = malloc(sizeof *config);
    assert_non_null(config);
    config_init(config);
    assert_place(config, L"SOFTWARE\\Shadowpipe\\Sets");
    assert_true(config_set_pipe(config, L"backup\\mine\\api"));
    assert_place(config, L"SOFTWARE\\Shadowpipe\\Sets\\backup/mine/api");
    assert_true(config_set_library(config, L"C:\\shadowsim.dll"));
    assert_place(config, L"SOFTWARE\\Shadowpipe\\SetsOfVssLibrary\\backup/mine/api");
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_outlive_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_to_last_is_flushed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_flush_that_fails_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_of_the_full_length_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_ours_is_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_those_named_may_use_the_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_key_each_write_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_write_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_busy_helper_refuses, set_up, tear_down),
        cmocka_unit_test(test_each_instance_has_its_own_key),
    };
    return cmocka_run_group_tests_name("host_store", tests, NULL, NULL);
}
