/* The request that the options of snapshot, run and check make. Pure translation, also of the values that are
 * more than a word:
 *
 *   --component WRITER:PATH\NAME     WRITER up to the first ':', NAME behind the last '\'; without a '\' the
 *                                    logical path is empty. A '\' at the start is passed over; one that
 * belongs to a name is written twice.
 *   --previous-stamp COMPONENT=STAMP COMPONENT as one of --component has it, to the letter
 *   --phase-timeout PHASE=TIME       PHASE in lower case with dashes: waiting-for-gate */
#ifndef SHADOWPIPE_CLIENT_CLI_REQUEST_H
#define SHADOWPIPE_CLIENT_CLI_REQUEST_H

#include "client/cli/args.h"
#include "proto/decode.h"

/* In the arena, with strings of the arguments. NULL: `problem` says what is wrong with a value. */
PB(CreateSnapshot) *
    request_make(const struct arguments *arguments, struct arena *arena, struct text *problem);

/* A value of --component, in the arena. NULL: `problem` says what is wrong with it. */
PB(ComponentSelection) * request_component(const char *value, struct arena *arena, struct text *problem);

/* The context that --context, --persistent and --no-writers ask for together. */
PB(Context) request_context(const struct arguments *arguments);

#endif
