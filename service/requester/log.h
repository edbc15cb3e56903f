/* What a requester has to say that no reply carries: to stderr and to an attached debugger. */
#ifndef SHADOWPIPE_REQUESTER_LOG_H
#define SHADOWPIPE_REQUESTER_LOG_H

/* Always: duties that failed, a service that was not to be reached. */
void log_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line per call, when the environment variable SHADOWPIPE_TRACE is set. */
void log_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
