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
 * Link with libshadowpipe_client.a (and advapi32, bcrypt), or define SHADOWPIPE_DLL and link with
 * shadowpipe.dll. The DLL and this header belong together: compare sp_version() with SP_VERSION. */
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
     * UNEXPECTED_REPLY, TOO_LARGE, BAD_ARGUMENT, DAMAGED_DOCUMENT, LEASE_LOST, OUTCOME_UNKNOWN, NO_MEMORY,
     * WIN32. */
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

/* What becomes of the connection of a client that holds leases. */
enum sp_connection_event_kind {
    SP_CONNECTION_BROKEN = 1,     /* `error` says how; the library tries to get it back */
    SP_CONNECTION_LEASE_LOST = 2, /* the snapshot of `lease_id` is gone for good; `error` says why */
    SP_CONNECTION_BACK = 3,       /* with all leases that are not lost */
    SP_CONNECTION_OVER = 4        /* it did not come back in time; every further call fails */
};

struct sp_connection_event {
    enum sp_connection_event_kind kind;
    const char *lease_id;         /* or "" */
    const struct sp_error *error; /* or NULL; lives until the callback returns */
};

struct sp_connect_options {
    /* The name of the pipe, with or without "\\.\pipe\". NULL or "": the environment variable
     * SHADOWPIPE_PIPE, and without it SP_DEFAULT_PIPE. */
    const char *pipe;
    /* For the service's log and lists; at most 64 bytes. NULL: the name of the running program. */
    const char *client_name;
    const char *client_version;
    /* For opening the pipe and for the greeting. 0 = 10 s. */
    uint32_t timeout_ms;
    /* A client that holds leases gets its connection back by itself when the service was restarted, for an
     * upgrade or after a crash: the snapshots stay, and their paths. It tries for reconnect_ms after the
     * connection broke; 0 = 10 min, about as long as snapshots are kept without the service. */
    bool no_reconnect;
    uint32_t reconnect_ms;
    /* May be NULL. Unlike all others this callback runs on a thread of the library's own. It must not call
     * functions with this client but sp_wait_closed and sp_get_server, and not wait for long. */
    void (*on_connection)(void *context, const struct sp_connection_event *event);
    void *context;
};

/* Connects and greets. `options` may be NULL.
 *
 * A client that has no lease loses its connection when that breaks: calls in progress and all later ones fail
 * with CONNECTION_LOST. With leases (of sp_create_snapshot, sp_attach_snapshot and sp_attach_lease, until
 * they are finished) the library connects again and attaches them. Meanwhile new calls wait, each for its
 * timeout_ms at most (sp_call_start does not: it fails). Of those in progress sp_finish, sp_finish_backup,
 * sp_renew_lease, sp_attach_lease and sp_watch_lease go on by themselves; the others fail with
 * CONNECTION_LOST, sp_create_snapshot too: with a job_key it can be asked again. What cannot be told of a
 * finish, because the service does not know its lease any more, is SP_UNKNOWN with OUTCOME_UNKNOWN. With a
 * lease that was lost, calls fail with SP_DATA_LOSS, LEASE_LOST.
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

/* What the service said about itself, at the latest connection. Lives as long as the client. */
SP_API const struct sp_server *sp_get_server(const struct sp_client *client);

/* Waits up to wait_ms (0 = look only) for the connection to end by itself. True: it has ended for good, every
 * further call fails, and the snapshots made on it are lost. One that is broken and may come back has not. */
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
    const char *waiting_for;   /* "", "OWN_SET", "RUNDOWN", "FOREIGN_PROGRAM", "RETRY", "HOLD" */
    uint32_t elapsed_ms;       /* since the request arrived */
    uint32_t phase_elapsed_ms;
    uint32_t attempt;   /* 1 = the first */
    const char *writer; /* that is waited for, where known */
    uint32_t done;      /* sp_delete_snapshots: how many are gone, */
    uint32_t total;     /* of how many; 0 = not known */
};

enum sp_backup_type {          /* VSS_BACKUP_TYPE */
    SP_BACKUP_UNSPECIFIED = 0, /* = COPY */
    SP_BACKUP_FULL = 1,        /* this and the next ones may let writers truncate their logs */
    SP_BACKUP_INCREMENTAL = 2,
    SP_BACKUP_DIFFERENTIAL = 3,
    SP_BACKUP_LOG = 4,
    SP_BACKUP_COPY = 5,
    SP_BACKUP_OTHER = 6
};

