#include "client/cli/selection.h"

#include <stdlib.h>
#include <string.h>

enum {
    GUID_LENGTH = 36
};

/* ---- lists ---- */

bool strings_add(struct strings *strings, const char *string)
{
    char *copy = strdup(string);
    char **items = copy ? realloc(strings->items, (strings->count + 1) * sizeof *items) : NULL;
    if (!items) {
        free(copy);
        return false;
    }
    strings->items = items;
    items[strings->count++] = copy;
    return true;
}

void strings_clear(struct strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    memset(strings, 0, sizeof *strings);
}

bool selection_add(struct selection *selection, const struct chosen *chosen)
{
    struct chosen *items = realloc(selection->items, (selection->count + 1) * sizeof *items);
    if (!items)
        return false;
    selection->items = items;
    items[selection->count++] = *chosen;
    return true;
}

void selection_clear(struct selection *selection)
{
    free(selection->items);
    memset(selection, 0, sizeof *selection);
}

/* ---- names ---- */

/* Equal but for capitals, over `length` bytes of both, of which `name` has no more. */
static bool equal_part(const char *name, const char *part, size_t length)
{
    struct text copy = {0};
    text_add_bytes(&copy, part, length);
    bool equal = !copy.failed && equal_ignoring_case(name, text_string(&copy));
    text_free(&copy);
    return equal;
}

/* Where the component begins behind the writer: at its ":\". NULL: there is none. */
static const char *component_part(const char *spec)
{
    return strstr(spec, ":\\");
}

bool spec_names_component(const char *spec)
{
    return component_part(spec) != NULL;
}

static bool is_writer(const char *spec, size_t length, const char *name, const char *writer_id,
                      const char *instance_id)
{
    if (equal_part(name, spec, length))
        return true;
    if (length == GUID_LENGTH + 2 && spec[0] == '{' && spec[length - 1] == '}') {
        spec++;
        length = GUID_LENGTH;
    }
    return length == GUID_LENGTH &&
           (equal_part(writer_id, spec, length) || equal_part(instance_id, spec, length));
}

bool spec_is_writer(const char *spec, const char *name, const char *writer_id, const char *instance_id)
{
    return !spec_names_component(spec) && is_writer(spec, strlen(spec), name, writer_id, instance_id);
}

/* "\LOGICAL PATH\NAME" */
static void add_full_path(struct text *text, const char *logical_path, const char *name)
{
    while (*logical_path == '\\')
        logical_path++;
    text_format(text, "\\%s%s%s", logical_path, *logical_path ? "\\" : "", name);
}

bool spec_is_component(const char *spec, const struct chosen *chosen)
{
    const char *part = component_part(spec);
    struct text path = {0};
    if (!part ||
        !is_writer(spec, (size_t)(part - spec), chosen->writer_name, chosen->writer_id, chosen->instance_id))
        return false;
    add_full_path(&path, chosen->logical_path, chosen->name);
    bool same = equal_ignoring_case(text_string(&path), part + 1);
    text_free(&path);
    return same;
}

char *spec_copy(const char *spec)
{
    size_t length = strlen(spec);
    bool braces = length == GUID_LENGTH + 2 && spec[0] == '{' && spec[length - 1] == '}';
    char *copy = strdup(braces ? spec + 1 : spec);
    if (copy && braces)
        copy[GUID_LENGTH] = 0;
    return copy;
}

static bool is_meant(const char *spec, const struct chosen *chosen)
{
    return spec_is_component(spec, chosen) ||
           spec_is_writer(spec, chosen->writer_name, chosen->writer_id, chosen->instance_id);
}

bool selection_has(const struct selection *selection, const char *spec)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (is_meant(spec, &selection->items[i]))
            return true;
    }
    return false;
}

bool selection_has_writer(const struct selection *selection, const char *writer_id, const char *instance_id)
{
    for (size_t i = 0; i < selection->count; i++) {
        const struct chosen *chosen = &selection->items[i];
        bool same_instance =
            !*instance_id || !*chosen->instance_id || equal_ignoring_case(chosen->instance_id, instance_id);
        if (same_instance && equal_ignoring_case(chosen->writer_id, writer_id))
            return true;
    }
    return false;
}

struct chosen *selection_find(const struct selection *selection, const char *spec)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (spec_is_component(spec, &selection->items[i]))
            return &selection->items[i];
    }
    return NULL;
}

void chosen_refer(const struct chosen *chosen, PB(ComponentRef) * reference)
{
    *reference = (PB(ComponentRef))SHADOWPIPE__V1__COMPONENT_REF__INIT;
    reference->writer_id = (char *)chosen->writer_id;
    reference->instance_id = (char *)chosen->instance_id;
    reference->type = chosen->type;
    reference->logical_path = (char *)chosen->logical_path;
    reference->name = (char *)chosen->name;
}

