/* What writers declare, put together from the parts in which it is read. */
#include <string.h>

#include "service/broker/message.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"

enum {
    LIST_FIRST_CAPACITY = 16
};

/* A larger piece of memory in place of `items`; what was there is copied. NULL without memory. */
static void *grow(struct arena *arena, const void *items, size_t count, size_t capacity, size_t size)
{
    void *grown = arena_alloc(arena, capacity * size);
    if (grown != NULL && count > 0)
        memcpy(grown, items, count * size);
    return grown;
}

bool reading_list_add(struct arena *arena, struct reading_list *list, struct metadata_reading reading)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? LIST_FIRST_CAPACITY : 2 * list->capacity;
        void *items = grow(arena, list->items, list->count, capacity, sizeof *list->items);
        if (items == NULL)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = reading;
    return true;
}

/* The pointers of one list behind those of another; `to` is the address of the other list's pointer. */
static bool join(struct arena *arena, void *to, size_t *to_count, const void *items, size_t count)
{
    void *former;
    memcpy(&former, to, sizeof former);
    if (count == 0)
        return true;
    char *joined = grow(arena, former, *to_count, *to_count + count, sizeof(void *));
    if (joined == NULL)
        return false;
    memcpy(joined + *to_count * sizeof(void *), items, count * sizeof(void *));
    memcpy(to, &joined, sizeof joined);
    *to_count += count;
    return true;
}

#define JOIN(arena, to, from, field) \
    join(arena, &(to)->field, &(to)->n_##field, (from)->field, (from)->n_##field)

/* More files of the same component. */
static bool go_on_with(struct arena *arena, PB(Component) * to, const PB(Component) * from)
{
    return JOIN(arena, to, from, files) && JOIN(arena, to, from, database_files) &&
           JOIN(arena, to, from, log_files) && JOIN(arena, to, from, roots);
}

static bool take_component(struct arena *arena, struct chosen_writer *writer, uint32_t index,
                           PB(Component) * component)
{
    if (index < writer->parts_read)
        return go_on_with(arena, (PB(Component) *)(uintptr_t)writer->parts[index].declared, component);
    if (index == writer->parts_capacity) {
        uint32_t capacity = writer->parts_capacity == 0 ? LIST_FIRST_CAPACITY : 2 * writer->parts_capacity;
        void *parts = grow(arena, writer->parts, writer->parts_count, capacity, sizeof *writer->parts);
        if (parts == NULL)
            return false;
        writer->parts = parts;
        writer->parts_capacity = capacity;
    }
    writer->parts[index].declared = component;
    writer->parts_read = index + 1;
    if (writer->parts_count < writer->parts_read)
        writer->parts_count = writer->parts_read;
    return true;
}

bool selection_take_reading(struct set *set, struct reading_list *list, size_t index, bool with_files,
                            const PB(GetWriterMetadataResult) * result)
{
    const struct metadata_reading reading = list->items[index];
    struct chosen_writer *writer = &set->selection->writers[reading.writer];
    PB(Writer) *part =
        result != NULL && result->writer != NULL ? MESSAGE_COPY(&set->arena, result->writer) : NULL;
    if (part == NULL)
        return false;
    if (reading.component == 0 && reading.file == 0) {
        writer->metadata = part;
        writer->parts_read = 0;
    } else if (!JOIN(&set->arena, writer->metadata, part, exclude_files)) {
        return false;
    }
    for (uint32_t i = 0; i < part->n_components && reading.component + i <= writer->parts_read; i++) {
        if (!take_component(&set->arena, writer, reading.component + i, part->components[i]))
            return false;
    }
    writer->is_cut |= part->left_out[0] != '\0';
    writer->has_files = with_files && !writer->is_cut;
    const struct metadata_reading next = {reading.writer, result->next_component, result->next_file};
    return !result->more || reading_list_add(&set->arena, list, next);
}
