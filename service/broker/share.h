/* Sharing: requests for the same kind of snapshot become members of one set.
 *
 * Same kind: a COPY backup without components, in the same context, with the same wishes about writers and
 * providers, that ends with its leases and asks for nothing of its own (hold points, limits of time,
 * documents). Who wants volumes that the set does not have joins until PrepareForBackup; who wants no others,
 * until DoSnapshotSet; after that a request joins only if it said how old its snapshot may be. So nobody gets
 * a snapshot from before its request without having asked for it. Each member sees its own volumes only.
 *
 * What goes wrong because of one volume costs those who want it: a set is made again once without a volume
 * that AddToSnapshotSet refused, and when DoSnapshotSet fails its members are split once, by their volumes.
 */
#ifndef SHADOWPIPE_BROKER_SHARE_H
#define SHADOWPIPE_BROKER_SHARE_H

#include "service/broker/job.h"
#include "service/broker/set.h"

/* Could the job be one of several members at all? */
bool share_is_possible(const struct job *job);
/* Every job of the queue that may joins a set. */
void share_queued(struct broker *broker);
/* IsVolumeSupported or AddToSnapshotSet was answered no: those who want the volume fail. True: somebody is
 * left, and the set may go on without it. */
bool share_without_volume(struct set *set, const char *guid_path, const PB(Status) * status);
/* DoSnapshotSet failed. True: the members are back in the queue, each with others of the same volumes only.
 */
bool share_split(struct set *set, const PB(Status) * status);

#endif
