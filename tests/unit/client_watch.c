/* What `watch` makes of the events. */
#include <string.h>

#include "client/cli/watch_view.h"
#include "tests/unit/cmocka_all.h"

static struct watch_view view;
static struct text text;

static int forget(void **state)
{
    (void)state;
    watch_view_free(&view);
    view.lost_events = 0;
    text_free(&text);
    return 0;
}

static char *constant(const char *string)
{
    return (char *)(uintptr_t)string;
}

static void has(const char *words)
{
    if (!strstr(text_string(&text), words))
        fail_msg("\"%s\" lacks \"%s\"", text_string(&text), words);
}

static void lacks(const char *words)
{
    if (strstr(text_string(&text), words))
        fail_msg("\"%s\" has \"%s\"", text_string(&text), words);
}

static void show_table(void)
{
    text_clear(&text);
    watch_view_table(&view, &text);
}

static PB(SetInfo) make_set(uint64_t number, PB(Phase) phase)
{
    static char *volumes[] = {(char *)(uintptr_t) "C:\\"};
    PB(SetInfo) set = SHADOWPIPE__V1__SET_INFO__INIT;
    set.number = number;
    set.phase = phase;
    set.volumes = volumes;
    set.n_volumes = 1;
    return set;
}

static void take_set(uint64_t number, PB(Phase) phase, bool ended)
{
    PB(SetInfo) set = make_set(number, phase);
    PB(MemberInfo) member = SHADOWPIPE__V1__MEMBER_INFO__INIT;
    PB(MemberInfo) * members[] = {&member};
    member.client_name = constant("nightly.exe");
    member.process_id = 12;
    member.purpose = constant("all of it");
    set.members = members;
    set.n_members = 1;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.changed_set = &set;
    event.ended = ended;
    assert_true(watch_view_take(&view, &event));
}

static void take_state(uint64_t lost)
{
    PB(SetInfo) set = make_set(7, PB_PHASE(GATHERING));
    PB(SetInfo) * sets[] = {&set};
    PB(ServiceStatus) status = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    status.server_version = constant("1.2.3");
    status.queue_length = 4;
    status.gate_holder = constant("other.exe");
    status.gate_phase = PB_PHASE(CREATING);
    status.sets = sets;
    status.n_sets = 1;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.state = &status;
    event.lost_events = lost;
    assert_true(watch_view_take(&view, &event));
}

static void sets_come_change_and_go(void **state)
{
    (void)state;
    take_state(0);
    show_table();
    has("shadowpiped 1.2.3");
    has("waiting 4");
    has("turn: other.exe, freezing and copying");
    has("7    asking the writers");
    take_set(8, PB_PHASE(STARTING), false);
    take_set(7, PB_PHASE(PREPARING), false);
    assert_int_equal(view.sets_count, 2);
    show_table();
    has("7    the writers prepare");
    has("nightly.exe (12) \"all of it\"");
    take_set(7, PB_PHASE(ENDED), true);
    take_set(99, PB_PHASE(ENDED), true); /* of which nothing is known */
    show_table();
    lacks("7    ");
    has("8    starting");
}

static void a_state_replaces_everything(void **state)
{
    (void)state;
    take_state(0);
    take_set(8, PB_PHASE(STARTING), false);
    take_state(5);
    assert_int_equal(view.sets_count, 1);
    show_table();
    lacks("8    ");
    has("5 changes were too quick");
}

static void leases_and_summaries(void **state)
{
    (void)state;
    take_state(0);
    PB(LeaseInfo) lease = SHADOWPIPE__V1__LEASE_INFO__INIT;
    lease.lease_id = constant("0b6a…");
    lease.client_name = constant("reader.exe");
    lease.expires_ms = 951782400000;
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.changed_lease = &lease;
    assert_true(watch_view_take(&view, &event));
    show_table();
    has("reader.exe until 2000-02-29");
    event.ended = true;
    assert_true(watch_view_take(&view, &event));
    show_table();
    lacks("reader.exe");
    PB(ServiceStatus) summary = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    summary.gate_waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM);
    summary.stopping = true;
    PB(WatchEvent) change = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    change.summary = &summary;
    assert_true(watch_view_take(&view, &change));
    assert_int_equal(view.sets_count, 1);
    show_table();
    has("turn: free: another program is taking a snapshot");
    has("STOPPING");
}

/* What there is no room for does no harm. */
static void more_than_fits(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= WATCH_ITEMS_MAX + 3; i++)
        take_set(i, PB_PHASE(HELD), false);
    assert_int_equal(view.sets_count, WATCH_ITEMS_MAX);
    take_set(WATCH_ITEMS_MAX + 2, PB_PHASE(ENDED), true);
    assert_int_equal(view.sets_count, WATCH_ITEMS_MAX);
    PB(WatchEvent) unknown = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    assert_true(watch_view_take(&view, &unknown));
}

static void lines(void **state)
{
    (void)state;
    PB(SetInfo) set = make_set(3, PB_PHASE(HELD));
    PB(WatchEvent) event = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    event.changed_set = &set;
    watch_event_lines(&event, &text);
    assert_string_equal(text_string(&text), "set 3: the snapshot exists; C:\\\n");
    text_clear(&text);
    event.ended = true;
    watch_event_lines(&event, &text);
    assert_string_equal(text_string(&text), "set 3: ended; C:\\\n");
    text_clear(&text);
    PB(ServiceStatus) status = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    PB(WatchEvent) whole = SHADOWPIPE__V1__WATCH_EVENT__INIT;
    whole.state = &status;
    whole.lost_events = 2;
    watch_event_lines(&whole, &text);
    assert_string_equal(text_string(&text), "2 changes were lost\n"
                                            "clients 0  waiting 0  leases 0  requesters 0  turn: free\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sets_come_change_and_go, forget),
        cmocka_unit_test_teardown(a_state_replaces_everything, forget),
        cmocka_unit_test_teardown(leases_and_summaries, forget),
        cmocka_unit_test_teardown(more_than_fits, forget),
        cmocka_unit_test_teardown(lines, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
