#include "service/requester/component.h"

bool component_parse(struct reply *reply, const PB(ComponentRef) * in, struct component *out,
                     HRESULT *hresult)
{
    *hresult = E_INVALIDARG;
    if (in == NULL) {
        reply_refuse(reply, "component", "missing");
        return false;
    }
    if (!reply_parse_guid(reply, "component.writer_id", in->writer_id, &out->writer_id) ||
        !reply_parse_guid(reply, "component.instance_id", in->instance_id, &out->instance_id)) {
        return false;
    }
    out->type = (VSS_COMPONENT_TYPE)in->type;
    out->logical_path = reply_wide_or_null(reply, in->logical_path);
    out->name = reply_wide(reply, in->name);
    if (reply->no_memory) {
        *hresult = E_OUTOFMEMORY;
        return false;
    }
    return true;
}
