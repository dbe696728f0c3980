/** How many calls wait for which operation, so that it stays bounded. */
#ifndef AMDI_OPERATIONS_WAITERS_H
#define AMDI_OPERATIONS_WAITERS_H

#include <amdrpc/err.h>

#include "common/list.h"

#include <pthread.h>
#include <stdint.h>

// Of one operation; every change of it wakes them all.
#define AMDI_OP_MAX_WAITERS 1000u

#define AMDI_OP_WAITERS_NBUCKETS 256u

struct amdi_op_waiters {
    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_list buckets[AMDI_OP_WAITERS_NBUCKETS]; // of counts, by id
};

void amdi_op_waiters_init(struct amdi_op_waiters *waiters);

/** Frees it; nobody waits any more. */
void amdi_op_waiters_fini(struct amdi_op_waiters *waiters);

/**
 * Counts one more. Thread: any.
 *
 * Errors:  AMDRPC_ELIMIT  AMDI_OP_MAX_WAITERS wait already
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_op_waiters_enter(
        struct amdi_op_waiters *waiters, uint64_t id);

/** Counts one less. Thread: any. */
void amdi_op_waiters_leave(struct amdi_op_waiters *waiters, uint64_t id);

#endif
