#include "tests/unit/client_support.h"

#include <string.h>

#include "tests/unit/cmocka_all.h"

struct fake_server server;
struct sp_error *error;

struct sp_client *connect_to(const char *pipe, uint32_t timeout_ms)
{
    struct sp_connect_options options = {.pipe = pipe, .client_name = "test", .timeout_ms = timeout_ms};
    return sp_connect(&options, &error);
}

struct sp_client *connect_to_scene(void (*scene)(struct fake_server *server))
{
    fake_server_start(&server, scene);
    struct sp_client *client = connect_to(server.pipe, LIMIT_MS);
    if (!client)
        fail_msg("cannot connect: %s", error->message);
    return client;
}

void expect_error(enum sp_code code, const char *reason)
{
    assert_non_null(error);
    assert_string_equal(error->reason, reason);
    assert_int_equal(error->code, code);
    assert_true(strlen(error->message) > 0);
    sp_error_free(error);
    error = NULL;
}

struct sp_snapshot *take_snapshot(struct sp_client *client, struct sp_snapshot_request *request)
{
    static const char *const volumes[] = {"C:"};
    request->volumes = volumes;
    request->volumes_count = 1;
    return sp_create_snapshot(client, request, &error);
}

void end(struct sp_client *client)
{
    sp_close(client);
    fake_server_stop(&server);
    assert_null(error);
}
