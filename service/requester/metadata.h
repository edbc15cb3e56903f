/* A Writer Metadata Document as the wire's Writer message. */
#ifndef SHADOWPIPE_REQUESTER_METADATA_H
#define SHADOWPIPE_REQUESTER_METADATA_H

#include "service/requester/session.h"

/* Identity, restore method and backup schema always; components (with the distinct directories of their
 * files) and the file lists when asked for. A failure of one of the interface's own methods is returned, and
 * reply->failed_method names it: half a writer would look like one without files. */
HRESULT metadata_fill(struct reply *reply, IVssExamineWriterMetadata *metadata, bool with_components,
                      bool with_files, PB(Writer) * writer);

#endif
