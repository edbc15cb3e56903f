#include "service/broker/set_components.h"

#include <string.h>

#include "proto/status.h"
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/state.h"

enum {
    PART_BYTES = 256 * 1024 /* of a writer's description: half of it is overhead */
};

static const uint32_t inconsistent_snapshot = 0x800423F0u; /* VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT */
static const uint32_t partial_failure = 0x80042336u;       /* VSS_E_WRITERERROR_PARTIAL_FAILURE */

static bool is_failure(uint32_t hresult)
{
    return (hresult & 0x80000000u) != 0;
}

/* Sets that select components have one member: they are not shared. */
static struct job *member(const struct set *set)
{
    return LIST_FIRST(&set->members, struct job, link);
}

static bool fail_if(struct set *set, PB(Status) * failure)
{
    if (failure != NULL)
        set_fail(set, failure);
    return failure == NULL;
}

/* ---- metadata ---- */

bool set_gathered(struct set *set)
{
    if (!set_check_writers(set))
        return false;
    return set->selection == NULL || fail_if(set, selection_begin(set, member(set)));
}

size_t count_named(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->named.count : 0;
}

size_t count_others(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->others.count : 0;
}

size_t count_files(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->files.count : 0;
}

static void fill_reading(const struct reading_list *list, size_t index, PB(GetWriterMetadata) * get)
{
    const struct metadata_reading *reading = &list->items[index];
    get->index = reading->writer;
    get->component = reading->component;
    get->file = reading->file;
    get->with_components = true;
    get->part_bytes = PART_BYTES;
}

/* Its document is kept with its first part, if it was not kept before. */
static void fill_files_of(const struct set *set, const struct reading_list *list, size_t index,
                          ProtobufCMessage *parameters)
{
    PB(GetWriterMetadata) *get = (PB(GetWriterMetadata) *)parameters;
    fill_reading(list, index, get);
    get->with_files = true;
    get->with_document = !set->all_documents && get->component == 0 && get->file == 0;
}

void fill_named(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    fill_files_of(set, &set->selection->named, index, parameters);
}

void fill_others(void *subject, size_t index, ProtobufCMessage *parameters)
{
    fill_reading(&((const struct set *)subject)->selection->others, index,
                 (PB(GetWriterMetadata) *)parameters);
}

void fill_files(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    fill_files_of(set, &set->selection->files, index, parameters);
}

static const PB(GetWriterMetadataResult) * metadata_of(const PB(CallReply) * reply)
{
    return reply->out_case == PB_OUT(GET_WRITER_METADATA) ? reply->get_writer_metadata : NULL;
}

static bool take_files(struct set *set, struct reading_list *list, size_t index, const PB(CallReply) * reply)
{
    const PB(GetWriterMetadataResult) *result = metadata_of(reply);
    const struct metadata_reading reading = list->items[index];
    if (!selection_take_reading(set, list, index, true, result))
        return set_no_memory(set);
    bool has_document = !set->all_documents && reading.component == 0 && reading.file == 0;
    return !has_document || set_keep_document(set, result->document);
}

bool on_named(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    return take_files(set, &set->selection->named, index, reply);
}

bool on_others(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    return selection_take_reading(set, &set->selection->others, index, false, metadata_of(reply)) ||
           set_no_memory(set);
}

bool on_files(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    return take_files(set, &set->selection->files, index, reply);
}

bool after_others(void *subject)
{
    struct set *set = subject;
    return fail_if(set, selection_resolve(set, member(set)));
}

bool after_named(void *subject)
{
    struct set *set = subject;
    struct selection *selection = set->selection;
    for (uint32_t i = 0; i < selection->writers_count && selection_has_dependencies(selection); i++) {
        const struct metadata_reading reading = {i, 0, 0};
        if (selection->writers[i].metadata == NULL &&
            !reading_list_add(&set->arena, &selection->others, reading))
            return set_no_memory(set);
    }
    return selection->others.count > 0 || after_others(set);
}

/* ---- the Backup Components Document ---- */

size_t count_explicit(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->explicit.count : 0;
}

size_t count_stamped(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->stamped.count : 0;
}

size_t count_optioned(void *subject)
{
    const struct set *set = subject;
    return set->selection != NULL ? set->selection->optioned.count : 0;
}

/* NULL without memory: the requester then refuses the call. In the event's own memory. */
static PB(ComponentRef) * name_part(const struct set *set, struct part_ref ref)
{
    const struct chosen_part *part = selection_part(set->selection, ref);
    const PB(WriterStatus) *writer = set->writers.items[ref.writer];
    PB(ComponentRef) *name = MESSAGE_NEW(&set->broker->arena, component_ref);
    if (name == NULL)
        return NULL;
    name->writer_id = writer->writer_id;
    name->instance_id = writer->instance_id;
    name->type = part->declared->type;
    name->logical_path = part->declared->logical_path;
    name->name = part->declared->name;
    return name;
}

