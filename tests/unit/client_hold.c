/* Hold points through the library: each is answered once, and what was done there is undone once, whatever
 * ends the request. */
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

/* ---- what the program does ---- */

static struct {
    char trace[100]; /* "hold1 thaw0 hold2 thaw1" */
    bool refuses;
    struct sp_cancel *cancel; /* is used at the hold point */
} program;

static bool on_hold(void *context, const struct sp_hold *hold)
{
    assert_ptr_equal(context, &program);
    assert_int_equal(hold->left_ms, 7000);
    strcat(program.trace, hold->kind == SP_HOLD_PREPARED ? "hold" : "gate");
    strcat(program.trace, hold->attempt == 2 ? "2 " : "1 ");
    if (program.cancel)
        sp_cancel_now(program.cancel);
    return !program.refuses;
}

static void on_thaw(void *context, bool created)
{
    assert_ptr_equal(context, &program);
    strcat(program.trace, created ? "thaw1 " : "thaw0 ");
}

static struct sp_snapshot *create(void (*scene)(struct fake_server *fake), struct sp_client **client)
{
    static const struct sp_hold_point points[] = {{SP_HOLD_GATE_GRANTED, 0}, {SP_HOLD_PREPARED, 7000}};
    struct sp_snapshot_request request = {.hold_points = points,
                                          .hold_points_count = 2,
                                          .on_hold = on_hold,
                                          .on_thaw = on_thaw,
                                          .context = &program,
                                          .cancel = program.cancel};
    program.trace[0] = 0;
    *client = connect_to_scene(scene);
    return take_snapshot(*client, &request);
}

/* ---- the service ---- */

static uint32_t expect_create(struct fake_server *fake)
{
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    const PB(CreateSnapshot) *create = request->create_snapshot;
    bool right = create->n_hold_points == 2 &&
                 create->hold_points[0]->kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_GATE_GRANTED) &&
                 create->hold_points[1]->kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED) &&
                 create->hold_points[1]->timeout_ms == 7000;
    uint32_t id = request->id;
    if (!right)
        fake_send_status(fake, id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    return id;
}

static void send_progress(struct fake_server *fake, uint32_t id, PB(Phase) phase, uint32_t attempt,
                          const char *token)
{
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = id;
    envelope.body_case = PB_BODY(PROGRESS);
    envelope.progress = &progress;
    progress.phase = phase;
    progress.attempt = attempt;
    progress.hold_token = (char *)token;
    progress.hold_left_ms = *token ? 7000 : 0;
    progress.waiting_for =
        *token ? PB_VALUE(WAITING_FOR, WAITING_FOR_HOLD) : PB_VALUE(WAITING_FOR, WAITING_FOR_NOTHING);
    fake_send(fake, &envelope);
}

/* Holds, and checks what the client answers. */
static void hold(struct fake_server *fake, uint32_t id, PB(Phase) phase, uint32_t attempt, const char *token,
                 bool aborts)
{
    send_progress(fake, id, phase, attempt, token);
    send_progress(fake, id, phase, attempt, token); /* as every second */
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(PROCEED));
    const PB(Proceed) *proceed = request->proceed;
    if (proceed->request_id != id || strcmp(proceed->hold_token, token) != 0 || proceed->abort != aborts)
        fake_send_status(fake, id, PB_CODE(INVALID_ARGUMENT), "WRONG_PROCEED");
    PB(ProceedReply) reply = SHADOWPIPE__V1__PROCEED_REPLY__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = request->id;
    envelope.body_case = PB_BODY(PROCEED_REPLY);
    envelope.proceed_reply = &reply;
    fake_send(fake, &envelope);
}

static void scene_two_points(struct fake_server *fake)
{
    uint32_t id = expect_create(fake);
    hold(fake, id, PB_PHASE(WAITING_FOR_GATE), 1, "first", false);
    hold(fake, id, PB_PHASE(PREPARING), 1, "second", false);
    send_progress(fake, id, PB_PHASE(CREATING), 1, "");
    fake_send_snapshot(fake, id, "lease");
    (void)fake_receive(fake);
}

static void each_point_is_answered_once(void **state)
{
    (void)state;
    struct sp_client *client;
    struct sp_snapshot *snapshot = create(scene_two_points, &client);
    assert_non_null(snapshot);
    assert_string_equal(program.trace, "gate1 hold1 thaw1 ");
    sp_snapshot_free(snapshot);
    end(client);
}

static void scene_aborted(struct fake_server *fake)
{
    uint32_t id = expect_create(fake);
    hold(fake, id, PB_PHASE(PREPARING), 1, "token", true);
    fake_send_status(fake, id, PB_CODE(ABORTED), "HOLD_ABORTED");
    (void)fake_receive(fake);
}

static void a_program_may_refuse(void **state)
{
    (void)state;
    struct sp_client *client;
    program.refuses = true;
    assert_null(create(scene_aborted, &client));
    program.refuses = false;
    expect_error(SP_ABORTED, "HOLD_ABORTED");
    assert_string_equal(program.trace, "hold1 thaw0 ");
    end(client);
}

