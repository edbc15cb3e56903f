/* The Backup Components Document's components, writer by writer. */
#include "service/requester/backup_component.h"
#include "service/requester/methods.h"

HRESULT get_writer_components_count(struct session *session, const PB(Call) * call, struct reply *reply)
{
    (void)call;
    UINT count = 0;
    HRESULT hresult = IVssBackupComponents_GetWriterComponentsCount(session->object, &count);
    if (FAILED(hresult)) {
        return hresult;
    }
    PB(GetWriterComponentsCountResult) *out = REPLY_OUT(
        reply, GET_WRITER_COMPONENTS_COUNT, get_writer_components_count, get_writer_components_count_result);
    if (out != NULL) {
        out->count = count;
    }
    return hresult;
}

static HRESULT fill_components(struct reply *reply, IVssWriterComponentsExt *writer,
                               PB(GetWriterComponentsResult) * out)
{
    UINT count = 0;
    HRESULT hresult = writer->lpVtbl->GetComponentCount(writer, &count);
    if (FAILED(hresult)) {
        reply->failed_method = "IVssWriterComponents::GetComponentCount";
        return hresult;
    }
    out->components = reply_alloc(reply, (count + 1) * sizeof *out->components);
    for (UINT i = 0; i < count && !reply->no_memory; i++) {
        IVssComponent *component = NULL;
        hresult = writer->lpVtbl->GetComponent(writer, i, &component);
        if (FAILED(hresult) || component == NULL) {
            reply->failed_method = "IVssWriterComponents::GetComponent";
            return FAILED(hresult) ? hresult : E_POINTER;
        }
        PB(BackupComponent) *message = reply_message(reply, &shadowpipe__v1__backup_component__descriptor);
        hresult = message != NULL ? backup_component_fill(reply, component, message) : S_OK;
        IVssComponent_Release(component);
        if (FAILED(hresult)) {
            return hresult;
        }
        out->components[out->n_components] = message;
        out->n_components += message != NULL;
    }
    return S_OK;
}

static HRESULT fill_writer(struct reply *reply, IVssWriterComponentsExt *writer,
                           PB(GetWriterComponentsResult) * out)
{
    VSS_ID instance_id = GUID_NULL;
    VSS_ID writer_id = GUID_NULL;
    HRESULT hresult = writer->lpVtbl->GetWriterInfo(writer, &instance_id, &writer_id);
    if (FAILED(hresult)) {
        reply->failed_method = "IVssWriterComponents::GetWriterInfo";
        return hresult;
    }
    out->instance_id = reply_guid(reply, &instance_id);
    out->writer_id = reply_guid(reply, &writer_id);
    return fill_components(reply, writer, out);
}

HRESULT get_writer_components(struct session *session, const PB(Call) * call, struct reply *reply)
{
    IVssWriterComponentsExt *writer = NULL;
    HRESULT hresult = IVssBackupComponents_GetWriterComponents(session->object,
                                                               call->get_writer_components->index, &writer);
    if (FAILED(hresult) || writer == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    PB(GetWriterComponentsResult) *out =
        REPLY_OUT(reply, GET_WRITER_COMPONENTS, get_writer_components, get_writer_components_result);
    if (out != NULL) {
        HRESULT filled = fill_writer(reply, writer, out);
        if (FAILED(filled)) {
            reply->message.out_case = PB_OUT(_NOT_SET); /* half a writer would look like a whole one */
            hresult = filled;
        }
    }
    writer_components_release(writer);
    return hresult;
}
