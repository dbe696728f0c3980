/**
 * The inside of a pool: its queues, its threads, and who sleeps.
 *
 * Each worker has a queue for what its own functions spawn; one more is for
 * the rest: calls with a future, and what other threads spawn. Each queue has
 * a lock of its own: cheap enough (docs/performance.md), and it lets a
 * cancelled call leave its queue at once.
 *
 * A worker runs its own newest task, else the oldest of the common queue, else
 * the oldest of another worker. A thread that syncs a group runs what belongs
 * to it or to groups below it, and nothing else.
 *
 * A sleeper enters the list of sleepers before its last look at the queues,
 * and a task enters its queue before its pusher looks for sleepers: both looks
 * go through the locks, so one of the two sees the other.
 */
#ifndef AMDI_POOL_H
#define AMDI_POOL_H

#include <amdrpc/pool.h>

#include "common/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AMDI_POOL_CACHE_LINE_BYTES 64
#define AMDI_POOL_NAME_BYTES 12 // leaves room for "-999" in a thread's name

/** Something to be run; lies in what its owner allocated for it. */
struct amdi_pool_task {
    struct amdi_list node; // on a queue
    amdrpc_group *group;   // lives at least until the task has run
    void (*run)(struct amdi_pool_task *task); // takes the task
};

struct amdi_pool_queue {
    pthread_mutex_t mtx;
    struct amdi_list tasks; // of struct amdi_pool_task, oldest first
    atomic_size_t ntasks;   // changed under mtx; read by anyone as a hint
    // What the next queue's owner writes is not for the same cache line.
    char padding[AMDI_POOL_CACHE_LINE_BYTES];
};

enum amdi_pool_worker_state {
    AMDI_POOL_WORKER_NONE,    // has no thread
    AMDI_POOL_WORKER_RUNNING, // counted in nthreads
    AMDI_POOL_WORKER_LEAVING, // on the way out
    AMDI_POOL_WORKER_ENDED,   // its thread is to be joined
};

struct amdi_pool_worker {
    struct amdi_pool_queue queue;

    // Constant.
    struct amdrpc_pool *pool;
    unsigned index;

    // Under the pool's mtx.
    enum amdi_pool_worker_state state;
    pthread_t thread;

    // Its own thread only.
    unsigned nturns;
};

struct amdrpc_pool {
    // Constant.
    char name[AMDI_POOL_NAME_BYTES];
    unsigned threads_min;
    unsigned threads_max;
    unsigned idle_ms;
    size_t stack_bytes;
    size_t max_queued;

    atomic_uint nrefs; // the user, and each future

    // Changed under mtx; read by anyone as a hint.
    atomic_uint nthreads;
    atomic_uint nidle;    // workers among the sleepers
    atomic_uint nsyncing; // the others

    pthread_mutex_t mtx;
    struct amdi_list sleepers; // of struct pool_sleeper
    bool is_stopping;

    struct amdi_pool_queue common;
    struct amdi_pool_worker workers[]; // threads_max
};

/** What the calling thread is, and works on. */
struct amdi_pool_self {
    struct amdi_pool_worker *worker; // NULL: no pool's thread
    amdrpc_group *group;             // of the running function, or NULL
};

struct amdi_pool_self *amdi_pool_self(void);

/* ---- pool_queue.c ---- */

void amdi_pool_queue_init(struct amdi_pool_queue *queue);
void amdi_pool_queue_fini(struct amdi_pool_queue *queue);

/**
 * Adds a task as the newest.
 *
 * @out_was_empty  tells whether it is the only one now
 * Errors:         AMDRPC_ELIMIT  there are max_queued
 */
AMDRPC_NODISCARD amdrpc_err amdi_pool_queue_push(struct amdi_pool_queue *queue,
        struct amdi_pool_task *task, size_t max_queued, bool *out_was_empty);

/** Takes the task off; false when it is not there any more. */
bool amdi_pool_queue_remove(
        struct amdi_pool_queue *queue, struct amdi_pool_task *task);

/** The queue for what the calling thread spawns. */
struct amdi_pool_queue *amdi_pool_own_queue(amdrpc_pool *pool);

/** How hard to look for a task. */
enum amdi_pool_look {
    AMDI_POOL_GLANCE,   // cheap; may miss one
    AMDI_POOL_THOROUGH, // misses none that is queued already
};

/** Takes the task that the calling thread should run next, or NULL. */
struct amdi_pool_task *amdi_pool_take(
        amdrpc_pool *pool, enum amdi_pool_look look);

/** As amdi_pool_take, of what belongs to @group or to groups below it. */
struct amdi_pool_task *amdi_pool_take_within(
        amdrpc_pool *pool, amdrpc_group *group, enum amdi_pool_look look);

/* ---- pool_sleep.c ---- */

/** Sleeps until there is a task for a worker; NULL: the worker shall end. */
struct amdi_pool_task *amdi_pool_sleep_idle(struct amdi_pool_worker *worker);

/**
 * Sleeps until there is a task for who syncs @group; NULL: the group's
 * functions have ended, or it is worth a look.
 */
struct amdi_pool_task *amdi_pool_sleep_syncing(
        amdrpc_pool *pool, amdrpc_group *group);

/**
 * Wakes who may run the new task, or starts a thread.
 *
 * @group        the task's; alive
 * @for_syncing  also those who sync a group
 */
void amdi_pool_notify(amdrpc_pool *pool, amdrpc_group *group, bool for_syncing);

/** Wakes who syncs the group, which may be gone: it is only compared. */
void amdi_pool_wake_group(amdrpc_pool *pool, const amdrpc_group *group);

/** Wakes all idle workers, to look again. */
void amdi_pool_wake_idle_locked(amdrpc_pool *pool);

/* ---- pool_group.c ---- */

/** Tells whether @group is @outer or below it. */
bool amdi_group_is_within(const amdrpc_group *group, const amdrpc_group *outer);

/**
 * Announces that somebody sleeps until the group is empty or gets a task;
 * false when it is empty already.
 */
bool amdi_group_set_waiting(amdrpc_group *group);

/* ---- pool.c ---- */

amdrpc_pool *amdi_pool_ref(amdrpc_pool *pool);
void amdi_pool_unref(amdrpc_pool *pool);

/**
 * Starts one more thread, with the pool's mtx held.
 *
 * The result need not be looked at: the threads that are there run all tasks.
 *
 * Errors:  AMDRPC_ELIMIT  there are threads_max, or the pool stops
 *          AMDRPC_EINVAL  the system gives no such stack
 *          AMDRPC_EIO     the system starts no thread
 */
amdrpc_err amdi_pool_grow_locked(amdrpc_pool *pool);

/** Lets the calling worker end, unless the pool needs it. */
bool amdi_pool_worker_leave(struct amdi_pool_worker *worker);

#endif
