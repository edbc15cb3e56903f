/* Opening the service's pipe: the exact rights and flags, whom the client trusts, and what it says when the
 * open is refused. Wine enforces none of it, so the machine is played through the table in pipe.h. */
#include <string.h>

#include <windows.h>

#include <sddl.h>

#include "client/lib/error.h"
#include "client/lib/pipe.h"
#include "tests/unit/cmocka_all.h"

static struct {
    DWORD failure; /* of CreateFileW */
    DWORD access, share, disposition, flags;
    unsigned opens;
    const wchar_t *owner; /* an SDDL SID */
    DWORD owner_failure;
    TOKEN_ELEVATION_TYPE elevation_type;
    bool elevated;
    DWORD service_state;
    DWORD later_failure; /* of the second open on */
} played;

static HANDLE WINAPI play_create_file(LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security,
                                      DWORD disposition, DWORD flags, HANDLE template_file)
{
    (void)name;
    assert_null(security);
    assert_null(template_file);
    played.access = access;
    played.share = share;
    played.disposition = disposition;
    played.flags = flags;
    DWORD failure = played.opens++ > 0 && played.later_failure ? played.later_failure : played.failure;
    if (failure == 0)
        return CreateEventW(NULL, TRUE, FALSE, NULL); /* a handle that can be closed */
    SetLastError(failure);
    return INVALID_HANDLE_VALUE;
}

/* As GetSecurityInfo does, the owner lies in the descriptor. */
static DWORD play_owner(HANDLE pipe, PSID *owner, PSECURITY_DESCRIPTOR *descriptor)
{
    assert_non_null(pipe);
    if (played.owner_failure)
        return played.owner_failure;
    assert_true(ConvertStringSidToSidW(played.owner, owner));
    *descriptor = *owner;
    return 0;
}

static bool play_owners(void)
{
    return true;
}

static bool play_elevation(TOKEN_ELEVATION_TYPE *type, bool *elevated)
{
    *type = played.elevation_type;
    *elevated = played.elevated;
    return true;
}

static DWORD play_service_state(void)
{
    return played.service_state;
}

static int set_up(void **state)
{
    (void)state;
    memset(&played, 0, sizeof played);
    played.owner = L"S-1-5-18";
    played.elevation_type = TokenElevationTypeDefault;
    pipe_api =
        (struct pipe_api){play_create_file, play_owner, play_owners, play_elevation, play_service_state};
    return 0;
}

/* Opens, and answers with the reason word of the refusal, "" when it opened. */
static const char *open_pipe(const char *chosen, struct sp_error **error)
{
    static char reason[64];
    struct pipe_name name;
    bool owner_checked = false;
    *error = NULL;
    assert_true(pipe_name_resolve(chosen, &name, error));
    HANDLE pipe = pipe_open(&name, 0, &owner_checked, error);
    if (pipe != INVALID_HANDLE_VALUE) {
        assert_null(*error);
        assert_true(owner_checked);
        CloseHandle(pipe);
        return "";
    }
    assert_non_null(*error);
    strncpy(reason, (*error)->reason, sizeof reason - 1);
    return reason;
}

static void check_refusal(const char *chosen, enum sp_code code, const char *reason, const char *in_text)
{
    struct sp_error *error;
    assert_string_equal(open_pipe(chosen, &error), reason);
    assert_int_equal(error->code, code);
    assert_non_null(error->advice);
    assert_true(error->advice[0] != '\0');
    if (strstr(error->message, in_text) == NULL && strstr(error->advice, in_text) == NULL)
        fail_msg("neither \"%s\" nor \"%s\" says \"%s\"", error->message, error->advice, in_text);
    sp_error_free(error);
}

static void test_flags(void **state)
{
    (void)state;
    struct sp_error *error;
    assert_string_equal(open_pipe(SP_DEFAULT_PIPE, &error), "");
    assert_int_equal(played.access & ~0x12019Bu, 0); /* nothing that the service does not grant to clients, */
    assert_int_equal(played.access, 0x12018B);       /* FILE_CREATE_PIPE_INSTANCE (4) among it */
    assert_int_equal(played.flags, FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION);
    assert_int_equal(played.share, 0);
    assert_int_equal(played.disposition, OPEN_EXISTING);
}

static void test_refused_filtered_administrator(void **state)
{
    (void)state;
    played.failure = ERROR_ACCESS_DENIED;
    played.elevation_type = TokenElevationTypeLimited;
    check_refusal(SP_DEFAULT_PIPE, SP_PERMISSION_DENIED, "ACCESS_DENIED", "elevated prompt");
}

