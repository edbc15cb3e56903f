/* Frames: a 4-byte big-endian length and one Envelope of that many bytes.
 *
 * A frame_reader collects the bytes of one direction of one pipe, in whatever pieces they come, and
 * gives out whole payloads. It checks a length before it allocates for it. A frame_buffer is what
 * frames are encoded into; it keeps its memory, so a steady stream of frames allocates nothing.
 * Used by the broker, the requester and the client library. */
#ifndef SHADOWPIPE_PROTO_FRAME_H
#define SHADOWPIPE_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
    FRAME_HEADER_BYTES = 4,
    FRAME_LIMIT_HELLO_BYTES = 4 * 1024,            /* towards the server before Hello */
    FRAME_LIMIT_REQUEST_BYTES = 1024 * 1024,       /* from clients and requesters */
    FRAME_LIMIT_REPLY_BYTES = 16 * 1024 * 1024 - 1 /* from the server: first byte stays 0 */
};

enum frame_result {
    FRAME_NEED_MORE,  /* all bytes were taken, the frame is not complete */
    FRAME_READY,      /* one payload is out; bytes may be left */
    FRAME_BAD_LENGTH, /* length 0 or above the limit: the connection cannot go on */
    FRAME_NO_MEMORY
};

struct frame_reader {
    uint8_t *payload;
    size_t capacity;
    size_t received; /* of header and payload */
    uint32_t length; /* of the payload, once the header is whole */
    uint32_t limit_bytes;
    uint8_t header[FRAME_HEADER_BYTES];
};

void frame_reader_init(struct frame_reader *reader, uint32_t limit_bytes);
void frame_reader_free(struct frame_reader *reader);

/* Takes bytes from *data (advancing it, lessening *size) up to the end of one frame. With FRAME_READY
 * *payload and *payload_size are the frame's, valid until the next call. limit_bytes of the reader may
 * be changed between frames. After FRAME_BAD_LENGTH the reader gives nothing more. */
enum frame_result frame_reader_take(struct frame_reader *reader, const uint8_t **data, size_t *size,
                                    const uint8_t **payload, size_t *payload_size);

/* Frees the payload memory between frames, so that an idle connection holds none. */
void frame_reader_shrink(struct frame_reader *reader);

struct frame_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Encodes header and envelope, replacing what the buffer held. False: no memory, or larger than
 * limit_bytes; the buffer is then empty. */
bool frame_encode(struct frame_buffer *buffer, const PB(Envelope) * envelope, uint32_t limit_bytes);
void frame_buffer_free(struct frame_buffer *buffer);

#endif
