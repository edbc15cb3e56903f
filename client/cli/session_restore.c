/* A restore by a Backup Components Document: begin, select, PreRestore, the files, PostRestore, end. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/script.h"
#include "client/cli/shell.h"
#include "client/lib/error.h"

static bool is_open(const struct shell *shell, struct sp_error **error)
{
    return shell->stage >= STAGE_RESTORING ||
           shell_wrong(error, "\"load metadata FILE\" and \"begin restore\" first.", "No restore is open.");
}

/* ---- what the document has ---- */

static bool count_components(struct shell *shell, uint32_t *count, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterComponentsCount) get = SHADOWPIPE__V1__GET_WRITER_COMPONENTS_COUNT__INIT;
    call.method_case = PB_METHOD(GET_WRITER_COMPONENTS_COUNT);
    call.get_writer_components_count = &get;
    struct message *reply = object_call(shell, &shell->object, &call, error);
    if (!reply)
        return false;
    const PB(CallReply) *answer = reply->envelope->call_reply;
    *count = answer->out_case == PB_OUT(GET_WRITER_COMPONENTS_COUNT)
                 ? answer->get_writer_components_count->count
                 : 0;
    message_free(reply);
    return true;
}

static bool read_components(struct shell *shell, struct sp_error **error)
{
    uint32_t count;
    if (!count_components(shell, &count, error))
        return false;
    if (count > WRITERS_MAX)
        return shell_too_many(error);
    for (uint32_t i = 0; i < count; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterComponents) get = SHADOWPIPE__V1__GET_WRITER_COMPONENTS__INIT;
        get.index = i;
        call.method_case = PB_METHOD(GET_WRITER_COMPONENTS);
        call.get_writer_components = &get;
        struct message *reply = object_call(shell, &shell->object, &call, error);
        if (!reply)
            return false;
        if (reply->envelope->call_reply->out_case == PB_OUT(GET_WRITER_COMPONENTS))
            shell->components[shell->components_count++] = reply;
        else
            message_free(reply);
    }
    return true;
}

/* The document has class ids only. */
static const char *name_of_writer(const struct shell *shell, const char *writer_id)
{
    PB(Writer) * writers[WRITERS_MAX];
    size_t count = shell_writers(shell, writers);
    for (size_t i = 0; i < count; i++) {
        if (equal_ignoring_case(writers[i]->status->writer_id, writer_id))
            return writers[i]->status->name;
    }
    return "";
}

/* Calls `take` for each component of the document until it says false. */
static bool each_component(struct shell *shell, bool (*take)(void *context, const struct chosen *chosen),
                           void *context)
{
    for (size_t w = 0; w < shell->components_count; w++) {
        const PB(GetWriterComponentsResult) *writer =
            shell->components[w]->envelope->call_reply->get_writer_components;
        for (size_t i = 0; i < writer->n_components; i++) {
            const PB(BackupComponent) *component = writer->components[i];
            const struct chosen chosen = {.writer_id = writer->writer_id,
                                          .instance_id = "", /* that of the backup; it is another by now */
                                          .writer_name = name_of_writer(shell, writer->writer_id),
                                          .type = component->type,
                                          .logical_path = component->logical_path,
                                          .name = component->name};
            if (!take(context, &chosen))
                return false;
        }
    }
    return true;
}

/* ---- selecting ---- */

struct picking {
    struct shell *shell;
    const char *spec; /* NULL: all but what is left out */
    struct sp_error **error;
};

static bool select_one(struct shell *shell, const struct chosen *chosen, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetSelectedForRestore) selected = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE__INIT;
    PB(ComponentRef) reference;
    chosen_refer(chosen, &reference);
    selected.component = &reference;
    selected.selected = true;
    call.method_case = PB_METHOD(SET_SELECTED_FOR_RESTORE);
    call.set_selected_for_restore = &selected;
    return object_do(shell, &shell->object, &call, error) &&
           (selection_add(&shell->chosen, chosen) || shell_no_memory(error));
}

static bool is_excluded(const struct shell *shell, const struct chosen *chosen)
{
    for (size_t i = 0; i < shell->excluded.count; i++) {
        const char *spec = shell->excluded.items[i];
        if (spec_is_component(spec, chosen) ||
            spec_is_writer(spec, chosen->writer_name, chosen->writer_id, chosen->instance_id))
            return true;
    }
    return false;
}

