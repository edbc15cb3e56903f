/* VSS's rules of what joins a selection ("Working with Selectability for Backup", "Logical Pathing of
 * Components", "Dependencies between Components Managed by Different Writers"). */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* FNV-1a, without regard to case. */
uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)lower(*name)) * 16777619u;
    return hash;
}

bool part_is_named(const struct chosen_part *part, uint32_t hash, const char *logical_path, const char *name)
{
    return part->hash == hash && text_equal(part->declared->name, name) &&
           text_equal(part->declared->logical_path, logical_path);
}

/* What is behind `start` in `path`, up to the end of an element; NULL. */
static const char *behind_element(const char *path, const char *start)
{
    while (*start != '\0') {
        if (lower(*path++) != lower(*start++))
            return NULL;
    }
    return *path == '\0' || *path == '\\' ? path : NULL;
}

/* The length of its logical path with its name, if that is where `path` leads; 0. */
static size_t reach(const PB(Component) * component, const char *path)
{
    const char *at = path;
    if (component->logical_path[0] != '\0') {
        at = behind_element(path, component->logical_path);
        if (at == NULL || *at++ != '\\')
            return 0;
    }
    at = behind_element(at, component->name);
    return at != NULL ? (size_t)(at - path) : 0;
}

static uint32_t find_above(const struct chosen_writer *writer, const char *path)
{
    uint32_t above = NO_PART;
    size_t longest = 0;
    for (uint32_t i = 0; i < writer->parts_count && path[0] != '\0'; i++) {
        const PB(Component) *component = writer->parts[i].declared;
        size_t length = component->selectable ? reach(component, path) : 0;
        if (length > longest) {
            longest = length;
            above = i;
        }
    }
    return above;
}

void parts_init(struct chosen_writer *writer)
{
    for (uint32_t i = 0; i < writer->parts_count; i++) {
        struct chosen_part *part = &writer->parts[i];
        const struct chosen_part *before = i > 0 ? part - 1 : NULL;
        part->hash = name_hash(part->declared->name);
        /* Many components lie side by side. */
        bool is_beside =
            before != NULL && strcmp(before->declared->logical_path, part->declared->logical_path) == 0;
        part->above = is_beside ? before->above : find_above(writer, part->declared->logical_path);
    }
}

/* The explicit selectable component that it is part of; NULL. */
static const struct chosen_part *explicit_above(const struct chosen_writer *writer,
                                                const struct chosen_part *part)
{
    for (uint32_t above = part->above; above != NO_PART; above = writer->parts[above].above) {
        if (writer->parts[above].state == PART_EXPLICIT)
            return &writer->parts[above];
    }
    return NULL;
}

static PB(Status) *
    not_alone(struct broker *broker, const struct chosen_part *part, const struct chosen_part *above)
{
    struct arena *arena = &broker->arena;
    const char *title = component_title(arena, part->declared->logical_path, part->declared->name);
    const char *whole = component_title(arena, above->declared->logical_path, above->declared->name);
    if (title == NULL || whole == NULL)
        return error_no_memory();
    bool is_whole_there = above->state == PART_EXPLICIT;
    PB(Status) *status = status_make(
        arena, PB_CODE(INVALID_ARGUMENT), "COMPONENT_NOT_SELECTABLE",
        is_whole_there
            ? "component \"%s\" can have no stamp and no options: it takes part as a part of \"%s\""
            : "component \"%s\" cannot be selected by itself: it is a part of \"%s\"",
        title, whole);
    error_advise(status, is_whole_there ? "Give them to the other, or do not select that."
                                        : "Select the other; this one then is part of the backup.");
    return status != NULL ? error_field(status, "create_snapshot.components") : error_no_memory();
}

/* ---- what joins ---- */

/* In a writer that takes part: those that have to be there, and those that are part of others. */
static PB(Status) * settle_writer(struct broker *broker, struct chosen_writer *writer)
{
    bool takes_part = false;
    for (uint32_t i = 0; i < writer->parts_count && !takes_part; i++)
        takes_part = writer->parts[i].state == PART_EXPLICIT;
    for (uint32_t i = 0; i < writer->parts_count && takes_part; i++) {
        struct chosen_part *part = &writer->parts[i];
        const struct chosen_part *above = explicit_above(writer, part);
        const PB(ComponentSelection) *wish = part->wish;
        if (above != NULL && wish != NULL && (wish->previous_stamp[0] != '\0' || wish->options[0] != '\0'))
            return not_alone(broker, part, above);
        if (above != NULL)
            part->state = PART_BELOW;
        else if (!part->declared->selectable && part->above == NO_PART)
            part->state = PART_EXPLICIT;
    }
    return NULL;
}

