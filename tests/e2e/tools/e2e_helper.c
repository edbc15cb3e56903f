/* e2e_helper: what the tests need done from inside of Windows. The first argument says what:
 *   map LETTER DIR     under Wine: makes DIR the root of the volume LETTER:
 *   unmap LETTER       takes it away
 *   hold FILE          opens FILE without sharing, says "ready", keeps it until stdin ends
 *   squat PIPE         creates the only instance of PIPE, says "ready", keeps it until stdin ends
 *   report CODE ...    prints the arguments after CODE and the variables SHADOWPIPE_...; exits with CODE
 *   restore DIR        copies what the restore manifest lists, from DIR\S\path to its targets
 *   wait FILE          prints "ready" and ends with 0 as soon as FILE exists
 *   read FILE UNTIL    reads FILE over and over, says "ready" after the first time, ends when UNTIL is gone
 *   kill PID           ends a process without a chance to clean up
 *   break PIPE         Ctrl-Break for the console service that has PIPE on its command line
 * Text goes out as UTF-8. Exit code 90 = Windows refused; the error is on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>
#include <winioctl.h>
#include <winternl.h>

#include <tlhelp32.h>

/* The mount manager's own code under Wine; Windows does not have it. */
#define DEFINE_UNIX_DRIVE CTL_CODE('m', 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)

struct unix_drive {
    ULONG size, type, fs_type;
    DWORD serial;
    ULONGLONG unix_dev;
    WCHAR letter;
    USHORT mount_point_offset, device_offset, label_offset;
};

static int refused(const char *what)
{
    fprintf(stderr, "e2e_helper: %s: error %lu\n", what, GetLastError());
    return 90;
}

static void print(const wchar_t *text)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *bytes = malloc((size_t)size);
    if (bytes && WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, size, NULL, NULL) > 0)
        printf("%s\n", bytes);
    free(bytes);
}

/* Waits for the letter to appear or vanish: the mount manager answers before the link is made. */
static int await_root(wchar_t letter, BOOL present)
{
    wchar_t root[] = L"?:\\";
    root[0] = letter;
    for (int i = 0; i < 3000; i++) {
        if ((GetFileAttributesW(root) != INVALID_FILE_ATTRIBUTES) == present)
            return 0;
        Sleep(10);
    }
    return refused(present ? "the letter does not appear" : "the letter does not vanish");
}

static int define_drive(wchar_t letter, const wchar_t *directory)
{
    typedef char *(CDECL * unix_name_function)(LPCWSTR);
    unix_name_function unix_name =
        (unix_name_function)(void *)GetProcAddress(GetModuleHandleW(L"kernel32"), "wine_get_unix_file_name");
    if (!unix_name)
        return refused("this is not Wine");
    const char *target = directory ? unix_name(directory) : NULL;
    char buffer[sizeof(struct unix_drive) + 2048] = {0};
    struct unix_drive *drive = (struct unix_drive *)buffer;
    drive->type = directory ? DRIVE_FIXED : DRIVE_NO_ROOT_DIR;
    drive->letter = letter;
    drive->size = sizeof *drive;
    if (directory) {
        if (!target || strlen(target) >= 2048)
            return refused("the directory has no name outside of Wine");
        drive->mount_point_offset = sizeof *drive;
        memcpy(buffer + sizeof *drive, target, strlen(target) + 1);
        drive->size = (ULONG)(sizeof *drive + strlen(target) + 1);
    }
    HANDLE manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE, 0, NULL,
                                 OPEN_EXISTING, 0, NULL);
    DWORD count;
    if (manager == INVALID_HANDLE_VALUE)
        return refused("the mount manager cannot be opened");
    if (!DeviceIoControl(manager, DEFINE_UNIX_DRIVE, buffer, drive->size, NULL, 0, &count, NULL))
        return refused("the mount manager refused the letter");
    CloseHandle(manager);
    return await_root(letter, directory != NULL);
}

static int ready_until_stdin_ends(void)
{
    puts("ready");
    while (getchar() != EOF)
        ;
    return 0;
}

