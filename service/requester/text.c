#include "service/requester/text.h"

#include <stdio.h>
#include <string.h>

char *text_from_wide(struct arena *arena, const wchar_t *wide)
{
    if (wide == NULL) {
        wide = L"";
    }
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = size > 0 ? arena_alloc(arena, (size_t)size) : NULL;
    if (text != NULL) {
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
    }
    return text;
}

wchar_t *text_to_wide(struct arena *arena, const char *text)
{
    int chars = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = chars > 0 ? arena_alloc(arena, (size_t)chars * sizeof *wide) : NULL;
    if (wide != NULL) {
        MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, chars);
    }
    return wide;
}

void text_from_guid(char text[GUID_TEXT_CHARS], const GUID *guid)
{
    static const GUID zero;
    if (memcmp(guid, &zero, sizeof zero) == 0) {
        text[0] = '\0';
        return;
    }
    snprintf(text, GUID_TEXT_CHARS, "%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", guid->Data1,
             guid->Data2, guid->Data3, guid->Data4[0], guid->Data4[1], guid->Data4[2], guid->Data4[3],
             guid->Data4[4], guid->Data4[5], guid->Data4[6], guid->Data4[7]);
}

char *text_guid(struct arena *arena, const GUID *guid)
{
    char text[GUID_TEXT_CHARS];
    text_from_guid(text, guid);
    return arena_strdup(arena, text);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool text_to_guid(const char *text, GUID *guid)
{
    memset(guid, 0, sizeof *guid);
    if (text[0] == '\0') {
        return true;
    }
    BYTE bytes[16];
    size_t digits = 0;
    size_t i;
    for (i = 0; text[i] != '\0' && i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') {
                return false;
            }
            continue;
        }
        int digit = hex_digit(text[i]);
        if (digit < 0) {
            return false;
        }
        bytes[digits / 2] = (BYTE)(digits % 2 == 0 ? digit << 4 : bytes[digits / 2] | digit);
        digits++;
    }
    if (i != 36 || text[i] != '\0') {
        return false;
    }
    guid->Data1 = (DWORD)bytes[0] << 24 | (DWORD)bytes[1] << 16 | (DWORD)bytes[2] << 8 | bytes[3];
    guid->Data2 = (WORD)(bytes[4] << 8 | bytes[5]);
    guid->Data3 = (WORD)(bytes[6] << 8 | bytes[7]);
    memcpy(guid->Data4, bytes + 8, 8);
    return true;
}

int64_t text_unix_ms(LONGLONG filetime)
{
    const LONGLONG epoch_100ns = 116444736000000000; /* 1601 to 1970 */
    return filetime == 0 ? 0 : (filetime - epoch_100ns) / 10000;
}
