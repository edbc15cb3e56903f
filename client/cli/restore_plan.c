#include "client/cli/restore_plan.h"

#include <stdarg.h>
#include <string.h>

#include "client/cli/request.h"

/* ---- memory ---- */

const char *restore_keep(struct restore_plan *plan, const char *text)
{
    const char *kept = arena_strdup(&plan->arena, text);
    plan->no_memory |= !kept;
    return kept ? kept : "";
}

/* One more element for an array of `count`; capacities are powers of two. NULL without memory. */
static void *grow(struct restore_plan *plan, void *array, size_t count, size_t size)
{
    if (array && (count & (count - 1)) != 0)
        return array;
    void *grown = arena_alloc(&plan->arena, (count ? 2 * count : 1) * size);
    plan->no_memory |= !grown;
    if (grown && count)
        memcpy(grown, array, count * size);
    return grown;
}

TEXT_PRINTF(4, 0)
static void add_line(struct restore_plan *plan, const char ***lines, size_t *count, const char *format,
                     va_list arguments)
{
    struct text text = {0};
    text_format_list(&text, format, arguments);
    const char **grown = grow(plan, (void *)*lines, *count, sizeof **lines);
    if (grown) {
        *lines = grown;
        grown[(*count)++] = restore_keep(plan, text_string(&text));
    }
    plan->no_memory |= text.failed;
    text_free(&text);
}

void restore_problem(struct restore_plan *plan, struct restore_item *item, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(plan, &item->problems, &item->problems_count, format, arguments);
    va_end(arguments);
}

void restore_note(struct restore_plan *plan, struct restore_item *item, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(plan, &item->notes, &item->notes_count, format, arguments);
    va_end(arguments);
}

void restore_plan_free(struct restore_plan *plan)
{
    arena_free(&plan->arena);
    memset(plan, 0, sizeof *plan);
}

const char *restore_full_name(struct restore_plan *plan, const char *logical_path, const char *name)
{
    struct text text = {0};
    text_format(&text, "%s%s%s", logical_path, *logical_path ? "\\" : "", name);
    const char *full = restore_keep(plan, text_string(&text));
    plan->no_memory |= text.failed;
    text_free(&text);
    return full;
}

const char *restore_skip_name(const char *string, const char *logical_path, const char *name)
{
    if (*logical_path) {
        if (!starts_ignoring_case(string, logical_path) || string[strlen(logical_path)] != '\\')
            return NULL;
        string += strlen(logical_path) + 1;
    }
    return starts_ignoring_case(string, name) ? string + strlen(name) : NULL;
}

bool restore_is_below(const char *logical_path, const PB(BackupComponent) * top)
{
    const char *rest = restore_skip_name(logical_path, top->logical_path, top->name);
    return rest && (!*rest || *rest == '\\');
}

bool restore_is_same(const PB(Component) * component, const PB(BackupComponent) * saved)
{
    return equal_ignoring_case(component->logical_path, saved->logical_path) &&
           equal_ignoring_case(component->name, saved->name);
}

/* ---- who is who ---- */

/* Ids come with or without braces. */
static bool id_equals(const char *id, const char *given)
{
    size_t length = strlen(given);
    bool braces = length == 38 && given[0] == '{' && given[37] == '}';
    return *given && (braces ? starts_ignoring_case(given + 1, id) && strlen(id) == 36
                             : equal_ignoring_case(id, given));
}

static bool writer_is(const PB(Writer) * writer, const char *name_or_id)
{
    const PB(WriterStatus) *status = writer->status;
    return status && (equal_ignoring_case(status->name, name_or_id) ||
                      id_equals(status->writer_id, name_or_id) || id_equals(status->instance_id, name_or_id));
}

static bool item_writer_is(const struct restore_item *item, const char *name_or_id)
{
    return id_equals(item->writer_id, name_or_id) ||
           (item->metadata && writer_is(item->metadata, name_or_id)) ||
           (item->running && writer_is(item->running, name_or_id));
}

bool restore_is_accepted(const struct restore_plan *plan, const struct restore_item *item)
{
    for (size_t i = 0; i < plan->wishes->accepted_count; i++) {
        if (item_writer_is(item, plan->wishes->accepted[i]))
            return true;
    }
    return false;
}

static const PB(Component) * find_component(const PB(Writer) * writer, PB(ComponentType) type,
                                            const char *logical_path, const char *name)
{
    for (size_t i = 0; writer && i < writer->n_components; i++) {
        const PB(Component) *component = writer->components[i];
        if ((type == PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_UNSPECIFIED) || component->type == type) &&
            equal_ignoring_case(component->logical_path, logical_path) &&
            equal_ignoring_case(component->name, name))
            return component;
    }
    return NULL;
}

