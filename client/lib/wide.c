#include "client/lib/wide.h"

#include <stdlib.h>

#include <windows.h>

wchar_t *wide_from_utf8(const char *string)
{
    int length = MultiByteToWideChar(CP_UTF8, 0, string, -1, NULL, 0);
    wchar_t *wide = length > 0 ? malloc((size_t)length * sizeof *wide) : NULL;
    if (wide)
        (void)MultiByteToWideChar(CP_UTF8, 0, string, -1, wide, length);
    return wide;
}

char *utf8_from_wide(const wchar_t *string)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, string, -1, NULL, 0, NULL, NULL);
    char *utf8 = length > 0 ? malloc((size_t)length) : NULL;
    if (utf8)
        (void)WideCharToMultiByte(CP_UTF8, 0, string, -1, utf8, length, NULL, NULL);
    return utf8;
}
