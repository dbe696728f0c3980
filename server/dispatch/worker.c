/** The threads that run handlers. */
#include "server/dispatch/worker.h"

#include "common/cache.h"
#include "common/clock.h"
#include "common/thread.h"
#include "server/call.h"
#include "server/dispatch/dispatch.h"
#include "server/dispatch/worker_pool.h"
#include "server/service.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

// Handlers of others' modules, and protobuf-c's recursion, need room.
#define WORKER_STACK_BYTES (1024u * 1024u)

// Most finished calls whose loop has not been woken: it could be sending them.
#define MAX_OWED 64u

static _Thread_local struct amdi_worker *current_worker;

void
amdi_worker_init(struct amdi_worker *worker, struct amdi_worker_pool *pool,
        uint32_t index)
{
    pthread_condattr_t attr;

    *worker = (struct amdi_worker){.pool = pool, .index = index};
    amdi_list_init(&worker->sleep_node);
    // None of these can fail with these arguments.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&worker->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void
amdi_worker_fini(struct amdi_worker *worker)
{
    (void)pthread_cond_destroy(&worker->wake);
}

/* ---- wake-ups that are saved ---- */

static void
worker_pay(struct amdi_worker *worker)
{
    if (worker->owing != NULL) {
        amdi_loop_wake(worker->owing);
        worker->owing = NULL;
        worker->nowed = 0;
    }
}

void
amdi_worker_post(struct amdi_loop *loop, struct amdi_task *task)
{
    struct amdi_worker *worker = current_worker;

    if (worker == NULL) {
        amdi_loop_post_outside(loop, task);
        return;
    }
    if (!worker->is_quick) {
        amdi_loop_post(loop, task);
        return;
    }
    if (worker->owing != loop) {
        worker_pay(worker);
        worker->owing = loop;
    }
    amdi_loop_push(loop, task);
    if (++worker->nowed >= MAX_OWED) {
        worker_pay(worker);
    }
}

/* ---- sleep ---- */

void
amdi_worker_set_state_locked(
        struct amdi_worker *worker, enum amdi_worker_state next)
{
    struct amdi_worker_pool *pool = worker->pool;

    amdi_list_remove(&worker->sleep_node);
    if (next == AMDI_WORKER_AWAKE && worker->state != AMDI_WORKER_ASLEEP) {
        pool->nthreads++;
    }
    worker->state = next;
    switch (next) {
    case AMDI_WORKER_ASLEEP:
        // The first one is woken first: its memory is warm, and the others can
        // end.
        amdi_list_insert(pool->sleepers.next, &worker->sleep_node);
        break;
    case AMDI_WORKER_ENDED:
        pool->nthreads--;
        break;
    case AMDI_WORKER_NONE:
    case AMDI_WORKER_AWAKE:
        break;
    }
}

void
amdi_worker_wake(struct amdi_worker *worker)
{
    if (worker != NULL) {
        (void)pthread_cond_signal(&worker->wake);
    }
}

/** Gives back what the thread keeps for the next calls: none comes for long. */
static void
worker_tidy_locked(struct amdi_worker *worker)
{
    pthread_mutex_unlock(&worker->pool->mtx);
    amdi_cache_thread_flush();
    pthread_mutex_lock(&worker->pool->mtx);
    worker->is_tidy = true;
}

/** Waits to be woken. False: the pool has workers enough without this one. */
static bool
worker_wait_locked(struct amdi_worker *worker)
{
    struct amdi_worker_pool *pool = worker->pool;
    const struct timespec at = amdi_clock_deadline(pool->idle_ms);

    while (worker->state == AMDI_WORKER_ASLEEP) {
        if (worker->is_tidy && pool->nthreads <= pool->min_workers) {
            (void)pthread_cond_wait(&worker->wake, &pool->mtx);
            continue;
        }
        if (pthread_cond_timedwait(&worker->wake, &pool->mtx, &at) !=
                        ETIMEDOUT ||
                worker->state != AMDI_WORKER_ASLEEP) {
            continue;
        }
        if (pool->nthreads > pool->min_workers) {
            return false;
        }
        worker_tidy_locked(worker);
    }
    worker->is_tidy = false;
    return true;
}

/**
 * Sleeps until there may be work. Loops hear of what was done before. False:
 * the worker shall end.
 */
static bool
worker_sleep_locked(struct amdi_worker *worker)
{
    struct amdi_worker_pool *pool = worker->pool;

    if (worker->owing != NULL) {
        // Waking takes a system call: not under the lock. There may be work
        // afterwards, so the caller looks again before it sleeps.
        pthread_mutex_unlock(&pool->mtx);
        worker_pay(worker);
        pthread_mutex_lock(&pool->mtx);
        return true;
    }
    amdi_worker_set_state_locked(worker, AMDI_WORKER_ASLEEP);
    return worker_wait_locked(worker);
}

/* ---- work ---- */

/** Ends calls that waited too long. */
static void
worker_refuse_locked(struct amdi_worker *worker, struct amdi_list *shed)
{
    struct amdi_list *node = NULL;

    pthread_mutex_unlock(&worker->pool->mtx);
    while ((node = amdi_list_pop(shed)) != NULL) {
        amdi_call_refuse(
                AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node));
    }
    pthread_mutex_lock(&worker->pool->mtx);
}

