#include "client/cli/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/text.h"
#include "client/cli/wide.h"

#define RECORD_KEY L"Software\\Shadowpipe\\Places"

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

bool record_write(const char *name, const char *target)
{
    struct text value = {0};
    HKEY key;
    text_format(&value, "%lu %llu %s", GetCurrentProcessId(), process_started(GetCurrentProcess()), target);
    wchar_t *wide_name = wide_from_utf8(name);
    wchar_t *wide_value = value.failed ? NULL : wide_from_utf8(text_string(&value));
    bool ok = wide_name && wide_value &&
              RegCreateKeyExW(HKEY_CURRENT_USER, RECORD_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL) ==
                  ERROR_SUCCESS;
    if (ok) {
        DWORD size = (DWORD)((wcslen(wide_value) + 1) * sizeof *wide_value);
        ok = RegSetValueExW(key, wide_name, 0, REG_SZ, (const BYTE *)wide_value, size) == ERROR_SUCCESS;
        RegCloseKey(key);
    }
    free(wide_name);
    free(wide_value);
    text_free(&value);
    return ok;
}

void record_erase(const char *name)
{
    HKEY key;
    wchar_t *wide = wide_from_utf8(name);
    if (wide && RegOpenKeyExW(HKEY_CURRENT_USER, RECORD_KEY, 0, KEY_SET_VALUE, &key) == ERROR_SUCCESS) {
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
        gone = !process_lives(id, started) && remove(name, *at ? at + 1 : at);
        if (gone)
            record_erase(name);
    }
    free(name);
    free(value);
    return gone;
}

void record_sweep(bool (*remove)(const char *name, const char *target))
{
    HKEY key;
    if (RegOpenKeyExW(HKEY_CURRENT_USER, RECORD_KEY, 0, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
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
