/* The list of files of --manifest: JSON Lines, one object for each directory with files of a component. Pure
 * text. docs/cli.md describes it for those who read it. */
#ifndef SHADOWPIPE_CLIENT_CLI_MANIFEST_H
#define SHADOWPIPE_CLIENT_CLI_MANIFEST_H

#include "client/cli/places.h"
#include "client/lib/shadowpipe.h"

struct manifest {
    const struct places *places;
    struct text text;
    struct text incomplete; /* components of which the service left something out */
};

/* For sp_list_components. */
void manifest_add(void *manifest, const struct sp_component *component);

#endif
