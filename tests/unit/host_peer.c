#include "host_support.h"

#include <stdlib.h>

#include "service/host/peer.h"

enum {
    INPUT_LIMIT = 1024 * 1024
};

static struct loop loop;
static HANDLE server;
static HANDLE client;
static struct peer *peer;
static uint8_t *input;
static size_t input_size;
static int deliveries;
static int drains;
static int closes;
static bool inside; /* a function of the peer is running */
static bool pause_on_input;

static void received(void *context, struct peer *from, const uint8_t *bytes, size_t size)
{
    assert_ptr_equal(context, &loop);
    assert_ptr_equal(from, peer);
    assert_false(inside);
    assert_true(input_size + size <= INPUT_LIMIT);
    memcpy(input + input_size, bytes, size);
    input_size += size;
    deliveries++;
    if (pause_on_input) {
        peer_pause(peer, true);
    }
}

static void drained(void *context, struct peer *from)
{
    (void)context;
    assert_ptr_equal(from, peer);
    assert_false(inside);
    drains++;
}

static void closed(void *context, struct peer *from)
{
    (void)context;
    assert_ptr_equal(from, peer);
    assert_false(inside);
    closes++;
    peer = NULL;
}

static const struct peer_events events = {received, drained, closed};

static int set_up(void **state)
{
    (void)state;
    const wchar_t *name = support_pipe_name();
    input = malloc(INPUT_LIMIT);
    input_size = 0;
    deliveries = drains = closes = 0;
    pause_on_input = false;
    if (input == NULL || loop_init(&loop) != ERROR_SUCCESS) {
        return -1;
    }
    server = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 4096, 4096,
                              0, NULL);
    client =
        CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (client == INVALID_HANDLE_VALUE || loop_attach(&loop, server) != ERROR_SUCCESS) {
        return -1;
    }
    peer = peer_create(&loop, server, 7, CONNECTION_CLIENT, &events, &loop);
    return peer != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    if (client != NULL) {
        CloseHandle(client);
    }
    if (peer != NULL) {
        peer_close(peer);
        SERVE_UNTIL(&loop, peer == NULL);
    }
    client = NULL;
    loop_free(&loop);
    free(input);
    return 0;
}

/* Overlapped calls of the client, so that the test's one thread can serve the loop meanwhile. */

static void client_write(const void *bytes, DWORD size)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD written = 0;
    if (!WriteFile(client, bytes, size, NULL, &overlapped)) {
        assert_int_equal(GetLastError(), ERROR_IO_PENDING);
    }
    SERVE_UNTIL(&loop, HasOverlappedIoCompleted(&overlapped));
    assert_true(GetOverlappedResult(client, &overlapped, &written, TRUE));
    assert_int_equal(written, size);
    CloseHandle(overlapped.hEvent);
}

/* ERROR_SUCCESS, or how the pipe ended; *got = what came. */
static DWORD client_read(void *bytes, DWORD size, DWORD *got)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    *got = 0;
    if (!ReadFile(client, bytes, size, NULL, &overlapped) && GetLastError() != ERROR_IO_PENDING) {
        DWORD error = GetLastError();
        CloseHandle(overlapped.hEvent);
        return error;
    }
    SERVE_UNTIL(&loop, HasOverlappedIoCompleted(&overlapped));
    DWORD error = GetOverlappedResult(client, &overlapped, got, TRUE) ? ERROR_SUCCESS : GetLastError();
    CloseHandle(overlapped.hEvent);
    return error;
}

static void send_text(const char *text)
{
    inside = true;
    peer_send(peer, (const uint8_t *)text, strlen(text));
    inside = false;
}

static void test_bytes_go_both_ways(void **state)
{
    (void)state;
    char answer[16];
    DWORD got;
    client_write("hello", 5);
    SERVE_UNTIL(&loop, input_size == 5);
    assert_memory_equal(input, "hello", 5);
    send_text("one");
    send_text("two");
    SERVE_UNTIL(&loop, peer_unsent_bytes(peer) == 0);
    assert_true(drains > 0);
    assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_SUCCESS);
    if (got == 3) {
        DWORD more;
        assert_int_equal(client_read(answer + 3, sizeof answer - 3, &more), ERROR_SUCCESS);
        got += more;
    }
    assert_int_equal(got, 6);
    assert_memory_equal(answer, "onetwo", 6);
}

