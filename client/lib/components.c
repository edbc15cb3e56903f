/* What was selected for a backup, component by component. */
#include "client/lib/error.h"
#include "client/lib/message.h"

struct telling {
    void (*on_component)(void *context, const struct sp_component *component);
    void *context;
    bool no_memory;
};

static const struct sp_files *convert_files(struct arena *arena, const PB(SelectedComponent) * from)
{
    struct sp_files *files = arena_alloc(arena, (from->n_files ? from->n_files : 1) * sizeof *files);
    for (size_t i = 0; files && i < from->n_files; i++) {
        const PB(ShadowFiles) *file = from->files[i];
        files[i] = (struct sp_files){
            .path = text_or_empty(file->path),
            .shadow_path = text_or_empty(file->shadow_path),
            .filespec = text_or_empty(file->filespec),
            .recursive = file->recursive,
            .alternate_path = text_or_empty(file->alternate_path),
            .backup_type_mask = file->backup_type_mask,
            .role = (enum sp_file_role)file->role,
        };
    }
    return files;
}

/* The first of the things that a writer may say against a component. */
static const char *failure_of(const PB(BackupComponent) * state)
{
    const char *const said[] = {state->prepare_failure_message, state->post_snapshot_failure_message,
                                state->failure_app_message};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        if (*text_or_empty(said[i]))
            return said[i];
    }
    return state->failure_hresult ? "it failed, and said no more" : "";
}

static void tell(void *context, const PB(Envelope) * envelope)
{
    static const PB(Component) no_component = SHADOWPIPE__V1__COMPONENT__INIT;
    static const PB(BackupComponent) no_state = SHADOWPIPE__V1__BACKUP_COMPONENT__INIT;
    struct telling *telling = context;
    struct arena arena;
    if (envelope->body_case != PB_BODY(SELECTED_COMPONENT))
        return;
    const PB(SelectedComponent) *from = envelope->selected_component;
    const PB(Component) *component = from->component ? from->component : &no_component;
    const PB(BackupComponent) *state = from->state ? from->state : &no_state;
    arena_init(&arena, DECODE_LIMIT_REPLY_BYTES);
    struct sp_component told = {
        .writer_id = text_or_empty(from->writer_id),
        .writer_instance_id = text_or_empty(from->instance_id),
        .writer_name = text_or_empty(from->writer_name),
        .type = (uint32_t)component->type,
        .logical_path = text_or_empty(component->logical_path),
        .name = text_or_empty(component->name),
        .implied = from->implied,
        .backup_stamp = text_or_empty(state->backup_stamp),
        .previous_stamp = text_or_empty(state->previous_backup_stamp),
        .backup_metadata = text_or_empty(state->backup_metadata),
        .failure = failure_of(state),
        .files = convert_files(&arena, from),
        .files_count = from->n_files,
        .left_out = text_or_empty(from->left_out),
    };
    if (!told.files)
        telling->no_memory = true;
    else if (telling->on_component)
        telling->on_component(telling->context, &told);
    arena_free(&arena);
}

bool sp_list_components(struct sp_client *client, const char *lease_id, const char *token,
                        void (*on_component)(void *context, const struct sp_component *component),
                        void *context, uint32_t timeout_ms, struct sp_cancel *cancel, struct sp_error **error)
{
    PB(ListComponents) list = SHADOWPIPE__V1__LIST_COMPONENTS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    struct telling telling = {.on_component = on_component, .context = context};
    list.lease_id = (char *)text_or_empty(lease_id);
    list.token = (char *)text_or_empty(token);
    envelope.body_case = PB_BODY(LIST_COMPONENTS);
    envelope.list_components = &list;
    struct message_options options = {
        .timeout_ms = timeout_ms, .on_message = tell, .context = &telling, .cancel = cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(COMPONENTS_REPLY), &options, error);
    message_free(reply);
    if (reply && telling.no_memory)
        error_give(error, error_no_memory());
    return reply && !telling.no_memory;
}
