/* The warm requester: one process that is kept started, with COM ready and no VSS object yet, so that a
 * request does not wait for a process to start.
 *
 * requester_start takes it, and the next one is started soon after. One that ends by itself is replaced after
 * a while: what keeps it from working is told by the request that then needs a process of its own. */
#ifndef SHADOWPIPE_BROKER_WARM_H
#define SHADOWPIPE_BROKER_WARM_H

#include "service/broker/requester.h"

void warm_init(struct broker *broker);
/* NULL: there is none. */
struct requester *warm_take(struct broker *broker);
/* The service stops. */
void warm_stop(struct broker *broker);

#endif
