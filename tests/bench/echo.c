/* echo: the least that a server behind a named pipe can do, to compare the service with.
 *
 *     echo port|blocking PIPE
 *
 * Sends back what comes, byte for byte. "port" waits at a completion port, as the service does; "blocking"
 * uses blocking calls. Says "ready", serves one client, and ends when that has gone. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

enum {
    BUFFER_BYTES = 2048,
    PIPE_BYTES = 16 * 1024,
    USAGE = 64
};

static HANDLE create_pipe(const char *name, DWORD flags)
{
    HANDLE pipe =
        CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX | flags,
                         PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                         PIPE_BYTES, PIPE_BYTES, 0, NULL);
    if (pipe != INVALID_HANDLE_VALUE) {
        printf("ready\n");
        (void)fflush(stdout);
    }
    return pipe;
}

static int serve_blocking(const char *name)
{
    char buffer[BUFFER_BYTES];
    DWORD size;
    HANDLE pipe = create_pipe(name, 0);
    if (pipe == INVALID_HANDLE_VALUE ||
        (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED))
        return 1;
    while (ReadFile(pipe, buffer, sizeof buffer, &size, NULL) && WriteFile(pipe, buffer, size, &size, NULL))
        ;
    return 0;
}

static BOOL under_way(BOOL called)
{
    return called || GetLastError() == ERROR_IO_PENDING;
}

/* Reading goes on while the answer is written, so there are two buffers, which change roles. */
static int serve_at_port(const char *name)
{
    char buffers[2][BUFFER_BYTES];
    int reading = 0;
    OVERLAPPED read = {0}, write = {0};
    HANDLE pipe = create_pipe(name, FILE_FLAG_OVERLAPPED);
    HANDLE port = CreateIoCompletionPort(pipe, NULL, 0, 1);
    if (pipe == INVALID_HANDLE_VALUE || port == NULL)
        return 1;
    BOOL connected = ConnectNamedPipe(pipe, &read);
    if (!under_way(connected) && GetLastError() != ERROR_PIPE_CONNECTED)
        return 1;
    if (connected || GetLastError() == ERROR_IO_PENDING) {
        DWORD size;
        ULONG_PTR key;
        OVERLAPPED *done;
        if (!GetQueuedCompletionStatus(port, &size, &key, &done, INFINITE))
            return 1;
    }
    memset(&read, 0, sizeof read);
    if (!under_way(ReadFile(pipe, buffers[reading], BUFFER_BYTES, NULL, &read)))
        return 1;
    for (;;) {
        DWORD size;
        ULONG_PTR key;
        OVERLAPPED *done;
        if (!GetQueuedCompletionStatus(port, &size, &key, &done, INFINITE))
            return 0;
        if (done != &read)
            continue;
        memset(&write, 0, sizeof write);
        memset(&read, 0, sizeof read);
        if (!under_way(WriteFile(pipe, buffers[reading], size, NULL, &write)))
            return 0;
        reading = !reading;
        if (!under_way(ReadFile(pipe, buffers[reading], BUFFER_BYTES, NULL, &read)))
            return 0;
    }
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "port") == 0)
        return serve_at_port(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "blocking") == 0)
        return serve_blocking(arguments[2]);
    fprintf(stderr, "usage: echo port|blocking PIPE\n");
    return USAGE;
}
