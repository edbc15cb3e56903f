#include "host_support.h"

#include <sddl.h>

#include "service/broker/broker.h"
#include "service/host/access.h"

static wchar_t *sddl_of(PSECURITY_DESCRIPTOR descriptor)
{
    wchar_t *text = NULL;
    assert_true(ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1,
                                                                     DACL_SECURITY_INFORMATION, &text, NULL));
    return text;
}

static PACL dacl_of(PSECURITY_DESCRIPTOR descriptor)
{
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL dacl = NULL;
    assert_true(GetSecurityDescriptorDacl(descriptor, &present, &dacl, &defaulted));
    assert_true(present);
    assert_non_null(dacl);
    return dacl;
}

/* The first entry for `sid`, 0 = none; *type gets its kind. */
static DWORD mask_for(PSECURITY_DESCRIPTOR descriptor, const wchar_t *sid_text, BYTE *type)
{
    PSID sid = NULL;
    DWORD mask = 0;
    PACL dacl = dacl_of(descriptor);
    assert_true(ConvertStringSidToSidW(sid_text, &sid));
    for (DWORD i = 0; i < dacl->AceCount && mask == 0; i++) {
        ACCESS_ALLOWED_ACE *ace = NULL;
        assert_true(GetAce(dacl, i, (LPVOID *)&ace));
        if (EqualSid(&ace->SidStart, sid)) {
            mask = ace->Mask;
            *type = ace->Header.AceType;
        }
    }
    LocalFree(sid);
    return mask;
}

static void test_the_client_pipe_has_no_right_to_add_instances(void **state)
{
    (void)state;
    struct access access;
    BYTE type = 99;
    assert_int_equal(access_create(ACCESS_DEFAULT_SDDL, false, &access), ERROR_SUCCESS);
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-32-544", &type), 0x12019b);
    assert_int_equal(type, ACCESS_ALLOWED_ACE_TYPE);
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-32-551", &type), 0x12019b);
    assert_int_equal(0x12019b & FILE_CREATE_PIPE_INSTANCE, 0);
    /* What the client library asks for is in it. */
    assert_int_equal(0x12019b & (FILE_READ_DATA | FILE_WRITE_DATA | READ_CONTROL | SYNCHRONIZE),
                     FILE_READ_DATA | FILE_WRITE_DATA | READ_CONTROL | SYNCHRONIZE);
    access_free(&access);
}

static void test_the_network_is_denied_first(void **state)
{
    (void)state;
    struct access access;
    assert_int_equal(access_create(ACCESS_DEFAULT_SDDL, false, &access), ERROR_SUCCESS);
    PSECURITY_DESCRIPTOR both[] = {access.client_pipe, access.requester_pipe};
    for (size_t i = 0; i < ARRAYSIZE(both); i++) {
        ACCESS_DENIED_ACE *ace = NULL;
        assert_true(GetAce(dacl_of(both[i]), 0, (LPVOID *)&ace));
        assert_int_equal(ace->Header.AceType, ACCESS_DENIED_ACE_TYPE);
        assert_true(IsWellKnownSid(&ace->SidStart, WinNetworkSid));
        assert_int_equal(ace->Mask, FILE_ALL_ACCESS);
        SECURITY_DESCRIPTOR_CONTROL control = 0;
        DWORD revision = 0;
        assert_true(GetSecurityDescriptorControl(both[i], &control, &revision));
        assert_true(control & SE_DACL_PROTECTED);
    }
    access_free(&access);
}

static void test_the_requester_pipe_is_for_the_own_account_only(void **state)
{
    (void)state;
    struct access access;
    assert_int_equal(access_create(ACCESS_DEFAULT_SDDL, false, &access), ERROR_SUCCESS);
    wchar_t *text = sddl_of(access.requester_pipe);
    PACL dacl = dacl_of(access.requester_pipe);
    if (dacl->AceCount != 2) {
        fail_msg("%ls", text);
    }
    LocalFree(text);
    access_free(&access);
}

static void test_whoever_has_a_right_may_open_the_pipe(void **state)
{
    (void)state;
    struct access access;
    BYTE type = 99;
    const wchar_t *sddl = L"D:(D;;0x7e;;;S-1-5-21-1-2-3-1001)(D;;0x40;;;S-1-5-21-1-2-3-1002)(A;;GR;;;IU)"
                          L"(A;;0x100;;;S-1-5-21-1-2-3-1003)(A;;0x7e;;;BA)";
    assert_int_equal(access_create(sddl, false, &access), ERROR_SUCCESS);
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-4", &type), 0x12019b);
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-21-1-2-3-1001", &type), 0x12019b);
    assert_int_equal(type, ACCESS_DENIED_ACE_TYPE);
    /* Denied one right of many: the pipe is open. Given none: there is no entry. */
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-21-1-2-3-1002", &type), 0);
    assert_int_equal(mask_for(access.client_pipe, L"S-1-5-21-1-2-3-1003", &type), 0);
    access_free(&access);
}