enum sp_context {                            /* the VSS_SNAPSHOT_CONTEXT */
    SP_CONTEXT_UNSPECIFIED = 0,              /* = BACKUP, or FILE_SHARE_BACKUP with without_writers */
    SP_CONTEXT_BACKUP = 1,                   /* with writers */
    SP_CONTEXT_FILE_SHARE_BACKUP = 2,        /* no writers */
    SP_CONTEXT_NAS_ROLLBACK = 3,             /* no writers; this and the next ones outlive the lease */
    SP_CONTEXT_APP_ROLLBACK = 4,             /* with writers */
    SP_CONTEXT_CLIENT_ACCESSIBLE = 5,        /* no writers */
    SP_CONTEXT_CLIENT_ACCESSIBLE_WRITERS = 6 /* with writers */
};

/* One component of a writer. VSS's rules of selectability hold: what belongs to it, and what it depends on,
 * joins by itself. */
struct sp_component_selection {
    const char *writer;       /* name, class id or instance id */
    uint32_t type;            /* VSS_COMPONENT_TYPE: 1 database, 2 file group; 0 = whichever has this name */
    const char *logical_path; /* may be absent */
    const char *name;
    const char *previous_stamp; /* of the backup that this one builds on */
    const char *options;        /* for the writer */
};

/* Shortens one of the service's limits of time. */
struct sp_phase_timeout {
    const char *phase; /* as in sp_progress: "GATHERING", "PREPARING", "CREATING", "COMPLETING", … */
    uint32_t timeout_ms;
};

/* A moment of the job's turn at which it stands still while the program does something of its own. All other
 * jobs of the machine wait, too. */
enum sp_hold_kind {
    SP_HOLD_GATE_GRANTED = 1, /* nothing has been started yet */
    SP_HOLD_PREPARED = 2      /* the writers are prepared, and the freeze is next */
};

struct sp_hold_point {
    enum sp_hold_kind kind;
    uint32_t timeout_ms; /* 0 = the service's limit (30 s), which is also the most */
};

struct sp_hold {
    enum sp_hold_kind kind;
    uint32_t left_ms; /* then the service fails the job with HOLD_TIMEOUT */
    uint32_t attempt; /* 1 = the first */
};

struct sp_snapshot_request {
    /* Volumes in any form ("C:", "C:\", "\\?\Volume{…}\", a mounted folder), and local paths, whose
     * volumes are then used. At least one in all, at most 64 volumes; the same volume twice is an error. */
    const char *const *volumes;
    size_t volumes_count;
    const char *const *paths;
    size_t paths_count;
    const char *purpose; /* for people; at most 256 bytes */
    /* The same request with the same key from the same user gives the same snapshot, while it is being made
     * and as long as its lease lives; at most 128 bytes. */
    const char *job_key;
    /* Writers, each by name, class id or instance id: must be there; are left out; may fail. */
    const char *const *writers_required;
    size_t writers_required_count;
    const char *const *writers_excluded;
    size_t writers_excluded_count;
    const char *const *writers_tolerated;
    size_t writers_tolerated_count;
    bool without_writers; /* no application is asked: the copy is as after a power cut */
    enum sp_context vss_context;
    uint32_t attributes; /* further VSS_VOLUME_SNAPSHOT_ATTRIBUTES bits */
    uint64_t keep_ms;    /* persistent contexts: the service deletes it after that; 0 = never */
    /* A type other than COPY needs components, or allow_without_components. */
    enum sp_backup_type backup_type;
    bool allow_without_components;
    bool bootable;      /* the bootable system state is backed up */
    bool partial_files; /* the program can back up parts of files */
    /* At most 4096; none = the backup is not by component. Volumes that they need join with
     * add_needed_volumes, else they fail the job. */
    const struct sp_component_selection *components;
    size_t components_count;
    bool add_needed_volumes;
    bool with_documents; /* for sp_read_document; always on with components */
    /* Ids of providers, tried in this order; none = VSS chooses; at most 16. */
    const char *const *providers;
    size_t providers_count;
    bool retry_without_failed;   /* a second attempt without the tolerated writers that failed */
    uint32_t complete_within_ms; /* a COPY: BackupComplete at the latest; 0 = as the service has it */
    const struct sp_phase_timeout *phase_timeouts; /* at most 32 */
    size_t phase_timeouts_count;
    bool include_mounted;  /* also the volumes that are mounted below */
    bool skip_unsupported; /* leave out volumes that cannot be copied; they are then in `uncovered` */
    /* The lease outlives the connection, until ttl_ms after its last renewal; 0 = as the service has it.
     * Renew it at once: before that it ends with the connection all the same. */
    bool detached;
    uint32_t ttl_ms;
    uint32_t queue_timeout_ms; /* for the wait in the queue alone; 0 = only timeout_ms counts */
    bool no_share;             /* a snapshot of its own; otherwise requests for the same kind share one */
    uint32_t max_age_ms; /* accept one that exists and is up to this old; 0 = none older than the request */
    uint32_t timeout_ms; /* for all of it; 0 = the service's default (sp_server.default_timeout_ms) */
    /* Each kind once at most. A request with hold points shares no snapshot. */
    const struct sp_hold_point *hold_points;
    size_t hold_points_count;
    /* What the program does at a hold point, for instance stop an application that has no writer. True: the
     * job goes on. False: it fails with SP_ABORTED, HOLD_ABORTED. Where the service makes another attempt it
     * is called again. A cancel is passed on when it returns. NULL: the job goes on at once. */
    bool (*on_hold)(void *context, const struct sp_hold *hold);
    /* Undoes that: called once for the calls of on_hold in one attempt, before the next attempt's and before
     * sp_create_snapshot returns, however it ended: refused, failed, cancelled, out of time, or with a lost
     * connection. `created`: the snapshot exists. May be NULL. */
    void (*on_thaw)(void *context, bool created);
    /* May be NULL. *progress lives until the callback returns. */
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;            /* of all three */
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
    const char *path; /* or "WRITER: COMPONENT", of a writer that was left out after it had failed */
    const char *reason;
};

