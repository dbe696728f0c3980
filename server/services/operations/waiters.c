/** How many calls wait for which operation, so that it stays bounded. */
#include "server/services/operations/waiters.h"

#include "common/alloc.h"
#include "common/assertion.h"

struct count {
    struct amdi_list node;
    uint64_t id;
    unsigned nwaiters; // never 0
};

void
amdi_op_waiters_init(struct amdi_op_waiters *waiters)
{
    pthread_mutex_init(&waiters->mtx, NULL); // never fails on Linux
    for (size_t i = 0; i < AMDI_OP_WAITERS_NBUCKETS; i++) {
        amdi_list_init(&waiters->buckets[i]);
    }
}

void
amdi_op_waiters_fini(struct amdi_op_waiters *waiters)
{
    for (size_t i = 0; i < AMDI_OP_WAITERS_NBUCKETS; i++) {
        amdi_assert(amdi_list_is_empty(&waiters->buckets[i]));
    }
    pthread_mutex_destroy(&waiters->mtx);
}

static struct amdi_list *
waiters_bucket(struct amdi_op_waiters *waiters, uint64_t id)
{
    // Ids differ in their time and in their random part.
    return &waiters->buckets[(id ^ id >> 22) % AMDI_OP_WAITERS_NBUCKETS];
}

static struct count *
waiters_find_locked(struct amdi_op_waiters *waiters, uint64_t id)
{
    AMDI_LIST_FOREACH (node, waiters_bucket(waiters, id)) {
        struct count *count = AMDI_CONTAINER_OF(node, struct count, node);

        if (count->id == id) {
            return count;
        }
    }
    return NULL;
}

static amdrpc_err
waiters_enter_locked(struct amdi_op_waiters *waiters, uint64_t id)
{
    struct count *count = waiters_find_locked(waiters, id);

    if (count == NULL) {
        count = amdi_zalloc(sizeof(*count));
        if (count == NULL) {
            return AMDRPC_ENOMEM;
        }
        count->id = id;
        amdi_list_push(waiters_bucket(waiters, id), &count->node);
    }
    if (count->nwaiters == AMDI_OP_MAX_WAITERS) {
        return AMDRPC_ELIMIT;
    }
    count->nwaiters++;
    return AMDRPC_OK;
}

amdrpc_err
amdi_op_waiters_enter(struct amdi_op_waiters *waiters, uint64_t id)
{
    amdrpc_err err;

    pthread_mutex_lock(&waiters->mtx);
    err = waiters_enter_locked(waiters, id);
    pthread_mutex_unlock(&waiters->mtx);
    return err;
}

void
amdi_op_waiters_leave(struct amdi_op_waiters *waiters, uint64_t id)
{
    struct count *count;

    pthread_mutex_lock(&waiters->mtx);
    count = waiters_find_locked(waiters, id);
    amdi_assert(count != NULL);
    if (--count->nwaiters == 0) {
        amdi_list_remove(&count->node);
        amdi_free(count);
    }
    pthread_mutex_unlock(&waiters->mtx);
}
