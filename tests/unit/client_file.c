/* Files that are written whole or not at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/file.h"
#include "tests/unit/cmocka_all.h"

static char folder[MAX_PATH];
static struct sp_error *error;

static const char *in_folder(const char *name)
{
    static char path[2 * MAX_PATH];
    (void)snprintf(path, sizeof path, "%s\\%s", folder, name);
    return path;
}

static void expect_error(const char *reason, const char *words)
{
    assert_non_null(error);
    assert_string_equal(error->reason, reason);
    assert_non_null(strstr(error->message, words));
    sp_error_free(error);
    error = NULL;
}

static void expect_content(const char *name, const char *content)
{
    size_t size;
    char *bytes = file_read(in_folder(name), 100, &size, &error);
    assert_non_null(bytes);
    assert_int_equal(size, strlen(content));
    assert_string_equal(bytes, content);
    free(bytes);
}

static void a_file_is_replaced(void **state)
{
    (void)state;
    assert_true(file_write(in_folder("\xc3\xa4.xml"), "first", 5, &error));
    expect_content("\xc3\xa4.xml", "first");
    assert_true(file_write(in_folder("\xc3\xa4.xml"), "", 0, &error));
    expect_content("\xc3\xa4.xml", "");
}

static void a_failure_leaves_what_was_there(void **state)
{
    (void)state;
    assert_true(file_write(in_folder("kept"), "old", 3, &error));
    /* Nobody may write what this holds, and its name cannot be taken from it. */
    HANDLE held = CreateFileA(in_folder("kept"), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    assert_false(file_write(in_folder("kept"), "new", 3, &error));
    expect_error("WIN32", "MoveFileExW");
    CloseHandle(held);
    expect_content("kept", "old");
    assert_int_equal(GetFileAttributesA(in_folder("kept.partial")), INVALID_FILE_ATTRIBUTES);
    assert_false(file_write(in_folder("no\\such\\folder"), "x", 1, &error));
    expect_error("WIN32", "CreateFileW");
}

static void what_cannot_be_read_is_named(void **state)
{
    size_t size;
    (void)state;
    assert_null(file_read(in_folder("missing"), 100, &size, &error));
    expect_error("WIN32", "missing");
    assert_true(file_write(in_folder("large"), "1234", 4, &error));
    assert_null(file_read(in_folder("large"), 3, &size, &error));
    expect_error("BAD_ARGUMENT", "4 bytes");
}

static int make_folder(void **state)
{
    char temp[MAX_PATH];
    (void)state;
    if (!GetTempPathA(sizeof temp, temp))
        return -1;
    (void)snprintf(folder, sizeof folder, "%sshadowpipe-file-%lu", temp, GetCurrentProcessId());
    /* A test that was ended may have left one; process ids come again. */
    return CreateDirectoryA(folder, NULL) || GetLastError() == ERROR_ALREADY_EXISTS ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const wchar_t *const names[] = {L"\u00e4.xml", L"kept", L"large"};
    wchar_t path[2 * MAX_PATH];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)_snwprintf(path, 2 * MAX_PATH, L"%hs\\%ls", folder, names[i]);
        DeleteFileW(path);
    }
    return RemoveDirectoryA(folder) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced),
        cmocka_unit_test(a_failure_leaves_what_was_there),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
