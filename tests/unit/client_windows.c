/* What the command line does to the system: letters, links, the guard, records, programs. Started with
 * --guard it is the guard that the command line would start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/child.h"
#include "client/cli/drive_letter.h"
#include "client/cli/guard.h"
#include "client/cli/link.h"
#include "client/cli/mapping.h"
#include "client/cli/program.h"
#include "client/cli/record.h"
#include "client/lib/wide.h"
#include "client/lib/error.h"
#include "tests/unit/cmocka_all.h"

enum {
    LIMIT_MS = 30000,
    POLL_MS = 20
};

static struct sp_error *error;
static char folder[MAX_PATH]; /* of this run, without a backslash at the end */
static char device[MAX_PATH + 8];

static void expect_error(enum sp_code code, const char *words)
{
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, words))
        fail_msg("\"%s\" lacks \"%s\"", error->message, words);
    sp_error_free(error);
    error = NULL;
}

static char *path_of(const char *name)
{
    static char paths[4][2 * MAX_PATH];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s\\%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static bool exists(const char *path)
{
    return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

static int make_folder(void **state)
{
    char temp[MAX_PATH];
    (void)state;
    if (!GetTempPathA(sizeof temp, temp))
        return -1;
    (void)snprintf(folder, sizeof folder, "%sshadowpipe test %lu", temp, GetCurrentProcessId());
    if (!CreateDirectoryA(folder, NULL) || !CreateDirectoryA(path_of("copy"), NULL))
        return -1;
    (void)snprintf(device, sizeof device, "\\\\?\\%s", path_of("copy"));
    write_file(path_of("copy\\inside.txt"), "hello");
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const files[] = {"copy\\inside.txt", "text.exe", "robocopy.exe", "tool.cmd",
                                        "out.txt"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        DeleteFileA(path_of(files[i]));
    RemoveDirectoryA(path_of("copy"));
    return RemoveDirectoryA(folder) ? 0 : -1;
}

/* ---- letters and links ---- */

static void a_letter_opens_and_goes(void **state)
{
    char letter = drive_letter_find_free();
    char inside[] = "?:\\inside.txt";
    (void)state;
    assert_int_not_equal(letter, 0);
    inside[0] = letter;
    assert_true(drive_letter_map(letter, device, &error));
    assert_true(exists(inside));
    assert_false(drive_letter_is_free(letter));
    assert_int_not_equal(drive_letter_find_free(), letter);
    assert_int_equal(drive_letter_unmap(letter, device, &error), REMOVAL_DONE);
    assert_false(exists(inside));
    assert_true(drive_letter_is_free(letter));
    assert_int_equal(drive_letter_unmap(letter, device, &error), REMOVAL_NOT_THERE);
}

static void make_other_folder(char other[MAX_PATH + 16])
{
    (void)snprintf(other, MAX_PATH + 16, "\\\\?\\%s\\", path_of("other"));
    assert_true(CreateDirectoryA(path_of("other"), NULL));
    write_file(path_of("other\\theirs.txt"), "hello");
}

static void remove_other_folder(void)
{
    assert_true(DeleteFileA(path_of("other\\theirs.txt")));
    assert_true(RemoveDirectoryA(path_of("other")));
}

/* A record that outlived its letter and its link says where those were; others may be there by now. */
static void what_leads_elsewhere_is_not_taken_away(void **state)
{
    char other[MAX_PATH + 16];
    char letter[] = "?:";
    char theirs[] = "?:\\theirs.txt";
    (void)state;
    make_other_folder(other);
    assert_true(link_create(path_of("link"), other, &error));
    assert_int_equal(guard_remove_place(path_of("link"), device), REMOVAL_NOT_THERE);
    assert_true(exists(path_of("link\\theirs.txt")));
    assert_int_equal(guard_remove_place(path_of("link"), other), REMOVAL_DONE);
    assert_false(exists(path_of("link")));
    other[strlen(other) - 1] = 0;
    letter[0] = theirs[0] = drive_letter_find_free();
    assert_true(drive_letter_map(letter[0], other, &error));
    assert_int_equal(guard_remove_place(letter, device), REMOVAL_NOT_THERE);
    assert_true(exists(theirs));
    assert_int_equal(guard_remove_place(letter, other), REMOVAL_DONE);
    remove_other_folder();
}

static void wait_until_creatable(const char *root)
{
    ULONGLONG until = GetTickCount64() + LIMIT_MS;
    while (!link_create(path_of("link"), root, &error) && GetTickCount64() < until) {
        sp_error_free(error);
        error = NULL;
    }
    assert_true(exists(path_of("link")));
}

static void a_link_to_a_snapshot_that_is_gone_goes_too(void **state)
{
    char other[MAX_PATH + 16];
    (void)state;
    make_other_folder(other);
    assert_true(link_create(path_of("link"), other, &error));
    remove_other_folder();
    assert_int_not_equal(link_remove(path_of("link"), other, &error), REMOVAL_FAILED);
    make_other_folder(other);
    wait_until_creatable(other);
    assert_int_equal(link_remove(path_of("link"), other, &error), REMOVAL_DONE);
    remove_other_folder();
}

static void a_letter_for_nothing_fails(void **state)
{
    char letter = drive_letter_find_free();
    (void)state;
    assert_false(drive_letter_map(letter, "\\\\?\\C:\\no such\\directory", &error));
    assert_non_null(error);
    sp_error_free(error);
    error = NULL;
    assert_true(drive_letter_is_free(letter));
}

static void a_link_opens_and_goes(void **state)
{
    char root[MAX_PATH + 16];
    (void)state;
    (void)snprintf(root, sizeof root, "%s\\", device);
    assert_true(link_create(path_of("link"), root, &error));
    assert_true(exists(path_of("link\\inside.txt")));
    assert_false(link_create(path_of("link"), root, &error));
    expect_error(SP_ALREADY_EXISTS, "is there");
    assert_int_equal(link_remove(path_of("link"), device, &error), REMOVAL_DONE);
    assert_false(exists(path_of("link")));
    assert_true(exists(path_of("copy\\inside.txt")));
    assert_int_equal(link_remove(path_of("link"), device, &error), REMOVAL_NOT_THERE);
}

static void a_directory_is_not_taken_for_a_link(void **state)
{
    (void)state;
    assert_int_equal(link_remove(path_of("copy"), device, &error), REMOVAL_NOT_THERE);
    assert_true(exists(path_of("copy\\inside.txt")));
}

/* ---- the guard and the records ---- */

static void wait_until_free(char letter)
{
    ULONGLONG until = GetTickCount64() + LIMIT_MS;
    while (!drive_letter_is_free(letter) && GetTickCount64() < until)
        Sleep(POLL_MS);
    assert_true(drive_letter_is_free(letter));
}

static void the_guard_removes_what_is_left(void **state)
{
    struct guard guard;
    char name[] = "?:";
    (void)state;
    name[0] = drive_letter_find_free();
    assert_true(guard_start(&guard, &error));
    assert_true(guard_add(&guard, name, device));
    assert_true(guard_add(&guard, path_of("link that never was"), device));
    assert_true(drive_letter_map(name[0], device, &error));
    guard_stop(&guard); /* as when this process dies */
    wait_until_free(name[0]);
    assert_false(guard_add(&guard, name, device));
}

static void the_guard_leaves_what_was_taken_back(void **state)
{
    struct guard guard;
    char kept[] = "?:";
    char removed[] = "?:";
    (void)state;
    assert_true(guard_start(&guard, &error));
    kept[0] = drive_letter_find_free();
    assert_true(guard_add(&guard, kept, device));
    assert_true(drive_letter_map(kept[0], device, &error));
    removed[0] = drive_letter_find_free();
    assert_true(guard_add(&guard, removed, device));
    assert_true(drive_letter_map(removed[0], device, &error));
    guard_forget(&guard, kept);
    guard_stop(&guard);
    wait_until_free(removed[0]); /* it is removed after the first would have been */
    assert_false(drive_letter_is_free(kept[0]));
    assert_true(drive_letter_unmap(kept[0], device, &error));
}

static char swept[256];

static bool note_swept(const char *name, const char *target)
{
    (void)snprintf(swept, sizeof swept, "%s=%s", name, target);
    return strcmp(target, "stays") != 0;
}

static void write_raw_record(const wchar_t *kind, const wchar_t *name, const wchar_t *value)
{
    HKEY key;
    wchar_t path[64];
    (void)_snwprintf(path, 64, L"Software\\Shadowpipe\\%ls", kind);
    assert_int_equal(RegOpenKeyExW(HKEY_CURRENT_USER, path, 0, KEY_SET_VALUE, &key), ERROR_SUCCESS);
    assert_int_equal(RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)value,
                                    (DWORD)((wcslen(value) + 1) * sizeof *value)),
                     ERROR_SUCCESS);
    RegCloseKey(key);
}

static void records_of_the_dead_are_swept(void **state)
{
    (void)state;
    assert_int_equal(record_write("test-place", "target"), ERROR_SUCCESS);
    swept[0] = 0;
    record_sweep(note_swept); /* this process lives */
    assert_string_equal(swept, "");
    wchar_t stolen[64];
    /* The same process id, but another process. */
    (void)_snwprintf(stolen, 64, L"%lu 1 0 the target", GetCurrentProcessId());
    write_raw_record(L"Places", L"test-place", stolen);
    record_sweep(note_swept);
    assert_string_equal(swept, "test-place=the target");
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "");
    write_raw_record(L"Places", L"test-place", L"4294967292 1 0 stays");
    record_sweep(note_swept);
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "test-place=stays");
    record_erase("test-place");
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "");
}

