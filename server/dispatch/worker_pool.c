/** Threads that run handlers, and the calls that wait for them. */
#include "server/dispatch/worker_pool.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/call.h"
#include "server/dispatch/admission.h"
#include "server/dispatch/stack.h"
#include "server/service.h"

#include <string.h>

// New measurements count 1/8 in the moving average.
#define SERVICE_SHIFT 3

// How often the workers' CPU time is looked at while calls wait. A worker
// blocks when it used less than an eighth of the time; after a longer pause
// the figures say nothing.
#define LOOK_NS (UINT64_C(20) * 1000000)
#define MAX_LOOK_NS (5 * LOOK_NS)
#define BLOCKED_SHARE 8

#define DEFAULT_IDLE_MS 30000u

// Calls that one turn of the lock may shed.
#define MAX_SHED 16u

/* ---- life ---- */

amdrpc_err
amdi_worker_pool_create(const char *name, uint32_t min_workers,
        uint32_t max_workers, uint32_t first_index,
        struct amdi_worker_pool **out)
{
    struct amdi_worker_pool *pool = amdi_zalloc(sizeof(*pool));

    if (pool == NULL) {
        return AMDRPC_ENOMEM;
    }
    pthread_mutex_init(&pool->mtx, NULL);
    amdi_list_init(&pool->sleepers);
    (void)strncpy(pool->name, name, sizeof(pool->name) - 1);
    pool->min_workers = min_workers;
    pool->max_workers = max_workers;
    pool->first_index = first_index;
    pool->idle_ms = DEFAULT_IDLE_MS;
    pool->workers = amdi_calloc(max_workers, sizeof(*pool->workers));
    if (pool->workers == NULL || amdi_queue_init(&pool->queue) != AMDRPC_OK) {
        amdi_worker_pool_destroy(pool);
        return AMDRPC_ENOMEM;
    }
    for (uint32_t i = 0; i < max_workers; i++) {
        amdi_worker_init(&pool->workers[i], pool, first_index + i);
    }
    *out = pool;
    return AMDRPC_OK;
}

void
amdi_worker_pool_destroy(struct amdi_worker_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (uint32_t i = 0; pool->queue.buckets != NULL && i < pool->max_workers;
            i++) {
        amdi_worker_fini(&pool->workers[i]);
    }
    amdi_queue_fini(&pool->queue);
    amdi_free(pool->workers);
    pthread_mutex_destroy(&pool->mtx);
    amdi_free(pool);
}

/** Starts up to @n more workers; returns whether all of them. */
static bool
pool_start_workers_locked(struct amdi_worker_pool *pool, uint32_t n)
{
    for (uint32_t i = 0; i < pool->max_workers && n > 0; i++) {
        struct amdi_worker *worker = &pool->workers[i];

        if (worker->state != AMDI_WORKER_NONE &&
                worker->state != AMDI_WORKER_ENDED) {
            continue;
        }
        if (amdi_worker_start_locked(worker) != AMDRPC_OK) {
            break;
        }
        n--;
    }
    return n == 0;
}

