/* The synchronous calls about the backup itself: state, metadata, components, writer status. */
#include "session.h"
#include "store.h"

#include <stdlib.h>
#include <wchar.h>

/* Locks the session if it is initialised and nothing is running; every change of state starts so. */
static HRESULT lock_idle(struct session *session)
{
    EnterCriticalSection(&session->lock);
    if (session->initialized && session->running == OPERATION_NONE)
        return S_OK;
    LeaveCriticalSection(&session->lock);
    return VSS_E_BAD_STATE;
}

static HRESULT unlock(struct session *session, HRESULT hr)
{
    LeaveCriticalSection(&session->lock);
    return hr;
}

static HRESULT initialize(struct session *session, const wchar_t *document, BOOL restore)
{
    struct xml *loaded = NULL;
    EnterCriticalSection(&session->lock);
    if (session->initialized)
        return unlock(session, VSS_E_BAD_STATE);
    HRESULT hr = S_OK;
    if (document)
        hr = bcd_load(document, &loaded);
    else if ((loaded = bcd_create()) == NULL)
        hr = E_OUTOFMEMORY;
    if (FAILED(hr))
        return unlock(session, hr);
    session->document = loaded;
    session->initialized = TRUE;
    session->restore = restore;
    session->imported = document && !restore;
    return unlock(session, S_OK);
}

HRESULT session_initialize_backup(struct session *session, const wchar_t *document)
{
    return initialize(session, document, FALSE);
}

HRESULT session_initialize_restore(struct session *session, const wchar_t *document)
{
    return initialize(session, document, TRUE);
}

HRESULT session_check_initialized(struct session *session)
{
    EnterCriticalSection(&session->lock);
    return unlock(session, session->initialized ? S_OK : VSS_E_BAD_STATE);
}

HRESULT session_check_backup(struct session *session)
{
    EnterCriticalSection(&session->lock);
    return unlock(session, session->initialized && !session->restore ? S_OK : VSS_E_BAD_STATE);
}

static BOOL is_context(LONG context)
{
    const LONG base = VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE |
                      VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE | VSS_VOLSNAP_ATTR_NO_WRITERS;
    const LONG extra = VSS_VOLSNAP_ATTR_TRANSPORTABLE | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY |
                       VSS_VOLSNAP_ATTR_DIFFERENTIAL | VSS_VOLSNAP_ATTR_PLEX | VSS_VOLSNAP_ATTR_NOT_SURFACED |
                       VSS_VOLSNAP_ATTR_NOT_TRANSACTED | VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY |
                       VSS_VOLSNAP_ATTR_TXF_RECOVERY | VSS_VOLSNAP_ATTR_DELAYED_POSTSNAPSHOT;
    if (context == (LONG)VSS_CTX_ALL)
        return TRUE;
    if (context & ~(base | extra))
        return FALSE;
    switch (context & base) {
    case VSS_CTX_BACKUP:
    case VSS_CTX_FILE_SHARE_BACKUP:
    case VSS_CTX_NAS_ROLLBACK:
    case VSS_CTX_APP_ROLLBACK:
    case VSS_CTX_CLIENT_ACCESSIBLE:
    case VSS_CTX_CLIENT_ACCESSIBLE_WRITERS:
        return TRUE;
    default:
        return FALSE;
    }
}

HRESULT session_set_context(struct session *session, LONG context)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (session->restore || session->context_set || session->set != SET_NONE)
        return unlock(session, VSS_E_BAD_STATE);
    if (!is_context(context))
        return unlock(session, VSS_E_UNSUPPORTED_CONTEXT);
    session->context = context;
    session->context_set = TRUE;
    return unlock(session, S_OK);
}

HRESULT session_set_backup_state(struct session *session, BOOL select_components, BOOL bootable,
                                 VSS_BACKUP_TYPE type, BOOL partial_files)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (session->prepare != PROGRESS_NONE || session->aborted)
        return unlock(session, VSS_E_BAD_STATE);
    session->select_components = select_components;
    session->bootable = bootable;
    session->type = type;
    session->partial_files = partial_files;
    session->state_set = TRUE;
    return unlock(session, S_OK);
}

HRESULT session_get_id(struct session *session, GUID *id)
{
    HRESULT hr = session_check_initialized(session);
    if (SUCCEEDED(hr))
        *id = session->id;
    return hr;
}

HRESULT session_save_document(struct session *session, BSTR *document)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    BOOL ready = session->restore || session->prepare != PROGRESS_NONE ||
                 (session_has_no_writers(session) && session->set == SET_CREATED);
    if (!ready)
        return unlock(session, VSS_E_BAD_STATE);
    BSTR text = document_of_session(session);
    if (text)
        *document = text;
    return unlock(session, text ? S_OK : E_OUTOFMEMORY);
}

HRESULT session_filter_writers(struct session *session, enum writer_filter filter, const GUID *ids,
                               unsigned count)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    /* After the metadata was gathered it is accepted and has no effect. */
    if (session->metadata != PROGRESS_NONE || count == 0)
        return unlock(session, S_OK);
    struct session_filter *more =
        realloc(session->filters, (session->filter_count + count) * sizeof *session->filters);
    if (!more)
        return unlock(session, E_OUTOFMEMORY);
    session->filters = more;
    if (session->filter_count == 0)
        session->enable_first = filter == FILTER_ENABLE_CLASSES;
    for (unsigned i = 0; i < count; i++)
        session->filters[session->filter_count++] = (struct session_filter){filter, ids[i]};
    return unlock(session, S_OK);
}

HRESULT session_metadata_count(struct session *session, unsigned *count)
{
    EnterCriticalSection(&session->lock);
    if (session->metadata != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    *count = session->answering;
    return unlock(session, S_OK);
}

HRESULT session_metadata(struct session *session, unsigned index, struct writer_list **list,
                         unsigned *in_list)
{
    EnterCriticalSection(&session->lock);
    if (session->metadata != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    if (index >= session->answering)
        return unlock(session, VSS_E_OBJECT_NOT_FOUND);
    *list = writer_list_hold(session->writers);
    *in_list = session->answers[index];
    return unlock(session, S_OK);
}

HRESULT session_free_metadata(struct session *session)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (session->metadata != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    session->metadata = PROGRESS_FREED;
    return unlock(session, S_OK);
}

HRESULT session_status_count(struct session *session, unsigned *count)
{
    EnterCriticalSection(&session->lock);
    if (session->status != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    *count = session->answering;
    return unlock(session, S_OK);
}

HRESULT session_status(struct session *session, unsigned index, struct writer_status *status)
{
    EnterCriticalSection(&session->lock);
    if (session->status != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    if (index >= session->answering)
        return unlock(session, VSS_E_OBJECT_NOT_FOUND);
    const struct writer *writer = session_writer(session, index);
    const struct writer_fate *fate = &session->statuses[index];
    BOOL failed = fate->failure != S_OK;
    *status = (struct writer_status){
        .instance_id = writer->instance_id,
        .class_id = writer->class_id,
        .name = writer->name,
        .state = fate->state,
        .failure = fate->failure,
        .application_failure = failed ? writer->application_failure : S_OK,
        .application_message = failed ? writer->application_message : NULL,
    };
    return unlock(session, S_OK);
}

HRESULT session_free_status(struct session *session)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (session->status != PROGRESS_DONE)
        return unlock(session, VSS_E_BAD_STATE);
    session->status = PROGRESS_FREED;
    return unlock(session, S_OK);
}
