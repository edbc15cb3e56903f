#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/failing_malloc.h"

/* Three frames: one byte, 300 bytes, 9000 bytes (more than the first buffer). */
enum {
    FRAMES = 3,
    STREAM_BYTES = 3 * FRAME_HEADER_BYTES + 1 + 300 + 9000
};
static const size_t lengths[FRAMES] = {1, 300, 9000};
static uint8_t stream[STREAM_BYTES];

static void put_header(uint8_t *at, uint32_t length)
{
    at[0] = (uint8_t)(length >> 24);
    at[1] = (uint8_t)(length >> 16);
    at[2] = (uint8_t)(length >> 8);
    at[3] = (uint8_t)length;
}

static int make_stream(void **state)
{
    (void)state;
    uint8_t *at = stream;
    for (size_t i = 0; i < FRAMES; i++) {
        put_header(at, (uint32_t)lengths[i]);
        at += FRAME_HEADER_BYTES;
        for (size_t j = 0; j < lengths[i]; j++)
            *at++ = (uint8_t)(i * 101 + j * 7);
    }
    return 0;
}

/* Feeds a piece and checks every frame that comes out against the stream. */
static void feed(struct frame_reader *reader, const uint8_t *data, size_t size, size_t *frames,
                 size_t *offset)
{
    const uint8_t *payload = NULL;
    size_t payload_size = 0;
    while (size > 0) {
        enum frame_result result = frame_reader_take(reader, &data, &size, &payload, &payload_size);
        if (result == FRAME_NEED_MORE) {
            assert_int_equal(size, 0);
            assert_null(payload);
            return;
        }
        assert_int_equal(result, FRAME_READY);
        if (*frames >= FRAMES) {
            fail_msg("a frame too many");
            return;
        }
        assert_int_equal(payload_size, lengths[*frames]);
        assert_memory_equal(payload, stream + *offset + FRAME_HEADER_BYTES, payload_size);
        *offset += FRAME_HEADER_BYTES + payload_size;
        ++*frames;
    }
}

static void test_split_at_every_offset(void **state)
{
    (void)state;
    for (size_t split = 0; split <= STREAM_BYTES; split++) {
        struct frame_reader reader;
        size_t frames = 0, offset = 0;
        frame_reader_init(&reader, FRAME_LIMIT_REQUEST_BYTES);
        /* copies of exact size, so that the sanitizer sees a read past either piece */
        uint8_t *first = malloc(split + 1), *second = malloc(STREAM_BYTES - split + 1);
        assert_non_null(first);
        assert_non_null(second);
        memcpy(first, stream, split);
        memcpy(second, stream + split, STREAM_BYTES - split);
        feed(&reader, first, split, &frames, &offset);
        feed(&reader, second, STREAM_BYTES - split, &frames, &offset);
        free(first);
        free(second);
        assert_int_equal(frames, FRAMES);
        frame_reader_free(&reader);
    }
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct frame_reader reader;
    size_t frames = 0, offset = 0;
    frame_reader_init(&reader, FRAME_LIMIT_REQUEST_BYTES);
    for (size_t i = 0; i < STREAM_BYTES; i++)
        feed(&reader, stream + i, 1, &frames, &offset);
    assert_int_equal(frames, FRAMES);
    frame_reader_free(&reader);
}

static void test_no_bytes(void **state)
{
    (void)state;
    struct frame_reader reader;
    const uint8_t *data = stream, *payload;
    size_t size = 0, payload_size;
    frame_reader_init(&reader, 100);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_NEED_MORE);
    data = NULL;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_NEED_MORE);
    frame_reader_free(&reader);
}

static void expect_bad(uint32_t limit, const uint8_t header[FRAME_HEADER_BYTES])
{
    struct frame_reader reader;
    const uint8_t *data = header, *payload;
    size_t size = FRAME_HEADER_BYTES, payload_size;
    frame_reader_init(&reader, limit);
    allocations_counted = 0;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_BAD_LENGTH);
    assert_int_equal(allocations_counted, 0);
    /* and nothing more comes, whatever follows */
    data = stream;
    size = STREAM_BYTES;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_BAD_LENGTH);
    reader.limit_bytes = UINT32_MAX;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_BAD_LENGTH);
    assert_null(payload);
    frame_reader_free(&reader);
}

static void test_bad_lengths(void **state)
{
    (void)state;
    static const uint32_t bad[] = {
        0, FRAME_LIMIT_HELLO_BYTES + 1, FRAME_LIMIT_REQUEST_BYTES, 0x7fffffff, 0x80000000, 0xffffffff};
    uint8_t header[FRAME_HEADER_BYTES];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_header(header, bad[i]);
        expect_bad(FRAME_LIMIT_HELLO_BYTES, header);
    }
    expect_bad(FRAME_LIMIT_REPLY_BYTES, (const uint8_t *)"GET ");
    expect_bad(FRAME_LIMIT_REPLY_BYTES, (const uint8_t *)"\x16\x03\x01\x02"); /* TLS */
    expect_bad(FRAME_LIMIT_REPLY_BYTES, (const uint8_t *)"\x01\x00\x00\x00"); /* little-endian 1 */
}

