#include "client/lib/wine.h"

#include <stdlib.h>

#include <windows.h>

#include "client/lib/wide.h"

bool running_under_wine(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    return ntdll && GetProcAddress(ntdll, "wine_get_version");
}

char *wine_unix_path(const char *path)
{
    typedef char *CDECL get_unix_file_name(const wchar_t *);
    union {
        FARPROC address;
        get_unix_file_name *call;
    } function = {GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_unix_file_name")};
    wchar_t *wide = function.address ? wide_from_utf8(path) : NULL;
    char *unix_path = wide ? function.call(wide) : NULL;
    free(wide);
    return unix_path;
}

void wine_free(char *unix_path)
{
    if (unix_path)
        HeapFree(GetProcessHeap(), 0, unix_path);
}

static bool identify(const char *path, BY_HANDLE_FILE_INFORMATION *info)
{
    wchar_t *wide = wide_from_utf8(path);
    HANDLE directory = INVALID_HANDLE_VALUE;
    if (wide)
        directory = CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    bool ok = directory != INVALID_HANDLE_VALUE && GetFileInformationByHandle(directory, info);
    if (directory != INVALID_HANDLE_VALUE)
        CloseHandle(directory);
    free(wide);
    return ok;
}

bool wine_same_directory(const char *one, const char *other)
{
    BY_HANDLE_FILE_INFORMATION a;
    BY_HANDLE_FILE_INFORMATION b;
    return identify(one, &a) && identify(other, &b) && a.dwVolumeSerialNumber == b.dwVolumeSerialNumber &&
           a.nFileIndexHigh == b.nFileIndexHigh && a.nFileIndexLow == b.nFileIndexLow;
}
