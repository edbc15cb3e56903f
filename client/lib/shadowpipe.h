/* libshadowpipe: snapshots of live volumes from the Shadowpipe service, for programs in C.
 *
 * A program connects, asks for a snapshot of some volumes, reads the files from the paths it gets, and
 * says whether its backup succeeded:
 *
 *     struct sp_error *error = NULL;
 *     struct sp_client *client = sp_connect(NULL, &error);
 *     const char *volumes[] = {"C:"};
 *     struct sp_snapshot_request request = {.volumes = volumes, .volumes_count = 1, .purpose = "nightly"};
 *     struct sp_snapshot *snapshot = sp_create_snapshot(client, &request, &error);
 *     ... read below snapshot->volumes[0].device_root ...
 *     sp_finish(client, snapshot->lease_id, snapshot->token, true, 0, NULL, &error);
 *     sp_snapshot_free(snapshot);
 *     sp_close(client);
 *
 * Rules that hold for every function and every struct below:
 *   * Strings are UTF-8 and end with NUL. A string that comes out is never NULL: absent is "". A string
 *     that goes in may be NULL, which means absent. What goes in is copied, or not used after the call.
 *   * Structs that go in are filled with zeros first; zero means the default in every field.
 *   * A function that fails returns NULL or false and, when `error` is not NULL, stores a new error in
 *     *error, which the caller frees with sp_error_free. A function that succeeds leaves *error alone.
 *   * A pointer that a function returned is the caller's and goes back to the function named with it.
 *     What lies inside of a returned struct lives as long as that struct.
 *   * Durations are milliseconds. Times are unix milliseconds in UTC. A GUID is 36 lower-case characters
 *     without braces.
 *   * All functions may be called from any thread, and a client may be used by many threads at once, each
 *     with its own call. Callbacks run on the thread that waits for the call, never on another.
 *     sp_close and the ..._free functions need the object for themselves.
 *
 * Link with libshadowpipe_client.a (and advapi32, bcrypt), or define SHADOWPIPE_DLL and link with shadowpipe.dll.
 * The DLL and this header belong together: compare sp_version() with SP_VERSION. */
#ifndef SHADOWPIPE_H
#define SHADOWPIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(SHADOWPIPE_DLL_BUILD)
#define SP_API __declspec(dllexport)
#elif defined(SHADOWPIPE_DLL)
#define SP_API __declspec(dllimport)
#else
#define SP_API
#endif

#define SP_VERSION "0.1.0"

/* Where the service listens. Nobody below Administrator can make a pipe of this name. */
#define SP_DEFAULT_PIPE "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Shadowpipe\\api"

/* The version of the library that is loaded, "MAJOR.MINOR.PATCH". */
SP_API const char *sp_version(void);

/* ------------------------------------------------------------------------------------------------
 * Errors.
 * ------------------------------------------------------------------------------------------------ */

/* What kind of failure it is; the numbers are google.rpc.Code's. */
enum sp_code {
    SP_CANCELLED = 1, /* by sp_cancel_now, or by an administrator */
    SP_UNKNOWN = 2,
    SP_INVALID_ARGUMENT = 3,  /* the request is wrong; `field` names the part */
    SP_DEADLINE_EXCEEDED = 4, /* timeout_ms ran out */
    SP_NOT_FOUND = 5,         /* no such volume, lease, writer */
    SP_ALREADY_EXISTS = 6,
    SP_PERMISSION_DENIED = 7,  /* also: the pipe may not be opened, or its server is not trusted */
    SP_RESOURCE_EXHAUSTED = 8, /* a limit (`limit_name`), storage or memory */
    SP_FAILED_PRECONDITION = 9,
    SP_ABORTED = 10, /* VSS or a writer gave up; `writers` says which */
    SP_OUT_OF_RANGE = 11,
    SP_UNIMPLEMENTED = 12, /* this service is too old for the request */
    SP_INTERNAL = 13,
    SP_UNAVAILABLE = 14, /* no service, it stops, or the connection broke */
    SP_DATA_LOSS = 15,
    SP_UNAUTHENTICATED = 16
};

/* Whether asking again can help. */
enum sp_retry {
    SP_RETRY_UNKNOWN = 0,
    SP_RETRY_NO = 1,          /* the same request fails again */
    SP_RETRY_SOON = 2,        /* after retry_after_ms */
    SP_RETRY_LATER = 3,       /* in ten minutes, at most three times */
    SP_RETRY_AFTER_CHANGE = 4 /* when somebody has done what `advice` says */
};

