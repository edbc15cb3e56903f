/* The components in a session's Backup Components Document: what the requester may change when, and what
 * writers note there at their events. */
#include "session.h"
#include "store.h"

#include <stdio.h>
#include <wchar.h>

static HRESULT unlock(struct session *session, HRESULT hr)
{
    LeaveCriticalSection(&session->lock);
    return hr;
}

static HRESULT lock_idle(struct session *session)
{
    EnterCriticalSection(&session->lock);
    return session->initialized && session->running == OPERATION_NONE ? S_OK
                                                                      : unlock(session, VSS_E_BAD_STATE);
}

/* ---- the requester ---- */

static BOOL is_gathered(const struct session *session)
{
    return session->metadata == PROGRESS_DONE || session->metadata == PROGRESS_FREED;
}

static HRESULT may_add_component(const struct session *session)
{
    BOOL too_late = session->set > SET_OPEN || session->aborted || session->restore;
    BOOL other_mode = session->state_set && !session->select_components;
    return is_gathered(session) && !too_late && !other_mode && !session_has_no_writers(session)
               ? S_OK
               : VSS_E_BAD_STATE;
}

HRESULT session_add_component(struct session *session, const struct component_key *key)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    hr = may_add_component(session);
    if (FAILED(hr))
        return unlock(session, hr);
    int at = session_find_writer(session, key->writer, key->instance);
    if (at < 0 ||
        !writer_find_component(session_writer(session, (unsigned)at), key->type, key->path, key->name))
        return unlock(session, E_INVALIDARG);
    if (bcd_find(session->document, key))
        return unlock(session, VSS_E_OBJECT_ALREADY_EXISTS);
    return unlock(session, bcd_add(session->document, key) ? S_OK : E_OUTOFMEMORY);
}

HRESULT session_count_writers_with_components(struct session *session, unsigned *count)
{
    EnterCriticalSection(&session->lock);
    if (!session->initialized)
        return unlock(session, VSS_E_BAD_STATE);
    *count = xml_count(session->document, BCD_WRITER);
    return unlock(session, S_OK);
}

HRESULT session_writer_components(struct session *session, unsigned index, struct xml **copy)
{
    EnterCriticalSection(&session->lock);
    if (!session->initialized)
        return unlock(session, VSS_E_BAD_STATE);
    const struct xml *writer = xml_child(session->document, BCD_WRITER, index);
    if (!writer)
        return unlock(session, VSS_E_OBJECT_NOT_FOUND);
    *copy = xml_copy(writer);
    return unlock(session, *copy ? S_OK : E_OUTOFMEMORY);
}

static BOOL is_phase(const struct session *session, enum component_phase phase)
{
    if (phase == COMPONENT_BEFORE_PREPARE)
        return !session->restore && session->prepare == PROGRESS_NONE && session->set <= SET_OPEN &&
               !session->aborted;
    if (phase == COMPONENT_AFTER_SNAPSHOT)
        return !session->restore && session->select_components && session->set == SET_CREATED &&
               !session->aborted && session->complete == PROGRESS_NONE;
    if (!session->restore || session->post_restore != PROGRESS_NONE)
        return FALSE;
    if (phase == COMPONENT_BEFORE_RESTORE)
        return session->pre_restore == PROGRESS_NONE;
    return phase == COMPONENT_DURING_RESTORE || session->pre_restore == PROGRESS_DONE;
}

static BOOL set_all(struct xml *element, const struct component_edit *edit)
{
    BOOL ok = TRUE;
    for (size_t i = 0; i < ARRAYSIZE(edit->set) && edit->set[i].name && ok; i++)
        ok = xml_set(element, edit->set[i].name, edit->set[i].value);
    return ok;
}

static HRESULT edit_component(struct xml *component, const struct component_edit *edit)
{
    if (edit->only_selected && !xml_get_flag(component, L"selectedForRestore", FALSE))
        return VSS_E_BAD_STATE;
    if (!edit->child)
        return set_all(component, edit) ? S_OK : E_OUTOFMEMORY;
    if (edit->child_exists) {
        struct xml *child = xml_child(component, edit->child, edit->index);
        if (!child)
            return VSS_E_OBJECT_NOT_FOUND;
        return set_all(child, edit) ? S_OK : E_OUTOFMEMORY;
    }
    struct xml *child = xml_create(edit->child);
    if (child && set_all(child, edit))
        return xml_adopt(component, child) ? S_OK : E_OUTOFMEMORY;
    xml_free(child);
    return E_OUTOFMEMORY;
}