/* A second attempt: what was stopped for the first one is let go before. */
static void scene_two_attempts(struct fake_server *fake)
{
    uint32_t id = expect_create(fake);
    hold(fake, id, PB_PHASE(PREPARING), 1, "one", false);
    hold(fake, id, PB_PHASE(PREPARING), 1, "once more", false); /* part of the same attempt */
    send_progress(fake, id, PB_PHASE(GATHERING), 2, "");
    hold(fake, id, PB_PHASE(PREPARING), 2, "two", false);
    fake_send_status(fake, id, PB_CODE(ABORTED), "VSS_FAILED");
    (void)fake_receive(fake);
}

static void each_attempt_is_thawed(void **state)
{
    (void)state;
    struct sp_client *client;
    assert_null(create(scene_two_attempts, &client));
    expect_error(SP_ABORTED, "VSS_FAILED");
    assert_string_equal(program.trace, "hold1 thaw0 hold1 thaw0 hold2 thaw0 ");
    end(client);
}

static void scene_waits_to_retry(struct fake_server *fake)
{
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    uint32_t id = expect_create(fake);
    hold(fake, id, PB_PHASE(PREPARING), 1, "one", false);
    envelope.id = id;
    envelope.body_case = PB_BODY(PROGRESS);
    envelope.progress = &progress;
    progress.attempt = 1;
    progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY);
    fake_send(fake, &envelope);
    WaitForSingleObject(fake->go, LIMIT_MS);
    fake_send_status(fake, id, PB_CODE(ABORTED), "VSS_FAILED");
    (void)fake_receive(fake);
}

static void thaw_and_go(void *context, bool created)
{
    on_thaw(context, created);
    SetEvent(server.go);
}

/* Ten minutes may pass until then: the application does not wait for them. */
static void the_wait_for_another_attempt_thaws(void **state)
{
    (void)state;
    static const struct sp_hold_point points[] = {{SP_HOLD_GATE_GRANTED, 0}, {SP_HOLD_PREPARED, 7000}};
    struct sp_snapshot_request request = {.hold_points = points,
                                          .hold_points_count = 2,
                                          .on_hold = on_hold,
                                          .on_thaw = thaw_and_go,
                                          .context = &program};
    program.trace[0] = 0;
    struct sp_client *client = connect_to_scene(scene_waits_to_retry);
    assert_null(take_snapshot(client, &request));
    expect_error(SP_ABORTED, "VSS_FAILED");
    assert_string_equal(program.trace, "hold1 thaw0 ");
    end(client);
}

static void scene_cancelled(struct fake_server *fake)
{
    uint32_t id = expect_create(fake);
    send_progress(fake, id, PB_PHASE(PREPARING), 1, "token");
    (void)fake_expect(fake, PB_BODY(PROCEED));
    (void)fake_expect(fake, PB_BODY(CANCEL));
    fake_send_status(fake, id, PB_CODE(CANCELLED), "CANCELLED");
    (void)fake_receive(fake);
}

static void a_cancel_thaws(void **state)
{
    (void)state;
    struct sp_client *client;
    program.cancel = sp_cancel_create();
    program.refuses = true;
    assert_null(create(scene_cancelled, &client));
    sp_cancel_free(program.cancel);
    program.cancel = NULL;
    program.refuses = false;
    expect_error(SP_CANCELLED, "CANCELLED");
    assert_string_equal(program.trace, "hold1 thaw0 ");
    end(client);
}

static void scene_lost(struct fake_server *fake)
{
    uint32_t id = expect_create(fake);
    hold(fake, id, PB_PHASE(PREPARING), 1, "token", false);
}

static void a_lost_connection_thaws(void **state)
{
    (void)state;
    struct sp_client *client;
    assert_null(create(scene_lost, &client));
    expect_error(SP_UNAVAILABLE, "CONNECTION_LOST");
    assert_string_equal(program.trace, "hold1 thaw0 ");
    end(client);
}

static void scene_no_hold(struct fake_server *fake)
{
    fake_send_status(fake, expect_create(fake), PB_CODE(ABORTED), "VSS_FAILED");
    (void)fake_receive(fake);
}

static void what_was_not_held_is_not_thawed(void **state)
{
    (void)state;
    struct sp_client *client;
    assert_null(create(scene_no_hold, &client));
    expect_error(SP_ABORTED, "VSS_FAILED");
    assert_string_equal(program.trace, "");
    end(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_point_is_answered_once),
        cmocka_unit_test(a_program_may_refuse),
        cmocka_unit_test(each_attempt_is_thawed),
        cmocka_unit_test(the_wait_for_another_attempt_thaws),
        cmocka_unit_test(a_cancel_thaws),
        cmocka_unit_test(a_lost_connection_thaws),
        cmocka_unit_test(what_was_not_held_is_not_thawed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
