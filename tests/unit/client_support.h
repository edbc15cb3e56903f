/* What the tests of the client library share: one fake server, one error, and a connection to a scene. */
#ifndef SHADOWPIPE_TESTS_CLIENT_SUPPORT_H
#define SHADOWPIPE_TESTS_CLIENT_SUPPORT_H

#include "client/lib/shadowpipe.h"
#include "tests/unit/client_fake_server.h"

enum {
    LIMIT_MS = 60000
};

extern struct fake_server server;
extern struct sp_error *error;

struct sp_client *connect_to(const char *pipe, uint32_t timeout_ms);
/* Starts the scene, and must get through its greeting. */
struct sp_client *connect_to_scene(void (*scene)(struct fake_server *server));
/* Of C:, which fills `request` in. */
struct sp_snapshot *take_snapshot(struct sp_client *client, struct sp_snapshot_request *request);

/* Looks at `error` and frees it. */
void expect_error(enum sp_code code, const char *reason);
/* Closes, waits for the scene's end, and wants no error left. */
void end(struct sp_client *client);

#endif
