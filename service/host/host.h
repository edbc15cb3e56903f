/* The host: the Windows shell around the broker. It turns completions into the broker's events and carries
 * out the broker's actions; it decides nothing.
 *
 * main.c and scm.c use it: create, start, run, free, all on one thread, which is the loop's. Only
 * host_request_stop may be called from others. */
#ifndef SHADOWPIPE_HOST_HOST_H
#define SHADOWPIPE_HOST_HOST_H

#include "service/host/config.h"

struct host;

/* Why there is no service. The service reports these as service-specific exit codes, so they do not change.
 */
enum host_error {
    HOST_OK = 0,
    HOST_PIPE_TAKEN = 1,    /* another program serves the pipe's name */
    HOST_PIPE_FAILED = 2,   /* the pipe could not be made */
    HOST_NO_RESOURCES = 3,  /* memory, a thread or a completion port */
    HOST_WRONG_MACHINE = 4, /* this program is for another processor than Windows runs on */
    HOST_STOP_OVERRUN = 5,  /* stopping took longer than its limit; work may be left undone */
    HOST_BAD_ACCESS = 6     /* the security descriptors could not be built */
};

enum {
    HOST_ERROR_CHARS = 512,
    /* From the end of StopAllMs to that of the process, at the worst; and host_free's part of it. */
    HOST_STOP_BEYOND_MS = 35 * 1000,
    HOST_FREE_MS = 10 * 1000
};

/* `config` stays the caller's and must outlive the host. `error` gets a sentence. */
enum host_error host_create(const struct service_config *config, struct host **host_out,
                            char error[HOST_ERROR_CHARS]);
/* Takes the pipes' names and listens. */
enum host_error host_start(struct host *host, char error[HOST_ERROR_CHARS]);
/* Serves until stopped. `tick` (may be NULL) is called about every second while stopping. */
enum host_error host_run(struct host *host, void (*tick)(void *context), void *context);
/* From any thread, any number of times: the first counts. */
void host_request_stop(struct host *host, enum broker_stop_kind kind);
void host_free(struct host *host);

#endif
