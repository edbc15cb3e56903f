#include "service/host/access.h"

#include <assert.h>
#include <sddl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/broker/broker.h"

/* What the generic words mean in a descriptor that uses them. */
static const GENERIC_MAPPING mapping = {
    .GenericRead = RIGHT_BIT_READ,
    .GenericWrite = RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE | RIGHT_BIT_PERSIST | RIGHT_BIT_RESTORE,
    .GenericExecute = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT,
    .GenericAll = ACCESS_ALL_RIGHTS,
};

static bool is_anybody(PSID sid)
{
    return IsWellKnownSid(sid, WinWorldSid) || IsWellKnownSid(sid, WinAnonymousSid) ||
           IsWellKnownSid(sid, WinNetworkSid) || IsWellKnownSid(sid, WinBuiltinGuestsSid);
}

static uint32_t rights_of_mask(ACCESS_MASK mask)
{
    DWORD mapped = mask;
    GENERIC_MAPPING copy = mapping;
    MapGenericMask(&mapped, &copy);
    return mapped & ACCESS_ALL_RIGHTS;
}

static bool refuse(char *why, size_t why_size, const char *text)
{
    snprintf(why, why_size, "%s", text);
    return false;
}

static bool valid_dacl(PSECURITY_DESCRIPTOR descriptor, char *why, size_t why_size)
{
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL dacl = NULL;
    if (!GetSecurityDescriptorDacl(descriptor, &present, &dacl, &defaulted) || !present || dacl == NULL) {
        return refuse(why, why_size, "it has no DACL, which would let everybody in");
    }
    for (DWORD i = 0; i < dacl->AceCount; i++) {
        ACCESS_ALLOWED_ACE *ace = NULL;
        if (!GetAce(dacl, i, (LPVOID *)&ace)) {
            return refuse(why, why_size, "its DACL cannot be read");
        }
        if (ace->Header.AceType != ACCESS_ALLOWED_ACE_TYPE && ace->Header.AceType != ACCESS_DENIED_ACE_TYPE) {
            return refuse(why, why_size, "it has entries of other kinds than allow and deny");
        }
        if (ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE && is_anybody(&ace->SidStart)) {
            return refuse(why, why_size, "it gives rights to Everyone, Anonymous, Guests or the network");
        }
    }
    return true;
}

bool access_valid_sddl(const wchar_t *sddl, char *why, size_t why_size)
{
    PSECURITY_DESCRIPTOR descriptor = NULL;
    if (wcslen(sddl) >= ACCESS_SDDL_CHARS) {
        return refuse(why, why_size, "it is too long");
    }
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &descriptor, NULL)) {
        return refuse(why, why_size, "it is no security descriptor in SDDL");
    }
    bool valid = valid_dacl(descriptor, why, why_size);
    LocalFree(descriptor);
    return valid;
}

/* A growing SDDL string; once it is full, `full` stays. */
struct sddl_text {
    wchar_t *text;
    size_t size;
    size_t length;
    bool full;
};

static void add_text(struct sddl_text *sddl, const wchar_t *text)
{
    size_t length = wcslen(text);
    if (sddl->full || length >= sddl->size - sddl->length) {
        sddl->full = true;
        return;
    }
    wmemcpy(sddl->text + sddl->length, text, length + 1);
    sddl->length += length;
}

static void add_ace(struct sddl_text *sddl, const wchar_t *type, DWORD mask, const wchar_t *sid)
{
    wchar_t start[64];
    swprintf(start, ARRAYSIZE(start), L"(%ls;;0x%lx;;;", type, mask);
    add_text(sddl, start);
    add_text(sddl, sid);
    add_text(sddl, L")");
}

/* The account of this process, as a SID string for LocalFree. */
static DWORD own_sid(wchar_t **sid, bool *is_system)
{
    union {
        TOKEN_USER user;
        uint8_t room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } token_user;
    HANDLE token = NULL;
    DWORD size = 0;
    DWORD error = ERROR_SUCCESS;
    *sid = NULL;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        return GetLastError();
    }
    if (!GetTokenInformation(token, TokenUser, &token_user, sizeof token_user, &size) ||
        !ConvertSidToStringSidW(token_user.user.User.Sid, sid)) {
        error = GetLastError();
    } else {
        *is_system = IsWellKnownSid(token_user.user.User.Sid, WinLocalSystemSid);
    }
    CloseHandle(token);
    return error;
}

static DWORD convert(const struct sddl_text *sddl, PSECURITY_DESCRIPTOR *descriptor)
{
    if (sddl->full) {
        return ERROR_INSUFFICIENT_BUFFER;
    }
    return ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl->text, SDDL_REVISION_1, descriptor, NULL)
               ? ERROR_SUCCESS
               : GetLastError();
}

static void begin_pipe(struct sddl_text *sddl, const wchar_t *self, bool is_system)
{
    assert(self != NULL);
    sddl->length = 0;
    /* Another owner than SYSTEM cannot be set by everybody; the token's default owner is right there. */
    add_text(sddl, is_system ? L"O:SYG:SYD:P" : L"D:P");
    add_ace(sddl, L"D", FILE_ALL_ACCESS, L"NU");
    add_ace(sddl, L"A", FILE_ALL_ACCESS, self);
}

/* An entry of the rights descriptor that says anything about rights becomes an entry about opening the pipe.
 */
