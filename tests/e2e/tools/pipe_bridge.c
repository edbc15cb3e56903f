/* pipe_bridge: gives a program outside of Wine raw byte connections to Windows named pipes.
 *
 * Commands come on stdin, events go to stdout, both as: 1 byte kind, 4 bytes connection, 4 bytes length
 * (big-endian), payload. The other side chooses the connection numbers, from 1, and never uses one twice.
 * - 'O' open, payload = name of the pipe. Answered by 'o', payload = 4 bytes Win32 error, 0 = open.
 * - 'W' write these bytes, in order. A write that fails: 'w', payload = 4 bytes error.
 * - 'P' pause reading, 'R' read on. What is read: 'd', payload = the data.
 * - 'C' close. Then 'e', payload = 4 bytes error; once, also when the peer ended it.
 *
 * The first event of all is 'r' for connection 0: it runs. Each connection has a thread that reads and one
 * that writes, so that a peer that does not read stalls nobody else. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum {
    CONNECTIONS = 4096,
    HEADER = 9,
    CHUNK = 65536,
    LONGEST = 64 * 1024 * 1024,
    BUSY_MS = 20000
};

struct block {
    struct block *next;
    DWORD size;
    char data[];
};

struct connection {
    uint32_t number;
    HANDLE pipe;
    HANDLE closing; /* manual reset: set by C */
    HANDLE reading; /* manual reset: not set while paused */
    HANDLE queued;  /* auto reset: a block was queued */
    CRITICAL_SECTION lock;
    struct block *first, **last;
};

static struct connection *connections[CONNECTIONS];
static CRITICAL_SECTION output_lock;
static HANDLE output;

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_all(const void *data, DWORD size)
{
    const char *at = data;
    while (size > 0) {
        DWORD written = 0;
        if (!WriteFile(output, at, size, &written, NULL))
            ExitProcess(3); /* nobody listens any more */
        at += written;
        size -= written;
    }
}

static void emit(char kind, uint32_t number, const void *data, DWORD size)
{
    uint8_t header[HEADER];
    header[0] = (uint8_t)kind;
    put_u32(header + 1, number);
    put_u32(header + 5, size);
    EnterCriticalSection(&output_lock);
    write_all(header, HEADER);
    write_all(data, size);
    LeaveCriticalSection(&output_lock);
}

static void emit_error(char kind, uint32_t number, DWORD error)
{
    uint8_t bytes[4];
    put_u32(bytes, error);
    emit(kind, number, bytes, sizeof bytes);
}

/* Waits for the operation, or gives it up when the connection is to be closed. */
static DWORD finish(struct connection *connection, BOOL started, OVERLAPPED *overlapped, DWORD *count)
{
    if (!started && GetLastError() != ERROR_IO_PENDING)
        return GetLastError();
    HANDLE either[] = {overlapped->hEvent, connection->closing};
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0)
        CancelIoEx(connection->pipe, overlapped);
    return GetOverlappedResult(connection->pipe, overlapped, count, TRUE) ? ERROR_SUCCESS : GetLastError();
}

static struct block *next_block(struct connection *connection)
{
    EnterCriticalSection(&connection->lock);
    struct block *block = connection->first;
    if (block) {
        connection->first = block->next;
        if (!connection->first)
            connection->last = &connection->first;
    }
    LeaveCriticalSection(&connection->lock);
    return block;
}

static DWORD write_block(struct connection *connection, const struct block *block, HANDLE event)
{
    DWORD done = 0;
    while (done < block->size) {
        OVERLAPPED overlapped = {.hEvent = event};
        DWORD count = 0;
        BOOL started = WriteFile(connection->pipe, block->data + done, block->size - done, NULL, &overlapped);
        DWORD error = finish(connection, started, &overlapped, &count);
        if (error)
            return error;
        done += count;
    }
    return ERROR_SUCCESS;
}

static DWORD WINAPI writer(void *parameter)
{
    struct connection *connection = parameter;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE either[] = {connection->closing, connection->queued};
    DWORD error = ERROR_SUCCESS;
    while (!error && WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) {
        struct block *block = NULL;
        while (!error && (block = next_block(connection)) != NULL) {
            error = write_block(connection, block, event);
            free(block);
        }
    }
    if (error && error != ERROR_OPERATION_ABORTED)
        emit_error('w', connection->number, error);
    CloseHandle(event);
    return 0;
}