void fill_component(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    ((PB(AddComponent) *)parameters)->component = name_part(set, set->selection->explicit.items[index]);
}

void fill_stamp(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    struct part_ref ref = set->selection->stamped.items[index];
    PB(SetPreviousBackupStamp) *stamp = (PB(SetPreviousBackupStamp) *)parameters;
    stamp->component = name_part(set, ref);
    stamp->stamp = selection_part(set->selection, ref)->wish->previous_stamp;
}

void fill_options(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    struct part_ref ref = set->selection->optioned.items[index];
    PB(SetBackupOptions) *options = (PB(SetBackupOptions) *)parameters;
    options->component = name_part(set, ref);
    options->options = selection_part(set->selection, ref)->wish->options;
}

bool part_has_failed(const struct chosen_part *part)
{
    return part->stored != NULL && is_failure(part->stored->failure_hresult);
}

void fill_succeeded(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    struct part_ref ref = set->selection->explicit.items[index];
    const struct chosen_part *part = selection_part(set->selection, ref);
    PB(SetBackupSucceeded) *outcome = (PB(SetBackupSucceeded) *)parameters;
    outcome->component = name_part(set, ref);
    outcome->succeeded = part->succeeded && !part_has_failed(part);
}

/* Writers edit it until PostSnapshot has ended; before that it tells only why components failed. */
size_t if_stored_wanted(void *subject)
{
    const struct set *set = subject;
    bool is_wanted = set->status_after == PB_METHOD(DO_SNAPSHOT_SET);
    for (size_t i = 0; i < set->statuses.count; i++)
        is_wanted |= set->statuses.items[i]->hresult == partial_failure;
    return set->selection != NULL && is_wanted;
}

bool on_stored_count(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    set->selection->stored_count = reply->out_case == PB_OUT(GET_WRITER_COMPONENTS_COUNT)
                                       ? reply->get_writer_components_count->count
                                       : 0;
    return true;
}

size_t count_stored(void *subject)
{
    const struct set *set = subject;
    return if_stored_wanted(subject) ? set->selection->stored_count : 0;
}

void fill_stored(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    ((PB(GetWriterComponents) *)parameters)->index = (uint32_t)index;
}

bool on_stored(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    if (reply->out_case != PB_OUT(GET_WRITER_COMPONENTS))
        return true;
    const PB(GetWriterComponentsResult) *result = reply->get_writer_components;
    const struct chosen_writer *writer = selection_writer(set, result->instance_id);
    for (size_t i = 0; i < result->n_components && writer != NULL; i++) {
        const PB(BackupComponent) *stored = result->components[i];
        struct chosen_part *part = selection_find(writer, stored->logical_path, stored->name);
        if (part == NULL)
            continue;
        part->stored = MESSAGE_COPY(&set->arena, stored);
        if (part->stored == NULL)
            return set_no_memory(set);
    }
    return true;
}

/* ---- writers that lack volumes ---- */

/* The metadata is kept until the set exists, for this. */
static bool asks_what_lacks(const struct set *set, const PB(WriterStatus) * status)
{
    return status->hresult == inconsistent_snapshot && set->status_after != PB_METHOD(BACKUP_COMPLETE);
}

size_t count_inconsistent(void *subject)
{
    const struct set *set = subject;
    size_t count = 0;
    for (size_t i = 0; i < set->statuses.count; i++)
        count += asks_what_lacks(set, set->statuses.items[i]);
    return count;
}

/* The metadata's index of the nth of them. */
static size_t nth_inconsistent(const struct set *set, size_t nth)
{
    for (size_t i = 0; i < set->statuses.count; i++) {
        if (!asks_what_lacks(set, set->statuses.items[i]) || nth-- > 0)
            continue;
        for (size_t j = 0; j < set->writers.count; j++) {
            if (text_equal(set->writers.items[j]->instance_id, set->statuses.items[i]->instance_id))
                return j;
        }
        break;
    }
    return set->writers.count; /* VSS has none of this index, and says so */
}

void fill_inconsistent(void *subject, size_t index, ProtobufCMessage *parameters)
{
    PB(GetWriterMetadata) *get = (PB(GetWriterMetadata) *)parameters;
    get->index = (uint32_t)nth_inconsistent(subject, index);
    get->with_components = true;
}

bool on_inconsistent(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    size_t writer = nth_inconsistent(set, index);
    const PB(Writer) *metadata = metadata_of(reply) != NULL ? metadata_of(reply)->writer : NULL;
    if (metadata == NULL || writer >= set->writers.count)
        return true; /* the writer's failure is told all the same */
    if (set->lacking == NULL)
        set->lacking = arena_alloc(&set->arena, set->writers.count * sizeof *set->lacking);
    char *text = volumes_lacking(set, metadata);
    if (set->lacking == NULL || text == NULL)
        return set_no_memory(set);
    set->lacking[writer] = arena_strdup(&set->arena, text);
    return set->lacking[writer] != NULL || set_no_memory(set);
}

