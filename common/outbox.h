/**
 * Framed messages on their way from any thread to a stream; server and client
 * calls have one each.
 *
 * Producers add messages under the lock; small ones share a chunk. The loop
 * takes chunks and sends them. The bytes that wait, on either side, are bounded
 * by a high-water mark: a producer that may block waits for room, others are
 * told "again".
 */
#ifndef AMDI_OUTBOX_H
#define AMDI_OUTBOX_H

#include <amdrpc/err.h>

#include "common/out.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_chunk;
struct amdi_arena;

struct amdi_outbox {
    // Loop thread only.
    struct amdi_chunk *sending; // oldest first; owned
    struct amdi_chunk **sending_end;
    size_t nsending;          // bytes left in `sending`
    size_t offset;            // bytes of the first chunk that were taken
    struct amdi_chunk *spent; // taken; freed once the write is done

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_chunk *queued; // oldest first; owned
    struct amdi_chunk **queued_end;
    size_t nwaiting; // bytes queued or sending
    size_t high_water_bytes;
    pthread_cond_t *waiter; // of the producer that waits for room, on its stack
    bool is_starved;        // a producer was told "again"
    bool is_closed;         // nothing is taken any more
};

void amdi_outbox_init(struct amdi_outbox *outbox, size_t high_water_bytes);
void amdi_outbox_fini(struct amdi_outbox *outbox);

/**
 * Frames a message: reserves room for prefix and @len bytes and lets @write
 * fill them.
 *
 * Thread:      any
 * @may_block   wait for room (never on a loop thread)
 * @arena       where the chunk's memory may come from when the message is the
 *              call's only one; NULL: the heap
 * Errors:      AMDRPC_EAGAIN     no room; amdi_outbox_has_starved tells later
 *              AMDRPC_ECANCELED  closed
 *              AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_outbox_push(struct amdi_outbox *outbox,
        size_t len, bool may_block, struct amdi_arena *arena,
        void (*write)(uint8_t *out, const void *arg), const void *arg);

/** Drops what waits and lets producers fail with AMDRPC_ECANCELED. Any thread.
 */
void amdi_outbox_close(struct amdi_outbox *outbox);

/* ---- loop side ---- */

/** Moves what producers queued to the sending side; returns bytes ready. */
size_t amdi_outbox_collect(struct amdi_outbox *outbox);

/** Gives @len bytes (at most those ready) to @out. */
void amdi_outbox_take(
        struct amdi_outbox *outbox, struct amdi_out *out, size_t len);

/**
 * Frees what was taken and wakes a waiting producer; to be called after the
 * bytes have been written. Returns true when a producer had been told "again"
 * and there is room now.
 */
bool amdi_outbox_release(struct amdi_outbox *outbox);

#endif
