/* The VSS interfaces as mingw-w64 gives them to C, and what its headers get wrong.
 *
 * Only service/requester and the simulator include VSS headers. Slots and signatures agree with the Windows
 * SDK, with one exception that matters to a caller: IVssWriterComponentsExt has two bases there, so its
 * IUnknown stands behind a second table pointer that these headers do not know. Bools in these interfaces are
 * C++ bools: one byte (`boolean`), while BOOL has four. Interfaces without an IID of their own all get the
 * zero GUID here: never ask QueryInterface for one. */
#ifndef SHADOWPIPE_REQUESTER_COM_H
#define SHADOWPIPE_REQUESTER_COM_H

#include <windows.h>
#include <ole2.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>
#include <vsmgmt.h>
#include <vsserror.h>

static inline void writer_components_release(IVssWriterComponentsExt *components)
{
    IUnknown *unknown = (IUnknown *)((char *)components + sizeof(void *));
    unknown->lpVtbl->Release(unknown);
}

#endif
