/* Writers: which there are, what they say of themselves, and how they fare. */
#include <string.h>

#include "proto/status.h"
#include "service/requester/log.h"
#include "service/requester/documents.h"
#include "service/requester/metadata.h"
#include "service/requester/methods.h"
#include "service/requester/text.h"

/* ---- Metadata. ---- */

HRESULT gather_writer_metadata(struct session *session, const PB(Call) * call, struct reply *reply,
                               IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_GatherWriterMetadata(session->object, async);
}

HRESULT get_writer_metadata_count(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    UINT count = 0;
    HRESULT hresult = IVssBackupComponents_GetWriterMetadataCount(session->object, &count);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetWriterMetadataCountResult) *out = REPLY_OUT(
        reply, GET_WRITER_METADATA_COUNT, get_writer_metadata_count, get_writer_metadata_count_result);
    if (out != NULL) {
        out->count = count;
    }
    return hresult;
}

/* In which of the three replies a description goes. */
enum asked {
    ASKED_PLAIN,
    ASKED_EX,
    ASKED_EXAMINE
};

static void put_result(struct reply *reply, enum asked asked, const struct metadata_part *part,
                       PB(Writer) * writer)
{
    PB(GetWriterMetadataResult) *out = NULL;
    switch (asked) {
    case ASKED_EX:
        out = REPLY_OUT(reply, GET_WRITER_METADATA_EX, get_writer_metadata_ex, get_writer_metadata_result);
        break;
    case ASKED_EXAMINE:
        out = REPLY_OUT(reply, EXAMINE_WRITER_METADATA, examine_writer_metadata, get_writer_metadata_result);
        break;
    case ASKED_PLAIN:
        out = REPLY_OUT(reply, GET_WRITER_METADATA, get_writer_metadata, get_writer_metadata_result);
        break;
    }
    if (out == NULL) {
        return;
    }
    out->writer = writer;
    out->more = part->more;
    if (part->more) {
        out->next_component = part->component;
        out->next_file = part->file;
    }
}

/* Takes over the reference. A writer too large for the reply's memory is still named, without its details. */
static HRESULT take_metadata(struct reply *reply, IVssExamineWriterMetadata *metadata,
                             struct metadata_part part, enum asked asked)
{
    static char left_out[] = "the components and files";
    PB(Writer) *writer = reply_message(reply, &shadowpipe__v1__writer__descriptor);
    HRESULT hresult = writer != NULL ? metadata_fill(reply, metadata, &part, writer) : S_OK;
    if (SUCCEEDED(hresult) && reply->no_memory && (part.with_components || part.with_files)) {
        log_failure("a writer's description takes too much memory; its components are left out");
        arena_reset(reply->arena);
        reply->no_memory = false;
        writer = reply_message(reply, &shadowpipe__v1__writer__descriptor);
        part = (struct metadata_part){0};
        hresult = writer != NULL ? metadata_fill(reply, metadata, &part, writer) : S_OK;
        if (writer != NULL) {
            writer->left_out = left_out;
        }
    }
    IVssExamineWriterMetadata_Release(metadata);
    if (SUCCEEDED(hresult) && writer != NULL) {
        put_result(reply, asked, &part, writer);
    }
    return hresult;
}

/* The document itself, for ReadDocument: FreeWriterMetadata shall not take it away. */
static HRESULT keep_document(struct session *session, struct reply *reply,
                             IVssExamineWriterMetadata *metadata, const VSS_ID *instance_id)
{
    BSTR xml = NULL;
    HRESULT hresult = IVssExamineWriterMetadata_SaveAsXML(metadata, &xml);
    if (SUCCEEDED(hresult)) {
        hresult = xml != NULL ? documents_keep(session, instance_id, xml) : E_POINTER;
    }
    SysFreeString(xml);
    if (FAILED(hresult)) {
        reply->failed_method = "IVssExamineWriterMetadata::SaveAsXML";
        IVssExamineWriterMetadata_Release(metadata);
    }
    return hresult;
}

static void describe_document(struct session *session, struct reply *reply, const VSS_ID *instance_id)
{
    if (reply->message.out_case == PB_OUT(GET_WRITER_METADATA)) {
        reply->message.get_writer_metadata->document = documents_describe(session, reply, instance_id);
    } else if (reply->message.out_case == PB_OUT(GET_WRITER_METADATA_EX)) {
        reply->message.get_writer_metadata_ex->document = documents_describe(session, reply, instance_id);
    }
}

