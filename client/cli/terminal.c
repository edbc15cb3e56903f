#include "client/cli/terminal.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/display.h"
#include "client/lib/shadowpipe.h"
#include "client/lib/wide.h"

enum {
    COLUMNS_MAX = 120,
    COLUMNS_UNKNOWN = 79,
    CLEAN_UP_MS = 30000
};

static bool quiet;

/* ---- writing ---- */

static bool is_console(HANDLE handle)
{
    DWORD mode;
    return GetConsoleMode(handle, &mode);
}

static bool write_console(HANDLE console, const char *string)
{
    wchar_t *wide = wide_from_utf8(string);
    if (!wide)
        return false;
    size_t left = wcslen(wide);
    const wchar_t *at = wide;
    bool ok = true;
    while (ok && left > 0) {
        DWORD written = 0;
        DWORD part = left < 8192 ? (DWORD)left : 8192; /* older consoles refuse much more at once */
        ok = WriteConsoleW(console, at, part, &written, NULL) && written > 0;
        at += written;
        left -= written;
    }
    free(wide);
    return ok;
}

static bool write_handle(DWORD which, const char *string, size_t size)
{
    HANDLE handle = GetStdHandle(which);
    if (is_console(handle))
        return write_console(handle, string);
    while (size > 0) {
        DWORD written = 0;
        DWORD part = size < 65536 ? (DWORD)size : 65536;
        if (!WriteFile(handle, string, part, &written, NULL) || written == 0)
            return false;
        string += written;
        size -= written;
    }
    return true;
}

bool terminal_print(const struct text *text)
{
    terminal_clear_progress();
    return !text->failed && write_handle(STD_OUTPUT_HANDLE, text_string(text), text->size);
}

void terminal_complain(const char *string)
{
    terminal_clear_progress();
    (void)write_handle(STD_ERROR_HANDLE, string,
                       strlen(string)); /* there is nowhere to say that this failed */
}

void terminal_note(const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    if (quiet)
        return;
    text_add(&text, "shadowpipe: ");
    va_start(arguments, format);
    text_format_list(&text, format, arguments);
    va_end(arguments);
    text_add(&text, "\n");
    terminal_complain(text_string(&text));
    text_free(&text);
}

void terminal_set_quiet(bool is_quiet)
{
    quiet = is_quiet;
}

/* ---- progress ---- */

static struct {
    bool shown;        /* a line stands on the console */
    PB(Progress) last; /* without its strings */
    ULONGLONG last_at; /* GetTickCount64 */
} progress_line;

/* One less than the console has, which else would begin a new line. */
static size_t line_columns(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &info) || info.dwSize.X < 2)
        return COLUMNS_UNKNOWN;
    return info.dwSize.X <= COLUMNS_MAX ? (size_t)info.dwSize.X - 1 : COLUMNS_MAX;
}

/* Overwrites the console's line with the text, cut to fit. */
static void overwrite(const char *string, bool back_to_start)
{
    struct text line = {0};
    size_t columns = line_columns();
    size_t used = 0;
    text_add(&line, "\r");
    for (; *string && used < columns; string++) {
        text_add_char(&line, *string);
        if (((unsigned char)string[1] & 0xC0) != 0x80)
            used++;
    }
    for (; used < columns; used++)
        text_add_char(&line, ' ');
    if (back_to_start)
        text_add(&line, "\r");
    (void)write_handle(STD_ERROR_HANDLE, text_string(&line), line.size);
    text_free(&line);
}

static void draw(const PB(Progress) * progress)
{
    struct text text = {0};
    display_progress(&text, progress);
    overwrite(text_string(&text), false);
    text_free(&text);
    progress_line.shown = true;
}

void terminal_clear_progress(void)
{
    if (progress_line.shown) {
        progress_line.shown = false;
        overwrite("", true);
    }
}

void terminal_progress(const PB(Progress) * progress)
{
    bool news = progress->phase != progress_line.last.phase ||
                progress->queue_position != progress_line.last.queue_position ||
                progress->waiting_for != progress_line.last.waiting_for ||
                progress->attempt != progress_line.last.attempt ||
                progress->done != progress_line.last.done || progress_line.last_at == 0;
    progress_line.last = *progress;
    progress_line.last.writer = (char *)protobuf_c_empty_string;
    progress_line.last.hold_token = (char *)protobuf_c_empty_string;
    progress_line.last_at = GetTickCount64();
    if (quiet)
        return;
    if (is_console(GetStdHandle(STD_ERROR_HANDLE))) {
        draw(progress);
    } else if (news) {
        struct text text = {0};
        display_progress(&text, progress);
        terminal_note("%s", text_string(&text));
        text_free(&text);
    }
}

