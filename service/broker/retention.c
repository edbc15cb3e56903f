#include "service/broker/retention.h"

#include <stdio.h>

#include "service/broker/error.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/record.h"
#include "service/broker/rights.h"
#include "service/broker/state.h"

enum {
    ARENA_BYTES = 1024 * 1024,
    MINUTE_MS = 60 * 1000,
    RETRY_FIRST_MS = MINUTE_MS,
    RETRY_MAX_MS = 60 * MINUTE_MS,
    LOOK_MS = MINUTE_MS, /* the wall clock may be set */
    /* The longest DoSnapshotSet, and the time that COM takes to notice that its requester is dead. */
    UNCERTAIN_MS = 30 * MINUTE_MS,
    OBJECT_SNAPSHOT = 3 /* VSS_OBJECT_TYPE */
};

static const uint32_t context_all = 0xFFFFFFFFu;      /* VSS_CTX_ALL */
static const uint32_t object_not_found = 0x80042308u; /* VSS_E_OBJECT_NOT_FOUND */

/* ---- what there is to do ---- */

static bool may_be_deleted(const struct record *record)
{
    return record->set == NULL && list_is_empty(&record->leases) &&
           (!record->is_given || record->stored->delete_ms != 0);
}

/* 0 = it is due. In milliseconds from now. */
static uint64_t time_to_wait(const struct record *record)
{
    const struct broker *broker = record->broker;
    uint64_t wait_ms = record->retry_at_ms > broker->now_ms ? record->retry_at_ms - broker->now_ms : 0;
    int64_t left_ms = record->stored->delete_ms - broker->unix_ms;
    if (!record->is_given || left_ms <= (int64_t)wait_ms)
        return wait_ms;
    return left_ms < LOOK_MS ? (uint64_t)left_ms : LOOK_MS;
}

/* VSS may still be making it, for all that is known: that it is not there yet means nothing. */
static bool is_uncertain(const struct record *record)
{
    return record->is_uncertain && record->broker->unix_ms < record->stored->created_ms + UNCERTAIN_MS;
}

static struct record *next_due(struct broker *broker)
{
    LIST_EACH(struct record, record, &broker->records, link)
    {
        if (may_be_deleted(record) && time_to_wait(record) == 0)
            return record;
    }
    return NULL;
}

static bool reconciles_now(const struct broker *broker)
{
    return broker->retention.must_reconcile && broker->retention.reconcile_at_ms <= broker->now_ms;
}

