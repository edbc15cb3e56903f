/* Writers in a session: which are there, which take part, and how they are. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/display.h"
#include "client/cli/json.h"
#include "client/cli/shell.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

enum {
    PART_BYTES = 256 * 1024
};

/* ---- metadata ---- */

bool object_count_writers(struct shell *shell, const struct object *object, uint32_t *count,
                          struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterMetadataCount) get = SHADOWPIPE__V1__GET_WRITER_METADATA_COUNT__INIT;
    call.method_case = PB_METHOD(GET_WRITER_METADATA_COUNT);
    call.get_writer_metadata_count = &get;
    struct message *reply = object_call(shell, object, &call, error);
    if (!reply)
        return false;
    const PB(CallReply) *answer = reply->envelope->call_reply;
    *count =
        answer->out_case == PB_OUT(GET_WRITER_METADATA_COUNT) ? answer->get_writer_metadata_count->count : 0;
    message_free(reply);
    return true;
}

void shell_forget_writers(struct shell *shell)
{
    for (size_t i = 0; i < shell->writers_count; i++)
        message_free(shell->writers[i]);
    shell->writers_count = 0;
}

/* One writer, in as many parts as its files need. */
static bool read_writer(struct shell *shell, const struct object *object, uint32_t index, bool with_files,
                        struct sp_error **error)
{
    PB(GetWriterMetadataEx) get = SHADOWPIPE__V1__GET_WRITER_METADATA_EX__INIT;
    bool more = true;
    get.index = index;
    get.with_components = true;
    get.with_files = with_files;
    get.part_bytes = with_files ? PART_BYTES : 0;
    while (more) {
        if (shell->writers_count == WRITERS_MAX)
            return shell_too_many(error);
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        call.method_case = PB_METHOD(GET_WRITER_METADATA_EX);
        call.get_writer_metadata_ex = &get;
        struct message *reply = object_call(shell, object, &call, error);
        if (!reply)
            return false;
        const PB(CallReply) *answer = reply->envelope->call_reply;
        const PB(GetWriterMetadataResult) *result =
            answer->out_case == PB_OUT(GET_WRITER_METADATA_EX) ? answer->get_writer_metadata_ex : NULL;
        if (!result || !result->writer || !result->writer->status) {
            message_free(reply);
            return true;
        }
        shell->writers[shell->writers_count++] = reply;
        more = result->more;
        get.component = result->next_component;
        get.file = result->next_file;
    }
    return true;
}

bool shell_read_writers(struct shell *shell, const struct object *object, bool with_files,
                        struct sp_error **error)
{
    uint32_t count;
    shell_forget_writers(shell);
    if (!object_count_writers(shell, object, &count, error))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_writer(shell, object, i, with_files, error))
            return false;
    }
    return true;
}

size_t shell_writers(const struct shell *shell, PB(Writer) * *writers)
{
    for (size_t i = 0; i < shell->writers_count; i++)
        writers[i] = shell->writers[i]->envelope->call_reply->get_writer_metadata_ex->writer;
    return shell->writers_count;
}

static bool gather(struct shell *shell, const struct object *object, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GatherWriterMetadata) gather_metadata = SHADOWPIPE__V1__GATHER_WRITER_METADATA__INIT;
    call.method_case = PB_METHOD(GATHER_WRITER_METADATA);
    call.gather_writer_metadata = &gather_metadata;
    return object_do(shell, object, &call, error);
}

/* The writers of the machine, by an object of its own that is closed again. */
static bool read_all_writers(struct shell *shell, bool with_files, struct sp_error **error)
{
    struct object object = {.id = ""};
    bool ok = object_open_all(shell, &object, error) && gather(shell, &object, error) &&
              shell_read_writers(shell, &object, with_files, error);
    return object_close(shell, &object, ok ? error : NULL) && ok;
}

/* ---- leaving out ---- */

static bool disable(struct shell *shell, PB(Call__MethodCase) method, const struct strings *ids,
                    struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(DisableWriterClasses) classes = SHADOWPIPE__V1__DISABLE_WRITER_CLASSES__INIT;
    PB(DisableWriterInstances) instances = SHADOWPIPE__V1__DISABLE_WRITER_INSTANCES__INIT;
    if (ids->count == 0)
        return true;
    call.method_case = method;
    if (method == PB_METHOD(DISABLE_WRITER_CLASSES)) {
        classes.n_writer_ids = ids->count;
        classes.writer_ids = ids->items;
        call.disable_writer_classes = &classes;
    } else {
        instances.n_instance_ids = ids->count;
        instances.instance_ids = ids->items;
        call.disable_writer_instances = &instances;
    }
    return object_do(shell, &shell->object, &call, error);
}

