/* What the whole simulated machine knows about VSS objects: which live, in which process, and which of them
 * is the one creator of a snapshot set. Two files an object: <store>\objects\<n>.txt, its record, and
 * <n>.lock, which its process holds open without sharing and which therefore dies with it. The creator
 * likewise: creator.txt and creator.lock.
 *
 * A record whose lock is free belongs to a dead process. Windows notices such a death only after minutes, so
 * the record goes on counting for rundown_ms from the moment when any VSS object first sees it (the time is
 * kept in the record); until then a creator's record left open means VSS_E_SNAPSHOT_SET_IN_PROGRESS. After it
 * machine_sweep() does what COM does: Abort and BackupShutdown for its writers, its auto-release copies
 * deleted, the records removed. */
#pragma once
#include <windows.h>
#include "scenario.h"

struct machine_object {
    unsigned number; /* machine-wide, never used twice */
    HANDLE lock;
};

HRESULT machine_join(struct machine_object *object);
/* Says in the record which writers take part, for the day the process dies. Lists are separated by ';'. */
void machine_note_writers(const struct machine_object *object, const wchar_t *writers, const wchar_t *hooks);
void machine_leave(struct machine_object *object);

/* Becomes the creator: S_OK and a lock for creator_end(), or VSS_E_SNAPSHOT_SET_IN_PROGRESS. */
HRESULT creator_begin(const struct scenario *scenario, const struct machine_object *object, HANDLE *lock);
void creator_end(const struct machine_object *object, HANDLE *lock);

/* Not to be called with the store locked. */
void machine_sweep(const struct scenario *scenario);