enum sp_document_kind {
    SP_DOCUMENT_BACKUP_COMPONENTS = 1, /* the Backup Components Document */
    SP_DOCUMENT_WRITER_METADATA = 2    /* the Writer Metadata Document of one writer */
};

struct sp_document_info {
    enum sp_document_kind kind;
    const char *writer_instance_id; /* of a Writer Metadata Document */
    uint64_t size_bytes;
};

/* Where copies of a volume are kept (VSS_DIFF_AREA_PROP). */
struct sp_diff_area {
    const char *diff_volume;
    uint64_t maximum_bytes; /* UINT64_MAX = no limit */
    uint64_t allocated_bytes;
    uint64_t used_bytes;
};

struct sp_storage {
    const char *volume_guid_path;
    uint32_t snapshots;     /* of this volume, that exist */
    uint32_t max_snapshots; /* that VSS allows in this context; 0 = not known */
    const struct sp_diff_area *diff_areas;
    size_t diff_areas_count;
};

struct sp_snapshot {
    const char *lease_id; /* the right to read it */
    const char *token;    /* a secret that goes with lease_id */
    const char *set_id;
    int64_t created_ms;
    int64_t expires_ms; /* 0 = when the connection ends */
    enum sp_consistency consistency;
    bool shared; /* others read, or have read, the same one */
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
    enum sp_context vss_context;
    const struct sp_document_info *documents; /* what sp_read_document gives: with_documents, or components */
    size_t documents_count;
    const struct sp_storage
        *storage; /* room for the copies: of sp_check_snapshot, and where it was looked at */
    size_t storage_count;
    uint32_t components_count; /* how many sp_list_components tells */
};

/* Takes one snapshot of all the volumes at the same moment and returns when it can be read. It lives until
 * sp_finish, or until the connection ends. Free it with sp_snapshot_free, which does not end it.
 * Errors: everything VSS, its writers and the request can be wrong with; see struct sp_error. */
SP_API struct sp_snapshot *sp_create_snapshot(struct sp_client *client,
                                              const struct sp_snapshot_request *request,
                                              struct sp_error **error);
SP_API void sp_snapshot_free(struct sp_snapshot *snapshot);

/* Checks all that can be checked before a freeze: volumes, writers, components, room. No writer is frozen and
 * nothing is copied. The result says what sp_create_snapshot would give, without lease and devices; that it
 * would fail is an error, the same one. Free it with sp_snapshot_free. */
SP_API struct sp_snapshot *sp_check_snapshot(struct sp_client *client,
                                             const struct sp_snapshot_request *request,
                                             struct sp_error **error);