static bool pick(void *context, const struct chosen *chosen)
{
    const struct picking *picking = context;
    bool wanted =
        picking->spec ? spec_is_component(picking->spec, chosen) : !is_excluded(picking->shell, chosen);
    return !wanted || select_one(picking->shell, chosen, picking->error);
}

static bool select_all(struct shell *shell, struct sp_error **error)
{
    struct picking picking = {.shell = shell, .error = error};
    return each_component(shell, pick, &picking);
}

static void tell_selection(struct shell *shell)
{
    shell_json_name(shell, "components");
    text_add(&shell->json, "[");
    for (size_t i = 0; i < shell->chosen.count; i++) {
        struct text spelled = {0};
        chosen_spell(&shell->chosen.items[i], &spelled);
        text_format(&shell->text, "selected %s\n", text_string(&spelled));
        text_add(&shell->json, i ? "," : "");
        json_add_string(&shell->json, text_string(&spelled));
        text_free(&spelled);
    }
    text_add(&shell->json, "]");
}

/* select component {SPEC | all} */
bool shell_select(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct text spec = {0};
    size_t before = shell->chosen.count;
    if (!is_open(shell, error))
        return false;
    if (shell->stage != STAGE_RESTORING)
        return shell_wrong(error, "\"reset\" first.", "PreRestore is over: it is too late to select.");
    words_join(words, count, &spec);
    bool all = equal_ignoring_case(text_string(&spec), "all");
    struct picking picking = {.shell = shell, .spec = all ? NULL : text_string(&spec), .error = error};
    bool ok = each_component(shell, pick, &picking);
    if (ok && shell->chosen.count == before)
        ok = shell_wrong(error, "\"begin restore manual\" shows what it has.",
                         "The document has no component \"%s\".", text_string(&spec));
    text_free(&spec);
    return ok;
}

/* ---- the steps ---- */

static bool initialize(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(InitializeForRestore) start = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    PB(SetRestoreState) state = SHADOWPIPE__V1__SET_RESTORE_STATE__INIT;
    PB(GatherWriterMetadata) gather = SHADOWPIPE__V1__GATHER_WRITER_METADATA__INIT;
    call.method_case = PB_METHOD(INITIALIZE_FOR_RESTORE);
    call.initialize_for_restore = &start;
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    state.restore_type = shell->restore_type;
    call.method_case = PB_METHOD(SET_RESTORE_STATE);
    call.set_restore_state = &state;
    if (shell->restore_type && !object_do(shell, &shell->object, &call, error))
        return false;
    call.method_case = PB_METHOD(GATHER_WRITER_METADATA);
    call.gather_writer_metadata = &gather;
    return object_do(shell, &shell->object, &call, error) &&
           shell_read_writers(shell, &shell->object, false, error) && read_components(shell, error);
}

static bool open_restore(struct shell *shell, struct sp_error **error)
{
    if (!shell->document)
        return shell_wrong(error, "\"load metadata FILE\" first.", "There is no document to restore by.");
    if (shell->stage != STAGE_CLOSED)
        return shell_wrong(error, "\"reset\" first.", "A backup or restore is open already.");
    if (!object_open(shell, &shell->object, PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE), true, error))
        return false;
    shell->stage = STAGE_RESTORING;
    if (initialize(shell, error))
        return true;
    (void)shell_close(shell, NULL);
    return false;
}

static bool pre_restore(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(PreRestore) parameters = SHADOWPIPE__V1__PRE_RESTORE__INIT;
    if (!shell_verify(shell, error))
        return false;
    call.method_case = PB_METHOD(PRE_RESTORE);
    call.pre_restore = &parameters;
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    shell->stage = STAGE_PRE_RESTORED;
    return shell_check_writers(shell, "PreRestore", error);
}

static bool tell_component(void *context, const struct chosen *chosen)
{
    struct shell *shell = context;
    struct text spelled = {0};
    chosen_spell(chosen, &spelled);
    text_format(&shell->text, "%s\n", text_string(&spelled));
    if (shell->json.size > 0 && shell->json.data[shell->json.size - 1] != '[')
        text_add(&shell->json, ",");
    json_add_string(&shell->json, text_string(&spelled));
    text_free(&spelled);
    return true;
}

