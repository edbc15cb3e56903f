/* The program is its own requester: started with --requester it does what the library's name tells it. */
#include "host_support.h"

#include <stdlib.h>

#include "service/host/child.h"
#include "service/host/volumes.h"
#include "service/host/win32_api.h"

enum {
    CHILD_EXIT_CODE = 42
};

static struct win32_api real;
static struct loop loop;
static struct helper helper;
static struct children children;
static uint32_t started_id;
static uint64_t started_created;
static int exits;
static uint32_t exit_code;
static char exit_failure[CHILD_FAILURE_CHARS];

static bool no_memory;

// NOLINTBEGIN(*-identifier*): the linker's names
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : __real_calloc(count, size);
}
// NOLINTEND(*-identifier*)

static struct {
    DWORD flags;
    BOOL inherit;
    wchar_t command[2048];
    bool has_list;
    bool quoted;
} created;

// NOLINTNEXTLINE(readability-function-size): the system's signature
static BOOL WINAPI spy_create(LPCWSTR application, LPWSTR command, LPSECURITY_ATTRIBUTES process,
                              LPSECURITY_ATTRIBUTES thread, BOOL inherit, DWORD flags, LPVOID environment,
                              LPCWSTR directory, LPSTARTUPINFOW startup, LPPROCESS_INFORMATION information)
{
    created.flags = flags;
    created.inherit = inherit;
    wcsncpy(created.command, command, ARRAYSIZE(created.command) - 1);
    created.has_list =
        startup->cb == sizeof(STARTUPINFOEXW) && ((STARTUPINFOEXW *)startup)->lpAttributeList != NULL;
    return CreateProcessW(application, command, process, thread, inherit, flags, environment, directory,
                          startup, information);
}

// NOLINTNEXTLINE(readability-function-size): the system's signature
static BOOL WINAPI refuse_create(LPCWSTR application, LPWSTR command, LPSECURITY_ATTRIBUTES process,
                                 LPSECURITY_ATTRIBUTES thread, BOOL inherit, DWORD flags, LPVOID environment,
                                 LPCWSTR directory, LPSTARTUPINFOW startup, LPPROCESS_INFORMATION information)
{
    (void)application, (void)command, (void)process, (void)thread, (void)inherit, (void)flags;
    (void)environment, (void)directory, (void)startup, (void)information;
    SetLastError(ERROR_ACCESS_DENIED);
    return FALSE;
}

static DWORD opened_access;

static HANDLE WINAPI spy_open(DWORD access, BOOL inherit, DWORD process_id)
{
    assert_false(inherit);
    opened_access = access;
    return OpenProcess(access, inherit, process_id);
}

static HANDLE WINAPI find_nothing(DWORD access, BOOL inherit, DWORD process_id)
{
    (void)access, (void)inherit, (void)process_id;
    SetLastError(ERROR_INVALID_PARAMETER); /* as Windows says it */
    return NULL;
}

static HANDLE timeless; /* of the process whose times the system does not say */

static BOOL WINAPI tell_no_times(HANDLE process, LPFILETIME created_at, LPFILETIME exited, LPFILETIME kernel,
                                 LPFILETIME user)
{
    (void)created_at, (void)exited, (void)kernel, (void)user;
    assert_true(DuplicateHandle(GetCurrentProcess(), process, GetCurrentProcess(), &timeless, 0, FALSE,
                                DUPLICATE_SAME_ACCESS));
    SetLastError(ERROR_ACCESS_DENIED);
    return FALSE;
}

static void on_started(void *context, uint64_t requester, uint32_t process_id, uint64_t created_at)
{
    assert_ptr_equal(context, &children);
    assert_int_equal(requester, 5);
    assert_int_equal(exits, 0);
    started_id = process_id;
    started_created = created_at;
}

static void on_exited(void *context, uint64_t requester, uint32_t code, const char *failure)
{
    assert_ptr_equal(context, &children);
    assert_int_equal(requester, 5);
    exits++;
    exit_code = code;
    snprintf(exit_failure, sizeof exit_failure, "%s", failure != NULL ? failure : "");
}

static int set_up(void **state)
{
    (void)state;
    real = win32;
    win32.create_process = spy_create;
    win32.open_process = spy_open;
    started_id = 0;
    started_created = 0;
    opened_access = 0;
    exits = 0;
    memset(&created, 0, sizeof created);
    children = (struct children){
        .loop = &loop, .helper = &helper, .started = on_started, .exited = on_exited, .context = &children};
    return loop_init(&loop) == ERROR_SUCCESS && helper_start(&helper, &loop) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    children_free(&children);
    loop_free(&loop);
    win32 = real;
    return 0;
}