/* "A writer can declare a remote dependency": on a component of another machine. */
static bool is_remote(const PB(Dependency) * dependency)
{
    return strncmp(dependency->logical_path, "\\\\", 2) == 0 || strncmp(dependency->name, "\\\\", 2) == 0;
}

static PB(Status) *
    missing_dependency(struct set *set, const struct chosen_part *part, const PB(Dependency) * dependency)
{
    struct arena *arena = &set->broker->arena;
    const char *title = component_title(arena, part->declared->logical_path, part->declared->name);
    const char *other = component_title(arena, dependency->logical_path, dependency->name);
    if (title == NULL || other == NULL)
        return error_no_memory();
    PB(Status) *status = status_make(
        arena, PB_CODE(FAILED_PRECONDITION), "DEPENDENCY_MISSING",
        "component \"%s\" depends on \"%s\" of the writer class %s, and there is no such component", title,
        other, dependency->writer_id);
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    error_advise(status, "Start the service that hosts the other writer, or select something else.");
    return status != NULL ? status : error_no_memory();
}

/* It joins by itself where it can, else with the one that it is part of. */
static void join(struct chosen_writer *writer, struct chosen_part *part)
{
    if (part->state != PART_OUT || explicit_above(writer, part) != NULL)
        return;
    if (!part->declared->selectable && part->above != NO_PART)
        part = &writer->parts[part->above];
    part->state = PART_EXPLICIT;
}

/* In every instance of the class that has it. */
static bool join_dependency(struct set *set, const PB(Dependency) * dependency)
{
    struct selection *selection = set->selection;
    uint32_t hash = name_hash(dependency->name);
    bool is_there = false;
    for (size_t i = 0; i < selection->writers_count; i++) {
        struct chosen_writer *writer = &selection->writers[i];
        if (!text_equal(set->writers.items[i]->writer_id, dependency->writer_id))
            continue;
        for (uint32_t j = 0; j < writer->parts_count; j++) {
            if (!part_is_named(&writer->parts[j], hash, dependency->logical_path, dependency->name))
                continue;
            join(writer, &writer->parts[j]);
            is_there = true;
        }
    }
    return is_there;
}

static PB(Status) * follow(struct set *set, struct job *job, struct chosen_part *part)
{
    part->is_followed = true;
    for (size_t i = 0; i < part->declared->n_dependencies; i++) {
        const PB(Dependency) *dependency = part->declared->dependencies[i];
        if (is_remote(dependency))
            job_warn(job,
                     "component \"%s\" depends on \"%s\" of another machine, which has to be backed up there",
                     part->declared->name, dependency->name);
        else if (join_dependency(set, dependency))
            continue;
        else if (selection_left_out(job, dependency->writer_id) == NULL)
            return missing_dependency(set, part, dependency);
        else
            job_warn(job, "component \"%s\" depends on \"%s\", whose writer failed and is left out",
                     part->declared->name, dependency->name);
    }
    return NULL;
}

/* One round. *is_done: nothing has joined. */
static PB(Status) * spread(struct set *set, struct job *job, bool *is_done)
{
    struct selection *selection = set->selection;
    PB(Status) *failure = NULL;
    *is_done = true;
    for (size_t i = 0; i < selection->writers_count && failure == NULL; i++)
        failure = settle_writer(set->broker, &selection->writers[i]);
    for (size_t i = 0; i < selection->writers_count; i++) {
        struct chosen_writer *writer = &selection->writers[i];
        for (uint32_t j = 0; j < writer->parts_count && failure == NULL; j++) {
            struct chosen_part *part = &writer->parts[j];
            if (part->state == PART_OUT || part->is_followed)
                continue;
            *is_done = false;
            failure = follow(set, job, part);
        }
    }
    return failure;
}

PB(Status) * selection_apply_rules(struct set *set, struct job *job)
{
    const struct selection *selection = set->selection;
    for (size_t i = 0; i < selection->writers_count; i++) {
        const struct chosen_writer *writer = &selection->writers[i];
        for (uint32_t j = 0; j < writer->parts_count; j++) {
            const struct chosen_part *part = &writer->parts[j];
            bool is_alone = part->declared->selectable || part->above == NO_PART;
            if (part->wish != NULL && !is_alone && explicit_above(writer, part) == NULL)
                return not_alone(set->broker, part, &writer->parts[part->above]);
        }
    }
    bool is_done = false;
    PB(Status) *failure = NULL;
    while (!is_done && failure == NULL)
        failure = spread(set, job, &is_done);
    return failure;
}
