/* A server of one connection for the tests of the client library: a thread that plays a scene on a private
 * pipe.
 *
 * A scene reads requests and sends what it likes, also what no real service would. When it returns, the
 * server closes its end. */
#ifndef SHADOWPIPE_TESTS_CLIENT_FAKE_SERVER_H
#define SHADOWPIPE_TESTS_CLIENT_FAKE_SERVER_H

#include <windows.h>

#include "client/lib/message.h"
#include "proto/frame.h"

struct fake_server {
    char pipe[64];       /* the name to connect to */
    const char *boot_id; /* of fake_greet */
    HANDLE handle;
    HANDLE thread;
    HANDLE go;      /* a test lets its scene go on by setting this */
    HANDLE reached; /* a scene says with this where it is */
    void (*scene)(struct fake_server *server);
    struct arena arena;
    struct frame_reader frames;
    uint8_t left[65536]; /* read and not yet taken */
    size_t left_size;
    size_t left_at;
};

void fake_server_start(struct fake_server *server, void (*scene)(struct fake_server *server));
/* After the scene's end: another connection on the same name, with a scene of its own. */
void fake_server_again(struct fake_server *server, void (*scene)(struct fake_server *server));
/* Waits for the scene's end. */
void fake_server_stop(struct fake_server *server);

/* For scenes. The next request, NULL when the client has gone; it lives until the next call. */
const PB(Envelope) * fake_receive(struct fake_server *server);
/* The same, without Cancel messages and with the body that is expected; ends the test otherwise. */
const PB(Envelope) * fake_expect(struct fake_server *server, PB(Envelope__BodyCase) body);
void fake_send(struct fake_server *server, const PB(Envelope) * envelope);
void fake_send_bytes(struct fake_server *server, const void *bytes, size_t size);
/* Answers the Hello. */
void fake_greet(struct fake_server *server);
void fake_send_status(struct fake_server *server, uint32_t id, PB(Code) code, const char *reason);
void fake_send_progress(struct fake_server *server, uint32_t id, PB(Phase) phase, uint32_t queue_position);
void fake_send_snapshot(struct fake_server *server, uint32_t id, const char *lease_id);
void fake_send_finish(struct fake_server *server, uint32_t id);

#endif
