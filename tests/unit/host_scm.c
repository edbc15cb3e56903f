/* The verbs of the service manager and the service's own registration, against a manager that the test plays:
 * its functions are imported, so the program's own pointers of these names come before the library's. */
#include "host_support.h"

#include <limits.h>

#include "service/host/host.h"
#include "service/host/registration.h"
#include "service/host/scm.h"
#include "service/host/text.h"

enum {
    STOP_MS = 180 * 1000 + HOST_STOP_BEYOND_MS,
    LEVELS = 16
};

#define HANDLE_OF_ANY ((SC_HANDLE)(uintptr_t)0x5c)

static struct {
    DWORD state;
    int queries_until_running; /* while it is starting; 0 = it starts for ever */
    bool refuses_to_open;
    bool has_sid; /* and whether the system offers one at all */
    bool offers_sid;
    DWORD preshutdown_ms;
    bool set[LEVELS];
    uint64_t now_ms;
    int stop_orders;
    DWORD access;              /* with which the service was opened */
    DWORD control;             /* the last */
    int queries_until_stopped; /* once it is told to end */
} manager;

static DWORD last_told; /* the code that was put into words, for a person */
static int reports;
static DWORD reported;
static SERVICE_STATUS service_status; /* the last that the service gave */
static DWORD event_id;
static bool machine_is_ours;
static LPHANDLER_FUNCTION_EX handler;
static DWORD controls[3]; /* what the service gets while it runs, 0 ends them */
static enum broker_stop_kind stop_kinds[3];
static int stop_requests;
static int set_asides;
static int sweeps;

// NOLINTBEGIN(*-identifier*): the linker's names
uint64_t __wrap_loop_now_ms(void);
void __wrap_eventlog_write(DWORD id, enum broker_log_level level, const char *text);
void __real_text_of_error(DWORD error, char *text, size_t size);
void __wrap_text_of_error(DWORD error, char *text, size_t size);

uint64_t __wrap_loop_now_ms(void)
{
    return manager.now_ms;
}

void __wrap_eventlog_write(DWORD id, enum broker_log_level level, const char *text)
{
    (void)level;
    assert_string_not_equal(text, "");
    event_id = id;
}

#define ANY_HOST ((struct host *)(uintptr_t)0x40)

enum host_error __wrap_host_create(const struct service_config *config, struct host **host, char *error);
enum host_error __wrap_host_start(struct host *host, char *error);
enum host_error __wrap_host_run(struct host *host, void (*tick)(void *context), void *context);
void __wrap_host_request_stop(struct host *host, enum broker_stop_kind kind);
void __wrap_host_free(struct host *host);
void __wrap_image_set_aside(void);
void __wrap_image_sweep(void);

enum host_error __wrap_host_create(const struct service_config *config, struct host **host, char *error)
{
    (void)config, (void)error;
    *host = ANY_HOST;
    return HOST_OK;
}

enum host_error __wrap_host_start(struct host *host, char *error)
{
    (void)host, (void)error;
    return HOST_OK;
}

enum host_error __wrap_host_run(struct host *host, void (*tick)(void *context), void *context)
{
    assert_ptr_equal(host, ANY_HOST);
    for (size_t i = 0; i < ARRAYSIZE(controls) && controls[i] != 0; i++) {
        assert_int_equal(handler(controls[i], 0, NULL, NULL), NO_ERROR);
    }
    assert_int_equal(service_status.dwCurrentState, SERVICE_STOP_PENDING);
    DWORD checkpoint = service_status.dwCheckPoint;
    tick(context);
    assert_true(service_status.dwCheckPoint > checkpoint);
    return HOST_OK;
}

void __wrap_host_request_stop(struct host *host, enum broker_stop_kind kind)
{
    assert_ptr_equal(host, ANY_HOST);
    stop_kinds[stop_requests++] = kind;
}

void __wrap_host_free(struct host *host)
{
    assert_ptr_equal(host, ANY_HOST);
}

void __wrap_image_set_aside(void)
{
    set_asides++;
}

void __wrap_image_sweep(void)
{
    sweeps++;
}

void __wrap_text_of_error(DWORD error, char *text, size_t size)
{
    last_told = error;
    __real_text_of_error(error, text, size);
}

static VOID WINAPI fake_sleep(DWORD ms)
{
    manager.now_ms += ms;
}

static SC_HANDLE WINAPI fake_open_manager(LPCWSTR machine, LPCWSTR database, DWORD access)
{
    (void)machine, (void)database, (void)access;
    return HANDLE_OF_ANY;
}

