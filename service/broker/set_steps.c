/* The canonical sequence of a backup, as tables of calls, and what each answer means. */
#include <stdio.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/gate.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/room.h"
#include "service/broker/set.h"
#include "service/broker/set_components.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    WRITERS_MAX = 4096,
    RETRY_GROWTH = 5 /* of the pause, from the first to the longest */
};

static const uint32_t snapshot_set_in_progress = 0x80042316u; /* VSS_E_SNAPSHOT_SET_IN_PROGRESS */

/* ---- initialising ---- */

static void fill_context(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    ((PB(SetContext) *)parameters)->context = ((const struct set *)subject)->context;
}

static void fill_backup_state(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    (void)index;
    PB(SetBackupState) *state = (PB(SetBackupState) *)parameters;
    state->select_components = set->selection != NULL;
    state->bootable_system_state = set->bootable;
    state->backup_type = (uint32_t)set->backup_type;
    state->partial_file_support = set->partial_files;
}

static size_t if_excluded(void *subject)
{
    return ((const struct set *)subject)->excluded_count > 0;
}

/* An id may be of a class or of an instance; either call passes over what it does not know. */
static void fill_classes(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    (void)index;
    ((PB(DisableWriterClasses) *)parameters)->writer_ids = set->excluded;
    ((PB(DisableWriterClasses) *)parameters)->n_writer_ids = set->excluded_count;
}

static void fill_instances(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    (void)index;
    ((PB(DisableWriterInstances) *)parameters)->instance_ids = set->excluded;
    ((PB(DisableWriterInstances) *)parameters)->n_instance_ids = set->excluded_count;
}

/* ---- the writers' metadata ---- */

static size_t if_writers(void *subject)
{
    return ((const struct set *)subject)->has_writers;
}

/* The list fills as the replies come, in order. */
static bool begin_list(struct set *set, uint32_t count, struct writer_list *list)
{
    list->expected = count < WRITERS_MAX ? count : WRITERS_MAX;
    list->count = 0;
    list->items = arena_alloc(&set->arena, (list->expected + 1) * sizeof(*list->items));
    return list->items != NULL || set_no_memory(set);
}

static bool on_metadata_count(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    uint32_t count =
        reply->out_case == PB_OUT(GET_WRITER_METADATA_COUNT) ? reply->get_writer_metadata_count->count : 0;
    /* Without one there is no metadata whose end would say so. */
    return begin_list(set, count, &set->writers) && (count > 0 || set_gathered(set));
}

static size_t count_metadata(void *subject)
{
    return ((const struct set *)subject)->writers.expected;
}

static void fill_metadata(void *subject, size_t index, ProtobufCMessage *parameters)
{
    ((PB(GetWriterMetadata) *)parameters)->index = (uint32_t)index;
    ((PB(GetWriterMetadata) *)parameters)->with_document = ((const struct set *)subject)->all_documents;
}

static bool on_metadata(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    const PB(GetWriterMetadataResult) *result =
        reply->out_case == PB_OUT(GET_WRITER_METADATA) ? reply->get_writer_metadata : NULL;
    const PB(Writer) *writer = result != NULL ? result->writer : NULL;
    PB(WriterStatus) *status = writer != NULL && writer->status != NULL
                                   ? MESSAGE_COPY(&set->arena, writer->status)
                                   : MESSAGE_NEW(&set->arena, writer_status);
    if (status == NULL)
        return set_no_memory(set);
    if (writer != NULL && writer->n_components > 0)
        status->components = (uint32_t)writer->n_components;
    set->writers.items[set->writers.count++] = status;
    return !set->all_documents || set_keep_document(set, result != NULL ? result->document : NULL);
}

static bool on_metadata_read(void *subject)
{
    return set_gathered(subject);
}

/* ---- volumes ---- */

/* ---- room ---- */

static size_t count_volumes(void *subject)
{
    return ((const struct set *)subject)->volumes_count;
}

