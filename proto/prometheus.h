/* A ServiceStatus as metrics in Prometheus' text format, version 0.0.4.
 *
 * Times are in seconds and names end as Prometheus wants them: a counter "gate_wait_ms" is written as
 * shadowpipe_gate_wait_seconds_total. Used by the command line and by the service's metrics file. */
#ifndef SHADOWPIPE_PROTO_PROMETHEUS_H
#define SHADOWPIPE_PROTO_PROMETHEUS_H

#include <stddef.h>

#include "proto/wire.h"

/* Like snprintf: writes at most `size` bytes with the NUL, and returns how many characters there are in all.
 * `buffer` may be NULL when `size` is 0. */
size_t prometheus_write(const PB(ServiceStatus) * status, char *buffer, size_t size);

#endif
