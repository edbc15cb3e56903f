/* Building struct sp_error: from a Status of the service, from a Win32 error, or from words.
 *
 * Each error is one block of memory, its strings in an arena beside it. Where there is not even memory for an
 * error, a constant one is given, which sp_error_free leaves alone. */
#ifndef SHADOWPIPE_CLIENT_LIB_ERROR_H
#define SHADOWPIPE_CLIENT_LIB_ERROR_H

#include <stdio.h>

#include "client/lib/shadowpipe.h"
#include "proto/decode.h"

/* `format` and its arguments are the message; `advice` may be "". Never NULL. */
struct sp_error *error_create(enum sp_code code, const char *reason, const char *advice, const char *format,
                              ...) __attribute__((format(__MINGW_PRINTF_FORMAT, 4, 5)));

/* `doing` is what was attempted: "open the pipe". */
struct sp_error *error_from_win32(uint32_t win32, const char *function, const char *doing);
struct sp_error *error_from_status(const PB(Status) * status);
struct sp_error *error_no_memory(void);
struct sp_error *error_copy(const struct sp_error *error);

/* Hands `made` to the caller of the library, who may not want it. */
void error_give(struct sp_error **error, struct sp_error *made);

/* Copies a WriterStatus; false without memory. */
bool writer_convert(struct arena *arena, const PB(WriterStatus) * status, struct sp_writer *writer);

/* The name of an enum value without the prefix, "" for 0 and for unknown ones: phase_name(PHASE_HELD) =
 * "HELD". */
const char *phase_name(PB(Phase) phase);
/* The other way; PHASE_UNSPECIFIED where there is none. */
PB(Phase) phase_by_name(const char *name);
const char *waiting_for_name(PB(WaitingFor) waiting_for);

/* "" for NULL. */
const char *text_or_empty(const char *text);

#endif
