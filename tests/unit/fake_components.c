#include "tests/unit/fake_components.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/cmocka_all.h"

static const uint32_t not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */

static void copy(char to[64], const char *from)
{
    assert_true(strlen(from) < 64);
    memcpy(to, from, strlen(from) + 1);
}

static struct fake_component *find(struct fake_document *document, const PB(ComponentRef) * ref)
{
    for (size_t i = 0; i < document->count; i++) {
        struct fake_component *component = &document->components[i];
        if (strcmp(writer_classes[component->writer], ref->writer_id) == 0 &&
            strcmp(component->path, ref->logical_path) == 0 && strcmp(component->name, ref->name) == 0)
            return component;
    }
    return NULL;
}

static void add(struct fake_document *document, const PB(ComponentRef) * ref)
{
    assert_true(document->count < FAKE_COMPONENTS && ref != NULL);
    assert_null(find(document, ref));
    struct fake_component *component = &document->components[document->count++];
    for (unsigned i = 0; i < WRITERS; i++) {
        if (strcmp(writer_instances[i], ref->instance_id) == 0)
            component->writer = i;
    }
    copy(component->path, ref->logical_path);
    copy(component->name, ref->name);
}

static void change(struct fake_document *document, const PB(Call) * call, PB(CallReply) * reply)
{
    const PB(ComponentRef) *ref =
        call->method_case == PB_METHOD(SET_PREVIOUS_BACKUP_STAMP) ? call->set_previous_backup_stamp->component
        : call->method_case == PB_METHOD(SET_BACKUP_OPTIONS)      ? call->set_backup_options->component
                                                                  : call->set_backup_succeeded->component;
    struct fake_component *component = find(document, ref);
    if (component == NULL) {
        reply->hresult = not_found;
    } else if (call->method_case == PB_METHOD(SET_PREVIOUS_BACKUP_STAMP)) {
        copy(component->previous_stamp, call->set_previous_backup_stamp->stamp);
    } else if (call->method_case == PB_METHOD(SET_BACKUP_OPTIONS)) {
        copy(component->options, call->set_backup_options->options);
    } else {
        component->has_outcome = true;
        component->succeeded = call->set_backup_succeeded->succeeded;
    }
}

static void describe_document(struct fake_answer *answer, PB(DocumentKind) kind, const char *instance_id)
{
    static uint8_t hash[32];
    shadowpipe__v1__document_info__init(&answer->document);
    answer->document.kind = kind;
    answer->document.writer_instance_id = (char *)(uintptr_t)instance_id;
    answer->document.size_bytes = 1000;
    answer->document.sha256 = (ProtobufCBinaryData){sizeof hash, hash};
}

/* One file of a component's lists, which are counted through; false: it was the last. */
static bool keep_one(struct fake_answer *answer, PB(Component) * component, size_t file)
{
    struct {
        PB(FileDescriptor) * **items;
        size_t *count;
    } lists[] = {{&component->files, &component->n_files},
                 {&component->database_files, &component->n_database_files},
                 {&component->log_files, &component->n_log_files}};
    size_t all = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t count = *lists[i].count;
        bool is_here = file >= all && file < all + count;
        if (is_here) {
            answer->one_file[0] = (*lists[i].items)[file - all];
            *lists[i].items = answer->one_file;
        }
        *lists[i].count = is_here;
        all += count;
    }
    return file + 1 < all;
}

/* The writer's own lists come behind the last component. */
static void give_part(struct fake_answer *answer, const PB(GetWriterMetadata) * get, size_t count)
{
    PB(Writer) *writer = &answer->writer;
    answer->metadata.more = true;
    answer->metadata.next_component = get->component + 1;
    answer->metadata.next_file = 0;
    if (get->component >= count) {
        writer->n_components = 0;
        answer->metadata.more = false;
        return;
    }
    writer->n_exclude_files = 0;
    writer->components = &answer->component_list[get->component];
    writer->n_components = 1;
    if (get->with_files && keep_one(answer, writer->components[0], get->file)) {
        answer->metadata.next_component = get->component;
        answer->metadata.next_file = get->file + 1;
    }
}

