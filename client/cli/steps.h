/* A step session of the service: one VSS object that this program drives call by call. What came back is kept
 * until the end. */
#ifndef SHADOWPIPE_CLIENT_CLI_STEPS_H
#define SHADOWPIPE_CLIENT_CLI_STEPS_H

#include "client/cli/command.h"

struct steps {
    struct session *session;
    const char *id; /* NULL: not open */
    struct message *kept;
    bool owed; /* what has to be done whatever --timeout and Ctrl-C say */
};

bool steps_open(struct steps *steps, PB(SessionMode) mode, const char *purpose, struct sp_error **error);
/* The object is released, and all that came is freed. False: the service could not do it. */
bool steps_close(struct steps *steps, struct sp_error **error);

/* Makes a call; `parameters` is the message of the method. A method that failed, and an operation that did
 * not finish, are errors. */
const PB(CallReply) * steps_call(struct steps *steps, PB(Call__MethodCase) method, const void *parameters,
                                 struct sp_error **error);

/* Methods without parameters: STEPS_PLAIN(steps, PRE_RESTORE, error). They have the same empty message. */
#define STEPS_PLAIN(steps, method, error) \
    steps_call(steps, PB_METHOD(method),  \
               &(PB(GatherWriterStatus))SHADOWPIPE__V1__GATHER_WRITER_STATUS__INIT, error)

#endif
