#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/failing_malloc.h"

static void test_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    for (int round = 0; round < 2; round++) {
        for (size_t size = 0; size < 6000; size += 37) {
            uint8_t *memory = arena_alloc(&arena, size);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % sizeof(uint64_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(memory[i], 0);
            memset(memory, 0xa5, size); /* for the second round */
        }
        arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
    }
    arena_free(&arena);
}

static void test_allocations_do_not_overlap(void **state)
{
    (void)state;
    enum {
        COUNT = 400
    };
    static uint8_t *memory[COUNT];
    struct arena arena;
    arena_init(&arena, 8 * 1024 * 1024);
    for (size_t i = 0; i < COUNT; i++) {
        memory[i] = arena_alloc(&arena, i * 53 % 9000 + 1);
        assert_non_null(memory[i]);
        memset(memory[i], (int)(i % 251), i * 53 % 9000 + 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < i * 53 % 9000 + 1; j++)
            assert_int_equal(memory[i][j], i % 251);
    }
    arena_free(&arena);
}

static void test_cap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1000);
    assert_null(arena_alloc(&arena, 1001));
    assert_true(arena.exhausted);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 3));
    assert_int_equal(arena.used_bytes, 0);
    assert_non_null(arena_alloc(&arena, 900));
    assert_null(arena_alloc(&arena, 900));
    assert_non_null(arena_alloc(&arena, 1));
    arena_reset(&arena);
    assert_false(arena.exhausted);
    assert_non_null(arena_alloc(&arena, 900));
    arena_free(&arena);

    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, 0));
    arena_free(&arena);
}

/* What an idle connection holds after a large message. */
static void test_reset_keeps_one_small_block(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 8 * 1024 * 1024);
    assert_non_null(arena_alloc(&arena, 1024 * 1024));
    arena_reset(&arena);
    assert_null(arena.blocks);
    assert_non_null(arena_alloc(&arena, 10));
    assert_non_null(arena_alloc(&arena, 1024 * 1024));
    void *kept = arena.blocks;
    arena_reset(&arena);
    assert_ptr_equal(arena.blocks, kept);
    allocations_counted = 0;
    assert_non_null(arena_alloc(&arena, 1000));
    assert_int_equal(allocations_counted, 0);
    arena_free(&arena);
    arena_free(&arena);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024 * 1024);
    allocations_until_failure = 0;
    assert_null(arena_alloc(&arena, 10));
    assert_null(arena_strdup(&arena, "text"));
    allocations_until_failure = -1;
    assert_false(arena.exhausted);
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_and_aligned),
        cmocka_unit_test(test_allocations_do_not_overlap),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_reset_keeps_one_small_block),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
