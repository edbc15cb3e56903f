/* DoSnapshotSet from the inside: PrepareSnapshot, Freeze, the copies, Thaw, PostSnapshot. */
#include "session.h"
#include "accidents.h"
#include "hardware.h"
#include "providers.h"
#include "storage.h"
#include "store.h"

#include <stdlib.h>

/* Component mode: after PrepareBackup, a writer without a component in the document hears no more. */
static void choose_participants(struct session *session)
{
    for (unsigned i = 0; i < session->answering; i++) {
        const struct writer *writer = session_writer(session, i);
        if (session->select_components &&
            !bcd_writer(session->document, &writer->class_id, &writer->instance_id))
            session->fates[i].in_events = FALSE;
    }
}

/* The system's copies are differential; the hardware's are what the context asks for. */
static LONG attributes_of(const struct session *session, BOOL hardware)
{
    LONG attributes = session->context | VSS_VOLSNAP_ATTR_AUTORECOVER;
    if (!(attributes & VSS_VOLSNAP_ATTR_PLEX))
        attributes |= VSS_VOLSNAP_ATTR_DIFFERENTIAL;
    return hardware ? attributes | VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED : attributes;
}

static HRESULT make_copies(struct session *session)
{
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < session->volume_count; i++) {
        struct copy_info *info = &session->copies[i];
        info->set = session->set_id;
        info->object = session->object.number;
        info->set_size = (LONG)session->volume_count;
        info->attributes = attributes_of(session, copy_is_hardware(info));
        if (SUCCEEDED(hr) && !copy_is_hardware(info))
            hr = storage_make_room(session->scenario, &session->volumes[i], 1);
    }
    if (SUCCEEDED(hr))
        hr = copies_begin(session->volumes, session->copies, session->volume_count);
    if (FAILED(hr))
        return hr;
    if (session_pause(session, scenario_number(session->scenario, L"timing", L"commit", 0)))
        return VSS_S_ASYNC_CANCELLED;
    return copies_fill(session->volumes, session->copies, session->volume_count, session->cancel);
}

static HRESULT with_writers(struct session *session)
{
    choose_participants(session);
    HRESULT hr = events_raise(session, WRITER_PREPARE_SNAPSHOT);
    if (hr == S_OK)
        hr = events_raise(session, WRITER_FREEZE);
    if (hr == S_OK)
        hr = make_copies(session);
    if (hr == S_OK)
        hr = events_raise(session, WRITER_THAW);
    if (hr == S_OK)
        hr = events_raise(session, WRITER_POST_SNAPSHOT);
    return hr;
}

/* The last step: a requester that does not wait for the end finds nothing before it. */
static HRESULT publish(struct session *session)
{
    if (session->context & VSS_VOLSNAP_ATTR_TRANSPORTABLE)
        return hardware_export(session->scenario, session->copies, session->volume_count);
    HRESULT hr = copies_publish(session->copies, session->volume_count);
    if (SUCCEEDED(hr))
        copies_vanish_later(session->scenario, session->copies, session->volume_count);
    return hr;
}

HRESULT snapshot_run(struct session *session)
{
    HRESULT hr = session->async_fault;
    BOOL writers = !session_has_no_writers(session);
    if (hr == S_OK)
        hr = writers ? with_writers(session) : make_copies(session);
    /* By default a writer's failure shows in its status only, as on Windows; the scenario can choose the
     * other form. */
    HRESULT veto = (HRESULT)scenario_number(session->scenario, L"machine", L"writer_failure_result", 0);
    if (hr == S_OK && veto != S_OK && events_any_failed(session))
        hr = veto;
    if (hr == S_OK)
        hr = publish(session);
    if (hr == S_OK)
        return S_OK;
    if (writers)
        events_abort(session);
    copies_delete(session->copies, session->volume_count);
    return hr;
}
