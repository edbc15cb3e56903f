#include "client/cli/link.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/quote.h"
#include "client/cli/text.h"
#include "client/cli/wide.h"
#include "client/cli/wine.h"
#include "client/lib/error.h"

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

static bool no_memory(struct sp_error **error)
{
    error_give(error, error_no_memory());
    return false;
}

/* ---- under Wine ---- */

/* Starts a program of the system below. Its end cannot be waited for. */
static bool wine_start(const char *program, const char *option, const char *first, const char *second)
{
    struct text line = {0};
    text_format(&line, "\\\\?\\unix%s %s -- ", program, option);
    quote_argument(&line, first);
    if (second) {
        text_add(&line, " ");
        quote_argument(&line, second);
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
    bool ok = unix_path && unix_target && wine_start("/bin/ln", "-sn", unix_target, unix_path) &&
              wine_wait(path, true);
    wine_free(unix_path);
    wine_free(unix_target);
    return ok;
}

static bool wine_remove(const char *path)
{
    char *unix_path = wine_unix_path(path);
    /* Not -r: rm refuses a real directory. */
    bool ok = unix_path && wine_start("/bin/rm", "-f", unix_path, NULL) && wine_wait(path, false);
    wine_free(unix_path);
    return ok;
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

/* ---- both ---- */

bool link_create(const char *path, const char *device_root, struct sp_error **error)
{
    DWORD failure = ERROR_NOT_SUPPORTED;
    if (attributes_of(path)) {
        error_give(error,
                   error_create(SP_ALREADY_EXISTS, "BAD_ARGUMENT", "Remove it, or give another folder.",
                                "Cannot make the link %s: something of that name is there.", path));
        return false;
    }
    if (running_under_wine()) {
        if (wine_create(path, device_root))
            return true;
    } else if (windows_create(path, device_root, &failure)) {
        if (opens(path))
            return true;
        (void)link_remove(path, NULL);
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

bool link_remove(const char *path, struct sp_error **error)
{
    DWORD attributes = attributes_of(path);
    if (!(attributes & FILE_ATTRIBUTE_REPARSE_POINT))
        return true; /* none, or not a link any more: not ours */
    if (running_under_wine()) {
        if (wine_remove(path))
            return true;
        error_give(error, error_create(SP_INTERNAL, "WIN32", "", "Cannot remove the link %s.", path));
        return false;
    }
    wchar_t *wide = wide_from_utf8(path);
    if (!wide)
        return no_memory(error);
    bool ok = RemoveDirectoryW(wide);
    DWORD failure = GetLastError();
    free(wide);
    if (!ok)
        error_give(error, error_from_win32(failure, "RemoveDirectoryW", "remove the link to the snapshot"));
    return ok;
}
