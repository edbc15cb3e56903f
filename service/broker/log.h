/* Lines for the host's log: what was decided and why. Never secrets or tokens. */
#ifndef SHADOWPIPE_BROKER_LOG_H
#define SHADOWPIPE_BROKER_LOG_H

#include "proto/wire.h"
#include "service/broker/broker.h"

void broker_log(struct broker *broker, enum broker_log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
