/* The parameters by which many methods name a component. */
#ifndef SHADOWPIPE_REQUESTER_COMPONENT_H
#define SHADOWPIPE_REQUESTER_COMPONENT_H

#include "service/requester/session.h"

struct component {
    VSS_ID instance_id;
    VSS_ID writer_id;
    VSS_COMPONENT_TYPE type;
    const wchar_t *logical_path; /* NULL = none */
    const wchar_t *name;
};

/* False: *hresult says why the call cannot be made. */
bool component_parse(struct reply *reply, const PB(ComponentRef) * in, struct component *out,
                     HRESULT *hresult);

/* What stands between a method's This and its own parameters. */
#define COMPONENT_ARGUMENTS(component) \
    (component).writer_id, (component).type, (component).logical_path, (component).name

#endif
