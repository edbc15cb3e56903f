/* What a backup keeps beside its data: VSS's documents (--save-documents) and the list of files (--manifest).
 *
 * The documents are there before the program runs, so that a backup whose data is complete can be restored;
 * what cannot be written makes it a failed one. */
#ifndef SHADOWPIPE_CLIENT_CLI_ARTIFACTS_H
#define SHADOWPIPE_CLIENT_CLI_ARTIFACTS_H

#include "client/cli/command.h"
#include "client/cli/places.h"

/* Before the snapshot: makes the folder, if it is not there. */
bool artifacts_prepare(const struct arguments *arguments, struct sp_error **error);

/* Once the snapshot exists: each document goes into the folder, as backup-components.xml and
 * writer-INSTANCE.xml. */
bool artifacts_save_documents(struct session *session, const PB(SnapshotReply) * snapshot,
                              struct sp_error **error);

/* The list of files, with paths through the letters and links. */
bool artifacts_write_manifest(struct session *session, const struct places *places, struct sp_error **error);

/* Calls `set` for SHADOWPIPE_MANIFEST and SHADOWPIPE_DOCUMENTS, with full paths. False: there is no such
 * path. */
bool artifacts_environment(const struct arguments *arguments,
                           void (*set)(void *context, const char *name, const char *value), void *context);

/* After BackupComplete: the Backup Components Document as it is then takes the place of the first one. */
bool artifacts_save_completed(struct session *session, const PB(SnapshotReply) * snapshot,
                              const PB(FinishReply) * finish, struct sp_error **error);

#endif
