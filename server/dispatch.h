/**
 * Decides which call runs next on which worker.
 *
 * Loops hand over the calls of one turn together. Calls wait in their method's
 * queue, which is bounded; a method with waiting calls that holds fewer than
 * max_running workers stands on the ready list of its priority class, and the
 * workers take from these lists in turn, so that no method keeps others out.
 */
#ifndef AMDI_DISPATCH_H
#define AMDI_DISPATCH_H

#include <amdrpc/err.h>

#include "common/list.h"
#include "common/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct amdi_dispatcher;
struct amdrpc_call;

/** Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_create(
        uint32_t nworkers, struct amdi_dispatcher **out);

/** Frees it after stop; NULL is accepted. */
void amdi_dispatcher_destroy(struct amdi_dispatcher *dispatcher);

/** Starts the workers. Errors: AMDRPC_EIO; then none runs. */
AMDRPC_NODISCARD amdrpc_err amdi_dispatcher_start(
        struct amdi_dispatcher *dispatcher);

/** Lets the workers end after their present call and waits for them. */
void amdi_dispatcher_stop(struct amdi_dispatcher *dispatcher);

/**
 * Queues calls. Those that find their method's queue full are moved to
 * @refused; their owner ends them.
 *
 * Thread:  loops
 * @calls   of amdrpc_call.queue_node; empty afterwards
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
 * Tells whether workers did anything since the last look, or calls wait; wakes
 * a worker if calls wait and one sleeps. Loops that handed calls over look
 * from time to time: it is what makes the saved wake-ups safe when a handler
 * that used to be quick blocks.
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
