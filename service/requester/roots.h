/* The distinct directories of a component's files: which volumes the component lives on.
 *
 * Environment variables are expanded, as the writer meant them to be; case and a trailing backslash do not
 * make a directory a different one. Everything lives in the reply's arena. */
#ifndef SHADOWPIPE_REQUESTER_ROOTS_H
#define SHADOWPIPE_REQUESTER_ROOTS_H

#include "service/requester/session.h"

struct roots {
    struct reply *reply;
    wchar_t **paths;
    size_t count;
    size_t capacity;
};

void roots_init(struct roots *roots, struct reply *reply);
/* NULL and "" are left out. */
void roots_add(struct roots *roots, const wchar_t *path);
/* With the environment's variables, and without a trailing backslash; NULL without memory. */
wchar_t *roots_expand(struct reply *reply, const wchar_t *path);
/* Sorted, each once. */
char **roots_take(struct roots *roots, size_t *count);

#endif
