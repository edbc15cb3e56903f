/* Watch, and what is counted. */
#include <stdlib.h>
#include <string.h>

#include "proto/prometheus.h"
#include "tests/unit/broker_harness.h"

static const PB(Outcome) good = PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);

static uint32_t start_watch(struct world *world, struct peer *peer, uint32_t timeout_ms)
{
    PB(Watch) watch = SHADOWPIPE__V1__WATCH__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(WATCH, watch, &watch);
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

/* The n-th event under this id, from 0; NULL if there are not so many. */
static const PB(WatchEvent) * event_at(const struct peer *peer, uint32_t id, size_t index)
{
    for (size_t i = 0; i < peer->frames_count; i++) {
        if (peer->frames[i]->id != id || peer->frames[i]->body_case != PB_BODY(WATCH_EVENT))
            continue;
        if (index-- == 0)
            return peer->frames[i]->watch_event;
    }
    return NULL;
}

static size_t count_events(const struct peer *peer, uint32_t id)
{
    size_t count = 0;
    while (event_at(peer, id, count) != NULL)
        count++;
    return count;
}

static void check_numbers(const struct peer *peer, uint32_t id)
{
    for (size_t i = 0; i < count_events(peer, id); i++)
        assert_int_equal(event_at(peer, id, i)->number, i + 1);
}

static bool saw_phase(const struct peer *peer, uint32_t id, PB(Phase) phase, bool ended)
{
    for (size_t i = 0; i < count_events(peer, id); i++) {
        const PB(WatchEvent) *event = event_at(peer, id, i);
        if (event->changed_set != NULL && event->changed_set->phase == phase && event->ended == ended)
            return true;
    }
    return false;
}

static size_t count_leases(const struct peer *peer, uint32_t id, bool ended)
{
    size_t count = 0;
    for (size_t i = 0; i < count_events(peer, id); i++) {
        const PB(WatchEvent) *event = event_at(peer, id, i);
        count += event->changed_lease != NULL && event->ended == ended;
    }
    return count;
}

/* What happens in the event in which it begins is in the first state; nothing was lost. */
static void test_begins_with_a_change(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, USER_RIGHTS);
    uint32_t made = client_snapshot(world, peer, "C:");
    world_run(world);
    PB(Watch) watch = SHADOWPIPE__V1__WATCH__INIT;
    PB(Envelope) begin = ENVELOPE_OF(WATCH, watch, &watch);
    PB(FinishBackup) finish = SHADOWPIPE__V1__FINISH_BACKUP__INIT;
    PB(Envelope) end = ENVELOPE_OF(FINISH_BACKUP, finish_backup, &finish);
    finish.lease_id = client_snapshot_reply(peer, made)->lease_id;
    finish.outcome = good;
    begin.id = ++peer->last_id;
    end.id = ++peer->last_id;
    struct frame_buffer first = {0}, second = {0};
    assert_true(frame_encode(&first, &begin, FRAME_LIMIT_REQUEST_BYTES));
    assert_true(frame_encode(&second, &end, FRAME_LIMIT_REQUEST_BYTES));
    uint8_t bytes[256];
    assert_true(first.size + second.size <= sizeof bytes);
    memcpy(bytes, first.data, first.size);
    memcpy(bytes + first.size, second.data, second.size);
    peer->sent[peer->sent_count++] = begin.id;
    peer->sent[peer->sent_count++] = end.id;
    peer_send_bytes(world, peer, bytes, first.size + second.size);
    world_run(world);
    const PB(WatchEvent) *event = event_at(peer, begin.id, 0);
    assert_non_null(event->state);
    assert_int_equal(event->lost_events, 0);
    frame_buffer_free(&first);
    frame_buffer_free(&second);
    world_end(world);
}

