/* Each call of a job that never returns: how long it is waited for, what follows, and what the client is
 * told. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

enum {
    GATHER_MS = 11 * 1000,
    CALL_MS = 12 * 1000,
    PREPARE_MS = 13 * 1000,
    CREATE_MS = 14 * 1000,
    STATUS_MS = 15 * 1000,
    COMPLETE_MS = 16 * 1000,
    ABORT_MS = 17 * 1000,
    RELEASE_MS = 18 * 1000,
    GRACE_MS = 6 * 1000
};

static void distinct_limits(struct broker_config *config)
{
    config->gather_ms = GATHER_MS;
    config->call_ms = CALL_MS;
    config->prepare_ms = PREPARE_MS;
    config->create_ms = CREATE_MS;
    config->status_ms = STATUS_MS;
    config->complete_ms = COMPLETE_MS;
    config->abort_ms = ABORT_MS;
    config->release_ms = RELEASE_MS;
    config->cancel_grace_ms = GRACE_MS;
}

/* What is not in the table is a synchronous call of VSS. */
struct expectation {
    PB(Call__MethodCase) method;
    uint32_t limit_ms;
    const char *value;
    const char *service; /* in the advice */
};

static struct expectation expected(PB(Call__MethodCase) method)
{
    static const struct expectation table[] = {
        {PB_METHOD(GATHER_WRITER_METADATA), GATHER_MS, "GatherMs", "which writer hangs"},
        {PB_METHOD(PREPARE_FOR_BACKUP), PREPARE_MS, "PrepareMs", "which writer hangs"},
        {PB_METHOD(DO_SNAPSHOT_SET), CREATE_MS, "CreateMs", "which writer hangs"},
        {PB_METHOD(GATHER_WRITER_STATUS), STATUS_MS, "StatusMs", "which writer hangs"},
        {PB_METHOD(BACKUP_COMPLETE), COMPLETE_MS, "CompleteMs", "which writer hangs"},
        {PB_METHOD(ABORT_BACKUP), ABORT_MS, "AbortMs", "which writer hangs"},
        {PB_METHOD(RELEASE_OBJECT), RELEASE_MS, "ReleaseMs", "swprv"},
        {PB_METHOD(ADD_TO_SNAPSHOT_SET), CALL_MS, "CallMs", "swprv"},
        {PB_METHOD(IS_VOLUME_SUPPORTED), CALL_MS, "CallMs", "swprv"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].method == method)
            return table[i];
    }
    return (struct expectation){method, CALL_MS, "CallMs", "the service VSS"};
}

/* ---- a job with all of them ---- */

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

/* A component of the harness's writers, with documents, so that the setters and SaveAsXML are called too. */
static uint32_t begin(struct world *world, struct peer *client)
{
    char *volumes[] = {text("C:")};
    PB(ComponentSelection) component = SHADOWPIPE__V1__COMPONENT_SELECTION__INIT;
    PB(ComponentSelection) * components[] = {&component};
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    component.writer = text("SqlServerWriter");
    component.name = text("one");
    component.previous_stamp = text("last week's");
    component.options = text("verify");
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.components = components;
    wish.n_components = 1;
    uint32_t id = client_create(world, client, &wish);
    world_run(world);
    return id;
}

static void declare(struct world *world)
{
    static PB(Component) component;
    static PB(Component) * list[1] = {&component};
    static PB(Writer) writer;
    shadowpipe__v1__component__init(&component);
    shadowpipe__v1__writer__init(&writer);
    component.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE);
    component.name = text("one");
    component.selectable = true;
    writer.components = list;
    writer.n_components = 1;
    world->machine.declared[1] = &writer;
}

static struct world *make_world(struct peer **client)
{
    struct world *world = world_new_with(distinct_limits);
    declare(world);
    *client = client_connect(world, NULL, ALL_RIGHTS);
    return world;
}

