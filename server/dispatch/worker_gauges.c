/** What a pool's workers and queues do now, for metrics. */
#include "common/list.h"
#include "server/dispatch/worker_pool.h"
#include "server/service.h"

/** When the first of a caller's waiting calls came, or @now_ns. */
static uint64_t
flow_oldest_ns(const struct amdi_list *entries, uint64_t now_ns)
{
    if (amdi_list_is_empty(entries)) {
        return now_ns;
    }
    return AMDI_CONTAINER_OF(entries->next, struct amdi_queue_entry, node)
            ->queued_at_ns;
}

/** Callers whose turn may come; those held back by max_per_key are not seen. */
static uint64_t
lane_oldest_ns(const struct amdi_lane *lane, uint64_t now_ns)
{
    uint64_t oldest = flow_oldest_ns(&lane->shared.entries, now_ns);

    AMDI_LIST_FOREACH (node, &lane->ring) {
        const struct amdi_flow *flow =
                AMDI_CONTAINER_OF(node, struct amdi_flow, node);
        uint64_t at = flow_oldest_ns(&flow->entries, now_ns);

        oldest = at < oldest ? at : oldest;
    }
    return oldest < now_ns ? now_ns - oldest : 0;
}

void
amdi_worker_pool_get_lane(struct amdi_worker_pool *pool,
        struct amdi_method *method, uint64_t now_ns,
        struct amdi_lane_gauges *out)
{
    const struct amdi_lane *lane = &method->lane;

    pthread_mutex_lock(&pool->mtx);
    *out = (struct amdi_lane_gauges){.nqueued = lane->nqueued,
            .nrunning = lane->nrunning,
            .oldest_ns = lane_oldest_ns(lane, now_ns),
            .service_ns = method->service_ns};
    pthread_mutex_unlock(&pool->mtx);
}

void
amdi_worker_pool_get_gauges(
        struct amdi_worker_pool *pool, struct amdi_pool_gauges *out)
{
    pthread_mutex_lock(&pool->mtx);
    *out = (struct amdi_pool_gauges){
            .nthreads = pool->nthreads, .nblocked = pool->nblocked};
    for (uint32_t i = 0; i < pool->max_workers; i++) {
        out->nbusy += pool->workers[i].method != NULL;
    }
    if (out->nblocked > out->nbusy) {
        out->nblocked = out->nbusy;
    }
    pthread_mutex_unlock(&pool->mtx);
}
