/* What befalls the simulated machine by itself, if the scenario wants it. */
#pragma once
#include "copies.h"
#include "scenario.h"

/* The beginning of a call: what "[method:NAME]" wants of it. Carries out delay, hold and exit, gives the
 * result. */
HRESULT accidents_enter(const struct scenario *scenario, unsigned object, const wchar_t *method,
                        struct fault *fault);

/* Holds the call as long as the fault's file exists. */
void accidents_hold(const struct fault *fault, unsigned object, const wchar_t *method);

void accidents_exit(unsigned object, const wchar_t *where);

/* "[machine] foreign_hold_ms": another program has a set open, from the first StartSnapshotSet after the
 * scenario was changed, for so long. */
BOOL foreign_holds_set(const struct scenario *scenario);

/* "[volumes] vanish_ms": these copies are lost after so long, whoever reads them. */
void copies_vanish_later(const struct scenario *scenario, struct copy_info *infos, unsigned count);
