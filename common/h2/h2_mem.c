/** Memory for nghttp2: small blocks from the thread's cache. */
#include "common/h2/h2_mem.h"

#include "common/cache.h"

#include <stdint.h>
#include <string.h>

// nghttp2 frees without telling the size, so each block begins with its class.
struct block {
    _Alignas(max_align_t) unsigned class;
    size_t size; // of the bytes behind
};

static void *
mem_malloc(size_t size, void *arg)
{
    size_t bytes = size + sizeof(struct block);
    struct block *block = NULL;
    unsigned class = AMDI_CACHE_NONE;

    (void)arg;
    if (bytes < size) {
        return NULL;
    }
    block = amdi_cache_alloc(bytes, &class);
    if (block == NULL) {
        return NULL;
    }
    block->class = class;
    block->size = size;
    return block + 1;
}

static void
mem_free(void *ptr, void *arg)
{
    struct block *block = ptr;

    (void)arg;
    if (ptr == NULL) {
        return;
    }
    block--;
    amdi_cache_free(block->class, block);
}

static void *
mem_calloc(size_t count, size_t size, void *arg)
{
    void *ptr = NULL;

    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    ptr = mem_malloc(count * size, arg);
    if (ptr != NULL) {
        memset(ptr, 0, count * size);
    }
    return ptr;
}

static void *
mem_realloc(void *ptr, size_t size, void *arg)
{
    struct block *block = ptr;
    void *moved = NULL;

    if (ptr != NULL && size <= block[-1].size) {
        return ptr;
    }
    moved = mem_malloc(size, arg);
    if (moved != NULL && ptr != NULL) {
        memcpy(moved, ptr, block[-1].size);
        mem_free(ptr, arg);
    }
    return moved;
}

nghttp2_mem amdi_h2_mem = {.malloc = mem_malloc,
        .free = mem_free,
        .calloc = mem_calloc,
        .realloc = mem_realloc};
