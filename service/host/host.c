#include "service/host/host.h"

#include <assert.h>
#include <ntsecapi.h>
#include <psapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/host/caller.h"
#include "service/host/child.h"
#include "service/host/peer.h"
#include "service/host/helper.h"
#include "service/host/listener.h"
#include "service/host/log.h"
#include "service/host/loop.h"
#include "service/host/metrics.h"
#include "service/host/store.h"
#include "service/host/text.h"
#include "service/host/volumes.h"
#include "service/host/win32_api.h"

enum {
    CONNECTION_BUCKETS = 256,
    STOP_TICK_MS = 1000,
    STOP_RESERVE_MS = 10 * 1000, /* beyond the broker's own limit */
    DRAIN_LIMIT_MS = 5000,
    HELPER_STOP_MS = 5000
};

/* drain() has two limits, the last wait for the listeners in host_free() one. */
static_assert(STOP_RESERVE_MS + 2 * DRAIN_LIMIT_MS + HELPER_STOP_MS + DRAIN_LIMIT_MS <= HOST_STOP_BEYOND_MS,
              "whoever waits for the end of the service must wait long enough");
static_assert(HELPER_STOP_MS + DRAIN_LIMIT_MS <= HOST_FREE_MS, "host_free() must keep what its header says");

struct volumes_job {
    struct helper_job job;
    struct loop_operation refused;
    struct volume_list list;
    bool described;
};

struct host {
    const struct service_config *config;
    struct access access;
    struct loop loop;
    struct helper helper;
    struct listener clients;
    struct listener requesters;
    struct children children;
    struct store store;
    struct volumes_job volumes; /* the broker asks for one enumeration at a time */
    struct metrics metrics;
    struct broker *broker;

    struct peer *connections[CONNECTION_BUCKETS];
    size_t connections_count;
    uint64_t last_connection_id;

    struct loop_operation stop_request;
    volatile LONG stop_requested;
    enum broker_stop_kind stop_kind;
    struct loop_timer stop_tick;
    uint64_t stop_due_ms;
    void (*tick)(void *context);
    void *tick_context;
    bool stopping;
    bool broker_stopping;
    bool stopped;  /* the broker has nothing left to wait for */
    bool draining; /* that is over, and only the last replies are on their way */
    bool overrun;
};

/* Time. */

