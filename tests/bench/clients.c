/* clients: the clients of the measurements for which the time in between must be nobody else's.
 *
 *     clients compare BLOCKS COUNT SERVICE_PIPE ECHO_PIPE...   the round trip to each, in turns
 *     clients ping SERVICE_PIPE                                Pings when told to
 *     clients idle SERVICE_PIPE                                connections that do nothing
 *
 * compare: in each block COUNT frames go to each of the pipes, one after the other is answered; a line for
 * each block has the median in microseconds for each pipe. What goes to all of them is the same Ping, 32
 * bytes of it. ping, idle: say "ready" when connected, and again whenever a line "N" on stdin is done: N
 * Pings, or, for idle, so many connections in all. They end with stdin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "proto/frame.h"

enum {
    MOST_PIPES = 4,
    MOST_COUNT = 100000,
    MOST_CONNECTIONS = 4096,
    PAYLOAD_BYTES = 16,
    USAGE = 64
};

static struct frame_buffer ping;

static void fail(const char *what)
{
    fprintf(stderr, "clients: %s failed (%lu)\n", what, GetLastError());
    exit(1);
}

static LONGLONG ticks(void)
{
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

static HANDLE open_pipe(const char *name)
{
    HANDLE pipe;
    do {
        pipe = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                           SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
    } while (pipe == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY &&
             WaitNamedPipeA(name, NMPWAIT_WAIT_FOREVER));
    if (pipe == INVALID_HANDLE_VALUE)
        fail("opening a pipe");
    return pipe;
}

/* 0 for what is none. */
static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

/* One frame there, one frame back. */
static void exchange(HANDLE pipe, const struct frame_buffer *frame)
{
    uint8_t answer[4096];
    DWORD size = 0, have = 0, wanted = FRAME_HEADER_BYTES;
    if (!WriteFile(pipe, frame->data, (DWORD)frame->size, &size, NULL) || size != frame->size)
        fail("writing");
    while (have < wanted) {
        if (!ReadFile(pipe, answer + have, sizeof answer - have, &size, NULL) || size == 0)
            fail("reading");
        have += size;
        if (have >= FRAME_HEADER_BYTES)
            wanted = FRAME_HEADER_BYTES + ((DWORD)answer[2] << 8 | answer[3]);
        if (wanted > sizeof answer)
            fail("understanding an answer");
    }
}

static void encode(struct frame_buffer *frame, PB(Envelope) * envelope)
{
    if (!frame_encode(frame, envelope, FRAME_LIMIT_HELLO_BYTES))
        fail("encoding");
}

static HANDLE greet(const char *name)
{
    static char program[] = "bench", version[] = "1";
    struct frame_buffer frame = {0};
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = PROTOCOL_MAJOR;
    hello.client_name = program;
    hello.client_version = version;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = 1;
    envelope.body_case = PB_BODY(HELLO);
    envelope.hello = &hello;
    encode(&frame, &envelope);
    HANDLE pipe = open_pipe(name);
    exchange(pipe, &frame);
    frame_buffer_free(&frame);
    return pipe;
}

static void encode_ping(void)
{
    uint8_t payload[PAYLOAD_BYTES] = "0123456789abcde";
    PB(Ping) body = SHADOWPIPE__V1__PING__INIT;
    body.payload.data = payload;
    body.payload.len = sizeof payload;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = 2;
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &body;
    encode(&ping, &envelope);
}

/* ---- compare ---- */

static int compare_ticks(const void *one, const void *other)
{
    const LONGLONG *a = one, *b = other;
    return (*a > *b) - (*a < *b);
}

static double median_us(HANDLE pipe, LONGLONG *took, int count)
{
    LARGE_INTEGER frequency;
    QueryPerformanceFrequency(&frequency);
    for (int i = 0; i < count; i++) {
        LONGLONG begin = ticks();
        exchange(pipe, &ping);
        took[i] = ticks() - begin;
    }
    qsort(took, (size_t)count, sizeof *took, compare_ticks);
    LONGLONG median = took[count / 2];
    return (double)median * 1e6 / (double)frequency.QuadPart;
}

static int compare(int blocks, int count, int pipes_count, char **names)
{
    HANDLE pipes[MOST_PIPES];
    LONGLONG *took = count > 0 && count <= MOST_COUNT ? calloc((size_t)count, sizeof *took) : NULL;
    if (took == NULL || pipes_count > MOST_PIPES)
        return USAGE;
    for (int i = 0; i < pipes_count; i++) {
        pipes[i] = i == 0 ? greet(names[i]) : open_pipe(names[i]);
        (void)median_us(pipes[i], took, count); /* the caches fill */
    }
    for (int block = 0; block < blocks; block++) {
        double medians[MOST_PIPES];
        /* Each begins in turn: whatever grows or sinks during a block is nobody's advantage. */
        for (int i = 0; i < pipes_count; i++) {
            int turn = (block + i) % pipes_count;
            medians[turn] = median_us(pipes[turn], took, count);
        }
        for (int i = 0; i < pipes_count; i++)
            printf(i + 1 < pipes_count ? "%.2f " : "%.2f\n", medians[i]);
    }
    free(took);
    return 0;
}

/* ---- ping and idle ---- */

/* The next number from stdin; 0 at its end. */
static int told(void)
{
    char line[32];
    printf("ready\n");
    (void)fflush(stdout);
    return fgets(line, sizeof line, stdin) != NULL ? number(line) : 0;
}

static int ping_when_told(const char *name)
{
    HANDLE pipe = greet(name);
    for (int count; (count = told()) > 0;) {
        while (count-- > 0)
            exchange(pipe, &ping);
    }
    return 0;
}

static int be_idle(const char *name)
{
    int connections = 0;
    for (int count; (count = told()) > 0 && count <= MOST_CONNECTIONS;) {
        for (; connections < count; connections++)
            (void)greet(name); /* open until this process ends */
    }
    return 0;
}

int main(int count, char **arguments)
{
    encode_ping();
    if (count >= 5 && strcmp(arguments[1], "compare") == 0)
        return compare(number(arguments[2]), number(arguments[3]), count - 4, arguments + 4);
    if (count == 3 && strcmp(arguments[1], "ping") == 0)
        return ping_when_told(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "idle") == 0)
        return be_idle(arguments[2]);
    fprintf(stderr, "usage: clients compare BLOCKS COUNT PIPE... | ping PIPE | idle PIPE\n");
    return USAGE;
}