static bool sort_out(const struct shell *shell, const char *spec, struct strings *classes,
                     struct strings *instances)
{
    PB(Writer) * writers[WRITERS_MAX];
    size_t count = shell_writers(shell, writers);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const PB(WriterStatus) *status = writers[i]->status;
        if (!spec_is_writer(spec, status->name, status->writer_id, status->instance_id))
            continue;
        found = true;
        /* A name or an instance id is one writer; a class id all of its kind, also those that come up now. */
        bool by_class = spec_is_writer(spec, "", status->writer_id, "");
        if (!strings_add(by_class ? classes : instances, by_class ? status->writer_id : status->instance_id))
            return false;
    }
    if (!found && !spec_names_component(spec))
        terminal_note("there is no writer \"%s\" to leave out.", spec);
    return true;
}

bool shell_disable_writers(struct shell *shell, struct sp_error **error)
{
    struct strings classes = {0};
    struct strings instances = {0};
    bool any = false;
    bool sorted = true;
    for (size_t i = 0; i < shell->excluded.count; i++)
        any = any || !spec_names_component(shell->excluded.items[i]);
    if (!any)
        return true;
    bool ok = read_all_writers(shell, false, error);
    for (size_t i = 0; ok && i < shell->excluded.count; i++)
        sorted = sorted && sort_out(shell, shell->excluded.items[i], &classes, &instances);
    if (!sorted)
        ok = shell_no_memory(error);
    ok = ok && disable(shell, PB_METHOD(DISABLE_WRITER_CLASSES), &classes, error) &&
         disable(shell, PB_METHOD(DISABLE_WRITER_INSTANCES), &instances, error);
    strings_clear(&classes);
    strings_clear(&instances);
    shell_forget_writers(shell);
    return ok;
}

/* ---- choosing ---- */

static bool covers(const void *context, const char *directory)
{
    const struct shell *shell = context;
    const PB(Volume) *volume = shell_volume_of_path(shell, directory);
    for (size_t i = 0; volume && i < shell->volumes_count; i++) {
        if (equal_ignoring_case(shell->volumes[i].path, volume->guid_path))
            return true;
    }
    return false;
}

static bool add_component(struct shell *shell, const struct chosen *chosen, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(AddComponent) add = SHADOWPIPE__V1__ADD_COMPONENT__INIT;
    PB(ComponentRef) reference;
    chosen_refer(chosen, &reference);
    add.component = &reference;
    call.method_case = PB_METHOD(ADD_COMPONENT);
    call.add_component = &add;
    return object_do(shell, &shell->object, &call, error);
}

bool shell_choose(struct shell *shell, struct sp_error **error)
{
    PB(Writer) * writers[WRITERS_MAX];
    struct text problem = {0};
    size_t count = shell_writers(shell, writers);
    bool ok = true;
    selection_clear(&shell->chosen);
    for (size_t i = 0; ok && i < shell->added.count; i++)
        ok = selection_of_one(&shell->chosen, writers, count, shell->added.items[i], &problem);
    if (!ok)
        (void)shell_wrong(error, "\"list writers\" shows them.", "%s", text_string(&problem));
    text_free(&problem);
    if (ok && shell->added.count == 0)
        ok = selection_of_all(&shell->chosen, writers, count, &shell->excluded, covers, shell) ||
             shell_no_memory(error);
    for (size_t i = 0; ok && i < shell->chosen.count; i++)
        ok = add_component(shell, &shell->chosen.items[i], error);
    return ok;
}

static bool is_there(const struct shell *shell, const char *spec)
{
    PB(Writer) * writers[WRITERS_MAX];
    size_t count = shell_writers(shell, writers);
    for (size_t i = 0; i < count; i++) {
        const PB(WriterStatus) *status = writers[i]->status;
        if (spec_is_writer(spec, status->name, status->writer_id, status->instance_id))
            return true;
    }
    return false;
}

