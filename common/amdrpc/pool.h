/** Local asynchronous procedure calls: threads, futures, fork and join. */
#ifndef AMDRPC_POOL_H
#define AMDRPC_POOL_H

#include <amdrpc/err.h>
#include <amdrpc/future.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Threads that run functions. A program has as many pools as it likes; there
 * is none of its own accord.
 */
typedef struct amdrpc_pool amdrpc_pool;

/** How a pool shall be; 0 and NULL stand for the defaults. */
typedef struct amdrpc_pool_options {
    const char *name;     // of the threads, "name-3"; default "amd-pool"
    unsigned threads_min; // never fewer; default 1
    unsigned threads_max; // never more; default one for each CPU
    unsigned idle_ms;     // idle threads above the minimum end; default 10 s
    size_t stack_bytes;   // of each thread; default 1 MiB
    size_t max_queued;    // waiting from outside, and for each thread as many
                          // from within; default 4096
} amdrpc_pool_options;

/**
 * Creates a pool and starts threads_min threads.
 *
 * Thread:   any
 * @options  copied; NULL: the defaults
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL  more threads at least than at most, more than 1024,
 *                          or a stack that the system does not give
 *           AMDRPC_ENOMEM
 *           AMDRPC_EIO     no thread could be started
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_pool_create(
        const amdrpc_pool_options *options, amdrpc_pool **out);

/**
 * Runs all that is queued, waits until it has ended, and ends the threads.
 * Futures may live on. Cancel them first to be quicker.
 *
 * Thread:  any but the pool's own; nobody else may use the pool any more
 * @pool    taken; NULL is accepted
 */
void amdrpc_pool_destroy(amdrpc_pool *pool);

/**
 * A function to be called somewhere else. It writes *result on success only
 * (*result is NULL before). It may block; it then holds its thread.
 */
typedef amdrpc_err (*amdrpc_async_fn)(void *arg, void **result);

/**
 * Calls a function on a thread of the pool; the oldest first. The future ends
 * with the status that the error becomes (amdrpc_status_from_err), and when
 * that is OK with the result: amdrpc_future_get_pointer. Cancelling takes the
 * call out while it is queued, and is seen by the function when it runs:
 * amdrpc_async_is_cancelled.
 *
 * A thread of a pool that waits for a future whose function is still queued
 * calls the function itself, so waiting there never deadlocks, but may take
 * longer than its timeout. Calls that only wait for network or time do better
 * with amdrpc_future_then.
 *
 * Thread:  any
 * @fn      called exactly once, or never when cancelled before
 * @out     returned owned: one reference. Dropping it cancels nothing
 * Errors:  AMDRPC_ENOMEM
 *          AMDRPC_ELIMIT  max_queued calls are waiting
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_async(
        amdrpc_pool *pool, amdrpc_async_fn fn, void *arg, amdrpc_future **out);

/**
 * As amdrpc_async, for a result that must be freed: @destroy gets it together
 * with the future's last reference, unless amdrpc_future_take_pointer took it.
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_async_owned(amdrpc_pool *pool,
        amdrpc_async_fn fn, void *arg, void (*destroy)(void *result),
        amdrpc_future **out);

/**
 * Tells the running function whether it was asked to stop: its future, its
 * group, or one of those around them was cancelled. Cheap enough for loops.
 * False outside of such functions.
 *
 * Thread:  any
 */
bool amdrpc_async_is_cancelled(void);

/**
 * Functions that run at the same time and are waited for together. It lies in
 * the memory of its user, normally on the stack:
 *
 *     amdrpc_group group;
 *
 *     amdrpc_group_init(&group, pool);
 *     amdrpc_group_spawn(&group, sort, &left);
 *     (void)sort(&right);
 *     err = amdrpc_group_sync(&group);
 *
 * Functions of a group may have groups themselves, to any depth that the same
 * program could recurse to. The function that initialises a group must sync it
 * before it returns. A group costs nothing and needs no fini. Its fields are
 * private.
 */
typedef struct amdrpc_group {
    amdrpc_pool *pool;
    struct amdrpc_group *parent; // the group of the function that made it
    uint32_t depth;              // how many are above
    uint32_t is_cancelled;
    uint64_t state; // how many functions have not ended, and who waits
    int err;        // the first
} amdrpc_group;

/** A part of a group's work. */
typedef amdrpc_err (*amdrpc_group_fn)(void *arg);

/** Makes an empty group. Thread: any. */
void amdrpc_group_init(amdrpc_group *group, amdrpc_pool *pool);

/**
 * Lets a function run at the same time as the caller. When it cannot be queued
 * (max_queued, no memory) it is called at once, so this cannot fail. On a
 * loop's thread, where nothing may block, it is not called, and
 * amdrpc_group_sync says AMDRPC_ESTATE.
 *
 * Thread:  the one that will sync, or any function of the group
 * @fn      its first error is the group's; the others run all the same
 */
void amdrpc_group_spawn(amdrpc_group *group, amdrpc_group_fn fn, void *arg);

/**
 * Waits until all functions have ended, and meanwhile runs what is queued of
 * this group, newest first, and of groups below it, wherever they are queued.
 * Nothing else runs on top of the caller's stack: it grows no deeper than
 * serial code would, and a lock held here is met only by the group's own work.
 * The group is empty again afterwards.
 *
 * Thread:  any but a loop's
 * Errors:  the first error of a function, or
 *          AMDRPC_ECANCELED  amdrpc_group_cancel came before the end of all
 *          AMDRPC_ESTATE     on a loop's thread; nothing was waited for
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_group_sync(amdrpc_group *group);

/**
 * Asks the group's work to stop: what is queued will not be called, what runs
 * sees amdrpc_async_is_cancelled, also in groups below.
 *
 * Thread:  as amdrpc_group_spawn, or any while the group lives
 */
void amdrpc_group_cancel(amdrpc_group *group);

#ifdef __cplusplus
}
#endif

#endif
