/* What can be said about each component before PreRestore. */
#include "client/cli/restore_plan.h"

#include <string.h>

#include "proto/writers.h"

static bool wants_no_part(const struct restore_item *item)
{
    const PB(RestoreMethod) *method = item->metadata ? item->metadata->restore_method : NULL;
    return method && method->writer_restore == PB_VALUE(WRITER_RESTORE, WRITER_RESTORE_NEVER);
}

static void check_writer(struct restore_plan *plan, struct restore_item *item)
{
    const char *service = writer_known_service(item->writer_id);
    const char *known = writer_known_name(item->writer_id);
    if (item->running)
        return;
    if (!item->metadata && *known)
        item->writer_name = known;
    if (wants_no_part(item)) {
        item->untold = true;
        restore_note(plan, item, "its writer does not run; it wants no part in a restore");
        return;
    }
    if (plan->wishes->skip_missing) {
        item->skipped = true;
        restore_note(plan, item, "left out: its writer does not run");
    } else if (*service) {
        restore_problem(plan, item, "its writer does not run: start the service %s", service);
    } else {
        restore_problem(plan, item, "its writer does not run: start the application that it belongs to");
    }
}

static void check_declared(struct restore_plan *plan, struct restore_item *item)
{
    const PB(Writer) *metadata = item->metadata;
    if (item->declared) {
        bool today = false;
        for (size_t i = 0; item->running && i < item->running->n_components; i++)
            today |= restore_is_same(item->running->components[i], item->saved);
        if (item->running && !today)
            restore_note(plan, item, "its writer does not declare it today");
        return;
    }
    if (!metadata)
        return; /* a writer that is missing is a problem already, or left out */
    if (*metadata->left_out)
        restore_problem(plan, item, "its writer's metadata is too large to be looked at");
    else if (plan->stored_count > 0)
        restore_problem(plan, item,
                        "the writer metadata does not declare it: which files it has is not known");
    else
        restore_problem(plan, item,
                        "its writer does not declare it today: give the metadata of the backup's day with "
                        "--metadata");
}

/* Methods that want more than files in place. */
static void check_method(struct restore_plan *plan, struct restore_item *item)
{
    const PB(RestoreMethod) *method = item->metadata ? item->metadata->restore_method : NULL;
    bool accepted = restore_is_accepted(plan, item);
    if (!method)
        return;
    switch (method->method) {
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_STOP_RESTORE_START):
        if (!accepted)
            restore_problem(
                plan, item,
                "the service %s has to be stopped while its files are restored, and started after "
                "it: with --accept CMD does so",
                method->service);
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_STOP_START):
        restore_note(plan, item, "when it is restored, stop and start the service %s", method->service);
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_AT_REBOOT):
        item->at_reboot = true;
        if (!accepted)
            restore_problem(plan, item,
                            "its files can be put in place by a reboot only: with --accept CMD sees to that");
        break;
    case PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_CUSTOM):
        if (!accepted)
            restore_problem(plan, item,
                            "it is restored in a way of its writer's own%s%s: with --accept CMD does so",
                            *method->user_procedure ? ", see " : "", method->user_procedure);
        break;
    default:
        break;
    }
    if (method->reboot_required)
        restore_note(plan, item, "when it is restored, the machine has to be restarted");
}

static void check_schema(struct restore_plan *plan, struct restore_item *item)
{
    const struct restore_wishes *wishes = plan->wishes;
    const struct {
        bool wanted;
        uint32_t bit;
        const char *what;
    } rows[] = {
        {wishes->to != NULL, SCHEMA_NEW_TARGET, "restored to another place (--to)"},
        {wishes->roll_forward, SCHEMA_ROLL_FORWARD, "rolled forward to a point (--roll-forward)"},
        {wishes->restore_name != NULL, SCHEMA_RENAME, "restored under another name (--restore-name)"},
        {wishes->authoritative, SCHEMA_AUTHORITATIVE, "restored authoritatively (--authoritative)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].wanted && item->metadata && !(item->metadata->backup_schema & rows[i].bit))
            restore_problem(plan, item, "its writer does not support that it is %s", rows[i].what);
    }
}

static void check_alternate(struct restore_plan *plan, struct restore_item *item)
{
    if (restore_method(item) != PB_VALUE(RESTORE_METHOD_TYPE, RESTORE_METHOD_TO_ALTERNATE_LOCATION) ||
        plan->wishes->to)
        return;
    for (size_t i = 0; i < item->files_count; i++) {
        if (!item->files[i].alternate) {
            restore_problem(plan, item,
                            "it is restored to an alternate location, and its writer gives none for %s",
                            item->files[i].path);
            return;
        }
    }
}

void restore_plan_check(struct restore_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct restore_item *item = &plan->items[i];
        restore_list_files(plan, item);
        check_writer(plan, item);
        if (item->skipped) {
            item->problems_count = 0; /* of its dependencies: it is left out as a whole */
            continue;
        }
        check_declared(plan, item);
        check_method(plan, item);
        check_schema(plan, item);
        check_alternate(plan, item);
        if (item->joined)
            restore_note(plan, item, "chosen because another component depends on it");
        if (!item->saved->backup_succeeded)
            restore_note(plan, item, "the document does not say that its backup succeeded");
    }
}