static void letters_belong_to_their_logon_session(void **state)
{
    wchar_t target[64] = L"";
    DWORD size = sizeof target;
    unsigned long id;
    unsigned long long started;
    unsigned long long session;
    (void)state;
    assert_int_equal(record_write("Q:", "target"), ERROR_SUCCESS);
    assert_int_equal(RegGetValueW(HKEY_CURRENT_USER, L"Software\\Shadowpipe\\Letters", L"Q:", RRF_RT_REG_SZ,
                                  NULL, target, &size),
                     ERROR_SUCCESS);
    assert_int_equal(swscanf(target, L"%lu %llu %llx", &id, &started, &session), 3);
    (void)_snwprintf(target, 64, L"4294967292 1 %llx other", session + 1);
    write_raw_record(L"Letters", L"Q:", target);
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "");
    (void)_snwprintf(target, 64, L"4294967292 1 %llx own", session);
    write_raw_record(L"Letters", L"Q:", target);
    record_sweep(note_swept);
    assert_string_equal(swept, "Q:=own");
}

static void a_record_that_cannot_be_written_says_why(void **state)
{
    static char endless[40000];
    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    assert_int_not_equal(record_write(endless, "target"), ERROR_SUCCESS);
}

/* ---- mapping as the options ask ---- */

static char *volume_names[] = {"C:\\"};
static PB(Snapshot) volume;
static PB(Snapshot) * volumes[] = {&volume};
static PB(SnapshotReply) reply;

