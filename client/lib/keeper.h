/* The thread that gets the connection of a client back that holds leases: it opens the pipe again as long as
 * the client wants to wait, greets the service, and attaches each lease. The client's other calls wait
 * meanwhile. */
#ifndef SHADOWPIPE_CLIENT_LIB_KEEPER_H
#define SHADOWPIPE_CLIENT_LIB_KEEPER_H

#include "client/lib/client.h"

/* There is a lease now. Without a thread for it a broken link stays so. Reader thread. */
void keeper_ensure(struct sp_client *client);

#endif
