#include "service/requester/channel.h"

#include <winternl.h>

#include "service/requester/log.h"

/* ---- Whose pipe is it? ---- */

static DWORD parent_process_id(void)
{
    PROCESS_BASIC_INFORMATION information = {0};
    NTSTATUS status = NtQueryInformationProcess(GetCurrentProcess(), ProcessBasicInformation, &information,
                                                sizeof information, NULL);
    return status == 0 ? (DWORD)information.InheritedFromUniqueProcessId : 0;
}

struct token_user {
    TOKEN_USER user;
    BYTE sid[SECURITY_MAX_SID_SIZE];
};

static bool read_user(HANDLE process, struct token_user *user)
{
    HANDLE token;
    DWORD size;
    if (!OpenProcessToken(process, TOKEN_QUERY, &token)) {
        return false;
    }
    BOOL read = GetTokenInformation(token, TokenUser, user, sizeof *user, &size);
    CloseHandle(token);
    return read != FALSE;
}

static bool has_our_user(DWORD process_id)
{
    struct token_user theirs;
    struct token_user ours;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process_id);
    if (process == NULL) {
        return false;
    }
    bool same = read_user(process, &theirs) && read_user(GetCurrentProcess(), &ours) &&
                EqualSid(theirs.user.User.Sid, ours.user.User.Sid);
    CloseHandle(process);
    return same;
}

/* Nothing is sent before this, the secret least of all. */
static bool is_trusted(HANDLE pipe, enum channel_server server)
{
    ULONG process_id = 0;
    if (!GetNamedPipeServerProcessId(pipe, &process_id)) {
        return false;
    }
    if (process_id == 0) {
        return true; /* Wine does not know; Windows always does */
    }
    return server == CHANNEL_SERVER_PARENT ? process_id == parent_process_id() : has_our_user(process_id);
}

/* ---- Opening. ---- */

static DWORD wait_left(ULONGLONG end_ms)
{
    ULONGLONG now_ms = GetTickCount64();
    return now_ms < end_ms ? (DWORD)(end_ms - now_ms) : 0;
}

/* All that reading and writing need. GENERIC_WRITE would also ask for FILE_CREATE_PIPE_INSTANCE, which is the
 * server's alone. */
static const DWORD PIPE_ACCESS = FILE_GENERIC_READ | (FILE_GENERIC_WRITE & ~(DWORD)FILE_CREATE_PIPE_INSTANCE);

