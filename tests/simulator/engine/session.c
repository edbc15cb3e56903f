/* A session's life: opening, calls, operations, abort, closing. */
#include "session.h"
#include "accidents.h"
#include "store.h"

#include <objbase.h>
#include <stdlib.h>
#include <wchar.h>

#define ABORT_LIMIT_MS 60000

static const wchar_t *const operation_names[] = {
    L"none",
    L"GatherWriterMetadata",
    L"PrepareForBackup",
    L"GatherWriterStatus",
    L"DoSnapshotSet",
    L"BackupComplete",
    L"PreRestore",
    L"PostRestore",
    L"ImportSnapshots",
    L"BreakSnapshotSetEx",
    L"QueryRevertStatus",
};

BOOL session_pause(struct session *session, unsigned long ms)
{
    return WaitForSingleObject(session->cancel, ms) == WAIT_OBJECT_0;
}

BOOL session_has_no_writers(const struct session *session)
{
    return (session->context & VSS_VOLSNAP_ATTR_NO_WRITERS) != 0 && session->context != (LONG)VSS_CTX_ALL;
}

const struct writer *session_writer(const struct session *session, unsigned answer)
{
    return &session->writers->writers[session->answers[answer]];
}

int session_find_writer(const struct session *session, const GUID *class_id, const GUID *instance)
{
    for (unsigned i = 0; i < session->answering; i++) {
        const struct writer *writer = session_writer(session, i);
        if (IsEqualGUID(&writer->class_id, class_id) &&
            (!instance || IsEqualGUID(&writer->instance_id, instance)))
            return (int)i;
    }
    return -1;
}

BOOL session_wait_returns_error(const struct session *session)
{
    return scenario_number(session->scenario, L"machine", L"wait_returns_error", 0) != 0;
}

unsigned long session_debug_level(const struct session *session)
{
    return scenario_number(session->scenario, L"machine", L"debug", 0);
}

static DWORD abort_limit_ms(const struct session *session)
{
    return scenario_number(session->scenario, L"machine", L"abort_limit_ms", ABORT_LIMIT_MS);
}

static void destroy(struct session *session)
{
    if (session->cancel)
        CloseHandle(session->cancel);
    if (session->idle)
        CloseHandle(session->idle);
    DeleteCriticalSection(&session->lock);
    writer_list_drop(session->writers);
    scenario_drop(session->scenario);
    free(session->filters);
    free(session->answers);
    free(session->fates);
    free(session->statuses);
    xml_free(session->document);
    free(session);
}

static HRESULT refusal(struct session *session)
{
    struct fault fault = scenario_fault(session->scenario, L"CreateVssBackupComponents");
    if (fault.exit != FAULT_EXIT_NONE)
        TerminateProcess(GetCurrentProcess(), 3);
    session_pause(session, fault.delay_ms);
    accidents_hold(&fault, 0, L"CreateVssBackupComponents");
    return fault.result;
}

HRESULT session_open(struct session **out)
{
    *out = NULL;
    HRESULT hr = store_open();
    if (FAILED(hr))
        return VSS_E_UNEXPECTED;
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return E_OUTOFMEMORY;
    session->references = 1;
    session->creator = INVALID_HANDLE_VALUE;
    session->object.lock = INVALID_HANDLE_VALUE;
    InitializeCriticalSection(&session->lock);
    session->cancel = CreateEventW(NULL, TRUE, FALSE, NULL);
    session->idle = CreateEventW(NULL, TRUE, TRUE, NULL);
    hr = session->cancel && session->idle ? CoCreateGuid(&session->id) : E_OUTOFMEMORY;
    if (SUCCEEDED(hr))
        hr = scenario_load(&session->scenario);
    if (SUCCEEDED(hr))
        hr = refusal(session);
    if (SUCCEEDED(hr)) {
        machine_sweep(session->scenario);
        hr = machine_join(&session->object);
    }
    store_log(session->object.number, L"call", L"CreateVssBackupComponents\thr=0x%08lx", (unsigned long)hr);
    if (FAILED(hr)) {
        destroy(session);
        return hr;
    }
    *out = session;
    return S_OK;
}

struct session *session_hold(struct session *session)
{
    InterlockedIncrement(&session->references);
    return session;
}

void session_drop(struct session *session)
{
    if (InterlockedDecrement(&session->references) == 0)
        destroy(session);
}

void session_close_set(struct session *session)
{
    creator_end(&session->object, &session->creator);
}

