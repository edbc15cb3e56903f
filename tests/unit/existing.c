#include "tests/unit/existing.h"

#include <stdio.h>
#include <string.h>

static const uint32_t provider_veto = 0x80042306u;
static const uint32_t object_not_found = 0x80042308u;

static PB(Snapshot) * find(struct existing *existing, const char *id)
{
    for (size_t i = 0; i < existing->count; i++) {
        if (strcmp(existing->snapshots[i].snapshot_id, id) == 0)
            return &existing->snapshots[i];
    }
    return NULL;
}

bool existing_has(const struct existing *existing, const char *id)
{
    return find((struct existing *)(uintptr_t)existing, id) != NULL;
}

PB(Snapshot) * existing_add(struct existing *existing, const char *id, const char *set, const char *volume,
                            int64_t created_ms)
{
    assert_true(existing->count < EXISTING_MAX);
    PB(Snapshot) *snapshot = &existing->snapshots[existing->count++];
    shadowpipe__v1__snapshot__init(snapshot);
    snapshot->snapshot_id = (char *)(uintptr_t)id;
    snapshot->set_id = (char *)(uintptr_t)set;
    snapshot->volume_guid_path = (char *)(uintptr_t)volume;
    snapshot->created_ms = created_ms;
    snapshot->provider_id = (char *)(uintptr_t)PROVIDER;
    snapshot->originating_machine = snapshot->service_machine = (char *)(uintptr_t) "HERE";
    snapshot->device = (char *)(uintptr_t) "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy7";
    return snapshot;
}

void existing_add_made(struct existing *existing, const PB(SnapshotReply) * made, int64_t created_ms)
{
    for (size_t i = 0; i < made->n_volumes; i++)
        existing_add(existing, made->volumes[i]->snapshot_id, made->set_id,
                     made->volumes[i]->volume_guid_path, created_ms);
}

static void answer_query(struct existing *existing, const PB(Call) * call, PB(CallReply) * reply)
{
    static PB(QueryResult) result;
    static PB(Provider) provider;
    static PB(Provider) * providers[1] = {&provider};
    static PB(Snapshot) * snapshots[EXISTING_MAX];
    shadowpipe__v1__query_result__init(&result);
    shadowpipe__v1__provider__init(&provider);
    provider.provider_id = (char *)(uintptr_t)PROVIDER;
    result.providers = providers;
    result.n_providers = call->query->object_type == 4 ? 1 : 0;
    result.snapshots = snapshots;
    /* The other way round: the order is the broker's to make. */
    for (size_t i = 0; i < existing->count && call->query->object_type == 3; i++)
        snapshots[result.n_snapshots++] = &existing->snapshots[existing->count - 1 - i];
    reply->query = &result;
    if (call->query->object_type == 3 && result.n_snapshots == 0) {
        reply->hresult = object_not_found;
        reply->out_case = PB_OUT(_NOT_SET);
    }
}

static void delete (struct existing *existing, const PB(DeleteSnapshotsCall) * call, PB(CallReply) * reply)
{
    PB(Snapshot) *snapshot = find(existing, call->object_id);
    assert_int_equal(call->object_type, 3);
    assert_true(existing->deleted_count < EXISTING_MAX);
    existing->was_forced = call->force;
    if (existing->undeletable != NULL && strcmp(existing->undeletable, call->object_id) == 0) {
        reply->hresult = provider_veto;
        return;
    }
    bool vanishes = existing->vanishing != NULL && strcmp(existing->vanishing, call->object_id) == 0;
    if (vanishes || snapshot == NULL)
        reply->hresult = object_not_found;
    if (snapshot == NULL)
        return;
    existing->deleted[existing->deleted_count++] = snapshot->snapshot_id;
    memmove(snapshot, snapshot + 1,
            (size_t)(&existing->snapshots[existing->count] - snapshot - 1) * sizeof *snapshot);
    existing->count--;
}

static void keep(struct existing *existing, const char *one, const char *two, const char *three,
                 uint32_t number)
{
    const char *texts[] = {one, two, three};
    for (int i = 0; i < 3; i++)
        (void)snprintf(existing->text[i], sizeof existing->text[i], "%s", texts[i]);
    existing->number = number;
}

static void answers(struct world *world, const PB(Call) * call, PB(CallReply) * reply)
{
    static PB(ExposeSnapshotResult) exposed;
    struct existing *existing = world->answers_context;
    switch (call->method_case) {
    case PB_METHOD(SET_CONTEXT):
        existing->context = call->set_context->context;
        break;
    case PB_METHOD(QUERY):
        answer_query(existing, call, reply);
        break;
    case PB_METHOD(DELETE_SNAPSHOTS):
        delete (existing, call->delete_snapshots, reply);
        break;
    case PB_METHOD(GET_SNAPSHOT_PROPERTIES):
        if (find(existing, call->get_snapshot_properties->snapshot_id) != NULL)
            reply->get_snapshot_properties->snapshot =
                find(existing, call->get_snapshot_properties->snapshot_id);
        break;
    case PB_METHOD(EXPOSE_SNAPSHOT):
        keep(existing, call->expose_snapshot->snapshot_id, call->expose_snapshot->path_from_root,
             call->expose_snapshot->expose, call->expose_snapshot->attributes);
        shadowpipe__v1__expose_snapshot_result__init(&exposed);
        exposed.exposed = existing->text[2];
        reply->out_case = PB_OUT(EXPOSE_SNAPSHOT);
        reply->expose_snapshot = &exposed;
        break;
    case PB_METHOD(UNEXPOSE_SNAPSHOT):
        keep(existing, call->unexpose_snapshot->snapshot_id, "", "", 0);
        break;
    case PB_METHOD(BREAK_SNAPSHOT_SET):
        keep(existing, call->break_snapshot_set->set_id, "", "", 0);
        break;
    case PB_METHOD(BREAK_SNAPSHOT_SET_EX):
        keep(existing, call->break_snapshot_set_ex->set_id, "", "", call->break_snapshot_set_ex->flags);
        break;
    case PB_METHOD(REVERT_TO_SNAPSHOT):
        keep(existing, call->revert_to_snapshot->snapshot_id, "", "",
             call->revert_to_snapshot->force_dismount ? 1 : 0);
        break;
    case PB_METHOD(QUERY_REVERT_STATUS):
        (void)snprintf(existing->text[1], sizeof existing->text[1], "%s", call->query_revert_status->volume);
        break;
    case PB_METHOD(IMPORT_SNAPSHOTS):
        existing_add(existing, SNAPSHOT_ID(91), SET_ID(91), VOLUME_C, 900);
        existing_add(existing, SNAPSHOT_ID(92), SET_ID(91), VOLUME_D, 900);
        break;
    default:
        break;
    }
}

void existing_begin(struct world *world, struct existing *existing)
{
    memset(existing, 0, sizeof *existing);
    world->answers = answers;
    world->answers_context = existing;
}
