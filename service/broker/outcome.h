/* What FinishBackup says about a backup, component by component, and what is answered. */
#ifndef SHADOWPIPE_BROKER_OUTCOME_H
#define SHADOWPIPE_BROKER_OUTCOME_H

#include "service/broker/set.h"

/* NULL, or why the backup cannot be finished so. `set` is NULL where a record is all that is left. */
PB(Status) * outcome_check(struct broker *broker, const struct set *set, const PB(FinishBackup) * finish);
void outcome_take(struct set *set, const PB(FinishBackup) * finish);
/* The backup is complete: how the writers took it, which components failed, and the documents. */
void outcome_fill(struct set *set, PB(FinishReply) * reply);

#endif
