/* Documents of VSS between the service and memory, in chunks, checked by their SHA-256. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/result.h"
#include "proto/sha256.h"

enum {
    CHUNK_BYTES = 256 * 1024
};

/* ---- from the service ---- */

struct reading {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    bool damaged;
    bool no_memory;
};

static void take_chunk(struct reading *reading, const PB(DocumentChunk) * chunk)
{
    if (chunk->offset != reading->size)
        reading->damaged = true;
    if (reading->damaged || reading->no_memory)
        return;
    if (chunk->data.len > reading->capacity - reading->size) {
        size_t capacity = 2 * reading->capacity + chunk->data.len;
        uint8_t *grown = realloc(reading->bytes, capacity);
        if (!grown) {
            reading->no_memory = true;
            return;
        }
        reading->bytes = grown;
        reading->capacity = capacity;
    }
    if (chunk->data.len)
        memcpy(reading->bytes + reading->size, chunk->data.data, chunk->data.len);
    reading->size += chunk->data.len;
}

static void on_chunk(void *context, const PB(Envelope) * envelope)
{
    if (envelope->body_case == PB_BODY(DOCUMENT_CHUNK))
        take_chunk(context, envelope->document_chunk);
}

static bool is_whole(const struct reading *reading, const PB(DocumentChunk) * last)
{
    uint8_t hash[SHA256_BYTES];
    return !reading->damaged && reading->size == last->total_bytes && last->sha256.len == sizeof hash &&
           sha256(reading->bytes, reading->size, hash) && memcmp(hash, last->sha256.data, sizeof hash) == 0;
}

/* The bytes move into the result. */
static struct sp_document *give_document(struct reading *reading, struct message *reply,
                                         struct sp_error **error)
{
    const PB(DocumentChunk) *last = reply->envelope->document_chunk;
    take_chunk(reading, last);
    if (!reading->no_memory && !is_whole(reading, last)) {
        error_give(error,
                   error_create(SP_DATA_LOSS, "DAMAGED_DOCUMENT", "Read it again.",
                                "The document that came is not the one that its size and SHA-256 describe."));
        message_free(reply);
        return NULL;
    }
    struct result *result = result_create(reply, error);
    uint8_t *bytes = result ? result_array(result, reading->size + 1, 1) : NULL;
    if (!result)
        return NULL;
    if (!bytes || reading->no_memory)
        return result_fail(result, error);
    if (reading->size)
        memcpy(bytes, reading->bytes, reading->size);
    struct sp_document *document = &result->u.document;
    document->bytes = bytes;
    document->size = reading->size;
    memcpy(document->sha256, last->sha256.data, sizeof document->sha256);
    return document;
}

struct sp_document *sp_read_document(struct sp_client *client, const struct sp_document_request *request,
                                     struct sp_error **error)
{
    PB(ReadDocument) read = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    read.lease_id = (char *)text_or_empty(request->lease_id);
    read.token = (char *)text_or_empty(request->token);
    read.session_id = (char *)text_or_empty(request->session_id);
    read.kind = (PB(DocumentKind))request->kind;
    read.writer_instance_id = (char *)text_or_empty(request->writer_instance_id);
    envelope.body_case = PB_BODY(READ_DOCUMENT);
    envelope.read_document = &read;
    struct reading reading = {0};
    struct message_options options = {.timeout_ms = request->timeout_ms,
                                      .on_message = on_chunk,
                                      .context = &reading,
                                      .cancel = request->cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(DOCUMENT_CHUNK), &options, error);
    struct sp_document *document = reply ? give_document(&reading, reply, error) : NULL;
    free(reading.bytes);
    return document;
}

void sp_document_free(struct sp_document *document)
{
    result_free(document);
}

/* ---- to the service ---- */

/* Sends what begins at `offset` and gives the document's id into `id`, of which the first chunk has none. */
static bool put_chunk(struct sp_client *client, const struct sp_document_source *source, size_t offset,
                      const uint8_t hash[SHA256_BYTES], char **id, struct sp_error **error)
{
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    size_t left = source->size - offset;
    chunk.offset = offset;
    chunk.data = (ProtobufCBinaryData){left < CHUNK_BYTES ? left : CHUNK_BYTES,
                                       (uint8_t *)(uintptr_t)source->bytes + offset};
    chunk.total_bytes = source->size;
    chunk.last = chunk.data.len == left;
    if (chunk.last)
        chunk.sha256 = (ProtobufCBinaryData){SHA256_BYTES, (uint8_t *)(uintptr_t)hash};
    put.document_id = (char *)text_or_empty(*id);
    put.kind = (PB(DocumentKind))source->kind;
    put.chunk = &chunk;
    envelope.body_case = PB_BODY(PUT_DOCUMENT);
    envelope.put_document = &put;
    struct message_options options = {.timeout_ms = source->timeout_ms, .cancel = source->cancel};
    struct message *reply = message_call(client, &envelope, PB_BODY(PUT_DOCUMENT_REPLY), &options, error);
    if (!reply)
        return false;
    char *copy = *id ? *id : strdup(text_or_empty(reply->envelope->put_document_reply->document_id));
    message_free(reply);
    if (!copy)
        error_give(error, error_no_memory());
    *id = copy;
    return copy != NULL;
}

char *sp_put_document(struct sp_client *client, const struct sp_document_source *source,
                      struct sp_error **error)
{
    uint8_t hash[SHA256_BYTES];
    char *id = NULL;
    size_t sent = 0;
    if (!source->bytes || source->size == 0) {
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "The document is empty."));
        return NULL;
    }
    if (!sha256(source->bytes, source->size, hash)) {
        error_give(error,
                   error_create(SP_INTERNAL, "WIN32", "", "The document's SHA-256 cannot be computed."));
        return NULL;
    }
    while (sent < source->size) {
        if (!put_chunk(client, source, sent, hash, &id, error)) {
            free(id);
            return NULL;
        }
        sent += source->size - sent < CHUNK_BYTES ? source->size - sent : CHUNK_BYTES;
    }
    return id;
}

void sp_string_free(char *string)
{
    free(string);
}