amdrpc_err
amdi_worker_pool_start(struct amdi_worker_pool *pool)
{
    bool has_started = false;

    pthread_mutex_lock(&pool->mtx);
    has_started = pool_start_workers_locked(pool, pool->min_workers);
    pthread_mutex_unlock(&pool->mtx);
    if (!has_started) {
        amdi_worker_pool_stop(pool);
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

void
amdi_worker_pool_stop(struct amdi_worker_pool *pool)
{
    struct amdi_worker *worker = NULL;

    pthread_mutex_lock(&pool->mtx);
    pool->is_stopping = true;
    while (!amdi_list_is_empty(&pool->sleepers)) {
        worker = AMDI_CONTAINER_OF(
                pool->sleepers.next, struct amdi_worker, sleep_node);
        amdi_worker_set_state_locked(worker, AMDI_WORKER_AWAKE);
        amdi_worker_wake(worker);
    }
    pthread_mutex_unlock(&pool->mtx);
    // Nobody starts a worker any more.
    for (uint32_t i = 0; i < pool->max_workers; i++) {
        amdi_worker_join(&pool->workers[i]);
    }
}

/* ---- admission ---- */

static struct amdrpc_call *
call_of_entry(struct amdi_queue_entry *entry)
{
    return AMDI_CONTAINER_OF(entry, struct amdrpc_call, queue);
}

static struct amdi_load
pool_load_locked(const struct amdi_worker_pool *pool,
        const struct amdi_method *method, uint64_t nahead)
{
    return (struct amdi_load){.nahead = nahead,
            .service_ns = method->service_ns,
            .nworkers = amdi_worker_share(pool->max_workers, pool->queue.nready,
                    method->lane.max_running),
            .has_idle = method->lane.nrunning < method->lane.max_running &&
                    !amdi_list_is_empty(&pool->sleepers)};
}

static void
call_set_refusal(
        struct amdrpc_call *call, enum amdi_refusal refusal, uint64_t wait_ns)
{
    call->refusal = refusal;
    call->wait_ms = amdi_retry_after_ms(wait_ns);
}

/** Tells cheaply that there is plenty of time, even with one worker. */
static bool
method_has_time(const struct amdi_method *method, uint64_t left_ms)
{
    uint64_t nbefore = method->lane.nqueued + UINT64_C(1);
    uint64_t worst_ns = 0;

    // 2^19 ns are about half a millisecond.
    return left_ms >> 40 != 0 ||
            (!__builtin_mul_overflow(nbefore, method->service_ns, &worst_ns) &&
                    worst_ns < left_ms << 19);
}

/** Refuses a call that cannot begin before its deadline. */
static bool
pool_is_late_locked(const struct amdi_worker_pool *pool,
        const struct amdi_flow *flow, struct amdrpc_call *call, uint64_t now_ns)
{
    const struct amdi_method *method = call->method;
    uint64_t now_ms = now_ns / 1000000;
    uint64_t left_ms =
            call->deadline_at_ms > now_ms ? call->deadline_at_ms - now_ms : 0;
    struct amdi_load load;
    uint64_t wait_ns = 0;

    if (method_has_time(method, left_ms)) {
        return false;
    }
    load = pool_load_locked(pool, method, amdi_flow_ahead(flow));
    wait_ns = amdi_load_wait_ns(&load);
    if (wait_ns / 1000000 <= left_ms) {
        return false;
    }
    call_set_refusal(call, AMDI_REFUSAL_LATE, wait_ns - left_ms * 1000000);
    return true;
}

/** What a caller is told when the queue is full: half of it should be gone. */
static void
pool_set_full_locked(
        const struct amdi_worker_pool *pool, struct amdrpc_call *call)
{
    struct amdi_load load = pool_load_locked(
            pool, call->method, call->method->lane.nqueued / 2);

    call_set_refusal(call, AMDI_REFUSAL_FULL, amdi_load_wait_ns(&load));
}

/** Queues one call; whatever cannot wait goes to @refused. */
static bool
pool_admit_locked(struct amdi_worker_pool *pool, struct amdrpc_call *call,
        uint64_t now_ns, struct amdi_list *refused)
{
    struct amdi_method *method = call->method;
    struct amdi_flow *flow =
            amdi_queue_find_flow(&pool->queue, &method->lane, call->caller);
    struct amdi_queue_entry *evicted = NULL;

    if (pool_is_late_locked(pool, flow, call, now_ns)) {
        amdi_list_push(refused, &call->queue.node);
        return false;
    }
    if (method->lane.nqueued == 0) {
        amdi_codel_start(&method->codel, now_ns);
    }
    if (!amdi_queue_push(&pool->queue, flow, &call->queue, now_ns, &evicted)) {
        pool_set_full_locked(pool, call);
        amdi_list_push(refused, &call->queue.node);
        return false;
    }
    if (evicted != NULL) {
        pool_set_full_locked(pool, call_of_entry(evicted));
        amdi_list_push(refused, &evicted->node);
    }
    return true;
}

void
amdi_worker_pool_submit(struct amdi_worker_pool *pool, struct amdi_list *calls,
        struct amdi_list *refused)
{
    uint64_t now_ns = amdi_clock_now_ns();
    struct amdi_worker *sleeper = NULL;
    bool has_queued = false;

    pthread_mutex_lock(&pool->mtx);
    AMDI_LIST_FOREACH (node, calls) {
        struct amdrpc_call *call =
                AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node);

        if (call->method->pool == pool) {
            amdi_list_remove(node);
            has_queued |= pool_admit_locked(pool, call, now_ns, refused);
        }
    }
    if (has_queued) {
        sleeper = amdi_worker_pool_claim_sleeper_locked(pool);
    }
    pthread_mutex_unlock(&pool->mtx);
    amdi_worker_wake(sleeper);
}

bool
amdi_worker_pool_cancel(struct amdi_worker_pool *pool, struct amdrpc_call *call)
{
    bool was_queued = false;

    pthread_mutex_lock(&pool->mtx);
    // Who refuses a call has it on a list of its own, and will finish it.
    was_queued = call->refusal == AMDI_REFUSAL_NONE &&
            amdi_list_is_linked(&call->queue.node);
    if (was_queued) {
        amdi_queue_remove(&pool->queue, &call->queue);
    }
    pthread_mutex_unlock(&pool->mtx);
    return was_queued;
}

void
amdi_worker_pool_get_load(struct amdi_worker_pool *pool,
        struct amdrpc_call *call, struct amdi_load *out)
{
    uint64_t nahead = 0;

    pthread_mutex_lock(&pool->mtx);
    if (amdi_list_is_linked(&call->queue.node)) {
        nahead = amdi_queue_entry_ahead(&call->queue);
    } else {
        nahead = amdi_flow_ahead(amdi_queue_find_flow(
                &pool->queue, &call->method->lane, call->caller));
    }
    *out = pool_load_locked(pool, call->method, nahead);
    pthread_mutex_unlock(&pool->mtx);
}

/* ---- workers ---- */

struct amdi_worker *
amdi_worker_pool_claim_sleeper_locked(struct amdi_worker_pool *pool)
{
    struct amdi_worker *worker = NULL;

    if (pool->queue.nready == 0 || amdi_list_is_empty(&pool->sleepers)) {
        return NULL;
    }
    worker = AMDI_CONTAINER_OF(
            pool->sleepers.next, struct amdi_worker, sleep_node);
    amdi_worker_set_state_locked(worker, AMDI_WORKER_AWAKE);
    return worker;
}

/** Tells whether a call that just left the queue had better not run. */
static bool
method_sheds(struct amdi_method *method, uint64_t queued_at_ns, uint64_t now_ns)
{
    // Loops and workers read the clock at slightly different times.
    return !method->policy.is_long &&
            amdi_codel_sheds(&method->codel,
                    now_ns > queued_at_ns ? now_ns - queued_at_ns : 0,
                    method->service_ns, now_ns);
}

struct amdrpc_call *
amdi_worker_pool_take_locked(
        struct amdi_worker_pool *pool, uint64_t now_ns, struct amdi_list *shed)
{
    for (uint32_t i = 0; i < MAX_SHED; i++) {
        struct amdi_queue_entry *entry = amdi_queue_take(&pool->queue, now_ns);
        struct amdrpc_call *call = NULL;
        struct amdi_load load;

        if (entry == NULL) {
            return NULL;
        }
        pool->ntaken++;
        call = call_of_entry(entry);
        call->waited_ns = now_ns - entry->queued_at_ns;
        if (!method_sheds(call->method, entry->queued_at_ns, now_ns)) {
            return call;
        }
        amdi_queue_done(&pool->queue, entry->flow, now_ns);
        load = pool_load_locked(pool, call->method, call->method->lane.nqueued);
        call_set_refusal(call, AMDI_REFUSAL_SHED, amdi_load_wait_ns(&load));
        amdi_list_push(shed, &entry->node);
    }
    return NULL;
}

void
amdi_worker_pool_done_locked(struct amdi_worker_pool *pool,
        struct amdi_worker *worker, uint64_t now_ns)
{
    struct amdi_method *method = worker->method;
    uint64_t ns = now_ns - worker->started_at_ns;

    method->service_ns +=
            (ns >> SERVICE_SHIFT) - (method->service_ns >> SERVICE_SHIFT);
    worker->method = NULL;
    amdi_queue_done(&pool->queue, worker->flow, now_ns);
}

/* ---- the watchdog ---- */

static bool
worker_is_overdue_locked(const struct amdi_worker *worker, uint64_t now_ns)
{
    uint32_t limit_ms = 0;

    if (worker->method == NULL || worker->is_reported) {
        return false;
    }
    limit_ms = worker->method->policy.watchdog_ms;
    return limit_ms != AMDRPC_WATCHDOG_NEVER &&
            now_ns > worker->started_at_ns &&
            (now_ns - worker->started_at_ns) / 1000000 >= limit_ms;
}

bool
amdi_worker_pool_find_overdue(struct amdi_worker_pool *pool, uint64_t now_ns,
        struct amdi_overdue *out)
{
    bool has_found = false;

    pthread_mutex_lock(&pool->mtx);
    for (uint32_t i = 0; i < pool->max_workers && !has_found; i++) {
        struct amdi_worker *worker = &pool->workers[i];

        if (worker_is_overdue_locked(worker, now_ns)) {
            has_found = true;
            worker->is_reported = true;
            out->path = worker->method->desc->path;
            out->age_ms = (now_ns - worker->started_at_ns) / 1000000;
            out->worker = worker->index;
            // Under the lock its thread cannot end.
            out->is_stack_coming = amdi_stack_ask(worker->thread);
        }
    }
    pthread_mutex_unlock(&pool->mtx);
    return has_found;
}

/* ---- growth ---- */

/** Counts the workers that hardly used the CPU since the last look. */
static uint32_t
pool_count_blocked_locked(struct amdi_worker_pool *pool, uint64_t elapsed_ns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < pool->max_workers; i++) {
        struct amdi_worker *worker = &pool->workers[i];
        uint64_t cpu_ns = 0;

        if (worker->state != AMDI_WORKER_AWAKE) {
            continue;
        }
        cpu_ns = amdi_worker_cpu_ns_locked(worker);
        n += cpu_ns - worker->cpu_ns < elapsed_ns / BLOCKED_SHARE;
        worker->cpu_ns = cpu_ns;
    }
    pool->nblocked = n;
    return n;
}

