/**
 * Decides which call runs next on which worker.
 *
 * Loops hand over the calls of one turn together. Each method's calls wait in
 * one of the server's pools, in the order of server/dispatch/queue.h, for one
 * of the pool's workers; those that cannot run in time are refused at once.
 */
#ifndef AMDI_DISPATCH_H
#define AMDI_DISPATCH_H

#include <amdrpc/err.h>

#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct amdi_dispatcher;
struct amdi_service_table;
struct amdi_worker_pool;
struct amdrpc_call;

/** Errors: AMDRPC_ENOMEM. Without pools. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_create(
        struct amdi_dispatcher **out);

/** Arguments and errors as amdrpc_server_add_pool. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_add_pool(
        struct amdi_dispatcher *dispatcher, const char *name,
        uint32_t min_workers, uint32_t max_workers);

/** The pool of that name, or NULL. */
struct amdi_worker_pool *amdi_dispatcher_find_pool(
        const struct amdi_dispatcher *dispatcher, const char *name);

/** As amdi_queue_set_weight, in every pool. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_set_weight(
        struct amdi_dispatcher *dispatcher, uint64_t caller, uint32_t weight);

/** Gives each method its pool and its lane, as its policy says. */
void amdi_dispatcher_assign(struct amdi_dispatcher *dispatcher,
        struct amdi_service_table *services);

/** Calls @fn for each pool. */
void amdi_dispatcher_each_pool(struct amdi_dispatcher *dispatcher,
        void (*fn)(struct amdi_worker_pool *pool, void *arg), void *arg);

/** Frees it after stop; NULL is accepted. */
void amdi_dispatcher_destroy(struct amdi_dispatcher *dispatcher);

/** Starts the workers. Errors: AMDRPC_EIO; then none runs. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_start(
        struct amdi_dispatcher *dispatcher);

/** Lets the workers end after their present call and waits for them. */
void amdi_dispatcher_stop(struct amdi_dispatcher *dispatcher);

/**
 * Queues calls. Those that may not wait are moved to @refused, perhaps with
 * some of other callers that gave way: for amdi_call_refuse.
 *
 * Thread:  loops
 * @calls   of amdrpc_call.queue.node; empty afterwards
 */
void amdi_dispatcher_submit(struct amdi_dispatcher *dispatcher,
        struct amdi_list *calls, struct amdi_list *refused);

/**
 * Takes a call out of its queue. Returns false when it is not there: a worker
 * has it, and will finish it.
 *
 * Thread:  the call's loop
 */
bool amdi_dispatcher_cancel(
        struct amdi_dispatcher *dispatcher, struct amdrpc_call *call);

/**
 * How many calls go before one that waits, or is about to be handed over, and
 * how long it will wait, as far as one can tell.
 *
 * Thread:  any
 */
void amdi_dispatcher_get_queue_info(struct amdi_dispatcher *dispatcher,
        struct amdrpc_call *call, uint64_t *out_position,
        uint64_t *out_wait_ms);

/**
 * Tells whether workers did anything since the last look, or calls wait; wakes
 * a worker if calls wait and one sleeps, or lets a pool grow. Loops that handed
 * calls over look from time to time: it is what makes the saved wake-ups safe
 * when a handler that used to be quick blocks.
 */
bool amdi_dispatcher_look_after(
        struct amdi_dispatcher *dispatcher, uint64_t *progress);

/**
 * Posts a task from a handler: as amdi_loop_post, but where the handler is
 * known to be quick the wake-up is left to the worker, which gives one for
 * several calls.
 *
 * Thread:  any
 */
void amdi_worker_post(struct amdi_loop *loop, struct amdi_task *task);

#endif
