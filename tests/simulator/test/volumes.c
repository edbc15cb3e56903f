/* The test machine: two volumes, the store, and the library. */
#include "support.h"

#include <stdlib.h>
#include <wchar.h>
#include <winioctl.h>

struct machine machine;

#define DEFINE_UNIX_DRIVE CTL_CODE('m', 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)

/* Wine's own control code; DefineDosDevice gives a letter there that opens nothing. */
struct unix_drive {
    ULONG size, type, fs_type;
    DWORD serial;
    ULONGLONG unix_dev;
    WCHAR letter;
    USHORT mount_point_offset, device_offset, label_offset;
};

typedef char *(CDECL *unix_name_function)(LPCWSTR);

static unix_name_function find_unix_name(void)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_unix_file_name");
    unix_name_function function = NULL;
    memcpy(&function, &found, sizeof function);
    return function;
}

/* A NULL directory takes the letter away. */
static BOOL define_drive(wchar_t letter, const wchar_t *directory)
{
    union {
        struct unix_drive drive;
        char bytes[1024];
    } request = {.drive = {.type = DRIVE_FIXED, .letter = letter}};
    size_t size = sizeof request.drive;
    if (directory) {
        char *name = find_unix_name()(directory);
        size_t length = name ? strlen(name) + 1 : sizeof request;
        if (size + length > sizeof request)
            return FALSE;
        request.drive.mount_point_offset = (USHORT)size;
        memcpy(request.bytes + size, name, length);
        size += length;
        HeapFree(GetProcessHeap(), 0, name);
    }
    request.drive.size = (ULONG)size;
    HANDLE manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    if (manager == INVALID_HANDLE_VALUE)
        return FALSE;
    DWORD n;
    BOOL ok = DeviceIoControl(manager, DEFINE_UNIX_DRIVE, &request, (DWORD)size, NULL, 0, &n, NULL);
    CloseHandle(manager);
    return ok;
}

void take_letter(wchar_t letter)
{
    wchar_t name[] = {letter, L':', 0};
    assert_true(find_unix_name()
                    ? define_drive(towlower(letter), NULL)
                    : DefineDosDeviceW(DDD_REMOVE_DEFINITION | DDD_NO_BROADCAST_SYSTEM, name, NULL));
}

static BOOL make_drive(unsigned index, const wchar_t *folder)
{
    wchar_t directory[MAX_PATH];
    swprintf(directory, MAX_PATH, L"%ls\\volume%u", folder, index);
    if (!CreateDirectoryW(directory, NULL))
        return FALSE;
    for (wchar_t letter = L'y'; letter >= L'g'; letter--) {
        wchar_t *root = machine.volumes[index];
        swprintf(root, ARRAYSIZE(machine.volumes[index]), L"%lc:\\", towupper(letter));
        /* GetLogicalDrives goes on naming letters there that were taken away. */
        if (GetFileAttributesW(root) != INVALID_FILE_ATTRIBUTES)
            continue;
        if (!define_drive(letter, directory))
            return FALSE;
        for (int i = 0; i < 500 && GetFileAttributesW(root) == INVALID_FILE_ATTRIBUTES; i++)
            Sleep(10);
        return GetFileAttributesW(root) != INVALID_FILE_ATTRIBUTES;
    }
    return FALSE;
}

static void remove_tree(const wchar_t *directory)
{
    wchar_t path[2 * MAX_PATH];
    WIN32_FIND_DATAW found;
    swprintf(path, ARRAYSIZE(path), L"%ls\\*", directory);
    HANDLE search = FindFirstFileW(path, &found);
    if (search == INVALID_HANDLE_VALUE)
        return;
    do {
        swprintf(path, ARRAYSIZE(path), L"%ls\\%ls", directory, found.cFileName);
        if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            DeleteFileW(path);
        else if (wcscmp(found.cFileName, L".") != 0 && wcscmp(found.cFileName, L"..") != 0)
            remove_tree(path);
    } while (FindNextFileW(search, &found));
    FindClose(search);
    RemoveDirectoryW(directory);
}