/** Waits for a call; NULL when the worker shall end. */
static struct amdrpc_call *
worker_next_locked(struct amdi_worker *worker, uint64_t *now_ns)
{
    struct amdi_worker_pool *pool = worker->pool;
    struct amdi_list shed;

    amdi_list_init(&shed);
    for (;;) {
        struct amdrpc_call *call =
                amdi_worker_pool_take_locked(pool, *now_ns, &shed);
        bool has_shed = !amdi_list_is_empty(&shed);

        if (has_shed) {
            worker_refuse_locked(worker, &shed);
        }
        if (call != NULL) {
            return call;
        }
        if (!has_shed && (pool->is_stopping || !worker_sleep_locked(worker))) {
            return NULL;
        }
        *now_ns = amdi_clock_now_ns();
    }
}

/** Begins a call; returns another worker that shall be woken, or NULL. */
static struct amdi_worker *
worker_begin_locked(struct amdi_worker *worker, const struct amdrpc_call *call,
        uint64_t now_ns)
{
    worker->method = call->method;
    worker->flow = call->queue.flow;
    worker->started_at_ns = now_ns;
    worker->is_reported = false;
    worker->is_quick = call->method->service_ns < AMDI_QUICK_NS;
    // A quick call will be over before another worker is awake.
    return worker->is_quick
            ? NULL
            : amdi_worker_pool_claim_sleeper_locked(worker->pool);
}

static void
worker_serve_locked(struct amdi_worker *worker)
{
    struct amdi_worker_pool *pool = worker->pool;
    struct amdrpc_call *call = NULL;
    uint64_t now_ns = amdi_clock_now_ns();

    while ((call = worker_next_locked(worker, &now_ns)) != NULL) {
        struct amdi_worker *helper = worker_begin_locked(worker, call, now_ns);

        pthread_mutex_unlock(&pool->mtx);
        amdi_worker_wake(helper);
        if (!worker->is_quick) {
            worker_pay(worker);
        }
        amdi_call_run(call);
        now_ns = amdi_clock_now_ns();
        pthread_mutex_lock(&pool->mtx);
        amdi_worker_pool_done_locked(pool, worker, now_ns);
    }
}

static void *
worker_main(void *arg)
{
    struct amdi_worker *worker = arg;
    struct amdi_worker_pool *pool = worker->pool;
    char name[16];

    (void)snprintf(name, sizeof(name), "amd-work-%u", worker->index);
    amdi_thread_set_name(name);
    current_worker = worker;
    pthread_mutex_lock(&pool->mtx);
    worker_serve_locked(worker);
    amdi_worker_set_state_locked(worker, AMDI_WORKER_ENDED);
    pthread_mutex_unlock(&pool->mtx);
    worker_pay(worker);
    return NULL;
}

/* ---- threads ---- */

amdrpc_err
amdi_worker_start_locked(struct amdi_worker *worker)
{
    pthread_attr_t attr;
    int rv = pthread_attr_init(&attr);

    if (rv != 0) {
        return AMDRPC_EIO;
    }
    if (worker->state == AMDI_WORKER_ENDED) {
        // It has left the lock for the last time.
        (void)pthread_join(worker->thread, NULL);
    }
    rv = pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
    if (rv == 0) {
        rv = pthread_create(&worker->thread, &attr, worker_main, worker);
    }
    pthread_attr_destroy(&attr);
    if (rv != 0) {
        amdi_worker_set_state_locked(worker, AMDI_WORKER_NONE);
        return AMDRPC_EIO;
    }
    amdi_worker_set_state_locked(worker, AMDI_WORKER_AWAKE);
    worker->cpu_ns = 0;
    return AMDRPC_OK;
}

void
amdi_worker_join(struct amdi_worker *worker)
{
    pthread_mutex_t *mtx = &worker->pool->mtx;
    bool has_thread = false;

    pthread_mutex_lock(mtx);
    has_thread = worker->state != AMDI_WORKER_NONE;
    pthread_mutex_unlock(mtx);
    if (has_thread) {
        (void)pthread_join(worker->thread, NULL);
        pthread_mutex_lock(mtx);
        amdi_worker_set_state_locked(worker, AMDI_WORKER_NONE);
        pthread_mutex_unlock(mtx);
    }
}

uint64_t
amdi_worker_cpu_ns_locked(const struct amdi_worker *worker)
{
    clockid_t clock;
    struct timespec used;

    if (pthread_getcpuclockid(worker->thread, &clock) != 0 ||
            clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}