static void test_a_byte_at_a_time(void **state)
{
    (void)state;
    static const char text[] = "every byte by itself";
    for (size_t i = 0; i < sizeof text; i++) {
        client_write(text + i, 1);
    }
    SERVE_UNTIL(&loop, input_size == sizeof text);
    assert_memory_equal(input, text, sizeof text);
}

static void test_nothing_is_no_end(void **state)
{
    (void)state;
    client_write("", 0);
    client_write("x", 1);
    SERVE_UNTIL(&loop, input_size == 1);
    assert_int_equal(closes, 0);
}

static void test_a_peer_that_goes_is_noticed_once(void **state)
{
    (void)state;
    CloseHandle(client);
    client = NULL;
    SERVE_UNTIL(&loop, closes == 1);
    for (int i = 0; i < 10; i++) {
        loop_step(&loop, loop_now_ms());
    }
    assert_int_equal(closes, 1);
}

static void test_close_comes_from_the_loop(void **state)
{
    (void)state;
    inside = true;
    peer_close(peer);
    peer_close(peer);
    inside = false;
    assert_int_equal(closes, 0);
    SERVE_UNTIL(&loop, closes == 1);
}

static void test_much_output_for_a_slow_reader(void **state)
{
    (void)state;
    enum {
        TOTAL = 400 * 1000,
        PIECE = 1000
    };
    static uint8_t piece[PIECE];
    static uint8_t all[TOTAL];
    for (int i = 0; i < TOTAL / PIECE; i++) {
        memset(piece, i % 251, sizeof piece);
        inside = true;
        peer_send(peer, piece, sizeof piece);
        inside = false;
    }
    assert_true(peer_unsent_bytes(peer) > TOTAL - 64 * 1024);
    size_t done = 0;
    while (done < TOTAL) {
        DWORD got;
        assert_int_equal(client_read(all + done, (DWORD)(TOTAL - done), &got), ERROR_SUCCESS);
        done += got;
    }
    for (int i = 0; i < TOTAL; i++) {
        if (all[i] != i / PIECE % 251) {
            fail_msg("byte %d is out of order", i);
        }
    }
    SERVE_UNTIL(&loop, peer_unsent_bytes(peer) == 0);
    /* Large buffers do not stay. */
    assert_true(peer->queued.capacity + peer->in_flight.capacity <= 2 * 4096);
}

static void test_small_output_allocates_nothing_after_the_first(void **state)
{
    (void)state;
    char answer[16];
    DWORD got;
    const uint8_t *first = NULL;
    const uint8_t *second = NULL;
    for (int i = 0; i < 100; i++) {
        send_text("frame");
        SERVE_UNTIL(&loop, peer_unsent_bytes(peer) == 0);
        assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_SUCCESS);
        if (i == 2) {
            first = peer->queued.data;
            second = peer->in_flight.data;
        } else if (i > 2) {
            assert_true(peer->queued.data == first || peer->queued.data == second);
            assert_true(peer->in_flight.data == first || peer->in_flight.data == second);
        }
    }
}

static void test_paused_input_waits(void **state)
{
    (void)state;
    peer_pause(peer, true);
    client_write("held", 4);
    for (int i = 0; i < 10; i++) {
        loop_step(&loop, loop_now_ms() + 5);
    }
    assert_int_equal(deliveries, 0);
    inside = true;
    peer_pause(peer, false);
    inside = false;
    SERVE_UNTIL(&loop, input_size == 4);
    client_write("more", 4);
    SERVE_UNTIL(&loop, input_size == 8);
    assert_memory_equal(input, "heldmore", 8);
}

static void test_pausing_from_inside_a_delivery(void **state)
{
    (void)state;
    pause_on_input = true;
    client_write("a", 1);
    SERVE_UNTIL(&loop, input_size == 1);
    client_write("b", 1);
    for (int i = 0; i < 10; i++) {
        loop_step(&loop, loop_now_ms() + 5);
    }
    assert_int_equal(input_size, 1);
    peer_pause(peer, false);
    SERVE_UNTIL(&loop, input_size == 2);
}

static void test_a_paused_peer_that_goes_is_noticed(void **state)
{
    (void)state;
    pause_on_input = true;
    client_write("a", 1);
    SERVE_UNTIL(&loop, input_size == 1);
    /* With bytes that nobody reads in between. */
    client_write("b", 1);
    CloseHandle(client);
    client = NULL;
    SERVE_UNTIL(&loop, closes == 1);
    assert_int_equal(input_size, 1);
}

