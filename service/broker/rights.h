/* What each request needs: one table, by request and its parameters. No row, no call. */
#ifndef SHADOWPIPE_BROKER_RIGHTS_H
#define SHADOWPIPE_BROKER_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
    RIGHTS_COUNT = 6 /* that there are */
};

/* VSS_VOLUME_SNAPSHOT_ATTRIBUTES that make a copy outlive its maker: PERSISTENT, CLIENT_ACCESSIBLE and
 * NO_AUTO_RELEASE. */
enum {
    ATTRIBUTES_PERSISTENT = 0x1 | 0x4 | 0x8,
    ATTRIBUTE_NO_AUTO_RELEASE = 0x8,
    ATTRIBUTE_NO_WRITERS = 0x10,
    ATTRIBUTE_TRANSPORTABLE = 0x20
};

/* False: the envelope is no request. *rights are bits as in struct caller, all of which are needed; 0 for
 * what whoever may open the pipe may ask, and for what the token of a lease decides. */
bool rights_needed(const PB(Envelope) * envelope, uint32_t *rights);
/* Of the lowest bit set, e.g. "SNAPSHOT". */
const char *right_name(uint32_t rights);

#endif
