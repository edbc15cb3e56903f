/* direct: what a backup program does that calls VSS itself, from its start to its end. For comparison.
 *
 *     direct LIBRARY DRIVE: [GIVE_UP_S]
 *
 * The calls, their order, and the pause of five seconds between two attempts at StartSnapshotSet are those of
 * the programs that are in use (restic, bareos, vshadow): they agree in all that matters here. GIVE_UP_S is
 * how long it tries to get its turn; 120, as restic has it. Exit code 0: a snapshot was made and completed;
 * 2: it never had its turn; 1: anything else, with a line on stderr. */
#define COBJMACROS
#define INITGUID
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>
#include <objbase.h>
#include <cguid.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

enum {
    DONE = 0,
    FAILED_CALL = 1,
    NEVER_HAD_ITS_TURN = 2,
    USAGE = 64,
    RETRY_MS = 5000,
    GIVE_UP_S = 120
};

typedef HRESULT(STDAPICALLTYPE *create_function)(IVssBackupComponents **);
typedef void(STDAPICALLTYPE *free_function)(VSS_SNAPSHOT_PROP *);
typedef HRESULT(STDMETHODCALLTYPE *start_function)(IVssBackupComponents *, IVssAsync **);

static const char *failed_call = "";
static free_function free_properties;

static HRESULT named(const char *call, HRESULT result)
{
    if (FAILED(result))
        failed_call = call;
    return result;
}

static HRESULT run(const char *call, IVssBackupComponents *vss, start_function start)
{
    IVssAsync *async = NULL;
    HRESULT result = start(vss, &async);
    if (FAILED(result))
        return named(call, result);
    HRESULT outcome = E_UNEXPECTED;
    result = IVssAsync_Wait(async, INFINITE);
    if (SUCCEEDED(result))
        result = IVssAsync_QueryStatus(async, &outcome, NULL);
    IVssAsync_Release(async);
    return named(call, FAILED(result) ? result : outcome);
}

#define RUN(vss, method) run(#method, (vss), (vss)->lpVtbl->method)
#define TRY(expression)                 \
    do {                                \
        HRESULT result_ = (expression); \
        if (FAILED(result_))            \
            return result_;             \
    } while (0)

static HRESULT read_metadata(IVssBackupComponents *vss)
{
    UINT count = 0;
    TRY(RUN(vss, GatherWriterMetadata));
    TRY(named("GetWriterMetadataCount", IVssBackupComponents_GetWriterMetadataCount(vss, &count)));
    for (UINT i = 0; i < count; i++) {
        VSS_ID instance, writer;
        BSTR name = NULL;
        VSS_USAGE_TYPE usage;
        VSS_SOURCE_TYPE source;
        IVssExamineWriterMetadata *metadata = NULL;
        TRY(named("GetWriterMetadata", IVssBackupComponents_GetWriterMetadata(vss, i, &instance, &metadata)));
        HRESULT result =
            IVssExamineWriterMetadata_GetIdentity(metadata, &instance, &writer, &name, &usage, &source);
        SysFreeString(name);
        IVssExamineWriterMetadata_Release(metadata);
        TRY(named("GetIdentity", result));
    }
    return named("FreeWriterMetadata", IVssBackupComponents_FreeWriterMetadata(vss));
}

static HRESULT check_writers(IVssBackupComponents *vss)
{
    UINT count = 0;
    TRY(RUN(vss, GatherWriterStatus));
    TRY(named("GetWriterStatusCount", IVssBackupComponents_GetWriterStatusCount(vss, &count)));
    HRESULT worst = S_OK;
    for (UINT i = 0; i < count; i++) {
        VSS_ID instance, writer;
        BSTR name = NULL;
        VSS_WRITER_STATE state;
        HRESULT failure = S_OK;
        TRY(named("GetWriterStatus",
                  IVssBackupComponents_GetWriterStatus(vss, i, &instance, &writer, &name, &state, &failure)));
        SysFreeString(name);
        if (FAILED(failure))
            worst = failure;
    }
    TRY(named("FreeWriterStatus", IVssBackupComponents_FreeWriterStatus(vss)));
    return named("a writer", worst);
}

