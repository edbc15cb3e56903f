/* IVssDifferentialSoftwareSnapshotMgmt, the shadow storage of the system provider, and the
 * IVssEnumMgmtObject that its queries give. An object reads the scenario when it is made; its calls are
 * logged, and can be made to fail, as those of a VSS object. */
#pragma once
#include "engine/scenario.h"

#include <vss.h>
#include <vsmgmt.h>

HRESULT management_create(REFIID interface_id, IUnknown **out);
