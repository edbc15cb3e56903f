#include "proto/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A peer that announces a large frame and sends nothing must not cost the large frame's memory, so the
 * payload's buffer grows with the bytes that have come. */
enum {
    PAYLOAD_START_BYTES = 4096
};

void frame_reader_init(struct frame_reader *reader, uint32_t limit_bytes)
{
    memset(reader, 0, sizeof *reader);
    reader->limit_bytes = limit_bytes;
}

void frame_reader_free(struct frame_reader *reader)
{
    free(reader->payload);
    frame_reader_init(reader, reader->limit_bytes);
}

void frame_reader_shrink(struct frame_reader *reader)
{
    if (reader->received == 0 ||
        (reader->length != 0 && reader->received == FRAME_HEADER_BYTES + reader->length))
        frame_reader_free(reader);
}

static uint32_t read_length(const uint8_t header[FRAME_HEADER_BYTES])
{
    return (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
}

/* Moves up to `wanted` bytes from the input. */
static size_t move_bytes(uint8_t *to, size_t wanted, const uint8_t **data, size_t *size)
{
    size_t count = wanted < *size ? wanted : *size;
    if (count > 0) {
        memcpy(to, *data, count);
        *data += count;
        *size -= count;
    }
    return count;
}

static bool grow_payload(struct frame_reader *reader, size_t needed)
{
    if (needed <= reader->capacity)
        return true;
    size_t capacity = reader->capacity < PAYLOAD_START_BYTES / 2 ? PAYLOAD_START_BYTES : reader->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity > reader->length)
        capacity = reader->length;
    uint8_t *payload = realloc(reader->payload, capacity);
    if (payload == NULL)
        return false;
    reader->payload = payload;
    reader->capacity = capacity;
    return true;
}

enum frame_result frame_reader_take(struct frame_reader *reader, const uint8_t **data, size_t *size,
                                    const uint8_t **payload, size_t *payload_size)
{
    *payload = NULL;
    *payload_size = 0;
    if (reader->length != 0 && reader->received == FRAME_HEADER_BYTES + reader->length) {
        reader->received = 0; /* the frame that the last call gave out */
        reader->length = 0;
    }
    if (reader->received < FRAME_HEADER_BYTES) {
        reader->received +=
            move_bytes(reader->header + reader->received, FRAME_HEADER_BYTES - reader->received, data, size);
        if (reader->received < FRAME_HEADER_BYTES)
            return FRAME_NEED_MORE;
        uint32_t length = read_length(reader->header);
        if (length <= reader->limit_bytes)
            reader->length = length;
    }
    if (reader->length == 0)
        return FRAME_BAD_LENGTH; /* stays so: a header that is whole with no length */

    size_t have = reader->received - FRAME_HEADER_BYTES;
    size_t missing = reader->length - have;
    size_t wanted = missing < *size ? missing : *size;
    if (!grow_payload(reader, have + wanted))
        return FRAME_NO_MEMORY;
    if (wanted > 0)
        reader->received += move_bytes(reader->payload + have, wanted, data, size);
    if (reader->received < FRAME_HEADER_BYTES + reader->length)
        return FRAME_NEED_MORE;
    *payload = reader->payload;
    *payload_size = reader->length;
    return FRAME_READY;
}

bool frame_encode(struct frame_buffer *buffer, const PB(Envelope) * envelope, uint32_t limit_bytes)
{
    buffer->size = 0;
    size_t length = protobuf_c_message_get_packed_size(&envelope->base);
    if (length == 0 || length > limit_bytes)
        return false;
    size_t needed = FRAME_HEADER_BYTES + length;
    if (needed > buffer->capacity) {
        uint8_t *data = realloc(buffer->data, needed);
        if (data == NULL)
            return false;
        buffer->data = data;
        buffer->capacity = needed;
    }
    buffer->data[0] = (uint8_t)(length >> 24);
    buffer->data[1] = (uint8_t)(length >> 16);
    buffer->data[2] = (uint8_t)(length >> 8);
    buffer->data[3] = (uint8_t)length;
    size_t packed = protobuf_c_message_pack(&envelope->base, buffer->data + FRAME_HEADER_BYTES);
    assert(packed == length);
    buffer->size = FRAME_HEADER_BYTES + packed;
    return true;
}

void frame_buffer_free(struct frame_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}
