/* The files of a component, and where they go. */
#include "client/cli/restore_plan.h"

#include <string.h>

/* ---- which ---- */

static const char *expand(struct restore_plan *plan, const char *path)
{
    struct text text = {0};
    plan->wishes->expand(path, &text);
    /* "C:\" keeps its backslash: "C:" is something else. */
    while (text.size > 3 && text.data[text.size - 1] == '\\')
        text.data[--text.size] = 0;
    const char *kept = restore_keep(plan, text_string(&text));
    plan->no_memory |= text.failed;
    text_free(&text);
    return kept;
}

/* A mapping is for the file set of the same path, filespec and recursion. */
static const char *find_alternate(struct restore_plan *plan, const struct restore_item *item,
                                  const struct restore_files *files)
{
    const PB(RestoreMethod) *method = item->metadata->restore_method;
    for (size_t i = 0; method && i < method->n_alternate_locations; i++) {
        const PB(FileDescriptor) *mapping = method->alternate_locations[i];
        if (mapping->recursive == files->declared->recursive &&
            equal_ignoring_case(mapping->filespec, files->declared->filespec) &&
            equal_ignoring_case(expand(plan, mapping->path), expand(plan, files->declared->path)))
            return expand(plan, *mapping->expanded_alternate_location ? mapping->expanded_alternate_location
                                                                      : mapping->alternate_location);
    }
    return NULL;
}

/* DIR\C\Data for C:\Data, DIR\server\share for \\server\share. */
static const char *new_target(struct restore_plan *plan, const char *path)
{
    struct text text = {0};
    text_add(&text, plan->wishes->to);
    while (text.size > 3 && text.data[text.size - 1] == '\\')
        text.data[--text.size] = 0;
    while (*path == '\\' || *path == '?' || *path == '.')
        path++;
    if (text.size > 0 && text.data[text.size - 1] != '\\')
        text_add_char(&text, '\\');
    for (; *path; path++) {
        if (*path != ':')
            text_add_char(&text, *path);
    }
    while (text.size > 0 && text.data[text.size - 1] == '\\')
        text.data[--text.size] = 0;
    const char *kept = restore_keep(plan, text_string(&text));
    plan->no_memory |= text.failed;
    text_free(&text);
    return kept;
}

static void add_files(struct restore_plan *plan, struct restore_item *item, const PB(Component) * component,
                      PB(FileDescriptor) * *descriptors, size_t count, PB(FileRole) role)
{
    for (size_t i = 0; i < count; i++) {
        struct restore_files *files = &item->files[item->files_count++];
        files->declared = descriptors[i];
        files->component = component;
        files->role = role;
        files->path = expand(plan, *descriptors[i]->expanded_path ? descriptors[i]->expanded_path
                                                                  : descriptors[i]->path);
        files->alternate = find_alternate(plan, item, files);
        files->is_new_target = plan->wishes->to != NULL;
        files->target = files->is_new_target ? new_target(plan, files->path) : files->path;
    }
}

/* Of the document's entries above a component the nearest has it. */
static bool has_nearer(const struct restore_plan *plan, const struct restore_item *item,
                       const PB(Component) * component)
{
    size_t length = strlen(item->saved->logical_path) + strlen(item->saved->name);
    for (size_t i = 0; i < plan->document_count; i++) {
        if (!equal_ignoring_case(plan->document[i]->writer_id, item->writer_id))
            continue;
        for (size_t k = 0; k < plan->document[i]->n_components; k++) {
            const PB(BackupComponent) *saved = plan->document[i]->components[k];
            if (saved != item->saved && strlen(saved->logical_path) + strlen(saved->name) > length &&
                (restore_is_below(component->logical_path, saved) || restore_is_same(component, saved)))
                return true;
        }
    }
    return false;
}

static bool is_wanted(const struct restore_plan *plan, const struct restore_item *item,
                      const PB(Component) * component)
{
    for (size_t i = 0; i < item->below_count; i++) {
        if (item->below[i] == component)
            return true;
    }
    if (item->below_count > 0)
        return false;
    return component == item->declared ||
           (restore_is_below(component->logical_path, item->saved) && !has_nearer(plan, item, component));
}

void restore_list_files(struct restore_plan *plan, struct restore_item *item)
{
    size_t count = 0;
    const PB(Writer) *metadata = item->metadata;
    if (!item->declared)
        return;
    for (size_t i = 0; i < metadata->n_components; i++) {
        const PB(Component) *component = metadata->components[i];
        count += component->n_files + component->n_database_files + component->n_log_files;
    }
    item->files = arena_alloc(&plan->arena, (count + 1) * sizeof *item->files);
    plan->no_memory |= !item->files;
    for (size_t i = 0; item->files && i < metadata->n_components; i++) {
        const PB(Component) *component = metadata->components[i];
        if (!is_wanted(plan, item, component))
            continue;
        add_files(plan, item, component, component->files, component->n_files,
                  PB_VALUE(FILE_ROLE, FILE_ROLE_FILE_GROUP));
        add_files(plan, item, component, component->database_files, component->n_database_files,
                  PB_VALUE(FILE_ROLE, FILE_ROLE_DATABASE));
        add_files(plan, item, component, component->log_files, component->n_log_files,
                  PB_VALUE(FILE_ROLE, FILE_ROLE_LOG));
    }
}

