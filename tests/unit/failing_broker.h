/* Makes allocations of the broker fail; the harness's own are spared. A test program that includes this is
 * linked with --wrap=malloc, --wrap=calloc and --wrap=realloc; include it in one source file only. */
#ifndef SHADOWPIPE_TESTS_FAILING_BROKER_H
#define SHADOWPIPE_TESTS_FAILING_BROKER_H

#include <stdlib.h>

#include "tests/unit/broker_harness.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static size_t allocations;         /* by the broker */
static size_t first_failure;       /* the number of the first that fails; 0 = none */
static size_t failures = SIZE_MAX; /* how many fail from there on */

static bool allocation_fails(void)
{
    if (world_in_broker <= 0)
        return false;
    allocations++;
    return first_failure != 0 && allocations >= first_failure && allocations - first_failure < failures;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(memory, size);
}

#endif
