#include "service/broker/selection.h"

#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

static const char field[] = "create_snapshot.components";

PB(Component) component_without_lists(const PB(Component) * declared)
{
    PB(Component) component = *declared;
    component.n_files = component.n_database_files = component.n_log_files = 0;
    return component;
}

char *component_title(struct arena *arena, const char *logical_path, const char *name)
{
    return text_format(arena, "%s%s%s", logical_path, logical_path[0] != '\0' ? "\\" : "", name);
}

static PB(Status) * refuse(struct broker *broker, PB(Status) * status, const char *advice)
{
    (void)broker;
    return status != NULL ? error_field(error_advise(status, advice), field) : error_no_memory();
}

/* ---- what is asked for ---- */

PB(Status) * selection_check(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    struct arena *arena = &broker->arena;
    if (wish->n_components > 0 && !job_has_writers(wish))
        return refuse(broker,
                      status_make(arena, PB_CODE(INVALID_ARGUMENT), "NO_WRITERS",
                                  "the chosen context has no writers, and so no components"),
                      "Choose the context BACKUP, or select no components.");
    for (size_t i = 0; i < wish->n_components; i++) {
        const PB(ComponentSelection) *component = wish->components[i];
        if (component->writer[0] == '\0' || component->name[0] == '\0')
            return refuse(
                broker,
                status_make(arena, PB_CODE(INVALID_ARGUMENT), "EMPTY_NAME",
                            "a component is named by its writer and its own name, and one is empty"),
                "List the writers with their components to see the names.");
        for (size_t j = 0; j < wish->n_writers_excluded; j++) {
            if (text_equal(component->writer, wish->writers_excluded[j]))
                return refuse(broker,
                              status_make(arena, PB_CODE(INVALID_ARGUMENT), "WRITER_CONTRADICTION",
                                          "components of writer %s are selected, and it is excluded",
                                          component->writer),
                              "Do one of the two.");
        }
    }
    return NULL;
}

/* ---- the writers ---- */

static bool index_list_make(struct arena *arena, struct index_list *list, size_t most)
{
    list->count = 0;
    list->items = arena_alloc(arena, most * sizeof *list->items);
    return list->items != NULL;
}

static bool part_list_make(struct arena *arena, struct part_list *list, size_t most)
{
    list->count = 0;
    list->items = arena_alloc(arena, most * sizeof *list->items);
    return list->items != NULL;
}

static bool is_named_writer(const struct job *job, const PB(WriterStatus) * writer)
{
    for (size_t i = 0; i < job->wish->n_components; i++) {
        if (writer_is_named(writer, job->wish->components[i]->writer))
            return true;
    }
    return false;
}

const PB(WriterStatus) * selection_left_out(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->left_out_count; i++) {
        if (writer_is_named(job->left_out[i], name))
            return job->left_out[i];
    }
    return NULL;
}

static const char *absent_writer(const struct set *set, const struct job *job)
{
    for (size_t i = 0; i < job->wish->n_components; i++) {
        const char *name = job->wish->components[i]->writer;
        bool is_there = false;
        for (size_t j = 0; j < set->writers.count && !is_there; j++)
            is_there = writer_is_named(set->writers.items[j], name);
        if (!is_there && selection_left_out(job, name) == NULL)
            return name;
    }
    return NULL;
}

PB(Status) * selection_begin(struct set *set, const struct job *job)
{
    struct selection *selection = set->selection;
    size_t count = set->writers.count;
    const char *absent = absent_writer(set, job);
    if (absent != NULL) {
        PB(Status) *status = status_make(&set->broker->arena, PB_CODE(FAILED_PRECONDITION), "WRITER_MISSING",
                                         "writer %s, whose components are selected, did not answer", absent);
        error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
        return refuse(set->broker, status,
                      "Start the service that hosts the writer and see that it appears among the writers.");
    }
    selection->writers_count = count;
    selection->writers = arena_alloc(&set->arena, count * sizeof *selection->writers);
    if (selection->writers == NULL || !index_list_make(&set->arena, &selection->joined, count))
        return error_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        const struct metadata_reading reading = {i, 0, 0};
        if (is_named_writer(job, set->writers.items[i]) &&
            !reading_list_add(&set->arena, &selection->named, reading))
            return error_no_memory();
    }
    return NULL;
}

