#include "client/cli/connection.h"

#include <windows.h>

#include "client/cli/terminal.h"

void connection_note(void *context, const struct sp_connection_event *event)
{
    struct connection *connection = context;
    switch (event->kind) {
    case SP_CONNECTION_BROKEN:
        InterlockedIncrement(&connection->broken);
        break;
    case SP_CONNECTION_BACK:
        InterlockedIncrement(&connection->back);
        break;
    case SP_CONNECTION_LEASE_LOST:
    case SP_CONNECTION_OVER:
    default:
        InterlockedExchange(&connection->lost, 1);
        break;
    }
}

bool connection_tell(struct connection *connection)
{
    bool lost = connection->lost != 0; /* first: the service is back, too, when it knows of no snapshot */
    while (connection->told_broken < connection->broken ||
           (!lost && connection->told_back < connection->back)) {
        if (connection->told_broken == connection->told_back) {
            connection->told_broken++;
            terminal_note("the connection to the service was lost; it is tried again.");
        } else {
            connection->told_back++;
            terminal_note("connected again; the snapshot is still there.");
        }
    }
    return !lost;
}
