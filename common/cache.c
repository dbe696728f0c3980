/** Small blocks that a thread keeps for its next use. */
#include "common/cache.h"

#include "common/alloc.h"
#include "common/cache_depot.h"

#include <pthread.h>
#include <stdbool.h>

// What is done once for many blocks saves its registers itself.
#define APART __attribute__((noinline))

struct cache {
    struct amdi_cache_block *blocks[AMDI_CACHE_NCLASSES]; // owned
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
        amdi_cache_blocks_free(cache.blocks[class]);
        cache.blocks[class] = NULL;
        cache.nbytes[class] = 0;
    }
    amdi_depot_flush();
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

static bool
cache_may_keep(void)
{
    return cache.is_registered || cache_register();
}

static inline struct amdi_cache_block *
cache_pop(unsigned class)
{
    struct amdi_cache_block *block = cache.blocks[class];

    cache.blocks[class] = block->next;
    cache.nbytes[class] -= amdi_cache_bytes(class);
    return block;
}

static inline void
cache_push(unsigned class, struct amdi_cache_block *block)
{
    block->next = cache.blocks[class];
    cache.blocks[class] = block;
    cache.nbytes[class] += amdi_cache_bytes(class);
}

/** The thread has no block: another may have left some. */
static APART void *
cache_take_from_others(unsigned class)
{
    if (amdi_depot_has(class) && cache_may_keep()) {
        cache.blocks[class] = amdi_depot_take(class, &cache.nbytes[class]);
    }
    return cache.blocks[class] != NULL ? cache_pop(class)
                                       : amdi_alloc(amdi_cache_bytes(class));
}

void *
amdi_cache_take(unsigned class)
{
    if (cache.blocks[class] == NULL) {
        return cache_take_from_others(class);
    }
    return cache_pop(class);
}

static bool
cache_is_full(unsigned class)
{
    return cache.nbytes[class] + amdi_cache_bytes(class) > AMDI_CACHE_BYTES;
}

/** The thread has too many blocks, or gives its first one. */
static APART void
cache_give_to_others(unsigned class, struct amdi_cache_block *block)
{
    if (cache_is_full(class)) {
        cache.nbytes[class] -= amdi_depot_put(
                class, &cache.blocks[class], cache.nbytes[class]);
    }
    if (cache_is_full(class) || !cache_may_keep()) {
        amdi_free(block);
    } else {
        cache_push(class, block);
    }
}

void
amdi_cache_give(unsigned class, void *block)
{
    if (cache_is_full(class) || !cache.is_registered) {
        cache_give_to_others(class, block);
    } else {
        cache_push(class, block);
    }
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
