/* The requester's end of the service's private pipe.
 *
 * Overlapped in both directions: on Windows a blocking read of a synchronous duplex handle would hold up
 * every write on it. One read is always under way, at most one write. The main thread waits for the two
 * events and calls channel_read and channel_written; errors are Win32 codes, and after one the channel is
 * only good for closing. */
#ifndef SHADOWPIPE_REQUESTER_CHANNEL_H
#define SHADOWPIPE_REQUESTER_CHANNEL_H

#include <stdbool.h>
#include <windows.h>

#include "proto/frame.h"

enum {
    CHANNEL_INPUT_BYTES = 64 * 1024
};

/* Takes one payload; false = the peer broke the protocol. */
typedef bool channel_frame(void *context, const uint8_t *payload, size_t size);

struct channel {
    HANDLE pipe;
    HANDLE read_event;
    HANDLE write_event;
    OVERLAPPED read;
    OVERLAPPED write;
    bool reading;
    bool writing;
    struct frame_buffer output; /* being written */
    size_t output_sent;
    struct frame_reader reader;
    uint8_t input[CHANNEL_INPUT_BYTES];
};

/* Whom the pipe may belong to. */
enum channel_server {
    CHANNEL_SERVER_PARENT,   /* the process that started us */
    CHANNEL_SERVER_SAME_USER /* a service that was started anew */
};

/* Waits up to limit_ms for an instance of the pipe. */
DWORD channel_open(struct channel *channel, const wchar_t *name, DWORD limit_ms, enum channel_server server);
void channel_close(struct channel *channel);

/* Begins to read; later ends the read whose event is set, gives its frames out and begins the next. */
DWORD channel_read(struct channel *channel, channel_frame *frame, void *context);

/* Takes over the buffer's memory. Only while channel->writing is false. */
DWORD channel_write(struct channel *channel, struct frame_buffer *buffer);
/* The write event is set. */
DWORD channel_written(struct channel *channel);

#endif