HRESULT get_writer_metadata(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(GetWriterMetadata) *in = call->get_writer_metadata;
    VSS_ID instance_id = GUID_NULL;
    IVssExamineWriterMetadata *metadata = NULL;
    HRESULT hresult =
        IVssBackupComponents_GetWriterMetadata(session->object, in->index, &instance_id, &metadata);
    if (FAILED(hresult) || metadata == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    if (in->with_document) {
        hresult = keep_document(session, reply, metadata, &instance_id);
        if (FAILED(hresult)) {
            return hresult;
        }
    }
    const struct metadata_part part = {.with_components = in->with_components,
                                       .with_files = in->with_files,
                                       .budget = in->part_bytes,
                                       .component = in->component,
                                       .file = in->file};
    hresult = take_metadata(reply, metadata, part, ASKED_PLAIN);
    if (SUCCEEDED(hresult) && in->with_document) {
        describe_document(session, reply, &instance_id);
    }
    return hresult;
}

HRESULT get_writer_metadata_ex(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(GetWriterMetadataEx) *in = call->get_writer_metadata_ex;
    IVssBackupComponentsEx *object;
    HRESULT hresult = session_ex(session, &object);
    if (FAILED(hresult)) {
        return hresult;
    }
    VSS_ID instance_id = GUID_NULL;
    IVssExamineWriterMetadataEx *metadata = NULL;
    hresult = IVssBackupComponentsEx_GetWriterMetadataEx(object, in->index, &instance_id, &metadata);
    if (FAILED(hresult) || metadata == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    IVssExamineWriterMetadata *plain = (IVssExamineWriterMetadata *)metadata;
    if (in->with_document) {
        hresult = keep_document(session, reply, plain, &instance_id);
        if (FAILED(hresult)) {
            return hresult;
        }
    }
    const struct metadata_part part = {.with_components = in->with_components,
                                       .with_files = in->with_files,
                                       .budget = in->part_bytes,
                                       .component = in->component,
                                       .file = in->file};
    hresult = take_metadata(reply, plain, part, ASKED_EX);
    if (SUCCEEDED(hresult) && in->with_document) {
        describe_document(session, reply, &instance_id);
    }
    return hresult;
}

/* A document that somebody has kept: no object is needed for it. */
HRESULT examine_writer_metadata(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(ExamineWriterMetadata) *in = call->examine_writer_metadata;
    static const char field[] = "examine_writer_metadata.document_id";
    BSTR xml;
    if (session->library.module == NULL) {
        reply->failed_method = session->ready.method;
        return session->ready.hresult;
    }
    HRESULT hresult = documents_take(session, reply, field, in->document_id, &xml);
    if (FAILED(hresult)) {
        return hresult;
    }
    if (xml == NULL) {
        return reply_refuse(reply, field, "not the id of a document");
    }
    IVssExamineWriterMetadata *metadata = NULL;
    hresult = session->library.examine_writer_metadata(xml, &metadata);
    SysFreeString(xml);
    if (FAILED(hresult) || metadata == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    const struct metadata_part part = {.with_components = in->with_components, .with_files = in->with_files};
    return take_metadata(reply, metadata, part, ASKED_EXAMINE);
}

HRESULT free_writer_metadata(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    (void)reply;
    HRESULT hresult = IVssBackupComponents_FreeWriterMetadata(session->object);
    if (SUCCEEDED(hresult)) {
        session->record.metadata_freed = true;
    }
    return hresult;
}

/* ---- Which writers take part. ---- */

typedef HRESULT(STDMETHODCALLTYPE *choose_writers)(IVssBackupComponents *object, const VSS_ID *ids,
                                                   UINT count);

static HRESULT choose(struct session *session, struct reply *reply, choose_writers function,
                      const char *field, char **texts, size_t count)
{
    VSS_ID *ids = reply_alloc(reply, (count + 1) * sizeof *ids); /* not NULL for none */
    if (ids == NULL) {
        return E_OUTOFMEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        if (!reply_parse_guid(reply, field, texts[i], &ids[i])) {
            return E_INVALIDARG;
        }
    }
    return function(session->object, ids, (UINT)count);
}

HRESULT disable_writer_classes(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(DisableWriterClasses) *in = call->disable_writer_classes;
    return choose(session, reply, session->object->lpVtbl->DisableWriterClasses,
                  "disable_writer_classes.writer_ids", in->writer_ids, in->n_writer_ids);
}

HRESULT enable_writer_classes(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(EnableWriterClasses) *in = call->enable_writer_classes;
    return choose(session, reply, session->object->lpVtbl->EnableWriterClasses,
                  "enable_writer_classes.writer_ids", in->writer_ids, in->n_writer_ids);
}

HRESULT disable_writer_instances(struct session *session, const PB(Call) * call, struct reply *reply)
{
    const PB(DisableWriterInstances) *in = call->disable_writer_instances;
    return choose(session, reply, session->object->lpVtbl->DisableWriterInstances,
                  "disable_writer_instances.instance_ids", in->instance_ids, in->n_instance_ids);
}

/* ---- Status. ---- */

HRESULT gather_writer_status(struct session *session, const PB(Call) * call, struct reply *reply,
                             IVssAsync **async)
{
    (void)call;
    (void)reply;
    return IVssBackupComponents_GatherWriterStatus(session->object, async);
}

HRESULT get_writer_status_count(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    UINT count = 0;
    HRESULT hresult = IVssBackupComponents_GetWriterStatusCount(session->object, &count);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetWriterStatusCountResult) *out =
        REPLY_OUT(reply, GET_WRITER_STATUS_COUNT, get_writer_status_count, get_writer_status_count_result);
    if (out != NULL) {
        out->count = count;
    }
    return hresult;
}

HRESULT free_writer_status(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    (void)reply;
    HRESULT hresult = IVssBackupComponents_FreeWriterStatus(session->object);
    if (SUCCEEDED(hresult)) {
        session->record.status = STEP_NONE;
    }
    return hresult;
}

struct status {
    VSS_ID instance_id;
    VSS_ID writer_id;
    BSTR name;
    VSS_WRITER_STATE state;
    HRESULT failure;
    HRESULT application_failure;
    BSTR application_message;
};

static PB(WriterState) writer_state(VSS_WRITER_STATE state)
{
    return state >= VSS_WS_UNKNOWN && state < VSS_WS_COUNT ? (PB(WriterState))(state + 1)
                                                           : PB_VALUE(WRITER_STATE, WRITER_STATE_UNKNOWN);
}

/* The call's S_OK says nothing about the writer: its state and failure code do. */
static bool has_failed(const struct status *status)
{
    return status->state <= VSS_WS_UNKNOWN || status->state >= VSS_WS_FAILED_AT_IDENTIFY ||
           FAILED(status->failure);
}

static void fill_status(struct reply *reply, const struct status *status, PB(GetWriterStatusResult) * out)
{
    PB(WriterStatus) *writer = reply_message(reply, &shadowpipe__v1__writer_status__descriptor);
    if (out == NULL || writer == NULL) {
        return;
    }
    out->writer = writer;
    out->state_value = (uint32_t)status->state;
    writer->writer_id = reply_guid(reply, &status->writer_id);
    writer->instance_id = reply_guid(reply, &status->instance_id);
    writer->name = reply_text(reply, status->name);
    writer->state = writer_state(status->state);
    writer->failed = has_failed(status);
    writer->hresult = (uint32_t)status->failure;
    writer->app_hresult = (uint32_t)status->application_failure;
    writer->app_message = reply_text(reply, status->application_message);
    if (status->failure != S_OK) {
        char scratch[11];
        writer->hresult_name = arena_strdup(reply->arena, vss_code_name((uint32_t)status->failure, scratch));
        reply->no_memory |= writer->hresult_name == NULL;
    }
}

static HRESULT get_status(struct session *session, UINT index, struct status *status)
{
    return IVssBackupComponents_GetWriterStatus(session->object, index, &status->instance_id,
                                                &status->writer_id, &status->name, &status->state,
                                                &status->failure);
}

HRESULT get_writer_status(struct session *session, const PB(Call) * call, struct reply *reply)
{
    struct status status = {.state = VSS_WS_UNKNOWN};
    HRESULT hresult = get_status(session, call->get_writer_status->index, &status);
    if (SUCCEEDED(hresult)) {
        fill_status(reply, &status,
                    REPLY_OUT(reply, GET_WRITER_STATUS, get_writer_status, get_writer_status_result));
    }
    SysFreeString(status.name);
    return hresult;
}

/* Where VSS is older than Windows 7 the plain method answers in its place. */
HRESULT get_writer_status_ex(struct session *session, const PB(Call) * call, struct reply *reply)
{
    UINT index = call->get_writer_status_ex->index;
    struct status status = {.state = VSS_WS_UNKNOWN};
    IVssBackupComponentsEx3 *object;
    HRESULT hresult;
    if (SUCCEEDED(session_ex3(session, &object))) {
        hresult = IVssBackupComponentsEx3_GetWriterStatusEx(
            object, index, &status.instance_id, &status.writer_id, &status.name, &status.state,
            &status.failure, &status.application_failure, &status.application_message);
    } else {
        hresult = get_status(session, index, &status);
    }
    if (SUCCEEDED(hresult)) {
        fill_status(reply, &status,
                    REPLY_OUT(reply, GET_WRITER_STATUS_EX, get_writer_status_ex, get_writer_status_result));
    }
    SysFreeString(status.name);
    SysFreeString(status.application_message);
    return hresult;
}
