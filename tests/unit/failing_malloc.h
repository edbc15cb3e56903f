/* Makes the n-th allocation fail. A test program that includes this is linked with --wrap=malloc and
 * --wrap=realloc; include it in one source file only. */
#ifndef SHADOWPIPE_TESTS_FAILING_MALLOC_H
#define SHADOWPIPE_TESTS_FAILING_MALLOC_H

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int allocations_until_failure = -1; /* 0: the next one fails, and those after it; -1: none */
static size_t allocations_counted;

static int allocation_fails(void)
{
    allocations_counted++;
    if (allocations_until_failure > 0)
        allocations_until_failure--;
    else if (allocations_until_failure == 0)
        return 1;
    return 0;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(memory, size);
}

#endif
