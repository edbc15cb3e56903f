#include "client/cli/restore_vss.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/file.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"
#include "proto/writers.h"

/* ---- reading ---- */

/* Sends the file to the service; the id is the caller's. NULL on failure. */
static char *send_document(struct restore *restore, const char *path, enum sp_document_kind kind,
                           struct sp_error **error)
{
    struct session *session = restore->steps.session;
    size_t size;
    char *bytes = file_read(path, FILE_DOCUMENT_BYTES_MAX, &size, error);
    if (!bytes)
        return NULL;
    struct sp_document_source source = {.kind = kind,
                                        .bytes = (const uint8_t *)bytes,
                                        .size = size,
                                        .timeout_ms = session_time_left(session),
                                        .cancel = session->cancel};
    char *id = sp_put_document(session->client, &source, error);
    free(bytes);
    return id;
}

static bool initialize(struct restore *restore, const char *path, struct sp_error **error)
{
    char *id = send_document(restore, path, SP_DOCUMENT_BACKUP_COMPONENTS, error);
    if (!id)
        return false;
    PB(InitializeForRestore) initialize = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    initialize.document_id = id;
    bool ok = steps_open(&restore->steps, PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE), "restore", error) &&
              steps_call(&restore->steps, PB_METHOD(INITIALIZE_FOR_RESTORE), &initialize, error);
    sp_string_free(id);
    return ok;
}

static bool read_components(struct restore *restore, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    const PB(CallReply) *reply = STEPS_PLAIN(&restore->steps, GET_WRITER_COMPONENTS_COUNT, error);
    if (!reply)
        return false;
    uint32_t count = reply->get_writer_components_count ? reply->get_writer_components_count->count : 0;
    plan->document_count = 0;
    plan->document = arena_alloc(&plan->arena, (count + 1) * sizeof(void *));
    for (uint32_t i = 0; plan->document && i < count; i++) {
        PB(GetWriterComponents) get = SHADOWPIPE__V1__GET_WRITER_COMPONENTS__INIT;
        get.index = i;
        reply = steps_call(&restore->steps, PB_METHOD(GET_WRITER_COMPONENTS), &get, error);
        if (!reply)
            return false;
        if (reply->out_case == PB_OUT(GET_WRITER_COMPONENTS))
            plan->document[plan->document_count++] = reply->get_writer_components;
    }
    if (!plan->document)
        error_give(error, error_no_memory());
    return plan->document != NULL;
}

static bool is_in_document(const struct restore_plan *plan, const char *writer_id)
{
    for (size_t i = 0; i < plan->document_count; i++) {
        if (strcmp(plan->document[i]->writer_id, writer_id) == 0)
            return true;
    }
    return false;
}

/* NULL with *error: the reply describes no writer. */
static const PB(Writer) * described(const PB(CallReply) * reply, const PB(GetWriterMetadataResult) * result,
                                    struct sp_error **error)
{
    if (reply->out_case != PB_OUT(_NOT_SET) && result->writer && result->writer->status)
        return result->writer;
    error_give(error, error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "", "The service describes no writer."));
    return NULL;
}

/* NULL on failure. */
static const PB(Writer) *
    read_writer(struct restore *restore, uint32_t index, bool whole, struct sp_error **error)
{
    PB(GetWriterMetadataEx) get = SHADOWPIPE__V1__GET_WRITER_METADATA_EX__INIT;
    get.index = index;
    get.with_components = whole;
    get.with_files = whole;
    const PB(CallReply) *reply = steps_call(&restore->steps, PB_METHOD(GET_WRITER_METADATA_EX), &get, error);
    return reply ? described(reply, reply->get_writer_metadata_ex, error) : NULL;
}

/* Those of the document with all that they have: some others list a hundred thousand files. */
static bool read_writers(struct restore *restore, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    const PB(CallReply) *reply = STEPS_PLAIN(&restore->steps, GET_WRITER_METADATA_COUNT, error);
    if (!reply)
        return false;
    uint32_t count = reply->get_writer_metadata_count ? reply->get_writer_metadata_count->count : 0;
    plan->running = arena_alloc(&plan->arena, (count + 1) * sizeof(void *));
    for (uint32_t i = 0; plan->running && i < count; i++) {
        const PB(Writer) *writer = read_writer(restore, i, false, error);
        if (writer && is_in_document(plan, writer->status->writer_id))
            writer = read_writer(restore, i, true, error);
        if (!writer)
            return false;
        plan->running[plan->running_count++] = writer;
    }
    if (!plan->running)
        error_give(error, error_no_memory());
    return plan->running != NULL;
}

