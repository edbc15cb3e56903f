#include "client/cli/drive_letter.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <winioctl.h>

#include "client/lib/error.h"
#include "client/lib/wide.h"
#include "client/lib/wine.h"

enum {
    OPEN_WAIT_MS = 5000,
    OPEN_POLL_MS = 10,
    DEVICE_CHARS = 1024
};

#define GLOBAL_ROOT L"\\\\?\\GLOBALROOT"

/* ---- under Wine ---- */

#define WINE_DEFINE_UNIX_DRIVE CTL_CODE('m', 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)

/* What that control code takes; the strings follow. With DRIVE_NO_ROOT_DIR it takes the letter away. */
struct wine_unix_drive {
    ULONG size;
    ULONG type;
    ULONG fs_type;
    DWORD serial;
    ULONGLONG unix_dev;
    WCHAR letter;
    USHORT mount_point_offset;
    USHORT device_offset;
    USHORT label_offset;
};

static bool wine_define(char letter, DWORD type, const char *unix_path, struct sp_error **error)
{
    size_t length = strlen(unix_path) + 1;
    size_t size = sizeof(struct wine_unix_drive) + length;
    struct wine_unix_drive *drive = calloc(1, size);
    DWORD returned;
    if (!drive) {
        error_give(error, error_no_memory());
        return false;
    }
    drive->size = (ULONG)size;
    drive->type = type;
    drive->letter = (WCHAR)(letter | 0x20);
    drive->mount_point_offset = sizeof *drive;
    memcpy(drive + 1, unix_path, length);
    HANDLE manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE, 0, NULL,
                                 OPEN_EXISTING, 0, NULL);
    bool ok = manager != INVALID_HANDLE_VALUE &&
              DeviceIoControl(manager, WINE_DEFINE_UNIX_DRIVE, drive, (DWORD)size, NULL, 0, &returned, NULL);
    if (!ok)
        error_give(error, error_from_win32(GetLastError(), "DeviceIoControl", "define the drive letter"));
    if (manager != INVALID_HANDLE_VALUE)
        CloseHandle(manager);
    free(drive);
    return ok;
}

static bool wine_map(char letter, const char *device, struct sp_error **error)
{
    char *unix_path = wine_unix_path(device);
    if (!unix_path) {
        error_give(error, error_create(SP_NOT_FOUND, "WIN32", "", "There is no directory %s.", device));
        return false;
    }
    bool ok = wine_define(letter, DRIVE_FIXED, unix_path, error);
    wine_free(unix_path);
    return ok;
}

/* ---- on Windows ---- */

/* What DefineDosDevice is given for a device: raw for a kernel device, else the path of a directory. */
struct dos_target {
    DWORD flags;
    wchar_t path[DEVICE_CHARS];
};

static bool dos_target(const char *device, struct dos_target *target)
{
    wchar_t *wide = wide_from_utf8(device);
    if (!wide)
        return false;
    size_t skip = 0;
    target->flags = DDD_NO_BROADCAST_SYSTEM;
    if (_wcsnicmp(wide, GLOBAL_ROOT, wcslen(GLOBAL_ROOT)) == 0) {
        skip = wcslen(GLOBAL_ROOT);
        target->flags |= DDD_RAW_TARGET_PATH;
    } else if (wcsncmp(wide, L"\\\\?\\", 4) == 0) {
        skip = 4; /* DefineDosDevice puts its own prefix before a path */
    }
    bool fits = wcslen(wide + skip) < DEVICE_CHARS;
    if (fits)
        wcscpy(target->path, wide + skip);
    free(wide);
    return fits;
}

static void letter_name(char letter, wchar_t name[3])
{
    name[0] = (wchar_t)(letter & ~0x20);
    name[1] = L':';
    name[2] = 0;
}

static bool dos_define(char letter, const char *device, DWORD flags, struct sp_error **error)
{
    wchar_t name[3];
    struct dos_target target;
    letter_name(letter, name);
    if (!dos_target(device, &target)) {
        error_give(error,
                   error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "The device name is too long."));
        return false;
    }
    if (DefineDosDeviceW(target.flags | flags, name, target.path))
        return true;
    error_give(error, error_from_win32(GetLastError(), "DefineDosDeviceW",
                                       flags & DDD_REMOVE_DEFINITION ? "take the drive letter away"
                                                                     : "define the drive letter"));
    return false;
}

/* Does the letter mean the device, as DefineDosDevice has stored it? */
static bool dos_means(char letter, const char *device)
{
    wchar_t name[3];
    wchar_t current[DEVICE_CHARS];
    struct dos_target target;
    letter_name(letter, name);
    if (!dos_target(device, &target) || !QueryDosDeviceW(name, current, ARRAYSIZE(current)))
        return false;
    const wchar_t *path = current;
    if (!(target.flags & DDD_RAW_TARGET_PATH) && wcsncmp(path, L"\\??\\", 4) == 0)
        path += 4;
    return _wcsicmp(path, target.path) == 0;
}

/* ---- both ---- */

static bool opens(char letter)
{
    wchar_t root[] = L"?:\\";
    root[0] = (wchar_t)letter;
    return GetFileAttributesW(root) != INVALID_FILE_ATTRIBUTES;
}

bool drive_letter_is_free(char letter)
{
    wchar_t name[3];
    wchar_t current[DEVICE_CHARS];
    letter_name(letter, name);
    bool listed = (GetLogicalDrives() >> ((letter & ~0x20) - 'A') & 1) != 0;
    return !listed && !QueryDosDeviceW(name, current, ARRAYSIZE(current));
}

char drive_letter_find_free(void)
{
    for (char letter = 'Z'; letter >= 'D'; letter--) {
        if (drive_letter_is_free(letter))
            return letter;
    }
    return 0;
}

bool drive_letter_map(char letter, const char *device, struct sp_error **error)
{
    bool ok = running_under_wine() ? wine_map(letter, device, error) : dos_define(letter, device, 0, error);
    if (!ok)
        return false;
    ULONGLONG until = GetTickCount64() + OPEN_WAIT_MS;
    while (!opens(letter)) {
        if (GetTickCount64() >= until) {
            (void)drive_letter_unmap(letter, device, NULL);
            error_give(error,
                       error_create(SP_INTERNAL, "WIN32", "Use the device path in the environment instead.",
                                    "The drive letter %c: was defined for %s and does not open.", letter,
                                    device));
            return false;
        }
        Sleep(OPEN_POLL_MS);
    }
    return true;
}

/* A letter that does not open is one whose snapshot is gone; it may go while we compare. */
static bool wine_means(char letter, const char *device)
{
    char root[] = "?:\\";
    root[0] = letter;
    return !opens(letter) || wine_same_directory(device, root) || !opens(letter);
}

enum removal drive_letter_unmap(char letter, const char *device, struct sp_error **error)
{
    bool ok;
    if (running_under_wine()) {
        if (drive_letter_is_free(letter) || !wine_means(letter, device))
            return REMOVAL_NOT_THERE;
        ok = wine_define(letter, DRIVE_NO_ROOT_DIR, "", error);
    } else {
        if (!dos_means(letter, device))
            return REMOVAL_NOT_THERE;
        ok = dos_define(letter, device, DDD_REMOVE_DEFINITION | DDD_EXACT_MATCH_ON_REMOVE, error);
    }
    return ok ? REMOVAL_DONE : REMOVAL_FAILED;
}
