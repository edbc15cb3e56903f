/* IVssEnumMgmtObject over areas, or over volumes. */
#pragma once
#include "engine/storage.h"

#include <vss.h>
#include <vsmgmt.h>

/* Takes the list over, also when it fails. */
HRESULT management_list_create(struct storage_entry *entries, unsigned count, IVssEnumMgmtObject **out);
