/* What the commands share: the connection, and how results and failures get out. */
#ifndef SHADOWPIPE_CLIENT_CLI_COMMAND_H
#define SHADOWPIPE_CLIENT_CLI_COMMAND_H

#include "client/cli/args.h"
#include "client/cli/connection.h"
#include "client/cli/outcome.h"
#include "client/cli/text.h"
#include "client/lib/message.h"

struct session {
    const struct arguments *arguments;
    struct sp_client *client;
    struct sp_cancel *cancel;
    uint64_t deadline; /* of --timeout, a GetTickCount64 value; UINT64_MAX without */
    bool answered;     /* a JSON value is out already */
    struct connection connection;
    bool thaw_failed; /* the command of --after-thaw: what went well otherwise is no success */
};

/* Each connects by itself and returns the exit code, `run` that of its program. */
enum outcome command_status(struct session *session);
enum outcome command_list(struct session *session);
enum outcome command_watch(struct session *session);
enum outcome command_snapshot(struct session *session);
enum outcome command_attach(struct session *session);
enum outcome command_check(struct session *session);
enum outcome command_stored(struct session *session); /* list */
enum outcome command_delete(struct session *session);
enum outcome command_expose(struct session *session);
enum outcome command_unexpose(struct session *session);
enum outcome command_break(struct session *session);
enum outcome command_import(struct session *session);
enum outcome command_revert(struct session *session);
enum outcome command_leases(struct session *session);
enum outcome command_renew(struct session *session);
enum outcome command_finish(struct session *session);
int command_run(struct session *session);
enum outcome command_session(struct session *session);
int command_restore(struct session *session);

/* Connects within what --timeout leaves; a failure is reported. */
bool session_connect(struct session *session, enum outcome *outcome);
/* Is what was taken on the connection still there? Shows what has happened to it. */
bool session_is_whole(struct session *session);
/* What --timeout leaves, at least 1; 0 without --timeout. */
uint32_t session_time_left(const struct session *session);

/* Prints the result: `text` or, with --json, `json`. */
enum outcome session_answer(struct session *session, const struct text *text, const struct text *json);

/* The same with a reply as the JSON. */
enum outcome session_answer_message(struct session *session, const struct text *text,
                                    const ProtobufCMessage *reply);
/* The same, and frees the text and the message that the reply is in. */
enum outcome session_answer_reply(struct session *session, struct text *text, struct message *message,
                                  const ProtobufCMessage *reply);

/* Sends a request and shows the progress until its reply comes, within what --timeout leaves. NULL: the
 * failure is reported, and in *outcome. */
struct message *session_call(struct session *session, const PB(Envelope) * request,
                             PB(Envelope__BodyCase) expected, enum outcome *outcome);

/* The same with `also` for all that comes before the reply. NULL with *error. */
struct message *session_ask(struct session *session, const PB(Envelope) * request,
                            PB(Envelope__BodyCase) expected, message_handler *also, void *context,
                            struct sp_error **error);

/* For what cannot be undone: true with --yes, or when the person at the terminal says so. Without a
 * question it is only seen whether somebody could be asked. False: it is reported, and in *outcome. */
bool session_confirm(struct session *session, const char *question, enum outcome *outcome);

/* Prints a failure, as JSON too when that is wanted and nothing was answered, and frees it. */
enum outcome session_fail(struct session *session, struct sp_error *error);
/* The failure as {"error":{…}}. */
void error_to_json(struct text *json, const struct sp_error *error);

#endif
