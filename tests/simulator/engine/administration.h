/* What com/ needs for copies that exist already. All answer VSS_E_BAD_STATE on an object that is not
 * initialised or restores, and VSS_E_OBJECT_NOT_FOUND for copies that the object's context does not show. */
#pragma once
#include "engine.h"

/* The one provider is the system's, whose sets cannot be broken: VSS_E_PROVIDER_VETO. */
HRESULT session_break_set(struct session *session, const GUID *set);

/* as: a drive letter ("X:", "X:\") or an empty folder; NULL asks for a share, of which there are none:
 * VSS_E_PROVIDER_VETO. E_INVALIDARG for a copy that is released with its object, or a place that is taken.
 * exposed gets the name with a trailing backslash. */
HRESULT session_expose(struct session *session, const GUID *id, const wchar_t *as, wchar_t exposed[MAX_PATH]);
HRESULT session_unexpose(struct session *session, const GUID *id);

/* E_NOTIMPL, as by a provider that cannot; VSS_E_UNSUPPORTED_CONTEXT for a copy that does not persist. */
HRESULT session_revert(struct session *session, const GUID *id);
/* No revert ever runs: VSS_E_OBJECT_NOT_FOUND. */
HRESULT session_revert_status(struct session *session, const wchar_t *volume);
/* VSS_E_VOLUME_NOT_SUPPORTED: no copy is on a disk of its own. */
HRESULT session_add_to_recovery(struct session *session, const GUID *id, const wchar_t *destination);
HRESULT session_root_of(struct session *session, const wchar_t *path, wchar_t root[MAX_PATH]);

/* Needs no session: ShouldBlockRevert. The volume of Windows itself cannot be reverted. */
HRESULT engine_should_block_revert(const wchar_t *volume, BOOL *block);
