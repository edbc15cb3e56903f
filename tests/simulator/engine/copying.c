#include "copying.h"
#include "unix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vss.h>
#include <wchar.h>

#define COPY_LIMIT_MS  (30 * 60 * 1000)
#define QUOTED_CHARS   4096
#define FOLDER_PATTERN L"\\*"

/* Few programs are started, because the writers stand still meanwhile.
 * copy FROM TO: FROM's entries into TO, without the store, level by level down to where the store lies. A
 * file that vanishes meanwhile (a real snapshot would hold it) is no failure; everything else that cp
 * complains about is. */
static const char shell_functions[] = "real() { cd -P -- \"$1\" && pwd -P; }\n"
                                      "store=$(real \"$STORE\")\n"
                                      "entries() {\n"
                                      "  ( cd \"$1\" || exit 1\n"
                                      "    set --\n"
                                      "    for f in * .[!.]* ..?*; do\n"
                                      "      [ -e \"$f\" ] || [ -L \"$f\" ] || continue\n"
                                      "      [ \"$f\" = \"$skip\" ] || set -- \"$@\" \"$f\"\n"
                                      "    done\n"
                                      "    [ $# -eq 0 ] && exit 0\n"
                                      "    cp -a --reflink=auto -- \"$@\" \"$to/\" 2>\"$work.cp\" && exit 0\n"
                                      "    grep -v 'No such file or directory$' \"$work.cp\" >&2 || exit 0\n"
                                      "    exit 1 )\n"
                                      "}\n"
                                      "copy() {\n"
                                      "  from=$(real \"$1\") && to=$(real \"$2\") || return 1\n"
                                      "  while case $store/ in \"$from\"/*) true;; *) false;; esac; do\n"
                                      "    [ \"$from\" = \"$store\" ] && return 0\n"
                                      "    rest=${store#\"$from\"/}; skip=${rest%%/*}\n"
                                      "    entries \"$from\" || return 1\n"
                                      "    from=$from/$skip; to=$to/$skip\n"
                                      "    [ \"$from\" = \"$store\" ] && return 0\n"
                                      "    mkdir \"$to\" || return 1\n"
                                      "  done\n"
                                      "  skip=\n"
                                      "  entries \"$from\"\n"
                                      "}\n";

/* clear FOLDER: all that is in it, but for the store and the folders on the way to it. */
static const char clear_function[] = "real() { cd -P -- \"$1\" && pwd -P; }\n"
                                     "store=$(real \"$STORE\")\n"
                                     "clear() {\n"
                                     "  ( for f in \"$1\"/* \"$1\"/.[!.]* \"$1\"/..?*; do\n"
                                     "      [ -e \"$f\" ] || [ -L \"$f\" ] || continue\n"
                                     "      case $store/ in\n"
                                     "      \"$store\"/) [ \"$f\" = \"$store\" ] && continue ;;\n"
                                     "      esac\n"
                                     "      case $store in\n"
                                     "      \"$f\"/*) clear \"$f\" || exit 1 ;;\n"
                                     "      *) rm -rf -- \"$f\" || exit 1 ;;\n"
                                     "      esac\n"
                                     "    done )\n"
                                     "}\n";

static BOOL append(char *script, size_t room, const char *text)
{
    if (strlen(script) + strlen(text) + 1 > room)
        return FALSE;
    strcat(script, text);
    return TRUE;
}

static BOOL append_path(char *script, size_t room, const wchar_t *path)
{
    char *host = unix_name(path);
    BOOL ok = host && unix_quote(script, room, host);
    unix_name_free(host);
    return ok;
}

static char *make_script(const struct copying_pair *pairs, unsigned count)
{
    size_t room = sizeof shell_functions + (count + 1) * QUOTED_CHARS;
    char *script = calloc(room, 1);
    if (!script)
        return NULL;
    BOOL ok = append(script, room, "STORE=") && append_path(script, room, store_root()) &&
              append(script, room, "\nwork=$0\n") && append(script, room, shell_functions);
    for (unsigned i = 0; i < count && ok; i++)
        ok = append(script, room, "copy ") && append_path(script, room, pairs[i].from) &&
             append(script, room, " ") && append_path(script, room, pairs[i].to) &&
             append(script, room, " || exit 1\n");
    if (ok)
        return script;
    free(script);
    return NULL;
}

static void script_name(wchar_t name[40], unsigned number)
{
    swprintf(name, 40, L"copy-%u", number);
}

