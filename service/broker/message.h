/* Messages and texts in arenas.
 *
 * All return NULL when the arena has no more memory; a message that could not be built is answered as
 * RESOURCE_EXHAUSTED where it would have been sent (request.h). */
#ifndef SHADOWPIPE_BROKER_MESSAGE_H
#define SHADOWPIPE_BROKER_MESSAGE_H

#include <stdbool.h>

#include "proto/decode.h"
#include "proto/wire.h"

void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor);
/* A new message by its snake-case name. */
#define MESSAGE_NEW(arena, name) message_new((arena), &shadowpipe__v1__##name##__descriptor)

/* A deep copy. */
void *message_copy(struct arena *arena, const ProtobufCMessage *message);
#define MESSAGE_COPY(arena, message) message_copy((arena), &(message)->base)

char *text_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Text that nobody writes to, in a generated struct's char pointer. */
static inline char *text_constant(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Like strcmp == 0, in ASCII without regard to case. */
bool text_equal(const char *one, const char *other);

#endif
