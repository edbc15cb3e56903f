/* The engine's end of ../hook.h: asks an outside program to do what a writer does at a phase. */
#pragma once
#include <windows.h>
#include "../hook.h"

BOOL hook_is_there(const wchar_t *name);

/* S_OK or the writer's failure; VSS_E_WRITERERROR_TIMEOUT past limit_ms; VSS_E_WRITER_NOT_RESPONDING if the
 * program ended; VSS_S_ASYNC_CANCELLED as soon as the event cancel (which may be NULL) is set. */
HRESULT hook_ask(const wchar_t *name, enum hook_phase phase, DWORD limit_ms, HANDLE cancel);