/* The instance id in a document is that of the backup's day; today's writer is known by its class, and among
 * several of a class by its instance name, or by what it looks after. */
static void find_writer(struct restore_plan *plan, struct restore_item *item, const char *instance_id)
{
    const PB(Writer) *stored = NULL;
    for (size_t i = 0; i < plan->stored_count; i++) {
        const PB(WriterStatus) *status = plan->stored[i]->status;
        bool same = status && id_equals(status->writer_id, item->writer_id);
        if (same && (!stored || id_equals(status->instance_id, instance_id)))
            stored = plan->stored[i];
    }
    size_t of_class = 0;
    const PB(Writer) *best = NULL;
    int best_points = -1;
    for (size_t i = 0; i < plan->running_count; i++) {
        const PB(Writer) *writer = plan->running[i];
        if (!writer->status || !id_equals(writer->status->writer_id, item->writer_id))
            continue;
        int points = id_equals(writer->status->instance_id, instance_id) ? 4 : 0;
        points += stored && equal_ignoring_case(writer->instance_name, stored->instance_name) ? 2 : 0;
        points +=
            find_component(writer, item->saved->type, item->saved->logical_path, item->saved->name) ? 1 : 0;
        of_class++;
        if (points > best_points) {
            best = writer;
            best_points = points;
        }
    }
    item->running = best;
    item->by_instance = of_class > 1;
    item->metadata = stored ? stored : best;
    item->declared =
        find_component(item->metadata, item->saved->type, item->saved->logical_path, item->saved->name);
    item->writer_name = item->metadata ? item->metadata->status->name : item->writer_id;
}

enum roll_forward restore_roll_type(const char *word)
{
    return equal_ignoring_case(word, "none")  ? ROLL_NONE
           : equal_ignoring_case(word, "all") ? ROLL_ALL
                                              : ROLL_TO_POINT;
}

PB(RestoreMethodType) restore_method(const struct restore_item *item)
{
    const PB(RestoreMethod) *method = item->metadata ? item->metadata->restore_method : NULL;
    return method ? method->method : PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_UNSPECIFIED);
}

PB(ComponentRef) restore_component_ref(const struct restore_item *item)
{
    PB(ComponentRef) ref = SHADOWPIPE__V1__COMPONENT_REF__INIT;
    ref.writer_id = (char *)item->writer_id;
    ref.type = item->saved->type;
    ref.logical_path = item->saved->logical_path;
    ref.name = item->saved->name;
    if (item->by_instance)
        ref.instance_id = item->running->status->instance_id;
    return ref;
}

/* ---- choosing ---- */

/* The component of the document, as an item that is not in the plan yet. */
static struct restore_item look_at(struct restore_plan *plan, size_t writer, size_t component)
{
    const PB(GetWriterComponentsResult) *from = plan->document[writer];
    struct restore_item item = {.writer_id = from->writer_id, .saved = from->components[component]};
    find_writer(plan, &item, from->instance_id);
    return item;
}

static struct restore_item *find_item(struct restore_plan *plan, const PB(BackupComponent) * saved)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->items[i].saved == saved)
            return &plan->items[i];
    }
    return NULL;
}

/* NULL without memory. */
static struct restore_item *add(struct restore_plan *plan, const struct restore_item *item)
{
    struct restore_item *grown = grow(plan, plan->items, plan->count, sizeof *grown);
    if (!grown)
        return NULL;
    plan->items = grown;
    grown[plan->count] = *item;
    return &grown[plan->count++];
}

/* As a whole. */
static void take(struct restore_plan *plan, const struct restore_item *item)
{
    struct restore_item *found = find_item(plan, item->saved);
    if (!found)
        found = add(plan, item);
    if (found)
        found->below_count = 0;
}
static bool selection_fits(const PB(ComponentSelection) * selection, const struct restore_item *item,
                           const char *logical_path, const char *name)
{
    return equal_ignoring_case(logical_path, selection->logical_path) &&
           equal_ignoring_case(name, selection->name) && item_writer_is(item, selection->writer);
}

static void add_below(struct restore_plan *plan, struct restore_item *item, const PB(Component) * component)
{
    for (size_t i = 0; i < item->below_count; i++) {
        if (item->below[i] == component)
            return;
    }
    const PB(Component) **grown = grow(plan, (void *)item->below, item->below_count, sizeof *grown);
    if (!grown)
        return;
    item->below = grown;
    item->below[item->below_count++] = component;
}

