/* What the service hands to a requester process that it starts.
 *
 * The command line `shadowpiped --requester HANDLE` names the read end of an anonymous pipe, the only handle
 * that the process inherits. One block comes through it: the secret with which the requester shows, when it
 * dials in, that this service started it, and what else it has to know. Nothing secret is on the command
 * line, where every user can read it. host/child.c writes, main.c reads and calls requester_main. */
#ifndef SHADOWPIPE_REQUESTER_HANDOFF_H
#define SHADOWPIPE_REQUESTER_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

enum {
    HANDOFF_SECRET_BYTES = 32,
    HANDOFF_PIPE_CHARS = 300, /* a pipe's name has at most 256 characters after "\\.\pipe\" */
    HANDOFF_LIBRARY_CHARS = 1024,
    HANDOFF_MAGIC = 0x32485053 /* "SPH2": changes with the struct, so that two versions never mix */
};

struct requester_arguments {
    uint32_t magic;
    uint32_t orphan_grace_ms;   /* until RequesterWelcome says otherwise */
    uint32_t must_be_simulator; /* 1: refuse to work on a library that is not the simulator */
    /* The service's limits of time, so that both sides mean the same; 0 = the default. */
    uint32_t start_ms; /* from the process's start to RequesterHello */
    uint32_t call_ms;
    uint32_t complete_ms;
    uint32_t cancel_grace_ms;
    uint32_t abort_ms;
    uint32_t release_ms;
    uint8_t secret[HANDOFF_SECRET_BYTES];       /* goes into RequesterHello */
    wchar_t pipe_name[HANDOFF_PIPE_CHARS];      /* to dial in to, complete: "\\.\pipe\…\requester" */
    wchar_t vss_library[HANDOFF_LIBRARY_CHARS]; /* absolute path; "" = vssapi.dll of System32 */
};

/* Sends the block; the pipe's buffer has to hold it, so that this does not wait. A Win32 code, 0 = sent. */
DWORD handoff_write(HANDLE pipe, const struct requester_arguments *arguments);

/* Receives the block and closes the handle in any case. ERROR_INVALID_DATA: not such a block. */
DWORD handoff_read(HANDLE pipe, struct requester_arguments *arguments);

#endif
