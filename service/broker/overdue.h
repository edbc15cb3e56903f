/* What is said of a call that has passed its limit of time: what took too long, what to restart, and which
 * value of the configuration allows more. */
#ifndef SHADOWPIPE_BROKER_OVERDUE_H
#define SHADOWPIPE_BROKER_OVERDUE_H

#include "service/broker/requester.h"

struct broker;

/* `how` goes on from the method's name: "did not return within its limit". */
PB(Status) * error_overdue(struct broker *broker, PB(Call__MethodCase) method, const char *how);
/* It did not return. */
PB(Status) * error_no_return(struct broker *broker, PB(Call__MethodCase) method);
/* The same, and the process had to be killed while it did what was owed. */
PB(Status) * error_stuck(struct broker *broker, PB(Call__MethodCase) method);

#endif