bool shell_verify(struct shell *shell, struct sp_error **error)
{
    bool by_component = shell->component_mode || shell->stage == STAGE_RESTORING;
    for (size_t i = 0; i < shell->verified.count; i++) {
        const char *spec = shell->verified.items[i];
        if (by_component ? selection_has(&shell->chosen, spec) : is_there(shell, spec))
            continue;
        error_give(error, error_create(SP_FAILED_PRECONDITION, "WRITER_MISSING",
                                       "\"list writers\" shows what there is, and on which volumes it lies.",
                                       "\"%s\" has to be included, and is not.", spec));
        return false;
    }
    return true;
}

/* ---- status ---- */

static struct sp_error *writers_failed(PB(WriterStatus) * *failed, size_t count, const char *after)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    struct text message = {0};
    text_format(&message, "%lu writer%s failed, as %s showed", (unsigned long)count, count == 1 ? "" : "s",
                after);
    status.code = PB_CODE(ABORTED);
    status.reason = "WRITER_FAILED";
    status.method = (char *)after;
    status.hresult = failed[0]->hresult;
    status.hresult_name = failed[0]->hresult_name;
    status.message = (char *)text_string(&message);
    status.advice = "See what is said of each, and try again.";
    status.writers = failed;
    status.n_writers = count;
    struct sp_error *error = error_from_status(&status);
    text_free(&message);
    return error;
}

static bool takes_part(const struct shell *shell, const PB(WriterStatus) * writer)
{
    bool by_component = shell->component_mode || shell->stage >= STAGE_RESTORING;
    return !by_component || selection_has_writer(&shell->chosen, writer->writer_id, writer->instance_id) ||
           selection_has_writer(&shell->chosen, writer->writer_id, "");
}

static bool gather_status(struct shell *shell, const struct object *object, uint32_t *count,
                          struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GatherWriterStatus) gather_writers = SHADOWPIPE__V1__GATHER_WRITER_STATUS__INIT;
    PB(GetWriterStatusCount) get = SHADOWPIPE__V1__GET_WRITER_STATUS_COUNT__INIT;
    call.method_case = PB_METHOD(GATHER_WRITER_STATUS);
    call.gather_writer_status = &gather_writers;
    if (!object_do(shell, object, &call, error))
        return false;
    call.method_case = PB_METHOD(GET_WRITER_STATUS_COUNT);
    call.get_writer_status_count = &get;
    struct message *reply = object_call(shell, object, &call, error);
    if (!reply)
        return false;
    const PB(CallReply) *answer = reply->envelope->call_reply;
    *count = answer->out_case == PB_OUT(GET_WRITER_STATUS_COUNT) ? answer->get_writer_status_count->count : 0;
    message_free(reply);
    return true;
}

static bool free_status(struct shell *shell, const struct object *object, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(FreeWriterStatus) free_writers = SHADOWPIPE__V1__FREE_WRITER_STATUS__INIT;
    call.method_case = PB_METHOD(FREE_WRITER_STATUS);
    call.free_writer_status = &free_writers;
    return object_do(shell, object, &call, error);
}

/* The replies of GetWriterStatusEx, the caller's to free. */
static bool read_status(struct shell *shell, const struct object *object,
                        struct message *replies[WRITERS_MAX], size_t *count, struct sp_error **error)
{
    uint32_t there;
    *count = 0;
    if (!gather_status(shell, object, &there, error))
        return false;
    if (there > WRITERS_MAX)
        return shell_too_many(error);
    for (uint32_t i = 0; i < there; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterStatusEx) get = SHADOWPIPE__V1__GET_WRITER_STATUS_EX__INIT;
        get.index = i;
        call.method_case = PB_METHOD(GET_WRITER_STATUS_EX);
        call.get_writer_status_ex = &get;
        struct message *reply = object_call(shell, object, &call, error);
        if (!reply)
            return false;
        const PB(CallReply) *answer = reply->envelope->call_reply;
        if (answer->out_case == PB_OUT(GET_WRITER_STATUS_EX) && answer->get_writer_status_ex->writer)
            replies[(*count)++] = reply;
        else
            message_free(reply);
    }
    return free_status(shell, object, error);
}

static void free_messages(struct message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        message_free(messages[i]);
}

static PB(WriterStatus) * status_of(const struct message *reply)
{
    return reply->envelope->call_reply->get_writer_status_ex->writer;
}

