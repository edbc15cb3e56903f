/* --before-freeze and --after-thaw: commands that run while the job stands still before the freeze, and when
 * it is over.
 *
 * Both are given to the command processor as they are: cmd /d /s /c "CMD". They read no standard input, and
 * what they print goes to standard error. */
#ifndef SHADOWPIPE_CLIENT_CLI_HOOKS_H
#define SHADOWPIPE_CLIENT_CLI_HOOKS_H

#include "client/cli/command.h"
#include "client/cli/thaw.h"

struct hooks {
    struct session *session;
    const PB(SnapshotReply) * reply; /* NULL until there is one */
    struct thaw thaw;
    struct sp_error *failure; /* of --before-freeze */
};

/* For struct holding; the context is a struct hooks. */
bool hooks_hold(void *context, const struct sp_hold *hold);
/* A command that failed is complained about, and noted in the session. */
void hooks_thaw(void *context, bool created);

/* Why the request failed: takes the service's reason over and gives the command's, if it has one. */
struct sp_error *hooks_explain(struct hooks *hooks, struct sp_error *error);

#endif
