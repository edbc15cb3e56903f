/* What the host's tests share. */
#ifndef SHADOWPIPE_TESTS_HOST_SUPPORT_H
#define SHADOWPIPE_TESTS_HOST_SUPPORT_H

#include "cmocka_all.h"

#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "service/host/loop.h"

enum {
    SUPPORT_LIMIT_MS = 30 * 1000
};

/* Serves the loop until the condition holds; a generous limit makes a hang a failure. */
#define SERVE_UNTIL(loop, condition)                           \
    do {                                                       \
        uint64_t serve_due = loop_now_ms() + SUPPORT_LIMIT_MS; \
        while (!(condition)) {                                 \
            assert_true(loop_now_ms() < serve_due);            \
            loop_step((loop), loop_now_ms() + 20);             \
        }                                                      \
    } while (0)

/* A pipe name that no other program uses. */
static inline const wchar_t *support_pipe_name(void)
{
    static wchar_t name[64];
    static unsigned count;
    swprintf(name, sizeof name / sizeof *name, L"\\\\.\\pipe\\shadowpipe-unit-%lu-%u", GetCurrentProcessId(),
             ++count);
    return name;
}

static inline HANDLE support_connect(const wchar_t *name)
{
    return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                       SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
}

#endif
