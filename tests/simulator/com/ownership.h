/* Who owns what, checked when the scenario says "[machine] debug=1": an object used after its last Release, a
 * component's info or a snapshot's properties freed twice or that never came from here. Each is a line
 * "misuse" in the event log, and does no harm; with debug=2 the process ends there, with exit code 4. Objects
 * are not given back to the heap then. */
#pragma once
#include <windows.h>

void ownership_check(unsigned long level);

/* Instead of free(), for a COM object after its last Release; vtables points to its first vtable pointer,
 * count says how many follow each other. */
void ownership_end(void *object, const void **vtables, unsigned count);

/* Memory goes to the caller, and comes back. FALSE: it must not be freed. */
void ownership_give(const void *memory);
BOOL ownership_take(const void *memory, const wchar_t *function);
