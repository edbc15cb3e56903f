#include "client/cli/restore_disk.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <bcrypt.h>

#include "client/lib/error.h"
#include "client/lib/wide.h"

/* ---- names ---- */

typedef DWORD WINAPI get_wide(const wchar_t *from, wchar_t *to, DWORD size);

static void add_wide(get_wide *get, const char *from, struct text *text)
{
    wchar_t *wide = wide_from_utf8(from);
    DWORD size = wide ? get(wide, NULL, 0) : 0;
    wchar_t *got = size > 0 ? malloc((size + 1) * sizeof *got) : NULL;
    DWORD length = got ? get(wide, got, size + 1) : 0;
    char *utf8 = length > 0 && length <= size ? utf8_from_wide(got) : NULL;
    if (utf8)
        text_add(text, utf8);
    text->failed |= !utf8;
    free(utf8);
    free(got);
    free(wide);
}

static DWORD WINAPI full_path(const wchar_t *from, wchar_t *to, DWORD size)
{
    return GetFullPathNameW(from, size, to, NULL);
}

void restore_expand(const char *path, struct text *expanded)
{
    add_wide(ExpandEnvironmentStringsW, path, expanded);
}

void restore_full_path(const char *path, struct text *full)
{
    add_wide(full_path, path, full);
}

static DWORD WINAPI temporary_folder(const wchar_t *from, wchar_t *to, DWORD size)
{
    (void)from;
    return GetTempPathW(size, to);
}

void restore_temporary_path(struct text *path)
{
    UCHAR random[16];
    if (BCryptGenRandom(NULL, random, sizeof random, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0) {
        path->failed = true;
        return;
    }
    add_wide(temporary_folder, "", path);
    text_add(path, "shadowpipe-restore-");
    for (size_t i = 0; i < sizeof random; i++)
        text_format(path, "%02x", random[i]);
    text_add(path, ".json");
}

void restore_delete_file(const char *path)
{
    wchar_t *wide = wide_from_utf8(path);
    if (wide)
        DeleteFileW(wide);
    free(wide);
}

/* ---- what is there ---- */

struct search {
    const char *filespec;
    bool recursive;
    bool locked;
    bool in_way;
    DWORD failure;
    struct text *found;
};

/* "\\?\" takes names of any length. */
static wchar_t *long_name(const struct text *path)
{
    struct text text = {0};
    const char *string = text_string(path);
    text_format(&text, "%s%s", string[0] && string[1] == ':' ? "\\\\?\\" : "", string);
    wchar_t *wide = text.failed ? NULL : wide_from_utf8(text_string(&text));
    text_free(&text);
    return wide;
}

static HANDLE find_first(const struct text *directory, const char *filespec, WIN32_FIND_DATAW *data)
{
    struct text pattern = {0};
    text_format(&pattern, "%s\\%s", text_string(directory), filespec);
    wchar_t *wide = long_name(&pattern);
    HANDLE search = INVALID_HANDLE_VALUE;
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    if (wide)
        search = FindFirstFileW(wide, data);
    free(wide);
    text_free(&pattern);
    return search;
}

static bool is_absence(DWORD failure)
{
    return failure == ERROR_FILE_NOT_FOUND || failure == ERROR_PATH_NOT_FOUND ||
           failure == ERROR_NO_MORE_FILES || failure == ERROR_INVALID_DRIVE || failure == ERROR_NOT_READY;
}

/* A file can be replaced where it may be deleted, now. */
static bool can_replace(const struct text *path)
{
    wchar_t *wide = long_name(path);
    if (!wide)
        return false;
    HANDLE file = CreateFileW(wide, DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    DWORD failure = GetLastError();
    free(wide);
    if (file == INVALID_HANDLE_VALUE)
        return is_absence(failure);
    CloseHandle(file);
    return true;
}

static bool is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

static bool join(struct text *path, const struct text *directory, const wchar_t *name)
{
    char *utf8 = utf8_from_wide(name);
    text_clear(path);
    text_format(path, "%s\\%s", text_string(directory), utf8 ? utf8 : "");
    free(utf8);
    return utf8 && !path->failed;
}

static void look_at_files(struct search *search, const struct text *directory)
{
    WIN32_FIND_DATAW data;
    struct text path = {0};
    HANDLE files = find_first(directory, search->filespec, &data);
    if (files == INVALID_HANDLE_VALUE) {
        search->failure = is_absence(GetLastError()) ? 0 : GetLastError();
        return;
    }
    do {
        if (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            continue;
        if (!join(&path, directory, data.cFileName)) {
            search->failure = ERROR_NOT_ENOUGH_MEMORY;
        } else if (!search->locked || !can_replace(&path)) {
            search->in_way = true;
            text_add(search->found, text_string(&path));
        }
    } while (!search->in_way && !search->failure && FindNextFileW(files, &data));
    FindClose(files);
    text_free(&path);
}

/* As deep as the directories are; links are not followed. */
static void look_below(struct search *search, const struct text *directory)
{
    WIN32_FIND_DATAW data;
    struct text path = {0};
    look_at_files(search, directory);
    if (search->in_way || search->failure || !search->recursive)
        return;
    HANDLE all = find_first(directory, "*", &data);
    if (all == INVALID_HANDLE_VALUE) {
        search->failure = is_absence(GetLastError()) ? 0 : GetLastError();
        return;
    }
    do {
        bool is_link = (data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
        if (!(data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) || is_link || is_dots(data.cFileName))
            continue;
        if (join(&path, directory, data.cFileName))
            look_below(search, &path);
        else
            search->failure = ERROR_NOT_ENOUGH_MEMORY;
    } while (!search->in_way && !search->failure && FindNextFileW(all, &data));
    FindClose(all);
    text_free(&path);
}

static bool look(const char *directory, const char *filespec, bool recursive, bool locked, bool *in_way,
                 struct text *found)
{
    struct search search = {.filespec = filespec, .recursive = recursive, .locked = locked, .found = found};
    struct text start = {0};
    text_add(&start, directory);
    while (start.size > 0 && start.data[start.size - 1] == '\\')
        start.data[--start.size] = 0;
    look_below(&search, &start);
    text_free(&start);
    *in_way = search.in_way;
    if (search.failure) {
        struct sp_error *error = error_from_win32(search.failure, "FindFirstFileW", "look for files");
        text_format(found, "%s (in %s)", error->message, directory);
        sp_error_free(error);
    }
    return search.failure == 0;
}

const struct restore_disk restore_real_disk = {.look = look};
