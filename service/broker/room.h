/* Room for a set's copies, looked at before the gate: how many a volume has, and its shadow storage.
 *
 * What certainly would fail fails at once, with VSS's own code; what is tight is a warning; what cannot be
 * told is not known, and costs nobody the snapshot. The questions are steps of the set's opening. */
#ifndef SHADOWPIPE_BROKER_ROOM_H
#define SHADOWPIPE_BROKER_ROOM_H

#include "service/broker/sequence.h"

struct job;
struct set;

/* For the table of steps; the subject is a set. */
bool room_counted(void *subject, size_t index, const PB(CallReply) * reply);
bool room_area_told(void *subject, size_t index, const PB(CallReply) * reply);
/* Judges. False: the set ends. */
bool room_known(void *subject);

/* Of the job's volumes, in the event's memory. False: no memory. */
bool room_report(const struct job *job, PB(SnapshotReply) * reply);

#endif
