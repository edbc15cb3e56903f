#include "service/host/text.h"

#include <stdio.h>
#include <string.h>

bool text_to_utf8(const wchar_t *wide, char *utf8, size_t size)
{
    int limit = size < INT_MAX ? (int)size : INT_MAX;
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, utf8, limit, NULL, NULL) > 0) {
        return true;
    }
    utf8[0] = '\0';
    return false;
}

bool text_wide_of(const char *utf8, wchar_t *wide, size_t chars)
{
    int limit = chars < INT_MAX ? (int)chars : INT_MAX;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8, -1, wide, limit) > 0) {
        return true;
    }
    wide[0] = L'\0';
    return false;
}

void text_of_error(DWORD error, char *text, size_t size)
{
    wchar_t wide[256];
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    DWORD language = MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US);
    DWORD length = FormatMessageW(flags, NULL, error, language, wide, ARRAYSIZE(wide), NULL);
    if (length == 0) {
        length = FormatMessageW(flags, NULL, error, 0, wide, ARRAYSIZE(wide), NULL);
    }
    while (length > 0 && wcschr(L" .\r\n", wide[length - 1]) != NULL) {
        length--;
    }
    wide[length < ARRAYSIZE(wide) ? length : ARRAYSIZE(wide) - 1] = L'\0';
    if (length == 0 || !text_to_utf8(wide, text, size)) {
        snprintf(text, size, "Win32 error %lu", error);
    }
}
