/** A pool: its creation, its threads, its end. */
#include "common/pool/pool.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULT_IDLE_MS 10000u
#define DEFAULT_STACK_BYTES (1024u * 1024u)
#define DEFAULT_MAX_QUEUED 4096u
#define DEFAULT_NAME "amd-pool"

// Only the pool's user sets it; each thread costs a stack and a queue.
#define MAX_THREADS 1024u

// So often a worker glances for a task before it sleeps: going to sleep and
// being woken costs more than these take.
#define GLANCES_BEFORE_SLEEP 16u

static _Thread_local struct amdi_pool_self pool_self;

struct amdi_pool_self *
amdi_pool_self(void)
{
    return &pool_self;
}

/* ---- threads ---- */

static bool
worker_may_enter(
        enum amdi_pool_worker_state state, enum amdi_pool_worker_state next)
{
    switch (state) {
    case AMDI_POOL_WORKER_NONE:
        return next == AMDI_POOL_WORKER_RUNNING;
    case AMDI_POOL_WORKER_RUNNING:
        return next == AMDI_POOL_WORKER_LEAVING;
    case AMDI_POOL_WORKER_LEAVING:
        return next == AMDI_POOL_WORKER_ENDED;
    case AMDI_POOL_WORKER_ENDED:
        return next == AMDI_POOL_WORKER_NONE;
    }
    return false;
}

static void
worker_set_state_locked(
        struct amdi_pool_worker *worker, enum amdi_pool_worker_state next)
{
    amdi_assert(worker_may_enter(worker->state, next));
    worker->state = next;
    if (next == AMDI_POOL_WORKER_RUNNING) {
        atomic_fetch_add(&worker->pool->nthreads, 1);
    }
    if (next == AMDI_POOL_WORKER_LEAVING) {
        atomic_fetch_sub(&worker->pool->nthreads, 1);
    }
}

bool
amdi_pool_worker_leave(struct amdi_pool_worker *worker)
{
    amdrpc_pool *pool = worker->pool;
    bool may_leave;

    pthread_mutex_lock(&pool->mtx);
    may_leave = pool->is_stopping ||
            atomic_load(&pool->nthreads) > pool->threads_min;
    if (may_leave) {
        worker_set_state_locked(worker, AMDI_POOL_WORKER_LEAVING);
    }
    pthread_mutex_unlock(&pool->mtx);
    return may_leave;
}

static struct amdi_pool_task *
worker_next(struct amdi_pool_worker *worker)
{
    for (unsigned i = 0; i < GLANCES_BEFORE_SLEEP; i++) {
        struct amdi_pool_task *task =
                amdi_pool_take(worker->pool, AMDI_POOL_GLANCE);

        if (task != NULL) {
            return task;
        }
        (void)sched_yield(); // on Linux it cannot fail
    }
    return amdi_pool_sleep_idle(worker);
}

static void *
worker_main(void *arg)
{
    struct amdi_pool_worker *worker = arg;
    amdrpc_pool *pool = worker->pool;
    struct amdi_pool_task *task;
    char name[AMDI_POOL_NAME_BYTES + sizeof("-4294967295")];

    (void)snprintf(name, sizeof(name), "%s-%u", pool->name, worker->index);
    amdi_thread_set_name(name);
    pool_self.worker = worker;
    while ((task = worker_next(worker)) != NULL) {
        task->run(task);
    }
    pthread_mutex_lock(&pool->mtx);
    worker_set_state_locked(worker, AMDI_POOL_WORKER_ENDED);
    pthread_mutex_unlock(&pool->mtx);
    return NULL; // nothing may be touched here: the pool may be gone soon
}

static amdrpc_err
worker_start(struct amdi_pool_worker *worker)
{
    amdrpc_err err = AMDRPC_OK;
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;

    (void)pthread_attr_init(&attr); // cannot fail on Linux
    if (pthread_attr_setstacksize(&attr, worker->pool->stack_bytes) != 0) {
        (void)pthread_attr_destroy(&attr);
        return AMDRPC_EINVAL;
    }
    // Signals are for the threads of the program that uses the library.
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&worker->thread, &attr, worker_main, worker) != 0) {
        err = AMDRPC_EIO;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return err;
}

/** Waits for the little that an ended thread still does. */
static void
worker_join_locked(struct amdi_pool_worker *worker)
{
    (void)pthread_join(worker->thread, NULL); // only fails for a wrong id
    worker_set_state_locked(worker, AMDI_POOL_WORKER_NONE);
}

/** Finds a worker without a thread. */
static struct amdi_pool_worker *
pool_find_free_locked(amdrpc_pool *pool)
{
    for (unsigned i = 0; i < pool->threads_max; i++) {
        struct amdi_pool_worker *worker = &pool->workers[i];

        if (worker->state == AMDI_POOL_WORKER_ENDED) {
            worker_join_locked(worker);
        }
        if (worker->state == AMDI_POOL_WORKER_NONE) {
            return worker;
        }
    }
    return NULL;
}

