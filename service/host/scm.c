#include "service/host/scm.h"

#include <stdio.h>
#include <windows.h>

#include "events.h"
#include "service/host/host.h"
#include "service/host/image.h"
#include "service/host/log.h"
#include "service/host/machine.h"
#include "service/host/registration.h"

enum {
    START_HINT_MS = 30 * 1000,
    STOP_HINT_MS = 10 * 1000,
    FREE_HINT_MS = HOST_FREE_MS + 5 * 1000 /* nothing is reported meanwhile */
};

static struct {
    SERVICE_STATUS_HANDLE handle;
    SERVICE_STATUS status;
    SRWLOCK lock; /* of status and host: the control handler has a thread of its own */
    struct host *host;
    bool stop_requested;
    enum broker_stop_kind stop_kind;
    struct service_config config;
} service = {.lock = SRWLOCK_INIT};

/* With the lock held. Checkpoints rise by themselves while something is pending. */
static void report_locked(DWORD state, DWORD hint_ms)
{
    bool pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
    service.status.dwCheckPoint = !pending                                 ? 0
                                  : service.status.dwCurrentState == state ? service.status.dwCheckPoint + 1
                                                                           : 1;
    service.status.dwCurrentState = state;
    service.status.dwWaitHint = pending ? hint_ms : 0;
    service.status.dwControlsAccepted =
        state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN : 0;
    SetServiceStatus(service.handle, &service.status);
}

static void report(DWORD state, DWORD hint_ms)
{
    AcquireSRWLockExclusive(&service.lock);
    report_locked(state, hint_ms);
    ReleaseSRWLockExclusive(&service.lock);
}

static void report_stopped(enum host_error result)
{
    AcquireSRWLockExclusive(&service.lock);
    service.host = NULL;
    service.status.dwWin32ExitCode = result == HOST_OK ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR;
    service.status.dwServiceSpecificExitCode = (DWORD)result;
    report_locked(SERVICE_STOPPED, 0);
    ReleaseSRWLockExclusive(&service.lock);
}

static void request_stop(enum broker_stop_kind kind)
{
    AcquireSRWLockExclusive(&service.lock);
    if (!service.stop_requested) {
        service.stop_requested = true;
        service.stop_kind = kind;
    }
    if (service.host != NULL) {
        report_locked(SERVICE_STOP_PENDING, STOP_HINT_MS);
        host_request_stop(service.host, service.stop_kind);
    }
    ReleaseSRWLockExclusive(&service.lock);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, LPVOID data, LPVOID context)
{
    (void)type;
    (void)data;
    (void)context;
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_PRESHUTDOWN:
        request_stop(BROKER_STOP_END);
        return NO_ERROR;
    case SCM_CONTROL_HAND_OVER:
        request_stop(BROKER_STOP_HAND_OVER);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

static void on_stop_tick(void *context)
{
    (void)context;
    report(SERVICE_STOP_PENDING, STOP_HINT_MS);
}

static void log_problems(const struct service_config *config)
{
    for (size_t i = 0; i < config->problems_count && i < CONFIG_PROBLEMS; i++) {
        log_event(EVENT_CONFIGURATION, BROKER_LOG_WARNING, "%s.", config->problems[i]);
    }
}

static void warn_of_open_name(const struct service_config *config)
{
    static const wchar_t protected_prefix[] = CONFIG_PIPE_PREFIX L"ProtectedPrefix\\Administrators\\";
    if (_wcsnicmp(config->pipe_name, protected_prefix, wcslen(protected_prefix)) != 0) {
        log_event(
            EVENT_CONFIGURATION, BROKER_LOG_WARNING,
            "PipeName lies outside of ProtectedPrefix\\Administrators: any program can take the name before "
            "the service starts.");
    }
}

static enum host_error start_failed(enum host_error result, const char *error)
{
    log_event(EVENT_START_FAILED, BROKER_LOG_ERROR, "%s.", error);
    return result;
}

static void log_not_set(const char *what, DWORD error)
{
    if (error != ERROR_INVALID_LEVEL) {
        log_error(BROKER_LOG_WARNING, error, "The service could not set %s for itself", what);
    }
}

static enum host_error serve(void)
{
    char error[HOST_ERROR_CHARS];
    struct host *host = NULL;
    config_init(&service.config);
    config_read_registry(&service.config, HKEY_LOCAL_MACHINE);
    log_start(LOG_TO_EVENT_LOG, (enum broker_log_level)service.config.log_level);
    if (!machine_is_native(error, sizeof error)) {
        return start_failed(HOST_WRONG_MACHINE, error);
    }
    image_sweep();
    log_problems(&service.config);
    warn_of_open_name(&service.config);
    report(SERVICE_START_PENDING, START_HINT_MS);
    enum host_error result = host_create(&service.config, &host, error);
    if (result != HOST_OK) {
        return start_failed(result, error);
    }
    report(SERVICE_START_PENDING, START_HINT_MS);
    result = host_start(host, error);
    if (result != HOST_OK) {
        start_failed(result, error);
        host_free(host);
        return result;
    }
    AcquireSRWLockExclusive(&service.lock);
    service.host = host;
    report_locked(SERVICE_RUNNING, 0);
    if (service.stop_requested) {
        host_request_stop(host, service.stop_kind);
    }
    ReleaseSRWLockExclusive(&service.lock);
    log_event(EVENT_STARTED, BROKER_LOG_INFO, "Version %s.", SHADOWPIPE_VERSION);
    registration_complete(service.config.broker.stop_all_ms + HOST_STOP_BEYOND_MS, log_not_set);
    result = host_run(host, on_stop_tick, NULL);
    AcquireSRWLockExclusive(&service.lock);
    service.host = NULL;
    report_locked(SERVICE_STOP_PENDING, FREE_HINT_MS);
    ReleaseSRWLockExclusive(&service.lock);
    host_free(host);
    if (service.stop_kind == BROKER_STOP_HAND_OVER) {
        image_set_aside();
    } else {
        image_sweep();
    }
    if (result == HOST_OK) {
        log_event(EVENT_STOPPED, BROKER_LOG_INFO, "Everything was ended in order.");
    } else {
        log_event(EVENT_STOPPED, BROKER_LOG_ERROR,
                  "Stopping took longer than its limit; work was left undone.");
    }
    return result;
}

static VOID WINAPI service_main(DWORD count, LPWSTR *arguments)
{
    (void)count;
    (void)arguments;
    service.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    service.handle = RegisterServiceCtrlHandlerExW(SCM_SERVICE_NAME, on_control, NULL);
    if (service.handle == NULL) {
        return;
    }
    report(SERVICE_START_PENDING, START_HINT_MS);
    enum host_error result = serve();
    log_end();
    report_stopped(result);
}

int scm_run_service(void)
{
    wchar_t name[] = SCM_SERVICE_NAME;
    const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};
    if (StartServiceCtrlDispatcherW(table)) {
        return SCM_DONE;
    }
    DWORD error = GetLastError();
    if (error == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
        fprintf(stderr,
                "shadowpiped: without arguments this program is a Windows service, which the service manager "
                "starts.\n"
                "To install and start it:  shadowpiped install  and then  shadowpiped start\n"
                "To try it at a prompt:    shadowpiped --console\n"
                "For all options:          shadowpiped --help\n");
        return SCM_USAGE;
    }
    fprintf(stderr, "shadowpiped: the service manager cannot be reached (%lu)\n", error);
    return SCM_FAILED;
}
