#include "store.h"

#include <objbase.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
static wchar_t root[STORE_PATH_CHARS - 100];
static HANDLE mutex;
static HANDLE log_file = INVALID_HANDLE_VALUE;
static HRESULT opened = E_UNEXPECTED;

unsigned long long store_now_ms(void)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    unsigned long long ticks = ((unsigned long long)now.dwHighDateTime << 32) | now.dwLowDateTime;
    return ticks / 10000 - 11644473600000ULL;
}

void store_path(wchar_t *path, const wchar_t *name)
{
    swprintf(path, STORE_PATH_CHARS, L"%ls\\%ls", root, name);
}

const wchar_t *store_root(void)
{
    return root;
}

static HRESULT make_directory(const wchar_t *path)
{
    if (CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS)
        return S_OK;
    return HRESULT_FROM_WIN32(GetLastError());
}

static BOOL find_root(void)
{
    const DWORD room = ARRAYSIZE(root);
    DWORD n = GetEnvironmentVariableW(L"SHADOWSIM_STORE", root, room);
    if (n == 0) {
        n = GetEnvironmentVariableW(L"ProgramData", root, room - 30);
        if (n == 0 || n >= room - 30)
            return FALSE;
        wcscat(root, L"\\ShadowpipeSimulator");
    }
    /* Device paths are made from it, and those must be absolute. */
    wchar_t full[ARRAYSIZE(root)];
    n = GetFullPathNameW(root, room, full, NULL);
    if (n == 0 || n >= room - 1)
        return FALSE;
    wcscpy(root, full);
    while (n > 3 && (root[n - 1] == L'\\' || root[n - 1] == L'/'))
        root[--n] = 0;
    return TRUE;
}

/* The mutex belongs to the store, not to the program: its name is a hash of the path. Everybody may use it,
 * because a service and a user's program share the simulated machine. */
static HANDLE open_mutex(void)
{
    unsigned long long hash = 1469598103934665603ULL;
    for (const wchar_t *c = root; *c; c++)
        hash = (hash ^ (towlower(*c) == L'/' ? L'\\' : towlower(*c))) * 1099511628211ULL;
    wchar_t name[80];
    swprintf(name, ARRAYSIZE(name), L"Global\\ShadowpipeSimulator-%016llx", hash);
    SECURITY_DESCRIPTOR descriptor;
    InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor, TRUE, NULL, FALSE);
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
    return CreateMutexW(&attributes, FALSE, name);
}

static BOOL CALLBACK open_store(PINIT_ONCE unused, PVOID parameter, PVOID *context)
{
    (void)unused, (void)parameter, (void)context;
    static const wchar_t *const folders[] = {L"objects", L"copies", L"numbers", L"storage",
                                             L"reverts", L"broken", L"work"};
    if (!find_root()) {
        opened = HRESULT_FROM_WIN32(ERROR_BAD_PATHNAME);
        return TRUE;
    }
    opened = make_directory(root);
    for (size_t i = 0; i < ARRAYSIZE(folders) && SUCCEEDED(opened); i++) {
        wchar_t path[STORE_PATH_CHARS];
        store_path(path, folders[i]);
        opened = make_directory(path);
    }
    if (SUCCEEDED(opened)) {
        mutex = open_mutex();
        if (!mutex)
            opened = HRESULT_FROM_WIN32(GetLastError());
    }
    return TRUE;
}

HRESULT store_open(void)
{
    InitOnceExecuteOnce(&once, open_store, NULL, NULL);
    return opened;
}

void store_lock(void)
{
    /* An abandoned mutex is as good as any: every file below it is replaced in one step. */
    WaitForSingleObject(mutex, INFINITE);
}

void store_unlock(void)
{
    ReleaseMutex(mutex);
}

wchar_t *store_read(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    wchar_t *text = NULL;
    DWORD size = GetFileSize(file, NULL), got = 0;
    char *bytes = size < 1 << 20 ? malloc(size + 1) : NULL;
    if (bytes && ReadFile(file, bytes, size, &got, NULL)) {
        text = calloc((size_t)got + 1, sizeof *text);
        if (text)
            MultiByteToWideChar(CP_UTF8, 0, bytes, (int)got, text, (int)got);
    }
    free(bytes);
    CloseHandle(file);
    return text;
}

static HRESULT write_utf8(HANDLE file, const wchar_t *text)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *bytes = malloc((size_t)n);
    if (!bytes)
        return E_OUTOFMEMORY;
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, n, NULL, NULL);
    DWORD written = 0;
    HRESULT hr = S_OK;
    if (!WriteFile(file, bytes, (DWORD)(n - 1), &written, NULL))
        hr = HRESULT_FROM_WIN32(GetLastError());
    free(bytes);
    return hr;
}

