/* This program once more, as a process that goes on when this one dies: in a group of its own, without a
 * console, and out of the caller's job where that allows it. */
#ifndef SHADOWPIPE_CLIENT_CLI_COMPANION_H
#define SHADOWPIPE_CLIENT_CLI_COMPANION_H

#include <stdbool.h>

#include <windows.h>

struct companion {
    HANDLE process;
    HANDLE input;  /* our end of its standard input */
    HANDLE output; /* our end of what it prints; NULL: nobody listens */
};

/* `role` is its one argument, "--guard". It gets no other handle of ours. False with GetLastError. */
bool companion_start(struct companion *companion, const wchar_t *role, bool listen);
/* Ends its standard input. */
void companion_release(struct companion *companion);
void companion_free(struct companion *companion);

/* In the companion itself: each line of its standard input, until that ends. `line` may be written to. */
void companion_obey(void (*obey)(void *context, char *line), void *context);

#endif