static int hold(const wchar_t *file)
{
    if (CreateFileW(file, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL) ==
        INVALID_HANDLE_VALUE)
        return refused("the file cannot be held");
    return ready_until_stdin_ends();
}

static int squat(const wchar_t *pipe)
{
    if (CreateNamedPipeW(pipe, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL) ==
        INVALID_HANDLE_VALUE)
        return refused("the pipe cannot be made");
    return ready_until_stdin_ends();
}

static int report(int count, wchar_t **arguments)
{
    for (int i = 1; i < count; i++) {
        fputs("argument ", stdout);
        print(arguments[i]);
    }
    wchar_t *block = GetEnvironmentStringsW();
    for (const wchar_t *entry = block; entry && *entry; entry += wcslen(entry) + 1) {
        if (_wcsnicmp(entry, L"SHADOWPIPE_", 11) == 0) {
            fputs("variable ", stdout);
            print(entry);
        }
    }
    FreeEnvironmentStringsW(block);
    return _wtoi(arguments[0]);
}

/* The value behind the next "KEY": of the manifest, a string or a word; moves *at behind it. */
static BOOL next_value(const char **at, const char *key, wchar_t *value, int size)
{
    char plain[1024];
    size_t length = 0;
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *from = strstr(*at, quoted);
    if (!from)
        return FALSE;
    from += strlen(quoted);
    BOOL string = *from == '"';
    for (from += string; *from && !strchr(string ? "\"" : ",}]", *from) && length + 1 < sizeof plain;
         from++) {
        if (*from == '\\')
            from++;
        plain[length++] = *from;
    }
    plain[length] = 0;
    *at = from;
    return MultiByteToWideChar(CP_UTF8, 0, plain, -1, value, size) > 0;
}

static char *read_manifest(void)
{
    wchar_t path[MAX_PATH];
    DWORD size = GetEnvironmentVariableW(L"SHADOWPIPE_RESTORE_MANIFEST", path, MAX_PATH);
    FILE *file = size > 0 && size < MAX_PATH ? _wfopen(path, L"rb") : NULL;
    char *text = calloc(1, 1 << 20);
    if (!file || !text || fread(text, 1, (1 << 20) - 1, file) == 0)
        return NULL;
    fclose(file);
    return text;
}

/* One xcopy for each file set. */
static int restore(const wchar_t *directory)
{
    const char *at = read_manifest();
    wchar_t path[512];
    wchar_t filespec[128];
    wchar_t recursive[8];
    wchar_t target[512];
    wchar_t line[1600];
    if (!at)
        return refused("there is no manifest");
    while (next_value(&at, "path", path, 512)) {
        if (!next_value(&at, "filespec", filespec, 128) || !next_value(&at, "recursive", recursive, 8) ||
            !next_value(&at, "targetPath", target, 512))
            return refused("the manifest lacks something");
        swprintf(line, 1600, L"xcopy /I /Y /Q %ls \"%ls\\%lc%ls\\%ls\" \"%ls\"",
                 wcscmp(recursive, L"true") == 0 ? L"/S" : L"", directory, path[0], path + 2, filespec,
                 target);
        if (_wsystem(line) != 0)
            return refused("xcopy failed");
    }
    return 0;
}

static int wait_for(const wchar_t *file)
{
    puts("ready");
    while (GetFileAttributesW(file) == INVALID_FILE_ATTRIBUTES)
        Sleep(10);
    return 0;
}

static int read_on(const wchar_t *file, const wchar_t *until)
{
    static char buffer[65536];
    DWORD count;
    HANDLE handle = CreateFileW(file, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return refused("the file cannot be opened");
    for (BOOL first = TRUE; GetFileAttributesW(until) != INVALID_FILE_ATTRIBUTES; first = FALSE) {
        do {
            if (!ReadFile(handle, buffer, sizeof buffer, &count, NULL))
                return refused("the file cannot be read");
        } while (count > 0);
        SetFilePointer(handle, 0, NULL, FILE_BEGIN);
        if (first)
            puts("ready");
        Sleep(10);
    }
    return 0;
}

static int end_process(DWORD id)
{
    HANDLE process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, id);
    if (!process || !TerminateProcess(process, 1))
        return refused("the process cannot be ended");
    WaitForSingleObject(process, INFINITE);
    return 0;
}

