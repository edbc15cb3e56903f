#include "host_support.h"

#include <stdlib.h>

#include "service/host/helper.h"

static struct loop loop;
static struct helper helper;
static HANDLE gate;
static int worked;
static int returned;

static int set_up(void **state)
{
    (void)state;
    worked = 0;
    returned = 0;
    gate = CreateEventW(NULL, TRUE, FALSE, NULL);
    return loop_init(&loop) == ERROR_SUCCESS && helper_start(&helper, &loop) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    helper_stop(&helper, SUPPORT_LIMIT_MS);
    loop_free(&loop);
    CloseHandle(gate);
    return 0;
}

static void work(struct helper_job *job)
{
    (void)job;
    worked++;
}

static void work_after_gate(struct helper_job *job)
{
    (void)job;
    WaitForSingleObject(gate, INFINITE);
    worked++;
}

static void done(struct helper_job *job)
{
    (void)job;
    returned++;
}

static void test_a_job_comes_back_to_the_loop(void **state)
{
    (void)state;
    struct helper_job job = {.work = work, .done = done};
    assert_true(helper_submit(&helper, &job));
    SERVE_UNTIL(&loop, returned == 1);
    assert_int_equal(worked, 1);
}

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    struct helper_job *jobs = calloc(HELPER_QUEUE_LIMIT + 2, sizeof *jobs);
    struct helper_job blocker = {.work = work_after_gate, .done = done};
    assert_non_null(jobs);
    assert_true(helper_submit(&helper, &blocker));
    int taken = 0;
    for (int i = 0; i < HELPER_QUEUE_LIMIT + 2; i++) {
        jobs[i] = (struct helper_job){.work = work, .done = done};
        taken += helper_submit(&helper, &jobs[i]);
    }
    /* The blocker may or may not have left the queue. */
    assert_in_range(taken, HELPER_QUEUE_LIMIT - 1, HELPER_QUEUE_LIMIT);
    SetEvent(gate);
    SERVE_UNTIL(&loop, returned == taken + 1);
    assert_int_equal(worked, taken + 1);
    free(jobs);
}

static void test_stop_ends_what_is_queued_and_refuses_more(void **state)
{
    (void)state;
    struct helper_job first = {.work = work};
    struct helper_job second = {.work = work};
    assert_true(helper_submit(&helper, &first));
    assert_true(helper_stop(&helper, SUPPORT_LIMIT_MS));
    assert_int_equal(worked, 1);
    assert_false(helper_submit(&helper, &second));
}

static void test_stop_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct helper_job blocker = {.work = work_after_gate};
    assert_true(helper_submit(&helper, &blocker));
    assert_false(helper_stop(&helper, 1));
    SetEvent(gate);
    assert_true(helper_stop(&helper, SUPPORT_LIMIT_MS)); /* before the job's memory goes */
    assert_int_equal(worked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_job_comes_back_to_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_queue_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_ends_what_is_queued_and_refuses_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_does_not_wait_for_ever, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("host_helper", tests, NULL, NULL);
}
