/* What a restore does to which component: chosen from the Backup Components Document, held against what the
 * writers say today and what their stored Writer Metadata Documents say, and directed to a place.
 *
 * Nothing here talks to anybody. The messages that a plan is made from live at least as long as it does.
 * After a failed allocation `no_memory` is set; whoever uses the whole asks once. */
#ifndef SHADOWPIPE_CLIENT_CLI_RESTORE_PLAN_H
#define SHADOWPIPE_CLIENT_CLI_RESTORE_PLAN_H

#include "client/cli/text.h"
#include "proto/decode.h"

/* VSS_RESTORE_TARGET */
enum restore_target {
    TARGET_UNDEFINED,
    TARGET_ORIGINAL,
    TARGET_ALTERNATE,
    TARGET_DIRECTED,
    TARGET_ORIGINAL_LOCATION
};

/* VSS_ROLLFORWARD_TYPE */
enum roll_forward {
    ROLL_NONE = 1,
    ROLL_ALL = 2,
    ROLL_TO_POINT = 3
};

/* VSS_BACKUP_SCHEMA: what of a restore a writer has to support by itself. */
enum {
    SCHEMA_NEW_TARGET = 0x100,
    SCHEMA_ROLL_FORWARD = 0x1000,
    SCHEMA_RENAME = 0x2000,
    SCHEMA_AUTHORITATIVE = 0x4000
};

/* Files of a component: those that match a filespec in a directory. */
struct restore_files {
    const PB(FileDescriptor) * declared;
    const PB(Component) * component; /* that declares them: the one that is restored, or one below it */
    PB(FileRole) role;
    const char *path;      /* variables expanded, without a backslash at the end */
    const char *alternate; /* of the writer's alternate location mapping; NULL without one */
    const char *target;    /* where they go */
    bool is_new_target;    /* by --to */
    bool is_mapped;        /* to the alternate location */
};

struct restore_item {
    const char *writer_id;
    const char *writer_name; /* its id where no name is known */
    const PB(BackupComponent) *
        saved;                   /* as the document has it; from PreRestore on with what its writer wants */
    const PB(Writer) * running;  /* NULL: the writer does not run */
    const PB(Writer) * metadata; /* as stored, else today's; NULL: nothing is known of it */
    const PB(Component) * declared; /* in `metadata` */
    bool by_instance;               /* several of this class run: SetSelectedForRestoreEx has to say which */
    bool joined;                    /* chosen because another one depends on it */
    bool skipped;                   /* --skip-missing-writers */
    bool untold;                    /* its writer wants no part in a restore, and does not run */
    bool at_reboot;                 /* its files cannot be put in place while the system runs */
    const PB(Component) * *below; /* the only ones to restore of those below it; none: it, and all below it */
    size_t below_count;
    struct restore_files *files;
    size_t files_count;
    const char **problems; /* each stops the restore */
    size_t problems_count;
    const char **notes;
    size_t notes_count;
    size_t notes_shown;
};

struct restore_wishes {
    const char *const *writers; /* names, class or instance ids */
    size_t writers_count;
    const char *const *components; /* values of --component */
    size_t components_count;
    const char *const *accepted; /* writers whose restore method asks for more than copying files */
    size_t accepted_count;
    const char *to; /* NULL: where they were */
    bool skip_missing;
    bool authoritative;
    bool roll_forward;
    const char *restore_name;
    /* Expands %VARIABLES%. */
    void (*expand)(const char *path, struct text *expanded);
};

struct restore_plan {
    struct arena arena;
    const struct restore_wishes *wishes;
    const PB(GetWriterComponentsResult) * *document; /* one for each writer */
    size_t document_count;
    const PB(Writer) * *running;
    size_t running_count;
    const PB(Writer) * *stored;
    size_t stored_count;
    struct restore_item *items;
    size_t count;
    bool rehearsal; /* what is in the way now is a note: PreRestore may change it */
    bool no_memory;
};

/* The lists are set by the caller before. False: what was asked for is not in the document; `problem` says so
 * in a sentence. */
bool restore_plan_choose(struct restore_plan *plan, struct text *problem);
/* Adds to each component the problems and notes that are seen before PreRestore. */
void restore_plan_check(struct restore_plan *plan);
void restore_plan_free(struct restore_plan *plan);

/* How many components have problems; how many were skipped. */
size_t restore_plan_blocked(const struct restore_plan *plan);
size_t restore_plan_skipped(const struct restore_plan *plan);

/* What of `string` follows "path\name"; NULL if it does not begin with that. */
const char *restore_skip_name(const char *string, const char *logical_path, const char *name);
/* Is the component of this logical path below that one? */
bool restore_is_below(const char *logical_path, const PB(BackupComponent) * top);
bool restore_is_same(const PB(Component) * component, const PB(BackupComponent) * saved);
/* "Path\Name", for people. */
const char *restore_full_name(struct restore_plan *plan, const char *logical_path, const char *name);
/* "none", "all", or the name of a point. */
enum roll_forward restore_roll_type(const char *word);
PB(RestoreMethodType) restore_method(const struct restore_item *item);
PB(ComponentRef) restore_component_ref(const struct restore_item *item);

void restore_problem(struct restore_plan *plan, struct restore_item *item, const char *format, ...)
    TEXT_PRINTF(3, 4);
void restore_note(struct restore_plan *plan, struct restore_item *item, const char *format, ...)
    TEXT_PRINTF(3, 4);
/* A copy in the plan's memory; "" without any. */
const char *restore_keep(struct restore_plan *plan, const char *text);
bool restore_is_accepted(const struct restore_plan *plan, const struct restore_item *item);

/* ---- restore_files.c ---- */

/* The files of the component and of all below it that the document has no entry for. */
void restore_list_files(struct restore_plan *plan, struct restore_item *item);

/* What is on the disk. False: it cannot be looked at. Both say in `found` which file, or why. */
struct restore_disk {
    /* *in_way: a file that matches is there; with `locked` one that cannot be replaced. */
    bool (*look)(const char *directory, const char *filespec, bool recursive, bool locked, bool *in_way,
                 struct text *found);
};

/* Gives each file set its target, by what the writer wants since PreRestore, its restore method, and what is
 * in the way. */
void restore_plan_direct(struct restore_plan *plan, const struct restore_disk *disk);

#endif
