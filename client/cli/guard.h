/* A second process that takes letters and links away when this one dies without doing so.
 *
 * It reads a pipe whose other end only this process has: "+name<tab>target" before something is mapped,
 * "-name" after it was taken away. When the pipe ends it removes what is left on its list and exits. */
#ifndef SHADOWPIPE_CLIENT_CLI_GUARD_H
#define SHADOWPIPE_CLIENT_CLI_GUARD_H

#include <stdbool.h>

#include <windows.h>

#include "client/cli/companion.h"
#include "client/cli/removal.h"
#include "client/lib/shadowpipe.h"

struct guard {
    struct companion companion; /* without a process: none runs */
};

bool guard_start(struct guard *guard, struct sp_error **error);
bool guard_add(struct guard *guard, const char *name, const char *target);
void guard_forget(struct guard *guard, const char *name);
void guard_stop(struct guard *guard);

/* The guard process itself: `shadowpipe --guard`. Reads standard input. */
int guard_main(void);

/* Takes away the letter ("X:") or link. */
enum removal guard_remove_place(const char *name, const char *target);

#endif
