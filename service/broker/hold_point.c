#include "service/broker/hold_point.h"

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static void leave(struct hold_point *hold_point)
{
    hold_point->kind = PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_UNSPECIFIED);
    timer_stop(&hold_point->timer);
}

/* Its script took too long. */
static void on_timer(struct broker *broker, struct timer *timer)
{
    struct hold_point *hold_point = LIST_ITEM(timer, struct hold_point, timer);
    struct set *set = LIST_ITEM(hold_point, struct set, hold_point);
    leave(hold_point);
    PB(Status) *status = status_make(
        &broker->arena, PB_CODE(DEADLINE_EXCEEDED), "HOLD_TIMEOUT",
        "the client did not say within its limit that the snapshot may go on from its hold point");
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    set_fail(set, error_advise(status, "Make the script that runs there quicker, or do its work before."));
}

void hold_point_init(struct hold_point *hold_point)
{
    timer_init(&hold_point->timer, on_timer);
}

static const PB(HoldPoint) * find_point(const PB(CreateSnapshot) * wish, PB(HoldPointKind) kind)
{
    for (size_t i = 0; i < wish->n_hold_points; i++) {
        if (wish->hold_points[i]->kind == kind)
            return wish->hold_points[i];
    }
    return NULL;
}

bool hold_point_reached(struct set *set, PB(HoldPointKind) kind)
{
    struct broker *broker = set->broker;
    struct job *job = LIST_FIRST(&set->members, struct job, link);
    const PB(HoldPoint) *point = job != NULL ? find_point(job->wish, kind) : NULL;
    if (point == NULL)
        return false;
    uint32_t limit_ms = broker->config.hold_point_ms;
    if (point->timeout_ms != 0 && point->timeout_ms < limit_ms)
        limit_ms = point->timeout_ms;
    set->hold_point.kind = kind;
    set->hold_point.end_ms = broker->now_ms + limit_ms;
    make_token(broker, set->hold_point.token);
    timer_set(broker, &set->hold_point.timer, limit_ms);
    job_progress(job);
    return true;
}

void hold_point_leave(struct set *set)
{
    leave(&set->hold_point);
}

void hold_point_tell(const struct job *job, PB(Progress) * progress)
{
    struct hold_point *hold_point = &job->set->hold_point;
    if (hold_point->kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_UNSPECIFIED))
        return;
    progress->waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_HOLD);
    progress->hold_token = hold_point->token;
    progress->hold_left_ms = (uint32_t)(hold_point->end_ms - job->request.broker->now_ms);
}

PB(Status) * hold_points_check(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    const char *message = NULL;
    for (size_t i = 0; i < wish->n_hold_points; i++) {
        PB(HoldPointKind) kind = wish->hold_points[i]->kind;
        if (kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_UNSPECIFIED))
            message = "a hold point does not say where it is";
        else if (find_point(wish, kind) != wish->hold_points[i])
            message = "a hold point is named twice";
    }
    if (message == NULL)
        return NULL;
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "BAD_HOLD_POINT", "%s", message);
    if (status == NULL)
        return error_no_memory();
    return error_field(error_advise(status, "Name GATE_GRANTED, PREPARED, or each of them once."),
                       "create_snapshot.hold_points");
}

static struct set *find_held(struct connection *connection, const PB(Proceed) * proceed)
{
    LIST_EACH(struct set, set, &connection->broker->sets, link)
    {
        const struct job *job = LIST_FIRST(&set->members, struct job, link);
        bool is_held = set->hold_point.kind != PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_UNSPECIFIED);
        if (is_held && job != NULL && job->owner == connection->owner &&
            job->request.id == proceed->request_id &&
            tokens_equal(set->hold_point.token, proceed->hold_token))
            return set;
    }
    return NULL;
}

void hold_point_proceed(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    struct set *set = find_held(connection, envelope->proceed);
    if (set == NULL) {
        PB(Status) *status = status_make(&broker->arena, PB_CODE(NOT_FOUND), "UNKNOWN_HOLD",
                                         "no request of this owner is held with this id and token");
        fail_now(connection, envelope->id,
                 error_advise(status, "It has gone on, failed or timed out; see its own reply."));
        return;
    }
    PB(HoldPointKind) kind = set->hold_point.kind;
    leave(&set->hold_point);
    PB(ProceedReply) reply = SHADOWPIPE__V1__PROCEED_REPLY__INIT;
    PB(Envelope) answer = ENVELOPE(PROCEED_REPLY, .proceed_reply = &reply);
    reply_now(connection, envelope->id, &answer);
    if (!envelope->proceed->abort) {
        set_held_goes_on(set, kind);
        return;
    }
    PB(Status) *status = status_make(&broker->arena, PB_CODE(ABORTED), "HOLD_ABORTED",
                                     "the client ended the snapshot at its hold point");
    error_retry(status, PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0);
    set_fail(set, error_advise(status, "See why the script that runs there failed."));
}
