/* What people read: numbers with units, progress, errors, lists. Pure text, no terminal. */
#ifndef SHADOWPIPE_CLIENT_CLI_DISPLAY_H
#define SHADOWPIPE_CLIENT_CLI_DISPLAY_H

#include "client/cli/text.h"
#include "client/lib/shadowpipe.h"
#include "proto/wire.h"

void display_duration(struct text *text, uint64_t ms);   /* "0.4 s", "12 s", "3 min 05 s", "2 h 10 min" */
void display_size(struct text *text, uint64_t bytes);    /* "1.5 GiB" */
void display_time(struct text *text, int64_t unix_ms);   /* "2026-11-29 09:08:07 UTC" */
const char *display_phase(PB(Phase) phase);              /* "freezing and copying" */
const char *display_waiting(PB(WaitingFor) waiting_for); /* NULL: for nothing */

/* One line, without a line end: "waiting in the queue, position 2, about 12 s more (3 s)". */
void display_progress(struct text *text, const PB(Progress) * progress);

/* What failed, why, and what to do; several lines, each with its line end. */
void display_error(struct text *text, const struct sp_error *error);

void display_snapshot(struct text *text, const PB(SnapshotReply) * reply);
/* Of a dry run: what the snapshot would be, and the room for it. */
void display_check(struct text *text, const PB(SnapshotReply) * reply);
void display_leases(struct text *text, const PB(LeasesReply) * reply);
/* Of a backup that was ended: one line. */
void display_finish(struct text *text, const PB(FinishReply) * reply);
void display_stored(struct text *text, const PB(SnapshotsReply) * reply);
void display_imported(struct text *text, const PB(ImportSetReply) * reply);
void display_deleted(struct text *text, const PB(DeleteReply) * reply, bool dry_run);
void display_status(struct text *text, const struct sp_server *server, const PB(ServiceStatus) * status);
void display_writer_head(struct text *text);
void display_writer(struct text *text, const PB(Writer) * writer);
void display_volumes(struct text *text, const PB(VolumesReply) * reply);
void display_providers(struct text *text, const PB(ProvidersReply) * reply);
/* A writer that failed: " - SqlServerWriter: FAILED_AT_FREEZE, VSS_E_…; restart the service MSSQL". */
void display_writer_failure(struct text *text, const PB(WriterStatus) * writer);

#endif
