/* `call METHOD KEY=VALUE …`: any method of the oneof in Call, with its parameters, by the descriptors of the
 * schema. So what the schema has can be called, without a table here.
 *
 * Names are taken with and without capitals and underscores: SetBackupState, set_backup_state. A key may
 * lead into a message: component.writer_id. A repeated field's key is given once for each element. wait_ms is
 * that of Call itself. */
#ifndef SHADOWPIPE_CLIENT_CLI_CALL_TEXT_H
#define SHADOWPIPE_CLIENT_CLI_CALL_TEXT_H

#include "client/cli/text.h"
#include "proto/wire.h"

/* `words[0]` is the method. `call` was initialised; afterwards call_text_free frees what it holds, in any
 * case. False: `problem` says what is wrong. */
bool call_text_parse(char *const *words, size_t count, PB(Call) * call, struct text *problem);
void call_text_free(PB(Call) * call);

/* "SetBackupState"; "" for none. */
void call_text_method(const PB(Call) * call, struct text *name);
/* All methods with their parameters, a line each; only those of `method` if it is not NULL. False: there is
 * none of that name. */
bool call_text_list(const char *method, struct text *text);

#endif
