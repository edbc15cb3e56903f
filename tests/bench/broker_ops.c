/* broker_ops: how many requests a second the broker answers, natively and on one core.
 *
 *     broker_ops SECONDS RUNS
 *
 * One client; each request comes as one frame of bytes, is decoded, dispatched and answered, and the answer
 * encoded and handed to a host that takes it and says at once that it is sent, as the real one does after
 * each frame. The time is set before each event. The four kinds of request that need nobody else take turns:
 * Ping with 16 bytes, Cancel of a request that does not exist, RenewLease of a lease that does not exist
 * (refused with a Status), and ListLeases. Prints requests per second, one line for each run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/frame.h"
#include "service/broker/broker.h"

enum {
    CONNECTION = 1,
    KINDS = 4,
    BATCH = 1000,
    USAGE = 64
};

static struct frame_buffer requests[KINDS];
static uint64_t replies;

static void host_send(void *context, uint64_t connection, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)connection;
    (void)bytes;
    replies += size > FRAME_HEADER_BYTES;
}

static size_t host_unsent_bytes(void *context, uint64_t connection)
{
    (void)context;
    (void)connection;
    return 0;
}

static void host_disconnect(void *context, uint64_t connection, bool flush)
{
    (void)context;
    (void)connection;
    (void)flush;
    fprintf(stderr, "broker_ops: the broker ended the connection\n");
    exit(1);
}

static void host_pause_reading(void *context, uint64_t connection, bool paused)
{
    (void)context;
    (void)connection;
    (void)paused;
}

static void host_start_requester(void *context, uint64_t requester,
                                 const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    (void)context;
    (void)requester;
    (void)secret;
}

static void host_adopt_requester(void *context, uint64_t requester, uint32_t process_id, uint64_t started)
{
    (void)context;
    (void)requester;
    (void)process_id;
    (void)started;
}

static void host_kill_requester(void *context, uint64_t requester)
{
    (void)context;
    (void)requester;
}

static void host_enumerate_volumes(void *context, bool described)
{
    (void)context;
    (void)described;
}

static void host_nothing(void *context)
{
    (void)context;
}

static void host_store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    (void)context;
    (void)key;
    (void)bytes;
    (void)size;
    (void)lasting;
}

static void host_store_delete(void *context, const char *key)
{
    (void)context;
    (void)key;
}

static void host_random_bytes(void *context, uint8_t *bytes, size_t size)
{
    (void)context;
    memset(bytes, 7, size);
}

static void host_log(void *context, enum broker_log_level level, const char *text)
{
    (void)context;
    (void)level;
    fprintf(stderr, "broker_ops: %s\n", text);
}

static const struct broker_host host = {
    .send = host_send,
    .unsent_bytes = host_unsent_bytes,
    .disconnect = host_disconnect,
    .pause_reading = host_pause_reading,
    .start_requester = host_start_requester,
    .adopt_requester = host_adopt_requester,
    .kill_requester = host_kill_requester,
    .enumerate_volumes = host_enumerate_volumes,
    .store_put = host_store_put,
    .store_delete = host_store_delete,
    .random_bytes = host_random_bytes,
    .log = host_log,
    .stopped = host_nothing,
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void encode(struct frame_buffer *frame, PB(Envelope__BodyCase) kind, void *body)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = 7;
    envelope.body_case = kind;
    envelope.ping = body; /* all of them are pointers in one union */
    if (!frame_encode(frame, &envelope, FRAME_LIMIT_REQUEST_BYTES))
        exit(1);
}

static void encode_requests(void)
{
    static uint8_t payload[16];
    static char lease[] = "6f1c2d0e-95ab-4a6b-9d5e-0c1b2a394857",
                token[] = "00112233445566778899aabbccddeeff";
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    ping.payload.data = payload;
    ping.payload.len = sizeof payload;
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.id = 99;
    PB(RenewLease) renew = SHADOWPIPE__V1__RENEW_LEASE__INIT;
    renew.lease_id = lease;
    renew.token = token;
    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    encode(&requests[0], PB_BODY(PING), &ping);
    encode(&requests[1], PB_BODY(CANCEL), &cancel);
    encode(&requests[2], PB_BODY(RENEW_LEASE), &renew);
    encode(&requests[3], PB_BODY(LIST_LEASES), &list);
}

static void deliver(struct broker *broker, const struct frame_buffer *frame)
{
    broker_received(broker, CONNECTION, frame->data, frame->size);
}

static struct broker *connect_client(void)
{
    static char name[] = "bench", version[] = "1";
    struct broker_config config;
    broker_config_init(&config);
    struct broker *broker = broker_create(&config, &host);
    if (broker == NULL)
        exit(1);
    broker_set_time(broker, 1, 1);
    broker_start(broker);
    broker_connected(broker, CONNECTION, CONNECTION_CLIENT);
    struct caller caller = {.sid = "S-1-5-18",
                            .process_id = 4,
                            .process_name = "bench",
                            .rights = RIGHT_BIT_READ | RIGHT_BIT_SNAPSHOT | RIGHT_BIT_MANAGE};
    broker_identified(broker, CONNECTION, &caller, NULL);
    PB(Hello) hello = SHADOWPIPE__V1__HELLO__INIT;
    hello.major = PROTOCOL_MAJOR;
    hello.client_name = name;
    hello.client_version = version;
    struct frame_buffer frame = {0};
    encode(&frame, PB_BODY(HELLO), &hello);
    deliver(broker, &frame);
    frame_buffer_free(&frame);
    return broker;
}

static double measure(struct broker *broker, double seconds)
{
    static uint64_t now_ms = 1;
    uint64_t done = 0;
    double begin = now_s(), took;
    replies = 0;
    do {
        now_ms++;
        for (int i = 0; i < BATCH; i++) {
            broker_set_time(broker, now_ms, (int64_t)now_ms);
            deliver(broker, &requests[i % KINDS]);
            broker_set_time(broker, now_ms, (int64_t)now_ms);
            broker_output_drained(broker, CONNECTION);
        }
        done += BATCH;
        took = now_s() - begin;
    } while (took < seconds);
    if (replies != done) {
        fprintf(stderr, "broker_ops: %llu replies to %llu requests\n", (unsigned long long)replies,
                (unsigned long long)done);
        exit(1);
    }
    return (double)done / took;
}

int main(int count, char **arguments)
{
    double seconds = count == 3 ? strtod(arguments[1], NULL) : 0;
    long runs = count == 3 ? strtol(arguments[2], NULL, 10) : 0;
    if (seconds <= 0 || runs <= 0) {
        fprintf(stderr, "usage: broker_ops SECONDS RUNS\n");
        return USAGE;
    }
    encode_requests();
    struct broker *broker = connect_client();
    for (long run = 0; run < runs; run++)
        printf("%.0f\n", measure(broker, seconds));
    broker_destroy(broker);
    for (int i = 0; i < KINDS; i++)
        frame_buffer_free(&requests[i]);
    return 0;
}
