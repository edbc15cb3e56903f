/* The components of a set: those that were named, and what VSS's rules of selectability add to them.
 *
 * Made from the writers' metadata, before the gate. "Explicit" ones stand in the Backup Components Document
 * (AddComponent); the components below a selectable one that is explicit are part of it and do not.
 * Components that can neither be selected nor be part of another are explicit as soon as their writer takes
 * part. What any of them depends on joins. Lives in its set's arena; a fresh attempt makes a fresh one.
 * selection.c has what is named and where it is found, selection_rules.c what joins, needed_volumes.c where
 * the files are. */
#ifndef SHADOWPIPE_BROKER_SELECTION_H
#define SHADOWPIPE_BROKER_SELECTION_H

#include "proto/decode.h"
#include "service/broker/broker.h"

struct set;
struct job;

enum {
    NO_PART = UINT32_MAX
};

enum part_state {
    PART_OUT,
    PART_EXPLICIT,
    PART_BELOW /* an explicit one that is selectable */
};

/* A component that its writer declares. */
struct chosen_part {
    const PB(Component) * declared;
    const PB(ComponentSelection) * wish; /* NULL: not named */
    enum part_state state;
    uint32_t hash;                      /* of its name */
    uint32_t above;                     /* the nearest selectable component above it; NO_PART */
    bool is_followed;                   /* what it depends on has joined */
    bool succeeded;                     /* for SetBackupSucceeded */
    const PB(BackupComponent) * stored; /* in the Backup Components Document; NULL before DoSnapshotSet */
};

/* By the index of the metadata, as set->writers. */
struct chosen_writer {
    PB(Writer) * metadata; /* its own lists; NULL: not asked for */
    struct chosen_part *parts;
    uint32_t parts_count;
    uint32_t parts_capacity;
    uint32_t parts_read; /* by the reading under way */
    bool takes_part;
    bool has_files;
    bool is_cut; /* something did not fit into a message even so */
};

struct part_ref {
    uint32_t writer;
    uint32_t part;
};

struct part_list {
    struct part_ref *items;
    size_t count;
};

struct index_list {
    uint32_t *items;
    size_t count;
};

/* A description may be larger than a frame: it is read part by part, each asked for when the one before came.
 */
struct reading_list {
    struct metadata_reading {
        uint32_t writer;
        uint32_t component;
        uint32_t file;
    } * items;
    size_t count;
    size_t capacity;
};

struct selection {
    struct chosen_writer *writers;
    size_t writers_count;
    struct reading_list named;  /* writers that components were named of */
    struct reading_list others; /* the rest, read only if something depends on something */
    struct reading_list files;  /* those that take part, and whose files were not read yet */
    struct index_list joined;   /* those that take part */
    struct part_list all;       /* that take part, writer by writer */
    struct part_list explicit;  /* of these, those in the document */
    struct part_list stamped;   /* of these, those with a stamp of the previous backup */
    struct part_list optioned;
    uint32_t stored_count; /* writers with components in the document */
};

/* NULL, or why components cannot be asked for so. */
PB(Status) * selection_check(struct broker *broker, const PB(CreateSnapshot) * wish);

/* One of this name that failed in an attempt before; NULL. */
const PB(WriterStatus) * selection_left_out(const struct job *job, const char *name);
/* The writers are known: which of them are to be asked for their components. NULL, or why it cannot be. */
PB(Status) * selection_begin(struct set *set, const struct job *job);
/* A part of what a writer declares, with files or without. What is more to be read joins the list. False: no
 * memory. */
bool selection_take_reading(struct set *set, struct reading_list *list, size_t index, bool with_files,
                            const PB(GetWriterMetadataResult) * result);
bool reading_list_add(struct arena *arena, struct reading_list *list, struct metadata_reading reading);
/* What the named writers declare is known: the components of the others are needed too. */
bool selection_has_dependencies(const struct selection *selection);
/* All is known: settles who takes part, and that the volumes which their files need are in the set. */
PB(Status) * selection_resolve(struct set *set, struct job *job);

struct chosen_part *selection_part(const struct selection *selection, struct part_ref ref);
/* The writer of this instance; NULL. */
struct chosen_writer *selection_writer(const struct set *set, const char *instance_id);
/* A component that takes part; NULL. */
struct chosen_part *selection_find(const struct chosen_writer *writer, const char *logical_path,
                                   const char *name);
/* As declared, without the lists: the files are told with their places, or not at all. */
PB(Component) component_without_lists(const PB(Component) * declared);
/* "path\name" */
char *component_title(struct arena *arena, const char *logical_path, const char *name);

/* ---- selection_rules.c ---- */
/* All of them are known: fills `hash` and `above`. */
void parts_init(struct chosen_writer *writer);
uint32_t name_hash(const char *name);
bool part_is_named(const struct chosen_part *part, uint32_t hash, const char *logical_path, const char *name);
/* From the named ones to all that take part. */
PB(Status) * selection_apply_rules(struct set *set, struct job *job);

/* ---- needed_volumes.c ---- */
/* The volumes that the files of those who take part are on: all in the set, or they join. */
PB(Status) * selection_check_volumes(struct set *set, struct job *job);
/* "E:\, F:\": where the files of the writer are and the set is not; "" for nowhere, NULL without memory. */
char *volumes_lacking(const struct set *set, const PB(Writer) * writer);

#endif
