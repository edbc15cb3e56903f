/* The store: values in a registry key of the service's own, for the broker.
 *
 * Values are written and deleted on the helper's thread, in the order in which they were asked for. The
 * registry survives the end of any process; a lasting write is on the disk, too, when it is answered. The key
 * is that of one instance, so that two services on one machine never see each other's. They are read once,
 * before there is anything to serve. */
#ifndef SHADOWPIPE_HOST_STORE_H
#define SHADOWPIPE_HOST_STORE_H

#include "service/host/config.h"
#include "service/host/helper.h"

enum {
    STORE_KEY_CHARS = STORE_KEY_MAX + 1,
    STORE_PATH_CHARS = HANDOFF_PIPE_CHARS + 64,
    STORE_VALUE_BYTES = 1024 * 1024 /* what is larger is nothing of ours */
};

struct store {
    struct loop *loop;
    struct helper *helper;
    HKEY key;            /* NULL: it cannot be used */
    char failure[256];   /* why */
    unsigned operations; /* under way, or not answered yet */
    /* On the loop's thread. `failure` NULL, or why in words. */
    void (*done)(void *context, const char *key, const char *failure);
    void *context;
};

/* The path of its key: one for each pipe, and others for another library than the system's. */
void store_place(const struct service_config *config, wchar_t path[STORE_PATH_CHARS]);

/* Opens or makes the key; with `sddl` only those whom it names may use it. A Win32 code; after a failure,
 * which `failure` says in words, each write fails. */
DWORD store_open(struct store *store, HKEY root, const wchar_t *path, const wchar_t *sddl);
/* Calls `found` for each value. */
void store_read(struct store *store,
                void (*found)(void *context, const char *key, const uint8_t *bytes, size_t size),
                void *context);
void store_put(struct store *store, const char *key, const uint8_t *bytes, size_t size, bool lasting);
void store_delete(struct store *store, const char *key);
/* After the helper has ended. */
void store_close(struct store *store);

/* SYSTEM and Administrators, nobody else. */
#define STORE_SDDL L"D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)"

#endif