/* One VSS writer: an application that is asked to put its files in order for a snapshot. */
struct sp_writer {
    const char *writer_id;   /* GUID; the same on all machines */
    const char *instance_id; /* GUID; changes when the application restarts */
    const char *name;
    uint32_t state;         /* VSS_WRITER_STATE */
    const char *state_name; /* "STABLE", "FAILED_AT_FREEZE", … */
    uint32_t hresult;       /* 0 = no failure */
    const char *hresult_name;
    uint32_t app_hresult; /* the application's own code, 0 = none */
    const char *app_message;
    bool failed;
    bool tolerated;           /* failed, and the request said that it may */
    bool took_part;           /* was frozen for this snapshot */
    const char *host_service; /* the Windows service to restart, where known */
    const char *advice;
    uint32_t components_count; /* how many components it declares */
};

struct sp_error {
    enum sp_code code;
    /* A stable word for programs: the service's (proto/PROTOCOL.md lists them) or the library's own:
     * NO_SERVICE, ACCESS_DENIED, UNTRUSTED_SERVER, PIPE_BUSY, CONNECTION_LOST, TIMEOUT, MALFORMED_REPLY,
     * UNEXPECTED_REPLY, TOO_LARGE, BAD_ARGUMENT, DAMAGED_DOCUMENT, NO_MEMORY, WIN32. */
    const char *reason;
    const char *message; /* what failed and why: one English sentence */
    const char *advice;  /* what to do: one sentence, "" where there is nothing to advise */
    /* From VSS, or 0 and "". */
    uint32_t hresult;
    const char *hresult_name;         /* e.g. "VSS_E_INSUFFICIENT_STORAGE" */
    const char *method;               /* the COM method or Win32 function that failed */
    const char *missing_prerequisite; /* the COM call that should have come first */
    const char *phase;                /* of the job, e.g. "PREPARING", or "" */
    const char *volume;
    const char *provider;
    const char *limit_name; /* with SP_RESOURCE_EXHAUSTED */
    const char *field;      /* with SP_INVALID_ARGUMENT, e.g. "create_snapshot.volumes" */
    enum sp_retry retry;
    uint32_t retry_after_ms;
    uint32_t attempts;               /* how often the service tried, 0 = once or not at all */
    uint32_t win32;                  /* the Win32 error behind one of the library's own failures, else 0 */
    const struct sp_writer *writers; /* those that failed */
    size_t writers_count;
};

/* NULL is allowed. */
SP_API void sp_error_free(struct sp_error *error);

/* ------------------------------------------------------------------------------------------------
 * Connecting.
 * ------------------------------------------------------------------------------------------------ */

struct sp_client;

struct sp_connect_options {
    /* The name of the pipe, with or without "\\.\pipe\". NULL or "": the environment variable
     * SHADOWPIPE_PIPE, and without it SP_DEFAULT_PIPE. */
    const char *pipe;
    /* For the service's log and lists; at most 64 bytes. NULL: the name of the running program. */
    const char *client_name;
    const char *client_version;
    /* For opening the pipe and for the greeting. 0 = 10 s. */
    uint32_t timeout_ms;
};

/* Connects and greets. `options` may be NULL.
 *
 * The pipe is opened at identification level, so its server can see who calls and cannot act as the
 * caller. A server is trusted when its pipe belongs to SYSTEM or Administrators. A pipe that `pipe`
 * names (or SHADOWPIPE_PIPE, in a process that is not elevated) may also belong to the user who calls,
 * as that of a service started by hand does. Wine keeps no owners: there this check is left out and
 * sp_server.owner_checked is false.
 *
 * Errors: SP_UNAVAILABLE with reason NO_SERVICE (nobody listens) or PIPE_BUSY; SP_PERMISSION_DENIED with
 * ACCESS_DENIED or UNTRUSTED_SERVER; SP_DEADLINE_EXCEEDED; what the service answers to the greeting. */
SP_API struct sp_client *sp_connect(const struct sp_connect_options *options, struct sp_error **error);

/* Ends the connection. Snapshots that were made on it and not finished count as failed, and go. NULL is
 * allowed. No call may be in progress on another thread. */
SP_API void sp_close(struct sp_client *client);