/* To its end, or to the call that hangs. The id of the request that waits for that, or waited last. */
static uint32_t run_job(struct world *world, struct peer *client)
{
    uint32_t id = begin(world, client);
    const PB(Envelope) * final = client_final(client, id);
    if (final == NULL || final->body_case != PB_BODY(SNAPSHOT_REPLY))
        return id;
    id = client_finish(world, client, final->snapshot_reply, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    world_run(world);
    return id;
}

static uint32_t sent_wait_ms(const struct fake_requester *requester)
{
    for (size_t i = 0; i < requester->peer->frames_count; i++) {
        if (requester->peer->frames[i]->id == requester->hanging_id &&
            requester->peer->frames[i]->body_case == PB_BODY(CALL))
            return requester->peer->frames[i]->call->wait_ms;
    }
    return UINT32_MAX;
}

/* ---- what is waited for ---- */

static bool is_owed_abort(const struct world *world, PB(Call__MethodCase) method)
{
    bool may_be_open = requester_calls(world, 1, PB_METHOD(START_SNAPSHOT_SET)) > 0;
    bool is_complete =
        requester_calls(world, 1, PB_METHOD(BACKUP_COMPLETE)) > 0 && method != PB_METHOD(BACKUP_COMPLETE);
    return may_be_open && !is_complete;
}

static void check_told(struct peer *client, uint32_t id, const struct expectation *expectation)
{
    const PB(Status) *status = client_status(client, id);
    assert_int_equal(status->code, PB_CODE(DEADLINE_EXCEEDED));
    assert_string_equal(status->reason, "PHASE_TIMEOUT");
    assert_string_equal(status->method, method_name(expectation->method));
    assert_true(status->retryable);
    assert_non_null(strstr(status->advice, "restart"));
    if (strstr(status->advice, expectation->service) == NULL ||
        strstr(status->advice, expectation->value) == NULL)
        fail_msg("%s: %s", status->method, status->advice);
}

/* Nothing gets through to the process: a synchronous call is killed at its limit. An asynchronous one has
 * been told its limit, is given the time to cancel, then AbortBackup is tried, and killing comes last. */
static void check_stuck(PB(Call__MethodCase) method, unsigned nth)
{
    struct peer *client;
    struct world *world = make_world(&client);
    const struct expectation expectation = expected(method);
    bool is_async = method_is_asynchronous(method);
    world_rule(world, method, nth, ACT_STUCK, 0);
    uint32_t id = run_job(world, client);
    const struct fake_requester *requester = world_hanging(world, method);
    assert_non_null(requester);
    assert_int_equal(sent_wait_ms(requester), is_async ? expectation.limit_ms : 0);
    uint32_t aborts = world_calls(world, PB_METHOD(ABORT_BACKUP));
    world_advance(world, expectation.limit_ms + (is_async ? 2 * GRACE_MS : 0) - 1);
    assert_true(requester->is_alive);
    assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), aborts);
    world_advance(world, 1);
    if (is_async && is_owed_abort(world, method)) {
        world_advance(world, ABORT_MS - 1);
        if (requester->is_killed)
            fail_msg("%s %u: AbortBackup was not tried", method_name(method), nth);
        world_advance(world, 1);
    }
    if (!requester->is_killed)
        fail_msg("%s %u: the process lives on", method_name(method), nth);
    if (method != PB_METHOD(RELEASE_OBJECT)) /* nobody waits for that */
        check_told(client, id, &expectation);
    world_end(world);
}

static void test_each_call_of_a_job(void **state)
{
    (void)state;
    struct peer *client;
    struct world *world = make_world(&client);
    uint32_t id = run_job(world, client);
    assert_int_equal(client_finish_reply(client, id)->completion, PB_VALUE(COMPLETION, COMPLETION_COMPLETED));
    size_t count = world->calls_count;
    assert_true(count > 30);
    unsigned asynchronous = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned nth = 0;
        for (size_t j = 0; j <= i; j++)
            nth += world->calls[j].method == world->calls[i].method;
        asynchronous += method_is_asynchronous(world->calls[i].method);
        check_stuck(world->calls[i].method, nth);
    }
    assert_int_equal(asynchronous, 7);
    world_end(world);
}

/* AbortBackup itself, where it is owed. */
static void test_abort_hangs(void **state)
{
    (void)state;
    struct peer *client;
    struct world *world = make_world(&client);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, ACT_FAIL, 0x80042308u);
    world_rule(world, PB_METHOD(ABORT_BACKUP), 1, ACT_STUCK, 0);
    uint32_t id = begin(world, client);
    world_advance(world, ABORT_MS - 1);
    assert_int_equal(world_alive(world), 1);
    world_advance(world, 1);
    assert_int_equal(world_alive(world), 0);
    assert_string_equal(client_status(client, id)->method, "AddToSnapshotSet");
    world_end(world);
}

/* ---- what the request may shorten ---- */

static void test_request_shortens(void **state)
{
    (void)state;
    static const struct {
        PB(Phase) phase;
        PB(Call__MethodCase) method;
        unsigned nth;
        uint32_t service_ms;
    } rows[] = {
        {PB_PHASE(GATHERING), PB_METHOD(GATHER_WRITER_METADATA), 1, GATHER_MS},
        {PB_PHASE(ADDING_VOLUMES), PB_METHOD(START_SNAPSHOT_SET), 1, CALL_MS},
        {PB_PHASE(ADDING_VOLUMES), PB_METHOD(ADD_TO_SNAPSHOT_SET), 1, CALL_MS},
        {PB_PHASE(PREPARING), PB_METHOD(PREPARE_FOR_BACKUP), 1, PREPARE_MS},
        {PB_PHASE(PREPARING), PB_METHOD(GATHER_WRITER_STATUS), 1, STATUS_MS},
        {PB_PHASE(CREATING), PB_METHOD(DO_SNAPSHOT_SET), 1, CREATE_MS},
        {PB_PHASE(CREATING), PB_METHOD(GATHER_WRITER_STATUS), 2, STATUS_MS},
        {PB_PHASE(COMPLETING), PB_METHOD(BACKUP_COMPLETE), 1, COMPLETE_MS},
        {PB_PHASE(COMPLETING), PB_METHOD(GATHER_WRITER_STATUS), 3, STATUS_MS},
    };
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        bool is_longer = i % 2 == 1;
        struct world *world = world_new_with(distinct_limits);
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
        char *volumes[] = {text("C:")};
        PB(PhaseTimeout) timeout = SHADOWPIPE__V1__PHASE_TIMEOUT__INIT;
        PB(PhaseTimeout) * timeouts[] = {&timeout};
        wish.volumes = volumes;
        wish.n_volumes = 1;
        wish.phase_timeouts = timeouts;
        wish.n_phase_timeouts = 1;
        timeout.phase = rows[i / 2].phase;
        timeout.timeout_ms = is_longer ? 3600 * 1000 : 4000;
        uint32_t limit_ms = is_longer ? rows[i / 2].service_ms : 4000;
        bool is_async = method_is_asynchronous(rows[i / 2].method);
        world_rule(world, rows[i / 2].method, rows[i / 2].nth, ACT_SLOW, 0);
        uint32_t id = client_create(world, client, &wish);
        world_run(world);
        if (rows[i / 2].phase == PB_PHASE(COMPLETING))
            id = client_finish(world, client, client_snapshot_reply(client, id),
                               PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
        world_run(world);
        assert_int_equal(sent_wait_ms(world_hanging(world, rows[i / 2].method)), is_async ? limit_ms : 0);
        world_advance(world, limit_ms + (is_async ? 2 * GRACE_MS : 0) - 1);
        assert_null(client_final(client, id));
        world_advance(world, 1);
        assert_string_equal(client_status(client, id)->reason, "PHASE_TIMEOUT");
        world_end(world);
    }
}