static void test_the_last_words_reach_a_late_reader(void **state)
{
    (void)state;
    char answer[16];
    DWORD got;
    send_text("goodbye");
    inside = true;
    peer_linger(peer);
    inside = false;
    uint64_t due = loop_now_ms() + 300;
    while (loop_now_ms() < due) {
        loop_step(&loop, loop_now_ms() + 20);
    }
    assert_int_equal(closes, 0);
    client_write("ignored", 7);
    assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_SUCCESS);
    assert_int_equal(got, 7);
    assert_memory_equal(answer, "goodbye", 7);
    CloseHandle(client);
    client = NULL;
    SERVE_UNTIL(&loop, closes == 1);
    assert_int_equal(input_size, 0);
}

static void test_a_peer_that_stays_is_left_in_the_end(void **state)
{
    (void)state;
    char answer[16];
    DWORD got;
    send_text("goodbye");
    peer_linger(peer);
    SERVE_UNTIL(&loop, closes == 1);
    /* Closing, unlike disconnecting, leaves what was written. */
    assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_SUCCESS);
    assert_int_equal(got, 7);
    assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_BROKEN_PIPE);
}

static void test_lingering_while_paused_sees_the_end(void **state)
{
    (void)state;
    peer_pause(peer, true);
    peer_linger(peer);
    CloseHandle(client);
    client = NULL;
    uint64_t begin = loop_now_ms();
    SERVE_UNTIL(&loop, closes == 1);
    (void)begin;
    assert_int_equal(deliveries, 0);
}

static void test_a_requester_is_left_once_all_is_written(void **state)
{
    (void)state;
    enum {
        TOTAL = 64 * 1024
    };
    static uint8_t bytes[TOTAL];
    static uint8_t answer[TOTAL];
    size_t done = 0;
    peer->kind = CONNECTION_REQUESTER;
    peer_send(peer, bytes, sizeof bytes);
    peer_linger(peer);
    assert_false(peer->closing);
    while (done < TOTAL) {
        DWORD got;
        assert_int_equal(client_read(answer, sizeof answer, &got), ERROR_SUCCESS);
        done += got;
    }
    /* It waits for our end, as we would for a client's. */
    SERVE_UNTIL(&loop, closes == 1);
}

static void test_a_requester_with_nothing_to_read_is_left_at_once(void **state)
{
    (void)state;
    peer->kind = CONNECTION_REQUESTER;
    peer_linger(peer);
    assert_true(peer->closing);
    SERVE_UNTIL(&loop, closes == 1);
}

static void test_sending_to_a_peer_that_is_gone(void **state)
{
    (void)state;
    CloseHandle(client);
    client = NULL;
    send_text("anybody there?");
    send_text("no");
    SERVE_UNTIL(&loop, closes == 1);
}

static void test_closing_with_output_under_way(void **state)
{
    (void)state;
    static uint8_t bytes[256 * 1024];
    peer_send(peer, bytes, sizeof bytes);
    peer_send(peer, bytes, sizeof bytes);
    assert_true(peer->writing);
    peer_close(peer);
    send_text("too late");
    SERVE_UNTIL(&loop, closes == 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_go_both_ways),
        TEST(test_a_byte_at_a_time),
        TEST(test_nothing_is_no_end),
        TEST(test_a_peer_that_goes_is_noticed_once),
        TEST(test_close_comes_from_the_loop),
        TEST(test_much_output_for_a_slow_reader),
        TEST(test_small_output_allocates_nothing_after_the_first),
        TEST(test_paused_input_waits),
        TEST(test_pausing_from_inside_a_delivery),
        TEST(test_a_paused_peer_that_goes_is_noticed),
        TEST(test_the_last_words_reach_a_late_reader),
        TEST(test_a_peer_that_stays_is_left_in_the_end),
        TEST(test_lingering_while_paused_sees_the_end),
        TEST(test_a_requester_is_left_once_all_is_written),
        TEST(test_a_requester_with_nothing_to_read_is_left_at_once),
        TEST(test_sending_to_a_peer_that_is_gone),
        TEST(test_closing_with_output_under_way),
    };
    return cmocka_run_group_tests_name("host_peer", tests, NULL, NULL);
}
