/* The service's entries in the Application event log, and the registration of its source.
 *
 * Called through log.h by one thread at a time. Each kind of entry has a budget, so that nobody can fill the
 * log by misbehaving; an entry that follows suppressed ones says how many there were. */
#ifndef SHADOWPIPE_HOST_EVENTLOG_H
#define SHADOWPIPE_HOST_EVENTLOG_H

#include <windows.h>

#include "service/broker/broker.h"

enum {
    EVENTLOG_BURST = 20,
    EVENTLOG_REFILL_MS = 30 * 1000
};

void eventlog_open(void);
void eventlog_close(void);
/* `event_id` of events.mc; 0 = the general entry for this level. */
void eventlog_write(DWORD event_id, enum broker_log_level level, const char *text);

/* The budget alone, for one kind of entry: true = may be written, and *suppressed says how many were not. */
struct eventlog_budget {
    ULONGLONG refilled_ms;
    unsigned tokens;
    unsigned suppressed;
};
BOOL eventlog_allow(struct eventlog_budget *budget, ULONGLONG now_ms, unsigned *suppressed);

/* Writes or removes the source's registration. A Win32 code. */
DWORD eventlog_register(const wchar_t *message_file);
DWORD eventlog_unregister(void);

#endif
