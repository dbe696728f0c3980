/**
 * What is leased of one method. Its operations wait in three of the store's
 * queues, one for each priority; only so many are leased as can be begun soon,
 * so that a backlog stays where it is in order, and one method's backlog keeps
 * no other method waiting.
 */
#ifndef AMDI_OP_LANE_H
#define AMDI_OP_LANE_H

#include "common/loop.h"
#include "server/operation/operations.h"

#include <stdatomic.h>

#define AMDI_OP_NPRIORITIES 3u

struct amdi_executor;

enum amdi_op_lane_state {
    AMDI_OP_LANE_IDLE,    // asks nothing; the timer may run
    AMDI_OP_LANE_LEASING, // the store is asked
    AMDI_OP_LANE_AGAIN,   // as LEASING, and once more afterwards
};

struct amdi_op_lane {
    // Setup only.
    struct amdi_executor *executor;
    struct amdi_method *method; // NULL: cannot be executed
    // Owned; the store's names: the path, a space, the priority.
    char *queues[AMDI_OP_NPRIORITIES];

    // Loop thread only.
    enum amdi_op_lane_state state;
    unsigned priority;        // being asked
    unsigned room;            // reserved and not used yet
    int64_t next_ready_at_us; // the earliest that was told; 0: none
    struct amdi_timer timer;

    // Any thread.
    atomic_uint nleases;     // that we have, or are about to get
    atomic_bool has_backlog; // what is submitted has to queue up
    atomic_bool is_look_posted;
    struct amdi_task look_task;
};

/** Errors: AMDRPC_ENOMEM. @method: NULL when it cannot be executed. */
AMDRPC_NODISCARD amdrpc_err amdi_op_lane_init(struct amdi_op_lane *lane,
        struct amdi_executor *executor, struct amdi_method *method);
void amdi_op_lane_fini(struct amdi_op_lane *lane);

/**
 * Takes room for an operation that is about to be submitted; false: it has to
 * queue up. Thread: any.
 */
bool amdi_op_lane_reserve(struct amdi_op_lane *lane);

/** Gives the room of a reservation, or of a lease that has ended, back. */
void amdi_op_lane_give(struct amdi_op_lane *lane, unsigned n);

/** Leases if there is room. Thread: loop. */
void amdi_op_lane_look(struct amdi_op_lane *lane);

/** The same, from any thread. */
void amdi_op_lane_post_look(struct amdi_op_lane *lane);

/** A run has ended: the next may be leased. Thread: loop. */
void amdi_op_lane_on_end(struct amdi_op_lane *lane, bool is_queued_again);

/** Asks no more. Thread: loop. */
void amdi_op_lane_stop(struct amdi_op_lane *lane);

#endif