static void fill_area(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    ((PB(QueryDiffAreas) *)parameters)->volume = set->volumes[index].guid_path;
}

/* ---- creating ---- */

/* A set is being created elsewhere, or one of a dead requester of ours has not been noticed yet. */
static void wait_for_clearing(struct set *set)
{
    struct broker *broker = set->broker;
    if (!set->is_clearing)
        broker_log(broker, BROKER_LOG_WARNING, "VSS says that a snapshot set is being created; waiting");
    set_enter_phase(set, PB_PHASE(WAITING_FOR_GATE));
    set->is_clearing = true;
    timer_set(broker, &set->timer, set->retry_ms + random_below(broker, set->retry_ms / 4 + 1));
    uint32_t most_ms = broker->config.in_progress_retry_ms * RETRY_GROWTH;
    set->retry_ms = set->retry_ms * 2 < most_ms ? set->retry_ms * 2 : most_ms;
}

static bool on_started(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    if (reply->hresult == snapshot_set_in_progress) {
        wait_for_clearing(set);
        return false;
    }
    set->is_clearing = false;
    set_enter_phase(set, PB_PHASE(ADDING_VOLUMES));
    PB(Status) *failure = reply_failure(set->broker, PB_METHOD(START_SNAPSHOT_SET), reply);
    if (failure != NULL) {
        set_call_failed(set, PB_METHOD(START_SNAPSHOT_SET), 0, failure);
        return false;
    }
    gate_opened(set);
    if (reply->out_case == PB_OUT(START_SNAPSHOT_SET))
        (void)snprintf(set->set_id, sizeof set->set_id, "%s", reply->start_snapshot_set->set_id);
    return true;
}

/* These have no parameters; the moment of sending is what counts. */
static void note_start(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    (void)parameters;
    ((struct set *)subject)->starting = true;
}

static void note_prepare(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    (void)parameters;
    struct set *set = subject;
    set->prepared = true;
    set->is_closed = true;
}

static void note_freeze(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)index;
    (void)parameters;
    struct set *set = subject;
    set->freeze_begun = true;
    set->is_closed = true;
    set->freeze_ms = set->broker->now_ms;
}

static void fill_properties(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct set *set = subject;
    ((PB(GetSnapshotProperties) *)parameters)->snapshot_id = set->volumes[index].snapshot_id;
}

static bool on_properties(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    struct set_volume *volume = &set->volumes[index];
    PB(Status) *failure = reply_failure(set->broker, PB_METHOD(GET_SNAPSHOT_PROPERTIES), reply);
    /* It is on no machine before it is imported; its id is all that there is to know. */
    bool is_elsewhere = (set->context & ATTRIBUTE_TRANSPORTABLE) != 0;
    if (failure != NULL && !is_elsewhere) {
        set_call_failed(set, PB_METHOD(GET_SNAPSHOT_PROPERTIES), index, failure);
        return false;
    }
    const PB(Snapshot) *snapshot =
        reply->out_case == PB_OUT(GET_SNAPSHOT_PROPERTIES) ? reply->get_snapshot_properties->snapshot : NULL;
    if (snapshot != NULL)
        volume->snapshot = MESSAGE_COPY(&set->arena, snapshot);
    else if (is_elsewhere)
        volume->snapshot = MESSAGE_NEW(&set->arena, snapshot);
    return volume->snapshot != NULL || set_no_memory(set);
}

/* ---- the writers' state ---- */

static bool after_prepare(void *subject)
{
    ((struct set *)subject)->status_after = PB_METHOD(PREPARE_FOR_BACKUP);
    return true;
}

static bool after_create(void *subject)
{
    struct set *set = subject;
    set->status_after = PB_METHOD(DO_SNAPSHOT_SET);
    if (!set->has_writers)
        gate_leave(set);
    return true;
}

static bool after_complete(void *subject)
{
    ((struct set *)subject)->status_after = PB_METHOD(BACKUP_COMPLETE);
    return true;
}