HRESULT session_edit_component(struct session *session, const struct component_key *key,
                               const struct component_edit *edit)
{
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (!is_phase(session, edit->phase) || (edit->only_live && !is_gathered(session)))
        return unlock(session, VSS_E_BAD_STATE);
    /* An instance of today is another one than that of the backup: it says who is to restore. */
    struct component_key stored = *key;
    if (session->restore)
        stored.instance = NULL;
    struct xml *component = bcd_find(session->document, &stored);
    if (!component || (edit->only_live && session_find_writer(session, key->writer, key->instance) < 0))
        return unlock(session, VSS_E_OBJECT_NOT_FOUND);
    return unlock(session, edit_component(component, edit));
}

HRESULT session_set_restore_state(struct session *session, VSS_RESTORE_TYPE type)
{
    static const wchar_t *const names[] = {L"undefined", L"copy", L"import", L"other"};
    HRESULT hr = lock_idle(session);
    if (FAILED(hr))
        return hr;
    if (!session->restore || session->pre_restore != PROGRESS_NONE)
        return unlock(session, VSS_E_BAD_STATE);
    BOOL ok = xml_set(session->document, L"restoreType", names[(unsigned)type % ARRAYSIZE(names)]);
    return unlock(session, ok ? S_OK : E_OUTOFMEMORY);
}

/* ---- the writers ---- */

/* The component's own failure, as IVssComponentEx2::GetFailure shows it. */
static BOOL note_failure(struct xml *element, const struct writer_component *component,
                         enum writer_event event)
{
    static const wchar_t *const messages[WRITER_EVENTS] = {
        [WRITER_PREPARE_BACKUP] = L"prepareForBackupFailureMsg",
        [WRITER_POST_SNAPSHOT] = L"postSnapshotFailureMsg",
        [WRITER_PRE_RESTORE] = L"preRestoreFailureMsg",
        [WRITER_POST_RESTORE] = L"postRestoreFailureMsg",
    };
    BOOL ok = xml_set_number(element, L"failure", (unsigned long)component->failure) &&
              xml_set_number(element, L"applicationFailure", (unsigned long)component->application_failure) &&
              xml_set(element, L"applicationMessage", component->application_message);
    if (ok && messages[event])
        ok = xml_set(element, messages[event],
                     component->application_message ? component->application_message : L"");
    return ok;
}

/* Only the parts that changed of one file, instead of the file. */
static BOOL add_partial(struct xml *element, const struct writer_component *component)
{
    const wchar_t *slash = wcsrchr(component->partial, L'\\');
    wchar_t path[MAX_PATH];
    if (!slash || slash - component->partial >= MAX_PATH)
        return TRUE;
    swprintf(path, MAX_PATH, L"%.*ls", (int)(slash - component->partial), component->partial);
    struct xml *partial = xml_add(element, BCD_PARTIAL_FILE);
    return partial && xml_set(partial, L"path", path) && xml_set(partial, L"filespec", slash + 1) &&
           xml_set(partial, L"ranges", L"1,0:4096") && xml_set(partial, L"metadata", L"");
}

/* An incremental backup by time: what changed since the stamp, if that is one of ours. */
static BOOL add_differenced(struct xml *element, const struct writer_component *component)
{
    const wchar_t *previous = xml_get(element, L"previousBackupStamp");
    unsigned long long unix_ms = previous ? wcstoull(previous, NULL, 10) : 0;
    BOOL ok = TRUE;
    wchar_t time[30];
    swprintf(time, ARRAYSIZE(time), L"%llu", (unix_ms + 11644473600000ULL) * 10000);
    for (unsigned i = 0; i < component->file_count && unix_ms && ok; i++) {
        struct xml *files = xml_add(element, BCD_DIFFERENCED);
        ok = files && xml_set(files, L"path", component->files[i].path) &&
             xml_set(files, L"filespec", component->files[i].spec) &&
             xml_set_flag(files, L"recursive", component->files[i].recursive) &&
             xml_set(files, L"lastModifyTime", time);
    }
    return ok;
}

