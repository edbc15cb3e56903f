#include "service/requester/watchdog.h"

#include "service/requester/log.h"
#include "service/requester/requester.h"

static SRWLOCK lock = SRWLOCK_INIT;
static CONDITION_VARIABLE changed = CONDITION_VARIABLE_INIT;
static HANDLE thread;
static const char *step_name; /* NULL: at rest */
static ULONGLONG step_end_ms;

static void end_process(const char *name)
{
    log_failure(
        "%s has not returned within its limit; the process ends itself. VSS may refuse new snapshot sets "
        "for some minutes.",
        name);
    TerminateProcess(GetCurrentProcess(), REQUESTER_EXIT_WATCHDOG);
}

static DWORD WINAPI watch(void *unused)
{
    (void)unused;
    AcquireSRWLockExclusive(&lock);
    for (;;) {
        ULONGLONG now_ms = GetTickCount64();
        if (step_name != NULL && now_ms >= step_end_ms) {
            end_process(step_name);
        }
        DWORD wait_ms = step_name == NULL ? INFINITE : (DWORD)(step_end_ms - now_ms);
        SleepConditionVariableSRW(&changed, &lock, wait_ms, 0);
    }
    return 0;
}

void watchdog_step(const char *name, DWORD limit_ms)
{
    AcquireSRWLockExclusive(&lock);
    if (thread == NULL) {
        thread = CreateThread(NULL, 0, watch, NULL, 0, NULL);
        if (thread == NULL) {
            end_process(name);
        }
    }
    step_name = name;
    step_end_ms = GetTickCount64() + limit_ms;
    ReleaseSRWLockExclusive(&lock);
    WakeConditionVariable(&changed);
}

void watchdog_rest(void)
{
    AcquireSRWLockExclusive(&lock);
    step_name = NULL;
    ReleaseSRWLockExclusive(&lock);
    WakeConditionVariable(&changed);
}
