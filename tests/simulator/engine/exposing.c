#include "exposing.h"
#include "store.h"
#include "unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vss.h>
#include <vsserror.h>
#include <wchar.h>
#include <winioctl.h>

#define OPEN_LIMIT_MS 5000
#define POLL_MS       10
#define SCRIPT_CHARS  8192

/* Wine's own control code and what it takes; the strings follow. DRIVE_NO_ROOT_DIR takes a letter away. */
#define DEFINE_UNIX_DRIVE CTL_CODE('m', 32, METHOD_BUFFERED, FILE_READ_ACCESS | FILE_WRITE_ACCESS)

struct unix_drive {
    ULONG size, type, fs_type;
    DWORD serial;
    ULONGLONG unix_dev;
    WCHAR letter;
    USHORT mount_point_offset, device_offset, label_offset;
};

static BOOL exists(const wchar_t *path)
{
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

static BOOL wait_for(const wchar_t *path, BOOL wanted)
{
    ULONGLONG end = GetTickCount64() + OPEN_LIMIT_MS;
    while (exists(path) != wanted && GetTickCount64() < end)
        Sleep(POLL_MS);
    return exists(path) == wanted;
}

/* ---- a letter ---- */

static BOOL wine_define(wchar_t letter, DWORD type, const char *directory)
{
    size_t length = strlen(directory) + 1, size = sizeof(struct unix_drive) + length;
    struct unix_drive *drive = calloc(1, size);
    DWORD n;
    if (!drive)
        return FALSE;
    drive->size = (ULONG)size;
    drive->type = type;
    drive->letter = letter | 0x20;
    drive->mount_point_offset = sizeof *drive;
    memcpy(drive + 1, directory, length);
    HANDLE manager = CreateFileW(L"\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    BOOL ok = manager != INVALID_HANDLE_VALUE &&
              DeviceIoControl(manager, DEFINE_UNIX_DRIVE, drive, (DWORD)size, NULL, 0, &n, NULL);
    if (manager != INVALID_HANDLE_VALUE)
        CloseHandle(manager);
    free(drive);
    return ok;
}

static BOOL letter_define(wchar_t letter, const wchar_t *directory)
{
    wchar_t name[] = {letter, L':', 0};
    if (!unix_is_there())
        return DefineDosDeviceW(DDD_NO_BROADCAST_SYSTEM, name, directory);
    char *host = unix_name(directory);
    BOOL ok = host && wine_define(letter, DRIVE_FIXED, host);
    unix_name_free(host);
    return ok;
}

static BOOL letter_remove(wchar_t letter)
{
    wchar_t name[] = {letter, L':', 0};
    if (unix_is_there())
        return wine_define(letter, DRIVE_NO_ROOT_DIR, "");
    return DefineDosDeviceW(DDD_REMOVE_DEFINITION | DDD_NO_BROADCAST_SYSTEM, name, NULL);
}

/* ---- a folder ---- */

static BOOL run(const wchar_t *verb, unsigned number, const char *script)
{
    wchar_t name[40];
    char errors[200];
    int exit_code = -1;
    swprintf(name, ARRAYSIZE(name), L"%ls-%u", verb, number);
    return unix_run(name, script, OPEN_LIMIT_MS, NULL, &exit_code, errors, sizeof errors) == S_OK &&
           exit_code == 0;
}

/* "FOLDER" for the host, without a trailing slash; its parent must be there. */
static BOOL quote_folder(char *script, const wchar_t *folder)
{
    char *host = unix_name(folder);
    size_t n = host ? strlen(host) : 0;
    while (n > 1 && host[n - 1] == '/')
        host[--n] = 0;
    BOOL ok = host && unix_quote(script, SCRIPT_CHARS, host);
    unix_name_free(host);
    return ok;
}

static BOOL folder_link(const wchar_t *folder, const wchar_t *directory, unsigned number)
{
    char script[SCRIPT_CHARS] = "folder=";
    if (!unix_is_there())
        return RemoveDirectoryW(folder) &&
               CreateSymbolicLinkW(folder, directory, SYMBOLIC_LINK_FLAG_DIRECTORY);
    if (!quote_folder(script, folder))
        return FALSE;
    strcat(script, "\nrmdir -- \"$folder\" && ln -sn -- ");
    if (!quote_folder(script, directory))
        return FALSE;
    strcat(script, " \"$folder\"\n");
    return run(L"expose", number, script);
}

/* The folder is there again afterwards, and empty. */
static BOOL folder_unlink(const wchar_t *folder, unsigned number)
{
    char script[SCRIPT_CHARS] = "folder=";
    if (!unix_is_there())
        return RemoveDirectoryW(folder) && CreateDirectoryW(folder, NULL);
    if (!quote_folder(script, folder))
        return FALSE;
    strcat(script, "\n[ -L \"$folder\" ] && rm -- \"$folder\" && mkdir -- \"$folder\"\n");
    return run(L"unexpose", number, script);
}

/* ---- both ---- */

static BOOL is_empty(const wchar_t *folder)
{
    wchar_t pattern[MAX_PATH + 2];
    WIN32_FIND_DATAW found;
    BOOL empty = TRUE;
    swprintf(pattern, ARRAYSIZE(pattern), L"%ls*", folder);
    HANDLE search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE)
        return FALSE;
    do
        empty = wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0;
    while (empty && FindNextFileW(search, &found));
    FindClose(search);
    return empty;
}

static BOOL is_letter(const wchar_t *as)
{
    size_t n = wcslen(as);
    return iswalpha(as[0]) && as[0] < 128 && as[1] == L':' && (n == 2 || (n == 3 && as[2] == L'\\'));
}

HRESULT exposing_begin(const wchar_t *as, const wchar_t *directory, unsigned number,
                       wchar_t exposed[MAX_PATH])
{
    size_t n = wcslen(as);
    if (n < 2 || n >= MAX_PATH - 1)
        return E_INVALIDARG;
    wcscpy(exposed, as);
    if (exposed[n - 1] != L'\\')
        wcscat(exposed, L"\\");
    BOOL letter = is_letter(as), ok;
    if (letter ? exists(exposed) : !exists(exposed) || !is_empty(exposed)) {
        exposed[0] = 0;
        return E_INVALIDARG;
    }
    if (letter) {
        ok = letter_define(as[0], directory) && wait_for(exposed, TRUE);
        if (!ok)
            (void)letter_remove(as[0]);
    } else {
        wchar_t folder[MAX_PATH];
        wcscpy(folder, exposed);
        folder[wcslen(folder) - 1] = 0;
        ok = folder_link(folder, directory, number);
    }
    if (ok)
        return S_OK;
    exposed[0] = 0;
    return VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

void exposing_end(const wchar_t *exposed, unsigned number)
{
    wchar_t folder[MAX_PATH];
    wcscpy(folder, exposed);
    folder[wcslen(folder) - 1] = 0;
    BOOL ok = is_letter(exposed) ? letter_remove(exposed[0]) && wait_for(exposed, FALSE)
                                 : folder_unlink(folder, number);
    if (!ok)
        store_log(0, L"copy", L"%ls stays exposed", exposed);
}