static bool on_status_count(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    uint32_t count =
        reply->out_case == PB_OUT(GET_WRITER_STATUS_COUNT) ? reply->get_writer_status_count->count : 0;
    return begin_list(set, count, &set->statuses);
}

static size_t count_statuses(void *subject)
{
    return ((const struct set *)subject)->statuses.expected;
}

static void fill_status(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    ((PB(GetWriterStatusEx) *)parameters)->index = (uint32_t)index;
}

static bool on_status(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct set *set = subject;
    (void)index;
    PB(WriterStatus) *status = reply->out_case == PB_OUT(GET_WRITER_STATUS_EX)
                                   ? writer_status_make(&set->arena, reply->get_writer_status_ex)
                                   : NULL;
    if (status == NULL)
        return set_no_memory(set);
    for (size_t i = 0; i < set->writers.count; i++) {
        if (text_equal(set->writers.items[i]->instance_id, status->instance_id))
            status->components = set->writers.items[i]->components;
    }
    set->statuses.items[set->statuses.count++] = status;
    return true;
}

static bool on_statuses(void *subject)
{
    struct set *set = subject;
    if (!set_judge_writers(set))
        return false;
    /* Not before: the AbortBackup that a failed writer costs reaches every writer of the machine, and would
     * hit the set that is being made next. */
    if (set->status_after == PB_METHOD(DO_SNAPSHOT_SET))
        gate_leave(set);
    return true;
}

/* Before any backup: what a writer's last one has left. */
static size_t if_dry_writers(void *subject)
{
    const struct set *set = subject;
    return set->is_dry && set->has_writers;
}

static bool on_present_statuses(void *subject)
{
    set_tell_failed_writers(subject);
    return true;
}

/* Each time anew: what GatherWriterStatus found belongs to the step before. */
#define WRITER_STATUS(phase)                                                                         \
    {PB_METHOD(GATHER_WRITER_STATUS), phase, LIMIT_STATUS, if_writers, NULL, NULL, NULL, false},     \
        {PB_METHOD(GET_WRITER_STATUS_COUNT),                                                         \
         phase,                                                                                      \
         LIMIT_CALL,                                                                                 \
         if_writers,                                                                                 \
         NULL,                                                                                       \
         on_status_count,                                                                            \
         NULL,                                                                                       \
         false},                                                                                     \
        {PB_METHOD(GET_WRITER_STATUS_EX),                                                            \
         phase,                                                                                      \
         LIMIT_CALL,                                                                                 \
         count_statuses,                                                                             \
         fill_status,                                                                                \
         on_status,                                                                                  \
         NULL,                                                                                       \
         false},                                                                                     \
        {PB_METHOD(GET_WRITER_METADATA),                                                             \
         phase,                                                                                      \
         LIMIT_CALL,                                                                                 \
         count_inconsistent,                                                                         \
         fill_inconsistent,                                                                          \
         on_inconsistent,                                                                            \
         NULL,                                                                                       \
         true},                                                                                      \
        {PB_METHOD(GET_WRITER_COMPONENTS_COUNT),                                                     \
         phase,                                                                                      \
         LIMIT_CALL,                                                                                 \
         if_stored_wanted,                                                                           \
         NULL,                                                                                       \
         on_stored_count,                                                                            \
         NULL,                                                                                       \
         false},                                                                                     \
        {PB_METHOD(GET_WRITER_COMPONENTS),                                                           \
         phase,                                                                                      \
         LIMIT_CALL,                                                                                 \
         count_stored,                                                                               \
         fill_stored,                                                                                \
         on_stored,                                                                                  \
         NULL,                                                                                       \
         false},                                                                                     \
    {                                                                                                \
        PB_METHOD(FREE_WRITER_STATUS), phase, LIMIT_CALL, if_writers, NULL, NULL, on_statuses, false \
    }

