/* GetServiceStatus: what the service is doing now. Watch and the metrics are made of the same parts. */
#ifndef SHADOWPIPE_BROKER_SERVICE_STATUS_H
#define SHADOWPIPE_BROKER_SERVICE_STATUS_H

#include "service/broker/connection.h"

struct set;

/* Whom it is for: others' jobs are named to it, but not described. */
struct status_reader {
    struct arena *arena;
    const struct owner *owner; /* NULL: nobody's */
    bool sees_all;
};

struct status_reader status_reader_of(struct connection *connection);

void service_status_answer(struct connection *connection, const PB(Envelope) * envelope);
/* All of it, with parts in the reader's arena and in the broker. False: no memory. */
bool service_status_fill(struct broker *broker, const struct status_reader *reader,
                         PB(ServiceStatus) * status);
/* Without sets and counters. */
void service_status_summary(struct broker *broker, PB(ServiceStatus) * status);
/* NULL: no memory. */
PB(SetInfo) * service_status_set(const struct status_reader *reader, struct set *set);

#endif
