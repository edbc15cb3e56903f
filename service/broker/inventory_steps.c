#include "service/broker/inventory_steps.h"

#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    PART_BYTES = 64 * 1024, /* decoded, sent on and forgotten well within a millisecond */
    WRITERS_MAX = 4096,
    OBJECT_PROVIDER = 4 /* VSS_OBJECT_PROVIDER */
};

static bool no_memory(struct inventory *inventory)
{
    inventory_run_failed(inventory, error_no_memory());
    return false;
}

static bool begin_items(struct inventory *inventory, size_t count)
{
    struct listing *draft = inventory->draft;
    draft->items = arena_alloc(&draft->arena, (count + 1) * sizeof(*draft->items));
    draft->count = 0;
    inventory->expected = draft->items != NULL ? count : 0;
    return draft->items != NULL;
}

static size_t count_expected(void *subject)
{
    return ((const struct inventory *)subject)->expected;
}

/* ---- writers ---- */

static bool on_metadata_count(void *subject, size_t index, const PB(CallReply) * reply)
{
    (void)index;
    uint32_t count =
        reply->out_case == PB_OUT(GET_WRITER_METADATA_COUNT) ? reply->get_writer_metadata_count->count : 0;
    return begin_items(subject, count < WRITERS_MAX ? count : WRITERS_MAX) || no_memory(subject);
}

/* For the files only who they are. Else components cost as much as their writers have files, for their
 * directories are read too. */
static void fill_metadata(void *subject, size_t index, ProtobufCMessage *parameters)
{
    ((PB(GetWriterMetadata) *)parameters)->index = (uint32_t)index;
    ((PB(GetWriterMetadata) *)parameters)->with_components =
        ((const struct inventory *)subject)->draft->with_components;
}

static bool on_metadata(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    struct listing *draft = inventory->draft;
    (void)index;
    const PB(Writer) *seen =
        reply->out_case == PB_OUT(GET_WRITER_METADATA) ? reply->get_writer_metadata->writer : NULL;
    PB(Writer) *writer =
        seen != NULL ? MESSAGE_COPY(&draft->arena, seen) : MESSAGE_NEW(&draft->arena, writer);
    if (writer == NULL)
        return no_memory(inventory);
    draft->items[draft->count++] = &writer->base;
    return true;
}

static bool on_status_count(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    (void)index;
    uint32_t count =
        reply->out_case == PB_OUT(GET_WRITER_STATUS_COUNT) ? reply->get_writer_status_count->count : 0;
    inventory->expected = count < WRITERS_MAX ? count : WRITERS_MAX;
    return true;
}

static void fill_status(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    ((PB(GetWriterStatusEx) *)parameters)->index = (uint32_t)index;
}

/* Writers are matched by instance id; the order may change. */
static bool on_status(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    struct listing *draft = inventory->draft;
    (void)index;
    if (reply->out_case != PB_OUT(GET_WRITER_STATUS_EX))
        return true;
    PB(WriterStatus) *status = writer_status_make(&draft->arena, reply->get_writer_status_ex);
    if (status == NULL)
        return no_memory(inventory);
    for (size_t i = 0; i < draft->count; i++) {
        PB(Writer) *writer = (PB(Writer) *)draft->items[i];
        if (writer->status == NULL || !text_equal(writer->status->instance_id, status->instance_id))
            continue;
        status->components = writer->status->components;
        writer->status = status;
    }
    return true;
}

/* ---- files of a writer ---- */

/* From the present one on. */
static bool find_asked_for(struct inventory *inventory)
{
    const struct listing *draft = inventory->draft;
    while (inventory->part_writer < draft->count &&
           !inventory_is_asked_for(inventory, (const PB(Writer) *)draft->items[inventory->part_writer]))
        inventory->part_writer++;
    return inventory->part_writer < draft->count;
}

static size_t if_asked_for(void *subject)
{
    return find_asked_for(subject);
}

