/* What clients see, and what it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

enum {
    SLACK_MS = 2 * LATE_MS,
    FAIRNESS_SLACK = 1
};

/* ---- requests ---- */

static uint32_t rights_of(const PB(Envelope) * envelope)
{
    const PB(CreateSnapshot) *wish = envelope->create_snapshot;
    switch (envelope->body_case) {
    case PB_BODY(CREATE_SNAPSHOT):
        return (wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_UNSPECIFIED) ||
                        wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY)
                    ? RIGHT_BIT_SNAPSHOT
                    : RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE) |
               (wish->context > PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) ? RIGHT_BIT_PERSIST : 0);
    case PB_BODY(LIST_LEASES):
        return envelope->list_leases->all_owners ? RIGHT_BIT_READ | RIGHT_BIT_MANAGE : RIGHT_BIT_READ;
    case PB_BODY(GET_SERVICE_STATUS):
    case PB_BODY(LIST_WRITERS):
    case PB_BODY(LIST_VOLUMES):
    case PB_BODY(LIST_PROVIDERS):
    case PB_BODY(HISTORY):
        return RIGHT_BIT_READ;
    default:
        return 0;
    }
}

static unsigned named_writers(char *const *names, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < WRITERS; j++)
            bits |= strcmp(names[i], writer_names[j]) == 0 ? 1u << j : 0;
    }
    return bits;
}

static void note_wish(struct request_seen *request, const PB(CreateSnapshot) * wish)
{
    request->backup_type = wish->backup_type != PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_UNSPECIFIED)
                               ? wish->backup_type
                               : PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
    request->skips = wish->on_unsupported == PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    request->has_writers = wish->context != PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) &&
                           wish->context != PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK);
    request->keep_ms = wish->keep_ms;
    request->tolerated = named_writers(wish->writers_tolerated, wish->n_writers_tolerated);
    request->required = named_writers(wish->writers_required, wish->n_writers_required);
    request->excluded = named_writers(wish->writers_excluded, wish->n_writers_excluded);
    request->complete_within_ms = wish->complete_within_ms;
    for (size_t i = 0; i < wish->n_volumes; i++) {
        for (unsigned j = 0; j < VOLUMES; j++)
            request->volumes |= wish->volumes[i][0] == volume_names[j][0] ? 1u << j : 0;
    }
}

struct request_seen *request_new(struct model *model, struct link *link, const PB(Envelope) * envelope)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id != 0)
            continue;
        *request = (struct request_seen){.id = envelope->id, .kind = envelope->body_case};
        request->end_offset = link->sent_bytes;
        request->rights = rights_of(envelope);
        request->deadline_ms = UINT64_MAX;
        request->timeout_ms =
            envelope->timeout_ms != 0 ? envelope->timeout_ms : model->config.default_timeout_ms;
        if (request->timeout_ms > model->config.max_timeout_ms)
            request->timeout_ms = model->config.max_timeout_ms;
        if (envelope->body_case == PB_BODY(CREATE_SNAPSHOT))
            note_wish(request, envelope->create_snapshot);
        return request;
    }
    model_fail(model, "the model has no room for another request");
}

unsigned requests_open(const struct link *link)
{
    unsigned count = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        count += link->requests[i].id != 0;
    return count;
}

static struct request_seen *find_request(struct link *link, uint32_t id)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        if (link->requests[i].id == id && id != 0)
            return &link->requests[i];
    }
    return NULL;
}

static void lease_end(struct model *model, struct lease_seen *lease)
{
    if (lease->is_open)
        model->processes[lease->process - 1]->object.open_leases--;
    lease->is_open = false;
}

void lease_finished(struct model *model, struct lease_seen *lease, bool success)
{
    if (lease->is_open && success)
        model->processes[lease->process - 1]->object.success = true;
    lease_end(model, lease);
}

void requests_delivered(struct model *model, struct link *link, size_t size)
{
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id == 0 || request->is_delivered || request->end_offset > link->delivered_bytes + size)
            continue;
        request->is_delivered = true;
        request->delivered_ms = model->now_ms;
        /* The broker may refuse it; but then it has no reason to end the lease, and the client gives it up.
         */
        if (request->lease != 0 && request->may_finish) {
            lease_finished(model, &model->leases[request->lease - 1], request->success);
        }
    }
}