/** Starts more workers while calls wait for workers that block. */
static void
pool_grow_locked(struct amdi_worker_pool *pool, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - pool->looked_at_ns;
    uint32_t n = pool->max_workers - pool->nthreads;
    uint32_t nblocked = 0;

    if (n == 0 || pool->is_stopping || elapsed_ns < LOOK_NS) {
        return;
    }
    pool->looked_at_ns = now_ns;
    nblocked = pool_count_blocked_locked(pool, elapsed_ns);
    n = nblocked < n ? nblocked : n;
    n = pool->queue.nqueued < n ? (uint32_t)pool->queue.nqueued : n;
    if (n == 0 || elapsed_ns > MAX_LOOK_NS) {
        return;
    }
    if (!pool_start_workers_locked(pool, n)) {
        amdi_log_warn("", "pool-no-thread", "pool=%s workers=%u", pool->name,
                pool->nthreads);
    }
}

bool
amdi_worker_pool_look_after(struct amdi_worker_pool *pool, uint64_t *out_ntaken)
{
    struct amdi_worker *sleeper = NULL;
    bool has_queued = false;

    pthread_mutex_lock(&pool->mtx);
    *out_ntaken = pool->ntaken;
    has_queued = pool->queue.nqueued > 0;
    if (pool->queue.nready > 0) {
        sleeper = amdi_worker_pool_claim_sleeper_locked(pool);
        if (sleeper == NULL) {
            pool_grow_locked(pool, amdi_clock_now_ns());
        }
    }
    pthread_mutex_unlock(&pool->mtx);
    amdi_worker_wake(sleeper);
    return has_queued;
}
