#include "host_support.h"

#include "service/host/access.h"
#include "service/host/listener.h"
#include "service/host/win32_api.h"

enum {
    MAX_CALLS = 64,
    MAX_CLIENTS = 64
};

static struct win32_api real;
static struct loop loop;
static struct listener listener;
static struct access access;

static struct {
    DWORD open_mode, pipe_mode, max_instances, out_bytes, in_bytes;
    BOOL inherit;
    PSECURITY_DESCRIPTOR descriptor;
} created[MAX_CALLS];
static int created_count;
static int create_fails_from, create_fails_until; /* calls, counted from 0 */
static DWORD create_error;

static DWORD connect_script[MAX_CALLS]; /* 0 = the real call */
static int connect_count;
static int recycled_count;

static HANDLE clients[MAX_CLIENTS];
static int clients_count;
static int created_when_connected;

static HANDLE WINAPI spy_create(LPCWSTR name, DWORD open_mode, DWORD pipe_mode, DWORD max_instances,
                                DWORD out_bytes, DWORD in_bytes, DWORD timeout,
                                LPSECURITY_ATTRIBUTES security)
{
    int call = created_count++;
    assert_in_range(call, 0, MAX_CALLS - 1);
    assert_non_null(security);
    created[call].open_mode = open_mode;
    created[call].pipe_mode = pipe_mode;
    created[call].max_instances = max_instances;
    created[call].out_bytes = out_bytes;
    created[call].in_bytes = in_bytes;
    created[call].inherit = security->bInheritHandle;
    created[call].descriptor = security->lpSecurityDescriptor;
    if (call >= create_fails_from && call < create_fails_until) {
        SetLastError(create_error);
        return INVALID_HANDLE_VALUE;
    }
    return CreateNamedPipeW(name, open_mode, pipe_mode, max_instances, out_bytes, in_bytes, timeout,
                            security);
}

static BOOL WINAPI spy_connect(HANDLE pipe, LPOVERLAPPED overlapped)
{
    int call = connect_count++;
    if (call < MAX_CALLS && connect_script[call] != 0) {
        SetLastError(connect_script[call]);
        return FALSE;
    }
    return ConnectNamedPipe(pipe, overlapped);
}

/* As if a client had been there; the holder's own disconnect is the real one. */
static BOOL WINAPI spy_disconnect(HANDLE pipe)
{
    BOOL disconnected = DisconnectNamedPipe(pipe);
    if (pipe == listener.holder) {
        return disconnected;
    }
    recycled_count++;
    return TRUE;
}

static void take_client(struct listener *from, HANDLE pipe)
{
    assert_ptr_equal(from, &listener);
    assert_in_range(clients_count, 0, MAX_CLIENTS - 1);
    created_when_connected = created_count;
    clients[clients_count++] = pipe;
}

static int set_up(void **state)
{
    (void)state;
    real = win32;
    win32.create_named_pipe = spy_create;
    win32.connect_named_pipe = spy_connect;
    created_count = 0;
    create_fails_from = create_fails_until = MAX_CALLS;
    connect_count = 0;
    recycled_count = 0;
    clients_count = 0;
    memset(connect_script, 0, sizeof connect_script);
    memset(&listener, 0, sizeof listener);
    listener.label = "client";
    listener.connected = take_client;
    if (access_create(ACCESS_DEFAULT_SDDL, true, &access) != ERROR_SUCCESS) {
        return -1;
    }
    return loop_init(&loop) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    listener_stop(&listener);
    SERVE_UNTIL(&loop, listener_idle(&listener));
    listener_free(&listener);
    for (int i = 0; i < clients_count; i++) {
        CloseHandle(clients[i]);
    }
    loop_free(&loop);
    access_free(&access);
    win32 = real;
    return 0;
}

static const wchar_t *start(void)
{
    const wchar_t *name = support_pipe_name();
    assert_int_equal(listener_start(&listener, &loop, name, access.client_pipe, 254), ERROR_SUCCESS);
    return name;
}

static int waiting(void)
{
    int count = 0;
    for (int i = 0; i < LISTENER_WAITING; i++) {
        count += listener.instances[i].connecting;
    }
    return count;
}

