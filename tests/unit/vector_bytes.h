/* The bytes of a golden vector, as vectors_to_c.py writes them. */
#ifndef SHADOWPIPE_TESTS_VECTOR_BYTES_H
#define SHADOWPIPE_TESTS_VECTOR_BYTES_H

#include <stdlib.h>

#include "tests/unit/proto_bytes.h"

struct vector_bytes {
    const char *hex;
    const char *repeat_hex;
    unsigned repeat_times;
    const char *then_hex;
};

static void vector_append_hex(struct bytes *bytes, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        const char digits[] = {hex[0], hex[1], '\0'};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        bytes_raw(bytes, &byte, 1);
    }
}

static struct bytes vector_bytes_get(const struct vector_bytes *vector)
{
    struct bytes bytes = {0};
    vector_append_hex(&bytes, vector->hex);
    for (unsigned i = 0; i < vector->repeat_times; i++)
        vector_append_hex(&bytes, vector->repeat_hex);
    vector_append_hex(&bytes, vector->then_hex);
    return bytes;
}

#endif