bool selection_has_dependencies(const struct selection *selection)
{
    for (size_t i = 0; i < selection->writers_count; i++) {
        const struct chosen_writer *writer = &selection->writers[i];
        for (uint32_t j = 0; j < writer->parts_count; j++) {
            if (writer->parts[j].declared->n_dependencies > 0)
                return true;
        }
    }
    return false;
}

/* ---- the named ones ---- */

struct match {
    struct chosen_part *part;
    uint32_t writer;
    size_t count;
};

static struct match find_named(const struct set *set, const PB(ComponentSelection) * wish)
{
    const struct selection *selection = set->selection;
    struct match match = {NULL, 0, 0};
    uint32_t hash = name_hash(wish->name);
    for (uint32_t index = 0; index < selection->writers_count; index++) {
        const struct chosen_writer *writer = &selection->writers[index];
        if (!writer_is_named(set->writers.items[index], wish->writer))
            continue;
        for (uint32_t j = 0; j < writer->parts_count; j++) {
            struct chosen_part *part = &writer->parts[j];
            bool fits = wish->type == PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_UNSPECIFIED) ||
                        wish->type == part->declared->type;
            if (!fits || !part_is_named(part, hash, wish->logical_path, wish->name))
                continue;
            match.part = part;
            match.writer = index;
            match.count++;
        }
    }
    return match;
}

static PB(Status) * bad_match(struct broker *broker, const PB(ComponentSelection) * wish, size_t count)
{
    struct arena *arena = &broker->arena;
    const char *title = component_title(arena, wish->logical_path, wish->name);
    if (title == NULL)
        return error_no_memory();
    if (count == 0)
        return refuse(broker,
                      status_make(arena, PB_CODE(NOT_FOUND), "UNKNOWN_COMPONENT",
                                  "writer %s declares no component \"%s\"", wish->writer, title),
                      "List the writers with their components to see what there is.");
    return refuse(broker,
                  status_make(arena, PB_CODE(INVALID_ARGUMENT), "AMBIGUOUS_COMPONENT",
                              "component \"%s\" of writer %s is declared %zu times", title, wish->writer,
                              count),
                  "Name the writer by its instance id, and give the component's type.");
}

/* What a writer that was left out had. False: no memory. */
static bool add_left_out(struct job *job, const PB(ComponentSelection) * wish,
                         const PB(WriterStatus) * writer)
{
    struct arena *arena = &job->request.broker->arena;
    const char *title = component_title(arena, wish->logical_path, wish->name);
    const char *path = title != NULL ? text_format(arena, "%s: %s", writer->name, title) : NULL;
    const char *reason = text_format(arena, "the writer failed and was left out (%s)", writer->hresult_name);
    return path != NULL && reason != NULL && job_adds_uncovered(job, path, reason);
}

static PB(Status) * take_named(struct set *set, struct job *job)
{
    struct broker *broker = set->broker;
    for (size_t i = 0; i < job->wish->n_components; i++) {
        const PB(ComponentSelection) *wish = job->wish->components[i];
        struct match match = find_named(set, wish);
        const PB(WriterStatus) *left_out = selection_left_out(job, wish->writer);
        if (match.count == 0 && left_out != NULL) {
            if (!add_left_out(job, wish, left_out))
                return error_no_memory();
            continue;
        }
        if (match.count != 1 || match.part == NULL)
            return bad_match(broker, wish, match.count);
        if (match.part->wish != NULL)
            return refuse(broker,
                          status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "DUPLICATE_COMPONENT",
                                      "component \"%s\" of writer %s is selected twice", wish->name,
                                      wish->writer),
                          "Name each component once.");
        match.part->wish = wish;
        match.part->state = PART_EXPLICIT;
    }
    return NULL;
}