static void test_state_then_changes(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *admin = client_connect(world, "S-1-5-21-1", ALL_RIGHTS);
    struct peer *user = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    uint32_t watch = start_watch(world, admin, 0);
    assert_int_equal(count_events(admin, watch), 1);
    assert_non_null(event_at(admin, watch, 0)->state);
    assert_true(event_at(admin, watch, 0)->state->n_counters > 0);
    uint32_t id = client_snapshot(world, user, "C:");
    world_run(world);
    assert_true(saw_phase(admin, watch, PB_PHASE(STARTING), false));
    assert_true(saw_phase(admin, watch, PB_PHASE(GATHERING), false));
    assert_true(saw_phase(admin, watch, PB_PHASE(HELD), false));
    assert_int_equal(count_leases(admin, watch, false), 1);
    bool saw_holder = false;
    uint64_t number = 0;
    for (size_t i = 0; i < count_events(admin, watch); i++) {
        const PB(WatchEvent) *event = event_at(admin, watch, i);
        saw_holder |= event->summary != NULL && event->summary->gate_phase == PB_PHASE(CREATING);
        assert_true(event->summary == NULL ||
                    (event->summary->n_sets == 0 && event->summary->n_counters == 0));
        if (event->changed_set == NULL)
            continue;
        assert_true(number == 0 || number == event->changed_set->number);
        number = event->changed_set->number;
    }
    assert_true(saw_holder);
    assert_true(number != 0);
    client_finish(world, user, client_snapshot_reply(user, id), good);
    world_run(world);
    assert_int_equal(count_leases(admin, watch, true), 1);
    assert_true(saw_phase(admin, watch, PB_PHASE(ENDED), true));
    check_numbers(admin, watch);
    /* Nothing happens, nothing is told. */
    size_t before = count_events(admin, watch);
    world_advance(world, 60000);
    assert_int_equal(count_events(admin, watch), before);
    world_end(world);
}

/* Who has not MANAGE sees leases of its own only, and no one's purpose. */
static void test_others(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *reader = client_connect(world, "S-1-5-21-1", RIGHT_BIT_READ);
    struct peer *user = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    uint32_t watch = start_watch(world, reader, 0);
    uint32_t own = start_watch(world, user, 0);
    PB(CreateSnapshot) wish = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    char *volumes[] = {(char *)(uintptr_t) "C:"};
    wish.volumes = volumes;
    wish.n_volumes = 1;
    wish.purpose = (char *)(uintptr_t) "secret plan";
    uint32_t id = client_create(world, user, &wish);
    world_run(world);
    client_finish(world, user, client_snapshot_reply(user, id), good);
    world_run(world);
    assert_int_equal(count_leases(reader, watch, false) + count_leases(reader, watch, true), 0);
    assert_int_equal(count_leases(user, own, false), 1);
    assert_true(saw_phase(reader, watch, PB_PHASE(HELD), false));
    for (size_t i = 0; i < count_events(reader, watch); i++) {
        const PB(SetInfo) *set = event_at(reader, watch, i)->changed_set;
        for (size_t j = 0; set != NULL && j < set->n_members; j++)
            assert_string_equal(set->members[j]->purpose, "");
    }
    world_end(world);
}

/* Changes that are not read in time are counted, and the state comes again. */
static void test_slow_watcher(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *slow = client_connect(world, "S-1-5-21-1", ALL_RIGHTS);
    struct peer *user = client_connect(world, "S-1-5-21-2", USER_RIGHTS);
    uint32_t watch = start_watch(world, slow, 0);
    slow->does_not_read = true;
    slow->unsent_bytes = world->config.output_soft_limit_bytes + 1;
    uint32_t id = client_snapshot(world, user, "C:");
    world_run(world);
    assert_int_equal(count_events(slow, watch), 1);
    slow->does_not_read = false;
    peer_drain(world, slow);
    world_run(world);
    assert_int_equal(count_events(slow, watch), 2);
    const PB(WatchEvent) *event = event_at(slow, watch, 1);
    assert_non_null(event->state);
    assert_true(event->lost_events > 0);
    assert_int_equal(event->state->n_sets, 1);
    assert_int_equal(event->state->sets[0]->phase, PB_PHASE(HELD));
    client_finish(world, user, client_snapshot_reply(user, id), good);
    world_run(world);
    assert_true(saw_phase(slow, watch, PB_PHASE(ENDED), true));
    assert_int_equal(event_at(slow, watch, 2)->lost_events, 0);
    check_numbers(slow, watch);
    world_end(world);
}

