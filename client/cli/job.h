/* What `snapshot`, `run`, `check` and `attach` have in common: the request, its progress, and the end of the
 * backup. */
#ifndef SHADOWPIPE_CLIENT_CLI_JOB_H
#define SHADOWPIPE_CLIENT_CLI_JOB_H

#include "client/cli/command.h"

/* Connects and takes the snapshot that the arguments ask for. NULL: the failure is reported, *outcome says
 * what. */
struct message *job_create(struct session *session, enum outcome *outcome);
/* The same without a freeze: what the snapshot would be. */
struct message *job_check(struct session *session, enum outcome *outcome);
/* The same with a snapshot that exists: an id or a device. */
struct message *job_attach(struct session *session, const char *snapshot, enum outcome *outcome);

/* A detached lease lives ttl_ms from now, 0 = as long as before; the first time also beyond the connection.
 * NULL: the failure is reported, *outcome says what. */
struct message *job_renew(struct session *session, const char *lease_id, const char *token, uint32_t ttl_ms,
                          enum outcome *outcome);

/* Ends the reading. NULL with *error. A writer that then failed, and warnings, are told. */
struct message *job_finish(struct session *session, const PB(SnapshotReply) * snapshot, bool succeeded,
                           struct sp_error **error);

#endif