struct sp_attach_request {
    /* One of the two: */
    const char *snapshot_id;
    const char *device;       /* with or without a trailing backslash */
    const char *purpose;      /* for people; at most 256 bytes */
    bool detached;            /* as in sp_snapshot_request */
    uint32_t ttl_ms;          /* the same */
    uint32_t timeout_ms;      /* 0 = the service's default */
    struct sp_cancel *cancel; /* may be NULL */
};

/* A lease of a snapshot that exists already, whoever made it. sp_finish ends the reading; the snapshot stays.
 */
SP_API struct sp_snapshot *sp_attach_snapshot(struct sp_client *client,
                                              const struct sp_attach_request *request,
                                              struct sp_error **error);

/* Ends the reading. `succeeded` false tells the writers nothing of a backup. The snapshot goes when its last
 * reader has finished. `token` may be NULL on the connection that made it; timeout_ms 0 = the service's
 * default; `cancel` may be NULL. False: the writers did not take the end of the backup well, or the lease was
 * gone; the snapshot is then gone too. */
SP_API bool sp_finish(struct sp_client *client, const char *lease_id, const char *token, bool succeeded,
                      uint32_t timeout_ms, struct sp_cancel *cancel, struct sp_error **error);

/* ---- leases ---- */

struct sp_lease {
    const char *lease_id;
    const char *set_id;
    bool detached;
    const char *owner_sid;
    const char *client_name;
    const char *purpose;
    int64_t created_ms;
    int64_t expires_ms; /* 0 = when the connection ends */
    const char *const *volumes;
    size_t volumes_count;
    bool persistent; /* the snapshots outlive the lease */
};

struct sp_leases {
    const struct sp_lease *leases;
    size_t count;
};

/* The user's own, or with MANAGE those of all. Free it with sp_leases_free. */
SP_API struct sp_leases *sp_list_leases(struct sp_client *client, bool all_owners, uint32_t timeout_ms,
                                        struct sp_error **error);
SP_API void sp_leases_free(struct sp_leases *leases); /* NULL is allowed */

/* The snapshot of a lease, as it was given out, on any connection: for a program that was restarted. Free it
 * with sp_snapshot_free. */
SP_API struct sp_snapshot *sp_attach_lease(struct sp_client *client, const char *lease_id, const char *token,
                                           uint32_t timeout_ms, struct sp_error **error);

/* A detached lease lives ttl_ms from now; 0 = as long as at the last time. Neither is more than the service
 * allows: see *expires_ms, which may be NULL. */
SP_API bool sp_renew_lease(struct sp_client *client, const char *lease_id, const char *token, uint32_t ttl_ms,
                           uint32_t timeout_ms, int64_t *expires_ms, struct sp_error **error);

enum sp_lease_event_kind {
    SP_LEASE_PRESENT = 1, /* the first one: how it is now */
    SP_LEASE_RENEWED = 2,
    SP_LEASE_EXPIRING = 3, /* a fifth of its time is left, or a minute */
    SP_LEASE_LOST = 4,     /* the copies have vanished: what was read since is of no use */
    SP_LEASE_SERVICE_STOPPING = 5,
    SP_LEASE_ENDED = 6
};

struct sp_lease_event {
    uint64_t number;      /* from 1, without gaps */
    uint64_t lost_events; /* not sent, because this program read too slowly */
    enum sp_lease_event_kind kind;
    struct sp_lease lease; /* as it is then; lives until the callback returns */
};

struct sp_lease_watch {
    const char *lease_id;
    const char *token;
    void (*on_event)(void *context, const struct sp_lease_event *event);
    void *context;
    uint32_t timeout_ms;      /* 0 = until the lease ends */
    struct sp_cancel *cancel; /* may be NULL */
};

/* Tells what becomes of a lease. True: it has ended. False: the watching ended otherwise; see *error. When a
 * connection that was broken is back, the events begin again with SP_LEASE_PRESENT, as number 1. */
SP_API bool sp_watch_lease(struct sp_client *client, const struct sp_lease_watch *watch,
                           struct sp_error **error);

/* How one component went, where it differs from the whole. */
struct sp_component_outcome {
    const char *writer_instance_id;
    const char *logical_path;
    const char *name;
    bool succeeded;
};

struct sp_finish_request {
    const char *lease_id;
    const char *token;
    bool succeeded;
    const struct sp_component_outcome *components; /* at most 4096; of the others `succeeded` counts */
    size_t components_count;
    bool with_documents; /* the completed documents can be read for a minute, with the same lease and token */
    uint32_t timeout_ms; /* 0 = the service's default */
    struct sp_cancel *cancel; /* may be NULL */
};

