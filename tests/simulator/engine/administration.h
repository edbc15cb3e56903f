/* What com/ needs for copies that exist already. All answer VSS_E_BAD_STATE on an object that is not
 * initialised or restores, and VSS_E_OBJECT_NOT_FOUND for copies that the object's context does not show. */
#pragma once
#include "engine.h"

/* VSS_E_PROVIDER_VETO unless the whole set is the hardware provider's. The second only checks, and notes what
 * OPERATION_BREAK is to do. */
HRESULT session_break_set(struct session *session, const GUID *set);
HRESULT session_break_later(struct session *session, const GUID *set, BOOL masked);

/* as: a drive letter ("X:", "X:\") or an empty folder. E_INVALIDARG for a copy that is released with its
 * object, or a place that is taken. exposed gets the name with a trailing backslash. */
HRESULT session_expose(struct session *session, const GUID *id, const wchar_t *as, wchar_t exposed[MAX_PATH]);
/* As a share, which is noted only. path: a folder of the copy, NULL for all; as: NULL for a name of our own.
 */
HRESULT session_expose_share(struct session *session, const GUID *id, const wchar_t *path, const wchar_t *as,
                             wchar_t exposed[MAX_PATH]);
HRESULT session_unexpose(struct session *session, const GUID *id);

/* VSS_E_UNSUPPORTED_CONTEXT for a copy that does not persist, E_NOTIMPL for one of the system provider where
 * the machine is no server, VSS_E_VOLUME_NOT_SUPPORTED for the volume of Windows,
 * VSS_E_PROVIDER_NOT_REGISTERED for a copy whose provider is gone; see also reverting.h. */
HRESULT session_revert(struct session *session, const GUID *id, BOOL force);
/* S_OK: one runs, and OPERATION_REVERT_STATUS waits for its end. VSS_E_OBJECT_NOT_FOUND: none does. */
HRESULT session_revert_status(struct session *session, const wchar_t *volume);
/* VSS_E_VOLUME_NOT_SUPPORTED: no copy is on a disk of its own. */
HRESULT session_add_to_recovery(struct session *session, const GUID *id, const wchar_t *destination);
HRESULT session_root_of(struct session *session, const wchar_t *path, wchar_t root[MAX_PATH]);

/* Needs no session: ShouldBlockRevert. The volume of Windows itself cannot be reverted. */
HRESULT engine_should_block_revert(const wchar_t *volume, BOOL *block);
