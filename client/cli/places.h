/* Where a program reads the snapshot: which path of it a live path is, with the drive letters and links that
 * were made for its volumes, and the environment that says so. Pure translation of strings. */
#ifndef SHADOWPIPE_CLIENT_CLI_PLACES_H
#define SHADOWPIPE_CLIENT_CLI_PLACES_H

#include "client/cli/args.h"
#include "client/cli/text.h"
#include "proto/wire.h"

enum {
    PLACES_MAX = 2 * LIST_MAX
};

/* A drive letter or link that stands for the root directory of one volume's snapshot. */
struct place {
    const PB(Snapshot) * volume;
    const char *root; /* "X:\" or "C:\backup\c\", with trailing backslash */
};

struct places {
    const PB(SnapshotReply) * reply;
    struct place items[PLACES_MAX]; /* of a volume's places the first is used */
    size_t count;
};

/* The volume with this name: "C:", "c:\", a mounted folder, a GUID path. NULL: not in the snapshot. */
const PB(Snapshot) * places_find_volume(const PB(SnapshotReply) * reply, const char *name);

/* Adds the path in the snapshot of a full live path. False: none of its volumes holds it. */
bool places_resolve(const struct places *places, const char *path, struct text *out);

/* Adds a path in the snapshot as it is through the first letter or link of its volume; without one as it is.
 */
void places_shorten(const struct places *places, const char *shadow, struct text *out);

/* Makes a path full, as the system does. False: it cannot. */
typedef bool places_full_path(const char *path, struct text *full);

/* Adds an argument of the program, its "snap:" part translated. *refers becomes true when it names the
 * snapshot (also through a letter, a link or the environment). False: a "snap:" path is not in the snapshot.
 */
bool places_argument(const struct places *places, const char *argument, places_full_path *full_path,
                     struct text *out, bool *refers);

/* Calls `set` for each variable. False without memory. */
bool places_environment(const struct places *places,
                        void (*set)(void *context, const char *name, const char *value), void *context);

/* "C:\, D:\" of the snapshot's volumes. */
void places_list_volumes(const PB(SnapshotReply) * reply, struct text *out);

#endif