/* The end of the object, by whoever comes last: the final Release, or the operation that was running then. */
static void end(struct session *session)
{
    BOOL mid_set = session->set == SET_OPEN || session->set == SET_CREATING;
    if (mid_set)
        events_abort(session);
    session_close_set(session);
    if (!session->restore)
        events_shutdown(session);
    Sleep(scenario_number(session->scenario, L"timing", L"release", 0));
    copies_release(session->object.number,
                   scenario_number(session->scenario, L"machine", L"release_delay_ms", 0));
    store_log(session->object.number, L"object", L"released");
    machine_leave(&session->object);
}

void session_close(struct session *session)
{
    struct fault fault = scenario_fault(session->scenario, L"Release");
    accidents_hold(&fault, session->object.number, L"Release");
    EnterCriticalSection(&session->lock);
    session->closing = TRUE;
    if (session->running != OPERATION_NONE)
        SetEvent(session->cancel);
    LeaveCriticalSection(&session->lock);
    /* A writer that hangs for ever must not keep Release for ever: then the operation's own thread ends the
     * session. */
    WaitForSingleObject(session->idle, abort_limit_ms(session));
    EnterCriticalSection(&session->lock);
    session->orphaned = session->running != OPERATION_NONE;
    LeaveCriticalSection(&session->lock);
    if (!session->orphaned)
        end(session);
    session_drop(session);
}

HRESULT session_enter(struct session *session, const wchar_t *method, struct fault *fault)
{
    return accidents_enter(session->scenario, session->object.number, method, fault);
}

HRESULT session_leave(struct session *session, const wchar_t *method, HRESULT hr)
{
    static const wchar_t *const sets[] = {L"none", L"open", L"creating", L"created", L"failed"};
    store_log(session->object.number, L"call", L"%ls\thr=0x%08lx\tset=%ls", method, (unsigned long)hr,
              sets[session->set]);
    return hr;
}

static HRESULT may_prepare(const struct session *session)
{
    BOOL metadata = session->metadata == PROGRESS_DONE || session->metadata == PROGRESS_FREED;
    if (session_has_no_writers(session) || session->aborted || !session->state_set || !metadata)
        return VSS_E_BAD_STATE;
    return session->set == SET_OPEN && session->prepare == PROGRESS_NONE ? S_OK : VSS_E_BAD_STATE;
}

static HRESULT may_snapshot(const struct session *session)
{
    if (session->set != SET_OPEN || session->aborted)
        return VSS_E_BAD_STATE;
    BOOL prepared = session->prepare == PROGRESS_DONE;
    return prepared || session_has_no_writers(session) ? S_OK : VSS_E_BAD_STATE;
}

static HRESULT may_complete(const struct session *session)
{
    if (session->set != SET_CREATED || session->aborted || session_has_no_writers(session))
        return VSS_E_BAD_STATE;
    return session->complete == PROGRESS_NONE ? S_OK : VSS_E_BAD_STATE;
}

static HRESULT may_restore(const struct session *session, enum operation operation)
{
    BOOL metadata = session->metadata == PROGRESS_DONE || session->metadata == PROGRESS_FREED;
    BOOL ready = operation == OPERATION_PRE_RESTORE
                     ? session->pre_restore == PROGRESS_NONE
                     : session->pre_restore == PROGRESS_DONE && session->post_restore == PROGRESS_NONE;
    return session->restore && metadata && ready ? S_OK : VSS_E_BAD_STATE;
}

static enum progress *progress_of(struct session *session, enum operation operation)
{
    switch (operation) {
    case OPERATION_GATHER_METADATA:
        return &session->metadata;
    case OPERATION_PREPARE:
        return &session->prepare;
    case OPERATION_GATHER_STATUS:
        return &session->status;
    case OPERATION_COMPLETE:
        return &session->complete;
    case OPERATION_PRE_RESTORE:
        return &session->pre_restore;
    case OPERATION_POST_RESTORE:
        return &session->post_restore;
    case OPERATION_IMPORT:
        return &session->import;
    case OPERATION_BREAK:
        return &session->breaking;
    case OPERATION_REVERT_STATUS:
        return &session->revert_status;
    default:
        return NULL;
    }
}

static HRESULT may_begin(struct session *session, enum operation operation)
{
    if (!session->initialized || session->running != OPERATION_NONE || session->closing)
        return VSS_E_BAD_STATE;
    switch (operation) {
    case OPERATION_GATHER_METADATA:
        return session->metadata == PROGRESS_NONE ? S_OK : VSS_E_BAD_STATE;
    case OPERATION_PREPARE:
        return may_prepare(session);
    case OPERATION_SNAPSHOT:
        return may_snapshot(session);
    case OPERATION_COMPLETE:
        return may_complete(session);
    case OPERATION_PRE_RESTORE:
    case OPERATION_POST_RESTORE:
        return may_restore(session, operation);
    case OPERATION_IMPORT:
        return session->imported && session->import == PROGRESS_NONE ? S_OK : VSS_E_BAD_STATE;
    default:
        return S_OK;
    }
}

