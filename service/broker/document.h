/* Documents that clients send: a Backup Components Document for a restore or an import.
 *
 * They come in chunks, belong to the connection that sent them, and stay here until a session's Initialize…
 * takes them to its requester, or the connection ends. Their number and size are bounded. */
#ifndef SHADOWPIPE_BROKER_DOCUMENT_H
#define SHADOWPIPE_BROKER_DOCUMENT_H

#include "service/broker/connection.h"

enum {
    DOCUMENT_ID_CHARS = 37,
    DOCUMENT_CHUNK_BYTES = 256 * 1024,
    DOCUMENT_MAX_BYTES = 32 * 1024 * 1024,
    DOCUMENTS_PER_CONNECTION = 4,
    DOCUMENTS_MAX_BYTES = 128 * 1024 * 1024 /* of all connections */
};

struct document {
    struct list link; /* in the connection's */
    char id[DOCUMENT_ID_CHARS];
    PB(DocumentKind) kind;
    uint8_t *data;
    uint64_t size;
    uint64_t total;
    uint8_t sha256[32];
    size_t sha256_size; /* 0 = the client gave none */
    bool is_complete;
};

struct requester;

void document_put(struct connection *connection, const PB(Envelope) * envelope);
/* NULL: there is none of this id. */
struct document *document_find(struct connection *connection, const char *id);
void document_free(struct broker *broker, struct document *document);
/* The connection ends. */
void documents_abandon(struct connection *connection);

/* The next part of it, to a requester; *sent counts on. False: as requester_call. */
bool document_send(struct requester *requester, const struct document *document, uint64_t *sent,
                   uint32_t limit_ms);

/* The document is not there, or not whole. */
PB(Status) * error_document(struct broker *broker, const struct document *document, const char *field);

#endif
