/* The verbs install, uninstall, start and stop of scm.h. */
#include "service/host/scm.h"

#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "service/host/eventlog.h"
#include "service/host/loop.h"
#include "service/host/text.h"

enum {
    PRESHUTDOWN_MS = 180 * 1000,
    START_WAIT_MS = 60 * 1000,
    STOP_WAIT_MS = 200 * 1000,
    POLL_MS = 50
};

#define DISPLAY_NAME L"Shadowpipe"
#define DESCRIPTION                                                                                       \
    L"Makes application-consistent snapshots of volumes (Volume Shadow Copy) for any program, through a " \
    L"named pipe."
/* A list of strings: backup semantics, impersonation of clients to learn who they are, and what VSS asks for.
 */
#define PRIVILEGES                                                                              \
    L"SeBackupPrivilege\0SeRestorePrivilege\0SeImpersonatePrivilege\0SeManageVolumePrivilege\0" \
    L"SeChangeNotifyPrivilege\0SeSecurityPrivilege\0"

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

/* Something that makes the service better and that some systems do not offer. */
static void improve(SC_HANDLE service, DWORD level, void *value, const char *what)
{
    if (ChangeServiceConfig2W(service, level, value)) {
        return;
    }
    DWORD error = GetLastError();
    if (error == ERROR_INVALID_LEVEL) {
        fprintf(stderr, "shadowpiped: this system does not offer %s; the service works without\n", what);
    } else {
        char words[256];
        text_of_error(error, words, sizeof words);
        fprintf(stderr, "shadowpiped: %s could not be set: %s (%lu); the service works without\n", what,
                words, error);
    }
}

static void configure(SC_HANDLE service)
{
    wchar_t description_text[] = DESCRIPTION;
    SERVICE_DESCRIPTIONW description = {description_text};
    SC_ACTION actions[] = {
        {SC_ACTION_RESTART, 1000}, {SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 60 * 1000}};
    SERVICE_FAILURE_ACTIONSW failure = {
        .dwResetPeriod = 24 * 60 * 60, .cActions = ARRAYSIZE(actions), .lpsaActions = actions};
    /* Also when it ends by itself with an error, not only when it crashes. */
    SERVICE_FAILURE_ACTIONS_FLAG flag = {TRUE};
    SERVICE_PRESHUTDOWN_INFO preshutdown = {PRESHUTDOWN_MS};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    wchar_t privileges_text[] = PRIVILEGES;
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = {privileges_text};
    improve(service, SERVICE_CONFIG_DESCRIPTION, &description, "a description");
    improve(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "recovery actions");
    improve(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag, "recovery after an exit with an error");
    improve(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "a limit for the stop at shutdown");
    improve(service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "a service SID");
    improve(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, "a list of required privileges");
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
    configure(service);
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

/* Waits until the service has left `pending`; the state it is in then. */
static DWORD wait_while(SC_HANDLE service, DWORD pending, DWORD limit_ms, SERVICE_STATUS *status)
{
    uint64_t due = loop_now_ms() + limit_ms;
    while (QueryServiceStatus(service, status) && status->dwCurrentState == pending) {
        if (loop_now_ms() >= due) {
            break;
        }
        Sleep(POLL_MS);
    }
    return status->dwCurrentState;
}

static int stop_service(SC_HANDLE service)
{
    SERVICE_STATUS status = {0};
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) {
        DWORD error = GetLastError();
        if (error == ERROR_SERVICE_NOT_ACTIVE) {
            return SCM_DONE;
        }
        if (error != ERROR_SERVICE_CANNOT_ACCEPT_CTRL) {
            return fail("the service could not be stopped", error);
        }
    }
    if (wait_while(service, SERVICE_STOP_PENDING, STOP_WAIT_MS, &status) != SERVICE_STOPPED) {
        return fail("the service does not stop", ERROR_SERVICE_REQUEST_TIMEOUT);
    }
    return SCM_DONE;
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
    int result = stop_service(service);
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
    int result = stop_service(service);
    CloseServiceHandle(service);
    if (result == SCM_DONE) {
        printf("shadowpiped: the service is stopped\n");
    }
    return result;
}
