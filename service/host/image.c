#include "service/host/image.h"

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>

#include "service/host/log.h"

enum {
    PATH_CHARS = 1024,
    ASIDE_CHARS = PATH_CHARS + 16,
    ASIDE_NAMES = 100 /* hand-overs whose processes live at the same time */
};

static bool is_run(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        return GetLastError() == ERROR_SHARING_VIOLATION;
    }
    CloseHandle(file);
    return false;
}

static DWORD rename_aside(const wchar_t *path, wchar_t aside[ASIDE_CHARS])
{
    DWORD error = ERROR_ALREADY_EXISTS;
    for (unsigned i = 1; i <= ASIDE_NAMES && error == ERROR_ALREADY_EXISTS; i++) {
        swprintf(aside, ASIDE_CHARS, L"%ls.old-%u", path, i);
        error = MoveFileExW(path, aside, 0) ? ERROR_SUCCESS : GetLastError();
    }
    return error;
}

/* The copy is made first, so that a crash leaves the name without a file for a moment only. */
static DWORD replace_by_copy(const wchar_t *path)
{
    wchar_t copy[ASIDE_CHARS];
    wchar_t aside[ASIDE_CHARS];
    swprintf(copy, ASIDE_CHARS, L"%ls.new", path);
    if (!CopyFileW(path, copy, FALSE)) {
        return GetLastError();
    }
    DWORD error = rename_aside(path, aside);
    if (error == ERROR_SUCCESS && !MoveFileExW(copy, path, 0)) {
        error = GetLastError();
        MoveFileExW(aside, path, 0);
    }
    if (error != ERROR_SUCCESS) {
        DeleteFileW(copy);
    }
    return error;
}

void image_set_file_aside(const wchar_t *path)
{
    if (!is_run(path)) {
        return;
    }
    DWORD error = replace_by_copy(path);
    if (error != ERROR_SUCCESS) {
        log_error(BROKER_LOG_WARNING, error,
                  "%ls could not be set aside for those that run it; an installer may ask for a restart of "
                  "the machine",
                  path);
    }
}

void image_sweep_file(const wchar_t *path)
{
    wchar_t name[ASIDE_CHARS];
    WIN32_FIND_DATAW found;
    swprintf(name, ASIDE_CHARS, L"%ls.old-*", path);
    size_t folder = (size_t)(wcsrchr(path, L'\\') + 1 - path);
    HANDLE search = FindFirstFileW(name, &found);
    if (search == INVALID_HANDLE_VALUE) {
        return;
    }
    do {
        swprintf(name + folder, ASIDE_CHARS - folder, L"%ls", found.cFileName);
        DeleteFileW(name); /* refused while somebody runs it: the next time, then */
    } while (FindNextFileW(search, &found));
    FindClose(search);
}

static void for_each_image(void (*act)(const wchar_t *path))
{
    static const wchar_t client[] = L"shadowpipe.exe";
    wchar_t path[PATH_CHARS];
    DWORD length = GetModuleFileNameW(NULL, path, PATH_CHARS);
    wchar_t *slash = length > 0 && length < PATH_CHARS ? wcsrchr(path, L'\\') : NULL;
    if (slash == NULL) {
        return;
    }
    act(path);
    if ((size_t)(slash + 1 - path) + wcslen(client) < PATH_CHARS) {
        wcscpy(slash + 1, client);
        act(path);
    }
}

void image_set_aside(void)
{
    for_each_image(image_set_file_aside);
}

void image_sweep(void)
{
    for_each_image(image_sweep_file);
}
