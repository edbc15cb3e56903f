/* Whose process this is, by its token. A token that cannot be read is nobody's. */
#ifndef SHADOWPIPE_CLIENT_LIB_TOKEN_H
#define SHADOWPIPE_CLIENT_LIB_TOKEN_H

#include <stdbool.h>

#include <windows.h>

bool token_user_is(PSID sid);
bool token_user_is_system(void);

/* False: it cannot be read, and neither elevated nor limited is what comes out. */
bool token_elevation(TOKEN_ELEVATION_TYPE *type, bool *elevated);

#endif