static int64_t unix_now_ms(void)
{
    enum {
        TICKS_PER_MS = 10000
    };
    const int64_t unix_epoch_ms = 11644473600000; /* after 1601 */
    FILETIME time;
    GetSystemTimeAsFileTime(&time);
    int64_t ticks = (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
    return ticks / TICKS_PER_MS - unix_epoch_ms;
}

static struct broker *broker_now(struct host *host)
{
    broker_set_time(host->broker, loop_now_ms(), unix_now_ms());
    return host->broker;
}

/* Connections. */

static struct peer **bucket_of(struct host *host, uint64_t id)
{
    return &host->connections[id % CONNECTION_BUCKETS];
}

static struct peer *find_connection(struct host *host, uint64_t id)
{
    struct peer *peer = *bucket_of(host, id);
    while (peer != NULL && peer->id != id) {
        peer = peer->next;
    }
    return peer;
}

static void unlink_connection(struct host *host, struct peer *peer)
{
    struct peer **link = bucket_of(host, peer->id);
    while (*link != peer) {
        link = &(*link)->next;
    }
    *link = peer->next;
    host->connections_count--;
}

static void identify(struct host *host, struct peer *peer)
{
    if (peer->kind == CONNECTION_REQUESTER) {
        ULONG process_id = 0;
        if (!GetNamedPipeClientProcessId(peer->pipe, &process_id)) {
            process_id = 0; /* no requester has this id, so the broker refuses it */
        }
        broker_requester_identified(broker_now(host), peer->id, process_id);
        return;
    }
    struct caller caller;
    char failure[512];
    bool known = caller_identify(peer->pipe, &host->access, &caller, failure, sizeof failure);
    broker_identified(broker_now(host), peer->id, &caller, known ? NULL : failure);
}

static void on_received(void *context, struct peer *peer, const uint8_t *bytes, size_t size)
{
    struct host *host = context;
    if (!peer->identified) {
        peer->identified = true;
        identify(host, peer);
        if (peer->closing || peer->lingering) {
            return;
        }
    }
    broker_received(broker_now(host), peer->id, bytes, size);
}

static void on_drained(void *context, struct peer *peer)
{
    struct host *host = context;
    broker_output_drained(broker_now(host), peer->id);
}

static void on_closed(void *context, struct peer *peer)
{
    struct host *host = context;
    unlink_connection(host, peer);
    broker_disconnected(broker_now(host), peer->id);
    listener_instance_freed(peer->kind == CONNECTION_CLIENT ? &host->clients : &host->requesters);
}

static const struct peer_events peer_events = {on_received, on_drained, on_closed};

static void take_connection(struct listener *listener, HANDLE pipe, enum connection_kind kind)
{
    struct host *host = listener->context;
    uint64_t id = host->last_connection_id + 1;
    struct peer *peer = peer_create(&host->loop, pipe, id, kind, &peer_events, host);
    if (peer == NULL) {
        log_write(BROKER_LOG_WARNING, "a %s was turned away: no memory", listener->label);
        CloseHandle(pipe);
        return;
    }
    host->last_connection_id = id;
    peer->next = *bucket_of(host, id);
    *bucket_of(host, id) = peer;
    host->connections_count++;
    broker_connected(broker_now(host), id, kind);
}

static void client_connected(struct listener *listener, HANDLE pipe)
{
    take_connection(listener, pipe, CONNECTION_CLIENT);
}

static void requester_connected(struct listener *listener, HANDLE pipe)
{
    take_connection(listener, pipe, CONNECTION_REQUESTER);
}

/* The broker's actions. */

static void do_send(void *context, uint64_t id, const uint8_t *bytes, size_t size)
{
    struct peer *peer = find_connection(context, id);
    if (peer != NULL) {
        peer_send(peer, bytes, size);
    }
}

static size_t do_unsent_bytes(void *context, uint64_t id)
{
    struct peer *peer = find_connection(context, id);
    return peer != NULL ? peer_unsent_bytes(peer) : 0;
}

static void do_disconnect(void *context, uint64_t id, bool flush)
{
    struct peer *peer = find_connection(context, id);
    if (peer == NULL) {
        return;
    }
    if (flush) {
        peer_linger(peer);
    } else {
        peer_close(peer);
    }
}

static void do_pause_reading(void *context, uint64_t id, bool paused)
{
    struct peer *peer = find_connection(context, id);
    if (peer != NULL) {
        peer_pause(peer, paused);
    }
}

static void do_start_requester(void *context, uint64_t requester,
                               const uint8_t secret[REQUESTER_SECRET_BYTES])
{
    struct host *host = context;
    const struct broker_config *limits = &host->config->broker;
    struct requester_arguments arguments = {
        .magic = HANDOFF_MAGIC,
        .orphan_grace_ms = limits->orphan_grace_ms,
        .must_be_simulator = host->config->must_be_simulator,
        .start_ms = limits->requester_start_ms,
        .call_ms = limits->call_ms,
        .complete_ms = limits->complete_ms,
        .cancel_grace_ms = limits->cancel_grace_ms,
        .abort_ms = limits->abort_ms,
        .release_ms = limits->release_ms,
    };
    memcpy(arguments.secret, secret, sizeof arguments.secret);
    wcscpy(arguments.pipe_name, host->config->requester_pipe_name);
    wcscpy(arguments.vss_library, host->config->vss_library);
    child_start(&host->children, requester, &arguments);
    SecureZeroMemory(&arguments, sizeof arguments);
}

static void do_adopt_requester(void *context, uint64_t requester, uint32_t process_id, uint64_t started)
{
    struct host *host = context;
    child_adopt(&host->children, requester, process_id, started);
}

static void do_kill_requester(void *context, uint64_t requester)
{
    struct host *host = context;
    child_kill(&host->children, requester);
}

static void volumes_work(struct helper_job *job)
{
    struct volumes_job *volumes = LOOP_OWNER(job, struct volumes_job, job);
    host_volumes_enumerate(&volumes->list, volumes->described);
}

static void volumes_answer(struct volumes_job *job)
{
    struct host *host = LOOP_OWNER(job, struct host, volumes);
    /* The answer may bring the next question. */
    struct volume_list list = job->list;
    memset(&job->list, 0, sizeof job->list);
    broker_volumes_enumerated(broker_now(host), list.volumes, list.count,
                              list.failure[0] != '\0' ? list.failure : NULL);
    host_volumes_free(&list);
}

static void volumes_done(struct helper_job *job)
{
    volumes_answer(LOOP_OWNER(job, struct volumes_job, job));
}

static void volumes_refused(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    volumes_answer(LOOP_OWNER(operation, struct volumes_job, refused));
}

static void do_enumerate_volumes(void *context, bool described)
{
    struct host *host = context;
    struct volumes_job *job = &host->volumes;
    job->described = described;
    job->job.work = volumes_work;
    job->job.done = volumes_done;
    if (!helper_submit(&host->helper, &job->job)) {
        snprintf(job->list.failure, sizeof job->list.failure, "the service is too busy to enumerate volumes");
        loop_prepare(&job->refused, volumes_refused);
        loop_defer(&host->loop, &job->refused, ERROR_SUCCESS);
    }
}

static void do_store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    struct host *host = context;
    store_put(&host->store, key, bytes, size, lasting);
}

