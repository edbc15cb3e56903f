#include "host_support.h"

#include <stdlib.h>

#include "service/host/config.h"

/* Stands in for HKEY_LOCAL_MACHINE. */
#define ROOT L"Software\\ShadowpipeUnitTest"

static HKEY root;
static struct service_config *config;

static void set(const wchar_t *key, const wchar_t *name, DWORD type, const void *value, DWORD size)
{
    HKEY handle;
    assert_int_equal(RegCreateKeyExW(root, key, 0, NULL, 0, KEY_SET_VALUE, NULL, &handle, NULL),
                     ERROR_SUCCESS);
    assert_int_equal(RegSetValueExW(handle, name, 0, type, value, size), ERROR_SUCCESS);
    RegCloseKey(handle);
}

static void set_number(const wchar_t *key, const wchar_t *name, DWORD value)
{
    set(key, name, REG_DWORD, &value, sizeof value);
}

static void set_text(const wchar_t *key, const wchar_t *name, const wchar_t *value)
{
    set(key, name, REG_SZ, value, (DWORD)((wcslen(value) + 1) * sizeof *value));
}

#define PRODUCT L"SOFTWARE\\Shadowpipe"
#define POLICY  L"SOFTWARE\\Policies\\Shadowpipe"

static int set_up(void **state)
{
    (void)state;
    RegDeleteTreeW(HKEY_CURRENT_USER, ROOT);
    config = malloc(sizeof *config);
    if (config == NULL || RegCreateKeyExW(HKEY_CURRENT_USER, ROOT, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &root,
                                          NULL) != ERROR_SUCCESS) {
        return -1;
    }
    config_init(config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    RegCloseKey(root);
    RegDeleteTreeW(HKEY_CURRENT_USER, ROOT);
    free(config);
    return 0;
}

static void assert_wide(const wchar_t *left, const wchar_t *right)
{
    if (wcscmp(left, right) != 0) {
        fail_msg("%ls is not %ls", left, right);
    }
}

static void test_defaults(void **state)
{
    (void)state;
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 0);
    assert_wide(config->pipe_name, L"\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Shadowpipe\\api");
    assert_wide(config->requester_pipe_name,
                L"\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Shadowpipe\\requester");
    assert_wide(config->access_sddl, ACCESS_DEFAULT_SDDL);
    assert_string_equal(config->broker.vss_library, "");
    assert_string_equal(config->broker.server_version, SHADOWPIPE_VERSION);
    assert_in_range(config->broker.max_connections, 8, CONFIG_MAX_CONNECTIONS);
    assert_non_null(strchr(config->broker.os_build, '.'));
}

static void test_policy_overrules(void **state)
{
    (void)state;
    set_number(PRODUCT, L"MaxSets", 3);
    set_number(PRODUCT, L"MaxQueue", 5);
    set_number(POLICY, L"MaxSets", 4);
    set_text(PRODUCT, L"PipeName", L"own");
    set_text(POLICY, L"PipeName", L"policy\\api");
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 0);
    assert_int_equal(config->broker.max_sets, 4);
    assert_int_equal(config->broker.max_queue, 5);
    assert_wide(config->pipe_name, L"\\\\.\\pipe\\policy\\api");
    assert_wide(config->requester_pipe_name, L"\\\\.\\pipe\\policy\\requester");
}

static void test_max_shadow_copies(void **state)
{
    (void)state;
    static const wchar_t key[] = L"SYSTEM\\CurrentControlSet\\Services\\VSS\\Settings";
    config_read_registry(config, root);
    assert_int_equal(config->broker.max_client_accessible, 64);
    set_number(key, L"MaxShadowCopies", 100);
    config_read_registry(config, root);
    assert_int_equal(config->broker.max_client_accessible, 100);
    set_number(key, L"MaxShadowCopies", 513);
    config_read_registry(config, root);
    assert_int_equal(config->broker.max_client_accessible, 100);
}

static void test_numbers_that_cannot_be_used(void **state)
{
    (void)state;
    uint32_t sets = config->broker.max_sets;
    uint32_t queue = config->broker.max_queue;
    uint32_t connections = config->broker.max_connections;
    set_number(PRODUCT, L"MaxSets", 0);
    set_text(PRODUCT, L"MaxQueue", L"17");
    set_number(PRODUCT, L"MaxConnections", CONFIG_MAX_CONNECTIONS + 1);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 3);
    assert_int_equal(config->broker.max_sets, sets);
    assert_int_equal(config->broker.max_queue, queue);
    assert_int_equal(config->broker.max_connections, connections);
}

static void test_a_bad_policy_does_not_fall_back_to_the_product(void **state)
{
    (void)state;
    uint32_t sets = config->broker.max_sets;
    set_number(PRODUCT, L"MaxSets", 3);
    set_number(POLICY, L"MaxSets", 100000);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 1);
    assert_int_equal(config->broker.max_sets, sets);
}

static void test_access_never_gets_weaker(void **state)
{
    (void)state;
    set_text(PRODUCT, L"Access", L"D:P(A;;0x7e;;;WD)");
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 1);
    assert_wide(config->access_sddl, ACCESS_DEFAULT_SDDL);
    assert_false(config->access_configured);
    set_text(PRODUCT, L"Access", L"D:P(A;;0x7e;;;SY)(A;;0x6;;;AU)");
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 1);
    assert_wide(config->access_sddl, L"D:P(A;;0x7e;;;SY)(A;;0x6;;;AU)");
    assert_true(config->access_configured);
}