/* The machine's one place for a set that is being made, which nobody queues for. */
static HRESULT start_set(IVssBackupComponents *vss, DWORD give_up_ms, VSS_ID *set)
{
    ULONGLONG end = GetTickCount64() + give_up_ms;
    HRESULT result;
    while ((result = IVssBackupComponents_StartSnapshotSet(vss, set)) == VSS_E_SNAPSHOT_SET_IN_PROGRESS &&
           GetTickCount64() < end)
        Sleep(RETRY_MS);
    return named("StartSnapshotSet", result);
}

static HRESULT create(IVssBackupComponents *vss, wchar_t *volume, DWORD give_up_ms)
{
    VSS_ID set, snapshot;
    BOOL supported = FALSE;
    VSS_SNAPSHOT_PROP properties;
    TRY(named("InitializeForBackup", IVssBackupComponents_InitializeForBackup(vss, NULL)));
    TRY(named("SetContext", IVssBackupComponents_SetContext(vss, VSS_CTX_BACKUP)));
    TRY(named("SetBackupState", IVssBackupComponents_SetBackupState(vss, FALSE, FALSE, VSS_BT_COPY, FALSE)));
    TRY(read_metadata(vss));
    TRY(named("IsVolumeSupported",
              IVssBackupComponents_IsVolumeSupported(vss, GUID_NULL, volume, &supported)));
    TRY(named("IsVolumeSupported", supported ? S_OK : VSS_E_VOLUME_NOT_SUPPORTED));
    TRY(start_set(vss, give_up_ms, &set));
    TRY(named("AddToSnapshotSet", IVssBackupComponents_AddToSnapshotSet(vss, volume, GUID_NULL, &snapshot)));
    TRY(RUN(vss, PrepareForBackup));
    TRY(check_writers(vss));
    TRY(RUN(vss, DoSnapshotSet));
    TRY(check_writers(vss));
    TRY(named("GetSnapshotProperties",
              IVssBackupComponents_GetSnapshotProperties(vss, snapshot, &properties)));
    free_properties(&properties);
    return S_OK;
}

/* Here a real program would read the files. */
static HRESULT back_up(IVssBackupComponents *vss, wchar_t *volume, DWORD give_up_ms)
{
    HRESULT result = create(vss, volume, give_up_ms);
    if (FAILED(result)) {
        (void)IVssBackupComponents_AbortBackup(vss); /* what failed first is what counts */
        return result;
    }
    TRY(RUN(vss, BackupComplete));
    return check_writers(vss);
}

static int finish(HRESULT result)
{
    if (SUCCEEDED(result))
        return DONE;
    fprintf(stderr, "direct: %s: 0x%08lx\n", failed_call, (unsigned long)result);
    return result == VSS_E_SNAPSHOT_SET_IN_PROGRESS ? NEVER_HAD_ITS_TURN : FAILED_CALL;
}

/* FARPROC to a typed pointer, by way of bytes: C has no cast for it. */
static BOOL find(HMODULE library, const char *name, void *function)
{
    FARPROC found = GetProcAddress(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

int wmain(int count, wchar_t **arguments);

int wmain(int count, wchar_t **arguments)
{
    create_function create_components;
    IVssBackupComponents *vss = NULL;
    wchar_t volume[8];
    if (count < 3 || swprintf(volume, ARRAYSIZE(volume), L"%ls\\", arguments[2]) < 0) {
        fprintf(stderr, "usage: direct LIBRARY DRIVE: [GIVE_UP_S]\n");
        return USAGE;
    }
    DWORD give_up_ms = 1000 * (count > 3 ? (DWORD)_wtoi(arguments[3]) : GIVE_UP_S);
    HRESULT result = named("CoInitializeEx", CoInitializeEx(NULL, COINIT_MULTITHREADED));
    if (SUCCEEDED(result))
        result = named("CoInitializeSecurity",
                       CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                                            RPC_C_IMP_LEVEL_IDENTIFY, NULL, EOAC_NONE, NULL));
    if (FAILED(result))
        return finish(result);
    HMODULE library = LoadLibraryExW(arguments[1], NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (library == NULL || !find(library, "CreateVssBackupComponentsInternal", &create_components) ||
        !find(library, "VssFreeSnapshotPropertiesInternal", &free_properties))
        return finish(named("LoadLibrary", HRESULT_FROM_WIN32(GetLastError())));
    result = named("CreateVssBackupComponents", create_components(&vss));
    if (SUCCEEDED(result)) {
        result = back_up(vss, volume, give_up_ms);
        IVssBackupComponents_Release(vss);
    }
    CoUninitialize();
    return finish(result);
}