/* ---- documents ---- */

size_t if_documents(void *subject)
{
    return ((const struct set *)subject)->has_documents;
}

bool set_keep_document(struct set *set, const PB(DocumentInfo) * info)
{
    struct document_list *list = &set->documents;
    PB(DocumentInfo) *copy = info != NULL ? MESSAGE_COPY(&set->arena, info) : NULL;
    if (list->items == NULL)
        list->items = arena_alloc(&set->arena, (set->writers.expected + 1) * sizeof(*list->items));
    if (copy == NULL || list->items == NULL)
        return set_no_memory(set);
    size_t at = 0;
    while (at < list->count && (list->items[at]->kind != copy->kind ||
                                !text_equal(list->items[at]->writer_instance_id, copy->writer_instance_id)))
        at++;
    if (at == list->count && at < set->writers.expected + 1)
        list->count++;
    if (at < list->count)
        list->items[at] = copy;
    return true;
}

static const PB(DocumentInfo) * saved_document(const PB(CallReply) * reply)
{
    return reply->out_case == PB_OUT(SAVE_AS_XML) ? reply->save_as_xml->document : NULL;
}

bool on_saved(void *subject, size_t index, const PB(CallReply) * reply)
{
    (void)index;
    return set_keep_document(subject, saved_document(reply));
}

size_t if_saves_again(void *subject)
{
    return ((const struct set *)subject)->saves_again;
}

/* The backup is complete whatever comes of it. */
bool on_saved_again(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    PB(Status) *failure = reply_failure(set->broker, PB_METHOD(SAVE_AS_XML), reply);
    set->has_saved = failure == NULL && saved_document(reply) != NULL;
    if (set->has_saved)
        return set_keep_document(set, saved_document(reply));
    broker_log(set->broker, BROKER_LOG_ERROR,
               "the documents of set %s were not saved after its completion: %s", set->set_id,
               failure != NULL ? failure->message : "no document came");
    return true;
}

/* ---- what is told ---- */

bool set_writer_takes_part(const struct set *set, const PB(WriterStatus) * writer)
{
    if (set->selection == NULL)
        return true;
    const struct chosen_writer *chosen = selection_writer(set, writer->instance_id);
    return chosen != NULL && chosen->takes_part;
}

static char *explain_parts(const struct set *set, const struct chosen_writer *writer, char *message)
{
    struct arena *arena = &set->broker->arena;
    for (uint32_t i = 0; i < writer->parts_count && message != NULL; i++) {
        const struct chosen_part *part = &writer->parts[i];
        if (!part_has_failed(part))
            continue;
        char scratch[11];
        const char *text = part->stored->failure_app_message;
        message = text_format(arena, "%s; its component \"%s\" failed (%s%s%s)", message,
                              part->declared->name, vss_code_name(part->stored->failure_hresult, scratch),
                              text[0] != '\0' ? ": " : "", text);
    }
    return message;
}

void set_explain_failure(const struct set *set, PB(Status) * status)
{
    struct arena *arena = &set->broker->arena;
    const PB(WriterStatus) *writer = status != NULL && status->n_writers > 0 ? status->writers[0] : NULL;
    char *message = status != NULL ? status->message : NULL;
    for (size_t i = 0; i < set->writers.count && writer != NULL && message != NULL; i++) {
        if (!text_equal(set->writers.items[i]->instance_id, writer->instance_id))
            continue;
        const char *lacking = set->lacking != NULL ? set->lacking[i] : NULL;
        if (lacking != NULL && lacking[0] != '\0') {
            message = text_format(arena, "%s: it has files on volumes that are not in the snapshot set, %s",
                                  message, lacking);
            status->volume = text_format(arena, "%.*s", (int)strcspn(lacking, ","), lacking);
            error_advise(status, "Add these volumes to the request; then ask again.");
        }
        if (set->selection != NULL && message != NULL)
            message = explain_parts(set, &set->selection->writers[i], message);
    }
    if (message != NULL)
        status->message = message;
    if (status != NULL && status->volume == NULL)
        status->volume = text_constant("");
}

static const struct part_list *list_of(const struct selection *selection, PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(ADD_COMPONENT):
    case PB_METHOD(SET_BACKUP_SUCCEEDED):
        return &selection->explicit;
    case PB_METHOD(SET_PREVIOUS_BACKUP_STAMP):
        return &selection->stamped;
    case PB_METHOD(SET_BACKUP_OPTIONS):
        return &selection->optioned;
    default:
        return NULL;
    }
}

void set_name_component(const struct set *set, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    const struct part_list *list = set->selection != NULL ? list_of(set->selection, method) : NULL;
    if (list == NULL || index >= list->count)
        return;
    const PB(Component) *component = selection_part(set->selection, list->items[index])->declared;
    char *message =
        text_format(&set->broker->arena, "component \"%s\": %s", component->name, status->message);
    if (message != NULL)
        status->message = message;
}
