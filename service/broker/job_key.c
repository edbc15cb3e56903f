#include "service/broker/job_key.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/adoption.h"
#include "service/broker/error.h"
#include "service/broker/lease.h"
#include "service/broker/log.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

struct follower {
    struct request request; /* first: they are cast */
    struct list link;       /* of the job's */
};

/* ---- followers ---- */

static void follower_free(struct follower *follower)
{
    list_remove(&follower->link);
    free(follower);
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct broker *broker = request->broker;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request, error_deadline(broker, broker->now_ms - request->arrived_ms,
                                             "the first request with this job_key was being carried out"));
    follower_free((struct follower *)request);
}

static void follow(struct job *job, struct connection *connection, const PB(Envelope) * envelope)
{
    struct follower *follower = calloc(1, sizeof *follower);
    if (follower == NULL) {
        fail_now(connection, envelope->id, NULL);
        return;
    }
    request_open(&follower->request, connection, envelope, on_stop);
    list_append(&job->followers, &follower->link);
    if (job->state != JOB_RESOLVING)
        job_progress(job);
}

void job_key_take_over(struct job *job)
{
    struct follower *follower = LIST_FIRST(&job->followers, struct follower, link);
    request_take_over(&job->request, &follower->request);
    follower_free(follower);
}

void job_key_progress(struct job *job, PB(Progress) * progress)
{
    /* Only the first one's client is held: two must not run the script of one hold point. */
    PB(Progress) unheld = *progress;
    unheld.hold_token = (char *)protobuf_c_empty_string;
    unheld.hold_left_ms = 0;
    LIST_EACH(struct follower, follower, &job->followers, link)
    request_progress(&follower->request, &unheld);
}

void job_key_fail(struct job *job, PB(Status) * status)
{
    LIST_EACH(struct follower, follower, &job->followers, link)
    {
        request_fail(&follower->request, status);
        follower_free(follower);
    }
}

void job_key_succeed(struct job *job, struct lease *lease)
{
    PB(Envelope) envelope = ENVELOPE(SNAPSHOT_REPLY, .snapshot_reply = lease->reply);
    LIST_EACH(struct follower, follower, &job->followers, link)
    {
        lease_bind(lease, follower->request.connection);
        request_reply(&follower->request, &envelope);
        follower_free(follower);
    }
}

/* ---- who has the key ---- */

static bool has_key(const struct job *job, const struct owner *owner, const char *key)
{
    return job->failure == NULL && job->owner == owner && !job->wish->dry_run &&
           strcmp(job->wish->job_key, key) == 0;
}

static struct job *find_among(struct list *jobs, const struct owner *owner, const char *key)
{
    LIST_EACH(struct job, job, jobs, link)
    {
        if (has_key(job, owner, key))
            return job;
    }
    return NULL;
}

static struct job *find_job(struct broker *broker, const struct owner *owner, const char *key)
{
    struct job *job = find_among(&broker->resolving, owner, key);
    if (job == NULL)
        job = find_among(&broker->queue, owner, key);
    if (job != NULL)
        return job;
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        job = find_among(&set->members, owner, key);
        if (job != NULL)
            return job;
    }
    return NULL;
}

/* One that has lost its snapshots is of no use to anybody. */
static struct lease *find_lease(struct broker *broker, const struct owner *owner, const char *key)
{
    LIST_EACH(struct lease, lease, &broker->leases, link)
    {
        if (lease->wish != NULL && lease->owner == owner && strcmp(lease->wish->job_key, key) == 0 &&
            !lease_is_lost(lease))
            return lease;
    }
    return NULL;
}

enum comparison {
    WISHES_EQUAL,
    WISHES_DIFFER,
    WISHES_NOT_COMPARED /* no memory */
};

static enum comparison compare(const PB(CreateSnapshot) * one, const PB(CreateSnapshot) * other)
{
    size_t size = shadowpipe__v1__create_snapshot__get_packed_size(one);
    if (shadowpipe__v1__create_snapshot__get_packed_size(other) != size)
        return WISHES_DIFFER;
    uint8_t *bytes = malloc(2 * size);
    if (bytes == NULL)
        return WISHES_NOT_COMPARED;
    shadowpipe__v1__create_snapshot__pack(one, bytes);
    shadowpipe__v1__create_snapshot__pack(other, bytes + size);
    bool are_equal = memcmp(bytes, bytes + size, size) == 0;
    free(bytes);
    return are_equal ? WISHES_EQUAL : WISHES_DIFFER;
}

static PB(Status) * mismatch(struct broker *broker, const char *key)
{
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(ALREADY_EXISTS), "KEY_MISMATCH",
                    "the job_key \"%s\" is that of another request, which asks for something else", key);
    return error_field(error_advise(status, "Give each job a key of its own; send a job again unchanged."),
                       "create_snapshot.job_key");
}

bool job_key_answer(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(CreateSnapshot) *wish = envelope->create_snapshot;
    if (wish->job_key[0] == '\0' || wish->dry_run) /* nothing is made that could be made twice */
        return false;
    struct job *job = find_job(broker, connection->owner, wish->job_key);
    struct lease *lease = job == NULL ? find_lease(broker, connection->owner, wish->job_key) : NULL;
    if (job == NULL && lease == NULL)
        return false;
    enum comparison comparison = compare(job != NULL ? job->wish : lease->wish, wish);
    if (comparison != WISHES_EQUAL) {
        fail_now(connection, envelope->id,
                 comparison == WISHES_DIFFER ? mismatch(broker, wish->job_key) : NULL);
    } else if (job != NULL) {
        follow(job, connection, envelope);
    } else if (adoption_pending(lease) != NULL) {
        fail_now(connection, envelope->id, adoption_pending(lease));
    } else {
        PB(Envelope) answer = ENVELOPE(SNAPSHOT_REPLY, .snapshot_reply = lease->reply);
        broker_log(broker, BROKER_LOG_INFO, "lease %s is given to %s once more", lease->id,
                   connection->client_name);
        lease_bind(lease, connection);
        reply_now(connection, envelope->id, &answer);
    }
    return true;
}