static struct requester_arguments arguments_for(const wchar_t *behaviour)
{
    struct requester_arguments arguments = {.magic = HANDOFF_MAGIC,
                                            .orphan_grace_ms = 1234,
                                            .must_be_simulator = 1,
                                            .pipe_name = L"\\\\.\\pipe\\x"};
    memset(arguments.secret, 0xa5, sizeof arguments.secret);
    wcscpy(arguments.vss_library, behaviour);
    return arguments;
}

static void test_the_handoff_arrives_and_the_exit_is_seen(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"check");
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_not_equal(started_id, 0);
    assert_int_equal(exit_code, CHILD_EXIT_CODE);
    assert_string_equal(exit_failure, "");
    assert_null(children.first);
}

static void test_how_the_process_is_started(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"check");
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, exits == 1);
    assert_true(created.inherit);
    assert_true(created.has_list); /* nothing but the hand-off is inherited */
    assert_true(created.flags & EXTENDED_STARTUPINFO_PRESENT);
    assert_false(created.flags & CREATE_BREAKAWAY_FROM_JOB);
    assert_int_equal(created.command[0], L'"');
    assert_non_null(wcsstr(created.command, L"\" --requester "));
    assert_null(wcsstr(created.command, L"a5a5"));
}

static void test_a_process_is_killed(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"sleep");
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, started_id != 0);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, CHILD_KILLED_EXIT_CODE);
    child_kill(&children, 5); /* nobody there: no harm */
}

static void test_a_process_is_killed_while_it_is_being_started(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"sleep");
    child_start(&children, 5, &arguments);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, CHILD_KILLED_EXIT_CODE);
}

static void test_a_start_that_fails_says_why(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"check");
    win32.create_process = refuse_create;
    child_start(&children, 5, &arguments);
    assert_int_equal(exits, 0);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "CreateProcess failed"));
}

static void test_a_helper_that_takes_nothing(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"check");
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    child_start(&children, 5, &arguments);
    child_kill(&children, 5);
    assert_int_equal(exits, 0);
    SERVE_UNTIL(&loop, exits == 1);
    assert_string_not_equal(exit_failure, "");
}

static void test_no_memory_refuses_one_start_only(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"check");
    no_memory = true;
    child_start(&children, 5, &arguments);
    child_start(&children, 5, &arguments);
    no_memory = false;
    child_kill(&children, 5);
    assert_int_equal(exits, 0); /* not from inside */
    SERVE_UNTIL(&loop, exits == 2);
    assert_non_null(strstr(exit_failure, "no memory"));
    assert_null(children.first);

    exits = 0;
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, CHILD_EXIT_CODE);
}

/* ---- Processes that an earlier service has started. ---- */

static uint64_t creation_time(HANDLE process)
{
    FILETIME made;
    FILETIME unused;
    assert_true(GetProcessTimes(process, &made, &unused, &unused, &unused));
    return (uint64_t)made.dwHighDateTime << 32 | made.dwLowDateTime;
}

static HANDLE start_sleeper(DWORD *process_id)
{
    wchar_t path[1024];
    wchar_t command[1100];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION information;
    assert_in_range(GetModuleFileNameW(NULL, path, ARRAYSIZE(path)), 1, ARRAYSIZE(path) - 1);
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" --sleep", path);
    assert_true(CreateProcessW(path, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &information));
    CloseHandle(information.hThread);
    *process_id = information.dwProcessId;
    return information.hProcess;
}

static void end_sleeper(HANDLE process, DWORD code)
{
    TerminateProcess(process, code);
    assert_int_equal(WaitForSingleObject(process, SUPPORT_LIMIT_MS), WAIT_OBJECT_0);
}

static void test_a_start_tells_what_names_the_process_for_ever(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"sleep");
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, started_id != 0);
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, started_id);
    assert_non_null(process);
    assert_true(started_created == creation_time(process));
    CloseHandle(process);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
}

static void test_a_start_that_no_later_service_could_find_fails(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"sleep");
    win32.get_process_times = tell_no_times;
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "GetProcessTimes failed"));
    assert_int_equal(WaitForSingleObject(timeless, SUPPORT_LIMIT_MS), WAIT_OBJECT_0); /* it is not left */
    CloseHandle(timeless);
}

static void test_a_process_is_found_again_and_its_exit_is_seen(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    uint64_t time = creation_time(process);
    child_adopt(&children, 5, id, time);
    assert_int_equal(started_id, 0); /* not from inside */
    SERVE_UNTIL(&loop, started_id != 0);
    assert_int_equal(started_id, id);
    assert_true(started_created == time);
    assert_int_equal(opened_access, SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION);
    assert_int_equal(exits, 0);
    end_sleeper(process, 11);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, 11);
    assert_string_equal(exit_failure, "");
    CloseHandle(process);
}

static void test_a_process_that_was_found_is_killed(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    child_adopt(&children, 5, id, creation_time(process));
    SERVE_UNTIL(&loop, started_id != 0);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, CHILD_KILLED_EXIT_CODE);
    CloseHandle(process);
}

