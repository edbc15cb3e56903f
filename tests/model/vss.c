/* VSS as far as the order of calls goes: what each call needs, what it does, and who may create a set. */
#include <string.h>

#include "service/broker/requester.h"
#include "tests/model/model.h"

enum {
    STATE_STABLE = 1,
    STATE_WAITING_FOR_BACKUP_COMPLETE = 5,
    STATE_FAILED_AT_FREEZE = 9,
    SLACK_MS = 1000
};

static const uint32_t writer_timeout = 0x800423F2u;

size_t process_index(const struct model *model, const struct process *process)
{
    (void)model;
    return (size_t)process->id;
}

/* ---- what has to come first ---- */

/* Between StartSnapshotSet and the end of the set there is one. */
void vss_check_alone(struct model *model, const struct process *process)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        const struct process *other = model->processes[i];
        REQUIRE(
            model,
            other == process || !other->is_alive ||
                (!other->object.open && !other->object.start_pending && !session_is_creating(&other->object)),
            "requesters %llu and %llu hold a set at once", (unsigned long long)other->id,
            (unsigned long long)process->id);
    }
}

static void check_creation(struct model *model, const struct process *process, PB(Call__MethodCase) method)
{
    const struct object *object = &process->object;
    const char *name = method_name(method);
    bool needs_writers = !object->no_writers;
    switch (method) {
    case PB_METHOD(START_SNAPSHOT_SET):
        REQUIRE(model, object->has_context && object->has_state, "%s before SetBackupState", name);
        REQUIRE(model, !needs_writers || object->gathered, "%s before GatherWriterMetadata", name);
        REQUIRE(model, !object->open && !object->created && !object->abort_called, "%s a second time", name);
        vss_check_alone(model, process);
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        REQUIRE(model, object->open && !object->prepare_called, "%s without an open set", name);
        break;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        REQUIRE(model, object->open && object->added > 0 && needs_writers, "%s too early", name);
        REQUIRE(model, !object->prepare_called, "%s a second time", name);
        break;
    default:
        REQUIRE(model, object->open && object->added > 0, "%s without a set", name);
        REQUIRE(model, !needs_writers || object->prepared, "%s before PrepareForBackup", name);
        REQUIRE(model, !object->do_called, "%s a second time", name);
        break;
    }
    REQUIRE(model, !object->abort_called, "%s after AbortBackup", name);
}

static void check_complete(struct model *model, const struct object *object)
{
    REQUIRE(model, object->created, "BackupComplete without snapshots");
    REQUIRE(model, !object->no_writers, "BackupComplete in a context without writers");
    REQUIRE(model, !object->complete_called, "BackupComplete a second time");
    REQUIRE(model, !object->abort_called, "BackupComplete after AbortBackup");
    unsigned bad = object->failed_now & ~object->disabled; /* earlier ones may have been tolerated */
    bad &= object->component_mode ? 1u << COMPONENT_WRITER : ~0u;
    REQUIRE(model, object->has_outcome || !object->has_component,
            "BackupComplete, and nobody said how the component fared");
    REQUIRE(model, bad == 0 || object->handed_out > 0, "BackupComplete for a set that failed");
    REQUIRE(model,
            object->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY) ||
                (object->success && object->handed_out > 0),
            "BackupComplete of a truncating backup that nobody called a success");
}

/* What a service that hands over cannot leave to the next one it ends. */
static bool is_read_by_nobody(struct model *model, const struct process *process)
{
    const struct object *object = &process->object;
    if (object->is_persistent || object->has_lost || model->is_stopping)
        return true;
    return object->open_leases == 0 && !leases_are_to_be_found(model, process);
}

static void check_abort(struct model *model, const struct process *process)
{
    const struct object *object = &process->object;
    REQUIRE(model, object->open || object->start_pending || object->prepare_called || object->created,
            "AbortBackup with nothing to abort");
    REQUIRE(model, !object->completed, "AbortBackup of a complete backup");
    REQUIRE(model, !object->abort_called, "AbortBackup a second time");
    REQUIRE(model, is_read_by_nobody(model, process), "AbortBackup under an open lease");
}

