#include "service/requester/documents.h"

#include <stdlib.h>
#include <string.h>

#include "proto/sha256.h"
#include "proto/status.h"
#include "service/requester/log.h"
#include "service/requester/text.h"

struct kept_document {
    struct kept_document *next;
    bool came_in;             /* by PutDocument */
    char id[GUID_TEXT_CHARS]; /* its own, if it came in */
    bool is_metadata;
    VSS_ID instance_id; /* whose metadata */
    size_t total;
    size_t size; /* of what has come */
    BYTE hash[SHA256_BYTES];
    bool has_hash;
    uint8_t data[];
};

/* ---- the list ---- */

static void drop(struct session *session, const struct kept_document *document)
{
    struct kept_document **link = &session->documents;
    while (*link != NULL && *link != document) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        struct kept_document *gone = *link;
        *link = gone->next;
        free(gone);
    }
}

void documents_free(struct session *session)
{
    while (session->documents != NULL) {
        drop(session, session->documents);
    }
}

static struct kept_document *find(const struct session *session, const VSS_ID *instance_id)
{
    for (struct kept_document *document = session->documents; document != NULL; document = document->next) {
        if (!document->came_in && document->is_metadata == (instance_id != NULL) &&
            (instance_id == NULL || IsEqualGUID(&document->instance_id, instance_id))) {
            return document;
        }
    }
    return NULL;
}

static struct kept_document *find_id(const struct session *session, const char *id)
{
    for (struct kept_document *document = session->documents; document != NULL; document = document->next) {
        if (document->came_in && strcmp(document->id, id) == 0) {
            return document;
        }
    }
    return NULL;
}

/* NULL without memory. */
static struct kept_document *add(struct session *session, size_t total)
{
    struct kept_document *document = calloc(1, sizeof *document + total + 1);
    if (document != NULL) {
        document->total = total;
        document->next = session->documents;
        session->documents = document;
    }
    return document;
}

/* ---- those that VSS wrote ---- */

HRESULT documents_keep(struct session *session, const VSS_ID *instance_id, BSTR xml)
{
    int length = (int)SysStringLen(xml);
    int size = length > 0 ? WideCharToMultiByte(CP_UTF8, 0, xml, length, NULL, 0, NULL, NULL) : 0;
    if (size <= 0) {
        return E_UNEXPECTED; /* an empty document is none */
    }
    struct kept_document *former = find(session, instance_id);
    struct kept_document *document = add(session, (size_t)size);
    if (document == NULL) {
        return E_OUTOFMEMORY;
    }
    if (former != NULL) {
        drop(session, former);
    }
    WideCharToMultiByte(CP_UTF8, 0, xml, length, (char *)document->data, size, NULL, NULL);
    document->size = document->total;
    document->is_metadata = instance_id != NULL;
    if (instance_id != NULL) {
        document->instance_id = *instance_id;
    }
    document->has_hash = sha256(document->data, document->size, document->hash);
    if (!document->has_hash) {
        log_failure("the SHA-256 of a document cannot be computed");
    }
    return S_OK;
}

PB(DocumentInfo) * documents_describe(struct session *session, struct reply *reply, const VSS_ID *instance_id)
{
    struct kept_document *document = find(session, instance_id);
    PB(DocumentInfo) *info =
        document != NULL ? reply_message(reply, &shadowpipe__v1__document_info__descriptor) : NULL;
    if (info == NULL) {
        return NULL;
    }
    info->kind = document->is_metadata ? PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA)
                                       : PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    info->size_bytes = document->size;
    if (document->is_metadata) {
        info->writer_instance_id = reply_guid(reply, &document->instance_id);
    }
    if (document->has_hash) {
        info->sha256.data = document->hash; /* it is encoded before anything can replace it */
        info->sha256.len = SHA256_BYTES;
    }
    return info;
}

/* ---- out ---- */

static PB(Status) *
    refuse(struct arena *arena, PB(Code) code, const char *reason, const char *message, const char *advice)
{
    PB(Status) *status = status_make(arena, code, reason, "%s", message);
    if (status != NULL) {
        status->advice = arena_strdup(arena, advice);
    }
    return status;
}

static PB(Status) * unknown_document(struct arena *arena)
{
    return refuse(arena, PB_CODE(NOT_FOUND), "UNKNOWN_DOCUMENT", "no such document is kept",
                  "Call SaveAsXML, or GetWriterMetadata with with_document, before reading the document.");
}

static PB(Status) * bad_chunk(struct arena *arena, const char *message)
{
    return refuse(arena, PB_CODE(INVALID_ARGUMENT), "BAD_CHUNK", message,
                  "Send the chunks in order, each once, with the same total.");
}

static PB(Status) * read_chunk(struct session *session, const PB(ReadDocument) * read, struct arena *arena,
                               PB(DocumentChunk) * chunk)
{
    VSS_ID instance_id;
    bool is_metadata = read->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA);
    if (!text_to_guid(read->writer_instance_id, &instance_id)) {
        return unknown_document(arena);
    }
    const struct kept_document *document = find(session, is_metadata ? &instance_id : NULL);
    if (document == NULL || read->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_UNSPECIFIED)) {
        return unknown_document(arena);
    }
    if (read->offset >= document->size) {
        return bad_chunk(arena, "the document ends before this offset");
    }
    size_t left = document->size - (size_t)read->offset;
    chunk->offset = read->offset;
    chunk->total_bytes = document->total;
    chunk->data.data = (uint8_t *)(UINT_PTR)document->data + read->offset;
    chunk->data.len = left < DOCUMENTS_CHUNK_BYTES ? left : DOCUMENTS_CHUNK_BYTES;
    chunk->last = chunk->data.len == left;
    if (chunk->last && document->has_hash) {
        chunk->sha256.data = (uint8_t *)(UINT_PTR)document->hash;
        chunk->sha256.len = SHA256_BYTES;
    }
    return NULL;
}

