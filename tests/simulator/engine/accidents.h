/* What befalls the simulated machine by itself, if the scenario wants it. */
#pragma once
#include "copies.h"
#include "scenario.h"

/* "[machine] foreign_hold_ms": another program has a set open, from the first StartSnapshotSet after the
 * scenario was changed, for so long. */
BOOL foreign_holds_set(const struct scenario *scenario);

/* "[volumes] storage_copies": there is room for so many copies of a volume. The oldest go, as on Windows, to
 * make room for the next; where there is room for none, VSS_E_INSUFFICIENT_STORAGE. */
HRESULT storage_make_room(const struct scenario *scenario, const struct volume *volumes, unsigned count);

/* "[volumes] vanish_ms": these copies are lost after so long, whoever reads them. */
void copies_vanish_later(const struct scenario *scenario, struct copy_info *infos, unsigned count);
