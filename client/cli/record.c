#include "client/cli/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/text.h"
#include "client/lib/wide.h"

/* A letter ends with its logon session at the latest, and this key with the user's last one. */
#define LETTERS_KEY L"Software\\Shadowpipe\\Letters"
#define LINKS_KEY   L"Software\\Shadowpipe\\Places"

enum {
    RECORD_CHARS = 2048,
    RECORDS_MAX = 256
};

static unsigned long long process_started(HANDLE process)
{
    FILETIME created, ended, kernel, user;
    if (!GetProcessTimes(process, &created, &ended, &kernel, &user))
        return 0;
    return (unsigned long long)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

static bool is_letter(const wchar_t *name)
{
    return name[0] && name[1] == L':' && !name[2];
}

static const wchar_t *key_of(const wchar_t *name)
{
    return is_letter(name) ? LETTERS_KEY : LINKS_KEY;
}

static DWORD options_of(const wchar_t *name)
{
    return is_letter(name) ? REG_OPTION_VOLATILE : REG_OPTION_NON_VOLATILE;
}

/* A user who is elevated has two of them, with drive letters of their own each and one registry. */
static unsigned long long logon_session(void)
{
    TOKEN_STATISTICS statistics = {0};
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return 0;
    if (!GetTokenInformation(token, TokenStatistics, &statistics, sizeof statistics, &size))
        memset(&statistics, 0, sizeof statistics);
    CloseHandle(token);
    return (unsigned long long)(unsigned long)statistics.AuthenticationId.HighPart << 32 |
           statistics.AuthenticationId.LowPart;
}

/* A process id is used again; together with the time of its start it is not. */
static bool process_lives(unsigned long id, unsigned long long started)
{
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, id);
    if (!process)
        return GetLastError() == ERROR_ACCESS_DENIED; /* somebody's: better a letter too many */
    bool lives = process_started(process) == started && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    CloseHandle(process);
    return lives;
}

DWORD record_write(const char *name, const char *target)
{
    struct text value = {0};
    HKEY key;
    LSTATUS status = ERROR_OUTOFMEMORY;
    text_format(&value, "%lu %llu %llx %s", GetCurrentProcessId(), process_started(GetCurrentProcess()),
                logon_session(), target);
    wchar_t *wide_name = wide_from_utf8(name);
    wchar_t *wide_value = value.failed ? NULL : wide_from_utf8(text_string(&value));
    if (wide_name && wide_value)
        status = RegCreateKeyExW(HKEY_CURRENT_USER, key_of(wide_name), 0, NULL, options_of(wide_name),
                                 KEY_SET_VALUE, NULL, &key, NULL);
    if (status == ERROR_SUCCESS) {
        DWORD size = (DWORD)((wcslen(wide_value) + 1) * sizeof *wide_value);
        status = RegSetValueExW(key, wide_name, 0, REG_SZ, (const BYTE *)wide_value, size);
        RegCloseKey(key);
    }
    free(wide_name);
    free(wide_value);
    text_free(&value);
    return (DWORD)status;
}

void record_erase(const char *name)
{
    HKEY key;
    wchar_t *wide = wide_from_utf8(name);
    if (wide && RegOpenKeyExW(HKEY_CURRENT_USER, key_of(wide), 0, KEY_SET_VALUE, &key) == ERROR_SUCCESS) {
        RegDeleteValueW(key, wide);
        RegCloseKey(key);
    }
    free(wide);
}

/* One record. True: it is gone. */
static bool sweep_one(const wchar_t *wide_name, const wchar_t *wide_value,
                      bool (*remove)(const char *name, const char *target))
{
    char *name = utf8_from_wide(wide_name);
    char *value = utf8_from_wide(wide_value);
    bool gone = false;
    if (name && value) {
        char *at;
        unsigned long id = strtoul(value, &at, 10);
        unsigned long long started = strtoull(at, &at, 10);
        unsigned long long session = strtoull(at, &at, 16);
        bool ours = !is_letter(wide_name) || session == logon_session();
        gone = ours && !process_lives(id, started) && remove(name, *at ? at + 1 : at);
        if (gone)
            record_erase(name);
    }
    free(name);
    free(value);
    return gone;
}

static void sweep_key(const wchar_t *path, bool (*remove)(const char *name, const char *target))
{
    HKEY key;
    if (RegOpenKeyExW(HKEY_CURRENT_USER, path, 0, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
        return;
    wchar_t *name = malloc(RECORD_CHARS * sizeof *name);
    wchar_t *value = calloc(RECORD_CHARS + 1, sizeof *value);
    DWORD index = 0;
    for (DWORD round = 0; name && value && round < RECORDS_MAX; round++) {
        DWORD name_chars = RECORD_CHARS;
        DWORD size = RECORD_CHARS * sizeof *value;
        DWORD type;
        LSTATUS status = RegEnumValueW(key, index, name, &name_chars, NULL, &type, (BYTE *)value, &size);
        if (status == ERROR_NO_MORE_ITEMS)
            break;
        if (status == ERROR_SUCCESS)
            value[size / sizeof *value] = 0;
        /* Erasing one moves the others up. */
        if (status != ERROR_SUCCESS || type != REG_SZ || !sweep_one(name, value, remove))
            index++;
    }
    free(name);
    free(value);
    RegCloseKey(key);
}

void record_sweep(bool (*remove)(const char *name, const char *target))
{
    sweep_key(LETTERS_KEY, remove);
    sweep_key(LINKS_KEY, remove);
}