static void check_release(struct model *model, const struct process *process)
{
    const struct object *object = &process->object;
    bool is_owed = object->open || object->prepare_called;
    if (object->created && !object->no_writers)
        is_owed = true;
    REQUIRE(model, !is_owed || object->abort_called || object->completed, "Release, and AbortBackup is owed");
    REQUIRE(model, !object->release_called, "Release a second time");
    REQUIRE(model, is_read_by_nobody(model, process), "Release under an open lease");
    bool is_copy = object->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
    bool cannot = object->outcome_asked && !object->has_outcome; /* of its component */
    REQUIRE(model,
            object->handed_out == 0 || object->no_writers || !is_copy || object->complete_called || cannot,
            "a COPY snapshot that was handed out gets no BackupComplete");
}

static void check_question(struct model *model, const struct process *process, PB(Call__MethodCase) method)
{
    const struct object *object = &process->object;
    const char *name = method_name(method);
    switch (method) {
    case PB_METHOD(SET_CONTEXT):
    case PB_METHOD(SET_BACKUP_STATE):
    case PB_METHOD(DISABLE_WRITER_CLASSES):
    case PB_METHOD(DISABLE_WRITER_INSTANCES):
        REQUIRE(model, !object->gathered && !object->open, "%s too late", name);
        break;
    case PB_METHOD(GATHER_WRITER_METADATA):
        REQUIRE(model, !object->gathered && !object->no_writers, "%s a second time", name);
        break;
    case PB_METHOD(GET_WRITER_METADATA_COUNT):
    case PB_METHOD(GET_WRITER_METADATA):
    case PB_METHOD(FREE_WRITER_METADATA):
        REQUIRE(model, object->has_metadata, "%s, and nothing was gathered", name);
        break;
    case PB_METHOD(GATHER_WRITER_STATUS):
        REQUIRE(model, object->gathered && !object->has_status, "%s, and the last was not freed", name);
        break;
    case PB_METHOD(GET_WRITER_STATUS_COUNT):
    case PB_METHOD(GET_WRITER_STATUS_EX):
    case PB_METHOD(FREE_WRITER_STATUS):
        REQUIRE(model, object->has_status, "%s, and nothing was gathered", name);
        break;
    case PB_METHOD(GET_SNAPSHOT_PROPERTIES):
        REQUIRE(model, object->created, "%s before there are any", name);
        REQUIRE(model, !object->has_metadata, "the metadata is kept while the snapshots are read");
        break;
    default:
        break;
    }
}

void vss_check(struct model *model, struct process *process, const PB(Call) * call)
{
    struct object *object = &process->object;
    PB(Call__MethodCase) method = call->method_case;
    const char *name = method_name(method);
    REQUIRE(model, !object->release_called, "%s after Release", name);
    bool may_be_missing = method == PB_METHOD(CREATE_OBJECT) || method == PB_METHOD(RELEASE_OBJECT);
    REQUIRE(model, object->exists || may_be_missing, "%s, and there is no object", name);
    REQUIRE(model, !object->exists || method != PB_METHOD(CREATE_OBJECT), "%s a second time", name);
    bool is_first = method == PB_METHOD(INITIALIZE_FOR_BACKUP);
    REQUIRE(model,
            method == PB_METHOD(CREATE_OBJECT) || method == PB_METHOD(RELEASE_OBJECT) ||
                is_first != object->initialised,
            "%s at the wrong side of InitializeForBackup", name);
    switch (method) {
    case PB_METHOD(START_SNAPSHOT_SET):
        check_creation(model, process, method);
        object->start_pending = true;
        break;
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        check_creation(model, process, method);
        break;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        check_creation(model, process, method);
        object->prepare_called = true;
        break;
    case PB_METHOD(DO_SNAPSHOT_SET):
        check_creation(model, process, method);
        if (object->is_persistent)
            store_check_freeze(model, process);
        object->do_called = true;
        break;
    case PB_METHOD(ADD_COMPONENT):
    case PB_METHOD(SET_BACKUP_SUCCEEDED):
        components_check(model, object, call);
        object->outcome_asked |= method == PB_METHOD(SET_BACKUP_SUCCEEDED);
        break;
    case PB_METHOD(BACKUP_COMPLETE):
        check_complete(model, object);
        object->complete_called = true;
        object->complete_ms = model->now_ms;
        break;
    case PB_METHOD(ABORT_BACKUP):
        check_abort(model, process);
        object->abort_called = true;
        break;
    case PB_METHOD(DELETE_SNAPSHOTS):
        REQUIRE(model, object->sees_all, "%s without VSS_CTX_ALL", name);
        copies_check_delete(model, call->delete_snapshots);
        break;
    case PB_METHOD(RELEASE_OBJECT):
        check_release(model, process);
        object->release_called = true;
        break;
    default:
        check_question(model, process, method);
        break;
    }
}

