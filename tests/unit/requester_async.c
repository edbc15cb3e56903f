/* Waiting for an IVssAsync, against one that does as each test says. */
#include "cmocka_all.h"

#include "service/requester/async.h"

struct fake {
    IVssAsync base;
    unsigned pending;     /* how many queries still say PENDING */
    HRESULT result;       /* then */
    HRESULT wait_result;  /* of each Wait */
    HRESULT query_result; /* of QueryStatus itself */
    bool query_is_silent; /* it leaves *result alone */
    bool ends_by_cancel;  /* with VSS_S_ASYNC_CANCELLED */
    bool never_ends;
    unsigned waits;
    unsigned queries;
    unsigned cancels;
    DWORD longest_slice_ms;
};

static HRESULT STDMETHODCALLTYPE query_interface(IVssAsync *self, REFIID iid, void **object)
{
    (void)self;
    (void)iid;
    *object = NULL;
    return E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE reference(IVssAsync *self)
{
    (void)self;
    return 1;
}

static HRESULT STDMETHODCALLTYPE cancel(IVssAsync *self)
{
    struct fake *fake = (struct fake *)self;
    fake->cancels++;
    if (fake->ends_by_cancel) {
        fake->pending = 0;
        fake->result = VSS_S_ASYNC_CANCELLED;
    }
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE wait_for(IVssAsync *self, DWORD ms)
{
    struct fake *fake = (struct fake *)self;
    fake->waits++;
    fake->longest_slice_ms = ms > fake->longest_slice_ms ? ms : fake->longest_slice_ms;
    if (fake->never_ends) {
        Sleep(ms);
    }
    return fake->wait_result;
}

static HRESULT STDMETHODCALLTYPE query_status(IVssAsync *self, HRESULT *result, INT *reserved)
{
    struct fake *fake = (struct fake *)self;
    fake->queries++;
    assert_null(reserved);
    if (FAILED(fake->query_result) || fake->query_is_silent) {
        return fake->query_result;
    }
    if (fake->pending > 0 || fake->never_ends) {
        fake->pending -= fake->pending > 0;
        *result = VSS_S_ASYNC_PENDING;
    } else {
        *result = fake->result;
    }
    return S_OK;
}

static IVssAsyncVtbl table = {query_interface, reference, reference, cancel, wait_for, query_status};

static struct fake make(HRESULT result)
{
    return (struct fake){.base = {&table}, .result = result};
}

static unsigned asked_before_interrupt;

static bool never(void *context)
{
    (void)context;
    return false;
}

static bool soon(void *context)
{
    (void)context;
    return asked_before_interrupt-- == 0;
}

static struct async_outcome run(struct fake *fake, DWORD wait_ms, bool (*interrupted)(void *))
{
    const struct async_control control = {.wait_ms = wait_ms, .grace_ms = 40, .interrupted = interrupted};
    struct async_outcome outcome;
    async_wait(&fake->base, &control, &outcome);
    return outcome;
}

static void finished_is_success(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    struct async_outcome outcome = run(&fake, 0, never);
    assert_true(async_succeeded(&outcome));
    assert_int_equal(fake.waits, 1);
    assert_int_equal(fake.queries, 1);
    assert_int_equal(fake.cancels, 0);
}

/* Slices grow, so that a quick operation costs little and a long one is not asked too often. */
static void slices_grow_to_their_limit(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.pending = 20;
    struct async_outcome outcome = run(&fake, 0, never);
    assert_true(async_succeeded(&outcome));
    assert_int_equal(fake.queries, 21);
    assert_int_equal(fake.longest_slice_ms, 250);
}

static void only_finished_is_success(void **state)
{
    (void)state;
    static const HRESULT others[] = {S_OK, S_FALSE, VSS_S_ASYNC_CANCELLED, VSS_E_INSUFFICIENT_STORAGE,
                                     E_FAIL};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct fake fake = make(others[i]);
        struct async_outcome outcome = run(&fake, 0, never);
        assert_int_equal(outcome.result, others[i]);
        assert_false(async_succeeded(&outcome));
    }
}

/* The page of IVssAsync::Wait allows both forms of a failed operation. */
static void a_failing_wait_is_a_failure_and_status_is_asked(void **state)
{
    (void)state;
    struct fake fake = make(VSS_E_INSUFFICIENT_STORAGE);
    fake.wait_result = VSS_E_INSUFFICIENT_STORAGE;
    struct async_outcome outcome = run(&fake, 0, never);
    assert_int_equal(outcome.wait_result, VSS_E_INSUFFICIENT_STORAGE);
    assert_int_equal(outcome.result, VSS_E_INSUFFICIENT_STORAGE);
    fake = make(VSS_S_ASYNC_FINISHED);
    fake.wait_result = E_ACCESSDENIED;
    outcome = run(&fake, 0, never);
    assert_int_equal(outcome.result, VSS_S_ASYNC_FINISHED);
    assert_false(async_succeeded(&outcome));
}

static void a_failing_wait_on_a_running_operation_cancels_it(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.never_ends = true;
    fake.wait_result = E_ACCESSDENIED;
    struct async_outcome outcome = run(&fake, 0, never);
    assert_int_equal(outcome.wait_result, E_ACCESSDENIED);
    assert_int_equal(outcome.result, VSS_S_ASYNC_PENDING);
    assert_int_equal(fake.cancels, 1);
}

static void a_failing_query_is_a_failure(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.query_result = E_ACCESSDENIED;
    struct async_outcome outcome = run(&fake, 0, never);
    assert_int_equal(outcome.result, E_ACCESSDENIED);
    assert_int_equal(outcome.query_result, E_ACCESSDENIED);
    assert_false(async_succeeded(&outcome));
}

static void a_silent_query_is_no_success(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.query_is_silent = true;
    struct async_outcome outcome = run(&fake, 0, never);
    assert_int_equal(outcome.result, E_UNEXPECTED);
    assert_false(async_succeeded(&outcome));
}

static void an_interrupt_cancels(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.pending = 1000000;
    fake.ends_by_cancel = true;
    asked_before_interrupt = 3;
    struct async_outcome outcome = run(&fake, 0, soon);
    assert_true(outcome.interrupted);
    assert_false(outcome.timed_out);
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(outcome.result, VSS_S_ASYNC_CANCELLED);
}

/* If success won the race it is success. */
static void a_cancel_may_come_too_late(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.pending = 3;
    asked_before_interrupt = 1;
    struct async_outcome outcome = run(&fake, 0, soon);
    assert_true(outcome.interrupted);
    assert_true(async_succeeded(&outcome));
}

static void the_limit_of_time_cancels(void **state)
{
    (void)state;
    struct fake fake = make(VSS_S_ASYNC_FINISHED);
    fake.never_ends = true;
    struct async_outcome outcome = run(&fake, 30, never);
    assert_true(outcome.timed_out);
    assert_int_equal(fake.cancels, 1);
    assert_int_equal(outcome.result, VSS_S_ASYNC_PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finished_is_success),
        cmocka_unit_test(slices_grow_to_their_limit),
        cmocka_unit_test(only_finished_is_success),
        cmocka_unit_test(a_failing_wait_is_a_failure_and_status_is_asked),
        cmocka_unit_test(a_failing_wait_on_a_running_operation_cancels_it),
        cmocka_unit_test(a_failing_query_is_a_failure),
        cmocka_unit_test(a_silent_query_is_no_success),
        cmocka_unit_test(an_interrupt_cancels),
        cmocka_unit_test(a_cancel_may_come_too_late),
        cmocka_unit_test(the_limit_of_time_cancels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
