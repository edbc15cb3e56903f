/* The service's end of a requester's pipe, for tests of the requester as a process.
 *
 * The test program is its own requester: started with "--requester HANDLE" it runs requester_run with limits
 * that the test chose, on the simulator. Each test has a fresh store, so that its event log tells of it
 * alone. Every wait is bounded by TEST_LIMIT_MS; a test that meets it fails. */
#ifndef REQUESTER_SERVICE_H
#define REQUESTER_SERVICE_H

#include <stdbool.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "service/requester/requester.h"

enum {
    TEST_LIMIT_MS = 60 * 1000
};

/* HRESULTs are signed, their fields on the wire are not. */
#define assert_hresult(got, expected) assert_int_equal((uint32_t)(got), (uint32_t)(expected))

struct service {
    struct requester_arguments arguments;
    struct requester_limits limits;
    bool leaks; /* the requester leaks on purpose */
    wchar_t store[MAX_PATH];
    HANDLE pipe;
    HANDLE event;
    HANDLE process;
    DWORD process_id;
    uint32_t last_id;
    struct frame_reader reader;
    uint8_t input[4096];
    const uint8_t *input_at;
    size_t input_left;
    struct arena arena; /* of what was received, until the next */
};

/* What main calls first: runs as a requester if the command line says so, and does not return then. */
void service_run_as_requester(int count, char **arguments);

/* A fresh store, quick limits, the simulator as library, no scenario. */
void service_init(struct service *service);
void service_scenario(struct service *service, const char *text);
/* Makes the pipe, starts the process and waits until it has dialled in. */
void service_start(struct service *service);
/* The process alone: it finds no pipe. */
void service_start_without_pipe(struct service *service);
/* Waits until the running process dials in again. */
void service_listen(struct service *service);
/* start, RequesterHello, RequesterWelcome. */
void service_start_welcomed(struct service *service);
void service_welcome(struct service *service);
void service_break(struct service *service);
/* Waits for the process to end; closes everything and removes the store. */
DWORD service_exit_code(struct service *service);
void service_end(struct service *service);

PB(Envelope) * service_receive(struct service *service);
void service_send(struct service *service, PB(Envelope) * envelope);
void service_send_bytes(struct service *service, const void *bytes, size_t size);
/* The next reply has to be a CallReply with this id. */
PB(CallReply) * service_receive_reply(struct service *service, uint32_t id);
/* Sends; the id under which it goes. */
uint32_t service_begin(struct service *service, PB(Call) * call);
PB(CallReply) * service_call(struct service *service, PB(Call) * call);

/* A call with all parameters at their defaults; the caller frees call->prepare_for_backup. */
void service_method(PB(Call) * call, PB(Call__MethodCase) method);
PB(CallReply) * service_simple(struct service *service, PB(Call__MethodCase) method);
PB(CallReply) * service_set_state(struct service *service);
/* Like service_simple, and S_OK or VSS_S_ASYNC_FINISHED is what it has to answer. */
void service_good(struct service *service, PB(Call__MethodCase) method);

/* How many lines of the simulator's event log have this text in them. */
unsigned service_logged(const struct service *service, const char *text);
void service_await_log(const struct service *service, const char *text);

#endif
