/* The questions behind the lists, as tables of calls. Used by inventory.c only. */
#ifndef SHADOWPIPE_BROKER_INVENTORY_STEPS_H
#define SHADOWPIPE_BROKER_INVENTORY_STEPS_H

#include "service/broker/inventory.h"

enum {
    LISTING_BYTES = 64 * 1024 * 1024
};

const struct step *inventory_steps(enum inventory_kind kind);
/* One Volume per volume of the table; whether VSS supports it is asked later. False: no memory. */
bool inventory_draft_volumes(struct inventory *inventory);
/* For the steps: everybody who waits fails for this reason. */
void inventory_run_failed(struct inventory *inventory, PB(Status) * status);

#endif
