#include "host_support.h"

#include "service/host/host.h"
#include "service/host/listener.h"

static struct service_config config;
static HANDLE client;
static int listener_stops;
static int drain_ticks;

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
// NOLINTEND(*-identifier*)

static void on_tick(void *context)
{
    assert_ptr_equal(context, &config);
    if (listener_stops == 2 && drain_ticks++ == 0) {
        CloseHandle(client); /* what the drain waits for */
    }
}

static void test_the_manager_hears_of_the_stop_until_its_end(void **state)
{
    (void)state;
    char error[HOST_ERROR_CHARS];
    struct host *host = NULL;
    config_init(&config);
    assert_true(config_set_pipe(&config, support_pipe_name()));
    config.grant_self = true;
    assert_int_equal(host_create(&config, &host, error), HOST_OK);
    assert_int_equal(host_start(host, error), HOST_OK);
    client = support_connect(config.pipe_name);
    assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
    host_request_stop(host, BROKER_STOP_END);
    assert_int_equal(host_run(host, on_tick, &config), HOST_OK);
    assert_true(drain_ticks > 0);
    host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_manager_hears_of_the_stop_until_its_end),
    };
    return cmocka_run_group_tests_name("host_host", tests, NULL, NULL);
}