static void give_metadata(struct fake_answer *answer, const struct fake_machine *machine, unsigned writer,
                          const PB(GetWriterMetadata) * get, PB(CallReply) * reply)
{
    const PB(Writer) *declared = machine->declared[writer];
    answer->metadata = *reply->get_writer_metadata;
    if (declared != NULL) {
        answer->metadata.more = false;
        answer->writer = *declared;
        answer->writer.status = answer->metadata.writer->status;
        answer->writer.components = answer->component_list;
        answer->writer.n_components = get->with_components ? declared->n_components : 0;
        assert_true(declared->n_components <= FAKE_COMPONENTS);
        for (size_t i = 0; i < answer->writer.n_components; i++) {
            answer->components[i] = *declared->components[i];
            answer->component_list[i] = &answer->components[i];
            if (!get->with_files || machine->leaves_out_files)
                answer->components[i].n_files = answer->components[i].n_database_files =
                    answer->components[i].n_log_files = 0;
        }
        if (!get->with_files)
            answer->writer.n_exclude_files = 0;
        if (get->with_files && machine->leaves_out_files)
            answer->writer.left_out = (char *)(uintptr_t) "the files";
        answer->metadata.writer = &answer->writer;
        if (machine->parts && get->part_bytes != 0)
            give_part(answer, get, declared->n_components);
    }
    if (get->with_document && !machine->has_no_documents) {
        describe_document(answer, PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA),
                          writer_instances[writer]);
        answer->metadata.document = &answer->document;
    }
    reply->get_writer_metadata = &answer->metadata;
}

/* Writers with components, by index. */
static unsigned nth_writer(const struct fake_document *document, unsigned nth, unsigned *count)
{
    unsigned found = WRITERS;
    *count = 0;
    for (unsigned writer = 0; writer < WRITERS; writer++) {
        bool has_some = false;
        for (size_t i = 0; i < document->count; i++)
            has_some |= document->components[i].writer == writer;
        if (has_some && (*count)++ == nth)
            found = writer;
    }
    return found;
}

static void give_components(struct fake_answer *answer, const struct fake_machine *machine,
                            const struct fake_document *document, unsigned nth, PB(CallReply) * reply)
{
    unsigned count;
    unsigned writer = nth_writer(document, nth, &count);
    if (writer == WRITERS) {
        reply->hresult = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */
        return;
    }
    shadowpipe__v1__get_writer_components_result__init(&answer->result);
    answer->result.instance_id = (char *)(uintptr_t)writer_instances[writer];
    answer->result.writer_id = (char *)(uintptr_t)writer_classes[writer];
    answer->result.components = answer->stored_list;
    for (size_t i = 0; i < document->count; i++) {
        const struct fake_component *component = &document->components[i];
        if (component->writer != writer)
            continue;
        size_t at = answer->result.n_components++;
        PB(BackupComponent) *stored = answer->stored_list[at] = &answer->stored[at];
        shadowpipe__v1__backup_component__init(stored);
        stored->logical_path = (char *)(uintptr_t)component->path;
        stored->name = (char *)(uintptr_t)component->name;
        stored->previous_backup_stamp = (char *)(uintptr_t)component->previous_stamp;
        stored->backup_options = (char *)(uintptr_t)component->options;
        (void)snprintf(answer->stamp[at], sizeof answer->stamp[at], "stamp of %.40s", component->name);
        stored->backup_stamp = answer->stamp[at];
        if (machine->failing != NULL && strcmp(machine->failing, component->name) == 0) {
            stored->failure_hresult = machine->failure;
            stored->failure_app_message = (char *)(uintptr_t) "the log is full";
        }
    }
    reply->out_case = PB_OUT(GET_WRITER_COMPONENTS);
    reply->get_writer_components = &answer->result;
}

void fake_components_answer(struct fake_answer *answer, const struct fake_machine *machine,
                            struct fake_document *document, const unsigned *present, const PB(Call) * call,
                            PB(CallReply) * reply)
{
    switch (call->method_case) {
    case PB_METHOD(GET_WRITER_METADATA):
        give_metadata(answer, machine, present[call->get_writer_metadata->index], call->get_writer_metadata,
                      reply);
        break;
    case PB_METHOD(ADD_COMPONENT):
        add(document, call->add_component->component);
        break;
    case PB_METHOD(SET_PREVIOUS_BACKUP_STAMP):
    case PB_METHOD(SET_BACKUP_OPTIONS):
    case PB_METHOD(SET_BACKUP_SUCCEEDED):
        change(document, call, reply);
        break;
    case PB_METHOD(GET_WRITER_COMPONENTS_COUNT):
        shadowpipe__v1__get_writer_components_count_result__init(&answer->count);
        (void)nth_writer(document, 0, &answer->count.count);
        reply->out_case = PB_OUT(GET_WRITER_COMPONENTS_COUNT);
        reply->get_writer_components_count = &answer->count;
        break;
    case PB_METHOD(GET_WRITER_COMPONENTS):
        give_components(answer, machine, document, call->get_writer_components->index, reply);
        break;
    case PB_METHOD(SAVE_AS_XML):
        document->saved++;
        describe_document(answer, PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS), "");
        shadowpipe__v1__save_as_xmlresult__init(&answer->saved);
        answer->saved.document = machine->has_no_documents ? NULL : &answer->document;
        reply->out_case = PB_OUT(SAVE_AS_XML);
        reply->save_as_xml = &answer->saved;
        break;
    default:
        break;
    }
}