static const PB(SnapshotReply) * make_reply(void)
{
    static char root[MAX_PATH + 16];
    (void)snprintf(root, sizeof root, "%s\\", device);
    shadowpipe__v1__snapshot__init(&volume);
    shadowpipe__v1__snapshot_reply__init(&reply);
    volume.volume_names = volume_names;
    volume.n_volume_names = 1;
    volume.device = device;
    volume.device_root = root;
    reply.volumes = volumes;
    reply.n_volumes = 1;
    return &reply;
}

static void options_are_mapped_and_undone(void **state)
{
    struct mapping mapping;
    struct arguments arguments = {.as = {{"C:=*"}, 1}, .mounts = {{path_of("link")}, 1}};
    char inside[] = "?:\\inside.txt";
    (void)state;
    assert_true(mapping_make(&mapping, make_reply(), &arguments, &error));
    assert_int_equal(mapping.count, 2);
    inside[0] = mapping.items[0].name[0];
    assert_true(exists(inside));
    assert_true(exists(path_of("link\\inside.txt")));
    assert_string_equal(mapping.places.items[0].root + 1, ":\\");
    assert_true(mapping_undo(&mapping));
    assert_false(exists(inside));
    assert_false(exists(path_of("link")));
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "");
}

static void refused_before(struct arguments *arguments, enum sp_code code, const char *words)
{
    assert_false(mapping_check(arguments, &error));
    expect_error(code, words);
}