static void test_ends(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    uint32_t endless = start_watch(world, peer, 0);
    uint32_t bounded = start_watch(world, peer, 60000);
    uint32_t cancelled = start_watch(world, peer, 0);
    client_cancel(world, peer, cancelled);
    world_run(world);
    assert_string_equal(client_status(peer, cancelled)->reason, "CANCELLED");
    world_advance(world, 60000);
    assert_string_equal(client_status(peer, bounded)->reason, "DEADLINE");
    world_advance(world, world->config.max_timeout_ms);
    assert_null(client_final(peer, endless));
    /* One whose client goes leaves nothing behind. */
    struct peer *gone = client_connect(world, NULL, ALL_RIGHTS);
    (void)start_watch(world, gone, 0);
    peer_close(world, gone);
    world_run(world);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_run(world);
    assert_string_equal(client_status(peer, endless)->reason, "SHUTTING_DOWN");
    world_end(world);
}

/* ---- counters ---- */

static const PB(ServiceStatus) * ask_status(struct world *world, struct peer *peer)
{
    PB(GetServiceStatus) ask = SHADOWPIPE__V1__GET_SERVICE_STATUS__INIT;
    PB(Envelope) envelope = ENVELOPE_OF(GET_SERVICE_STATUS, get_service_status, &ask);
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    return final->service_status;
}

static uint64_t counter(const PB(ServiceStatus) * status, const char *name)
{
    for (size_t i = 0; i < status->n_counters; i++) {
        if (strcmp(status->counters[i]->name, name) == 0)
            return status->counters[i]->value;
    }
    fail_msg("there is no counter %s", name);
    return 0;
}

static void test_counters(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    world_rule(world, PB_METHOD(DO_SNAPSHOT_SET), 1, ACT_HANG, 0);
    uint32_t first = client_snapshot(world, peer, "C:");
    uint32_t second = client_snapshot(world, peer, "C:");
    world_run(world);
    world_advance(world, 7000);
    struct fake_requester *hanging = world_hanging(world, PB_METHOD(DO_SNAPSHOT_SET));
    assert_non_null(hanging);
    requester_resume(world, hanging);
    world_run(world);
    client_finish(world, peer, client_snapshot_reply(peer, first), good);
    client_finish(world, peer, client_snapshot_reply(peer, second), good);
    world_run(world);
    const PB(ServiceStatus) *status = ask_status(world, peer);
    assert_int_equal(counter(status, "sets_created"), 2);
    assert_int_equal(counter(status, "set_members"), 2);
    assert_int_equal(counter(status, "snapshots_created"), 2);
    assert_int_equal(counter(status, "gate_waits"), 2);
    assert_int_equal(counter(status, "gate_wait_ms"), 7000);
    assert_int_equal(counter(status, "gate_holds"), 2);
    assert_int_equal(counter(status, "gate_hold_ms"), 7000);
    assert_int_equal(counter(status, "freezes"), 2);
    assert_int_equal(counter(status, "freeze_ms"), 7000);
    assert_true(counter(status, "received_bytes") > 0);
    assert_true(counter(status, "sent_bytes") > counter(status, "received_bytes") / 2);
    world_end(world);
}

static bool has_label(const PB(Counter) * counter, const char *label)
{
    for (size_t i = 0; i < counter->n_labels; i++) {
        if (strcmp(counter->labels[i], label) == 0)
            return true;
    }
    return false;
}

/* By the writer where one failed, by the call's code where none did. */
static void test_failures_counted(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct peer *peer = client_connect(world, NULL, ALL_RIGHTS);
    world_writer_fails(world, 0, PB_METHOD(PREPARE_FOR_BACKUP), 7, 0x800423F4u);
    for (int i = 0; i < 2; i++) {
        (void)client_snapshot(world, peer, "C:");
        world_run(world);
    }
    world_clear_rules(world);
    world_rule(world, PB_METHOD(ADD_TO_SNAPSHOT_SET), 0, ACT_FAIL, 0x80042308u);
    (void)client_snapshot(world, peer, "C:");
    world_run(world);
    const PB(ServiceStatus) *status = ask_status(world, peer);
    size_t kinds = 0;
    for (size_t i = 0; i < status->n_counters; i++) {
        const PB(Counter) *counter = status->counters[i];
        if (strcmp(counter->name, "snapshot_failures") != 0)
            continue;
        kinds++;
        if (has_label(counter, "reason=WRITER_FAILED")) {
            assert_int_equal(counter->value, 2);
            assert_true(has_label(counter, "hresult=VSS_E_WRITERERROR_NONRETRYABLE"));
            assert_int_equal(counter->n_labels, 3);
            assert_true(strncmp(counter->labels[2], "writer=", 7) == 0 && counter->labels[2][7] != '\0');
        } else {
            assert_true(has_label(counter, "reason=VSS_FAILED"));
            assert_true(has_label(counter, "hresult=VSS_E_OBJECT_NOT_FOUND"));
            assert_int_equal(counter->value, 1);
        }
    }
    assert_int_equal(kinds, 2);
    world_end(world);
}

