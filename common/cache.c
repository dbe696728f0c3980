/** Small blocks that a thread keeps for its next use. */
#include "common/cache.h"

#include "common/alloc.h"

#include <pthread.h>
#include <stdbool.h>

struct cache_block {
    struct cache_block *next;
};

struct cache {
    struct cache_block *blocks[AMDI_CACHE_NCLASSES]; // owned
    size_t nbytes[AMDI_CACHE_NCLASSES];
    bool is_registered; // the key's destructor will see this thread
};

static _Thread_local struct cache cache;
static pthread_once_t cache_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t cache_key;
static bool cache_key_is_there;

void
amdi_cache_thread_flush(void)
{
    for (unsigned class = 0; class < AMDI_CACHE_NCLASSES; class ++) {
        struct cache_block *block = cache.blocks[class];

        while (block != NULL) {
            struct cache_block *next = block->next;

            amdi_free(block);
            block = next;
        }
        cache.blocks[class] = NULL;
        cache.nbytes[class] = 0;
    }
}

size_t
amdi_cache_thread_bytes(void)
{
    size_t nbytes = 0;

    for (unsigned class = 0; class < AMDI_CACHE_NCLASSES; class ++) {
        nbytes += cache.nbytes[class];
    }
    return nbytes;
}

// Another key's destructor may give a block back after this one ran; the thread
// then registers again and this is called once more.
static void
cache_on_thread_exit(void *unused)
{
    (void)unused;
    cache.is_registered = false;
    amdi_cache_thread_flush();
}

static void
cache_make_key(void)
{
    cache_key_is_there =
            pthread_key_create(&cache_key, cache_on_thread_exit) == 0;
}

/** Without a destructor the blocks would leak, so then there is no cache. */
static bool
cache_register(void)
{
    (void)pthread_once(&cache_key_once, cache_make_key); // cannot fail
    cache.is_registered =
            cache_key_is_there && pthread_setspecific(cache_key, &cache) == 0;
    return cache.is_registered;
}

void *
amdi_cache_take(unsigned class)
{
    struct cache_block *block = cache.blocks[class];

    if (block == NULL) {
        return amdi_alloc(amdi_cache_bytes(class));
    }
    cache.blocks[class] = block->next;
    cache.nbytes[class] -= amdi_cache_bytes(class);
    return block;
}

void
amdi_cache_give(unsigned class, void *memory)
{
    struct cache_block *block = memory;

    if (cache.nbytes[class] + amdi_cache_bytes(class) > AMDI_CACHE_BYTES ||
            !(cache.is_registered || cache_register())) {
        amdi_free(block);
        return;
    }
    block->next = cache.blocks[class];
    cache.blocks[class] = block;
    cache.nbytes[class] += amdi_cache_bytes(class);
}

void *
amdi_cache_alloc(size_t size, unsigned *out_class)
{
    if (size > AMDI_CACHE_SMALL_BYTES) {
        *out_class = AMDI_CACHE_NONE;
        return amdi_alloc(size);
    }
    *out_class = amdi_cache_small_class(size);
    return amdi_cache_take(*out_class);
}

void
amdi_cache_free(unsigned class, void *block)
{
    if (class == AMDI_CACHE_NONE) {
        amdi_free(block);
    } else {
        amdi_cache_give(class, block);
    }
}
