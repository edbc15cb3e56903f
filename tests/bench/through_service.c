/* through_service: what a backup program does that asks the service, from its start to its end; see direct.c.
 *
 *     through_service VOLUME
 *
 * The pipe is that of SHADOWPIPE_PIPE. The snapshot is shared with nobody. Exit code 0: a snapshot was made
 * and completed; 1: not, with a line on stderr. */
#include <stdio.h>

#include "client/lib/shadowpipe.h"

static int fail(struct sp_error *error)
{
    fprintf(stderr, "through_service: %s %s\n", error->reason, error->message);
    sp_error_free(error);
    return 1;
}

int main(int count, char **arguments)
{
    struct sp_error *error = NULL;
    if (count != 2) {
        fprintf(stderr, "usage: through_service VOLUME\n");
        return 64;
    }
    struct sp_client *client = sp_connect(NULL, &error);
    if (client == NULL)
        return fail(error);
    const char *volumes[] = {arguments[1]};
    struct sp_snapshot_request request = {
        .volumes = volumes, .volumes_count = 1, .purpose = "benchmark", .no_share = true};
    struct sp_snapshot *snapshot = sp_create_snapshot(client, &request, &error);
    bool done =
        snapshot != NULL && sp_finish(client, snapshot->lease_id, snapshot->token, true, 0, NULL, &error);
    sp_snapshot_free(snapshot);
    sp_close(client);
    return done ? 0 : fail(error);
}
