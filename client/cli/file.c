#include "client/cli/file.h"

#include <stdlib.h>

#include <windows.h>

#include "client/lib/error.h"
#include "client/lib/wide.h"

enum {
    FULL_PATH_CHARS = 4096
};

static void give_failure(struct sp_error **error, DWORD failure, const char *function, const char *verb,
                         const char *path)
{
    struct text doing = {0};
    text_format(&doing, "%s %s", verb, path);
    error_give(error, error_from_win32(failure, function, text_string(&doing)));
    text_free(&doing);
}

/* The name of the function that failed, with its error in *failure; NULL on success. */
static const char *write_flushed(const wchar_t *path, const char *bytes, size_t size, DWORD *failure)
{
    const char *failed = NULL;
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    *failure = GetLastError();
    if (file == INVALID_HANDLE_VALUE)
        return "CreateFileW";
    while (size > 0 && !failed) {
        DWORD part = size < 1024 * 1024 ? (DWORD)size : 1024 * 1024;
        DWORD written = 0;
        if (!WriteFile(file, bytes, part, &written, NULL) || written == 0)
            failed = "WriteFile";
        bytes += written;
        size -= written;
    }
    if (!failed && !FlushFileBuffers(file))
        failed = "FlushFileBuffers";
    *failure = GetLastError();
    CloseHandle(file);
    return failed;
}

bool file_write(const char *path, const void *bytes, size_t size, struct sp_error **error)
{
    struct text partial = {0};
    text_format(&partial, "%s.partial", path);
    wchar_t *wide = wide_from_utf8(path);
    wchar_t *wide_partial = partial.failed ? NULL : wide_from_utf8(text_string(&partial));
    bool ok = false;
    if (!wide || !wide_partial) {
        error_give(error, error_no_memory());
    } else {
        DWORD failure;
        const char *failed = write_flushed(wide_partial, bytes, size, &failure);
        if (!failed && !MoveFileExW(wide_partial, wide, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
            failed = "MoveFileExW";
            failure = GetLastError();
        }
        ok = !failed;
        if (failed) {
            DeleteFileW(wide_partial);
            give_failure(error, failure, failed, "write", path);
        }
    }
    free(wide);
    free(wide_partial);
    text_free(&partial);
    return ok;
}

static char *read_whole(HANDLE file, size_t size, DWORD *failure)
{
    char *bytes = malloc(size + 1);
    size_t have = 0;
    *failure = ERROR_OUTOFMEMORY;
    while (bytes && have < size) {
        DWORD read = 0;
        DWORD part = size - have < 1024 * 1024 ? (DWORD)(size - have) : 1024 * 1024;
        bool ok = ReadFile(file, bytes + have, part, &read, NULL);
        *failure = ok ? ERROR_HANDLE_EOF : GetLastError();
        if (!ok || read == 0) {
            free(bytes);
            return NULL;
        }
        have += read;
    }
    if (bytes)
        bytes[size] = 0;
    return bytes;
}

char *file_read(const char *path, size_t limit, size_t *size, struct sp_error **error)
{
    wchar_t *wide = wide_from_utf8(path);
    LARGE_INTEGER length = {.QuadPart = 0};
    char *bytes = NULL;
    *size = 0;
    if (!wide) {
        error_give(error, error_no_memory());
        return NULL;
    }
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                              FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    DWORD failure = GetLastError();
    free(wide);
    if (file == INVALID_HANDLE_VALUE) {
        give_failure(error, failure, "CreateFileW", "read", path);
        return NULL;
    }
    if (!GetFileSizeEx(file, &length)) {
        give_failure(error, GetLastError(), "GetFileSizeEx", "read", path);
    } else if ((unsigned long long)length.QuadPart > limit) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "",
                                       "%s has %lld bytes; at most %zu can be taken.", path,
                                       (long long)length.QuadPart, limit));
    } else {
        bytes = read_whole(file, (size_t)length.QuadPart, &failure);
        if (bytes)
            *size = (size_t)length.QuadPart;
        else
            give_failure(error, failure, "ReadFile", "read", path);
    }
    CloseHandle(file);
    return bytes;
}

bool file_full_path(const char *path, struct text *full)
{
    wchar_t *wide = wide_from_utf8(path);
    wchar_t *buffer = malloc(FULL_PATH_CHARS * sizeof *buffer);
    DWORD length = wide && buffer ? GetFullPathNameW(wide, FULL_PATH_CHARS, buffer, NULL) : 0;
    char *utf8 = length > 0 && length < FULL_PATH_CHARS ? utf8_from_wide(buffer) : NULL;
    if (utf8)
        text_add(full, utf8);
    free(wide);
    free(buffer);
    free(utf8);
    return full->size > 0;
}