static void test_every_instance_is_made_as_it_must_be(void **state)
{
    (void)state;
    start();
    assert_int_equal(created_count, 1 + LISTENER_WAITING);
    for (int i = 0; i < created_count; i++) {
        DWORD first = i == 0 ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0;
        assert_int_equal(created[i].open_mode, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first);
        assert_int_equal(created[i].pipe_mode,
                         PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS);
        assert_int_equal(created[i].max_instances, 254);
        assert_in_range(created[i].out_bytes, 4096, 65536);
        assert_in_range(created[i].in_bytes, 4096, 65536);
        assert_false(created[i].inherit);
        assert_ptr_equal(created[i].descriptor, access.client_pipe);
    }
    assert_int_equal(waiting(), LISTENER_WAITING);
}

static void test_the_successor_is_there_before_the_client_is_served(void **state)
{
    (void)state;
    const wchar_t *name = start();
    HANDLE client = support_connect(name);
    assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
    SERVE_UNTIL(&loop, clients_count == 1);
    assert_int_equal(created_when_connected, 1 + LISTENER_WAITING + 1);
    assert_int_equal(waiting(), LISTENER_WAITING);
    CloseHandle(client);
}

static void test_nobody_can_connect_to_the_holder(void **state)
{
    (void)state;
    const wchar_t *name = start();
    HANDLE connected[LISTENER_WAITING];
    for (int i = 0; i < LISTENER_WAITING; i++) {
        connected[i] = support_connect(name);
        assert_ptr_not_equal(connected[i], INVALID_HANDLE_VALUE);
    }
    /* The loop has not run, so the waiting instances are used up; the holder must not be another. */
    assert_ptr_equal(support_connect(name), INVALID_HANDLE_VALUE);
    assert_int_equal(GetLastError(), ERROR_PIPE_BUSY);
    SERVE_UNTIL(&loop, clients_count == LISTENER_WAITING);
    for (int i = 0; i < LISTENER_WAITING; i++) {
        CloseHandle(connected[i]);
    }
}

static void test_the_name_stays_held_while_stopped(void **state)
{
    (void)state;
    const wchar_t *name = start();
    listener_stop(&listener);
    SERVE_UNTIL(&loop, listener_idle(&listener));
    /* Busy, not gone. */
    assert_ptr_equal(support_connect(name), INVALID_HANDLE_VALUE);
    assert_int_equal(GetLastError(), ERROR_PIPE_BUSY);
}

static void test_a_name_with_a_server_is_taken(void **state)
{
    (void)state;
    struct listener second = {.label = "client", .connected = take_client};
    const wchar_t *name = start();
    int before = created_count;
    assert_int_equal(listener_start(&second, &loop, name, access.client_pipe, 254), ERROR_ALREADY_EXISTS);
    assert_int_equal(created_count, before); /* not even tried */
    listener_free(&second);
}

static void test_a_name_refused_by_the_flag_is_reported(void **state)
{
    (void)state;
    create_fails_from = 0;
    create_fails_until = 1;
    create_error = ERROR_ACCESS_DENIED;
    assert_int_equal(listener_start(&listener, &loop, support_pipe_name(), access.client_pipe, 254),
                     ERROR_ACCESS_DENIED);
    listener_free(&listener);
    created_count = 0;
    create_error = ERROR_PIPE_BUSY;
    assert_int_equal(listener_start(&listener, &loop, support_pipe_name(), access.client_pipe, 254),
                     ERROR_ALREADY_EXISTS);
}

/* Each result that ConnectNamedPipe has for a client that came early, or came and went. */
static void test_clients_that_came_before_the_call(void **state)
{
    (void)state;
    static const DWORD gone[] = {ERROR_NO_DATA, ERROR_BROKEN_PIPE};
    for (size_t i = 0; i < ARRAYSIZE(gone); i++) {
        win32.disconnect_named_pipe = spy_disconnect;
        connect_count = 0;
        recycled_count = 0;
        connect_script[0] = gone[i];
        connect_script[2] = gone[i];
        const wchar_t *name = start();
        SERVE_UNTIL(&loop, connect_count >= LISTENER_WAITING + 2 && waiting() == LISTENER_WAITING);
        assert_int_equal(recycled_count, 2);
        assert_false(listener.trouble_logged);
        int before = clients_count;
        HANDLE client = support_connect(name);
        assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
        SERVE_UNTIL(&loop, clients_count == before + 1);
        CloseHandle(client);
        listener_stop(&listener);
        SERVE_UNTIL(&loop, listener_idle(&listener));
        listener_free(&listener);
    }
}

