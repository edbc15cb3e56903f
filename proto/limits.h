/* How much a request may hold, field by field: elements of a repeated field, bytes of a string or of bytes.
 *
 * The bounds are wider than what the service accepts in the end wherever it has a better answer of its own
 * (65 volumes are refused by name, not here). Used by the decoder only. */
#ifndef SHADOWPIPE_PROTO_LIMITS_H
#define SHADOWPIPE_PROTO_LIMITS_H

#include <stdint.h>

#include "proto/wire.h"

struct limits {
    uint32_t elements;
    uint32_t bytes;
};

/* Never NULL: fields without a bound of their own have the general one. */
const struct limits *limits_of(const ProtobufCMessageDescriptor *message,
                               const ProtobufCFieldDescriptor *field);

#endif
