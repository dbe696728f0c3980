/** Who sleeps in a pool, and who is woken. */
#include "common/clock.h"
#include "common/pool/pool.h"

/** A thread without work; on the pool's list until it is woken. */
struct pool_sleeper {
    struct amdi_list node;
    pthread_cond_t woken;
    const amdrpc_group *group; // what it syncs; NULL: an idle worker
};

static atomic_uint *
sleeper_counter(amdrpc_pool *pool, const struct pool_sleeper *sleeper)
{
    return sleeper->group == NULL ? &pool->nidle : &pool->nsyncing;
}

static void
sleeper_init(struct pool_sleeper *sleeper, const amdrpc_group *group)
{
    pthread_condattr_t attr;

    // None of these takes memory or fails with valid arguments on Linux.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&sleeper->woken, &attr);
    (void)pthread_condattr_destroy(&attr);
    amdi_list_init(&sleeper->node);
    sleeper->group = group;
}

/** Returns whether the pool is stopping already. */
static bool
sleeper_enter(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    bool is_stopping;

    pthread_mutex_lock(&pool->mtx);
    amdi_list_push(&pool->sleepers, &sleeper->node);
    atomic_fetch_add(sleeper_counter(pool, sleeper), 1);
    is_stopping = pool->is_stopping;
    pthread_mutex_unlock(&pool->mtx);
    return is_stopping;
}

static bool
sleeper_is_woken_locked(const struct pool_sleeper *sleeper)
{
    return !amdi_list_is_linked(&sleeper->node);
}

static void
sleeper_leave_locked(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    amdi_list_remove(&sleeper->node);
    atomic_fetch_sub(sleeper_counter(pool, sleeper), 1);
}

/** Returns whether it was woken, so that its waker relies on it. */
static bool
sleeper_leave(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    bool is_woken;

    pthread_mutex_lock(&pool->mtx);
    is_woken = sleeper_is_woken_locked(sleeper);
    if (!is_woken) {
        sleeper_leave_locked(pool, sleeper);
    }
    pthread_mutex_unlock(&pool->mtx);
    (void)pthread_cond_destroy(&sleeper->woken); // nobody waits
    return is_woken;
}

/** Off the list first, so that the next task wakes another one. */
static void
sleeper_wake_locked(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    sleeper_leave_locked(pool, sleeper);
    (void)pthread_cond_signal(&sleeper->woken);
}

/** Waits to be woken, but not for long. */
static void
sleeper_wait_idle(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    const struct timespec until = amdi_clock_deadline(pool->idle_ms);
    int rv = 0;

    pthread_mutex_lock(&pool->mtx);
    while (!sleeper_is_woken_locked(sleeper) && rv == 0) {
        rv = pthread_cond_timedwait(&sleeper->woken, &pool->mtx, &until);
    }
    pthread_mutex_unlock(&pool->mtx);
}

/**
 * Leaves, with the task that the last look found, or NULL. Whoever was woken
 * for one task and runs another wakes the next sleeper in its place.
 */
static bool
sleeper_leave_with(amdrpc_pool *pool, struct pool_sleeper *sleeper,
        const struct amdi_pool_task *task)
{
    bool is_woken = sleeper_leave(pool, sleeper);

    if (is_woken && task != NULL) {
        amdi_pool_notify(pool, task->group, /*for_syncing=*/true);
    }
    return is_woken;
}

struct amdi_pool_task *
amdi_pool_sleep_idle(struct amdi_pool_worker *worker)
{
    amdrpc_pool *pool = worker->pool;

    for (;;) {
        struct pool_sleeper sleeper;
        struct amdi_pool_task *task;
        bool is_stopping;

        sleeper_init(&sleeper, NULL);
        is_stopping = sleeper_enter(pool, &sleeper);
        task = amdi_pool_take(pool, AMDI_POOL_THOROUGH);
        if (task == NULL && !is_stopping) {
            sleeper_wait_idle(pool, &sleeper);
        }
        if (!sleeper_leave_with(pool, &sleeper, task) && task == NULL &&
                amdi_pool_worker_leave(worker)) {
            return NULL; // its time is over, or this was the last look
        }
        if (task != NULL) {
            return task;
        }
    }
}

static void
sleeper_wait_syncing(amdrpc_pool *pool, struct pool_sleeper *sleeper)
{
    pthread_mutex_lock(&pool->mtx);
    while (!sleeper_is_woken_locked(sleeper)) {
        pthread_cond_wait(&sleeper->woken, &pool->mtx);
    }
    pthread_mutex_unlock(&pool->mtx);
}

struct amdi_pool_task *
amdi_pool_sleep_syncing(amdrpc_pool *pool, amdrpc_group *group)
{
    struct pool_sleeper sleeper;
    struct amdi_pool_task *task = NULL;

    sleeper_init(&sleeper, group);
    sleeper_enter(pool, &sleeper);
    if (amdi_group_set_waiting(group)) {
        task = amdi_pool_take_within(pool, group, AMDI_POOL_THOROUGH);
        if (task == NULL) {
            sleeper_wait_syncing(pool, &sleeper);
        }
    }
    (void)sleeper_leave_with(pool, &sleeper, task); // its caller looks again
    return task;
}

static bool
sleeper_may_run(const struct pool_sleeper *sleeper, const amdrpc_group *group)
{
    return sleeper->group == NULL ||
            amdi_group_is_within(group, sleeper->group);
}

static bool
pool_wake_one_locked(amdrpc_pool *pool, const amdrpc_group *group)
{
    AMDI_LIST_FOREACH (node, &pool->sleepers) {
        struct pool_sleeper *sleeper =
                AMDI_CONTAINER_OF(node, struct pool_sleeper, node);

        if (sleeper_may_run(sleeper, group)) {
            sleeper_wake_locked(pool, sleeper);
            return true;
        }
    }
    return false;
}

void
amdi_pool_notify(amdrpc_pool *pool, amdrpc_group *group, bool for_syncing)
{
    // The queue's lock, through which both sides went, orders these loads.
    bool may_wake =
            atomic_load_explicit(&pool->nidle, memory_order_relaxed) > 0 ||
            (for_syncing &&
                    atomic_load_explicit(
                            &pool->nsyncing, memory_order_relaxed) > 0);
    bool may_grow = atomic_load_explicit(&pool->nthreads,
                            memory_order_relaxed) < pool->threads_max;

    if (!may_wake && !may_grow) {
        return;
    }
    pthread_mutex_lock(&pool->mtx);
    if (!pool_wake_one_locked(pool, group)) {
        (void)amdi_pool_grow_locked(pool); // or the others run it
    }
    pthread_mutex_unlock(&pool->mtx);
}

void
amdi_pool_wake_group(amdrpc_pool *pool, const amdrpc_group *group)
{
    pthread_mutex_lock(&pool->mtx);
    AMDI_LIST_FOREACH (node, &pool->sleepers) {
        struct pool_sleeper *sleeper =
                AMDI_CONTAINER_OF(node, struct pool_sleeper, node);

        if (sleeper->group == group) {
            sleeper_wake_locked(pool, sleeper);
        }
    }
    pthread_mutex_unlock(&pool->mtx);
}

void
amdi_pool_wake_idle_locked(amdrpc_pool *pool)
{
    AMDI_LIST_FOREACH (node, &pool->sleepers) {
        struct pool_sleeper *sleeper =
                AMDI_CONTAINER_OF(node, struct pool_sleeper, node);

        if (sleeper->group == NULL) {
            sleeper_wake_locked(pool, sleeper);
        }
    }
}
