/* The thread that reads a client's pipe, link after link, and hands each frame to its call. */
#ifndef SHADOWPIPE_CLIENT_LIB_READER_H
#define SHADOWPIPE_CLIENT_LIB_READER_H

#include "client/lib/client.h"

/* Over the pipe that the client has. It ends with the client, or when there will be no other link. */
bool reader_start(struct sp_client *client, struct sp_error **error);

#endif
