/* A world around the broker that obeys nothing but the host's contract: connections that come and go,
 * requester processes that answer as they are told, and a clock. It checks what must always hold: frames are
 * sound, every request gets one final reply and nothing after it, and nothing is sent to a connection that
 * was closed. */
#ifndef SHADOWPIPE_TESTS_BROKER_WORLD_H
#define SHADOWPIPE_TESTS_BROKER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/broker/broker.h"

#define REQUIRE(condition) \
    do {                   \
        if (!(condition))  \
            abort();       \
    } while (0)

enum {
    PEERS = 256, /* connections, of both kinds, and requester processes in one run */
    CALLS = 64,
    REQUESTS = 64,
    STORE_OPERATIONS = 2048
};

struct pending_call {
    uint32_t id;
    PB(Envelope__BodyCase) kind;
    PB(Call__MethodCase) method;
};

struct peer {
    bool used, closing, is_raw; /* raw: sends bytes that nobody keeps account of */
    enum connection_kind kind;
    struct frame_reader reader;
    uint32_t open[REQUESTS]; /* ids of open requests, 0 = free */
    uint32_t last_id;
    char lease_id[64];
    char session_id[64];
    char document_id[64];
    size_t process; /* of a requester: its index, from 1 */
    struct pending_call calls[CALLS];
    size_t calls_count;
};

struct process {
    uint64_t id; /* the broker's; 0 = none */
    uint8_t secret[REQUESTER_SECRET_BYTES];
    size_t peer; /* its connection, 0 = none */
    bool reported, killed;
};

struct world {
    struct broker *broker;
    struct arena arena;
    struct frame_buffer buffer;
    struct peer peers[PEERS]; /* index = connection id */
    struct process processes[PEERS];
    size_t peers_count, processes_count;
    bool enumerating, stopped;
    uint64_t now_ms;
    uint32_t made_ids;
    char stored[STORE_OPERATIONS][STORE_KEY_MAX + 1]; /* keys of what the store was asked for, in order */
    size_t stored_count, stored_done;
};

extern struct world world;

void world_start(void);
void world_end(void);

void pass_time(uint64_t milliseconds);
size_t new_peer(enum connection_kind kind); /* 0: there were enough */
void peer_goes(size_t index);
void deliver(size_t index, PB(Envelope) * envelope);

void volumes_come(bool failed);
/* The oldest of what the store was asked for, if there is any. */
void store_answers(bool fails);
void process_reports(size_t number);
void process_answers(size_t number, uint8_t detail, bool fails);
void process_exits(size_t number, uint32_t exit_code, const char *failure);
/* What the broker asked the host for, and what follows from that. */
void host_follows(void);

#endif
