#include "proto/decode.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Small allocations share blocks; a large one gets a block of its own, so that little of a block is lost. */
enum {
    BLOCK_BYTES = 16 * 1024,
    LARGE_BYTES = BLOCK_BYTES / 4,
    ALIGNMENT = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

/* Everything goes at once, in arena_reset. */
static void deallocate(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

void arena_init(struct arena *arena, size_t cap_bytes)
{
    memset(arena, 0, sizeof *arena);
    arena->cap_bytes = cap_bytes;
    arena->allocator.alloc = allocate;
    arena->allocator.free = deallocate;
    arena->allocator.allocator_data = arena;
}

static struct arena_block *new_block(size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);
    if (block != NULL) {
        block->next = NULL;
        block->size = size;
        block->used = 0;
    }
    return block;
}

/* The block that `size` bytes fit into: the first one, or a new one. */
static struct arena_block *find_block(struct arena *arena, size_t size)
{
    struct arena_block *first = arena->blocks;
    if (first != NULL && first->size - first->used >= size)
        return first;
    bool large = size >= LARGE_BYTES;
    struct arena_block *block = new_block(large ? size : BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    if (large && first != NULL) { /* the first block stays in use */
        block->next = first->next;
        first->next = block;
    } else {
        block->next = first;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t left = arena->cap_bytes - arena->used_bytes;
    size_t wanted = size > 0 ? size : 1; /* a pointer of its own for every allocation */
    size_t padded = (wanted + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
    if (padded < wanted || padded > left) {
        arena->exhausted = true;
        return NULL;
    }
    struct arena_block *block = find_block(arena, padded);
    if (block == NULL)
        return NULL;
    void *memory = block->data + block->used;
    block->used += padded;
    arena->used_bytes += padded;
    memset(memory, 0, padded);
    return memory;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

static void free_blocks(struct arena *arena, struct arena_block *kept)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        if (block != kept)
            free(block);
        block = next;
    }
    arena->blocks = kept;
    arena->used_bytes = 0;
    arena->exhausted = false;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->blocks;
    while (kept != NULL && kept->size != BLOCK_BYTES)
        kept = kept->next;
    free_blocks(arena, kept);
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
}

void arena_free(struct arena *arena)
{
    free_blocks(arena, NULL);
}
