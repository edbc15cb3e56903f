#include "service/host/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "service/host/host.h"
#include "service/host/log.h"
#include "service/host/machine.h"
#include "service/host/text.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

static SRWLOCK running_lock = SRWLOCK_INIT; /* the system makes a thread for each event */
static struct host *running;
static volatile LONG interrupts;

static void set_running(struct host *host)
{
    AcquireSRWLockExclusive(&running_lock);
    running = host;
    ReleaseSRWLockExclusive(&running_lock);
}

static bool stop_running(enum broker_stop_kind kind)
{
    AcquireSRWLockShared(&running_lock);
    bool there = running != NULL;
    if (there) {
        host_request_stop(running, kind);
    }
    ReleaseSRWLockShared(&running_lock);
    return there;
}

static BOOL WINAPI on_console_event(DWORD event)
{
    if (!stop_running(event == CTRL_BREAK_EVENT ? BROKER_STOP_HAND_OVER : BROKER_STOP_END)) {
        return FALSE;
    }
    if (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT) {
        /* The second one ends the program at once, by the system's own handler. */
        return InterlockedIncrement(&interrupts) == 1;
    }
    /* Closing the window, logging off: the system ends the process when this returns. */
    Sleep(INFINITE);
    return TRUE;
}

static int complain(const char *text)
{
    fprintf(stderr, "shadowpiped: %s\n", text);
    return EXIT_USAGE;
}

static bool file_exists(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* The simulator in the folder simulator beside this program, where the build puts it. Under Wine, which has a
 * vssapi.dll of its own, it needs the other name. */
static bool simulator_path(wchar_t *path, DWORD chars)
{
    static const wchar_t *const tails[] = {L"simulator\\shadowsim.dll", L"simulator\\vssapi.dll"};
    DWORD length = GetModuleFileNameW(NULL, path, chars);
    wchar_t *slash = length > 0 && length < chars ? wcsrchr(path, L'\\') : NULL;
    for (size_t i = 0; slash != NULL && i < ARRAYSIZE(tails); i++) {
        if ((size_t)(slash + 1 - path) + wcslen(tails[i]) >= chars) {
            return false;
        }
        wcscpy(slash + 1, tails[i]);
        if (file_exists(path)) {
            return true;
        }
    }
    return false;
}

static bool set_library(struct service_config *config, const wchar_t *given)
{
    wchar_t path[HANDOFF_LIBRARY_CHARS];
    DWORD length = GetFullPathNameW(given, ARRAYSIZE(path), path, NULL);
    return length > 0 && length < ARRAYSIZE(path) && config_set_library(config, path);
}

static int apply_options(struct service_config *config, const struct console_options *options)
{
    wchar_t path[HANDOFF_LIBRARY_CHARS];
    config->is_console = true;
    /* Whoever starts this is served by it, unless an administrator has said who may do what. */
    config->grant_self = !config->access_configured;
    if (options->verbose) {
        config->log_level = BROKER_LOG_DEBUG;
    }
    if (options->pipe != NULL && !config_set_pipe(config, options->pipe)) {
        return complain("--pipe: this is no name for a pipe");
    }
    config->must_be_simulator = options->simulate;
    if (options->vss_library != NULL) {
        if (!set_library(config, options->vss_library)) {
            return complain("--vss-library: this is no path on a local drive");
        }
    } else if (options->simulate) {
        if (!simulator_path(path, ARRAYSIZE(path)) || !config_set_library(config, path)) {
            return complain("--simulate: there is no simulator beside this program "
                            "(simulator\\shadowsim.dll); name it with "
                            "--vss-library PATH");
        }
    }
    if (config->vss_library[0] != L'\0' && !file_exists(config->vss_library)) {
        fprintf(stderr, "shadowpiped: there is no file %s\n", config->vss_library_utf8);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int serve(const struct service_config *config)
{
    char error[HOST_ERROR_CHARS];
    char name[3 * HANDOFF_PIPE_CHARS];
    struct host *host = NULL;
    enum host_error result = host_create(config, &host, error);
    if (result == HOST_OK) {
        result = host_start(host, error);
    }
    if (result != HOST_OK) {
        host_free(host);
        fprintf(stderr, "shadowpiped: %s\n", error);
        return EXIT_FAILED;
    }
    set_running(host);
    text_to_utf8(config->pipe_name, name, sizeof name);
    printf("shadowpiped: listening on %s\n", name);
    (void)fflush(stdout);
    result = host_run(host, NULL, NULL);
    set_running(NULL);
    host_free(host);
    if (result != HOST_OK) {
        fprintf(stderr, "shadowpiped: stopping took longer than its limit; work was left undone\n");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int console_run(const struct console_options *options)
{
    char error[HOST_ERROR_CHARS];
    if (!machine_is_native(error, sizeof error)) {
        fprintf(stderr, "shadowpiped: %s\n", error);
        return EXIT_FAILED;
    }
    struct service_config *config = malloc(sizeof *config);
    if (config == NULL) {
        fprintf(stderr, "shadowpiped: no memory\n");
        return EXIT_FAILED;
    }
    config_init(config);
    config_read_registry(config, HKEY_LOCAL_MACHINE);
    int result = apply_options(config, options);
    if (result == EXIT_DONE) {
        SetConsoleOutputCP(CP_UTF8);
        log_start(LOG_TO_STDERR, (enum broker_log_level)config->log_level);
        for (size_t i = 0; i < config->problems_count && i < CONFIG_PROBLEMS; i++) {
            log_write(BROKER_LOG_WARNING, "configuration: %s", config->problems[i]);
        }
        SetConsoleCtrlHandler(on_console_event, TRUE);
        result = serve(config);
    }
    free(config);
    return result;
}
