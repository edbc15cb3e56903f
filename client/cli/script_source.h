/* Where a session's lines come from: a file, standard input, or a console. */
#ifndef SHADOWPIPE_CLIENT_CLI_SCRIPT_SOURCE_H
#define SHADOWPIPE_CLIENT_CLI_SCRIPT_SOURCE_H

#include <windows.h>

#include "client/cli/text.h"
#include "client/lib/shadowpipe.h"

struct script_source {
    HANDLE handle;
    bool is_file; /* opened here */
    bool is_console;
    unsigned line; /* number of the one that was read last, from 1 */
    /* A read of standard input cannot be waited for together with an interrupt: a thread does it. */
    HANDLE thread;
    HANDLE wanted;
    HANDLE ready;
    struct text text; /* the line; the thread's between `wanted` and `ready` */
    bool ended;
    DWORD failure;
    char buffer[4096];
    DWORD used;
    DWORD at;
};

enum script_line {
    SCRIPT_LINE,
    SCRIPT_END,
    SCRIPT_INTERRUPTED,
    SCRIPT_FAILED
};

/* `path` NULL or "-": standard input, which what runs in the meantime then does not get. */
bool script_open(struct script_source *source, const char *path, struct sp_error **error);
/* The next line, without its end, in source->text. `interrupted` is an event. */
enum script_line script_next(struct script_source *source, HANDLE interrupted, struct sp_error **error);
void script_close(struct script_source *source);

#endif
