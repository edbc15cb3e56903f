#include "tests/demo/manifest.h"

#include <bcrypt.h>
#include <stdlib.h>
#include <wchar.h>

#define PATH_CHARS 2048
#define HASH_BYTES 32
#define READ_BYTES (256 * 1024)

struct walk {
    const wchar_t *root;
    BOOL (*visit)(struct walk *walk, const wchar_t *path, const wchar_t *relative);
    void *context;
    BOOL ok;
};

static BOOL is_dots(const wchar_t *name)
{
    return name[0] == L'.' && (!name[1] || (name[1] == L'.' && !name[2]));
}

static void walk_directory(struct walk *walk, const wchar_t *relative)
{
    wchar_t *path = calloc(PATH_CHARS, sizeof *path), *below = calloc(PATH_CHARS, sizeof *below);
    WIN32_FIND_DATAW found;
    if (!path || !below) {
        walk->ok = FALSE;
        goto out;
    }
    swprintf(path, PATH_CHARS, L"%ls\\%ls%ls*", walk->root, relative, *relative ? L"\\" : L"");
    HANDLE search = FindFirstFileW(path, &found);
    if (search == INVALID_HANDLE_VALUE) {
        fprintf(stderr, "cannot list %ls: error %lu\n", path, GetLastError());
        walk->ok = FALSE;
        goto out;
    }
    do {
        if (is_dots(found.cFileName) || found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)
            continue;
        swprintf(below, PATH_CHARS, L"%ls%ls%ls", relative, *relative ? L"\\" : L"", found.cFileName);
        swprintf(path, PATH_CHARS, L"%ls\\%ls", walk->root, below);
        if (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
            walk_directory(walk, below);
        else if (!walk->visit(walk, path, below))
            walk->ok = FALSE;
    } while (FindNextFileW(search, &found));
    FindClose(search);
out:
    free(path);
    free(below);
}

static BOOL hash_handle(HANDLE file, BYTE hash[HASH_BYTES], unsigned long long *size)
{
    BCRYPT_ALG_HANDLE algorithm = NULL;
    BCRYPT_HASH_HANDLE state = NULL;
    BYTE *buffer = malloc(READ_BYTES);
    LARGE_INTEGER start = {0};
    DWORD n = 0;
    *size = 0;
    BOOL ok = buffer && BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA256_ALGORITHM, NULL, 0) == 0 &&
              BCryptCreateHash(algorithm, &state, NULL, 0, NULL, 0, 0) == 0 &&
              SetFilePointerEx(file, start, NULL, FILE_BEGIN);
    while (ok && (ok = ReadFile(file, buffer, READ_BYTES, &n, NULL)) && n > 0) {
        ok = BCryptHashData(state, buffer, n, 0) == 0;
        *size += n;
    }
    ok = ok && BCryptFinishHash(state, hash, HASH_BYTES, 0) == 0;
    if (state)
        BCryptDestroyHash(state);
    if (algorithm)
        BCryptCloseAlgorithmProvider(algorithm, 0);
    free(buffer);
    return ok;
}

