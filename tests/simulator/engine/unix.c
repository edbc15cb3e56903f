#include "unix.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vss.h>
#include <wchar.h>

#define POLL_MS 2

typedef char *(CDECL *unix_name_function)(LPCWSTR);

static unix_name_function find_function(void)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "wine_get_unix_file_name");
    unix_name_function function = NULL;
    memcpy(&function, &found, sizeof function);
    return function;
}

BOOL unix_is_there(void)
{
    return find_function() != NULL;
}

/* Wine names "S:\" <prefix>/dosdevices/s:/ whatever is behind it; only "Z:\" comes out as "/". */
char *unix_name(const wchar_t *path)
{
    unix_name_function function = find_function();
    return function ? function(path) : NULL;
}

void unix_name_free(char *name)
{
    if (name)
        HeapFree(GetProcessHeap(), 0, name);
}

BOOL unix_quote(char *script, size_t room, const char *path)
{
    size_t at = strlen(script);
    if (at + strlen(path) * 4 + 3 > room)
        return FALSE;
    script[at++] = '\'';
    for (; *path; path++) {
        if (*path == '\'') {
            memcpy(script + at, "'\\''", 4);
            at += 4;
        } else {
            script[at++] = *path;
        }
    }
    script[at++] = '\'';
    script[at] = 0;
    return TRUE;
}

static HRESULT write_bytes(const wchar_t *path, const char *text)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    DWORD n;
    if (file == INVALID_HANDLE_VALUE)
        return HRESULT_FROM_WIN32(GetLastError());
    HRESULT hr =
        WriteFile(file, text, (DWORD)strlen(text), &n, NULL) ? S_OK : HRESULT_FROM_WIN32(GetLastError());
    CloseHandle(file);
    return hr;
}

static HRESULT read_bytes(const wchar_t *path, char *text, size_t room)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, OPEN_EXISTING, 0, NULL);
    DWORD n = 0;
    text[0] = 0;
    if (file == INVALID_HANDLE_VALUE)
        return HRESULT_FROM_WIN32(GetLastError());
    HRESULT hr = ReadFile(file, text, (DWORD)room - 1, &n, NULL) ? S_OK : HRESULT_FROM_WIN32(GetLastError());
    text[n] = 0;
    CloseHandle(file);
    return hr;
}

/* The wrapper: runs the body in a subshell, keeps what it says, and publishes the exit code. Its own file
 * says that somebody waits for that; a script without one, the shell has it open, clears the rest away. */
static HRESULT write_script(const wchar_t *file, const char *body, BOOL alone)
{
    static const char epilogue[] = "\n) 2>\"$0.err\" </dev/null\n"
                                   "echo $? >\"$0.rc\"\n"
                                   "[ -e \"$0\" ] || rm -f \"$0\".*\n";
    const char *prologue =
        alone ? "rm -f \"$0\"\nLC_ALL=C; export LC_ALL\n(\n" : "LC_ALL=C; export LC_ALL\n(\n";
    size_t room = strlen(prologue) + strlen(body) + sizeof epilogue;
    char *text = malloc(room);
    if (!text)
        return E_OUTOFMEMORY;
    snprintf(text, room, "%s%s%s", prologue, body, epilogue);
    HRESULT hr = write_bytes(file, text);
    free(text);
    return hr;
}

static HRESULT start_shell(const wchar_t *file)
{
    char *host_path = unix_name(file);
    wchar_t wide[2 * STORE_PATH_CHARS], command[2 * STORE_PATH_CHARS + 40];
    if (!host_path)
        return HRESULT_FROM_WIN32(ERROR_BAD_PATHNAME);
    int n = MultiByteToWideChar(CP_UTF8, 0, host_path, -1, wide, ARRAYSIZE(wide));
    unix_name_free(host_path);
    if (n == 0)
        return HRESULT_FROM_WIN32(GetLastError());
    swprintf(command, ARRAYSIZE(command), L"/bin/sh \"%ls\"", wide);
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process;
    if (!CreateProcessW(L"\\\\?\\unix\\bin\\sh", command, NULL, NULL, FALSE, 0, NULL, NULL, &startup,
                        &process))
        return HRESULT_FROM_WIN32(GetLastError());
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return S_OK;
}

static HRESULT wait_for_result(const wchar_t *file, DWORD wait_ms, HANDLE cancel, int *exit_code)
{
    wchar_t path[STORE_PATH_CHARS + 20];
    char text[20];
    swprintf(path, ARRAYSIZE(path), L"%ls.rc", file);
    ULONGLONG end = GetTickCount64() + wait_ms;
    for (;;) {
        /* The file is there a moment before its line is. */
        if (SUCCEEDED(read_bytes(path, text, sizeof text)) && strchr(text, '\n')) {
            *exit_code = (int)strtol(text, NULL, 10);
            return S_OK;
        }
        if (GetTickCount64() >= end)
            return HRESULT_FROM_WIN32(ERROR_TIMEOUT);
        if (!cancel)
            Sleep(POLL_MS);
        else if (WaitForSingleObject(cancel, POLL_MS) == WAIT_OBJECT_0)
            return VSS_S_ASYNC_CANCELLED;
    }
}

/* The script itself last: unix_abandon() looks for it. */
static void clean_up(const wchar_t *file)
{
    static const wchar_t *const endings[] = {L".err", L".rc", L".cp", L""};
    wchar_t path[STORE_PATH_CHARS + 20];
    for (size_t i = 0; i < ARRAYSIZE(endings); i++) {
        swprintf(path, ARRAYSIZE(path), L"%ls%ls", file, endings[i]);
        DeleteFileW(path);
    }
}

/* Nobody waits for the script any more. */
static void leave_alone(const wchar_t *file)
{
    wchar_t path[STORE_PATH_CHARS + 20];
    DeleteFileW(file);
    swprintf(path, ARRAYSIZE(path), L"%ls.rc", file);
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES)
        clean_up(file); /* it ended before it could see that */
}

static void script_path(wchar_t file[STORE_PATH_CHARS], const wchar_t *name)
{
    wchar_t relative[100];
    swprintf(relative, ARRAYSIZE(relative), L"work\\%ls.sh", name);
    store_path(file, relative);
}

HRESULT unix_run(const wchar_t *name, const char *script, DWORD wait_ms, HANDLE cancel, int *exit_code,
                 char *errors, size_t errors_room)
{
    wchar_t file[STORE_PATH_CHARS], path[STORE_PATH_CHARS + 20];
    script_path(file, name);
    *exit_code = -1;
    HRESULT hr = write_script(file, script, wait_ms == 0);
    if (SUCCEEDED(hr))
        hr = start_shell(file);
    if (FAILED(hr) || wait_ms == 0)
        return hr;
    hr = wait_for_result(file, wait_ms, cancel, exit_code);
    if (hr == S_OK) {
        swprintf(path, ARRAYSIZE(path), L"%ls.err", file);
        if (FAILED(read_bytes(path, errors, errors_room)))
            errors[0] = 0;
        clean_up(file);
    } else {
        leave_alone(file);
    }
    return hr;
}

void unix_abandon(const wchar_t *name)
{
    wchar_t file[STORE_PATH_CHARS];
    script_path(file, name);
    if (GetFileAttributesW(file) != INVALID_FILE_ATTRIBUTES)
        leave_alone(file);
}