static SC_HANDLE WINAPI fake_open_service(SC_HANDLE opened, LPCWSTR name, DWORD access)
{
    (void)opened;
    manager.access = access;
    assert_int_equal(wcscmp(name, SCM_SERVICE_NAME), 0);
    SetLastError(ERROR_ACCESS_DENIED);
    return manager.refuses_to_open ? NULL : HANDLE_OF_ANY;
}

static BOOL WINAPI fake_close(SC_HANDLE opened)
{
    (void)opened;
    return TRUE;
}

static BOOL WINAPI fake_start(SC_HANDLE service, DWORD count, LPCWSTR *arguments)
{
    (void)service, (void)count, (void)arguments;
    manager.state = SERVICE_START_PENDING;
    return TRUE;
}

static BOOL WINAPI fake_query_status(SC_HANDLE service, LPSERVICE_STATUS status)
{
    (void)service;
    if (manager.state == SERVICE_START_PENDING && manager.queries_until_running > 0 &&
        --manager.queries_until_running == 0) {
        manager.state = SERVICE_RUNNING;
    }
    if (manager.state == SERVICE_STOP_PENDING && manager.queries_until_stopped > 0 &&
        --manager.queries_until_stopped == 0) {
        manager.state = SERVICE_STOPPED;
    }
    *status = (SERVICE_STATUS){.dwCurrentState = manager.state};
    return TRUE;
}

