/* VSS under a step session: what it makes of calls in any order, and what the broker owes it. */
#include "service/broker/requester.h"
#include "tests/model/model.h"

enum {
    TYPE_COPY = 5, /* VSS_BT_COPY */
    IDLE_SLACK_MS = 2000
};

/* What comes before everything else. */
static bool is_ready(const struct object *object, PB(Call__MethodCase) method)
{
    return method == PB_METHOD(INITIALIZE_FOR_BACKUP) ? !object->initialised : object->initialised;
}

static bool is_legal(const struct object *object, PB(Call__MethodCase) method)
{
    bool needs_writers = !object->no_writers;
    switch (method) {
    case PB_METHOD(SET_CONTEXT):
    case PB_METHOD(SET_BACKUP_STATE):
        return !object->gathered && !object->open;
    case PB_METHOD(GATHER_WRITER_METADATA):
        return !object->gathered && needs_writers;
    case PB_METHOD(GET_WRITER_METADATA_COUNT):
    case PB_METHOD(FREE_WRITER_METADATA):
        return object->has_metadata;
    case PB_METHOD(START_SNAPSHOT_SET):
        return object->has_state && !object->open && !object->do_called && !object->abort_called &&
               (object->gathered || !needs_writers);
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        return object->open && !object->prepared && object->added < VOLUMES;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        return object->gathered && object->has_state && !object->prepared && !object->do_called &&
               !object->abort_called;
    case PB_METHOD(DO_SNAPSHOT_SET):
        return object->open && object->added > 0 && !object->do_called && !object->abort_called &&
               (object->prepared || !needs_writers);
    case PB_METHOD(GATHER_WRITER_STATUS):
        return object->gathered;
    case PB_METHOD(GET_WRITER_STATUS_COUNT):
    case PB_METHOD(FREE_WRITER_STATUS):
        return object->has_status;
    case PB_METHOD(BACKUP_COMPLETE):
        return (object->created || (object->prepared && !object->open && !object->do_called)) &&
               !object->completed && !object->abort_called && needs_writers;
    default:
        return true;
    }
}

/* Of the ones that the broker makes by itself, at the session's end. */
static void check_duty(struct model *model, const struct object *object, PB(Call__MethodCase) method)
{
    bool has_writers = !object->no_writers;
    bool is_owed = object->open || object->prepare_called || (object->created && has_writers);
    switch (method) {
    case PB_METHOD(BACKUP_COMPLETE):
        REQUIRE(model, object->backup_type == TYPE_COPY,
                "BackupComplete of a session's truncating backup, and its client did not call it");
        REQUIRE(model, object->created && has_writers && !object->completed && !object->aborted,
                "BackupComplete of a session that has nothing to complete");
        break;
    case PB_METHOD(ABORT_BACKUP):
        REQUIRE(model, is_owed || object->start_called || object->do_called,
                "AbortBackup of a session that has nothing to abort");
        REQUIRE(model, !object->completed, "AbortBackup of a session's complete backup");
        break;
    case PB_METHOD(RELEASE_OBJECT):
        REQUIRE(model, !is_owed || object->abort_called || object->completed,
                "Release of a session's object, and AbortBackup is owed");
        break;
    default:
        REQUIRE(model, method == PB_METHOD(CREATE_OBJECT) || method == PB_METHOD(GATHER_WRITER_STATUS),
                "%s, and no client of the session called it", method_name(method));
        break;
    }
}

bool session_check_call(struct model *model, struct process *process, PB(Call__MethodCase) method,
                        bool by_client)
{
    struct object *object = &process->object;
    REQUIRE(model, !object->release_called, "%s after Release", method_name(method));
    if (!by_client)
        check_duty(model, object, method);
    else
        REQUIRE(model, method != PB_METHOD(RELEASE_OBJECT) && method != PB_METHOD(CREATE_OBJECT),
                "a client calls %s", method_name(method));
    bool is_outside = method == PB_METHOD(RELEASE_OBJECT) || method == PB_METHOD(CREATE_OBJECT);
    if (!is_outside && (!is_ready(object, method) || !is_legal(object, method)))
        return false;
    if (method == PB_METHOD(START_SNAPSHOT_SET) || method == PB_METHOD(PREPARE_FOR_BACKUP))
        vss_check_alone(model, process);
    object->start_pending |= method == PB_METHOD(START_SNAPSHOT_SET);
    object->start_called |= method == PB_METHOD(START_SNAPSHOT_SET);
    object->prepare_called |= method == PB_METHOD(PREPARE_FOR_BACKUP);
    object->do_called |= method == PB_METHOD(DO_SNAPSHOT_SET);
    object->abort_called |= method == PB_METHOD(ABORT_BACKUP);
    object->release_called |= method == PB_METHOD(RELEASE_OBJECT);
    object->complete_called |= method == PB_METHOD(BACKUP_COMPLETE);
    return true;
}

/* It has the gate, as far as VSS can tell. */
bool session_is_creating(const struct object *object)
{
    bool is_over = object->creation_ended || object->aborted || object->completed || object->release_called;
    return object->is_session && !is_over && (object->open || object->prepared);
}

/* Nobody may keep all others waiting by doing nothing. */
void sessions_check_idle(struct model *model)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        const struct process *process = model->processes[i];
        bool is_idle = session_is_creating(&process->object) && process->is_alive && !process->is_killed &&
                       process->link != 0 && process->working == NULL && process->first == NULL;
        REQUIRE(
            model, !is_idle || model->now_ms < process->idle_ms + model->config.gate_idle_ms + IDLE_SLACK_MS,
            "the session of requester %llu holds the gate and does nothing", (unsigned long long)process->id);
    }
}
