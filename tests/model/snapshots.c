/* What is given out, and what it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

unsigned volume_bit(const char *name)
{
    size_t length = strlen(name);
    for (unsigned i = 0; i < VOLUMES; i++) {
        bool is_guid = length > 3 && name[length - 3] == "cdef"[i];
        if (is_guid || (length <= 3 && name[0] == volume_names[i][0]))
            return 1u << i;
    }
    return 0;
}

/* Its copies are those of its volumes, and of nobody else's. */
static unsigned covered_volumes(struct model *model, const struct object *object,
                                const PB(SnapshotReply) * reply)
{
    unsigned bits = 0;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const char *id = reply->volumes[i]->snapshot_id;
        unsigned volume = volume_bit(reply->volumes[i]->volume_guid_path);
        size_t number = strlen(id) > 12 ? (size_t)strtoul(id + strlen(id) - 12, NULL, 10) : 0;
        REQUIRE(model, number > 0 && number <= object->added && object->volumes[number - 1] == volume,
                "the copy of one volume is given out as that of another");
        bits |= volume;
    }
    for (size_t i = 0; i < reply->n_map; i++)
        REQUIRE(model, (volume_bit(reply->map[i]->original) & bits) != 0,
                "a path is mapped to the copy of a volume that is not the member's");
    return bits;
}

static void check_age(struct model *model, const struct request_seen *request, const struct object *object)
{
    /* One that took over from another with its key may be younger. */
    REQUIRE(model, request->key != 0 || object->freeze_ms + request->max_age_ms >= request->delivered_ms,
            "the snapshot is older than the request allows");
}

static void check_wish(struct model *model, const struct request_seen *request, const struct object *object,
                       const PB(SnapshotReply) * reply)
{
    unsigned covered = covered_volumes(model, object, reply);
    REQUIRE(model, covered != 0 && (covered & ~request->may_have) == 0, "volumes that nobody asked for");
    REQUIRE(model, (request->volumes & ~covered) == 0 || request->skips,
            "a volume is missing without a word");
    check_age(model, request, object);
    REQUIRE(model, object->no_writers == !request->has_writers, "a snapshot of the wrong context");
    if (object->no_writers)
        return;
    REQUIRE(model, object->backup_type == (uint32_t)request->backup_type, "a backup of the wrong type");
    REQUIRE(model, object->component_mode == request->has_components, "a backup of the wrong mode");
    unsigned bad = object->failed & ~request->tolerated & ~object->disabled;
    bad &= request->has_components ? 1u << COMPONENT_WRITER : ~0u;
    REQUIRE(model, bad == 0, "a writer failed (bits %x), and the snapshot was given out", bad);
    REQUIRE(model, (request->required & object->disabled) == 0, "a required writer took no part");
    REQUIRE(model, (request->excluded & ~object->disabled) == 0, "an excluded writer took part");
}

/* A set goes to one request, or to several that agreed to share it. */
static void check_sharing(struct model *model, const struct request_seen *request, struct object *object,
                          const PB(SnapshotReply) * reply)
{
    unsigned volumes = 0;
    if (request == NULL) { /* what a malicious one had asked for is not known */
        object->is_unclear = true;
        return;
    }
    for (unsigned i = 0; i < object->added; i++)
        volumes |= object->volumes[i];
    REQUIRE(model, request->may_share || volumes == covered_volumes(model, object, reply),
            "a set of a request that does not share has volumes that are not its own");
    REQUIRE(model,
            object->handed_out == 0 || object->is_unclear ||
                (request->may_share && object->may_share && object->share_kind == request->share_kind),
            "a set is shared by requests that may not share it");
    object->may_share = request->may_share;
    object->share_kind = request->share_kind;
}

static void take_limits(struct model *model, const struct request_seen *request, struct object *object,
                        const PB(SnapshotReply) * reply)
{
    if (request == NULL)
        object->may_go = true;
    else if (request->keep_ms != 0)
        object->delete_ms = reply->created_ms + (int64_t)request->keep_ms;
    if (object->handed_out++ == 0) {
        object->handed_ms = model->now_ms;
        object->complete_within_ms = model->config.complete_within_ms;
    }
    if (request != NULL && request->complete_within_ms != 0 &&
        request->complete_within_ms < object->complete_within_ms)
        object->complete_within_ms = request->complete_within_ms;
}

void snapshot_seen(struct model *model, struct link *link, const struct request_seen *request,
                   const PB(SnapshotReply) * reply)
{
    struct lease_seen *known = lease_find_seen(model, reply->lease_id);
    unsigned number = vss_object_of_set(reply->set_id);
    REQUIRE(model, number > 0 && number <= model->processes_count, "a snapshot of an unknown set");
    struct process *process = model->processes[number - 1];
    struct object *object = &process->object;
    REQUIRE(model, !model->is_stopping, "a snapshot is given out while the service stops");
    if (known != NULL) {
        lease_given_again(model, link, request, known);
        return;
    }
    /* One that has just ended is not missed yet; the lease will be lost. */
    REQUIRE(model, object->created && !object->release_called && !object->aborted,
            "a lease on a set without snapshots");
    check_sharing(model, request, object, reply);
    if (request != NULL)
        check_wish(model, request, object, reply);
    if (object->is_persistent)
        store_check_given(model, process);
    take_limits(model, request, object, reply);
    lease_new(model, link, request, reply, number);
}

/* Or may read, for all that is known. */
static bool others_read(const struct model *model, size_t lease)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        const struct lease_seen *other = &model->leases[i];
        if (i + 1 != lease && other->process == model->leases[lease - 1].process && !other->is_gone)
            return true;
    }
    return inside_leases_to_come(model) + model->leases_untold > 0;
}

void finish_seen(struct model *model, const struct link *link, const struct request_seen *request,
                 const PB(FinishReply) * reply)
{
    lease_finish_seen(model, link, request);
    const struct object *object = &model->processes[model->leases[request->lease - 1].process - 1]->object;
    PB(Completion) completion = reply->completion;
    if (completion == PB_VALUE(COMPLETION, COMPLETION_COMPLETED))
        REQUIRE(model, object->completed, "COMPLETED, and BackupComplete was not called");
    else if (completion == PB_VALUE(COMPLETION, COMPLETION_PENDING))
        REQUIRE(model, others_read(model, request->lease) && !object->completed && !object->no_writers,
                "PENDING, and nobody else reads");
    else if (completion == PB_VALUE(COMPLETION, COMPLETION_ABORTED))
        REQUIRE(model, !object->completed && object->abort_called, "ABORTED, and it was not");
    else
        REQUIRE(model, completion == PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED) && object->no_writers,
                "a completion that cannot be");
}

/* Another member's volume is no reason to fail, the first time. */
void failure_seen(struct model *model, const struct request_seen *request, const PB(Status) * status)
{
    bool is_addition = strcmp(status->method, "AddToSnapshotSet") == 0 && status->volume[0] != '\0';
    REQUIRE(model,
            !is_addition || (volume_bit(status->volume) & request->may_have) != 0 || status->attempts >= 2,
            "request %u fails for the volume of another member", (unsigned)request->id);
}
