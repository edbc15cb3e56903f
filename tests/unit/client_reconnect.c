/* A client that holds a lease, when its connection breaks: it comes back and attaches the lease, or says what
 * was lost. */
#include <process.h>
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

/* ---- what the program is told ---- */

static struct {
    char trace[100]; /* "broken lost back" */
    char lost_lease[50];
    HANDLE told[SP_CONNECTION_OVER + 1]; /* by kind */
} program;

static void on_connection(void *context, const struct sp_connection_event *event)
{
    static const char *const names[] = {"", "broken ", "lost ", "back ", "over "};
    (void)context;
    strcat(program.trace, names[event->kind]);
    if (event->kind == SP_CONNECTION_LEASE_LOST)
        strcpy(program.lost_lease, event->lease_id);
    SetEvent(program.told[event->kind]);
}

static void wait_for(enum sp_connection_event_kind kind)
{
    assert_int_equal(WaitForSingleObject(program.told[kind], LIMIT_MS), WAIT_OBJECT_0);
}

/* Takes a snapshot in the scene, which then ends. */
static struct sp_client *hold(void (*scene)(struct fake_server *fake), uint32_t reconnect_ms)
{
    struct sp_snapshot_request request = {0};
    program.trace[0] = 0;
    fake_server_start(&server, scene);
    struct sp_connect_options options = {.pipe = server.pipe,
                                         .no_reconnect = reconnect_ms == 0,
                                         .reconnect_ms = reconnect_ms,
                                         .on_connection = on_connection};
    struct sp_client *client = sp_connect(&options, &error);
    assert_non_null(client);
    struct sp_snapshot *snapshot = take_snapshot(client, &request);
    assert_non_null(snapshot);
    sp_snapshot_free(snapshot);
    return client;
}

/* The service once more, as another process. */
static void restart(void (*scene)(struct fake_server *fake))
{
    server.boot_id = "another boot";
    fake_server_again(&server, scene);
}

static bool finish(struct sp_client *client)
{
    return sp_finish(client, "lease", NULL, true, 0, NULL, &error);
}

static unsigned __stdcall finish_elsewhere(void *client)
{
    return finish(client) ? 1 : 0;
}

static HANDLE start_to_finish(struct sp_client *client)
{
    return (HANDLE)_beginthreadex(NULL, 0, finish_elsewhere, client, 0, NULL);
}

static bool has_finished(HANDLE thread)
{
    DWORD code = 0;
    assert_int_equal(WaitForSingleObject(thread, LIMIT_MS), WAIT_OBJECT_0);
    GetExitCodeThread(thread, &code);
    CloseHandle(thread);
    return code == 1;
}

/* ---- scenes ---- */

static void scene_gives_and_dies(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_snapshot(fake, fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id, "lease");
    FlushFileBuffers(fake->handle);
}

static void scene_dies_under_finish(struct fake_server *fake)
{
    scene_gives_and_dies(fake);
    (void)fake_expect(fake, PB_BODY(FINISH_BACKUP));
}

static void scene_dies_after_greeting(struct fake_server *fake)
{
    fake_greet(fake);
    (void)fake_expect(fake, PB_BODY(ATTACH_LEASE));
}

static uint32_t expect_attach(struct fake_server *fake)
{
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(ATTACH_LEASE));
    bool right = strcmp(request->attach_lease->lease_id, "lease") == 0 &&
                 strcmp(request->attach_lease->token, "secret") == 0;
    uint32_t id = request->id;
    if (!right)
        fake_send_status(fake, id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    return id;
}

static void send_attached(struct fake_server *fake, uint32_t id)
{
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(LeaseReply) lease = SHADOWPIPE__V1__LEASE_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    snapshot.lease_id = "lease";
    snapshot.token = "secret";
    lease.snapshot = &snapshot;
    reply.id = id;
    reply.body_case = PB_BODY(LEASE_REPLY);
    reply.lease_reply = &lease;
    fake_send(fake, &reply);
}

static void finish_well(struct fake_server *fake)
{
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    if (request->finish_backup->outcome == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED))
        fake_send_finish(fake, request->id);
    else
        fake_send_status(fake, request->id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    (void)fake_receive(fake);
}

static void scene_adopts(struct fake_server *fake)
{
    fake_greet(fake);
    send_attached(fake, expect_attach(fake));
    finish_well(fake);
}

static void scene_adopts_late(struct fake_server *fake)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    status.code = PB_CODE(UNAVAILABLE);
    status.reason = "ADOPTION_PENDING";
    status.retry_after_ms = 20;
    reply.body_case = PB_BODY(STATUS);
    reply.status = &status;
    for (int i = 0; i < 2; i++) {
        reply.id = expect_attach(fake);
        fake_send(fake, &reply);
    }
    send_attached(fake, expect_attach(fake));
    finish_well(fake);
}

