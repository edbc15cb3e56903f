#include "service/broker/component_list.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/lease.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 64 * 1024 * 1024,
    HEADER_BYTES = 64 /* of the envelope around a component */
};

struct component_list {
    struct request request; /* first: they are cast */
    struct list link;       /* in the set's */
    struct set *set;
    size_t next;
};

/* ---- where a directory is ---- */

/* The volume's mount point that the path begins with, the longest; what comes behind it. NULL: on none. */
static const char *behind_mount_point(const struct set_volume *volume, const char *path)
{
    const char *behind = path_behind(path, volume->guid_path);
    for (size_t i = 0; i < volume->names_count; i++) {
        const char *rest = path_behind(path, volume->names[i]);
        if (rest != NULL && (behind == NULL || strlen(rest) < strlen(behind)))
            behind = rest;
    }
    return behind;
}

/* "" where it is on no volume of the set; NULL without memory. A volume that is mounted below one of the
 * set's and is not in the set is none of it. */
static char *map_path(const struct set *set, struct arena *arena, const char *path)
{
    const char *reason, *message;
    const struct volume *on = volumes_resolve(&set->broker->volumes, path, NAME_OF_PATH, &reason, &message);
    const char *plain =
        strncmp(path, "\\\\?\\", 4) == 0 && path[4] != '\0' && path[5] == ':' ? path + 4 : path;
    for (size_t i = 0; i < set->volumes_count && on != NULL; i++) {
        const struct set_volume *volume = &set->volumes[i];
        const char *rest =
            text_equal(volume->guid_path, on->guid_path) ? behind_mount_point(volume, plain) : NULL;
        if (rest == NULL || volume->snapshot == NULL)
            continue;
        rest += strspn(rest, "\\/");
        return text_format(arena, "%s\\%s", volume->snapshot->device, rest);
    }
    return text_constant("");
}

/* ---- files ---- */

static const char *path_of(const PB(FileDescriptor) * file)
{
    return file->expanded_path[0] != '\0' ? file->expanded_path : file->path;
}

static const char *alternate_of(const PB(FileDescriptor) * file)
{
    return file->expanded_alternate_location[0] != '\0' ? file->expanded_alternate_location
                                                        : file->alternate_location;
}

/* Without a trailing backslash, but that of "C:\". */
static char *trimmed(struct arena *arena, const char *path)
{
    size_t length = strlen(path);
    while (length > 3 && path[length - 1] == '\\')
        length--;
    return text_format(arena, "%.*s", (int)length, path);
}

static bool add_file(const struct set *set, struct arena *arena, const PB(FileDescriptor) * file,
                     PB(FileRole) role, PB(SelectedComponent) * out)
{
    PB(ShadowFiles) *files = MESSAGE_NEW(arena, shadow_files);
    if (files == NULL)
        return false;
    const char *alternate = alternate_of(file);
    files->path = trimmed(arena, path_of(file));
    files->alternate_path = trimmed(arena, alternate);
    if (files->path == NULL || files->alternate_path == NULL)
        return false;
    files->shadow_path = map_path(set, arena, alternate[0] != '\0' ? files->alternate_path : files->path);
    files->filespec = file->filespec;
    files->recursive = file->recursive;
    files->backup_type_mask = file->backup_type_mask;
    files->role = role;
    out->files[out->n_files++] = files;
    return files->shadow_path != NULL;
}

static bool touches(const PB(FileDescriptor) * excluded, const PB(FileDescriptor) * file)
{
    const char *one = path_of(excluded);
    const char *other = path_of(file);
    return (path_is_below(one, other) && (file->recursive || path_is_below(other, one))) ||
           (path_is_below(other, one) && (excluded->recursive || path_is_below(one, other)));
}

static bool touches_any(const PB(FileDescriptor) * excluded, const PB(Component) * component)
{
    for (size_t i = 0; i < component->n_files; i++) {
        if (touches(excluded, component->files[i]))
            return true;
    }
    for (size_t i = 0; i < component->n_database_files; i++) {
        if (touches(excluded, component->database_files[i]))
            return true;
    }
    for (size_t i = 0; i < component->n_log_files; i++) {
        if (touches(excluded, component->log_files[i]))
            return true;
    }
    return false;
}

