#include "client/cli/link.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <winioctl.h>

#include "client/cli/quote.h"
#include "client/cli/text.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"
#include "client/lib/wine.h"

enum {
    WINE_WAIT_MS = 10000,
    WINE_POLL_MS = 10
};

/* 0 when there is nothing. Looks at the link itself, not through it. */
static DWORD attributes_of(const char *path)
{
    wchar_t *wide = wide_from_utf8(path);
    DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
    free(wide);
    return attributes == INVALID_FILE_ATTRIBUTES ? 0 : attributes;
}

/* Looks through the link. */
static bool opens(const char *path)
{
    struct text root = {0};
    text_format(&root, "%s\\.", path);
    wchar_t *wide = root.failed ? NULL : wide_from_utf8(text_string(&root));
    bool ok = wide && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;
    free(wide);
    text_free(&root);
    return ok;
}

/* ---- under Wine ---- */

/* Starts a program of the system below. Its end cannot be waited for. */
static bool wine_start(const char *program, const char *const *arguments, size_t count)
{
    struct text line = {0};
    text_format(&line, "\\\\?\\unix%s", program);
    for (size_t i = 0; i < count; i++) {
        text_add(&line, " ");
        quote_argument(&line, arguments[i]);
    }
    wchar_t *wide = line.failed ? NULL : wide_from_utf8(text_string(&line));
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION process = {0};
    bool ok = wide && CreateProcessW(NULL, wide, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process);
    if (ok) {
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
    }
    free(wide);
    text_free(&line);
    return ok;
}

static bool wine_wait(const char *path, bool wanted)
{
    ULONGLONG until = GetTickCount64() + WINE_WAIT_MS;
    while ((wanted ? opens(path) : attributes_of(path) != 0) != wanted) {
        if (GetTickCount64() >= until)
            return false;
        Sleep(WINE_POLL_MS);
    }
    return true;
}

static bool wine_create(const char *path, const char *device_root)
{
    char *unix_path = wine_unix_path(path);
    char *unix_target = wine_unix_path(device_root);
    const char *arguments[] = {"-sn", "--", unix_target, unix_path};
    bool ok = unix_path && unix_target && wine_start("/bin/ln", arguments, ARRAYSIZE(arguments)) &&
              wine_wait(path, true);
    wine_free(unix_path);
    wine_free(unix_target);
    return ok;
}

/* rm refuses a real directory; a link of somebody else's says another target. */
static bool wine_start_removal(const char *path, const char *device)
{
    static const char script[] =
        "target=$(readlink -- \"$0\") && [ \"${target%/}\" = \"${1%/}\" ] && rm -f -- \"$0\"";
    char *unix_path = wine_unix_path(path);
    char *unix_target = wine_unix_path(device);
    const char *arguments[] = {"-c", script, unix_path, unix_target};
    bool ok = unix_path && unix_target && wine_start("/bin/sh", arguments, ARRAYSIZE(arguments));
    wine_free(unix_path);
    wine_free(unix_target);
    return ok;
}

static enum removal wine_remove(const char *path, const char *device, struct sp_error **error)
{
    DWORD attributes = attributes_of(path);
    if (!attributes) {
        /* Also what a link looks like whose snapshot is gone. */
        (void)wine_start_removal(path, device);
        return REMOVAL_NOT_THERE;
    }
    if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT) || !wine_same_directory(device, path))
        return REMOVAL_NOT_THERE;
    if (wine_start_removal(path, device) && wine_wait(path, false))
        return REMOVAL_DONE;
    error_give(error, error_create(SP_INTERNAL, "WIN32", "", "Cannot remove the link %s.", path));
    return REMOVAL_FAILED;
}

/* ---- on Windows ---- */

static bool windows_create(const char *path, const char *device_root, DWORD *failure)
{
    /* The second flag, for developers without the privilege, is refused before Windows 10 1703. */
    static const DWORD flags[] = {SYMBOLIC_LINK_FLAG_DIRECTORY | 2 /* ALLOW_UNPRIVILEGED_CREATE */,
                                  SYMBOLIC_LINK_FLAG_DIRECTORY};
    wchar_t *link = wide_from_utf8(path);
    wchar_t *target = wide_from_utf8(device_root);
    bool ok = false;
    *failure = ERROR_OUTOFMEMORY;
    for (size_t i = 0; link && target && !ok && i < ARRAYSIZE(flags); i++) {
        ok = CreateSymbolicLinkW(link, target, flags[i]);
        *failure = GetLastError();
    }
    free(link);
    free(target);
    return ok;
}