static BOOL hash_path(const wchar_t *path, char hex[2 * HASH_BYTES + 1], unsigned long long *size,
                      HANDLE open)
{
    BYTE hash[HASH_BYTES];
    HANDLE file = open;
    if (open == INVALID_HANDLE_VALUE)
        file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    BOOL ok = hash_handle(file, hash, size);
    for (int i = 0; ok && i < HASH_BYTES; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", hash[i]);
    if (open == INVALID_HANDLE_VALUE)
        CloseHandle(file);
    return ok;
}

struct writing {
    FILE *file;
    const wchar_t *locked_path;
    HANDLE locked;
};

static BOOL same_file(const wchar_t *a, const wchar_t *b)
{
    wchar_t full_a[PATH_CHARS], full_b[PATH_CHARS];
    return GetFullPathNameW(a, PATH_CHARS, full_a, NULL) && GetFullPathNameW(b, PATH_CHARS, full_b, NULL) &&
           _wcsicmp(full_a, full_b) == 0;
}

static BOOL write_line(struct walk *walk, const wchar_t *path, const wchar_t *relative)
{
    struct writing *writing = walk->context;
    char hex[2 * HASH_BYTES + 1], name[4 * PATH_CHARS];
    unsigned long long size;
    BOOL locked = writing->locked_path && same_file(path, writing->locked_path);
    if (!hash_path(path, hex, &size, locked ? writing->locked : INVALID_HANDLE_VALUE)) {
        fprintf(stderr, "cannot read %ls: error %lu\n", path, GetLastError());
        return FALSE;
    }
    WideCharToMultiByte(CP_UTF8, 0, relative, -1, name, sizeof name, NULL, NULL);
    return fprintf(writing->file, "%s %llu %s\n", hex, size, name) > 0;
}

BOOL manifest_write(const wchar_t *out_path, const wchar_t *tree, const wchar_t *locked_path, HANDLE locked)
{
    wchar_t fresh[PATH_CHARS];
    swprintf(fresh, PATH_CHARS, L"%ls.new", out_path);
    struct writing writing = {.file = _wfopen(fresh, L"wb"), .locked_path = locked_path, .locked = locked};
    if (!writing.file) {
        fprintf(stderr, "cannot create %ls\n", fresh);
        return FALSE;
    }
    struct walk walk = {.root = tree, .visit = write_line, .context = &writing, .ok = TRUE};
    walk_directory(&walk, L"");
    if (fclose(writing.file) != 0)
        walk.ok = FALSE;
    return walk.ok && MoveFileExW(fresh, out_path, MOVEFILE_REPLACE_EXISTING);
}

struct verifying {
    FILE *out;
    char *text;   /* the manifest; each line that was met begins with '+' afterwards */
    char **lines; /* sorted by name */
    size_t count;
    unsigned differences;
};

static const char *name_of(const char *line)
{
    const char *space = strchr(line, ' ');
    space = space ? strchr(space + 1, ' ') : NULL;
    return space ? space + 1 : "";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(name_of(*(char *const *)a), name_of(*(char *const *)b));
}

static char *find_line(const struct verifying *verifying, const char *name)
{
    size_t low = 0, high = verifying->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name_of(verifying->lines[middle]), name);
        if (order == 0)
            return verifying->lines[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static BOOL difference(struct verifying *verifying, const char *what, const char *name)
{
    fprintf(verifying->out, "%s: %s\n", what, name);
    verifying->differences++;
    return TRUE;
}

static BOOL verify_file(struct walk *walk, const wchar_t *path, const wchar_t *relative)
{
    struct verifying *verifying = walk->context;
    char hex[2 * HASH_BYTES + 1], name[4 * PATH_CHARS];
    unsigned long long size;
    WideCharToMultiByte(CP_UTF8, 0, relative, -1, name, sizeof name, NULL, NULL);
    char *line = find_line(verifying, name);
    if (!line)
        return difference(verifying, "not in the manifest", name);
    if (!hash_path(path, hex, &size, INVALID_HANDLE_VALUE))
        difference(verifying, "cannot be read", name);
    else if (strncmp(line, hex, 2 * HASH_BYTES) != 0)
        difference(verifying, "differs", name);
    line[0] = '+';
    return TRUE;
}

static char *read_all(const wchar_t *path)
{
    FILE *file = _wfopen(path, L"rb");
    if (!file)
        return NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    char *text = size >= 0 ? calloc((size_t)size + 1, 1) : NULL;
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

static BOOL split(struct verifying *verifying)
{
    size_t lines = 1;
    for (const char *c = verifying->text; *c; c++)
        lines += *c == '\n';
    verifying->lines = calloc(lines, sizeof *verifying->lines);
    if (!verifying->lines)
        return FALSE;
    for (char *line = strtok(verifying->text, "\n"); line; line = strtok(NULL, "\n"))
        verifying->lines[verifying->count++] = line;
    qsort(verifying->lines, verifying->count, sizeof *verifying->lines, by_name);
    return TRUE;
}

int manifest_verify(const wchar_t *manifest_path, const wchar_t *directory, FILE *out)
{
    struct verifying verifying = {.out = out, .text = read_all(manifest_path)};
    if (!verifying.text || !split(&verifying)) {
        fprintf(stderr, "cannot read %ls\n", manifest_path);
        free(verifying.text);
        return 2;
    }
    struct walk walk = {.root = directory, .visit = verify_file, .context = &verifying, .ok = TRUE};
    walk_directory(&walk, L"");
    for (size_t i = 0; i < verifying.count; i++)
        if (verifying.lines[i][0] != '+')
            difference(&verifying, "missing", name_of(verifying.lines[i]));
    if (!verifying.differences && walk.ok)
        fprintf(out, "%zu files, all as in the manifest\n", verifying.count);
    free(verifying.lines);
    free(verifying.text);
    return walk.ok && !verifying.differences ? 0 : 1;
}
