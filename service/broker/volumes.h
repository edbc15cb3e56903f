/* The volumes of this machine, and which of them a name or a path means.
 *
 * Names are resolved over the mount points that the host enumerates, so no path that a client names is
 * ever opened. The table is read anew for each job; whoever asks meanwhile shares the answer. */
#ifndef SHADOWPIPE_BROKER_VOLUMES_H
#define SHADOWPIPE_BROKER_VOLUMES_H

#include "proto/decode.h"
#include "service/broker/broker.h"
#include "service/broker/list.h"

struct volume {
    char *guid_path; /* with trailing backslash */
    char **names;    /* the same */
    size_t names_count;
    char *label;
    char *file_system;
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint32_t drive_type;
};

/* What people call a volume of any of the broker's structs. */
#define TITLE_OF(volume) ((volume)->names_count > 0 ? (volume)->names[0] : (volume)->guid_path)

struct volume_wait;
/* `failure` is NULL or says in words why there is no table. */
typedef void volume_ready(struct volume_wait *wait, const char *failure);

/* In the struct of who waits. */
struct volume_wait {
    struct list link;
    volume_ready *ready;
    bool wants_description; /* label, file system, sizes */
};

struct volume_table {
    struct arena arena;
    struct volume *volumes;
    size_t count;
    uint64_t read_ms;
    bool is_asked;
    bool is_described; /* what is asked for, or was read last */
    struct list waiting;
};

void volumes_init(struct volume_table *table);
void volumes_free(struct volume_table *table);
/* Calls wait->ready once, later; list_remove(&wait->link) gives up. */
void volumes_ask(struct broker *broker, struct volume_wait *wait);

enum volume_name_kind {
    NAME_OF_VOLUME, /* a mount point or GUID path itself */
    NAME_OF_PATH    /* anything below one */
};

/* NULL: *reason is a word for Status.reason and *message an English sentence about it. */
const struct volume *volumes_resolve(const struct volume_table *table, const char *name,
                                     enum volume_name_kind kind, const char **reason, const char **message);
/* `path` lies below the directory `root`, or is it. Without regard to case. */
bool path_is_below(const char *path, const char *root);
/* What `path` has behind `root`; NULL if it is not below. */
const char *path_behind(const char *path, const char *root);

#endif
