/* Watch: the present state first, then what changes, numbered.
 *
 * The modules say what has changed; at the end of each event the changes go to all who watch, as many as each
 * of them reads. Who falls behind loses changes, is told how many, and gets the whole state again. */
#ifndef SHADOWPIPE_BROKER_WATCH_H
#define SHADOWPIPE_BROKER_WATCH_H

#include "service/broker/request.h"

struct set;
struct lease;

void watch_begin(struct connection *connection, const PB(Envelope) * envelope);
void watch_set(struct set *set);
void watch_lease(struct lease *lease);
/* Before they are freed. */
void watch_set_ended(struct set *set);
void watch_lease_ended(struct lease *lease);
/* After each event. */
void watch_flush(struct broker *broker);
/* The service stops. */
void watch_stop(struct broker *broker);

#endif