/* Nothing has to be frozen for these. */
static void what_cannot_be_mapped_is_known_before(void **state)
{
    struct arguments arguments = {.as = {{"C:=Q:", "D:=q:"}, 2}};
    (void)state;
    refused_before(&arguments, SP_INVALID_ARGUMENT, "second time");
    for (size_t i = 0; i < 26; i++)
        arguments.as.items[i] = "C:=*";
    arguments.as.count = 26;
    refused_before(&arguments, SP_RESOURCE_EXHAUSTED, "No drive letter");
    arguments.as.count = 0;
    arguments.mounts = (struct string_list){{path_of("copy")}, 1};
    refused_before(&arguments, SP_ALREADY_EXISTS, "is there");
    arguments.mounts = (struct string_list){{path_of("new"), path_of("NEW\\")}, 2};
    refused_before(&arguments, SP_INVALID_ARGUMENT, "second time");
    arguments.mounts.count = 1;
    assert_true(mapping_check(&arguments, &error));
}

static void wrong_mappings_leave_nothing(void **state)
{
    struct mapping mapping;
    char taken[] = "C:=C:";
    static const char *const wrong[] = {"E:=*"};
    struct arguments arguments = {.as = {{"C:=*", wrong[0]}, 2}};
    DWORD before = GetLogicalDrives();
    (void)state;
    assert_false(mapping_make(&mapping, make_reply(), &arguments, &error));
    expect_error(SP_INVALID_ARGUMENT, "E:");
    assert_true(mapping_check(&arguments, &error));
    arguments.as.items[1] = taken;
    assert_false(mapping_check(&arguments, &error));
    expect_error(SP_ALREADY_EXISTS, "C: is in use");
    assert_false(mapping_make(&mapping, make_reply(), &arguments, &error));
    expect_error(SP_ALREADY_EXISTS, "C: is in use");
    arguments.as.count = 0;
    arguments.mounts = (struct string_list){{path_of("copy")}, 1};
    assert_false(mapping_make(&mapping, make_reply(), &arguments, &error));
    expect_error(SP_ALREADY_EXISTS, "is there");
    reply.n_volumes = 0;
    assert_false(mapping_make(&mapping, &reply, &arguments, &error));
    expect_error(SP_INVALID_ARGUMENT, "which of the volumes");
    assert_int_equal(GetLogicalDrives(), before);
    swept[0] = 0;
    record_sweep(note_swept);
    assert_string_equal(swept, "");
}

/* ---- programs ---- */

static bool prepare(struct program *program, char *first, char *second)
{
    char *arguments[] = {first, second};
    return program_prepare(program, arguments, second ? 2 : 1, &error);
}

static void programs_are_found(void **state)
{
    struct program program;
    (void)state;
    assert_true(prepare(&program, "cmd", "a b"));
    assert_non_null(wcsstr(program.path, L"cmd.exe"));
    assert_int_equal(wcscmp(program.command_line, L"\"cmd\" \"a b\""), 0);
    assert_false(program.is_robocopy);
    program_free(&program);
    write_file(path_of("robocopy.exe"), "");
    assert_true(prepare(&program, path_of("robocopy"), NULL));
    assert_true(program.is_robocopy);
    program_free(&program);
    assert_false(prepare(&program, "no-such-program-anywhere", NULL));
    expect_error(SP_NOT_FOUND, "no-such-program-anywhere");
    assert_false(prepare(&program, path_of("no-such-program"), NULL));
    expect_error(SP_NOT_FOUND, "no-such-program");
}