static void test_a_process_is_killed_while_it_is_looked_for(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    child_adopt(&children, 5, id, creation_time(process));
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(exit_code, CHILD_KILLED_EXIT_CODE);
    CloseHandle(process);
}

static void test_another_process_with_the_number_is_left_alone(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    child_adopt(&children, 5, id, creation_time(process) - 1);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "is another one now"));
    assert_null(children.first);
    assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
    end_sleeper(process, 0);
    CloseHandle(process);
}

static void test_a_process_that_has_ended_is_not_found(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id); /* our handle keeps the number */
    uint64_t time = creation_time(process);
    end_sleeper(process, 0);
    child_adopt(&children, 5, id, time);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "has ended"));
    CloseHandle(process);
}

static void test_a_number_that_nobody_has(void **state)
{
    (void)state;
    win32.open_process = find_nothing;
    child_adopt(&children, 5, 1234, 1);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "OpenProcess failed"));
}

static void test_a_process_whose_times_are_not_told_is_not_trusted(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    uint64_t time = creation_time(process);
    win32.get_process_times = tell_no_times;
    child_adopt(&children, 5, id, time);
    SERVE_UNTIL(&loop, exits == 1);
    assert_int_equal(started_id, 0);
    assert_non_null(strstr(exit_failure, "GetProcessTimes failed"));
    assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
    CloseHandle(timeless);
    end_sleeper(process, 0);
    CloseHandle(process);
}

static void test_nothing_is_looked_for_without_helper_or_memory(void **state)
{
    (void)state;
    no_memory = true;
    child_adopt(&children, 5, 1234, 1);
    no_memory = false;
    SERVE_UNTIL(&loop, exits == 1);
    assert_non_null(strstr(exit_failure, "no memory"));
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    child_adopt(&children, 5, 1234, 1);
    SERVE_UNTIL(&loop, exits == 2);
    assert_non_null(strstr(exit_failure, "too busy"));
}

/* The service ends, and another one shall have them. */
static void test_processes_live_on_when_they_are_forgotten(void **state)
{
    (void)state;
    DWORD id;
    HANDLE process = start_sleeper(&id);
    child_adopt(&children, 5, id, creation_time(process));
    SERVE_UNTIL(&loop, started_id != 0);
    children_free(&children);
    assert_null(children.first);
    assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
    end_sleeper(process, 0);
    CloseHandle(process);
}

static void test_a_handoff_that_is_none(void **state)
{
    (void)state;
    struct requester_arguments arguments;
    HANDLE read_end;
    HANDLE write_end;
    DWORD written;
    assert_true(CreatePipe(&read_end, &write_end, NULL, 0));
    assert_true(WriteFile(write_end, "short", 5, &written, NULL));
    CloseHandle(write_end);
    assert_int_not_equal(handoff_read(read_end, &arguments), ERROR_SUCCESS);

    struct requester_arguments wrong = arguments_for(L"check");
    wrong.magic++;
    assert_true(CreatePipe(&read_end, &write_end, NULL, 2 * sizeof wrong));
    assert_int_equal(handoff_write(write_end, &wrong), ERROR_SUCCESS);
    CloseHandle(write_end);
    assert_int_equal(handoff_read(read_end, &arguments), ERROR_INVALID_DATA);
}

static void test_volumes_have_names(void **state)
{
    (void)state;
    struct volume_list list;
    bool found = false;
    host_volumes_enumerate(&list, true);
    assert_string_equal(list.failure, "");
    for (size_t i = 0; i < list.count; i++) {
        const struct host_volume *volume = &list.volumes[i];
        assert_int_equal(strncmp(volume->guid_path, "\\\\?\\Volume{", 11), 0);
        for (size_t k = 0; k < volume->names_count; k++) {
            if (_stricmp(volume->names[k], "C:\\") == 0) {
                found = true;
                assert_int_equal(volume->drive_type, DRIVE_FIXED);
                assert_true(volume->total_bytes >= volume->free_bytes);
                assert_non_null(volume->file_system);
            }
        }
    }
    assert_true(found);
    host_volumes_free(&list);
}

/* ---- the service dies while it starts a process ---- */

// NOLINTNEXTLINE(readability-function-size): the system's signature
static BOOL WINAPI die_in_create(LPCWSTR application, LPWSTR command, LPSECURITY_ATTRIBUTES process,
                                 LPSECURITY_ATTRIBUTES thread, BOOL inherit, DWORD flags, LPVOID environment,
                                 LPCWSTR directory, LPSTARTUPINFOW startup, LPPROCESS_INFORMATION information)
{
    /* Where CreateProcess itself lets the thread run, this one has died. */
    if (CreateProcessW(application, command, process, thread, inherit, flags | CREATE_SUSPENDED, environment,
                       directory, startup, information)) {
        TerminateProcess(GetCurrentProcess(), information->dwProcessId);
    }
    return FALSE;
}

