/**
 * Threads that run handlers, and the calls that wait for them.
 *
 * Only dispatch.c, worker.c, worker_pool.c and watchdog.c look inside.
 */
#ifndef AMDI_WORKER_POOL_H
#define AMDI_WORKER_POOL_H

#include <amdrpc/err.h>

#include "common/list.h"
#include "server/dispatch/queue.h"
#include "server/dispatch/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AMDI_POOL_NAME_BYTES 32u

struct amdi_load;
struct amdi_method;
struct amdrpc_call;

struct amdi_worker_pool {
    // Setup only.
    char name[AMDI_POOL_NAME_BYTES];
    uint32_t min_workers;
    uint32_t max_workers;
    uint32_t first_index;        // of its workers' names
    uint32_t idle_ms;            // after which a worker above the minimum ends
    struct amdi_worker *workers; // owned; max_workers of them

    // Workers and loops, under mtx; also the dispatcher's part of each
    // amdi_method and amdrpc_call.
    pthread_mutex_t mtx;
    struct amdi_queue queue;
    struct amdi_list sleepers; // of amdi_worker.sleep_node; last asleep first
    uint64_t ntaken;           // calls taken from the queue since the start
    uint32_t nthreads;
    uint32_t nblocked;     // workers that used no CPU before the last look
    uint64_t looked_at_ns; // when the workers' CPU time was read last
    bool is_stopping;
};

/** Arguments as amdrpc_server_add_pool. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_worker_pool_create(const char *name,
        uint32_t min_workers, uint32_t max_workers, uint32_t first_index,
        struct amdi_worker_pool **out);

/** Frees it after stop; NULL is accepted. */
void amdi_worker_pool_destroy(struct amdi_worker_pool *pool);

/** Starts the least number of workers. Errors: AMDRPC_EIO; then none runs. */
AMDRPC_NODISCARD amdrpc_err amdi_worker_pool_start(
        struct amdi_worker_pool *pool);

void amdi_worker_pool_stop(struct amdi_worker_pool *pool);

/** As amdi_dispatcher_submit, for those of @calls that are this pool's. */
void amdi_worker_pool_submit(struct amdi_worker_pool *pool,
        struct amdi_list *calls, struct amdi_list *refused);

/** As amdi_dispatcher_cancel. */
bool amdi_worker_pool_cancel(
        struct amdi_worker_pool *pool, struct amdrpc_call *call);

/**
 * Wakes a worker if calls wait and one sleeps; starts more if calls wait, none
 * sleeps and some block. Returns whether calls wait.
 */
bool amdi_worker_pool_look_after(
        struct amdi_worker_pool *pool, uint64_t *out_ntaken);

/** What stands before @call, whether it waits or would now begin to. */
void amdi_worker_pool_get_load(struct amdi_worker_pool *pool,
        struct amdrpc_call *call, struct amdi_load *out);

/** What a method's calls do in its pool. */
struct amdi_lane_gauges {
    uint32_t nqueued;
    uint32_t nrunning;
    uint64_t oldest_ns;  // how long the first one has waited
    uint64_t service_ns; // how long one keeps its worker, of late
};

void amdi_worker_pool_get_lane(struct amdi_worker_pool *pool,
        struct amdi_method *method, uint64_t now_ns,
        struct amdi_lane_gauges *out);

/** What its workers do. */
struct amdi_pool_gauges {
    uint32_t nthreads;
    uint32_t nbusy;
    uint32_t nblocked; // busy, and used no CPU between the last looks
};

void amdi_worker_pool_get_gauges(
        struct amdi_worker_pool *pool, struct amdi_pool_gauges *out);

/** A handler that runs too long. */
struct amdi_overdue {
    const char *path; // of its method
    uint64_t age_ms;
    uint32_t worker;
    bool is_stack_coming; // wait for it with amdi_stack_await
};

/** Finds one that has not been found before, and asks for its stack. */
bool amdi_worker_pool_find_overdue(struct amdi_worker_pool *pool,
        uint64_t now_ns, struct amdi_overdue *out);

/* ---- for its workers ---- */

/**
 * Takes the next call, or NULL. Calls that are shed instead are moved to @shed,
 * of amdrpc_call.queue.node, to be refused outside of the lock.
 */
struct amdrpc_call *amdi_worker_pool_take_locked(
        struct amdi_worker_pool *pool, uint64_t now_ns, struct amdi_list *shed);

/** The call that @worker took has given it back at @now_ns. */
void amdi_worker_pool_done_locked(struct amdi_worker_pool *pool,
        struct amdi_worker *worker, uint64_t now_ns);

/** A worker to wake because calls wait, or NULL; to be woken unlocked. */
struct amdi_worker *amdi_worker_pool_claim_sleeper_locked(
        struct amdi_worker_pool *pool);

#endif
