/* Raises the events of VSS in the writers, in order, and lets them fail, hang and be slow as the scenario
 * wants. */
#include "hook.h"
#include "session.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define HANG_POLL_MS 10

static const struct {
    const wchar_t *timing;
    VSS_WRITER_STATE healthy, failed;
    enum hook_phase hook;
} effects[WRITER_EVENTS] = {
    [WRITER_IDENTIFY] = {L"identify", VSS_WS_STABLE, VSS_WS_FAILED_AT_IDENTIFY, 0},
    [WRITER_PREPARE_BACKUP] = {L"prepare", VSS_WS_STABLE, VSS_WS_FAILED_AT_PREPARE_BACKUP, 0},
    [WRITER_PREPARE_SNAPSHOT] = {L"prepare_snapshot", VSS_WS_WAITING_FOR_FREEZE,
                                 VSS_WS_FAILED_AT_PREPARE_SNAPSHOT, HOOK_PREPARE_SNAPSHOT},
    [WRITER_FREEZE] = {L"freeze", VSS_WS_WAITING_FOR_THAW, VSS_WS_FAILED_AT_FREEZE, HOOK_FREEZE},
    [WRITER_THAW] = {L"thaw", VSS_WS_WAITING_FOR_POST_SNAPSHOT, VSS_WS_FAILED_AT_THAW, HOOK_THAW},
    [WRITER_POST_SNAPSHOT] = {L"post_snapshot", VSS_WS_WAITING_FOR_BACKUP_COMPLETE,
                              VSS_WS_FAILED_AT_POST_SNAPSHOT, HOOK_POST_SNAPSHOT},
    [WRITER_BACKUP_COMPLETE] = {L"complete", VSS_WS_STABLE, VSS_WS_FAILED_AT_BACKUP_COMPLETE, 0},
    [WRITER_ABORT] = {L"abort", VSS_WS_STABLE, VSS_WS_STABLE, HOOK_ABORT},
    [WRITER_PRE_RESTORE] = {L"pre_restore", VSS_WS_STABLE, VSS_WS_FAILED_AT_PRE_RESTORE, 0},
    [WRITER_POST_RESTORE] = {L"post_restore", VSS_WS_STABLE, VSS_WS_FAILED_AT_POST_RESTORE, 0},
    [WRITER_BACKUP_SHUTDOWN] = {NULL, VSS_WS_STABLE, VSS_WS_FAILED_AT_BACKUPSHUTDOWN, 0},
};

static BOOL has_failed(const struct writer_fate *fate)
{
    return fate->state == VSS_WS_UNKNOWN || fate->state >= VSS_WS_FAILED_AT_IDENTIFY;
}

BOOL events_any_failed(const struct session *session)
{
    for (unsigned i = 0; i < session->answering; i++)
        if (has_failed(&session->fates[i]))
            return TRUE;
    return FALSE;
}

static void log_event(const struct session *session, enum writer_event event, const struct writer *writer,
                      const struct writer_fate *fate)
{
    store_log(session->object.number, L"writer", L"%ls\t%ls\thr=0x%08lx\tstate=%d", writer_event_name(event),
              writer->name, (unsigned long)fate->failure, (int)fate->state);
}

static void fail(struct writer_fate *fate, VSS_WRITER_STATE state, HRESULT failure)
{
    fate->state = state;
    fate->failure = failure;
}

/* S_OK: it came back by itself. */
static HRESULT hang(struct session *session, const struct writer *writer)
{
    store_log(session->object.number, L"writer", L"hangs\t%ls", writer->name);
    switch (writer->hang) {
    case HANG_FOREVER:
        Sleep(INFINITE);
        return S_OK;
    case HANG_TIMEOUT:
        return session_pause(session, writer->timeout_ms) ? VSS_S_ASYNC_CANCELLED : VSS_E_WRITERERROR_TIMEOUT;
    case HANG_FILE:
        while (GetFileAttributesW(writer->hang_file) != INVALID_FILE_ATTRIBUTES) {
            if (session_pause(session, HANG_POLL_MS))
                return VSS_S_ASYNC_CANCELLED;
        }
        return S_OK;
    case HANG_CANCEL:
    default:
        WaitForSingleObject(session->cancel, INFINITE);
        return VSS_S_ASYNC_CANCELLED;
    }
}