/* ---- all ---- */

struct chosen_part *selection_part(const struct selection *selection, struct part_ref ref)
{
    return &selection->writers[ref.writer].parts[ref.part];
}

static void list_parts(struct selection *selection)
{
    for (uint32_t i = 0; i < selection->writers_count; i++) {
        struct chosen_writer *writer = &selection->writers[i];
        for (uint32_t j = 0; j < writer->parts_count; j++) {
            const struct chosen_part *part = &writer->parts[j];
            const struct part_ref ref = {i, j};
            if (part->state == PART_OUT)
                continue;
            selection->all.items[selection->all.count++] = ref;
            if (part->state != PART_EXPLICIT)
                continue;
            selection->explicit.items[selection->explicit.count++] = ref;
            if (part->wish != NULL && part->wish->previous_stamp[0] != '\0')
                selection->stamped.items[selection->stamped.count++] = ref;
            if (part->wish != NULL && part->wish->options[0] != '\0')
                selection->optioned.items[selection->optioned.count++] = ref;
            if (!writer->takes_part)
                selection->joined.items[selection->joined.count++] = i;
            writer->takes_part = true;
        }
    }
}

static bool list_files(struct set *set)
{
    struct selection *selection = set->selection;
    for (size_t i = 0; i < selection->joined.count; i++) {
        const struct metadata_reading reading = {selection->joined.items[i], 0, 0};
        if (!selection->writers[reading.writer].has_files &&
            !reading_list_add(&set->arena, &selection->files, reading))
            return false;
    }
    return true;
}

/* Other instances of the writers that were left out are there, and do not have it. */
static PB(Status) * nothing_left(const struct job *job)
{
    struct broker *broker = job->request.broker;
    PB(Status) *status = status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "WRITER_FAILED",
                                     "the writers of all selected components failed and were left out");
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    return refuse(broker, status,
                  job->left_out_count > 0 ? job->left_out[0]->advice : "Select other components.");
}

PB(Status) * selection_resolve(struct set *set, struct job *job)
{
    struct selection *selection = set->selection;
    for (size_t i = 0; i < selection->writers_count; i++)
        parts_init(&selection->writers[i]);
    PB(Status) *failure = take_named(set, job);
    if (failure == NULL)
        failure = selection_apply_rules(set, job);
    if (failure != NULL)
        return failure;
    size_t most = 1;
    for (size_t i = 0; i < selection->writers_count; i++)
        most += selection->writers[i].parts_count;
    if (!part_list_make(&set->arena, &selection->all, most) ||
        !part_list_make(&set->arena, &selection->explicit, most) ||
        !part_list_make(&set->arena, &selection->stamped, most) ||
        !part_list_make(&set->arena, &selection->optioned, most))
        return error_no_memory();
    list_parts(selection);
    if (selection->explicit.count == 0)
        return nothing_left(job);
    if (!list_files(set))
        return error_no_memory();
    return selection_check_volumes(set, job);
}

struct chosen_writer *selection_writer(const struct set *set, const char *instance_id)
{
    for (size_t i = 0; i < set->writers.count; i++) {
        if (set->selection != NULL && text_equal(set->writers.items[i]->instance_id, instance_id))
            return &set->selection->writers[i];
    }
    return NULL;
}

struct chosen_part *selection_find(const struct chosen_writer *writer, const char *logical_path,
                                   const char *name)
{
    uint32_t hash = name_hash(name);
    for (uint32_t i = 0; i < writer->parts_count; i++) {
        struct chosen_part *part = &writer->parts[i];
        if (part->state != PART_OUT && part_is_named(part, hash, logical_path, name))
            return part;
    }
    return NULL;
}