enum sp_completion {
    SP_COMPLETION_UNKNOWN = 0,
    SP_COMPLETION_COMPLETED = 1, /* BackupComplete was called and the writers were asked */
    SP_COMPLETION_ABORTED = 2,   /* AbortBackup */
    SP_COMPLETION_PENDING = 3,   /* others still read; it follows */
    SP_COMPLETION_NOT_NEEDED = 4 /* no writers in this context */
};

struct sp_finished {
    enum sp_completion completion;
    const struct sp_writer *writers; /* after the completion */
    size_t writers_count;
    const char *const *warnings;
    size_t warnings_count;
    const struct sp_document_info *documents; /* with_documents */
    size_t documents_count;
};

/* sp_finish with all that there is to say, and to hear. NULL where sp_finish gives false. Free it with
 * sp_finished_free. */
SP_API struct sp_finished *sp_finish_backup(struct sp_client *client, const struct sp_finish_request *request,
                                            struct sp_error **error);
SP_API void sp_finished_free(struct sp_finished *finished); /* NULL is allowed */

enum sp_file_role {
    SP_FILE_GROUP = 1,
    SP_FILE_DATABASE = 2,
    SP_FILE_LOG = 3,
    SP_FILE_EXCLUDED = 4 /* by the writer: not to be backed up */
};

/* Files to copy: those that match `filespec` ("*" and "?") in `shadow_path`, and below it if `recursive`. */
struct sp_files {
    const char *path;        /* the original directory, variables expanded, without trailing backslash */
    const char *shadow_path; /* where it, or alternate_path, is in the snapshot; "" = on no volume of it */
    const char *filespec;
    bool recursive;
    const char *alternate_path; /* the writer keeps them here for the backup; `path` is where they belong */
    uint32_t backup_type_mask;  /* VSS_FILE_SPEC_BACKUP_TYPE */
    enum sp_file_role role;
};

struct sp_component {
    const char *writer_id;
    const char *writer_instance_id;
    const char *writer_name;
    uint32_t type; /* VSS_COMPONENT_TYPE */
    const char *logical_path;
    const char *name;
    bool implied; /* it was not named in the request */
    /* From the Backup Components Document; "" where the component is part of the one above it. */
    const char *backup_stamp; /* for previous_stamp of the next backup */
    const char *previous_stamp;
    const char *backup_metadata;
    const char *failure; /* what the writer says against it; "" = nothing */
    const struct sp_files *files;
    size_t files_count;
    const char *left_out; /* what did not fit, in words; "" = all is here */
};

/* Tells every component of the snapshot, one call of `on_component` each; *component lives until it returns.
 */
SP_API bool sp_list_components(struct sp_client *client, const char *lease_id, const char *token,
                               void (*on_component)(void *context, const struct sp_component *component),
                               void *context, uint32_t timeout_ms, struct sp_cancel *cancel,
                               struct sp_error **error);

/* ------------------------------------------------------------------------------------------------
 * Snapshots that exist. timeout_ms 0 = the service's default; cancel and on_progress may be NULL.
 * ------------------------------------------------------------------------------------------------ */

enum sp_origin {
    SP_ORIGIN_NOT_SAID = 0,
    SP_ORIGIN_OURS = 1,
    SP_ORIGIN_FOREIGN = 2, /* made on this machine by another program */
    SP_ORIGIN_UNKNOWN = 3  /* made on another machine, or by a provider that is gone */
};

struct sp_stored_snapshot {
    struct sp_volume_snapshot snapshot; /* its device is "" where the caller may not know it */
    const char *set_id;
    int64_t created_ms;
    uint32_t attributes; /* VSS_VOLUME_SNAPSHOT_ATTRIBUTES */
    const char *originating_machine;
    const char *service_machine;
    const char *exposed_name; /* drive letter, folder or share; "" = not exposed */
    const char *exposed_path; /* what of it is shared */
    enum sp_origin origin;
    const char *owner_sid; /* SP_ORIGIN_OURS only, like what follows */
    const char *purpose;
    const char *lease_id; /* that reads it, "" = none */
};

struct sp_stored_snapshots {
    const struct sp_stored_snapshot *snapshots; /* the oldest first */
    size_t snapshots_count;
};

/* All that are given have to match; none: every snapshot of the machine. */
struct sp_snapshot_filter {
    const char *snapshot_id;
    const char *set_id;
    const char *volume; /* any name form */
    uint64_t min_age_ms;
    const char *owner_sid;
    const char *purpose; /* the whole of it */
};

