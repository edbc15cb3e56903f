#include "tests/unit/proto_bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
}

void bytes_raw(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = (bytes->size + size) * 2;
        uint8_t *grown = realloc(bytes->data, bytes->capacity);
        if (grown == NULL)
            abort();
        bytes->data = grown;
    }
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

void bytes_varint(struct bytes *bytes, uint64_t value)
{
    uint8_t encoded[10];
    size_t size = 0;
    do {
        encoded[size] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80u : 0));
        size++;
        value >>= 7;
    } while (value > 0);
    bytes_raw(bytes, encoded, size);
}

void bytes_tag(struct bytes *bytes, uint32_t number, unsigned wire_type)
{
    bytes_varint(bytes, (uint64_t)number << 3 | wire_type);
}

void bytes_number(struct bytes *bytes, uint32_t number, uint64_t value)
{
    bytes_tag(bytes, number, 0);
    bytes_varint(bytes, value);
}

void bytes_fixed32(struct bytes *bytes, uint32_t number, uint32_t value)
{
    uint8_t encoded[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                          (uint8_t)(value >> 24)};
    bytes_tag(bytes, number, 5);
    bytes_raw(bytes, encoded, sizeof encoded);
}

void bytes_data(struct bytes *bytes, uint32_t number, const void *data, size_t size)
{
    bytes_tag(bytes, number, 2);
    bytes_varint(bytes, size);
    bytes_raw(bytes, data, size);
}

void bytes_text(struct bytes *bytes, uint32_t number, const char *text)
{
    bytes_data(bytes, number, text, strlen(text));
}

void bytes_message(struct bytes *bytes, uint32_t number, struct bytes *content)
{
    bytes_data(bytes, number, content->data, content->size);
    bytes_free(content);
}