static void test_exactly_the_limit(void **state)
{
    (void)state;
    struct frame_reader reader;
    uint8_t *frame = calloc(1, FRAME_HEADER_BYTES + FRAME_LIMIT_HELLO_BYTES);
    assert_non_null(frame);
    put_header(frame, FRAME_LIMIT_HELLO_BYTES);
    const uint8_t *data = frame, *payload;
    size_t size = FRAME_HEADER_BYTES + FRAME_LIMIT_HELLO_BYTES, payload_size;
    frame_reader_init(&reader, FRAME_LIMIT_HELLO_BYTES);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_READY);
    assert_int_equal(payload_size, FRAME_LIMIT_HELLO_BYTES);
    free(frame);
    frame_reader_free(&reader);
}

/* The limit grows after Hello, with the next frame's header perhaps in the same read. */
static void test_limit_changes_between_frames(void **state)
{
    (void)state;
    struct frame_reader reader;
    const uint8_t *data = stream, *payload;
    size_t size = STREAM_BYTES, payload_size;
    frame_reader_init(&reader, 1);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_READY);
    reader.limit_bytes = 300;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_READY);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_BAD_LENGTH);
    frame_reader_free(&reader);
}

/* A peer that announces much and sends little costs little. */
static void test_memory_follows_the_bytes(void **state)
{
    (void)state;
    struct frame_reader reader;
    uint8_t frame[FRAME_HEADER_BYTES + 10] = {0};
    put_header(frame, FRAME_LIMIT_REPLY_BYTES);
    const uint8_t *data = frame, *payload;
    size_t size = sizeof frame, payload_size;
    frame_reader_init(&reader, FRAME_LIMIT_REPLY_BYTES);
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_NEED_MORE);
    assert_true(reader.capacity <= 4096);
    frame_reader_shrink(&reader); /* in the middle of a frame: must keep what is there */
    assert_int_equal(reader.received, sizeof frame);
    assert_non_null(reader.payload);
    frame_reader_free(&reader);
}

static void test_shrink_between_frames(void **state)
{
    (void)state;
    struct frame_reader reader;
    size_t frames = 0, offset = 0;
    frame_reader_init(&reader, FRAME_LIMIT_REQUEST_BYTES);
    frame_reader_shrink(&reader);
    feed(&reader, stream, FRAME_HEADER_BYTES + 1, &frames, &offset);
    assert_non_null(reader.payload);
    frame_reader_shrink(&reader);
    assert_null(reader.payload);
    assert_int_equal(reader.limit_bytes, FRAME_LIMIT_REQUEST_BYTES);
    feed(&reader, stream + FRAME_HEADER_BYTES + 1, STREAM_BYTES - FRAME_HEADER_BYTES - 1, &frames, &offset);
    assert_int_equal(frames, FRAMES);
    frame_reader_free(&reader);
    frame_reader_free(&reader); /* twice does no harm */
}

static void test_reader_without_memory(void **state)
{
    (void)state;
    struct frame_reader reader;
    const uint8_t *data = stream, *payload;
    size_t size = STREAM_BYTES, payload_size;
    frame_reader_init(&reader, FRAME_LIMIT_REQUEST_BYTES);
    allocations_until_failure = 0;
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_NO_MEMORY);
    allocations_until_failure = -1;
    /* nothing was lost: it goes on when there is memory again */
    assert_int_equal(frame_reader_take(&reader, &data, &size, &payload, &payload_size), FRAME_READY);
    assert_int_equal(payload_size, 1);
    frame_reader_free(&reader);
}

static void test_encode(void **state)
{
    (void)state;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    struct frame_buffer buffer = {0};
    assert_false(frame_encode(&buffer, &envelope, FRAME_LIMIT_REPLY_BYTES)); /* length 0 is no frame */

    ping.payload.data = stream;
    ping.payload.len = 300;
    envelope.id = 7;
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &ping;
    assert_true(frame_encode(&buffer, &envelope, FRAME_LIMIT_REPLY_BYTES));
    assert_int_equal(buffer.data[0], 0);
    assert_int_equal(buffer.data[2] << 8 | buffer.data[3], buffer.size - FRAME_HEADER_BYTES);

    const uint8_t *memory = buffer.data;
    ping.payload.len = 10;
    assert_true(frame_encode(&buffer, &envelope, FRAME_LIMIT_REPLY_BYTES));
    assert_ptr_equal(buffer.data, memory); /* a stream of frames allocates nothing */

    assert_false(frame_encode(&buffer, &envelope, 4));
    assert_int_equal(buffer.size, 0);
    frame_buffer_free(&buffer);
    frame_buffer_free(&buffer);

    allocations_until_failure = 0;
    assert_false(frame_encode(&buffer, &envelope, FRAME_LIMIT_REPLY_BYTES));
    allocations_until_failure = -1;
    assert_int_equal(buffer.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_at_every_offset),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_no_bytes),
        cmocka_unit_test(test_bad_lengths),
        cmocka_unit_test(test_exactly_the_limit),
        cmocka_unit_test(test_limit_changes_between_frames),
        cmocka_unit_test(test_memory_follows_the_bytes),
        cmocka_unit_test(test_shrink_between_frames),
        cmocka_unit_test(test_reader_without_memory),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, make_stream, NULL);
}
