/* Backups by component: one writer of the machine has one component, with its files on the first volume. */
#include <string.h>

#include "tests/model/model.h"

const char component_name[] = "db";

static const PB(ComponentRef) * component_of(const PB(Call) * call)
{
    return call->method_case == PB_METHOD(ADD_COMPONENT) ? call->add_component->component
                                                         : call->set_backup_succeeded->component;
}

void components_check(struct model *model, const struct object *object, const PB(Call) * call)
{
    const PB(ComponentRef) *ref = component_of(call);
    REQUIRE(model,
            object->component_mode && strcmp(ref->instance_id, writer_instances[COMPONENT_WRITER]) == 0 &&
                strcmp(ref->name, component_name) == 0,
            "a component that nobody selected");
    if (call->method_case == PB_METHOD(ADD_COMPONENT)) {
        REQUIRE(model, !object->has_component && !object->open, "AddComponent a second time, or too late");
        return;
    }
    REQUIRE(model, object->created && !object->complete_called, "SetBackupSucceeded at a wrong time");
    REQUIRE(model, !call->set_backup_succeeded->succeeded || object->success,
            "a component is called a success, and nobody said so");
}

static void describe_document(struct component_answer *answer, PB(DocumentKind) kind, const char *instance_id)
{
    static uint8_t hash[32];
    shadowpipe__v1__document_info__init(&answer->document);
    answer->document.kind = kind;
    answer->document.writer_instance_id = (char *)(uintptr_t)instance_id;
    answer->document.size_bytes = 1000;
    answer->document.sha256 = (ProtobufCBinaryData){sizeof hash, hash};
}

static void give_metadata(struct component_answer *answer, const PB(GetWriterMetadata) * get,
                          const struct vss_view *view, PB(CallReply) * reply)
{
    bool has_it = view->present[get->index] == COMPONENT_WRITER && get->component == 0 && get->file == 0;
    PB(Writer) *writer = reply->get_writer_metadata->writer;
    shadowpipe__v1__component__init(&answer->component);
    shadowpipe__v1__file_descriptor__init(&answer->file);
    answer->component.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE);
    answer->component.name = (char *)(uintptr_t)component_name;
    answer->component.selectable = true;
    answer->file.path = (char *)(uintptr_t) "C:\\Data";
    answer->file.filespec = (char *)(uintptr_t) "*";
    answer->files[0] = &answer->file;
    answer->component.files = answer->files;
    answer->component.n_files = get->with_files ? 1 : 0;
    answer->components[0] = &answer->component;
    writer->components = answer->components;
    writer->n_components = has_it && get->with_components ? 1 : 0;
    writer->n_include_files = 0;
    writer->status->components = view->present[get->index] == COMPONENT_WRITER;
    reply->get_writer_metadata->more = false;
    if (!get->with_document)
        return;
    describe_document(answer, PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA),
                      writer_instances[view->present[get->index]]);
    reply->get_writer_metadata->document = &answer->document;
}

static void give_stored(struct component_answer *answer, PB(CallReply) * reply)
{
    shadowpipe__v1__get_writer_components_result__init(&answer->stored);
    shadowpipe__v1__backup_component__init(&answer->backup);
    answer->backup.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE);
    answer->backup.name = (char *)(uintptr_t)component_name;
    answer->backups[0] = &answer->backup;
    answer->stored.instance_id = (char *)(uintptr_t)writer_instances[COMPONENT_WRITER];
    answer->stored.writer_id = (char *)(uintptr_t)writer_classes[COMPONENT_WRITER];
    answer->stored.components = answer->backups;
    answer->stored.n_components = 1;
    reply->out_case = PB_OUT(GET_WRITER_COMPONENTS);
    reply->get_writer_components = &answer->stored;
}

static void give_document(struct component_answer *answer, PB(CallReply) * reply)
{
    shadowpipe__v1__save_as_xmlresult__init(&answer->saved);
    describe_document(answer, PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS), "");
    answer->saved.document = &answer->document;
    reply->out_case = PB_OUT(SAVE_AS_XML);
    reply->save_as_xml = &answer->saved;
}

void components_answer(struct component_answer *answer, const struct object *object,
                       const struct vss_view *view, const PB(Call) * call, PB(CallReply) * reply)
{
    if (!object->component_mode)
        return;
    switch (call->method_case) {
    case PB_METHOD(GET_WRITER_METADATA):
        give_metadata(answer, call->get_writer_metadata, view, reply);
        break;
    case PB_METHOD(GET_WRITER_COMPONENTS_COUNT):
        shadowpipe__v1__get_writer_components_count_result__init(&answer->count);
        answer->count.count = object->has_component;
        reply->out_case = PB_OUT(GET_WRITER_COMPONENTS_COUNT);
        reply->get_writer_components_count = &answer->count;
        break;
    case PB_METHOD(GET_WRITER_COMPONENTS):
        give_stored(answer, reply);
        break;
    case PB_METHOD(SAVE_AS_XML):
        give_document(answer, reply);
        break;
    default:
        break;
    }
}