/* ---- the writer that hangs ---- */

static const PB(Status) * cancelled_at_limit(struct world *world, PB(Call__MethodCase) method)
{
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, method, 1, ACT_FAIL_ASYNC, S_ASYNC_CANCELLED);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    return client_status(client, id);
}

/* The call was cancelled at its limit: whoever did not answer then is named, with the service to restart. */
static void test_writer_is_named(void **state)
{
    (void)state;
    static const PB(Call__MethodCase) methods[] = {PB_METHOD(PREPARE_FOR_BACKUP), PB_METHOD(DO_SNAPSHOT_SET)};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = world_new();
        world_writer_fails(world, 1, methods[i], 9, 0x80042319u); /* VSS_E_WRITER_NOT_RESPONDING */
        const PB(Status) *status = cancelled_at_limit(world, methods[i]);
        assert_string_equal(status->reason, "PHASE_TIMEOUT");
        assert_string_equal(status->method, method_name(methods[i]));
        assert_int_equal(status->n_writers, 1);
        assert_string_equal(status->writers[0]->name, "SqlServerWriter");
        assert_non_null(strstr(status->message, "SqlServerWriter is in state FAILED_AT_FREEZE"));
        assert_string_equal(
            status->advice,
            "Restart the Windows service SQLWriter, which hosts this writer; then ask again.");
        assert_false(status->retryable); /* it needs that restart */
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), 1);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* None has failed: then nobody is named. */
static void test_nobody_is_named(void **state)
{
    (void)state;
    struct world *world = world_new();
    const PB(Status) *status = cancelled_at_limit(world, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_int_equal(status->n_writers, 0);
    assert_non_null(strstr(status->advice, "PrepareMs"));
    world_end(world);
}

/* A code of the call's own reason needs no question. */
static void test_nobody_is_asked(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *client = client_connect(world, NULL, USER_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, 0x8004231Fu);
    uint32_t id = client_snapshot(world, client, "C:");
    world_run(world);
    assert_int_equal(client_status(client, id)->hresult, 0x8004231Fu);
    assert_int_equal(world_calls(world, PB_METHOD(GATHER_WRITER_STATUS)), 1);
    world_end(world);
}

/* The question hangs in its turn: it is given up soon, for all others wait, and what was known is told. */
static void test_question_hangs(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct world *world = world_new();
        struct peer *client = client_connect(world, NULL, USER_RIGHTS);
        world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_FAIL_ASYNC, S_ASYNC_CANCELLED);
        world_rule(world, PB_METHOD(GATHER_WRITER_STATUS), 2, round == 0 ? ACT_SLOW : ACT_STUCK, 0);
        uint32_t id = client_snapshot(world, client, "C:");
        world_run(world);
        assert_int_equal(sent_wait_ms(world_hanging(world, PB_METHOD(GATHER_WRITER_STATUS))), 30 * 1000);
        world_advance(world, 50 * 1000 - 1);
        assert_null(client_final(client, id));
        world_advance(world, 1 + (round == 0 ? 0 : 60 * 1000));
        const PB(Status) *status = client_status(client, id);
        assert_string_equal(status->method, "DoSnapshotSet");
        assert_int_equal(status->hresult, S_ASYNC_CANCELLED);
        assert_int_equal(world_calls(world, PB_METHOD(ABORT_BACKUP)), round == 0);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_of_a_job), cmocka_unit_test(test_abort_hangs),
        cmocka_unit_test(test_request_shortens),   cmocka_unit_test(test_writer_is_named),
        cmocka_unit_test(test_nobody_is_named),    cmocka_unit_test(test_nobody_is_asked),
        cmocka_unit_test(test_question_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