/* What the writer itself makes of the event. */
static HRESULT writer_handles(struct session *session, enum writer_event event, const struct writer *writer)
{
    HRESULT hr = S_OK;
    if (writer->hang_at == event)
        hr = hang(session, writer);
    if (hr == S_OK && writer->hook && effects[event].hook)
        hr = hook_ask(writer->hook, effects[event].hook, writer->timeout_ms,
                      event == WRITER_THAW || event == WRITER_ABORT ? NULL : session->cancel);
    if (hr == S_OK && writer->fail_at == event)
        hr = writer->failure;
    return hr == S_OK ? components_handle(session, event, writer) : hr;
}

static void send_abort(struct session *session, const struct writer *writer, struct writer_fate *fate)
{
    HRESULT hr = writer_handles(session, WRITER_ABORT, writer);
    if (FAILED(hr))
        store_log(session->object.number, L"writer", L"fails at Abort\t%ls\thr=0x%08lx", writer->name,
                  (unsigned long)hr);
    fate->in_events = FALSE;
    if (!has_failed(fate))
        fate->state = VSS_WS_STABLE;
    log_event(session, WRITER_ABORT, writer, fate);
}

/* Windows aborts a writer that was frozen for longer than its limit; the next event finds it failed. */
static BOOL froze_too_long(const struct writer *writer, const struct writer_fate *fate)
{
    return fate->frozen_at && GetTickCount64() - fate->frozen_at > writer->timeout_ms;
}

static HRESULT deliver(struct session *session, enum writer_event event, unsigned i)
{
    const struct writer *writer = session_writer(session, i);
    struct writer_fate *fate = &session->fates[i];
    BOOL late = event == WRITER_THAW && froze_too_long(writer, fate);
    HRESULT hr = writer_handles(session, event, writer);
    if (hr == VSS_S_ASYNC_CANCELLED) {
        fate->failure = VSS_E_WRITER_NOT_RESPONDING; /* it had not answered by then */
        return hr;
    }
    if (late)
        fail(fate, VSS_WS_FAILED_AT_FREEZE, VSS_E_WRITERERROR_TIMEOUT);
    else if (FAILED(hr))
        fail(fate, effects[event].failed, hr);
    else
        fate->state = effects[event].healthy;
    fate->frozen_at = event == WRITER_FREEZE ? GetTickCount64() : 0;
    if (event == WRITER_POST_SNAPSHOT)
        fate->past_post = TRUE;
    log_event(session, event, writer, fate);
    if (has_failed(fate)) {
        fate->in_events = FALSE;
        if (event == WRITER_FREEZE || event == WRITER_THAW)
            send_abort(session, writer, fate);
    }
    return S_OK;
}

HRESULT events_raise(struct session *session, enum writer_event event)
{
    unsigned long delay = scenario_number(session->scenario, L"timing", effects[event].timing, 0);
    if (session_pause(session, delay))
        return VSS_S_ASYNC_CANCELLED;
    for (unsigned n = 0; n < session->answering; n++) {
        unsigned i = event == WRITER_THAW ? session->answering - 1 - n : n;
        if (!session->fates[i].in_events)
            continue;
        /* A thaw must reach everybody who froze, whatever the requester wants by now. */
        if (event != WRITER_THAW && WaitForSingleObject(session->cancel, 0) == WAIT_OBJECT_0)
            return VSS_S_ASYNC_CANCELLED;
        HRESULT hr = deliver(session, event, i);
        if (hr != S_OK)
            return hr;
    }
    return S_OK;
}

void events_abort(struct session *session)
{
    Sleep(scenario_number(session->scenario, L"timing", L"abort", 0));
    for (unsigned i = 0; i < session->answering; i++) {
        struct writer_fate *fate = &session->fates[i];
        if (!fate->past_post)
            send_abort(session, session_writer(session, i), fate);
    }
}

