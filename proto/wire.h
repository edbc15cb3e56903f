/* Short names for the generated types.
 *
 * protobuf-c spells shadowpipe.v1.Envelope as Shadowpipe__V1__Envelope; PB(Envelope) says the same.
 * An enum value such as PHASE_HELD of enum Phase is PB_VALUE(PHASE, PHASE_HELD). The case of a oneof has one
 * underscore less: PB_BODY(HELLO); "not set" is PB_BODY(_NOT_SET). */
#ifndef SHADOWPIPE_PROTO_WIRE_H
#define SHADOWPIPE_PROTO_WIRE_H

#include "shadowpipe.pb-c.h"

#define PB(type)                     Shadowpipe__V1__##type
#define PB_VALUE(enumeration, value) SHADOWPIPE__V1__##enumeration##__##value

#define PB_CODE(value)   PB_VALUE(CODE, CODE_##value)
#define PB_PHASE(value)  PB_VALUE(PHASE, PHASE_##value)
#define PB_BODY(value)   SHADOWPIPE__V1__ENVELOPE__BODY_##value
#define PB_METHOD(value) SHADOWPIPE__V1__CALL__METHOD_##value
#define PB_OUT(value)    SHADOWPIPE__V1__CALL_REPLY__OUT_##value

/* Printf-like, with C99's formats also where the system's own printf lacks them (mingw). */
#if defined(__MINGW32__) && !defined(__clang__)
#define PRINTF_LIKE(at, first) __attribute__((format(gnu_printf, at, first)))
#else
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#endif

enum {
    PROTOCOL_MAJOR = 1,
    PROTOCOL_MINOR = 0
};

#endif
