/**
 * How many runs of a program there may be at once: those that have a slot, and
 * those that wait for one, first in, first out.
 */
#ifndef AMDI_COMMAND_SLOTS_H
#define AMDI_COMMAND_SLOTS_H

#include "common/list.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct amdi_command_slots {
    // Constant once the server has started.
    uint64_t max_running;
    uint64_t max_queued;

    pthread_mutex_t mtx;
    uint64_t nrunning;
    uint64_t nqueued;
    struct amdi_list queue; // of the nodes that wait
};

enum amdi_command_slot {
    AMDI_COMMAND_SLOT_TAKEN,   // the caller has a slot
    AMDI_COMMAND_SLOT_QUEUED,  // it will get one from whoever leaves
    AMDI_COMMAND_SLOT_REFUSED, // too many wait, or it is over
};

/** Makes slots without room. */
void amdi_command_slots_init(struct amdi_command_slots *slots);
void amdi_command_slots_fini(struct amdi_command_slots *slots);

/**
 * Takes a slot or waits for one. Once it returned QUEUED, the node may already
 * be somebody else's.
 *
 * Thread:   any
 * @is_over  asked under the lock, so that who ends a node beforehand, and then
 *           calls _remove, ends it once
 */
enum amdi_command_slot amdi_command_slots_enter(
        struct amdi_command_slots *slots, struct amdi_list *node,
        bool (*is_over)(const void *arg), const void *arg);

/** Takes out a node that waits; false: it does not. Thread: any. */
bool amdi_command_slots_remove(
        struct amdi_command_slots *slots, struct amdi_list *node);

/**
 * Gives a slot back.
 *
 * Thread:  any
 * @return  the node that has it now and was waiting, or NULL
 */
struct amdi_list *amdi_command_slots_leave(struct amdi_command_slots *slots);

#endif
