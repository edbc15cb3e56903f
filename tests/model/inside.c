/* What cannot be seen from outside: whose a requester's set is. The only part that looks into the broker. */
#include <string.h>

#include "service/broker/job.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "tests/model/model.h"

enum {
    AFTER_ONE_FREEZE_MS = 60 * 1000
};

void inside_check(const struct model *model)
{
#ifdef SHADOWPIPE_CHECK_INVARIANTS
    (void)model; /* the broker does it by itself */
#else
    broker_check_invariants(model->broker);
#endif
}

bool inside_reads(const struct model *model, const char *lease_id)
{
    LIST_EACH(const struct lease, lease, &model->broker->leases, link)
    {
        if (strcmp(lease->id, lease_id) == 0)
            return !lease_is_lost(lease);
    }
    return false;
}

uint64_t inside_lease_expires_ms(const struct model *model, const char *lease_id)
{
    LIST_EACH(const struct lease, lease, &model->broker->leases, link)
    {
        if (strcmp(lease->id, lease_id) == 0)
            return lease->ttl_ms != 0 ? lease->expires_at_ms : UINT64_MAX;
    }
    return 0;
}

uint32_t inside_leases_to_come(const struct model *model)
{
    uint32_t count = 0;
    LIST_EACH(const struct lease, lease, &model->broker->leases, link)
    count += lease->job != NULL;
    return count;
}

static const struct set *set_of(const struct model *model, const struct process *process)
{
    LIST_EACH(const struct set, set, &model->broker->sets, link)
    {
        if (set->requester != NULL && set->requester->id == process->broker_id)
            return set;
    }
    return NULL;
}

bool inside_awaits_store(const struct model *model, const struct process *process)
{
    const struct set *set = process->broker_id != 0 ? set_of(model, process) : NULL;
    return set != NULL && set->awaited_key[0] != '\0';
}

static struct request_seen *request_of(struct model *model, const struct job *job)
{
    const struct connection *connection = job->request.connection;
    struct link *link = connection != NULL ? link_find(model, connection->id) : NULL;
    return link != NULL && !link->is_raw ? request_find_seen(link, job->request.id) : NULL;
}

bool inside_is_queued(const struct model *model, const struct link *link, uint32_t id)
{
    LIST_EACH(const struct job, job, &model->broker->queue, link)
    {
        const struct connection *connection = job->request.connection;
        if (connection != NULL && connection->id == link->id && job->request.id == id)
            return true;
    }
    return false;
}

bool inside_begins_set(const struct model *model, const struct link *link, uint32_t id)
{
    LIST_EACH(const struct set, set, &model->broker->sets, link)
    {
        const struct job *job = LIST_FIRST(&set->members, struct job, link);
        if (job != NULL && set->phase == PB_PHASE(STARTING) && job->request.connection != NULL &&
            job->request.connection->id == link->id && job->request.id == id)
            return true;
    }
    return false;
}

static void note_freeze(struct model *model, struct request_seen *request)
{
    REQUIRE(model, request->frozen_ms == 0 || model->now_ms - request->frozen_ms >= AFTER_ONE_FREEZE_MS,
            "writers are frozen twice within a minute for request %u", (unsigned)request->id);
    request->frozen_ms = model->now_ms;
}

static void set_calls(struct model *model, struct process *process, PB(Call__MethodCase) method)
{
    const struct set *set = set_of(model, process);
    REQUIRE(model, set != NULL, "%s for nobody", method_name(method));
    if (method == PB_METHOD(DO_SNAPSHOT_SET))
        process->object.freeze_ms = model->now_ms;
    LIST_EACH(const struct job, job, &set->members, link)
    {
        struct request_seen *request = request_of(model, job);
        if (request == NULL)
            continue;
        hold_check_passed(model, request, method);
        if (method == PB_METHOD(DO_SNAPSHOT_SET))
            note_freeze(model, request);
    }
}

void inside_calls(struct model *model, struct process *process, struct inbox_item *item)
{
    PB(Call__MethodCase) method = item->envelope->call->method_case;
    LIST_EACH(const struct session, session, &model->broker->sessions, link)
    {
        if (session->requester == NULL || session->requester->id != process->broker_id)
            continue;
        process->object.is_session = true;
        item->by_client = session->stage == SESSION_OPEN;
        memcpy(process->session_id, session->id, sizeof session->id);
        return;
    }
    if (method == PB_METHOD(DO_SNAPSHOT_SET) || method == PB_METHOD(START_SNAPSHOT_SET))
        set_calls(model, process, method);
}
