/** The threads that run handlers. */
#ifndef AMDI_WORKER_H
#define AMDI_WORKER_H

#include <amdrpc/err.h>

#include "common/list.h"
#include "common/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct amdi_flow;
struct amdi_method;
struct amdi_worker_pool;

enum amdi_worker_state {
    AMDI_WORKER_NONE,   // has no thread
    AMDI_WORKER_AWAKE,  // runs a handler or looks for a call
    AMDI_WORKER_ASLEEP, // waits for `wake`; on pool->sleepers
    AMDI_WORKER_ENDED,  // its thread waits to be joined
};

struct amdi_worker {
    // Setup only.
    struct amdi_worker_pool *pool;
    uint32_t index;
    pthread_cond_t wake;

    // Under pool->mtx.
    pthread_t thread;
    enum amdi_worker_state state;
    struct amdi_list sleep_node;
    bool is_tidy;               // asleep, and has given its memory back
    struct amdi_method *method; // of the call that runs, or NULL
    struct amdi_flow *flow;     // that the call came from
    uint64_t started_at_ns;     // the call
    bool is_reported;           // the watchdog has told about the call
    uint64_t cpu_ns;            // the thread's CPU time at the last look

    // Its own thread's.
    bool is_quick;           // the present call's method is
    struct amdi_loop *owing; // was given tasks and not woken yet, or NULL
    uint32_t nowed;          // how many tasks
};

/** Makes a worker without a thread. */
void amdi_worker_init(struct amdi_worker *worker, struct amdi_worker_pool *pool,
        uint32_t index);
void amdi_worker_fini(struct amdi_worker *worker);

/**
 * Starts the thread of a worker that has none, or whose last one has ended.
 * Errors: AMDRPC_EIO.
 */
AMDRPC_NODISCARD amdrpc_err amdi_worker_start_locked(
        struct amdi_worker *worker);

/** Waits for the thread if there is one; the pool is stopping. */
void amdi_worker_join(struct amdi_worker *worker);

/** Ends the sleep of a worker that was claimed; not under the lock. */
void amdi_worker_wake(struct amdi_worker *worker);

/** The CPU time that its thread has used. */
uint64_t amdi_worker_cpu_ns_locked(const struct amdi_worker *worker);

/** Moves it; the only writer of its state. */
void amdi_worker_set_state_locked(
        struct amdi_worker *worker, enum amdi_worker_state next);

#endif
