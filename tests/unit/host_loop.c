#include "host_support.h"

static struct loop loop;
static int calls;
static DWORD last_error;
static int order[8];

static int set_up(void **state)
{
    (void)state;
    calls = 0;
    return loop_init(&loop) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&loop);
    return 0;
}

static void count_call(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)operation;
    (void)bytes;
    calls++;
    last_error = error;
}

static DWORD WINAPI post_from_thread(LPVOID operation)
{
    loop_post(&loop, operation);
    return 0;
}

static void test_post_from_another_thread(void **state)
{
    (void)state;
    struct loop_operation operation;
    loop_prepare(&operation, count_call);
    HANDLE thread = CreateThread(NULL, 0, post_from_thread, &operation, 0, NULL);
    SERVE_UNTIL(&loop, calls == 1);
    assert_int_equal(last_error, ERROR_SUCCESS);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

static void test_deferred_come_in_order_and_not_at_once(void **state)
{
    (void)state;
    struct loop_operation first;
    struct loop_operation second;
    loop_prepare(&first, count_call);
    loop_prepare(&second, count_call);
    loop_defer(&loop, &first, ERROR_BROKEN_PIPE);
    loop_defer(&loop, &second, ERROR_SUCCESS);
    assert_int_equal(calls, 0);
    loop_step(&loop, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(last_error, ERROR_BROKEN_PIPE);
    loop_step(&loop, 0);
    assert_int_equal(calls, 2);
    assert_int_equal(last_error, ERROR_SUCCESS);
}

static struct loop_timer timers[3];

static void timer_fired(struct loop_timer *timer)
{
    order[calls++] = (int)(timer - timers);
}

static void test_timers_fire_by_due_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        timers[i] = (struct loop_timer){.fired = timer_fired};
    }
    loop_timer_start(&loop, &timers[0], 60);
    loop_timer_start(&loop, &timers[1], 1);
    loop_timer_start(&loop, &timers[2], 30);
    loop_timer_stop(&loop, &timers[2]);
    loop_timer_stop(&loop, &timers[2]); /* twice does no harm */
    SERVE_UNTIL(&loop, calls == 2);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 0);
    assert_false(timers[0].armed);
}

static void test_a_restarted_timer_fires_once(void **state)
{
    (void)state;
    timers[0] = (struct loop_timer){.fired = timer_fired};
    timers[1] = (struct loop_timer){.fired = timer_fired};
    loop_timer_start(&loop, &timers[0], 1);
    loop_timer_start(&loop, &timers[0], 5);
    loop_timer_start(&loop, &timers[1], 40);
    SERVE_UNTIL(&loop, !timers[1].armed);
    assert_int_equal(calls, 2);
}

static void waste_time(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    uint64_t end_ms = loop_now_ms() + 2 * LOOP_SLOW_US / 1000;
    count_call(operation, error, bytes);
    while (loop_now_ms() < end_ms) {
    }
}

/* An event that keeps others waiting is seen, an idle wait is not taken for one. */
static void test_load(void **state)
{
    (void)state;
    struct loop_operation operation;
    loop_step(&loop, loop_now_ms() + 2 * LOOP_SLOW_US / 1000);
    loop_step(&loop, 0);
    assert_int_equal(loop.load.events, 1); /* the end of the wait */
    uint64_t slow_events = loop.load.slow_events;
    loop_prepare(&operation, waste_time);
    loop_defer(&loop, &operation, ERROR_SUCCESS);
    loop_step(&loop, 0);
    loop_step(&loop, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(loop.load.slow_events, slow_events + 1);
    assert_true(loop.load.longest_us > LOOP_SLOW_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_post_from_another_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deferred_come_in_order_and_not_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timers_fire_by_due_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_restarted_timer_fires_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("host_loop", tests, NULL, NULL);
}
