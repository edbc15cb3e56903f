/* GetServiceStatus: what the service is doing now. */
#ifndef SHADOWPIPE_BROKER_SERVICE_STATUS_H
#define SHADOWPIPE_BROKER_SERVICE_STATUS_H

#include "service/broker/connection.h"

void service_status_answer(struct connection *connection, const PB(Envelope) * envelope);

#endif
