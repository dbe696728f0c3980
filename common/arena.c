/** Per-call memory in blocks, which come from the thread's cache. */
#include "common/arena.h"

#include "common/alloc.h"
#include "common/cache.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Blocks of the standard sizes: the large classes of the thread's cache, 128
// bytes for rank 0, doubling up to 8 KiB.
#define ARENA_NRANKS (AMDI_CACHE_NCLASSES - AMDI_CACHE_NSMALL)
#define ARENA_BLOCK_BYTES(rank) amdi_cache_bytes(AMDI_CACHE_NSMALL + (rank))

// A request above this gets a block of its own, so that at most a quarter of
// the largest standard block is left unused.
#define ARENA_BIG_BYTES 2048u

#define ARENA_ALIGN _Alignof(max_align_t)

enum {
    ARENA_RANK_OWN = ARENA_NRANKS
}; // a block of its own, never cached

struct amdi_arena_block {
    _Alignas(max_align_t) struct amdi_arena_block *next;
    unsigned rank;
};

static void
arena_block_destroy(struct amdi_arena_block *block)
{
    if (block->rank == ARENA_RANK_OWN) {
        amdi_free(block);
    } else {
        amdi_cache_give(AMDI_CACHE_NSMALL + block->rank, block);
    }
}

static struct amdi_arena_block *
arena_block_create(unsigned rank)
{
    struct amdi_arena_block *block = amdi_cache_take(AMDI_CACHE_NSMALL + rank);

    if (block != NULL) {
        block->rank = rank;
    }
    return block;
}

/** Adds a standard block with room for @size bytes, twice the last one. */
static bool
arena_add_block(struct amdi_arena *arena, size_t size)
{
    unsigned rank = 0;
    struct amdi_arena_block *block;

    if (arena->next != NULL && arena->blocks->rank < ARENA_NRANKS - 1) {
        rank = arena->blocks->rank + 1;
    } else if (arena->next != NULL) {
        rank = ARENA_NRANKS - 1;
    }
    while (ARENA_BLOCK_BYTES(rank) - sizeof(*block) < size) {
        rank++;
    }
    block = arena_block_create(rank);
    if (block == NULL) {
        return false;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    arena->next = (char *)(block + 1);
    arena->end = (char *)block + ARENA_BLOCK_BYTES(rank);
    return true;
}

/**
 * The newest standard block stays at the head, and its room in use, so a block
 * of its own goes behind it.
 */
static void *
arena_alloc_own(struct amdi_arena *arena, size_t size)
{
    struct amdi_arena_block *block = size <= SIZE_MAX - sizeof(*block)
            ? amdi_alloc(sizeof(*block) + size)
            : NULL;
    struct amdi_arena_block **link = &arena->blocks;

    if (block == NULL) {
        return NULL;
    }
    if (arena->next != NULL) {
        link = &arena->blocks->next;
    }
    block->rank = ARENA_RANK_OWN;
    block->next = *link;
    *link = block;
    return block + 1;
}

/** Memory from the blocks, with the limit settled already. */
static void *
arena_take(struct amdi_arena *arena, size_t padding, size_t size)
{
    char *bytes;

    if (size + padding > (size_t)(arena->end - arena->next)) {
        if (size > ARENA_BIG_BYTES) {
            return arena_alloc_own(arena, size);
        }
        if (!arena_add_block(arena, size)) {
            return NULL;
        }
        padding = 0;
    }
    bytes = arena->next + padding;
    arena->next = bytes + size;
    return bytes;
}

static void *
arena_alloc_aligned(struct amdi_arena *arena, size_t align, size_t size)
{
    size_t padding = -(uintptr_t)arena->next & (align - 1);
    void *bytes;

    if (size > SIZE_MAX - arena->used_bytes - align) {
        return NULL;
    }
    if (arena->max_bytes != 0 &&
            arena->used_bytes + padding + size > arena->max_bytes) {
        return NULL;
    }
    bytes = arena_take(arena, padding, size);
    if (bytes != NULL) {
        arena->used_bytes += padding + size;
    }
    return bytes;
}

void
amdi_arena_init(struct amdi_arena *arena, size_t max_bytes)
{
    *arena = (struct amdi_arena){.max_bytes = max_bytes};
}

/** Frees the blocks; returns the oldest one if it may be @kept, else NULL. */
static struct amdi_arena_block *
arena_free_blocks(struct amdi_arena *arena, bool may_keep)
{
    struct amdi_arena_block *block = arena->blocks;

    while (block != NULL) {
        struct amdi_arena_block *next = block->next;

        if (next == NULL && may_keep && block->rank == 0) {
            return block;
        }
        arena_block_destroy(block);
        block = next;
    }
    return NULL;
}

void
amdi_arena_fini(struct amdi_arena *arena)
{
    (void)arena_free_blocks(arena, /*may_keep=*/false); // nothing was kept
    amdi_arena_init(arena, arena->max_bytes);
}

void
amdi_arena_reset(struct amdi_arena *arena)
{
    struct amdi_arena_block *kept = arena_free_blocks(arena, /*may_keep=*/true);

    amdi_arena_init(arena, arena->max_bytes);
    if (kept != NULL) {
        arena->blocks = kept;
        arena->next = (char *)(kept + 1);
        arena->end = (char *)kept + ARENA_BLOCK_BYTES(0);
    }
}

void *
amdi_arena_alloc(struct amdi_arena *arena, size_t size)
{
    return arena_alloc_aligned(arena, ARENA_ALIGN, size > 0 ? size : 1);
}

char *
amdi_arena_strndup(struct amdi_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX
            ? arena_alloc_aligned(arena, /*align=*/1, len + 1)
            : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

static void *
arena_on_alloc(void *arena, size_t size)
{
    return amdi_arena_alloc(arena, size);
}

static void
arena_on_free(void *arena, void *ptr)
{
    (void)arena;
    (void)ptr;
}

ProtobufCAllocator
amdi_arena_allocator(struct amdi_arena *arena)
{
    return (ProtobufCAllocator){
            .alloc = arena_on_alloc,
            .free = arena_on_free,
            .allocator_data = arena,
    };
}
