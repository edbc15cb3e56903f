/* The requester role: a process that owns exactly one IVssBackupComponents and makes the calls that the
 * service sends it, in their order.
 *
 * The service starts `shadowpiped --requester HANDLE`; main.c reads the handoff and calls requester_main.
 * The process dials in to the service's private pipe, shows its secret and then answers every Call with one
 * CallReply and every Cancel with one CancelReply. It knows nothing of clients, rights or queues.
 * Two threads: this one moves frames and makes no COM call; the worker (worker.h) makes all of them.
 *
 * When the pipe breaks before the snapshots exist, it carries out its own duties: cancel what runs,
 * AbortBackup if a set is open or PrepareForBackup was reached, Release, exit. Once they exist it holds them
 * for orphan_grace_ms and dials in again; a service that does not welcome it, or the end of the grace, makes
 * it release them. A watchdog ends the process when a step of these duties never returns. */
#ifndef SHADOWPIPE_REQUESTER_REQUESTER_H
#define SHADOWPIPE_REQUESTER_REQUESTER_H

#include "service/requester/handoff.h"

/* What the process ends with. Only the first three promise that no set of this process is left open. */
enum requester_exit {
    REQUESTER_EXIT_DONE = 0,          /* the pipe was closed when no object was left */
    REQUESTER_EXIT_CLEANED_UP = 10,   /* the pipe broke; the duties are done */
    REQUESTER_EXIT_ORPHAN_ENDED = 11, /* held snapshots without a service, then released them */
    REQUESTER_EXIT_ABORT_FAILED =
        12, /* the pipe broke; AbortBackup failed; the object was released all the same */
    REQUESTER_EXIT_NO_SERVICE = 13, /* the pipe could not be opened, or its server is not our parent */
    REQUESTER_EXIT_NOT_READY = 14,  /* COM did not come up in time */
    REQUESTER_EXIT_NO_MEMORY = 15,  /* not even the start was possible */
    REQUESTER_EXIT_WATCHDOG = 16    /* a duty did not return; VSS may take minutes to notice */
};

/* Milliseconds. */
struct requester_limits {
    DWORD connect_ms;      /* until the service's pipe accepts us: 10 s */
    DWORD welcome_ms;      /* from RequesterHello to RequesterWelcome: 30 s */
    DWORD ready_ms;        /* COM and vssapi.dll, from then on: 15 s */
    DWORD cancel_grace_ms; /* from IVssAsync::Cancel until a reply goes out without an end: 10 s */
    DWORD finish_ms;       /* duties: for the call under way to return: 70 s before snapshots exist */
    DWORD finish_held_ms;  /* the same once they exist (BackupComplete is not cancelled): 360 s */
    DWORD abort_ms;        /* duties: AbortBackup: 60 s */
    DWORD release_ms;      /* duties: Release, with hardware providers minutes: 240 s */
    DWORD redial_ms;       /* between two attempts to dial in again: 1 s */
};

void requester_limits_init(struct requester_limits *limits);
/* The service's own in place of the defaults. */
void requester_limits_take(struct requester_limits *limits, const struct requester_arguments *arguments);

/* Both return an enum requester_exit and run until the service has no use for the process any more. */
int requester_main(const struct requester_arguments *arguments);
int requester_run(const struct requester_arguments *arguments, const struct requester_limits *limits);

#endif