void requests_settled(struct model *model, struct link *link)
{
    if (link->is_paused || link->is_closed || link->is_gone || link->is_raw)
        return;
    for (size_t i = 0; i < REQUESTS; i++) {
        struct request_seen *request = &link->requests[i];
        if (request->id == 0 || !request->is_delivered || request->deadline_ms != UINT64_MAX)
            continue;
        request->deadline_ms = model->now_ms + request->timeout_ms;
        model_schedule(model, request->timeout_ms + SLACK_MS, EVENT_DEADLINE, link_index(model, link),
                       request->id);
    }
}

void request_due(struct model *model, struct link *link, uint32_t id)
{
    const struct request_seen *request = find_request(link, id);
    if (request == NULL || link->is_gone || link->is_closed || link->is_raw ||
        request->deadline_ms + SLACK_MS > model->now_ms)
        return;
    model_fail(model, "request %u of connection %llu was not answered by its deadline", (unsigned)id,
               (unsigned long long)link->id);
}

/* ---- fairness ---- */

static bool waits(const struct link *link, const struct request_seen *request)
{
    return request->id != 0 && request->is_waiting && !request->has_started && !link->is_gone &&
           !link->is_closed && !link->is_raw && !link->is_slow; /* a slow one is not told of its turn */
}

/* It has come to the queue. */
static void begin_waiting(struct model *model, struct link *link, struct request_seen *request)
{
    request->is_waiting = true;
    request->order = ++model->queue_order;
    for (size_t i = 0; i < model->links_count; i++) {
        const struct link *other = model->links[i];
        for (size_t j = 0; j < REQUESTS && other->owner == link->owner; j++) {
            const struct request_seen *own = &other->requests[j];
            request->ahead += own->id != 0 && own->kind == PB_BODY(CREATE_SNAPSHOT) && own->is_delivered &&
                              !own->has_started && own != request;
        }
    }
}

/* A set is begun for it. */
static void take_turn(struct model *model, struct link *link, struct request_seen *turn)
{
    turn->has_started = true;
    if (link->is_slow)
        return; /* it may hear of its turn long after it */
    for (size_t i = 0; i < model->links_count; i++) {
        struct link *other = model->links[i];
        for (size_t j = 0; j < REQUESTS; j++) {
            struct request_seen *request = &other->requests[j];
            if (!waits(other, request))
                continue;
            REQUIRE(
                model, other->owner != link->owner || request->order > turn->order,
                "request %u of connection %llu goes before request %u of connection %llu, of the same owner",
                (unsigned)turn->id, (unsigned long long)link->id, (unsigned)request->id,
                (unsigned long long)other->id);
            unsigned passed = ++request->passed[link->owner];
            REQUIRE(model,
                    other->owner == link->owner || other->owner == MALICIOUS_OWNER ||
                        passed <= request->ahead + 1 + FAIRNESS_SLACK,
                    "request %u of connection %llu starves: owner %zu had %u turns meanwhile",
                    (unsigned)request->id, (unsigned long long)other->id, link->owner, passed);
        }
    }
}

static void progress_seen(struct model *model, struct link *link, struct request_seen *request,
                          const PB(Progress) * progress)
{
    REQUIRE(model, request->kind == PB_BODY(CREATE_SNAPSHOT), "Progress for a request that has none");
    REQUIRE(model, progress->phase != PB_PHASE(UNSPECIFIED), "Progress without a phase");
    model_say(model, "connection %llu, request %u: phase %d, position %u", (unsigned long long)link->id,
              (unsigned)request->id, (int)progress->phase, (unsigned)progress->queue_position);
    if (!request->is_waiting && !request->has_started && !link->is_raw)
        begin_waiting(model, link, request);
    if (progress->phase != PB_PHASE(QUEUED) && !request->has_started && !link->is_raw)
        take_turn(model, link, request);
}

/* ---- snapshots ---- */

static unsigned covered_volumes(const PB(SnapshotReply) * reply)
{
    unsigned bits = 0;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const char *guid = reply->volumes[i]->volume_guid_path;
        const char *at = strlen(guid) > 3 ? strchr("cdef", guid[strlen(guid) - 3]) : NULL;
        bits |= at != NULL ? 1u << (at - "cdef") : 0;
    }
    return bits;
}