static BOOL is_partial_type(const struct session *session, const struct writer *writer)
{
    return (session->type == VSS_BT_INCREMENTAL && writer->schema & VSS_BS_INCREMENTAL) ||
           (session->type == VSS_BT_DIFFERENTIAL && writer->schema & VSS_BS_DIFFERENTIAL);
}

static BOOL after_snapshot(const struct session *session, const struct writer *writer, struct xml *element,
                           const struct writer_component *component)
{
    wchar_t now[30];
    BOOL ok = TRUE;
    swprintf(now, ARRAYSIZE(now), L"%llu", store_now_ms());
    if (writer->stamp)
        ok = xml_set(element, L"backupStamp", writer->stamp[0] ? writer->stamp : now);
    if (ok && is_partial_type(session, writer))
        ok = add_differenced(element, component);
    if (ok && session->partial_files && component->partial)
        ok = add_partial(element, component);
    return ok;
}

/* A directed target: each file of the component to a place beside its own. */
static BOOL direct(struct xml *element, const struct writer_component *component)
{
    BOOL ok = TRUE;
    for (unsigned i = 0; i < component->file_count && ok; i++) {
        wchar_t to[2 * MAX_PATH];
        swprintf(to, ARRAYSIZE(to), L"%.500ls.restored", component->files[i].path);
        struct xml *target = xml_add(element, BCD_DIRECTED_TARGET);
        ok = target && xml_set(target, L"sourcePath", component->files[i].path) &&
             xml_set(target, L"sourceFilespec", component->files[i].spec) &&
             xml_set(target, L"sourceRanges", L"1,0:4096") && xml_set(target, L"destinationPath", to) &&
             xml_set(target, L"destinationFilespec", component->files[i].spec) &&
             xml_set(target, L"destinationRanges", L"1,0:4096");
    }
    return ok;
}

static BOOL before_restore(const struct writer *writer, struct xml *element,
                           const struct writer_component *component)
{
    static const wchar_t *const targets[] = {L"undefined", L"original", L"alternate", L"directed",
                                             L"originalLocation"};
    if (writer->restore_target == VSS_RT_UNDEFINED)
        return TRUE;
    BOOL ok = xml_set(element, L"restoreTarget", targets[writer->restore_target]);
    return ok && (writer->restore_target != VSS_RT_DIRECTED || direct(element, component));
}

static HRESULT handle_one(const struct session *session, enum writer_event event, const struct writer *writer,
                          struct xml *element)
{
    const wchar_t *name = xml_get(element, L"componentName");
    const struct writer_component *component =
        name ? writer_find_component(writer, bcd_component_type(element), xml_get(element, L"logicalPath"),
                                     name)
             : NULL;
    if (!component)
        return S_OK;
    BOOL ok = TRUE, fails = component->fail_at == event;
    if (fails)
        ok = note_failure(element, component, event);
    else if (event == WRITER_PREPARE_BACKUP && writer->metadata)
        ok = xml_set(element, L"backupMetadata", writer->metadata);
    else if (event == WRITER_POST_SNAPSHOT)
        ok = after_snapshot(session, writer, element, component);
    else if (event == WRITER_PRE_RESTORE)
        ok = before_restore(writer, element, component);
    if (!ok)
        return VSS_E_WRITERERROR_OUTOFRESOURCES;
    return fails ? VSS_E_WRITERERROR_PARTIAL_FAILURE : S_OK;
}

HRESULT components_handle(struct session *session, enum writer_event event, const struct writer *writer)
{
    HRESULT hr = S_OK;
    if (event == WRITER_IDENTIFY || event == WRITER_ABORT)
        return hr;
    EnterCriticalSection(&session->lock);
    struct xml *found =
        bcd_writer(session->document, &writer->class_id, session->restore ? NULL : &writer->instance_id);
    for (unsigned i = 0; found; i++) {
        struct xml *element = xml_child(found, BCD_COMPONENT, i);
        if (!element)
            break;
        BOOL concerned = !session->restore || xml_get_flag(element, L"selectedForRestore", FALSE);
        HRESULT one = concerned ? handle_one(session, event, writer, element) : S_OK;
        if (FAILED(one))
            hr = one;
    }
    return unlock(session, hr);
}
