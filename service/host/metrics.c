#include "service/host/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "service/host/log.h"
#include "service/host/text.h"

static void temporary_path(const struct metrics *metrics, wchar_t path[METRICS_PATH_CHARS + 8])
{
    swprintf(path, METRICS_PATH_CHARS + 8, L"%ls.new", metrics->path);
}

static DWORD write_all(HANDLE file, const char *text, size_t size)
{
    DWORD written = 0;
    if (!WriteFile(file, text, (DWORD)size, &written, NULL)) {
        return GetLastError();
    }
    return written == size ? ERROR_SUCCESS : ERROR_DISK_FULL;
}

/* On the helper's thread. */
static void work(struct helper_job *job)
{
    struct metrics *metrics = LOOP_OWNER(job, struct metrics, job);
    wchar_t path[METRICS_PATH_CHARS + 8];
    temporary_path(metrics, path);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        metrics->failure = GetLastError();
        return;
    }
    metrics->failure = write_all(file, metrics->text, metrics->size);
    CloseHandle(file);
    if (metrics->failure == ERROR_SUCCESS && !MoveFileExW(path, metrics->path, MOVEFILE_REPLACE_EXISTING)) {
        metrics->failure = GetLastError();
    }
    if (metrics->failure != ERROR_SUCCESS) {
        DeleteFileW(path);
    }
}

static void done(struct helper_job *job)
{
    struct metrics *metrics = LOOP_OWNER(job, struct metrics, job);
    metrics->is_busy = false;
    free(metrics->text);
    metrics->text = NULL;
    if (metrics->failure != ERROR_SUCCESS && metrics->failure != metrics->reported) {
        char words[256];
        text_of_error(metrics->failure, words, sizeof words);
        log_write(BROKER_LOG_WARNING, "the metrics file cannot be written: %s (%lu)", words,
                  metrics->failure);
    }
    metrics->reported = metrics->failure;
}

static void fired(struct loop_timer *timer)
{
    struct metrics *metrics = LOOP_OWNER(timer, struct metrics, timer);
    loop_timer_start(metrics->loop, timer, METRICS_EVERY_MS);
    if (metrics->is_busy) {
        return; /* the disk is slow: this one is left out */
    }
    metrics->size = metrics->write(metrics->context, NULL, 0);
    metrics->text = malloc(metrics->size + 1);
    if (metrics->text == NULL) {
        return;
    }
    metrics->write(metrics->context, metrics->text, metrics->size + 1);
    metrics->job.work = work;
    metrics->job.done = done;
    metrics->is_busy = helper_submit(metrics->helper, &metrics->job);
    if (!metrics->is_busy) {
        free(metrics->text);
        metrics->text = NULL;
    }
}

void metrics_start(struct metrics *metrics)
{
    metrics->timer.fired = fired;
    if (metrics->path[0] != L'\0') {
        loop_timer_start(metrics->loop, &metrics->timer, 0);
    }
}

void metrics_stop(struct metrics *metrics)
{
    if (metrics->path == NULL || metrics->path[0] == L'\0') {
        return;
    }
    loop_timer_stop(metrics->loop, &metrics->timer);
    free(metrics->text);
    metrics->text = NULL;
    DeleteFileW(metrics->path); /* old numbers would look like new ones */
}
