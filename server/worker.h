/** The threads that run handlers. */
#ifndef AMDI_WORKER_H
#define AMDI_WORKER_H

#include <amdrpc/err.h>

#include "common/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct amdi_dispatcher;

/** One worker; all but the first group is its own thread's. */
struct amdi_worker {
    // Setup only.
    struct amdi_dispatcher *dispatcher;
    pthread_t thread;
    uint32_t index;

    bool is_quick;           // the present call's method is
    struct amdi_loop *owing; // was given tasks and not woken yet, or NULL
    uint32_t nowed;          // how many tasks
};

/** Errors: AMDRPC_EIO. */
AMDRPC_NODISCARD amdrpc_err amdi_worker_start(struct amdi_worker *worker,
        struct amdi_dispatcher *dispatcher, uint32_t index);

void amdi_worker_join(struct amdi_worker *worker);

#endif
