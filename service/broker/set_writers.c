/* The writers' state after a step, judged for each member. */
#include "proto/status.h"
#include "service/broker/job.h"
#include "service/broker/message.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

static size_t collect_failed(const struct set *set, struct job *job, PB(WriterStatus) * *failed)
{
    size_t count = 0;
    for (size_t i = 0; i < set->statuses.count; i++) {
        PB(WriterStatus) *writer = set->statuses.items[i];
        if (!writer->failed)
            continue;
        bool is_tolerated =
            job != NULL && writer_is_in(writer, job->wish->writers_tolerated, job->wish->n_writers_tolerated);
        if (is_tolerated) {
            writer->tolerated = true;
            uint32_t state = writer->state > 0 ? (uint32_t)writer->state - 1 : 0;
            job_warn(job, "tolerated writer %s is in state %s after %s (%s)", writer->name,
                     writer_state_name(state), method_name(set->status_after), writer->hresult_name);
        } else {
            failed[count++] = writer;
        }
    }
    return count;
}

bool set_judge_writers(struct set *set)
{
    struct arena *arena = &set->broker->arena;
    if (set->status_after == PB_METHOD(BACKUP_COMPLETE))
        return true; /* the copies are good; FinishReply tells */
    PB(WriterStatus) **failed = arena_alloc(arena, (set->statuses.count + 1) * sizeof(*failed));
    if (failed == NULL) {
        set_fail(set, NULL);
        return false;
    }
    size_t worst = 0;
    if (list_is_empty(&set->members))
        worst = collect_failed(set, NULL, failed);
    LIST_EACH(struct job, job, &set->members, link)
    {
        size_t count = collect_failed(set, job, failed);
        if (count == 0)
            continue;
        worst = count;
        PB(Status) *status =
            writers_failure(set->broker, failed, count, method_name(set->status_after), set->phase);
        if (status != NULL && set->freeze_begun && status->retryable &&
            status->retry_after_ms < AFTER_FREEZE_MS)
            status->retry_after_ms = AFTER_FREEZE_MS;
        if (status != NULL)
            status->attempts = set->attempt;
        job_note_failure(job, status);
    }
    if (worst == 0 || set_is_wanted(set))
        return true;
    set->failed = true;
    set_end(set);
    return false;
}