static void test_a_client_that_is_connected_already_is_served(void **state)
{
    (void)state;
    connect_script[0] = ERROR_PIPE_CONNECTED;
    start();
    SERVE_UNTIL(&loop, clients_count == 1);
    assert_int_equal(waiting(), LISTENER_WAITING);
}

static void test_an_unknown_failure_is_retried(void **state)
{
    (void)state;
    connect_script[1] = ERROR_NOT_ENOUGH_QUOTA;
    start();
    SERVE_UNTIL(&loop, connect_count >= LISTENER_WAITING + 1 && waiting() == LISTENER_WAITING);
    assert_int_equal(listener.retry_ms, LISTENER_RETRY_FIRST_MS);
    assert_false(listener.trouble_logged); /* said that it works again */
}

static void test_without_a_successor_the_others_still_listen(void **state)
{
    (void)state;
    const wchar_t *name = start();
    create_error = ERROR_NOT_ENOUGH_MEMORY;
    create_fails_from = created_count;
    create_fails_until = created_count + 3;
    HANDLE first = support_connect(name);
    SERVE_UNTIL(&loop, clients_count == 1);
    assert_int_equal(waiting(), LISTENER_WAITING - 1);
    assert_true(listener.trouble_logged);
    assert_true(listener.retry.armed);
    HANDLE second = support_connect(name);
    assert_ptr_not_equal(second, INVALID_HANDLE_VALUE);
    /* It goes on trying, at growing distance, until it works. */
    SERVE_UNTIL(&loop, clients_count == 2 && waiting() == LISTENER_WAITING);
    assert_true(created_count > create_fails_until);
    assert_int_equal(listener.retry_ms, LISTENER_RETRY_FIRST_MS);
    CloseHandle(first);
    CloseHandle(second);
}

static void test_back_off_has_a_limit(void **state)
{
    (void)state;
    start();
    listener.retry_ms = LISTENER_RETRY_LAST_MS;
    create_fails_from = created_count;
    create_fails_until = created_count + 1;
    create_error = ERROR_PIPE_BUSY;
    HANDLE client = support_connect(listener.name);
    SERVE_UNTIL(&loop, clients_count == 1);
    assert_int_equal(listener.retry_ms, LISTENER_RETRY_LAST_MS);
    /* A connection that ended makes room at once, without waiting for the timer. */
    listener_instance_freed(&listener);
    assert_int_equal(waiting(), LISTENER_WAITING);
    assert_false(listener.retry.armed);
    CloseHandle(client);
}

static void test_clients_that_only_look(void **state)
{
    (void)state;
    const wchar_t *name = start();
    for (int i = 0; i < 30; i++) {
        HANDLE client = support_connect(name);
        if (client != INVALID_HANDLE_VALUE) {
            CloseHandle(client);
        }
        loop_step(&loop, loop_now_ms());
        created_count = 1;
    }
    SERVE_UNTIL(&loop, waiting() == LISTENER_WAITING);
    int before = clients_count;
    HANDLE client = support_connect(name);
    assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
    SERVE_UNTIL(&loop, clients_count > before);
    CloseHandle(client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_instance_is_made_as_it_must_be),
        TEST(test_the_successor_is_there_before_the_client_is_served),
        TEST(test_nobody_can_connect_to_the_holder),
        TEST(test_the_name_stays_held_while_stopped),
        TEST(test_a_name_with_a_server_is_taken),
        TEST(test_a_name_refused_by_the_flag_is_reported),
        TEST(test_clients_that_came_before_the_call),
        TEST(test_a_client_that_is_connected_already_is_served),
        TEST(test_an_unknown_failure_is_retried),
        TEST(test_without_a_successor_the_others_still_listen),
        TEST(test_back_off_has_a_limit),
        TEST(test_clients_that_only_look),
    };
    return cmocka_run_group_tests_name("host_listener", tests, NULL, NULL);
}
