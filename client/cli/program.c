#include "client/cli/program.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/quote.h"
#include "client/cli/text.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

enum {
    PATH_CHARS = 4096,
    LIST_CHARS = 32768
};

/* ---- finding ---- */

static bool is_file(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

static bool has_extension(const wchar_t *name)
{
    const wchar_t *dot = wcsrchr(name, L'.');
    return dot && dot[1] && !wcspbrk(dot, L"\\/:");
}

/* Takes the part of a list up to the next ';', without quotes. False at the end. */
static bool next_part(const wchar_t **list, wchar_t *part, size_t chars)
{
    size_t length = 0;
    while (**list == L';')
        (*list)++;
    if (!**list)
        return false;
    for (; **list && **list != L';'; (*list)++) {
        if (**list != L'"' && length + 1 < chars)
            part[length++] = **list;
    }
    part[length] = 0;
    return true;
}

static bool join(wchar_t *out, const wchar_t *directory, const wchar_t *name, const wchar_t *extension)
{
    size_t length = wcslen(directory);
    const wchar_t *separator = length && !wcschr(L"\\/:", directory[length - 1]) ? L"\\" : L"";
    int written = _snwprintf(out, PATH_CHARS, L"%ls%ls%ls%ls", directory, separator, name, extension);
    return written > 0 && written < PATH_CHARS;
}

static bool find_in_directory(const wchar_t *directory, const wchar_t *name, const wchar_t *extensions,
                              wchar_t *found)
{
    wchar_t extension[64];
    if (has_extension(name) && join(found, directory, name, L"") && is_file(found))
        return true;
    while (next_part(&extensions, extension, ARRAYSIZE(extension))) {
        if (join(found, directory, name, extension) && is_file(found))
            return true;
    }
    return false;
}

static void read_variable(const wchar_t *name, wchar_t *value, const wchar_t *without)
{
    DWORD length = GetEnvironmentVariableW(name, value, LIST_CHARS);
    if (length == 0 || length >= LIST_CHARS)
        wcscpy(value, without);
}

/* `scratch` is LIST_CHARS long, as is each of the two lists in it. */
static bool find_by_lists(const wchar_t *name, wchar_t *path, wchar_t *extensions, wchar_t *found)
{
    wchar_t directory[PATH_CHARS];
    read_variable(L"PATHEXT", extensions, L".COM;.EXE;.BAT;.CMD");
    if (wcspbrk(name, L"\\/:"))
        return find_in_directory(L"", name, extensions, found);
    if (NeedCurrentDirectoryForExePathW(name) && find_in_directory(L".", name, extensions, found))
        return true;
    read_variable(L"PATH", path, L"");
    const wchar_t *at = path;
    while (next_part(&at, directory, ARRAYSIZE(directory))) {
        if (find_in_directory(directory, name, extensions, found))
            return true;
    }
    return false;
}

/* The full path, the caller's to free; NULL when there is none. */
static wchar_t *find_program(const char *name)
{
    wchar_t *wide = wide_from_utf8(name);
    wchar_t *path = malloc(LIST_CHARS * sizeof *path);
    wchar_t *extensions = malloc(LIST_CHARS * sizeof *extensions);
    wchar_t *full = malloc(PATH_CHARS * sizeof *full);
    wchar_t found[PATH_CHARS];
    bool ok = wide && path && extensions && full && find_by_lists(wide, path, extensions, found);
    if (ok) {
        DWORD length = GetFullPathNameW(found, PATH_CHARS, full, NULL);
        ok = length > 0 && length < PATH_CHARS;
    }
    free(wide);
    free(path);
    free(extensions);
    if (ok)
        return full;
    free(full);
    return NULL;
}

/* ---- the command line ---- */

static bool has_name(const wchar_t *path, const wchar_t *name)
{
    const wchar_t *last = wcsrchr(path, L'\\');
    return _wcsicmp(last ? last + 1 : path, name) == 0;
}

static bool is_batch(const wchar_t *path)
{
    const wchar_t *dot = wcsrchr(path, L'.');
    return dot && (_wcsicmp(dot, L".bat") == 0 || _wcsicmp(dot, L".cmd") == 0);
}

static struct sp_error *unsafe_argument(const char *argument)
{
    return error_create(
        SP_INVALID_ARGUMENT, "BAD_ARGUMENT",
        "Leave the character out, or run the commands of the batch file another way.",
        "The argument \"%s\" cannot be passed to a batch file: it has a quote, a percent sign or a "
        "line break.",
        argument);
}

/* cmd /s /c strips the outer quotes and takes the rest as it is. */
static bool batch_line(struct text *line, const char *path, char **arguments, size_t count,
                       struct sp_error **error)
{
    text_add(line, "cmd.exe /d /e:on /v:off /s /c \"");
    for (size_t i = 0; i < count; i++) {
        const char *argument = i == 0 ? path : arguments[i];
        if (i > 0)
            text_add(line, " ");
        if (!quote_for_batch(line, argument)) {
            error_give(error, unsafe_argument(argument));
            return false;
        }
    }
    text_add(line, "\"");
    return true;
}

static void plain_line(struct text *line, const char *name, char **arguments, size_t count, bool is_shell)
{
    text_format(line, "\"%s\"", name);
    for (size_t i = 1; i < count; i++) {
        text_add(line, " ");
        if (is_shell)
            quote_for_shell(line, arguments[i]);
        else
            quote_argument(line, arguments[i]);
    }
}

static wchar_t *shell_path(void)
{
    wchar_t *path = malloc(PATH_CHARS * sizeof *path);
    UINT length = path ? GetSystemDirectoryW(path, PATH_CHARS - 16) : 0;
    if (length == 0) {
        free(path);
        return NULL;
    }
    wcscat(path, L"\\cmd.exe");
    return path;
}

bool program_prepare(struct program *program, char **arguments, size_t count, struct sp_error **error)
{
    struct text line = {0};
    memset(program, 0, sizeof *program);
    program->path = find_program(arguments[0]);
    if (!program->path) {
        error_give(error,
                   error_create(SP_NOT_FOUND, "BAD_ARGUMENT",
                                "Give its full path; a command of the shell itself needs: cmd /c COMMAND.",
                                "There is no program \"%s\".", arguments[0]));
        return false;
    }
    program->is_robocopy = has_name(program->path, L"robocopy.exe");
    bool ok = true;
    if (is_batch(program->path)) {
        char *path = utf8_from_wide(program->path);
        ok = path && batch_line(&line, path, arguments, count, error);
        free(path);
        free(program->path);
        program->path = shell_path();
    } else {
        plain_line(&line, arguments[0], arguments, count, has_name(program->path, L"cmd.exe"));
    }
    if (ok) {
        program->command_line = line.failed ? NULL : wide_from_utf8(text_string(&line));
        ok = program->path && program->command_line;
        if (!ok)
            error_give(error, error_no_memory());
    }
    text_free(&line);
    if (!ok)
        program_free(program);
    return ok;
}

bool program_prepare_command(struct program *program, const char *command, struct sp_error **error)
{
    struct text line = {0};
    memset(program, 0, sizeof *program);
    text_format(&line, "cmd.exe /d /s /c \"%s\"", command);
    program->path = shell_path();
    program->command_line = line.failed ? NULL : wide_from_utf8(line.data);
    text_free(&line);
    if (program->path && program->command_line)
        return true;
    error_give(error, error_no_memory());
    program_free(program);
    return false;
}

void program_free(struct program *program)
{
    free(program->path);
    free(program->command_line);
    memset(program, 0, sizeof *program);
}
