#include "service/broker/outcome.h"

#include "service/broker/error.h"
#include "service/broker/lease_documents.h"
#include "service/broker/message.h"
#include "service/broker/set_components.h"
#include "service/broker/state.h"

static const char field[] = "finish_backup.components";

/* One in the Backup Components Document; NULL. */
static struct chosen_part *find_part(const struct set *set, const PB(ComponentOutcome) * outcome)
{
    const struct chosen_writer *writer =
        set != NULL && set->selection != NULL ? selection_writer(set, outcome->writer_instance_id) : NULL;
    return writer != NULL ? selection_find(writer, outcome->logical_path, outcome->name) : NULL;
}

static PB(Status) * refuse(struct broker *broker, const char *reason, const char *message,
                           const PB(ComponentOutcome) * outcome)
{
    const char *title = component_title(&broker->arena, outcome->logical_path, outcome->name);
    PB(Status) *status = title != NULL ? status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), reason,
                                                     "component \"%s\" %s", title, message)
                                       : NULL;
    if (status == NULL)
        return error_no_memory();
    return error_field(error_advise(status, "Name each component as ListComponents has it, once."), field);
}

static PB(Status) * refuse_documents(struct broker *broker, const struct set *set)
{
    PB(Status) *status = set == NULL
                             ? status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "UNKNOWN_DOCUMENT",
                                           "the backup is complete, and its documents were not kept")
                             : status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_WRITERS",
                                           "the snapshot's context has no writers, and so no documents");
    error_advise(status, set == NULL ? "Ask CreateSnapshot for with_documents." : "Leave it out.");
    return status != NULL ? error_field(status, "finish_backup.with_documents") : error_no_memory();
}

PB(Status) * outcome_check(struct broker *broker, const struct set *set, const PB(FinishBackup) * finish)
{
    bool *is_named = NULL;
    if (finish->with_documents && (set == NULL || !set->has_writers))
        return refuse_documents(broker, set);
    for (size_t i = 0; i < finish->n_components; i++) {
        const PB(ComponentOutcome) *outcome = finish->components[i];
        const struct chosen_part *part = find_part(set, outcome);
        if (part == NULL)
            return refuse(broker, "UNKNOWN_COMPONENT", "is not one of this backup's", outcome);
        if (part->state != PART_EXPLICIT)
            return refuse(broker, "COMPONENT_NOT_SELECTABLE",
                          "is a part of another one, and has no outcome of its own", outcome);
        if (is_named == NULL)
            is_named = arena_alloc(&broker->arena, set->selection->all.count * sizeof *is_named);
        if (is_named == NULL)
            return error_no_memory();
        size_t at = 0;
        while (selection_part(set->selection, set->selection->all.items[at]) != part)
            at++;
        if (is_named[at])
            return refuse(broker, "DUPLICATE_COMPONENT", "is named twice", outcome);
        is_named[at] = true;
    }
    return NULL;
}

void outcome_take(struct set *set, const PB(FinishBackup) * finish)
{
    bool has_succeeded = finish->outcome == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    const struct selection *selection = set->selection;
    set->succeeded |= has_succeeded;
    set->saves_again = finish->with_documents;
    for (size_t i = 0; selection != NULL && i < selection->explicit.count; i++)
        selection_part(selection, selection->explicit.items[i])->succeeded = has_succeeded;
    for (size_t i = 0; i < finish->n_components; i++)
        find_part(set, finish->components[i])->succeeded = finish->components[i]->ok;
}

/* ---- what is answered ---- */

static void warn(PB(FinishReply) * reply, char *text)
{
    if (text != NULL)
        reply->warnings[reply->n_warnings++] = text;
}

static void warn_of_writers(struct arena *arena, const struct set *set, PB(FinishReply) * reply)
{
    for (size_t i = 0; i < set->statuses.count; i++) {
        const PB(WriterStatus) *writer = set->statuses.items[i];
        if (writer->failed)
            warn(reply, text_format(arena, "writer %s failed to complete the backup (%s)", writer->name,
                                    writer->hresult_name));
    }
}

static void warn_of_components(struct arena *arena, const struct selection *selection,
                               PB(FinishReply) * reply)
{
    for (size_t i = 0; i < selection->explicit.count; i++) {
        const struct chosen_part *part = selection_part(selection, selection->explicit.items[i]);
        if (part->succeeded && part_has_failed(part))
            warn(reply, text_format(arena, "component \"%s\" had failed, and was not called a success",
                                    part->declared->name));
    }
}

void outcome_fill(struct set *set, PB(FinishReply) * reply)
{
    struct arena *arena = &set->broker->arena;
    size_t most = set->statuses.count + (set->selection != NULL ? set->selection->explicit.count : 0) + 1;
    reply->writers = set->statuses.items;
    reply->n_writers = set->statuses.count;
    reply->warnings = arena_alloc(arena, most * sizeof *reply->warnings);
    if (reply->warnings != NULL) {
        warn_of_writers(arena, set, reply);
        if (set->selection != NULL)
            warn_of_components(arena, set->selection, reply);
        if (set->saves_again && !set->has_saved)
            warn(reply, text_constant("the documents could not be saved after the completion"));
    }
    if (set->has_saved) {
        reply->documents = set->documents.items;
        reply->n_documents = set->documents.count;
        shelf_offer(set);
    }
}
