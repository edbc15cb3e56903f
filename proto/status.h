/* What each VSS code means: name, google.rpc code, whether to retry, and what a person can do.
 *
 * One table holds every code that vsserror.h defines and the generic ones that VSS methods return.
 * It is the only place where a HRESULT is translated. */
#ifndef SHADOWPIPE_PROTO_STATUS_H
#define SHADOWPIPE_PROTO_STATUS_H

#include <stdint.h>

#include "proto/decode.h"
#include "proto/wire.h"

struct vss_code {
    uint32_t hresult;
    const char *name; /* "VSS_E_BAD_STATE" */
    PB(Code) code;    /* for a Status that carries it */
    PB(Retry) retry;
    uint32_t retry_after_ms;
    const char *meaning; /* an English clause without full stop */
    const char *advice;  /* one sentence; "" where there is none */
};

/* NULL for a code that is not in the table. */
const struct vss_code *vss_code_find(uint32_t hresult);
/* All of them, for tests and documents. */
const struct vss_code *vss_code_table(size_t *count);

/* "VSS_E_BAD_STATE", or "0x8004…" in `scratch` for a code that is not in the table. */
const char *vss_code_name(uint32_t hresult, char scratch[11]);

/* A Status in the arena with code, hresult, name, retry, retry_after_ms, retryable, message ("METHOD
 * failed: meaning") and advice filled from the table; an unknown code becomes CODE_UNKNOWN, no retry.
 * NULL without memory. */
PB(Status) * status_from_hresult(struct arena *arena, const char *method, uint32_t hresult);

/* A Status with the given code, reason and printf-like message; strings are copied into the arena. */
PB(Status) * status_make(struct arena *arena, PB(Code) code, const char *reason, const char *format, ...)
                 PRINTF_LIKE(4, 5);

/* "STABLE", "FAILED_AT_FREEZE" … for a raw VSS_WRITER_STATE; "UNKNOWN" for others. */
const char *writer_state_name(uint32_t state_value);

#endif
