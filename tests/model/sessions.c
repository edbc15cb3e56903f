/* Step sessions as their clients drive them: in the right order mostly, sometimes in any. */
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    COPY = 5, /* VSS_BT_COPY */
    FULL = 1  /* VSS_BT_FULL */
};

static char *constant(const char *text)
{
    return (char *)(uintptr_t)text;
}

static const PB(Call__MethodCase) steps[] = {
    PB_METHOD(INITIALIZE_FOR_BACKUP),   PB_METHOD(SET_CONTEXT),        PB_METHOD(SET_BACKUP_STATE),
    PB_METHOD(GATHER_WRITER_METADATA),  PB_METHOD(START_SNAPSHOT_SET), PB_METHOD(ADD_TO_SNAPSHOT_SET),
    PB_METHOD(PREPARE_FOR_BACKUP),      PB_METHOD(DO_SNAPSHOT_SET),    PB_METHOD(GATHER_WRITER_STATUS),
    PB_METHOD(GET_WRITER_STATUS_COUNT), PB_METHOD(BACKUP_COMPLETE)};
static const PB(Call__MethodCase) others[] = {
    PB_METHOD(ABORT_BACKUP),  PB_METHOD(FREE_WRITER_METADATA), PB_METHOD(GET_WRITER_METADATA_COUNT),
    PB_METHOD(QUERY),         PB_METHOD(FREE_WRITER_STATUS),   PB_METHOD(IS_VOLUME_SUPPORTED),
    PB_METHOD(RELEASE_OBJECT)};

enum {
    STEPS = sizeof steps / sizeof steps[0],
    OTHERS = sizeof others / sizeof others[0]
};

static struct session_seen *find_session(struct model *model, const struct link *link)
{
    size_t start = model->sessions_count > 0 ? model_random(model, model->sessions_count) : 0;
    for (size_t i = 0; i < model->sessions_count; i++) {
        struct session_seen *session = &model->sessions[(start + i) % model->sessions_count];
        if (!session->is_closed && session->link == link_index(model, link))
            return session;
    }
    return NULL;
}

/* ---- requests ---- */

static void open_session(struct model *model, struct link *link)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    open.mode = model_chance(model, 90) ? PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP)
                                        : PB_VALUE(SESSION_MODE, SESSION_MODE_QUERY);
    open.purpose = constant("model");
    envelope.body_case = PB_BODY(OPEN_SESSION);
    envelope.open_session = &open;
    (void)client_send(model, link, &envelope);
}

static void close_session(struct model *model, struct link *link, struct session_seen *session)
{
    PB(CloseSession) close = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    close.session_id = session->id;
    envelope.body_case = PB_BODY(CLOSE_SESSION);
    envelope.close_session = &close;
    session->is_closed = true;
    struct request_seen *request = request_find_seen(link, client_send(model, link, &envelope));
    if (request != NULL)
        request->session = (size_t)(session - model->sessions) + 1;
}

union parameters {
    PB(InitializeForBackup) initialize;
    PB(SetContext) context;
    PB(SetBackupState) state;
    PB(AddToSnapshotSet) add;
    PB(IsVolumeSupported) supported;
    PB(Query) query;
    PB(GatherWriterMetadata) other; /* the rest has none, and no member beyond the base */
};

static void fill_parameters(struct model *model, const struct session_seen *session,
                            union parameters *parameters, PB(Call) * call)
{
    static char guid[] = "\\\\?\\Volume{00000000-0000-0000-0000-00000000000c}\\";
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        &shadowpipe__v1__call__descriptor, (unsigned)call->method_case);
    protobuf_c_message_init(field->descriptor, parameters);
    call->create_object = (PB(CreateObject) *)(void *)parameters; /* any member: all are one pointer */
    guid[sizeof guid - 4] = "cdef"[model_random(model, VOLUMES)];
    switch (call->method_case) {
    case PB_METHOD(SET_CONTEXT):
        parameters->context.context = session->no_writers ? 0x10 : 0;
        break;
    case PB_METHOD(SET_BACKUP_STATE):
        parameters->state.backup_type = session->is_full ? FULL : COPY;
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        parameters->add.volume = guid;
        break;
    case PB_METHOD(IS_VOLUME_SUPPORTED):
        parameters->supported.volume = guid;
        break;
    case PB_METHOD(QUERY):
        parameters->query.object_type = 3;
        break;
    default:
        break;
    }
}

