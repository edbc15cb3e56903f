/* The slots about copies that exist already: expose, break, import, revert, recover. */
#include "async.h"
#include "backup.h"
#include "engine/administration.h"
#include "properties.h"

SLOT(ImportSnapshots, IVssAsync **out)
{
    return call_start(This, L"ImportSnapshots", OPERATION_IMPORT, out);
}

SLOT(BreakSnapshotSet, VSS_ID set)
{
    struct call call;
    if (call_begin(&call, This, L"BreakSnapshotSet", TRUE))
        call.hr = session_break_set(call.session, &set);
    return call_end(&call);
}

SLOT(BreakSnapshotSetEx, VSS_ID set, DWORD flags, IVssAsync **out)
{
    struct call call;
    const DWORD known = VSS_BREAKEX_FLAG_MASK_LUNS | VSS_BREAKEX_FLAG_MAKE_READ_WRITE |
                        VSS_BREAKEX_FLAG_REVERT_IDENTITY_ALL | VSS_BREAKEX_FLAG_REVERT_IDENTITY_NONE;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, L"BreakSnapshotSetEx", out && !(flags & ~known))) {
        call.hr = session_break_later(call.session, &set, (flags & VSS_BREAKEX_FLAG_MASK_LUNS) != 0);
        if (SUCCEEDED(call.hr))
            call.hr = async_start(call.session, OPERATION_BREAK, &call.fault, out);
    }
    return call_end(&call);
}

SLOT(ExposeSnapshot, VSS_ID id, VSS_PWSZ path, LONG attributes, VSS_PWSZ as, VSS_PWSZ *exposed)
{
    struct call call;
    wchar_t name[MAX_PATH];
    BOOL local = attributes == VSS_VOLSNAP_ATTR_EXPOSED_LOCALLY;
    BOOL good = local ? !path && as : attributes == VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY;
    if (exposed)
        *exposed = NULL;
    if (call_begin(&call, This, L"ExposeSnapshot", exposed && good)) {
        call.hr = local ? session_expose(call.session, &id, as, name)
                        : session_expose_share(call.session, &id, path, as, name);
        if (SUCCEEDED(call.hr))
            call.hr = properties_text(name, exposed);
    }
    return call_end(&call);
}

SLOT(UnexposeSnapshot, VSS_ID id)
{
    struct call call;
    if (call_begin(&call, This, L"UnexposeSnapshot", TRUE))
        call.hr = session_unexpose(call.session, &id);
    return call_end(&call);
}

SLOT(RevertToSnapshot, VSS_ID id, WINBOOL force)
{
    struct call call;
    if (call_begin(&call, This, L"RevertToSnapshot", TRUE))
        call.hr = session_revert(call.session, &id, force);
    return call_end(&call);
}

SLOT(QueryRevertStatus, VSS_PWSZ volume, IVssAsync **out)
{
    struct call call;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, L"QueryRevertStatus", volume && out)) {
        call.hr = session_revert_status(call.session, volume);
        if (SUCCEEDED(call.hr))
            call.hr = async_start(call.session, OPERATION_REVERT_STATUS, &call.fault, out);
    }
    return call_end(&call);
}

/* Reserved, and not supported by any Windows. */
static HRESULT reserved(BACKUP *This, const wchar_t *method, IVssAsync **out)
{
    struct call call;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, method, out != NULL)) {
        call.hr = session_check_initialized(call.session);
        if (SUCCEEDED(call.hr))
            call.hr = E_NOTIMPL;
    }
    return call_end(&call);
}

SLOT(PreFastRecovery, VSS_ID set, DWORD flags, IVssAsync **out)
{
    (void)set, (void)flags;
    return reserved(This, L"PreFastRecovery", out);
}

SLOT(FastRecovery, VSS_ID set, DWORD flags, IVssAsync **out)
{
    (void)set, (void)flags;
    return reserved(This, L"FastRecovery", out);
}

SLOT(AddSnapshotToRecoverySet, VSS_ID id, DWORD flags, VSS_PWSZ destination)
{
    struct call call;
    if (call_begin(&call, This, L"AddSnapshotToRecoverySet", flags == 0))
        call.hr = session_add_to_recovery(call.session, &id, destination);
    return call_end(&call);
}

/* Nothing can be added to a recovery set here, so there never is one to recover. */
SLOT(RecoverSet, DWORD flags, IVssAsync **out)
{
    struct call call;
    const DWORD known = VSS_RECOVERY_REVERT_IDENTITY_ALL | VSS_RECOVERY_NO_VOLUME_CHECK;
    if (out)
        *out = NULL;
    if (call_begin(&call, This, L"RecoverSet", out && !(flags & ~known)))
        call.hr = VSS_E_BAD_STATE;
    return call_end(&call);
}

SLOT(GetRootAndLogicalPrefixPaths, VSS_PWSZ path, VSS_PWSZ *root, VSS_PWSZ *prefix, WINBOOL normalize)
{
    struct call call;
    wchar_t found[MAX_PATH];
    (void)normalize; /* there are no share names here to be made canonical */
    if (root)
        *root = NULL;
    if (prefix)
        *prefix = NULL;
    if (call_begin(&call, This, L"GetRootAndLogicalPrefixPaths", path && root && prefix)) {
        call.hr = session_root_of(call.session, path, found);
        if (SUCCEEDED(call.hr))
            call.hr = properties_text(found, root);
        if (SUCCEEDED(call.hr))
            call.hr = properties_text(found, prefix);
        if (FAILED(call.hr)) {
            CoTaskMemFree(*root);
            *root = NULL;
        }
    }
    return call_end(&call);
}
