/* vssapi.dll, loaded by full path, and the functions that a requester needs from it.
 *
 * The system's own copy comes from System32 and from nowhere else; another path comes only from the
 * administrator's configuration or the console's command line, which is how the simulator is put in its
 * place. */
#ifndef SHADOWPIPE_REQUESTER_VSS_LIBRARY_H
#define SHADOWPIPE_REQUESTER_VSS_LIBRARY_H

#include <stdbool.h>

#include "service/requester/com.h"

struct vss_library {
    HMODULE module;
    bool simulated; /* it is Shadowpipe's simulator */
    HRESULT(STDAPICALLTYPE *create_backup_components)(IVssBackupComponents **components);
    void(STDAPICALLTYPE *free_snapshot_properties)(VSS_SNAPSHOT_PROP *properties);
    HRESULT(STDAPICALLTYPE *is_volume_snapshotted)(VSS_PWSZ volume, BOOL *present, LONG *capability);
    HRESULT(STDAPICALLTYPE *should_block_revert)(LPCWSTR volume, boolean *block);
    HRESULT(STDAPICALLTYPE *examine_writer_metadata)(BSTR xml, IVssExamineWriterMetadata **metadata);
    /* NULL where the library has it not: only what is known about shadow storage depends on it. */
    HRESULT(STDAPICALLTYPE *get_provider_management)
    (VSS_ID provider, IID interface_id, IUnknown **management);
};

/* Why a requester cannot work; goes into RequesterHello. */
struct ready_failure {
    HRESULT hresult; /* S_OK = it can */
    char method[64];
    char message[400];
};

/* `path` "" = System32. False: *failure says why, and nothing stays loaded. The module stays loaded until the
 * process ends: VSS has threads of its own in it. */
bool vss_library_load(struct vss_library *library, const wchar_t *path, bool must_be_simulator,
                      struct ready_failure *failure);

#endif
