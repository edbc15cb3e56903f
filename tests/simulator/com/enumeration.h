/* IVssEnumObject over what Query found: copies, or the providers. */
#pragma once
#include "engine/engine.h"

/* Takes infos (from malloc) over, also when it fails. */
HRESULT enumeration_of_copies(struct copy_info *infos, unsigned count, IVssEnumObject **out);
HRESULT enumeration_of_providers(unsigned count, IVssEnumObject **out);
