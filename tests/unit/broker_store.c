/* What outlives the broker in the harness: the host's store, and the snapshots of persistent contexts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/broker_harness.h"

static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */
static const uint32_t provider_veto = 0x80042306u;    /* VSS_E_PROVIDER_VETO */

/* ---- the store ---- */

static void ask(struct world *world, const char *key, const uint8_t *bytes, size_t size)
{
    assert_true(world->operations_count < MAX_STORED);
    struct stored *operation = &world->operations[world->operations_count++];
    memset(operation, 0, sizeof *operation);
    (void)snprintf(operation->key, sizeof operation->key, "%s", key);
    if (bytes == NULL)
        return;
    operation->bytes = malloc(size);
    assert_non_null(operation->bytes);
    memcpy(operation->bytes, bytes, size);
    operation->size = size;
}

void host_store_put(void *context, const char *key, const uint8_t *bytes, size_t size, bool lasting)
{
    (void)lasting;
    world_in_broker--;
    ask(context, key, bytes, size);
    world_in_broker++;
}

void host_store_delete(void *context, const char *key)
{
    ask(context, key, NULL, 0);
}

static struct stored *find(struct world *world, const char *key)
{
    for (size_t i = 0; i < world->stored_count; i++) {
        if (strcmp(world->stored[i].key, key) == 0)
            return &world->stored[i];
    }
    return NULL;
}

static void apply(struct world *world, const struct stored *operation)
{
    struct stored *value = find(world, operation->key);
    if (value == NULL && operation->bytes == NULL)
        return;
    if (value == NULL) {
        assert_true(world->stored_count < MAX_STORED);
        value = &world->stored[world->stored_count++];
        memset(value, 0, sizeof *value);
    }
    free(value->bytes);
    *value = *operation;
    if (operation->bytes == NULL)
        *value = world->stored[--world->stored_count];
}

bool store_acts(struct world *world)
{
    if (world->operations_count == 0 || world->holds_store)
        return false;
    struct stored operation = world->operations[0];
    memmove(world->operations, world->operations + 1, --world->operations_count * sizeof operation);
    if (world->store_failure == NULL)
        apply(world, &operation);
    else
        free(operation.bytes);
    INTO_BROKER(broker_stored(world->broker, operation.key, world->store_failure));
    return true;
}

const PB(StoredSet) * world_stored(struct world *world, const char *key)
{
    static struct arena arena;
    const struct stored *value = find(world, key);
    arena_free(&arena);
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    return value != NULL ? shadowpipe__v1__stored_set__unpack(&arena.allocator, value->size, value->bytes)
                         : NULL;
}

void store_free(struct world *world)
{
    while (world->stored_count > 0)
        free(world->stored[--world->stored_count].bytes);
    while (world->operations_count > 0)
        free(world->operations[--world->operations_count].bytes);
    (void)world_stored(world, ""); /* and what it gave last */
}

/* ---- persistent snapshots ---- */

struct copy *world_copy(struct world *world, const char *snapshot_id)
{
    for (size_t i = 0; i < world->copies_count; i++) {
        if (strcmp(world->copies[i].id, snapshot_id) == 0)
            return &world->copies[i];
    }
    return NULL;
}

void copies_made(struct world *world, const struct fake_requester *requester)
{
    for (size_t i = 0; (requester->context & 0x8) != 0 && i < requester->added; i++) {
        assert_true(world->copies_count < MAX_COPIES);
        struct copy *copy = &world->copies[world->copies_count++];
        memset(copy, 0, sizeof *copy);
        (void)snprintf(copy->id, sizeof copy->id, "c0b%05u-0000-0000-0000-%012u", (unsigned)requester->number,
                       (unsigned)i + 1);
        (void)snprintf(copy->set_id, sizeof copy->set_id, "5e7%05u-0000-0000-0000-000000000000",
                       (unsigned)requester->number);
        memcpy(copy->volume, requester->volumes[i], sizeof copy->volume);
        copy->attributes = requester->context;
    }
}

/* One by one, up to the first that stays. */
void copies_deleted(struct world *world, const PB(DeleteSnapshotsCall) * call, struct vss_answer *out)
{
    bool is_set = call->object_type == 2;
    shadowpipe__v1__delete_snapshots_result__init(&out->deleted);
    out->reply.hresult = object_not_found;
    for (size_t i = 0; i < world->copies_count;) {
        struct copy *copy = &world->copies[i];
        if (strcmp(is_set ? copy->set_id : copy->id, call->object_id) != 0) {
            i++;
            continue;
        }
        out->reply.hresult = copy->is_undeletable ? provider_veto : 0;
        if (copy->is_undeletable) {
            out->deleted.non_deleted_id = copy->id;
            break;
        }
        *copy = world->copies[--world->copies_count];
        out->deleted.deleted++;
    }
    out->reply.out_case = PB_OUT(DELETE_SNAPSHOTS);
    out->reply.delete_snapshots = &out->deleted;
}

void copies_queried(struct world *world, struct vss_answer *out)
{
    static PB(Snapshot) found[MAX_COPIES];
    static PB(Snapshot) * list[MAX_COPIES + 1];
    size_t count = 0;
    list[count++] = &out->foreign;
    for (size_t i = 0; i < world->copies_count; i++) {
        shadowpipe__v1__snapshot__init(&found[i]);
        found[i].snapshot_id = world->copies[i].id;
        found[i].set_id = world->copies[i].set_id;
        found[i].volume_guid_path = world->copies[i].volume;
        found[i].attributes = world->copies[i].attributes;
        list[count++] = &found[i];
    }
    out->query.snapshots = list;
    out->query.n_snapshots = count;
}