struct sp_server {
    const char *version; /* of the service */
    uint32_t protocol_major;
    uint32_t protocol_minor;
    const char *boot_id; /* changes at each start of the service */
    const char *os_build;
    bool simulated;     /* VSS is the simulator, not Windows's */
    bool owner_checked; /* see sp_connect */
    uint64_t connection_id;
    const char *caller_sid; /* who the service says we are */
    bool caller_elevated;
    bool caller_filtered_admin;
    uint32_t rights; /* bit 1 << n: 1 read, 2 snapshot, 3 truncate, 4 persist, 5 restore, 6 manage */
    uint32_t max_request_bytes;
    uint32_t default_timeout_ms;
};

/* What the service said about itself. Lives as long as the client. */
SP_API const struct sp_server *sp_get_server(const struct sp_client *client);

/* Waits up to wait_ms (0 = look only) for the connection to end by itself. True: it has ended, every
 * further call fails, and the snapshots made on it are lost. */
SP_API bool sp_wait_closed(struct sp_client *client, uint32_t wait_ms);

/* ------------------------------------------------------------------------------------------------
 * Cancelling: one object may be given to any number of calls; sp_cancel_now, from any thread, asks the
 * service to end all that wait with it now or later. Each still ends by itself, as a rule with
 * SP_CANCELLED; one that was quicker succeeds, and then its result is the caller's.
 * ------------------------------------------------------------------------------------------------ */

struct sp_cancel;

SP_API struct sp_cancel *sp_cancel_create(void); /* NULL without memory */
SP_API void sp_cancel_now(struct sp_cancel *cancel);
SP_API void sp_cancel_free(struct sp_cancel *cancel); /* NULL is allowed */

/* ------------------------------------------------------------------------------------------------
 * Snapshots.
 * ------------------------------------------------------------------------------------------------ */

struct sp_progress {
    const char *phase;         /* "QUEUED", "GATHERING", "WAITING_FOR_GATE", "PREPARING", "CREATING", … */
    uint32_t queue_position;   /* 1 = next, 0 = not in the queue */
    uint32_t expected_wait_ms; /* 0 = not known */
    const char *waiting_for;   /* "", "OWN_SET", "RUNDOWN", "FOREIGN_PROGRAM", "HOLD" */
    uint32_t elapsed_ms;       /* since the request arrived */
    uint32_t phase_elapsed_ms;
    uint32_t attempt;   /* 1 = the first */
    const char *writer; /* that is waited for, where known */
};

struct sp_snapshot_request {
    /* Volumes in any form ("C:", "C:\", "\\?\Volume{…}\", a mounted folder), and local paths, whose
     * volumes are then used. At least one in all, at most 64 volumes; the same volume twice is an error. */
    const char *const *volumes;
    size_t volumes_count;
    const char *const *paths;
    size_t paths_count;
    const char *purpose; /* for people; at most 256 bytes */
    /* The same key from the same user gives the same snapshot; at most 128 bytes. */
    const char *job_key;
    /* Writers, each by name, class id or instance id: must be there; are left out; may fail. */
    const char *const *writers_required;
    size_t writers_required_count;
    const char *const *writers_excluded;
    size_t writers_excluded_count;
    const char *const *writers_tolerated;
    size_t writers_tolerated_count;
    bool without_writers;      /* no application is asked: the copy is as after a power cut */
    bool include_mounted;      /* also the volumes that are mounted below */
    bool skip_unsupported;     /* leave out volumes that cannot be copied; they are then in `uncovered` */
    uint32_t queue_timeout_ms; /* for the wait in the queue alone; 0 = only timeout_ms counts */
    uint32_t timeout_ms;       /* for all of it; 0 = the service's default (sp_server.default_timeout_ms) */
    /* May be NULL. *progress lives until the callback returns. */
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;
    struct sp_cancel *cancel; /* may be NULL */
};

enum sp_consistency {
    SP_CONSISTENCY_UNKNOWN = 0,
    SP_CONSISTENCY_APPLICATION = 1,         /* every writer took part and succeeded */
    SP_CONSISTENCY_APPLICATION_PARTIAL = 2, /* some were excluded, or failed and were tolerated */
    SP_CONSISTENCY_CRASH = 3                /* no writers */
};