static void test_texts_that_cannot_be_used(void **state)
{
    (void)state;
    static wchar_t text[ACCESS_SDDL_CHARS + 16];
    wmemset(text, L'x', ARRAYSIZE(text) - 1);
    set_number(PRODUCT, L"PipeName", 1);
    set_text(PRODUCT, L"VssLibrary", L"vssapi.dll");
    set_text(PRODUCT, L"MetricsFile", L"\\\\server\\share\\metrics.prom");
    set_text(PRODUCT, L"Access", text);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 4);
    assert_wide(config->metrics_file, L"");
    assert_wide(config->pipe_name, CONFIG_PIPE_PREFIX CONFIG_DEFAULT_PIPE);
    assert_wide(config->vss_library, L"");
    assert_wide(config->access_sddl, ACCESS_DEFAULT_SDDL);
}

static void test_metrics_file(void **state)
{
    (void)state;
    set_text(PRODUCT, L"MetricsFile", L"C:\\metrics\\shadowpipe.prom");
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 0);
    assert_wide(config->metrics_file, L"C:\\metrics\\shadowpipe.prom");
    assert_int_equal(config->broker.warm_requesters, 1);
}

static void test_outliving_a_restart(void **state)
{
    (void)state;
    config_read_registry(config, root);
    assert_int_equal(config->broker.orphan_grace_ms, 10 * 60 * 1000);
    assert_int_equal(config->broker.reattach_ms, 2 * 60 * 1000);
    set_number(PRODUCT, L"OrphanGraceMs", 0);
    set_number(PRODUCT, L"ReattachMs", 1000);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 0);
    assert_int_equal(config->broker.orphan_grace_ms, 0);
    assert_int_equal(config->broker.reattach_ms, 1000);
    set_number(PRODUCT, L"ReattachMs", 999);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 1);
    set_number(PRODUCT, L"ReattachMs", 24 * 60 * 60 * 1000 + 1);
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, 2);
    assert_int_equal(config->broker.reattach_ms, 1000);
}

static void test_more_problems_than_are_kept(void **state)
{
    (void)state;
    static const wchar_t *const names[] = {L"MaxSets",      L"MaxQueue",         L"MaxInFlight",
                                           L"GatherMs",     L"CallMs",           L"PrepareMs",
                                           L"CreateMs",     L"StatusMs",         L"CompleteMs",
                                           L"AbortMs",      L"ReleaseMs",        L"GateHoldMs",
                                           L"GateIdleMs",   L"StopAllMs",        L"StopCreateMs",
                                           L"MaxTimeoutMs", L"DefaultTimeoutMs", L"MaxConnectionsPerOwner"};
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        set_number(PRODUCT, names[i], 0);
    }
    config_read_registry(config, root);
    assert_int_equal(config->problems_count, ARRAYSIZE(names));
    assert_string_not_equal(config->problems[CONFIG_PROBLEMS - 1], "");
}

static void test_pipe_names(void **state)
{
    (void)state;
    static wchar_t text[300];
    assert_true(config_set_pipe(config, L"mine"));
    assert_wide(config->pipe_name, L"\\\\.\\pipe\\mine");
    assert_wide(config->requester_pipe_name, L"\\\\.\\pipe\\mine-requester");
    assert_true(config_set_pipe(config, L"\\\\.\\PIPE\\team\\API"));
    assert_wide(config->pipe_name, L"\\\\.\\pipe\\team\\API");
    assert_wide(config->requester_pipe_name, L"\\\\.\\pipe\\team\\requester");
    static const wchar_t *const bad[] = {
        L"", L"\\\\.\\pipe\\", L"\\x", L"a/b", L"a:b", L"a*", L"a\"b", L"a\nb", L"\\\\server\\pipe\\x"};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        if (config_set_pipe(config, bad[i])) {
            fail_msg("accepted: %ls", bad[i]);
        }
    }
    wmemset(text, L'x', 246);
    assert_true(config_set_pipe(config, text)); /* with -requester it is just as long as may be */
    text[246] = L'x';
    assert_false(config_set_pipe(config, text));
}

static void test_library_paths(void **state)
{
    (void)state;
    static wchar_t text[HANDOFF_LIBRARY_CHARS + 1];
    assert_true(config_set_library(config, L"C:\\sim\\vssapi.dll"));
    assert_string_equal(config->broker.vss_library, "C:\\sim\\vssapi.dll");
    static const wchar_t *const bad[] = {L"",
                                         L"C:",
                                         L"C:\\",
                                         L"C:vssapi.dll",
                                         L"\\vssapi.dll",
                                         L"..\\vssapi.dll",
                                         L"\\\\server\\share\\vssapi.dll",
                                         L"1:\\vssapi.dll"};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        assert_false(config_set_library(config, bad[i]));
    }
    wmemset(text, L'x', HANDOFF_LIBRARY_CHARS);
    wmemcpy(text, L"C:\\", 3);
    assert_false(config_set_library(config, text));
    assert_string_equal(config->broker.vss_library, "C:\\sim\\vssapi.dll");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_policy_overrules),
        TEST(test_max_shadow_copies),
        TEST(test_numbers_that_cannot_be_used),
        TEST(test_a_bad_policy_does_not_fall_back_to_the_product),
        TEST(test_access_never_gets_weaker),
        TEST(test_texts_that_cannot_be_used),
        TEST(test_metrics_file),
        TEST(test_outliving_a_restart),
        TEST(test_more_problems_than_are_kept),
        TEST(test_pipe_names),
        TEST(test_library_paths),
    };
    return cmocka_run_group_tests_name("host_config", tests, NULL, NULL);
}
