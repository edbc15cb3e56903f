#include "client/lib/pipe.h"

#include <stdio.h>
#include <string.h>

#include <aclapi.h>
#include <sddl.h>

#include "client/lib/error.h"
#include "client/lib/token.h"
#include "client/lib/wine.h"

#define PIPE_PREFIX  L"\\\\.\\pipe\\"
#define SERVICE_NAME L"Shadowpipe"

enum {
    BUSY_WAIT_MS = 50
};

static bool pipes_have_owners(void)
{
    return !running_under_wine();
}

static DWORD pipe_owner(HANDLE pipe, PSID *owner, PSECURITY_DESCRIPTOR *descriptor)
{
    return GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, owner, NULL, NULL, NULL,
                           descriptor);
}

static DWORD service_state(void)
{
    SERVICE_STATUS status = {0};
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (!manager)
        return 0;
    SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_QUERY_STATUS);
    if (service) {
        if (!QueryServiceStatus(service, &status))
            status.dwCurrentState = 0;
        CloseServiceHandle(service);
    }
    CloseServiceHandle(manager);
    return status.dwCurrentState;
}

struct pipe_api pipe_api = {
    .create_file = CreateFileW,
    .owner = pipe_owner,
    .pipes_have_owners = pipes_have_owners,
    .elevation = token_elevation,
    .service_state = service_state,
};

bool pipe_name_resolve(const char *chosen, struct pipe_name *name, struct sp_error **error)
{
    wchar_t raw[512];
    memset(name, 0, sizeof *name);
    if (chosen && *chosen) {
        if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, chosen, -1, raw, ARRAYSIZE(raw)) <= 0)
            raw[0] = 0;
    } else {
        DWORD length = GetEnvironmentVariableW(L"SHADOWPIPE_PIPE", raw, ARRAYSIZE(raw));
        name->from_environment = length > 0;
        if (length >= ARRAYSIZE(raw))
            raw[0] = 0;
        else if (length == 0)
            (void)MultiByteToWideChar(CP_UTF8, 0, SP_DEFAULT_PIPE, -1, raw, ARRAYSIZE(raw));
    }
    bool full = wcsncmp(raw, L"\\\\", 2) == 0;
    int written = _snwprintf(name->path, ARRAYSIZE(name->path), L"%ls%ls", full ? L"" : PIPE_PREFIX, raw);
    bool local = _wcsnicmp(name->path, PIPE_PREFIX, wcslen(PIPE_PREFIX)) == 0;
    if (!raw[0] || written < 0 || written >= (int)ARRAYSIZE(name->path) || !local ||
        WideCharToMultiByte(CP_UTF8, 0, name->path, -1, name->text, sizeof name->text, NULL, NULL) <= 0) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT",
                                       "Give a name such as \"my-pipe\" or \"\\\\.\\pipe\\my-pipe\".",
                                       "The %s is not the name of a pipe on this machine.",
                                       name->from_environment ? "value of SHADOWPIPE_PIPE" : "pipe name"));
        return false;
    }
    name->is_default = _stricmp(name->text, SP_DEFAULT_PIPE) == 0;
    return true;
}

/* May the pipe belong to the user who calls? Not when the name comes from an environment that a program with
 * fewer rights can have set for an elevated one. */
static bool own_pipes_are_trusted(const struct pipe_name *name)
{
    TOKEN_ELEVATION_TYPE type;
    bool elevated;
    if (name->is_default)
        return false;
    return !name->from_environment || (pipe_api.elevation(&type, &elevated) && !elevated);
}

static struct sp_error *untrusted(const struct pipe_name *name, PSID owner)
{
    char *sid = NULL;
    if (!owner || !ConvertSidToStringSidA(owner, &sid))
        sid = NULL;
    struct sp_error *error =
        error_create(SP_PERMISSION_DENIED, "UNTRUSTED_SERVER",
                     "Find out which program made this pipe; nothing has been sent to it.",
                     "The pipe %s belongs to %s, not to SYSTEM or Administrators: its server is not the "
                     "Shadowpipe service.",
                     name->text, sid ? sid : "nobody");
    if (sid)
        LocalFree(sid);
    return error;
}

static bool check_owner(HANDLE pipe, const struct pipe_name *name, bool *owner_checked,
                        struct sp_error **error)
{
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    *owner_checked = false;
    if (!pipe_api.pipes_have_owners())
        return true;
    DWORD failure = pipe_api.owner(pipe, &owner, &descriptor);
    if (failure) {
        error_give(error, error_from_win32(failure, "GetSecurityInfo", "see whose pipe it is"));
        return false;
    }
    *owner_checked = owner && (IsWellKnownSid(owner, WinLocalSystemSid) ||
                               IsWellKnownSid(owner, WinBuiltinAdministratorsSid) ||
                               (own_pipes_are_trusted(name) && token_user_is(owner)));
    if (!*owner_checked)
        error_give(error, untrusted(name, owner));
    LocalFree(descriptor);
    return *owner_checked;
}