static void do_store_delete(void *context, const char *key)
{
    struct host *host = context;
    store_delete(&host->store, key);
}

static void do_random_bytes(void *context, uint8_t *bytes, size_t size)
{
    (void)context;
    /* Secrets come from here: without it there is no going on. */
    if (!RtlGenRandom(bytes, (ULONG)size)) {
        win32.fail_fast("the system gives no random numbers");
    }
}

static void do_log(void *context, enum broker_log_level level, const char *text)
{
    (void)context;
    log_write(level, "%s", text);
}

static void do_load(void *context, struct host_load *load)
{
    const struct host *host = context;
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};
    *load = (struct host_load){.events = host->loop.load.events,
                               .slow_events = host->loop.load.slow_events,
                               .longest_us = host->loop.load.longest_us};
    if (GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory)) {
        load->memory_bytes = memory.PagefileUsage;
    }
}

static void do_stopped(void *context)
{
    struct host *host = context;
    host->stopped = true;
}

static size_t write_metrics(void *context, char *buffer, size_t size)
{
    return broker_metrics(broker_now(context), buffer, size);
}

/* Events of requester processes. */

static void on_requester_started(void *context, uint64_t requester, uint32_t process_id, uint64_t created)
{
    broker_requester_started(broker_now(context), requester, process_id, created);
}

static void on_requester_exited(void *context, uint64_t requester, uint32_t exit_code, const char *failure)
{
    broker_requester_exited(broker_now(context), requester, exit_code, failure);
}

/* Events of the store. */

static void on_stored(void *context, const char *key, const char *failure)
{
    broker_stored(broker_now(context), key, failure);
}

static void on_stored_found(void *context, const char *key, const uint8_t *bytes, size_t size)
{
    struct host *host = context;
    broker_add_stored(host->broker, key, bytes, size);
}

static void read_store(struct host *host)
{
    wchar_t path[STORE_PATH_CHARS];
    store_place(host->config, path);
    host->store =
        (struct store){.loop = &host->loop, .helper = &host->helper, .done = on_stored, .context = host};
    DWORD error = store_open(&host->store, HKEY_LOCAL_MACHINE, path, STORE_SDDL);
    if (error == ERROR_ACCESS_DENIED && host->config->is_console) {
        /* Whoever may not write there can delete no real snapshot either. For others the hive of a person
         * would be no place: it is open to that person's programs, and what stands in it is deleted. */
        error = store_open(&host->store, HKEY_CURRENT_USER, path, NULL);
    }
    if (error != ERROR_SUCCESS) {
        log_write(BROKER_LOG_ERROR, "Snapshot sets cannot be recorded: %s", host->store.failure);
    }
    broker_now(host);
    store_read(&host->store, on_stored_found, host);
    broker_start(host->broker);
}

