/* A requester that serves many sessions one after the other keeps nothing of them. */
#include "cmocka_all.h"
#include "requester_service.h"

#include <psapi.h>
#include <stdio.h>

enum {
    WARM_UP_SESSIONS = 10,
    SESSIONS = 100, /* and as many that fail */
    LIMIT_BYTES = 512 * 1024
};

/* PagefileUsage: the count of handles and PrivateUsage say 0 under Wine. */
static size_t memory_of(const struct service *service)
{
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
    assert_true(GetProcessMemoryInfo(service->process, &counters, sizeof counters));
    assert_true(counters.PagefileUsage > 0);
    return counters.PagefileUsage;
}

static void read_writers(struct service *service)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterMetadata) in = SHADOWPIPE__V1__GET_WRITER_METADATA__INIT;
    in.with_components = true;
    in.with_files = true;
    call.method_case = PB_METHOD(GET_WRITER_METADATA);
    call.get_writer_metadata = &in;
    for (in.index = 0; in.index < 10; in.index++) {
        assert_int_equal(service_call(service, &call)->hresult, 0);
    }
}

static void read_statuses(struct service *service)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterStatusEx) in = SHADOWPIPE__V1__GET_WRITER_STATUS_EX__INIT;
    call.method_case = PB_METHOD(GET_WRITER_STATUS_EX);
    call.get_writer_status_ex = &in;
    for (in.index = 0; in.index < 10; in.index++) {
        assert_int_equal(service_call(service, &call)->hresult, 0);
    }
}

static void query_providers(struct service *service)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(Query) in = SHADOWPIPE__V1__QUERY__INIT;
    in.object_type = 4;
    call.method_case = PB_METHOD(QUERY);
    call.query = &in;
    assert_int_equal(service_call(service, &call)->hresult, 0);
}

static void run_session(struct service *service)
{
    service_good(service, PB_METHOD(CREATE_OBJECT));
    service_good(service, PB_METHOD(INITIALIZE_FOR_BACKUP));
    query_providers(service);
    service_good(service, PB_METHOD(SET_BACKUP_STATE));
    service_good(service, PB_METHOD(GATHER_WRITER_METADATA));
    read_writers(service);
    service_good(service, PB_METHOD(START_SNAPSHOT_SET));
    service_good(service, PB_METHOD(PREPARE_FOR_BACKUP));
    service_good(service, PB_METHOD(DO_SNAPSHOT_SET));
    service_good(service, PB_METHOD(SAVE_AS_XML));
    service_good(service, PB_METHOD(BACKUP_COMPLETE));
    service_good(service, PB_METHOD(GATHER_WRITER_STATUS));
    read_statuses(service);
    service_good(service, PB_METHOD(RELEASE_OBJECT));
}

static void run_failing_session(struct service *service)
{
    service_good(service, PB_METHOD(CREATE_OBJECT));
    assert_true(service_simple(service, PB_METHOD(PREPARE_FOR_BACKUP))->hresult != 0);
    service_good(service, PB_METHOD(INITIALIZE_FOR_BACKUP));
    assert_true(service_simple(service, PB_METHOD(GATHER_WRITER_STATUS))->hresult != 1);
    assert_true(service_simple(service, PB_METHOD(BACKUP_COMPLETE))->hresult != 0);
    service_good(service, PB_METHOD(RELEASE_OBJECT));
}

static size_t growth_over(struct service *service, unsigned sessions)
{
    size_t before = memory_of(service);
    for (unsigned i = 0; i < sessions; i++) {
        run_session(service);
        run_failing_session(service);
    }
    size_t after = memory_of(service);
    return after > before ? after - before : 0;
}

/* The measure has to see what it is there to see. */
static void a_leak_is_seen(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.leaks = true;
    service_start_welcomed(&service);
    size_t before = memory_of(&service);
    for (DWORD start = GetTickCount(); memory_of(&service) < before + LIMIT_BYTES; Sleep(10)) {
        assert_true(GetTickCount() - start < TEST_LIMIT_MS);
    }
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void sessions_leave_nothing_behind(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    growth_over(&service, WARM_UP_SESSIONS);
    size_t growth = growth_over(&service, SESSIONS);
    print_message("%u sessions: %u bytes more\n", SESSIONS * 2, (unsigned)growth);
    assert_true(growth < LIMIT_BYTES);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    /* An interface that was not released would keep its object. */
    assert_int_equal(service_logged(&service, "object\treleased"), (WARM_UP_SESSIONS + SESSIONS) * 2);
    service_end(&service);
}

int main(int count, char **arguments)
{
    service_run_as_requester(count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_is_seen),
        cmocka_unit_test(sessions_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
