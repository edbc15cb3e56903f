/* What becomes of the connection while a snapshot is read: noted as the library tells it, on a thread of its
 * own, and shown by the thread that waits. */
#ifndef SHADOWPIPE_CLIENT_CLI_CONNECTION_H
#define SHADOWPIPE_CLIENT_CLI_CONNECTION_H

#include <stdbool.h>

#include "client/lib/shadowpipe.h"

struct connection {
    volatile long broken; /* how often */
    volatile long back;
    volatile long lost; /* the snapshot is gone */
    long told_broken;
    long told_back;
};

/* For sp_connect_options; the context is a struct connection. */
void connection_note(void *connection, const struct sp_connection_event *event);

/* A line for each time that it was lost or came back since the last call. False: the snapshot is gone. */
bool connection_tell(struct connection *connection);

#endif