struct sp_volume_snapshot {
    const char *volume_guid_path;    /* of the original, "\\?\Volume{…}\" */
    const char *const *volume_names; /* of the original: "C:\", "D:\mounted\" */
    size_t volume_names_count;
    const char *snapshot_id;
    const char *device;      /* without trailing backslash: put "\path" behind it */
    const char *device_root; /* with one: the root directory. Without the backslash nothing can be listed */
    const char *provider_id;
};

/* A path that begins with `original` is found in the snapshot by putting `shadow` in its place. Both end
 * with a backslash. The longest `original` that fits is the right one. */
struct sp_mapping {
    const char *original;
    const char *shadow;
};

struct sp_uncovered {
    const char *path;
    const char *reason;
};

struct sp_snapshot {
    const char *lease_id; /* the right to read it */
    const char *token;    /* a secret that goes with lease_id */
    const char *set_id;
    int64_t created_ms;
    int64_t expires_ms; /* 0 = when the connection ends */
    enum sp_consistency consistency;
    bool simulated;
    const struct sp_volume_snapshot *volumes;
    size_t volumes_count;
    const struct sp_mapping *map;
    size_t map_count;
    const struct sp_uncovered *uncovered; /* asked for and not in the snapshot; only with skip_unsupported */
    size_t uncovered_count;
    const struct sp_writer *writers;
    size_t writers_count;
    const char *const *warnings;
    size_t warnings_count;
};

/* Takes one snapshot of all the volumes at the same moment and returns when it can be read. It lives until
 * sp_finish, or until the connection ends. Free it with sp_snapshot_free, which does not end it.
 * Errors: everything VSS, its writers and the request can be wrong with; see struct sp_error. */
SP_API struct sp_snapshot *sp_create_snapshot(struct sp_client *client,
                                              const struct sp_snapshot_request *request,
                                              struct sp_error **error);
SP_API void sp_snapshot_free(struct sp_snapshot *snapshot);

/* Ends the reading. `succeeded` false tells the writers nothing of a backup. The snapshot goes when its last
 * reader has finished. `token` may be NULL on the connection that made it; timeout_ms 0 = the service's
 * default; `cancel` may be NULL. False: the writers did not take the end of the backup well, or the lease was
 * gone; the snapshot is then gone too. */
SP_API bool sp_finish(struct sp_client *client, const char *lease_id, const char *token, bool succeeded,
                      uint32_t timeout_ms, struct sp_cancel *cancel, struct sp_error **error);

/* ------------------------------------------------------------------------------------------------
 * What there is. timeout_ms 0 = the service's default. Answers may be a few seconds old (age_ms).
 * ------------------------------------------------------------------------------------------------ */

struct sp_volume {
    const char *guid_path;
    const char *const *names;
    size_t names_count;
    const char *label;
    const char *file_system;
    uint64_t total_bytes;
    uint64_t free_bytes;
    bool supported;     /* a snapshot of it can be taken */
    const char *reason; /* why not */
};

struct sp_volumes {
    const struct sp_volume *volumes;
    size_t volumes_count;
    uint32_t age_ms;
};

SP_API struct sp_volumes *sp_list_volumes(struct sp_client *client, uint32_t timeout_ms,
                                          struct sp_error **error);
SP_API void sp_volumes_free(struct sp_volumes *volumes);

struct sp_writers {
    const struct sp_writer *writers;
    size_t writers_count;
    uint32_t age_ms;
};

SP_API struct sp_writers *sp_list_writers(struct sp_client *client, uint32_t timeout_ms,
                                          struct sp_error **error);
SP_API void sp_writers_free(struct sp_writers *writers);

struct sp_provider {
    const char *provider_id;
    const char *name;
    uint32_t type; /* VSS_PROVIDER_TYPE: 1 system, 2 software, 3 hardware, 4 file share */
    const char *version;
};

struct sp_providers {
    const struct sp_provider *providers;
    size_t providers_count;
    uint32_t age_ms;
};

SP_API struct sp_providers *sp_list_providers(struct sp_client *client, uint32_t timeout_ms,
                                              struct sp_error **error);
SP_API void sp_providers_free(struct sp_providers *providers);

/* ------------------------------------------------------------------------------------------------
 * Documents of VSS, in XML as UTF-8: what a backup keeps beside its data, and what a restore needs.
 * ------------------------------------------------------------------------------------------------ */

enum sp_document_kind {
    SP_DOCUMENT_BACKUP_COMPONENTS = 1, /* the Backup Components Document */
    SP_DOCUMENT_WRITER_METADATA = 2    /* the Writer Metadata Document of one writer */
};

