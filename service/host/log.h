/* What the service says about itself: lines on stderr as a console program, the event log as a service.
 *
 * May be called from any thread. Writing happens on the helper thread once there is one, so a full pipe or a
 * slow event log never stops the loop; lines that find the queue full are counted and the count is told. */
#ifndef SHADOWPIPE_HOST_LOG_H
#define SHADOWPIPE_HOST_LOG_H

#include "service/broker/broker.h"
#include "service/host/helper.h"

enum {
    LOG_TEXT_BYTES = 1024
};

enum log_sink {
    LOG_TO_STDERR,
    LOG_TO_EVENT_LOG
};

/* Until this is called, lines go to stderr at once. `lowest` = what is printed at all; the event log gets
 * warnings, errors, and what log_event says. */
void log_start(enum log_sink sink, enum broker_log_level lowest);
/* From now on through the helper; NULL = directly again (before the helper is stopped). */
void log_use_helper(struct helper *helper);
void log_end(void);

void log_write(enum broker_log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* Adds the system's words for the Win32 code. */
void log_error(enum broker_log_level level, DWORD error, const char *format, ...) PRINTF_LIKE(3, 4);
/* An entry that the event log gets whatever its level: `event_id` of events.mc. */
void log_event(DWORD event_id, enum broker_log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
