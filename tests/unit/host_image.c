/* A copy of this program stands for the file that an installer wants to replace while it runs. */
#include "host_support.h"

#include <string.h>

#include "service/host/image.h"

static wchar_t folder[MAX_PATH];
static wchar_t program[MAX_PATH];
static HANDLE sleeper;

static void in_folder(const wchar_t *name, wchar_t path[MAX_PATH])
{
    swprintf(path, MAX_PATH, L"%ls\\%ls", folder, name);
}

static bool exists(const wchar_t *name)
{
    wchar_t path[MAX_PATH];
    in_folder(name, path);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

static unsigned count_files(void)
{
    wchar_t pattern[MAX_PATH];
    WIN32_FIND_DATAW found;
    unsigned count = 0;
    in_folder(L"*", pattern);
    HANDLE search = FindFirstFileW(pattern, &found);
    do {
        count += (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
    } while (FindNextFileW(search, &found));
    FindClose(search);
    return count;
}

static void run_program(void)
{
    wchar_t command[MAX_PATH + 16];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION information;
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" --sleep", program);
    assert_true(CreateProcessW(program, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &information));
    CloseHandle(information.hThread);
    sleeper = information.hProcess;
}

static void end_program(void)
{
    if (sleeper != NULL) {
        TerminateProcess(sleeper, 0);
        WaitForSingleObject(sleeper, SUPPORT_LIMIT_MS);
        CloseHandle(sleeper);
        sleeper = NULL;
    }
}

static int set_up(void **state)
{
    (void)state;
    wchar_t temp[MAX_PATH - 60];
    wchar_t own[MAX_PATH];
    GetTempPathW(ARRAYSIZE(temp), temp);
    swprintf(folder, MAX_PATH, L"%lsshadowpipe-image-%lu", temp, GetCurrentProcessId());
    in_folder(L"program.exe", program);
    return CreateDirectoryW(folder, NULL) && GetModuleFileNameW(NULL, own, MAX_PATH) > 0 &&
                   CopyFileW(own, program, TRUE)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const wchar_t *const names[] = {L"program.exe", L"program.exe.new", L"program.exe.old-1",
                                           L"program.exe.old-2"};
    end_program();
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        wchar_t path[MAX_PATH];
        in_folder(names[i], path);
        DeleteFileW(path);
    }
    return RemoveDirectoryW(folder) ? 0 : -1;
}

static void test_what_nobody_runs_stays(void **state)
{
    (void)state;
    image_set_file_aside(program);
    assert_true(exists(L"program.exe"));
    assert_int_equal(count_files(), 1);
}

static void test_what_runs_makes_room(void **state)
{
    (void)state;
    run_program();
    assert_false(DeleteFileW(program)); /* what an installer meets */
    image_set_file_aside(program);
    assert_true(exists(L"program.exe.old-1"));
    assert_int_equal(count_files(), 2);
    assert_int_equal(WaitForSingleObject(sleeper, 0), WAIT_TIMEOUT);
    assert_true(DeleteFileW(program));
}

static void test_what_was_set_aside_goes_when_nobody_runs_it(void **state)
{
    (void)state;
    run_program();
    image_set_file_aside(program);
    HANDLE first = sleeper;
    run_program(); /* the copy */
    image_set_file_aside(program);
    assert_true(exists(L"program.exe.old-1"));
    assert_true(exists(L"program.exe.old-2"));
    image_sweep_file(program);
    assert_int_equal(count_files(), 3);
    end_program();
    image_sweep_file(program);
    assert_true(exists(L"program.exe.old-1"));
    assert_int_equal(count_files(), 2);
    sleeper = first;
    end_program();
    image_sweep_file(program);
    assert_true(exists(L"program.exe"));
    assert_int_equal(count_files(), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int count, char **values)
{
    if (count == 2 && strcmp(values[1], "--sleep") == 0) {
        Sleep(INFINITE);
    }
    const struct CMUnitTest tests[] = {
        TEST(test_what_nobody_runs_stays),
        TEST(test_what_runs_makes_room),
        TEST(test_what_was_set_aside_goes_when_nobody_runs_it),
    };
    return cmocka_run_group_tests_name("host_image", tests, NULL, NULL);
}
