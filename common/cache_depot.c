/** Small blocks that threads leave to each other, in batches. */
#include "common/cache_depot.h"

#include "common/alloc.h"
#include "common/cache.h"

#include <pthread.h>
#include <stdatomic.h>

#define BATCH_BYTES ((size_t)8 * 1024)

static struct {
    pthread_mutex_t mtx;
    struct amdi_cache_block *batches[AMDI_CACHE_NCLASSES]; // owned
    atomic_size_t nbatches[AMDI_CACHE_NCLASSES];           // changed under mtx
} depot = {.mtx = PTHREAD_MUTEX_INITIALIZER};

void
amdi_cache_blocks_free(struct amdi_cache_block *list)
{
    while (list != NULL) {
        struct amdi_cache_block *next = list->next;

        amdi_free(list);
        list = next;
    }
}

static size_t
batch_nblocks(unsigned class)
{
    return BATCH_BYTES / amdi_cache_bytes(class);
}

static size_t
batch_bytes(unsigned class)
{
    return batch_nblocks(class) * amdi_cache_bytes(class);
}

static size_t
depot_nbatches(unsigned class)
{
    return atomic_load_explicit(&depot.nbatches[class], memory_order_relaxed);
}

/** Cuts a batch off a list that is long enough. */
static struct amdi_cache_block *
batch_cut(unsigned class, struct amdi_cache_block **list)
{
    struct amdi_cache_block *batch = *list;
    struct amdi_cache_block *last = batch;

    for (size_t i = 1; i < batch_nblocks(class); i++) {
        last = last->next;
    }
    *list = last->next;
    last->next = NULL;
    return batch;
}

size_t
amdi_depot_put(unsigned class, struct amdi_cache_block **list, size_t nbytes)
{
    size_t after = (depot_nbatches(class) + 1) * batch_bytes(class);
    struct amdi_cache_block *batch = NULL;

    // Threads that look at the same time may leave a batch each.
    if (nbytes < batch_bytes(class) || after > AMDI_CACHE_LEFT_BYTES) {
        return 0;
    }
    batch = batch_cut(class, list);
    (void)pthread_mutex_lock(&depot.mtx);
    batch->next_batch = depot.batches[class];
    depot.batches[class] = batch;
    atomic_fetch_add(&depot.nbatches[class], 1);
    (void)pthread_mutex_unlock(&depot.mtx);
    return batch_bytes(class);
}

bool
amdi_depot_has(unsigned class)
{
    return depot_nbatches(class) > 0;
}

struct amdi_cache_block *
amdi_depot_take(unsigned class, size_t *out_nbytes)
{
    struct amdi_cache_block *batch = NULL;

    (void)pthread_mutex_lock(&depot.mtx);
    batch = depot.batches[class];
    if (batch != NULL) {
        depot.batches[class] = batch->next_batch;
        atomic_fetch_sub(&depot.nbatches[class], 1);
    }
    (void)pthread_mutex_unlock(&depot.mtx);
    *out_nbytes = batch != NULL ? batch_bytes(class) : 0;
    return batch;
}

void
amdi_depot_flush(void)
{
    for (unsigned class = 0; class < AMDI_CACHE_NCLASSES; class ++) {
        struct amdi_cache_block *batch;
        size_t nbytes;

        while ((batch = amdi_depot_take(class, &nbytes)) != NULL) {
            amdi_cache_blocks_free(batch);
        }
    }
}
