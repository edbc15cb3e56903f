/* Builds wire bytes by hand, sound ones and others, for the tests of decoding. */
#ifndef SHADOWPIPE_TESTS_PROTO_BYTES_H
#define SHADOWPIPE_TESTS_PROTO_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void bytes_free(struct bytes *bytes);
void bytes_raw(struct bytes *bytes, const void *data, size_t size);
void bytes_varint(struct bytes *bytes, uint64_t value);
void bytes_tag(struct bytes *bytes, uint32_t number, unsigned wire_type);
/* A whole field each. */
void bytes_number(struct bytes *bytes, uint32_t number, uint64_t value);
void bytes_fixed32(struct bytes *bytes, uint32_t number, uint32_t value);
void bytes_data(struct bytes *bytes, uint32_t number, const void *data, size_t size);
void bytes_text(struct bytes *bytes, uint32_t number, const char *text);
/* A submessage; frees `content`. */
void bytes_message(struct bytes *bytes, uint32_t number, struct bytes *content);

#endif
