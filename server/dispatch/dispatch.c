/** Decides which call runs next on which worker. */
#include "server/dispatch/dispatch.h"

#include "common/alloc.h"
#include "server/call.h"
#include "server/dispatch/watchdog.h"
#include "server/dispatch/worker_pool.h"
#include "server/service.h"

#include <string.h>

struct amdi_dispatcher {
    // Setup only.
    struct amdi_worker_pool **pools; // owned
    size_t npools;
    struct amdi_watchdog *watchdog; // owned; NULL unless started
};

amdrpc_err
amdi_dispatcher_create(struct amdi_dispatcher **out)
{
    struct amdi_dispatcher *d = amdi_zalloc(sizeof(*d));

    if (d == NULL) {
        return AMDRPC_ENOMEM;
    }
    *out = d;
    return AMDRPC_OK;
}

void
amdi_dispatcher_each_pool(struct amdi_dispatcher *d,
        void (*fn)(struct amdi_worker_pool *pool, void *arg), void *arg)
{
    for (size_t i = 0; i < d->npools; i++) {
        fn(d->pools[i], arg);
    }
}

void
amdi_dispatcher_destroy(struct amdi_dispatcher *d)
{
    if (d == NULL) {
        return;
    }
    for (size_t i = 0; i < d->npools; i++) {
        amdi_worker_pool_destroy(d->pools[i]);
    }
    amdi_free(d->pools);
    amdi_free(d);
}

struct amdi_worker_pool *
amdi_dispatcher_find_pool(const struct amdi_dispatcher *d, const char *name)
{
    for (size_t i = 0; i < d->npools; i++) {
        if (strcmp(d->pools[i]->name, name) == 0) {
            return d->pools[i];
        }
    }
    return NULL;
}

static uint32_t
dispatcher_count_workers(const struct amdi_dispatcher *d)
{
    uint32_t n = 0;

    for (size_t i = 0; i < d->npools; i++) {
        n += d->pools[i]->max_workers;
    }
    return n;
}

amdrpc_err
amdi_dispatcher_add_pool(struct amdi_dispatcher *d, const char *name,
        uint32_t min_workers, uint32_t max_workers)
{
    struct amdi_worker_pool **pools = NULL;
    amdrpc_err err = AMDRPC_OK;

    if (name[0] == '\0' || strlen(name) >= AMDI_POOL_NAME_BYTES ||
            min_workers == 0 || max_workers < min_workers) {
        return AMDRPC_EINVAL;
    }
    if (amdi_dispatcher_find_pool(d, name) != NULL) {
        return AMDRPC_EEXIST;
    }
    pools = amdi_realloc(d->pools, (d->npools + 1) * sizeof(*pools));
    if (pools == NULL) {
        return AMDRPC_ENOMEM;
    }
    d->pools = pools;
    err = amdi_worker_pool_create(name, min_workers, max_workers,
            dispatcher_count_workers(d), &pools[d->npools]);
    if (err == AMDRPC_OK) {
        d->npools++;
    }
    return err;
}

amdrpc_err
amdi_dispatcher_set_weight(
        struct amdi_dispatcher *d, uint64_t caller, uint32_t weight)
{
    for (size_t i = 0; i < d->npools; i++) {
        amdrpc_err err =
                amdi_queue_set_weight(&d->pools[i]->queue, caller, weight);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

static void
method_assign(struct amdi_method *method, struct amdi_worker_pool *pool)
{
    amdrpc_policy *policy = &method->policy;

    method->pool = pool;
    if (policy->max_running == 0 || policy->max_running > pool->max_workers) {
        policy->max_running = pool->max_workers;
    }
    method->lane.class_index =
            (uint32_t)(policy->priority - AMDRPC_PRIORITY_HIGH);
    method->lane.max_running = policy->max_running;
    method->lane.max_queued = policy->max_queued;
    method->lane.max_per_key = policy->max_per_key;
}

void
amdi_dispatcher_assign(
        struct amdi_dispatcher *d, struct amdi_service_table *services)
{
    for (size_t i = 0; i < services->nslots; i++) {
        struct amdi_method *method = services->slots[i];

        if (method != NULL) {
            method_assign(
                    method, amdi_dispatcher_find_pool(d, method->policy.pool));
        }
    }
}

amdrpc_err
amdi_dispatcher_start(struct amdi_dispatcher *d)
{
    for (size_t i = 0; i < d->npools; i++) {
        if (amdi_worker_pool_start(d->pools[i]) != AMDRPC_OK) {
            amdi_dispatcher_stop(d);
            return AMDRPC_EIO;
        }
    }
    if (amdi_watchdog_start(d->pools, d->npools, &d->watchdog) != AMDRPC_OK) {
        amdi_dispatcher_stop(d);
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

void
amdi_dispatcher_stop(struct amdi_dispatcher *d)
{
    // A handler that hangs now is reported by who waits for it.
    amdi_watchdog_stop(d->watchdog);
    d->watchdog = NULL;
    for (size_t i = 0; i < d->npools; i++) {
        amdi_worker_pool_stop(d->pools[i]);
    }
}

void
amdi_dispatcher_submit(struct amdi_dispatcher *d, struct amdi_list *calls,
        struct amdi_list *refused)
{
    (void)d; // a method knows its pool
    while (!amdi_list_is_empty(calls)) {
        struct amdrpc_call *first =
                AMDI_CONTAINER_OF(calls->next, struct amdrpc_call, queue.node);

        amdi_worker_pool_submit(first->method->pool, calls, refused);
    }
}

bool
amdi_dispatcher_cancel(struct amdi_dispatcher *d, struct amdrpc_call *call)
{
    (void)d;
    return amdi_worker_pool_cancel(call->method->pool, call);
}

bool
amdi_dispatcher_look_after(struct amdi_dispatcher *d, uint64_t *progress)
{
    uint64_t ntaken = 0;
    bool has_queued = false;
    bool has_changed = false;

    for (size_t i = 0; i < d->npools; i++) {
        uint64_t n = 0;

        has_queued |= amdi_worker_pool_look_after(d->pools[i], &n);
        ntaken += n;
    }
    has_changed = has_queued || ntaken != *progress;
    *progress = ntaken;
    return has_changed;
}

void
amdi_dispatcher_get_queue_info(struct amdi_dispatcher *d,
        struct amdrpc_call *call, uint64_t *out_position, uint64_t *out_wait_ms)
{
    struct amdi_load load;

    (void)d;
    amdi_worker_pool_get_load(call->method->pool, call, &load);
    *out_position = load.nahead;
    *out_wait_ms = (amdi_load_wait_ns(&load) + 999999) / 1000000;
}