amdrpc_err
amdi_pool_grow_locked(amdrpc_pool *pool)
{
    struct amdi_pool_worker *worker = NULL;
    amdrpc_err err;

    if (!pool->is_stopping) {
        worker = pool_find_free_locked(pool);
    }
    if (worker == NULL) {
        return AMDRPC_ELIMIT;
    }
    err = worker_start(worker);
    if (err == AMDRPC_OK) {
        worker_set_state_locked(worker, AMDI_POOL_WORKER_RUNNING);
    }
    return err;
}

/* ---- creation ---- */

static unsigned
pool_count_cpus(void)
{
    long ncpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (ncpus < 1) {
        return 1;
    }
    return ncpus > (long)MAX_THREADS ? MAX_THREADS : (unsigned)ncpus;
}

/** Writes what was left to us. */
static struct amdrpc_pool_options
pool_complete_options(const amdrpc_pool_options *given)
{
    struct amdrpc_pool_options options = {0};

    if (given != NULL) {
        options = *given;
    }
    if (options.threads_max == 0) {
        unsigned ncpus = pool_count_cpus();

        options.threads_max =
                options.threads_min > ncpus ? options.threads_min : ncpus;
    }
    options.name = options.name != NULL ? options.name : DEFAULT_NAME;
    options.threads_min = options.threads_min != 0 ? options.threads_min : 1;
    options.idle_ms = options.idle_ms != 0 ? options.idle_ms : DEFAULT_IDLE_MS;
    options.stack_bytes = options.stack_bytes != 0 ? options.stack_bytes
                                                   : DEFAULT_STACK_BYTES;
    options.max_queued =
            options.max_queued != 0 ? options.max_queued : DEFAULT_MAX_QUEUED;
    return options;
}

static amdrpc_pool *
pool_alloc(const struct amdrpc_pool_options *options)
{
    amdrpc_pool *pool = amdi_zalloc(sizeof(*pool) +
            options->threads_max * sizeof(struct amdi_pool_worker));

    if (pool == NULL) {
        return NULL;
    }
    // A name that is too long is cut.
    (void)snprintf(pool->name, sizeof(pool->name), "%s", options->name);
    pool->threads_min = options->threads_min;
    pool->threads_max = options->threads_max;
    pool->idle_ms = options->idle_ms;
    pool->stack_bytes = options->stack_bytes;
    pool->max_queued = options->max_queued;
    atomic_init(&pool->nrefs, 1);
    amdi_list_init(&pool->sleepers);
    // On Linux these take no memory and cannot fail.
    (void)pthread_mutex_init(&pool->mtx, NULL);
    amdi_pool_queue_init(&pool->common);
    for (unsigned i = 0; i < pool->threads_max; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].index = i;
        amdi_pool_queue_init(&pool->workers[i].queue);
    }
    return pool;
}

amdrpc_err
amdrpc_pool_create(const amdrpc_pool_options *given, amdrpc_pool **out)
{
    struct amdrpc_pool_options options = pool_complete_options(given);
    amdrpc_err err = AMDRPC_OK;
    amdrpc_pool *pool;

    if (options.threads_min > options.threads_max ||
            options.threads_max > MAX_THREADS) {
        return AMDRPC_EINVAL;
    }
    pool = pool_alloc(&options);
    if (pool == NULL) {
        return AMDRPC_ENOMEM;
    }
    pthread_mutex_lock(&pool->mtx);
    for (unsigned i = 0; err == AMDRPC_OK && i < pool->threads_min; i++) {
        err = amdi_pool_grow_locked(pool);
    }
    pthread_mutex_unlock(&pool->mtx);
    if (err != AMDRPC_OK) {
        amdrpc_pool_destroy(pool);
        return err;
    }
    *out = pool;
    return AMDRPC_OK;
}

/* ---- end ---- */

amdrpc_pool *
amdi_pool_ref(amdrpc_pool *pool)
{
    atomic_fetch_add_explicit(&pool->nrefs, 1, memory_order_relaxed);
    return pool;
}

void
amdi_pool_unref(amdrpc_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->nrefs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (unsigned i = 0; i < pool->threads_max; i++) {
        amdi_pool_queue_fini(&pool->workers[i].queue);
    }
    amdi_pool_queue_fini(&pool->common);
    (void)pthread_mutex_destroy(&pool->mtx); // unlocked, so it succeeds
    amdi_free(pool);
}

/** Waits for a thread to end. Nobody starts one any more. */
static void
worker_stop(struct amdi_pool_worker *worker)
{
    amdrpc_pool *pool = worker->pool;
    bool has_thread;

    pthread_mutex_lock(&pool->mtx);
    has_thread = worker->state != AMDI_POOL_WORKER_NONE;
    pthread_mutex_unlock(&pool->mtx);
    if (has_thread) {
        (void)pthread_join(worker->thread, NULL); // only fails for a wrong id
    }
}

void
amdrpc_pool_destroy(amdrpc_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    amdi_assert(pool_self.worker == NULL || pool_self.worker->pool != pool);
    pthread_mutex_lock(&pool->mtx);
    pool->is_stopping = true;
    amdi_pool_wake_idle_locked(pool);
    pthread_mutex_unlock(&pool->mtx);
    for (unsigned i = 0; i < pool->threads_max; i++) {
        worker_stop(&pool->workers[i]);
    }
    amdi_pool_unref(pool);
}
