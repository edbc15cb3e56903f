#include "ownership.h"
#include "engine/store.h"

#include <stdlib.h>

#define TRAP_SLOTS 70
#define EXIT_CODE  4

struct given {
    struct given *next;
    const void *memory;
};

static LONG level;
static SRWLOCK lock = SRWLOCK_INIT;
static struct given *all_given;

void ownership_check(unsigned long wanted)
{
    InterlockedExchange(&level, (LONG)wanted);
}

static void misuse(const wchar_t *what)
{
    store_log(0, L"misuse", L"%ls", what);
    if (InterlockedCompareExchange(&level, 0, 0) > 1)
        TerminateProcess(GetCurrentProcess(), EXIT_CODE);
}

/* Stands in every slot of a released object. On x86 the callee takes the arguments off the stack, and nobody
 * knows here how many there are: no return. */
static HRESULT STDMETHODCALLTYPE trapped(void *object)
{
    (void)object;
    misuse(L"an object is used after its last Release");
#ifndef _WIN64
    TerminateProcess(GetCurrentProcess(), EXIT_CODE);
#endif
    return E_UNEXPECTED;
}

typedef HRESULT(STDMETHODCALLTYPE *slot)(void *);

static const slot *trap_table(void)
{
    static slot table[TRAP_SLOTS];
    AcquireSRWLockExclusive(&lock);
    for (unsigned i = 0; i < TRAP_SLOTS; i++)
        table[i] = trapped;
    ReleaseSRWLockExclusive(&lock);
    return table;
}

void ownership_end(void *object, const void **vtables, unsigned count)
{
    if (!InterlockedCompareExchange(&level, 0, 0)) {
        free(object);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        vtables[i] = (const void *)trap_table();
}

void ownership_give(const void *memory)
{
    struct given *given = memory && InterlockedCompareExchange(&level, 0, 0) ? malloc(sizeof *given) : NULL;
    if (!given)
        return;
    AcquireSRWLockExclusive(&lock);
    *given = (struct given){all_given, memory};
    all_given = given;
    ReleaseSRWLockExclusive(&lock);
}

/* Memory that the caller has freed by CoTaskMemFree may be given again: then it is on the list twice, and
 * both go. */
BOOL ownership_take(const void *memory, const wchar_t *function)
{
    BOOL found = FALSE;
    if (!memory || !InterlockedCompareExchange(&level, 0, 0))
        return TRUE;
    AcquireSRWLockExclusive(&lock);
    for (struct given **at = &all_given; *at;) {
        struct given *given = *at;
        if (given->memory != memory) {
            at = &given->next;
            continue;
        }
        found = TRUE;
        *at = given->next;
        free(given);
    }
    ReleaseSRWLockExclusive(&lock);
    if (!found)
        misuse(function);
    return found;
}
