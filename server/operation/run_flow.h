/**
 * How much of an execution's answer is on its way to the store: who sends more
 * than is allowed has to wait.
 */
#ifndef AMDI_RUN_FLOW_H
#define AMDI_RUN_FLOW_H

#include <amdrpc/err.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_run_flow {
    // Any thread, under mtx.
    pthread_mutex_t mtx;
    pthread_cond_t has_room;
    size_t max_bytes;
    size_t nbytes;    // on their way
    size_t nmessages; // on their way
    bool is_closed;
    bool is_wanted; // a loop was told to try again
};

void amdi_run_flow_init(struct amdi_run_flow *flow, size_t max_bytes);
void amdi_run_flow_fini(struct amdi_run_flow *flow);

/**
 * Takes room for a message; one of any size passes when nothing is on its way.
 *
 * Thread:  any
 * Errors:  AMDRPC_EAGAIN     there is none, and @may_block is false
 *          AMDRPC_ECANCELED  it was closed
 */
AMDRPC_NODISCARD amdrpc_err amdi_run_flow_take(
        struct amdi_run_flow *flow, size_t nbytes, bool may_block);

/**
 * Gives the room of a message back. Returns whether somebody was told to try
 * again, and may now. Thread: any.
 */
bool amdi_run_flow_give(struct amdi_run_flow *flow, size_t nbytes);

/** Lets nobody wait or send any more. Thread: any. */
void amdi_run_flow_close(struct amdi_run_flow *flow);

/** Tells whether messages are on their way. Thread: any. */
bool amdi_run_flow_is_busy(struct amdi_run_flow *flow);

#endif
