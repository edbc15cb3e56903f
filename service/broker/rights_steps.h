/* What each step needs: one table, by method and its parameters. No row, no call.
 *
 * Looked at when a call's turn comes, for then the session's own ids are known. */
#ifndef SHADOWPIPE_BROKER_RIGHTS_STEPS_H
#define SHADOWPIPE_BROKER_RIGHTS_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"

/* Whose set it is that a call names. */
struct rights_subject {
    bool (*owns)(const void *session, const char *id); /* a snapshot's or a set's */
    const void *session;
};

/* False: clients may not make this call at all. *rights as in rights.h. */
bool rights_for_step(const PB(Call) * call, const struct rights_subject *subject, uint32_t *rights);

#endif
