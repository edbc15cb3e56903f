/* The two things of churn that a demonstration rests on: the pair that must agree, and the list of checksums.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>
#include <cmocka.h>

#include "tests/demo/ledger.h"
#include "tests/demo/manifest.h"

static wchar_t folder[MAX_PATH], tree[MAX_PATH + 10], list[MAX_PATH + 10];

static const wchar_t *in_tree(const wchar_t *name)
{
    static wchar_t path[2 * MAX_PATH];
    swprintf(path, 2 * MAX_PATH, L"%ls\\%ls", tree, name);
    return path;
}

static void put(const wchar_t *name, const char *text)
{
    FILE *file = _wfopen(in_tree(name), L"wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!GetTempPathW(MAX_PATH - 40, folder))
        return -1;
    swprintf(folder + wcslen(folder), 40, L"churn-test-%lu", GetCurrentProcessId());
    swprintf(tree, ARRAYSIZE(tree), L"%ls\\tree", folder);
    swprintf(list, ARRAYSIZE(list), L"%ls\\list", folder);
    return CreateDirectoryW(folder, NULL) && CreateDirectoryW(tree, NULL) &&
                   CreateDirectoryW(in_tree(L"inner"), NULL)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    static const wchar_t *const names[] = {L"ledger-a.bin", L"ledger-b.bin", L"one.txt",
                                           L"locked.txt",   L"more.txt",     L"inner\\\x00fc.txt"};
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(names); i++)
        DeleteFileW(in_tree(names[i]));
    DeleteFileW(list);
    RemoveDirectoryW(in_tree(L"inner"));
    return RemoveDirectoryW(tree) && RemoveDirectoryW(folder) ? 0 : -1;
}

static void a_whole_pair_agrees_and_a_torn_one_does_not(void **state)
{
    void *contents = ledger_prepare(1);
    (void)state;
    assert_false(ledger_check_pair(tree, stderr));
    assert_true(ledger_write_pair(tree, &contents, 1, TRUE));
    assert_true(ledger_check_pair(tree, stderr));
    wchar_t kept[2 * MAX_PATH];
    wcscpy(kept, in_tree(L"one.txt"));
    assert_true(CopyFileW(in_tree(L"ledger-a.bin"), kept, FALSE));
    assert_true(ledger_write_pair(tree, &contents, 2, TRUE));
    assert_true(ledger_check_pair(tree, stderr));
    /* Written without a rest, as churn does it: never whole. */
    assert_true(ledger_write_pair(tree, &contents, 3, FALSE));
    assert_false(ledger_check_pair(tree, stderr));
    assert_true(ledger_write_pair(tree, &contents, 4, TRUE));
    assert_true(ledger_check_pair(tree, stderr));
    /* Both whole, of two generations. */
    assert_true(CopyFileW(kept, in_tree(L"ledger-a.bin"), FALSE));
    assert_false(ledger_check_pair(tree, stderr));
    /* One byte of another generation. */
    assert_true(ledger_write_pair(tree, &contents, 5, TRUE));
    FILE *file = _wfopen(in_tree(L"ledger-b.bin"), L"r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 700000, SEEK_SET), 0);
    fputs("torn", file);
    assert_int_equal(fclose(file), 0);
    assert_false(ledger_check_pair(tree, stderr));
    free(contents);
}

static void a_manifest_finds_every_difference(void **state)
{
    (void)state;
    put(L"one.txt", "one");
    put(L"inner\\\x00fc.txt", "two");
    put(L"locked.txt", "three");
    wchar_t locked_path[2 * MAX_PATH];
    wcscpy(locked_path, in_tree(L"locked.txt"));
    HANDLE locked = CreateFileW(locked_path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(locked != INVALID_HANDLE_VALUE);
    assert_false(manifest_write(list, tree, NULL, INVALID_HANDLE_VALUE));
    assert_true(manifest_write(list, tree, locked_path, locked));
    assert_int_equal(manifest_verify(list, tree, stderr), 1);
    CloseHandle(locked);
    assert_int_equal(manifest_verify(list, tree, stderr), 0);
    put(L"more.txt", "");
    assert_int_equal(manifest_verify(list, tree, stderr), 1);
    DeleteFileW(in_tree(L"more.txt"));
    put(L"one.txt", "One");
    assert_int_equal(manifest_verify(list, tree, stderr), 1);
    DeleteFileW(in_tree(L"one.txt"));
    assert_int_equal(manifest_verify(list, tree, stderr), 1);
    put(L"one.txt", "one");
    assert_int_equal(manifest_verify(list, tree, stderr), 0);
    assert_int_equal(manifest_verify(L"nothing", tree, stderr), 2);
    assert_int_equal(manifest_verify(list, L"nothing", stderr), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_pair_agrees_and_a_torn_one_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_finds_every_difference, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("churn", tests, NULL, NULL);
}
