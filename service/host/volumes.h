/* The volumes that the system enumerates, with their mount points. */
#ifndef SHADOWPIPE_HOST_VOLUMES_H
#define SHADOWPIPE_HOST_VOLUMES_H

#include "service/broker/broker.h"

struct volume_list {
    struct host_volume *volumes;
    size_t count;
    size_t capacity;
    char failure[256]; /* empty = enumerated */
};

/* May block on a volume that does not answer, so it belongs on the helper's thread. Label, file system and
 * sizes with `described` only: a volume is asked itself for these, the mount manager for the rest. */
void host_volumes_enumerate(struct volume_list *list, bool described);
void host_volumes_free(struct volume_list *list);

#endif