/* What the writers said on the day of the backup. */
static bool read_stored(struct restore *restore, const struct string_list *files, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    plan->stored = arena_alloc(&plan->arena, (files->count + 1) * sizeof(void *));
    for (size_t i = 0; plan->stored && i < files->count; i++) {
        char *id = send_document(restore, files->items[i], SP_DOCUMENT_WRITER_METADATA, error);
        if (!id)
            return false;
        PB(ExamineWriterMetadata) examine = SHADOWPIPE__V1__EXAMINE_WRITER_METADATA__INIT;
        examine.document_id = id;
        examine.with_components = true;
        examine.with_files = true;
        const PB(CallReply) *reply =
            steps_call(&restore->steps, PB_METHOD(EXAMINE_WRITER_METADATA), &examine, error);
        sp_string_free(id);
        const PB(Writer) *writer = reply ? described(reply, reply->examine_writer_metadata, error) : NULL;
        if (!writer)
            return false;
        plan->stored[plan->stored_count++] = writer;
    }
    if (!plan->stored)
        error_give(error, error_no_memory());
    return plan->stored != NULL;
}

bool restore_read(struct restore *restore, const struct arguments *arguments, struct sp_error **error)
{
    return initialize(restore, arguments->document, error) &&
           STEPS_PLAIN(&restore->steps, GATHER_WRITER_METADATA, error) && read_components(restore, error) &&
           read_writers(restore, error) && read_stored(restore, &arguments->metadata, error);
}

/* ---- choosing ---- */

static bool is_told(const struct restore_item *item)
{
    return !item->skipped && !item->untold;
}

static bool set_targets(struct restore *restore, const struct restore_item *item, struct sp_error **error)
{
    PB(ComponentRef) component = restore_component_ref(item);
    for (size_t i = 0; i < item->files_count; i++) {
        const struct restore_files *files = &item->files[i];
        PB(AddNewTarget) add = SHADOWPIPE__V1__ADD_NEW_TARGET__INIT;
        add.component = &component;
        add.path = files->declared->path;
        add.file_name = files->declared->filespec;
        add.recursive = files->declared->recursive;
        add.alternate_path = (char *)files->target;
        if (files->is_new_target && !steps_call(&restore->steps, PB_METHOD(ADD_NEW_TARGET), &add, error))
            return false;
    }
    return true;
}

static bool set_wishes(struct restore *restore, const struct restore_item *item,
                       const struct arguments *arguments, struct sp_error **error)
{
    PB(ComponentRef) component = restore_component_ref(item);
    PB(SetRestoreOptions) options = SHADOWPIPE__V1__SET_RESTORE_OPTIONS__INIT;
    PB(SetAdditionalRestores) more = SHADOWPIPE__V1__SET_ADDITIONAL_RESTORES__INIT;
    PB(SetAuthoritativeRestore) authoritative = SHADOWPIPE__V1__SET_AUTHORITATIVE_RESTORE__INIT;
    PB(SetRollForward) roll = SHADOWPIPE__V1__SET_ROLL_FORWARD__INIT;
    PB(SetRestoreName) name = SHADOWPIPE__V1__SET_RESTORE_NAME__INIT;
    options.component = more.component = authoritative.component = roll.component = name.component =
        &component;
    options.options = (char *)arguments->restore_options;
    more.additional = true;
    authoritative.authoritative = true;
    roll.type = arguments->roll_forward ? restore_roll_type(arguments->roll_forward) : 0;
    roll.point = roll.type == ROLL_TO_POINT ? (char *)arguments->roll_forward : (char *)"";
    name.name = (char *)arguments->restore_name;
    const struct {
        bool wanted;
        PB(Call__MethodCase) method;
        const void *parameters;
    } rows[] = {
        {arguments->restore_options != NULL, PB_METHOD(SET_RESTORE_OPTIONS), &options},
        {arguments->more, PB_METHOD(SET_ADDITIONAL_RESTORES), &more},
        {arguments->authoritative, PB_METHOD(SET_AUTHORITATIVE_RESTORE), &authoritative},
        {arguments->roll_forward != NULL, PB_METHOD(SET_ROLL_FORWARD), &roll},
        {arguments->restore_name != NULL, PB_METHOD(SET_RESTORE_NAME), &name},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].wanted && !steps_call(&restore->steps, rows[i].method, rows[i].parameters, error))
            return false;
    }
    return set_targets(restore, item, error);
}

