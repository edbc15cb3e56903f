/* RevertToSnapshot: the files of a volume become those of a copy, at once; for "[machine] revert_ms" the
 * revert counts as running, machine-wide and whatever becomes of who started it. Its record is
 * <store>\reverts\{guid}.txt. The store stays where it is. */
#pragma once
#include "copies.h"
#include "scenario.h"

/* S_OK, VSS_E_REVERT_IN_PROGRESS, VSS_E_VOLUME_IN_USE (by "[volumes] busy", without force), E_FAIL. */
HRESULT reverting_begin(const struct scenario *scenario, const struct volume *volume,
                        const struct copy_info *info, BOOL force);
/* Until when, in unix ms; 0: none runs. */
unsigned long long reverting_until(const struct volume *volume);