static void fill_part(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct inventory *inventory = subject;
    PB(GetWriterMetadata) *part = (PB(GetWriterMetadata) *)parameters;
    (void)index;
    part->index = (uint32_t)inventory->part_writer;
    part->with_components = part->with_files = true;
    part->part_bytes = PART_BYTES;
    part->component = inventory->part_component;
    part->file = inventory->part_file;
}

static bool on_part(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    (void)index;
    const PB(GetWriterMetadataResult) *result =
        reply->out_case == PB_OUT(GET_WRITER_METADATA) ? reply->get_writer_metadata : NULL;
    if (result == NULL || result->writer == NULL)
        return no_memory(inventory);
    PB(Writer) part = *result->writer;
    part.status = ((const PB(Writer) *)inventory->draft->items[inventory->part_writer])->status;
    part.more = result->more;
    inventory->part_component = result->more ? result->next_component : 0;
    inventory->part_file = result->more ? result->next_file : 0;
    if (!result->more)
        inventory->part_writer++;
    bool is_last = !find_asked_for(inventory);
    return inventory_send_part(inventory, &part) && is_last;
}

/* ---- volumes ---- */

bool inventory_draft_volumes(struct inventory *inventory)
{
    const struct volume_table *table = &inventory->broker->volumes;
    struct listing *draft = inventory->draft;
    if (!begin_items(inventory, table->count))
        return false;
    for (size_t i = 0; i < table->count; i++) {
        const struct volume *from = &table->volumes[i];
        PB(Volume) seen = SHADOWPIPE__V1__VOLUME__INIT;
        seen.guid_path = from->guid_path;
        seen.names = from->names;
        seen.n_names = from->names_count;
        seen.label = from->label;
        seen.file_system = from->file_system;
        seen.total_bytes = from->total_bytes;
        seen.free_bytes = from->free_bytes;
        seen.drive_type = from->drive_type <= PB_VALUE(DRIVE_TYPE, DRIVE_TYPE_RAMDISK)
                              ? (PB(DriveType))from->drive_type
                              : PB_VALUE(DRIVE_TYPE, DRIVE_TYPE_UNSPECIFIED);
        PB(Volume) *volume = MESSAGE_COPY(&draft->arena, &seen);
        if (volume == NULL)
            return false;
        draft->items[draft->count++] = &volume->base;
    }
    return true;
}

static void fill_support(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct inventory *inventory = subject;
    const PB(Volume) *volume = (const PB(Volume) *)inventory->draft->items[index];
    ((PB(IsVolumeSupported) *)parameters)->volume = volume->guid_path;
}

static bool on_support(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    PB(Volume) *volume = (PB(Volume) *)inventory->draft->items[index];
    if ((reply->hresult & 0x80000000u) != 0) {
        const struct vss_code *code = vss_code_find(reply->hresult);
        char scratch[11];
        volume->hresult = reply->hresult;
        volume->hresult_name = arena_strdup(&inventory->draft->arena, vss_code_name(reply->hresult, scratch));
        volume->reason = text_constant(code != NULL ? code->meaning : "VSS could not say");
        return volume->hresult_name != NULL || no_memory(inventory);
    }
    volume->supported =
        reply->out_case == PB_OUT(IS_VOLUME_SUPPORTED) && reply->is_volume_supported->supported;
    volume->reason =
        text_constant(volume->supported ? "" : "no provider can make shadow copies of this volume");
    return true;
}

static void fill_snapshotted(void *subject, size_t index, ProtobufCMessage *parameters)
{
    const struct inventory *inventory = subject;
    const PB(Volume) *volume = (const PB(Volume) *)inventory->draft->items[index];
    ((PB(IsVolumeSnapshotted) *)parameters)->volume = volume->guid_path;
}

static bool on_snapshotted(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    PB(Volume) *volume = (PB(Volume) *)inventory->draft->items[index];
    volume->snapshotted =
        reply->out_case == PB_OUT(IS_VOLUME_SNAPSHOTTED) && reply->is_volume_snapshotted->snapshotted;
    return true;
}

/* ---- providers ---- */

static void fill_query(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    (void)index;
    ((PB(Query) *)parameters)->object_type = OBJECT_PROVIDER;
}

