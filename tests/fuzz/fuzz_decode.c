/* Frames and decoding, fed with anything.
 *
 * The first byte chooses the mode and how the rest is cut into pieces. Whatever is accepted has to survive
 * being encoded and decoded again, and whatever is refused has to say why. */
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

static PB(Envelope) *
    decode(struct arena *arena, const uint8_t *payload, size_t size, enum decode_mode mode, bool *sound)
{
    struct decode_error error;
    PB(Envelope) *envelope = decode_envelope(arena, payload, size, mode, &error);
    *sound = envelope != NULL;
    if (envelope == NULL) {
        REQUIRE(error.reason != NULL && error.message[0] != '\0');
        REQUIRE(memchr(error.field, '\0', sizeof error.field) != NULL);
        REQUIRE(strcmp(error.reason, "NO_MEMORY") != 0); /* the walk passed what unpack refuses */
        REQUIRE(arena->used_bytes <= DECODE_LIMIT_REQUEST_BYTES);
    }
    return envelope;
}

/* Encoded and decoded twice, the bytes no longer change. */
static void check_payload(const uint8_t *payload, size_t size, enum decode_mode mode)
{
    struct arena arena;
    struct frame_buffer first = {0}, second = {0};
    bool sound;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    const PB(Envelope) *envelope = decode(&arena, payload, size, mode, &sound);
    if (sound && frame_encode(&first, envelope, FRAME_LIMIT_REPLY_BYTES)) {
        arena_reset(&arena);
        envelope =
            decode(&arena, first.data + FRAME_HEADER_BYTES, first.size - FRAME_HEADER_BYTES, mode, &sound);
        REQUIRE(sound);
        REQUIRE(frame_encode(&second, envelope, FRAME_LIMIT_REPLY_BYTES));
        REQUIRE(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    }
    frame_buffer_free(&first);
    frame_buffer_free(&second);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum decode_mode mode = (data[0] & 1) != 0 ? DECODE_LENIENT : DECODE_STRICT;
    size_t piece_size = data[0] >> 1 == 0 ? SIZE_MAX : data[0] >> 1;
    struct frame_reader reader;
    frame_reader_init(&reader, FRAME_LIMIT_REQUEST_BYTES);
    data++;
    size--;
    enum frame_result result = FRAME_NEED_MORE;
    while (size > 0 && result != FRAME_BAD_LENGTH) {
        size_t piece = piece_size < size ? piece_size : size;
        size_t left = piece;
        const uint8_t *at = data, *payload;
        size_t payload_size;
        result = frame_reader_take(&reader, &at, &left, &payload, &payload_size);
        REQUIRE(at == data + (piece - left));
        REQUIRE(result != FRAME_NEED_MORE || left == 0);
        if (result == FRAME_READY)
            check_payload(payload, payload_size, mode);
        data += piece - left;
        size -= piece - left;
    }
    frame_reader_free(&reader);
    return 0;
}
