/* A Writer Metadata Document as the wire's Writer message. */
#ifndef SHADOWPIPE_REQUESTER_METADATA_H
#define SHADOWPIPE_REQUESTER_METADATA_H

#include "service/requester/session.h"

/* What is wanted of a description, and how far it went. The files of a component, and the lists of the writer
 * itself, which come after its last component, are counted through. */
struct metadata_part {
    bool with_components;
    bool with_files;
    size_t budget; /* bytes of components and files, 0 = all there are */
    UINT component;
    UINT file;
    /* Where the next part begins. */
    bool more;
    size_t used;
};

/* Identity, restore method and backup schema always; components (with the distinct directories of their
 * files) and the file lists when asked for. A failure of one of the interface's own methods is returned, and
 * reply->failed_method names it: half a writer would look like one without files. */
HRESULT metadata_fill(struct reply *reply, IVssExamineWriterMetadata *metadata, struct metadata_part *part,
                      PB(Writer) * writer);

#endif