static uint32_t rights_of(const struct session_seen *session, PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(SET_BACKUP_STATE):
        return RIGHT_BIT_SNAPSHOT | (session->is_full ? RIGHT_BIT_TRUNCATE : 0);
    case PB_METHOD(START_SNAPSHOT_SET):
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
    case PB_METHOD(PREPARE_FOR_BACKUP):
    case PB_METHOD(DO_SNAPSHOT_SET):
    case PB_METHOD(BACKUP_COMPLETE):
    case PB_METHOD(ABORT_BACKUP):
        return RIGHT_BIT_SNAPSHOT;
    default:
        return RIGHT_BIT_READ;
    }
}

static void call(struct model *model, struct link *link, struct session_seen *session,
                 PB(Call__MethodCase) method)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    union parameters parameters;
    call.method_case = method;
    call.session_id = session->id;
    fill_parameters(model, session, &parameters, &call);
    if (model_chance(model, 10))
        call.wait_ms = (uint32_t)model_between(model, 1, 3000);
    if (model_chance(model, 10))
        envelope.timeout_ms = (uint32_t)model_between(model, 1, 20000);
    envelope.body_case = PB_BODY(CALL);
    envelope.call = &call;
    struct request_seen *request = request_find_seen(link, client_send(model, link, &envelope));
    if (request == NULL)
        return;
    request->session = (size_t)(session - model->sessions) + 1;
    request->wants_gate = method == PB_METHOD(START_SNAPSHOT_SET) || method == PB_METHOD(PREPARE_FOR_BACKUP);
    if (request->wants_gate)
        turn_of_session(model, link->owner);
    request->call_rights = method != PB_METHOD(RELEASE_OBJECT) ? rights_of(session, method) : 0;
}

static void next_call(struct model *model, struct link *link, struct session_seen *session)
{
    if (model_chance(model, 8)) {
        call(model, link, session, others[model_random(model, OTHERS)]);
    } else if (model_chance(model, 5)) {
        call(model, link, session, steps[model_random(model, STEPS)]);
    } else if (session->step < STEPS) {
        PB(Call__MethodCase) method = steps[session->step];
        bool again = method == PB_METHOD(ADD_TO_SNAPSHOT_SET) && model_chance(model, 40);
        session->step += !again;
        if (!session->no_writers ||
            (method != PB_METHOD(GATHER_WRITER_METADATA) && method != PB_METHOD(PREPARE_FOR_BACKUP)))
            call(model, link, session, method);
    } else {
        close_session(model, link, session);
    }
}

void session_act(struct model *model, const struct client *client, struct link *link)
{
    struct session_seen *session = find_session(model, link);
    if (session == NULL || model_chance(model, 5)) {
        open_session(model, link);
        return;
    }
    if (model_chance(model, 4)) {
        close_session(model, link, session);
        return;
    }
    unsigned count = client->half_duplex ? 1 : 1 + (unsigned)model_random(model, 6);
    while (count-- > 0 && !session->is_closed && requests_open(link) < REQUESTS - 2)
        next_call(model, link, session);
}

/* ---- what they see ---- */

void session_opened(struct model *model, const struct link *link, const PB(OpenSessionReply) * reply)
{
    REQUIRE(model, model->sessions_count < SESSIONS, "the model has no room for another session");
    struct session_seen *session = &model->sessions[model->sessions_count++];
    (void)snprintf(session->id, sizeof session->id, "%s", reply->session_id);
    session->link = link_index(model, link);
    session->no_writers = model_chance(model, 15);
    session->is_full = model_chance(model, 30);
}

static const struct process *process_of(const struct model *model, const struct session_seen *session)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        if (strcmp(model->processes[i]->session_id, session->id) == 0)
            return model->processes[i];
    }
    return NULL;
}

void session_call_replied(struct model *model, const struct link *link, const struct request_seen *request)
{
    REQUIRE(model, model->sessions[request->session - 1].link == link_index(model, link),
            "a call in a session of another connection");
    REQUIRE(model, (request->call_rights & ~link->rights) == 0, "a call without the right for it");
}

void session_closed(struct model *model, const struct request_seen *request,
                    const PB(CloseSessionReply) * reply)
{
    const struct process *process = process_of(model, &model->sessions[request->session - 1]);
    if (process == NULL || process->has_misbehaved)
        return;
    const struct object *object = &process->object;
    REQUIRE(model, object->release_called || !process->is_alive, "a session is closed without a Release");
    if (reply->completion == PB_VALUE(COMPLETION, COMPLETION_COMPLETED))
        REQUIRE(model, object->completed, "COMPLETED, and BackupComplete was not called");
    else if (reply->completion == PB_VALUE(COMPLETION, COMPLETION_ABORTED))
        REQUIRE(model, object->abort_called, "ABORTED, and AbortBackup was not called");
    else
        REQUIRE(model, !object->created || object->no_writers, "a session's backup ends in nothing");
}