/* Stop. */

static void stop_tick_fired(struct loop_timer *timer)
{
    struct host *host = LOOP_OWNER(timer, struct host, stop_tick);
    if (host->tick != NULL) {
        host->tick(host->tick_context);
    }
    if (!host->draining && loop_now_ms() >= host->stop_due_ms) {
        host->overrun = true;
        log_write(BROKER_LOG_ERROR, "stopping took longer than its limit");
    } else {
        loop_timer_start(&host->loop, timer, STOP_TICK_MS);
    }
}

static void stop_requested(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct host *host = LOOP_OWNER(operation, struct host, stop_request);
    host->stopping = true;
    host->stop_due_ms = loop_now_ms() + host->config->broker.stop_all_ms + STOP_RESERVE_MS;
    host->stop_tick.fired = stop_tick_fired;
    loop_timer_start(&host->loop, &host->stop_tick, 0);
    log_write(BROKER_LOG_INFO, host->stop_kind == BROKER_STOP_HAND_OVER
                                   ? "handing over to the next process of the service"
                                   : "stopping");
    listener_stop(&host->clients);
    if (host->stop_kind == BROKER_STOP_HAND_OVER) {
        listener_stop(&host->requesters);
    } /* else they may still have to dial in, so that what they do can be ended in order */
}

/* A requester that is let go dials in again at once. It must not find this process, which would refuse it. */
static bool may_stop_broker(const struct host *host)
{
    return host->stopping && !host->broker_stopping &&
           (host->stop_kind == BROKER_STOP_END || listener_idle(&host->requesters));
}

static void stop_broker(struct host *host)
{
    host->broker_stopping = true;
    broker_stop(broker_now(host), host->stop_kind);
}

void host_request_stop(struct host *host, enum broker_stop_kind kind)
{
    if (InterlockedExchange(&host->stop_requested, 1) == 0) {
        host->stop_kind = kind;
        loop_post(&host->loop, &host->stop_request);
    }
}

/* The last replies reach their readers; every operation is dequeued before its memory goes. */
static bool drain(struct host *host)
{
    listener_stop(&host->requesters);
    for (size_t i = 0; i < CONNECTION_BUCKETS; i++) {
        for (struct peer *peer = host->connections[i]; peer != NULL; peer = peer->next) {
            peer_linger(peer);
        }
    }
    uint64_t due = loop_now_ms() + DRAIN_LIMIT_MS;
    bool closed = false;
    while (host->connections_count > 0 || !listener_idle(&host->clients) ||
           !listener_idle(&host->requesters)) {
        uint64_t now = loop_now_ms();
        if (now >= due && closed) {
            return false;
        }
        if (now >= due) {
            closed = true;
            due = now + DRAIN_LIMIT_MS;
            for (size_t i = 0; i < CONNECTION_BUCKETS; i++) {
                for (struct peer *peer = host->connections[i]; peer != NULL; peer = peer->next) {
                    peer_close(peer);
                }
            }
        }
        loop_step(&host->loop, due);
    }
    return true;
}

enum host_error host_run(struct host *host, void (*tick)(void *context), void *context)
{
    host->tick = tick;
    host->tick_context = context;
    while (!host->stopped && !host->overrun) {
        loop_step(&host->loop, broker_next_timer_ms(host->broker));
        if (may_stop_broker(host)) {
            stop_broker(host);
        }
        uint64_t due = broker_next_timer_ms(host->broker);
        if (due != UINT64_MAX && due <= loop_now_ms()) {
            broker_timer(broker_now(host));
        }
    }
    host->draining = true;
    loop_timer_start(&host->loop, &host->stop_tick, 0);
    log_write(BROKER_LOG_DEBUG, "all work is ended; %zu connections are left", host->connections_count);
    if (!drain(host)) {
        log_write(BROKER_LOG_WARNING, "a pipe operation never ended; its memory is left to the system");
        host->overrun = true;
    }
    loop_timer_stop(&host->loop, &host->stop_tick);
    return host->overrun ? HOST_STOP_OVERRUN : HOST_OK;
}

