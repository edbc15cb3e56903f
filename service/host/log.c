#include "service/host/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "service/host/eventlog.h"
#include "service/host/text.h"

struct log_line {
    struct helper_job job;
    DWORD event_id; /* 0 = none of its own */
    enum broker_log_level level;
    FILETIME time;
    char text[LOG_TEXT_BYTES];
};

static struct {
    enum log_sink sink;
    enum broker_log_level lowest;
    struct helper *volatile helper;
    volatile LONG lost;
} state = {.sink = LOG_TO_STDERR, .lowest = BROKER_LOG_INFO};

void log_start(enum log_sink sink, enum broker_log_level lowest)
{
    state.sink = sink;
    state.lowest = lowest;
    if (sink == LOG_TO_EVENT_LOG) {
        eventlog_open();
    }
}

void log_use_helper(struct helper *helper)
{
    state.helper = helper;
}

void log_end(void)
{
    if (state.sink == LOG_TO_EVENT_LOG) {
        eventlog_close();
    }
    state.sink = LOG_TO_STDERR;
}

static const char *level_word(enum broker_log_level level)
{
    static const char *const words[] = {"debug", "info", "warning", "error"};
    return words[level];
}

static void print_line(const struct log_line *line)
{
    SYSTEMTIME time;
    FileTimeToSystemTime(&line->time, &time);
    fprintf(stderr, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ %s: %s\n", time.wYear, time.wMonth, time.wDay,
            time.wHour, time.wMinute, time.wSecond, time.wMilliseconds, level_word(line->level), line->text);
    (void)fflush(stderr);
}

static void write_line(const struct log_line *line)
{
    LONG lost = InterlockedExchange(&state.lost, 0);
    if (state.sink == LOG_TO_EVENT_LOG) {
        if (lost > 0) {
            char text[64];
            snprintf(text, sizeof text, "Entries that were lost before this one: %ld.", lost);
            eventlog_write(EVENT_WARNING, BROKER_LOG_WARNING, text);
        }
        eventlog_write(line->event_id, line->level, line->text);
        return;
    }
    if (lost > 0) {
        fprintf(stderr, "(%ld lines lost)\n", lost);
    }
    print_line(line);
}

static void line_work(struct helper_job *job)
{
    struct log_line *line = LOOP_OWNER(job, struct log_line, job);
    write_line(line);
    free(line);
}

static bool is_wanted(const struct log_line *line)
{
    return line->event_id != 0 ||
           line->level >= (state.sink == LOG_TO_EVENT_LOG ? BROKER_LOG_WARNING : state.lowest);
}

static void hand_over(struct log_line *line)
{
    if (!is_wanted(line)) {
        return;
    }
    GetSystemTimeAsFileTime(&line->time);
    struct helper *helper = state.helper;
    if (helper == NULL) {
        write_line(line);
        return;
    }
    struct log_line *copy = malloc(sizeof *copy);
    if (copy != NULL) {
        *copy = *line;
        copy->job = (struct helper_job){.work = line_work};
        if (helper_submit(helper, &copy->job)) {
            return;
        }
        free(copy);
    }
    InterlockedIncrement(&state.lost);
}

/* One line of text whatever came in: a client's name must not forge lines. */
static void tidy(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = ' ';
        }
    }
}

void log_write(enum broker_log_level level, const char *format, ...)
{
    struct log_line line = {.level = level};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    tidy(line.text);
    hand_over(&line);
}

void log_error(enum broker_log_level level, DWORD error, const char *format, ...)
{
    struct log_line line = {.level = level};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof line.text) {
        char words[256];
        text_of_error(error, words, sizeof words);
        snprintf(line.text + length, sizeof line.text - (size_t)length, ": %s (%lu)", words, error);
    }
    tidy(line.text);
    hand_over(&line);
}

void log_event(DWORD event_id, enum broker_log_level level, const char *format, ...)
{
    struct log_line line = {.level = level, .event_id = event_id};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    tidy(line.text);
    hand_over(&line);
}
