#include "service/host/caller.h"

#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/host/text.h"
#include "service/host/win32_api.h"

enum {
    SERVICE_SID_FIRST_AUTHORITY = 80,
    SERVICE_SID_AUTHORITIES = 6,
    TOKEN_FIRST_BYTES = 4096
};

/* Nothing but these calls happens while impersonating. */
static DWORD capture_token(HANDLE pipe, HANDLE *token, const char **method)
{
    DWORD error = ERROR_SUCCESS;
    *token = NULL;
    *method = "ImpersonateNamedPipeClient";
    if (!win32.impersonate_named_pipe_client(pipe)) {
        return GetLastError();
    }
    *method = "OpenThreadToken";
    if (!win32.open_thread_token(GetCurrentThread(), TOKEN_QUERY, TRUE, token)) {
        error = GetLastError();
        *token = NULL;
    }
    if (!win32.revert_to_self()) {
        win32.fail_fast("RevertToSelf failed, the thread still has a client's identity");
    }
    return error;
}

static bool sid_text(PSID sid, char *text, size_t size)
{
    wchar_t *wide = NULL;
    if (!ConvertSidToStringSidW(sid, &wide)) {
        text[0] = '\0';
        return false;
    }
    bool fits = text_to_utf8(wide, text, size);
    LocalFree(wide);
    return fits;
}

/* The SID by which Windows names one service (S-1-5-80- and five more numbers). */
static bool is_service_sid(PSID sid)
{
    static const SID_IDENTIFIER_AUTHORITY nt = {SECURITY_NT_AUTHORITY};
    return memcmp(GetSidIdentifierAuthority(sid), &nt, sizeof nt) == 0 &&
           *GetSidSubAuthorityCount(sid) == SERVICE_SID_AUTHORITIES &&
           *GetSidSubAuthority(sid, 0) == SERVICE_SID_FIRST_AUTHORITY;
}

/* A token's variable-size information, for free(). */
static void *token_information(HANDLE token, TOKEN_INFORMATION_CLASS class, DWORD *error)
{
    DWORD size = TOKEN_FIRST_BYTES;
    for (;;) {
        void *information = malloc(size);
        if (information == NULL) {
            *error = ERROR_NOT_ENOUGH_MEMORY;
            return NULL;
        }
        DWORD needed = 0;
        if (GetTokenInformation(token, class, information, size, &needed)) {
            *error = ERROR_SUCCESS;
            return information;
        }
        *error = GetLastError();
        free(information);
        if (*error != ERROR_INSUFFICIENT_BUFFER || needed <= size) {
            return NULL;
        }
        size = needed;
    }
}

static DWORD read_user(HANDLE token, struct caller *caller)
{
    DWORD error;
    TOKEN_USER *user = token_information(token, TokenUser, &error);
    if (user == NULL) {
        return error;
    }
    if (!sid_text(user->User.Sid, caller->sid, sizeof caller->sid)) {
        error = ERROR_INVALID_SID;
    }
    free(user);
    return error;
}

static DWORD read_service(HANDLE token, struct caller *caller)
{
    DWORD error;
    TOKEN_GROUPS *groups = token_information(token, TokenGroups, &error);
    if (groups == NULL) {
        return error;
    }
    for (DWORD i = 0; i < groups->GroupCount; i++) {
        const SID_AND_ATTRIBUTES *group = &groups->Groups[i];
        if ((group->Attributes & SE_GROUP_ENABLED) && !(group->Attributes & SE_GROUP_USE_FOR_DENY_ONLY) &&
            is_service_sid(group->Sid)) {
            sid_text(group->Sid, caller->service_sid, sizeof caller->service_sid);
            break;
        }
    }
    free(groups);
    return ERROR_SUCCESS;
}

static void read_elevation(HANDLE token, struct caller *caller)
{
    TOKEN_ELEVATION elevation;
    TOKEN_ELEVATION_TYPE type;
    DWORD size = 0;
    if (GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &size)) {
        caller->elevated = elevation.TokenIsElevated != 0;
    }
    if (GetTokenInformation(token, TokenElevationType, &type, sizeof type, &size)) {
        caller->filtered_admin = type == TokenElevationTypeLimited;
    }
}

static void read_process(HANDLE pipe, struct caller *caller)
{
    ULONG process_id = 0;
    if (!GetNamedPipeClientProcessId(pipe, &process_id)) {
        return;
    }
    caller->process_id = process_id;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process_id);
    if (process == NULL) {
        return;
    }
    wchar_t path[MAX_PATH];
    DWORD chars = ARRAYSIZE(path);
    if (QueryFullProcessImageNameW(process, 0, path, &chars)) {
        const wchar_t *slash = wcsrchr(path, L'\\');
        text_to_utf8(slash != NULL ? slash + 1 : path, caller->process_name, sizeof caller->process_name);
    }
    CloseHandle(process);
}

static bool failed(char *failure, size_t size, const char *method, DWORD error)
{
    char words[256];
    text_of_error(error, words, sizeof words);
    if (error == ERROR_CANT_OPEN_ANONYMOUS || error == ERROR_BAD_IMPERSONATION_LEVEL) {
        snprintf(failure, size,
                 "%s failed: %s (%lu). The client opened the pipe at anonymous level; it has to open it at "
                 "identification level (SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION)",
                 method, words, error);
    } else {
        snprintf(failure, size, "%s failed: %s (%lu)", method, words, error);
    }
    return false;
}

bool caller_identify(HANDLE pipe, const struct access *access, struct caller *caller, char *failure,
                     size_t failure_size)
{
    HANDLE token = NULL;
    const char *method = NULL;
    memset(caller, 0, sizeof *caller);
    failure[0] = '\0';
    read_process(pipe, caller);
    DWORD error = capture_token(pipe, &token, &method);
    if (error != ERROR_SUCCESS) {
        return failed(failure, failure_size, method, error);
    }
    method = "GetTokenInformation";
    error = read_user(token, caller);
    if (error == ERROR_SUCCESS) {
        error = read_service(token, caller);
    }
    if (error == ERROR_SUCCESS) {
        read_elevation(token, caller);
        method = "AccessCheck";
        error = access_rights_of(access, token, &caller->rights);
    }
    CloseHandle(token);
    if (error != ERROR_SUCCESS) {
        caller->sid[0] = '\0';
        caller->rights = 0;
        return failed(failure, failure_size, method, error);
    }
    return true;
}