static void test_refused_account(void **state)
{
    (void)state;
    played.failure = ERROR_ACCESS_DENIED;
    check_refusal(SP_DEFAULT_PIPE, SP_PERMISSION_DENIED, "ACCESS_DENIED", "give this account access");
}

static void test_no_service(void **state)
{
    (void)state;
    static const struct {
        DWORD service_state;
        const char *says;
    } rows[] = {{0, "not installed"},
                {SERVICE_STOPPED, "not running"},
                {SERVICE_STOP_PENDING, "stopping"},
                {SERVICE_START_PENDING, "still starting"},
                {SERVICE_RUNNING, "does not listen"}};
    played.failure = ERROR_FILE_NOT_FOUND;
    for (size_t i = 0; i < ARRAYSIZE(rows); i++) {
        played.service_state = rows[i].service_state;
        check_refusal(SP_DEFAULT_PIPE, SP_UNAVAILABLE, "NO_SERVICE", rows[i].says);
    }
    check_refusal("private", SP_UNAVAILABLE, "NO_SERVICE", "--console");
}

static void test_busy(void **state)
{
    (void)state;
    played.failure = ERROR_PIPE_BUSY;
    check_refusal(SP_DEFAULT_PIPE, SP_UNAVAILABLE, "PIPE_BUSY", "no free connection");
}

static void test_waits_for_a_service_that_starts(void **state)
{
    (void)state;
    struct pipe_name name;
    struct sp_error *error = NULL;
    bool owner_checked;
    played.failure = ERROR_FILE_NOT_FOUND;
    played.service_state = SERVICE_START_PENDING;
    played.later_failure = ERROR_ACCESS_DENIED; /* it has come, and refuses */
    assert_true(pipe_name_resolve(SP_DEFAULT_PIPE, &name, &error));
    HANDLE pipe = pipe_open(&name, GetTickCount64() + 60000, &owner_checked, &error);
    assert_ptr_equal(pipe, INVALID_HANDLE_VALUE);
    assert_int_equal(played.opens, 2);
    assert_string_equal(error->reason, "ACCESS_DENIED");
    sp_error_free(error);
}

static void test_owner(void **state)
{
    (void)state;
    struct sp_error *error;
    played.owner = L"S-1-5-32-544"; /* Administrators */
    assert_string_equal(open_pipe(SP_DEFAULT_PIPE, &error), "");
    played.owner = L"S-1-5-32-545"; /* Users: a squatter */
    check_refusal(SP_DEFAULT_PIPE, SP_PERMISSION_DENIED, "UNTRUSTED_SERVER", "S-1-5-32-545");
    check_refusal("private", SP_PERMISSION_DENIED, "UNTRUSTED_SERVER", "S-1-5-32-545");
    played.owner_failure = ERROR_ACCESS_DENIED;
    struct sp_error *denied;
    assert_true(open_pipe(SP_DEFAULT_PIPE, &denied)[0] != '\0');
    assert_string_equal(denied->method, "GetSecurityInfo");
    sp_error_free(denied);
}

/* A pipe of the user's own: for a private name, and not when an environment chose it for an elevated program.
 */
static void test_own_pipe(void **state)
{
    (void)state;
    struct sp_error *error;
    union {
        TOKEN_USER user;
        BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } info;
    HANDLE token;
    DWORD size;
    wchar_t *sid;
    assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    assert_true(GetTokenInformation(token, TokenUser, &info, sizeof info, &size));
    CloseHandle(token);
    assert_true(ConvertSidToStringSidW(info.user.User.Sid, &sid));
    played.owner = sid;
    assert_string_equal(open_pipe("private", &error), "");
    check_refusal(SP_DEFAULT_PIPE, SP_PERMISSION_DENIED, "UNTRUSTED_SERVER", "SYSTEM");
    assert_true(SetEnvironmentVariableW(L"SHADOWPIPE_PIPE", L"private"));
    played.elevated = true;
    check_refusal(NULL, SP_PERMISSION_DENIED, "UNTRUSTED_SERVER", "SYSTEM");
    played.elevated = false;
    assert_string_equal(open_pipe(NULL, &error), "");
    SetEnvironmentVariableW(L"SHADOWPIPE_PIPE", NULL);
    LocalFree(sid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flags, set_up),
        cmocka_unit_test_setup(test_refused_filtered_administrator, set_up),
        cmocka_unit_test_setup(test_refused_account, set_up),
        cmocka_unit_test_setup(test_no_service, set_up),
        cmocka_unit_test_setup(test_busy, set_up),
        cmocka_unit_test_setup(test_waits_for_a_service_that_starts, set_up),
        cmocka_unit_test_setup(test_owner, set_up),
        cmocka_unit_test_setup(test_own_pipe, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
