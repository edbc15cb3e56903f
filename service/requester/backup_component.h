/* A component of the Backup Components Document (IVssComponent) as the wire's BackupComponent. */
#ifndef SHADOWPIPE_REQUESTER_BACKUP_COMPONENT_H
#define SHADOWPIPE_REQUESTER_BACKUP_COMPONENT_H

#include "service/requester/session.h"

/* Everything that the component says in its present phase; what belongs to another phase, or to a newer
 * VSS, stays empty. Any other failure is returned, and reply->failed_method names the method. */
HRESULT backup_component_fill(struct reply *reply, IVssComponent *component, PB(BackupComponent) * out);

#endif
