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
/* Whether the asker that is served means this writer; and a part of it for it, after which the step is run
 * again as soon as there is room. False: the run has ended. */
bool inventory_is_asked_for(const struct inventory *inventory, const PB(Writer) * writer);
bool inventory_send_part(struct inventory *inventory, PB(Writer) * part);

#endif