static bool select_item(struct restore *restore, const struct restore_item *item,
                        const struct arguments *arguments, struct sp_error **error)
{
    PB(ComponentRef) component = restore_component_ref(item);
    PB(SetSelectedForRestore) plain = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE__INIT;
    PB(SetSelectedForRestoreEx) by_instance = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE_EX__INIT;
    plain.component = by_instance.component = &component;
    plain.selected = by_instance.selected = true;
    bool ok =
        item->by_instance
            ? steps_call(&restore->steps, PB_METHOD(SET_SELECTED_FOR_RESTORE_EX), &by_instance, error) != NULL
            : steps_call(&restore->steps, PB_METHOD(SET_SELECTED_FOR_RESTORE), &plain, error) != NULL;
    for (size_t i = 0; ok && i < item->below_count; i++) {
        PB(AddRestoreSubcomponent) below = SHADOWPIPE__V1__ADD_RESTORE_SUBCOMPONENT__INIT;
        below.component = &component;
        below.sub_logical_path = item->below[i]->logical_path;
        below.sub_name = item->below[i]->name;
        ok = steps_call(&restore->steps, PB_METHOD(ADD_RESTORE_SUBCOMPONENT), &below, error) != NULL;
    }
    return ok && set_wishes(restore, item, arguments, error);
}

/* ---- how the writers fare ---- */

static const struct restore_item *item_of(const struct restore_plan *plan, const PB(WriterStatus) * status)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct restore_item *item = &plan->items[i];
        if (is_told(item) && item->running &&
            strcmp(item->running->status->instance_id, status->instance_id) == 0)
            return item;
    }
    return NULL;
}

static struct sp_error *writers_failed(PB(WriterStatus) * *failed, size_t count, const char *method)
{
    struct text message = {0};
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    text_format(&message, "%s failed at %s.", count == 1 ? failed[0]->name : "Writers", method);
    status.code = PB_CODE(ABORTED);
    status.reason = (char *)"WRITER_FAILED";
    status.hresult = failed[0]->hresult;
    status.hresult_name = failed[0]->hresult_name;
    status.method = (char *)method;
    status.message = (char *)text_string(&message);
    status.advice = (char *)"Look into the event log for what the writer's application says.";
    status.retry = PB_VALUE(RETRY, RETRY_AFTER_CHANGE);
    status.writers = failed;
    status.n_writers = count;
    for (size_t i = 0; i < count; i++)
        failed[i]->host_service = (char *)writer_known_service(failed[i]->writer_id);
    struct sp_error *error = error_from_status(&status);
    text_free(&message);
    return error;
}

/* Judged by the writer's own state, whatever the context is: 0 and 6 to 15, or a failure code. */
static bool check_writers(struct restore *restore, const char *method, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    if (!STEPS_PLAIN(&restore->steps, GATHER_WRITER_STATUS, error))
        return false;
    const PB(CallReply) *reply = STEPS_PLAIN(&restore->steps, GET_WRITER_STATUS_COUNT, error);
    if (!reply)
        return false;
    uint32_t count = reply->get_writer_status_count ? reply->get_writer_status_count->count : 0;
    PB(WriterStatus) **failed = arena_alloc(&plan->arena, (count + 1) * sizeof *failed);
    size_t failed_count = 0;
    for (uint32_t i = 0; failed && i < count; i++) {
        PB(GetWriterStatusEx) get = SHADOWPIPE__V1__GET_WRITER_STATUS_EX__INIT;
        get.index = i;
        reply = steps_call(&restore->steps, PB_METHOD(GET_WRITER_STATUS_EX), &get, error);
        if (!reply)
            return false;
        PB(WriterStatus) *status =
            reply->out_case == PB_OUT(GET_WRITER_STATUS_EX) ? reply->get_writer_status_ex->writer : NULL;
        if (status && status->failed && item_of(plan, status))
            failed[failed_count++] = status;
    }
    if (!failed)
        error_give(error, error_no_memory());
    if (!failed || !STEPS_PLAIN(&restore->steps, FREE_WRITER_STATUS, error))
        return false;
    if (failed_count > 0)
        error_give(error, writers_failed(failed, failed_count, method));
    return failed_count == 0;
}

