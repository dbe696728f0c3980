/**
 * The order in which waiting calls come to workers: fair, in constant time.
 *
 * A queue has three classes. A class goes round its lanes, one for each
 * method; a lane goes round its flows, one for each caller; a flow is first in,
 * first out. So a call waits for one turn of others, however many calls they
 * have queued, and a lane that has as many calls running as it may have keeps
 * nobody out. A class that was passed over too often, or for too long, goes
 * before higher ones once: it ages.
 *
 * Pure: no clock, no lock. Nothing is allocated for an entry; flows are made
 * when a caller is new, kept for reuse while it is idle, and bounded in number
 * by the entries that wait or run, and AMDI_QUEUE_MAX_IDLE.
 */
#ifndef AMDI_QUEUE_H
#define AMDI_QUEUE_H

#include <amdrpc/err.h>

#include "common/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Priorities; 0 is the highest.
#define AMDI_QUEUE_NCLASSES 3u

// Idle callers that are remembered, so that their next call allocates nothing.
#define AMDI_QUEUE_MAX_IDLE 256u

enum amdi_flow_state {
    AMDI_FLOW_IDLE,  // nothing waits or runs; on queue->idle
    AMDI_FLOW_READY, // calls wait; on its lane's ring
    AMDI_FLOW_HELD,  // calls run, and none may follow now; on no list
};

/** One caller's calls of one lane. */
struct amdi_flow {
    struct amdi_lane *lane;
    struct amdi_flow *next_hashed;
    uint64_t caller;
    enum amdi_flow_state state;
    struct amdi_list node;
    struct amdi_list entries; // of amdi_queue_entry.node, oldest first
    uint32_t nqueued;
    uint32_t nrunning;
    uint32_t weight; // entries it may hand out in a turn
    uint32_t credit; // of these, what is left of this turn
    uint32_t next_seq;
};

/** One method's calls. The limits are constant. */
struct amdi_lane {
    uint32_t class_index;
    uint32_t max_running;
    uint32_t max_queued;
    uint32_t max_per_key; // entries of one flow that may run; 0: any number

    struct amdi_list ready_node; // on its class while an entry may be taken
    struct amdi_list ring;       // of amdi_flow.node, whose turn it is first
    uint32_t nqueued;
    uint32_t nrunning;
    uint32_t nwaiting;         // flows with entries
    struct amdi_flow *recent;  // the one looked up last, or NULL
    struct amdi_flow *longest; // about the longest, or NULL
    struct amdi_flow shared;   // of callers for whom there was no memory
};

/** Lies in what waits. */
struct amdi_queue_entry {
    struct amdi_list node;
    struct amdi_flow *flow; // set when it is pushed
    uint64_t queued_at_ns;
    uint32_t seq; // in its flow
};

struct amdi_queue_class {
    struct amdi_list lanes; // of amdi_lane.ready_node
    uint64_t waits_since_ns;
    uint32_t npassed; // entries taken from higher classes meanwhile
};

struct amdi_weight {
    uint64_t caller;
    uint32_t weight;
};

struct amdi_queue {
    struct amdi_queue_class classes[AMDI_QUEUE_NCLASSES];
    size_t nqueued;
    size_t nready; // lanes from which an entry may be taken

    struct amdi_flow **buckets; // owned
    size_t nbuckets;            // a power of two
    size_t nflows;              // in buckets
    struct amdi_list idle;      // of amdi_flow.node, longest idle first
    size_t nidle;

    struct amdi_weight *weights; // owned; of callers with another than 1
    size_t nweights;
};

/** Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_queue_init(struct amdi_queue *queue);

/** Frees the flows; nothing may wait or run. Accepts zero bytes. */
void amdi_queue_fini(struct amdi_queue *queue);

/**
 * Lets a caller take @weight (at least 1) entries in a turn. To be set before
 * that caller is seen, once. Errors: AMDRPC_ENOMEM.
 */
AMDRPC_NODISCARD amdrpc_err amdi_queue_set_weight(
        struct amdi_queue *queue, uint64_t caller, uint32_t weight);

/** Makes an empty lane without limits of class 1. */
void amdi_lane_init(struct amdi_lane *lane);

/**
 * Finds a caller's flow in a lane, or makes it; the lane's shared flow when
 * there is no memory. To be given to amdi_queue_push before anything else is
 * done with the queue.
 */
struct amdi_flow *amdi_queue_find_flow(
        struct amdi_queue *queue, struct amdi_lane *lane, uint64_t caller);

/**
 * Adds an entry. A full lane makes room for a caller that has much less
 * waiting than another, whose youngest entry gives way: to @out_evicted, which
 * is NULL otherwise. Returns false when the lane has no room.
 */
bool amdi_queue_push(struct amdi_queue *queue, struct amdi_flow *flow,
        struct amdi_queue_entry *entry, uint64_t now_ns,
        struct amdi_queue_entry **out_evicted);

/** Takes out an entry that waits. */
void amdi_queue_remove(
        struct amdi_queue *queue, struct amdi_queue_entry *entry);

/**
 * Takes the entry whose turn it is, or NULL. It counts as running until
 * amdi_queue_done is given its flow.
 */
struct amdi_queue_entry *amdi_queue_take(
        struct amdi_queue *queue, uint64_t now_ns);

void amdi_queue_done(
        struct amdi_queue *queue, struct amdi_flow *flow, uint64_t now_ns);

/** How many entries of the lane go before one that @flow pushes now. */
uint64_t amdi_flow_ahead(const struct amdi_flow *flow);

/** The same for an entry that waits. */
uint64_t amdi_queue_entry_ahead(const struct amdi_queue_entry *entry);

#endif
