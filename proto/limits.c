#include "proto/limits.h"

#include <stddef.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/frame.h"

static const struct limits general = {DECODE_LIMIT_REPEATED, FRAME_LIMIT_REQUEST_BYTES};

enum {
    NAME_BYTES = 64,
    TEXT_BYTES = 256,
    WRITERS = 256,     /* named in one request; a machine has some twenty */
    COMPONENTS = 4096, /* an Exchange or SQL server with a database each */
    VOLUMES = 1024,    /* 64 are the limit, which the broker explains */
    PATH_BYTES = 128 * 1024,
    CHUNK_BYTES = 256 * 1024
};

struct entry {
    const ProtobufCMessageDescriptor *message;
    const char *field;
    struct limits limits;
};

#define MESSAGE(name) &shadowpipe__v1__##name##__descriptor

static const struct entry entries[] = {
    {MESSAGE(hello), "client_name", {1, NAME_BYTES}},
    {MESSAGE(hello), "client_version", {1, NAME_BYTES}},
    {MESSAGE(hello), "features", {32, NAME_BYTES}},
    {MESSAGE(ping), "payload", {1, 1024}},
    {MESSAGE(list_writers), "writer", {1, TEXT_BYTES}},
    {MESSAGE(create_snapshot), "job_key", {1, 128}},
    {MESSAGE(create_snapshot), "purpose", {1, TEXT_BYTES}},
    {MESSAGE(create_snapshot), "volumes", {VOLUMES, PATH_BYTES}},
    {MESSAGE(create_snapshot), "paths", {VOLUMES, PATH_BYTES}},
    {MESSAGE(create_snapshot), "providers", {VOLUMES, NAME_BYTES}},
    {MESSAGE(create_snapshot), "components", {COMPONENTS, 0}},
    {MESSAGE(create_snapshot), "writers_required", {WRITERS, TEXT_BYTES}},
    {MESSAGE(create_snapshot), "writers_excluded", {WRITERS, TEXT_BYTES}},
    {MESSAGE(create_snapshot), "writers_tolerated", {WRITERS, TEXT_BYTES}},
    {MESSAGE(create_snapshot), "phase_timeouts", {32, 0}},
    {MESSAGE(create_snapshot), "hold_points", {8, 0}},
    {MESSAGE(component_selection), "writer", {1, TEXT_BYTES}},
    {MESSAGE(finish_backup), "components", {COMPONENTS, 0}},
    {MESSAGE(open_session), "purpose", {1, TEXT_BYTES}},
    {MESSAGE(list_snapshots), "purpose", {1, TEXT_BYTES}},
    {MESSAGE(document_chunk), "data", {1, CHUNK_BYTES}},
    {MESSAGE(document_chunk), "sha256", {1, 32}},
    {MESSAGE(disable_writer_classes), "writer_ids", {WRITERS, NAME_BYTES}},
    {MESSAGE(enable_writer_classes), "writer_ids", {WRITERS, NAME_BYTES}},
    {MESSAGE(disable_writer_instances), "instance_ids", {WRITERS, NAME_BYTES}},
    {MESSAGE(requester_hello), "secret", {1, 32}},
    {MESSAGE(requester_hello), "snapshots", {VOLUMES, 0}},
};

const struct limits *limits_of(const ProtobufCMessageDescriptor *message,
                               const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (entries[i].message == message && strcmp(entries[i].field, field->name) == 0)
            return &entries[i].limits;
    }
    return &general;
}