/* `filter` may be NULL. Free the result with sp_stored_snapshots_free. */
SP_API struct sp_stored_snapshots *sp_list_snapshots(struct sp_client *client,
                                                     const struct sp_snapshot_filter *filter,
                                                     uint32_t timeout_ms, struct sp_error **error);
SP_API void sp_stored_snapshots_free(struct sp_stored_snapshots *snapshots); /* NULL is allowed */

struct sp_delete_request {
    /* One of the four says what: */
    const char *snapshot_id;
    const char *set_id;
    const char *volume; /* all of this volume, or with `oldest` its oldest one */
    bool all_mine;
    bool oldest;
    bool dry_run; /* only say what would go */
    bool force;   /* also what is being read */
    uint32_t timeout_ms;
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;
    struct sp_cancel *cancel;
};

struct sp_deleted {
    const char *const *deleted; /* ids of snapshots */
    size_t deleted_count;
    const char *const *left;
    size_t left_count;
    const struct sp_error *failure; /* why some are left; NULL = none is, or no reason was given */
};

/* They go one by one, the oldest first. Some that are left are no failure of the call: look at left_count.
 * Free the result with sp_deleted_free. */
SP_API struct sp_deleted *sp_delete_snapshots(struct sp_client *client,
                                              const struct sp_delete_request *request,
                                              struct sp_error **error);
SP_API void sp_deleted_free(struct sp_deleted *deleted); /* NULL is allowed */

struct sp_expose_request {
    const char *snapshot_id;
    /* One of the three says how: */
    const char *as_drive;     /* "X:" */
    const char *as_directory; /* an empty folder */
    const char *as_share;     /* the share's name */
    const char *sub_path;     /* with as_share: the folder that is shared; absent = the root */
    uint32_t timeout_ms;
    struct sp_cancel *cancel;
};

/* For persistent snapshots; all on the machine see it. Gives the name it has now, to be freed with
 * sp_string_free. */
SP_API char *sp_expose_snapshot(struct sp_client *client, const struct sp_expose_request *request,
                                struct sp_error **error);
SP_API bool sp_unexpose_snapshot(struct sp_client *client, const char *snapshot_id, uint32_t timeout_ms,
                                 struct sp_error **error);

/* Makes the copies of a set volumes of their own; hardware providers only. `flags` is VSS_HARDWARE_OPTIONS.
 */
SP_API bool sp_break_set(struct sp_client *client, const char *set_id, uint32_t flags, uint32_t timeout_ms,
                         struct sp_error **error);

/* Brings in a transportable set, by the id of its Backup Components Document (sp_put_document). Origin,
 * owner, purpose and lease are not said. Free the result with sp_stored_snapshots_free. */
SP_API struct sp_stored_snapshots *sp_import_set(struct sp_client *client, const char *document_id,
                                                 uint32_t timeout_ms, struct sp_error **error);

struct sp_revert_request {
    const char *snapshot_id;
    bool force_dismount; /* also when files of the volume are open */
    uint32_t timeout_ms;
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;
    struct sp_cancel *cancel; /* of no effect once it runs */
};

/* Puts a volume back to what the snapshot holds: what was written since is gone. Gives the volume's GUID
 * path, to be freed with sp_string_free. */
SP_API char *sp_revert_volume(struct sp_client *client, const struct sp_revert_request *request,
                              struct sp_error **error);

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
    enum sp_document_kind kind;
    const uint8_t *bytes;
    size_t size;              /* 1 byte to 32 MiB */
    uint32_t timeout_ms;      /* for each of its chunks of 256 KiB; 0 = the service's default */
    struct sp_cancel *cancel; /* may be NULL */
};

/* Sends a document to the service and returns the id that OpenSession, InitializeForRestore,
 * InitializeForBackup and sp_import_set take, or of metadata ExamineWriterMetadata, once. It belongs to the
 * connection. Free the id with sp_string_free. Errors: SP_INVALID_ARGUMENT with BAD_ARGUMENT (it is empty);
 * what the service says, as BAD_KIND and TOO_LARGE. */
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
    /* Gets the Envelopes that come before the final one (Progress, Writer, SelectedComponent, LeaseEvent,
     * WatchEvent, DocumentChunk), in order. Of several Progress in a row that wait to be delivered only the
     * last is. May be NULL. The bytes live until the callback returns. */
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