/* ---- what it does ---- */

static uint32_t start_set(struct model *model, struct process *process)
{
    if (model->rundown_end_ms != 0 && model->now_ms >= model->rundown_end_ms) {
        model->rundown_end_ms = 0;
        model->creator = 0;
    }
    if (model->creator != 0 || model->foreign_end_ms > model->now_ms)
        return VSS_IN_PROGRESS;
    model->creator = process_index(model, process);
    process->object.open = true;
    return 0;
}

static void close_set(struct model *model, struct process *process)
{
    process->object.open = false;
    if (model->creator == process_index(model, process))
        model->creator = 0;
}

/* A session gives the gate back then; a set keeps it until AbortBackup. */
void vss_creation_failed(struct model *model, struct process *process)
{
    if (!process->object.is_session)
        return;
    process->object.creation_ended = true;
    close_set(model, process);
}

static unsigned known_ids(char *const *ids, size_t count, const char *const known[WRITERS])
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < WRITERS; j++)
            bits |= strcmp(ids[i], known[j]) == 0 ? 1u << j : 0;
    }
    return bits;
}

/* How the writers fare after the last step. */
static void take_status(struct model *model, struct object *object)
{
    object->has_status = true;
    object->failed_now = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        bool is_frozen = object->last_step == PB_METHOD(DO_SNAPSHOT_SET);
        bool fails = model->fault_permille > 0 && model_chance(model, 2);
        object->states[i] = fails       ? STATE_FAILED_AT_FREEZE
                            : is_frozen ? STATE_WAITING_FOR_BACKUP_COMPLETE
                                        : STATE_STABLE;
        if (fails && object->last_step != PB_METHOD(BACKUP_COMPLETE))
            object->failed_now |= 1u << i;
    }
    object->failed |= object->failed_now;
}

static uint32_t apply_creation(struct model *model, struct process *process, const PB(Call) * call)
{
    struct object *object = &process->object;
    PB(Call__MethodCase) method = call->method_case;
    switch (method) {
    case PB_METHOD(START_SNAPSHOT_SET):
        return start_set(model, process);
    case PB_METHOD(ADD_TO_SNAPSHOT_SET):
        object->volumes[object->added++] = volume_bit(call->add_to_snapshot_set->volume);
        break;
    case PB_METHOD(PREPARE_FOR_BACKUP):
        object->prepared = true;
        object->last_step = method;
        break;
    case PB_METHOD(DO_SNAPSHOT_SET):
        object->created = object->creation_ended = true;
        object->copies = object->is_persistent ? (1u << object->added) - 1 : 0;
        object->last_step = method;
        close_set(model, process);
        break;
    case PB_METHOD(BACKUP_COMPLETE):
        object->completed = true;
        object->last_step = method;
        break;
    case PB_METHOD(ABORT_BACKUP):
        object->aborted = true;
        close_set(model, process);
        break;
    case PB_METHOD(RELEASE_OBJECT):
        close_set(model, process);
        break;
    default:
        break;
    }
    return 0;
}