HRESULT session_begin(struct session *session, enum operation operation, const struct fault *fault)
{
    EnterCriticalSection(&session->lock);
    HRESULT hr = may_begin(session, operation);
    if (SUCCEEDED(hr)) {
        session->running = operation;
        session->async_fault = fault->async_result;
        session->async_exit = fault->exit == FAULT_EXIT_ASYNC;
        ResetEvent(session->idle);
        ResetEvent(session->cancel);
        if (operation == OPERATION_SNAPSHOT)
            session->set = SET_CREATING;
        else
            *progress_of(session, operation) = PROGRESS_RUNNING;
    }
    LeaveCriticalSection(&session->lock);
    return hr;
}

static HRESULT gather_status(struct session *session)
{
    if (session_pause(session, scenario_number(session->scenario, L"timing", L"status", 0)))
        return VSS_S_ASYNC_CANCELLED;
    for (unsigned i = 0; i < session->answering; i++)
        session->statuses[i] = session->fates[i];
    return S_OK;
}

static HRESULT perform(struct session *session, enum operation operation)
{
    if (session->async_exit)
        accidents_exit(session->object.number, operation_names[operation]);
    if (operation == OPERATION_SNAPSHOT)
        return snapshot_run(session);
    if (session->async_fault != S_OK)
        return session->async_fault;
    switch (operation) {
    case OPERATION_GATHER_METADATA:
        return events_identify(session);
    case OPERATION_PREPARE:
        return events_raise(session, WRITER_PREPARE_BACKUP);
    case OPERATION_COMPLETE:
        return events_raise(session, WRITER_BACKUP_COMPLETE);
    case OPERATION_PRE_RESTORE:
        events_choose_restored(session);
        return events_raise(session, WRITER_PRE_RESTORE);
    case OPERATION_POST_RESTORE:
        return events_raise(session, WRITER_POST_RESTORE);
    case OPERATION_IMPORT:
        return administration_import(session);
    case OPERATION_BREAK:
        return administration_break(session);
    case OPERATION_REVERT_STATUS:
        return administration_await_revert(session);
    default:
        return gather_status(session);
    }
}

static void finish(struct session *session, enum operation operation, BOOL ok)
{
    if (operation == OPERATION_SNAPSHOT)
        session_close_set(session);
    EnterCriticalSection(&session->lock);
    if (operation == OPERATION_SNAPSHOT)
        session->set = ok ? SET_CREATED : SET_FAILED;
    else
        *progress_of(session, operation) = ok ? PROGRESS_DONE : PROGRESS_FAILED;
    session->running = OPERATION_NONE;
    SetEvent(session->idle);
    BOOL orphaned = session->orphaned;
    LeaveCriticalSection(&session->lock);
    if (orphaned)
        end(session);
}

void session_give_up(struct session *session, enum operation operation)
{
    finish(session, operation, FALSE);
}

HRESULT session_run(struct session *session, enum operation operation)
{
    HRESULT hr = perform(session, operation);
    if (hr == S_OK)
        hr = VSS_S_ASYNC_FINISHED;
    finish(session, operation, hr == VSS_S_ASYNC_FINISHED);
    store_log(session->object.number, L"async", L"%ls\thr=0x%08lx", operation_names[operation],
              (unsigned long)hr);
    return hr;
}

void session_cancel(struct session *session)
{
    EnterCriticalSection(&session->lock);
    if (session->running != OPERATION_NONE)
        SetEvent(session->cancel);
    LeaveCriticalSection(&session->lock);
}

/* An abort while an operation runs cuts that short first; it is a blocking call on Windows too. */
static BOOL stop_running(struct session *session)
{
    session_cancel(session);
    return WaitForSingleObject(session->idle, abort_limit_ms(session)) == WAIT_OBJECT_0;
}

HRESULT session_abort(struct session *session)
{
    HRESULT hr = session_check_backup(session);
    if (FAILED(hr))
        return hr;
    if (!stop_running(session))
        return VSS_E_UNEXPECTED;
    EnterCriticalSection(&session->lock);
    BOOL under_way = session->set != SET_NONE || session->metadata != PROGRESS_NONE;
    BOOL done = session->aborted || session->complete == PROGRESS_DONE;
    if (under_way)
        session->aborted = TRUE;
    if (session->set == SET_OPEN)
        session->set = SET_FAILED;
    LeaveCriticalSection(&session->lock);
    if (under_way && !done)
        events_abort(session);
    session_close_set(session);
    return S_OK;
}
