/** Per-call memory in blocks, with a small cache of blocks per thread. */
#include "common/arena.h"

#include "common/alloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Blocks of the standard sizes: 256 bytes for rank 0, doubling up to 8 KiB.
// Each is 16 bytes smaller, so that with malloc's own header it fills a power
// of two.
#define ARENA_NRANKS 6u
#define ARENA_BLOCK_BYTES(rank) (((size_t)256 << (rank)) - 16)

// A request above this gets a block of its own, so that at most a quarter of
// the largest standard block is left unused.
#define ARENA_BIG_BYTES 2048u

// What one thread keeps of each rank; the rest goes back to malloc.
#define ARENA_CACHE_BYTES ((size_t)32 * 1024)

#define ARENA_ALIGN _Alignof(max_align_t)

enum {
    ARENA_RANK_OWN = ARENA_NRANKS
}; // a block of its own, never cached

struct amdi_arena_block {
    _Alignas(max_align_t) struct amdi_arena_block *next;
    unsigned rank;
};

struct arena_cache {
    struct amdi_arena_block *blocks[ARENA_NRANKS]; // owned
    unsigned nblocks[ARENA_NRANKS];
    bool is_registered; // the key's destructor will see this thread
};

// The library is linked at program start, so the cheap TLS model is possible.
static _Thread_local struct arena_cache arena_cache
        __attribute__((tls_model("initial-exec")));
static pthread_once_t arena_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t arena_key;
static bool arena_key_is_there;

void
amdi_arena_thread_flush(void)
{
    for (unsigned rank = 0; rank < ARENA_NRANKS; rank++) {
        struct amdi_arena_block *block = arena_cache.blocks[rank];

        while (block != NULL) {
            struct amdi_arena_block *next = block->next;

            amdi_free(block);
            block = next;
        }
        arena_cache.blocks[rank] = NULL;
        arena_cache.nblocks[rank] = 0;
    }
}

// Another key's destructor may free an arena after this one ran; the thread
// then registers again and this is called once more.
static void
arena_on_thread_exit(void *unused)
{
    (void)unused;
    arena_cache.is_registered = false;
    amdi_arena_thread_flush();
}

static void
arena_make_key(void)
{
    arena_key_is_there =
            pthread_key_create(&arena_key, arena_on_thread_exit) == 0;
}

/** Without a destructor the blocks would leak, so then there is no cache. */
static bool
arena_cache_register(void)
{
    (void)pthread_once(&arena_key_once, arena_make_key); // cannot fail
    arena_cache.is_registered = arena_key_is_there &&
            pthread_setspecific(arena_key, &arena_cache) == 0;
    return arena_cache.is_registered;
}

static void
arena_block_destroy(struct amdi_arena_block *block)
{
    unsigned rank = block->rank;

    if (rank == ARENA_RANK_OWN ||
            arena_cache.nblocks[rank] >=
                    ARENA_CACHE_BYTES / ARENA_BLOCK_BYTES(rank) ||
            !(arena_cache.is_registered || arena_cache_register())) {
        amdi_free(block);
        return;
    }
    block->next = arena_cache.blocks[rank];
    arena_cache.blocks[rank] = block;
    arena_cache.nblocks[rank]++;
}

static struct amdi_arena_block *
arena_block_create(unsigned rank)
{
    struct amdi_arena_block *block = arena_cache.blocks[rank];

    if (block != NULL) {
        arena_cache.blocks[rank] = block->next;
        arena_cache.nblocks[rank]--;
        return block;
    }
    block = amdi_alloc(ARENA_BLOCK_BYTES(rank));
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