static void run(struct program *program, uint32_t *exit_code)
{
    struct child child;
    if (!child_start(&child, program, false, &error))
        fail_msg("%s", error->message);
    assert_true(child_wait(&child, LIMIT_MS, exit_code));
    child_free(&child);
    program_free(program);
}

static void exit_codes_come_back(void **state)
{
    struct program program;
    char *arguments[] = {"cmd", "/c", "exit 7"};
    uint32_t code = 0;
    (void)state;
    assert_true(program_prepare(&program, arguments, 3, &error));
    run(&program, &code);
    assert_int_equal(code, 7);
}

static void batch_files_run(void **state)
{
    struct program program;
    uint32_t code = 0;
    (void)state;
    write_file(path_of("tool.cmd"), "@if \"%~1\"==\"a & b\" exit 5\r\n@exit 6\r\n");
    assert_true(prepare(&program, path_of("tool"), "a & b"));
    run(&program, &code);
    assert_int_equal(code, 5);
    assert_false(prepare(&program, path_of("tool.cmd"), "%PATH%"));
    expect_error(SP_INVALID_ARGUMENT, "cannot be passed to a batch file");
}

static void what_is_no_program_is_refused(void **state)
{
    struct program program;
    struct child child;
    (void)state;
    write_file(path_of("text.exe"), "this is not a program, whatever its name says");
    assert_true(prepare(&program, path_of("text.exe"), NULL));
    assert_false(child_start(&child, &program, false, &error));
    assert_true(strlen(error->message) > 0);
    sp_error_free(error);
    error = NULL;
    program_free(&program);
}

static void a_program_dies_with_its_job(void **state)
{
    struct program program;
    struct child child;
    char *arguments[] = {"cmd", "/c", "ping -n 600 127.0.0.1 >nul"};
    (void)state;
    assert_true(program_prepare(&program, arguments, 3, &error));
    assert_true(child_start(&child, &program, false, &error));
    assert_non_null(child.job);
    CloseHandle(child.job); /* as when this process dies */
    assert_int_equal(WaitForSingleObject(child.process, LIMIT_MS), WAIT_OBJECT_0);
    CloseHandle(child.process);
    program_free(&program);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_opens_and_goes),
        cmocka_unit_test(what_leads_elsewhere_is_not_taken_away),
        cmocka_unit_test(a_letter_for_nothing_fails),
        cmocka_unit_test(a_link_opens_and_goes),
        cmocka_unit_test(a_directory_is_not_taken_for_a_link),
        cmocka_unit_test(a_link_to_a_snapshot_that_is_gone_goes_too),
        cmocka_unit_test(the_guard_removes_what_is_left),
        cmocka_unit_test(the_guard_leaves_what_was_taken_back),
        cmocka_unit_test(records_of_the_dead_are_swept),
        cmocka_unit_test(letters_belong_to_their_logon_session),
        cmocka_unit_test(a_record_that_cannot_be_written_says_why),
        cmocka_unit_test(options_are_mapped_and_undone),
        cmocka_unit_test(what_cannot_be_mapped_is_known_before),
        cmocka_unit_test(wrong_mappings_leave_nothing),
        cmocka_unit_test(programs_are_found),
        cmocka_unit_test(exit_codes_come_back),
        cmocka_unit_test(batch_files_run),
        cmocka_unit_test(what_is_no_program_is_refused),
        cmocka_unit_test(a_program_dies_with_its_job),
    };
    if (argc == 2 && strcmp(argv[1], "--guard") == 0)
        return guard_main();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