static void set_timer(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    uint64_t wait_ms = UINT64_MAX;
    if (retention->must_reconcile)
        wait_ms = retention->reconcile_at_ms - broker->now_ms;
    LIST_EACH(const struct record, record, &broker->records, link)
    {
        uint64_t left_ms = may_be_deleted(record) ? time_to_wait(record) : UINT64_MAX;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    if (wait_ms != UINT64_MAX)
        timer_set(broker, &retention->timer, wait_ms);
}

static void on_timer(struct broker *broker, struct timer *timer)
{
    struct retention *retention = &broker->retention;
    (void)timer;
    if (broker->stopping || retention->requester != NULL)
        return; /* its end looks again */
    if (reconciles_now(broker) || next_due(broker) != NULL)
        lane_enter(broker, &retention->place);
    else
        set_timer(broker);
}

void retention_look(struct broker *broker)
{
    if (!broker->stopping)
        timer_set(broker, &broker->retention.timer, 0);
}

void retention_reconcile(struct broker *broker)
{
    broker->retention.must_reconcile = true;
    broker->retention.reconcile_at_ms = broker->now_ms;
    retention_look(broker);
}

/* ---- the calls ---- */

static void fill_context(void *subject, size_t index, ProtobufCMessage *parameters)
{
    (void)subject;
    (void)index;
    ((PB(SetContext) *)parameters)->context = context_all;
}

static void fill_query(void *subject, size_t index, ProtobufCMessage *parameters)
{
    struct broker *broker = subject;
    (void)index;
    ((PB(Query) *)parameters)->object_type = OBJECT_SNAPSHOT;
    broker->retention.asked_ms = broker->now_ms;
    /* Not later: what is younger than the question need not be in its answer. */
    LIST_EACH(struct record, record, &broker->records, link)
    record->is_unchecked |= record->set == NULL && !list_is_empty(&record->leases);
}

static bool is_among(const PB(QueryResult) * result, const char *snapshot_id)
{
    for (size_t i = 0; result != NULL && i < result->n_snapshots; i++) {
        if (text_equal(result->snapshots[i]->snapshot_id, snapshot_id))
            return true;
    }
    return false;
}

/* From behind, for those that are gone leave the list. */
static void reconcile(struct record *record, const PB(QueryResult) * result)
{
    struct broker *broker = record->broker;
    const PB(StoredSet) *stored = record->stored;
    record->is_unchecked = false;
    for (size_t left = stored->n_snapshots; left > 0; left--) {
        const PB(Snapshot) *snapshot = stored->snapshots[left - 1];
        /* A transportable one is on no machine before it is imported. */
        bool is_elsewhere = (snapshot->attributes & ATTRIBUTE_TRANSPORTABLE) != 0;
        if (is_elsewhere || is_uncertain(record) || is_among(result, snapshot->snapshot_id))
            continue;
        broker_log(broker, BROKER_LOG_INFO, "snapshot %s of set %s is gone, and so is its record",
                   snapshot->snapshot_id, stored->set_id);
        bool is_last = stored->n_snapshots == 1;
        record_deleted(broker, snapshot->snapshot_id, "the snapshot is gone");
        if (is_last)
            return;
    }
}

static bool on_query(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct broker *broker = subject;
    (void)index;
    PB(Status) *failure =
        reply->hresult == object_not_found ? NULL : reply_failure(broker, PB_METHOD(QUERY), reply);
    if (failure != NULL) {
        broker->retention.failure = arena_strdup(&broker->retention.arena, failure->message);
        return true;
    }
    const PB(QueryResult) *result = reply->out_case == PB_OUT(QUERY) ? reply->query : NULL;
    LIST_EACH(struct record, record, &broker->records, link)
    {
        if (record->is_unchecked)
            reconcile(record, result);
    }
    leases_compare(broker, result != NULL ? result->snapshots : NULL,
                   result != NULL ? result->n_snapshots : 0, broker->retention.asked_ms);
    broker->retention.must_reconcile = false;
    return true;
}

static size_t count_ids(void *subject)
{
    return ((const struct broker *)subject)->retention.count;
}

static void fill_delete(void *subject, size_t index, ProtobufCMessage *parameters)
{
    PB(DeleteSnapshotsCall) *call = (PB(DeleteSnapshotsCall) *)parameters;
    call->object_id = ((const struct broker *)subject)->retention.ids[index];
    call->object_type = OBJECT_SNAPSHOT;
    call->force = true;
}

static bool on_deleted(void *subject, size_t index, const PB(CallReply) * reply)
{
    struct broker *broker = subject;
    struct retention *retention = &broker->retention;
    const struct record *record = record_find_set(broker, retention->set_id);
    const char *why = NULL;
    bool is_absent = reply->hresult == object_not_found;
    PB(Status) *failure = reply_failure(broker, PB_METHOD(DELETE_SNAPSHOTS), reply);
    if (failure != NULL && !is_absent)
        why = failure->message;
    else if (is_absent && record != NULL && is_uncertain(record))
        why = "it is not known yet whether VSS has made it";
    if (why == NULL)
        record_deleted(broker, retention->ids[index], "its time is over");
    else if (retention->failure == NULL)
        retention->failure = arena_strdup(&retention->arena, why);
    return true;
}

#define STEP(method, limit, count, fill, reply, failure_is_reply)                                   \
    {                                                                                               \
        PB_METHOD(method), PB_PHASE(UNSPECIFIED), limit, count, fill, reply, NULL, failure_is_reply \
    }
#define OPEN                                                              \
    STEP(CREATE_OBJECT, LIMIT_CALL, NULL, NULL, NULL, false),             \
        STEP(INITIALIZE_FOR_BACKUP, LIMIT_CALL, NULL, NULL, NULL, false), \
        STEP(SET_CONTEXT, LIMIT_CALL, NULL, fill_context, NULL, false)
#define END STEP(_NOT_SET, LIMIT_CALL, NULL, NULL, NULL, false)

/* clang-format off */
static const struct step steps_reconcile[] = {
    OPEN,
    STEP(QUERY, LIMIT_CALL, NULL, fill_query, on_query, true),
    END,
};
/* Hardware providers need minutes, as for Release. */
static const struct step steps_delete[] = {
    OPEN,
    STEP(DELETE_SNAPSHOTS, LIMIT_RELEASE, count_ids, fill_delete, on_deleted, true),
    END,
};
/* clang-format on */

/* ---- the process ---- */

/* Release, then the process may go; a call under way is awaited. */
static void run_end(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    struct requester *requester = retention->requester;
    retention->is_ending = true;
    sequence_stop(&retention->sequence);
    if (requester->state != REQUESTER_READY)
        requester_let_go(requester);
    else if (!requester_is_busy(requester))
        (void)requester_call(requester, PB_METHOD(RELEASE_OBJECT),
                             MESSAGE_NEW(&broker->arena, release_object), 0, 0, broker->config.release_ms);
}

static void note_failure(struct broker *broker, const PB(Status) * status)
{
    struct retention *retention = &broker->retention;
    if (retention->failure == NULL)
        retention->failure = arena_strdup(&retention->arena, status != NULL ? status->message : "no memory");
}

static void run_failed(void *subject, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    (void)method;
    (void)index;
    note_failure(subject, status);
    run_end(subject);
}

static void run_done(void *subject)
{
    run_end(subject);
}

static uint32_t run_limit_ms(void *subject, enum limit limit)
{
    return limit_default_ms(&((const struct broker *)subject)->config, limit);
}

static const struct sequence_user sequence_user = {
    .phase = NULL, .limit_ms = run_limit_ms, .failed = run_failed, .done = run_done};

static void on_ready(void *subject)
{
    struct broker *broker = subject;
    struct retention *retention = &broker->retention;
    sequence_start(&retention->sequence, retention->requester,
                   retention->is_reconciling ? steps_reconcile : steps_delete, &sequence_user, broker);
}

static void on_replied(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    struct broker *broker = subject;
    struct retention *retention = &broker->retention;
    if (!retention->is_ending)
        (void)sequence_replied(&retention->sequence, index, reply);
    else if (method == PB_METHOD(RELEASE_OBJECT))
        requester_let_go(retention->requester);
    else {
        if (method == PB_METHOD(DELETE_SNAPSHOTS))
            (void)on_deleted(broker, index, reply);
        if (!requester_is_busy(retention->requester))
            run_end(broker);
    }
}

static void on_overdue(void *subject, PB(Call__MethodCase) method)
{
    struct broker *broker = subject;
    PB(Status) *status = error_no_return(broker, method);
    note_failure(broker, status);
    requester_kill(broker->retention.requester, status);
}

/* The pause before the next try. */
static uint32_t next_retry_ms(uint32_t last_ms)
{
    if (last_ms == 0)
        return RETRY_FIRST_MS;
    return last_ms < RETRY_MAX_MS / 2 ? last_ms * 2 : RETRY_MAX_MS;
}

static void end_reconciling(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    if (!retention->must_reconcile)
        return;
    retention->reconcile_retry_ms = next_retry_ms(retention->reconcile_retry_ms);
    retention->reconcile_at_ms = broker->now_ms + retention->reconcile_retry_ms;
    broker_log(broker, BROKER_LOG_WARNING,
               "the stored snapshot sets could not be compared with what VSS has, again in %u s: %s",
               (unsigned)retention->reconcile_retry_ms / 1000,
               retention->failure != NULL ? retention->failure : "no memory");
}

static void end_deletion(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    struct record *record = record_find_set(broker, retention->set_id);
    if (record == NULL) {
        broker_log(broker, BROKER_LOG_INFO, "the snapshots of set %s are deleted", retention->set_id);
        return;
    }
    record->retry_ms = next_retry_ms(record->retry_ms);
    record->retry_at_ms = broker->now_ms + record->retry_ms;
    broker_log(broker, BROKER_LOG_WARNING, "%zu snapshots of set %s could not be deleted, again in %u s: %s",
               record->stored->n_snapshots, retention->set_id, (unsigned)record->retry_ms / 1000,
               retention->failure != NULL ? retention->failure : "no memory");
}

static void run_over(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    retention->requester = NULL;
    lane_leave(broker, &retention->place);
    if (retention->is_reconciling)
        end_reconciling(broker);
    else
        end_deletion(broker);
    retention->set_id[0] = '\0';
    retention->count = 0;
    arena_reset(&retention->arena);
    retention->failure = NULL;
    retention_look(broker);
}

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct broker *broker = subject;
    (void)left_open; /* it never opens a set */
    if (why != NULL)
        note_failure(broker, why);
    run_over(broker);
}