static BOOL find_volumes(void)
{
    wchar_t folder[MAX_PATH], given[20];
    if (GetEnvironmentVariableW(L"SIM_TEST_VOLUMES", given, ARRAYSIZE(given)) == 7) {
        swprintf(machine.volumes[0], 4, L"%.3ls", given);
        swprintf(machine.volumes[1], 4, L"%.3ls", given + 4);
        return TRUE;
    }
    if (!find_unix_name() || !GetTempPathW(MAX_PATH - 40, folder))
        return FALSE;
    swprintf(folder + wcslen(folder), 40, L"sim-test [a] %lu", GetCurrentProcessId());
    remove_tree(folder); /* of a process with our number that was killed */
    return CreateDirectoryW(folder, NULL) && make_drive(0, folder) && make_drive(1, folder);
}

static BOOL load(void)
{
    wchar_t path[MAX_PATH];
    GetModuleFileNameW(NULL, path, MAX_PATH);
    wcscpy(wcsrchr(path, L'\\'), L"\\shadowsim.dll");
    machine.library = LoadLibraryW(path);
    if (!machine.library)
        return FALSE;
    FARPROC create = GetProcAddress(machine.library, "CreateVssBackupComponentsInternal");
    FARPROC present = GetProcAddress(machine.library, "IsVolumeSnapshotted");
    FARPROC release = GetProcAddress(machine.library, "VssFreeSnapshotProperties");
    memcpy(&machine.create, &create, sizeof create);
    memcpy(&machine.is_snapshotted, &present, sizeof present);
    memcpy(&machine.free_properties, &release, sizeof release);
    FARPROC metadata = GetProcAddress(machine.library, "CreateVssExamineWriterMetadataInternal");
    FARPROC block = GetProcAddress(machine.library, "ShouldBlockRevertInternal");
    memcpy(&machine.create_metadata, &metadata, sizeof metadata);
    memcpy(&machine.should_block_revert, &block, sizeof block);
    FARPROC management = GetProcAddress(machine.library, "GetProviderMgmtInterface");
    memcpy(&machine.management, &management, sizeof management);
    return create && present && release && metadata && block && management;
}

BOOL machine_open(void)
{
    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (GetEnvironmentVariableW(L"SHADOWSIM_STORE", machine.store, MAX_PATH) == 0) {
        if (!find_volumes())
            return FALSE;
        swprintf(machine.store, MAX_PATH, L"%lsdeep\\er\\store", machine.volumes[1]);
        wchar_t folder[MAX_PATH];
        swprintf(folder, MAX_PATH, L"%lsdeep", machine.volumes[1]);
        CreateDirectoryW(folder, NULL);
        wcscat(folder, L"\\er");
        CreateDirectoryW(folder, NULL);
        CreateDirectoryW(machine.store, NULL);
        SetEnvironmentVariableW(L"SHADOWSIM_STORE", machine.store);
        SetEnvironmentVariableW(L"SIM_TEST_FIRST", machine.volumes[0]);
        SetEnvironmentVariableW(L"SIM_TEST_SECOND", machine.volumes[1]);
    } else {
        GetEnvironmentVariableW(L"SIM_TEST_FIRST", machine.volumes[0], ARRAYSIZE(machine.volumes[0]));
        GetEnvironmentVariableW(L"SIM_TEST_SECOND", machine.volumes[1], ARRAYSIZE(machine.volumes[1]));
    }
    return load();
}

BOOL machine_close(void)
{
    wchar_t folder[MAX_PATH];
    FreeLibrary(machine.library);
    if (find_unix_name() && GetTempPathW(MAX_PATH - 40, folder)) {
        swprintf(folder + wcslen(folder), 40, L"sim-test [a] %lu", GetCurrentProcessId());
        define_drive(towlower(machine.volumes[0][0]), NULL);
        define_drive(towlower(machine.volumes[1][0]), NULL);
        /* The host's rm may still be at work. */
        ULONGLONG end = GetTickCount64() + MACHINE_LIMIT_MS;
        for (remove_tree(folder); file_exists(L"%ls", folder) && GetTickCount64() < end; Sleep(20))
            remove_tree(folder);
    }
    CoUninitialize();
    return !find_unix_name() || !file_exists(L"%ls", folder);
}
