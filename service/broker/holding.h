/* Whose a snapshot is, and who reads it: what the service itself knows of the snapshots that VSS shows. */
#ifndef SHADOWPIPE_BROKER_HOLDING_H
#define SHADOWPIPE_BROKER_HOLDING_H

#include "service/broker/connection.h"

/* The texts are those of a lease or session, "" where there is none, and live as long as it does. */
struct holding {
    bool is_ours;    /* made through this service */
    bool is_callers; /* all of it: nobody else has a part in it */
    bool is_read;    /* by a lease or a session */
    const char *owner_sid;
    const char *purpose;
    const char *lease_id;
};

/* As `reader` has to do with it: of several leases its own comes first. */
void holding_find(const struct connection *reader, const char *snapshot_id, struct holding *holding);
/* The snapshot does not exist any more: whoever reads it has lost it, for this reason. */
void holding_deleted(struct broker *broker, const char *snapshot_id, const char *reason);

#endif
