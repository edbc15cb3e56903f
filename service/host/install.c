/* The verbs install, uninstall, start, stop and hand-over of scm.h. */
#include "service/host/scm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

#include "service/host/config.h"
#include "service/host/eventlog.h"
#include "service/host/host.h"
#include "service/host/loop.h"
#include "service/host/registration.h"
#include "service/host/text.h"

enum {
    START_WAIT_MS = 60 * 1000,
    STOP_WAIT_BEYOND_MS = 5 * 1000, /* for the manager to notice the end */
    POLL_MS = 50
};

#define DISPLAY_NAME L"Shadowpipe"
#define DESCRIPTION                                                                                       \
    L"Makes application-consistent snapshots of volumes (Volume Shadow Copy) for any program, through a " \
    L"named pipe."

static int fail(const char *what, DWORD error)
{
    char words[256];
    text_of_error(error, words, sizeof words);
    fprintf(stderr, "shadowpiped: %s: %s (%lu)\n", what, words, error);
    if (error == ERROR_ACCESS_DENIED) {
        fprintf(stderr, "shadowpiped: run this from an elevated prompt\n");
    }
    return SCM_FAILED;
}

/* The longest that a stop may take as the service is configured; 0 = no memory to look. */
static uint32_t stop_limit_ms(void)
{
    struct service_config *config = malloc(sizeof *config);
    if (config == NULL) {
        return 0;
    }
    config_init(config);
    config_read_registry(config, HKEY_LOCAL_MACHINE);
    uint32_t limit = config->broker.stop_all_ms + HOST_STOP_BEYOND_MS;
    free(config);
    return limit;
}

static void say_not_set(const char *what, DWORD error)
{
    if (error == ERROR_INVALID_LEVEL) {
        fprintf(stderr, "shadowpiped: this system does not offer %s; the service works without\n", what);
    } else {
        char words[256];
        text_of_error(error, words, sizeof words);
        fprintf(stderr, "shadowpiped: %s could not be set: %s (%lu); the service works without\n", what,
                words, error);
    }
}

static void configure(SC_HANDLE service, uint32_t stop_ms)
{
    wchar_t description_text[] = DESCRIPTION;
    SERVICE_DESCRIPTIONW description = {description_text};
    if (!ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description)) {
        say_not_set("a description", GetLastError());
    }
    registration_apply(service, stop_ms, say_not_set);
}

/* Made new, or brought up to date where it exists. */
static SC_HANDLE create_or_update(SC_HANDLE manager, const wchar_t *image_path)
{
    SC_HANDLE service =
        CreateServiceW(manager, SCM_SERVICE_NAME, DISPLAY_NAME, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                       SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, image_path, NULL, NULL, NULL, NULL, NULL);
    if (service != NULL || GetLastError() != ERROR_SERVICE_EXISTS) {
        return service;
    }
    service = OpenServiceW(manager, SCM_SERVICE_NAME, SERVICE_ALL_ACCESS);
    if (service != NULL &&
        !ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                              image_path, NULL, NULL, NULL, NULL, NULL, DISPLAY_NAME)) {
        DWORD error = GetLastError();
        CloseServiceHandle(service);
        SetLastError(error);
        service = NULL;
    }
    return service;
}

int scm_install(void)
{
    enum {
        PATH_CHARS = 1024
    };
    wchar_t path[PATH_CHARS];
    wchar_t image_path[PATH_CHARS + 2];
    DWORD length = GetModuleFileNameW(NULL, path, PATH_CHARS);
    if (length == 0 || length >= PATH_CHARS) {
        return fail("this program's own path cannot be read",
                    length == 0 ? GetLastError() : ERROR_BUFFER_OVERFLOW);
    }
    /* Quoted: with a space in an unquoted path Windows would try C:\Program.exe first. */
    swprintf(image_path, ARRAYSIZE(image_path), L"\"%ls\"", path);
    uint32_t stop_ms = stop_limit_ms();
    if (stop_ms == 0) {
        return fail("the configuration cannot be read", ERROR_NOT_ENOUGH_MEMORY);
    }
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL) {
        return fail("the service manager cannot be opened", GetLastError());
    }
    SC_HANDLE service = create_or_update(manager, image_path);
    DWORD error = service != NULL ? ERROR_SUCCESS : GetLastError();
    CloseServiceHandle(manager);
    if (service == NULL) {
        return fail("the service could not be installed", error);
    }
    configure(service, stop_ms);
    CloseServiceHandle(service);
    error = eventlog_register(path);
    if (error != ERROR_SUCCESS) {
        return fail("the service is installed, but its event source could not be registered", error);
    }
    printf("shadowpiped: the service is installed; start it with: shadowpiped start\n");
    return SCM_DONE;
}

static SC_HANDLE open_service(DWORD access, DWORD *error)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL) {
        *error = GetLastError();
        return NULL;
    }
    SC_HANDLE service = OpenServiceW(manager, SCM_SERVICE_NAME, access | SERVICE_QUERY_STATUS);
    *error = service != NULL ? ERROR_SUCCESS : GetLastError();
    CloseServiceHandle(manager);
    return service;
}

/* Waits until the service has left `pending`; the state it is in then, 0 = unknown, with the error as its
 * exit code. */
static DWORD wait_while(SC_HANDLE service, DWORD pending, DWORD limit_ms, SERVICE_STATUS *status)
{
    uint64_t due = loop_now_ms() + limit_ms;
    for (;;) {
        if (!QueryServiceStatus(service, status)) {
            *status = (SERVICE_STATUS){.dwWin32ExitCode = GetLastError()};
            return 0;
        }
        if (status->dwCurrentState != pending || loop_now_ms() >= due) {
            return status->dwCurrentState;
        }
        Sleep(POLL_MS);
    }
}