static bool on_query(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    struct listing *draft = inventory->draft;
    (void)index;
    size_t count = reply->out_case == PB_OUT(QUERY) ? reply->query->n_providers : 0;
    if (!begin_items(inventory, count))
        return no_memory(inventory);
    for (size_t i = 0; i < count; i++) {
        PB(Provider) *provider = MESSAGE_COPY(&draft->arena, reply->query->providers[i]);
        if (provider == NULL)
            return no_memory(inventory);
        draft->items[draft->count++] = &provider->base;
    }
    return true;
}

/* ---- tables ---- */

#define STEP(method, limit, count, fill, reply, failure_is_reply)                                   \
    {                                                                                               \
        PB_METHOD(method), PB_PHASE(UNSPECIFIED), limit, count, fill, reply, NULL, failure_is_reply \
    }
#define PLAIN(method) STEP(method, LIMIT_CALL, NULL, NULL, NULL, false)

/* clang-format off */
static const struct step writers[] = {
    PLAIN(CREATE_OBJECT),
    PLAIN(INITIALIZE_FOR_BACKUP),
    STEP(GATHER_WRITER_METADATA, LIMIT_GATHER, NULL, NULL, NULL, false),
    STEP(GET_WRITER_METADATA_COUNT, LIMIT_CALL, NULL, NULL, on_metadata_count, false),
    STEP(GET_WRITER_METADATA, LIMIT_CALL, count_expected, fill_metadata, on_metadata, false),
    PLAIN(FREE_WRITER_METADATA),
    STEP(GATHER_WRITER_STATUS, LIMIT_STATUS, NULL, NULL, NULL, false),
    STEP(GET_WRITER_STATUS_COUNT, LIMIT_CALL, NULL, NULL, on_status_count, false),
    STEP(GET_WRITER_STATUS_EX, LIMIT_CALL, count_expected, fill_status, on_status, false),
    PLAIN(FREE_WRITER_STATUS),
    PLAIN(_NOT_SET),
};
static const struct step files[] = {
    PLAIN(CREATE_OBJECT),
    PLAIN(INITIALIZE_FOR_BACKUP),
    STEP(GATHER_WRITER_METADATA, LIMIT_GATHER, NULL, NULL, NULL, false),
    STEP(GET_WRITER_METADATA_COUNT, LIMIT_CALL, NULL, NULL, on_metadata_count, false),
    STEP(GET_WRITER_METADATA, LIMIT_CALL, count_expected, fill_metadata, on_metadata, false),
    STEP(GATHER_WRITER_STATUS, LIMIT_STATUS, NULL, NULL, NULL, false),
    STEP(GET_WRITER_STATUS_COUNT, LIMIT_CALL, NULL, NULL, on_status_count, false),
    STEP(GET_WRITER_STATUS_EX, LIMIT_CALL, count_expected, fill_status, on_status, false),
    PLAIN(FREE_WRITER_STATUS),
    STEP(GET_WRITER_METADATA, LIMIT_CALL, if_asked_for, fill_part, on_part, false),
    PLAIN(_NOT_SET),
};
static const struct step volumes[] = {
    PLAIN(CREATE_OBJECT),
    PLAIN(INITIALIZE_FOR_BACKUP),
    STEP(IS_VOLUME_SUPPORTED, LIMIT_CALL, count_expected, fill_support, on_support, true),
    STEP(IS_VOLUME_SNAPSHOTTED, LIMIT_CALL, count_expected, fill_snapshotted, on_snapshotted, true),
    PLAIN(_NOT_SET),
};
static const struct step providers[] = {
    PLAIN(CREATE_OBJECT),
    PLAIN(INITIALIZE_FOR_BACKUP),
    STEP(QUERY, LIMIT_CALL, NULL, fill_query, on_query, false),
    PLAIN(_NOT_SET),
};
/* clang-format on */

const struct step *inventory_steps(enum inventory_kind kind)
{
    static const struct step *const tables[INVENTORY_KINDS] = {writers, volumes, providers, files};
    return tables[kind];
}
