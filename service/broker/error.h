/* Building the Status of a failure. All live in the broker's arena until the next event; a NULL goes
 * through every function here and ends as a plain "no memory" at the client. */
#ifndef SHADOWPIPE_BROKER_ERROR_H
#define SHADOWPIPE_BROKER_ERROR_H

#include "proto/status.h"

struct broker;

PB(Status) * error_advise(PB(Status) * status, const char *advice);
PB(Status) * error_field(PB(Status) * status, const char *field);
PB(Status) * error_limit(PB(Status) * status, const char *limit_name, uint32_t retry_after_ms);
PB(Status) * error_retry(PB(Status) * status, PB(Retry) retry, uint32_t retry_after_ms);

/* "there may be no more than 16 sessions (max_sessions)" */
PB(Status) * error_over_limit(struct broker *broker, const char *limit_name, uint64_t limit, const char *what,
                              const char *advice);
/* The ones that several places give. */
PB(Status) * error_stopping(struct broker *broker);
PB(Status) * error_cancelled(struct broker *broker);
PB(Status) * error_deadline(struct broker *broker, uint64_t waited_ms, const char *doing);

PB(Status) * error_volumes_unknown(struct broker *broker, const char *failure);

/* What is sent when there was no memory for the real one. Static. */
PB(Status) * error_no_memory(void);

#endif
