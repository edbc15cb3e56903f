/* The table of codes against Windows' own header. */
#include <windows.h>
#include <vsserror.h>

#include <string.h>

#include "proto/status.h"
#include "tests/unit/cmocka_all.h"

static const struct {
    const char *name;
    HRESULT value;
} header[] = {
#define CODE(name) {#name, name},
#include "vsserror_codes.inc"
#undef CODE
};

static const struct {
    const char *name;
    HRESULT value;
} generic[] = {
#define CODE(name) {#name, name},
    CODE(S_OK) CODE(S_FALSE) CODE(E_NOTIMPL) CODE(E_NOINTERFACE) CODE(E_POINTER) CODE(E_ABORT) CODE(E_FAIL)
        CODE(E_UNEXPECTED) CODE(E_ACCESSDENIED) CODE(E_OUTOFMEMORY) CODE(E_INVALIDARG)
            CODE(RPC_E_CHANGED_MODE) CODE(RPC_E_DISCONNECTED) CODE(RPC_E_TOO_LATE) CODE(CO_E_NOTINITIALIZED)
                CODE(REGDB_E_CLASSNOTREG) CODE(CO_E_SERVER_EXEC_FAILURE)
#undef CODE
#define CODE(name) {#name, HRESULT_FROM_WIN32(name)},
                    CODE(ERROR_FILE_NOT_FOUND) CODE(ERROR_PATH_NOT_FOUND) CODE(ERROR_NOT_READY)
                        CODE(ERROR_GEN_FAILURE) CODE(ERROR_SHARING_VIOLATION) CODE(ERROR_DISK_FULL)
                            CODE(ERROR_MOD_NOT_FOUND) CODE(ERROR_PROC_NOT_FOUND) CODE(ERROR_BAD_EXE_FORMAT)
                                CODE(ERROR_SERVICE_REQUEST_TIMEOUT) CODE(ERROR_SERVICE_DISABLED)
                                    CODE(ERROR_SHUTDOWN_IN_PROGRESS) CODE(ERROR_NO_SYSTEM_RESOURCES)
                                        CODE(ERROR_TIMEOUT) CODE(RPC_S_SERVER_UNAVAILABLE)
                                            CODE(RPC_S_CALL_FAILED) CODE(RPC_S_CALL_FAILED_DNE)
#undef CODE
};

static void expect(const char *name, HRESULT value)
{
    const struct vss_code *code = vss_code_find((uint32_t)value);
    assert_non_null(code);
    assert_string_equal(code->name, name);
}

static void test_every_code_of_the_header(void **state)
{
    (void)state;
    assert_true(sizeof header / sizeof header[0] >= 80);
    for (size_t i = 0; i < sizeof header / sizeof header[0]; i++)
        expect(header[i].name, header[i].value);
}

static void test_generic_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof generic / sizeof generic[0]; i++)
        expect(generic[i].name, generic[i].value);
}

static void test_nothing_else_in_the_table(void **state)
{
    (void)state;
    size_t count;
    (void)vss_code_table(&count);
    assert_int_equal(count, sizeof header / sizeof header[0] + sizeof generic / sizeof generic[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_of_the_header),
        cmocka_unit_test(test_generic_codes),
        cmocka_unit_test(test_nothing_else_in_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
