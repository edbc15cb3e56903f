#include <stdio.h>

#include "service/broker/state.h"

enum {
    GUID_BYTES = 16
};

void make_guid(struct broker *broker, char guid[GUID_CHARS])
{
    uint8_t b[GUID_BYTES];
    broker->host.random_bytes(broker->host.context, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4: random */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(guid, GUID_CHARS, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

void make_token(struct broker *broker, char token[TOKEN_CHARS])
{
    uint8_t bytes[(TOKEN_CHARS - 1) / 2];
    broker->host.random_bytes(broker->host.context, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

uint32_t random_below(struct broker *broker, uint32_t limit)
{
    uint8_t b[4];
    broker->host.random_bytes(broker->host.context, b, sizeof b);
    uint32_t value = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return limit > 0 ? value % limit : 0;
}