#define CALL(method, phase, fill)                                                     \
    {                                                                                 \
        PB_METHOD(method), PB_PHASE(phase), LIMIT_CALL, NULL, fill, NULL, NULL, false \
    }
#define END                                                                                   \
    {                                                                                         \
        PB_METHOD(_NOT_SET), PB_PHASE(UNSPECIFIED), LIMIT_CALL, NULL, NULL, NULL, NULL, false \
    }

/* clang-format off */
const struct step set_steps_open[] = {
    CALL(CREATE_OBJECT, INITIALIZING, NULL),
    CALL(INITIALIZE_FOR_BACKUP, INITIALIZING, NULL),
    CALL(SET_CONTEXT, INITIALIZING, fill_context),
    CALL(SET_BACKUP_STATE, INITIALIZING, fill_backup_state),
    {PB_METHOD(DISABLE_WRITER_CLASSES), PB_PHASE(INITIALIZING), LIMIT_CALL, if_excluded, fill_classes, NULL, NULL, false},
    {PB_METHOD(DISABLE_WRITER_INSTANCES), PB_PHASE(INITIALIZING), LIMIT_CALL, if_excluded, fill_instances, NULL, NULL, false},
    {PB_METHOD(GATHER_WRITER_METADATA), PB_PHASE(GATHERING), LIMIT_GATHER, if_writers, NULL, NULL, NULL, false},
    {PB_METHOD(GET_WRITER_METADATA_COUNT), PB_PHASE(GATHERING), LIMIT_CALL, if_writers, NULL, on_metadata_count, NULL, false},
    {PB_METHOD(GET_WRITER_METADATA), PB_PHASE(GATHERING), LIMIT_CALL, count_metadata, fill_metadata, on_metadata, on_metadata_read, false},
    {PB_METHOD(GET_WRITER_METADATA), PB_PHASE(GATHERING), LIMIT_CALL, count_named, fill_named, on_named, after_named, false},
    {PB_METHOD(GET_WRITER_METADATA), PB_PHASE(GATHERING), LIMIT_CALL, count_others, fill_others, on_others, after_others, false},
    {PB_METHOD(GET_WRITER_METADATA), PB_PHASE(GATHERING), LIMIT_CALL, count_files, fill_files, on_files, NULL, false},
    /* Legal from InitializeForBackup on, so it costs no time at the gate. */
    {PB_METHOD(IS_VOLUME_SUPPORTED), PB_PHASE(GATHERING), LIMIT_CALL, count_support, fill_support, on_support, on_support_known, true},
    {PB_METHOD(ADD_COMPONENT), PB_PHASE(GATHERING), LIMIT_CALL, count_explicit, fill_component, NULL, NULL, false},
    {PB_METHOD(SET_PREVIOUS_BACKUP_STAMP), PB_PHASE(GATHERING), LIMIT_CALL, count_stamped, fill_stamp, NULL, NULL, false},
    {PB_METHOD(SET_BACKUP_OPTIONS), PB_PHASE(GATHERING), LIMIT_CALL, count_optioned, fill_options, NULL, NULL, false},
    {PB_METHOD(COUNT_SNAPSHOTS), PB_PHASE(GATHERING), LIMIT_CALL, NULL, NULL, room_counted, NULL, true},
    {PB_METHOD(QUERY_DIFF_AREAS), PB_PHASE(GATHERING), LIMIT_CALL, count_volumes, fill_area, room_area_told, room_known, true},
    {PB_METHOD(GATHER_WRITER_STATUS), PB_PHASE(GATHERING), LIMIT_STATUS, if_dry_writers, NULL, NULL, NULL, false},
    {PB_METHOD(GET_WRITER_STATUS_COUNT), PB_PHASE(GATHERING), LIMIT_CALL, if_dry_writers, NULL, on_status_count, NULL, false},
    {PB_METHOD(GET_WRITER_STATUS_EX), PB_PHASE(GATHERING), LIMIT_CALL, count_statuses, fill_status, on_status, NULL, false},
    {PB_METHOD(FREE_WRITER_STATUS), PB_PHASE(GATHERING), LIMIT_CALL, if_dry_writers, NULL, NULL, on_present_statuses, false},
    END,
};