static bool add_files(const struct set *set, struct arena *arena, const PB(Writer) * writer,
                      const PB(Component) * component, PB(SelectedComponent) * out)
{
    size_t most = component->n_files + component->n_database_files + component->n_log_files +
                  writer->n_exclude_files + 1;
    bool fits = true;
    out->files = arena_alloc(arena, most * sizeof(*out->files));
    if (out->files == NULL)
        return false;
    for (size_t i = 0; i < component->n_files && fits; i++)
        fits = add_file(set, arena, component->files[i], PB_VALUE(FILE_ROLE, FILE_ROLE_FILE_GROUP), out);
    for (size_t i = 0; i < component->n_database_files && fits; i++)
        fits =
            add_file(set, arena, component->database_files[i], PB_VALUE(FILE_ROLE, FILE_ROLE_DATABASE), out);
    for (size_t i = 0; i < component->n_log_files && fits; i++)
        fits = add_file(set, arena, component->log_files[i], PB_VALUE(FILE_ROLE, FILE_ROLE_LOG), out);
    for (size_t i = 0; i < writer->n_exclude_files && fits; i++) {
        if (touches_any(writer->exclude_files[i], component))
            fits =
                add_file(set, arena, writer->exclude_files[i], PB_VALUE(FILE_ROLE, FILE_ROLE_EXCLUDED), out);
    }
    return fits;
}

/* ---- the list ---- */

static bool send_component(struct component_list *list, struct arena *arena)
{
    static char too_many[] = "the files, which do not fit into one message: see the Writer Metadata Document";
    struct set *set = list->set;
    struct part_ref ref = set->selection->all.items[list->next];
    const struct chosen_writer *writer = &set->selection->writers[ref.writer];
    const PB(WriterStatus) *status = set->writers.items[ref.writer];
    const struct chosen_part *part = selection_part(set->selection, ref);
    PB(Component) declared = component_without_lists(part->declared);
    PB(SelectedComponent) out = SHADOWPIPE__V1__SELECTED_COMPONENT__INIT;
    out.writer_id = status->writer_id;
    out.instance_id = status->instance_id;
    out.writer_name = status->name;
    out.component = &declared;
    out.state = (PB(BackupComponent) *)(uintptr_t)part->stored;
    out.implied = part->wish == NULL;
    if (!writer->has_files || !add_files(set, arena, writer->metadata, part->declared, &out) ||
        protobuf_c_message_get_packed_size(&out.base) > FRAME_LIMIT_REPLY_BYTES - HEADER_BYTES) {
        out.n_files = 0;
        out.left_out = too_many;
    }
    PB(Envelope) envelope = ENVELOPE(SELECTED_COMPONENT, .selected_component = &out);
    return request_stream(&list->request, &envelope);
}

static void list_free(struct component_list *list)
{
    list_remove(&list->link);
    free(list);
}

static void go_on(struct component_list *list)
{
    size_t count = list->set->selection != NULL ? list->set->selection->all.count : 0;
    bool is_sent = true;
    for (; list->next < count && is_sent; list->next++) {
        if (!connection_has_room(list->request.connection))
            return;
        struct arena arena;
        arena_init(&arena, ARENA_BYTES);
        is_sent = send_component(list, &arena);
        arena_free(&arena);
    }
    PB(ComponentsReply) reply = SHADOWPIPE__V1__COMPONENTS_REPLY__INIT;
    reply.count = (uint32_t)count;
    PB(Envelope) envelope = ENVELOPE(COMPONENTS_REPLY, .components_reply = &reply);
    if (is_sent)
        request_reply(&list->request, &envelope);
    else
        request_fail(&list->request, NULL); /* a list with a gap would look whole */
    list_free(list);
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(request->broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request, error_deadline(request->broker, request->broker->now_ms - request->arrived_ms,
                                             "the list was being sent"));
    list_free((struct component_list *)(void *)request);
}

void component_list_answer(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(ListComponents) *wish = envelope->list_components;
    PB(Status) *status = NULL;
    struct lease *lease = lease_find(connection, wish->lease_id, wish->token, &status);
    if (lease != NULL && lease->set == NULL) /* a persistent snapshot that is read without its VSS object */
        status = error_advise(status_make(&connection->broker->arena, PB_CODE(FAILED_PRECONDITION),
                                          "UNKNOWN_DOCUMENT",
                                          "no Backup Components Document is kept for this lease any more"),
                              "Select components, or ask CreateSnapshot for with_documents.");
    struct component_list *list = status == NULL && lease != NULL ? calloc(1, sizeof *list) : NULL;
    if (list == NULL) {
        fail_now(connection, envelope->id, status);
        return;
    }
    list->set = lease->set;
    list_append(&lease->set->component_lists, &list->link);
    request_open(&list->request, connection, envelope, on_stop);
    go_on(list);
}

void component_lists_continue(struct connection *connection)
{
    LIST_EACH(struct set, set, &connection->broker->sets, link)
    {
        LIST_EACH(struct component_list, list, &set->component_lists, link)
        {
            if (list->request.connection == connection)
                go_on(list);
        }
    }
}

void component_lists_end(struct set *set)
{
    LIST_EACH(struct component_list, list, &set->component_lists, link)
    {
        PB(Status) *status = status_make(&set->broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE",
                                         "the lease ended while its components were being listed");
        request_fail(&list->request, set->broker->stopping
                                         ? error_stopping(set->broker)
                                         : error_advise(status, "List them before FinishBackup."));
        list_free(list);
    }
}