static DWORD open_pipe(HANDLE *pipe, const wchar_t *name, DWORD limit_ms)
{
    ULONGLONG end_ms = GetTickCount64() + limit_ms;
    for (;;) {
        *pipe = CreateFileW(name, PIPE_ACCESS, 0, NULL, OPEN_EXISTING,
                            FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
        if (*pipe != INVALID_HANDLE_VALUE) {
            return ERROR_SUCCESS;
        }
        DWORD error = GetLastError();
        DWORD left_ms = wait_left(end_ms);
        /* Busy: the service is between two instances. Any other answer is final. A wait of 0 would mean the
         * server's own default. */
        if (error != ERROR_PIPE_BUSY || left_ms == 0) {
            return error;
        }
        WaitNamedPipeW(name, left_ms);
    }
}

DWORD channel_open(struct channel *channel, const wchar_t *name, DWORD limit_ms, enum channel_server server)
{
    memset(channel, 0, sizeof *channel);
    frame_reader_init(&channel->reader, FRAME_LIMIT_REPLY_BYTES);
    DWORD error = open_pipe(&channel->pipe, name, limit_ms);
    if (error != ERROR_SUCCESS) {
        channel->pipe = NULL;
        return error;
    }
    if (!is_trusted(channel->pipe, server)) {
        channel_close(channel);
        return ERROR_ACCESS_DENIED;
    }
    channel->read_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    channel->write_event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (channel->read_event == NULL || channel->write_event == NULL) {
        channel_close(channel);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    return ERROR_SUCCESS;
}

void channel_close(struct channel *channel)
{
    DWORD moved;
    if (channel->reading || channel->writing) {
        CancelIoEx(channel->pipe, NULL);
    }
    /* The system writes into our buffers until it says that it has stopped. */
    if (channel->reading) {
        GetOverlappedResult(channel->pipe, &channel->read, &moved, TRUE);
    }
    if (channel->writing) {
        GetOverlappedResult(channel->pipe, &channel->write, &moved, TRUE);
    }
    if (channel->pipe != NULL) {
        CloseHandle(channel->pipe);
    }
    if (channel->read_event != NULL) {
        CloseHandle(channel->read_event);
    }
    if (channel->write_event != NULL) {
        CloseHandle(channel->write_event);
    }
    frame_buffer_free(&channel->output);
    frame_reader_free(&channel->reader);
    memset(channel, 0, offsetof(struct channel, input));
}

/* ---- Reading. ---- */

static DWORD begin_read(struct channel *channel)
{
    memset(&channel->read, 0, sizeof channel->read);
    channel->read.hEvent = channel->read_event;
    if (!ReadFile(channel->pipe, channel->input, sizeof channel->input, NULL, &channel->read)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING) {
            return error;
        }
    }
    channel->reading = true; /* also when it ended at once: the event is set then */
    return ERROR_SUCCESS;
}

static DWORD give_out_frames(struct channel *channel, size_t size, channel_frame *frame, void *context)
{
    const uint8_t *data = channel->input;
    while (size > 0) {
        const uint8_t *payload;
        size_t payload_size;
        switch (frame_reader_take(&channel->reader, &data, &size, &payload, &payload_size)) {
        case FRAME_NEED_MORE:
            return ERROR_SUCCESS;
        case FRAME_READY:
            if (!frame(context, payload, payload_size)) {
                return ERROR_INVALID_DATA;
            }
            break;
        case FRAME_BAD_LENGTH:
            return ERROR_INVALID_DATA;
        case FRAME_NO_MEMORY:
            return ERROR_NOT_ENOUGH_MEMORY;
        }
    }
    frame_reader_shrink(&channel->reader);
    return ERROR_SUCCESS;
}

DWORD channel_read(struct channel *channel, channel_frame *frame, void *context)
{
    if (channel->reading) {
        DWORD size = 0;
        channel->reading = false;
        if (!GetOverlappedResult(channel->pipe, &channel->read, &size, FALSE)) {
            return GetLastError();
        }
        DWORD error = give_out_frames(channel, size, frame, context);
        if (error != ERROR_SUCCESS) {
            return error;
        }
    }
    return begin_read(channel);
}

/* ---- Writing. ---- */

static DWORD begin_write(struct channel *channel)
{
    size_t left = channel->output.size - channel->output_sent;
    memset(&channel->write, 0, sizeof channel->write);
    channel->write.hEvent = channel->write_event;
    if (!WriteFile(channel->pipe, channel->output.data + channel->output_sent, (DWORD)left, NULL,
                   &channel->write)) {
        DWORD error = GetLastError();
        if (error != ERROR_IO_PENDING) {
            return error;
        }
    }
    channel->writing = true;
    return ERROR_SUCCESS;
}

DWORD channel_write(struct channel *channel, struct frame_buffer *buffer)
{
    frame_buffer_free(&channel->output);
    channel->output = *buffer;
    channel->output_sent = 0;
    memset(buffer, 0, sizeof *buffer);
    return begin_write(channel);
}

DWORD channel_written(struct channel *channel)
{
    DWORD size = 0;
    channel->writing = false;
    if (!GetOverlappedResult(channel->pipe, &channel->write, &size, FALSE)) {
        return GetLastError();
    }
    channel->output_sent += size;
    if (channel->output_sent < channel->output.size) {
        return begin_write(channel);
    }
    frame_buffer_free(&channel->output);
    ResetEvent(channel->write_event);
    return ERROR_SUCCESS;
}
