#include "service/host/registration.h"

#include <stdbool.h>

#include "service/host/scm.h"

/* A list of strings: backup semantics, impersonation of clients to learn who they are, and what VSS asks for.
 */
#define PRIVILEGES                                                                              \
    L"SeBackupPrivilege\0SeRestorePrivilege\0SeImpersonatePrivilege\0SeManageVolumePrivilege\0" \
    L"SeChangeNotifyPrivilege\0SeSecurityPrivilege\0"

static void set(SC_HANDLE service, DWORD level, void *value, const char *what,
                void (*report)(const char *what, DWORD error))
{
    if (!ChangeServiceConfig2W(service, level, value)) {
        report(what, GetLastError());
    }
}

static void set_preshutdown(SC_HANDLE service, uint32_t stop_ms,
                            void (*report)(const char *what, DWORD error))
{
    SERVICE_PRESHUTDOWN_INFO preshutdown = {stop_ms};
    set(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "a limit for the stop at shutdown", report);
}

void registration_apply(SC_HANDLE service, uint32_t stop_ms, void (*report)(const char *what, DWORD error))
{
    SC_ACTION actions[] = {
        {SC_ACTION_RESTART, 1000}, {SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 60 * 1000}};
    SERVICE_FAILURE_ACTIONSW failure = {
        .dwResetPeriod = 24 * 60 * 60, .cActions = ARRAYSIZE(actions), .lpsaActions = actions};
    /* Also when it ends by itself with an error, not only when it crashes. */
    SERVICE_FAILURE_ACTIONS_FLAG flag = {TRUE};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    wchar_t privileges_text[] = PRIVILEGES;
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = {privileges_text};
    set(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "recovery actions", report);
    set(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag, "recovery after an exit with an error", report);
    set_preshutdown(service, stop_ms, report);
    set(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, "a list of required privileges",
        report);
    /* The last: it shows that the others have been made. */
    set(service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "a service SID", report);
}

/* No person and no other program gives this service a SID. A system that does not offer one is asked for the
 * rest each time. */
static bool is_applied(SC_HANDLE service)
{
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_NONE};
    DWORD size = 0;
    return QueryServiceConfig2W(service, SERVICE_CONFIG_SERVICE_SID_INFO, (BYTE *)&sid, sizeof sid, &size) &&
           sid.dwServiceSidType != SERVICE_SID_TYPE_NONE;
}

static bool preshutdown_is(SC_HANDLE service, uint32_t stop_ms)
{
    SERVICE_PRESHUTDOWN_INFO preshutdown = {0};
    DWORD size = 0;
    return QueryServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, (BYTE *)&preshutdown,
                                sizeof preshutdown, &size) &&
           preshutdown.dwPreshutdownTimeout == stop_ms;
}

void registration_complete(uint32_t stop_ms, void (*report)(const char *what, DWORD error))
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL) {
        report("the registration", GetLastError());
        return;
    }
    /* SERVICE_START is what the system asks of whoever sets a restart. */
    SC_HANDLE service =
        OpenServiceW(manager, SCM_SERVICE_NAME, SERVICE_QUERY_CONFIG | SERVICE_CHANGE_CONFIG | SERVICE_START);
    if (service == NULL) {
        report("the registration", GetLastError());
    } else if (!is_applied(service)) {
        registration_apply(service, stop_ms, report);
    } else if (!preshutdown_is(service, stop_ms)) {
        set_preshutdown(service, stop_ms, report); /* StopAllMs was changed */
    }
    if (service != NULL) {
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
}
