#include "service/host/listener.h"

#include <string.h>

#include "service/host/log.h"
#include "service/host/win32_api.h"

static HANDLE create_instance(struct listener *listener, DWORD first_flag)
{
    return win32.create_named_pipe(
        listener->name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first_flag,
        PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, listener->max_instances,
        LISTENER_BUFFER_BYTES, LISTENER_BUFFER_BYTES, 0, &listener->security);
}

/* An instance accepts a client from its creation on; only after a disconnect it does not. */
static DWORD make_unconnectable(struct listener *listener)
{
    if (win32.disconnect_named_pipe(listener->holder)) {
        return ERROR_SUCCESS;
    }
    /* Some systems disconnect only what is connected: connect to it, or let whoever came first be the one. */
    HANDLE client = win32.create_file(listener->name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                                      SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
    DWORD error = client != INVALID_HANDLE_VALUE ? ERROR_SUCCESS : GetLastError();
    if (win32.disconnect_named_pipe(listener->holder)) {
        error = ERROR_SUCCESS;
    } else if (error == ERROR_SUCCESS) {
        error = GetLastError();
    }
    if (client != INVALID_HANDLE_VALUE) {
        CloseHandle(client);
    }
    return error;
}

bool listener_name_is_taken(const wchar_t *name)
{
    return win32.wait_named_pipe(name, 1) || GetLastError() == ERROR_SEM_TIMEOUT;
}

static DWORD hold_name(struct listener *listener)
{
    /* A courtesy, so that the message is clear: what defends the name is FILE_FLAG_FIRST_PIPE_INSTANCE below.
     */
    if (win32.wait_named_pipe(listener->name, 1) || GetLastError() == ERROR_SEM_TIMEOUT) {
        return ERROR_ALREADY_EXISTS;
    }
    HANDLE holder = create_instance(listener, FILE_FLAG_FIRST_PIPE_INSTANCE);
    if (holder == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        return error == ERROR_PIPE_BUSY ? ERROR_ALREADY_EXISTS : error;
    }
    listener->holder = holder;
    return make_unconnectable(listener);
}

static void retry_later(struct listener *listener, const char *what, DWORD error)
{
    if (listener->stopping) {
        return;
    }
    if (!listener->trouble_logged) {
        listener->trouble_logged = true;
        log_error(BROKER_LOG_WARNING, error, "%s of the %s pipe failed; trying again until it works", what,
                  listener->label);
    }
    if (!listener->retry.armed) {
        loop_timer_start(listener->loop, &listener->retry, listener->retry_ms);
        listener->retry_ms *= 2;
        if (listener->retry_ms > LISTENER_RETRY_LAST_MS) {
            listener->retry_ms = LISTENER_RETRY_LAST_MS;
        }
    }
}

static void drop_instance(struct listener_instance *instance)
{
    if (instance->pipe != NULL) {
        CloseHandle(instance->pipe);
        instance->pipe = NULL;
    }
}

static void connect_done(struct loop_operation *operation, DWORD error, DWORD bytes);

static bool client_came_and_went(DWORD error)
{
    return error == ERROR_NO_DATA || error == ERROR_BROKEN_PIPE;
}

/* Waits for a client on an instance that has a pipe. A client may have come, and even gone, already. */
static bool wait_for_client(struct listener_instance *instance)
{
    struct listener *listener = instance->listener;
    OVERLAPPED *overlapped = loop_prepare(&instance->connect, connect_done);
    instance->connecting = true;
    if (win32.connect_named_pipe(instance->pipe, overlapped)) {
        return true;
    }
    DWORD error = GetLastError();
    if (error == ERROR_IO_PENDING) {
        return true;
    }
    if (error == ERROR_PIPE_CONNECTED || client_came_and_went(error)) {
        loop_defer(listener->loop, &instance->connect, error); /* a failed call queues no completion */
        return true;
    }
    instance->connecting = false;
    drop_instance(instance);
    retry_later(listener, "accepting", error);
    return false;
}

static bool open_instance(struct listener_instance *instance)
{
    struct listener *listener = instance->listener;
    HANDLE pipe = create_instance(listener, 0);
    DWORD error = pipe != INVALID_HANDLE_VALUE ? ERROR_SUCCESS : GetLastError();
    if (error == ERROR_SUCCESS) {
        error = loop_attach(listener->loop, pipe);
        if (error != ERROR_SUCCESS) {
            CloseHandle(pipe);
        }
    }
    if (error != ERROR_SUCCESS) {
        retry_later(listener, "making a new instance", error);
        return false;
    }
    instance->pipe = pipe;
    return wait_for_client(instance);
}

static void connect_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)bytes;
    struct listener_instance *instance = LOOP_OWNER(operation, struct listener_instance, connect);
    struct listener *listener = instance->listener;
    instance->connecting = false;
    if (listener->stopping) {
        drop_instance(instance);
        return;
    }
    if (error == ERROR_SUCCESS || error == ERROR_PIPE_CONNECTED) {
        HANDLE pipe = instance->pipe;
        instance->pipe = NULL;
        open_instance(instance);
        listener->connected(listener, pipe);
        return;
    }
    if ((error == ERROR_NO_DATA || error == ERROR_BROKEN_PIPE) &&
        win32.disconnect_named_pipe(instance->pipe)) {
        wait_for_client(instance);
        return;
    }
    drop_instance(instance);
    retry_later(listener, "accepting", error);
}