static void scene_knows_nothing(struct fake_server *fake)
{
    PB(LeasesReply) leases = SHADOWPIPE__V1__LEASES_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    fake_send_status(fake, expect_attach(fake), PB_CODE(NOT_FOUND), "UNKNOWN_LEASE");
    const PB(Envelope) *request = fake_receive(fake);
    if (!request)
        return;
    reply.id = request->id;
    reply.body_case = PB_BODY(LEASES_REPLY);
    reply.leases_reply = &leases;
    fake_send(fake, &reply);
    (void)fake_receive(fake);
}

/* It has not noticed yet that the connection broke, to which the lease is bound. */
static void scene_has_it_still(struct fake_server *fake)
{
    fake_greet(fake);
    send_attached(fake, expect_attach(fake));
    (void)fake_receive(fake);
}

static void scene_stops(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_status(fake, expect_attach(fake), PB_CODE(UNAVAILABLE), "SHUTTING_DOWN");
    FlushFileBuffers(fake->handle);
}

/* ---- back ---- */

static void the_lease_is_attached_again(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    wait_for(SP_CONNECTION_BROKEN);
    assert_false(sp_wait_closed(client, 0));
    HANDLE waits = start_to_finish(client); /* while there is nobody */
    restart(scene_adopts);
    wait_for(SP_CONNECTION_BACK);
    assert_true(has_finished(waits));
    assert_string_equal(program.trace, "broken back ");
    assert_string_equal(sp_get_server(client)->boot_id, "another boot");
    end(client);
}

static void a_lease_whose_requester_is_late_is_asked_for_again(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    restart(scene_adopts_late);
    assert_true(finish(client));
    wait_for(SP_CONNECTION_BACK);
    assert_string_equal(program.trace, "broken back ");
    end(client);
}

static void a_service_that_dies_again_is_waited_for(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    restart(scene_dies_after_greeting);
    fake_server_again(&server, scene_adopts);
    assert_true(finish(client));
    wait_for(SP_CONNECTION_BACK);
    assert_string_equal(program.trace, "broken back ");
    end(client);
}

static void a_finish_under_way_is_asked_again(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_dies_under_finish, LIMIT_MS);
    HANDLE waits = start_to_finish(client);
    restart(scene_adopts);
    assert_true(has_finished(waits));
    end(client);
}

/* ---- lost ---- */

static void a_lease_that_nobody_knows_is_lost(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    restart(scene_knows_nothing);
    wait_for(SP_CONNECTION_BACK);
    assert_string_equal(program.trace, "broken lost back ");
    assert_string_equal(program.lost_lease, "lease");
    assert_false(finish(client));
    assert_string_equal(error->message,
                        "The snapshot was lost while the connection to the service was broken: "
                        "It failed.");
    expect_error(SP_DATA_LOSS, "LEASE_LOST");
    assert_false(sp_renew_lease(client, "lease", NULL, 0, 0, NULL, &error));
    expect_error(SP_DATA_LOSS, "LEASE_LOST");
    struct sp_leases *leases = sp_list_leases(client, false, 0, &error); /* all else goes on */
    assert_non_null(leases);
    sp_leases_free(leases);
    end(client);
}

/* It did not die: it ends what was bound to the connection. */
static void the_same_service_ends_the_lease(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    fake_server_again(&server, scene_has_it_still);
    wait_for(SP_CONNECTION_BACK);
    assert_string_equal(program.trace, "broken lost back ");
    end(client);
}

static void a_service_that_stops_is_followed_by_another(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    fake_server_again(&server, scene_stops);
    restart(scene_adopts);
    assert_true(finish(client));
    wait_for(SP_CONNECTION_BACK);
    assert_string_equal(program.trace, "broken back ");
    end(client);
}

static void what_became_of_a_finish_may_be_unknown(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_dies_under_finish, LIMIT_MS);
    HANDLE waits = start_to_finish(client);
    restart(scene_knows_nothing);
    assert_false(has_finished(waits));
    expect_error(SP_UNKNOWN, "OUTCOME_UNKNOWN");
    end(client);
}

static void a_service_that_stays_away_is_given_up(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_gives_and_dies, 100);
    wait_for(SP_CONNECTION_OVER);
    assert_string_equal(program.trace, "broken over ");
    assert_true(sp_wait_closed(client, 0));
    assert_false(finish(client));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    end(client);
}

static void a_finish_that_is_given_up_is_unknown(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_dies_under_finish, 100);
    assert_false(finish(client));
    expect_error(SP_UNKNOWN, "OUTCOME_UNKNOWN");
    end(client);
}

static void who_does_not_want_it_is_told_at_once(void **state)
{
    (void)state;
    struct sp_client *client = hold(scene_dies_under_finish, 0);
    assert_false(finish(client));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    assert_true(sp_wait_closed(client, 0));
    assert_string_equal(program.trace, "");
    end(client);
}

/* ---- other calls ---- */

