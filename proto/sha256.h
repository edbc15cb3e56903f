/* SHA-256 of what is in memory, by which documents are checked. Windows only: the broker passes on what it
 * gets. */
#ifndef SHADOWPIPE_PROTO_SHA256_H
#define SHADOWPIPE_PROTO_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_BYTES = 32
};

/* False: the system could not; `hash` is then all zeros. */
bool sha256(const void *data, size_t size, uint8_t hash[SHA256_BYTES]);

#endif
