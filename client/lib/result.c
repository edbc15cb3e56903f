#include "client/lib/result.h"

#include <stdlib.h>

#include "client/lib/error.h"

struct result *result_create(struct message *reply, struct sp_error **error)
{
    struct result *result = calloc(1, sizeof *result);
    if (!result) {
        message_free(reply);
        error_give(error, error_no_memory());
        return NULL;
    }
    arena_init(&result->arena, DECODE_LIMIT_REPLY_BYTES);
    result->reply = reply;
    return result;
}

void result_free(void *made)
{
    struct result *result = made;
    if (!result)
        return;
    message_free(result->reply);
    arena_free(&result->arena);
    free(result);
}

void *result_fail(struct result *result, struct sp_error **error)
{
    result_free(result);
    error_give(error, error_no_memory());
    return NULL;
}

void *result_array(struct result *result, size_t count, size_t size)
{
    return arena_alloc(&result->arena, (count ? count : 1) * size);
}

const struct sp_writer *result_writers(struct result *result, PB(WriterStatus) * *from, size_t count)
{
    struct sp_writer *writers = result_array(result, count, sizeof *writers);
    for (size_t i = 0; writers && i < count; i++) {
        if (!writer_convert(&result->arena, from[i], &writers[i]))
            return NULL;
    }
    return writers;
}

const struct sp_document_info *result_documents(struct result *result, PB(DocumentInfo) * *from, size_t count)
{
    struct sp_document_info *documents = result_array(result, count, sizeof *documents);
    for (size_t i = 0; documents && i < count; i++)
        documents[i] =
            (struct sp_document_info){(enum sp_document_kind)from[i]->kind,
                                      text_or_empty(from[i]->writer_instance_id), from[i]->size_bytes};
    return documents;
}

struct sp_volume_snapshot result_volume_snapshot(const PB(Snapshot) * from)
{
    return (struct sp_volume_snapshot){
        .volume_guid_path = text_or_empty(from->volume_guid_path),
        .volume_names = (const char *const *)from->volume_names,
        .volume_names_count = from->n_volume_names,
        .snapshot_id = text_or_empty(from->snapshot_id),
        .device = text_or_empty(from->device),
        .device_root = text_or_empty(from->device_root),
        .provider_id = text_or_empty(from->provider_id),
    };
}

void progress_forward(void *context, const PB(Envelope) * envelope)
{
    const struct progress_forward *forward = context;
    if (envelope->body_case != PB_BODY(PROGRESS) || !forward->on_progress)
        return;
    const PB(Progress) *from = envelope->progress;
    struct sp_progress progress = {
        .phase = phase_name(from->phase),
        .queue_position = from->queue_position,
        .expected_wait_ms = from->expected_wait_ms,
        .waiting_for = waiting_for_name(from->waiting_for),
        .elapsed_ms = from->elapsed_ms,
        .phase_elapsed_ms = from->phase_elapsed_ms,
        .attempt = from->attempt,
        .writer = text_or_empty(from->writer),
        .done = from->done,
        .total = from->total,
    };
    forward->on_progress(forward->context, &progress);
}