/* Its command line, from the process's own memory. */
static BOOL read_command_line(HANDLE process, wchar_t *line, size_t chars)
{
    PROCESS_BASIC_INFORMATION information;
    PEB peb;
    RTL_USER_PROCESS_PARAMETERS parameters;
    if (NtQueryInformationProcess(process, ProcessBasicInformation, &information, sizeof information, NULL) !=
            0 ||
        !ReadProcessMemory(process, information.PebBaseAddress, &peb, sizeof peb, NULL) ||
        !ReadProcessMemory(process, peb.ProcessParameters, &parameters, sizeof parameters, NULL))
        return FALSE;
    size_t bytes = parameters.CommandLine.Length;
    if (bytes > (chars - 1) * sizeof *line)
        bytes = (chars - 1) * sizeof *line;
    line[bytes / sizeof *line] = 0;
    return ReadProcessMemory(process, parameters.CommandLine.Buffer, line, bytes, NULL);
}

static HANDLE find_service(const wchar_t *pipe)
{
    wchar_t line[4096];
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    HANDLE found = NULL;
    for (BOOL more = Process32FirstW(list, &entry); more && !found; more = Process32NextW(list, &entry)) {
        HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, entry.th32ProcessID);
        if (process && read_command_line(process, line, 4096) && wcsstr(line, L"--console") &&
            wcsstr(line, pipe))
            found = process;
        else if (process)
            CloseHandle(process);
    }
    CloseHandle(list);
    return found;
}

/* What the console host does: a thread in the process, in the system's routine for such events. Wine has no
 * GenerateConsoleCtrlEvent for Ctrl-Break, and not every process of a test a console. */
static int send_break(const wchar_t *pipe)
{
    HANDLE process = find_service(pipe);
    if (!process)
        return refused("there is no such service");
    LPTHREAD_START_ROUTINE routine =
        (LPTHREAD_START_ROUTINE)(void *)GetProcAddress(GetModuleHandleW(L"kernelbase"), "CtrlRoutine");
    if (!routine)
        return refused("there is no CtrlRoutine");
    HANDLE thread =
        CreateRemoteThread(process, NULL, 0, routine, (void *)(ULONG_PTR)CTRL_BREAK_EVENT, 0, NULL);
    if (!thread)
        return refused("no thread can be made there");
    WaitForSingleObject(thread, INFINITE);
    return 0;
}

int wmain(int argc, wchar_t **argv);

int wmain(int argc, wchar_t **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    const wchar_t *what = argc > 2 ? argv[1] : L"";
    if (wcscmp(what, L"map") == 0 && argc == 4)
        return define_drive(argv[2][0], argv[3]);
    if (wcscmp(what, L"unmap") == 0)
        return define_drive(argv[2][0], NULL);
    if (wcscmp(what, L"hold") == 0)
        return hold(argv[2]);
    if (wcscmp(what, L"squat") == 0)
        return squat(argv[2]);
    if (wcscmp(what, L"report") == 0)
        return report(argc - 2, argv + 2);
    if (wcscmp(what, L"restore") == 0)
        return restore(argv[2]);
    if (wcscmp(what, L"wait") == 0)
        return wait_for(argv[2]);
    if (wcscmp(what, L"read") == 0 && argc == 4)
        return read_on(argv[2], argv[3]);
    if (wcscmp(what, L"kill") == 0)
        return end_process(wcstoul(argv[2], NULL, 10));
    if (wcscmp(what, L"break") == 0)
        return send_break(argv[2]);
    fputs("e2e_helper: see the head of e2e_helper.c\n", stderr);
    return 91;
}