static HANDLE own_impersonation_token(void)
{
    HANDLE process = NULL;
    HANDLE token = NULL;
    assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_DUPLICATE | TOKEN_QUERY, &process));
    assert_true(
        DuplicateTokenEx(process, TOKEN_QUERY, NULL, SecurityIdentification, TokenImpersonation, &token));
    CloseHandle(process);
    return token;
}

static uint32_t rights_under(const wchar_t *sddl, bool grant_self)
{
    struct access access;
    uint32_t rights = 0;
    HANDLE token = own_impersonation_token();
    assert_int_equal(access_create(sddl, grant_self, &access), ERROR_SUCCESS);
    assert_int_equal(access_rights_of(&access, token, &rights), ERROR_SUCCESS);
    access_free(&access);
    CloseHandle(token);
    return rights;
}

static void test_rights_come_from_the_descriptor(void **state)
{
    (void)state;
    assert_int_equal(rights_under(L"D:P(A;;0x2;;;S-1-5-21-1-2-3-1001)", false), 0);
    assert_int_equal(rights_under(L"D:P(A;;0x6;;;AU)", false), RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT);
    assert_int_equal(rights_under(L"D:P(A;;GX;;;AU)", false), RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT);
    assert_int_equal(rights_under(L"D:P(A;;GA;;;AU)", false), ACCESS_ALL_RIGHTS);
    assert_int_equal(rights_under(L"D:P(D;;0x40;;;AU)(A;;0x7e;;;AU)", false),
                     ACCESS_ALL_RIGHTS & ~RIGHT_BIT_MANAGE);
    assert_int_equal(rights_under(L"O:BAG:BAD:P(A;;0x2;;;AU)", false), RIGHT_BIT_READ);
}

static void test_no_generic_word_stays_in_the_entries(void **state)
{
    (void)state;
    struct access access;
    const wchar_t *sddl = L"D:P(D;;GW;;;S-1-5-21-1-2-3-1001)(A;;GR;;;IU)(A;;GX;;;BO)(A;;GA;;;BA)";
    assert_int_equal(access_create(sddl, false, &access), ERROR_SUCCESS);
    PACL dacl = dacl_of(access.rights);
    const DWORD expected[] = {RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE | RIGHT_BIT_PERSIST | RIGHT_BIT_RESTORE,
                              RIGHT_BIT_READ, RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT, ACCESS_ALL_RIGHTS};
    assert_int_equal(dacl->AceCount, ARRAYSIZE(expected));
    for (DWORD i = 0; i < dacl->AceCount; i++) {
        ACCESS_ALLOWED_ACE *ace = NULL;
        assert_true(GetAce(dacl, i, (LPVOID *)&ace));
        assert_int_equal(ace->Mask, expected[i]);
    }
    access_free(&access);
}

static void test_a_console_serves_who_started_it(void **state)
{
    (void)state;
    assert_int_equal(rights_under(L"D:P(A;;0x2;;;S-1-5-21-1-2-3-1001)", true), ACCESS_ALL_RIGHTS);
}

static void test_descriptors_that_must_not_stand(void **state)
{
    (void)state;
    static const wchar_t *const bad[] = {
        L"nonsense",
        L"O:SYG:SY",                       /* no DACL */
        L"D:P(A;;0x2;;;WD)",               /* Everyone */
        L"D:P(A;;0x7e;;;BA)(A;;0x2;;;AN)", /* Anonymous */
        L"D:P(A;;0x7e;;;NU)",              /* the network */
        L"D:P(A;;0x7e;;;BG)",              /* guests */
        L"D:P(OA;;0x2;;;BA)",              /* an object entry (or, on some systems, no entry at all) */
    };
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        char why[128] = "";
        if (access_valid_sddl(bad[i], why, sizeof why)) {
            fail_msg("accepted: %ls", bad[i]);
        }
        assert_string_not_equal(why, "");
    }
    char why[128] = "";
    assert_true(access_valid_sddl(ACCESS_DEFAULT_SDDL, why, sizeof why));
    assert_true(access_valid_sddl(L"D:P(D;;0x7e;;;WD)(A;;0x7e;;;BA)", why, sizeof why));
}

static void test_a_descriptor_too_long(void **state)
{
    (void)state;
    static wchar_t text[ACCESS_SDDL_CHARS + 1];
    char why[128] = "";
    wmemset(text, L'D', ACCESS_SDDL_CHARS);
    assert_false(access_valid_sddl(text, why, sizeof why));
    assert_string_equal(why, "it is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_client_pipe_has_no_right_to_add_instances),
        cmocka_unit_test(test_the_network_is_denied_first),
        cmocka_unit_test(test_the_requester_pipe_is_for_the_own_account_only),
        cmocka_unit_test(test_whoever_has_a_right_may_open_the_pipe),
        cmocka_unit_test(test_rights_come_from_the_descriptor),
        cmocka_unit_test(test_no_generic_word_stays_in_the_entries),
        cmocka_unit_test(test_a_console_serves_who_started_it),
        cmocka_unit_test(test_descriptors_that_must_not_stand),
        cmocka_unit_test(test_a_descriptor_too_long),
    };
    return cmocka_run_group_tests_name("host_access", tests, NULL, NULL);
}