/* begin restore [manual] */
bool shell_begin_restore(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool manual = count == 1 && equal_ignoring_case(words[0], "manual");
    if (count == 1 && !manual)
        return shell_wrong(error, "begin restore [manual]", "\"%s\" is not understood.", words[0]);
    if (!open_restore(shell, error))
        return false;
    if (manual) {
        shell_json_name(shell, "components");
        text_add(&shell->json, "[");
        (void)each_component(shell, tell_component, shell);
        text_add(&shell->json, "]");
        return true;
    }
    bool ok = select_all(shell, error) && pre_restore(shell, error);
    if (ok)
        tell_selection(shell);
    else
        (void)shell_close(shell, NULL);
    return ok;
}

bool shell_pre_restore(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    if (!is_open(shell, error))
        return false;
    if (shell->stage != STAGE_RESTORING)
        return shell_wrong(error, "", "PreRestore was called already.");
    tell_selection(shell);
    return pre_restore(shell, error);
}

/* ---- the files ---- */

/* VSS_FILE_RESTORE_STATUS */
static const struct word_value statuses[] = {{"none", 1}, {"all", VSS_FILES_ALL}, {"failed", 3}};

static bool set_status(struct shell *shell, struct chosen *chosen, uint32_t status, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetFileRestoreStatus) parameters = SHADOWPIPE__V1__SET_FILE_RESTORE_STATUS__INIT;
    PB(ComponentRef) reference;
    chosen_refer(chosen, &reference);
    parameters.component = &reference;
    parameters.status = status;
    call.method_case = PB_METHOD(SET_FILE_RESTORE_STATUS);
    call.set_file_restore_status = &parameters;
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    chosen->file_status = status;
    return true;
}

/* set file status {all | none | failed} COMPONENT */
bool shell_set_file_status(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    const struct word_value *status = FIND_WORD(statuses, words[0]);
    struct text spec = {0};
    if (!status)
        return shell_wrong(error, "set file status {all | none | failed} COMPONENT",
                           "\"%s\" is not understood.", words[0]);
    if (!is_open(shell, error))
        return false;
    words_join(words + 1, count - 1, &spec);
    struct chosen *chosen = selection_find(&shell->chosen, text_string(&spec));
    bool ok = chosen ? set_status(shell, chosen, status->value, error)
                     : shell_wrong(error, "", "The component \"%s\" is not selected.", text_string(&spec));
    text_free(&spec);
    return ok;
}

static bool post_restore(struct shell *shell, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(PostRestore) parameters = SHADOWPIPE__V1__POST_RESTORE__INIT;
    if (shell->stage != STAGE_PRE_RESTORED)
        return shell_wrong(error, "\"begin restore\" or \"pre restore\" first.",
                           "PreRestore was not called yet.");
    /* Of what nothing was said, all files came back: else the script would not have got here. */
    for (size_t i = 0; i < shell->chosen.count; i++) {
        if (!shell->chosen.items[i].file_status &&
            !set_status(shell, &shell->chosen.items[i], VSS_FILES_ALL, error))
            return false;
    }
    call.method_case = PB_METHOD(POST_RESTORE);
    call.post_restore = &parameters;
    if (!object_do(shell, &shell->object, &call, error))
        return false;
    shell->stage = STAGE_POST_RESTORED;
    return shell_check_writers(shell, "PostRestore", error);
}

bool shell_post_restore(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    return is_open(shell, error) && post_restore(shell, error);
}

bool shell_end_restore(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    if (!is_open(shell, error) || (shell->stage != STAGE_POST_RESTORED && !post_restore(shell, error)))
        return false;
    return shell_close(shell, error);
}

/* All that can be known without an event to the writers: are they there, and take their components? */
bool shell_simulate_restore(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)words;
    (void)count;
    if (!open_restore(shell, error))
        return false;
    bool ok = select_all(shell, error) && shell_verify(shell, error);
    if (ok)
        tell_selection(shell);
    return shell_close(shell, ok ? error : NULL) && ok;
}