const struct step set_steps_create[] = {
    {PB_METHOD(START_SNAPSHOT_SET), PB_PHASE(ADDING_VOLUMES), LIMIT_CALL, NULL, note_start, on_started, NULL, true},
    /* Of those who joined meanwhile. */
    {PB_METHOD(IS_VOLUME_SUPPORTED), PB_PHASE(ADDING_VOLUMES), LIMIT_CALL, count_support, fill_support, on_support, on_support_known, true},
    {PB_METHOD(ADD_TO_SNAPSHOT_SET), PB_PHASE(ADDING_VOLUMES), LIMIT_CALL, count_additions, fill_addition, on_added, on_all_added, false},
    {PB_METHOD(PREPARE_FOR_BACKUP), PB_PHASE(PREPARING), LIMIT_PREPARE, if_writers, note_prepare, NULL, after_prepare, false},
    WRITER_STATUS(PB_PHASE(PREPARING)),
    END,
};

const struct step set_steps_freeze[] = {
    {PB_METHOD(DO_SNAPSHOT_SET), PB_PHASE(CREATING), LIMIT_CREATE, NULL, note_freeze, NULL, after_create, false},
    WRITER_STATUS(PB_PHASE(CREATING)),
    /* Not before: a writer that failed may have to be asked which volumes its files are on. */
    {PB_METHOD(FREE_WRITER_METADATA), PB_PHASE(CREATING), LIMIT_CALL, if_writers, NULL, NULL, NULL, false},
    {PB_METHOD(GET_SNAPSHOT_PROPERTIES), PB_PHASE(CREATING), LIMIT_CALL, count_volumes, fill_properties, on_properties, NULL, true},
    {PB_METHOD(SAVE_AS_XML), PB_PHASE(CREATING), LIMIT_CALL, if_documents, NULL, on_saved, NULL, false},
    END,
};

/* After a failed PrepareForBackup or DoSnapshotSet: which writers it was. */
const struct step set_steps_blame[] = {
    {PB_METHOD(GATHER_WRITER_STATUS), PB_PHASE(UNSPECIFIED), LIMIT_STATUS, NULL, NULL, NULL, NULL, false},
    {PB_METHOD(GET_WRITER_STATUS_COUNT), PB_PHASE(UNSPECIFIED), LIMIT_CALL, NULL, NULL, on_status_count, NULL, false},
    {PB_METHOD(GET_WRITER_STATUS_EX), PB_PHASE(UNSPECIFIED), LIMIT_CALL, count_statuses, fill_status, on_status, NULL, false},
    {PB_METHOD(FREE_WRITER_STATUS), PB_PHASE(UNSPECIFIED), LIMIT_CALL, NULL, NULL, NULL, set_blame_writers, false},
    END,
};

#define SAVE_AGAIN \
    {PB_METHOD(SAVE_AS_XML), PB_PHASE(COMPLETING), LIMIT_CALL, if_saves_again, NULL, on_saved_again, NULL, true}

const struct step set_steps_complete[] = {
    {PB_METHOD(SET_BACKUP_SUCCEEDED), PB_PHASE(COMPLETING), LIMIT_CALL, count_explicit, fill_succeeded, NULL, NULL, false},
    {PB_METHOD(BACKUP_COMPLETE), PB_PHASE(COMPLETING), LIMIT_COMPLETE, NULL, NULL, NULL, after_complete, false},
    WRITER_STATUS(PB_PHASE(COMPLETING)),
    SAVE_AGAIN,
    END,
};

/* Where the backup was completed before it was known that somebody wants them. */
const struct step set_steps_save[] = {
    SAVE_AGAIN,
    END,
};
/* clang-format on */