struct sp_document_request {
    /* Whose: that of a snapshot (lease_id, and token as in sp_finish), or that of a step session. */
    const char *lease_id;
    const char *token;
    const char *session_id;
    enum sp_document_kind kind;     /* 0 is refused */
    const char *writer_instance_id; /* with SP_DOCUMENT_WRITER_METADATA */
    uint32_t timeout_ms;            /* 0 = the service's default */
    struct sp_cancel *cancel;       /* may be NULL */
};

struct sp_document {
    const uint8_t *bytes; /* a NUL, which does not count, comes behind them */
    size_t size;
    uint8_t sha256[32];
};

/* Reads a document and checks it against its SHA-256. Free it with sp_document_free. Errors: SP_DATA_LOSS
 * with DAMAGED_DOCUMENT; what the service says, as UNKNOWN_DOCUMENT and UNKNOWN_LEASE. */
SP_API struct sp_document *sp_read_document(struct sp_client *client,
                                            const struct sp_document_request *request,
                                            struct sp_error **error);
SP_API void sp_document_free(struct sp_document *document); /* NULL is allowed */

struct sp_document_source {
    enum sp_document_kind kind; /* SP_DOCUMENT_BACKUP_COMPONENTS is all that the service takes */
    const uint8_t *bytes;
    size_t size;              /* 1 byte to 32 MiB */
    uint32_t timeout_ms;      /* for each of its chunks of 256 KiB; 0 = the service's default */
    struct sp_cancel *cancel; /* may be NULL */
};

/* Sends a document to the service and returns the id that OpenSession, InitializeForRestore,
 * InitializeForBackup and sp_import_set take, once. It belongs to the connection. Free the id with
 * sp_string_free. Errors: SP_INVALID_ARGUMENT with BAD_ARGUMENT (it is empty); what the service says, as
 * BAD_KIND and TOO_LARGE. */
SP_API char *sp_put_document(struct sp_client *client, const struct sp_document_source *source,
                             struct sp_error **error);
SP_API void sp_string_free(char *string); /* NULL is allowed */

/* ------------------------------------------------------------------------------------------------
 * Everything else: any request of proto/shadowpipe.proto, as the bytes of an Envelope with its body set, made
 * and read with any protobuf library. The library fills in `id` and `timeout_ms` by itself.
 * ------------------------------------------------------------------------------------------------ */

struct sp_call;

#define SP_FOREVER 0xFFFFFFFFu

struct sp_call_options {
    /* 0 = the service's default; SP_FOREVER = none, for Watch and WatchLease, which go on until they are
     * cancelled. */
    uint32_t timeout_ms;
    /* Gets the Envelopes that come before the final one (Progress, Writer, LeaseEvent, WatchEvent,
     * DocumentChunk), in order. Of several Progress in a row that wait to be delivered only the last is.
     * May be NULL. The bytes live until the callback returns. */
    void (*on_frame)(void *context, const uint8_t *envelope, size_t size);
    void *context;
    struct sp_cancel *cancel; /* may be NULL */
};

enum sp_wait {
    SP_WAIT_DONE,    /* the final Envelope is out */
    SP_WAIT_PENDING, /* wait_ms has passed without it */
    SP_WAIT_FAILED   /* *error says why; a Status from the service is such an error */
};

/* Sends a request and returns at once. The caller waits with sp_call_wait and then frees it. `options` may be
 * NULL. Errors: BAD_ARGUMENT (no Envelope), TOO_LARGE, CONNECTION_LOST. */
SP_API struct sp_call *sp_call_start(struct sp_client *client, const uint8_t *envelope, size_t size,
                                     const struct sp_call_options *options, struct sp_error **error);

/* Delivers what has come to on_frame and waits up to wait_ms for the final Envelope. `*reply` lives as long
 * as the call. One thread at a time. A call whose timeout_ms is over by more than five seconds without an
 * answer fails with TIMEOUT. */
SP_API enum sp_wait sp_call_wait(struct sp_call *call, uint32_t wait_ms, const uint8_t **reply, size_t *size,
                                 struct sp_error **error);

/* Before the final Envelope this gives the call up: it is cancelled, and a snapshot that it may still make is
 * finished as failed. NULL is allowed. */
SP_API void sp_call_free(struct sp_call *call);

#ifdef __cplusplus
}
#endif

#endif
