/* Whether this program was built for the processor that Windows runs on. VSS refuses requesters that are not:
 * a 32-bit or emulated one cannot talk to the writers. */
#ifndef SHADOWPIPE_HOST_MACHINE_H
#define SHADOWPIPE_HOST_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <windows.h>

/* False: `error` gets a sentence. */
bool machine_is_native(char *error, size_t size);
/* The same for a given pair, as IsWow64Process2 reports it. */
bool machine_matches(USHORT process, USHORT native);

#endif