/* ---- in ---- */

static struct kept_document *begin(struct session *session, const PB(PutDocument) * put)
{
    struct kept_document *document = add(session, (size_t)put->chunk->total_bytes);
    if (document != NULL) {
        document->came_in = true;
        memcpy(document->id, put->document_id, strlen(put->document_id) + 1);
    }
    return document;
}

static bool is_damaged(const struct kept_document *document, const PB(DocumentChunk) * chunk)
{
    BYTE hash[SHA256_BYTES];
    return chunk->sha256.len != 0 &&
           (chunk->sha256.len != SHA256_BYTES || !sha256(document->data, document->size, hash) ||
            memcmp(hash, chunk->sha256.data, SHA256_BYTES) != 0);
}

static PB(Status) * put_chunk(struct session *session, const PB(PutDocument) * put, struct arena *arena,
                              PB(PutDocumentReply) * reply)
{
    const PB(DocumentChunk) *chunk = put->chunk;
    if (chunk == NULL || put->document_id[0] == '\0' || strlen(put->document_id) >= GUID_TEXT_CHARS ||
        chunk->total_bytes == 0 || chunk->total_bytes > DOCUMENTS_PUT_BYTES) {
        return bad_chunk(arena, "it has no sound id or size");
    }
    struct kept_document *document = find_id(session, put->document_id);
    if (document == NULL && chunk->offset == 0) {
        document = begin(session, put);
        if (document == NULL) {
            return refuse(arena, PB_CODE(RESOURCE_EXHAUSTED), "NO_MEMORY",
                          "the requester has no memory for the document", "Free memory on the machine.");
        }
    }
    if (document == NULL || chunk->offset != document->size || chunk->total_bytes != document->total ||
        chunk->data.len > document->total - document->size) {
        return bad_chunk(arena, "it does not follow what came before");
    }
    memcpy(document->data + document->size, chunk->data.data, chunk->data.len);
    document->size += chunk->data.len;
    if (chunk->last && (document->size != document->total || is_damaged(document, chunk))) {
        drop(session, document);
        return refuse(arena, PB_CODE(DATA_LOSS), "DAMAGED_DOCUMENT",
                      "the document is not the one that its SHA-256 and size describe",
                      "Use an undamaged copy of the document.");
    }
    reply->document_id = document->id;
    reply->received_bytes = document->size;
    return NULL;
}

void documents_answer(struct session *session, const PB(Envelope) * request, struct arena *arena,
                      PB(Envelope) * reply)
{
    PB(DocumentChunk) *chunk = arena_alloc(arena, sizeof *chunk);
    PB(PutDocumentReply) *done = arena_alloc(arena, sizeof *done);
    PB(Status) *refusal = NULL;
    if (chunk != NULL && done != NULL && request->body_case == PB_BODY(READ_DOCUMENT)) {
        shadowpipe__v1__document_chunk__init(chunk);
        refusal = read_chunk(session, request->read_document, arena, chunk);
        reply->body_case = PB_BODY(DOCUMENT_CHUNK);
        reply->document_chunk = chunk;
    } else if (chunk != NULL && done != NULL) {
        shadowpipe__v1__put_document_reply__init(done);
        refusal = put_chunk(session, request->put_document, arena, done);
        reply->body_case = PB_BODY(PUT_DOCUMENT_REPLY);
        reply->put_document_reply = done;
    }
    if (refusal != NULL) {
        reply->body_case = PB_BODY(STATUS);
        reply->status = refusal;
    }
}

/* ---- to VSS ---- */

/* Whatever program saved it: UTF-16 with its mark, or UTF-8 with or without. NULL: it is not text. */
static BSTR to_bstr(const struct kept_document *document)
{
    static const uint8_t utf8_mark[] = {0xEF, 0xBB, 0xBF};
    const uint8_t *data = document->data;
    size_t size = document->size;
    if (size >= 2 && data[0] == 0xFF && data[1] == 0xFE) {
        BSTR wide = SysAllocStringLen(NULL, (UINT)(size / 2 - 1));
        if (wide != NULL) {
            memcpy(wide, data + 2, (size / 2 - 1) * sizeof *wide);
        }
        return wide;
    }
    if (size >= sizeof utf8_mark && memcmp(data, utf8_mark, sizeof utf8_mark) == 0) {
        data += sizeof utf8_mark;
        size -= sizeof utf8_mark;
    }
    const char *text = (const char *)data;
    int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, (int)size, NULL, 0);
    BSTR wide = length > 0 ? SysAllocStringLen(NULL, (UINT)length) : NULL;
    if (wide != NULL) {
        MultiByteToWideChar(CP_UTF8, 0, text, (int)size, wide, length);
    }
    return wide;
}

HRESULT documents_take(struct session *session, struct reply *reply, const char *field, const char *id,
                       BSTR *xml)
{
    *xml = NULL;
    if (id[0] == '\0') {
        return S_FALSE;
    }
    struct kept_document *document = find_id(session, id);
    if (document == NULL || document->size != document->total) {
        return reply_refuse(reply, field, "not the id of a document that has come");
    }
    *xml = to_bstr(document);
    drop(session, document);
    return *xml != NULL ? S_OK : reply_refuse(reply, field, "the id of a document that is no text");
}
