/* Which provider makes a copy: the system's, or a hardware provider, which exists only if the scenario says
 * "[machine] hardware_provider=1" and which has the volumes of "[volumes] hardware" (all, if there is no such
 * key). The attribute HARDWARE_ASSISTED of a copy says whose it is. */
#pragma once
#include "copies.h"
#include "scenario.h"

extern const GUID providers_system, providers_hardware;

BOOL providers_have_hardware(const struct scenario *scenario);

/* By the id that a requester gives (GUID_NULL: hardware first) and the context. S_OK,
 * VSS_E_PROVIDER_NOT_REGISTERED, VSS_E_VOLUME_NOT_SUPPORTED, VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER. */
HRESULT providers_choose(const struct scenario *scenario, const struct volume *volume, const GUID *provider,
                         LONG context, BOOL *hardware);

BOOL copy_is_hardware(const struct copy_info *info);