static void check_wish(struct model *model, const struct request_seen *request, const struct object *object,
                       const PB(SnapshotReply) * reply)
{
    unsigned covered = covered_volumes(reply);
    REQUIRE(model, covered != 0 && (covered & ~request->volumes) == 0, "volumes that nobody asked for");
    REQUIRE(model, covered == request->volumes || request->skips, "a volume is missing without a word");
    REQUIRE(model, object->created_ms >= request->delivered_ms, "the snapshot is older than the request");
    REQUIRE(model, object->no_writers == !request->has_writers, "a snapshot of the wrong context");
    if (object->no_writers)
        return;
    REQUIRE(model, object->backup_type == (uint32_t)request->backup_type, "a backup of the wrong type");
    unsigned bad = object->failed & ~request->tolerated & ~object->disabled;
    REQUIRE(model, bad == 0, "a writer failed (bits %x), and the snapshot was given out", bad);
    REQUIRE(model, (request->required & object->disabled) == 0, "a required writer took no part");
    REQUIRE(model, (request->excluded & ~object->disabled) == 0, "an excluded writer took part");
}

static void snapshot_seen(struct model *model, struct link *link, const struct request_seen *request,
                          const PB(SnapshotReply) * reply)
{
    unsigned number = vss_object_of_set(reply->set_id);
    REQUIRE(model, number > 0 && number <= model->processes_count, "a snapshot of an unknown set");
    struct process *process = model->processes[number - 1];
    struct object *object = &process->object;
    /* One that has just ended is not missed yet; the lease will be lost. */
    REQUIRE(model, object->created && !object->release_called && !object->aborted,
            "a lease on a set without snapshots");
    REQUIRE(model, object->handed_out == 0, "one set for two requests, and nobody shares");
    REQUIRE(model, !model->is_stopping, "a snapshot is given out while the service stops");
    if (request != NULL)
        check_wish(model, request, object, reply);
    if (object->is_persistent)
        store_check_given(model, process);
    if (request == NULL)
        object->may_go = true;
    else if (request->keep_ms != 0)
        object->delete_ms = reply->created_ms + (int64_t)request->keep_ms;
    object->handed_out++;
    object->handed_ms = model->now_ms;
    object->complete_within_ms = model->config.complete_within_ms;
    if (request != NULL && request->complete_within_ms != 0 &&
        request->complete_within_ms < object->complete_within_ms)
        object->complete_within_ms = request->complete_within_ms;
    REQUIRE(model, model->leases_count < LEASES, "the model has no room for another lease");
    struct lease_seen *lease = &model->leases[model->leases_count++];
    (void)snprintf(lease->id, sizeof lease->id, "%s", reply->lease_id);
    (void)snprintf(lease->token, sizeof lease->token, "%s", reply->token);
    lease->link = link_index(model, link);
    lease->process = number;
    lease->is_open = process->is_alive || object->is_persistent;
    object->open_leases += lease->is_open;
}

static void finish_seen(struct model *model, const struct request_seen *request,
                        const PB(FinishReply) * reply)
{
    REQUIRE(model, request->lease != 0 && request->may_finish, "somebody finishes what is not his");
    const struct object *object = &model->processes[model->leases[request->lease - 1].process - 1]->object;
    PB(Completion) completion = reply->completion;
    if (completion == PB_VALUE(COMPLETION, COMPLETION_COMPLETED))
        REQUIRE(model, object->completed, "COMPLETED, and BackupComplete was not called");
    else if (completion == PB_VALUE(COMPLETION, COMPLETION_ABORTED))
        REQUIRE(model, !object->completed && object->abort_called, "ABORTED, and it was not");
    else
        REQUIRE(model, completion == PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED) && object->no_writers,
                "a completion that cannot be");
}

/* ---- frames ---- */

static PB(Envelope__BodyCase) reply_of(PB(Envelope__BodyCase) request)
{
    static const PB(Envelope__BodyCase) pairs[][2] = {
        {PB_BODY(HELLO), PB_BODY(HELLO_REPLY)},
        {PB_BODY(PING), PB_BODY(PING_REPLY)},
        {PB_BODY(CANCEL), PB_BODY(CANCEL_REPLY)},
        {PB_BODY(GET_SERVICE_STATUS), PB_BODY(SERVICE_STATUS)},
        {PB_BODY(LIST_WRITERS), PB_BODY(WRITERS_REPLY)},
        {PB_BODY(LIST_VOLUMES), PB_BODY(VOLUMES_REPLY)},
        {PB_BODY(LIST_PROVIDERS), PB_BODY(PROVIDERS_REPLY)},
        {PB_BODY(CREATE_SNAPSHOT), PB_BODY(SNAPSHOT_REPLY)},
        {PB_BODY(FINISH_BACKUP), PB_BODY(FINISH_REPLY)},
        {PB_BODY(LIST_LEASES), PB_BODY(LEASES_REPLY)},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i][0] == request)
            return pairs[i][1];
    }
    return PB_BODY(STATUS);
}