void terminal_tick(void)
{
    if (!progress_line.shown)
        return;
    PB(Progress) now = progress_line.last;
    now.elapsed_ms += (uint32_t)(GetTickCount64() - progress_line.last_at);
    draw(&now);
}

/* ---- pages ---- */

bool terminal_has_console_output(void)
{
    return is_console(GetStdHandle(STD_OUTPUT_HANDLE));
}

bool terminal_show_page(const struct text *text)
{
    HANDLE console = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD mode = 0;
    struct text page = {0};
    /* Consoles before Windows 10 know no sequences: there the page goes below the one before. */
    bool knows_sequences =
        GetConsoleMode(console, &mode) && SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    text_add(&page, knows_sequences ? "\x1b[H\x1b[J" : "\n");
    text_add_bytes(&page, text_string(text), text->size);
    bool shown = !text->failed && terminal_print(&page);
    text_free(&page);
    if (knows_sequences)
        (void)SetConsoleMode(console, mode); /* for what runs after this */
    return shown;
}

/* ---- interrupts ---- */

static struct {
    HANDLE event;
    HANDLE done;
    struct sp_cancel *cancel;
    volatile LONG count;
    volatile LONG left_to_child;
} interrupts;

static BOOL WINAPI on_interrupt(DWORD kind)
{
    LONG count = InterlockedIncrement(&interrupts.count);
    if (kind == CTRL_C_EVENT || kind == CTRL_BREAK_EVENT) {
        if (count > 1 && !interrupts.left_to_child)
            return FALSE; /* the service cleans up after us */
        sp_cancel_now(interrupts.cancel);
        SetEvent(interrupts.event);
        return TRUE;
    }
    /* The console closes or the user logs off: when this returns, the process is ended. */
    sp_cancel_now(interrupts.cancel);
    SetEvent(interrupts.event);
    WaitForSingleObject(interrupts.done, CLEAN_UP_MS);
    return TRUE;
}

bool terminal_catch_interrupts(struct sp_cancel *cancel)
{
    interrupts.cancel = cancel;
    interrupts.event = CreateEventW(NULL, TRUE, FALSE, NULL);
    interrupts.done = CreateEventW(NULL, TRUE, FALSE, NULL);
    return cancel && interrupts.event && interrupts.done && SetConsoleCtrlHandler(on_interrupt, TRUE);
}

HANDLE terminal_interrupted(void)
{
    return interrupts.event;
}

void terminal_leave_interrupts_to_child(void)
{
    InterlockedExchange(&interrupts.left_to_child, 1);
}

void terminal_take_interrupts_back(void)
{
    InterlockedExchange(&interrupts.left_to_child, 0);
}

void terminal_await_next_interrupt(struct sp_cancel *cancel)
{
    interrupts.cancel = cancel;
    ResetEvent(interrupts.event);
    InterlockedExchange(&interrupts.count, 0);
}

void terminal_done(void)
{
    if (interrupts.done)
        SetEvent(interrupts.done);
}

/* ---- standard input ---- */

bool terminal_has_console_input(void)
{
    return is_console(GetStdHandle(STD_INPUT_HANDLE));
}

bool terminal_ask(const char *question)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    char first = 0;
    char c = 0;
    DWORD read;
    terminal_complain(question);
    while (c != '\n' && ReadFile(input, &c, 1, &read, NULL) && read == 1)
        first = first ? first : c;
    return first == 'y' || first == 'Y';
}

static unsigned __stdcall read_line(void *event)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    char c = 0;
    DWORD read;
    while (c != '\n' && ReadFile(input, &c, 1, &read, NULL) && read == 1)
        ;
    SetEvent(event);
    return 0;
}

HANDLE terminal_wait_for_line(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE thread = event ? (HANDLE)_beginthreadex(NULL, 0, read_line, event, 0, NULL) : NULL;
    if (thread) {
        CloseHandle(thread);
        return event;
    }
    if (event)
        CloseHandle(event);
    return NULL;
}