static const struct requester_user requester_user = {
    .ready = on_ready, .replied = on_replied, .answered = NULL, .overdue = on_overdue, .ended = on_ended};

/* ---- its turn ---- */

static bool take(struct retention *retention, const struct record *record)
{
    const PB(StoredSet) *stored = record->stored;
    (void)snprintf(retention->set_id, GUID_CHARS, "%.36s", stored->set_id);
    retention->count = 0;
    retention->ids = arena_alloc(&retention->arena, stored->n_snapshots * sizeof *retention->ids);
    for (size_t i = 0; i < stored->n_snapshots && retention->ids != NULL; i++)
        (void)snprintf(retention->ids[retention->count++], GUID_CHARS, "%.36s",
                       stored->snapshots[i]->snapshot_id);
    return retention->ids != NULL;
}

static void on_granted(struct lane_place *place)
{
    struct retention *retention = LIST_ITEM(place, struct retention, place);
    struct broker *broker = LIST_ITEM(retention, struct broker, retention);
    const struct record *record = next_due(broker);
    retention->is_reconciling = reconciles_now(broker);
    retention->is_ending = false;
    if (broker->stopping || (record == NULL && !retention->is_reconciling)) { /* a lease has come meanwhile */
        lane_leave(broker, place);
        retention_look(broker);
        return;
    }
    bool is_taken = retention->is_reconciling || take(retention, record);
    retention->requester = is_taken ? requester_start(broker, &requester_user, broker) : NULL;
    if (retention->requester == NULL)
        run_over(broker);
}

void retention_init(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    timer_init(&retention->timer, on_timer);
    lane_place_init(&retention->place, on_granted);
    arena_init(&retention->arena, ARENA_BYTES);
}

void retention_stop(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    timer_stop(&retention->timer);
    if (retention->requester == NULL)
        lane_leave(broker, &retention->place);
    else if (!retention->is_ending)
        run_end(broker);
}

void retention_kill(struct broker *broker)
{
    if (broker->retention.requester != NULL)
        requester_kill(broker->retention.requester, error_stopping(broker));
}

void retention_free(struct broker *broker)
{
    struct retention *retention = &broker->retention;
    retention->requester = NULL;
    lane_leave(broker, &retention->place);
    arena_free(&retention->arena);
}