static struct sp_error *explain_missing(const struct pipe_name *name)
{
    if (!name->is_default)
        return error_create(
            SP_UNAVAILABLE, "NO_SERVICE",
            "Start a service for it: shadowpiped --console --pipe NAME; or leave the name out.",
            "Nobody listens on the pipe %s.", name->text);
    switch (pipe_api.service_state()) {
    case 0:
        return error_create(SP_UNAVAILABLE, "NO_SERVICE",
                            "Install Shadowpipe, or as an administrator: shadowpiped install.",
                            "The Shadowpipe service is not installed on this machine.");
    case SERVICE_STOPPED:
        return error_create(SP_UNAVAILABLE, "NO_SERVICE", "As an administrator: sc start Shadowpipe.",
                            "The Shadowpipe service is not running.");
    case SERVICE_STOP_PENDING:
        return error_create(SP_UNAVAILABLE, "NO_SERVICE",
                            "Start it again, as an administrator: sc start Shadowpipe.",
                            "The Shadowpipe service is stopping.");
    case SERVICE_START_PENDING:
        return error_create(SP_UNAVAILABLE, "NO_SERVICE", "Try again in a moment.",
                            "The Shadowpipe service is still starting.");
    default:
        return error_create(SP_UNAVAILABLE, "NO_SERVICE",
                            "Look for its last messages in the Application event log.",
                            "The Shadowpipe service runs, but does not listen on its pipe.");
    }
}

static struct sp_error *explain_denied(const struct pipe_name *name)
{
    TOKEN_ELEVATION_TYPE type;
    bool elevated;
    if (pipe_api.elevation(&type, &elevated) && type == TokenElevationTypeLimited)
        return error_create(
            SP_PERMISSION_DENIED, "ACCESS_DENIED",
            "Run it from an elevated prompt (Run as administrator), or have an administrator give "
            "this account access to Shadowpipe.",
            "The service refuses this program: you are an administrator, but it does not run "
            "elevated.");
    return error_create(SP_PERMISSION_DENIED, "ACCESS_DENIED",
                        "Have an administrator give this account access to Shadowpipe.",
                        "The service refuses this account: the pipe %s may not be opened.", name->text);
}

static struct sp_error *explain(DWORD failure, const struct pipe_name *name)
{
    switch (failure) {
    case ERROR_FILE_NOT_FOUND:
        return explain_missing(name);
    case ERROR_ACCESS_DENIED:
        return explain_denied(name);
    case ERROR_PIPE_BUSY:
    case ERROR_SEM_TIMEOUT:
        return error_create(SP_UNAVAILABLE, "PIPE_BUSY", "Try again in a moment.",
                            "The service is there, but had no free connection on %s in time.", name->text);
    default:
        return error_from_win32(failure, "CreateFileW", "open the service's pipe");
    }
}

/* Worth waiting for until the deadline: a free instance, and a service that is starting. */
static bool may_get_better(DWORD failure, const struct pipe_name *name)
{
    if (failure == ERROR_PIPE_BUSY)
        return true;
    return failure == ERROR_FILE_NOT_FOUND && name->is_default &&
           pipe_api.service_state() == SERVICE_START_PENDING;
}

HANDLE pipe_open(const struct pipe_name *name, uint64_t deadline, bool *owner_checked,
                 struct sp_error **error)
{
    for (;;) {
        HANDLE pipe = pipe_api.create_file(name->path, PIPE_ACCESS, 0, NULL, OPEN_EXISTING, PIPE_FLAGS, NULL);
        if (pipe != INVALID_HANDLE_VALUE) {
            if (check_owner(pipe, name, owner_checked, error))
                return pipe;
            CloseHandle(pipe);
            return INVALID_HANDLE_VALUE;
        }
        DWORD failure = GetLastError();
        uint64_t now = GetTickCount64();
        if (now >= deadline || !may_get_better(failure, name)) {
            error_give(error, explain(failure, name));
            return INVALID_HANDLE_VALUE;
        }
        uint64_t left = deadline - now;
        if (failure != ERROR_PIPE_BUSY || !WaitNamedPipeW(name->path, left < 1000 ? (DWORD)left : 1000))
            Sleep(left < BUSY_WAIT_MS ? (DWORD)left : BUSY_WAIT_MS);
    }
}
