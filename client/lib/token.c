#include "client/lib/token.h"

union user_info {
    TOKEN_USER user;
    BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
};

static bool read_user(union user_info *info)
{
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool ok = GetTokenInformation(token, TokenUser, info, sizeof *info, &size);
    CloseHandle(token);
    return ok;
}

bool token_user_is(PSID sid)
{
    union user_info info;
    return read_user(&info) && EqualSid(info.user.User.Sid, sid);
}

bool token_user_is_system(void)
{
    union user_info info;
    return read_user(&info) && IsWellKnownSid(info.user.User.Sid, WinLocalSystemSid);
}

bool token_elevation(TOKEN_ELEVATION_TYPE *type, bool *elevated)
{
    HANDLE token;
    DWORD size;
    TOKEN_ELEVATION elevation = {0};
    *type = TokenElevationTypeDefault;
    *elevated = false;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    bool ok = GetTokenInformation(token, TokenElevationType, type, sizeof *type, &size) &&
              GetTokenInformation(token, TokenElevation, &elevation, sizeof elevation, &size);
    *elevated = elevation.TokenIsElevated != 0;
    CloseHandle(token);
    return ok;
}
