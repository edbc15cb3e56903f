/* The drive letters and links of one snapshot: made as --as and --mount ask, guarded, and taken away again.
 */
#ifndef SHADOWPIPE_CLIENT_CLI_MAPPING_H
#define SHADOWPIPE_CLIENT_CLI_MAPPING_H

#include "client/cli/guard.h"
#include "client/cli/places.h"

struct mapped {
    char *name; /* "X:" or the link's full path */
    char *root; /* with trailing backslash */
    const char *target;
};

struct mapping {
    struct places places;
    struct mapped items[PLACES_MAX];
    size_t count;
    struct guard guard;
};

/* Takes away what commands left that were killed together with their guard. */
void mapping_sweep(void);

/* Before the snapshot: are the letters and folders that are asked for free, and all different? */
bool mapping_check(const struct arguments *arguments, struct sp_error **error);

/* False: nothing is mapped. `reply` has to outlive the mapping. */
bool mapping_make(struct mapping *mapping, const PB(SnapshotReply) * reply, const struct arguments *arguments,
                  struct sp_error **error);

/* Takes all away; what fails is complained about, and false returned. */
bool mapping_undo(struct mapping *mapping);

#endif