/* ---- where they go ---- */

static bool all_have_alternates(const struct restore_item *item)
{
    for (size_t i = 0; i < item->files_count; i++) {
        if (!item->files[i].alternate)
            return false;
    }
    return item->files_count > 0;
}

/* True: nothing is in the way at the targets, or with `alternate` at the alternate locations. */
static bool is_clear(struct restore_plan *plan, struct restore_item *item, const struct restore_disk *disk,
                     bool locked, bool alternate, struct text *found)
{
    for (size_t i = 0; i < item->files_count; i++) {
        const struct restore_files *files = &item->files[i];
        bool in_way = false;
        text_clear(found);
        if (!disk->look(alternate ? files->alternate : files->target, files->declared->filespec,
                        files->declared->recursive, locked, &in_way, found)) {
            restore_problem(plan, item, "%s", text_string(found));
            return true; /* that is problem enough */
        }
        if (in_way)
            return false;
    }
    return true;
}

static void use_alternates(struct restore_item *item)
{
    for (size_t i = 0; i < item->files_count; i++) {
        item->files[i].target = item->files[i].alternate;
        item->files[i].is_mapped = true;
        item->files[i].is_new_target = false;
    }
}

static void tell_in_way(struct restore_plan *plan, struct restore_item *item, bool locked, const char *found)
{
    const char *wants = locked ? "it is restored only where its files can be replaced"
                               : "it is restored only where none of its files are";
    if (plan->rehearsal)
        restore_note(plan, item, "%s: now %s is in the way, unless PreRestore changes that", wants, found);
    else
        restore_problem(plan, item, "%s: %s is in the way", wants, found);
}

/* One file in the way, and none of the component's is restored there; all go to the alternate locations, if
 * there are some and those are free. */
static void direct_around(struct restore_plan *plan, struct restore_item *item,
                          const struct restore_disk *disk, bool locked)
{
    struct text found = {0};
    struct text there = {0};
    if (!is_clear(plan, item, disk, locked, false, &found)) {
        if (all_have_alternates(item) && is_clear(plan, item, disk, locked, true, &there))
            use_alternates(item);
        else
            tell_in_way(plan, item, locked, text_string(&found));
    }
    text_free(&found);
    text_free(&there);
}

static void direct_by_method(struct restore_plan *plan, struct restore_item *item,
                             const struct restore_disk *disk)
{
    struct text found = {0};
    switch (restore_method(item)) {
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_IF_NOT_THERE):
        direct_around(plan, item, disk, false);
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_IF_CAN_REPLACE):
        direct_around(plan, item, disk, true);
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_AT_REBOOT_IF_CANNOT_REPLACE):
        if (!is_clear(plan, item, disk, true, false, &found)) {
            item->at_reboot = true;
            restore_note(plan, item, "%s cannot be replaced now: its files are put in place by a reboot",
                         text_string(&found));
        }
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_TO_ALTERNATE_LOCATION):
        if (!plan->wishes->to && all_have_alternates(item))
            use_alternates(item);
        break;
    default:
        break;
    }
    text_free(&found);
}

static void direct_to_original(struct restore_plan *plan, struct restore_item *item)
{
    if (plan->wishes->to)
        restore_note(plan, item, "its writer wants it where it was, not at --to");
    for (size_t i = 0; i < item->files_count; i++) {
        item->files[i].target = item->files[i].path;
        item->files[i].is_new_target = false;
    }
}

void restore_plan_direct(struct restore_plan *plan, const struct restore_disk *disk)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct restore_item *item = &plan->items[i];
        if (item->skipped)
            continue;
        switch (item->saved->restore_target) {
        case TARGET_ALTERNATE:
            if (all_have_alternates(item))
                use_alternates(item);
            else
                restore_problem(plan, item,
                                "its writer wants it at alternate locations, and does not give one for "
                                "each of its files");
            break;
        case TARGET_DIRECTED:
            restore_note(plan, item, "its writer directs its files one by one");
            break;
        case TARGET_ORIGINAL_LOCATION:
            direct_to_original(plan, item);
            break;
        case TARGET_UNDEFINED: /* no writer has said anything */
        case TARGET_ORIGINAL:
        default:
            direct_by_method(plan, item, disk);
        }
    }
}