static DWORD add_clients(struct sddl_text *sddl, PSECURITY_DESCRIPTOR rights)
{
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL dacl = NULL;
    if (!GetSecurityDescriptorDacl(rights, &present, &dacl, &defaulted) || dacl == NULL) {
        return ERROR_INVALID_SECURITY_DESCR;
    }
    for (DWORD i = 0; i < dacl->AceCount; i++) {
        ACCESS_ALLOWED_ACE *ace = NULL;
        wchar_t *sid = NULL;
        if (!GetAce(dacl, i, (LPVOID *)&ace)) {
            return GetLastError();
        }
        bool allow = ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE;
        uint32_t given = rights_of_mask(ace->Mask);
        /* A denial of some rights leaves the others, so only one of all keeps its subject out of the pipe. */
        if (allow ? given == 0 : given != ACCESS_ALL_RIGHTS) {
            continue;
        }
        if (!ConvertSidToStringSidW(&ace->SidStart, &sid)) {
            return GetLastError();
        }
        add_ace(sddl, allow ? L"A" : L"D", ACCESS_PIPE_CLIENT, sid);
        LocalFree(sid);
    }
    return ERROR_SUCCESS;
}

/* AccessCheck wants an owner and a group, which an SDDL string from a person may leave out. */
static void begin_rights(struct sddl_text *out, const wchar_t *sddl, bool has_owner, bool has_group,
                         const wchar_t *self)
{
    out->length = 0;
    add_text(out, has_owner ? L"" : L"O:SY");
    add_text(out, has_group ? L"" : L"G:SY");
    add_text(out, sddl);
    if (self != NULL) {
        /* The DACL comes last here: an SACL is of no use in this descriptor, and valid_dacl saw no other
         * part. */
        add_ace(out, L"A", ACCESS_ALL_RIGHTS, self);
    }
}

/* AccessCheck maps the generic bits of what is asked for, not those of an entry: as they came they would
 * match nothing. */
static DWORD map_entries(PSECURITY_DESCRIPTOR descriptor)
{
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL dacl = NULL;
    if (!GetSecurityDescriptorDacl(descriptor, &present, &dacl, &defaulted) || dacl == NULL) {
        return ERROR_INVALID_SECURITY_DESCR;
    }
    for (DWORD i = 0; i < dacl->AceCount; i++) {
        ACCESS_ALLOWED_ACE *ace = NULL;
        if (!GetAce(dacl, i, (LPVOID *)&ace)) {
            return GetLastError();
        }
        GENERIC_MAPPING copy = mapping;
        MapGenericMask(&ace->Mask, &copy);
    }
    return ERROR_SUCCESS;
}

static DWORD create_rights(struct sddl_text *text, const wchar_t *sddl, const wchar_t *self,
                           struct access *access)
{
    PSECURITY_DESCRIPTOR given = NULL;
    wchar_t *dacl_only = NULL;
    PSID owner = NULL;
    PSID group = NULL;
    BOOL defaulted = FALSE;
    DWORD error;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, &given, NULL)) {
        return GetLastError();
    }
    SECURITY_INFORMATION parts = DACL_SECURITY_INFORMATION;
    if (GetSecurityDescriptorOwner(given, &owner, &defaulted) && owner != NULL) {
        parts |= OWNER_SECURITY_INFORMATION;
    }
    if (GetSecurityDescriptorGroup(given, &group, &defaulted) && group != NULL) {
        parts |= GROUP_SECURITY_INFORMATION;
    }
    error = map_entries(given);
    if (error == ERROR_SUCCESS && !ConvertSecurityDescriptorToStringSecurityDescriptorW(
                                      given, SDDL_REVISION_1, parts, &dacl_only, NULL)) {
        error = GetLastError();
    }
    if (error == ERROR_SUCCESS) {
        begin_rights(text, dacl_only, owner != NULL, group != NULL, self);
        error = convert(text, &access->rights);
        LocalFree(dacl_only);
    }
    LocalFree(given);
    return error;
}

DWORD access_create(const wchar_t *sddl, bool grant_self, struct access *access)
{
    struct sddl_text text = {.size = 2 * ACCESS_SDDL_CHARS};
    wchar_t *self = NULL;
    bool is_system = false;
    memset(access, 0, sizeof *access);
    text.text = calloc(text.size, sizeof *text.text);
    if (text.text == NULL) {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    DWORD error = own_sid(&self, &is_system);
    if (error == ERROR_SUCCESS) {
        error = create_rights(&text, sddl, grant_self ? self : NULL, access);
    }
    if (error == ERROR_SUCCESS) {
        begin_pipe(&text, self, is_system);
        error = add_clients(&text, access->rights);
    }
    if (error == ERROR_SUCCESS) {
        error = convert(&text, &access->client_pipe);
    }
    if (error == ERROR_SUCCESS) {
        /* Requesters run as this very account. */
        begin_pipe(&text, self, is_system);
        error = convert(&text, &access->requester_pipe);
    }
    LocalFree(self);
    free(text.text);
    if (error != ERROR_SUCCESS) {
        access_free(access);
    }
    return error;
}

void access_free(struct access *access)
{
    LocalFree(access->rights);
    LocalFree(access->client_pipe);
    LocalFree(access->requester_pipe);
    memset(access, 0, sizeof *access);
}

DWORD access_rights_of(const struct access *access, HANDLE token, uint32_t *rights)
{
    GENERIC_MAPPING copy = mapping;
    union {
        PRIVILEGE_SET set;
        uint8_t room[256];
    } privileges;
    DWORD privileges_size = sizeof privileges;
    DWORD granted = 0;
    BOOL allowed = FALSE;
    *rights = 0;
    if (!AccessCheck(access->rights, token, MAXIMUM_ALLOWED, &copy, &privileges.set, &privileges_size,
                     &granted, &allowed)) {
        return GetLastError();
    }
    *rights = allowed ? granted & ACCESS_ALL_RIGHTS : 0;
    return ERROR_SUCCESS;
}