/* ---- the events ---- */

static const PB(BackupComponent) *
    find_again(const struct restore_plan *plan, const struct restore_item *item)
{
    for (size_t i = 0; i < plan->document_count; i++) {
        const PB(GetWriterComponentsResult) *writer = plan->document[i];
        for (size_t k = 0; strcmp(writer->writer_id, item->writer_id) == 0 && k < writer->n_components; k++) {
            const PB(BackupComponent) *component = writer->components[k];
            if (component->type == item->saved->type &&
                strcmp(component->logical_path, item->saved->logical_path) == 0 &&
                strcmp(component->name, item->saved->name) == 0)
                return component;
        }
    }
    return NULL;
}

/* What writers have said of their components. The document is read anew: PreRestore and PostRestore change
 * it. */
static bool read_again(struct restore *restore, bool after, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    if (!read_components(restore, error))
        return false;
    for (size_t i = 0; i < plan->count; i++) {
        struct restore_item *item = &plan->items[i];
        const PB(BackupComponent) *component = find_again(plan, item);
        if (component)
            item->saved = component;
        const char *said =
            after ? item->saved->post_restore_failure_message : item->saved->pre_restore_failure_message;
        if (!is_told(item))
            continue;
        if (item->saved->failure_hresult & 0x80000000u)
            restore_problem(plan, item, "its writer says that it failed with 0x%08lX: %s",
                            (unsigned long)item->saved->failure_hresult,
                            *item->saved->failure_app_message ? item->saved->failure_app_message : said);
        else if (*said)
            restore_note(plan, item, "its writer says: %s", said);
    }
    return true;
}

bool restore_begin(struct restore *restore, const struct arguments *arguments, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    size_t told = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (!is_told(&plan->items[i]))
            continue;
        if (!select_item(restore, &plan->items[i], arguments, error))
            return false;
        told++;
    }
    if (told == 0)
        return true;
    restore->is_told = true;
    terminal_note("the writers prepare for the restore.");
    return STEPS_PLAIN(&restore->steps, PRE_RESTORE, error) && read_again(restore, false, error) &&
           check_writers(restore, "PreRestore", error);
}

static bool set_mappings(struct restore *restore, const struct restore_item *item, struct sp_error **error)
{
    PB(ComponentRef) component = restore_component_ref(item);
    for (size_t i = 0; i < item->files_count; i++) {
        const struct restore_files *files = &item->files[i];
        PB(AddAlternativeLocationMapping) add = SHADOWPIPE__V1__ADD_ALTERNATIVE_LOCATION_MAPPING__INIT;
        add.component = &component;
        add.path = files->declared->path;
        add.filespec = files->declared->filespec;
        add.recursive = files->declared->recursive;
        add.destination = (char *)files->target;
        if (files->is_mapped &&
            !steps_call(&restore->steps, PB_METHOD(ADD_ALTERNATIVE_LOCATION_MAPPING), &add, error))
            return false;
    }
    return true;
}

static bool set_status(struct restore *restore, enum file_status file_status, struct sp_error **error)
{
    struct restore_plan *plan = &restore->plan;
    for (size_t i = 0; i < plan->count; i++) {
        const struct restore_item *item = &plan->items[i];
        PB(ComponentRef) component = restore_component_ref(item);
        PB(SetFileRestoreStatus) set = SHADOWPIPE__V1__SET_FILE_RESTORE_STATUS__INIT;
        set.component = &component;
        set.status = file_status;
        if (!is_told(item))
            continue;
        if (!steps_call(&restore->steps, PB_METHOD(SET_FILE_RESTORE_STATUS), &set, error) ||
            (file_status != FILES_NONE && !set_mappings(restore, item, error)))
            return false;
    }
    return true;
}

bool restore_end(struct restore *restore, enum file_status status, struct sp_error **error)
{
    if (!restore->is_told)
        return true;
    restore->is_told = false;
    restore->steps.owed = true;
    terminal_note("the writers take over what was restored.");
    struct sp_error *further = NULL;
    bool ok = set_status(restore, status, error);
    /* Whatever became of that: who went offline has to hear the end. */
    ok = STEPS_PLAIN(&restore->steps, POST_RESTORE, ok ? error : &further) && ok;
    sp_error_free(further);
    return ok && (status == FILES_NONE || read_again(restore, true, error)) &&
           check_writers(restore, "PostRestore", error);
}
