#include "host_support.h"

#include <string.h>

#include "service/host/caller.h"
#include "service/host/win32_api.h"

static struct access access_all;
static struct win32_api real;
static HANDLE server;
static HANDLE client;
static DWORD injected_error;
static jmp_buf after_fail_fast;
static int failed_fast;

static int set_up(void **state)
{
    (void)state;
    const wchar_t *name = support_pipe_name();
    char byte = 'x';
    DWORD size = 0;
    real = win32;
    failed_fast = 0;
    server = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);
    client = support_connect(name);
    /* Windows impersonates only after something was read. */
    return WriteFile(client, &byte, 1, &size, NULL) && ReadFile(server, &byte, 1, &size, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    win32 = real;
    CloseHandle(client);
    CloseHandle(server);
    return 0;
}

static bool is_impersonating(void)
{
    HANDLE token = NULL;
    if (OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token)) {
        CloseHandle(token);
        return true;
    }
    assert_int_equal(GetLastError(), ERROR_NO_TOKEN);
    return false;
}

static void test_a_client_is_known_by_its_token(void **state)
{
    (void)state;
    struct caller caller;
    char failure[256];
    assert_true(caller_identify(server, &access_all, &caller, failure, sizeof failure));
    assert_string_equal(failure, "");
    assert_int_equal(strncmp(caller.sid, "S-1-5-", 6), 0);
    assert_int_equal(caller.process_id, GetCurrentProcessId());
    assert_string_equal(caller.process_name, "host_caller.exe");
    assert_int_equal(caller.rights, ACCESS_ALL_RIGHTS);
    assert_string_equal(caller.service_sid, "");
    assert_false(is_impersonating());
}

static BOOL WINAPI refuse_impersonation(HANDLE pipe)
{
    (void)pipe;
    SetLastError(injected_error);
    return FALSE;
}

static BOOL WINAPI refuse_token(HANDLE thread, DWORD access, BOOL as_self, PHANDLE token)
{
    assert_int_equal(access, TOKEN_QUERY);
    assert_true(as_self);
    (void)thread;
    (void)token;
    SetLastError(injected_error);
    return FALSE;
}

static void test_no_identity_without_impersonation(void **state)
{
    (void)state;
    struct caller caller;
    char failure[512];
    injected_error = ERROR_CANNOT_IMPERSONATE;
    win32.impersonate_named_pipe_client = refuse_impersonation;
    assert_false(caller_identify(server, &access_all, &caller, failure, sizeof failure));
    assert_non_null(strstr(failure, "ImpersonateNamedPipeClient failed"));
    assert_string_equal(caller.sid, "");
    assert_int_equal(caller.rights, 0);
    assert_false(is_impersonating());
}

static void test_an_anonymous_client_is_told_how_to_open_the_pipe(void **state)
{
    (void)state;
    struct caller caller;
    char failure[512];
    injected_error = ERROR_CANT_OPEN_ANONYMOUS;
    win32.open_thread_token = refuse_token;
    assert_false(caller_identify(server, &access_all, &caller, failure, sizeof failure));
    assert_non_null(strstr(failure, "OpenThreadToken failed"));
    assert_non_null(strstr(failure, "SECURITY_IDENTIFICATION"));
    assert_string_equal(caller.sid, "");
    assert_int_equal(caller.rights, 0);
    assert_int_equal(caller.process_id, GetCurrentProcessId()); /* for the log */
    assert_false(is_impersonating());
}

static void test_a_failure_after_impersonation_leaves_no_impersonation(void **state)
{
    (void)state;
    struct caller caller;
    char failure[512];
    injected_error = ERROR_ACCESS_DENIED;
    win32.open_thread_token = refuse_token;
    assert_false(caller_identify(server, &access_all, &caller, failure, sizeof failure));
    assert_false(is_impersonating());
}

static BOOL WINAPI refuse_revert(void)
{
    SetLastError(ERROR_ACCESS_DENIED);
    return FALSE;
}

static void note_fail_fast(const char *why)
{
    assert_non_null(strstr(why, "RevertToSelf"));
    failed_fast++;
    longjmp(after_fail_fast, 1);
}

static void test_a_failed_revert_ends_the_process(void **state)
{
    (void)state;
    struct caller caller;
    char failure[256];
    win32.revert_to_self = refuse_revert;
    win32.fail_fast = note_fail_fast;
    if (setjmp(after_fail_fast) == 0) {
        caller_identify(server, &access_all, &caller, failure, sizeof failure);
        fail_msg("it went on");
    }
    assert_int_equal(failed_fast, 1);
    RevertToSelf();
}

static int group_set_up(void **state)
{
    (void)state;
    return access_create(ACCESS_DEFAULT_SDDL, true, &access_all) == ERROR_SUCCESS ? 0 : -1;
}

static int group_tear_down(void **state)
{
    (void)state;
    access_free(&access_all);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_client_is_known_by_its_token, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_identity_without_impersonation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_anonymous_client_is_told_how_to_open_the_pipe, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_failure_after_impersonation_leaves_no_impersonation, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_revert_ends_the_process, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("host_caller", tests, group_set_up, group_tear_down);
}
