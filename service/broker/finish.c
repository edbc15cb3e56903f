#include "service/broker/finish.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/held.h"
#include "service/broker/lease_documents.h"
#include "service/broker/message.h"
#include "service/broker/outcome.h"
#include "service/broker/record.h"
#include "service/broker/set.h"
#include "service/broker/state.h"

static void finish_free(struct finish *finish)
{
    if (finish->is_stored)
        held_drop_lease_id(finish->broker, finish->lease_id);
    free(finish);
}

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct finish *finish = (struct finish *)request;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(request->broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request, error_deadline(request->broker, request->broker->now_ms - request->arrived_ms,
                                             "the backup was being completed; that goes on"));
    list_remove(&finish->link);
    finish_free(finish);
}

static void answer(struct connection *connection, uint32_t id, PB(Completion) completion)
{
    PB(FinishReply) reply = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    reply.completion = completion;
    PB(Envelope) envelope = ENVELOPE(FINISH_REPLY, .finish_reply = &reply);
    reply_now(connection, id, &envelope);
}

/* The backup of a persistent set was completed when its snapshots were made, or never will be. */
static bool record_is_finished(const struct record *record)
{
    return record->set == NULL || record->finished != NULL || record->finish_failure != NULL;
}

/* An earlier process of the service has made it. */
static void answer_by_stored(struct connection *connection, uint32_t id, const struct record *record)
{
    struct broker *broker = connection->broker;
    if (record->stored->completion != PB_VALUE(COMPLETION, COMPLETION_UNSPECIFIED)) {
        answer(connection, id, record->stored->completion);
        return;
    }
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(ABORTED), "COMPLETION_UNKNOWN",
                    "the service ended while the backup was being completed, and cannot say how that ended");
    fail_now(
        connection, id,
        error_advise(status, "The snapshots are there; see the state of the writers, or back up again."));
}

static void answer_by_record(struct connection *connection, uint32_t id, const struct record *record)
{
    if (record->finished == NULL && record->finish_failure == NULL) {
        answer_by_stored(connection, id, record);
        return;
    }
    if (record->finished == NULL) {
        fail_now(connection, id, record->finish_failure);
        return;
    }
    PB(Envelope) envelope = ENVELOPE(FINISH_REPLY, .finish_reply = record->finished);
    reply_now(connection, id, &envelope);
}

void lease_finish(struct connection *connection, const PB(Envelope) * envelope)
{
    const PB(FinishBackup) *wish = envelope->finish_backup;
    struct lease *lease = NULL;
    PB(Status) *refusal = lease_check_finish(connection, wish, &lease);
    if (refusal != NULL || lease == NULL) {
        fail_now(connection, envelope->id, refusal);
        return;
    }
    if (lease->snapshot_id != NULL) {
        attach_finish(connection, envelope);
        return;
    }
    struct record *record = lease->record;
    if (lease->set == NULL && record_is_finished(record)) {
        answer_by_record(connection, envelope->id, record);
        lease_end(lease);
        return;
    }
    struct set *set = lease->set != NULL ? lease->set : record->set; /* which is ending, and will tell */
    struct finish *finish = calloc(1, sizeof *finish);
    if (finish == NULL || (wish->with_documents && !shelf_promise(set, lease))) {
        free(finish);
        fail_now(connection, envelope->id, NULL);
        return;
    }
    outcome_take(set, wish);
    finish->broker = connection->broker;
    finish->is_stored = lease->is_stored;
    memcpy(finish->lease_id, lease->id, sizeof finish->lease_id);
    lease->is_stored = false;
    lease_discard(lease);
    if (record != NULL)
        record_lease_ended(record);
    if (!list_is_empty(&set->leases)) { /* others still read */
        finish_free(finish);
        answer(connection, envelope->id,
               !set->has_writers ? PB_VALUE(COMPLETION, COMPLETION_NOT_NEEDED)
               : set->completed  ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                                 : PB_VALUE(COMPLETION, COMPLETION_PENDING));
        return;
    }
    request_open(&finish->request, connection, envelope, on_stop);
    list_append(&set->finishes, &finish->link);
    set_lease_ended(set);
}

void finishes_reply(struct set *set, PB(Completion) completion, PB(Status) * failure)
{
    PB(FinishReply) reply = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    reply.completion = completion;
    if (completion == PB_VALUE(COMPLETION, COMPLETION_COMPLETED))
        outcome_fill(set, &reply);
    if (set->record != NULL)
        record_note_finish(set->record, &reply, failure);
    while (!list_is_empty(&set->finishes)) {
        struct finish *finish = LIST_FIRST(&set->finishes, struct finish, link);
        PB(Envelope) envelope = ENVELOPE(FINISH_REPLY, .finish_reply = &reply);
        if (failure != NULL)
            request_fail(&finish->request, failure);
        else
            request_reply(&finish->request, &envelope);
        list_remove(&finish->link);
        finish_free(finish);
    }
}