bool shell_check_writers(struct shell *shell, const char *after, struct sp_error **error)
{
    struct message *replies[WRITERS_MAX];
    PB(WriterStatus) * failed[WRITERS_MAX];
    size_t count;
    size_t failed_count = 0;
    bool ok = read_status(shell, &shell->object, replies, &count, error);
    for (size_t i = 0; ok && i < count; i++) {
        PB(WriterStatus) *writer = status_of(replies[i]);
        if (!writer->failed)
            continue;
        if (takes_part(shell, writer))
            failed[failed_count++] = writer;
        else
            terminal_note("%s failed, which takes no part.", writer->name);
    }
    if (failed_count > 0) {
        error_give(error, writers_failed(failed, failed_count, after));
        ok = false;
    }
    free_messages(replies, count);
    return ok;
}

/* ---- list writers ---- */

static bool list_status(struct shell *shell, const struct object *object, struct sp_error **error)
{
    struct message *replies[WRITERS_MAX];
    size_t count;
    bool ok = read_status(shell, object, replies, &count, error);
    display_writer_head(&shell->text);
    shell_json_name(shell, "writers");
    text_add(&shell->json, "[");
    for (size_t i = 0; i < count; i++) {
        PB(Writer) writer = SHADOWPIPE__V1__WRITER__INIT;
        writer.status = status_of(replies[i]);
        display_writer(&shell->text, &writer);
        text_add(&shell->json, i ? "," : "");
        (void)json_add_message(&shell->json, &writer.base);
    }
    text_add(&shell->json, "]");
    free_messages(replies, count);
    return ok;
}

static void add_files(struct text *text, const char *what, PB(FileDescriptor) * *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_format(text, "        %s %s\\%s%s\n", what, files[i]->path, files[i]->filespec,
                    files[i]->recursive ? " and below" : "");
}

static void add_writer(struct shell *shell, const PB(Writer) * writer, bool goes_on)
{
    if (!goes_on)
        display_writer(&shell->text, writer);
    for (size_t i = 0; i < writer->n_components; i++) {
        const PB(Component) *component = writer->components[i];
        if (component->n_files + component->n_database_files + component->n_log_files == 0)
            continue;
        text_format(&shell->text, "      files of %s\n", component->name);
        add_files(&shell->text, "file", component->files, component->n_files);
        add_files(&shell->text, "database", component->database_files, component->n_database_files);
        add_files(&shell->text, "log", component->log_files, component->n_log_files);
    }
    add_files(&shell->text, "left out", writer->exclude_files, writer->n_exclude_files);
}

static bool list_metadata(struct shell *shell, bool with_files, struct sp_error **error)
{
    /* What a backup under way points into stays. */
    struct shell other = {.session = shell->session, .verbose = shell->verbose};
    bool ok = read_all_writers(&other, with_files, error);
    PB(Writer) * writers[WRITERS_MAX];
    size_t count = shell_writers(&other, writers);
    display_writer_head(&shell->text);
    shell_json_name(shell, "writers");
    text_add(&shell->json, "[");
    for (size_t i = 0; i < count; i++) {
        add_writer(shell, writers[i],
                   i > 0 &&
                       strcmp(writers[i]->status->instance_id, writers[i - 1]->status->instance_id) == 0);
        text_add(&shell->json, i ? "," : "");
        (void)json_add_message(&shell->json, &writers[i]->base);
    }
    text_add(&shell->json, "]");
    shell_forget_writers(&other);
    return ok;
}

bool shell_list_writers(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool detailed = count == 1 && equal_ignoring_case(words[0], "detailed");
    if (count == 0 || detailed || equal_ignoring_case(words[0], "metadata"))
        return list_metadata(shell, detailed, error);
    if (!equal_ignoring_case(words[0], "status"))
        return shell_wrong(error, "list writers [metadata | detailed | status]", "\"%s\" is not understood.",
                           words[0]);
    /* A writer's state in a backup is told to the object that makes the backup only. */
    if (*shell->object.id && shell->stage != STAGE_CLOSED)
        return list_status(shell, &shell->object, error);
    struct object object = {.id = ""};
    bool ok = object_open_all(shell, &object, error) && gather(shell, &object, error) &&
              list_status(shell, &object, error);
    return object_close(shell, &object, ok ? error : NULL) && ok;
}