static DWORD read_until_end(struct connection *connection)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE either[] = {connection->closing, connection->reading};
    char *buffer = malloc(CHUNK);
    DWORD error = event && buffer ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
    while (!error) {
        if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0)
            break;
        OVERLAPPED overlapped = {.hEvent = event};
        DWORD count = 0;
        BOOL started = ReadFile(connection->pipe, buffer, CHUNK, NULL, &overlapped);
        error = finish(connection, started, &overlapped, &count);
        if (!error && count > 0)
            emit('d', connection->number, buffer, count);
    }
    free(buffer);
    CloseHandle(event);
    return error == ERROR_OPERATION_ABORTED ? ERROR_SUCCESS : error;
}

static HANDLE open_pipe(const wchar_t *name)
{
    for (ULONGLONG end = GetTickCount64() + BUSY_MS;;) {
        HANDLE pipe =
            CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                        FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
        if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY || GetTickCount64() >= end)
            return pipe;
        WaitNamedPipeW(name, 1000);
    }
}

struct opening {
    struct connection *connection;
    wchar_t name[512];
};

/* Opens the pipe, reads until the end, and takes the connection down. The struct itself stays: few, and short
 * runs. */
static DWORD WINAPI reader(void *parameter)
{
    struct opening *opening = parameter;
    struct connection *connection = opening->connection;
    connection->pipe = open_pipe(opening->name);
    DWORD error = connection->pipe == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
    free(opening);
    emit_error('o', connection->number, error);
    if (error)
        return 0;
    HANDLE writing = CreateThread(NULL, 65536, writer, connection, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    error = read_until_end(connection);
    SetEvent(connection->closing);
    if (writing) {
        WaitForSingleObject(writing, INFINITE);
        CloseHandle(writing);
    }
    CloseHandle(connection->pipe);
    emit_error('e', connection->number, error);
    return 0;
}

static BOOL open_connection(uint32_t number, const char *name, DWORD size)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct opening *opening = calloc(1, sizeof *opening);
    if (!connection || !opening)
        return FALSE;
    connection->number = number;
    connection->closing = CreateEventW(NULL, TRUE, FALSE, NULL);
    connection->reading = CreateEventW(NULL, TRUE, TRUE, NULL);
    connection->queued = CreateEventW(NULL, FALSE, FALSE, NULL);
    InitializeCriticalSection(&connection->lock);
    connection->last = &connection->first;
    opening->connection = connection;
    MultiByteToWideChar(CP_UTF8, 0, name, (int)size, opening->name, ARRAYSIZE(opening->name) - 1);
    connections[number] = connection;
    HANDLE thread = CreateThread(NULL, 262144, reader, opening, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread)
        CloseHandle(thread);
    return thread != NULL;
}

static BOOL queue_block(struct connection *connection, const char *data, DWORD size)
{
    struct block *block = malloc(sizeof *block + size);
    if (!block)
        return FALSE;
    block->next = NULL;
    block->size = size;
    memcpy(block->data, data, size);
    EnterCriticalSection(&connection->lock);
    *connection->last = block;
    connection->last = &block->next;
    LeaveCriticalSection(&connection->lock);
    return SetEvent(connection->queued);
}

static BOOL obey(char kind, uint32_t number, const char *data, DWORD size)
{
    if (number >= CONNECTIONS)
        return FALSE;
    if (kind == 'O')
        return !connections[number] && open_connection(number, data, size);
    struct connection *connection = connections[number];
    if (!connection)
        return FALSE;
    switch (kind) {
    case 'W':
        return queue_block(connection, data, size);
    case 'P':
        return ResetEvent(connection->reading);
    case 'R':
        return SetEvent(connection->reading);
    case 'C':
        return SetEvent(connection->closing);
    default:
        return FALSE;
    }
}

static BOOL read_all(HANDLE input, void *data, DWORD size)
{
    char *at = data;
    while (size > 0) {
        DWORD count = 0;
        if (!ReadFile(input, at, size, &count, NULL) || count == 0)
            return FALSE;
        at += count;
        size -= count;
    }
    return TRUE;
}

int main(void)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    output = GetStdHandle(STD_OUTPUT_HANDLE);
    InitializeCriticalSection(&output_lock);
    emit('r', 0, "", 0);
    uint8_t header[HEADER];
    while (read_all(input, header, HEADER)) {
        uint32_t size = get_u32(header + 5);
        char *data = size <= LONGEST ? malloc(size + 1) : NULL;
        if (!data || !read_all(input, data, size) ||
            !obey((char)header[0], get_u32(header + 1), data, size)) {
            fprintf(stderr, "pipe_bridge: bad command '%c'\n", header[0]);
            ExitProcess(2);
        }
        free(data);
    }
    /* The other side has gone: the process's end closes every pipe. */
    ExitProcess(0);
}
