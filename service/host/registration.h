/* How the service is registered with the Service Control Manager, beyond its name and path: recovery, the
 * time that it has at a shutdown, its SID, its privileges.
 *
 * `shadowpiped install` applies all of it. An installer package does not, so the service looks at its own
 * registration whenever it runs and completes it; what an administrator has changed stays. */
#ifndef SHADOWPIPE_HOST_REGISTRATION_H
#define SHADOWPIPE_HOST_REGISTRATION_H

#include <stdint.h>
#include <windows.h>

/* `service` needs SERVICE_CHANGE_CONFIG and SERVICE_START. `stop_ms` = the longest that a stop may take.
 * `report` is told of every setting that could not be made, without which the service works, too;
 * ERROR_INVALID_LEVEL: this system does not offer it. */
void registration_apply(SC_HANDLE service, uint32_t stop_ms, void (*report)(const char *what, DWORD error));
/* For the running service itself. */
void registration_complete(uint32_t stop_ms, void (*report)(const char *what, DWORD error));

#endif
