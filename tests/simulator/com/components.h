/* IVssWriterComponentsExt and IVssComponent(Ex, Ex2): what the Backup Components Document says about one
 * writer and its components, as it was when GetWriterComponents was called. Requesters have to ask again
 * after each event anyway, and so nothing here ever changes, or needs a lock.
 *
 * IVssWriterComponentsExt has two bases in Microsoft's header, so two vtables: first its own three methods,
 * then, a pointer further, those of IUnknown. mingw's header declares the first only. */
#pragma once
#include "engine/engine.h"

#include <vsbackup.h>

/* Takes the tree over, also when it fails. */
HRESULT writer_components_create(struct xml *writer, IVssWriterComponentsExt **out);
