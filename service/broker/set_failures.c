/* What becomes of a set when a call of it fails: another attempt, or an answer to each member. */
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/set_components.h"
#include "service/broker/state.h"

enum {
    ATTEMPTS_MAX = 2
};

static const uint32_t unexpected = 0x80042302u;     /* VSS_E_UNEXPECTED */
static const uint32_t unexpected_old = 0x8000FFFFu; /* E_UNEXPECTED, the same before Windows 7 */

void set_fail(struct set *set, PB(Status) * status)
{
    if (status == NULL)
        status = error_no_memory();
    if (status->phase == PB_PHASE(UNSPECIFIED))
        status->phase = set->phase;
    status->attempts = set->attempt;
    LIST_EACH(struct job, job, &set->members, link)
    job_note_failure(job, status);
    set->failed = true;
    set->restart = false;
    set_end(set);
}

/* VSS could not say what went wrong, and no writer has been frozen for it yet: once more with a fresh
 * object. What PrepareForBackup says always reaches the client. */
static bool may_repeat(const struct set *set, PB(Call__MethodCase) method, const PB(Status) * status)
{
    bool is_transient = status->hresult == unexpected || status->hresult == unexpected_old;
    return is_transient && method != PB_METHOD(PREPARE_FOR_BACKUP) && !set->freeze_begun &&
           set->attempt < ATTEMPTS_MAX && set_is_wanted(set) && !set->broker->stopping;
}

void set_call_failed(struct set *set, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    if (status == NULL)
        status = error_no_memory();
    if (method == PB_METHOD(ADD_TO_SNAPSHOT_SET) && index < set->volumes_count) {
        const struct set_volume *volume = &set->volumes[index];
        status->volume = volume->names_count > 0 ? volume->names[0] : volume->guid_path;
        status->provider = volume->provider_id;
    }
    set_name_component(set, method, index, status);
    if (may_repeat(set, method, status)) {
        broker_log(set->broker, BROKER_LOG_WARNING, "%s; trying again with a fresh object", status->message);
        set->broker->counters.attempts_repeated++;
        LIST_EACH(struct job, job, &set->members, link)
        job_warn(job, "attempt %u: %s", (unsigned)set->attempt, status->message);
        set->restart = true;
        set_end(set);
        return;
    }
    if (set->freeze_begun && status->retryable && status->retry_after_ms < AFTER_FREEZE_MS)
        status->retry_after_ms = AFTER_FREEZE_MS;
    set_fail(set, status);
}
