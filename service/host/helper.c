#include "service/host/helper.h"

#include <process.h>
#include <string.h>

static void job_returned(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct helper_job *job = LOOP_OWNER(operation, struct helper_job, returned);
    job->done(job);
}

static struct helper_job *take_job(struct helper *helper)
{
    AcquireSRWLockExclusive(&helper->lock);
    while (helper->first == NULL && !helper->stopping) {
        SleepConditionVariableSRW(&helper->filled, &helper->lock, INFINITE, 0);
    }
    struct helper_job *job = helper->first;
    if (job != NULL) {
        helper->first = job->next;
        if (helper->first == NULL) {
            helper->last = NULL;
        }
        helper->count--;
    }
    ReleaseSRWLockExclusive(&helper->lock);
    return job;
}

static unsigned __stdcall helper_thread(void *argument)
{
    struct helper *helper = argument;
    struct helper_job *job;
    while ((job = take_job(helper)) != NULL) {
        /* work() of a job that does not come back frees it. */
        bool returns = job->done != NULL;
        job->work(job);
        if (returns) {
            loop_prepare(&job->returned, job_returned);
            loop_post(helper->loop, &job->returned);
        }
    }
    return 0;
}

DWORD helper_start(struct helper *helper, struct loop *loop)
{
    memset(helper, 0, sizeof *helper);
    helper->loop = loop;
    InitializeSRWLock(&helper->lock);
    InitializeConditionVariable(&helper->filled);
    helper->thread = (HANDLE)_beginthreadex(NULL, 0, helper_thread, helper, 0, NULL);
    return helper->thread != NULL ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
}

bool helper_submit(struct helper *helper, struct helper_job *job)
{
    AcquireSRWLockExclusive(&helper->lock);
    bool taken = !helper->stopping && helper->count < HELPER_QUEUE_LIMIT;
    if (taken) {
        job->next = NULL;
        if (helper->last != NULL) {
            helper->last->next = job;
        } else {
            helper->first = job;
        }
        helper->last = job;
        helper->count++;
    }
    ReleaseSRWLockExclusive(&helper->lock);
    if (taken) {
        WakeConditionVariable(&helper->filled);
    }
    return taken;
}

bool helper_stop(struct helper *helper, DWORD limit_ms)
{
    if (helper->thread == NULL) {
        return true;
    }
    AcquireSRWLockExclusive(&helper->lock);
    helper->stopping = true;
    ReleaseSRWLockExclusive(&helper->lock);
    WakeConditionVariable(&helper->filled);
    if (WaitForSingleObject(helper->thread, limit_ms) != WAIT_OBJECT_0) {
        return false;
    }
    CloseHandle(helper->thread);
    helper->thread = NULL;
    return true;
}
