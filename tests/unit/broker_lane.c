/* Calls of step sessions that change snapshots that exist take turns with each other, and with the requests
 * that do. */
#include <string.h>

#include "tests/unit/existing.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const char other_sid[] = "S-1-5-21-1-2-3-1002";

struct client {
    struct peer *peer;
    const char *session;
};

static struct client open_client(struct world *world, const char *sid)
{
    struct client client = {.peer = client_connect(world, sid, ALL_RIGHTS)};
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    open.mode = PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &open);
    uint32_t id = client_send(world, client.peer, &envelope);
    world_run(world);
    assert_int_equal(client_final(client.peer, id)->body_case, PB_BODY(OPEN_SESSION_REPLY));
    client.session = client_final(client.peer, id)->open_session_reply->session_id;
    return client;
}

static uint32_t send(struct world *world, const struct client *client, PB(Call) * call, uint32_t timeout_ms)
{
    PB(Envelope) envelope = ENVELOPE_OF(CALL, call, call);
    call->session_id = TEXT(client->session);
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, client->peer, &envelope);
    world_run(world);
    return id;
}

static uint32_t delete_for(struct world *world, const struct client *client, const char *snapshot,
                           uint32_t timeout_ms)
{
    PB(DeleteSnapshotsCall) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS_CALL__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    deletion.object_id = TEXT(snapshot);
    deletion.object_type = 3;
    call.method_case = PB_METHOD(DELETE_SNAPSHOTS);
    call.delete_snapshots = &deletion;
    return send(world, client, &call, timeout_ms);
}

static uint32_t ask_id(struct world *world, const struct client *client)
{
    PB(GetSessionId) nothing = SHADOWPIPE__V1__GET_SESSION_ID__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    call.method_case = PB_METHOD(GET_SESSION_ID);
    call.get_session_id = &nothing;
    return send(world, client, &call, 0);
}

static bool is_made(const struct client *client, uint32_t id)
{
    const PB(Envelope) *reply = client_final(client->peer, id);
    return reply != NULL && reply->body_case == PB_BODY(CALL_REPLY) && reply->call_reply->hresult == 0;
}

/* Three snapshots, two clients, and the first deletion hangs. */
struct scene {
    struct world *world;
    struct existing existing;
    struct client one;
    struct client other;
    uint32_t first;
};

static void begin(struct scene *scene)
{
    scene->world = world_new();
    existing_begin(scene->world, &scene->existing);
    existing_add(&scene->existing, SNAPSHOT_ID(03), SET_ID(03), VOLUME_C, 3000);
    existing_add(&scene->existing, SNAPSHOT_ID(02), SET_ID(02), VOLUME_C, 2000);
    existing_add(&scene->existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    scene->one = open_client(scene->world, NULL);
    scene->other = open_client(scene->world, other_sid);
    world_rule(scene->world, PB_METHOD(DELETE_SNAPSHOTS), 1, ACT_HANG, 0);
    scene->first = delete_for(scene->world, &scene->one, SNAPSHOT_ID(01), 0);
    assert_null(client_final(scene->one.peer, scene->first));
}

static unsigned deletions(const struct scene *scene)
{
    return world_calls(scene->world, PB_METHOD(DELETE_SNAPSHOTS));
}

static void resume(struct scene *scene)
{
    requester_resume(scene->world, world_hanging(scene->world, PB_METHOD(DELETE_SNAPSHOTS)));
    world_run(scene->world);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    uint32_t second = delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 0);
    uint32_t behind = ask_id(scene.world, &scene.other);
    assert_int_equal(deletions(&scene), 1);
    assert_null(client_final(scene.other.peer, behind)); /* calls keep their order */
    resume(&scene);
    assert_true(is_made(&scene.one, scene.first) && is_made(&scene.other, second));
    assert_true(is_made(&scene.other, behind));
    assert_int_equal(deletions(&scene), 2);
    assert_int_equal(scene.existing.count, 1);
    world_end(scene.world);
}

