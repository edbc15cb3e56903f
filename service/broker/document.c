#include "service/broker/document.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/request.h"
#include "service/broker/requester.h"
#include "service/broker/state.h"

struct document *document_find(struct connection *connection, const char *id)
{
    LIST_EACH(struct document, document, &connection->documents, link)
    {
        if (strcmp(document->id, id) == 0)
            return document;
    }
    return NULL;
}

void document_free(struct broker *broker, struct document *document)
{
    list_remove(&document->link);
    broker->documents_bytes -= document->total;
    free(document->data);
    free(document);
}

void documents_abandon(struct connection *connection)
{
    LIST_EACH(struct document, document, &connection->documents, link)
    document_free(connection->broker, document);
}

PB(Status) * error_document(struct broker *broker, const struct document *document, const char *field)
{
    PB(Status) * status;
    if (document == NULL) {
        status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_DOCUMENT",
                             "this connection has sent no document of this id, or has used it already");
        error_advise(status, "Send the document with PutDocument first; each serves one session.");
    } else {
        status = status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "INCOMPLETE_DOCUMENT",
                             "only %llu of the document's %llu bytes have come",
                             (unsigned long long)document->size, (unsigned long long)document->total);
        error_advise(status, "Send all chunks of the document, the last one marked as such.");
    }
    return error_field(status, field);
}

static PB(Status) * refuse_chunk(struct broker *broker, const char *field, const char *what)
{
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "BAD_CHUNK", "the chunk %s", what);
    return error_field(error_advise(status, "Send the chunks in order, each once, with the same total."),
                       field);
}

static PB(Status) *
    refuse_number(struct broker *broker, const char *limit_name, uint64_t limit, const char *what)
{
    return error_over_limit(broker, limit_name, limit, what,
                            "Use the documents that were sent, or close their connections.");
}

/* NULL: it may begin. */
static PB(Status) * check_beginning(struct connection *connection, const PB(PutDocument) * put)
{
    struct broker *broker = connection->broker;
    uint64_t total = put->chunk->total_bytes;
    if (put->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_UNSPECIFIED))
        return error_field(
            error_advise(status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "BAD_KIND",
                                     "the request does not say which kind of document it brings"),
                         "Send a Backup Components Document or a Writer Metadata Document."),
            "put_document.kind");
    if (total == 0 || total > DOCUMENT_MAX_BYTES)
        return error_field(error_advise(status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "TOO_LARGE",
                                                    "a document has 1 to %d bytes", DOCUMENT_MAX_BYTES),
                                        "Give the document's size in the first chunk."),
                           "put_document.chunk.total_bytes");
    if (list_count(&connection->documents) >= DOCUMENTS_PER_CONNECTION)
        return refuse_number(broker, "documents_per_connection", DOCUMENTS_PER_CONNECTION,
                             "documents of one connection");
    if (broker->documents_bytes + total > DOCUMENTS_MAX_BYTES)
        return refuse_number(broker, "documents_bytes", DOCUMENTS_MAX_BYTES, "bytes of documents");
    return NULL;
}

/* NULL without memory. */
static struct document *begin(struct connection *connection, const PB(PutDocument) * put)
{
    struct broker *broker = connection->broker;
    struct document *document = calloc(1, sizeof *document);
    uint8_t *data = malloc((size_t)put->chunk->total_bytes);
    if (document == NULL || data == NULL) {
        free(document);
        free(data);
        return NULL;
    }
    make_guid(broker, document->id);
    document->kind = put->kind;
    document->data = data;
    document->total = put->chunk->total_bytes;
    broker->documents_bytes += document->total;
    list_append(&connection->documents, &document->link);
    return document;
}

/* NULL: the chunk is taken. */
static PB(Status) * append(struct broker *broker, struct document *document, const PB(DocumentChunk) * chunk)
{
    if (document->is_complete || chunk->offset != document->size)
        return refuse_chunk(broker, "put_document.chunk.offset", "does not follow what came before");
    if (chunk->total_bytes != document->total)
        return refuse_chunk(broker, "put_document.chunk.total_bytes", "has another total than the first");
    if (chunk->data.len > document->total - document->size)
        return refuse_chunk(broker, "put_document.chunk.data", "goes past the document's end");
    if (chunk->last != (document->size + chunk->data.len == document->total))
        return refuse_chunk(broker, "put_document.chunk.last",
                            "is not the last one, or says wrongly that it is");
    if (chunk->data.len == 0)
        return refuse_chunk(broker, "put_document.chunk.data", "is empty");
    if (chunk->sha256.len != 0 && chunk->sha256.len != sizeof document->sha256)
        return refuse_chunk(broker, "put_document.chunk.sha256", "has no SHA-256 of 32 bytes");
    memcpy(document->data + document->size, chunk->data.data, chunk->data.len);
    document->size += chunk->data.len;
    document->is_complete = chunk->last;
    if (chunk->last && chunk->sha256.len != 0) {
        memcpy(document->sha256, chunk->sha256.data, sizeof document->sha256);
        document->sha256_size = sizeof document->sha256;
    }
    return NULL;
}

void document_put(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(PutDocument) *put = envelope->put_document;
    PB(Status) *refusal = NULL;
    struct document *document = NULL;
    bool is_new = put->document_id[0] == '\0';
    if (put->chunk == NULL) {
        refusal = refuse_chunk(broker, "put_document.chunk", "is missing");
    } else if (is_new) {
        refusal = check_beginning(connection, put);
        document = refusal == NULL ? begin(connection, put) : NULL;
    } else {
        document = document_find(connection, put->document_id);
        if (document == NULL)
            refusal = error_document(broker, NULL, "put_document.document_id");
    }
    if (document != NULL && (refusal = append(broker, document, put->chunk)) != NULL && is_new) {
        document_free(broker, document); /* the client does not learn its id */
        document = NULL;
    }
    if (document == NULL || refusal != NULL) {
        fail_now(connection, envelope->id, refusal);
        return;
    }
    PB(PutDocumentReply) reply = SHADOWPIPE__V1__PUT_DOCUMENT_REPLY__INIT;
    reply.document_id = document->id;
    reply.received_bytes = document->size;
    PB(Envelope) answer = ENVELOPE(PUT_DOCUMENT_REPLY, .put_document_reply = &reply);
    reply_now(connection, envelope->id, &answer);
}

bool document_send(struct requester *requester, const struct document *document, uint64_t *sent,
                   uint32_t limit_ms)
{
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocument) put = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    uint64_t left = document->size - *sent;
    chunk.offset = *sent;
    chunk.total_bytes = document->total;
    chunk.data.data = document->data + *sent;
    chunk.data.len = left < DOCUMENT_CHUNK_BYTES ? (size_t)left : DOCUMENT_CHUNK_BYTES;
    chunk.last = chunk.data.len == left;
    if (chunk.last && document->sha256_size != 0)
        chunk.sha256 = (ProtobufCBinaryData){document->sha256_size, (uint8_t *)(uintptr_t)document->sha256};
    put.document_id = text_constant(document->id);
    put.kind = document->kind;
    put.chunk = &chunk;
    PB(Envelope) envelope = ENVELOPE(PUT_DOCUMENT, .put_document = &put);
    *sent += chunk.data.len;
    return requester_send(requester, &envelope, limit_ms);
}
