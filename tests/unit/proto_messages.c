/* The golden vectors against our own decoder and encoder. They come from another encoder (generate.py). */
#include <stdbool.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/vector_bytes.h"

struct vector {
    const char *name;
    struct vector_bytes bytes;
    bool from_client;
    const char *reason; /* NULL: sound */
    const char *field;
    uint32_t id;
};

static const struct vector vectors[] = {
#include "proto_messages.inc"
};

static void check_refused(const struct vector *vector, const struct bytes *payload)
{
    struct arena arena;
    struct decode_error error;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    assert_null(decode_envelope(&arena, payload->data, payload->size, DECODE_STRICT, &error));
    assert_string_equal(error.reason, vector->reason);
    assert_string_equal(error.field, vector->field);
    assert_int_equal(error.id, vector->id);
    arena_free(&arena);
}

/* Decoded and encoded again it has to be what the other encoder made. */
static void check_sound(const struct vector *vector, const struct bytes *payload)
{
    struct arena arena;
    struct decode_error error;
    struct frame_buffer buffer = {0};
    enum decode_mode mode = vector->from_client ? DECODE_STRICT : DECODE_LENIENT;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    const PB(Envelope) *envelope = decode_envelope(&arena, payload->data, payload->size, mode, &error);
    if (envelope == NULL)
        fail_msg("%s: %s", vector->name, error.message);
    assert_true(frame_encode(&buffer, envelope, FRAME_LIMIT_REPLY_BYTES));
    assert_int_equal(buffer.size - FRAME_HEADER_BYTES, payload->size);
    assert_memory_equal(buffer.data + FRAME_HEADER_BYTES, payload->data, payload->size);
    frame_buffer_free(&buffer);
    arena_free(&arena);
}

static void test_vectors(void **state)
{
    (void)state;
    assert_true(sizeof vectors / sizeof vectors[0] >= 40);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *vector = &vectors[i];
        print_message("%s\n", vector->name);
        struct bytes payload = vector_bytes_get(&vector->bytes);
        if (vector->reason != NULL)
            check_refused(vector, &payload);
        else
            check_sound(vector, &payload);
        bytes_free(&payload);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
