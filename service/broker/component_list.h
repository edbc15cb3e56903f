/* ListComponents: what was selected, component by component, with where its files are in the snapshot. */
#ifndef SHADOWPIPE_BROKER_COMPONENT_LIST_H
#define SHADOWPIPE_BROKER_COMPONENT_LIST_H

#include "service/broker/request.h"

struct set;

void component_list_answer(struct connection *connection, const PB(Envelope) * envelope);
/* The connection has room again. */
void component_lists_continue(struct connection *connection);
/* The lease has ended. */
void component_lists_end(struct set *set);

#endif
