/* What only the hardware provider can do with its copies. A transportable set goes to the array when it has
 * been made, a directory that several simulated machines may share: "[machine] hardware_array", else
 * <store>\array. In it stand {snapshot id}\, the files, and {snapshot id}.txt, the record. From there a
 * machine imports it. A broken copy is an ordinary volume: its files are in <store>\broken\<n>, where no
 * function here finds them again. */
#pragma once
#include "copies.h"
#include "scenario.h"

/* In place of copies_publish(). All or none; the infos' numbers are 0 afterwards. */
HRESULT hardware_export(const struct scenario *scenario, struct copy_info *infos, unsigned count);
/* TRUE: it was there, and is now a copy of this object's. */
BOOL hardware_import(const struct scenario *scenario, const GUID *id, unsigned object);
/* masked: not even exposed where it was. */
HRESULT hardware_break(const struct copy_info *infos, unsigned count, BOOL masked);
