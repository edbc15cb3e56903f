#include "client/cli/script_source.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/script.h"
#include "client/lib/wide.h"
#include "client/lib/error.h"

enum {
    CONSOLE_CHARS = 1024
};

/* ---- reading ---- */

/* Console input is UTF-16, and the console's own code page would lose some of it. */
static bool fill_from_console(struct script_source *source)
{
    wchar_t wide[CONSOLE_CHARS + 1];
    DWORD chars = 0;
    if (!ReadConsoleW(source->handle, wide, CONSOLE_CHARS, &chars, NULL) || chars == 0) {
        source->failure = GetLastError();
        return false;
    }
    wide[chars] = 0;
    char *utf8 = utf8_from_wide(wide);
    size_t size = utf8 ? strlen(utf8) : 0;
    if (utf8 && size <= sizeof source->buffer) {
        memcpy(source->buffer, utf8, size);
        source->used = (DWORD)size;
    }
    free(utf8);
    return source->used > 0 && source->buffer[0] != 0x1a; /* Ctrl-Z */
}

static bool fill(struct script_source *source)
{
    source->at = 0;
    source->used = 0;
    if (source->is_console)
        return fill_from_console(source);
    if (ReadFile(source->handle, source->buffer, sizeof source->buffer, &source->used, NULL))
        return source->used > 0;
    DWORD failure = GetLastError();
    source->failure = failure == ERROR_BROKEN_PIPE || failure == ERROR_HANDLE_EOF ? 0 : failure;
    return false;
}

/* Into source->text. At the end of the input `ended`, after a last line without an end. */
static void read_line(struct script_source *source)
{
    text_clear(&source->text);
    for (;;) {
        if (source->at == source->used && !fill(source)) {
            source->ended = true;
            return;
        }
        const char *start = source->buffer + source->at;
        size_t left = source->used - source->at;
        const char *end = memchr(start, '\n', left);
        size_t taken = end ? (size_t)(end - start) : left;
        text_add_bytes(&source->text, start, taken);
        source->at += (DWORD)taken + (end ? 1 : 0);
        if (end || source->text.size > LINE_BYTES_MAX)
            return;
    }
}

static unsigned __stdcall reader(void *context)
{
    struct script_source *source = context;
    while (WaitForSingleObject(source->wanted, INFINITE) == WAIT_OBJECT_0) {
        read_line(source);
        SetEvent(source->ready);
    }
    return 0;
}

/* ---- opening ---- */

static bool open_file(struct script_source *source, const char *path, struct sp_error **error)
{
    wchar_t *wide = wide_from_utf8(path);
    struct text doing = {0};
    source->handle = wide ? CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL)
                          : INVALID_HANDLE_VALUE;
    DWORD failure = wide ? GetLastError() : ERROR_OUTOFMEMORY;
    free(wide);
    if (source->handle != INVALID_HANDLE_VALUE) {
        source->is_file = true;
        return true;
    }
    text_format(&doing, "open the script %s", path);
    error_give(error, error_from_win32(failure, "CreateFileW", text_string(&doing)));
    text_free(&doing);
    return false;
}

static bool open_input(struct script_source *source, struct sp_error **error)
{
    DWORD mode;
    source->handle = GetStdHandle(STD_INPUT_HANDLE);
    source->is_console = GetConsoleMode(source->handle, &mode);
    source->wanted = CreateEventW(NULL, FALSE, FALSE, NULL);
    source->ready = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (source->wanted && source->ready)
        source->thread = (HANDLE)_beginthreadex(NULL, 0, reader, source, 0, NULL);
    if (!source->thread) {
        error_give(error, error_no_memory());
        return false;
    }
    if (!source->is_console) {
        /* The script is ours alone: a program that reads its input must not eat the next lines. */
        HANDLE nothing = CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                     OPEN_EXISTING, 0, NULL);
        if (nothing != INVALID_HANDLE_VALUE)
            SetStdHandle(STD_INPUT_HANDLE, nothing);
    }
    return true;
}

bool script_open(struct script_source *source, const char *path, struct sp_error **error)
{
    memset(source, 0, sizeof *source);
    if (path && strcmp(path, "-") != 0)
        return open_file(source, path, error);
    return open_input(source, error);
}

/* The thread may stay in its read: the process ends. */
void script_close(struct script_source *source)
{
    if (source->is_file) {
        CloseHandle(source->handle);
        text_free(&source->text);
    }
}

/* ---- lines ---- */

static enum script_line check_line(struct script_source *source, struct sp_error **error)
{
    struct text *text = &source->text;
    if (source->line == 1 && text->size >= 3 && memcmp(text->data, "\xEF\xBB\xBF", 3) == 0) {
        memmove(text->data, text->data + 3, text->size - 3 + 1);
        text->size -= 3;
    }
    if (text->size > 0 && text->data[text->size - 1] == '\r')
        text->data[--text->size] = 0;
    if (text->size > LINE_BYTES_MAX) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "Line %u is too long.",
                                       source->line));
        return SCRIPT_FAILED;
    }
    if (!script_is_text(text_string(text), text->size)) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "Save the script as UTF-8.",
                                       "Line %u is not UTF-8.", source->line));
        return SCRIPT_FAILED;
    }
    return SCRIPT_LINE;
}

static enum script_line after_reading(struct script_source *source, struct sp_error **error)
{
    if (source->text.failed) {
        error_give(error, error_no_memory());
        return SCRIPT_FAILED;
    }
    if (source->ended && source->failure) {
        error_give(error, error_from_win32(source->failure, "ReadFile", "read the script"));
        return SCRIPT_FAILED;
    }
    if (source->ended && source->text.size == 0)
        return SCRIPT_END;
    source->line++;
    return check_line(source, error);
}

enum script_line script_next(struct script_source *source, HANDLE interrupted, struct sp_error **error)
{
    HANDLE either[2] = {interrupted, source->ready};
    if (source->ended)
        return SCRIPT_END;
    if (WaitForSingleObject(interrupted, 0) == WAIT_OBJECT_0)
        return SCRIPT_INTERRUPTED;
    if (!source->thread) {
        read_line(source);
        return after_reading(source, error);
    }
    SetEvent(source->wanted);
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0)
        return SCRIPT_INTERRUPTED;
    return after_reading(source, error);
}