static int still(const char *what)
{
    fprintf(stderr, "shadowpiped: the service is still %s; see: sc query Shadowpipe\n", what);
    return SCM_FAILED;
}

/* The service did not take the control; SCM_DONE: its end can be waited for all the same. */
static int not_taken(DWORD control, DWORD error)
{
    bool is_stop = control == SERVICE_CONTROL_STOP;
    switch (error) {
    case ERROR_SERVICE_CANNOT_ACCEPT_CTRL: /* one that is stopping takes none */
        if (is_stop) {
            return SCM_DONE;
        }
        fprintf(stderr, "shadowpiped: the service is stopping already; it hands nothing over\n");
        return SCM_FAILED;
    case ERROR_SERVICE_NOT_ACTIVE:
        fprintf(stderr, "shadowpiped: the service is not running; there is nothing to hand over\n");
        return SCM_FAILED;
    default:
        return fail(is_stop ? "the service could not be stopped" : "the service could not be told", error);
    }
}

static int end_service(SC_HANDLE service, DWORD control)
{
    SERVICE_STATUS status = {0};
    uint32_t stop_ms = stop_limit_ms();
    if (stop_ms == 0) {
        return fail("the configuration cannot be read", ERROR_NOT_ENOUGH_MEMORY);
    }
    /* One that is starting takes no orders. */
    if (wait_while(service, SERVICE_START_PENDING, START_WAIT_MS, &status) == SERVICE_START_PENDING) {
        return still("starting");
    }
    if (!ControlService(service, control, &status)) {
        DWORD error = GetLastError();
        if (error == ERROR_SERVICE_NOT_ACTIVE && control == SERVICE_CONTROL_STOP) {
            return SCM_DONE;
        }
        if (not_taken(control, error) != SCM_DONE) {
            return SCM_FAILED;
        }
    }
    switch (wait_while(service, SERVICE_STOP_PENDING, stop_ms + STOP_WAIT_BEYOND_MS, &status)) {
    case SERVICE_STOPPED:
        return SCM_DONE;
    case SERVICE_STOP_PENDING:
        return still("stopping");
    case 0:
        return fail("the service's state is unknown", status.dwWin32ExitCode);
    default:
        return fail("the service does not stop", ERROR_SERVICE_REQUEST_TIMEOUT);
    }
}

int scm_uninstall(void)
{
    DWORD error;
    SC_HANDLE service = open_service(SERVICE_STOP | DELETE, &error);
    if (service == NULL && error == ERROR_SERVICE_DOES_NOT_EXIST) {
        fprintf(stderr, "shadowpiped: the service is not installed\n");
        return SCM_FAILED;
    }
    if (service == NULL) {
        return fail("the service cannot be opened", error);
    }
    int result = end_service(service, SERVICE_CONTROL_STOP);
    if (result == SCM_DONE && !DeleteService(service)) {
        result = fail("the service could not be removed", GetLastError());
    }
    CloseServiceHandle(service);
    if (result != SCM_DONE) {
        return result;
    }
    error = eventlog_unregister();
    if (error != ERROR_SUCCESS) {
        return fail("the service is removed, but its event source is still registered", error);
    }
    printf("shadowpiped: the service is removed\n");
    return SCM_DONE;
}

static int say_exit(const SERVICE_STATUS *status)
{
    if (status->dwCurrentState == SERVICE_START_PENDING) {
        return still("starting");
    }
    if (status->dwCurrentState != 0 && status->dwWin32ExitCode == NO_ERROR) {
        fprintf(stderr, "shadowpiped: the service started, and was stopped at once\n");
        return SCM_FAILED;
    }
    if (status->dwWin32ExitCode == ERROR_SERVICE_SPECIFIC_ERROR) {
        fprintf(stderr,
                "shadowpiped: the service did not start (code %lu); the Application event log says why\n",
                status->dwServiceSpecificExitCode);
        return SCM_FAILED;
    }
    return fail("the service did not start", status->dwWin32ExitCode);
}

int scm_start(void)
{
    DWORD error;
    SERVICE_STATUS status = {0};
    SC_HANDLE service = open_service(SERVICE_START, &error);
    if (service == NULL) {
        return fail("the service cannot be opened", error);
    }
    int result = SCM_DONE;
    if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING) {
        result = fail("the service could not be started", GetLastError());
    } else if (wait_while(service, SERVICE_START_PENDING, START_WAIT_MS, &status) != SERVICE_RUNNING) {
        result = say_exit(&status);
    } else {
        printf("shadowpiped: the service is running\n");
    }
    CloseServiceHandle(service);
    return result;
}

int scm_stop(void)
{
    DWORD error;
    SC_HANDLE service = open_service(SERVICE_STOP, &error);
    if (service == NULL) {
        return fail("the service cannot be opened", error);
    }
    int result = end_service(service, SERVICE_CONTROL_STOP);
    CloseServiceHandle(service);
    if (result == SCM_DONE) {
        printf("shadowpiped: the service is stopped\n");
    }
    return result;
}

int scm_hand_over(void)
{
    DWORD error;
    SC_HANDLE service = open_service(SERVICE_USER_DEFINED_CONTROL, &error);
    if (service == NULL) {
        return fail("the service cannot be opened", error);
    }
    int result = end_service(service, SCM_CONTROL_HAND_OVER);
    CloseServiceHandle(service);
    if (result == SCM_DONE) {
        printf("shadowpiped: the service has ended, and the snapshots that are being read wait for its next "
               "start\n");
    }
    return result;
}
