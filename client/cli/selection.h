/* Which components a backup or a restore takes in: what its user names or leaves out, and what lies on the
 * volumes of the set.
 *
 * A component is named as "WRITER:\LOGICAL PATH\NAME", a writer as its name, its class id or its instance id,
 * with braces or without. Pure decisions over messages. */
#ifndef SHADOWPIPE_CLIENT_CLI_SELECTION_H
#define SHADOWPIPE_CLIENT_CLI_SELECTION_H

#include "client/cli/text.h"
#include "proto/wire.h"

struct strings {
    char **items;
    size_t count;
};

/* False without memory. */
bool strings_add(struct strings *strings, const char *string);
void strings_clear(struct strings *strings);

/* One that was taken in. Its strings live with the messages that it came from. */
struct chosen {
    const char *writer_id;
    const char *instance_id;
    const char *writer_name;
    PB(ComponentType) type;
    const char *logical_path;
    const char *name;
    uint32_t file_status; /* VSS_FILE_RESTORE_STATUS; 0 = not said */
};

struct selection {
    struct chosen *items;
    size_t count;
};

/* False without memory. */
bool selection_add(struct selection *selection, const struct chosen *chosen);
void selection_clear(struct selection *selection);
/* Does it hold something of this writer, or this component? */
bool selection_has(const struct selection *selection, const char *spec);
/* Has it a component of the writer? */
bool selection_has_writer(const struct selection *selection, const char *writer_id, const char *instance_id);
struct chosen *selection_find(const struct selection *selection, const char *spec);
/* The message that methods take. `reference` lives as long as `chosen`. */
void chosen_refer(const struct chosen *chosen, PB(ComponentRef) * reference);
/* "WRITER:\LOGICAL PATH\NAME" */
void chosen_spell(const struct chosen *chosen, struct text *text);

bool spec_names_component(const char *spec);
/* Is `spec` this writer as a whole? */
bool spec_is_writer(const char *spec, const char *name, const char *writer_id, const char *instance_id);
bool spec_is_component(const char *spec, const struct chosen *chosen);
/* GUIDs without braces; otherwise the same. The result is the caller's to free. */
char *spec_copy(const char *spec);

/* Is the directory on a volume of the set? */
typedef bool selection_covers(const void *context, const char *directory);

/* What a backup of everything takes in: of the writers that are not left out, the topmost components of
 * which all lies on the volumes. What is below a component comes with it, and so a component of which a part
 * was left out, or lies elsewhere, is not taken in as a whole. False without memory. */
bool selection_of_all(struct selection *selection, PB(Writer) *const *writers, size_t writers_count,
                      const struct strings *excluded, selection_covers *covers, const void *context);

/* Adds the component that `spec` names. False: there is none, or no memory (`problem`). */
bool selection_of_one(struct selection *selection, PB(Writer) *const *writers, size_t writers_count,
                      const char *spec, struct text *problem);

#endif