/* Birth and death. */

static enum host_error fail(char *error, enum host_error code, DWORD win32_error, const char *what)
{
    char words[256];
    text_of_error(win32_error, words, sizeof words);
    snprintf(error, HOST_ERROR_CHARS, "%s: %s (%lu)", what, words, win32_error);
    return code;
}

static const struct broker_host actions = {
    .send = do_send,
    .unsent_bytes = do_unsent_bytes,
    .disconnect = do_disconnect,
    .pause_reading = do_pause_reading,
    .start_requester = do_start_requester,
    .adopt_requester = do_adopt_requester,
    .kill_requester = do_kill_requester,
    .enumerate_volumes = do_enumerate_volumes,
    .store_put = do_store_put,
    .store_delete = do_store_delete,
    .random_bytes = do_random_bytes,
    .log = do_log,
    .load = do_load,
    .stopped = do_stopped,
};

static enum host_error create_parts(struct host *host, char *error)
{
    DWORD code = access_create(host->config->access_sddl, host->config->grant_self, &host->access);
    if (code != ERROR_SUCCESS) {
        return fail(error, HOST_BAD_ACCESS, code, "The security descriptors could not be built");
    }
    code = loop_init(&host->loop);
    if (code != ERROR_SUCCESS) {
        return fail(error, HOST_NO_RESOURCES, code, "A completion port could not be made");
    }
    code = helper_start(&host->helper, &host->loop);
    if (code != ERROR_SUCCESS) {
        return fail(error, HOST_NO_RESOURCES, code, "A thread could not be made");
    }
    log_use_helper(&host->helper);
    host->children = (struct children){.loop = &host->loop,
                                       .helper = &host->helper,
                                       .started = on_requester_started,
                                       .exited = on_requester_exited,
                                       .context = host};
    struct broker_host broker_host = actions;
    broker_host.context = host;
    host->broker = broker_create(&host->config->broker, &broker_host);
    if (host->broker == NULL) {
        return fail(error, HOST_NO_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, "The service could not be set up");
    }
    return HOST_OK;
}

enum host_error host_create(const struct service_config *config, struct host **host_out,
                            char error[HOST_ERROR_CHARS])
{
    *host_out = NULL;
    error[0] = '\0';
    struct host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return fail(error, HOST_NO_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, "The service could not be set up");
    }
    host->config = config;
    loop_prepare(&host->stop_request, stop_requested);
    enum host_error result = create_parts(host, error);
    if (result != HOST_OK) {
        host_free(host);
        return result;
    }
    *host_out = host;
    return HOST_OK;
}

/* Says who has the name, as far as that can be learned. */
static void describe_holder(const wchar_t *name, char *text, size_t size)
{
    snprintf(text, size, "another program");
    HANDLE pipe = win32.create_file(name, FILE_READ_ATTRIBUTES, 0, NULL, OPEN_EXISTING,
                                    SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
    if (pipe == INVALID_HANDLE_VALUE) {
        return;
    }
    ULONG process_id = 0;
    if (GetNamedPipeServerProcessId(pipe, &process_id)) {
        snprintf(text, size, "process %lu", process_id);
        HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process_id);
        wchar_t path[MAX_PATH];
        char path_utf8[3 * MAX_PATH];
        DWORD chars = ARRAYSIZE(path);
        if (process != NULL && QueryFullProcessImageNameW(process, 0, path, &chars) &&
            text_to_utf8(path, path_utf8, sizeof path_utf8)) {
            snprintf(text, size, "process %lu, %s,", process_id, path_utf8);
        }
        if (process != NULL) {
            CloseHandle(process);
        }
    }
    CloseHandle(pipe);
}