/* A component below one of the document that may be restored alone (AddRestoreSubcomponent). */
static bool choose_below(struct restore_plan *plan, const PB(ComponentSelection) * selection,
                         const struct restore_item *item)
{
    bool found = false;
    for (size_t i = 0; item->metadata && i < item->metadata->n_components; i++) {
        const PB(Component) *component = item->metadata->components[i];
        if (!component->selectable_for_restore || !restore_is_below(component->logical_path, item->saved) ||
            !selection_fits(selection, item, component->logical_path, component->name))
            continue;
        struct restore_item *former = find_item(plan, item->saved);
        struct restore_item *taken = former ? former : add(plan, item);
        bool is_whole = former && former->below_count == 0;
        if (taken && !is_whole)
            add_below(plan, taken, component);
        found = true;
    }
    return found;
}

/* Takes what fits, in the document's order: the components of a writer, or the selected one, or everything.
 */
static bool choose(struct restore_plan *plan, const char *writer, const PB(ComponentSelection) * selection)
{
    bool found = false;
    for (size_t i = 0; i < plan->document_count; i++) {
        for (size_t k = 0; k < plan->document[i]->n_components; k++) {
            struct restore_item item = look_at(plan, i, k);
            bool fits = selection
                            ? selection_fits(selection, &item, item.saved->logical_path, item.saved->name)
                            : !writer || item_writer_is(&item, writer);
            if (fits)
                take(plan, &item);
            found |= fits;
        }
    }
    return found;
}

/* Takes the selected one as a part of one in the document. */
static bool choose_part(struct restore_plan *plan, const PB(ComponentSelection) * selection)
{
    bool found = false;
    for (size_t i = 0; i < plan->document_count; i++) {
        for (size_t k = 0; k < plan->document[i]->n_components; k++) {
            struct restore_item item = look_at(plan, i, k);
            found |= choose_below(plan, selection, &item);
        }
    }
    return found;
}

/* Is it in the document, by itself or below another one? Takes it then. */
static bool take_dependency(struct restore_plan *plan, const PB(Dependency) * on)
{
    for (size_t i = 0; i < plan->document_count; i++) {
        if (!id_equals(plan->document[i]->writer_id, on->writer_id))
            continue;
        for (size_t k = 0; k < plan->document[i]->n_components; k++) {
            struct restore_item item = look_at(plan, i, k);
            bool is_it = equal_ignoring_case(item.saved->logical_path, on->logical_path) &&
                         equal_ignoring_case(item.saved->name, on->name);
            if (!is_it && !restore_is_below(on->logical_path, item.saved))
                continue;
            item.joined = true;
            take(plan, &item);
            return true;
        }
    }
    return false;
}

/* Components that depend on each other are always restored together. The list grows while it is walked. */
static void choose_dependencies(struct restore_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const PB(Component) *declared = plan->items[i].declared;
        for (size_t k = 0; declared && k < declared->n_dependencies; k++) {
            const PB(Dependency) *on = declared->dependencies[k];
            bool is_there = take_dependency(plan, on);
            struct restore_item *item = &plan->items[i];
            if (!is_there && !restore_is_accepted(plan, item))
                restore_problem(
                    plan, item,
                    "it depends on %s of the writer %s, which is not in the document; with --accept "
                    "it is restored alone",
                    restore_full_name(plan, on->logical_path, on->name), on->writer_id);
        }
    }
}

bool restore_plan_choose(struct restore_plan *plan, struct text *problem)
{
    const struct restore_wishes *wishes = plan->wishes;
    if (plan->document_count == 0) {
        text_add(problem,
                 "The document has no components: it is not of a backup by components, and its files "
                 "are restored by copying them back.");
        return false;
    }
    if (wishes->writers_count + wishes->components_count == 0)
        (void)choose(plan, NULL, NULL);
    for (size_t i = 0; i < wishes->writers_count; i++) {
        if (!choose(plan, wishes->writers[i], NULL)) {
            text_format(problem, "The document has no components of a writer \"%s\".", wishes->writers[i]);
            return false;
        }
    }
    for (size_t i = 0; i < wishes->components_count; i++) {
        const char *word = wishes->components[i];
        const PB(ComponentSelection) *selection = request_component(word, &plan->arena, problem);
        if (!selection)
            return false;
        if (!choose(plan, NULL, selection) && !choose_part(plan, selection)) {
            text_format(
                problem,
                "The document has no component \"%s\", nor one above it from which it can be taken alone.",
                word);
            return false;
        }
    }
    choose_dependencies(plan);
    return true;
}

size_t restore_plan_blocked(const struct restore_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        count += plan->items[i].problems_count > 0;
    return count;
}

size_t restore_plan_skipped(const struct restore_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++)
        count += plan->items[i].skipped;
    return count;
}