static int be_dying_service(void)
{
    struct requester_arguments arguments = arguments_for(L"sleep");
    set_up(NULL);
    win32.create_process = die_in_create;
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, exits == 1);
    return 0;
}

static void test_a_process_that_never_ran_ends_with_the_service(void **state)
{
    (void)state;
    wchar_t path[MAX_PATH];
    wchar_t command[MAX_PATH + 32];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION service;
    DWORD process_id = 0;
    assert_int_not_equal(GetModuleFileNameW(NULL, path, MAX_PATH), 0);
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" --dying-service", path);
    assert_true(CreateProcessW(path, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &service));
    assert_int_equal(WaitForSingleObject(service.hProcess, SUPPORT_LIMIT_MS), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(service.hProcess, &process_id));
    CloseHandle(service.hThread);
    CloseHandle(service.hProcess);
    assert_true(process_id > 1);
    HANDLE orphan = OpenProcess(SYNCHRONIZE | PROCESS_TERMINATE, FALSE, process_id);
    if (orphan != NULL) { /* else it has gone already */
        DWORD waited = WaitForSingleObject(orphan, SUPPORT_LIMIT_MS);
        TerminateProcess(orphan, 1);
        CloseHandle(orphan);
        assert_int_equal(waited, WAIT_OBJECT_0);
    }
}

static void test_a_process_that_runs_outlives_the_service(void **state)
{
    (void)state;
    struct requester_arguments arguments = arguments_for(L"sleep");
    child_start(&children, 5, &arguments);
    SERVE_UNTIL(&loop, started_id != 0);
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, started_id);
    assert_non_null(process);
    /* The job's only handle is closed by now. */
    assert_int_equal(WaitForSingleObject(process, 0), WAIT_TIMEOUT);
    CloseHandle(process);
    child_kill(&children, 5);
    SERVE_UNTIL(&loop, exits == 1);
}

static int be_requester(const char *handle)
{
    struct requester_arguments arguments;
    uint8_t secret[HANDOFF_SECRET_BYTES];
    memset(secret, 0xa5, sizeof secret);
    if (handoff_read((HANDLE)(uintptr_t)strtoull(handle, NULL, 10), &arguments) != ERROR_SUCCESS) {
        return 1;
    }
    if (wcscmp(arguments.vss_library, L"sleep") == 0) {
        Sleep(INFINITE);
    }
    return memcmp(arguments.secret, secret, sizeof secret) == 0 && arguments.orphan_grace_ms == 1234 &&
                   arguments.must_be_simulator == 1 && wcscmp(arguments.pipe_name, L"\\\\.\\pipe\\x") == 0
               ? CHILD_EXIT_CODE
               : 2;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int count, char **values)
{
    if (count == 3 && strcmp(values[1], "--requester") == 0) {
        return be_requester(values[2]);
    }
    if (count == 2 && strcmp(values[1], "--sleep") == 0) {
        Sleep(INFINITE);
    }
    if (count == 2 && strcmp(values[1], "--dying-service") == 0) {
        return be_dying_service();
    }
    const struct CMUnitTest tests[] = {
        TEST(test_the_handoff_arrives_and_the_exit_is_seen),
        TEST(test_how_the_process_is_started),
        TEST(test_a_process_is_killed),
        TEST(test_a_process_is_killed_while_it_is_being_started),
        TEST(test_a_process_that_runs_outlives_the_service),
        TEST(test_a_start_that_fails_says_why),
        TEST(test_a_helper_that_takes_nothing),
        TEST(test_no_memory_refuses_one_start_only),
        TEST(test_a_start_tells_what_names_the_process_for_ever),
        TEST(test_a_start_that_no_later_service_could_find_fails),
        TEST(test_a_process_is_found_again_and_its_exit_is_seen),
        TEST(test_a_process_that_was_found_is_killed),
        TEST(test_a_process_is_killed_while_it_is_looked_for),
        TEST(test_another_process_with_the_number_is_left_alone),
        TEST(test_a_process_that_has_ended_is_not_found),
        TEST(test_a_number_that_nobody_has),
        TEST(test_a_process_whose_times_are_not_told_is_not_trusted),
        TEST(test_nothing_is_looked_for_without_helper_or_memory),
        TEST(test_processes_live_on_when_they_are_forgotten),
        cmocka_unit_test(test_a_process_that_never_ran_ends_with_the_service),
        cmocka_unit_test(test_a_handoff_that_is_none),
        cmocka_unit_test(test_volumes_have_names),
    };
    return cmocka_run_group_tests_name("host_child", tests, NULL, NULL);
}
