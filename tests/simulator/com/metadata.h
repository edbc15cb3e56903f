/* IVssExamineWriterMetadata(Ex, Ex2) and the objects that it hands out: components, file descriptions,
 * dependencies. Each holds the writer list by a reference of its own, so it outlives FreeWriterMetadata and
 * the backup object. */
#pragma once
#include "engine/engine.h"

#include <vsbackup.h>

/* Takes over the caller's hold on the list. */
HRESULT metadata_create(struct writer_list *list, unsigned index, IVssExamineWriterMetadataEx2 **out);
