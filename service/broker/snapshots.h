/* What requests about snapshots that exist have in common: names, ids and descriptions. */
#ifndef SHADOWPIPE_BROKER_SNAPSHOTS_H
#define SHADOWPIPE_BROKER_SNAPSHOTS_H

#include "service/broker/operation.h"

/* A GUID as the protocol writes it, in either case. */
bool text_is_id(const char *text);
PB(Status) * error_bad_id(struct broker *broker, const char *field);
/* For prepare: fills operation->volume with the GUID path of the volume that is named. NULL or why it cannot.
 */
PB(Status) *
    operation_resolve(struct operation *operation, const char *name, const char *field, const char *failure);
/* Of the table; NULL where it has no such volume. */
const struct volume *snapshot_volume(const struct broker *broker, const char *guid_path);
/* As it is shown, in the event's memory, over what VSS said; without `may_read` nothing of where it can be
 * read. NULL: no memory. */
PB(Snapshot) *
    snapshot_describe(struct broker *broker, const PB(Snapshot) * seen, bool with_volumes, bool may_read);

#endif