static void scene_dies_under_create(struct fake_server *fake)
{
    scene_gives_and_dies(fake);
    (void)fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
}

static void what_cannot_be_repeated_fails(void **state)
{
    (void)state;
    struct sp_snapshot_request request = {0};
    struct sp_client *client = hold(scene_dies_under_create, LIMIT_MS);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    restart(scene_adopts);
    assert_true(finish(client));
    end(client);
}

static void send_event(struct fake_server *fake, uint32_t id, uint64_t number, PB(LeaseEventKind) kind)
{
    PB(LeaseInfo) info = SHADOWPIPE__V1__LEASE_INFO__INIT;
    PB(LeaseEvent) event = SHADOWPIPE__V1__LEASE_EVENT__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    event.lease = &info;
    event.number = number;
    event.kind = kind;
    reply.id = id;
    reply.body_case = PB_BODY(LEASE_EVENT);
    reply.lease_event = &event;
    fake_send(fake, &reply);
}

static void scene_dies_under_watch(struct fake_server *fake)
{
    scene_gives_and_dies(fake);
    uint32_t id = fake_expect(fake, PB_BODY(WATCH_LEASE))->id;
    send_event(fake, id, 1, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT));
    send_event(fake, id, 2, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_SERVICE_STOPPING));
}

static void scene_adopts_the_watch(struct fake_server *fake)
{
    fake_greet(fake);
    send_attached(fake, expect_attach(fake));
    uint32_t id = fake_expect(fake, PB_BODY(WATCH_LEASE))->id;
    send_event(fake, id, 1, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT));
    send_event(fake, id, 2, PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED));
    fake_send_status(fake, id, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE");
    (void)fake_receive(fake);
}

static unsigned __stdcall restart_elsewhere(void *context)
{
    (void)context;
    restart(scene_adopts_the_watch);
    return 0;
}

static void note_event(void *context, const struct sp_lease_event *event)
{
    char *trace = context;
    size_t length = strlen(trace);
    trace[length] = (char)('0' + event->kind);
    trace[length + 1] = 0;
}

static void watching_goes_on(void **state)
{
    (void)state;
    char trace[20] = "";
    struct sp_client *client = hold(scene_dies_under_watch, LIMIT_MS);
    struct sp_lease_watch wish = {.lease_id = "lease", .on_event = note_event, .context = trace};
    HANDLE other = (HANDLE)_beginthreadex(NULL, 0, restart_elsewhere, NULL, 0, NULL);
    assert_true(sp_watch_lease(client, &wish, &error));
    assert_string_equal(trace, "1516");
    assert_int_equal(WaitForSingleObject(other, LIMIT_MS), WAIT_OBJECT_0);
    CloseHandle(other);
    end(client);
}

static void raw_calls_do_not_wait(void **state)
{
    (void)state;
    static const uint8_t ping[] = {0x62, 0x00};
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    wait_for(SP_CONNECTION_BROKEN);
    assert_null(sp_call_start(client, ping, sizeof ping, NULL, &error));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    end(client); /* and a client that is broken can be closed */
}

static void a_wait_has_its_limits(void **state)
{
    (void)state;
    struct sp_cancel *cancel = sp_cancel_create();
    struct sp_client *client = hold(scene_gives_and_dies, LIMIT_MS);
    wait_for(SP_CONNECTION_BROKEN);
    assert_false(sp_finish(client, "lease", NULL, true, 1, NULL, &error));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    sp_cancel_now(cancel);
    assert_false(sp_finish(client, "lease", NULL, true, 0, cancel, &error));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    sp_cancel_free(cancel);
    end(client);
}

static int make_events(void **state)
{
    (void)state;
    for (int i = 0; i <= SP_CONNECTION_OVER; i++)
        program.told[i] = CreateEventW(NULL, FALSE, FALSE, NULL);
    return 0;
}

static int reset_events(void **state)
{
    (void)state;
    for (int i = 0; i <= SP_CONNECTION_OVER; i++)
        ResetEvent(program.told[i]);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, reset_events)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_lease_is_attached_again),
        TEST(a_lease_whose_requester_is_late_is_asked_for_again),
        TEST(a_service_that_dies_again_is_waited_for),
        TEST(a_finish_under_way_is_asked_again),
        TEST(a_lease_that_nobody_knows_is_lost),
        TEST(the_same_service_ends_the_lease),
        TEST(a_service_that_stops_is_followed_by_another),
        TEST(what_became_of_a_finish_may_be_unknown),
        TEST(a_service_that_stays_away_is_given_up),
        TEST(a_finish_that_is_given_up_is_unknown),
        TEST(who_does_not_want_it_is_told_at_once),
        TEST(what_cannot_be_repeated_fails),
        TEST(watching_goes_on),
        TEST(raw_calls_do_not_wait),
        TEST(a_wait_has_its_limits),
    };
    return cmocka_run_group_tests(tests, make_events, NULL);
}