void chosen_spell(const struct chosen *chosen, struct text *text)
{
    text_format(text, "%s:", *chosen->writer_name ? chosen->writer_name : chosen->writer_id);
    add_full_path(text, chosen->logical_path, chosen->name);
}

/* ---- choosing ---- */

static struct chosen describe(const PB(Writer) * writer, const PB(Component) * component)
{
    return (struct chosen){.writer_id = writer->status->writer_id,
                           .instance_id = writer->status->instance_id,
                           .writer_name = writer->status->name,
                           .type = component->type,
                           .logical_path = component->logical_path,
                           .name = component->name};
}

/* Is `inner` below `outer` in its writer's tree? */
static bool lies_below(const PB(Component) * inner, const PB(Component) * outer)
{
    struct text inside = {0};
    struct text outside = {0};
    add_full_path(&inside, inner->logical_path, inner->name);
    add_full_path(&outside, outer->logical_path, outer->name);
    bool below = inside.size > outside.size &&
                 starts_ignoring_case(text_string(&inside), text_string(&outside)) &&
                 inside.data[outside.size] == '\\';
    text_free(&inside);
    text_free(&outside);
    return below;
}

struct rules {
    const struct strings *excluded;
    selection_covers *covers;
    const void *context;
};

static bool is_left_out(const struct rules *rules, const PB(Writer) * writer, const PB(Component) * component)
{
    struct chosen chosen = describe(writer, component);
    for (size_t i = 0; i < rules->excluded->count; i++) {
        if (is_meant(rules->excluded->items[i], &chosen))
            return true;
    }
    for (size_t i = 0; i < component->n_roots; i++) {
        if (!rules->covers(rules->context, component->roots[i]))
            return true;
    }
    return false;
}

/* Neither it nor anything below it is left out. */
static bool is_whole(const struct rules *rules, const PB(Writer) * writer, const PB(Component) * component)
{
    if (is_left_out(rules, writer, component))
        return false;
    for (size_t i = 0; i < writer->n_components; i++) {
        const PB(Component) *other = writer->components[i];
        if (lies_below(other, component) && is_left_out(rules, writer, other))
            return false;
    }
    return true;
}

/* One that cannot be selected is part of the selectable one above it, and cannot be added without that. */
static bool comes_with_another(const struct rules *rules, const PB(Writer) * writer,
                               const PB(Component) * component)
{
    for (size_t i = 0; i < writer->n_components; i++) {
        const PB(Component) *other = writer->components[i];
        if (lies_below(component, other) &&
            (is_whole(rules, writer, other) || (other->selectable && !component->selectable)))
            return true;
    }
    return false;
}

/* A topmost component that cannot be selected belongs to every backup of its writer: without it there is
 * none. */
static bool lacks_what_it_must_have(const struct rules *rules, const PB(Writer) * writer)
{
    for (size_t i = 0; i < writer->n_components; i++) {
        const PB(Component) *component = writer->components[i];
        bool topmost = true;
        for (size_t n = 0; n < writer->n_components; n++)
            topmost = topmost && !lies_below(component, writer->components[n]);
        if (topmost && !component->selectable && !is_whole(rules, writer, component))
            return true;
    }
    return false;
}

bool selection_of_all(struct selection *selection, PB(Writer) *const *writers, size_t writers_count,
                      const struct strings *excluded, selection_covers *covers, const void *context)
{
    const struct rules rules = {.excluded = excluded, .covers = covers, .context = context};
    for (size_t w = 0; w < writers_count; w++) {
        const PB(Writer) *writer = writers[w];
        if (!writer->status || lacks_what_it_must_have(&rules, writer))
            continue;
        for (size_t i = 0; i < writer->n_components; i++) {
            const PB(Component) *component = writer->components[i];
            struct chosen chosen = describe(writer, component);
            if (is_whole(&rules, writer, component) && !comes_with_another(&rules, writer, component) &&
                !selection_add(selection, &chosen))
                return false;
        }
    }
    return true;
}

bool selection_of_one(struct selection *selection, PB(Writer) *const *writers, size_t writers_count,
                      const char *spec, struct text *problem)
{
    for (size_t w = 0; w < writers_count; w++) {
        for (size_t i = 0; writers[w]->status && i < writers[w]->n_components; i++) {
            struct chosen chosen = describe(writers[w], writers[w]->components[i]);
            if (!spec_is_component(spec, &chosen))
                continue;
            if (selection_add(selection, &chosen))
                return true;
            text_add(problem, "There is not enough memory.");
            return false;
        }
    }
    text_format(problem, "No writer has a component \"%s\".", spec);
    return false;
}