void events_shutdown(struct session *session)
{
    for (unsigned i = 0; i < session->answering; i++) {
        const struct writer *writer = session_writer(session, i);
        struct writer_fate *fate = &session->fates[i];
        if (writer->fail_at == WRITER_BACKUP_SHUTDOWN)
            fail(fate, VSS_WS_FAILED_AT_BACKUPSHUTDOWN, writer->failure);
        else if (!has_failed(fate))
            fate->state = VSS_WS_STABLE;
        log_event(session, WRITER_BACKUP_SHUTDOWN, writer, fate);
    }
}

void events_choose_restored(struct session *session)
{
    for (unsigned i = 0; i < session->answering; i++) {
        const struct writer *writer = session_writer(session, i);
        const struct xml *found = bcd_writer(session->document, &writer->class_id, NULL), *component;
        BOOL selected = FALSE;
        for (unsigned k = 0; found && (component = xml_child(found, BCD_COMPONENT, k)) != NULL; k++)
            selected = selected || xml_get_flag(component, L"selectedForRestore", FALSE);
        session->fates[i].in_events = selected;
    }
}

static BOOL is_enabled(const struct session *session, const struct writer *writer)
{
    BOOL enabled = !session->enable_first;
    for (unsigned i = 0; i < session->filter_count; i++) {
        const struct session_filter *filter = &session->filters[i];
        BOOL by_instance = filter->filter == FILTER_DISABLE_INSTANCES;
        if (IsEqualGUID(&filter->id, by_instance ? &writer->instance_id : &writer->class_id))
            enabled = filter->filter == FILTER_ENABLE_CLASSES;
    }
    return enabled;
}

static void note_writers(const struct session *session)
{
    wchar_t names[1600] = L"", hooks[200] = L"";
    for (unsigned i = 0; i < session->answering; i++) {
        const struct writer *writer = session_writer(session, i);
        if (wcslen(names) + wcslen(writer->name) + 2 < ARRAYSIZE(names)) {
            wcscat(names, writer->name);
            wcscat(names, L";");
        }
        if (writer->hook && wcslen(hooks) + wcslen(writer->hook) + 2 < ARRAYSIZE(hooks)) {
            wcscat(hooks, writer->hook);
            wcscat(hooks, L";");
        }
    }
    machine_note_writers(&session->object, names, hooks);
}

static HRESULT identify_all(struct session *session)
{
    for (unsigned i = 0; i < session->writers->count; i++) {
        const struct writer *writer = &session->writers->writers[i];
        if (!is_enabled(session, writer))
            continue;
        if (WaitForSingleObject(session->cancel, 0) == WAIT_OBJECT_0)
            return VSS_S_ASYNC_CANCELLED;
        struct writer_fate fate = {.state = VSS_WS_STABLE, .in_events = TRUE};
        HRESULT hr = writer_handles(session, WRITER_IDENTIFY, writer);
        if (hr == VSS_S_ASYNC_CANCELLED)
            return hr;
        if (FAILED(hr))
            fail(&fate, VSS_WS_FAILED_AT_IDENTIFY, hr);
        log_event(session, WRITER_IDENTIFY, writer, &fate);
        if (SUCCEEDED(hr)) {
            session->answers[session->answering] = i;
            session->fates[session->answering++] = fate;
        }
    }
    return S_OK;
}

HRESULT events_identify(struct session *session)
{
    if (session_pause(session, scenario_number(session->scenario, L"timing", L"identify", 0)))
        return VSS_S_ASYNC_CANCELLED;
    HRESULT hr = writer_list_make(session->scenario, &session->writers);
    if (FAILED(hr))
        return hr;
    size_t count = session->writers->count + 1;
    session->answers = calloc(count, sizeof *session->answers);
    session->fates = calloc(count, sizeof *session->fates);
    session->statuses = calloc(count, sizeof *session->statuses);
    if (!session->answers || !session->fates || !session->statuses)
        return E_OUTOFMEMORY;
    hr = identify_all(session);
    note_writers(session);
    return hr;
}
