/* Where the files of components are: VSS copies volumes, and a component is whole only if all of its are
 * there. */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"

/* The volumes of the machine, with those marked that are needed and are not in the set. */
struct needs {
    const struct set *set;
    bool *is_lacking; /* by index in the table */
    size_t count;
    const char *unseen; /* a directory on no volume */
};

static bool needs_begin(struct needs *needs, const struct set *set)
{
    *needs = (struct needs){.set = set};
    needs->is_lacking =
        arena_alloc(&set->broker->arena, (set->broker->volumes.count + 1) * sizeof *needs->is_lacking);
    return needs->is_lacking != NULL;
}

static void needs_add(struct needs *needs, const PB(Component) * component)
{
    const struct volume_table *table = &needs->set->broker->volumes;
    for (size_t i = 0; i < component->n_roots; i++) {
        const char *reason, *message;
        const struct volume *volume =
            volumes_resolve(table, component->roots[i], NAME_OF_PATH, &reason, &message);
        if (volume == NULL)
            needs->unseen = component->roots[i];
        else if (set_find_volume(needs->set, volume->guid_path) == NULL &&
                 !needs->is_lacking[volume - table->volumes]) {
            needs->is_lacking[volume - table->volumes] = true;
            needs->count++;
        }
    }
}

/* "E:\, F:\" */
static char *needs_text(const struct needs *needs)
{
    struct broker *broker = needs->set->broker;
    char *text = text_constant("");
    for (size_t i = 0; i < broker->volumes.count && text != NULL; i++) {
        if (needs->is_lacking[i])
            text = text_format(&broker->arena, "%s%s%s", text, text[0] != '\0' ? ", " : "",
                               TITLE_OF(&broker->volumes.volumes[i]));
    }
    return text;
}

/* ---- what a failed writer lacks ---- */

char *volumes_lacking(const struct set *set, const PB(Writer) * writer)
{
    struct needs needs;
    const struct chosen_writer *chosen =
        writer->status != NULL ? selection_writer(set, writer->status->instance_id) : NULL;
    if (!needs_begin(&needs, set))
        return NULL;
    for (size_t i = 0; i < writer->n_components; i++) {
        bool is_meant = set->selection == NULL ||
                        (chosen != NULL && i < chosen->parts_count && chosen->parts[i].state != PART_OUT);
        if (is_meant)
            needs_add(&needs, writer->components[i]);
    }
    return needs_text(&needs);
}

/* ---- what a selection needs ---- */

static PB(Status) * too_few(struct needs *needs)
{
    struct broker *broker = needs->set->broker;
    const char *text = needs_text(needs);
    if (text == NULL)
        return error_no_memory();
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "VOLUMES_MISSING",
                    "the components have files on volumes that are not in the request: %s", text);
    if (status == NULL)
        return error_no_memory();
    for (size_t i = 0; i < broker->volumes.count && status->volume[0] == '\0'; i++) {
        if (needs->is_lacking[i])
            status->volume = text_constant(TITLE_OF(&broker->volumes.volumes[i]));
    }
    error_field(status, "create_snapshot.volumes");
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    return error_advise(status, "Add these volumes, or set add_needed_volumes.");
}

static PB(Status) * too_many(struct broker *broker)
{
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(RESOURCE_EXHAUSTED), "TOO_MANY_VOLUMES",
                    "with the volumes that the components need there are more than the 64 that "
                    "VSS takes in one snapshot set");
    if (status == NULL)
        return error_no_memory();
    status->limit_name = text_constant("max_volumes");
    return error_field(error_advise(status, "Split the request."), "create_snapshot.components");
}

static PB(Status) * add_needed(struct set *set, struct job *job, const struct needs *needs)
{
    const struct volume_table *table = &set->broker->volumes;
    if (job->volumes_count + needs->count > MAX_VOLUMES)
        return too_many(set->broker);
    for (size_t i = 0; i < table->count; i++) {
        if (!needs->is_lacking[i])
            continue;
        if (!job_adds_volume(job, &table->volumes[i]))
            return error_no_memory();
        job_warn(job, "volume %s joined, for the components have files there", TITLE_OF(&table->volumes[i]));
    }
    return set_add_volumes(set, job) ? NULL : error_no_memory();
}

PB(Status) * selection_check_volumes(struct set *set, struct job *job)
{
    const struct selection *selection = set->selection;
    struct needs needs;
    if (!needs_begin(&needs, set))
        return error_no_memory();
    for (size_t i = 0; i < selection->all.count; i++) {
        const PB(Component) *component = selection_part(selection, selection->all.items[i])->declared;
        needs.unseen = NULL;
        needs_add(&needs, component);
        if (needs.unseen != NULL &&
            !job_adds_uncovered(job, needs.unseen,
                                "a component has files here, and it is on no local volume"))
            return error_no_memory();
    }
    for (size_t i = 0; i < selection->joined.count; i++) {
        const struct chosen_writer *writer = &selection->writers[selection->joined.items[i]];
        if (writer->is_cut)
            job_warn(
                job,
                "writer %s declares too much for one message: which volumes its files are on was not seen",
                writer->metadata->status != NULL ? writer->metadata->status->name : "");
    }
    if (needs.count == 0)
        return NULL;
    return job->wish->add_needed_volumes ? add_needed(set, job, &needs) : too_few(&needs);
}
