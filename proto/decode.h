/* Decoding with bounds.
 *
 * decode_envelope first walks the bytes along the message descriptors: nesting, wire types, UTF-8 and
 * NUL in strings, bounds of repeated fields, and, in strict mode, unknown fields and enum values. Only
 * then protobuf-c unpacks into an arena that refuses to grow past its cap. So nothing that a peer sends
 * can cost more than the cap or yield a string that is shorter than what was sent.
 * The result lives until the arena is reset. */
#ifndef SHADOWPIPE_PROTO_DECODE_H
#define SHADOWPIPE_PROTO_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
    DECODE_LIMIT_REQUEST_BYTES = 8 * 1024 * 1024, /* arena cap for frames from clients and requesters */
    DECODE_LIMIT_REPLY_BYTES = 128 * 1024 * 1024, /* for frames from the server */
    DECODE_LIMIT_DEPTH = 16,
    DECODE_LIMIT_FIELDS = 128, /* that one message type may define */
    DECODE_LIMIT_REPEATED =
        65536 /* elements of one repeated field; strict mode has tighter bounds by field */
};

struct arena {
    struct arena_block *blocks;
    size_t used_bytes;
    size_t cap_bytes;
    bool exhausted;               /* an allocation was refused because of the cap */
    ProtobufCAllocator allocator; /* for protobuf-c: allocates from this arena */
};

void arena_init(struct arena *arena, size_t cap_bytes);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type; NULL past the cap */
char *arena_strdup(struct arena *arena, const char *text);
void arena_reset(struct arena *arena); /* keeps one block of modest size for reuse */
void arena_free(struct arena *arena);

enum decode_mode {
    DECODE_STRICT, /* requests: unknown fields and enum values are errors */
    DECODE_LENIENT /* replies: they are ignored */
};

struct decode_error {
    const char *reason; /* "MALFORMED", "UNKNOWN_FIELD", "UNKNOWN_VALUE", "BAD_STRING", "TOO_MANY",
                         * "TOO_LARGE", "NO_MEMORY" */
    uint32_t id;        /* the envelope's id when it could be read, else 0 */
    char field[160];    /* e.g. "create_snapshot.volumes" or "create_snapshot.#77" for an unknown number */
    char message[256];
};

/* NULL on failure, with *error filled. */
PB(Envelope) * decode_envelope(struct arena *arena, const uint8_t *payload, size_t size,
                               enum decode_mode mode, struct decode_error *error);

/* The walk alone, over a message of any type: what decode_envelope does before it unpacks. */
bool decode_check(const ProtobufCMessageDescriptor *message, const uint8_t *data, size_t size,
                  enum decode_mode mode, struct decode_error *error);

#endif