static void status_seen(struct model *model, struct link *link, const PB(Status) * status)
{
    model_say(model, "connection %llu gets %s: %s", (unsigned long long)link->id, status->reason,
              status->message);
    REQUIRE(model,
            status->code != PB_CODE(UNSPECIFIED) && status->reason[0] != '\0' && status->message[0] != '\0' &&
                status->advice[0] != '\0',
            "a Status that says nothing");
    REQUIRE(model, status->hresult != VSS_IN_PROGRESS, "a set of somebody else's is a failure");
    REQUIRE(model, strcmp(status->reason, "NO_MEMORY") != 0, "the broker lacks memory that there is");
}

static void final_seen(struct model *model, struct link *link, struct request_seen *request,
                       const PB(Envelope) * envelope)
{
    bool is_status = envelope->body_case == PB_BODY(STATUS);
    bool lacks_right = (request->rights & ~link->rights) != 0;
    REQUIRE(model, is_status || envelope->body_case == reply_of(request->kind), "a reply of another kind");
    REQUIRE(model, !lacks_right || (is_status && envelope->status->code == PB_CODE(PERMISSION_DENIED)),
            "request %u was not refused for the right that is missing", (unsigned)request->id);
    REQUIRE(model, !is_status || lacks_right || strcmp(envelope->status->reason, "RIGHT_MISSING") != 0,
            "a right is missed that is there");
    if (request->kind == PB_BODY(HELLO) && !is_status)
        link->is_greeted = true;
    if (envelope->body_case == PB_BODY(SNAPSHOT_REPLY))
        snapshot_seen(model, link, request, envelope->snapshot_reply);
    else if (envelope->body_case == PB_BODY(FINISH_REPLY))
        finish_seen(model, request, envelope->finish_reply);
    else if (envelope->body_case == PB_BODY(WRITERS_REPLY))
        REQUIRE(model, envelope->writers_reply->count == request->writers_sent, "a list with a gap");
    request->id = 0;
}

void frame_seen(struct model *model, struct link *link, const PB(Envelope) * envelope)
{
    if (envelope->body_case == PB_BODY(STATUS))
        status_seen(model, link, envelope->status);
    else if (envelope->body_case != PB_BODY(PROGRESS))
        model_say(model, "connection %llu gets reply %d to %u", (unsigned long long)link->id,
                  (int)envelope->body_case, (unsigned)envelope->id);
    if (envelope->id == 0) {
        REQUIRE(model, envelope->body_case == PB_BODY(STATUS), "a reply to no request");
        link->is_refused = true;
        return;
    }
    struct request_seen *request = find_request(link, envelope->id);
    if (request == NULL || link->is_raw) {
        REQUIRE(model, link->is_raw, "a reply to request %u of connection %llu, which is not open",
                (unsigned)envelope->id, (unsigned long long)link->id);
        if (envelope->body_case == PB_BODY(SNAPSHOT_REPLY))
            snapshot_seen(model, link, NULL, envelope->snapshot_reply);
        return;
    }
    REQUIRE(model, request->is_delivered, "a reply before its request");
    if (envelope->body_case == PB_BODY(PROGRESS))
        progress_seen(model, link, request, envelope->progress);
    else if (envelope->body_case == PB_BODY(WRITER) && request->kind == PB_BODY(LIST_WRITERS))
        request->writers_sent++;
    else
        final_seen(model, link, request, envelope);
}

/* ---- ends ---- */

void leases_end(struct model *model, const struct link *link)
{
    for (size_t i = 0; i < model->leases_count; i++) {
        if (model->leases[i].link == link_index(model, link))
            lease_end(model, &model->leases[i]);
    }
}

void link_closed_by_broker(struct model *model, struct link *link, bool flush)
{
    leases_end(model, link);
    if (link->kind == CONNECTION_REQUESTER || link->is_raw || link->is_refused)
        return;
    if (!flush) {
        REQUIRE(model, link->is_slow || !link->is_identified, "a reader that reads was closed");
        return;
    }
    for (size_t i = 0; i < REQUESTS; i++) {
        const struct request_seen *request = &link->requests[i];
        REQUIRE(model, request->id == 0 || request->deadline_ms == UINT64_MAX,
                "connection %llu was closed and request %u never answered", (unsigned long long)link->id,
                (unsigned)request->id);
    }
}
