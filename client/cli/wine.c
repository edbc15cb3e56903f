#include "client/cli/wine.h"

#include <stdlib.h>

#include <windows.h>

#include "client/cli/wide.h"

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