static HRESULT copy_by_host(const struct copying_pair *pairs, unsigned count, unsigned number, HANDLE cancel)
{
    char errors[600] = "";
    wchar_t name[40];
    int exit_code = -1;
    char *script = make_script(pairs, count);
    if (!script)
        return VSS_E_UNEXPECTED_PROVIDER_ERROR;
    script_name(name, number);
    HRESULT hr = unix_run(name, script, COPY_LIMIT_MS, cancel, &exit_code, errors, sizeof errors);
    free(script);
    if (hr == VSS_S_ASYNC_CANCELLED || (hr == S_OK && exit_code == 0))
        return hr;
    store_log(0, L"copy", L"failed\t%u\thr=0x%08lx exit=%d %.500hs", number, (unsigned long)hr, exit_code,
              errors);
    return strstr(errors, "No space left") ? VSS_E_INSUFFICIENT_STORAGE : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

static BOOL restore_by_host(const wchar_t *directory, const wchar_t *root, unsigned number)
{
    size_t room = sizeof clear_function + 3 * QUOTED_CHARS;
    char *script = calloc(room, 1), errors[600] = "";
    wchar_t name[40];
    int exit_code = -1;
    BOOL ok =
        script && append(script, room, "STORE=") && append_path(script, room, store_root()) &&
        append(script, room, "\n") && append(script, room, clear_function) && append(script, room, "from=") &&
        append_path(script, room, directory) && append(script, room, "\nto=") &&
        append_path(script, room, root) &&
        append(script, room,
               "\nto=$(real \"$to\") && clear \"$to\" && cp -a --reflink=auto -- \"$from/.\" \"$to/\"\n");
    swprintf(name, ARRAYSIZE(name), L"revert-%u", number);
    HRESULT hr = ok ? unix_run(name, script, COPY_LIMIT_MS, NULL, &exit_code, errors, sizeof errors) : E_FAIL;
    free(script);
    if (hr == S_OK && exit_code == 0)
        return TRUE;
    store_log(0, L"revert", L"failed\t%u\thr=0x%08lx exit=%d %.500hs", number, (unsigned long)hr, exit_code,
              errors);
    return FALSE;
}

static BOOL is_dots(const wchar_t *name)
{
    return name[0] == L'.' && (!name[1] || (name[1] == L'.' && !name[2]));
}

static HRESULT failure_of(DWORD error)
{
    return error == ERROR_DISK_FULL ? VSS_E_INSUFFICIENT_STORAGE : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

static HRESULT copy_tree(const wchar_t *from, const wchar_t *to, HANDLE cancel);

static HRESULT copy_entry(const WIN32_FIND_DATAW *entry, const wchar_t *from, const wchar_t *to,
                          HANDLE cancel)
{
    if (is_dots(entry->cFileName) || entry->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
        return S_OK;
    if (WaitForSingleObject(cancel, 0) == WAIT_OBJECT_0)
        return VSS_S_ASYNC_CANCELLED;
    size_t room = wcslen(from) + wcslen(to) + 2 * wcslen(entry->cFileName) + 4;
    wchar_t *source = calloc(room, sizeof *source), *target = calloc(room, sizeof *target);
    HRESULT hr = source && target ? S_OK : E_OUTOFMEMORY;
    if (SUCCEEDED(hr)) {
        swprintf(source, room, L"%ls\\%ls", from, entry->cFileName);
        swprintf(target, room, L"%ls\\%ls", to, entry->cFileName);
        if (_wcsicmp(source, store_root()) == 0)
            hr = S_OK;
        else if (!(entry->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            hr = CopyFileW(source, target, TRUE) ? S_OK : failure_of(GetLastError());
        else if (!CreateDirectoryW(target, NULL) && GetLastError() != ERROR_ALREADY_EXISTS)
            hr = failure_of(GetLastError());
        else
            hr = copy_tree(source, target, cancel);
        if (FAILED(hr))
            store_log(0, L"copy", L"failed\t%ls\thr=0x%08lx", source, (unsigned long)hr);
    }
    free(source);
    free(target);
    return hr;
}

static HRESULT copy_tree(const wchar_t *from, const wchar_t *to, HANDLE cancel)
{
    size_t room = wcslen(from) + 3;
    wchar_t *pattern = calloc(room, sizeof *pattern);
    if (!pattern)
        return E_OUTOFMEMORY;
    swprintf(pattern, room, L"%ls%ls", from, FOLDER_PATTERN);
    WIN32_FIND_DATAW entry;
    HANDLE search = FindFirstFileW(pattern, &entry);
    free(pattern);
    if (search == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? S_OK : failure_of(GetLastError());
    HRESULT hr;
    do
        hr = copy_entry(&entry, from, to, cancel);
    while (hr == S_OK && FindNextFileW(search, &entry));
    FindClose(search);
    return hr;
}

HRESULT copying_run(const struct copying_pair *pairs, unsigned count, unsigned number, HANDLE cancel)
{
    if (unix_is_there())
        return copy_by_host(pairs, count, number, cancel);
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < count && hr == S_OK; i++) {
        wchar_t from[MAX_PATH];
        wcscpy(from, pairs[i].from);
        from[wcslen(from) - 1] = 0;
        hr = copy_tree(from, pairs[i].to, cancel);
    }
    return hr;
}

static void remove_tree(const wchar_t *directory)
{
    size_t room = wcslen(directory) + MAX_PATH + 3;
    wchar_t *path = calloc(room, sizeof *path);
    WIN32_FIND_DATAW entry;
    if (!path)
        return;
    swprintf(path, room, L"%ls%ls", directory, FOLDER_PATTERN);
    HANDLE search = FindFirstFileW(path, &entry);
    if (search != INVALID_HANDLE_VALUE) {
        do {
            swprintf(path, room, L"%ls\\%ls", directory, entry.cFileName);
            SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
            if (!(entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
                DeleteFileW(path);
            else if (!is_dots(entry.cFileName))
                remove_tree(path);
        } while (FindNextFileW(search, &entry));
        FindClose(search);
    }
    RemoveDirectoryW(directory);
    free(path);
}

/* All that is in a folder, but for the store and the folders on the way to it. */
static void clear_tree(const wchar_t *folder)
{
    size_t room = wcslen(folder) + MAX_PATH + 3;
    wchar_t *path = calloc(room, sizeof *path);
    WIN32_FIND_DATAW entry;
    if (!path)
        return;
    swprintf(path, room, L"%ls%ls", folder, FOLDER_PATTERN);
    HANDLE search = FindFirstFileW(path, &entry);
    BOOL more = search != INVALID_HANDLE_VALUE;
    for (; more; more = FindNextFileW(search, &entry)) {
        swprintf(path, room, L"%ls\\%ls", folder, entry.cFileName);
        size_t n = wcslen(path);
        BOOL on_the_way = _wcsnicmp(store_root(), path, n) == 0;
        if (is_dots(entry.cFileName) || (on_the_way && !store_root()[n]))
            continue;
        if (on_the_way && store_root()[n] == L'\\')
            clear_tree(path);
        else if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            remove_tree(path);
        else
            DeleteFileW(path);
    }
    if (search != INVALID_HANDLE_VALUE)
        FindClose(search);
    free(path);
}

BOOL copying_restore(const wchar_t *directory, const wchar_t *root, unsigned number)
{
    wchar_t to[MAX_PATH];
    if (unix_is_there())
        return restore_by_host(directory, root, number);
    wcscpy(to, root);
    to[wcslen(to) - 1] = 0;
    clear_tree(to);
    HANDLE never = CreateEventW(NULL, TRUE, FALSE, NULL);
    BOOL ok = never && copy_tree(directory, to, never) == S_OK;
    if (never)
        CloseHandle(never);
    return ok;
}

static void remove_by_host(const struct copying_doomed *doomed, unsigned count)
{
    size_t room = (size_t)(count + 1) * QUOTED_CHARS;
    char *script = calloc(room, 1), errors[2];
    wchar_t name[40];
    int exit_code;
    BOOL ok = script && append(script, room, "rm -rf --");
    for (unsigned i = 0; i < count && ok; i++)
        ok = append(script, room, " ") && append_path(script, room, doomed[i].directory);
    swprintf(name, ARRAYSIZE(name), L"remove-%u", doomed[0].number);
    if (!ok || FAILED(unix_run(name, script, 0, NULL, &exit_code, errors, sizeof errors)))
        store_log(0, L"copy", L"%ls cannot be removed", doomed[0].directory);
    free(script);
}

void copying_remove(struct copying_doomed *doomed, unsigned count)
{
    wchar_t aside[STORE_PATH_CHARS], name[40];
    for (unsigned i = 0; i < count; i++) {
        swprintf(name, ARRAYSIZE(name), L"work\\doomed-%u", doomed[i].number);
        store_path(aside, name);
        /* Renaming fails on Windows while somebody reads the copy; then what can be deleted is deleted in its
         * place. */
        if (MoveFileExW(doomed[i].directory, aside, 0))
            wcscpy(doomed[i].directory, aside);
        if (!unix_is_there())
            remove_tree(doomed[i].directory);
    }
    if (count && unix_is_there())
        remove_by_host(doomed, count);
}

void copying_abandon(unsigned number)
{
    wchar_t name[40];
    script_name(name, number);
    if (unix_is_there())
        unix_abandon(name);
}
