/* What the commands share: the connection, and how results and failures get out. */
#ifndef SHADOWPIPE_CLIENT_CLI_COMMAND_H
#define SHADOWPIPE_CLIENT_CLI_COMMAND_H

#include "client/cli/args.h"
#include "client/cli/outcome.h"
#include "client/cli/text.h"
#include "client/lib/message.h"

struct session {
    const struct arguments *arguments;
    struct sp_client *client;
    struct sp_cancel *cancel;
    uint64_t deadline; /* of --timeout, a GetTickCount64 value; UINT64_MAX without */
    bool answered;     /* a JSON value is out already */
};

/* Each connects by itself and returns the exit code, `run` that of its program. */
enum outcome command_status(struct session *session);
enum outcome command_list(struct session *session);
enum outcome command_watch(struct session *session);
enum outcome command_snapshot(struct session *session);
int command_run(struct session *session);
enum outcome command_session(struct session *session);

/* Connects within what --timeout leaves; a failure is reported. */
bool session_connect(struct session *session, enum outcome *outcome);
/* What --timeout leaves, at least 1; 0 without --timeout. */
uint32_t session_time_left(const struct session *session);

/* Prints the result: `text` or, with --json, `json`. */
enum outcome session_answer(struct session *session, const struct text *text, const struct text *json);

/* Prints a failure, as JSON too when that is wanted and nothing was answered, and frees it. */
enum outcome session_fail(struct session *session, struct sp_error *error);
/* The failure as {"error":{…}}. */
void error_to_json(struct text *json, const struct sp_error *error);

#endif