static void test_with_requests(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    PB(DeleteSnapshots) wish = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    wish.volume = TEXT("C:");
    PB(Envelope) envelope = ENVELOPE_OF(DELETE_SNAPSHOTS, delete_snapshots, &wish);
    uint32_t request = client_send(scene.world, scene.other.peer, &envelope);
    world_run(scene.world);
    assert_null(client_final(scene.other.peer, request));
    assert_int_equal(deletions(&scene), 1);
    world_rule(scene.world, PB_METHOD(DELETE_SNAPSHOTS), 1, ACT_HANG, 0);
    resume(&scene);
    assert_true(is_made(&scene.one, scene.first));
    /* And the other way round. */
    uint32_t next = delete_for(scene.world, &scene.one, SNAPSHOT_ID(03), 0);
    assert_null(client_final(scene.one.peer, next));
    resume(&scene);
    assert_int_equal(client_final(scene.other.peer, request)->delete_reply->n_deleted, 2);
    const PB(Envelope) *reply = client_final(scene.one.peer, next);
    assert_int_equal(reply->call_reply->hresult, 0x80042308u); /* gone already */
    world_end(scene.world);
}

static void test_stopped_while_waiting(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    uint32_t second = delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 0);
    uint32_t behind = ask_id(scene.world, &scene.other);
    client_cancel(scene.world, scene.other.peer, second);
    world_run(scene.world);
    assert_string_equal(client_status(scene.other.peer, second)->reason, "CANCELLED");
    assert_true(is_made(&scene.other, behind)); /* it needs no turn */
    second = delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 1000);
    world_advance(scene.world, 1001);
    assert_string_equal(client_status(scene.other.peer, second)->reason, "DEADLINE");
    assert_int_equal(deletions(&scene), 1);
    /* A session that goes leaves its place. */
    (void)delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 0);
    peer_close(scene.world, scene.other.peer);
    world_run(scene.world);
    struct client third = open_client(scene.world, other_sid);
    uint32_t last = delete_for(scene.world, &third, SNAPSHOT_ID(03), 0);
    resume(&scene);
    assert_true(is_made(&third, last));
    assert_int_equal(deletions(&scene), 2);
    world_end(scene.world);
}

/* The lane is free again once the call has ended, whatever has become of who made it. */
static void test_holder_goes(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    uint32_t second = delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 0);
    peer_close(scene.world, scene.one.peer);
    world_run(scene.world);
    assert_null(client_final(scene.other.peer, second)); /* VSS still works on it */
    resume(&scene);
    assert_true(is_made(&scene.other, second));
    world_end(scene.world);

    begin(&scene);
    second = delete_for(scene.world, &scene.other, SNAPSHOT_ID(02), 0);
    requester_die(scene.world, world_hanging(scene.world, PB_METHOD(DELETE_SNAPSHOTS)), 3);
    world_run(scene.world);
    assert_string_equal(client_status(scene.one.peer, scene.first)->reason, "REQUESTER_DIED");
    assert_true(is_made(&scene.other, second));
    world_end(scene.world);
}

/* Not only deletions. */
static void test_all_changes(void **state)
{
    (void)state;
    static const PB(Call__MethodCase) methods[] = {
        PB_METHOD(IMPORT_SNAPSHOTS), PB_METHOD(BREAK_SNAPSHOT_SET), PB_METHOD(BREAK_SNAPSHOT_SET_EX),
        PB_METHOD(EXPOSE_SNAPSHOT),  PB_METHOD(UNEXPOSE_SNAPSHOT),  PB_METHOD(REVERT_TO_SNAPSHOT)};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct scene scene;
        begin(&scene);
        uint8_t parameters[256];
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)methods[i]);
        assert_true(((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message <=
                    sizeof parameters);
        protobuf_c_message_init(field->descriptor, parameters);
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        call.method_case = methods[i];
        call.create_object = (PB(CreateObject) *)(void *)parameters;
        uint32_t id = send(scene.world, &scene.other, &call, 0);
        assert_null(client_final(scene.other.peer, id));
        assert_int_equal(world_calls(scene.world, methods[i]), 0);
        resume(&scene);
        assert_true(is_made(&scene.other, id));
        world_end(scene.world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time),         cmocka_unit_test(test_with_requests),
        cmocka_unit_test(test_stopped_while_waiting), cmocka_unit_test(test_holder_goes),
        cmocka_unit_test(test_all_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