static void open_missing(struct listener *listener)
{
    for (int i = 0; i < LISTENER_WAITING; i++) {
        struct listener_instance *instance = &listener->instances[i];
        if (instance->pipe == NULL && !instance->connecting && !open_instance(instance)) {
            return;
        }
    }
    if (!listener->retry.armed) {
        listener->retry_ms = LISTENER_RETRY_FIRST_MS;
        if (listener->trouble_logged) {
            listener->trouble_logged = false;
            log_write(BROKER_LOG_INFO, "the %s pipe accepts clients again", listener->label);
        }
    }
}

static void retry_fired(struct loop_timer *timer)
{
    open_missing(LOOP_OWNER(timer, struct listener, retry));
}

void listener_instance_freed(struct listener *listener)
{
    if (listener->retry.armed && !listener->stopping) {
        loop_timer_stop(listener->loop, &listener->retry);
        open_missing(listener);
    }
}

DWORD listener_start(struct listener *listener, struct loop *loop, const wchar_t *name,
                     PSECURITY_DESCRIPTOR security, DWORD max_instances)
{
    listener->loop = loop;
    listener->name = name;
    listener->security =
        (SECURITY_ATTRIBUTES){.nLength = sizeof(SECURITY_ATTRIBUTES), .lpSecurityDescriptor = security};
    listener->max_instances = max_instances;
    listener->holder = NULL;
    listener->retry.fired = retry_fired;
    listener->retry.armed = false;
    listener->retry_ms = LISTENER_RETRY_FIRST_MS;
    listener->trouble_logged = false;
    listener->stopping = false;
    memset(listener->instances, 0, sizeof listener->instances);
    for (int i = 0; i < LISTENER_WAITING; i++) {
        listener->instances[i].listener = listener;
    }
    DWORD error = hold_name(listener);
    if (error == ERROR_SUCCESS) {
        open_missing(listener);
    }
    return error;
}

void listener_stop(struct listener *listener)
{
    if (listener->loop == NULL || listener->stopping) {
        return;
    }
    listener->stopping = true;
    loop_timer_stop(listener->loop, &listener->retry);
    for (int i = 0; i < LISTENER_WAITING; i++) {
        struct listener_instance *instance = &listener->instances[i];
        if (instance->connecting) {
            CancelIoEx(instance->pipe, NULL);
        } else {
            drop_instance(instance);
        }
    }
}

bool listener_idle(const struct listener *listener)
{
    for (int i = 0; i < LISTENER_WAITING; i++) {
        if (listener->instances[i].connecting) {
            return false;
        }
    }
    return true;
}

void listener_free(struct listener *listener)
{
    for (int i = 0; i < LISTENER_WAITING; i++) {
        drop_instance(&listener->instances[i]);
    }
    if (listener->holder != NULL) {
        CloseHandle(listener->holder);
        listener->holder = NULL;
    }
}