static BOOL WINAPI fake_control(SC_HANDLE service, DWORD control, LPSERVICE_STATUS status)
{
    (void)service;
    manager.control = control;
    manager.stop_orders++;
    if (manager.state != SERVICE_RUNNING) {
        SetLastError(manager.state == SERVICE_STOPPED ? ERROR_SERVICE_NOT_ACTIVE
                                                      : ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
        return FALSE;
    }
    manager.state = manager.queries_until_stopped > 0 ? SERVICE_STOP_PENDING : SERVICE_STOPPED;
    *status = (SERVICE_STATUS){.dwCurrentState = SERVICE_STOP_PENDING};
    return TRUE;
}

static BOOL WINAPI fake_query_config(SC_HANDLE service, DWORD level, LPBYTE value, DWORD size, LPDWORD needed)
{
    (void)service, (void)size, (void)needed;
    if (level == SERVICE_CONFIG_PRESHUTDOWN_INFO) {
        ((SERVICE_PRESHUTDOWN_INFO *)(void *)value)->dwPreshutdownTimeout = manager.preshutdown_ms;
        return TRUE;
    }
    assert_int_equal(level, SERVICE_CONFIG_SERVICE_SID_INFO);
    ((SERVICE_SID_INFO *)(void *)value)->dwServiceSidType =
        manager.has_sid ? SERVICE_SID_TYPE_UNRESTRICTED : SERVICE_SID_TYPE_NONE;
    SetLastError(ERROR_INVALID_LEVEL);
    return manager.offers_sid;
}

static BOOL WINAPI fake_change_config(SC_HANDLE service, DWORD level, LPVOID value)
{
    (void)service;
    assert_true(level < LEVELS);
    if (level == SERVICE_CONFIG_SERVICE_SID_INFO && !manager.offers_sid) {
        SetLastError(ERROR_INVALID_LEVEL);
        return FALSE;
    }
    if (level == SERVICE_CONFIG_PRESHUTDOWN_INFO) {
        manager.preshutdown_ms = ((SERVICE_PRESHUTDOWN_INFO *)value)->dwPreshutdownTimeout;
    }
    manager.set[level] = true;
    return TRUE;
}

static BOOL WINAPI fake_dispatch(const SERVICE_TABLE_ENTRYW *table)
{
    table->lpServiceProc(0, NULL);
    return TRUE;
}

static SERVICE_STATUS_HANDLE WINAPI fake_register(LPCWSTR name, LPHANDLER_FUNCTION_EX given, LPVOID context)
{
    (void)name, (void)context;
    handler = given;
    return (SERVICE_STATUS_HANDLE)HANDLE_OF_ANY;
}

static BOOL WINAPI fake_set_status(SERVICE_STATUS_HANDLE service, LPSERVICE_STATUS status)
{
    (void)service;
    service_status = *status;
    return TRUE;
}

static BOOL WINAPI fake_machine(HANDLE process, USHORT *of_process, USHORT *of_windows)
{
    (void)process;
    *of_process = IMAGE_FILE_MACHINE_UNKNOWN;
    *of_windows = machine_is_ours ? IMAGE_FILE_MACHINE_AMD64 : IMAGE_FILE_MACHINE_ARM64;
    return TRUE;
}

BOOL(WINAPI *__imp_StartServiceCtrlDispatcherW)(const SERVICE_TABLE_ENTRYW *) = fake_dispatch;
SERVICE_STATUS_HANDLE(WINAPI *__imp_RegisterServiceCtrlHandlerExW)
(LPCWSTR, LPHANDLER_FUNCTION_EX, LPVOID) = fake_register;
BOOL(WINAPI *__imp_SetServiceStatus)(SERVICE_STATUS_HANDLE, LPSERVICE_STATUS) = fake_set_status;
BOOL(WINAPI *__imp_IsWow64Process2)(HANDLE, USHORT *, USHORT *) = fake_machine;
VOID(WINAPI *__imp_Sleep)(DWORD) = fake_sleep;
SC_HANDLE(WINAPI *__imp_OpenSCManagerW)(LPCWSTR, LPCWSTR, DWORD) = fake_open_manager;
SC_HANDLE(WINAPI *__imp_OpenServiceW)(SC_HANDLE, LPCWSTR, DWORD) = fake_open_service;
BOOL(WINAPI *__imp_CloseServiceHandle)(SC_HANDLE) = fake_close;
BOOL(WINAPI *__imp_StartServiceW)(SC_HANDLE, DWORD, LPCWSTR *) = fake_start;
BOOL(WINAPI *__imp_QueryServiceStatus)(SC_HANDLE, LPSERVICE_STATUS) = fake_query_status;
BOOL(WINAPI *__imp_ControlService)(SC_HANDLE, DWORD, LPSERVICE_STATUS) = fake_control;
BOOL(WINAPI *__imp_QueryServiceConfig2W)(SC_HANDLE, DWORD, LPBYTE, DWORD, LPDWORD) = fake_query_config;
BOOL(WINAPI *__imp_ChangeServiceConfig2W)(SC_HANDLE, DWORD, LPVOID) = fake_change_config;
// NOLINTEND(*-identifier*)

static void report(const char *what, DWORD error)
{
    assert_string_not_equal(what, "");
    reports++;
    reported = error;
}

static int set_up(void **state)
{
    (void)state;
    memset(&manager, 0, sizeof manager);
    manager.state = SERVICE_RUNNING;
    manager.offers_sid = true;
    last_told = MAXDWORD;
    reports = 0;
    return 0;
}

static void test_stop_waits_for_a_service_that_is_starting(void **state)
{
    (void)state;
    manager.state = SERVICE_START_PENDING;
    manager.queries_until_running = 3;
    assert_int_equal(scm_stop(), SCM_DONE);
    assert_int_equal(manager.state, SERVICE_STOPPED);
    assert_int_equal(manager.stop_orders, 1);
    assert_int_equal(manager.control, SERVICE_CONTROL_STOP);
    assert_int_equal(manager.access, SERVICE_STOP | SERVICE_QUERY_STATUS);
}

static void test_hand_over_sends_its_control_and_waits(void **state)
{
    (void)state;
    manager.queries_until_stopped = 5;
    assert_int_equal(scm_hand_over(), SCM_DONE);
    assert_int_equal(manager.control, 128); /* the number that scripts may send, too */
    assert_int_equal(manager.access, SERVICE_USER_DEFINED_CONTROL | SERVICE_QUERY_STATUS);
    assert_int_equal(manager.state, SERVICE_STOPPED);
    assert_int_equal(manager.stop_orders, 1);
}

static void test_nothing_is_handed_over_where_nothing_runs(void **state)
{
    (void)state;
    manager.state = SERVICE_STOPPED;
    assert_int_equal(scm_hand_over(), SCM_FAILED);
    manager.state = SERVICE_STOP_PENDING;
    assert_int_equal(scm_hand_over(), SCM_FAILED);
    assert_int_equal(manager.now_ms, 0); /* at once */
    assert_int_equal(last_told, MAXDWORD);
}

static void test_hand_over_needs_a_right(void **state)
{
    (void)state;
    manager.refuses_to_open = true;
    assert_int_equal(scm_hand_over(), SCM_FAILED);
    assert_int_equal(last_told, ERROR_ACCESS_DENIED);
    assert_int_equal(manager.stop_orders, 0);
}

static void test_hand_over_waits_as_long_as_a_stop_may_take(void **state)
{
    (void)state;
    manager.queries_until_stopped = INT_MAX;
    assert_int_equal(scm_hand_over(), SCM_FAILED);
    assert_true(manager.now_ms > STOP_MS);
    assert_int_equal(last_told, MAXDWORD);
}

static void test_stop_waits_as_long_as_a_stop_may_take(void **state)
{
    (void)state;
    manager.state = SERVICE_STOP_PENDING; /* and stays */
    assert_int_equal(scm_stop(), SCM_FAILED);
    assert_true(manager.now_ms > STOP_MS);
    assert_int_equal(last_told, MAXDWORD); /* it names the state, no error that there was not */
}

static void test_a_stopped_service_is_stopped(void **state)
{
    (void)state;
    manager.state = SERVICE_STOPPED;
    assert_int_equal(scm_stop(), SCM_DONE);
}

static void test_a_start_without_end_is_no_success(void **state)
{
    (void)state;
    manager.state = SERVICE_STOPPED;
    assert_int_equal(scm_start(), SCM_FAILED);
    assert_int_equal(last_told, MAXDWORD); /* not "completed successfully" */
    manager.state = SERVICE_STOPPED;
    manager.queries_until_running = 2;
    assert_int_equal(scm_start(), SCM_DONE);
}

static const DWORD all_levels[] = {SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
                                   SERVICE_CONFIG_PRESHUTDOWN_INFO, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO,
                                   SERVICE_CONFIG_SERVICE_SID_INFO};

static void test_a_bare_registration_is_completed(void **state)
{
    (void)state;
    registration_complete(STOP_MS, report);
    for (size_t i = 0; i < ARRAYSIZE(all_levels); i++) {
        assert_true(manager.set[all_levels[i]]);
    }
    assert_int_equal(manager.preshutdown_ms, STOP_MS);
    assert_int_equal(reports, 0);
}

static void test_what_an_administrator_changed_stays(void **state)
{
    (void)state;
    manager.has_sid = true;
    manager.preshutdown_ms = STOP_MS;
    registration_complete(STOP_MS, report);
    for (size_t i = 0; i < LEVELS; i++) {
        assert_false(manager.set[i]);
    }
    registration_complete(STOP_MS + 1, report); /* StopAllMs has changed */
    for (size_t i = 0; i < LEVELS; i++) {
        assert_int_equal(manager.set[i], i == SERVICE_CONFIG_PRESHUTDOWN_INFO);
    }
    assert_int_equal(manager.preshutdown_ms, STOP_MS + 1);
}

static void test_what_cannot_be_set_is_reported(void **state)
{
    (void)state;
    manager.offers_sid = false;
    registration_complete(STOP_MS, report);
    assert_int_equal(reports, 1);
    assert_int_equal(reported, ERROR_INVALID_LEVEL);
    manager.refuses_to_open = true;
    registration_complete(STOP_MS, report);
    assert_int_equal(reports, 2);
    assert_int_equal(reported, ERROR_ACCESS_DENIED);
}

static void test_the_wrong_machine_is_said_in_the_event_log(void **state)
{
    (void)state;
    assert_int_equal(scm_run_service(), SCM_DONE);
    assert_int_equal(event_id & 0xffff, 3); /* the number that people see */
    assert_int_equal(service_status.dwCurrentState, SERVICE_STOPPED);
    assert_int_equal(service_status.dwWin32ExitCode, ERROR_SERVICE_SPECIFIC_ERROR);
    assert_int_equal(service_status.dwServiceSpecificExitCode, HOST_WRONG_MACHINE);
}

/* The service's own state lasts as long as its process, so there is one life of it only. */
static void test_control_128_hands_over(void **state)
{
    (void)state;
    machine_is_ours = true;
    controls[0] = SCM_CONTROL_HAND_OVER;
    controls[1] = SERVICE_CONTROL_STOP; /* comes too late */
    assert_int_equal(scm_run_service(), SCM_DONE);
    assert_int_equal(stop_requests, 2);
    assert_int_equal(stop_kinds[0], BROKER_STOP_HAND_OVER);
    assert_int_equal(stop_kinds[1], BROKER_STOP_HAND_OVER);
    assert_int_equal(service_status.dwCurrentState, SERVICE_STOPPED);
    assert_int_equal(service_status.dwWin32ExitCode, NO_ERROR);
    assert_int_equal(sweeps, 1); /* at the start: at the end they are in use */
    assert_int_equal(set_asides, 1);
    assert_int_equal(event_id & 0xffff, 2);
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stop_waits_for_a_service_that_is_starting),
        TEST(test_stop_waits_as_long_as_a_stop_may_take),
        TEST(test_hand_over_sends_its_control_and_waits),
        TEST(test_nothing_is_handed_over_where_nothing_runs),
        TEST(test_hand_over_needs_a_right),
        TEST(test_hand_over_waits_as_long_as_a_stop_may_take),
        TEST(test_a_stopped_service_is_stopped),
        TEST(test_a_start_without_end_is_no_success),
        TEST(test_a_bare_registration_is_completed),
        TEST(test_what_an_administrator_changed_stays),
        TEST(test_what_cannot_be_set_is_reported),
        TEST(test_the_wrong_machine_is_said_in_the_event_log),
        TEST(test_control_128_hands_over),
    };
    return cmocka_run_group_tests_name("host_scm", tests, NULL, NULL);
}