/* However many kinds there are, the table stays as it is, and nothing goes uncounted. */
static void test_too_many_kinds(void **state)
{
    (void)state;
    struct counters *counters = calloc(1, sizeof *counters);
    assert_non_null(counters);
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    status.reason = (char *)(uintptr_t) "VSS_FAILED";
    for (uint32_t i = 1; i <= FAILURE_KINDS + 5; i++) {
        status.hresult = i;
        counters_failed(counters, &status);
    }
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    PB(ServiceStatus) report = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    const struct host_load load = {0};
    assert_true(counters_report(counters, &load, &arena, &report));
    const PB(Counter) *last = report.counters[report.n_counters - 1];
    assert_true(has_label(last, "reason=other"));
    assert_int_equal(last->value, 5);
    arena_free(&arena);
    arena_init(&arena, 64);
    assert_false(counters_report(counters, &load, &arena, &report));
    arena_free(&arena);
    free(counters);
}

/* ---- Prometheus ---- */

static void test_prometheus(void **state)
{
    (void)state;
    PB(ServiceStatus) status = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    status.server_version = (char *)(uintptr_t) "1.2 \"x\"\\\n";
    status.queue_length = 3;
    status.started_ms = 1500;
    char *labels[] = {(char *)(uintptr_t) "writer=SQL \"one\"", (char *)(uintptr_t) "hresult=VSS_E_BAD_STATE",
                      (char *)(uintptr_t) "no label"};
    PB(Counter) counters[3];
    PB(Counter) * items[3];
    for (size_t i = 0; i < 3; i++) {
        items[i] = &counters[i];
        shadowpipe__v1__counter__init(items[i]);
    }
    counters[0].name = (char *)(uintptr_t) "gate_wait_ms";
    counters[0].value = 12034;
    counters[1].name = counters[2].name = (char *)(uintptr_t) "snapshot_failures";
    counters[1].labels = labels;
    counters[1].n_labels = 3;
    counters[1].value = 7;
    counters[2].value = 1;
    status.counters = items;
    status.n_counters = 3;
    char text[8192];
    size_t length = prometheus_write(&status, text, sizeof text);
    assert_true(length < sizeof text);
    assert_int_equal(strlen(text), length);
    assert_int_equal(prometheus_write(&status, NULL, 0), length);
    char small[10];
    assert_int_equal(prometheus_write(&status, small, sizeof small), length);
    assert_int_equal(strlen(small), sizeof small - 1);
    static const char info[] = "shadowpipe_info{version=\"1.2 \\\"x\\\"\\\\\\n\",simulated=\"false\"} 1\n";
    static const char queue[] = "# TYPE shadowpipe_queue_length gauge\nshadowpipe_queue_length 3\n";
    static const char wait[] = "# TYPE shadowpipe_gate_wait_seconds_total counter\n"
                               "shadowpipe_gate_wait_seconds_total 12.034\n";
    static const char failures[] =
        "# TYPE shadowpipe_snapshot_failures_total counter\n"
        "shadowpipe_snapshot_failures_total{writer=\"SQL \\\"one\\\"\",hresult=\"VSS_E_BAD_STATE\"} 7\n"
        "shadowpipe_snapshot_failures_total 1\n";
    const char *const lines[] = {info, "shadowpipe_start_time_seconds 1.5\n", queue, wait, failures};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strstr(text, lines[i]) == NULL)
            fail_msg("not found: %s\nin: %s", lines[i], text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_with_a_change),
        cmocka_unit_test(test_state_then_changes),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_slow_watcher),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_failures_counted),
        cmocka_unit_test(test_too_many_kinds),
        cmocka_unit_test(test_prometheus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
