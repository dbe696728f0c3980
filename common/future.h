/**
 * The other side of a future: the work that completes it.
 *
 * A future and its work hold each other: the work keeps a reference to the
 * future until it has completed it, the future keeps `arg` until it is
 * complete and no cancel is running. Completion breaks the ring.
 */
#ifndef AMDI_FUTURE_H
#define AMDI_FUTURE_H

#include <amdrpc/future.h>

#include "common/list.h"

#include <semaphore.h>
#include <stdbool.h>

/** The work behind a future. NULL functions are not called. */
struct amdi_future_work {
    // Asks the work to stop, at most once, from any thread, under no lock. It
    // may complete the future at once. NULL: cancelling completes the future.
    void (*cancel)(void *arg);
    // Gives `arg` back, exactly once, never while `cancel` runs.
    void (*release)(void *arg);
    // Does the work in a thread that is about to wait for it, if it can; tells
    // whether the future is complete now. May be called at any time, so `arg`
    // must live as long as the future.
    bool (*help)(void *arg);
    void *arg;
};

/** How it ended. What the pointers lead to must live until `destroy`. */
struct amdi_future_result {
    amdrpc_status_code status;
    const char *status_message;      // NULL: none
    const ProtobufCMessage *message; // NULL: none; only told when OK
    void *pointer;                   // NULL: none; only told when OK
    void (*destroy_pointer)(void *); // unless it was taken; NULL: static
    void (*destroy)(void *arg);      // frees the rest; NULL: static
    void *arg;
};

/**
 * Creates a future that is ongoing.
 *
 * @work    copied; NULL: none. Its arg is taken on success only
 * @out     returned owned: one reference
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_future_create(
        const struct amdi_future_work *work, amdrpc_future **out);

/**
 * Completes it, wakes who waits and calls the callbacks, in this thread. Only
 * the first time counts: later the result is just destroyed. Cannot fail.
 *
 * Thread:  any, with no lock held
 * @result  what it holds is taken
 * Returns  whether this was the first time
 */
bool amdi_future_complete_take(
        amdrpc_future *future, const struct amdi_future_result *result);

/**
 * Gives the future a name, once; it can be asked for from any thread at once.
 *
 * @name    copied
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_future_set_name(
        amdrpc_future *future, const char *name);

/** The name, borrowed from the future; NULL for none. NULL is accepted. */
const char *amdi_future_get_name(const amdrpc_future *future);

/** Calls work.help; false when there is none. Thread: any but a loop's. */
bool amdi_future_help(amdrpc_future *future);

/** A waiting thread's place with one future. */
struct amdi_future_link {
    struct amdi_list node;
    sem_t *woken; // posted on completion; borrowed
};

/** Puts @link on the future; false, and nothing is put, when complete. */
bool amdi_future_watch(amdrpc_future *future, struct amdi_future_link *link);

/** Takes @link off; afterwards nobody touches it or its semaphore. */
void amdi_future_unwatch(amdrpc_future *future, struct amdi_future_link *link);

#endif
