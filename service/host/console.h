/* The service as a program at a prompt: for trying it out, for tests, and for the simulator. */
#ifndef SHADOWPIPE_HOST_CONSOLE_H
#define SHADOWPIPE_HOST_CONSOLE_H

#include <stdbool.h>
#include <wchar.h>

struct console_options {
    const wchar_t *pipe;        /* NULL = from the configuration */
    const wchar_t *vss_library; /* NULL = the same */
    bool simulate;
    bool verbose;
};

/* Serves until Ctrl-C, or until Ctrl-Break, at which it hands over to its next process. When it listens, a
 * line on stdout says so and names the pipe. An exit code. */
int console_run(const struct console_options *options);

#endif