/* A symbolic link's reparse data, which user-mode headers lack. */
struct symbolic_link {
    DWORD tag;
    WORD data_length;
    WORD reserved;
    WORD substitute_offset; /* from names, in bytes */
    WORD substitute_length;
    WORD print_offset;
    WORD print_length;
    DWORD flags;
    wchar_t names[(MAXIMUM_REPARSE_DATA_BUFFER_SIZE - 20) / sizeof(wchar_t)];
};

static bool read_link(const char *path, struct symbolic_link *data)
{
    wchar_t *wide = wide_from_utf8(path);
    HANDLE link = INVALID_HANDLE_VALUE;
    DWORD size = 0;
    if (wide)
        link =
            CreateFileW(wide, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    bool ok = link != INVALID_HANDLE_VALUE &&
              DeviceIoControl(link, FSCTL_GET_REPARSE_POINT, NULL, 0, data, sizeof *data, &size, NULL) &&
              size >= offsetof(struct symbolic_link, names) && data->tag == IO_REPARSE_TAG_SYMLINK &&
              (size_t)data->substitute_offset + data->substitute_length <=
                  size - offsetof(struct symbolic_link, names);
    if (link != INVALID_HANDLE_VALUE)
        CloseHandle(link);
    free(wide);
    return ok;
}

/* Without the prefix that the link is given in the one form and keeps in the other, and without the end. */
static const wchar_t *core(const wchar_t *path, size_t *length)
{
    if (*length >= 4 && (wcsncmp(path, L"\\\\?\\", 4) == 0 || wcsncmp(path, L"\\??\\", 4) == 0)) {
        path += 4;
        *length -= 4;
    }
    while (*length > 0 && path[*length - 1] == L'\\')
        --*length;
    return path;
}

static bool windows_means(const char *path, const char *device)
{
    struct symbolic_link *data = malloc(sizeof *data);
    wchar_t *wide = wide_from_utf8(device);
    bool same = false;
    if (data && wide && read_link(path, data)) {
        size_t link_length = data->substitute_length / sizeof(wchar_t);
        size_t device_length = wcslen(wide);
        const wchar_t *link = core(data->names + data->substitute_offset / sizeof(wchar_t), &link_length);
        const wchar_t *wanted = core(wide, &device_length);
        same = link_length == device_length && _wcsnicmp(link, wanted, link_length) == 0;
    }
    free(data);
    free(wide);
    return same;
}

static enum removal windows_remove(const char *path, const char *device, struct sp_error **error)
{
    if (!(attributes_of(path) & FILE_ATTRIBUTE_REPARSE_POINT) || !windows_means(path, device))
        return REMOVAL_NOT_THERE;
    wchar_t *wide = wide_from_utf8(path);
    bool ok = wide && RemoveDirectoryW(wide);
    DWORD failure = wide ? GetLastError() : ERROR_OUTOFMEMORY;
    free(wide);
    if (!ok)
        error_give(error, error_from_win32(failure, "RemoveDirectoryW", "remove the link to the snapshot"));
    return ok ? REMOVAL_DONE : REMOVAL_FAILED;
}

/* ---- both ---- */

bool link_check(const char *path, struct sp_error **error)
{
    if (!attributes_of(path))
        return true;
    error_give(error, error_create(SP_ALREADY_EXISTS, "BAD_ARGUMENT", "Remove it, or give another folder.",
                                   "Cannot make the link %s: something of that name is there.", path));
    return false;
}

bool link_create(const char *path, const char *device_root, struct sp_error **error)
{
    DWORD failure = ERROR_NOT_SUPPORTED;
    if (!link_check(path, error))
        return false;
    if (running_under_wine()) {
        if (wine_create(path, device_root))
            return true;
    } else if (windows_create(path, device_root, &failure)) {
        if (opens(path))
            return true;
        (void)link_remove(path, device_root, NULL);
    }
    if (failure == ERROR_PRIVILEGE_NOT_HELD)
        error_give(error,
                   error_create(SP_PERMISSION_DENIED, "WIN32",
                                "Run it elevated, or use a drive letter: --as VOLUME=X:.",
                                "Cannot make the link %s: this account may not make symbolic links.", path));
    else
        error_give(error, error_from_win32(failure, "CreateSymbolicLinkW", "make the link to the snapshot"));
    return false;
}

enum removal link_remove(const char *path, const char *device, struct sp_error **error)
{
    return running_under_wine() ? wine_remove(path, device, error) : windows_remove(path, device, error);
}
