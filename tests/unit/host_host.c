#include "host_support.h"

#include "service/host/host.h"
#include "service/host/listener.h"
#include "service/host/win32_api.h"

static struct service_config config;
static HANDLE client;
static int listener_stops;
static int drain_ticks;
static int broker_starts;
static int broker_stops;
static enum broker_stop_kind stop_kind;
static bool requesters_may_dial_in; /* when the broker is told to stop */

// NOLINTBEGIN(*-identifier*): the linker's names
void __real_listener_stop(struct listener *listener);
void __wrap_listener_stop(struct listener *listener);

/* The first is that of the clients at the beginning of the stop, the second that of the requesters when the
 * broker is done. */
void __wrap_listener_stop(struct listener *listener)
{
    listener_stops++;
    __real_listener_stop(listener);
}

void __real_broker_start(struct broker *broker);
void __wrap_broker_start(struct broker *broker);
void __real_broker_stop(struct broker *broker, enum broker_stop_kind kind);
void __wrap_broker_stop(struct broker *broker, enum broker_stop_kind kind);

void __wrap_broker_start(struct broker *broker)
{
    broker_starts++;
    __real_broker_start(broker);
}

void __wrap_broker_stop(struct broker *broker, enum broker_stop_kind kind)
{
    HANDLE requester = support_connect(config.requester_pipe_name);
    requesters_may_dial_in = requester != INVALID_HANDLE_VALUE;
    CloseHandle(requester);
    broker_stops++;
    stop_kind = kind;
    __real_broker_stop(broker, kind);
}
// NOLINTEND(*-identifier*)

static void on_tick(void *context)
{
    assert_ptr_equal(context, &config);
    if (listener_stops == 2 && drain_ticks++ == 0) {
        CloseHandle(client); /* what the drain waits for */
    }
}

static int set_up(void **state)
{
    (void)state;
    listener_stops = drain_ticks = broker_starts = broker_stops = 0;
    config_init(&config);
    config.grant_self = true;
    config.is_console = true;
    config.broker.warm_requesters = 0;
    return config_set_pipe(&config, support_pipe_name()) ? 0 : -1;
}

static struct host *start_host(void)
{
    char error[HOST_ERROR_CHARS];
    struct host *host = NULL;
    assert_int_equal(host_create(&config, &host, error), HOST_OK);
    assert_int_equal(host_start(host, error), HOST_OK);
    return host;
}

static void test_the_manager_hears_of_the_stop_until_its_end(void **state)
{
    (void)state;
    struct host *host = start_host();
    client = support_connect(config.pipe_name);
    assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
    host_request_stop(host, BROKER_STOP_END);
    assert_int_equal(host_run(host, on_tick, &config), HOST_OK);
    assert_true(drain_ticks > 0);
    host_free(host);
}

/* One that was let go dials in again at once: it would be refused, and release what it holds. */
static void test_no_requester_finds_a_service_that_hands_over(void **state)
{
    (void)state;
    struct host *host = start_host();
    host_request_stop(host, BROKER_STOP_HAND_OVER);
    host_request_stop(host, BROKER_STOP_END); /* too late */
    assert_int_equal(host_run(host, NULL, NULL), HOST_OK);
    assert_int_equal(broker_stops, 1);
    assert_int_equal(stop_kind, BROKER_STOP_HAND_OVER);
    assert_false(requesters_may_dial_in);
    host_free(host);
}

/* Until the end of a set, its requester may only just have been started. */
static void test_requesters_find_a_service_that_stops(void **state)
{
    (void)state;
    struct host *host = start_host();
    host_request_stop(host, BROKER_STOP_END);
    assert_int_equal(host_run(host, NULL, NULL), HOST_OK);
    assert_int_equal(broker_stops, 1);
    assert_int_equal(stop_kind, BROKER_STOP_END);
    assert_true(requesters_may_dial_in);
    host_free(host);
}

/* The one that serves the name has its requesters in that store. */
static void test_what_is_stored_is_not_touched_where_the_name_is_taken(void **state)
{
    (void)state;
    char error[HOST_ERROR_CHARS];
    struct host *second = NULL;
    struct host *first = start_host();
    assert_int_equal(broker_starts, 1);
    assert_int_equal(host_create(&config, &second, error), HOST_OK);
    assert_int_equal(host_start(second, error), HOST_PIPE_TAKEN);
    assert_int_equal(broker_starts, 1);
    host_free(second);
    host_free(first);
}

static HANDLE(WINAPI *create_named_pipe)(LPCWSTR, DWORD, DWORD, DWORD, DWORD, DWORD, DWORD,
                                         LPSECURITY_ATTRIBUTES);
static DWORD instances_of_clients;

static HANDLE WINAPI watch_instances(LPCWSTR name, DWORD open_mode, DWORD pipe_mode, DWORD max_instances,
                                     DWORD out_bytes, DWORD in_bytes, DWORD timeout_ms,
                                     LPSECURITY_ATTRIBUTES security)
{
    if (wcscmp(name, config.pipe_name) == 0) {
        instances_of_clients = max_instances;
    }
    return create_named_pipe(name, open_mode, pipe_mode, max_instances, out_bytes, in_bytes, timeout_ms,
                             security);
}

static DWORD instances_for(uint32_t max_connections)
{
    char error[HOST_ERROR_CHARS];
    struct host *host = NULL;
    config_init(&config);
    assert_true(config_set_pipe(&config, support_pipe_name()));
    config.grant_self = true;
    config.broker.max_connections = max_connections;
    create_named_pipe = win32.create_named_pipe;
    win32.create_named_pipe = watch_instances;
    assert_int_equal(host_create(&config, &host, error), HOST_OK);
    assert_int_equal(host_start(host, error), HOST_OK);
    win32.create_named_pipe = create_named_pipe;
    host_request_stop(host, BROKER_STOP_END);
    assert_int_equal(host_run(host, NULL, NULL), HOST_OK);
    host_free(host);
    return instances_of_clients;
}

static void test_a_pipe_has_instances_for_all_connections_that_are_allowed(void **state)
{
    (void)state;
    assert_int_equal(instances_for(CONFIG_COUNTED_CONNECTIONS), CONFIG_PIPE_INSTANCES);
    assert_int_equal(instances_for(CONFIG_COUNTED_CONNECTIONS + 1), PIPE_UNLIMITED_INSTANCES);
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_manager_hears_of_the_stop_until_its_end),
        TEST(test_no_requester_finds_a_service_that_hands_over),
        TEST(test_requesters_find_a_service_that_stops),
        TEST(test_what_is_stored_is_not_touched_where_the_name_is_taken),
        TEST(test_a_pipe_has_instances_for_all_connections_that_are_allowed),
    };
    return cmocka_run_group_tests_name("host_host", tests, NULL, NULL);
}
