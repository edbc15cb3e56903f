/* Who is at the other end of a client's pipe.
 *
 * Identity and rights come from the client's token alone; process id and name are for logs. Windows gives the
 * token only after something was read from the pipe, so the host calls this at the first bytes. */
#ifndef SHADOWPIPE_HOST_CALLER_H
#define SHADOWPIPE_HOST_CALLER_H

#include "service/broker/broker.h"
#include "service/host/access.h"

/* False: `failure` gets the reason in words, and `caller` holds only process id and name. When the thread
 * cannot stop impersonating, the process ends at once: everything after would run with a stranger's rights.
 */
bool caller_identify(HANDLE pipe, const struct access *access, struct caller *caller, char *failure,
                     size_t failure_size);

#endif
