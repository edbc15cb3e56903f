/* IVssAsync: one asynchronous operation of a session on a thread of its own. The thread holds references of
 * its own on this object, on the session and on the DLL, so the caller may release everything, or unload us,
 * at any time. */
#pragma once
#include "engine/engine.h"

/* Begins the operation and hands out its object; refuses with what session_begin() says. */
HRESULT async_start(struct session *session, enum operation operation, const struct fault *fault,
                    IVssAsync **out);
