/* Ends the process when a step of its duties does not return.
 *
 * A writer or a provider can hold a COM call for ever, and nothing can cancel a synchronous one. While the
 * service is there it kills such a process; without it nobody would. Used only once the pipe is broken. */
#ifndef SHADOWPIPE_REQUESTER_WATCHDOG_H
#define SHADOWPIPE_REQUESTER_WATCHDOG_H

#include <windows.h>

/* From now on the step named has this long; a new step or watchdog_rest ends the one before. If the
 * watchdog's own thread cannot be had, the process ends at once: without it the duties could hang for ever.
 */
void watchdog_step(const char *name, DWORD limit_ms);
void watchdog_rest(void);

#endif