HRESULT store_write(const wchar_t *path, const wchar_t *text)
{
    wchar_t fresh[STORE_PATH_CHARS + 20];
    swprintf(fresh, ARRAYSIZE(fresh), L"%ls.%lx", path, GetCurrentThreadId());
    HANDLE file = CreateFileW(fresh, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return HRESULT_FROM_WIN32(GetLastError());
    HRESULT hr = write_utf8(file, text);
    CloseHandle(file);
    if (SUCCEEDED(hr) && !MoveFileExW(fresh, path, MOVEFILE_REPLACE_EXISTING))
        hr = HRESULT_FROM_WIN32(GetLastError());
    if (FAILED(hr))
        DeleteFileW(fresh);
    return hr;
}

BOOL record_get(const wchar_t *text, const wchar_t *key, wchar_t *value, size_t chars)
{
    size_t length = wcslen(key);
    value[0] = 0;
    while (text && *text) {
        size_t line = wcscspn(text, L"\r\n");
        if (line > length && wcsncmp(text, key, length) == 0 && text[length] == L'=') {
            size_t n = line - length - 1;
            if (n >= chars)
                n = chars - 1;
            memcpy(value, text + length + 1, n * sizeof *value);
            value[n] = 0;
            return TRUE;
        }
        text += line;
        text += wcsspn(text, L"\r\n");
    }
    return FALSE;
}

unsigned long long record_number(const wchar_t *text, const wchar_t *key)
{
    wchar_t value[40];
    return record_get(text, key, value, ARRAYSIZE(value)) ? wcstoull(value, NULL, 0) : 0;
}

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

unsigned *store_list(const wchar_t *pattern, size_t *count)
{
    wchar_t path[STORE_PATH_CHARS];
    WIN32_FIND_DATAW found;
    unsigned *numbers = NULL;
    size_t room = 0;
    *count = 0;
    store_path(path, pattern);
    HANDLE search = FindFirstFileW(path, &found);
    if (search == INVALID_HANDLE_VALUE)
        return NULL;
    do {
        unsigned number = (unsigned)wcstoul(found.cFileName, NULL, 10);
        if (*count == room) {
            room = room ? room * 2 : 16;
            unsigned *more = realloc(numbers, room * sizeof *numbers);
            if (!more)
                break;
            numbers = more;
        }
        if (number)
            numbers[(*count)++] = number;
    } while (FindNextFileW(search, &found));
    FindClose(search);
    qsort(numbers, *count, sizeof *numbers, by_number);
    return numbers;
}

unsigned store_next_number(const wchar_t *counter)
{
    wchar_t path[STORE_PATH_CHARS], name[160], text[20];
    swprintf(name, ARRAYSIZE(name), L"numbers\\%ls", counter);
    store_path(path, name);
    store_lock();
    wchar_t *old = store_read(path);
    unsigned number = (old ? (unsigned)wcstoul(old, NULL, 10) : 0) + 1;
    free(old);
    swprintf(text, ARRAYSIZE(text), L"%u", number);
    HRESULT hr = store_write(path, text);
    store_unlock();
    return SUCCEEDED(hr) ? number : 0;
}

GUID store_boot_id(void)
{
    wchar_t path[STORE_PATH_CHARS], text[40];
    GUID id = GUID_NULL;
    store_path(path, L"boot");
    store_lock();
    wchar_t *old = store_read(path);
    if (!old || FAILED(CLSIDFromString(old, &id))) {
        if (FAILED(CoCreateGuid(&id)) || !StringFromGUID2(&id, text, ARRAYSIZE(text)) ||
            FAILED(store_write(path, text)))
            store_log(0, L"store", L"the boot id cannot be kept");
    }
    free(old);
    store_unlock();
    return id;
}

void store_close(void)
{
    if (log_file != INVALID_HANDLE_VALUE)
        CloseHandle(log_file);
    if (mutex)
        CloseHandle(mutex);
}

void store_log(unsigned object, const wchar_t *event, const wchar_t *format, ...)
{
    wchar_t detail[1600], line[1800];
    va_list arguments;
    va_start(arguments, format);
    if (vswprintf(detail, ARRAYSIZE(detail), format, arguments) < 0)
        detail[ARRAYSIZE(detail) - 1] = 0;
    va_end(arguments);
    swprintf(line, ARRAYSIZE(line), L"%llu\t%lu\t%u\t%ls\t%ls\n", store_now_ms(), GetCurrentProcessId(),
             object, event, detail);
    store_lock();
    if (log_file == INVALID_HANDLE_VALUE) {
        wchar_t path[STORE_PATH_CHARS];
        store_path(path, L"events.log");
        log_file =
            CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    }
    if (log_file != INVALID_HANDLE_VALUE) {
        SetFilePointer(log_file, 0, NULL, FILE_END);
        write_utf8(log_file, line);
    }
    store_unlock();
}