uint32_t vss_apply(struct model *model, struct process *process, const PB(Call) * call)
{
    struct object *object = &process->object;
    switch (call->method_case) {
    case PB_METHOD(CREATE_OBJECT):
        object->exists = true;
        break;
    case PB_METHOD(INITIALIZE_FOR_BACKUP):
        object->initialised = true;
        break;
    case PB_METHOD(SET_CONTEXT):
        object->has_context = true;
        object->no_writers = (call->set_context->context & 0x10) != 0;
        object->sees_all = call->set_context->context == UINT32_MAX;
        object->is_persistent = !object->sees_all && (call->set_context->context & 0x8) != 0;
        break;
    case PB_METHOD(SET_BACKUP_STATE):
        object->has_state = true;
        object->backup_type = call->set_backup_state->backup_type;
        object->component_mode = call->set_backup_state->select_components;
        break;
    case PB_METHOD(DISABLE_WRITER_CLASSES):
        object->disabled |= known_ids(call->disable_writer_classes->writer_ids,
                                      call->disable_writer_classes->n_writer_ids, writer_classes);
        break;
    case PB_METHOD(DISABLE_WRITER_INSTANCES):
        object->disabled |= known_ids(call->disable_writer_instances->instance_ids,
                                      call->disable_writer_instances->n_instance_ids, writer_instances);
        break;
    case PB_METHOD(GATHER_WRITER_METADATA):
        object->gathered = object->has_metadata = true;
        object->last_step = call->method_case;
        break;
    case PB_METHOD(FREE_WRITER_METADATA):
        object->has_metadata = false;
        break;
    case PB_METHOD(GATHER_WRITER_STATUS):
        take_status(model, object);
        break;
    case PB_METHOD(FREE_WRITER_STATUS):
        object->has_status = false;
        break;
    case PB_METHOD(ADD_COMPONENT):
        object->has_component = true;
        break;
    case PB_METHOD(SET_BACKUP_SUCCEEDED):
        object->has_outcome = true;
        break;
    case PB_METHOD(DELETE_SNAPSHOTS):
        return copies_delete(model, call->delete_snapshots);
    default:
        return apply_creation(model, process, call);
    }
    return 0;
}

void vss_view(struct model *model, const struct process *process, const PB(Call) * call,
              struct vss_view *view)
{
    const struct object *object = &process->object;
    *view = (struct vss_view){.object = (unsigned)process->id, .added = object->added, .supports = true};
    for (unsigned i = 0; i < WRITERS; i++) {
        if ((object->disabled & 1u << i) == 0)
            view->present[view->present_count++] = i;
        view->states[i] = object->states[i];
        view->hresults[i] = object->states[i] == STATE_FAILED_AT_FREEZE ? writer_timeout : 0;
    }
    if (call->method_case == PB_METHOD(IS_VOLUME_SUPPORTED)) {
        unsigned volume = volume_bit(call->is_volume_supported->volume);
        view->supports = volume != 0 && (model->unsupported & volume) == 0;
    }
}

void vss_ended(struct model *model, struct process *process)
{
    bool is_clean = process->exit_code == 10 || process->object.release_called;
    if (model->creator == process_index(model, process) && is_clean)
        model->creator = 0;
    else if (model->creator == process_index(model, process))
        model->rundown_end_ms = model->now_ms + model->rundown_ms + 1;
    process->object.open = false;
    if (process->object.is_persistent)
        return; /* its snapshots can be read all the same */
    leases_lost(model, process_index(model, process));
}

/* Whether they are still there: BackupComplete comes behind that. */
static bool is_asked_for_snapshots(const struct process *process)
{
    return process->working != NULL && process->working->envelope->body_case == PB_BODY(CALL) &&
           process->working->envelope->call->method_case == PB_METHOD(GET_SNAPSHOT_PROPERTIES);
}

/* An open COPY backup keeps other programs from backing up. */
void vss_check_held(struct model *model)
{
    for (size_t i = 0; i < model->processes_count; i++) {
        const struct process *process = model->processes[i];
        const struct object *object = &process->object;
        bool waits = process->is_alive && !process->is_killed && object->open_leases > 0 &&
                     object->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY) && !object->no_writers &&
                     !object->component_mode && !object->complete_called && process->link != 0 &&
                     !is_asked_for_snapshots(process);
        REQUIRE(model, !waits || model->now_ms < object->handed_ms + object->complete_within_ms + SLACK_MS,
                "requester %llu holds an open COPY backup for too long", (unsigned long long)process->id);
    }
}