static enum host_error pipe_failed(const wchar_t *name, DWORD code, char *error)
{
    char name_utf8[3 * HANDOFF_PIPE_CHARS];
    char holder[3 * MAX_PATH + 64];
    text_to_utf8(name, name_utf8, sizeof name_utf8);
    if (code == ERROR_ALREADY_EXISTS) {
        describe_holder(name, holder, sizeof holder);
        snprintf(error, HOST_ERROR_CHARS,
                 "The pipe name %s is taken: %s serves it already. Stop that program, or choose another name",
                 name_utf8, holder);
        return HOST_PIPE_TAKEN;
    }
    if (code == ERROR_ACCESS_DENIED) {
        /* Windows says the same for a name that is taken and for one that this account may not use. */
        snprintf(error, HOST_ERROR_CHARS,
                 "The pipe %s could not be made: access is denied (5). Either another program has the name, "
                 "or this "
                 "account may not use it (below ProtectedPrefix\\Administrators only an elevated "
                 "administrator may)",
                 name_utf8);
        return HOST_PIPE_FAILED;
    }
    char words[256];
    text_of_error(code, words, sizeof words);
    snprintf(error, HOST_ERROR_CHARS, "The pipe %s could not be made: %s (%lu)", name_utf8, words, code);
    return HOST_PIPE_FAILED;
}

static DWORD client_instances(const struct service_config *config)
{
    return config->broker.max_connections <= CONFIG_COUNTED_CONNECTIONS ? CONFIG_PIPE_INSTANCES
                                                                        : PIPE_UNLIMITED_INSTANCES;
}

enum host_error host_start(struct host *host, char error[HOST_ERROR_CHARS])
{
    const struct service_config *config = host->config;
    host->clients.label = "client";
    host->clients.connected = client_connected;
    host->clients.context = host;
    host->requesters.label = "requester";
    host->requesters.connected = requester_connected;
    host->requesters.context = host;
    if (listener_name_is_taken(config->pipe_name)) {
        return pipe_failed(config->pipe_name, ERROR_ALREADY_EXISTS, error);
    }
    /* The requesters' first: once a client can connect, everything is there. */
    DWORD code = listener_start(&host->requesters, &host->loop, config->requester_pipe_name,
                                host->access.requester_pipe, CONFIG_PIPE_INSTANCES);
    if (code != ERROR_SUCCESS) {
        return pipe_failed(config->requester_pipe_name, code, error);
    }
    code = listener_start(&host->clients, &host->loop, config->pipe_name, host->access.client_pipe,
                          client_instances(config));
    if (code != ERROR_SUCCESS) {
        return pipe_failed(config->pipe_name, code, error);
    }
    /* Not before the names are ours: where they are taken, another process of the service has its requesters.
     * What comes in waits until host_run. */
    read_store(host);
    host->metrics = (struct metrics){.loop = &host->loop,
                                     .helper = &host->helper,
                                     .write = write_metrics,
                                     .context = host,
                                     .path = config->metrics_file};
    metrics_start(&host->metrics);
    return HOST_OK;
}

void host_free(struct host *host)
{
    if (host == NULL) {
        return;
    }
    /* The log goes on without the helper; the helper writes what it has. */
    log_use_helper(NULL);
    bool helper_ended = helper_stop(&host->helper, HELPER_STOP_MS);
    if (!helper_ended || host->overrun) {
        return; /* something still points into this memory; the process ends now anyway */
    }
    metrics_stop(&host->metrics);
    listener_stop(&host->clients);
    listener_stop(&host->requesters);
    uint64_t due = loop_now_ms() + DRAIN_LIMIT_MS;
    while (!listener_idle(&host->clients) || !listener_idle(&host->requesters) ||
           host->store.operations > 0) {
        if (loop_now_ms() >= due) {
            return; /* a cancelled wait for a client never ended; the same */
        }
        loop_step(&host->loop, due);
    }
    store_close(&host->store);
    children_free(&host->children);
    listener_free(&host->clients);
    listener_free(&host->requesters);
    if (host->broker != NULL) {
        broker_destroy(host->broker);
    }
    loop_free(&host->loop);
    access_free(&host->access);
    free(host);
}
